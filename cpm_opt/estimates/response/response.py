"""What raw tables tell about customers' answers: offers, price points, efforts, panel, trials, acquisitions.

In: `Tables`. Out: `Response`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpm_opt.estimates.lint.doubts import with_known_rows
from cpm_opt.estimates.lint.fits import lint_arms, lint_model, lint_panel
from cpm_opt.estimates.lint.plans import lint_gross_margins, lint_stated, lint_tables, lint_unasked
from cpm_opt.estimates.moves.answers import (
    CHOICES,
    EFFORTS,
    OFFERS,
    PRICE_POINTS,
    Answer,
    answer_choices,
    answer_efforts,
    answer_offers,
    answer_price_points,
    offer_rules,
)
from cpm_opt.estimates.moves.attraction import Attraction, fit_attraction
from cpm_opt.estimates.moves.hazard import Hazard, fit_hazard
from cpm_opt.estimates.moves.moves import Moves, count_moves
from cpm_opt.estimates.moves.panel_design import seen, usable
from cpm_opt.estimates.response.break_even import PriceEffect, price_effects
from cpm_opt.estimates.response.choices import ShareElasticity
from cpm_opt.estimates.response.fitted_curves import FittedCurve, churn_curves
from cpm_opt.estimates.response.offer_effects import accepted_steps
from cpm_opt.estimates.response.offers import OfferFit
from cpm_opt.estimates.response.trials import ArmEffect, arm_effects
from cpm_opt.estimates.settings import ResponseRules, read_rules
from cpm_opt.estimates.value.model_estimate import Lint, ModelEstimate
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

PANEL, TRIALS, ACQUISITIONS = "panel", "trials", "acquisitions"


@dataclass(frozen=True)
class Response:
    """The answers of customers. `models`, like every other model: `take_up` (and `amount`, `revenue`, `loss`),
    `take_up_shrunken` and `take_up_line` from offers, `demand` (and `demand_shrunken`) from price points, `choice` (and
    `choice_shrunken`) from choices, `effort` from efforts (each with the lever's name behind it where there are
    several), `churn` from the panel, `programme PROGRAMME` from trials, `attraction` (and `attraction FIRM`) from
    acquisitions.

    `offers` is the fit before shrinkage, `shrunken` the one after it (None with a single segment). `curves` are to be
    plotted, each with its band; `price_effects` the price steps of the planning tables with their break-even;
    `elasticities` those of shares of choices by all alternatives' prices.
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
    curves: tuple[FittedCurve, ...] = ()
    price_effects: tuple[PriceEffect, ...] = ()
    elasticities: tuple[ShareElasticity, ...] = ()


def respond(tables: Tables, planning: Mapping[str, pd.DataFrame]) -> Response:
    """Everything that offers, panel and trials tell, and doubts about the effects of `planning` tables.

    Raises InputError with what keeps a raw table from being fitted.
    """
    frames = tables.frames
    rules = read_rules(tables.info.estimates)[0]
    own = ResponseRules() if rules is None or rules.response is None else rules.response
    of_tables = (*lint_tables(planning, tables.info), *lint_gross_margins(planning, own))
    doubts = with_known_rows((*of_tables, *lint_unasked(frames, planning, own)), frames)
    found = Response(lint=(*doubts, *lint_stated(own)))
    found = replace(found, price_effects=price_effects(planning, own, _accepted(tables, planning, own)))
    if OFFERS in frames and len(frames[OFFERS]):
        answer, fit, shrunken = answer_offers(frames[OFFERS], offer_rules(own), planning)
        found = replace(_with(found, answer), offers=fit, shrunken=shrunken)
    if PRICE_POINTS in frames and len(frames[PRICE_POINTS]):
        found = _with(found, answer_price_points(frames[PRICE_POINTS], own, planning))
    if CHOICES in frames and len(frames[CHOICES]):
        answer = answer_choices(frames[CHOICES], own, planning)
        found = replace(_with(found, answer), elasticities=answer.elasticities)
    if EFFORTS in frames and len(frames[EFFORTS]):
        found = _with(found, answer_efforts(frames[EFFORTS], own, planning))
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


def _accepted(
    tables: Tables, planning: Mapping[str, pd.DataFrame], rules: ResponseRules
) -> dict[str, dict[tuple[str, str], tuple[float, float]]]:
    """`accepted_steps` of each lever whose effects the offers made; they say nothing of one that is stated."""
    effects, stated = planning.get("effects"), tables.frames.get("effects")
    if OFFERS not in planning or effects is None:
        return {}
    here = set() if stated is None else set(stated["lever"])
    made = set(effects.loc[effects["source"] == "estimated", "lever"]) - here
    return {own.lever: accepted_steps(planning, own) for own in rules.of(OFFERS) if own.lever in made}


def _with(found: Response, answer: Answer) -> Response:
    return replace(
        found,
        models=(*found.models, *answer.models),
        lint=(*found.lint, *answer.lint),
        notes=(*found.notes, *answer.notes),
        curves=(*found.curves, *answer.curves),
    )


def _panel(found: Response, panel: pd.DataFrame, smoothing: float) -> Response:
    hazard, moves = fit_hazard(panel), count_moves(panel, smoothing)
    left = moves.counts[:, -1].sum()
    counted = (
        f"{left:.0f} of them left and {moves.counts.sum() - left:.0f} followed to the next period, between "
        f"{len(moves.segments)} segments"
    )
    note = f"panel: {panel['customer'].nunique()} customers, {len(panel)} rows, {counted}; {seen(panel)}"
    blank = int((~usable(panel)).sum())
    dropped = (
        f"panel: {blank} rows in which price or tenure is blank are left out of models of leaving and moves"
    )
    return replace(
        found,
        models=(*found.models, hazard.model),
        lint=(*found.lint, *lint_panel(panel), *lint_model(hazard.model, PANEL)),
        notes=(*found.notes, note, *([dropped] if blank else [])),
        hazard=hazard,
        curves=(*found.curves, *churn_curves(hazard, panel)),
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
        lint += [*lint_arms(own), *lint_model(model, TRIALS)]
    return replace(found, models=(*found.models, *models), lint=(*found.lint, *lint), arms=arms)
