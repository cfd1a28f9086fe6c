"""A given tariff tried: what it does against today's and against the best one.

Where the service part may answer, three plans are solved under the same rules: with the given tariff, with today's, and
with none given (the best). In a pure what-if nothing is solved but the best: all else stays as it is today, and
what breaks is told. Tariff means the levers with price changes, and what the pins name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cpm_opt.estimates import estimate
from cpm_opt.formulation.audit import Decisions, RuleRow, newly_chosen
from cpm_opt.formulation.components import Pins
from cpm_opt.formulation.components.least_change import shares_today
from cpm_opt.formulation.components.unchanged import Unchanged
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.pipeline import Problem
from cpm_opt.portfolio.portfolio import Flags, Numbers, Portfolio
from cpm_opt.portfolio.scenarios import Scenario, build_scenarios
from cpm_opt.solve.answer import Question
from cpm_opt.solve.plan import Plan, Recount
from cpm_opt.solve.recount import doing_nothing, recount
from cpm_opt.solve.solve import solve
from cpm_opt.study.given_tariff import Given, GivenTariff, carried, everything_settled, given, shares_of

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Outcome:
    """What a tariff brings: decisions and their recount in each case (scenario), with their probabilities; money is
    discounted, and figures are means over the cases. `objective` is the model's own."""

    portfolios: tuple[Portfolio, ...]
    probabilities: tuple[float, ...]
    decisions: tuple[Decisions, ...]
    recounts: tuple[Recount, ...]
    objective: float

    def mean(self, figure: Callable[[Portfolio, Decisions, Recount], Numbers | float]) -> Numbers:
        """The mean of a figure over the cases."""
        cases = zip(self.probabilities, self.portfolios, self.decisions, self.recounts, strict=True)
        return np.asarray(sum(chance * np.asarray(figure(p, d, r)) for chance, p, d, r in cases))

    @property
    def profit(self) -> float:
        """Profit of the periods."""
        return float(self.mean(lambda _, __, r: r.profit))

    @property
    def end_value(self) -> float:
        """What the customers are worth after the last period."""
        return float(self.mean(lambda _, __, r: r.end_value))

    @property
    def penalties(self) -> float:
        """What missing soft rules costs."""
        return float(
            self.mean(lambda _, __, r: sum(float(each @ r.discount[:-1]) for each in r.penalties.values()))
        )

    @property
    def margin(self) -> Numbers:
        """`[S]`: margin before resources, fixed costs and costs of changing."""
        return self.mean(lambda _, __, r: r.flows["margin"] @ r.discount[:-1])

    def measure(self, name: str) -> Numbers:
        """`[S]`: a measure of the instance in a period, the mean over the horizon."""
        return self.mean(lambda _, __, r: r.flows[name].mean(axis=1))

    @property
    def customers(self) -> Numbers:
        """`[S]`: customers after the last period."""
        return self.mean(lambda _, __, r: r.customers[:, -1])

    @property
    def churn(self) -> Numbers:
        """`[S]`: customers of active segments who leave all of these, over all periods."""
        return self.mean(lambda p, d, r: _left(p, d, r.customers))

    @property
    def broken(self) -> tuple[RuleRow, ...]:
        """Rows of hard rules that are broken, in any case."""
        rows = (row for each in self.recounts for row in each.rows if row.penalty is None)
        return tuple(row for row in rows if row.slack < -TOLERANCE * max(1.0, abs(row.limit)))

    @property
    def moved(self) -> Numbers:
        """`[S]`: customers of active segments on something else than today, on the lever and in the period where they
        are most."""
        return self.mean(lambda p, d, r: _moved(p, d, r.customers))


@dataclass(frozen=True)
class ScenarioResult:
    """One scenario: what the given tariff and today's bring (profit; and all that the model counts)."""

    name: str
    probability: float
    profit: float
    profit_today: float
    objective: float
    objective_today: float


@dataclass(frozen=True)
class Trial:
    """The answer of a tariff test. `status` is that of the plan with the given tariff (`recounted` in a what-if);
    `as_is`: all stays as it is, whatever the rules say. `today` (today's tariff under the same rules, the service part
    answering) and `best` are None where there is no such plan, `best_status` tells whether the best one is proven.
    `broken` are hard rules that the given tariff breaks (only a what-if can). `break_even` is how many times as strong
    as estimated the customers' response to the tariff may be before it is worth no more than today's; None where no
    response is stated, or none brings it there."""

    problem: Problem
    fix: tuple[str, ...]
    forbid: tuple[str, ...]
    what_if: bool
    status: str
    conflict: tuple[str, ...] = ()
    tried: Outcome | None = None
    as_is: Outcome | None = None
    today: Outcome | None = None
    best: Outcome | None = None
    best_status: str = ""
    broken: tuple[RuleRow, ...] = ()
    has_response: bool = False
    break_even: float | None = None
    scenarios: tuple[ScenarioResult, ...] = ()

    @property
    def before(self) -> Outcome | None:
        """What the given tariff is compared with: today's, else how things are."""
        return self.today or self.as_is

    @property
    def chance_of_loss(self) -> float | None:
        """The probability of the scenarios in which the given tariff is worth less than today's; None without any."""
        if not self.scenarios:
            return None
        return float(
            sum(each.probability for each in self.scenarios if _less(each.objective, each.objective_today))
        )

    @property
    def chance_of_less_profit(self) -> float | None:
        """As `chance_of_loss`, of profit alone."""
        if not self.scenarios:
            return None
        return float(
            sum(each.probability for each in self.scenarios if _less(each.profit, each.profit_today))
        )


def try_tariff(problem: Problem, fix: Sequence[str], forbid: Sequence[str], what_if: bool = False) -> Trial:
    """Tries the tariff that the pins state. `problem` must have been read with these pins, which were checked then.

    Raises InputError where a what-if leaves something open.
    """
    p, spec = problem.portfolio, _unpinned(problem.spec, len(fix), len(forbid))
    tariff, now = given(p, fix, forbid, what_if), given(p, (), (), what_if)
    as_is = _recounted(problem, spec, given(p, (), (), True))
    trial = Trial(problem, tuple(fix), tuple(forbid), what_if, "", as_is=as_is)
    if what_if:
        everything_settled(p, tariff, forbid)
        tried = _recounted(problem, spec, tariff)
        trial = replace(trial, status="recounted", tried=tried, today=as_is, broken=tried.broken)
    else:
        plan = _solved(problem, _with_forbidden(spec, forbid), tariff)
        trial = replace(trial, status=plan.status, conflict=plan.conflict)
        if not plan.shown:
            return trial
        tried = _outcome(problem, plan)
        kept = _solved(problem, spec, now)
        trial = replace(trial, tried=tried, today=_outcome(problem, kept) if kept.shown else None)
    best = solve(p, _with_forbidden(spec, forbid), None, problem.started, problem.scenarios)
    if best.shown and best.objective is not None:
        # Short of time, a given tariff may turn out better than the best plan found.
        found = _outcome(problem, best)
        known = not what_if and tried.objective > found.objective
        trial = replace(trial, best=tried if known else found, best_status=best.status)
    before = trial.today or as_is
    response = _response(p, tariff, now)
    break_even = _break_even(problem, spec, tried, before, response) if response.any() else None
    results = _in_scenarios(problem, spec, tried, before)
    return replace(trial, has_response=bool(response.any()), break_even=break_even, scenarios=results)


def _unpinned(spec: ModelSpec, fixed: int, forbidden: int) -> ModelSpec:
    """The model with its own pins only (those of the call stand last), and free to move prices."""
    unchanged = spec.components.get(Unchanged.name)
    if isinstance(unchanged, Unchanged) and unchanged.levers == "priced":
        parts = {name: part for name, part in spec.components.items() if name != Unchanged.name}
        spec = replace(spec, components=parts)
    pins = spec.components.get(Pins.name)
    if not isinstance(pins, Pins):
        return spec
    own = Pins(pins.fix[: len(pins.fix) - fixed], pins.forbid[: len(pins.forbid) - forbidden])
    rest = {name: part for name, part in spec.components.items() if name != Pins.name}
    return replace(spec, components={**rest, Pins.name: own} if own.fix or own.forbid else rest)


def _with_forbidden(spec: ModelSpec, forbid: Sequence[str]) -> ModelSpec:
    own = spec.components.get(Pins.name, Pins())
    if not forbid:
        return spec
    return replace(spec, components={**spec.components, Pins.name: Pins(own.fix, (*own.forbid, *forbid))})


def _solved(problem: Problem, spec: ModelSpec, tariff: Given) -> Plan:
    held = replace(spec, components={**spec.components, GivenTariff.name: GivenTariff(tariff)})
    return solve(problem.portfolio, held, None, problem.started, problem.scenarios)


def _outcome(problem: Problem, plan: Plan) -> Outcome:
    assert plan.recount is not None
    assert plan.decisions is not None
    assert plan.objective is not None
    if not plan.scenarios:
        return Outcome((problem.portfolio,), (1.0,), (plan.decisions,), (plan.recount,), plan.objective)
    by_name = {scenario.name: scenario.portfolio for scenario in problem.scenarios}
    return Outcome(
        tuple(by_name[each.name] for each in plan.scenarios),
        tuple(each.probability for each in plan.scenarios),
        tuple(each.decisions for each in plan.scenarios),
        tuple(each.recount for each in plan.scenarios),
        plan.objective,
    )


def _question(problem: Problem, spec: ModelSpec) -> Question:
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    return Question(problem.portfolio, tuple(spec.components.values()), weights, problem.scenarios)


def _recounted(problem: Problem, spec: ModelSpec, tariff: Given) -> Outcome:
    """What comes of fixed shares and choices, nothing extra bought; rules are not enforced."""
    question = _question(problem, spec)
    portfolios = tuple(case.portfolio for case in question.cases)
    decisions = tuple(
        carried(portfolio, tariff.share, tariff.chosen, doing_nothing(portfolio).extra)
        for portfolio in portfolios
    )
    return _counted(question, portfolios, decisions)


def _counted(question: Question, portfolios: Sequence[Portfolio], decisions: Sequence[Decisions]) -> Outcome:
    recounts = tuple(
        recount(portfolio, each, question.components, question.weights)[0]
        for portfolio, each in zip(portfolios, decisions, strict=True)
    )
    chances = tuple(case.probability for case in question.cases)
    objective = question.value([each.objective for each in recounts])
    return Outcome(tuple(portfolios), chances, tuple(decisions), recounts, objective)


def _left(p: Portfolio, decisions: Decisions, customers: Numbers) -> Numbers:
    """`[S]`: customers who go from an active segment to none of them."""
    stayed = np.zeros((len(p.segments), p.periods))
    moves, effects, active = p.migration, p.migration_effects, p.active
    inside = active[moves.target]
    np.add.at(stayed, moves.source[inside], (moves.rate * customers[moves.source, :-1])[inside])
    acts = np.where(
        effects.on_change[:, None], newly_chosen(p, decisions)[effects.source, effects.option], True
    )
    shifted = effects.rate * decisions.customers_on[effects.source, effects.option] * acts
    inside = active[effects.target]
    np.add.at(stayed, effects.source[inside], shifted[inside])
    return np.where(active, np.maximum(0.0, customers[:, :-1] - stayed).sum(axis=1), 0.0)


def _moved(p: Portfolio, decisions: Decisions, customers: Numbers) -> Numbers:
    apart = np.abs(decisions.customers_on - shares_today(p)[:, :, None] * customers[:, None, :-1])
    each = [
        0.5 * apart[:, np.array(lever.options)].sum(axis=1).max(axis=1, initial=0.0) for lever in p.levers
    ]
    return np.where(p.active, np.max(each, axis=0), 0.0) if each else np.zeros(len(p.segments))


def _response(p: Portfolio, tariff: Given, now: Given) -> Flags:
    """Which rows of migration_effects tell of customers' response to what the tariff changes."""
    effects = p.migration_effects
    there, before = np.nan_to_num(tariff.share), np.nan_to_num(now.share)
    put: Flags = np.any(there > before, axis=2)
    return np.asarray(put[effects.source, effects.option], dtype=np.bool_)


def _break_even(
    problem: Problem, spec: ModelSpec, tried: Outcome, today: Outcome, response: Flags
) -> float | None:
    """By how much the response has to be multiplied for the given tariff to be worth as much as today's, all that was
    decided kept as it is; rates stay between 0 and 1."""
    question = _question(problem, spec)
    shares = [shares_of(p, each) for p, each in zip(tried.portfolios, tried.decisions, strict=True)]

    def gain(factor: float) -> float:
        scaled = [_with_response(p, response, factor) for p in tried.portfolios]
        decisions = [
            carried(p, share, each.chosen, each.extra)
            for p, share, each in zip(scaled, shares, tried.decisions, strict=True)
        ]
        return _counted(question, scaled, decisions).objective - today.objective

    low, high = (1.0, _strongest(tried.portfolios, response)) if gain(1.0) >= 0.0 else (0.0, 1.0)
    if gain(low) < 0.0 or gain(high) > 0.0:
        return None
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if gain(middle) >= 0.0 else (low, middle)
    return 0.5 * (low + high)


def _with_response(p: Portfolio, response: Flags, factor: float) -> Portfolio:
    effects = p.migration_effects
    rate = np.where(response[:, None], effects.rate * factor, effects.rate)
    return replace(p, migration_effects=replace(effects, rate=rate))


def _strongest(portfolios: Sequence[Portfolio], response: Flags) -> float:
    """The largest multiple of the response that takes no rate of migration below 0 and no row of them above 1."""
    most = 1e3
    for p in portfolios:
        size, moves, effects = len(p.segments), p.migration, p.migration_effects
        base = np.zeros((size, size, p.periods))
        np.add.at(base, (moves.source, moves.target), moves.rate)
        for option in set(effects.option[response].tolist()):
            mine = response & (effects.option == option)
            added = np.zeros_like(base)
            np.add.at(added, (effects.source[mine], effects.target[mine]), effects.rate[mine])
            falling = added < 0.0
            most = min(most, float((base[falling] / -added[falling]).min(initial=np.inf)))
            rising, room = added.sum(axis=1), 1.0 - base.sum(axis=1)
            more = rising > 1e-12
            most = min(most, float((room[more] / rising[more]).min(initial=np.inf)))
    return max(1.0, most)


def _in_scenarios(
    problem: Problem, spec: ModelSpec, tried: Outcome, today: Outcome
) -> tuple[ScenarioResult, ...]:
    """Both tariffs in each scenario. A model that weighs scenarios has planned for each; else what was planned is
    carried through each of them as it is."""
    weights = _question(problem, spec).weights
    parts = tuple(spec.components.values())
    scenarios: Sequence[Scenario] = problem.scenarios
    if not scenarios:
        # A problem whose model weighs no risk has no estimated scenarios; those that are stated it has.
        stated = "scenarios" in problem.frames
        frames = problem.frames if stated else estimate(problem.tables).frames
        scenarios = build_scenarios(frames, problem.tables.info, problem.portfolio.periods)
    results = []
    for position, scenario in enumerate(scenarios):
        pair = []
        for outcome in (tried, today):
            if problem.scenarios:
                pair.append(outcome.recounts[position])
                continue
            planned = outcome.decisions[0]
            share = shares_of(outcome.portfolios[0], planned)
            decisions = carried(scenario.portfolio, share, planned.chosen, planned.extra)
            pair.append(recount(scenario.portfolio, decisions, parts, weights)[0])
        one, other = pair
        figures = (one.profit, other.profit, one.objective, other.objective)
        results.append(ScenarioResult(scenario.name, scenario.probability, *figures))
    return tuple(results)


def _less(value: float, other: float) -> bool:
    return value < other - TOLERANCE * max(1.0, abs(other))
