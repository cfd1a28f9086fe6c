"""Customers who buy without a contract: models fitted, tried out of sample, and used for each customer's value.

In: transactions with their profit and the rules. Out: `Purchases`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.settings import EstimateRules, ValueRules
from cpm_opt.estimates.value import bg_nbd, gamma_gamma, pareto_nbd
from cpm_opt.estimates.value.cost_of_service import ServiceCost
from cpm_opt.estimates.value.histories import WEEKS, Histories, build_histories
from cpm_opt.estimates.value.holdout import Holdout, try_out
from cpm_opt.estimates.value.lifetime import MODELS, Valued, counted_periods, lifetime_value
from cpm_opt.estimates.value.model_estimate import Lint, ModelEstimate

Numbers = NDArray[np.float64]

SALES = "sales"
RELATED = 0.2  # correlation of spend and frequency from which the Gamma-Gamma model's independence is doubted
BIASED = 0.1  # of all purchases out of sample


@dataclass(frozen=True)
class Purchases:
    """Customers with at least one purchase, in the order of `histories`.

    `models` were fitted up to the calibration's end (the ledger's where none is stated) and tried in `holdout`;
    `value_models` up to the ledger's end, and give: `alive[N]` and `alive_before[N]` (a period ago; nan for who was no
    customer then) probabilities, `next_period[N]` expected purchases, `spend[N]` expected money of one,
    `valued` lifetime values, None where a model behind them did not converge.
    """

    histories: Histories
    models: tuple[ModelEstimate, ...]
    value_models: tuple[ModelEstimate, ...]
    holdout: Holdout | None
    alive: Numbers
    alive_before: Numbers
    next_period: Numbers
    spend: Numbers
    valued: Valued | None
    lint: tuple[Lint, ...]


@dataclass(frozen=True)
class Fitted:
    """Models of purchases and spend, fitted up to the calibration's end (the ledger's where none is stated) on the
    customers of `histories`, tried out of sample in `holdout`, with what is doubtful about them."""

    histories: Histories
    models: tuple[ModelEstimate, ...]
    holdout: Holdout | None
    lint: tuple[Lint, ...]


def fit_purchases(transactions: pd.DataFrame, rules: EstimateRules, end: pd.Timestamp) -> Fitted:
    """Fit and try out; nobody is valued."""
    calibration = None if rules.calibration_end is None else pd.Timestamp(rules.calibration_end)
    histories = build_histories(transactions, end if calibration is None else calibration)
    models = (bg_nbd.fit(histories), pareto_nbd.fit(histories), gamma_gamma.fit(histories))
    holdout = None if calibration is None else try_out(transactions, histories, models[:2], end)
    doubts = (*_unfitted(models), *_doubts(histories), *_tried(holdout))
    return Fitted(histories, models, holdout, doubts)


def value_purchases(
    transactions: pd.DataFrame,
    margin_rate: pd.Series[float],
    rules: EstimateRules,
    value: ValueRules,
    period: str,
    end: pd.Timestamp,
    service: ServiceCost | None = None,
) -> Purchases:
    """Fit, try out and value. `margin_rate` is profit over revenue by customer (index); values are net of `service`."""
    weeks = WEEKS[period]
    fitted = fit_purchases(transactions, rules, end)
    histories, models = fitted.histories, fitted.models
    chosen = MODELS[value.purchases]
    if histories.end != end:
        histories = build_histories(transactions, end)
        models = (chosen.fit(histories), gamma_gamma.fit(histories))
    buying = next(model for model in models if model.name == value.purchases)
    spending = models[-1]
    rate = np.asarray(margin_rate.reindex(histories.customer), dtype=np.float64)
    unknown = np.full(len(histories), np.nan)
    alive, before, following, spend, valued = unknown, unknown, unknown, unknown, None
    if buying.converged:
        history = (histories.frequency, histories.recency, histories.age)
        alive = chosen.probability_alive(buying.values, *history)
        following = chosen.expected_purchases(buying.values, weeks, *history)
        before = _alive_before(buying, transactions, histories, weeks)
    if spending.converged:
        spend = gamma_gamma.expected_spend(spending.values, histories.frequency, histories.spend)
    if buying.converged and spending.converged:
        periods = counted_periods(value.discount_rate, value.periods)
        cost = None if service is None else service.of(histories.customer)
        valued = lifetime_value(buying, spending, histories, rate, value.discount_rate, periods, weeks, cost)
    again = () if models is fitted.models else _unfitted(models)
    lint = (
        *_unfitted(fitted.models),
        *again,
        *_doubts(histories),
        *_worthless(rate, spending),
        *_tried(fitted.holdout),
    )
    return Purchases(
        histories, fitted.models, models, fitted.holdout, alive, before, following, spend, valued, lint
    )


def _alive_before(
    model: ModelEstimate, transactions: pd.DataFrame, histories: Histories, weeks: float
) -> Numbers:
    """Probability of being alive as it stood one period earlier, nan for later customers."""
    earlier = build_histories(transactions, histories.end - pd.Timedelta(days=round(weeks * 7.0)))
    alive = MODELS[model.name].probability_alive(
        model.values, earlier.frequency, earlier.recency, earlier.age
    )
    then = pd.Series(alive, index=pd.Index(earlier.customer))
    return then.reindex(pd.Index(histories.customer)).to_numpy(dtype=float)


def _unfitted(models: tuple[ModelEstimate, ...]) -> tuple[Lint, ...]:
    return tuple(
        Lint("not-converged", SALES, "", f"{model.name} was not estimated: {model.message}")
        for model in models
        if not model.converged
    )


def _doubts(histories: Histories) -> tuple[Lint, ...]:
    """What a reader has to know of the histories."""
    found = []
    once = int((histories.frequency == 0).sum())
    if once:
        message = (
            f"{once} of {len(histories)} customers have no repeat purchase: BG/NBD calls all of them alive, and their "
            "spend is taken to be the mean of all"
        )
        found.append(Lint("zero-frequency", SALES, "customer", message))
    if histories.refund_days:
        message = (
            f"days on which a customer's refunds outweigh purchases: {histories.refund_days} "
            f"({histories.refunded:.2f}); they are no purchases, and are taken off their customers' spend"
        )
        found.append(Lint("refunds", SALES, "revenue", message))
    without = int(((histories.frequency > 0) & ~gamma_gamma.usable(histories)).sum())
    if without:
        message = (
            f"customers who buy again and pay nothing on balance: {without}; their spend is the mean of all"
        )
        found.append(Lint("no-spend", SALES, "revenue", message))
    return (*found, *_independence(histories))


def _worthless(margin_rate: Numbers, spending: ModelEstimate) -> tuple[Lint, ...]:
    """Customers whose values are negative or missing."""
    found = []
    losing = int((margin_rate < 0).sum())
    if losing:
        message = (
            f"customers with a negative margin: {losing}; their lifetime values are negative, not cut at 0"
        )
        found.append(Lint("negative-margin", SALES, "cost", message))
    if spending.converged and np.isnan(gamma_gamma.mean_spend(spending.values)):
        message = (
            "gamma_gamma has q of at most 1, so spend has no mean: customers without repeats have no value"
        )
        found.append(Lint("no-mean-spend", SALES, "revenue", message))
    return tuple(found)


def _independence(histories: Histories) -> tuple[Lint, ...]:
    """The Gamma-Gamma model takes spend and frequency as independent: whether the data say otherwise."""
    used = gamma_gamma.usable(histories)
    if used.sum() < gamma_gamma.FEWEST or np.ptp(histories.frequency[used]) == 0.0:
        return ()
    related = float(np.corrcoef(histories.frequency[used], histories.spend[used])[0, 1])
    if not abs(related) > RELATED:
        return ()
    message = (
        f"spend goes with frequency (correlation {related:.2f}), and gamma_gamma takes them as independent"
    )
    return (Lint("spend-and-frequency", SALES, "revenue", message),)


def _tried(holdout: Holdout | None) -> tuple[Lint, ...]:
    if holdout is None:
        message = "the models were not tried out of sample"
        return (Lint("not-tried", SALES, "date", message),)
    return tuple(
        Lint(
            "biased-forecast",
            SALES,
            "date",
            f"{row['model']} foresaw {row['predicted']:.0f} purchases after {holdout.calibration_end:%Y-%m-%d}, "
            f"{row['actual']:.0f} came ({row['bias']:+.1%})",
        )
        for row in holdout.errors.to_dict("records")
        if row["model"] in MODELS and abs(row["bias"]) > BIASED
    )
