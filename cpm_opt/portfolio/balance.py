"""Rules that hold the portfolio in balance: amounts, shares and means of groups, per period."""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import did_you_mean, shown
from cpm_opt.portfolio.customers import Customers
from cpm_opt.portfolio.members import read_members
from cpm_opt.portfolio.portfolio import BalanceRule
from cpm_opt.portfolio.source import Source

USE = "use:"
BEYOND_HORIZON = "beyond_horizon"  # the code of the warning of a rule that begins after the last period


def read_balance(source: Source, customers: Customers) -> tuple[BalanceRule, ...]:
    """Table `balance` by the names of its rules; one that begins after the last period is left out, with a warning."""
    rows = source.rows("balance")
    first, last = rows.integer("first_period", 1), rows.integer("last_period")
    value, penalty, repair_cost = (
        rows.number(column, np.nan) for column in ("value", "penalty", "repair_cost")
    )
    names, measures, members = (rows.text(column) for column in ("rule", "measure", "members"))
    sense, basis = rows.text("sense"), rows.text("basis", "amount")
    rules = []
    for k, name in enumerate(names):
        line = rows.first_line([k])
        resource = _check_measure(source, measures[k], line)
        flags = read_members(source, customers, rows.table, members[k], line)
        if first[k] > source.periods:
            _warn_beyond(source, name, int(first[k]), line)
            continue
        rule = BalanceRule(
            name=name,
            measure=measures[k],
            resource=resource,
            member_text=members[k],
            members=flags,
            sense=sense[k],
            value=float(value[k]),
            basis=basis[k],
            first=int(first[k]),
            last=min(int(last[k]), source.periods) if last[k] > 0 else source.periods,
            penalty=None if np.isnan(penalty[k]) else float(penalty[k]),
            repair_cost=None if np.isnan(repair_cost[k]) else float(repair_cost[k]),
        )
        rules.append(rule)
    return tuple(sorted(rules, key=lambda rule: rule.name))


def _warn_beyond(source: Source, name: str, first: int, line: int | None) -> None:
    source.findings.warn(
        BEYOND_HORIZON,
        "balance",
        f"rule {shown(name)} begins after the last period, {source.periods}, so it holds nowhere",
        "give the model more periods, or leave the rule out",
        row=line,
        column="first_period",
        value=str(first),
    )


def _check_measure(source: Source, measure: str, line: int | None) -> int:
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
            row=line,
            column="measure",
            value=measure,
        )
    return -1
