"""`cpm frontier`: what a measure costs in profit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cpm_opt.cli.options import RESULTS, Fix, Forbid, Instance, Json, Model, Results, Settings
from cpm_opt.cli.solve import SolveLimit

CHART = "frontier.svg"

Versus = Annotated[
    str,
    typer.Option(
        "--versus",
        metavar="MEASURE",
        help="customers (kept, at the end), margin, revenue, cash, use:RESOURCE, a measure of the instance (over the "
        "whole horizon), or risk.",
        show_default=False,
    ),
]
Members = Annotated[
    str, typer.Option("--members", metavar="WHO", help="Whose measure: SEGMENT, all or COLUMN=VALUE.")
]
Sense = Annotated[
    str | None,
    typer.Option(
        "--sense",
        metavar="min|max",
        help="Whether less or more of it is wished for. [default: less of a use, more of all else]",
        show_default=False,
    ),
]
Points = Annotated[int, typer.Option("--points", metavar="N", help="How many points, both ends included.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The folder of the table and the chart. [default: one in the folder of the runs]",
        show_default=False,
    ),
]


def frontier(
    instance: Instance,
    versus: Versus,
    members: Members = "all",
    sense: Sense = None,
    points: Points = 10,
    model: Model = None,
    settings: Settings = None,
    fix: Fix = None,
    forbid: Forbid = None,
    time_limit: SolveLimit = None,
    out: Out = None,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Trade profit against a measure, from one best end to the other, each point a run."""
    from cpm_opt.cli.boundary import DEFECT, DONE
    from cpm_opt.cli.output import check_words, progress, show, waiting, write, write_json
    from cpm_opt.cli.solve import CODES
    from cpm_opt.pipeline import read_problem
    from cpm_opt.report.frontier import frontier_chart, frontier_report
    from cpm_opt.study.frontier import TABLE, Call, rows_of
    from cpm_opt.study.frontier import frontier as traced
    from cpm_opt.whole_files import replace_file

    words = {
        "versus": versus,
        "members": members,
        "results": str(results),
        "out": None if out is None else str(out),
    }
    check_words(instance=instance, model=model, set=settings, fix=fix, forbid=forbid, **words)
    progress(f"reading {instance} ...")
    problem = read_problem(instance, model, settings or (), time_limit, fix or (), forbid or ())
    call = Call(versus, members, sense or "", points, results, out)
    with waiting("solving ...") as tell:
        found = traced(problem, call, lambda count: tell(f"plans solved: {count}"))
    files: dict[str, str | None] = {"table": None, "chart": None}
    if found.folder is not None:
        replace_file("--out", found.folder / CHART, frontier_chart(found))
        files = {"table": str(found.folder / TABLE), "chart": str(found.folder / CHART)}
    if json:
        facts = {"status": found.status, "message": found.message, "versus": versus, "members": members}
        money = {name: found.instance[name] for name in ("currency", "money_unit")}
        rows = rows_of(found)
        write_json({**facts, "unit": found.unit, "points": rows, "missed": found.missed, **money, **files})
    else:
        show(frontier_report(found))
        if found.folder is not None:
            write(f"\nTable: {files['table']}\nChart: {files['chart']}")
    return DONE if found.points else CODES.get(found.status, DEFECT)
