"""Rules that hold the portfolio in balance: amounts, shares and means of groups, per period."""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import did_you_mean
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.members import read_members
from cpm_opt.portfolio.portfolio import BalanceRule
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source

USE = "use:"


def read_balance(source: Source, customers: Customers) -> tuple[BalanceRule, ...]:
    """Table `balance` by the names of its rules; one that begins after the last period is left out, with a
    warning."""
    rows = source.rows("balance")
    rules = [_rule(source, customers, rows, k) for k in range(rows.size)]
    return tuple(sorted((rule for rule in rules if rule is not None), key=lambda rule: rule.name))


def _rule(source: Source, customers: Customers, rows: Rows, k: int) -> BalanceRule | None:
    row = rows.frame.iloc[[k]] if rows.frame is not None else None
    rows = Rows(rows.table, row)
    measure = rows.text("measure", "customers")[0] or "customers"
    resource = _check_measure(source, rows, measure)
    members = read_members(source, customers, rows, 0)
    first, last = int(rows.integer("first_period", 1)[0]), int(rows.integer("last_period")[0])
    name = rows.text("rule")[0]
    if first > source.periods:
        source.findings.warn(
            "beyond_horizon",
            "balance",
            f"begins in period {first}, after the last one, {source.periods}, so it holds nowhere",
            "give the model more periods, or leave the rule out",
            row=rows.first_line([0]),
            column="first_period",
            value=name,
        )
        return None
    penalty, repair_cost = (float(rows.number(column, np.nan)[0]) for column in ("penalty", "repair_cost"))
    return BalanceRule(
        name=name,
        measure=measure,
        resource=resource,
        member_text=rows.text("members", "all")[0],
        members=members,
        sense=rows.text("sense")[0],
        value=float(rows.number("value")[0]),
        basis=rows.text("basis", "amount")[0],
        first=max(first, 1),
        last=min(last, source.periods) if last > 0 else source.periods,
        penalty=None if np.isnan(penalty) else penalty,
        repair_cost=None if np.isnan(repair_cost) else repair_cost,
    )


def _check_measure(source: Source, rows: Rows, measure: str) -> int:
    """The position of the resource that the measure names, -1 for the others."""
    resources = source.names.resources
    if measure.startswith(USE) and measure[len(USE) :] in source.names.resource_at:
        return source.names.resource_at[measure[len(USE) :]]
    plain = ("customers", "margin", "revenue", "cash", *source.measures)
    about_use = measure.startswith(USE)
    if measure not in plain and not (about_use and source.findings.incomplete("resources")):
        source.findings.fault(
            "measure",
            "balance",
            "names no resource of table resources" if about_use else "is no measure",
            did_you_mean(measure, [*plain, *(USE + resource for resource in resources)]),
            row=rows.first_line([0]),
            column="measure",
            value=measure,
        )
    return -1
