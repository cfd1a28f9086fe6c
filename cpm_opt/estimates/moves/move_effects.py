"""What options do to moves between segments and to leaving, added up option by option, with what adding up costs.

In: rates on the curve of a fitted model. Out: `MoveEffects`, changes of rates with their errors and joint draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.hazard import Hazard
from cpm_opt.estimates.moves.panel_design import usable
from cpm_opt.estimates.moves.transitions import Transitions
from cpm_opt.estimates.response.lever_terms import CHANGE, PRICE, LeverTerms, OptionTerms, Setting

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

STEP = 1e-4  # of a standard error, for slopes by the parameters
MOST_COMBINATIONS = 5000
BATCH = 64  # draws at a time, so that memory stays small
IN_FORCE, ON_CHANGE = "in_force", "on_change"


class Rates(Protocol):
    """Rates of moves as a function of what is set: `rates(setting, values)` are `[N, S, S + 1]`, the last column out,
    for parameters `values[N, K]`: means over the rows of the panel that are in each segment, with their own terms where
    the setting has none. `tells(setting)[S]`: whether the data of a segment hold such terms."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of origin."""
        ...

    @property
    def values(self) -> Numbers:
        """The parameters."""
        ...

    @property
    def covariance(self) -> Numbers:
        """Their covariance."""
        ...

    def rates(self, setting: Setting, values: Numbers) -> Numbers:
        """Mean rates."""
        ...

    def tells(self, setting: Setting) -> NDArray[np.bool_]:
        """Whether the data of a segment hold such terms."""
        ...


@dataclass(frozen=True)
class LeavingRates:
    """Leaving by a hazard; who stays is spread over `shares[S, S]` of stayers, whatever the options."""

    names: tuple[str, ...]
    hazard: Hazard
    shares: Numbers
    rows: tuple[pd.DataFrame, ...] = field(repr=False)
    weights: tuple[Numbers, ...] = field(repr=False)

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of origin."""
        return self.names

    @property
    def values(self) -> Numbers:
        """The hazard's parameters."""
        return np.array(self.hazard.model.values)

    @property
    def covariance(self) -> Numbers:
        """Their covariance."""
        return self.hazard.covariance

    def rates(self, setting: Setting, values: Numbers) -> Numbers:
        """Mean rates; see `Rates`."""
        found = np.zeros((len(values), len(self.segments), len(self.segments) + 1))
        for s, (rows, weight) in enumerate(zip(self.rows, self.weights, strict=True)):
            x = self.hazard.design.matrix(rows.assign(**setting))
            for some in _batches(len(values)):
                leave = weight @ (1.0 / (1.0 + np.exp(-(x @ values[some].T))))
                found[some, s, :-1] = (1.0 - leave)[:, None] * self.shares[s]
                found[some, s, -1] = leave
        return found

    def tells(self, setting: Setting) -> NDArray[np.bool_]:
        """All segments share the terms."""
        return np.ones(len(self.segments), dtype=np.bool_)


@dataclass(frozen=True)
class LogitRates:
    """Moves and leaving by the logits of the segments."""

    fit: Transitions
    rows: tuple[pd.DataFrame, ...] = field(repr=False)
    weights: tuple[Numbers, ...] = field(repr=False)

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of origin."""
        return self.fit.segments

    @property
    def values(self) -> Numbers:
        """Parameters of all logits."""
        return self.fit.values

    @property
    def covariance(self) -> Numbers:
        """Their covariance."""
        return self.fit.covariance

    def rates(self, setting: Setting, values: Numbers) -> Numbers:
        """Mean rates; see `Rates`."""
        found = np.zeros((len(values), len(self.segments), len(self.segments) + 1))
        for s, origin in enumerate(self.fit.origins):
            x = origin.design.matrix(self.rows[s].assign(**setting))
            for some in _batches(len(values)):
                found[some, s] = origin.rates(x, self.weights[s], values[some])
        return found

    def tells(self, setting: Setting) -> NDArray[np.bool_]:
        """A segment in which a price never varied, or nobody had a service, tells nothing of it."""
        told = np.ones(len(self.segments), dtype=np.bool_)
        for s, origin in enumerate(self.fit.origins):
            for column, value in setting.items():
                numeric = column in (PRICE, CHANGE)
                told[s] &= (
                    column in origin.design.numbers if numeric else value in origin.design.levels(column)
                )
        return told


def leaving_rates(hazard: Hazard, panel: pd.DataFrame, shares: Numbers, base: Setting) -> LeavingRates:
    """Rates by a hazard, `shares[S, S]` of stayers by segment in sorted order."""
    segments = tuple(sorted(str(name) for name in panel["segment"].unique()))
    columns = tuple(name for name in hazard.design.columns if name not in base)
    rows, weights = _patterns(panel, segments, columns)
    return LeavingRates(segments, hazard, shares, rows, weights)


def logit_rates(fit: Transitions, panel: pd.DataFrame, base: Setting) -> LogitRates:
    """Rates by the logits of moves."""
    columns = {name for origin in fit.origins for name in origin.design.columns}
    rows, weights = _patterns(panel, fit.segments, tuple(sorted(columns - set(base))))
    return LogitRates(fit, rows, weights)


def _patterns(
    panel: pd.DataFrame, segments: tuple[str, ...], columns: tuple[str, ...]
) -> tuple[tuple[pd.DataFrame, ...], tuple[Numbers, ...]]:
    """By segment, the different rows of the panel in these columns, and the share of each."""
    used = panel[usable(panel)]
    rows, weights = [], []
    for segment in segments:
        own = used[used["segment"] == segment]
        kept = list(dict.fromkeys(("segment", *columns)))
        counted = own.groupby(kept, sort=True, dropna=False).size().rename("rows").reset_index()
        rows.append(counted[kept])
        weights.append(counted["rows"].to_numpy(dtype=np.float64) / max(len(own), 1))
    return tuple(rows), tuple(weights)


def _batches(count: int) -> Iterator[slice]:
    for start in range(0, count, BATCH):
        yield slice(start, start + BATCH)


@dataclass(frozen=True)
class Additivity:
    """How far the sum of single effects is off the joint curve, in rates: the `largest` and the `mean` absolute error
    over `count` combinations of options, all segments and destinations; `where` the largest one is. `between`: the
    largest error of a change from one option to another, or back to the base, because effects are those of a change
    from the base."""

    largest: float
    mean: float
    count: int
    where: str
    between: float


@dataclass(frozen=True)
class MoveEffects:
    """E entries (an option, and when): `changes[E, S, S + 1]` of each rate, with errors `se`; `told[E, S]` whether the
    data of a segment tell it. `base[S, S + 1]` with `base_se`: rates with every lever on its base."""

    curve: Rates
    terms: LeverTerms
    entries: tuple[tuple[OptionTerms, str], ...]
    base: Numbers
    base_se: Numbers
    changes: Numbers
    se: Numbers
    told: NDArray[np.bool_]
    additivity: Additivity

    def draw(self, values: Numbers) -> tuple[Numbers, Numbers]:
        """For parameters `values[N, K]`: base `[N, S, S + 1]` and changes `[N, E, S, S + 1]`, each on the curve."""
        return evaluated(self.curve, self.terms, self.entries, self.told, values)


def move_effects(curve: Rates, terms: LeverTerms) -> MoveEffects:
    """Each option's change of the rates, on the curve, as a mean over the customers of a segment.

        in_force    rate(option) - rate(base)                       the other levers on their base
        on_change   rate(option, with price_change) - rate(option)  besides, in the period in which it comes

    Errors by the delta method (slopes by central differences); the customers' own terms are taken as given.
    """
    entries = tuple(
        (option, when)
        for option in terms.options
        for when, setting in ((IN_FORCE, option.in_force), (ON_CHANGE, option.on_change))
        if setting
    )
    told = np.array([curve.tells(getattr(option, when)) for option, when in entries], dtype=np.bool_)
    told = told.reshape(len(entries), len(curve.segments))
    base, changes = evaluated(curve, terms, entries, told, curve.values[None])
    size = np.sqrt(np.maximum(np.diag(curve.covariance), 0.0)) * STEP
    size[size == 0.0] = STEP
    ahead = evaluated(curve, terms, entries, told, curve.values + np.diag(size))
    behind = evaluated(curve, terms, entries, told, curve.values - np.diag(size))
    errors = []
    for before, after in zip(behind, ahead, strict=True):
        slope = (after - before).reshape(len(size), int(np.prod(after.shape[1:]))) / (2.0 * size[:, None])
        variance = (slope * (curve.covariance @ slope)).sum(axis=0)
        errors.append(np.sqrt(np.maximum(variance, 0.0)))
    found = changes[0]
    additivity = _additivity(
        curve, terms, dict(zip(_keys(entries), found, strict=True)), base[0], told, entries
    )
    base_se, se = errors[0].reshape(base[0].shape), errors[1].reshape(found.shape)
    return MoveEffects(curve, terms, entries, base[0], base_se, found, se, told, additivity)


def evaluated(
    curve: Rates,
    terms: LeverTerms,
    entries: tuple[tuple[OptionTerms, str], ...],
    told: NDArray[np.bool_],
    values: Numbers,
) -> tuple[Numbers, Numbers]:
    """Base rates and changes for each of `values[N, K]`; what the data do not tell is 0."""
    base = curve.rates(terms.base, values)
    changes = np.zeros((len(values), len(entries), *base.shape[1:]))
    standing: dict[tuple[str, str], Numbers] = {}
    for e, (option, when) in enumerate(entries):
        key = (option.lever, option.option)
        if key not in standing:
            standing[key] = (
                curve.rates({**terms.base, **option.in_force}, values) if option.in_force else base
            )
        if when == IN_FORCE:
            change = standing[key] - base
        else:
            joint = curve.rates({**terms.base, **option.in_force, **option.on_change}, values)
            change = joint - standing[key]
        changes[:, e] = change * told[e][None, :, None]
    return base, changes


def _keys(entries: tuple[tuple[OptionTerms, str], ...]) -> list[tuple[str, str, str]]:
    return [(option.lever, option.option, when) for option, when in entries]


def _additivity(
    curve: Rates,
    terms: LeverTerms,
    changes: Mapping[tuple[str, str, str], Numbers],
    base: Numbers,
    told: NDArray[np.bool_],
    entries: tuple[tuple[OptionTerms, str], ...],
) -> Additivity:
    """Joint curve less base and single effects, over combinations of levers (of two, where all are too many)."""
    tellable: NDArray[np.bool_] = np.ones(len(base), dtype=np.bool_)
    for own in told:
        tellable &= own
    worst, where, total, count = 0.0, "", 0.0, 0
    for chosen in _chosen(terms):
        setting = dict(terms.base)
        summed = base.copy()
        for option, when in chosen:
            setting |= option.in_force
            summed += changes.get((option.lever, option.option, IN_FORCE), 0.0)
            if when == ON_CHANGE:
                setting |= option.on_change
                summed += changes[option.lever, option.option, ON_CHANGE]
        off = np.abs(curve.rates(setting, curve.values[None])[0] - summed)[tellable]
        total, count = total + float(off.mean()) if off.size else total, count + 1
        if off.size and off.max() > worst:
            worst = float(off.max())
            where = " and ".join(f"{option.lever} {option.option}" for option, _ in chosen)
    return Additivity(worst, total / max(count, 1), count, where, _between(curve, terms, changes, tellable))


def _chosen(terms: LeverTerms) -> Iterator[tuple[tuple[OptionTerms, str], ...]]:
    """Options of different levers that stand, or come, together: two levers at least."""
    states = [
        [
            (option, when)
            for option in terms.options
            if option.lever == lever
            for when in ((IN_FORCE, ON_CHANGE) if option.on_change else (IN_FORCE,))
        ]
        for lever in terms.levers
    ]
    every = int(np.prod([len(own) + 1 for own in states], dtype=np.float64))
    most = len(states) if every <= MOST_COMBINATIONS else 2
    for size in range(2, most + 1):
        for some in combinations(states, size):
            yield from product(*some)


def _between(
    curve: Rates,
    terms: LeverTerms,
    changes: Mapping[tuple[str, str, str], Numbers],
    tellable: NDArray[np.bool_],
) -> float:
    """The largest error of a change that does not begin at the base."""
    stepped = [option for option in terms.options if option.on_change and option.in_force]
    worst = 0.0
    today = float(terms.base.get(PRICE, 1.0))
    for before in stepped:
        for after in (None, *stepped):
            if after is before or (after is not None and after.lever != before.lever):
                continue
            standing = {**terms.base, **({} if after is None else after.in_force)}
            price = today if after is None else float(after.in_force[PRICE])
            step = price / float(before.in_force[PRICE]) - 1.0
            there = curve.rates(standing, curve.values[None])[0]
            moved = curve.rates({**standing, CHANGE: step}, curve.values[None])[0] - there
            used = 0.0 if after is None else changes[after.lever, after.option, ON_CHANGE]
            off = np.abs(moved - used)[tellable]
            worst = max(worst, float(off.max(initial=0.0)))
    return worst
