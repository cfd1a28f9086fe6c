"""Doubts about estimates and about effects that are stated: told, and never repaired.

In: estimates, or planning tables. Out: `Lint`s with these codes:

- `positive-price-effect`: a higher price seems to sell more, or to lose fewer customers;
- `weak-estimate`: |t| below 2, so the sign itself is in doubt;
- `outside-range`: a price step beyond the prices that the data hold;
- `few-observations`: fewer customers (accepted offers, rows) than parameters;
- `percent-not-fraction`: a figure that looks like a percent where a fraction or a ratio belongs;
- `counted-twice`: a cost that stands in the margin and as use of a resource with a unit cost too;
- `impossible-rate`: effects that add to a rate of migration below 0 or above 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.estimates.effort import EffortFit
from cpm_opt.estimates.elasticity import Elasticity
from cpm_opt.estimates.model_estimate import Lint, ModelEstimate
from cpm_opt.estimates.offers import TAKE_UP, OfferFit
from cpm_opt.estimates.price_points import ELASTICITY, DemandFit

if TYPE_CHECKING:
    import pandas as pd

WEAK = 2.0
TOLERANCE = 1e-9
PERCENT = 10.0  # a price against today's, or an elasticity, beyond this is likely in percent


def lint_elasticities(
    found: Iterable[Elasticity], steps: Sequence[float] = (), base: float = 0.0
) -> tuple[Lint, ...]:
    """Doubts about elasticities, and about price steps (fractions of the price `base`) to be planned with them."""
    told = []
    for e in found:
        place = ("observations", "price")
        if e.own_value > 0:
            told.append(Lint("positive-price-effect", *place, f"segment {e.segment}: elasticity {e.own_value:.4g} is "
                             "positive, so a higher price seems to sell more"))  # fmt: skip
        if abs(e.t) < WEAK:
            told.append(_weak(*place, f"segment {e.segment}: elasticity", e.value, e.se))
        if e.n < e.parameters:
            told.append(_few(*place, e.segment, e.n, e.parameters))
        if abs(e.own_value) > PERCENT:
            told.append(Lint("percent-not-fraction", *place, f"segment {e.segment}: elasticity {e.own_value:.4g} is "
                             "far beyond any market's; are prices in percent?"))  # fmt: skip
        told += _beyond(*place, e.segment, [base * (1.0 + step) for step in steps], e.low, e.high)
    return tuple(told)


def lint_offers(fit: OfferFit, prices: Mapping[str, Sequence[float]] | None = None) -> tuple[Lint, ...]:
    """Doubts about fitted offers; `prices` are those to be planned by segment."""
    told = []
    slopes = fit.slopes(TAKE_UP)
    value, error = fit.values[slopes], np.sqrt(np.diag(fit.covariance))[slopes]
    parameters = 2 * len(fit.outcomes)
    for s, name in enumerate(fit.segments):
        place = ("offers", "price")
        if value[s] > 0:
            told.append(Lint("positive-price-effect", *place, f"segment {name}: acceptance rises with the price "
                             f"({value[s]:.4g} in log-odds)"))  # fmt: skip
        if abs(value[s]) < WEAK * error[s]:
            told.append(_weak(*place, f"segment {name}: slope of acceptance", value[s], error[s]))
        if fit.accepted[s] < parameters:
            told.append(_few(*place, name, int(fit.accepted[s]), parameters))
        told += _beyond(*place, name, (prices or {}).get(name, ()), fit.seen[s, 0], fit.seen[s, 1])
    return tuple(told)


def lint_demand(fit: DemandFit, prices: Mapping[str, Sequence[float]] | None = None) -> tuple[Lint, ...]:
    """Doubts about curves of price points; `prices` are those to be planned by segment of the plan."""
    told = []
    place = ("price_points", "price")
    value = fit.values[fit.slopes]
    error = np.sqrt(np.diag(fit.covariance))[fit.slopes] if len(fit.values) else value
    parameters = 2 + len(fit.terms)
    elastic = fit.form == ELASTICITY
    what = "elasticity" if elastic else "slope of the price"
    for s, name in enumerate(fit.segments):
        who = f"segment {name}" if name else "all segments"
        for planned in [list(row) for key, row in (prices or {}).items() if name in (key, "")]:
            # A stated curve refuses what is beyond its points where effects are made of it.
            told += _beyond(*place, name, planned, fit.seen[s, 0], fit.seen[s, 1])
        if not len(value):
            told += _rising(fit, s, who)
            continue
        if value[s] > 0:
            told.append(Lint("positive-price-effect", *place, f"{who}: {what} {value[s]:.4g} is positive, so a higher "
                             "price seems to sell more"))  # fmt: skip
        if abs(value[s]) < WEAK * error[s]:
            told.append(_weak(*place, f"{who}: {what}", value[s], error[s]))
        if fit.counts[s] < parameters:
            told.append(_few(*place, name, int(fit.counts[s]), parameters))
        if elastic and abs(value[s]) > PERCENT:
            told.append(Lint("percent-not-fraction", *place, f"{who}: elasticity {value[s]:.4g} is far beyond any "
                             "market's; are prices in percent?"))  # fmt: skip
    return tuple(dict.fromkeys(told))


def _rising(fit: DemandFit, s: int, who: str) -> list[Lint]:
    """A stated curve on which a higher price sells more."""
    own = fit.observed[fit.observed[:, 0] == s]
    own = own[np.argsort(own[:, 1])]
    if (np.diff(own[:, 2]) <= 0).all():
        return []
    text = f"{who}: of the stated points one with a higher price sells more"
    return [Lint("positive-price-effect", "price_points", "volume", text)]


def lint_effort(fit: EffortFit, segment: str, efforts: Sequence[float] = ()) -> tuple[Lint, ...]:
    """Doubts about a curve of effort; `efforts` are those of the options to be planned."""
    told = []
    who = f"segment {segment}" if segment else "all segments"
    scale, error = float(fit.values[1]), float(fit.errors[1])
    if abs(scale) < WEAK * error:
        told.append(_weak("efforts", "effort", f"{who}: scale of the {fit.form} curve", scale, error))
    outside = [effort for effort in efforts if effort > fit.high + TOLERANCE]
    if outside:
        listed = ", ".join(f"{effort:.4g}" for effort in outside)
        text = f"{who}: effort {listed} is outside what the data hold, {fit.low:.4g} to {fit.high:.4g}"
        told.append(Lint("outside-range", "efforts", "effort", text))
    return tuple(told)


def lint_model(model: ModelEstimate, table: str) -> tuple[Lint, ...]:
    """Doubts about a model of leaving: weak terms, a price whose rise seems to keep customers, too few rows."""
    told = []
    if not model.converged:
        return (Lint("not-converged", table, "", f"model {model.name}: {model.message}"),)
    for name, value in model.parameters.items():
        if name.startswith("intercept"):
            continue
        column = name.partition("[")[0]
        error = model.standard_errors[name]
        if name in ("price", "price_change") and value < 0:
            told.append(Lint("positive-price-effect", table, column, f"model {model.name}: fewer leave at a higher "
                             f"{name} ({value:.4g} in log-odds)"))  # fmt: skip
        if abs(value) < WEAK * error:
            told.append(_weak(table, column, f"model {model.name}: {name}", value, error))
    return tuple(told)


def lint_panel(panel: pd.DataFrame) -> tuple[Lint, ...]:
    """Doubts about the panel itself: prices that are no ratios, segments with too few rows."""
    told = []
    high = float(panel["price"].max()) if panel["price"].notna().any() else 0.0
    if high > PERCENT:
        told.append(Lint("percent-not-fraction", "panel", "price", f"a price of {high:.4g} times today's; write 1 for "
                         "today's price, 1.05 for 5 % more"))  # fmt: skip
    counts = panel.groupby("segment")["customer"].nunique()
    segments = len(counts)
    told += [_few("panel", "segment", str(s), int(n), segments) for s, n in counts.items() if n < segments]
    return tuple(told)


def lint_tables(frames: Mapping[str, pd.DataFrame]) -> tuple[Lint, ...]:
    """Doubts about the effects in planning tables, stated or estimated."""
    return (*_weak_effects(frames), *_counted_twice(frames), *_impossible(frames))


def _weak_effects(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    told = []
    for table, column, error in (("effects", "margin", "margin_se"), ("migration_effects", "rate", "se")):
        frame = frames.get(table)
        if frame is None:
            continue
        for row in frame[(frame[error] > 0) & (frame[column].abs() < WEAK * frame[error])].to_dict("records"):
            who = row.get("segment") or f"{row['from']} to {row['to']}"
            what = f"{who}, {row['lever']} {row['option']}: {column}"
            told.append(_weak(table, column, what, float(row[column]), float(row[error])))
    return told


def _counted_twice(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """A change of margin that is, to the cent, minus what the option's own use of one resource costs."""
    effects, usage, resources = (frames.get(name) for name in ("effects", "usage", "resources"))
    if effects is None or usage is None or resources is None:
        return []
    cost = {str(row["resource"]): float(row["unit_cost"]) for row in resources.to_dict("records")}
    told = []
    for row in usage[usage["lever"] != ""].to_dict("records"):
        spent = cost.get(str(row["resource"]), 0.0) * float(row["amount"])
        if abs(spent) <= TOLERANCE:
            continue
        same = (effects["lever"] == row["lever"]) & (effects["option"] == row["option"])
        if row["segment"]:
            same &= effects["segment"] == row["segment"]
        for effect in effects[same & effects["offered"]].to_dict("records"):
            if abs(float(effect["margin"]) + spent) <= 1e-6 * max(1.0, abs(spent)):
                text = (
                    f"{effect['segment']}, {row['lever']} {row['option']}: margin {float(effect['margin']):.4g} is "
                    f"just what {row['resource']} costs there; the plan takes that cost off by itself"
                )
                told.append(Lint("counted-twice", "effects", "margin", text))
    return told


def _impossible(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Each move's rate with the strongest effects of all levers together."""
    effects, base = frames.get("migration_effects"), frames.get("migration")
    if effects is None:
        return []
    rates: dict[tuple[str, str], float] = {}
    for row in [] if base is None else base.to_dict("records"):
        rates[str(row["from"]), str(row["to"])] = float(row["rate"])
    strongest: dict[tuple[str, str], dict[str, list[float]]] = {}
    summed = effects.groupby(["from", "to", "lever", "option"])["rate"].sum().reset_index()
    for row in summed.to_dict("records"):
        levers = strongest.setdefault((str(row["from"]), str(row["to"])), {})
        levers.setdefault(str(row["lever"]), [0.0]).append(float(row["rate"]))
    told = []
    for move, levers in strongest.items():
        start = rates.get(move, 1.0 if base is None and move[0] == move[1] else 0.0)
        low = start + sum(min(values) for values in levers.values())
        high = start + sum(max(values) for values in levers.values())
        if low < -TOLERANCE or high > 1.0 + TOLERANCE:
            reach = low if low < -TOLERANCE else high
            text = f"{move[0]} to {move[1]}: the strongest options together make a rate of {reach:.4g}"
            told.append(Lint("impossible-rate", "migration_effects", "rate", text))
    return told


def _weak(table: str, column: str, what: str, value: Any, error: Any) -> Lint:
    text = f"{what} {float(value):.4g} with standard error {float(error):.4g}: t is below 2, its sign is in doubt"
    return Lint("weak-estimate", table, column, text)


def _few(table: str, column: str, segment: str, n: int, parameters: int) -> Lint:
    text = f"segment {segment}: {n} customers or observations for {parameters} parameters"
    return Lint("few-observations", table, column, text)


def _beyond(
    table: str, column: str, segment: str, prices: Sequence[float], low: float, high: float
) -> list[Lint]:
    outside = [price for price in prices if not low - TOLERANCE <= price <= high + TOLERANCE]
    if not outside:
        return []
    listed = ", ".join(f"{price:.4g}" for price in outside)
    who = f"segment {segment}" if segment else "all segments"
    text = f"{who}: price {listed} is outside what the data hold, {low:.4g} to {high:.4g}"
    return [Lint("outside-range", table, column, text)]
