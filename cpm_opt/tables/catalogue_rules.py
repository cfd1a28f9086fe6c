"""The planning tables of rules, seasons and scenarios, column by column."""

from __future__ import annotations

from math import nan

from cpm_opt.tables.column import Column, Table, negotiable, optional_reference, reference

_SCOPE_KEYS = (
    optional_reference("segment", "segment whose rows are multiplied", "every segment"),
    optional_reference("lever", "lever whose rows are multiplied", "every lever"),
    optional_reference("option", "option whose rows are multiplied", "every option"),
    optional_reference("resource", "resource whose rows are multiplied", "every resource"),
)

_MEASURES = "customers, margin, revenue, cash, use:RESOURCE or one of the instance's measures"
_MEMBERS = "a segment, `all`, or COLUMN=VALUE of a grouping column"

BALANCE = Table(
    "balance",
    "rules that hold the portfolio in balance: amounts, shares and means of groups, per period",
    (
        reference("rule", "name of the rule"),
        Column("measure", "id", f"what is counted: {_MEASURES}", required=True),
        Column("members", "id", f"of whom: {_MEMBERS}", required=True),
        Column("sense", "choice", "at least or at most", required=True, choices=("min", "max")),
        Column("value", "number", "the limit", "of the measure; a fraction for a share", True, 0.0),
        Column(
            "basis",
            "choice",
            "the amount itself, its share of all active segments, or the mean per customer of the members",
            default="amount",
            choices=("amount", "share", "mean"),
        ),
        Column("first_period", "integer", "first period in which it holds", "periods", default=1, low=1),
        Column(
            "last_period", "integer", "last period in which it holds", "periods", default=0, low=1, blank="T"
        ),
        negotiable("penalty", "price of breaking it", "money per unit and period", "it may not be broken"),
        negotiable("repair_cost", "cost of moving the limit in a repair", "money per unit", "not negotiable"),
    ),
    key=("rule",),
)

PRICE_RULES = Table(
    "price_rules",
    "rules between prices; they need levers of choice `single` and the price component",
    (
        reference("rule", "name of the rule"),
        reference("lever", "lever whose options carry price_change"),
        Column(
            "kind",
            "choice",
            "largest step per period or in all, order between groups, equal prices, or largest number of changes",
            required=True,
            choices=("step", "total_step", "order", "equal", "max_changes"),
        ),
        optional_reference("group", "group to which it applies", "each"),
        optional_reference("other_group", "group with which it is compared", "none"),
        negotiable(
            "value", "the limit", "fraction of the base price, a ratio, or groups", "1 for order, else none"
        ),
    ),
    key=("rule",),
)

OPTION_RULES = Table(
    "option_rules",
    "rules on who may be on an option together with what; they need the options component",
    (
        reference("rule", "name of the rule"),
        reference("lever", "lever"),
        reference("option", "option"),
        Column(
            "kind",
            "choice",
            "least number (or nobody), largest number, least share, needs or excludes another option, once",
            required=True,
            choices=("min", "max", "floor", "needs", "excludes", "once"),
        ),
        optional_reference("other_lever", "lever of the other option (needs, excludes)", "none"),
        optional_reference("other_option", "the other option (needs, excludes)", "none"),
        negotiable("value", "the limit (min, max, floor)", "customers, or a fraction for floor", "none"),
        Column("members", "id", f"for whom: {_MEMBERS}", default="all"),
    ),
    key=("rule",),
)

FACTORS = Table(
    "factors",
    "seasons and trends: a column of another table is multiplied in one period",
    (
        Column("target", "id", "column that is multiplied, as table.column", required=True),
        Column("period", "integer", "period in which it is multiplied", "periods", True, low=1),
        Column("factor", "number", "what it is multiplied by", "ratio", True, 0.0),
        *_SCOPE_KEYS,
    ),
    key=("target", "period", "segment", "lever", "option", "resource"),
)

SCENARIOS = Table(
    "scenarios",
    "what may happen: columns of other tables are multiplied from period 1 on, each scenario with its probability",
    (
        reference("scenario", "name of the scenario"),
        Column(
            "probability",
            "number",
            "how likely it is; in one row of the scenario at least",
            unit="fraction",
            required=True,
            default=nan,
            low=0.0,
            high=1.0,
            fraction=True,
            blank="as in the scenario's other row",
        ),
        Column(
            "target",
            "id",
            "column that is multiplied, as table.column",
            "",
            True,
            "",
            blank="nothing changes",
        ),
        Column(
            "factor",
            "number",
            "what it is multiplied by",
            "ratio",
            True,
            nan,
            blank="0 where there is a target",
        ),
        *_SCOPE_KEYS,
    ),
    key=("scenario", "target", "segment", "lever", "option", "resource"),
)

TABLES = (BALANCE, PRICE_RULES, OPTION_RULES, FACTORS, SCENARIOS)
