"""A tariff test as charts: worth, margin and churn by segment, and use of what is short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np

from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.report.chart import Bars, Chart, Series
from cpm_opt.report.trials import own_measures
from cpm_opt.report.words import Units
from cpm_opt.study.tariff_trial import Outcome, Trial

MOST_SEGMENTS = 16
MOST_MEASURES = 4


def trial_charts(trial: Trial) -> list[Chart]:
    """The charts of a test, the given tariff beside today's (and the best one); none where it has no plan."""
    if trial.tried is None or trial.before is None:
        return []
    p = trial.problem.portfolio
    units = Units.of_portfolio(p)
    told: list[Chart] = [_worth(trial, units)]
    wanted = _most_changed(trial)
    names = tuple(p.segments[at] for at in wanted)
    some = "" if len(wanted) == len(p.segments) else f", the {len(wanted)} segments that change most"
    pairs = (("today", trial.before), ("given", trial.tried))
    figures: list[tuple[str, str, Callable[[Outcome], Numbers]]] = [
        ("Margin before resources and fixed costs", f"{units.money}, discounted", lambda o: o.margin),
        ("Customers who leave", "customers over the horizon", lambda o: o.churn),
        *_measures(trial, trial.before, trial.tried),
    ]
    for title, unit, figure in figures:
        values = [(name, figure(outcome)[wanted]) for name, outcome in pairs]
        if any(np.any(each != 0.0) for _, each in values):  # an axis of nothing tells nothing
            series = tuple(_series(name, each) for name, each in values)
            told.append(Bars(f"{title}{some}", "segment", unit, names, series))
    used = _use(trial)
    return [*told, used] if used is not None else told


def _measures(
    trial: Trial, before: Outcome, tried: Outcome
) -> Iterator[tuple[str, str, Callable[[Outcome], Numbers]]]:
    """The first measures of the instance that the tariff changes."""
    changed = (
        each for each in own_measures(trial) if np.any(before.measure(each[0]) != tried.measure(each[0]))
    )
    for name, title, unit in islice(changed, MOST_MEASURES):
        yield title, unit, partial(Outcome.measure, name=name)


def _worth(trial: Trial, units: Units) -> Bars:
    shown: list[tuple[str, Outcome | None]] = [
        ("today", trial.before),
        ("given", trial.tried),
        ("best", trial.best),
    ]
    figures = ("profit", "all that counts")
    series = tuple(
        _series(name, [outcome.profit, outcome.objective]) for name, outcome in shown if outcome is not None
    )
    return Bars("What the tariffs are worth", "figure", f"{units.money}, discounted", figures, series)


def _most_changed(trial: Trial) -> list[int]:
    """Places of the segments whose margin changes most, in the order of the table."""
    assert trial.tried is not None
    assert trial.before is not None
    change = np.abs(trial.tried.margin - trial.before.margin)
    order = sorted(range(len(change)), key=lambda at: (-float(change[at]), at))
    return sorted(order[:MOST_SEGMENTS])


def _use(trial: Trial) -> Bars | None:
    """The highest use of each limited resource over the periods, as a share of what is usable."""
    r = trial.problem.portfolio.resources
    if "capacity" not in trial.problem.spec.components:
        return None
    shares = []
    for outcome in (trial.before, trial.tried):
        assert outcome is not None
        use = outcome.mean(lambda _, __, found: found.use)
        extra = outcome.mean(lambda _, decided, __: decided.extra)
        usable = r.max_utilisation * (np.where(np.isfinite(r.capacity), r.capacity, np.nan) + extra)
        parts = np.where(usable > 0.0, use / np.where(usable > 0.0, usable, 1.0), np.nan)
        shares.append(parts)
    limited = [at for at in range(len(r.names)) if np.isfinite(shares[1][at]).any()]
    if not limited:
        return None
    series = tuple(
        _series(
            name, [float(np.nanmax(parts[at])) if np.isfinite(parts[at]).any() else 0.0 for at in limited]
        )
        for name, parts in zip(("today", "given"), shares, strict=True)
    )
    names = tuple(r.names[at] for at in limited)
    return Bars("Use in the fullest period", "resource", "share of what is usable", names, series)


def _series(name: str, values: Numbers | Sequence[float]) -> Series:
    return Series(name, tuple((float(place), float(value)) for place, value in enumerate(values)))
