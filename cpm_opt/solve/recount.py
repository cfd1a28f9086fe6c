"""The plan recounted, and doing nothing beside it. Knows no Pyomo and no solver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cpm_opt.formulation.audit import Audit, Breach, Decisions, Facts, RuleRow, customers_of, facts_of
from cpm_opt.formulation.components.component import Component
from cpm_opt.formulation.components.least_change import shares_today
from cpm_opt.formulation.core import today_of
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import Numbers, Portfolio
from cpm_opt.solve.plan import Recount


def recount(
    portfolio: Portfolio, decisions: Decisions, components: Iterable[Component], objective: Weights
) -> tuple[Recount, Facts, tuple[Breach, ...]]:
    """Recomputes customers, use, every rule and the objective of the decisions; also returns the facts and what the
    rules hold to be broken beside their rows."""
    facts = facts_of(portfolio, decisions, objective.discount_rate)
    audits = _audits(facts, components)
    money = _money(facts, audits)
    deductions = {rule: amount for audit in audits for rule, amount in audit.deductions.items()}
    penalties = {rule: amount for audit in audits for rule, amount in audit.penalties.items()}
    rows: tuple[RuleRow, ...] = tuple(row for audit in audits for row in audit.rows)
    breaches = tuple(breach for audit in audits for breach in audit.breaches)
    discount = objective.discount(portfolio.periods)
    zero = np.zeros(portfolio.periods)
    profit = float(np.sum([amount @ discount[:-1] for amount in money.values()]))
    penalty = float(sum(penalties.values(), zero) @ discount[:-1])
    ends = float(portfolio.end_value @ facts.customers[:, -1] * discount[-1])
    value = objective.profit * (profit - penalty - sum(deductions.values())) + objective.end_value * ends
    use = facts.use.sum(axis=1)
    result = Recount(
        facts.customers, use, facts.flows, money, penalties, discount, ends, profit, value, rows, deductions
    )
    return result, facts, breaches


def _audits(facts: Facts, components: Iterable[Component]) -> list[Audit]:
    """What the rules find. Those that look at costs come last and see the costs of all the others."""
    audits = []
    for component in sorted(components, key=lambda c: (getattr(c, "audits_costs", False), c.name)):
        audit = component.audit(facts)
        audits.append(audit)
        served = (
            facts.cost_to_serve if audit.cost_to_serve is None else facts.cost_to_serve + audit.cost_to_serve
        )
        costs = np.sum([facts.costs, *audit.costs.values()], axis=0)
        facts = replace(facts, costs=costs, cost_to_serve=served)
    return audits


def _money(facts: Facts, audits: Iterable[Audit]) -> dict[tuple[str, str], Numbers]:
    """Undiscounted postings to profit `[T]` by (source, item); costs are negative."""
    p, d = facts.portfolio, facts.decisions
    margin = p.flows["margin"]
    money = {("margin", ""): (margin.per_customer * facts.customers[:, :-1]).sum(axis=0)}
    for lever in p.levers:
        options = np.array(lever.options)
        money["effects", lever.name] = np.einsum(
            "sot,sot->t", margin.per_option[:, options], d.customers_on[:, options]
        )
        if lever.single:
            money["fixed cost", lever.name] = -facts.fixed_costs[lever.name]
    for audit in audits:
        for key, cost in audit.costs.items():
            money[key] = money.get(key, np.zeros(p.periods)) - cost
    return {key: amount for key, amount in money.items() if np.any(amount) or key == ("margin", "")}


def doing_nothing(portfolio: Portfolio) -> Decisions:
    """Everybody stays on what they have: each group of a `single` lever on its option of before period 1, each segment
    of a `mix` lever in the shares of before period 1 (the base where it had no customers); nothing extra is bought."""
    p = portfolio
    share = shares_today(p)
    chosen = [
        np.repeat(today_of(p, lever)[:, None], p.periods, axis=1)
        if lever.single
        else np.zeros((0, p.periods), dtype=np.int64)
        for lever in p.levers
    ]
    extra = np.zeros((len(p.resources.names), p.periods))
    customers_on = np.zeros((len(p.segments), len(p.options), p.periods))
    # Customers of a period follow from the choices of the one before, so the shares are rolled forward.
    for t in range(p.periods):
        customers = customers_of(p, Decisions(customers_on, tuple(chosen), extra))
        customers_on[:, :, t] = share * customers[:, t, None]
    return Decisions(customers_on, tuple(chosen), extra)
