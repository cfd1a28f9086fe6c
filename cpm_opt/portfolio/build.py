"""Tables to portfolio: `build_portfolio` reads like a table of contents of what a portfolio is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault
from cpm_opt.portfolio.balance import read_balance
from cpm_opt.portfolio.customers import Customers, read_customers
from cpm_opt.portfolio.effects import read_effects, read_flows, read_margin_se
from cpm_opt.portfolio.factors import read_factors
from cpm_opt.portfolio.findings import MISSING_TABLE, Findings
from cpm_opt.portfolio.levers import Choices, read_choices, read_current
from cpm_opt.portfolio.migration import read_migration, read_migration_effects
from cpm_opt.portfolio.names import References, read_names
from cpm_opt.portfolio.option_rules import read_option_rules
from cpm_opt.portfolio.planned_rules import check_planned_rules
from cpm_opt.portfolio.portfolio import (
    BalanceRule,
    Flags,
    Lever,
    Migration,
    MigrationEffects,
    Numbers,
    OptionRule,
    Portfolio,
    PriceRule,
)
from cpm_opt.portfolio.price_rules import read_price_rules
from cpm_opt.portfolio.reach import customer_ceiling, openings, read_reach
from cpm_opt.portfolio.resources import read_resources, read_usage
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.sealing import sealed_all
from cpm_opt.portfolio.source import Source

if TYPE_CHECKING:
    from pandas import DataFrame

    from cpm_opt.tables.info import InstanceInfo

RESERVED = frozenset({"capacity", "cash", "concentration", "risk", "robust"})
"""Names under which parts of the model state rows of their own."""


def build_portfolio(
    frames: Mapping[str, DataFrame], info: InstanceInfo, periods: int, faults: Sequence[Fault] = ()
) -> Portfolio:
    """The planning problem of an instance over a horizon of `periods`.

    `frames` are typed planning tables by name, each with the columns of the catalogue and `line`, the line of
    the file on which a record starts; a table that is missing means nothing there, but for `segments`. `faults`
    are those found while the tables were read. Raises InputError with all of these and all faults across tables
    at once, warnings last; without a fault, warnings (the given ones included) end up in `Portfolio.warnings`.
    """
    source = _source(frames, info, periods, Findings(faults, frames))
    customers = read_customers(source)
    choices = read_choices(source, customers)
    current = read_current(source, customers, choices.levers)
    effects = read_effects(source, choices.levers)
    flows = read_flows(source, customers, effects)
    resources = read_resources(source)
    usage = read_usage(source, customers, effects.offered)
    migration, migration_effects, ceiling = _moves(source, customers, choices, effects.offered, current)
    balance, price_rules, option_rules = _rules(source, customers, choices.levers)
    source.findings.raise_faults()
    return sealed_all(
        Portfolio(
            name=info.name,
            title=info.title,
            currency=info.currency,
            money_unit=info.money_unit,
            period_name=info.period,
            periods=periods,
            segments=source.names.segments,
            kinds=customers.kinds,
            groupings=MappingProxyType(dict(customers.groupings)),
            customers=customers.customers,
            whole=customers.whole,
            end_value=customers.end_value,
            arrivals=customers.arrivals,
            flows=MappingProxyType(dict(flows)),
            margin_se=read_margin_se(source, effects),
            measure_units=MappingProxyType(_units(info, source.measures)),
            levers=choices.levers,
            options=tuple(name for _, name in source.names.options),
            lever_of=choices.lever_of,
            offered=effects.offered,
            current=current,
            price_change=choices.price_change,
            fixed_cost=choices.fixed_cost,
            change_cost=choices.change_cost,
            resources=resources,
            usage=usage,
            migration=migration,
            migration_effects=migration_effects,
            balance=balance,
            price_rules=price_rules,
            option_rules=option_rules,
            ceiling=ceiling,
            warnings=source.findings.warnings,
        )
    )


def _moves(
    source: Source, customers: Customers, choices: Choices, offered: Flags, current: Numbers
) -> tuple[Migration, MigrationEffects, Numbers]:
    """Migration, what options do to it, and how many customers each segment may come to have."""
    migration = read_migration(source)
    effects = read_migration_effects(source, choices.levers, offered, current)
    open_to = openings(choices.levers, choices.lever_of, offered, current, source.periods)
    reach = read_reach(source, migration, effects, open_to)
    return migration, effects, customer_ceiling(source, customers.customers, customers.arrivals, reach)


def _rules(
    source: Source, customers: Customers, levers: tuple[Lever, ...]
) -> tuple[tuple[BalanceRule, ...], tuple[PriceRule, ...], tuple[OptionRule, ...]]:
    """The rules of the three tables; no name may stand for two of them."""
    balance = read_balance(source, customers)
    taken = RESERVED | {rule.name for rule in balance}
    price = read_price_rules(source, levers, taken)
    option = read_option_rules(source, customers, levers, taken | {rule.name for rule in price})
    check_planned_rules(source)
    return balance, price, option


def _source(frames: Mapping[str, DataFrame], info: InstanceInfo, periods: int, findings: Findings) -> Source:
    tables = {name: Rows(name, frames.get(name)) for name in ("segments", "levers", "options", "resources")}
    if not tables["segments"].present and not findings.incomplete("segments"):
        findings.fault(
            MISSING_TABLE, "segments", "is missing", "add table segments, with one row for each segment"
        )
    names = read_names(tables["segments"], tables["levers"], tables["options"], tables["resources"])
    references = References(names, findings)
    measures = tuple(sorted(info.measures))
    factors = read_factors(Rows("factors", frames.get("factors")), references, measures, periods)
    return Source(frames, measures, periods, names, references, factors, findings)


def _units(info: InstanceInfo, measures: Sequence[str]) -> dict[str, str]:
    """The unit of each flow summed over customers: money, or what the instance says of its measure."""
    return {
        **dict.fromkeys(("margin", "revenue", "cash"), info.currency),
        **{measure: summed_unit(info.measures[measure].unit) for measure in measures},
    }


def summed_unit(unit: str) -> str:
    """The unit of a sum over customers of what is stated for one: `loans` for `loans per offer`; any other as it is."""
    what, per, one = unit.rpartition(" per ")
    # Per thousand, or per 100: not per customer.
    scaled = one[:1].isdigit() or one.split(" ")[0] in ("hundred", "thousand", "million")
    return f"{unit} x customers" if per and scaled else what.strip() or unit
