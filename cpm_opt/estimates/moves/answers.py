"""What raw tables offers, price_points, choices and efforts tell, each as models, doubts, notes and curves.

In: a raw table and the rules of its levers. Out: `Answer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.estimates.lint.fits import (
    lint_choices,
    lint_demand,
    lint_doubles,
    lint_effort,
    lint_offer_rows,
    lint_offers,
)
from cpm_opt.estimates.lint.plans import planned_prices
from cpm_opt.estimates.response.choices import (
    ChoiceFit,
    ShareElasticity,
    fit_choices,
    share_elasticities,
    shrink_choices,
)
from cpm_opt.estimates.response.effort_effects import effort_fits, planned_efforts
from cpm_opt.estimates.response.fitted_curves import (
    FittedCurve,
    choice_curves,
    demand_curves,
    effort_curve,
    offer_curves,
)
from cpm_opt.estimates.response.independence import doubles
from cpm_opt.estimates.response.lever_rows import rows_of_lever
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.offer_effects import usable_offers
from cpm_opt.estimates.response.offer_faults import told_by
from cpm_opt.estimates.response.offers import TAKE_UP, OfferFit, acceptance_line, fit_offers, shrink_slopes
from cpm_opt.estimates.response.price_points import POINTS, DemandFit, fit_demand, shrink_demand
from cpm_opt.estimates.settings import ResponseRules
from cpm_opt.estimates.value.model_estimate import Lint, ModelEstimate

if TYPE_CHECKING:
    import pandas as pd

OFFERS, PRICE_POINTS, CHOICES, EFFORTS = "offers", "price_points", "choices", "efforts"
DEMAND, CHOICE, EFFORT = "demand", "choice", "effort"


@dataclass(frozen=True)
class Answer:
    """What one raw table tells."""

    models: tuple[ModelEstimate, ...] = ()
    lint: tuple[Lint, ...] = ()
    notes: tuple[str, ...] = ()
    curves: tuple[FittedCurve, ...] = ()
    elasticities: tuple[ShareElasticity, ...] = ()


def offer_rules(rules: ResponseRules) -> LeverRules:
    """The rules by which table offers is fitted: those of its first lever, else the keys of `[estimates.response]`."""
    first = next(iter(rules.of(OFFERS)), None)
    if first is not None:
        return first
    keys = {"covariates": rules.covariates, "by_segment": rules.by_segment, "shrink": rules.shrink}
    return LeverRules(**{"from": OFFERS}, lever="", **keys)  # type: ignore[arg-type]


def answer_offers(
    offers: pd.DataFrame, rules: LeverRules, planning: Mapping[str, pd.DataFrame]
) -> tuple[Answer, OfferFit, OfferFit | None]:
    """The curves of offers, with the fit before shrinkage and after it (None where nothing was shrunk)."""
    used = usable_offers(offers)
    fit = fit_offers(used, rules.covariates, rules.by_segment)
    moved = shrink_slopes(fit)
    shrunken = moved if moved.shrunken else None
    models = [_offer_model(fit, outcome) for outcome in fit.outcomes]
    if shrunken is not None:
        models.append(_offer_slopes(shrunken))
    controls = tuple(name for name in ("segment", "stratum") if used[name].nunique() > 1)
    line = acceptance_line(used, controls, "cluster" in used)
    scale = float(used["price"].mean() / used["accepted"].mean())
    values = {"price": line.slope, "elasticity": line.elasticity}
    errors = {"price": line.slope_se, "elasticity": line.slope_se * scale}
    models.append(ModelEstimate("take_up_line", values, errors, float("nan"), line.n, True))
    ranges = "; ".join(
        f"{name}: {fit.offers[s]:.0f} offers at {fit.seen[s, 0]:g} to {fit.seen[s, 1]:g}, "
        f"{fit.accepted[s]:.0f} accepted"
        for s, name in enumerate(fit.segments)
    )
    notes = [f"offers: {ranges}"]
    if len(offers) > len(used):
        notes.append(f"offers above the standard price left out: {len(offers) - len(used)}")
    if fit.left_out:
        notes.append(f"offers in which a covariate is blank left out: {fit.left_out}")
    redrawn = int((fit.accepted - fit.told).sum())
    if redrawn and len(fit.outcomes) > 1:
        notes.append(
            "accepted offers left out of the curves of amount, revenue and loss, for their contract came to have "
            f"another price: {redrawn} of {fit.accepted.sum():.0f}"
        )
    told = told_by(used)
    brought = used["revenue"].to_numpy(dtype=np.float64) - used["loss"].to_numpy(dtype=np.float64) * (
        "loss" in fit.outcomes
    )
    seen = {}
    for name in fit.segments:
        own = (used["segment"] == name).to_numpy()
        rows = used[own]
        price, accepted = (rows[column].to_numpy(dtype=np.float64) for column in ("price", "accepted"))
        seen[name] = (price, accepted, told[own], brought[own])
    planned = shrunken if shrunken is not None and rules.shrink else fit
    curves = _marked(offer_curves(planned, seen), planned is shrunken)
    lint = (
        *lint_offer_rows(offers),
        *lint_offers(fit, planned_prices(planning, rules.lever, rules.base_price)),
    )
    return Answer(tuple(models), lint, tuple(notes), curves), fit, shrunken


def answer_price_points(
    points: pd.DataFrame, rules: ResponseRules, planning: Mapping[str, pd.DataFrame]
) -> Answer:
    """Demand by price for each lever of the table: models `demand` (`demand LEVER` where there are several) and, where
    slopes were shrunk, `demand_shrunken`."""
    models: list[ModelEstimate] = []
    lint: list[Lint] = []
    notes: list[str] = []
    curves: list[FittedCurve] = []
    levers = _levers(points, rules, PRICE_POINTS)
    for own in levers:
        fit = fit_demand(rows_of_lever(points, own.lever, PRICE_POINTS), own)
        moved = shrink_demand(fit) if own.shrink else fit
        called = f" {own.lever}" if len(levers) > 1 else ""
        notes.append(f"price points{called}, {fit.form.replace('_', ' ')}: {_demand_ranges(fit)}")
        if fit.left_out:
            notes.append(
                f"{PRICE_POINTS}{called}: rows in which a covariate is blank left out: {fit.left_out}"
            )
        if fit.form != POINTS:
            models.append(_demand_model(fit, DEMAND + called))
        if moved.shrunken is not None:
            models.append(_demand_slopes(moved, f"{DEMAND}_shrunken{called}"))
        lint += lint_demand(fit, planned_prices(planning, own.lever, own.base_price))
        curves += _marked(demand_curves(moved, DEMAND + called), moved.shrunken is not None)
    return Answer(tuple(models), tuple(lint), tuple(notes), tuple(curves))


def answer_choices(
    choices: pd.DataFrame, rules: ResponseRules, planning: Mapping[str, pd.DataFrame]
) -> Answer:
    """The logit by which each lever's alternative is chosen: a model `choice` (`choice LEVER` where levers are fitted
    in several ways) and, where slopes were shrunk, `choice_shrunken`."""
    whole = Answer()
    stated = rules.of(CHOICES) or (LeverRules(**{"from": CHOICES}, lever=""),)  # type: ignore[arg-type]
    alike: dict[str, list[LeverRules]] = {}
    for own in stated:
        asked = (own.covariates, own.by_segment, own.shrink, own.errors, own.reference, own.constants)
        alike.setdefault(repr(asked), []).append(own)
    for levers in alike.values():
        fit = fit_choices(choices, levers[0])
        moved = shrink_choices(fit) if levers[0].shrink else fit
        called = f" {levers[0].lever}" if len(alike) > 1 else ""
        answer = _choice_answer(fit, moved, called)
        answer = replace(answer, lint=lint_doubles(doubles(fit)))
        for own in levers:
            relative = own.base_price is None
            prices = planned_prices(planning, own.lever, 1.0 if relative else own.base_price)
            doubts = lint_choices(fit, own.alternative, prices, relative)
            named = fit.design.alternatives if own.alternative is None else (own.alternative,)
            answer = replace(
                answer,
                lint=tuple(dict.fromkeys((*answer.lint, *doubts))),
                curves=(
                    *answer.curves,
                    *_marked(
                        [curve for name in named for curve in choice_curves(moved, CHOICE + called, name)],
                        moved.shrunken is not None,
                    ),
                ),
            )
        whole = Answer(
            models=(*whole.models, *answer.models),
            lint=(*whole.lint, *answer.lint),
            notes=(*whole.notes, *answer.notes),
            curves=(*whole.curves, *answer.curves),
            elasticities=(*whole.elasticities, *answer.elasticities),
        )
    return whole


def answer_efforts(
    efforts: pd.DataFrame, rules: ResponseRules, planning: Mapping[str, pd.DataFrame]
) -> Answer:
    """What effort brings for each lever of the table: a model `effort` (`effort LEVER` where there are several)."""
    models: list[ModelEstimate] = []
    lint: list[Lint] = []
    notes: list[str] = []
    curves: list[FittedCurve] = []
    levers = _levers(efforts, rules, EFFORTS)
    for own in levers:
        rows = rows_of_lever(efforts, own.lever, EFFORTS)
        fits = effort_fits(rows, own)
        called = f"{EFFORT} {own.lever}" if len(levers) > 1 else EFFORT
        values: dict[str, float] = {}
        errors: dict[str, float] = {}
        for segment, fit in fits.items():
            each = f"[{segment}]" if segment else ""
            names = [f"{name}{each}" for name in ("level", "scale", "shape")]
            values |= dict(zip(names, fit.values.tolist(), strict=True))
            errors |= dict(zip(names, fit.errors.tolist(), strict=True))
            mine = rows[rows["segment"] == segment]
            effort, result = (mine[column].to_numpy(dtype=np.float64) for column in ("effort", "result"))
            curves.append(effort_curve(fit, called + each, effort, result))
            where = f" {segment}" if segment else ""
            notes.append(f"{called}{where}, {fit.form}: {fit.n} rows at efforts {fit.low:g} to {fit.high:g}, "
                         f"residual {fit.residual:.4g}")  # fmt: skip
            lint += lint_effort(fit, segment, planned_efforts(planning, own))
        likelihood = sum(fit.log_likelihood for fit in fits.values())
        models.append(ModelEstimate(called, values, errors, likelihood, len(rows), True))
    return Answer(tuple(models), tuple(lint), tuple(notes), tuple(curves))


def _marked(curves: Iterable[FittedCurve], shrunken: bool) -> tuple[FittedCurve, ...]:
    """The curves, which are those of the plan's effects, with the word whether their slopes were shrunk."""
    return tuple(replace(curve, shrunken=shrunken) for curve in curves)


def _levers(frame: pd.DataFrame, rules: ResponseRules, table: str) -> list[LeverRules]:
    """The rules of the table's levers, with default ones for those that the table names and the rules do not."""
    stated = list(rules.of(table))
    named = {own.lever for own in stated}
    others = sorted({str(lever) for lever in frame["lever"]} - named - {""})
    if not stated and not others:
        others = [""]
    return [*stated, *(LeverRules(**{"from": table}, lever=lever) for lever in others)]  # type: ignore[arg-type]


def _demand_ranges(fit: DemandFit) -> str:
    return "; ".join(
        f"{name or 'all'}: {fit.counts[s]:.0f} observations at {fit.seen[s, 0]:g} to {fit.seen[s, 1]:g}"
        for s, name in enumerate(fit.segments)
    )


def _choice_answer(fit: ChoiceFit, moved: ChoiceFit, called: str) -> Answer:
    """Models, notes and elasticities of one logit."""
    design = fit.design
    taken = np.bincount(design.alternative, weights=design.chosen)
    shares = ", ".join(
        f"{name} {taken[a] / fit.n:.1%} at {design.price[design.alternative == a].min():g} to "
        f"{design.price[design.alternative == a].max():g}"
        for a, name in enumerate(design.alternatives)
    )
    notes = [
        f"choices{called}: {fit.n:g} choices ({shares}); log-likelihood {fit.log_likelihood:.1f}, and "
        f"{fit.equal_chances:.1f} if all alternatives were alike"
    ]
    if design.left_out:
        notes.append(f"{CHOICES}{called}: rows of choices with a blank covariate left out: {design.left_out}")
    models = [_demand_model(fit, CHOICE + called)]
    if moved.shrunken is not None:
        models.append(_demand_slopes(moved, f"{CHOICE}_shrunken{called}"))
    # Elasticities are of the curves that the plan uses.
    return Answer(tuple(models), notes=tuple(notes), elasticities=share_elasticities(moved, models[-1].name))


def _demand_model(fit: DemandFit | ChoiceFit, name: str) -> ModelEstimate:
    errors = np.sqrt(np.diag(fit.covariance))
    return ModelEstimate(
        name=name,
        parameters=dict(zip(fit.names, fit.values.tolist(), strict=True)),
        standard_errors=dict(zip(fit.names, errors.tolist(), strict=True)),
        log_likelihood=fit.log_likelihood,
        n=round(fit.n),
        converged=True,
    )


def _demand_slopes(fit: DemandFit | ChoiceFit, name: str) -> ModelEstimate:
    names, part = fit.names[fit.slopes], fit.slopes
    values, errors = fit.values[part].tolist(), np.sqrt(np.diag(fit.covariance))[part].tolist()
    whole, told = names[0].partition("[")[0], fit.shrunken
    mean, mean_se = (float("nan"), float("nan")) if told is None else (told.mean, told.mean_se)
    return ModelEstimate(
        name=name,
        parameters={whole: mean, **dict(zip(names, values, strict=True))},
        standard_errors={whole: mean_se, **dict(zip(names, errors, strict=True))},
        log_likelihood=float("nan"),
        n=round(fit.n),
        converged=True,
    )


def _offer_model(fit: OfferFit, outcome: str) -> ModelEstimate:
    """One curve's parameters by name: level[segment], price[segment], stratum[name], covariates; see `OfferFit`."""
    start = fit.outcomes.index(outcome) * fit.width
    names = [f"level[{name}]" for name in fit.segments] + [f"price[{name}]" for name in fit.segments]
    names += fit.terms
    part = slice(start, start + fit.width)
    values, errors = fit.values[part], np.sqrt(np.diag(fit.covariance))[part]
    taken = outcome == TAKE_UP
    return ModelEstimate(
        name=outcome,
        parameters=dict(zip(names, values.tolist(), strict=True)),
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        log_likelihood=fit.log_likelihood if taken else float("nan"),  # the others are quasi-likelihoods
        n=int(fit.offers.sum() if taken else fit.told.sum()),
        converged=True,
    )


def _offer_slopes(fit: OfferFit) -> ModelEstimate:
    part = fit.slopes(TAKE_UP)
    names = [f"price[{name}]" for name in fit.segments]
    values, errors = fit.values[part], np.sqrt(np.diag(fit.covariance))[part]
    told = fit.shrunken[TAKE_UP]
    return ModelEstimate(
        name="take_up_shrunken",
        parameters={"price": told.mean, **dict(zip(names, values.tolist(), strict=True))},
        standard_errors={"price": told.mean_se, **dict(zip(names, errors.tolist(), strict=True))},
        log_likelihood=float("nan"),
        n=int(fit.offers.sum()),
        converged=True,
    )
