"""`cpm sweep`: the same question at many points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cpm_opt.cli.options import RESULTS, Fix, Forbid, Instance, Json, Model, Results, Settings
from cpm_opt.cli.solve import SolveLimit

if TYPE_CHECKING:
    from cpm_opt.study.sweep import Sweep

CHART = "sweep.svg"

Vary = Annotated[
    list[str],
    typer.Option(
        "--vary",
        metavar="KEY=A,B,C",
        help="What to vary: a key of the model, or cells of a table as in "
        "tables.resources[resource=hours,period=2].capacity; with --sample also KEY=LOW..HIGH. May be repeated.",
        show_default=False,
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample", metavar="N", help="Draw N points instead of all combinations.", show_default=False
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Seed of the sample.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", help="Processes; 0 takes one for each processor.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The folder of the table, the chart and the index. [default: one in the folder of the runs]",
        show_default=False,
    ),
]


def sweep(
    instance: Instance,
    vary: Vary,
    model: Model = None,
    settings: Settings = None,
    fix: Fix = None,
    forbid: Forbid = None,
    time_limit: SolveLimit = None,
    sample: Sample = None,
    seed: Seed = 0,
    jobs: Jobs = 0,
    out: Out = None,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Solve at many points, each a run, with one table and a chart; called again, it goes on where it stopped."""
    from cpm_opt.cli.output import check_words, progress, show, waiting, write, write_json
    from cpm_opt.pipeline import read_problem
    from cpm_opt.report.sweep import sweep_chart, sweep_report
    from cpm_opt.study.base import Base
    from cpm_opt.study.sweep import TABLE, Call, typed
    from cpm_opt.study.sweep import sweep as swept
    from cpm_opt.whole_files import replace_file

    words = {"out": None if out is None else str(out), "results": str(results)}
    check_words(instance=instance, model=model, set=settings, fix=fix, forbid=forbid, vary=vary, **words)
    progress(f"reading {instance} ...")
    problem = read_problem(instance, model, settings or (), time_limit, fix or (), forbid or ())
    name = model or problem.tables.info.default_model or ""
    base = Base(name, tuple(settings or ()), time_limit, tuple(fix or ()), tuple(forbid or ()))
    call = Call(instance, base, tuple(vary), results, sample, seed, jobs, out)
    with waiting("solving the points ...") as tell:
        found = swept(problem, call, lambda done, count: tell(f"{done} of {count} points are done"))
    drawing = sweep_chart(found)
    if drawing:
        replace_file("--out", found.folder / CHART, drawing)
    if json:
        files = {"table": str(found.folder / TABLE), "chart": str(found.folder / CHART) if drawing else None}
        money = {name: found.instance[name] for name in ("currency", "money_unit")}
        write_json(
            {"status": _status(found), "points": typed(found), "solved": found.solved, **money, **files}
        )
    else:
        show(sweep_report(found))
        write(f"\nTable: {found.folder / TABLE}" + (f"\nChart: {found.folder / CHART}" if drawing else ""))
    return _code(found)


def _status(found: Sweep) -> str:
    """`faults` where values broke the data, `done` where some point has a plan, else what kept all from one."""
    statuses = [str(row["status"]) for row in found.rows]
    if "faults" in statuses:
        return "faults"
    if any(row["certified"] for row in found.rows):
        return "done"
    return "no_solution" if "no_solution" in statuses else statuses[0]


def _code(found: Sweep) -> int:
    from cpm_opt.cli.boundary import DEFECT, DONE, FAULTS
    from cpm_opt.cli.output import write_error
    from cpm_opt.cli.solve import CODES

    for row in found.rows:
        if row["status"] == "faults":
            write_error(f"point {row['point']}: {row['message']}")
    unsure = [row["run"] for row in found.rows if row["certified"] is False and row["profit"] is None]
    if any(row["status"] in ("optimal", "feasible") for row in found.rows if row["run"] in unsure):
        write_error("cpm: a defect of ours: a plan did not pass its check and is not shown; see the table")
        return DEFECT
    return {"faults": FAULTS, "done": DONE, **CODES}[_status(found)]
