"""Rules between prices: steps, order between groups, equal prices, and how many groups may change at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cpm_opt.faults import Fault, shown
from cpm_opt.formulation.audit import Audit, Facts, RuleRow
from cpm_opt.formulation.checks import split_groups
from cpm_opt.formulation.core import today_of
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.take_up import choices_from_today, take_ups
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Indices, Portfolio, PriceRule

FROM_TODAY = ("step", "total_step", "max_changes")
PRICE, GROUPS = "of the base price", "groups"


@dataclass(frozen=True)
class Price:
    """Prices of groups keep to the rules of table `price_rules`, in each period t.

        price[g,t] = sum_o price_change[o] chosen[g,o,t]             before period 1 that of today
        step         |price[g,t] - price[g,t-1]| <= value            for each group g of the rule
        total_step   |price[g,t] - price[g,0]|   <= value
        order        1 + price[g,t] <= value (1 + price[other,t])
        equal        price[g,t] = price[other,t]
        max_changes  sum_{g,o} taken_up[g,o,t] <= value              groups on another option than the period before

    price and the values of steps are fractions of the base price, that of order is a ratio of base prices. Each rise,
    fall and side of an equation is a row of its own.
    """

    name: ClassVar[str] = "price"

    def check(self, portfolio: Portfolio) -> tuple[Fault, ...]:
        """A rule that starts from today needs each group on one option today; prices without a change are doubtful."""
        faults = []
        for rule in portfolio.price_rules:
            lever = portfolio.levers[rule.lever]
            if rule.kind in FROM_TODAY:
                faults += split_groups(portfolio, rule.name, lever, rule.groups)
            if rule.kind != "max_changes" and not portfolio.price_change[np.array(lever.options)].any():
                subject = f"no option of lever {shown(lever.name)} has a price_change"
                message = f"{subject}, so rule {shown(rule.name)} holds nothing back"
                remedy = "fill in price_change in table options, or leave the rule out"
                faults.append(Fault("price_rules", message, remedy, code="no_prices", warning=True))
        return tuple(faults)

    def declare(self, draft: Draft) -> None:
        """Declares nothing: prices are made of the choices."""

    def constrain(self, draft: Draft) -> None:
        """The rows of each rule; take-ups are counted once a lever."""
        taken: dict[int, Indices] = {}
        for rule in draft.portfolio.price_rules:
            if rule.kind == "max_changes":
                if rule.lever not in taken:
                    chosen = draft.core.chosen[rule.lever]
                    taken[rule.lever] = take_ups(
                        draft, self.name, rule.lever, np.ones(chosen.shape[:2], dtype=bool)
                    )
                self._count(draft, rule, taken[rule.lever])
            else:
                self._hold(draft, rule)

    def _count(self, draft: Draft, rule: PriceRule, taken_up: Indices) -> None:
        periods = draft.portfolio.periods
        terms = Terms.of(periods, np.arange(periods), taken_up, 1.0)
        keys = [(rule.name, "", t + 1) for t in range(periods)]
        draft.limit(self.name, keys, keys, terms, "max", rule.value)

    def _hold(self, draft: Draft, rule: PriceRule) -> None:
        p, lever = draft.portfolio, draft.portfolio.levers[rule.lever]
        chosen = draft.core.chosen[rule.lever]
        now = _price(draft, rule, chosen)
        started = np.zeros((len(lever.groups), p.periods))
        today = p.price_change[today_of(p, lever)]
        if rule.kind in FROM_TODAY:
            before = np.full_like(chosen, -1)
            if rule.kind == "step":
                before[:, :, 1:] = chosen[:, :, :-1]
                started[:, 0] = today
            else:
                started[:] = today[:, None]
            moved = now - _price(draft, rule, before) - Terms.fixed(started.ravel())
            self._limit(draft, rule, moved, "max", rule.value, "rise")
            self._limit(draft, rule, moved.scaled(-1.0), "max", rule.value, "fall")
        else:
            other = chosen[rule.other : rule.other + 1]
            apart = now - _price(draft, rule, np.broadcast_to(other, chosen.shape)).scaled(_ratio(rule))
            self._limit(draft, rule, apart, "max", _ratio(rule) - 1.0, "most")
            if rule.kind == "equal":
                self._limit(draft, rule, apart, "min", 0.0, "least")

    def _limit(
        self, draft: Draft, rule: PriceRule, terms: Terms, sense: str, right: float, side: str
    ) -> None:
        """Rows for the groups of the rule, of terms that there are for every group and period of the lever."""
        periods = draft.portfolio.periods
        keep = np.zeros((terms.size // periods, periods), dtype=bool)
        keep[rule.groups] = True
        keys = [
            (rule.name, _subject(draft.portfolio, rule, g, side), t + 1)
            for g in sorted(rule.groups.tolist())
            for t in range(periods)
        ]
        draft.limit(self.name, keys, keys, terms.rows(keep.ravel()), sense, right)

    def audit(self, facts: Facts) -> Audit:
        """Each rule's rows from the prices of the options that the plan chooses."""
        return Audit(tuple(row for rule in facts.portfolio.price_rules for row in _audited(facts, rule)))


def _price(draft: Draft, rule: PriceRule, columns: Indices) -> Terms:
    """Prices of the groups by period, as choices in `columns[G, options, T]` make them."""
    p = draft.portfolio
    groups, _, periods = columns.shape
    cells = np.arange(groups * periods).reshape(groups, 1, periods)
    change = p.price_change[np.array(p.levers[rule.lever].options)]
    return Terms.of(groups * periods, cells, columns, change[None, :, None])


def _ratio(rule: PriceRule) -> float:
    return rule.value if rule.kind == "order" else 1.0


def _subject(portfolio: Portfolio, rule: PriceRule, group: int, side: str) -> str:
    """Whom a row is about, and which of the two rows of a pair it is."""
    groups = portfolio.levers[rule.lever].groups
    if rule.kind in FROM_TODAY:
        return f"{groups[group]}, {side}"
    against = f"{groups[group]} against {groups[rule.other]}"
    return against if rule.kind == "order" else f"{against}, at {side}"


def _audited(facts: Facts, rule: PriceRule) -> list[RuleRow]:
    p = facts.portfolio
    path = choices_from_today(p, rule.lever, facts.decisions.chosen[rule.lever])
    if rule.kind == "max_changes":
        changed = (path[:, 1:] != path[:, :-1]).sum(axis=0)
        return [
            RuleRow(rule.name, "", t + 1, float(changed[t]), "max", rule.value, GROUPS)
            for t in range(p.periods)
        ]
    price = p.price_change[path]
    rows = []

    def row(group: int, t: int, side: str, value: float, sense: str, limit: float) -> None:
        subject = _subject(p, rule, group, side)
        rows.append(RuleRow(rule.name, subject, t, float(value), sense, float(limit), PRICE))

    for g in rule.groups.tolist():
        for t in range(1, p.periods + 1):
            if rule.kind in FROM_TODAY:
                moved = price[g, t] - price[g, t - 1 if rule.kind == "step" else 0]
                row(g, t, "rise", moved, "max", rule.value)
                row(g, t, "fall", -moved, "max", rule.value)
            elif rule.kind == "order":
                row(g, t, "most", 1.0 + price[g, t], "max", rule.value * (1.0 + price[rule.other, t]))
            else:
                row(g, t, "most", price[g, t], "max", price[rule.other, t])
                row(g, t, "least", price[g, t], "min", price[rule.other, t])
    return rows
