"""`cpm monitor`: what happened against the plan, and the next period's instance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cpm_opt.cli.options import RESULTS, Json, MovedTo, Plot, Results, Run

Folder = Annotated[
    Path,
    typer.Option("--actuals", metavar="DIR", help="The folder of what happened.", show_default=False),
]
Period = Annotated[
    int | None,
    typer.Option("--period", metavar="N", help="The period of rows that name none. [default: 1]"),
]
Volume = Annotated[
    str | None,
    typer.Option(
        "--volume",
        metavar="MEASURE",
        help="The measure that counts what customers buy: it parts purchases from price.",
    ),
]
Material = Annotated[
    float,
    typer.Option(
        "--material", metavar="FRACTION", help="Tell untested figures that are off by more than this."
    ),
]
Roll = Annotated[
    Path | None,
    typer.Option("--roll", metavar="NEWDIR", help="Write the next period's instance there, new or empty."),
]


def monitor(
    run: Run,
    actuals: Folder,
    period: Period = None,
    instance: MovedTo = None,
    volume: Volume = None,
    material: Material = 0.05,
    roll: Roll = None,
    plot: Plot = None,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Hold what happened against a run's plan: variances, forecasts, what to estimate again, where the firm stands."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_plot, check_words, draw, show, waiting, write, write_json
    from cpm_opt.faults import Fault, InputError
    from cpm_opt.report.monitoring import monitoring_charts, monitoring_report
    from cpm_opt.report.monitoring_facts import monitoring_facts
    from cpm_opt.runs import find_run
    from cpm_opt.study.monitor.monitor import monitor as monitored
    from cpm_opt.study.monitor.roll import check_roll
    from cpm_opt.study.monitor.roll import roll as rolled

    check_words(run=run, actuals=str(actuals), instance=instance, volume=volume, results=str(results))
    if not 0.0 <= material < float("inf"):
        remedy = "write a fraction, such as 0.05"
        raise InputError(
            [Fault("--material", "is no fraction of 0 or more", remedy, value=str(material), code="call")]
        )
    check_plot(plot)
    if roll is not None:
        check_words(roll=str(roll))
        check_roll(roll)
    record = find_run(results, run)
    with waiting(f"holding {actuals} against the plan ..."):
        found = monitored(record, actuals, period, instance, volume, material)
    written = None if roll is None else rolled(found, roll)
    if plot is not None:
        draw(plot, monitoring_charts(found))
    if json:
        write_json({**monitoring_facts(found, written), "plot": None if plot is None else str(plot)})
    else:
        show(monitoring_report(found, written))
        if plot is not None:
            write(f"\nPlot: {plot}")
    return DONE
