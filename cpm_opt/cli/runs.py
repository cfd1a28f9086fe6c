"""`cpm runs`: what runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.cli.options import RESULTS, Json, Results

if TYPE_CHECKING:
    from cpm_opt.runs import RunRecord


def runs(results: Results = RESULTS, json: Json = False) -> int:
    """List the runs, the newest first."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, show, write, write_faults, write_json
    from cpm_opt.report import run_list
    from cpm_opt.runs import list_runs

    check_words(results=str(results))
    records, faults = list_runs(results)
    write_faults(faults)
    if json:
        write_json({"runs": [_facts(record) for record in records], "faults": [x.as_dict() for x in faults]})
    elif records:
        show(run_list(records))
    else:
        write(f"no runs in {results}")
    return DONE


def _facts(record: RunRecord) -> dict[str, object]:
    facts = record.facts
    return {
        "run": record.id,
        "path": str(record.path),
        "created": facts.get("created"),
        "instance": facts["instance"].get("name"),
        "model": facts["model"].get("name"),
        "study": record.study or None,
        "status": facts["status"],
        "objective": facts.get("objective"),
        "profit": facts.get("profit"),
        "gap": facts.get("gap"),
        "certified": record.shown,
    }
