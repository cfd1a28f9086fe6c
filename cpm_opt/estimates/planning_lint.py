"""Doubts about planning tables, stated or estimated: told, and never repaired. Nothing is fitted here.

In: frames of planning tables. Out: `Lint`s, with codes of `estimate_lint`; or as warnings of `cpm check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.estimates.value.model_estimate import Lint
from cpm_opt.faults import Fault

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.estimates.settings import ResponseRules
    from cpm_opt.tables import InstanceInfo, Tables

WEAK = 2.0
TOLERANCE = 1e-9
NEAR = 1e-6
CENT = 0.005 + 1e-9  # what rounding to the cent takes from figures that are written so
PERCENT = 10.0  # an elasticity beyond this is likely of prices in percent
FRACTIONS = frozenset({"fraction", "share", "rate", "probability"})
REMEDIES = {
    "weak-estimate": "treat it as undecided: take more data, or weigh risk in the model",
    "counted-twice": "leave the cost out of margin, or the use (or its unit_cost) out of the other tables",
    "impossible-rate": "lower the effects, or make one lever with combined options of those that meet",
    "positive-price-effect": "check the signs, and whether prices followed demand",
    "outside-range": "leave the step out, or test it before the plan relies on it",
    "few-observations": "join the segment with one that is like it",
    "percent-not-fraction": "write a fraction (0.05 for 5 percent), or leave it if it is meant so",
}


def lint_tables(frames: Mapping[str, pd.DataFrame], info: InstanceInfo | None = None) -> tuple[Lint, ...]:
    """Doubts that planning tables tell by themselves; with `info` measures in fractions are looked at too."""
    return (
        *_weak_effects(frames),
        *_counted_twice(frames),
        *_impossible(frames),
        *_against_the_price(frames),
        *_leaving_against_the_price(frames),
        *_few_customers(frames),
        *_percents(frames, info),
    )


def lint_ranges(
    raw: Mapping[str, pd.DataFrame], frames: Mapping[str, pd.DataFrame], rules: ResponseRules
) -> tuple[Lint, ...]:
    """Planned prices outside those of raw tables offers, price_points and choices, without any fit."""
    told: list[Lint] = []
    for table in ("offers", "price_points", "choices"):
        points = raw.get(table)
        if points is None:
            continue
        for lever in rules.of(table):
            if table == "offers":  # those above the standard price are left out of the fit
                own = points[~(points["price"] > points["standard_price"] + TOLERANCE)]
            elif table == "choices":
                own = points[points["alternative"] == lever.alternative]
            else:
                own = points[points["lever"].isin([lever.lever, ""])]
            relative = table == "choices" and lever.base_price is None
            planned = planned_prices(frames, lever.lever, 1.0 if relative else lever.base_price)
            for segment, seen in own.groupby("segment")["price"]:
                low, high = float(seen.min()), float(seen.max())
                for name, prices in planned.items():
                    if str(segment) in (name, ""):
                        at = [price * (float(seen.mean()) if relative else 1.0) for price in prices]
                        told += beyond(table, "price", str(segment), at, low, high)
    return tuple(dict.fromkeys(told))


def lint_stated(rules: ResponseRules) -> tuple[Lint, ...]:
    """Doubts about elasticities that are stated in `[[estimates.response.levers]]`."""
    told = []
    for lever in rules.of("stated"):
        stated = lever.elasticity if isinstance(lever.elasticity, dict) else {"": lever.elasticity}
        for segment, value in stated.items():
            who = f"lever {lever.lever}{f', segment {segment}' if segment else ''}: elasticity {value}"
            place = ("instance.toml", "estimates.response.levers.elasticity")
            if value is not None and abs(value) > PERCENT:
                text = f"{who} is far beyond any market's, as if prices were in percent"
                told.append(Lint("percent-not-fraction", *place, text))
            if value is not None and value > 0:
                text = f"{who} is positive, so a higher price seems to sell more"
                told.append(Lint("positive-price-effect", *place, text))
    return tuple(told)


def planning_warnings(tables: Tables, frames: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """The doubts as warnings, each with its remedy."""
    told = list(lint_tables(frames, tables.info))
    if "response" in tables.info.estimates:
        from cpm_opt.estimates.settings import read_rules

        rules = read_rules(tables.info.estimates)[0]
        if rules is not None and rules.response is not None:
            told += [*lint_stated(rules.response), *lint_ranges(tables.frames, frames, rules.response)]
    return [
        Fault(lint.table, lint.message, REMEDIES[lint.code], column=lint.column, code=lint.code, warning=True)
        for lint in told
    ]


def planned_prices(
    planning: Mapping[str, pd.DataFrame], lever: str, base_price: float | None
) -> dict[str, list[float]]:
    """By segment, the prices of the options of the lever that it is offered; empty where that is not stated."""
    options, effects, segments = (planning.get(name) for name in ("options", "effects", "segments"))
    if base_price is None or options is None or segments is None:
        return {}
    own = options[options["lever"] == lever]
    off = set()
    if effects is not None:
        no = effects[(effects["lever"] == lever) & ~effects["offered"]]
        off = set(zip(no["segment"], no["option"], strict=True))
    return {
        str(segment): [
            base_price * (1.0 + float(change))
            for option, change in zip(own["option"], own["price_change"], strict=True)
            if (segment, option) not in off
        ]
        for segment in segments["segment"]
    }


def weak(table: str, column: str, what: str, value: Any, error: Any) -> Lint:
    """An estimate whose sign is in doubt."""
    text = f"{what} {float(value):.4g} with standard error {float(error):.4g}: t is below 2, its sign is in doubt"
    return Lint("weak-estimate", table, column, text)


def beyond(
    table: str, column: str, segment: str, values: Iterable[float], low: float, high: float
) -> list[Lint]:
    """Prices (or efforts) that the data say nothing of."""
    outside = [value for value in values if not low - TOLERANCE <= value <= high + TOLERANCE]
    if not outside:
        return []
    listed = ", ".join(f"{value:.4g}" for value in outside)
    who = f"segment {segment}" if segment else "all segments"
    text = f"{who}: {column} {listed} is outside what the data hold, {low:.4g} to {high:.4g}"
    return [Lint("outside-range", table, column, text)]


def _weak_effects(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    told = []
    effects, moves = frames.get("effects"), frames.get("migration_effects")
    if effects is not None:
        doubtful = (effects["margin_se"] > 0) & (effects["margin"].abs() < WEAK * effects["margin_se"])
        for row in effects[doubtful & effects["offered"]].to_dict("records"):
            what = f"{row['segment']}, {row['lever']} {row['option']}: margin"
            told.append(weak("effects", "margin", what, row["margin"], row["margin_se"]))
    if moves is not None:
        thin = moves[(moves["se"] > 0) & (moves["rate"].abs() < WEAK * moves["se"])]
        for (start, lever, option, when), rows in thin.groupby(
            ["from", "lever", "option", "when"], sort=False
        ):
            # The rates of one answer hang together (who does not stay leaves), so they are one doubt.
            first = rows.iloc[int(np.argmax((rows["rate"].abs() / rows["se"]).to_numpy()))]
            to = ", ".join(str(name) for name in rows["to"])
            what = f"{start} to {to}, {lever} {option} ({when}): rate"
            told.append(weak("migration_effects", "rate", what, first["rate"], first["se"]))
    return told


def _counted_twice(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """A change of margin that is, to the cent, minus what the option's use of one resource, or of all, costs more than
    that of its lever's base."""
    effects, usage, resources, options = (
        frames.get(name) for name in ("effects", "usage", "resources", "options")
    )
    if effects is None or usage is None or resources is None:
        return []
    cost = {str(row["resource"]): float(row["unit_cost"]) for row in resources.to_dict("records")}
    bases = {} if options is None else {
        str(row["lever"]): str(row["option"]) for row in options[options["base"]].to_dict("records")
    }  # fmt: skip
    own: dict[tuple[str, str], list[tuple[str, str, float]]] = {}
    for row in usage[usage["lever"] != ""].to_dict("records"):
        spent = cost.get(str(row["resource"]), 0.0) * float(row["amount"])
        if abs(spent) > TOLERANCE:
            key = str(row["lever"]), str(row["option"])
            own.setdefault(key, []).append((str(row["segment"]), str(row["resource"]), spent))
    told = []
    for effect in effects[effects["offered"] & (effects["margin"] != 0.0)].to_dict("records"):
        segment, lever, option = (str(effect[name]) for name in ("segment", "lever", "option"))
        spent_on: dict[str, float] = {}
        for sign, name in ((1.0, option), (-1.0, bases.get(lever, ""))):
            if sign < 0 and name == option:
                continue
            for whose, resource, spent in own.get((lever, name), ()):
                if whose in (segment, ""):
                    spent_on[resource] = spent_on.get(resource, 0.0) + sign * spent
        gross = {
            resource: sum(
                s for w, r, s in own.get((lever, option), ()) if r == resource and w in (segment, "")
            )
            for resource in spent_on
        }
        asked = [*spent_on.items(), *gross.items(), (" and ".join(sorted(spent_on)), sum(spent_on.values()))]
        for resource, spent in asked:
            near = NEAR * max(1.0, abs(spent))
            if _in_cents(float(effect["margin"])):
                near = max(near, min(CENT, 0.01 * abs(spent)))
            if abs(spent) > TOLERANCE and abs(float(effect["margin"]) + spent) <= near:
                text = (
                    f"{segment}, {lever} {option}: margin {float(effect['margin']):.4g} is just what {resource} "
                    "costs there; the plan takes that cost off by itself"
                )
                told.append(Lint("counted-twice", "effects", "margin", text))
                break
    return told


def _in_cents(amount: float) -> bool:
    """Whether a figure is written to the cent, so that a cost in it may be a rounded one."""
    return abs(amount - round(amount, 2)) < TOLERANCE


def _impossible(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Each move's rate, and all of a segment's together, with the strongest effects of all levers."""
    effects, base = frames.get("migration_effects"), frames.get("migration")
    if effects is None:
        return []
    rates: dict[tuple[str, str], float] = {}
    for row in [] if base is None else base.to_dict("records"):
        rates[str(row["from"]), str(row["to"])] = float(row["rate"])
    if base is None:
        rates = {(str(name), str(name)): 1.0 for name in effects["from"].unique()}
    strongest: dict[tuple[str, str], dict[str, list[float]]] = {}
    # An option stands by itself from its second period on, so its effects in force count without those on change too.
    standing = effects[effects["when"] == "in_force"]
    for row in _sums(("from", "to"), effects, standing):
        levers = strongest.setdefault((str(row["from"]), str(row["to"])), {})
        levers.setdefault(str(row["lever"]), [0.0]).append(float(row["rate"]))
    told = []
    for move, levers in strongest.items():
        start = rates.get(move, 0.0)
        low = start + sum(min(values) for values in levers.values())
        high = start + sum(max(values) for values in levers.values())
        if low < -TOLERANCE or high > 1.0 + TOLERANCE:
            reach = low if low < -TOLERANCE else high
            text = f"{move[0]} to {move[1]}: the strongest options together make a rate of {reach:.4g}"
            told.append(Lint("impossible-rate", "migration_effects", "rate", text))
    whole: dict[str, dict[str, list[float]]] = {}
    for row in _sums(("from",), effects, standing):
        whole.setdefault(str(row["from"]), {}).setdefault(str(row["lever"]), [0.0]).append(float(row["rate"]))
    for segment, levers in whole.items():
        start = sum(rate for (name, _), rate in rates.items() if name == segment)
        high = start + sum(max(values) for values in levers.values())
        if high > 1.0 + NEAR:
            text = f"{segment}: with the strongest options together its rates add to {high:.4g}"
            told.append(Lint("impossible-rate", "migration_effects", "rate", text))
    return told


def _sums(keys: tuple[str, ...], *frames: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rates of each lever's options added up, frame by frame."""
    return [
        row
        for frame in frames
        for row in frame.groupby([*keys, "lever", "option"])["rate"].sum().reset_index().to_dict("records")
    ]


def _against_the_price(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Revenue that grows by more than the price does, or falls by more: then volume rises with the price.

    Only where one lever alone carries prices, so that a segment's revenue is earned at them.
    """
    steps, segments, effects = _steps(frames), frames.get("segments"), frames.get("effects")
    if segments is None or effects is None or len({lever for lever, _ in steps}) != 1:
        return []
    revenue = dict(zip(segments["segment"], segments["revenue"], strict=True))
    told = []
    for row in effects[effects["offered"] & (effects["revenue"] != 0.0)].to_dict("records"):
        step = steps.get((str(row["lever"]), str(row["option"])), 0.0)
        today = float(revenue.get(row["segment"], 0.0))
        if today <= 0.0 or step in (0.0, -1.0):
            continue
        volume = (today + float(row["revenue"])) / (today * (1.0 + step)) - 1.0
        if volume * step > NEAR:
            text = (
                f"{row['segment']}, {row['lever']} {row['option']}: a price {step:+.4g} (fraction) changes revenue by "
                f"{float(row['revenue']):.4g}, so volume would change by {volume:+.4g}: it rises with the price"
            )
            told.append(Lint("positive-price-effect", "effects", "revenue", text))
    return told


def _leaving_against_the_price(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """A higher price with which more customers stay with the firm, or a lower one with which fewer do.

    Where margin moves against the price, the firm pays it (interest on deposits, say), and that is as it should be.
    """
    steps, segments, moves = _steps(frames), frames.get("segments"), frames.get("migration_effects")
    if segments is None or moves is None or not steps:
        return []
    effects = frames.get("effects")
    margins: dict[tuple[str, str, str], float] = {}
    for row in [] if effects is None else effects.to_dict("records"):
        margins[str(row["segment"]), str(row["lever"]), str(row["option"])] = float(row["margin"])
    kept = set(segments.loc[segments["kind"] == "active", "segment"])
    inside = moves[moves["to"].isin(kept) & moves["from"].isin(kept)]
    summed = inside.groupby(["from", "lever", "option"], sort=False)["rate"].sum().reset_index()
    found: dict[tuple[str, str], list[str]] = {}
    for row in summed.to_dict("records"):
        who, lever, option, rate = str(row["from"]), str(row["lever"]), str(row["option"]), float(row["rate"])
        step = steps.get((lever, option), 0.0)
        if rate * step > TOLERANCE and margins.get((who, lever, option), step) * step >= 0.0:
            found.setdefault((who, lever), []).append(f"{option} (price {step:+.4g}, staying {rate:+.4g})")
    return [
        Lint("positive-price-effect", "migration_effects", "rate", f"{who}, {lever}: fewer leave at a higher price, in "
             f"fractions: {', '.join(options)}")
        for (who, lever), options in found.items()
    ]  # fmt: skip


def _steps(frames: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], float]:
    """Change of the price against the lever's base, of the options where it is not 0."""
    options = frames.get("options")
    if options is None:
        return {}
    base = {row["lever"]: float(row["price_change"]) for row in options[options["base"]].to_dict("records")}
    found = {
        (str(row["lever"]), str(row["option"])): float(row["price_change"]) - base.get(row["lever"], 0.0)
        for row in options.to_dict("records")
    }
    return {key: step for key, step in found.items() if abs(step) > TOLERANCE}


def _few_customers(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Active segments with fewer customers than figures that were estimated for them."""
    segments = frames.get("segments")
    if segments is None:
        return []
    counts: dict[str, int] = {}
    for table, column, error in (("effects", "segment", "margin_se"), ("migration_effects", "from", "se")):
        frame = frames.get(table)
        if frame is not None:
            for name, n in frame.loc[frame[error] > 0, column].value_counts().items():
                counts[str(name)] = counts.get(str(name), 0) + int(n)
    told = []
    for row in segments[segments["kind"] == "active"].to_dict("records"):
        name, customers = str(row["segment"]), float(row["customers"])
        if 0.0 < customers < counts.get(name, 0):
            text = f"segment {name}: {customers:g} customers, and {counts[name]} effects are estimated for it"
            told.append(Lint("few-observations", "segments", "customers", text))
    return told


def _percents(frames: Mapping[str, pd.DataFrame], info: InstanceInfo | None) -> list[Lint]:
    """Levers all of whose price steps are of more than 100 %, and measures in fractions with figures above 1."""
    told = []
    steps: dict[str, list[float]] = {}
    for (lever, _), step in _steps(frames).items():
        steps.setdefault(lever, []).append(abs(step))
    for lever, sizes in steps.items():
        if min(sizes) > 1.0 + NEAR:
            text = f"lever {lever}: every price step is of more than 100 %; are they in percent?"
            told.append(Lint("percent-not-fraction", "options", "price_change", text))
    for name, measure in {} if info is None else info.measures.items():
        if not FRACTIONS & set(measure.unit.lower().replace(",", " ").split()):
            continue
        for table in ("segments", "effects"):
            frame = frames.get(table)
            if frame is not None and name in frame and float(frame[name].abs().max() or 0.0) > 1.0 + NEAR:
                text = f"measure {name} is in {measure.unit}, and {float(frame[name].abs().max()):.4g} is above 1"
                told.append(Lint("percent-not-fraction", table, name, text))
    return told
