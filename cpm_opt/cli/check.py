"""`cpm check`: every fault of an instance at once."""

from __future__ import annotations

from cpm_opt.cli.options import Fix, Forbid, Instance, Json, Model, Settings


def check(
    instance: Instance,
    model: Model = None,
    settings: Settings = None,
    fix: Fix = None,
    forbid: Forbid = None,
    json: Json = False,
) -> int:
    """Check an instance: every fault at once, each with table, row, column, value and remedy."""
    from cpm_opt.cli.boundary import DONE, FAULTS
    from cpm_opt.cli.output import check_words, write, write_error, write_faults, write_json
    from cpm_opt.pipeline import check_instance

    check_words(instance=instance, model=model, set=settings, fix=fix, forbid=forbid)
    faults, warnings = check_instance(
        instance, model, tuple(settings or ()), tuple(fix or ()), tuple(forbid or ())
    )
    write_faults(faults)
    if warnings:
        write_error("No faults, but doubtful:" if not faults else "Doubtful:")
        write_faults(warnings)
    if json:
        write_json(
            {
                "status": "faults" if faults else "ok",
                "faults": [fault.as_dict() for fault in faults],
                "warnings": [fault.as_dict() for fault in warnings],
            }
        )
    elif not faults:
        write(f"{instance}: no faults")
    return FAULTS if faults else DONE
