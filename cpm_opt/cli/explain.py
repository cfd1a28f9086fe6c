"""`cpm explain`: why a run's plan is as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cpm_opt.cli.options import RESULTS, Json, MovedTo, Results, Run

if TYPE_CHECKING:
    from cpm_opt.report import Explanation
    from cpm_opt.runs import RunRecord

Deep = Annotated[
    bool,
    typer.Option(
        "--deep", help="Solve again to tell what would change the advice, for the choices with most at stake."
    ),
]
Flips = Annotated[
    int | None,
    typer.Option(
        "--flips", metavar="N", min=1, help="Look into so many choices (turns --deep on). [default: 5]"
    ),
]
DeepLimit = Annotated[
    float | None,
    typer.Option("--time-limit", metavar="SECONDS", min=1, help="At most so long for --deep. [default: 60]"),
]
CHOICES, SECONDS = 5, 60.0


def explain(
    run: Run,
    deep: Deep = False,
    flips: Flips = None,
    time_limit: DeepLimit = None,
    instance: MovedTo = None,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Explain a run: what to do, what it earns, what limits it, what would change the advice, how it was checked."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, show, write, write_json
    from cpm_opt.report import explain as explained
    from cpm_opt.runs import find_run

    check_words(run=run, instance=instance, results=str(results))
    check_deep(deep, flips, time_limit, instance)
    record = find_run(results, run)
    explanation = deep_explanation(record, deep, flips, time_limit, instance) or explained(record)
    if json:
        write_json({**explanation.as_dict(), "path": str(record.path)})
    else:
        show(explanation)
        write(f"\nRun: {record.path}")
    return DONE


def check_deep(deep: bool, flips: int | None, time_limit: float | None, instance: str | None) -> None:
    """Raises InputError for what only --deep needs, where that is not asked for: a time limit, the place of tables."""
    from cpm_opt.faults import Fault, InputError

    given = {"--time-limit": None if time_limit is None else f"{time_limit:g}", "--instance": instance}
    message, remedy = "is for --deep, which is not asked for", "add --deep, or leave it out"
    faults = [
        Fault(option, message, remedy, value=value, code="call")
        for option, value in given.items()
        if value is not None
    ]
    if faults and not deep and flips is None:
        raise InputError(faults)


def deep_explanation(
    record: RunRecord, deep: bool, flips: int | None, time_limit: float | None, instance: str | None
) -> Explanation | None:
    """The explanation with what solving again tells; None where that is not asked for, or the run has no plan."""
    if not record.shown or not (deep or flips is not None):
        return None
    from cpm_opt.cli.output import waiting
    from cpm_opt.report import explain as explained
    from cpm_opt.study.advice import advice
    from cpm_opt.study.beside import greedy_facts, size_of
    from cpm_opt.study.rerun import plan_of, problem_of

    choices, seconds = flips or CHOICES, time_limit or SECONDS
    with waiting("reading the run's inputs again ..."):
        problem = problem_of(record, instance)
        decisions = plan_of(record, problem)
    with waiting(f"looking into {choices} choices, {seconds:g} seconds at most ..."):
        found = advice(problem, decisions, record.facts["objective"], choices, seconds)
    return explained(record, found, greedy_facts(problem, size_of(problem.portfolio)))
