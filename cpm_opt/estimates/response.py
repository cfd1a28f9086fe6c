"""What raw tables tell about customers' answers: offers, panel, trials, acquisitions.

In: `Tables`. Out: `Response`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.estimates.attraction import Attraction, fit_attraction
from cpm_opt.estimates.estimate_lint import lint_model, lint_offers, lint_panel, lint_tables
from cpm_opt.estimates.hazard import Hazard, fit_hazard
from cpm_opt.estimates.model_estimate import Lint, ModelEstimate
from cpm_opt.estimates.moves import Moves, count_moves
from cpm_opt.estimates.offer_effects import usable_offers
from cpm_opt.estimates.offers import TAKE_UP, OfferFit, acceptance_line, fit_offers, shrink_slopes
from cpm_opt.estimates.settings import ResponseRules, read_rules
from cpm_opt.estimates.trials import ArmEffect, arm_effects
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

OFFERS, PANEL, TRIALS, ACQUISITIONS = "offers", "panel", "trials", "acquisitions"


@dataclass(frozen=True)
class Response:
    """The answers of customers. `models`, like every other model: `take_up` (and `amount`, `revenue`, `loss`),
    `take_up_shrunken` and `take_up_line` from offers, `churn` from the panel, `programme PROGRAMME` from trials,
    `attraction` (and `attraction FIRM`) from acquisitions.

    `offers` is the fit before shrinkage, `shrunken` the one after it (None with a single segment).
    """

    models: tuple[ModelEstimate, ...] = ()
    lint: tuple[Lint, ...] = ()
    notes: tuple[str, ...] = ()
    offers: OfferFit | None = None
    shrunken: OfferFit | None = None
    hazard: Hazard | None = None
    moves: Moves | None = None
    arms: tuple[ArmEffect, ...] = ()
    attraction: tuple[Attraction, ...] = ()


def respond(tables: Tables, planning: Mapping[str, pd.DataFrame]) -> Response:
    """Everything that offers, panel and trials tell, and doubts about the effects of `planning` tables.

    Raises InputError with what keeps a raw table from being fitted.
    """
    frames = tables.frames
    rules = read_rules(tables.info.estimates)[0]
    own = ResponseRules() if rules is None or rules.response is None else rules.response
    found = Response(lint=lint_tables(planning))
    if OFFERS in frames and len(frames[OFFERS]):
        found = _offers(found, frames[OFFERS], planned_prices(planning, own))
    if PANEL in frames and len(frames[PANEL]):
        found = _panel(found, frames[PANEL], own.smoothing)
    if TRIALS in frames and len(frames[TRIALS]):
        found = _trials(found, frames[TRIALS])
    if ACQUISITIONS in frames and len(frames[ACQUISITIONS]):
        attraction = fit_attraction(frames[ACQUISITIONS])
        models = tuple(fit.model for fit in attraction)
        lint = tuple(doubt for model in models for doubt in lint_model(model, ACQUISITIONS))
        found = replace(
            found, models=(*found.models, *models), lint=(*found.lint, *lint), attraction=attraction
        )
    return found


def planned_prices(planning: Mapping[str, pd.DataFrame], rules: ResponseRules) -> dict[str, list[float]]:
    """By segment, the prices of the options of `rules.lever` that it is offered; empty where that is not stated."""
    options, effects, segments = (planning.get(name) for name in ("options", "effects", "segments"))
    if rules.lever is None or rules.base_price is None or options is None or segments is None:
        return {}
    own = options[options["lever"] == rules.lever]
    refused = set()
    if effects is not None:
        off = effects[(effects["lever"] == rules.lever) & ~effects["offered"]]
        refused = set(zip(off["segment"], off["option"], strict=True))
    return {
        str(segment): [
            rules.base_price * (1.0 + float(change))
            for option, change in zip(own["option"], own["price_change"], strict=True)
            if (segment, option) not in refused
        ]
        for segment in segments["segment"]
    }


def _offers(found: Response, offers: pd.DataFrame, planned: Mapping[str, list[float]]) -> Response:
    used = usable_offers(offers)
    fit = fit_offers(used)
    several = len(fit.segments) > 1
    shrunken = shrink_slopes(fit) if several else None
    models = [_curve(fit, outcome, used) for outcome in fit.outcomes]
    if shrunken is not None:
        models.append(_slopes(shrunken))
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
    left_out = len(offers) - len(used)
    notes = [
        f"offers: {ranges}",
        *([f"offers above the standard price left out: {left_out}"] if left_out else []),
    ]
    return replace(
        found,
        models=(*found.models, *models),
        lint=(*found.lint, *lint_offers(fit, planned)),
        notes=(*found.notes, *notes),
        offers=fit,
        shrunken=shrunken,
    )


def _curve(fit: OfferFit, outcome: str, offers: pd.DataFrame) -> ModelEstimate:
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
        n=len(offers) if taken else int(fit.accepted.sum()),
        converged=True,
    )


def _slopes(fit: OfferFit) -> ModelEstimate:
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


def _panel(found: Response, panel: pd.DataFrame, smoothing: float) -> Response:
    hazard, moves = fit_hazard(panel), count_moves(panel, smoothing)
    counted = f"{moves.counts.sum():.0f} moves between {len(moves.segments)} segments and out"
    note = f"panel: {panel['customer'].nunique()} customers, {len(panel)} rows, {counted}"
    return replace(
        found,
        models=(*found.models, hazard.model),
        lint=(*found.lint, *lint_panel(panel), *lint_model(hazard.model, PANEL)),
        notes=(*found.notes, note),
        hazard=hazard,
        moves=moves,
    )


def _trials(found: Response, trials: pd.DataFrame) -> Response:
    arms = arm_effects(trials)
    models, lint = [], []
    for programme in sorted(trials["programme"].unique()):
        own = [arm for arm in arms if arm.programme == programme]
        if not own:
            text = f"programme {programme} has no arm that can be set against arm control"
            lint.append(Lint("no-control", TRIALS, "arm", text))
            continue
        names = [f"{arm.arm}[{arm.segment}]" if arm.segment else arm.arm for arm in own]
        model = ModelEstimate(
            name=f"programme {programme}",
            parameters=dict(zip(names, (arm.effect for arm in own), strict=True)),
            standard_errors=dict(zip(names, (arm.se for arm in own), strict=True)),
            log_likelihood=float("nan"),
            n=int((trials["programme"] == programme).sum()),
            converged=True,
        )
        models.append(model)
        lint += lint_model(model, TRIALS)
    return replace(found, models=(*found.models, *models), lint=(*found.lint, *lint), arms=arms)
