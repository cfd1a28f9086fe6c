"""Doubts about planning tables, stated or estimated: told, and never repaired. Nothing is fitted here.

In: frames of planning tables. Out: `Lint`s, with codes of `fits`; or as warnings of `cpm check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cpm_opt.estimates.lint.costs import counted_twice
from cpm_opt.estimates.lint.doubts import LINE, as_warning, with_known_rows
from cpm_opt.estimates.lint.effects import few_customers, impossible_rates, weak_effects
from cpm_opt.estimates.lint.fractions import percents
from cpm_opt.estimates.lint.words import NEAR, PERCENT, TOLERANCE, all_steps, beyond, steps_of
from cpm_opt.estimates.value.model_estimate import Lint

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.estimates.settings import ResponseRules
    from cpm_opt.faults import Fault
    from cpm_opt.tables import InstanceInfo, Tables


def lint_tables(frames: Mapping[str, pd.DataFrame], info: InstanceInfo | None = None) -> tuple[Lint, ...]:
    """Doubts that planning tables tell by themselves; with `info` measures in fractions are looked at too."""
    return (
        *weak_effects(frames, info),
        *counted_twice(frames),
        *impossible_rates(frames),
        *_against_the_price(frames),
        *_leaving_against_the_price(frames),
        *few_customers(frames),
        *percents(frames, info),
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


def lint_unasked(
    raw: Mapping[str, pd.DataFrame], frames: Mapping[str, pd.DataFrame], rules: ResponseRules | None
) -> tuple[Lint, ...]:
    """Levers with prices and without a row of effects, beside raw tables of what prices do that were not asked."""
    tell = ("offers", "price_points", "choices", "panel")
    there = [name for name in tell if name in raw and raw[name]["price"].nunique() > 1]
    known = {
        str(lever)
        for table in ("effects", "migration_effects")
        if table in frames
        for lever in frames[table]["lever"].unique()
    }
    known |= set() if rules is None else {str(rules.lever), *(own.lever for own in rules.levers)}
    levers = dict.fromkeys(lever for lever, _ in steps_of(frames) if lever not in known)
    return tuple(
        Lint("no-price-effect", "options", "price_change", f"the prices of lever {lever} have no effect in the plan: "
             f"it has no row in effects or migration_effects, and nothing asks table {' or '.join(there)} for them")
        for lever in levers
        if there
    )  # fmt: skip


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


def lint_gross_margins(frames: Mapping[str, pd.DataFrame], rules: ResponseRules) -> tuple[Lint, ...]:
    """Segments whose margin over revenue, which stands for the gross margin of a price, is no part of revenue."""
    segments = frames.get("segments")
    own = [lever.lever for source in ("price_points", "choices", "stated") for lever in rules.of(source)
           if lever.gross_margin is None]  # fmt: skip
    if segments is None or not own:
        return ()
    paying = segments[segments["revenue"] > 0.0]
    odd = paying[(paying["margin"] < 0.0) | (paying["margin"] > paying["revenue"])]
    return tuple(
        Lint("gross-margin", "segments", "margin", f"segment {row['segment']}: margin {row['margin']:.4g} of revenue "
             f"{row['revenue']:.4g} is no fraction, and effects of {', '.join(own)} take it for a gross margin",
             row=int(row[LINE]))
        for row in odd.to_dict("records")
    )  # fmt: skip


def planning_warnings(tables: Tables, frames: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """The doubts as warnings, each with its remedy."""
    told = list(lint_tables(frames, tables.info))
    panel = tables.frames.get("panel")
    if panel is not None and len(panel):
        from cpm_opt.estimates.lint.fits import lint_panel

        told += lint_panel(panel)
    rules = None
    if "response" in tables.info.estimates:
        from cpm_opt.estimates.settings import read_rules

        whole = read_rules(tables.info.estimates)[0]
        rules = None if whole is None else whole.response
    told += lint_unasked(tables.frames, frames, rules)
    if rules is not None:
        told += [*lint_stated(rules), *lint_gross_margins(frames, rules)]
        told += lint_ranges(tables.frames, frames, rules)
    return [as_warning(lint) for lint in with_known_rows(told, tables.frames)]


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
    steps = all_steps(own)
    return {
        str(segment): [
            base_price * (1.0 + step) for (_, option), step in steps.items() if (segment, option) not in off
        ]
        for segment in segments["segment"]
    }


def _against_the_price(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Revenue that grows by more than the price does, or falls by more: then volume rises with the price.

    Only where one lever alone carries prices, so that a segment's revenue is earned at them.
    """
    steps, segments, effects = steps_of(frames), frames.get("segments"), frames.get("effects")
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
            told.append(Lint("positive-price-effect", "effects", "revenue", text, int(row[LINE])))
    return told


def _leaving_against_the_price(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """A higher price with which more customers stay with the firm, or a lower one with which fewer do.

    Where margin moves against the price, the firm pays it (interest on deposits, say), and that is as it should be.
    """
    steps, segments, moves = steps_of(frames), frames.get("segments"), frames.get("migration_effects")
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
