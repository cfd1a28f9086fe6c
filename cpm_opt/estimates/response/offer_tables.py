"""From fitted offers to planning tables: segments, a tariff lever, its effects, what it uses, and scenarios.

In: `OfferFit` and `TariffPlan`. Out: frames in the shape of the tables of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.answer_rules import ScenarioRules
from cpm_opt.estimates.response.offers import TAKE_UP, OfferFit
from cpm_opt.estimates.uncertainty.draws import NOTHING, Draws, key
from cpm_opt.estimates.uncertainty.estimate_scenarios import Reduced, scenario_table

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

SCALED = (("margin", "margin"), ("revenue", "revenue"), ("lending", "amount"))  # measures that scenarios move


@dataclass(frozen=True)
class TariffPlan:
    """What is to be planned with the curves.

    `lever` and its `prices`, rising, `base` one of them that everybody may have; `highest` price of each segment, by
    name; `group` of each segment, which is planned with one price, in grouping column `grouping`; `customers` of each
    segment; `loss_share`: the part of `loss` that is taken off the margin; `uses`: resource -> (outcome, units per
    unit of it), such as {"hours": ("take_up", 1.5)}; `current` price of each group before the plan.
    """

    lever: str
    prices: tuple[float, ...]
    base: float
    highest: Mapping[str, float]
    group: Mapping[str, str]
    grouping: str
    customers: Mapping[str, float]
    uses: Mapping[str, tuple[str, float]]
    current: Mapping[str, float]
    loss_share: float = 1.0

    def offered(self, fit: OfferFit) -> NDArray[np.bool_]:
        """`[S, P]`: whether a segment may be offered a price."""
        highest = np.array([self.highest[name] for name in fit.segments])
        return np.array(self.prices)[None, :] <= highest[:, None] + 1e-9


def option_name(price: float) -> str:
    """An option's name: its price with two decimals."""
    return f"{price:.2f}"


def flows(fit: OfferFit, plan: TariffPlan, values: Numbers | None = None) -> dict[str, Numbers]:
    """Per offer, by price: take_up, amount, revenue, loss, and margin = revenue - loss_share x loss.

    `[S, P]`, or `[N, S, P]` for draws `values[N, K]`. What the data do not hold is 0.
    """
    found = fit.expected(np.array(plan.prices), values)
    nothing = np.zeros_like(found[TAKE_UP])
    for name in ("amount", "revenue", "loss"):
        found.setdefault(name, nothing)
    found["margin"] = found["revenue"] - plan.loss_share * found["loss"]
    return found


def changes(fit: OfferFit, plan: TariffPlan, values: Numbers | None = None) -> dict[str, Numbers]:
    """The flows less those at the base price: what the table `effects` holds."""
    base = plan.prices.index(plan.base)
    return {name: flow - flow[..., base : base + 1] for name, flow in flows(fit, plan, values).items()}


def change_errors(fit: OfferFit, plan: TariffPlan) -> dict[str, Numbers]:
    """Standard errors `[S, P]` of `changes`, by the delta method."""
    base = plan.prices.index(plan.base)
    slopes = fit.jacobian(np.array(plan.prices))
    nothing = np.zeros_like(slopes[TAKE_UP])
    for name in ("amount", "revenue", "loss"):
        slopes.setdefault(name, nothing)
    slopes["margin"] = slopes["revenue"] - plan.loss_share * slopes["loss"]
    errors = {}
    for name, slope in slopes.items():
        change = slope - slope[:, base : base + 1]
        variance = np.einsum("spk,kl,spl->sp", change, fit.covariance, change, optimize=True)
        errors[name] = np.sqrt(np.maximum(variance, 0.0))
    return errors


def planning_frames(fit: OfferFit, plan: TariffPlan) -> dict[str, pd.DataFrame]:
    """Tables segments, levers, options, effects, usage and current. Resources and rules are the firm's to state."""
    import pandas as pd

    flow, base = flows(fit, plan), plan.prices.index(plan.base)
    segments = [
        {
            "segment": name,
            plan.grouping: plan.group[name],
            "customers": plan.customers[name],
            "margin": flow["margin"][s, base],
            "revenue": flow["revenue"][s, base],
            "take_up": flow[TAKE_UP][s, base],
            "lending": flow["amount"][s, base],
            "arrears": flow["loss"][s, base],
        }
        for s, name in enumerate(fit.segments)
    ]
    options = [
        {"lever": plan.lever, "option": option_name(price), "base": price == plan.base,
         "price_change": round(price / plan.base - 1.0, 9)}
        for price in plan.prices
    ]  # fmt: skip
    current = [
        {"segment": name, "lever": plan.lever, "option": option_name(plan.current[plan.group[name]]),
         "customers": plan.customers[name]}
        for name in fit.segments
        if plan.current[plan.group[name]] != plan.base
    ]  # fmt: skip
    levers = [{"lever": plan.lever, "choice": "single", "scope": plan.grouping}]
    tables: dict[str, list[dict[str, Any]]] = {
        "segments": segments,
        "levers": levers,
        "options": options,
        "effects": _effects(fit, plan),
        "usage": _usage(fit, plan),
        "current": current,
    }
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def _effects(fit: OfferFit, plan: TariffPlan) -> list[dict[str, Any]]:
    change, error, offered = changes(fit, plan), change_errors(fit, plan), plan.offered(fit)
    rows = []
    for s, name in enumerate(fit.segments):
        for p, price in enumerate(plan.prices):
            row: dict[str, Any] = {"segment": name, "lever": plan.lever, "option": option_name(price)}
            if not offered[s, p]:
                rows.append({**row, "offered": False})
            elif price != plan.base:
                rows.append(
                    {
                        **row,
                        "offered": True,
                        "margin": change["margin"][s, p],
                        "revenue": change["revenue"][s, p],
                        "take_up": change[TAKE_UP][s, p],
                        "lending": change["amount"][s, p],
                        "arrears": change["loss"][s, p],
                        "source": "estimated",
                        "margin_se": error["margin"][s, p],
                        "revenue_se": error["revenue"][s, p],
                        "take_up_se": error[TAKE_UP][s, p],
                        "lending_se": error["amount"][s, p],
                        "arrears_se": error["loss"][s, p],
                    }
                )
    return rows


def _usage(fit: OfferFit, plan: TariffPlan) -> list[dict[str, Any]]:
    """What each offered option uses in all, the base too: there is no base need beside it."""
    flow, offered = flows(fit, plan), plan.offered(fit)
    return [
        {"resource": resource, "segment": name, "lever": plan.lever, "option": option_name(price),
         "amount": units * flow[outcome][s, p]}
        for resource, (outcome, units) in plan.uses.items()
        for s, name in enumerate(fit.segments)
        for p, price in enumerate(plan.prices)
        if offered[s, p]
    ]  # fmt: skip


def tariff_scenarios(fit: OfferFit, plan: TariffPlan, draws: int, count: int, seed: int) -> Reduced:
    """Table scenarios: `count` of `draws` draws of the parameters, with weights, as factors on margin, lending and use.

    Draws are compared by the margins of all offered prices, times the segment's customers, in money. A factor is a
    draw's figure over the estimate's; factors then have the mean and spread of all draws (`scenario_table`, "matched").
    What is nearer to 0 than 1e-9 has no factor.
    """
    drawn = fit.draw(draws, seed)
    offered = plan.offered(fit)
    customers = np.array([plan.customers[name] for name in fit.segments])
    money = (flows(fit, plan, drawn)["margin"] * customers[None, :, None])[:, offered]
    keys, factors = _factors(fit, plan, drawn)
    rules = ScenarioRules(number=count, draws=draws, seed=seed)
    return scenario_table(Draws(keys, factors, money), rules)


def _factors(fit: OfferFit, plan: TariffPlan, drawn: Numbers) -> tuple[tuple[dict[str, str], ...], Numbers]:
    """What each draw multiplies the tables by: keys `[R]` and factors `[N, R]`."""
    now, change = flows(fit, plan), changes(fit, plan)
    then, change_then = flows(fit, plan, drawn), changes(fit, plan, drawn)
    offered, base = plan.offered(fit), plan.prices.index(plan.base)
    keys: list[dict[str, str]] = []
    found: list[Numbers] = []

    def add(row: dict[str, str], of: Numbers, estimate: float) -> None:
        if abs(estimate) > NOTHING:
            keys.append(row)
            found.append(of / estimate)

    for s, name in enumerate(fit.segments):
        for measure, outcome in SCALED:
            add(key(f"segments.{measure}", name), then[outcome][:, s, base], now[outcome][s, base])
        for p, price in enumerate(plan.prices):
            if not offered[s, p]:
                continue
            at = (name, plan.lever, option_name(price))
            for measure, outcome in SCALED:
                add(key(f"effects.{measure}", *at), change_then[outcome][:, s, p], change[outcome][s, p])
            for resource, (outcome, _) in plan.uses.items():
                add(key("usage.amount", *at, resource), then[outcome][:, s, p], now[outcome][s, p])
    return tuple(keys), np.column_stack(found)
