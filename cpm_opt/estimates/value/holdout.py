"""Models of purchases tried on days that they were not fitted to.

In: transactions, the day up to which the models were fitted, the last day. Out: `Holdout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.value.histories import DAYS_A_WEEK, Histories, purchase_days
from cpm_opt.estimates.value.lifetime import MODELS
from cpm_opt.estimates.value.model_estimate import ModelEstimate

Numbers = NDArray[np.float64]

LAST_CLASS = 7
NAIVE = "same_rate"


@dataclass(frozen=True)
class Holdout:
    """Purchases in the `weeks` after the calibration, predicted and actual.

    `table`: a row for each class of customers by repeat purchases before (0 to 6, 7 and more): frequency, customers,
    actual and each model's purchases per customer; `same_rate` is the forecast without a model, as many purchases a
    week as before. `errors`: a row a model: model, predicted and actual purchases in all, bias = predicted / actual - 1
    (nan where nobody bought), mean_absolute_error and root_mean_square_error per customer, and class_error, the mean
    over customers of the absolute difference of their class's means.
    """

    calibration_end: pd.Timestamp
    end: pd.Timestamp
    weeks: float
    table: pd.DataFrame
    errors: pd.DataFrame

    @property
    def forecasts(self) -> tuple[str, ...]:
        """The columns of `table` that are forecasts of `actual`, such as bg_nbd, and last same_rate."""
        return tuple(str(name) for name in self.errors["model"])


def try_out(
    transactions: pd.DataFrame,
    histories: Histories,
    models: Sequence[ModelEstimate],
    end: pd.Timestamp,
) -> Holdout:
    """Predictions for the days after `histories.end`, up to and with `end`, by each model that converged."""
    weeks = (end - histories.end).days / DAYS_A_WEEK
    bought = purchase_days(transactions, histories.end, end)
    actual = np.asarray(bought.reindex(histories.customer).fillna(0.0), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        same_rate = np.where(histories.age > 0, histories.frequency / histories.age * weeks, 0.0)
    predicted: dict[str, Numbers] = {
        model.name: MODELS[model.name].expected_purchases(
            model.values, weeks, histories.frequency, histories.recency, histories.age
        )
        for model in models
        if model.converged
    }
    predicted[NAIVE] = same_rate
    return Holdout(
        histories.end,
        end,
        weeks,
        _by_class(histories, actual, predicted),
        _errors(histories, actual, predicted),
    )


def _classes(histories: Histories) -> NDArray[np.int64]:
    return np.minimum(histories.frequency, LAST_CLASS).astype(np.int64)


def _by_class(histories: Histories, actual: Numbers, predicted: dict[str, Numbers]) -> pd.DataFrame:
    frame = pd.DataFrame({"actual": actual, **predicted})
    grouped = frame.groupby(pd.Series(_classes(histories), index=frame.index, name="frequency"))
    means = grouped.mean()
    means.insert(0, "customers", grouped.size())
    means = means.reset_index()
    means["frequency"] = [f"{n}+" if n == LAST_CLASS else f"{n}" for n in means["frequency"]]
    return means


def _errors(histories: Histories, actual: Numbers, predicted: dict[str, Numbers]) -> pd.DataFrame:
    classes = _classes(histories)
    rows = []
    for name, forecast in predicted.items():
        difference = forecast - actual
        of_class = pd.Series(difference).groupby(classes).transform("mean")
        rows.append(
            {
                "model": name,
                "predicted": float(forecast.sum()),
                "actual": float(actual.sum()),
                "bias": float(forecast.sum() / actual.sum() - 1.0) if actual.any() else float("nan"),
                "mean_absolute_error": float(np.abs(difference).mean()),
                "root_mean_square_error": float(np.sqrt((difference**2).mean())),
                "class_error": float(of_class.abs().mean()),
            }
        )
    return pd.DataFrame(rows)
