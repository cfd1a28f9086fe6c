"""The greedy plan: what a planner without a model would do, so that it is seen what the model earns over it.

Period by period, from what everybody has today: of all moves from one option to another that bring more than they cost
in that period, the one with the best ratio of gain to scarce resource first, as far as the capacity reaches, then the
next; of moves with one ratio (all that take no capacity have one) the largest gain first. Whoever was moved may move on
to a better option later in the same period, and a move that found no room is weighed again when one frees some.
What a choice means for later periods, for migration and for other rules is not looked at, and nothing extra is bought.
Names of levers, options and segments decide only between moves of one ratio and one gain.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from cpm_opt.formulation.audit import Decisions, RuleRow, customers_of
from cpm_opt.formulation.components.least_change import shares_today
from cpm_opt.formulation.components.unchanged import Unchanged
from cpm_opt.formulation.core import group_offers, today_of
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio
from cpm_opt.solve.plan import Recount
from cpm_opt.solve.recount import recount

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Greedy:
    """The greedy plan: its decisions, what they bring, and the hard rules that they break."""

    decisions: Decisions
    recount: Recount
    broken: tuple[RuleRow, ...]


@dataclass(frozen=True)
class _Unit:
    """Who moves together on lever number `lever`: one segment, or the `segments` of `group` of a lever of choice
    `single` (else -1), which go all or none. `offered` options by number."""

    lever: int
    group: int
    segments: Indices
    offered: tuple[int, ...]


@dataclass(frozen=True)
class _Move:
    """`amounts[segments]` customers of a unit from `origin` to `option`: the whole move's `gain` and `use[R]`."""

    unit: _Unit
    origin: int
    option: int
    amounts: Numbers
    gain: float
    use: Numbers


def greedy(portfolio: Portfolio, spec: ModelSpec) -> Greedy:
    """The greedy plan of a portfolio under a model's capacities, recounted by the model's own rules."""
    p = portfolio
    on = np.zeros((len(p.segments), len(p.options), p.periods))
    chosen = tuple(np.full((len(lever.groups) if lever.single else 0, p.periods), -1) for lever in p.levers)
    decisions = Decisions(on, chosen, np.zeros((len(p.resources.names), p.periods)))
    limited = "capacity" in spec.components
    unchanged = spec.components.get(Unchanged.name)
    stays = unchanged.stays if isinstance(unchanged, Unchanged) else lambda *_: False
    kept = frozenset(number for number, lever in enumerate(p.levers) if stays(p, lever))
    for t in range(p.periods):
        customers = customers_of(p, decisions)[:, t]
        share = shares_today(p)
        for lever, groups in zip(p.levers, chosen, strict=True):
            if lever.single:
                groups[:, t] = groups[:, t - 1] if t % lever.hold else today_of(p, lever)
                share[:, np.array(lever.options)] = 0.0
                share[np.arange(len(p.segments)), groups[lever.group_of, t]] = 1.0
        on[:, :, t] = share * customers[:, None]
        _fill(_Period(p, decisions, t, _usage(p, t), limited, kept), customers)
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    counted = recount(p, decisions, spec.components.values(), weights)[0]
    broken = (row for row in counted.rows if row.penalty is None)
    missed = tuple(row for row in broken if row.slack < -TOLERANCE * max(1.0, abs(row.limit)))
    return Greedy(decisions, counted, missed)


@dataclass(frozen=True)
class _Period:
    """Period number t (from 0): `usage[R, S, O]` per customer on each option; `limited`: capacity and costs count;
    `kept`: levers that the model leaves as they are today."""

    portfolio: Portfolio
    decisions: Decisions
    t: int
    usage: Numbers
    limited: bool
    kept: frozenset[int]

    @property
    def on(self) -> Numbers:
        """`[S, O]`: customers on each option so far (a view that may be changed)."""
        return self.decisions.customers_on[:, :, self.t]

    @property
    def price(self) -> Numbers:
        """`[R]`: cost of a unit used."""
        r = self.portfolio.resources
        return r.unit_cost[:, self.t] if self.limited else np.zeros(len(r.names))

    @property
    def capacity(self) -> Numbers:
        """`[R]`: what may be used."""
        r = self.portfolio.resources
        usable = r.max_utilisation[:, self.t] * r.capacity[:, self.t]
        return usable if self.limited else np.full(len(r.names), np.inf)


def _fill(period: _Period, customers: Numbers) -> None:
    """Makes the moves of a period, the best first; a unit goes from one option to another once at most."""
    p, t, capacity = period.portfolio, period.t, period.capacity
    base, u = np.zeros(len(capacity)), p.usage
    needs = u.option < 0
    np.add.at(base, u.resource[needs], u.amount[needs, t] * customers[u.segment[needs]])
    left = capacity - base - np.einsum("rso,so->r", period.usage, period.on)
    weight = 1.0 / np.maximum(capacity, 1e-9)
    units = _units(period)
    # What a move gains changes when its unit moves: older entries of a unit are then passed over.
    turn, done = [0] * len(units), [set[tuple[int, int]]() for _ in units]
    entries = [
        (_rank(p, move, weight), k, 0, move) for k, unit in enumerate(units) for move in _moves(period, unit)
    ]
    heapq.heapify(entries)
    shut: list[tuple[_Rank, int, int, _Move]] = []
    while entries:
        entry = heapq.heappop(entries)
        _, k, made, move = entry
        if made != turn[k] or (move.origin, move.option) in done[k]:
            continue
        share = _share(move, left)
        if share <= 0.0:
            shut.append(entry)
            continue
        _make(period, move, share)
        left = left - share * move.use
        turn[k] += 1
        done[k].add((move.origin, move.option))
        for onward in _moves(period, units[k]):
            heapq.heappush(entries, (_rank(p, onward, weight), k, turn[k], onward))
        if (move.use < -1e-12).any():
            for entry in shut:
                heapq.heappush(entries, entry)
            shut.clear()


def _share(move: _Move, left: Numbers) -> float:
    """How much of a move the capacity that is left allows, 0 to 1."""
    takes = move.use > 1e-12
    room = np.where(takes, np.maximum(left, 0.0) / np.where(takes, move.use, 1.0), np.inf)
    share = min(1.0, float(room.min(initial=np.inf)))
    return float(share >= 1.0 - 1e-12) if move.unit.group >= 0 else share if share > 1e-12 else 0.0


def _make(period: _Period, move: _Move, share: float) -> None:
    unit, on = move.unit, period.on
    on[unit.segments, move.option] += share * move.amounts
    on[unit.segments, move.origin] -= share * move.amounts
    if share == 1.0:
        on[unit.segments, move.origin] = 0.0
    if unit.group >= 0:
        period.decisions.chosen[unit.lever][unit.group, period.t] = move.option


_Rank = tuple[float, float, str, str, str, tuple[str, ...]]


def _rank(p: Portfolio, move: _Move, weight: Numbers) -> _Rank:
    """Gain per share of capacity taken, the best first, then the largest gain; moves that take none come before all
    others. Digits that rounding makes do not decide."""
    taken = float(np.maximum(0.0, move.use) @ weight)
    ratio = np.inf if taken <= 1e-12 else float(f"{move.gain / taken:.9g}")
    gain = float(f"{move.gain:.9g}")
    segments = tuple(p.segments[s] for s in move.unit.segments.tolist())
    lever = p.levers[move.unit.lever].name
    return -ratio, -gain, lever, p.options[move.option], p.options[move.origin], segments


def _usage(p: Portfolio, t: int) -> Numbers:
    """`[R, S, O]`: use per customer on each option in the period."""
    usage = np.zeros((len(p.resources.names), len(p.segments), len(p.options)))
    u = p.usage
    by_option = u.option >= 0
    np.add.at(
        usage, (u.resource[by_option], u.segment[by_option], u.option[by_option]), u.amount[by_option, t]
    )
    return usage


def _units(period: _Period) -> list[_Unit]:
    """Who may move in the period; none of a lever that the model leaves as it is or whose choice must hold."""
    p = period.portfolio
    found = []
    for number, lever in enumerate(p.levers):
        options = np.array(lever.options)
        if number in period.kept or (lever.single and period.t % lever.hold):
            continue
        if lever.single:
            for group, offers in enumerate(group_offers(p, lever)):
                there = tuple(options[offers].tolist())
                found.append(_Unit(number, group, np.flatnonzero(lever.group_of == group), there))
        else:
            for s in range(len(p.segments)):
                found.append(_Unit(number, -1, np.array([s]), tuple(options[p.offered[s, options]].tolist())))
    return found


def _moves(period: _Period, unit: _Unit) -> list[_Move]:
    """The moves of a unit, from where it is now, that bring more than they cost in the period."""
    p, t = period.portfolio, period.t
    if unit.group >= 0:
        origins = [int(period.decisions.chosen[unit.lever][unit.group, t])]
    else:
        origins = [o for o in p.levers[unit.lever].options if period.on[unit.segments[0], o] > 0.0]
    moves = (_move(period, unit, origin, to) for origin in origins for to in unit.offered if to != origin)
    return [move for move in moves if move.gain > 1e-9]


def _move(period: _Period, unit: _Unit, origin: int, option: int) -> _Move:
    """All customers of a unit from one option to another: what that gains in the period, after the resources that it
    uses, the cost of changing and fixed cost."""
    p, t, members = period.portfolio, period.t, unit.segments
    amounts = period.on[members, origin]
    use = (period.usage[:, members, option] - period.usage[:, members, origin]) @ amounts
    margin = p.flows["margin"].per_option[:, :, t]
    gain = float((margin[members, option] - margin[members, origin]) @ amounts - period.price @ use)
    for changed, by in ((option, amounts), (origin, -amounts)):
        now = period.on[members, changed]
        came = period.decisions.customers_on[members, changed, t - 1] if t else p.current[members, changed]
        more = np.maximum(0.0, now + by - came) - np.maximum(0.0, now - came)
        gain -= float(p.change_cost[changed, t] * more.sum())
    if unit.group >= 0:
        gain -= float(p.fixed_cost[option, t] - p.fixed_cost[origin, t])
    return _Move(unit, origin, option, amounts, gain, use)
