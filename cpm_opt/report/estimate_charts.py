"""Estimates as charts: models of purchases tried out of sample, and each fitted curve with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.report.chart import Bars, Chart, Lines, Series

if TYPE_CHECKING:
    from cpm_opt.estimates.estimate import Estimates
    from cpm_opt.estimates.response.fitted_curves import FittedCurve
    from cpm_opt.estimates.value.holdout import Holdout

MOST_DRAWN = 24
MODELS = {"bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD", "same_rate": "same rate as before"}


def estimate_charts(estimates: Estimates, currency: str = "") -> list[Chart]:
    """The charts of what was estimated, money in `currency`; empty where nothing was that can be drawn."""
    charts: list[Chart] = []
    of_sales = estimates.values or estimates.fitted
    if of_sales is not None and of_sales.holdout is not None:
        charts.append(holdout_chart(of_sales.holdout))
    if estimates.response is not None:
        charts += [curve_chart(curve, currency) for curve in estimates.response.curves]
    return charts


def curve_chart(curve: FittedCurve, currency: str = "") -> Lines:
    """One curve with its 95 % band, and the means that were observed, as large as the observations behind them."""
    fitted = Series(
        "stated" if curve.stated else f"fitted{' and shrunk' * curve.shrunken}, with 95 % band",
        tuple(zip(curve.x, curve.estimate, strict=True)),
        band=() if curve.stated else tuple(zip(curve.low, curve.high, strict=True)),
    )
    series = [fitted]
    if curve.seen_x:
        points = tuple(zip(curve.seen_x, curve.seen_y, strict=True))
        series.append(Series("observed means, larger where more", points, joined=False, sizes=curve.seen_n))
    titles = [
        f"{title}, {unit}" if unit else title
        for title, unit in ((curve.x_title, curve.x_unit), (curve.y_title, curve.y_unit))
    ]
    y_title = titles[1].replace("money", currency) if currency else titles[1]
    return Lines(curve.name, titles[0], y_title, tuple(series))


def holdout_chart(found: Holdout) -> Bars:
    """Purchases per customer after the calibration, actual beside each model, by purchases before."""
    names = tuple(str(name) for name in found.table["frequency"])
    columns = ["actual", *found.forecasts]
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
