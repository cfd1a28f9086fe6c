"""The growth and share matrix of products in words, tables and a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.report.chart import Bubbles, Chart
from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Units, amount, counted, names, percent
from cpm_opt.study.product import COW, DOG, QUESTION, STAR, ProductPortfolio

if TYPE_CHECKING:
    from cpm_opt.tables import InstanceInfo

PLURAL = {STAR: "stars", COW: "cash cows", QUESTION: "question marks", DOG: "dogs"}
USUAL = {
    STAR: "hold or build the share, so that they become cash cows when the market slows",
    COW: "hold the share, and spend what they bring on question marks and stars",
    QUESTION: "build the share of the few that can lead, and leave the others",
    DOG: "harvest or leave, unless they earn for another reason",
}


def product_report(found: ProductPortfolio, info: InstanceInfo) -> Explanation:
    """The matrix for a reader."""
    units = _units(info)
    sections = [
        Section("balance", "Cash balance", tuple(_balance(found, units)), (_quadrants(found, units),)),
        Section("products", "Growth and share", tuple(_cuts(found, units)), (_products(found, units),)),
    ]
    if found.notes:
        sections.append(Section("notes", "What was taken from the ledgers", found.notes))
    title = f"{info.title}: {counted(len(found.products), 'product')} by growth and share"
    return Explanation("", "", title, tuple(sections))


def product_facts(found: ProductPortfolio, info: InstanceInfo) -> dict[str, object]:
    """The same as JSON-ready fields; growth and shares are fractions, relative_share is null without a rival."""
    units = _units(info)
    return {
        "products": _products(found, units).as_dict()["rows"],
        "quadrants": _quadrants(found, units).as_dict()["rows"],
        "cash_balance": found.cash_balance,
        "growth_cut": found.rules.growth,
        "share_cut": found.rules.share,
        "currency": info.currency,
        "money_unit": info.money_unit,
        "notes": list(found.notes),
    }


def product_charts(found: ProductPortfolio, info: InstanceInfo) -> list[Chart]:
    """The matrix: bubbles as large as the sales. A product without a rival stands at eight times the cut, or at the
    highest share there is."""
    relative = found.products["relative_share"]
    known = relative[np.isfinite(relative) & (relative > 0)]
    most = max([float(known.max()) if len(known) else 0.0, 8 * found.rules.share])
    least = min([float(known.min()) if len(known) else np.inf, found.rules.share / 8])
    points = tuple(
        (str(name), float(np.clip(share, least, most)), float(growth), float(sales))
        for name, share, growth, sales in zip(
            found.products.index,
            relative,
            found.products["market_growth"],
            found.products["sales"],
            strict=True,
        )
    )
    return [
        Bubbles(
            f"{info.title}: growth and share",
            "share relative to the largest rival, high to low",
            f"growth of the market, fraction per {info.period}",
            points,
            (found.rules.share, found.rules.growth),
            ("stars", "question marks", "cash cows", "dogs"),
        )
    ]


def _units(info: InstanceInfo) -> Units:
    return Units.of_instance(info)


def _balance(found: ProductPortfolio, units: Units) -> list[str]:
    cash = found.quadrants["cash"]
    told = []
    for name in (COW, STAR, QUESTION, DOG):
        if found.quadrants.loc[name, "products"]:
            value = float(cash[name])
            verb = "bring" if value >= 0 else "take"
            told.append(f"{PLURAL[name].capitalize()} {verb} {units.worth(abs(value))}.")
    whole = found.cash_balance
    if whole >= 0:
        told.append(f"All products together leave {units.worth(whole)}: the portfolio pays for itself.")
    else:
        told.append(
            f"All products together take {units.worth(-whole)}, which has to come from elsewhere: the portfolio does "
            "not pay for its own growth."
        )
    if not found.quadrants.loc[COW, "products"]:
        told.append("There is no cash cow: nothing in the portfolio pays for the others.")
    if not found.quadrants.loc[QUESTION, "products"] and not found.quadrants.loc[STAR, "products"]:
        told.append("There is no star and no question mark: nothing grows into the cash cows of later.")
    return told


def _cuts(found: ProductPortfolio, units: Units) -> list[str]:
    rules = found.rules
    told = [
        f"A market is fast from a growth of {percent(rules.growth)} a {units.period} on; a share is high from "
        f"{amount(rules.share)} times the largest rival's on."
    ]
    for quadrant, plural in PLURAL.items():
        there = [str(name) for name in found.products.index[found.products["quadrant"] == quadrant]]
        if there:
            told.append(f"{plural.capitalize()}: {names(there, 12)}. The usual way: {USUAL[quadrant]}.")
    losing = found.products[found.products["share"] < found.products["share_before"] - 1e-12]
    if len(losing):
        told.append(f"Market share was lost by {names([str(name) for name in losing.index], 12)}.")
    return told


def _quadrants(found: ProductPortfolio, units: Units) -> Table:
    columns = (
        Column("quadrant", "field"),
        Column("products", "products", NUMBER),
        Column("sales", "sales", NUMBER, units.money),
        Column("sales_share", "of all sales", SHARE),
        Column("cash", "cash", NUMBER, units.money),
    )
    rows = tuple(
        (
            str(name),
            int(row["products"]),
            float(row["sales"]),
            _number(row["sales_share"]),
            float(row["cash"]),
        )
        for name, row in found.quadrants.iterrows()
    )
    return Table("quadrants", columns, rows)


def _products(found: ProductPortfolio, units: Units) -> Table:
    columns = (
        Column("product", "product"),
        Column("quadrant", "field"),
        Column("sales", "sales", NUMBER, units.money),
        Column("growth", "growth", SHARE),
        Column("market_growth", "growth of the market", SHARE),
        Column("share", "market share", SHARE),
        Column("share_before", "share before", SHARE),
        Column("relative_share", "to the largest rival", NUMBER, "ratio"),
        Column("cash", "cash", NUMBER, units.money),
    )
    rows = tuple(
        (
            str(name),
            str(row["quadrant"]),
            *(_number(row[column.key]) for column in columns[2:]),
        )
        for name, row in found.products.iterrows()
    )
    return Table("products", columns, rows, most=60)


def _number(value: float) -> Cell:
    return float(value) if np.isfinite(value) else None
