"""`cpm test-tariff`: what a given tariff does."""

# ruff: noqa: PT028 (the function is named for its command, and is no test)

from __future__ import annotations

from typing import Annotated

import typer

from cpm_opt.cli.options import Fix, Forbid, Instance, Json, Model, Plot, Settings
from cpm_opt.cli.solve import TimeLimit

WhatIf = Annotated[
    bool,
    typer.Option("--what-if", help="Everything else stays as it is today, instead of answering as is best."),
]


def test_tariff(
    instance: Instance,
    fix: Fix = None,
    forbid: Forbid = None,
    what_if: WhatIf = False,
    model: Model = None,
    settings: Settings = None,
    time_limit: TimeLimit = None,
    plot: Plot = None,
    json: Json = False,
) -> int:
    """Try a tariff: profit, margin, customers, churn and capacity, against today's tariff and the best one."""
    from cpm_opt.cli.boundary import DEFECT, DONE
    from cpm_opt.cli.output import check_plot, check_words, draw, progress, show, waiting, write, write_json
    from cpm_opt.cli.solve import CODES
    from cpm_opt.faults import Fault, InputError
    from cpm_opt.pipeline import read_problem
    from cpm_opt.report.trial_charts import trial_charts
    from cpm_opt.report.trials import trial_facts, trial_report
    from cpm_opt.study.tariff_trial import try_tariff

    check_words(instance=instance, model=model, set=settings, fix=fix, forbid=forbid)
    if not fix and not forbid:
        remedy = "state it with --fix LEVER=OPTION, which may be repeated"
        raise InputError([Fault("--fix", "no tariff is given", remedy, code="call")])
    check_plot(plot)
    progress(f"reading {instance} ...")
    problem = read_problem(instance, model, settings or (), time_limit, fix or (), forbid or ())
    with waiting(f"trying the tariff, {problem.spec.solver.time_limit:g} seconds at most ..."):
        trial = try_tariff(problem, fix or (), forbid or (), what_if)
    drawn = plot if trial.tried is not None else None
    if drawn is not None:
        draw(drawn, trial_charts(trial))
    if json:
        write_json({**trial_facts(trial), "plot": None if drawn is None else str(drawn)})
    else:
        show(trial_report(trial))
        if drawn is not None:
            write(f"\nPlot: {drawn}")
    return DONE if trial.tried is not None else CODES.get(trial.status, DEFECT)
