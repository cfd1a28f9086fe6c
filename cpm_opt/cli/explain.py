"""`cpm explain`: why a run's plan is as it is."""

from __future__ import annotations

from typing import Annotated

import typer

from cpm_opt.cli.options import RESULTS, Json, Results

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: the path of its folder, its id, or a beginning or end of it that no other has, or `last`.",
        show_default=False,
    ),
]


def explain(run: Run, results: Results = RESULTS, json: Json = False) -> int:
    """Explain a run: what to do, what it earns, what limits it, and how it was checked."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, show, write, write_json
    from cpm_opt.report import explain as explained
    from cpm_opt.runs import find_run

    check_words(run=run, results=str(results))
    record = find_run(results, run)
    explanation = explained(record)
    if json:
        write_json({**explanation.as_dict(), "path": str(record.path)})
    else:
        show(explanation)
        write(f"\nRun: {record.path}")
    return DONE
