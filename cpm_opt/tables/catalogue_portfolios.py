"""The raw tables of product and supplier portfolios, column by column."""

from __future__ import annotations

from math import nan

from cpm_opt.tables.column import Column, Table, reference

MARKETS = Table(
    "markets",
    "the market of each product in the reporting period and the period before: what the growth and share matrix needs",
    (
        reference("product", "product or product group of table sales"),
        Column("market", "number", "sales of all firms, one's own among them", "money", True, low=0.0),
        Column("market_before", "number", "the same in the period before", "money", True, low=0.0),
        Column("largest_rival", "number", "sales of the largest rival", "money", True, low=0.0),
        Column("sales", "number", "one's own sales", "money", default=nan, low=0.0, blank="revenue of table sales"),
        Column("sales_before", "number", "one's own sales in the period before", "money", default=nan, low=0.0,
               blank="revenue of table sales"),
        Column("cash", "number", "money that the product brought, less what was put into it", "money", default=nan,
               blank="its profit by the ledgers"),
    ),
    key=("product",),
)  # fmt: skip

SUPPLIERS = Table(
    "suppliers",
    "who supplies, and for how much",
    (
        reference("supplier", "supplier"),
        Column("spend", "number", "what was bought from them", "money per period", default=0.0, low=0.0),
    ),
    key=("supplier",),
)

CRITERIA = Table(
    "criteria",
    "what suppliers are judged by: a weight, and the scale from the worst score to the best",
    (
        reference("criterion", "criterion, such as delivery on time"),
        Column("weight", "number", "how much it counts; only ratios of weights matter", "any", True, low=0.0),
        Column("worst", "number", "score that gives no points", "of the score", default=nan,
               blank="the worst score of all suppliers"),
        Column("best", "number", "score that gives all points; below worst where less is better", "of the score",
               default=nan, blank="the best score of all suppliers, the highest"),
        Column("limit", "number", "score that a supplier must reach", "of the score", default=nan, blank="none"),
        Column("better", "choice", "whether more or less of the score is better", default="more",
               choices=("more", "less")),
    ),
    key=("criterion",),
)  # fmt: skip

SUPPLIER_SCORES = Table(
    "supplier_scores",
    "what each supplier scored on each criterion",
    (
        reference("supplier", "supplier"),
        reference("criterion", "criterion"),
        Column("score", "number", "score on the criterion's scale", "of the score", True),
    ),
    key=("supplier", "criterion"),
)

TABLES = (MARKETS, SUPPLIERS, CRITERIA, SUPPLIER_SCORES)
