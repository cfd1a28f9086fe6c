"""The greedy plan: what a planner without a model would do, so that it is seen what the model earns over it.

Period by period, from what everybody has today: of all moves to another option that bring more than they cost in that
period, the one with the best ratio of gain to scarce resource first, as far as the capacity reaches, then the next.
What a choice means for later periods, for migration and for other rules is not looked at, and nothing extra is bought.
"""

from __future__ import annotations

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
class _Move:
    """Customers of `segments` to `option` of lever number `lever`; all of them or none where `group` is one of a lever
    of choice `single` (else -1). `amounts[segments]` customers; the whole move's `gain`, and its `use[R]`."""

    lever: int
    group: int
    option: int
    segments: Indices
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
    """Makes the moves of a period, the best ratio first; each lever of a segment or group moves once."""
    p, t, on, capacity = period.portfolio, period.t, period.on, period.capacity
    base, u = np.zeros(len(capacity)), p.usage
    needs = u.option < 0
    np.add.at(base, u.resource[needs], u.amount[needs, t] * customers[u.segment[needs]])
    left = capacity - base - np.einsum("rso,so->r", period.usage, on)
    moves = [move for lever in range(len(p.levers)) for move in _moves(period, lever)]
    weight = 1.0 / np.maximum(capacity, 1e-9)
    done: set[tuple[int, int]] = set()
    for move in sorted(moves, key=lambda move: _rank(move, weight)):
        mine = (
            [(move.lever, -1 - move.group)]
            if move.group >= 0
            else [(move.lever, int(s)) for s in move.segments]
        )
        takes = move.use > 1e-12
        room = np.where(takes, np.maximum(left, 0.0) / np.where(takes, move.use, 1.0), np.inf)
        share = min(1.0, float(room.min(initial=np.inf)))
        if move.group >= 0:
            share = float(share >= 1.0 - 1e-12)
        if share <= 0.0 or not done.isdisjoint(mine):
            continue
        done.update(mine)
        options = np.array(p.levers[move.lever].options)
        rows = np.ix_(move.segments, options)
        on[rows] *= 1.0 - share
        on[move.segments, move.option] += share * move.amounts
        if move.group >= 0:
            period.decisions.chosen[move.lever][move.group, t] = move.option
        left = left - share * move.use


def _rank(move: _Move, weight: Numbers) -> tuple[float, int, int, tuple[int, ...]]:
    """Gain per share of capacity taken, the best first; moves that take none come before all others."""
    taken = float(np.maximum(0.0, move.use) @ weight)
    ratio = np.inf if taken <= 1e-12 else move.gain / taken
    return -ratio, move.lever, move.option, tuple(move.segments.tolist())


def _usage(p: Portfolio, t: int) -> Numbers:
    """`[R, S, O]`: use per customer on each option in the period."""
    usage = np.zeros((len(p.resources.names), len(p.segments), len(p.options)))
    u = p.usage
    by_option = u.option >= 0
    np.add.at(
        usage, (u.resource[by_option], u.segment[by_option], u.option[by_option]), u.amount[by_option, t]
    )
    return usage


def _moves(period: _Period, number: int) -> list[_Move]:
    """The moves on a lever that bring more than they cost in the period; none where a choice must hold."""
    p = period.portfolio
    lever = p.levers[number]
    if number in period.kept:
        return []
    if lever.single:
        offers = group_offers(p, lever)
        groups = range(len(lever.groups)) if period.t % lever.hold == 0 else ()
        units = [(group, np.flatnonzero(lever.group_of == group), offers[group]) for group in groups]
    else:
        units = [(-1, np.array([s]), p.offered[s, np.array(lever.options)]) for s in range(len(p.segments))]
    found = []
    for group, members, offered in units:
        for option, there in zip(lever.options, offered.tolist(), strict=True):
            move = _move(period, number, group, members, option)
            if there and move.gain > 1e-9:
                found.append(move)
    return found


def _move(period: _Period, number: int, group: int, members: Indices, option: int) -> _Move:
    """All customers of the members to an option: what that gains in the period, after the resources that it uses, the
    cost of changing and fixed cost."""
    p, t, usage = period.portfolio, period.t, period.usage
    options = np.array(p.levers[number].options)
    margin, now = p.flows["margin"].per_option[:, :, t], period.on[np.ix_(members, options)]
    amounts = now.sum(axis=1)
    use = usage[:, members, option] @ amounts - np.einsum("rso,so->r", usage[:, members][:, :, options], now)
    gain = float(margin[members, option] @ amounts - (margin[np.ix_(members, options)] * now).sum())
    came = period.decisions.customers_on[members, option, t - 1] if t else p.current[members, option]
    gain -= float(period.price @ use + p.change_cost[option, t] * np.maximum(0.0, amounts - came).sum())
    if group >= 0:
        gain -= float(p.fixed_cost[option, t] - p.fixed_cost[period.decisions.chosen[number][group, t], t])
    return _Move(number, group, option, members, amounts, gain, use)
