"""`cpm explain`: why a run's plan is as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cpm_opt.cli.options import RESULTS, Json, Results, Run

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
    float,
    typer.Option("--time-limit", metavar="SECONDS", min=1, help="At most so long for --deep."),
]
CHOICES = 5


def explain(
    run: Run,
    deep: Deep = False,
    flips: Flips = None,
    time_limit: DeepLimit = 60.0,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Explain a run: what to do, what it earns, what limits it, what would change the advice, how it was checked."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, show, write, write_json
    from cpm_opt.report import explain as explained
    from cpm_opt.runs import find_run

    check_words(run=run, results=str(results))
    record = find_run(results, run)
    if (deep or flips is not None) and record.shown:
        explanation = deep_explanation(record, flips or CHOICES, time_limit)
    else:
        explanation = explained(record)
    if json:
        write_json({**explanation.as_dict(), "path": str(record.path)})
    else:
        show(explanation)
        write(f"\nRun: {record.path}")
    return DONE


def deep_explanation(record: RunRecord, choices: int, seconds: float) -> Explanation:
    """The explanation with what solving again tells."""
    from cpm_opt.cli.output import waiting
    from cpm_opt.report import explain as explained
    from cpm_opt.study.advice import advice
    from cpm_opt.study.beside import greedy_facts, size_of
    from cpm_opt.study.rerun import plan_of, problem_of

    with waiting("reading the run's inputs again ..."):
        problem = problem_of(record)
        decisions = plan_of(record, problem)
    with waiting(f"looking into {choices} choices, {seconds:g} seconds at most ..."):
        found = advice(problem, decisions, record.facts["objective"], choices, seconds)
    return explained(record, found, greedy_facts(problem, size_of(problem.portfolio)))
