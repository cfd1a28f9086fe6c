"""Where the firm stands after a period: rules, concentration, resources, cash, and which scenario it looks like.

Everything is recomputed from the actual figures by the same audits that certify a plan; what was not delivered is as
the plan's rates give for the customers who were there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cpm_opt.formulation.audit import Facts, RuleRow
from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.runs.money import unit_words
from cpm_opt.solve.certificate import TOLERANCE
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import PRESENT, SettledPeriod
from cpm_opt.study.monitor.standards import flow_of, use_of
from cpm_opt.study.monitor.value import expected_moves

RULES = ("balance", "concentration")
TOP = 3


@dataclass(frozen=True)
class RuleStatus:
    """One rule in the period: `planned` and `actual` value, `limit` as it is with the actual figures, in `unit`.
    `delivered`: whether what it measures was; else it is judged by the plan's rates for those who were there."""

    rule: str
    subject: str
    sense: str
    planned: float
    actual: float
    limit: float
    unit: str
    delivered: bool

    @property
    def room(self) -> float:
        """What is left to the limit; negative where the rule was broken."""
        return self.limit - self.actual if self.sense == "max" else self.actual - self.limit

    @property
    def kept(self) -> bool:
        """Whether the rule was kept, to 1e-6 of the limit."""
        return self.room >= -1e-6 * max(1.0, abs(self.limit))


@dataclass(frozen=True)
class ConcentrationNow:
    """How a measure is spread over active segments, planned and actual: the largest segment with its share, the share
    of the three largest, and the Herfindahl-Hirschman index (1: all in one segment). None where some are negative."""

    measure: str
    largest: str
    share: tuple[float | None, float | None]
    top: tuple[float | None, float | None]
    index: tuple[float | None, float | None]


@dataclass(frozen=True)
class ResourceNow:
    """One resource: use as planned, as it should have been for those who were there, and as it was (None: not
    delivered); capacity with what was bought, `limit` that may be used of it, cost of what stood idle."""

    resource: str
    unit: str
    planned: float
    expected: float
    actual: float | None
    capacity: float | None
    limit: float | None
    idle_cost: float

    @property
    def used(self) -> float:
        """What was used, as far as known."""
        return self.expected if self.actual is None else self.actual

    @property
    def utilisation(self) -> float | None:
        """Part of the capacity that was used."""
        return self.used / self.capacity if self.capacity else None

    @property
    def headroom(self) -> float | None:
        """What is left of what may be used; negative where it was overdrawn, and 0 within the certificate's tolerance:
        a plan in its files has 9 decimals."""
        if self.limit is None:
            return None
        left = self.limit - self.used
        return left if abs(left) > TOLERANCE * max(1.0, abs(self.limit)) else 0.0


@dataclass(frozen=True)
class ScenarioNow:
    """One scenario: its probability before, and after the actuals by Bayes' rule (None: they cannot tell), and how far
    the margins of segments were from it, as a fraction of them all."""

    scenario: str
    prior: float
    posterior: float | None
    distance: float | None


@dataclass(frozen=True)
class Exposure:
    """The whole of it; `cash` is (planned, actual), the actual None where it was not delivered or not everything is
    known."""

    rules: tuple[RuleStatus, ...]
    concentration: tuple[ConcentrationNow, ...]
    resources: tuple[ResourceNow, ...]
    cash: tuple[float, float | None]
    scenarios: tuple[ScenarioNow, ...]


def exposure(plan: PlannedRun, settled: SettledPeriod, costs: float | None) -> Exposure:
    """Where the firm stands after the period. `costs`: what was paid beside margins, in money; None where not known."""
    facts = actual_facts(plan, settled)
    return Exposure(
        rules=_rules(plan, settled, facts),
        concentration=tuple(_spread(plan, settled, facts, measure) for measure in ("margin", "customers")),
        resources=_resources(plan, settled),
        cash=_cash(plan, settled, costs),
        scenarios=_scenarios(plan, settled),
    )


def actual_facts(plan: PlannedRun, settled: SettledPeriod) -> Facts:
    """The plan's facts with the period as it was; what was not delivered as the rates give for those who were there."""
    p, t = plan.portfolio, settled.t
    customers = plan.facts.customers.copy()
    customers[:, t] = settled.start
    arrived = np.where(np.isnan(settled.arrivals), p.arrivals[:, t], settled.arrivals)
    foreseen = settled.start @ expected_moves(plan, settled)[:, :-1] + arrived
    customers[:, t + 1] = np.where(np.isnan(settled.end), foreseen, settled.end)
    flows: dict[str, Numbers] = {}
    for name, flow in plan.facts.flows.items():
        flows[name] = flow.copy()
        should = flow_of(p, name, t, settled.start, settled.on)
        given = settled.actual.results.get(name, np.full(len(should), np.nan))
        flows[name][:, t] = np.where(np.isnan(given), should, given)
    use = plan.facts.use.copy()
    should_use = use_of(p, t, settled.start, settled.on)
    total = should_use.sum(axis=1)
    known = ~np.isnan(settled.actual.use) & (np.abs(total) > PRESENT)
    ratio = np.where(known, settled.actual.use / np.where(known, total, 1.0), 1.0)
    use[:, :, t] = should_use * ratio[:, None]
    on = plan.decisions.customers_on.copy()
    on[:, :, t] = settled.on
    return replace(
        plan.facts,
        decisions=replace(plan.decisions, customers_on=on),
        customers=customers,
        flows=flows,
        use=use,
    )


def _rules(plan: PlannedRun, settled: SettledPeriod, facts: Facts) -> tuple[RuleStatus, ...]:
    planned = {row.key: row for row in plan.recount.rows}
    measures = {rule.name: rule.measure for rule in plan.portfolio.balance}
    found = []
    for name in RULES:
        if name not in plan.spec.components:
            continue
        component = plan.spec.components[name]
        rows: Sequence[RuleRow] = component.audit(facts).rows
        for row in rows:
            if row.period == settled.number and row.key in planned:
                measure = measures[row.rule] if name == "balance" else component.measure
                sides = (planned[row.key].value, row.value, row.limit, unit_words(plan.portfolio, row.unit))
                told = _delivered(plan, settled, measure)
                found.append(RuleStatus(row.rule, row.subject, row.sense, *sides, told))
    return tuple(sorted(found, key=lambda row: (row.rule, row.subject)))


def _delivered(plan: PlannedRun, settled: SettledPeriod, measure: str) -> bool:
    """Whether a measure of balance was delivered of everybody it is about."""
    p = plan.portfolio
    if measure == "customers":
        return not bool(np.isnan(settled.end[p.active]).any())
    if measure.startswith("use:"):
        return not bool(np.isnan(settled.actual.use[p.resources.names.index(measure.removeprefix("use:"))]))
    given = settled.actual.results.get(measure)
    return given is not None and not bool(np.isnan(given[p.active & (settled.start > PRESENT)]).any())


def _spread(plan: PlannedRun, settled: SettledPeriod, facts: Facts, measure: str) -> ConcentrationNow:
    p, t = plan.portfolio, settled.t
    names = [name for name, active in zip(p.segments, p.active.tolist(), strict=True) if active]
    sides = []
    for each in (plan.facts, facts):
        amounts = each.customers[:, t + 1] if measure == "customers" else each.flows[measure][:, t]
        sides.append(amounts[p.active])
    shares = [
        amounts / amounts.sum() if amounts.size and amounts.min() >= 0 < amounts.sum() else None
        for amounts in sides
    ]

    def both(figure: str) -> tuple[float | None, float | None]:
        one, other = (_figure(share, figure) for share in shares)
        return one, other

    largest = names[int(np.argmax(sides[1]))] if names else ""
    return ConcentrationNow(measure, largest, both("largest"), both("top"), both("index"))


def _figure(share: Numbers | None, figure: str) -> float | None:
    if share is None:
        return None
    if figure == "index":
        return float(share @ share)
    return float(np.sort(share)[::-1][: TOP if figure == "top" else 1].sum())


def _resources(plan: PlannedRun, settled: SettledPeriod) -> tuple[ResourceNow, ...]:
    p, t, r, actual = plan.portfolio, settled.t, plan.portfolio.resources, settled.actual
    should = use_of(p, t, settled.start, settled.on).sum(axis=1)
    found = []
    for i, name in enumerate(r.names):
        there = float(r.capacity[i, t]) if np.isnan(actual.capacity[i]) else float(actual.capacity[i])
        extra = float(plan.decisions.extra[i, t]) if np.isnan(actual.extra[i]) else float(actual.extra[i])
        used = None if np.isnan(actual.use[i]) else float(actual.use[i])
        limited = np.isfinite(there)
        idle = (
            float(r.capacity_cost[i, t]) * (there - (should[i] if used is None else used)) if limited else 0.0
        )
        found.append(
            ResourceNow(
                name,
                r.units[i] or "units",
                float(plan.recount.use[i, t]),
                float(should[i]),
                used,
                there + extra if limited else None,
                float(r.max_utilisation[i, t]) * (there + extra) if limited else None,
                max(0.0, idle),
            )
        )
    return tuple(found)


def _cash(plan: PlannedRun, settled: SettledPeriod, costs: float | None) -> tuple[float, float | None]:
    t = settled.t
    spent = -sum(
        float(flow[t])
        for (source, _), flow in plan.recount.money.items()
        if source not in ("margin", "effects")
    )
    planned = float(plan.recount.flows["cash"][:, t].sum()) - spent
    given = settled.actual.results.get("cash")
    needed = settled.start > PRESENT
    if given is None or costs is None or np.isnan(given[needed]).any():
        return planned, None
    return planned, float(np.nansum(given)) - costs


def _scenarios(plan: PlannedRun, settled: SettledPeriod) -> tuple[ScenarioNow, ...]:
    """Bayes' rule over scenarios, by what has a distribution: moves (multinomial), arrivals (Poisson), margins (normal
    with margin_se). Where these are as likely in all scenarios, the actuals cannot tell them apart."""
    if not plan.scenarios:
        return ()
    logs = np.array(
        [_log_likelihood(replace(plan, portfolio=each.portfolio), settled) for each in plan.scenarios]
    )
    prior = np.array([each.probability for each in plan.scenarios])
    posterior: list[float | None] = [None] * len(prior)
    possible = np.isfinite(logs)
    if possible.any() and (not possible.all() or np.ptp(logs) > 1e-9):
        weight = prior * np.exp(logs - logs.max())
        if weight.sum() > 0.0:
            posterior = [float(each) for each in weight / weight.sum()]
    margin = settled.actual.results.get("margin")
    found = []
    for each, after in zip(plan.scenarios, posterior, strict=True):
        distance = None
        if margin is not None and not np.isnan(margin).all():
            should = flow_of(each.portfolio, "margin", settled.t, settled.start, settled.on)
            told = ~np.isnan(margin)
            size = float(np.abs(should[told]).sum())
            distance = float(np.abs(margin[told] - should[told]).sum()) / size if size > PRESENT else None
        found.append(ScenarioNow(each.name, each.probability, after, distance))
    return tuple(found)


def _log_likelihood(plan: PlannedRun, settled: SettledPeriod) -> float:
    """The logarithm of the likelihood of what was delivered, without terms that are the same in every scenario."""
    p = plan.portfolio
    rates = expected_moves(plan, settled)
    rates[rates < PRESENT] = 0.0
    told = ~np.isnan(settled.moves[:, 0])
    total = _logs(settled.moves[told], rates[told])
    came = ~np.isnan(settled.arrivals)
    expected = p.arrivals[came, settled.t]
    total += _logs(settled.arrivals[came], expected) - float(expected.sum())
    margin = settled.actual.results.get("margin")
    if margin is None:
        return total
    spread = np.sqrt(((p.margin_se * settled.on) ** 2).sum(axis=1))
    known = (spread > PRESENT) & ~np.isnan(margin)
    should = flow_of(p, "margin", settled.t, settled.start, settled.on)
    off = (margin[known] - should[known]) / spread[known]
    return total - float((off**2).sum()) / 2.0 - float(np.log(spread[known]).sum())


def _logs(counts: Numbers, means: Numbers) -> float:
    """Sum of counts x log(means); minus infinity where something happened that cannot."""
    some = counts > PRESENT
    if (means[some] <= 0.0).any():
        return -np.inf
    return float((counts[some] * np.log(means[some])).sum())
