"""Where customers of each segment go, and what moves them: a multinomial logit for each segment of origin.

In: table panel. Out: `Transitions`, whose parameters of all segments have one joint covariance.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.moves import destinations
from cpm_opt.estimates.moves.panel_design import PanelDesign, design_of, usable
from cpm_opt.estimates.value.model_estimate import Lint, ModelEstimate, no_estimate

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

WORDS = ("service", "programme")
LEAST_MOVES = 10
MOST_STEPS = 100
SETTLED = 1e-10  # largest step of a scaled parameter
RUNAWAY = 18.0  # log-odds beyond this (1 in 66 million) mean that the likelihood has no maximum


@dataclass(frozen=True)
class OriginLogit:
    """The logit of one segment over D `places[D]`, positions of destinations of which S is out; the first is the one
    against which the others are measured (the segment itself, where anybody stayed in it). `part` says where its
    parameters stand in those of `Transitions`; `spread[(D - 1) P, own parameters]` of 0 and 1 makes of them the
    coefficients of each place after the first: places with terms in common share them.
    """

    segment: str
    design: PanelDesign
    places: tuple[int, ...]
    spread: Numbers
    part: slice
    model: ModelEstimate
    counts: Numbers

    def rates(self, x: Numbers, weight: Numbers, values: Numbers) -> Numbers:
        """`[N, S + 1]`: mean probability of each destination over rows `x[n, P]` with `weight[n]`, for parameters
        `values[N, K]` of all segments."""
        own = (values[:, self.part] @ self.spread.T).reshape(len(values), len(self.places) - 1, x.shape[1])
        index = np.concatenate([np.zeros((len(values), 1, len(x))), own @ x.T], axis=1)
        pull = np.exp(index - index.max(axis=1, keepdims=True))
        found = np.zeros((len(values), len(self.counts)))
        found[:, list(self.places)] = (pull / pull.sum(axis=1, keepdims=True)) @ weight
        return found


@dataclass(frozen=True)
class Transitions:
    """The logits of all `segments`: `values[K]`, their joint `covariance[K, K]` (clustered by customer), and doubts.

    `failed` names the segments whose logit could not be fitted; their models say why.
    """

    segments: tuple[str, ...]
    origins: tuple[OriginLogit, ...]
    values: Numbers
    covariance: Numbers = field(repr=False)
    lint: tuple[Lint, ...] = ()

    @property
    def failed(self) -> tuple[OriginLogit, ...]:
        """Those of the origins that could not be fitted."""
        return tuple(origin for origin in self.origins if not origin.model.converged)


def fit_transitions(panel: pd.DataFrame) -> Transitions:
    """Maximum likelihood (statsmodels' MNLogit), for each segment s over its rows:

        P(to k | x) = exp(b_sk x) / sum over l of exp(b_sl x),     b_ss = 0;  k: each segment, and out

    A customer who stayed and has no row in the next period counts with 1 - P(out | x), for that is what is known: a
    leaver's last row is always there, so without these rows leavers alone would be counted where windows end.

    x: intercept, service, programme, price, price_change, complaints, tenure, satisfaction by level, whatever of it
    varies there. The covariance is the sandwich of the scores of all segments together, summed by customer, times
    G / (G - 1). A destination with fewer than 10 moves has an intercept of its own and its other terms in common with
    the segment to which most go, so that its share of both moves does not depend on x (Lint thin-cell). Not fitted, and
    its model says why: a segment of which no stayer was followed, with fewer moves than parameters (or than 10), or
    where a term tells a destination perfectly (separation).
    """
    moves = destinations(panel, usable(panel))
    rows, here, target, segments = moves.rows, moves.here, moves.target, moves.segments
    origins: list[OriginLogit] = []
    values: list[Numbers] = []
    summed: list[Numbers] = []
    lint: list[Lint] = []
    _, customer = np.unique(rows["customer"].to_numpy().astype(str), return_inverse=True)
    customers = int(customer.max(initial=-1)) + 1
    start = 0
    for s in range(len(segments)):
        mine = here == s
        origin, fitted, influence, told = _origin(segments, s, rows[mine], target[mine], start)
        # Summed by customer at once: whole rows of all parameters would fill the memory of a large panel.
        whole = np.zeros((customers, len(fitted)))
        np.add.at(whole, customer[mine], influence)
        origins.append(origin)
        values.append(fitted)
        summed.append(whole)
        lint += told
        start += len(fitted)
    joined = np.hstack(summed) if summed else np.zeros((0, 0))
    covariance = joined.T @ joined * customers / max(customers - 1, 1)
    fit = Transitions(segments, tuple(origins), np.concatenate(values), covariance, tuple(lint))
    return _with_errors(fit)


def _with_errors(fit: Transitions) -> Transitions:
    errors = np.sqrt(np.maximum(np.diag(fit.covariance), 0.0))
    origins = []
    for origin in fit.origins:
        model = origin.model
        if model.converged:
            own = dict(zip(model.parameters, errors[origin.part].tolist(), strict=True))
            origin = replace(origin, model=replace(model, standard_errors=own))
        origins.append(origin)
    return replace(fit, origins=tuple(origins), lint=(*fit.lint, *_odd_prices(origins)))


def _odd_prices(origins: list[OriginLogit]) -> list[Lint]:
    """Segments that seem to lose fewer customers at a higher price."""
    return [
        Lint("positive-price-effect", "panel", name, f"model {origin.model.name}: fewer leave at a higher {name} "
             f"({value:.4g} in log-odds)")
        for origin in origins
        for name in ("price", "price_change")
        if (value := origin.model.parameters.get(f"{name}[to out]", 0.0)) < 0.0
    ]  # fmt: skip


def _origin(
    segments: tuple[str, ...], s: int, rows: pd.DataFrame, target: Indices, start: int
) -> tuple[OriginLogit, Numbers, Numbers, list[Lint]]:
    """The logit of segment s, its parameters, their influence by row, and doubts."""
    told = target >= 0
    counts = np.bincount(target[told], minlength=len(segments) + 1).astype(np.float64)
    groups, lint = _groups(segments, s, counts, int((~told).sum()))
    design = design_of(rows[told], WORDS) if told.any() else PanelDesign((), (), ())
    to = [*segments, "out"]
    labels = ["+".join(to[k] for k in sorted(group)) for group in groups]
    places = tuple(k for group in groups for k in group)
    names, spread = _parameters(design, groups, labels, to)
    part = slice(start, start + len(names))

    def made(model: ModelEstimate) -> OriginLogit:
        return OriginLogit(segments[s], design, places, spread, part, model, counts)

    name = f"moves {segments[s]}"
    influence = np.zeros((len(rows), len(names)))
    alternative = np.full(len(to) + 1, -1)  # the last one is for a target of -1
    alternative[list(places)] = np.arange(len(places))
    y = alternative[target]
    x = design.matrix(rows)
    # Who stayed may have gone to any place but out.
    out = places.index(len(segments)) if len(segments) in places else -1
    partly = ~told & design.holds(rows) & (out >= 0)
    n = int((told | partly).sum())
    of_group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    reason = _hopeless(design, labels, x[told], of_group[y[told]], len(names), int(told.sum()))
    if not told.all() and counts[:-1].sum() == 0:
        reason = "nobody who stayed has a row in the next period, so where they go is not known"
    if reason:
        return made(no_estimate(name, names, n, reason)), np.zeros(len(names)), influence, lint
    if not names:  # everybody goes one way: nothing to explain
        model = ModelEstimate(name, {}, {}, 0.0, n, True)
        return made(model), np.zeros(0), influence, lint
    fitted = fit_partly_told(x[told | partly], y[told | partly], spread, of_group, out)
    if fitted is None:
        reason = "a parameter runs to infinity: some term tells a destination perfectly"
        return made(no_estimate(name, names, n, reason)), np.zeros(len(names)), influence, lint
    values, influence[told | partly], log_likelihood = fitted
    parameters = dict(zip(names, values.tolist(), strict=True))
    model = ModelEstimate(name, parameters, dict.fromkeys(names, np.nan), log_likelihood, n, True)
    return made(model), values, influence, lint


def _groups(
    segments: tuple[str, ...], s: int, counts: Numbers, stayers: int
) -> tuple[tuple[tuple[int, ...], ...], list[Lint]]:
    """Destinations of segment s by the terms that they have in common, those of the segment itself first and it the
    first of them. Those with few moves stand with the segment to which most go: leaving is what plans hang on, and
    stays by itself. `stayers` were not followed."""
    there = np.flatnonzero(counts > 0).tolist()
    most = int(np.argmax(counts[:-1])) if counts[:-1].any() else len(segments)
    rare = [k for k in there if counts[k] < LEAST_MOVES and k != most]
    if most < len(segments) and counts[[most, *rare]].sum() + stayers < LEAST_MOVES:
        most = int(np.argmax(counts))  # hardly anybody stayed: all stand with out
        rare = [k for k in there if counts[k] < LEAST_MOVES and k != most]
    together = tuple(sorted([most, *rare], key=lambda k: (k != s, k)))
    groups = [together, *((k,) for k in there if k not in together)]
    groups.sort(key=lambda group: (s not in group, min(group)))
    to = [*segments, "out"]
    lint = [
        Lint("thin-cell", "panel", "segment", f"from {segments[s]} to {to[k]}: {counts[k]:.0f} moves are too few to "
             f"tell what moves them; their share of those to {to[most]} stays as it was")
        for k in rare
    ]  # fmt: skip
    return tuple(groups), lint


def _parameters(
    design: PanelDesign, groups: tuple[tuple[int, ...], ...], labels: list[str], to: list[str]
) -> tuple[tuple[str, ...], Numbers]:
    """Names of a logit's parameters, and its `spread`; see `OriginLogit`. Every place but the first has an intercept,
    and every group but the first the other terms."""
    width = len(design.names)
    names: list[str] = []
    rows: list[list[int]] = []  # of coefficients, for each parameter
    place = -1  # the first one has no coefficients
    for g, group in enumerate(groups):
        first = place
        for k in group:
            if place >= 0:
                names.append(f"intercept[to {to[k]}]")
                rows.append([place * width])
            place += 1
        if g:
            names += [f"{term}[to {labels[g]}]" for term in design.names[1:]]
            rows += [[p * width + t for p in range(first, place)] for t in range(1, width)]
    spread = np.zeros((max(place, 0) * width, len(names)))
    for column, own in enumerate(rows):
        spread[own, column] = 1.0
    return tuple(names), spread


def _hopeless(
    design: PanelDesign, labels: list[str], x: Numbers, y: Indices, parameters: int, rows: int
) -> str:
    """Why a logit has no maximum, as far as counts tell; "" where they do not."""
    if rows < LEAST_MOVES:
        return f"{rows} moves are too few"
    if rows <= parameters:
        return f"{rows} moves are too few for {parameters} parameters"
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return "some columns say the same thing: the data do not tell them apart"
    for k, term in enumerate(design.names):
        column = x[:, k]
        if k == 0 or not np.isin(column, (0.0, 1.0)).all():
            continue
        for j, label in enumerate(labels):
            for level, without in ((1.0, ""), (0.0, "not ")):
                if len(labels) > 1 and not ((column == level) & (y == j)).any():
                    return f"nobody with {without}{term} went to {label}: that term tells it perfectly (separation)"
    return ""


def fit_partly_told(
    x: Numbers, y: Indices, spread: Numbers, of_group: Indices, out: int
) -> tuple[Numbers, Numbers, float] | None:
    """Parameters `[K]`, each row's influence on them, the log-likelihood; None where it does not settle.

    `y[n]` is the place of each row (of D), or -1: any of them but `out`. `spread` makes the places' coefficients b of
    the parameters, `of_group[D]` says which have terms in common; see `OriginLogit`. Statsmodels' MNLogit fits the
    groups by the rows whose place is known, and shares of counts the places within a group; from there Newton's steps
    lead to the maximum over all rows,

        sum over rows of  ln sum over j in A of exp(b_j x)  -  ln sum over all j of exp(b_j x)

    with A the row's place, or all but `out`.
    """
    size = len(of_group)
    at, width = x.mean(axis=0), x.std(axis=0)
    at[0], width[0] = 0.0, 1.0
    width[width == 0.0] = 1.0
    scaled = (x - at) / width
    values = _start(scaled[y >= 0], y[y >= 0], spread, of_group)
    if values is None:
        return None
    might = np.where(y[:, None] >= 0, np.arange(size) == y[:, None], np.arange(size) != out)
    whole = bool((y >= 0).all())
    for _ in range(0 if whole else MOST_STEPS):
        scores, information, _ = _slopes(scaled, might, _by_place(values, spread, size))
        try:
            step = np.linalg.solve(spread.T @ information @ spread, spread.T @ scores.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        values = values + step
        whole = bool(np.abs(step).max() < SETTLED)
        if whole or not np.isfinite(values).all() or _runs_away(scaled, values, spread, size):
            break
    if not whole or _runs_away(scaled, values, spread, size):
        return None
    scores, information, log_likelihood = _slopes(scaled, might, _by_place(values, spread, size))
    back = np.diag(1.0 / width)
    back[0] -= at / width
    # Coefficients that are shared are so in either unit, so that any of their places gives them back.
    every = (spread / spread.sum(axis=0)).T @ np.kron(np.eye(size - 1), back) @ spread
    influence = np.linalg.solve(spread.T @ information @ spread, (scores @ spread).T).T @ every.T
    return np.asarray(every @ values), np.asarray(influence), log_likelihood


def _by_place(values: Numbers, spread: Numbers, size: int) -> Numbers:
    """`[P, D - 1]`: the coefficients of each place after the first."""
    return np.asarray((spread @ values).reshape(size - 1, -1).T)


def _runs_away(scaled: Numbers, values: Numbers, spread: Numbers, size: int) -> bool:
    return bool(np.abs(scaled @ _by_place(values, spread, size)).max() > RUNAWAY)


def _start(scaled: Numbers, y: Indices, spread: Numbers, of_group: Indices) -> Numbers | None:
    """`[K]` from the rows whose place is known: of groups by statsmodels, of places within them by counts."""
    import statsmodels.api as sm  # type: ignore[import-untyped]

    groups, size = int(of_group.max()) + 1, len(of_group)
    by_group = np.zeros((scaled.shape[1], groups))
    if groups > 1:
        try:
            with (
                warnings.catch_warnings()
            ):  # what statsmodels would say of it is looked at below, and told by the model
                warnings.simplefilter("ignore")
                model = sm.MNLogit(of_group[y], scaled)
                fit = model.fit(disp=0, maxiter=100, method="newton", warn_convergence=False)
        except np.linalg.LinAlgError:
            return None
        by_group[:, 1:] = np.asarray(fit.params, dtype=np.float64)
        if not fit.mle_retvals["converged"] or not np.isfinite(by_group).all():
            return None
    coefficients = by_group[:, of_group]
    counts = np.bincount(y, minlength=size)
    share = np.log(counts / np.bincount(of_group, weights=counts)[of_group])
    coefficients[0] += share - share[0]
    values = (spread / spread.sum(axis=0)).T @ coefficients[:, 1:].T.ravel()
    return None if _runs_away(scaled, values, spread, size) else values


def _slopes(x: Numbers, might: NDArray[np.bool_], params: Numbers) -> tuple[Numbers, Numbers, float]:
    """Scores `[n, (J - 1) P]` of the log-likelihood, minus its second derivatives, and its value."""
    index = np.column_stack([np.zeros(len(x)), x @ params])
    index -= index.max(axis=1, keepdims=True)
    pull = np.exp(index)
    shares = pull / pull.sum(axis=1, keepdims=True)
    inside = np.where(might, pull, 0.0)
    chance = inside.sum(axis=1) / pull.sum(axis=1)
    given = inside / inside.sum(axis=1, keepdims=True)
    scores = ((given - shares)[:, 1:, None] * x[:, None, :]).reshape(len(x), -1)
    width, size = x.shape[1], shares.shape[1] - 1
    information = np.zeros((size * width, size * width))
    for j in range(size):
        for k in range(size):
            weight = sum(
                sign * part[:, j + 1] * (float(j == k) - part[:, k + 1])
                for sign, part in ((1.0, shares), (-1.0, given))
            )
            block = x.T @ (x * np.asarray(weight)[:, None])
            information[j * width : (j + 1) * width, k * width : (k + 1) * width] = block
    return scores, information, float(np.log(chance).sum())
