"""The raw tables, column by column: what a firm's ledgers hold, and planning tables are estimated from."""

from __future__ import annotations

from cpm_opt.tables.column import Column, Table

SALES = Table(
    "sales",
    "purchases, one row a line of a receipt; a customer may buy several times a day",
    (
        Column("customer", "id", "who bought", required=True),
        Column("date", "date", "day of the purchase, as 2026-01-31", required=True),
        Column("quantity", "number", "units bought; negative is a return", "units", default=1.0),
        Column("revenue", "number", "money paid for the line; negative is a refund", "money", required=True),
        Column("order", "id", "receipt or order to which the line belongs", default="", blank="not known"),
        Column("product", "id", "what was bought", default="", blank="not known"),
    ),
)

TABLES = (SALES,)
