"""`cpm report`: a run as one HTML file that opens without a network, and as an Excel workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cpm_opt.cli.explain import Deep, DeepLimit, Flips, check_deep, deep_explanation
from cpm_opt.cli.options import RESULTS, Json, MovedTo, Results, Run

Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The folder of the files; made if only it is missing.")
]
Formats = Annotated[
    str, typer.Option("--format", metavar="FORMATS", help="Which files: html, xlsx, or both with a comma.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files of the same name.")]


def report(
    run: Run,
    out: Out = Path(),
    formats: Formats = "html,xlsx",
    force: Force = False,
    deep: Deep = False,
    flips: Flips = None,
    time_limit: DeepLimit = None,
    instance: MovedTo = None,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Write a run as one HTML page that opens offline and as an Excel workbook, both named by the run's id."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, waiting, write, write_json
    from cpm_opt.report.files import checked_formats, checked_paths, write_report
    from cpm_opt.runs import find_run

    check_words(run=run, instance=instance, results=str(results), out=str(out), format=formats)
    check_deep(deep, flips, time_limit, instance)
    wanted = checked_formats(formats)
    record = find_run(results, run)
    paths = checked_paths(record, out, wanted, force)
    told = deep_explanation(record, deep, flips, time_limit, instance)
    with waiting(f"writing {' and '.join(wanted)} ..."):
        write_report(record, paths, told)
    if json:
        files = {form: str(path) for form, path in paths.items()}
        write_json({"run": record.id, "status": record.status, "path": str(record.path), "files": files})
    else:
        for path in paths.values():
            write(str(path))
    return DONE
