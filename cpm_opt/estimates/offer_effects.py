"""Tables segments and effects from raw offers, where they are not stated: in come `Tables`, out go checked frames.

The lever and the price of its base stand in `[estimates.response]`; an option's price is base_price (1 + price_change).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cpm_opt.estimates.offer_tables import TariffPlan, change_errors, changes, flows
from cpm_opt.estimates.offers import TAKE_UP, OfferFit, fit_offers, shrink_slopes
from cpm_opt.estimates.settings import ResponseRules, rule_fault
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import Tables, check_frame

MEASURES = (TAKE_UP, "amount", "loss")  # they become measures of the plan where the instance declares them


def usable_offers(offers: pd.DataFrame) -> pd.DataFrame:
    """Offers at or below the standard price, in the columns that the fit reads: without clusters where one is blank."""
    kept = offers[~(offers["price"] > offers["standard_price"] + 1e-9)]
    return kept if (kept["cluster"] != "").all() else kept.drop(columns="cluster")


def effects_from_offers(
    tables: Tables, rules: ResponseRules
) -> tuple[dict[str, pd.DataFrame], tuple[Fault, ...]]:
    """Those of segments and effects that are not stated, with the faults of their checks.

    Margin is revenue less loss per offer, and a segment has as many customers as offers. A price above the highest
    standard_price of a segment is not offered. Slopes are shrunk where there are several segments. Raises InputError
    where the lever is not known, or the offers cannot be fitted.
    """
    offers, options = tables.frames["offers"], tables.frames["options"]
    if rules.lever not in set(options["lever"]):
        known = sorted(set(options["lever"]))
        raise InputError(
            [
                rule_fault(
                    "response.lever",
                    "is no lever of table options",
                    did_you_mean(str(rules.lever), known),
                    rules.lever,
                )
            ]
        )
    own = options[options["lever"] == rules.lever]
    fit = fit_offers(usable_offers(offers))
    if len(fit.segments) > 1:
        fit = shrink_slopes(fit)
    plan = _plan(fit, offers, own, rules)
    made = {"segments": _segments(fit, plan, tables), "effects": _effects(fit, plan, own, tables)}
    frames, faults = {}, []
    for name, frame in made.items():
        if name not in tables.frames:
            frames[name], wrong = check_frame(name, frame, tables.info)
            faults += wrong
    return frames, tuple(faults)


def _plan(fit: OfferFit, offers: pd.DataFrame, own: pd.DataFrame, rules: ResponseRules) -> TariffPlan:
    base = float(rules.base_price or 0.0)
    prices = base * (1.0 + own["price_change"].to_numpy(dtype=np.float64))
    highest = offers.groupby("segment")["standard_price"].max().fillna(np.inf)
    counts = offers.groupby("segment").size()
    return TariffPlan(
        lever=str(rules.lever),
        prices=(base, *(float(price) for price in prices)),
        base=base,
        highest={name: float(highest[name]) for name in fit.segments},
        group={name: name for name in fit.segments},
        grouping="segment",
        customers={name: float(counts[name]) for name in fit.segments},
        uses={},
        current={},
    )


def _held(tables: Tables) -> tuple[str, ...]:
    return ("margin", "revenue", *(name for name in MEASURES if name in tables.info.measures))


def _segments(fit: OfferFit, plan: TariffPlan, tables: Tables) -> pd.DataFrame:
    flow = flows(fit, plan)
    columns: Mapping[str, Any] = {name: flow[name][:, 0] for name in _held(tables)}
    customers = [plan.customers[name] for name in fit.segments]
    return pd.DataFrame({"segment": fit.segments, "customers": customers, **columns})


def _effects(fit: OfferFit, plan: TariffPlan, own: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    change, error, offered = changes(fit, plan), change_errors(fit, plan), plan.offered(fit)
    rows: list[dict[str, Any]] = []
    for s, segment in enumerate(fit.segments):
        for p, (option, base) in enumerate(zip(own["option"], own["base"], strict=True), start=1):
            row = {"segment": segment, "lever": plan.lever, "option": option, "offered": bool(offered[s, p])}
            if base and offered[s, p]:
                continue
            for name in _held(tables):
                row[name] = float(change[name][s, p]) if offered[s, p] else 0.0
                row[f"{name}_se"] = float(error[name][s, p]) if offered[s, p] else np.nan
            rows.append({**row, "source": "estimated"})
    return pd.DataFrame(rows)
