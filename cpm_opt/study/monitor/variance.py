"""Variances of a period's profit: from what was planned to what was earned, by cause and by segment, to the cent.

The terms are those of management accounting (flexible budget, sales-quantity and sales-mix variance, price, efficiency,
spending and capacity variance: Horngren, Datar and Rajan, Cost Accounting). c[s] is the standard contribution of a
customer (margin less use at unit_cost and cost of changing), n[s] planned and a[s] actual customers at the start, b[s]
those whom there would be if those who came had moved at planned rates, N and B the totals over active segments:

    volume        (B / N - 1) n[s] c[s]
    mix           (b[s] - n[s] B / N) c[s]
    migration     (a[s] - b[s]) c[s]
    choices       standard margin, use, change and fixed cost of the options that customers were on, less those of the
                  options planned for them; here stands the flexible budget: what those who were there should bring
    purchases     (U - U_std) M_std / U_std              with a measure U that counts what is bought (--volume)
    price         R - U R_std / U_std                    actual less standard revenue (without --volume: R - R_std)
    product cost  what the margin misses beside these
    margin        M - M_std, where revenue is not delivered: price and product cost together
    efficiency    -unit_cost (use - standard use)
    capacity      -capacity_cost (capacity - planned) - extra_cost (extra - planned)
    spending      -(what was paid for resources, options, changes and credit - that at standard prices)
    other         -costs that no plan foresaw

What was not delivered is taken at its standard and told; a variance that nothing was delivered about is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cpm_opt.portfolio.portfolio import Flags, Numbers
from cpm_opt.study.monitor.actuals import ActualPeriod
from cpm_opt.study.monitor.money import Bridge, bridge, shared_out
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import PRESENT, SettledPeriod
from cpm_opt.study.monitor.standards import Standard, change_costs, flow_of, use_of

BEFORE_FLEXIBLE = ("volume", "mix", "migration", "choices")
STEPS = (
    *BEFORE_FLEXIBLE, "purchases", "price", "product cost", "margin", "efficiency", "capacity", "spending", "other",
)  # fmt: skip
# What a segment's contribution holds; all other postings are the firm's.
OWN = ("margin", "effects", "change cost", "resource cost")
FIXED, CHANGE, CREDIT, OTHER = "fixed cost", "change cost", "credit cost", "other"
SPENDING = "spending"


@dataclass(frozen=True)
class Piece:
    """What one cost does to a variance (`step`): it was `paid`, and should have been `standard` (money of the period);
    `cents` is its effect on profit in the unit of the bridge. `cost` and `item` as in actual_costs; the cost of a
    resource is a `resource cost`."""

    step: str
    cost: str
    item: str
    standard: float
    paid: float
    cents: int = 0


@dataclass(frozen=True)
class Variance:
    """One period: `profit`, the bridge from planned to actual profit; `flexible`, what the flexible budget comes to by
    part of the firm (cents); in words, `assumed`, what the actual profit takes at its standard because it was not
    delivered, and `unsplit`, what was not delivered and only leaves causes unsplit; `pieces`, cost by cost, what makes
    up `spending` and `other`, to the cent."""

    period: int
    profit: Bridge
    flexible: tuple[int, ...]
    assumed: tuple[str, ...]
    unsplit: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the actual profit is that of the books, with nothing assumed."""
        return not self.assumed


@dataclass
class _Steps:
    """Amounts by step `[S + 1]`, last what is no segment's alone; what is absent is not known."""

    size: int
    amounts: dict[str, Numbers] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    unsplit: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def segments(self, name: str, amounts: Numbers) -> None:
        self.amounts.setdefault(name, np.zeros(self.size + 1))[:-1] += amounts

    def firm(self, name: str, amount: float) -> None:
        self.amounts.setdefault(name, np.zeros(self.size + 1))[-1] += amount

    def paid(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.firm(piece.step, piece.standard - piece.paid)

    def told_apart(self, found: Bridge) -> tuple[Piece, ...]:
        """The pieces in whole cents, which add up to the steps of the bridge."""
        told: list[Piece] = []
        for step in (SPENDING, OTHER):
            mine, whole = [each for each in self.pieces if each.step == step], found.steps.get(step)
            if mine and whole is not None:
                values = [(each.standard - each.paid) * 10.0**found.decimals for each in mine]
                cents = shared_out(values, sum(whole))
                told += [replace(each, cents=cent) for each, cent in zip(mine, cents, strict=True)]
        return tuple(told)


def variance(
    plan: PlannedRun,
    settled: SettledPeriod,
    standard: Standard,
    moved: Numbers | None,
    volume: str | None = None,
) -> Variance:
    """The variances of one period. `moved[S]` are the customers that there would be at its start if those who came had
    moved at planned rates; None where the period before was not delivered. `volume` is a measure of the instance."""
    steps = _Steps(len(plan.portfolio.segments))
    planned = _planned(plan, settled, standard)
    _customers(plan, settled, standard, moved, steps)
    _choices(plan, settled, standard, steps)
    _results(plan, settled, steps, volume)
    _resources(plan, settled, steps)
    _other_costs(plan, settled, standard, steps)
    actual = _actual(plan, settled, standard, steps)
    ordered = {name: steps.amounts.get(name) for name in STEPS}
    if volume is None:
        del ordered["purchases"]
    if ordered["margin"] is None:
        del ordered["margin"]
    if not plan.has("capacity") or not plan.portfolio.resources.names:
        del ordered["efficiency"], ordered["capacity"]
    found = bridge(planned, ordered, actual, plan.portfolio.money_unit)
    first = [found.start, *(found.steps[name] or () for name in BEFORE_FLEXIBLE)]
    budget = tuple(sum(parts) for parts in zip(*(each for each in first if each), strict=True))
    pieces = steps.told_apart(found)
    return Variance(settled.number, found, budget, tuple(steps.assumed), tuple(steps.unsplit), pieces)


def _planned(plan: PlannedRun, settled: SettledPeriod, standard: Standard) -> Numbers:
    """`[S + 1]`: planned profit of the period by segment; all that is no segment's own comes last."""
    own = settled.planned * standard.contribution
    posted = plan.recount.money.items()
    return np.append(own, sum(float(flow[settled.t]) for (source, _), flow in posted if source not in OWN))


def _customers(
    plan: PlannedRun, settled: SettledPeriod, standard: Standard, moved: Numbers | None, steps: _Steps
) -> None:
    n, a, each = settled.planned, settled.start, standard.contribution
    active = plan.portfolio.active
    came = a if moved is None else moved
    total, there = float(n[active].sum()), float(came[active].sum())
    growth = there / total if total > PRESENT else 1.0
    # Prospects and those who left are no part of the mix: more of them are more of them.
    even = np.where(active, n * growth, came)
    steps.segments("volume", (even - n) * each)
    steps.segments("mix", (came - even) * each)
    if moved is not None:
        steps.segments("migration", (a - came) * each)
    if settled.t and not settled.started.any():
        steps.unsplit.append("customers at the start (as planned)")


def _choices(plan: PlannedRun, settled: SettledPeriod, standard: Standard, steps: _Steps) -> None:
    p, t, a = plan.portfolio, settled.t, settled.start
    if not p.levers:
        steps.segments("choices", np.zeros(len(a)))
        return
    if not settled.known.any():
        steps.unsplit.append("options (customers count as on what was planned for them)")
        return
    brought = flow_of(p, "margin", t, a, settled.on)
    served = standard.unit_cost @ use_of(p, t, a, settled.on)
    changed = _change_cost(plan, settled, standard)
    steps.segments("choices", brought - served - changed.sum(axis=1) - a * standard.contribution)
    for number, lever in enumerate(p.levers):
        if lever.single and settled.known[:, number].any():
            was, now = plan.decisions.chosen[number][:, t], settled.chosen[number]
            steps.firm("choices", float((p.fixed_cost[was, t] - p.fixed_cost[now, t]).sum()))
    silent = [lever.name for number, lever in enumerate(p.levers) if not settled.known[:, number].any()]
    if silent:
        steps.unsplit.append(f"options of {', '.join(silent)} (as planned)")


def _change_cost(plan: PlannedRun, settled: SettledPeriod, standard: Standard) -> Numbers:
    """`[S, L]`: cost of changing at the plan's prices, by what was delivered of choices; else as planned a customer."""
    true = change_costs(plan, settled.t, settled.before, settled.on)
    return np.where(settled.known, true, standard.change * settled.start[:, None])


def _results(plan: PlannedRun, settled: SettledPeriod, steps: _Steps, volume: str | None) -> None:
    p, t, actual = plan.portfolio, settled.t, settled.actual
    margin, revenue = _delivered(actual, "margin", p.segments), _delivered(actual, "revenue", p.segments)
    should = {name: flow_of(p, name, t, settled.start, settled.on) for name in p.flows}
    needed = (settled.start > PRESENT) & (p.active | (np.abs(should["margin"]) > PRESENT))
    sold_to = needed | (np.nan_to_num(revenue) != 0.0)
    _tell_missing(p.segments, sold_to & np.isnan(margin), "margin", steps.assumed)
    stated = bool(np.any(p.flows["revenue"].per_customer) or np.any(p.flows["revenue"].per_option))
    if not stated:
        revenue = np.full(len(p.segments), np.nan)
        if not np.isnan(margin).all():
            steps.unsplit.append("price and product cost (the plan states no revenue)")
    elif not np.isnan(margin).all():
        _tell_missing(p.segments, needed & ~np.isnan(margin) & np.isnan(revenue), "revenue", steps.unsplit)
    both = ~np.isnan(margin) & ~np.isnan(revenue)
    bought = np.zeros(len(p.segments))
    sold = np.zeros(len(p.segments))
    if volume is not None:
        units, usual = _delivered(actual, volume, p.segments), should[volume]
        countable = ~np.isnan(units) & (np.abs(usual) > PRESENT) & ~np.isnan(revenue)
        more = np.where(countable, units / np.where(countable, usual, 1.0) - 1.0, 0.0)
        bought, sold = more * should["margin"], more * should["revenue"]
        if countable.any():
            steps.segments("purchases", bought)
        _tell_missing(p.segments, needed & ~countable, f"{volume} with revenue", steps.unsplit)
    priced = ~np.isnan(revenue)
    price = np.where(priced, np.nan_to_num(revenue) - should["revenue"] - sold, 0.0)
    if priced.any():
        steps.segments("price", price)
    if both.any():
        rest = np.nan_to_num(margin) - should["margin"] - bought - price
        steps.segments("product cost", np.where(both, rest, 0.0))
    alone = ~np.isnan(margin) & np.isnan(revenue)
    if alone.any():
        steps.segments("margin", np.where(alone, np.nan_to_num(margin) - should["margin"] - bought, 0.0))


def _delivered(actual: ActualPeriod, measure: str, segments: tuple[str, ...]) -> Numbers:
    return actual.results.get(measure, np.full(len(segments), np.nan))


def _tell_missing(segments: tuple[str, ...], missing: Flags, what: str, told: list[str]) -> None:
    names = [name for name, gone in zip(segments, missing.tolist(), strict=True) if gone]
    if names:
        who = "every segment" if len(names) == len(segments) else f"{len(names)} of {len(segments)} segments"
        told.append(f"{what} of {who}")


def _resources(plan: PlannedRun, settled: SettledPeriod, steps: _Steps) -> None:
    p, t, actual, r = plan.portfolio, settled.t, settled.actual, plan.portfolio.resources
    if not plan.has("capacity") or not len(r.names):
        return
    costly = (r.unit_cost[:, t] != 0.0) | (r.capacity_cost[:, t] != 0.0) | (r.extra_cost[:, t] != 0.0)
    should = use_of(p, t, settled.start, settled.on).sum(axis=1)
    use, capacity, extra = _resource_figures(plan, settled, should)
    if not np.isnan(actual.use).all():
        steps.firm("efficiency", -float(r.unit_cost[:, t] @ (use - should)))
    planned_extra = plan.decisions.extra[:, t]
    there = np.where(np.isfinite(r.capacity[:, t]), r.capacity[:, t], 0.0)
    figures = (actual.use, actual.capacity, actual.extra, actual.cost)
    if not all(np.isnan(each).all() for each in figures):
        more = r.capacity_cost[:, t] * (capacity - there) + r.extra_cost[:, t] * (extra - planned_extra)
        steps.firm("capacity", -float(more.sum()))
    usual = r.unit_cost[:, t] * use + r.capacity_cost[:, t] * capacity + r.extra_cost[:, t] * extra
    paid = ~np.isnan(actual.cost)
    for i in np.flatnonzero(paid).tolist():
        steps.paid(Piece(SPENDING, "resource cost", r.names[i], float(usual[i]), float(actual.cost[i])))
    unused = np.isnan(actual.use) & (r.unit_cost[:, t] != 0.0)
    for told, what, gone in (
        (steps.assumed, "cost", ~paid & costly),
        (steps.unsplit, "use", unused & paid),
        (steps.assumed, "use", unused & ~paid),
    ):
        names = [name for name, absent in zip(r.names, gone.tolist(), strict=True) if absent]
        if names:
            told.append(f"{what} of {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}")


def _resource_figures(
    plan: PlannedRun, settled: SettledPeriod, should: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """`[R]` each: use, capacity and extra capacity; what was not delivered is as it should have been."""
    r, t, actual = plan.portfolio.resources, settled.t, settled.actual
    there = np.where(np.isfinite(r.capacity[:, t]), r.capacity[:, t], 0.0)
    use = np.where(np.isnan(actual.use), should, actual.use)
    capacity = np.where(np.isnan(actual.capacity), there, actual.capacity)
    extra = np.where(np.isnan(actual.extra), plan.decisions.extra[:, t], actual.extra)
    return use, capacity, extra


def _budgeted_costs(plan: PlannedRun, settled: SettledPeriod) -> Mapping[tuple[str, str], float]:
    """What fixed, change and credit costs should have been for the options that were in force, by (cost, item)."""
    p, t = plan.portfolio, settled.t
    found: dict[tuple[str, str], float] = {}
    for number, lever in enumerate(p.levers):
        if lever.single:
            known = settled.known[:, number].any()
            choice = settled.chosen[number] if known else plan.decisions.chosen[number][:, t]
            found[FIXED, lever.name] = float(p.fixed_cost[choice, t].sum())
    for (source, item), flow in plan.recount.money.items():
        if source == CREDIT:
            found[CREDIT, item] = -float(flow[t])
    return found


def _other_costs(plan: PlannedRun, settled: SettledPeriod, standard: Standard, steps: _Steps) -> None:
    p, paid = plan.portfolio, dict(settled.actual.costs)
    should = dict(_budgeted_costs(plan, settled))
    if plan.has("switching"):
        changed = _change_cost(plan, settled, standard).sum(axis=0)
        should |= {(CHANGE, lever.name): float(cost) for lever, cost in zip(p.levers, changed, strict=True)}
    if paid:
        steps.firm(OTHER, 0.0)
    for key in sorted(paid):
        name = OTHER if key[0] == OTHER or key not in should else SPENDING
        steps.paid(Piece(name, *key, should.get(key, 0.0), paid[key]))
    silent = sorted(key for key, cost in should.items() if key not in paid and cost != 0.0)
    for source, item in silent:
        steps.assumed.append(f"{source}{f' of {item}' if item else ''}")


def _actual(plan: PlannedRun, settled: SettledPeriod, standard: Standard, steps: _Steps) -> Numbers:
    """`[S + 1]`: profit from the delivered figures, apart from the steps; what was not delivered at its standard."""
    p, t, actual = plan.portfolio, settled.t, settled.actual
    should = flow_of(p, "margin", t, settled.start, settled.on)
    margin = _delivered(actual, "margin", p.segments)
    implied = should + sum(
        (steps.amounts[name][:-1] for name in ("purchases", "price") if name in steps.amounts),
        np.zeros(len(should)),
    )
    margin = np.where(np.isnan(margin), implied, margin)
    use = use_of(p, t, settled.start, settled.on)
    changed = _change_cost(plan, settled, standard)
    own = margin - standard.unit_cost @ use - changed.sum(axis=1)
    firm = 0.0
    if plan.has("capacity"):
        figures = _resource_figures(plan, settled, use.sum(axis=1))
        r = p.resources
        prices = (r.unit_cost[:, t], r.capacity_cost[:, t], r.extra_cost[:, t])
        usual = sum(
            (price * figure for price, figure in zip(prices, figures, strict=True)), np.zeros(len(r.names))
        )
        firm -= float(np.where(np.isnan(actual.cost), usual, actual.cost).sum())
        firm += float((standard.unit_cost @ use).sum())
    costs = {**_budgeted_costs(plan, settled)}
    if plan.has("switching"):
        costs |= {
            (CHANGE, lever.name): float(c) for lever, c in zip(p.levers, changed.sum(axis=0), strict=True)
        }
    firm += float(changed.sum()) - sum({**costs, **actual.costs}.values())
    firm += _unaccounted(plan, settled)
    return np.append(own, firm)


def _unaccounted(plan: PlannedRun, settled: SettledPeriod) -> float:
    """Postings of further components to the plan's profit, which nothing is delivered about: as planned."""
    known = {"margin", "effects", FIXED, CHANGE, CREDIT, "resource cost", "capacity cost", "extra capacity"}
    return sum(
        float(flow[settled.t]) for (source, _), flow in plan.recount.money.items() if source not in known
    )
