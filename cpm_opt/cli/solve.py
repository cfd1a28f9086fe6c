"""`cpm solve`: from an instance to a plan in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cpm_opt.cli.options import RESULTS, Fix, Forbid, Instance, Json, Model, Results, Settings

if TYPE_CHECKING:
    from cpm_opt.pipeline import Problem
    from cpm_opt.runs import RunFacts, RunRecord
    from cpm_opt.solve.plan import Plan

NO_PLAN, LIMIT = 3, 4
CODES = {"infeasible": NO_PLAN, "unbounded": NO_PLAN, "no_solution": LIMIT}
PRICES = ("rule", "subject", "period", "shadow_price", "range_low", "range_high")
TIMES = ("read", "build", "solve", "total")

TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        help="At most so long, reading and building included. [default: the model's]",
    ),
]
SolveLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        help="At most so long for each plan, once the tables are read. [default: the model's]",
    ),
]

Lock = Annotated[
    list[str] | None,
    typer.Option(
        "--lock",
        metavar="[LEVER=]RUN[@GROUP][:t1-t2[+k]]",
        help="Keep what an earlier run chose, for a lever, a group and periods (else all); with +k its periods are "
        "those k later. May be repeated.",
        show_default=False,
    ),
]

Flips = Annotated[
    int | None,
    typer.Option(
        "--flips",
        metavar="N",
        min=1,
        help="After it, solve again to tell what would change the N choices that matter most (a minute at most).",
        show_default=False,
    ),
]
ADVICE_SECONDS = 60.0


def solve(
    instance: Instance,
    model: Model = None,
    settings: Settings = None,
    fix: Fix = None,
    forbid: Forbid = None,
    lock: Lock = None,
    flips: Flips = None,
    time_limit: TimeLimit = None,
    results: Results = RESULTS,
    json: Json = False,
) -> int:
    """Find the best plan for an instance and write it into a new run folder."""
    from cpm_opt.cli.output import check_words, progress, waiting, write_json
    from cpm_opt.pipeline import solve_problem
    from cpm_opt.runs import write_run
    from cpm_opt.solve.engine import Engine

    words = {
        "instance": instance,
        "model": model,
        "set": settings,
        "fix": fix,
        "forbid": forbid,
        "lock": lock,
    }
    check_words(**words, results=str(results))
    progress(f"reading {instance} ...")
    with Engine() as engine:  # the solver starts up while the instance is read
        problem = _read(instance, model, settings or [], time_limit, fix or [], forbid or [], results)
        problem = _with_locks(problem, lock or [], results)
        with waiting(f"solving, {problem.spec.solver.time_limit:g} seconds at most ..."):
            plan = solve_problem(problem, engine)
    run = write_run(results, plan, _facts(problem, plan, flips))
    if json:
        write_json(_answer(plan, run))
    else:
        _tell(run)
    return _code(plan)


def _read(
    instance: str,
    model: str | None,
    settings: list[str],
    time_limit: float | None,
    fix: list[str],
    forbid: list[str],
    results: Path,
) -> Problem:
    """The problem, once it is known that its run can be written; tells the faults of both at once."""
    from cpm_opt.faults import Fault, InputError
    from cpm_opt.pipeline import read_problem
    from cpm_opt.runs import check_results

    faults: list[Fault] = []
    try:
        check_results(results)
    except InputError as error:
        faults.extend(error.faults)
    try:
        problem = read_problem(instance, model, settings, time_limit, fix, forbid, doubts=True)
    except InputError as error:
        raise InputError([*error.faults, *faults]) from error
    if faults:
        raise InputError(faults)
    return problem


def _with_locks(problem: Problem, lock: list[str], results: Path) -> Problem:
    if not lock:
        return problem
    from cpm_opt.study.lock import locked

    return locked(problem, lock, results)


def _facts(problem: Problem, plan: Plan, flips: int | None) -> RunFacts:
    from dataclasses import replace

    from cpm_opt.study.base import run_facts_of
    from cpm_opt.study.beside import greedy_facts

    facts = run_facts_of(problem, problem.spec)
    if not plan.shown:
        return facts
    return replace(
        facts, greedy=greedy_facts(problem), advice=_advice(problem, plan, flips) if flips else None
    )


def _advice(problem: Problem, plan: Plan, choices: int) -> dict[str, object]:
    """What would change the plan's choices, as run.json keeps it."""
    from dataclasses import asdict

    from cpm_opt.cli.output import waiting
    from cpm_opt.study.advice import advice

    if plan.decisions is None or plan.objective is None:
        return {}
    with waiting(f"looking into {choices} choices, {ADVICE_SECONDS:g} seconds at most ..."):
        return asdict(advice(problem, plan.decisions, plan.objective, choices, ADVICE_SECONDS))


def _code(plan: Plan) -> int:
    from cpm_opt.cli.boundary import DEFECT, DONE
    from cpm_opt.cli.output import write_error

    if plan.status in CODES:
        return CODES[plan.status]
    if plan.shown:
        return DONE
    where = plan.certificate.where if plan.certificate is not None else "the certificate is missing"
    write_error(f"cpm: a defect of ours: the plan did not pass its check ({where}) and is not shown")
    return DEFECT


def _answer(plan: Plan, run: RunRecord) -> dict[str, object]:
    """The JSON of a solve: the run's main figures, absent ones None."""
    from cpm_opt.runs.prices import reader_prices

    facts = run.facts
    names = (
        "status",
        "message",
        "objective",
        "bound",
        "gap",
        "profit",
        "end_value",
        "penalties",
        "certificate",
    )
    return {
        **{name: facts[name] for name in names},
        "today": {name: facts["today"][name] for name in ("profit", "end_value", "objective")},
        "greedy": facts["greedy"],
        "advice": facts["advice"],
        **_over(run),
        "given_up": facts["given_up"],
        "pins": facts["pins"],
        "conflict": facts["conflict"],
        "irreducible": facts["irreducible"],
        "shadow_prices": [
            dict(zip(PRICES, (*key, *price), strict=True)) for key, price in reader_prices(plan).items()
        ],
        "prices_from": facts["prices_from"],
        "instance": facts["instance"]["name"],
        "model": facts["model"]["name"],
        "currency": facts["instance"]["currency"],
        "money_unit": facts["instance"]["money_unit"],
        "run": str(run.path),
        "seconds": {**dict.fromkeys(TIMES), **facts["seconds"]},
        "notes": facts["notes"],
        "warnings": facts["warnings"],
    }


def _over(run: RunRecord) -> dict[str, object]:
    """Today's and the greedy plan's profit, and by how much the plan is worth more, all counted that the model counts;
    None where there is no plan or no such figure."""
    facts = run.facts
    worth, today, greedy = facts["objective"], facts["today"], facts["greedy"] or {}
    found: dict[str, object] = {"today_profit": today["profit"], "greedy_profit": greedy.get("profit")}
    for name, other in (("gain_over_today", today), ("gain_over_greedy", greedy)):
        theirs = other.get("objective")
        found[name] = None if worth is None or theirs is None else worth - theirs
    return found


def _tell(run: RunRecord) -> None:
    from cpm_opt.cli.output import show, write
    from cpm_opt.report import explain
    from cpm_opt.report.doubts import with_doubts

    show(with_doubts(explain(run).brief(), run.facts))
    write(f"\nRun: {run.path}\nMore: cpm explain {run.path}" if run.shown else f"\nRun: {run.path}")
