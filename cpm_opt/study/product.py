"""The growth and share matrix of products with its cash balance (Henderson 1970, "The Product Portfolio", BCG).

    market growth        = market / market before - 1
    relative share       = own sales / sales of the largest rival
    star                 fast market, high share: about balanced in cash
    cash cow             slow market, high share: brings cash
    question mark        fast market, low share: takes cash
    dog                  slow market, low share
    cash balance         = sum of the products' cash: what cash cows bring must pay for what the others take

In: `Tables` with raw table markets (and sales, where it leaves figures to the ledger). Out: `ProductPortfolio`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cpm_opt.estimates.portfolio_rules import ProductRules
from cpm_opt.estimates.settings import read_rules
from cpm_opt.faults import Fault, InputError, did_you_mean

if TYPE_CHECKING:
    from cpm_opt.tables import Tables

STAR, COW, QUESTION, DOG = "star", "cash cow", "question mark", "dog"
QUADRANTS = (STAR, COW, QUESTION, DOG)
MARKETS = "markets"
CUT_TOLERANCE = 1e-12
LEDGER_FIGURES = ("sales", "sales_before", "cash")


@dataclass(frozen=True)
class ProductPortfolio:
    """Products in the growth and share matrix.

    - `products`: by product, the largest first: sales, sales_before, cash (money), growth (of own sales), market_growth
      and share (fractions), share_before, relative_share (a ratio; infinite without a rival) and quadrant; NaN where
      there is no figure to divide by;
    - `quadrants`: by quadrant: products, sales and cash (money), sales_share (a fraction);
    - `notes`: what was taken from the ledgers.
    """

    products: pd.DataFrame = field(repr=False)
    quadrants: pd.DataFrame = field(repr=False)
    rules: ProductRules
    notes: tuple[str, ...] = ()

    @property
    def cash_balance(self) -> float:
        """What all products together bring, in money; below 0 the portfolio has to be paid for from elsewhere."""
        return float(self.products["cash"].sum())


def product_portfolio(tables: Tables) -> ProductPortfolio:
    """The matrix of an instance's products. Raises InputError with every fault of table markets and its settings."""
    rules, faults = read_rules(tables.info.estimates)
    own = ProductRules() if rules is None or rules.product is None else rules.product
    markets = tables.frames.get(MARKETS)
    broken = [
        fault for fault in tables.faults if not fault.warning and fault.table in (MARKETS, "instance.toml")
    ]
    told = [*broken, *(fault for fault in faults if fault not in broken)]
    if markets is None or markets.empty:
        if not broken:
            remedy = "add markets.csv with product, market, market_before and largest_rival"
            told.append(Fault(MARKETS, "is missing or has no usable row", remedy, code="missing"))
        raise InputError(told)
    if told:
        raise InputError(told)
    filled, notes = _with_ledger(tables, markets, own)
    wrong = [*_own_over_market(filled), *_without_market(filled)]
    if wrong:
        raise InputError(wrong)
    products = _matrix(filled, own)
    return ProductPortfolio(products, _by_quadrant(products), own, notes)


def _with_ledger(
    tables: Tables, markets: pd.DataFrame, rules: ProductRules
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table with its blanks filled from the ledgers, and what was filled."""
    blank = [name for name in LEDGER_FIGURES if markets[name].isna().any()]
    if not blank:
        return markets, ()
    from cpm_opt.costing import cost_and_profit
    from cpm_opt.costing.dimensions import by_dimension

    if not tables.has("sales"):
        lines = ((name, int(markets.loc[markets[name].isna(), "line"].iloc[0])) for name in blank)
        message, remedy = (
            "is blank, and there is no table sales to take it from",
            "fill it in, or add sales.csv",
        )
        raise InputError([Fault(MARKETS, message, remedy, line, name, code="blank") for name, line in lines])
    statement = cost_and_profit(tables)
    now = statement.by(rules.by)
    before = None
    if "sales_before" in blank:
        if statement.prior is None:
            message = "is blank, and the ledger does not reach back to a period before"
            line = int(markets.loc[markets["sales_before"].isna(), "line"].iloc[0])
            remedy = "fill it in, or state prior_first_day and prior_last_day in [estimates.profit]"
            raise InputError([Fault(MARKETS, message, remedy, line, "sales_before", code="blank")])
        before = by_dimension(statement.prior, rules.by, statement.ledger["campaigns"].iloc[:0])
    strange = markets[~markets["product"].isin(now.index) & markets[blank].isna().any(axis=1)]
    if len(strange):
        known = [name for name in now.index if name]
        raise InputError(
            [
                Fault(MARKETS, f"is no {rules.by} of the ledgers in the reporting period", did_you_mean(name, known),
                      int(line), "product", name, code="unknown_name")
                for name, line in strange[["product", "line"]].itertuples(index=False)
            ]
        )  # fmt: skip
    filled = markets.copy()
    source = {"sales": (now, "revenue"), "cash": (now, "profit"), "sales_before": (before, "revenue")}
    for name in blank:
        frame, column = source[name]
        assert frame is not None
        found = markets["product"].map(frame[column]).fillna(0.0)
        filled[name] = markets[name].where(markets[name].notna(), found)
    period = statement.reporting.period
    return filled, tuple(
        f"{name} of {_many(markets[name].isna())} from the ledgers, {period}" for name in blank
    )


def _many(blank: pd.Series[bool]) -> str:
    count = int(blank.sum())
    return f"{count} {'product' if count == 1 else 'products'}"


def _own_over_market(rows: pd.DataFrame) -> list[Fault]:
    """One's own sales and the largest rival's are part of the market."""
    both = rows["sales"] + rows["largest_rival"]
    over = rows[both > rows["market"] * (1 + 1e-9)]
    message = "is less than one's own sales and the largest rival's together"
    remedy = "write the sales of all firms, one's own among them, in the same money and period"
    return [
        Fault(MARKETS, message, remedy, int(line), "market", f"{market:g}", code="value")
        for market, line in over[["market", "line"]].itertuples(index=False)
    ]


def _without_market(rows: pd.DataFrame) -> list[Fault]:
    none = rows[rows["market_before"] <= 0]
    message, remedy = (
        "is 0, so the market has no growth",
        "write the market of the period before, or leave the row out",
    )
    return [
        Fault(MARKETS, message, remedy, int(line), "market_before", "0", code="value")
        for line in none["line"]
    ]


def _matrix(rows: pd.DataFrame, rules: ProductRules) -> pd.DataFrame:
    """The figures of each product; a product without a rival has an infinite relative share, and a high one."""
    frame = rows.set_index("product")[["sales", "sales_before", "cash"]].copy()
    by_name = rows.set_index("product")
    frame["growth"] = frame["sales"] / frame["sales_before"].where(frame["sales_before"] > 0) - 1
    frame["market_growth"] = by_name["market"] / by_name["market_before"] - 1
    frame["share"] = frame["sales"] / by_name["market"].where(by_name["market"] > 0)
    frame["share_before"] = frame["sales_before"] / by_name["market_before"]
    rival = by_name["largest_rival"]
    alone = np.where(frame["sales"] > 0, np.inf, 0.0)
    frame["relative_share"] = np.where(rival > 0, frame["sales"] / rival.where(rival > 0), alone)
    # Compared by products, with a hair of tolerance: 600 / 500 - 1 is less than 0.2 in floating point.
    fast = by_name["market"] >= by_name["market_before"] * (1 + rules.growth) * (1 - CUT_TOLERANCE)
    high = frame["relative_share"] >= rules.share * (1 - CUT_TOLERANCE)
    frame["quadrant"] = np.select(
        [np.asarray(fast & high), np.asarray(~fast & high), np.asarray(fast & ~high)],
        [STAR, COW, QUESTION],
        DOG,
    )
    return frame.sort_values("sales", ascending=False, kind="stable")


def _by_quadrant(products: pd.DataFrame) -> pd.DataFrame:
    grouped = products.groupby("quadrant")
    found = grouped[["sales", "cash"]].sum().reindex(list(QUADRANTS), fill_value=0.0)
    found.insert(0, "products", grouped.size().reindex(list(QUADRANTS), fill_value=0).astype("int64"))
    total = float(found["sales"].sum())
    found["sales_share"] = found["sales"] / total if total > 0 else np.nan
    return found
