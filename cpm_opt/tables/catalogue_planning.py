"""The planning tables of who there is, what can be decided and what it does, column by column."""

from __future__ import annotations

from math import nan

from cpm_opt.tables.column import (
    SCALED_BY_BOTH,
    Column,
    Table,
    cost,
    negotiable,
    optional_reference,
    reference,
    standard_error,
)

_FLOW = "money per customer and period"


_SOURCE = Column(
    "source",
    "choice",
    "where the figures come from: estimated from data, or stated by somebody",
    default="estimated",
    choices=("estimated", "stated"),
)

SEGMENTS = Table(
    "segments",
    "who the customers are: segments at the start of period 1, with what each customer brings per period",
    (
        Column("segment", "id", "name of the segment", required=True),
        Column("customers", "number", "customers at the start of period 1", "customers", True, 0.0, low=0.0),
        Column(
            "margin",
            "number",
            "margin before the cost of the modelled resources",
            unit=_FLOW,
            required=True,
            default=0.0,
            scaled_by=SCALED_BY_BOTH,
        ),
        Column(
            "kind",
            "choice",
            "customers of today, people who may become customers, or customers who left",
            default="active",
            choices=("active", "prospect", "lost"),
        ),
        Column(
            "end_value",
            "number",
            "what a customer who is there after the last period is worth then",
            unit="money per customer",
            default=0.0,
            scaled_by=("scenarios",),
        ),
        Column("revenue", "number", "revenue", unit=_FLOW, default=0.0, scaled_by=SCALED_BY_BOTH),
        Column(
            "cash",
            "number",
            "cash that comes in",
            _FLOW,
            default=nan,
            blank="the margin",
            scaled_by=SCALED_BY_BOTH,
        ),
        Column("whole", "flag", "whether options are given to whole customers only", default=False),
    ),
    key=("segment",),
    extra="groupings",
)

ARRIVALS = Table(
    "arrivals",
    "customers who come from outside; they are present from the next period on",
    (
        reference("segment", "segment in which they arrive"),
        Column("period", "integer", "period in which they arrive, 1 is the first", "periods", True, low=1),
        Column(
            "customers",
            "number",
            "how many arrive",
            "customers",
            True,
            0.0,
            low=0.0,
            scaled_by=SCALED_BY_BOTH,
        ),
    ),
    key=("segment", "period"),
)

CURRENT = Table(
    "current",
    "who is on which option before period 1; whom it does not name is on the base",
    (
        reference("segment", "segment of the customers"),
        reference("lever", "lever"),
        reference("option", "option they are on"),
        Column("customers", "number", "how many of them", "customers", True, 0.0, low=0.0),
    ),
    key=("segment", "lever", "option"),
)

RESOURCES = Table(
    "resources",
    "what is short: people, hours, money of a budget; a row with a period replaces the blank row whole in that period",
    (
        reference("resource", "name of the resource"),
        Column(
            "capacity",
            "number",
            "units there per period",
            unit="units of the resource per period",
            required=True,
            default=nan,
            low=0.0,
            blank="unlimited",
            scaled_by=SCALED_BY_BOTH,
        ),
        Column("unit", "text", "unit in which the resource is counted, such as hours", default=""),
        cost("unit_cost", "cost of each unit used", "money per unit"),
        cost("capacity_cost", "cost of each unit of capacity, used or not", "money per unit and period"),
        Column(
            "extra_capacity",
            "number",
            "units that may be bought beyond the capacity",
            unit="units of the resource per period",
            default=0.0,
            low=0.0,
            scaled_by=SCALED_BY_BOTH,
        ),
        cost("extra_cost", "cost of each extra unit", "money per unit and period"),
        Column("lead_time", "integer", "periods before extra capacity arrives", "periods", default=0, low=0),
        Column(
            "max_utilisation",
            "number",
            "part of the capacity that may be used",
            unit="fraction",
            default=1.0,
            low=0.0,
            high=1.0,
            fraction=True,
        ),
        negotiable("repair_cost", "cost of one more unit in a repair", "money per unit", "not negotiable"),
        Column(
            "period", "integer", "period for which the row holds", "periods", default=0, low=1, blank="all"
        ),
    ),
    key=("resource", "period"),
)

LEVERS = Table(
    "levers",
    "what can be decided: a service level, the tariff of one product, one programme",
    (
        reference("lever", "name of the lever"),
        Column(
            "choice",
            "choice",
            "whether a group's customers may be spread over options or all take one",
            default="mix",
            choices=("mix", "single"),
        ),
        Column(
            "scope",
            "id",
            "who chooses together: each `segment`, `all`, or the segments of one value of a grouping column",
            default="segment",
        ),
        Column(
            "hold",
            "integer",
            "periods that a choice stands; above 1 only for `single`",
            "periods",
            default=1,
            low=1,
        ),
    ),
    key=("lever",),
)

OPTIONS = Table(
    "options",
    "the settings of each lever; exactly one is its base, things as they are today",
    (
        reference("lever", "lever to which the option belongs"),
        reference("option", "name of the option"),
        Column("base", "flag", "whether it is how things are today", default=True),
        Column(
            "price_change",
            "number",
            "change of the price against the base price",
            unit="fraction of the base price",
            default=0.0,
            low=-1.0,
            high=10.0,
            doubtful_above=1.0,
            fraction=True,
        ),
        cost(
            "fixed_cost", "cost of each group that chooses it; needs `single`", "money per group and period"
        ),
        cost("change_cost", "cost of each customer newly on it", "money per customer"),
    ),
    key=("lever", "option"),
)

EFFECTS = Table(
    "effects",
    "what an option changes for the customers of a segment who get it",
    (
        reference("segment", "segment"),
        reference("lever", "lever"),
        reference("option", "option"),
        Column("offered", "flag", "whether the segment may get the option", default=True),
        Column("margin", "number", "change of the margin", unit=_FLOW, default=0.0, scaled_by=SCALED_BY_BOTH),
        Column(
            "revenue", "number", "change of the revenue", unit=_FLOW, default=0.0, scaled_by=SCALED_BY_BOTH
        ),
        Column(
            "cash",
            "number",
            "change of the cash",
            unit=_FLOW,
            default=nan,
            blank="the change of the margin",
            scaled_by=SCALED_BY_BOTH,
        ),
        _SOURCE,
        standard_error("margin"),
        standard_error("revenue", read=False),
        standard_error("cash", read=False),
    ),
    key=("segment", "lever", "option"),
    extra="measures",
)

USAGE = Table(
    "usage",
    "what a customer uses of a resource, as things are (lever and option blank) or because of an option",
    (
        reference("resource", "resource that is used"),
        Column(
            "amount",
            "number",
            "units used; negative is a saving",
            unit="units of the resource per customer and period",
            required=True,
            default=0.0,
            scaled_by=SCALED_BY_BOTH,
        ),
        optional_reference(
            "segment", "segment of the customer", "every active segment that is offered the option"
        ),
        optional_reference("lever", "lever", "base need"),
        optional_reference("option", "option", "base need"),
    ),
    key=("resource", "segment", "lever", "option"),
)

MIGRATION = Table(
    "migration",
    "where customers are a period later; those whom no row names leave",
    (
        reference("from", "segment at the start of a period"),
        reference("to", "segment at the start of the next"),
        Column(
            "rate",
            "number",
            "part of the customers who move so",
            unit="fraction per period",
            required=True,
            default=0.0,
            low=0.0,
            high=1.0,
            fraction=True,
            scaled_by=SCALED_BY_BOTH,
        ),
        standard_error("rate", "se"),
    ),
    key=("from", "to"),
)

MIGRATION_EFFECTS = Table(
    "migration_effects",
    "what an option adds to a rate of migration",
    (
        reference("from", "segment at the start of a period"),
        reference("to", "segment at the start of the next"),
        reference("lever", "lever"),
        reference("option", "option"),
        Column(
            "rate",
            "number",
            "change of the rate of migration",
            unit="fraction per period",
            required=True,
            default=0.0,
            low=-1.0,
            high=1.0,
            fraction=True,
            scaled_by=SCALED_BY_BOTH,
        ),
        Column(
            "when",
            "choice",
            "in every period in which the option stands, or once when a `single` group changes to it",
            default="in_force",
            choices=("in_force", "on_change"),
        ),
        _SOURCE,
        standard_error("rate", "se"),
    ),
    key=("from", "to", "lever", "option", "when"),
)

TABLES = (
    SEGMENTS,
    ARRIVALS,
    CURRENT,
    RESOURCES,
    LEVERS,
    OPTIONS,
    EFFECTS,
    USAGE,
    MIGRATION,
    MIGRATION_EFFECTS,
)
