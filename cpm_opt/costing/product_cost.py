"""What the goods of a line cost, and what the line would have brought by the list.

In: tables sales and products, `[estimates] gross_margin`. Out: the sales with three more columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cpm_opt.costing.blanks import blank_where_missing
from cpm_opt.costing.gross_margin import GROSS_MARGIN, REMEDY, checked_gross_margin
from cpm_opt.faults import Fault

PLACE = f"estimates.{GROSS_MARGIN}"
STATED, BY_UNIT_COST, BY_MARGIN = "stated", "unit cost", "gross margin"


def priced_lines(
    sales: pd.DataFrame, products: pd.DataFrame | None, estimates: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[Fault]]:
    """The usable lines with product_cost and list_revenue (money), `cost_rule` (by which rule the product cost came
    about) and product_group filled in from table products.

    Product cost is the line's own `cost`; else unit_cost x quantity of its product; else what the declared gross margin
    leaves of its revenue. List revenue is list_price x quantity, else revenue + discount. Faults: a gross margin that
    is no fraction, or none where a line needs it.
    """
    lines = sales[sales["date"].notna() & (sales["customer"] != "")].copy()
    margin, faults = margin_of(estimates)
    cost = lines["cost"]
    rule = np.where(cost.notna(), STATED, BY_MARGIN)
    if products is not None:
        known = products.set_index("product")
        unit_cost = lines["product"].map(known["unit_cost"]).astype("float64")
        rule = np.where(cost.isna() & unit_cost.notna(), BY_UNIT_COST, rule)
        cost = cost.fillna(unit_cost * lines["quantity"])
        group = blank_where_missing(lines["product"].map(known["product_group"]))
        lines["product_group"] = lines["product_group"].where(lines["product_group"] != "", group)
    unknown = int(cost.isna().sum())
    if unknown and margin is not None:
        cost = cost.fillna(lines["revenue"] * (1.0 - margin))
    elif unknown and not faults:
        every = unknown == len(lines)
        faults.append(no_margin(unknown, every))
    lines["product_cost"], lines["cost_rule"] = cost, rule
    listed = lines["list_price"] * lines["quantity"]
    lines["list_revenue"] = listed.fillna(lines["revenue"] + lines["discount"])
    return lines, faults


def no_margin(lines: int, every: bool) -> Fault:
    """The fault of a gross margin that is not declared, where this many lines need it."""
    message = "is missing" if every else f"is missing, and {lines:,} lines of sales have no cost of their own"
    return Fault("instance.toml", message, REMEDY, column=PLACE, code="missing")


def own_costs(sales: pd.DataFrame, products: pd.DataFrame | None) -> bool:
    """Whether any line has a product cost other than by the gross margin."""
    return bool(sales["cost"].notna().any()) or (
        products is not None and bool(products["unit_cost"].notna().any())
    )


def margin_of(estimates: Mapping[str, Any]) -> tuple[float | None, list[Fault]]:
    """`gross_margin` of `[estimates]`, None where it is not stated, with the fault of one that is unusable."""
    if GROSS_MARGIN not in estimates:
        return None, []
    value = estimates[GROSS_MARGIN]
    try:
        return checked_gross_margin(value), []
    except ValueError as error:
        return None, [
            Fault("instance.toml", str(error), REMEDY, column=PLACE, value=str(value), code="value")
        ]
