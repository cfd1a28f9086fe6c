"""Forecasts held against what happened: errors, intervals, and which estimates the actuals contradict.

A move from a to b of n customers at rate p is binomial(n, p); where the rate has a standard error se, it is
beta-binomial with the rate drawn from the beta distribution of that mean and error, so the interval knows both that
customers are few and that the rate was estimated. Arrivals are Poisson. A segment's margin is normal about its standard
with the `margin_se` of the options its customers were on, each option's error common to all of them. Two-sided p-values
are twice the smaller tail, at most 1.

Many estimates are looked at, so some would stray by chance: an estimate is flagged where its p-value passes Holm's
procedure (Holm 1979, Scandinavian Journal of Statistics 6(2), 65-70) at 5 % over all that were tested; if all of them
were right, the chance of any flag is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cpm_opt.runs.money import unit_words
from cpm_opt.study.monitor.counts import Counts, beta_binomial, binomial, poisson
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import PRESENT, SettledPeriod
from cpm_opt.study.monitor.standards import flow_of, move_errors, use_of
from cpm_opt.study.monitor.value import actual_shares, expected_moves

LEVEL = 0.05
POWER = 0.8
LEFT = ""

MOVE, ARRIVALS, CUSTOMERS, MARGIN, USE = "move", "arrivals", "customers", "margin", "use"


@dataclass(frozen=True)
class Forecast:
    """One figure that the plan foresaw. `kind` is move (from `subject` to `to`, blank: left), arrivals, customers (at
    the end), margin or use; `planned` is the plan's, `expected` the plan's for those who were there on what they were
    on; `low`, `high`: 95 % prediction interval about it, None where the tables do not say how far it spreads. `base`:
    customers (of `subject`) that it is about. `noticeable`: the smallest error that would have been flagged in four of
    five cases. `flagged` is settled by `flagged_forecasts`."""

    kind: str
    subject: str
    to: str
    unit: str
    planned: float
    expected: float
    actual: float
    base: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    spread: float | None = None
    noticeable: float | None = None
    flagged: bool = False

    @property
    def error(self) -> float:
        """Actual less expected."""
        return self.actual - self.expected

    @property
    def relative_error(self) -> float | None:
        """The error as a fraction of what was expected; None where nothing was."""
        return self.error / abs(self.expected) if abs(self.expected) > PRESENT else None


def forecasts(plan: PlannedRun, periods: Sequence[SettledPeriod]) -> tuple[Forecast, ...]:
    """Every forecast of these periods that something was delivered about, periods taken together, flags settled."""
    found = [*_moves(plan, periods), *_arrivals(plan, periods), *_ends(plan, periods)]
    found += [*_margins(plan, periods), *_uses(plan, periods)]
    return flagged_forecasts(found)


def flagged_forecasts(found: Sequence[Forecast]) -> tuple[Forecast, ...]:
    """The forecasts with their flags by Holm's procedure, and with the smallest error that would have been noticed."""
    from scipy.stats import norm  # type: ignore[import-untyped]

    tested = [k for k, each in enumerate(found) if each.p_value is not None]
    passed: set[int] = set()
    for rank, k in enumerate(sorted(tested, key=lambda k: (found[k].p_value, k))):
        p_value = found[k].p_value
        if p_value is None or p_value > LEVEL / (len(tested) - rank):
            break
        passed.add(k)
    reach = float(norm.isf(LEVEL / 2 / max(1, len(tested))) + norm.ppf(POWER))
    return tuple(
        replace(
            each,
            flagged=k in passed,
            noticeable=None if each.p_value is None or each.spread is None else reach * each.spread,
        )
        for k, each in enumerate(found)
    )


def _moves(plan: PlannedRun, periods: Sequence[SettledPeriod]) -> list[Forecast]:
    """A forecast for each rate of moving that is planned, or that happened, where moves were delivered."""
    p = plan.portfolio
    names = (*p.segments, LEFT)
    size = len(p.segments)
    planned, expected, actual, errors = (np.zeros((size, size + 1)) for _ in range(4))
    base = np.zeros(size)
    for each in periods:
        told = ~np.isnan(each.moves[:, 0])
        rates = expected_moves(plan, each)
        error = move_errors(plan, actual_shares(each))
        whole = np.concatenate([error, np.sqrt((error**2).sum(axis=1, keepdims=True))], axis=1)
        base += np.where(told, each.start, 0.0)
        expected += np.where(told[:, None], each.start[:, None] * rates, 0.0)
        planned += np.where(told[:, None], each.planned[:, None] * rates, 0.0)
        actual += np.where(told[:, None], np.nan_to_num(each.moves), 0.0)
        errors += np.where(told[:, None], each.start[:, None] * whole, 0.0)
    rows = []
    for s, target in np.argwhere((expected > PRESENT) | (actual > PRESENT)).tolist():
        n, mean, k = base[s], expected[s, target], actual[s, target]
        rate = min(1.0, max(0.0, mean / n)) if n > PRESENT else 0.0
        law = _move_law(n, rate, errors[s, target] / n if n > PRESENT else 0.0)
        row = Forecast(MOVE, p.segments[s], names[target], "customers", planned[s, target], mean, k, n)
        rows.append(_judged(row, law))
    return rows


def _move_law(customers: float, rate: float, error: float) -> Counts | None:
    """The distribution of the customers who move; None where the rate's error leaves it anything."""
    n = round(customers)
    if error <= 0.0 or not 0.0 < rate < 1.0:
        return binomial(n, rate)
    strength = rate * (1.0 - rate) / error**2 - 1.0
    return beta_binomial(n, rate * strength, (1.0 - rate) * strength) if strength > 0.0 else None


def _arrivals(plan: PlannedRun, periods: Sequence[SettledPeriod]) -> list[Forecast]:
    p = plan.portfolio
    rows = []
    for s, name in enumerate(p.segments):
        told = [each for each in periods if not np.isnan(each.arrivals[s])]
        mean = sum(float(p.arrivals[s, each.t]) for each in told)
        came = sum(float(each.arrivals[s]) for each in told)
        if told and (mean > PRESENT or came > PRESENT):
            row = Forecast(ARRIVALS, name, "", "customers", mean, mean, came, mean)
            rows.append(_judged(row, poisson(mean, came)))
    return rows


def _ends(plan: PlannedRun, periods: Sequence[SettledPeriod]) -> list[Forecast]:
    """Customers at the end of the last period. They are tested where moves were not delivered: else these were."""
    from scipy.stats import norm

    p, last = plan.portfolio, periods[-1]
    rates = expected_moves(plan, last)[:, :-1]
    error = move_errors(plan, actual_shares(last))
    told = ~np.isnan(last.arrivals)
    arrived = np.where(told, last.arrivals, p.arrivals[:, last.t])
    mean = last.start @ rates + arrived
    square = last.start @ (rates * (1.0 - rates)) + last.start**2 @ error**2 + np.where(told, 0.0, arrived)
    by_moves = not np.isnan(last.moves[last.start > PRESENT, 0]).any()
    rows = []
    for s, name in enumerate(p.segments):
        if np.isnan(last.end[s]):
            continue
        planned = float(plan.recount.customers[s, last.t + 1])
        row = Forecast(
            CUSTOMERS,
            name,
            "",
            "customers",
            planned,
            float(mean[s]),
            float(last.end[s]),
            float(last.start[s]),
        )
        spread = float(np.sqrt(max(0.0, square[s])))
        row = replace(
            row, low=max(0.0, row.expected - 1.96 * spread), high=row.expected + 1.96 * spread, spread=spread
        )
        if not by_moves:
            # Half a customer allows for counting in whole ones.
            off = max(0.0, abs(row.error) - 0.5)
            p_value = float(2.0 * norm.sf(off / spread)) if spread > PRESENT else float(off <= PRESENT)
            row = replace(row, p_value=min(1.0, p_value))
        rows.append(row)
    return rows


def _margins(plan: PlannedRun, periods: Sequence[SettledPeriod]) -> list[Forecast]:
    from scipy.stats import norm

    p = plan.portfolio
    rows = []
    for s, name in enumerate(p.segments):
        told = [
            each
            for each in periods
            if not np.isnan(each.actual.results.get(MARGIN, np.full(s + 1, np.nan))[s])
        ]
        if not told:
            continue
        figures = np.zeros(4)
        on = np.zeros(len(p.options))
        for each in told:
            usual = flow_of(p, MARGIN, each.t, each.planned, each.share * each.planned[:, None])[s]
            should = flow_of(p, MARGIN, each.t, each.start, each.on)[s]
            figures += (usual, should, each.actual.results[MARGIN][s], each.start[s])
            on += each.on[s]
        planned, should, actual, base = (float(figure) for figure in figures)
        row = Forecast(MARGIN, name, "", unit_words(p, p.currency), planned, should, actual, base)
        spread = float(np.sqrt(((p.margin_se[s] * on) ** 2).sum()))
        if spread > PRESENT:
            p_value = float(min(1.0, 2.0 * norm.sf(abs(row.error) / spread)))
            row = replace(
                row, low=should - 1.96 * spread, high=should + 1.96 * spread, p_value=p_value, spread=spread
            )
        rows.append(row)
    return rows


def _uses(plan: PlannedRun, periods: Sequence[SettledPeriod]) -> list[Forecast]:
    p, r = plan.portfolio, plan.portfolio.resources
    rows = []
    for i, name in enumerate(r.names):
        told = [each for each in periods if not np.isnan(each.actual.use[i])]
        if told:
            planned = sum(float(plan.recount.use[i, each.t]) for each in told)
            should = sum(float(use_of(p, each.t, each.start, each.on)[i].sum()) for each in told)
            actual = sum(float(each.actual.use[i]) for each in told)
            base = sum(float(each.start[p.active].sum()) for each in told)
            rows.append(Forecast(USE, name, "", r.units[i] or "units", planned, should, actual, base))
    return rows


def _judged(row: Forecast, law: Counts | None) -> Forecast:
    """The forecast with interval and p-value of its distribution over whole numbers."""
    if law is None:
        return row
    # A plan's own figures are no whole numbers: what rounds to the mean is no deviation.
    none = abs(row.error) <= 0.5 and law.spread > 0.0
    p_value = 1.0 if none else law.two_sided(round(row.actual))
    low, high = (float(law.quantile(each)) for each in (LEVEL / 2, 1.0 - LEVEL / 2))
    return replace(row, low=low, high=high, p_value=p_value, spread=law.spread)
