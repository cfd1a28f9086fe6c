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
from cpm_opt.formulation.core import group_offers, today_of
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import ModelSpec
from cpm_opt.portfolio.portfolio import Indices, Lever, Numbers, Portfolio
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
    """Customers of `segments` to `option` of lever number `lever`: all of them or none where `group` is one of a `single`
    lever (else -1). `amounts[segments]` customers; the whole move's `gain`, and its `use[R]`."""

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
    for t in range(p.periods):
        customers = customers_of(p, decisions)[:, t]
        on[:, :, t] = shares_today(p) * customers[:, None]
        for lever, groups in zip(p.levers, chosen, strict=True):
            if lever.single:
                groups[:, t] = today_of(p, lever)
        _fill(p, decisions, t, customers, limited)
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    counted = recount(p, decisions, spec.components.values(), weights)[0]
    broken = (row for row in counted.rows if row.penalty is None)
    missed = tuple(row for row in broken if row.slack < -TOLERANCE * max(1.0, abs(row.limit)))
    return Greedy(decisions, counted, missed)


def _fill(p: Portfolio, decisions: Decisions, t: int, customers: Numbers, limited: bool) -> None:
    """Makes the moves of a period, the best ratio first; each lever of a segment or group moves once."""
    r, on = p.resources, decisions.customers_on
    usage = _usage(p, t)
    base = np.zeros(len(r.names))
    needs = p.usage.option < 0
    np.add.at(base, p.usage.resource[needs], p.usage.amount[needs, t] * customers[p.usage.segment[needs]])
    capacity = r.max_utilisation[:, t] * r.capacity[:, t] if limited else np.full(len(r.names), np.inf)
    left = capacity - base - np.einsum("rso,so->r", usage, on[:, :, t])
    price = r.unit_cost[:, t] if limited else np.zeros(len(r.names))
    moves = [move for lever in range(len(p.levers)) for move in _moves(p, decisions, t, lever, usage, price)]
    weight = 1.0 / np.maximum(capacity, 1e-9)
    done: set[tuple[int, int]] = set()
    for move in sorted(moves, key=lambda move: _rank(move, weight)):
        mine = [(move.lever, -1 - move.group)] if move.group >= 0 else [(move.lever, int(s)) for s in move.segments]
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
        on[:, :, t][rows] *= 1.0 - share
        on[move.segments, move.option, t] += share * move.amounts
        if move.group >= 0:
            decisions.chosen[move.lever][move.group, t] = move.option
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
    np.add.at(usage, (u.resource[by_option], u.segment[by_option], u.option[by_option]), u.amount[by_option, t])
    return usage


def _moves(p: Portfolio, decisions: Decisions, t: int, number: int, usage: Numbers, price: Numbers) -> list[_Move]:
    """The moves on a lever that bring more than they cost in the period."""
    lever = p.levers[number]
    if lever.single:
        offers = group_offers(p, lever)
        units = [
            (group, np.flatnonzero(lever.group_of == group), offers[group])
            for group in range(len(lever.groups))
            if t % lever.hold == 0
        ]
        if t % lever.hold:
            _hold(p, lever, decisions, number, t)
    else:
        units = [(-1, np.array([s]), p.offered[s, np.array(lever.options)]) for s in range(len(p.segments))]
    found = []
    for group, members, offered in units:
        for option, there in zip(lever.options, offered.tolist(), strict=True):
            if there:
                move = _move(p, decisions, t, number, group, members, option, usage, price)
                found += [move] if move.gain > 1e-9 and (group < 0 or move.amounts.sum() > 0.0) else []
    return found


def _hold(p: Portfolio, lever: Lever, decisions: Decisions, number: int, t: int) -> None:
    """A choice that must hold is that of the period before."""
    before = decisions.chosen[number][:, t - 1]
    decisions.chosen[number][:, t] = before
    options, on = np.array(lever.options), decisions.customers_on[:, :, t]
    total = on[:, options].sum(axis=1)
    on[:, options] = 0.0
    on[np.arange(len(p.segments)), before[lever.group_of]] = total


def _move(
    p: Portfolio,
    decisions: Decisions,
    t: int,
    number: int,
    group: int,
    members: Indices,
    option: int,
    usage: Numbers,
    price: Numbers,
) -> _Move:
    options = np.array(p.levers[number].options)
    margin, there = p.flows["margin"].per_option[:, :, t], decisions.customers_on[:, :, t]
    amounts = there[np.ix_(members, options)].sum(axis=1)
    now = there[np.ix_(members, options)]
    use = usage[:, members, option] @ amounts - np.einsum("rso,so->r", usage[:, members][:, :, options], now)
    gain = float(margin[members, option] @ amounts - (margin[np.ix_(members, options)] * now).sum())
    gain -= float(price @ use)
    came = decisions.customers_on[members, option, t - 1] if t else p.current[members, option]
    gain -= float(p.change_cost[option] * np.maximum(0.0, amounts - came).sum())
    if group >= 0:
        gain -= float(p.fixed_cost[option, t] - p.fixed_cost[decisions.chosen[number][group, t], t])
    return _Move(number, group, option, members, amounts, gain, use)
