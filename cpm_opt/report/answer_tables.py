"""How customers answer, as tables: price steps beside their break-even, and arms of programmes with their intervals.

In: `Response`. Out: sections of an explanation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Section, Table
from cpm_opt.report.words import Units, names

if TYPE_CHECKING:
    from cpm_opt.estimates.response.response import Response
    from cpm_opt.tables import InstanceInfo

BREAK_EVEN = (
    "Break-even: so much volume may change before a price step loses money, -p / (p + g); p is the change of the "
    "price, g the gross margin; blank where a unit at that price loses money by itself. Volume is the change that the "
    "effect on revenue implies. Both take the segment's whole revenue to be at that price (or revenue_share of it)."
)
MOST_ROWS = 60
# By `basis` of price effects, in the order in which they are said.
BASES = {
    "take_up": "Of {} volume is the part of offers that is accepted, and break-even rests on what an accepted offer "
    "brings at either price, less what it loses and what the resources cost that it uses.",
    "levers": "No volume is told of {}: several levers carry prices, and nothing tells what part of the revenue each "
    "does.",
    "others": "No volume is told of {}: the price moves sales of the firm's other alternatives too.",
    "margin": "No volume is told of {}: what the price does to margin is not what volume alone would do to it.",
    "": "No volume is told of {}: no segment has revenue at its price.",
}


def answer_sections(response: Response | None, info: InstanceInfo) -> list[Section]:
    """The sections that the response has something for."""
    if response is None:
        return []
    sections = []
    if response.arms:
        sections.append(_arms(response))
    if response.elasticities:
        sections.append(_elasticities(response))
    if response.price_effects:
        sections.append(_price_steps(response, info))
    return sections


def answer_facts(response: Response | None) -> dict[str, object]:
    """The same as JSON: price_effects, programmes, share_elasticities and curves."""
    if response is None:
        return {"price_effects": [], "programmes": [], "share_elasticities": [], "curves": []}
    return {
        "price_effects": [effect.as_dict() for effect in response.price_effects],
        "programmes": [vars(arm) for arm in response.arms],
        "share_elasticities": [vars(found) for found in response.elasticities],
        "curves": [curve.as_dict() for curve in response.curves],
    }


def _arms(response: Response) -> Section:
    columns = (
        Column("programme", "programme"),
        Column("arm", "arm"),
        Column("segment", "segment"),
        Column("effect", "effect", NUMBER),
        Column("se", "standard error", NUMBER),
        Column("low", "95 % from", NUMBER),
        Column("high", "95 % to", NUMBER),
        Column("treated", "customers treated", NUMBER),
        Column("control", "customers in control", NUMBER),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (arm.programme, arm.arm, arm.segment,
         *(f"{x:,.4f}" if x == x else None for x in (arm.effect, arm.se, arm.low, arm.high)),
         arm.treated, arm.control)
        for arm in response.arms
    )  # fmt: skip
    says = ("Mean outcome of an arm less that of the control, in the unit of outcome in table trials.",)
    return Section("programmes", "What programmes did", says, (Table("programmes", columns, rows),))


def _elasticities(response: Response) -> Section:
    columns = (
        Column("model", "model"),
        Column("price_of", "price of"),
        Column("alternative", "share of"),
        Column("elasticity", "elasticity", NUMBER),
        Column("elasticity_se", "standard error", NUMBER),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (e.model, e.price_of, e.alternative, f"{e.elasticity:,.4f}", f"{e.elasticity_se:,.4f}")
        for e in response.elasticities
    )
    says = ("Change of an alternative's share, in percent, for 1 % on a price; over all choices, at prices as they "
            "stood.",)  # fmt: skip
    table = Table("share_elasticities", columns, rows, most=MOST_ROWS)
    return Section("share_elasticities", "How shares answer to prices", says, (table,))


def _price_steps(response: Response, info: InstanceInfo) -> Section:
    units = Units.of_instance(info)
    money = f"{units.money} per customer and {info.period}"
    columns = (
        Column("lever", "lever"),
        Column("segment", "segment"),
        Column("option", "option"),
        Column("price_change", "change of price", SHARE),
        Column("volume", "change of volume", SHARE),
        Column("break_even", "break-even volume", SHARE),
        Column("revenue", "effect on revenue", NUMBER, money),
        Column("margin", "effect on margin", NUMBER, money),
        Column("margin_se", "its standard error", NUMBER, money),
        Column("source", "source"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (e.lever, e.segment, e.option, e.price_change, _known(e.volume), _known(e.break_even), e.revenue, e.margin,
         _known(e.margin_se), e.source)
        for e in response.price_effects
    )  # fmt: skip
    seen = {basis: sorted({e.lever for e in response.price_effects if e.basis == basis}) for basis in BASES}
    known = {e.lever for e in response.price_effects if e.basis == "revenue"}
    seen[""] = [lever for lever in seen[""] if lever not in known]
    says = [text.format(names(seen[basis])) for basis, text in BASES.items() if seen[basis]]
    title = "Price steps, all against the base"
    return Section("price_effects", title, (BREAK_EVEN, *says), (Table("price_effects", columns, rows),))


def _known(value: float) -> Cell:
    return None if math.isnan(value) else value
