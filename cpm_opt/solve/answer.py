"""From what the solver found to a plan: decisions decoded, recounted and certified, prices named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.components.risk import Risk
from cpm_opt.formulation.draft import Composition, Draft, Key, Weights
from cpm_opt.portfolio.portfolio import Numbers, Portfolio
from cpm_opt.portfolio.scenarios import Scenario
from cpm_opt.solve.certificate import TOLERANCE, certify
from cpm_opt.solve.linear import LinearProgram
from cpm_opt.solve.plan import Certificate, Decisions, Plan, Recount, ScenarioPlan, ShadowPrice
from cpm_opt.solve.recount import doing_nothing, recount
from cpm_opt.solve.search import FIXED_INTEGERS, Found, gap_of


@dataclass(frozen=True)
class Question:
    """What was asked: a portfolio, or several with their probabilities, under rules and weights."""

    portfolio: Portfolio
    components: tuple[Component, ...]
    weights: Weights
    scenarios: tuple[Scenario, ...] = ()

    @property
    def cases(self) -> tuple[Scenario, ...]:
        """The scenarios; where there are none, the portfolio as the only one."""
        return self.scenarios or (Scenario("", 1.0, self.portfolio),)

    def value(self, worth: Sequence[float]) -> float:
        """The objective from what each case is worth."""
        if not self.scenarios:
            return float(worth[0])
        risk = next((part for part in self.components if isinstance(part, Risk)), Risk(weight=0.0))
        return risk.value(np.array(worth), np.array([case.probability for case in self.cases]))


def answer(
    question: Question, composition: Composition, program: LinearProgram, found: Found, log: str
) -> Plan:
    """The plan of what was found, with its certificate; where nothing was, doing nothing if that keeps the rules."""
    today = [
        recount(case.portfolio, doing_nothing(case.portfolio), question.components, question.weights)[0]
        for case in question.cases
    ]
    # What stays as it is in every scenario is judged as the plan is, so that the two can be compared.
    as_today = replace(today[0], objective=question.value([each.objective for each in today]))
    plan = Plan(
        portfolio=replace(question.cases[0].portfolio, warnings=question.portfolio.warnings),
        status=found.status,
        message=found.message,
        objective=None,
        bound=found.bound,
        gap=None,
        decisions=None,
        recount=None,
        certificate=None,
        today=as_today,
        conflict=_names(program, found.conflict),
        solver_log=log,
        solver=_facts(program, found),
    )
    if found.values is not None and found.objective is not None:
        every = _every_column(composition, program, found.values)
        decisions = [decode(draft, every) for draft in composition.drafts]
        worth = [_worth(draft, every) for draft in composition.drafts]
        plan = _certified(plan, question, decisions, worth, found.objective, today)
        prices = {} if plan.recount is None else _prices(program, found, plan.recount)
        return replace(plan, shadow_prices=prices, prices_from=found.prices_from)
    if found.status != "no_solution":
        return plan
    idle = [doing_nothing(case.portfolio) for case in question.cases]
    told = replace(
        plan, status="feasible", message="the time limit was reached; leaving all as it is keeps every rule"
    )
    kept = _certified(told, question, idle, [each.objective for each in today], as_today.objective, today)
    return kept if kept.shown else plan


def _certified(
    plan: Plan,
    question: Question,
    decisions: Sequence[Decisions],
    worth: Sequence[float],
    objective: float,
    today: Sequence[Recount],
) -> Plan:
    """The plan with its decisions, each case certified alone and all of them together."""
    checked = [
        certify(
            case.portfolio,
            each,
            question.components,
            question.weights,
            value,
            plan.bound,
            bool(question.scenarios),
        )
        for case, each, value in zip(question.cases, decisions, worth, strict=True)
    ]
    counted = [recounted for _, recounted in checked]
    value = question.value([each.objective for each in counted])
    certificate = _together(question, [each for each, _ in checked], decisions, value, objective, plan.bound)
    scenarios = tuple(
        ScenarioPlan(case.name, case.probability, each, recounted, idle, case.portfolio)
        for case, each, recounted, idle in zip(question.scenarios, decisions, counted, today, strict=False)
    )
    return replace(
        plan,
        objective=value,
        gap=None if plan.bound is None else gap_of(value, plan.bound),
        decisions=decisions[0],
        recount=counted[0],
        certificate=certificate,
        scenarios=scenarios,
    )


def _together(
    question: Question,
    certificates: Sequence[Certificate],
    decisions: Sequence[Decisions],
    value: float,
    objective: float,
    bound: float | None,
) -> Certificate:
    """One certificate for all cases: the worst of them, decisions that must be shared, and the objective."""
    if not question.scenarios:
        return certificates[0]
    worst, where = max(
        (each.largest_violation, f"{each.where} in scenario {case.name}")
        for each, case in zip(certificates, question.cases, strict=True)
    )
    apart = max(_apart(question.cases[0].portfolio, decisions[0], each) for each in decisions)
    drift = abs(value - objective) / max(1.0, abs(objective))
    for amount, place in (
        (apart, "decisions that scenarios must share"),
        (drift, "objective against the solver's"),
    ):
        if not amount <= worst:
            worst, where = amount, place
    count = sum(each.checked for each in certificates) + len(decisions) + 1
    return Certificate(bool(worst <= TOLERANCE), worst, where, value, objective, bound, count)


def _apart(portfolio: Portfolio, one: Decisions, other: Decisions) -> float:
    """How far two scenarios differ in what is decided before it is known which of them comes."""
    if any(not np.array_equal(a, b) for a, b in zip(one.chosen, other.chosen, strict=True)):
        return float("inf")
    ordered = np.arange(portfolio.periods)[None, :] <= portfolio.resources.lead_time
    first = np.abs(one.customers_on[:, :, 0] - other.customers_on[:, :, 0])
    extra = np.abs(one.extra - other.extra) * ordered
    return max(float(first.max(initial=0.0)), float(extra.max(initial=0.0)))


def _every_column(composition: Composition, program: LinearProgram, values: Numbers) -> Numbers:
    """A value for each column of the draft; those that no row uses stand at their bound nearest to 0."""
    lower = np.concatenate([family.lower for family in composition.variables])
    upper = np.concatenate([family.upper for family in composition.variables])
    every = np.clip(np.zeros(composition.columns), lower, upper)
    used = program.position >= 0
    every[used] = np.clip(values[program.position[used]], lower[used], upper[used])
    return every


def worth_of(question: Question, composition: Composition, program: LinearProgram, values: Numbers) -> float:
    """The question's own objective of a solver's answer, whatever the solver was told to look for."""
    every = _every_column(composition, program, values)
    return question.value([_worth(draft, every) for draft in composition.drafts])


def _worth(draft: Draft, every: Numbers) -> float:
    terms = draft.objective_terms()
    return float(terms.constant[0] + terms.coefficient @ every[terms.column])


def decode(draft: Draft, every: Numbers) -> Decisions:
    """The decisions of one case in the values of all columns."""
    portfolio = draft.portfolio
    on = np.where(draft.core.on >= 0, every[draft.core.on], 0.0)
    chosen = []
    for lever, columns in zip(portfolio.levers, draft.core.chosen, strict=True):
        share = np.where(columns >= 0, every[columns], -1.0)
        options = np.array(lever.options)
        picked = options[np.argmax(share, axis=1)] if lever.single else np.zeros((0, portfolio.periods))
        chosen.append(picked.astype(np.int64))
    return Decisions(on, tuple(chosen), np.where(draft.extra >= 0, every[draft.extra], 0.0))


def _facts(program: LinearProgram, found: Found) -> dict[str, object]:
    rows, columns, nonzeros = program.shape
    return {
        "rows": rows,
        "columns": columns,
        "nonzeros": nonzeros,
        "integers": int(program.integer.sum()),
        "nodes": found.nodes,
        "iterations": found.iterations,
    }


def _names(program: LinearProgram, rows: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the rules that the rows belong to; rows of the structure have none."""
    names = {position: key for key, positions in program.keys.items() for position in positions}
    rules = sorted(names[row] for row in rows if row in names)
    return tuple(dict.fromkeys(" ".join(filter(None, (rule, subject))) for rule, subject, _ in rules))


def _prices(program: LinearProgram, found: Found, counted: Recount) -> dict[Key, ShadowPrice]:
    """Prices of the rows that a manager can name, each with the right sides between which it holds; over scenarios,
    what one more unit in all of them is worth, without a range."""
    if found.row_duals is None:
        return {}
    slack = {row.key: row.slack for row in counted.rows}
    prices: dict[Key, ShadowPrice] = {}
    moving = _with_continuous(program) if found.prices_from == FIXED_INTEGERS else None
    for key, rows in program.keys.items():
        # A row of fixed integers alone has nothing left to move: what the solver says of it is worth nothing.
        if moving is not None and not moving[list(rows)].any():
            continue
        price = float(found.row_duals[list(rows)].sum())
        ends: tuple[float | None, float | None] = (None, None)
        if len(rows) == 1 and price == 0.0:
            ends = _ends_of_slack(program, rows[0], max(0.0, slack.get(key, 0.0)))
        elif len(rows) == 1 and found.ranges is not None:
            ends = (_finite(found.ranges[0][rows[0]]), _finite(found.ranges[1][rows[0]]))
        prices[key] = ShadowPrice(price, *ends, _right(program, rows[0]) if len(rows) == 1 else None)
    return prices


def _with_continuous(program: LinearProgram) -> np.ndarray:
    """Which rows have a column that may be a fraction."""
    column = np.repeat(np.arange(len(program.cost)), np.diff(program.start))
    rows = np.zeros(len(program.row_lower), dtype=bool)
    rows[program.index[~program.integer[column]]] = True
    return rows


def _right(program: LinearProgram, row: int) -> float:
    upper = float(program.row_upper[row])
    return upper if np.isfinite(upper) else float(program.row_lower[row])


def _ends_of_slack(program: LinearProgram, row: int, room: float) -> tuple[float | None, float | None]:
    """Nothing presses on the row: its price stays 0 until its right side has moved by all its slack."""
    if np.isfinite(program.row_upper[row]):
        return float(program.row_upper[row]) - room, None
    return None, float(program.row_lower[row]) + room


def _finite(bound: float) -> float | None:
    return float(bound) if np.isfinite(bound) and abs(bound) < 1e20 else None
