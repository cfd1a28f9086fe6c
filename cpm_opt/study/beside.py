"""What a plan is set beside: the greedy plan, judged as the plan is, so that it is seen what the model earns over it.

Under uncertainty the greedy planner knows the tables without the scenarios; the shares and choices that it settles on
are carried through each scenario and weighed as the model weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cpm_opt.formulation.audit import Breach, Decisions, RuleRow
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.runs.money import unit_words
from cpm_opt.solve.answer import Question
from cpm_opt.solve.certificate import TOLERANCE
from cpm_opt.solve.plan import Recount
from cpm_opt.solve.recount import recount
from cpm_opt.study.greedy import greedy

if TYPE_CHECKING:
    from cpm_opt.pipeline import Problem

# So many combinations of segment, option and period take the greedy planner about half a second.
MOST_MOVES = 20_000


def size_of(portfolio: Portfolio) -> int:
    """How many combinations of segment, option and period the greedy planner weighs."""
    return len(portfolio.segments) * len(portfolio.options) * portfolio.periods


def greedy_facts(problem: Problem, most: int = MOST_MOVES) -> dict[str, object]:
    """The greedy plan of a problem as run.json keeps it: `profit`, `end_value` and `penalties` (means over scenarios,
    money of today), `objective` as the model weighs it, and `broken`, the hard limits that it does not keep.

    Figures are None where there are more than `most` combinations; `moves` tells how many there are.
    """
    p, spec = problem.portfolio, problem.spec
    moves = size_of(p)
    if moves > most:
        names = ("profit", "end_value", "penalties", "objective", "broken")
        return {**dict.fromkeys(names), "moves": moves}
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    parts = tuple(spec.components.values())
    question = Question(p, parts, weights, problem.scenarios)
    planned = greedy(p, spec).decisions
    recounts: list[Recount] = []
    broken: list[dict[str, object]] = []
    for case in question.cases:
        decisions = _in_case(p, case.portfolio, planned) if problem.scenarios else planned
        counted, _, breaches = recount(case.portfolio, decisions, parts, weights)
        recounts.append(counted)
        broken += [row for row in _broken(p, counted.rows, breaches) if row not in broken]
    chances = [case.probability for case in question.cases]

    def mean(figures: Sequence[float]) -> float:
        return sum(chance * figure for chance, figure in zip(chances, figures, strict=True))

    return {
        "profit": mean([each.profit for each in recounts]),
        "end_value": mean([each.end_value for each in recounts]),
        "penalties": mean([_penalties(each) for each in recounts]),
        "objective": question.value([each.objective for each in recounts]),
        "broken": broken,
        "moves": moves,
    }


def _in_case(p: Portfolio, case: Portfolio, planned: Decisions) -> Decisions:
    """The shares and choices of a plan as customers come and go in a scenario."""
    from cpm_opt.study.given_tariff import carried, shares_of

    return carried(case, shares_of(p, planned), planned.chosen, planned.extra)


def _penalties(counted: Recount) -> float:
    return sum(float(each @ counted.discount[:-1]) for each in counted.penalties.values())


def _broken(p: Portfolio, rows: Sequence[RuleRow], breaches: Sequence[Breach]) -> list[dict[str, object]]:
    missed: list[dict[str, object]] = [
        {
            "rule": row.rule,
            "subject": row.subject,
            "period": row.period,
            "missed_by": -row.slack,
            "unit": unit_words(p, row.unit),
        }
        for row in rows
        if row.penalty is None and row.slack < -TOLERANCE * max(1.0, abs(row.limit))
    ]
    other: list[dict[str, object]] = [
        {"rule": each.where, "subject": "", "period": None, "missed_by": each.amount, "unit": ""}
        for each in breaches
        if each.amount > TOLERANCE
    ]
    return [*missed, *other]
