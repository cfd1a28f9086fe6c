"""Tables segments and effects from raw offers, where they are not stated: in come `Tables`, out go checked frames.

The lever and the price of its base stand in `[estimates.response]`; an option's price is base_price (1 + step), step
that of its price_change from the base's (`price_steps_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cpm_opt.estimates.lint.doubts import as_warning
from cpm_opt.estimates.lint.fits import lint_offer_rows, lint_offers
from cpm_opt.estimates.response.break_even import of_accepted
from cpm_opt.estimates.response.lever_rows import LeverRows, options_of, price_steps_of, refused
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.offer_tables import TariffPlan, change_errors, changes, flows
from cpm_opt.estimates.response.offers import CONDITIONAL, TAKE_UP, OfferFit, fit_offers, shrink_slopes
from cpm_opt.estimates.response.used_cost import used_cost
from cpm_opt.estimates.settings import ResponseRules, rule_fault
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import Tables, check_frame

OFFERS = "offers"
MEASURES = (TAKE_UP, "amount", "loss")  # they become measures of the plan where the instance declares them


def usable_offers(offers: pd.DataFrame) -> pd.DataFrame:
    """Offers at or below the standard price, in the columns that the fit reads: without clusters where one is blank,
    and with 0 for blank figures (`lint_offer_rows` doubts those of accepted offers)."""
    kept = offers[~(offers["price"] > offers["standard_price"] + 1e-9)]
    kept = kept.fillna({name: 0.0 for name in CONDITIONAL if name in kept})
    return kept if (kept["cluster"] != "").all() else kept.drop(columns="cluster")


def effects_from_offers(
    tables: Tables, rules: ResponseRules
) -> tuple[dict[str, pd.DataFrame], tuple[Fault, ...]]:
    """Those of segments and effects that are not stated, by the keys `lever` and `base_price`, with their faults.

    Raises InputError where the lever is not known, or the offers cannot be fitted.
    """
    options = tables.frames["options"]
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
    (first, *_) = rules.of(OFFERS)
    found = offer_rows(tables, tables.frames, first)
    frames, faults = {}, []
    for name, rows in (("segments", found.segments), ("effects", found.effects)):
        if name not in tables.frames:
            frames[name], wrong = check_frame(name, pd.DataFrame(list(rows)), tables.info)
            faults += wrong
    return frames, (*faults, *(as_warning(doubt) for doubt in found.doubts))


def offer_rows(tables: Tables, frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> LeverRows:
    """Rows of segments and effects, by the (shrunken) curves of table offers.

    Margin is revenue less loss per offer, and a segment has as many customers as offers. A price above the highest
    standard_price of a segment is not offered, but for the base's. Raises InputError where the offers cannot be fitted,
    or state no revenue: nothing tells then what a price does to margin, and effects of 0 would say that it does none.
    """
    own = options_of(frames, rules, OFFERS)
    whole, fit, plan = _fits(frames, rules, own)
    if "revenue" not in fit.outcomes:
        message = f"is blank or 0 in all accepted offers, so nothing tells the margin of lever {rules.lever}"
        remedy = "write what an accepted offer brings, or state table effects and leave the lever out of [estimates]"
        raise InputError([Fault(OFFERS, message, remedy, column="revenue", code="no_revenue")])
    return LeverRows(
        effects=tuple(_effects(fit, plan, own, tables)),
        segments=tuple(_segments(fit, plan, tables)),
        doubts=(*lint_offer_rows(frames[OFFERS]), *lint_offers(whole)),
    )


def offer_curves(frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> tuple[OfferFit, TariffPlan]:
    """The (shrunken) curves of table offers, and the prices at which a lever is planned: the base's, then those of its
    options in the order of the table. Raises InputError where the offers cannot be fitted."""
    _, fit, plan = _fits(frames, rules, options_of(frames, rules, OFFERS))
    return fit, plan


def _fits(
    frames: Mapping[str, pd.DataFrame], rules: LeverRules, own: pd.DataFrame
) -> tuple[OfferFit, OfferFit, TariffPlan]:
    """The curves before shrinkage, those of `offer_curves`, and its prices."""
    if rules.base_price is None:
        raise refused(rules, "base_price", "is missing", "write the price of the lever's base")
    offers = frames[OFFERS]
    whole = fit_offers(usable_offers(offers), rules.covariates, rules.by_segment)
    fit = shrink_slopes(whole) if rules.shrink else whole
    return whole, fit, _plan(fit, offers, own, rules)


def accepted_steps(
    frames: Mapping[str, pd.DataFrame], rules: LeverRules
) -> dict[tuple[str, str], tuple[float, float]]:
    """By segment and option: the change of volume, which is take-up here, and the one at which margin stays as it is.

        volume     = T / T_0 - 1                      T take-up of an offer at the option's price and M its margin less
        break-even = (M_0 / T_0) / (M / T) - 1        the cost of what it uses (`used_cost`), T_0 and M_0 at the base's

    Both are fractions (`of_accepted`). An accepted offer does not bring its price, as a unit sold does: how much is
    taken, by whom and with what losses moves with the price too, so break-even rests on M / T at either price.
    """
    own = options_of(frames, rules, OFFERS)
    fit, plan = offer_curves(frames, rules)
    flow = flows(fit, plan)
    taken, margin, used = flow[TAKE_UP], flow["margin"], used_cost(frames, str(rules.lever))
    found = {}
    for s, segment in enumerate(fit.segments):
        for p, option in enumerate(own["option"], start=1):
            cost, cost_of_base = used.get((segment, str(option)), (0.0, 0.0))
            found[segment, str(option)] = of_accepted(
                (float(taken[s, 0]), float(margin[s, 0]) - cost_of_base),
                (float(taken[s, p]), float(margin[s, p]) - cost),
            )
    return found


def _plan(fit: OfferFit, offers: pd.DataFrame, own: pd.DataFrame, rules: LeverRules) -> TariffPlan:
    base = float(rules.base_price or 0.0)
    prices = base * (1.0 + price_steps_of(own, rules))
    # Of an offer without a standard price none is left out, so a segment with such offers has no highest price.
    highest = offers["standard_price"].fillna(np.inf).groupby(offers["segment"]).max()
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


def _segments(fit: OfferFit, plan: TariffPlan, tables: Tables) -> list[dict[str, Any]]:
    flow = flows(fit, plan)
    return [
        {
            "segment": name,
            "customers": plan.customers[name],
            **{held: float(flow[held][s, 0]) for held in _held(tables)},
        }
        for s, name in enumerate(fit.segments)
    ]


def _effects(fit: OfferFit, plan: TariffPlan, own: pd.DataFrame, tables: Tables) -> list[dict[str, Any]]:
    change, error, offered = changes(fit, plan), change_errors(fit, plan), plan.offered(fit)
    offered = offered | (np.array(plan.prices) == plan.base)[None, :]  # a base is there for everybody
    rows: list[dict[str, Any]] = []
    for s, segment in enumerate(fit.segments):
        for p, option in enumerate(own["option"], start=1):
            row = {"segment": segment, "lever": plan.lever, "option": option, "offered": bool(offered[s, p])}
            if plan.prices[p] == plan.base:
                continue
            for name in _held(tables):
                row[name] = float(change[name][s, p]) if offered[s, p] else 0.0
                row[f"{name}_se"] = float(error[name][s, p]) if offered[s, p] else np.nan
            rows.append({**row, "source": "estimated"})
    return rows
