"""Actuals beside the plan, period by period: what was delivered, completed by what follows from it, and checked.

start      as delivered, else the end of the period before, else as planned
on         as delivered, else the planned shares of those who were there
end        as delivered, else the next period's start, else moves and arrivals
arrivals   as delivered, else what the end has more than the moves bring
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import Fault, InputError, shown
from cpm_opt.formulation.audit import Decisions, newly_chosen
from cpm_opt.portfolio.portfolio import Flags, Indices, Numbers, Portfolio
from cpm_opt.study.monitor.actuals import ActualPeriod, Actuals
from cpm_opt.study.monitor.plan import PlannedRun

# Counts may be rounded to whole customers by whoever delivers them.
SLACK = 0.5
PRESENT = 1e-9


@dataclass(frozen=True, eq=False)
class SettledPeriod:
    """One period as it is judged; `t` is 0-based.

    `planned[S]`, `start[S]`: customers at its start; `started[S]`: whether the start is known and not taken from the
    plan. `share[S, O]`: the plan's shares; `on[S, O]`: customers on options, `known[S, L]`: whether that was delivered
    for the lever; `before[S, O]`: who was on what before. `chosen[lever] = [G]`: the option most of each group were on
    (an empty array for `mix`); `fresh[S, O]`: whether the group had changed to it. `arrivals[S]`, `end[S]`,
    `moves[S, S + 1]` (NaN where not known). `actual` is what was delivered.
    """

    t: int
    planned: Numbers
    start: Numbers
    started: Flags
    share: Numbers
    on: Numbers
    known: Flags
    before: Numbers
    chosen: tuple[Indices, ...]
    fresh: Flags
    arrivals: Numbers
    end: Numbers
    moves: Numbers
    actual: ActualPeriod

    @property
    def number(self) -> int:
        """The period, 1-based."""
        return self.t + 1


def settle(plan: PlannedRun, actuals: Actuals) -> tuple[SettledPeriod, ...]:
    """The periods of the actuals in their order; raises InputError where figures contradict each other."""
    faults: list[Fault] = []
    found: list[SettledPeriod] = []
    following = {each.period: each for each in actuals.periods}
    chosen = [np.array(choice) for choice in plan.decisions.chosen]
    for actual in actuals.periods:
        last = found[-1] if found and found[-1].number == actual.period - 1 else None
        settled = _settled(plan, actual, following.get(actual.period + 1), last, chosen, faults)
        for choice, now in zip(chosen, settled.chosen, strict=True):
            if choice.size:
                choice[:, settled.t] = now
        found.append(settled)
    if faults:
        raise InputError(faults)
    return tuple(found)


def planned_shares(plan: PlannedRun, t: int) -> Numbers:
    """`[S, O]`: the plan's shares of each segment's customers on options in period t; where it has no customers, the
    group's choice, and on a lever of choice `mix` the base."""
    p, starts = plan.portfolio, plan.recount.customers[:, t]
    on = plan.decisions.customers_on[:, :, t]
    share = np.zeros_like(on)
    for lever, chosen in zip(p.levers, plan.decisions.chosen, strict=True):
        options = np.array(lever.options)
        if lever.single:
            usual = options[None, :] == chosen[lever.group_of, t][:, None]
        else:
            usual = np.repeat((options == lever.base)[None, :], len(starts), axis=0)
        total = on[:, options].sum(axis=1)
        some = (total > PRESENT) & (starts > PRESENT)
        share[:, options] = np.where(
            some[:, None], on[:, options] / np.where(some, total, 1.0)[:, None], usual
        )
    return share


def _settled(
    plan: PlannedRun,
    actual: ActualPeriod,
    following: ActualPeriod | None,
    last: SettledPeriod | None,
    chosen: Sequence[Indices],
    faults: list[Fault],
) -> SettledPeriod:
    p, t = plan.portfolio, actual.period - 1
    planned = plan.recount.customers[:, t]
    carried = np.full(len(planned), np.nan) if last is None else last.end
    start = np.where(np.isnan(actual.start), carried, actual.start)
    started = ~np.isnan(start)
    start = np.where(started, start, planned)
    share = planned_shares(plan, t)
    on, known = _on(p, actual, start, share, faults)
    now = tuple(_choices(p, number, on, chosen[number][:, t]) for number in range(len(p.levers)))
    end = actual.end.copy()
    if following is not None:
        end = np.where(np.isnan(end), following.start, end)
    arrivals, end = _ends(p, actual, following, start, end, faults)
    before = p.current if t == 0 else plan.decisions.customers_on[:, :, t - 1]
    if last is not None:
        before = last.on
    return SettledPeriod(
        t=t,
        planned=planned,
        start=start,
        started=started,
        share=share,
        on=on,
        known=known,
        before=before,
        chosen=now,
        fresh=_fresh(plan, chosen, now, t),
        arrivals=arrivals,
        end=end,
        moves=_left_too(actual.moves, start),
        actual=actual,
    )


def _on(
    p: Portfolio, actual: ActualPeriod, start: Numbers, share: Numbers, faults: list[Fault]
) -> tuple[Numbers, Flags]:
    """Customers on options, and for which levers of which segments they were delivered."""
    on = share * start[:, None]
    known = np.zeros((len(start), len(p.levers)), dtype=np.bool_)
    for number, lever in enumerate(p.levers):
        options = np.array(lever.options)
        given = actual.on[:, options]
        known[:, number] = ~np.isnan(given[:, 0])
        total = given.sum(axis=1)
        for s in np.flatnonzero(known[:, number] & (total > start + SLACK)).tolist():
            message = (
                f"segment {shown(p.segments[s])} has {total[s]:g} customers on options of lever {shown(lever.name)}, "
                f"but only {start[s]:g} at the start of period {actual.period}"
            )
            remedy = "correct them, or state `start` in actual_customers"
            line = actual.lines.get(("actual_choices", p.segments[s], lever.name))
            faults.append(
                Fault("actual_choices", message, remedy, row=line, column="customers", code="too_many")
            )
        mine = known[:, number]
        filled = given.copy()
        filled[:, options == lever.base] += np.maximum(0.0, start - total)[:, None]
        on[np.ix_(mine, options)] = filled[mine]
    return on, known


def _choices(p: Portfolio, number: int, on: Numbers, planned: Indices) -> Indices:
    """`[G]`: the option on which most customers of each group of a `single` lever were; as planned for empty ones."""
    lever = p.levers[number]
    if not lever.single:
        return np.zeros(0, dtype=np.int64)
    options = np.array(lever.options)
    totals = np.zeros((len(lever.groups), len(options)))
    np.add.at(totals, lever.group_of, on[:, options])
    most = options[np.argmax(totals, axis=1)]
    return np.where(totals.sum(axis=1) > PRESENT, most, planned)


def _fresh(plan: PlannedRun, chosen: Sequence[Indices], now: Sequence[Indices], t: int) -> Flags:
    """`[S, O]`: which options are new to their group in period t, by what was chosen up to then."""
    taken = [np.array(choice) for choice in chosen]
    for choice, each in zip(taken, now, strict=True):
        if choice.size:
            choice[:, t] = each
    decisions = Decisions(plan.decisions.customers_on, tuple(taken), plan.decisions.extra)
    fresh: Flags = newly_chosen(plan.portfolio, decisions)[:, :, t]
    return fresh


def _left_too(moves: Numbers, start: Numbers) -> Numbers:
    """Moves with those whom no row names among those who left, as in table migration."""
    filled = moves.copy()
    filled[:, -1] += np.maximum(0.0, start - moves.sum(axis=1))
    return filled


def _ends(
    p: Portfolio,
    actual: ActualPeriod,
    following: ActualPeriod | None,
    start: Numbers,
    end: Numbers,
    faults: list[Fault],
) -> tuple[Numbers, Numbers]:
    """Arrivals and customers at the end, each from the other and the moves where it was not delivered."""
    moves = actual.moves
    over = moves.sum(axis=1) > start + SLACK
    for s in np.flatnonzero(over).tolist():
        message = (
            f"{moves[s].sum():g} customers of segment {shown(p.segments[s])} are told of, but it had {start[s]:g} at "
            f"the start of period {actual.period}"
        )
        remedy = "correct them, or state `start` in actual_customers"
        line = actual.lines.get(("actual_moves", p.segments[s]))
        faults.append(Fault("actual_moves", message, remedy, row=line, column="customers", code="too_many"))
    silent = np.isnan(moves[:, 0]) & (start > PRESENT)
    if silent.any():
        return actual.arrivals.copy(), end
    brought = np.nansum(moves[:, :-1], axis=0)
    arrivals = np.where(np.isnan(actual.arrivals), end - brought, actual.arrivals)
    end = np.where(np.isnan(end), brought + arrivals, end)
    off = end - brought - arrivals
    for s in np.flatnonzero((arrivals < -SLACK) | (np.abs(off) > SLACK)).tolist():
        missing = arrivals[s] if arrivals[s] < -SLACK else off[s]
        message = (
            f"segment {shown(p.segments[s])} ends period {actual.period} with {end[s]:g} customers, but moves"
            f"{'' if np.isnan(actual.arrivals[s]) else ' and arrivals'} bring {end[s] - missing:g}"
        )
        key, column = ("actual_customers", p.segments[s]), "end"
        if np.isnan(actual.end[s]) and following is not None:
            line, column = following.lines.get(key), "start"
        else:
            line = actual.lines.get(key)
        remedy = "correct one of the tables"
        faults.append(Fault(key[0], message, remedy, row=line, column=column, code="unreconciled"))
    return np.maximum(arrivals, 0.0), end
