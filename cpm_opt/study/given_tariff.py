"""A given tariff: what every group pays in every period, stated by pins and, where they are silent, as today.

`given` reads it, `GivenTariff` holds a model to it, and `carried` carries fixed shares and choices through the periods
without any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault, InputError
from cpm_opt.formulation.audit import Audit, Breach, Decisions, Facts, customers_of
from cpm_opt.formulation.components.least_change import shares_today
from cpm_opt.formulation.core import option_labels, periods_of, today_of
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.pinned import FIX, Pin, read_pins
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Indices, Numbers, Portfolio


@dataclass(frozen=True, eq=False)
class Given:
    """What is settled: `chosen[lever] = [G, T]`, positions on the option axis (-1: open; empty for `mix`), and
    `share[S, O, T]` of each segment's customers on each option (nan: open)."""

    chosen: tuple[Indices, ...]
    share: Numbers

    @property
    def settled(self) -> bool:
        """Whether nothing is open."""
        return not np.isnan(self.share).any()


@dataclass(frozen=True, eq=False)
class GivenTariff:
    """What is settled stays so; the plan decides on the rest.

        chosen[d,g,o,t] = 1                   for the option o that is settled for group g in period t
        on[s,d,o,t] = share[s,o,t] n[s,t]     on a lever of choice mix

    Rows are in choices, and in customers.
    """

    given: Given

    name: ClassVar[str] = "given_tariff"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """Nothing: what is settled was read from the portfolio."""
        return ()

    def declare(self, draft: Draft) -> None:
        """Declares nothing."""

    def constrain(self, draft: Draft) -> None:
        """A row for each settled choice of a group, and for each settled share."""
        p, on = draft.portfolio, draft.core.on
        mix = np.array([not lever.single for lever in p.levers], dtype=bool)[p.lever_of]
        share = self.given.share
        where = ~np.isnan(share) & mix[None, :, None] & (on >= 0)
        cells = np.arange(on.size).reshape(on.shape)
        terms = Terms.of(on.size, cells, np.where(where, on, -1), 1.0)
        there = np.where(where, draft.core.customers[:, None, :-1], -1)
        terms = terms - Terms.of(on.size, cells, there, np.where(where, share, 0.0))
        axes: list[Sequence[object]] = [p.segments, option_labels(p), periods_of(p)]
        draft.add_rows(self.name, "share", axes, terms, "==", 0.0, where)
        for lever, chosen, given in zip(p.levers, draft.core.chosen, self.given.chosen, strict=True):
            if lever.single:
                keep = (np.array(lever.options)[None, :, None] == given[:, None, :]) & (chosen >= 0)
                rows = np.arange(chosen.size).reshape(chosen.shape)
                labels: list[object] = [(lever.name, group) for group in lever.groups]
                options = [p.options[option] for option in lever.options]
                choice: list[Sequence[object]] = [labels, options, periods_of(p)]
                one = Terms.of(chosen.size, rows, np.where(keep, chosen, -1), 1.0)
                draft.add_rows(self.name, "choice", choice, one, "==", 1.0, keep)

    def audit(self, facts: Facts) -> Audit:
        """Customers and choices that are not where they are settled to be."""
        p, given = facts.portfolio, self.given
        starts = facts.customers[:, None, :-1]
        settled = ~np.isnan(given.share)
        off = np.abs(facts.decisions.customers_on - np.where(settled, given.share, 0.0) * starts) * settled
        worst = float((off / np.maximum(1.0, starts)).max(initial=0.0))
        breaches = [Breach("customers who are not on the given tariff", worst)] if worst > 0.0 else []
        for lever, chosen, wanted in zip(p.levers, facts.decisions.chosen, given.chosen, strict=True):
            if lever.single and np.any((wanted >= 0) & (wanted != chosen)):
                breaches.append(Breach(f"choice of {lever.name} that is not the given one", 1.0))
        return Audit(breaches=tuple(breaches))


def given(portfolio: Portfolio, fix: Sequence[str], forbid: Sequence[str], everything: bool) -> Given:
    """What pins and today settle: pins where they say something; elsewhere, levers with prices stay as today
    (`everything`: all levers), except what is forbidden. The pins must have been checked."""
    p = portfolio
    pins = read_pins(p, fix, forbid)[0]
    share = np.full((len(p.segments), len(p.options), p.periods), np.nan)
    chosen = [np.full((len(lever.groups) if lever.single else 0, p.periods), -1) for lever in p.levers]
    today = shares_today(p)
    for number, lever in enumerate(p.levers):
        options = np.array(lever.options)
        if everything or np.any(p.price_change[options] != 0.0):
            # What a segment is no longer offered cannot stay as it is in a plan.
            offered = ((today[:, options] == 0.0) | p.offered[:, options]).all(axis=1) | everything
            share[np.ix_(offered, options)] = today[np.ix_(offered, options)][:, :, None]
            if lever.single:
                kept = np.ones(len(lever.groups), dtype=bool)
                kept[lever.group_of[~offered]] = False
                chosen[number][kept] = today_of(p, lever)[kept, None]
    for pin in sorted(pins, key=lambda pin: pin.words.kind == FIX):
        _apply(p, pin, chosen[pin.lever], share)
    return Given(tuple(chosen), share)


def _apply(p: Portfolio, pin: Pin, chosen: Indices, share: Numbers) -> None:
    """Settles what a pin fixes; opens what it forbids, where that was settled."""
    lever, when = p.levers[pin.lever], np.arange(pin.first - 1, pin.last)
    members = np.flatnonzero(np.isin(lever.group_of, pin.targets)) if lever.single else pin.targets
    options = np.array(lever.options)
    if pin.words.kind == FIX:
        share[np.ix_(members, options, when)] = (options == pin.option)[None, :, None]
        if lever.single:
            chosen[np.ix_(pin.targets, when)] = pin.option
        return
    for t in when.tolist():
        hit = members[share[members, pin.option, t] > 0.0]
        share[np.ix_(hit, options, np.array([t]))] = np.nan
        if lever.single:
            groups = pin.targets[chosen[pin.targets, t] == pin.option]
            chosen[groups, t] = -1


def everything_settled(portfolio: Portfolio, settled: Given, forbid: Sequence[str]) -> None:
    """Raises InputError where a pure what-if leaves something open: a plan would have to decide that."""
    if settled.settled:
        return
    message = "forbids what is there today, and nothing says what takes its place"
    remedy = "add a --fix for the same groups and periods, or leave out --what-if"
    raise InputError([Fault("--forbid", message, remedy, value=", ".join(forbid), code="open")])


def carried(portfolio: Portfolio, share: Numbers, chosen: tuple[Indices, ...], extra: Numbers) -> Decisions:
    """Decisions that keep every segment in these shares (`[S, O, T]`) as its customers come and go."""
    on = np.zeros_like(share)
    for t in range(portfolio.periods):
        customers = customers_of(portfolio, Decisions(on, chosen, extra))
        on[:, :, t] = share[:, :, t] * customers[:, t, None]
    return Decisions(on, chosen, extra)


def shares_of(portfolio: Portfolio, decisions: Decisions) -> Numbers:
    """`[S, O, T]`: the shares of a plan; as today where a segment has no customers."""
    starts = customers_of(portfolio, decisions)[:, None, :-1]
    some = starts > 1e-9
    return np.where(
        some, decisions.customers_on / np.where(some, starts, 1.0), shares_today(portfolio)[:, :, None]
    )
