"""`cpm estimate`: from raw tables to planning tables, and what the customers are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cpm_opt.cli.options import Instance, Json, Plot

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Write the planning tables there, as an instance of their own.",
        show_default=False,
    ),
]
Customers = Annotated[
    Path | None,
    typer.Option(
        "--customers",
        metavar="FILE",
        help="Write the values of each customer there, as CSV.",
        show_default=False,
    ),
]


def estimate(
    instance: Instance,
    out: Out = None,
    customers: Customers = None,
    plot: Plot = None,
    json: Json = False,
) -> int:
    """Estimate planning tables and customers' values from raw tables, with standard errors."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import (
        check_plot,
        check_words,
        draw,
        show,
        waiting,
        write,
        write_error,
        write_json,
    )
    from cpm_opt.estimates.on_request import estimate_instance
    from cpm_opt.estimates.planning_files import write_frame, write_planning_tables
    from cpm_opt.report.estimate_charts import MOST_DRAWN, estimate_charts
    from cpm_opt.report.estimation import estimation, estimation_facts

    words = {"out": out, "customers": customers}
    check_words(instance=instance, **{name: str(path) for name, path in words.items() if path is not None})
    check_plot(plot)
    with waiting(f"reading and estimating {instance} ..."):
        tables, estimates = estimate_instance(instance, out, customers)
    files = [] if out is None else write_planning_tables(out, tables.info, estimates.frames)
    if customers is not None and estimates.values is not None:
        write_frame("--customers", customers, estimates.values.customers)
    if plot is not None:
        charts = estimate_charts(estimates, tables.info.currency)
        draw(plot, charts[:MOST_DRAWN])
        words["plot"] = plot
        if len(charts) > MOST_DRAWN:
            write_error(f"Drawn: {MOST_DRAWN} of {len(charts)} charts; `--json` has the figures of all.")
    if json:
        places = {name: None if path is None else str(path) for name, path in words.items()}
        write_json({**estimation_facts(tables, estimates), "written": {**places, "files": files}})
    else:
        show(estimation(tables, estimates))
        for path in words.values():
            if path is not None:
                write(f"\nWritten: {path}")
    return DONE
