"""The raw tables, column by column: what a firm's ledgers hold, and planning tables are estimated from."""

from __future__ import annotations

from math import nan

from cpm_opt.tables.column import Column, Table, optional_reference, reference

_DAY = "day, as 2026-01-31"
_NO_DAY = "the reporting period"

SALES = Table(
    "sales",
    "purchases, one row a line of a receipt; a customer may buy several times a day; a bank's fees are sales too",
    (
        Column("customer", "id", "who bought", required=True),
        Column("date", "date", "day of the purchase, as 2026-01-31", required=True),
        Column("quantity", "number", "units bought; negative is a return", "units", default=1.0),
        Column(
            "revenue", "number", "money paid for the line (net price); negative is a refund", "money", True
        ),
        Column("order", "id", "receipt or order to which the line belongs", default="", blank="not known"),
        Column("product", "id", "what was bought", default="", blank="not known"),
        optional_reference("product_group", "group of the product", "that of table products"),
        optional_reference("salesperson", "who sold it", "not known"),
        optional_reference("channel", "way on which it was sold", "not known"),
        optional_reference("campaign", "campaign that brought it about", "none"),
        Column("list_price", "number", "price of a unit by the list", "money per unit", default=nan, low=0.0,
               blank="net price and discount"),
        Column("discount", "number", "taken off the list price of the line", "money", default=0.0),
        Column("cost", "number", "product cost of the line; negative on a return", "money", default=nan,
               blank="unit_cost of table products, else by gross_margin"),
        Column("tax", "number", "tax that the firm owes on the line and that is in revenue", "money", default=0.0),
    ),
)  # fmt: skip

CUSTOMERS = Table(
    "customers",
    "who the customers are, and since when; without it customers are those of the ledgers; further columns are the "
    "user's own, for rules of segments",
    (
        reference("customer", "number or name of the customer"),
        optional_reference("segment", "group for reports", "none"),
        optional_reference(
            "group", "group of connected clients, such as a holding", "none but by table links"
        ),
        Column("opened", "date", f"first {_DAY} on which they were a customer", default="", blank="always"),
        Column("closed", "date", f"last {_DAY} on which they were a customer", default="", blank="still are"),
    ),
    key=("customer",),
    extra="covariates",
)

LINKS = Table(
    "links",
    "which customers are connected: linked ones, and those linked to them, make one group",
    (
        reference("customer", "customer"),
        reference("other", "customer with whom they are connected"),
        Column("kind", "choice", "the other is their owner, borrower, shareholder or else connected", default="owner",
               choices=("owner", "borrower", "shareholder", "other")),
    ),
    key=("customer", "other", "kind"),
)  # fmt: skip

PRODUCTS = Table(
    "products",
    "what is sold",
    (
        reference("product", "product"),
        optional_reference("product_group", "group for reports", "none"),
        Column("unit_cost", "number", "cost of a unit", "money per unit", default=nan, low=0.0,
               blank="by gross_margin"),
    ),
    key=("product",),
)  # fmt: skip

COST_POOLS = Table(
    "cost_pools",
    "departments and processes with what they cost and the time that they can give",
    (
        reference("pool", "department or process"),
        Column("expense", "number", "what it cost in the period", "money", True, low=0.0),
        Column("practical_capacity", "number", "time that it can give in the period, about 80 % of the hours paid",
               "minutes", default=nan, low=0.0, blank="it serves no activity: its cost is not assigned"),
        Column("per_client", "flag", "whether it is overhead of service that each client bears alike, by its days",
               default=False),
        Column("date", "date", f"a {_DAY}, of the period", default="", blank=_NO_DAY),
    ),
    key=("pool", "date"),
)  # fmt: skip

ACTIVITIES = Table(
    "activities",
    "what is done for customers: by duration (a pool and minutes) or at a rate per transaction",
    (
        reference("activity", "activity"),
        optional_reference("pool", "pool whose time it takes", "none: transaction_rate is its whole cost"),
        Column("base_minutes", "number", "time of one, before its time_drivers", "minutes", default=nan,
               low=0.0, blank="0, or costed by transaction_rate"),
        Column("transaction_rate", "number", "cost of one, whatever time it takes", "money per transaction",
               default=nan, low=0.0, blank="costed by duration"),
    ),
    key=("activity",),
)  # fmt: skip

TIME_DRIVERS = Table(
    "time_drivers",
    "time equations: what adds to an activity's base time",
    (
        reference("activity", "activity"),
        Column("driver", "id", "column of activity_counts that drives the time, such as rush", required=True),
        Column("minutes", "number", "time that one unit of the driver adds (or saves)", "minutes per unit", True),
    ),
    key=("activity", "driver"),
)  # fmt: skip

ACTIVITY_COUNTS = Table(
    "activity_counts",
    "how often each activity was done and for whom; further columns are drivers of time equations, totals of the row",
    (
        reference("activity", "activity"),
        Column("count", "number", "how often", "transactions", True, low=0.0),
        optional_reference("customer", "for whom", "the customer of the order, else nobody: not assigned"),
        optional_reference("order", "for which order", "none"),
        optional_reference("product", "for which product", "none"),
        Column("date", "date", f"{_DAY} it was done", default="", blank=_NO_DAY),
    ),
    extra="drivers",
)

CAMPAIGNS = Table(
    "campaigns",
    "what campaigns cost; it is set against their sales and not assigned to customers",
    (
        reference("campaign", "campaign"),
        Column("cost", "number", "what it cost", "money", True, low=0.0),
        Column("date", "date", f"{_DAY} on which it counts", default="", blank=_NO_DAY),
    ),
    key=("campaign", "date"),
)

ACCOUNTS = Table(
    "accounts",
    "a bank's accounts",
    (
        reference("account", "account"),
        reference("customer", "whose it is"),
        Column("kind", "choice", "money that the bank owes, or is owed", default="deposit",
               choices=("deposit", "loan")),
        Column("rate", "number", "interest a year that the bank pays (deposit) or earns (loan)", "fraction a year",
               default=0.0, low=0.0, doubtful_above=1.0),
        optional_reference("product", "product for reports", "its kind"),
    ),
    key=("account",),
)  # fmt: skip

BALANCES = Table(
    "balances",
    "balances of accounts at the end of days; between two days a balance is taken to move in a straight line",
    (
        reference("account", "account"),
        Column("date", "date", _DAY, required=True),
        Column(
            "balance", "number", "balance, of a deposit or a loan alike as a positive number", "money", True
        ),
    ),
    key=("account", "date"),
)

CONTRACTS = Table(
    "contracts",
    "contracts that customers renew from period to period, running ones and those that ended",
    (
        reference("contract", "contract"),
        reference("customer", "whose it is"),
        Column("start", "date", f"first {_DAY}", required=True),
        Column("margin", "number", "what it earns", "money per period", True),
        Column("end", "date", f"last {_DAY}; after the ledger's end: until then it is sure", default="",
               blank="it runs on, and may be ended after each period"),
    ),
    key=("contract",),
)  # fmt: skip

TABLES = (
    SALES,
    CUSTOMERS,
    LINKS,
    PRODUCTS,
    COST_POOLS,
    ACTIVITIES,
    TIME_DRIVERS,
    ACTIVITY_COUNTS,
    CAMPAIGNS,
    ACCOUNTS,
    BALANCES,
    CONTRACTS,
)
