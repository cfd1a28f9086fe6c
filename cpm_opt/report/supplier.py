"""Scores and tiers of suppliers in words, tables and a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.report.chart import Bars, Chart, Series
from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Units, amount, counted, names, percent
from cpm_opt.study.supplier import SupplierPortfolio

if TYPE_CHECKING:
    from cpm_opt.tables import InstanceInfo

MOST_DRAWN = 20


def supplier_report(found: SupplierPortfolio, info: InstanceInfo) -> Explanation:
    """The scores for a reader."""
    units = _units(info)
    sections = (
        Section("suppliers", "Points and tiers", tuple(_verdict(found)), (_suppliers(found, units),)),
        Section("tiers", "By tier", tuple(_spend(found, units)), (_tiers(found, units),)),
        Section(
            "criteria",
            "What they are judged by",
            tuple(_sensitivity(found)),
            (_weights(found), _parts(found)),
        ),
    )
    criteria = f"{len(found.weights)} {'criterion' if len(found.weights) == 1 else 'criteria'}"
    title = f"{info.title}: {counted(len(found.suppliers), 'supplier')} by {criteria}"
    return Explanation("", "", title, sections)


def supplier_facts(found: SupplierPortfolio, info: InstanceInfo) -> dict[str, object]:
    """The same as JSON-ready fields; shares are fractions, points go from 0 to 100."""
    units = _units(info)
    tables = (_suppliers(found, units), _tiers(found, units), _weights(found), _parts(found))
    return {
        **{table.name: table.as_dict()["rows"] for table in tables},
        "hhi": None if np.isnan(found.concentration) else found.concentration,
        "currency": info.currency,
        "money_unit": info.money_unit,
    }


def supplier_charts(found: SupplierPortfolio, info: InstanceInfo) -> list[Chart]:
    """Points of each supplier, the best first."""
    shown = found.suppliers.head(MOST_DRAWN)
    points = tuple((float(place), float(value)) for place, value in enumerate(shown["points"]))
    some = "" if len(shown) == len(found.suppliers) else f", the best {len(shown)}"
    labels = tuple(f"{name} ({tier})" for name, tier in zip(shown.index, shown["tier"], strict=True))
    return [
        Bars(
            f"{info.title}: suppliers{some}",
            "supplier (tier)",
            "points of 100",
            labels,
            (Series("", points),),
        )
    ]


def _units(info: InstanceInfo) -> Units:
    return Units.of_instance(info)


def _verdict(found: SupplierPortfolio) -> list[str]:
    fit = found.suppliers[found.suppliers["misses"] == ""]
    told = []
    if len(fit):
        first = [
            str(name) for name in fit.index[fit["points"].round(9) == round(float(fit["points"].iloc[0]), 9)]
        ]
        told.append(
            f"{names(first, 5)} {'comes' if len(first) == 1 else 'come'} first with "
            f"{amount(float(fit['points'].iloc[0]))} of 100 points."
        )
    refused = found.suppliers[found.suppliers["misses"] != ""]
    for name, misses in refused["misses"].items():
        told.append(f"{name} is {found.rules.refused}: it misses the limit of {misses}.")
    return told


def _spend(found: SupplierPortfolio, units: Units) -> list[str]:
    if np.isnan(found.concentration):
        return ["No spend is stated."]
    largest = found.suppliers["spend"].idxmax()
    share = float(found.suppliers["spend"].max()) / float(found.suppliers["spend"].sum())
    told = [
        f"{largest} has the largest share of the spend, {percent(share)}; the sum of squared shares (HHI) is "
        f"{amount(found.concentration)} (1: a single supplier)."
    ]
    refused = float(found.suppliers.loc[found.suppliers["misses"] != "", "spend"].sum())
    if refused > 0:
        told.append(
            f"{units.worth(refused)} a {units.period} goes to suppliers who are {found.rules.refused}."
        )
    return told


def _sensitivity(found: SupplierPortfolio) -> list[str]:
    told = []
    for name, share, at, other in found.weights[["share", "flip_at", "then_first"]].itertuples(name=None):
        if other:
            told.append(
                f"At a weight of {percent(float(at))} for {name} (now {percent(float(share))}), the others in their "
                f"ratios, {other} draws level with the first."
            )
    return told or [
        "No weight of a single criterion, whatever it is, brings another supplier to the first place."
    ]


def _suppliers(found: SupplierPortfolio, units: Units) -> Table:
    columns = (
        Column("supplier", "supplier"),
        Column("points", "points of 100", NUMBER),
        Column("rank", "rank", NUMBER),
        Column("tier", "tier"),
        Column("spend", "spend", NUMBER, f"{units.money} a {units.period}"),
        Column("misses", "misses the limit of"),
    )
    rows = tuple(
        (str(name), float(points), int(rank), str(tier), float(spend), str(misses))
        for name, points, rank, tier, spend, misses in found.suppliers.itertuples(name=None)
    )
    return Table("suppliers", columns, rows, most=60)


def _tiers(found: SupplierPortfolio, units: Units) -> Table:
    columns = (
        Column("tier", "tier"),
        Column("suppliers", "suppliers", NUMBER),
        Column("spend", "spend", NUMBER, f"{units.money} a {units.period}"),
        Column("spend_share", "of all spend", SHARE),
    )
    rows = tuple(
        (str(name), int(count), float(spend), _number(share))
        for name, count, spend, share in found.tiers.itertuples(name=None)
    )
    return Table("tiers", columns, rows)


def _weights(found: SupplierPortfolio) -> Table:
    columns = (
        Column("criterion", "criterion"),
        Column("share", "weight", SHARE),
        Column("worst", "worst score", NUMBER),
        Column("best", "best score", NUMBER),
        Column("flip_at", "another is first from a weight of", SHARE),
        Column("then_first", "which"),
    )
    rows = tuple(
        (str(name), float(share), float(worst), float(best), _number(at), str(other))
        for name, share, worst, best, at, other in found.weights.itertuples(name=None)
    )
    return Table("criteria", columns, rows)


def _parts(found: SupplierPortfolio) -> Table:
    criteria = tuple(str(name) for name in found.parts.columns)
    columns = (
        Column("supplier", "supplier"),
        *(Column(name, f"points for {name}", NUMBER) for name in criteria),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (str(name), *(float(part) for part in parts))
        for name, parts in zip(found.parts.index, found.parts.to_numpy(), strict=True)
    )
    return Table("parts", columns, rows, most=60)


def _number(value: float) -> Cell:
    return None if np.isnan(value) else float(value)
