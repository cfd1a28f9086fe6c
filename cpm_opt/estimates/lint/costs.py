"""Doubts about costs that stand in money figures and as use of a resource that the plan pays for by itself.

In: frames of planning tables. Out: `Lint`s. Looked for is equality alone, so a cost that is in a figure together with
others is not found:

    effects    margin or cash = -cost; margin or cash = revenue - cost; cash = margin - cost
    segments   margin = revenue - cost of the base need, in two segments or more, and in most of those that have both

A cost is use times `unit_cost`, or times `capacity_cost` or `extra_cost` where that is what the resource has: of one
resource or of all, of an option beside its lever's base or by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cpm_opt.estimates.lint.doubts import LINE
from cpm_opt.estimates.lint.words import NEAR, TOLERANCE
from cpm_opt.estimates.value.model_estimate import Lint

if TYPE_CHECKING:
    import pandas as pd

HALF_CENT = 0.005 + 1e-9
PART = (
    0.005  # of a cost; a figure that is written to the cent may be so far off, or twice as far, by rounding
)
PRICES = ("unit_cost", "capacity_cost", "extra_cost")
Use = dict[str, dict[str, float]]  # by segment (blank: each) and resource, the amount


def counted_twice(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Figures that are just what resources cost; see above. One doubt an effect, and one for the base needs."""
    usage, resources = frames.get("usage"), frames.get("resources")
    if usage is None or resources is None:
        return []
    prices = {
        kind: {str(row["resource"]): float(row[kind]) for row in resources.to_dict("records")}
        for kind in PRICES
    }
    uses: dict[tuple[str, str], Use] = {}
    for row in usage.to_dict("records"):
        key = str(row["lever"]), str(row["option"])
        own = uses.setdefault(key, {}).setdefault(str(row["segment"]), {})
        own[str(row["resource"])] = own.get(str(row["resource"]), 0.0) + float(row["amount"])
    return [*_in_effects(frames, uses, prices), *_in_margins(frames, uses.get(("", ""), {}), prices)]


def _in_effects(
    frames: Mapping[str, pd.DataFrame],
    uses: Mapping[tuple[str, str], Use],
    prices: Mapping[str, dict[str, float]],
) -> list[Lint]:
    effects, options = frames.get("effects"), frames.get("options")
    if effects is None:
        return []
    bases = {} if options is None else {
        str(row["lever"]): str(row["option"]) for row in options[options["base"]].to_dict("records")
    }  # fmt: skip
    told = []
    for row in effects[effects["offered"]].to_dict("records"):
        segment, lever, option = (str(row[name]) for name in ("segment", "lever", "option"))
        own = _used(uses.get((lever, option), {}), segment)
        base = (
            {} if option == bases.get(lever) else _used(uses.get((lever, bases.get(lever, "")), {}), segment)
        )
        beside = {name: own.get(name, 0.0) - base.get(name, 0.0) for name in {**own, **base}}
        costs = [*_costs(beside, prices), *_costs(own, prices)]
        found = next((hit for cost in costs if (hit := _just(row, *cost))), None)
        if found:
            column, words = found
            text = f"{segment}, {lever} {option}: {column} {float(row[column]):.4g} is {words}"
            told.append(
                Lint("counted-twice", "effects", column, text, int(row[LINE]), f"{float(row[column]):.6g}")
            )
    return told


def _just(row: Mapping[Any, Any], cost: float, whose: str) -> tuple[str, str] | None:
    """The column of an effect that is minus a cost, or another less a cost, with the words for it."""
    figures = {name: float(row[name]) for name in ("margin", "revenue", "cash")}
    stated = not float(row["margin_se"]) > 0.0  # an estimate has all its digits
    by_itself = f"just what {whose} there; the plan takes that cost off by itself"
    for column in ("margin", "cash"):
        if _equal(figures[column], -cost, cost, stated):
            return column, by_itself
    for column, other in (("margin", "revenue"), ("cash", "margin"), ("cash", "revenue")):
        if figures[other] != 0.0 and _equal(figures[column], figures[other] - cost, cost, False):
            return column, f"{other} less {by_itself}"
    return None


def _equal(figure: float, wanted: float, cost: float, near: bool) -> bool:
    """Whether the two are one figure, but for rounding: to the cent where it is written so, and within half a cent
    (and half a percent of the cost) where `near`."""
    off = abs(figure - wanted)
    far = NEAR * max(1.0, abs(wanted))
    if abs(figure - round(figure, 2)) < TOLERANCE:
        far = max(far, min(HALF_CENT, 2.0 * PART * abs(cost)))
    return figure != 0.0 and off <= max(far, min(HALF_CENT, PART * abs(cost)) * near)  # nan is never equal


def _used(use: Use, segment: str) -> dict[str, float]:
    """By resource, what the segment uses."""
    found = dict(use.get("", {}))
    for resource, amount in use.get(segment, {}).items() if segment else ():
        found[resource] = found.get(resource, 0.0) + amount
    return found


def _costs(used: Mapping[str, float], prices: Mapping[str, dict[str, float]]) -> Iterator[tuple[float, str]]:
    """What the use of each resource, and of all together, costs at each kind of price, with the words for it."""
    for kind, price in prices.items():
        each = {name: price.get(name, 0.0) * amount for name, amount in used.items()}
        each = {name: cost for name, cost in each.items() if abs(cost) > TOLERANCE}
        at = "" if kind == "unit_cost" else f" at its {kind}"
        for name, cost in each.items():
            yield cost, f"{name} costs{at}"
        if len(each) > 1:
            yield sum(each.values()), f"{' and '.join(sorted(each))} cost{at}"


def _in_margins(
    frames: Mapping[str, pd.DataFrame], base: Use, prices: Mapping[str, dict[str, float]]
) -> list[Lint]:
    """Margins of segments from which the cost of the base need was taken off already."""
    segments = frames.get("segments")
    if segments is None or not base:
        return []
    rows = segments[(segments["kind"] == "active") & (segments["revenue"] != 0.0)].to_dict("records")
    asked = 0
    found: dict[str, list[dict[Hashable, Any]]] = {}
    for row in rows:
        costs = list(_costs(_used(base, str(row["segment"])), prices))
        asked += bool(costs)
        for cost, whose in costs:
            if _equal(float(row["margin"]), float(row["revenue"]) - cost, cost, False):
                found.setdefault(whose, []).append(row)
    told = []
    for whose, own in found.items():
        if len(own) > 1 and 2 * len(own) > asked:
            names = ", ".join(str(row["segment"]) for row in own[:5]) + (", ..." if len(own) > 5 else "")
            text = f"of {names} is revenue less just what {whose} for its base need; the plan takes that off by itself"
            told.append(
                Lint(
                    "counted-twice", "segments", "margin", text, int(own[0][LINE]), f"{own[0]['margin']:.6g}"
                )
            )
    return told
