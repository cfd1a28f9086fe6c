"""The tables of what happened in a period, column by column: what a controller delivers when its books are closed.

They lie in a folder of their own and not in an instance. Each may be left out, and so may any row: what is not
delivered is absent, not 0. Money is in the instance's own unit, as in its planning tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import nan

from cpm_opt.tables.column import Column, Table, optional_reference, reference

_PERIOD = Column(
    "period",
    "integer",
    "period of the plan in which it happened, 1 is its first",
    "periods",
    default=0,
    low=1,
    blank="the period named in the call, else the first",
)


def _money(name: str, meaning: str, blank: str = "not delivered") -> Column:
    return Column(name, "number", meaning, "money of the period", default=nan, blank=blank)


def _amount(name: str, meaning: str, unit: str, blank: str) -> Column:
    return Column(name, "number", meaning, unit, default=nan, low=0.0, blank=blank)


CUSTOMERS = Table(
    "actual_customers",
    "how many customers each segment had",
    (
        reference("segment", "segment of the plan"),
        _PERIOD,
        _amount(
            "start",
            "customers at the start of the period",
            "customers",
            "as the period before ended, or planned",
        ),
        Column(
            "end", "number", "customers at its end", "customers", True, nan, low=0.0, blank="not delivered"
        ),
        _amount("arrivals", "customers who came from outside during it", "customers", "not delivered"),
    ),
    key=("segment", "period"),
)

MOVES = Table(
    "actual_moves",
    "where the customers of each segment were at the end of the period; a segment has all of its moves here, or none",
    (
        reference("from", "segment at the start of the period"),
        optional_reference("to", "segment at its end", "left the firm"),
        Column("customers", "number", "how many of them", "customers", True, 0.0, low=0.0),
        _PERIOD,
    ),
    key=("from", "to", "period"),
)

CHOICES = Table(
    "actual_choices",
    "who was on which option during the period; whom a segment's rows on a lever do not name was on the base",
    (
        reference("segment", "segment of the customers"),
        reference("lever", "lever of the plan"),
        reference("option", "option they were on"),
        Column("customers", "number", "how many of them", "customers", True, 0.0, low=0.0),
        _PERIOD,
    ),
    key=("segment", "lever", "option", "period"),
)

RESULTS = Table(
    "actual_results",
    "what the customers of each segment brought in the period, all together",
    (
        reference("segment", "segment of the plan"),
        _PERIOD,
        _money("revenue", "revenue of the segment"),
        _money("margin", "margin of the segment, before the cost of the modelled resources"),
        _money("cash", "cash that the segment brought in, before costs of resources, options and changes"),
    ),
    key=("segment", "period"),
)

USE = Table(
    "actual_use",
    "what was used of each resource in the period, what there was of it, and what it cost",
    (
        reference("resource", "resource of the plan"),
        _PERIOD,
        Column(
            "use",
            "number",
            "units used",
            "units of the resource per period",
            True,
            nan,
            blank="not delivered",
        ),
        _amount("capacity", "units that were there", "units of the resource per period", "as planned"),
        _amount("extra", "units bought beyond these", "units of the resource per period", "as planned"),
        _money("cost", "all that the resource cost", "at the plan's prices"),
    ),
    key=("resource", "period"),
)

COSTS = Table(
    "actual_costs",
    "other costs of the period: fixed costs of options, costs of changing, credit, and what no plan foresaw",
    (
        Column(
            "cost",
            "choice",
            "what it was paid for",
            required=True,
            choices=("fixed cost", "change cost", "credit cost", "other"),
        ),
        optional_reference(
            "item", "lever of a fixed or a change cost; of `other` a name of your own", "none"
        ),
        Column("amount", "number", "what was paid; negative is a refund", "money of the period", True, 0.0),
        _PERIOD,
    ),
    key=("cost", "item", "period"),
)

TABLES = (CUSTOMERS, MOVES, CHOICES, RESULTS, USE, COSTS)


def actual_tables(measures: Iterable[str]) -> dict[str, Table]:
    """The tables of actuals by name for an instance with these measures, which `actual_results` may hold too."""
    added = tuple(
        Column(
            measure,
            "number",
            f"the instance's measure `{measure}`, of all customers of the segment together",
            "the measure's unit",
            default=nan,
            blank="not delivered",
        )
        for measure in measures
    )
    return {
        table.name: Table(
            table.name, table.meaning, table.columns + (added if table is RESULTS else ()), table.key
        )
        for table in TABLES
    }
