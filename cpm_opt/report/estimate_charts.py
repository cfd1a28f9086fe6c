"""Estimates as charts: models of purchases tried out of sample, and each fitted curve with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.report.chart import Bars, Chart, Series

if TYPE_CHECKING:
    from cpm_opt.estimates.estimate import Estimates
    from cpm_opt.estimates.holdout import Holdout

MODELS = {"bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD", "same_rate": "same rate as before"}


def estimate_charts(estimates: Estimates) -> list[Chart]:
    """The charts of what was estimated; empty where nothing was that can be drawn."""
    charts: list[Chart] = []
    of_sales = estimates.values or estimates.fitted
    if of_sales is not None and of_sales.holdout is not None:
        charts.append(holdout_chart(of_sales.holdout))
    return charts


def holdout_chart(found: Holdout) -> Bars:
    """Purchases per customer after the calibration, actual beside each model, by purchases before."""
    names = tuple(str(name) for name in found.table["frequency"])
    columns = ["actual", *(name for name in found.table.columns if name in MODELS)]
    series = tuple(
        Series(
            MODELS.get(column, column), tuple((float(k), float(v)) for k, v in enumerate(found.table[column]))
        )
        for column in columns
    )
    return Bars(
        f"Purchases in the {found.weeks:.0f} weeks after {found.calibration_end:%Y-%m-%d}",
        f"repeat purchases up to {found.calibration_end:%Y-%m-%d}",
        "purchases per customer",
        names,
        series,
    )
