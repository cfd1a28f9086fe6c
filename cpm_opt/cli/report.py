"""`cpm report`: a run as one HTML file that opens without a network, and as an Excel workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cpm_opt.cli.explain import Run
from cpm_opt.cli.options import RESULTS, Json, Results

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
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Write a run as one HTML page that opens offline and as an Excel workbook, both named by the run's id."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, write, write_json
    from cpm_opt.report.files import checked_formats, write_report
    from cpm_opt.runs import find_run

    check_words(run=run, results=str(results), out=str(out), format=formats)
    wanted = checked_formats(formats)
    record = find_run(results, run)
    written = write_report(record, out, wanted, force)
    if json:
        files = {form: str(path) for form, path in written.items()}
        write_json({"run": record.id, "status": record.status, "path": str(record.path), "files": files})
    else:
        for path in written.values():
            write(str(path))
    return DONE
