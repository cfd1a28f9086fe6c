"""Actuals after a period against the plan: variances, forecasts, what to estimate again, and where the firm stands.

In: a run and a folder of actuals. Out: `Monitoring`. Nothing is solved; `monitor_roll` writes the next instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.runs import RunRecord
from cpm_opt.study.monitor.actuals import Actuals, read_actuals
from cpm_opt.study.monitor.doubts import MATERIAL, Doubt, doubts
from cpm_opt.study.monitor.exposure import Exposure, exposure
from cpm_opt.study.monitor.forecast import Forecast, forecasts
from cpm_opt.study.monitor.money import Bridge
from cpm_opt.study.monitor.plan import PlannedRun, read_plan
from cpm_opt.study.monitor.settled import SettledPeriod, settle
from cpm_opt.study.monitor.standards import Standard, standard, worth
from cpm_opt.study.monitor.value import value_bridge
from cpm_opt.study.monitor.variance import Variance, variance


@dataclass(frozen=True)
class Monitoring:
    """What a period, or several, did to a plan.

    `variances`: one a period. `value`: the bridge from the planned to the actual worth of the customers at the end of
    the last period (None: no end was delivered), `value_assumed` what stands at its standard in it. `forecasts` take
    all periods together, `doubts` are what to estimate again; `exposure` is that of the last period.
    """

    plan: PlannedRun
    actuals: Actuals
    periods: tuple[SettledPeriod, ...]
    variances: tuple[Variance, ...]
    value: Bridge | None
    value_assumed: tuple[str, ...]
    forecasts: tuple[Forecast, ...]
    doubts: tuple[Doubt, ...]
    exposure: Exposure
    volume: str | None
    material: float

    @property
    def last(self) -> SettledPeriod:
        """The last period that was delivered."""
        return self.periods[-1]


def monitor(
    record: RunRecord,
    folder: Path,
    period: int | None = None,
    instance: str | Path | None = None,
    volume: str | None = None,
    material: float = MATERIAL,
) -> Monitoring:
    """Holds actuals against a run's plan.

    `period` is that of rows that name none; `instance` is where the run's tables are now; `volume` a measure of the
    instance that counts what customers buy; `material` the relative error from which an untested figure is told.
    Raises InputError with the faults of the run, the actuals or the call.
    """
    plan = read_plan(record, instance)
    _refuse_volume(plan, volume)
    actuals = read_actuals(folder, plan.portfolio, plan.info, period)
    periods = settle(plan, actuals)
    standards = [standard(plan, t) for t in range(plan.portfolio.periods)]
    value_each = worth(plan, standards)
    moved = _moved(plan, periods, standards)
    variances = tuple(
        variance(plan, each, standards[each.t], came, volume)
        for each, came in zip(periods, moved, strict=True)
    )
    value = value_bridge(plan, periods[-1], standards[periods[-1].t], value_each)
    found = forecasts(plan, periods)
    return Monitoring(
        plan=plan,
        actuals=actuals,
        periods=periods,
        variances=variances,
        value=None if value is None else value[0],
        value_assumed=() if value is None else value[1],
        forecasts=found,
        doubts=doubts(plan, periods, found, standards, value_each, material),
        exposure=exposure(plan, periods[-1], _costs(periods[-1], variances[-1])),
        volume=volume,
        material=material,
    )


def _refuse_volume(plan: PlannedRun, volume: str | None) -> None:
    measures = [name for name in plan.portfolio.flows if name not in ("margin", "revenue", "cash")]
    if volume is not None and volume not in measures:
        message = "is no measure of the instance"
        raise InputError(
            [Fault("--volume", message, did_you_mean(volume, measures), value=volume, code="measure")]
        )


def _moved(
    plan: PlannedRun, periods: tuple[SettledPeriod, ...], standards: list[Standard]
) -> list[Numbers | None]:
    """For each period, the customers that there would be at its start had those of the periods before moved at planned
    rates; None for the first of a row of periods."""
    found: list[Numbers | None] = []
    came: Numbers | None = None
    for each in periods:
        last = periods[len(found) - 1] if found else None
        if last is None or last.t != each.t - 1:
            found.append(None)
            came = each.start
        else:
            told = ~np.isnan(last.arrivals)
            arrived = np.where(told, last.arrivals, plan.portfolio.arrivals[:, last.t])
            assert came is not None
            came = came @ standards[last.t].moves[:, :-1] + arrived
            found.append(came)
    return found


def _costs(settled: SettledPeriod, found: Variance) -> float | None:
    """What was paid beside margins in the period; None where some of it was not delivered."""
    margin = settled.actual.results.get("margin")
    if not found.complete or margin is None:
        return None
    return float(np.nansum(margin)) - float(found.profit.actual)
