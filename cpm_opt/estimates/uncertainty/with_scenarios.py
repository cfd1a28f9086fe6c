"""Table scenarios from whatever was estimated, where it is not stated and `[estimates.scenarios]` asks for it.

In: `Tables`, the frames and what they rest on. Out: the checked frame, with doubts and notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.moves.answer_rules import AcquisitionRules, ScenarioRules
from cpm_opt.estimates.moves.panel_tables import PanelTables
from cpm_opt.estimates.response.lever_rows import RETENTION
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.settings import EstimateRules, ResponseRules, rule_fault
from cpm_opt.estimates.uncertainty.draws import Draws, joined
from cpm_opt.estimates.uncertainty.estimate_scenarios import Reduced, scenario_table
from cpm_opt.estimates.uncertainty.move_draws import move_draws
from cpm_opt.estimates.uncertainty.possible_rates import possible
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables, check_frame

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.estimates.segments.chain import Chain

SCENARIOS = "scenarios"
FAR = 0.02  # of an estimate, from which the mean of the scenarios is said to be off it


@dataclass(frozen=True)
class ScenarioTable:
    """The `frame`, `faults` that are warnings, and `notes`; `reduced` is what it was made from."""

    frame: pd.DataFrame
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    reduced: Reduced


def scenarios_of(
    tables: Tables,
    frames: Mapping[str, pd.DataFrame],
    moved: PanelTables | None,
    chain: Chain | None,
    whole: EstimateRules,
) -> ScenarioTable:
    """Scenarios of the estimates that have a joint distribution: margins and end values from a ledger, moves from a
    panel, margins and effects from offers, effects of levers from price points, choices, efforts and trials, the mix of
    new customers.

    Each has draws of its own, independent of the others'. Raises InputError where nothing of the kind was estimated.
    """
    rules = whole.scenarios or ScenarioRules()
    parts = _parts(tables, frames, moved, chain, whole)
    if not parts:
        message = "asks for scenarios, and nothing was estimated whose errors are known together"
        remedy = "estimate effects from table offers or panel, or leave it out"
        raise InputError([rule_fault("scenarios", message, remedy)])
    draws = joined(parts)
    tables_of = (frames.get("migration"), frames.get("migration_effects"))
    sound = bool(possible(*tables_of, draws, np.ones((1, len(draws.keys))))[0])
    kept = (
        possible(*tables_of, draws, draws.factors) if sound else np.ones(len(draws.factors), dtype=np.bool_)
    )
    if kept.sum() < rules.number:
        message = (
            f"only {kept.sum()} of {rules.draws} draws keep rates in 0 to 1 with every combination of options"
        )
        remedy = "ask for fewer scenarios, or join the levers that together make impossible rates into one"
        raise InputError([rule_fault("scenarios.number", message, remedy, rules.number)])
    usable = draws.only(kept)
    reduced = scenario_table(
        usable, rules, lambda factors: possible(*tables_of, draws, factors) | (not sound), draws
    )
    frame, faults = check_frame(SCENARIOS, reduced.frame, tables.info)
    wrong = [fault for fault in faults if not fault.warning]
    if wrong:
        raise InputError(wrong)
    told = [*faults, *_lost(draws), *_left_out(kept, reduced, rules)]
    return ScenarioTable(frame, tuple(told), _notes(usable, reduced, rules), reduced)


def _parts(
    tables: Tables,
    frames: Mapping[str, pd.DataFrame],
    moved: PanelTables | None,
    chain: Chain | None,
    whole: EstimateRules,
) -> tuple[Draws, ...]:
    parts: list[Draws] = []
    rules, response = whole.scenarios or ScenarioRules(), whole.response or ResponseRules()
    if chain is not None and "segments" not in tables.frames:
        from cpm_opt.estimates.uncertainty.chain_draws import chain_draws

        of_chain = chain_draws(chain, frames["segments"], whole.value, rules.draws, (rules.seed, 5))
        parts += [] if of_chain is None else [of_chain]
    if moved is not None and moved.effects is not None:
        with_base = "migration" in moved.frames
        if with_base or moved.effects.entries:
            parts.append(
                move_draws(
                    moved.effects, frames["segments"], rules.draws, (rules.seed, 1), with_base, moved.counted
                )
            )
    for place, lever in enumerate(response.of("offers")):
        if "offers" in frames and _estimated(tables, lever):
            parts.append(_of_offers(tables, frames, lever, rules, place))
    for place, lever in enumerate(response.levers):
        if lever.source in ("price_points", "choices", "efforts", "trials") and _estimated(tables, lever):
            from cpm_opt.estimates.uncertainty.lever_draws import lever_draws

            found = lever_draws(frames, lever, rules.draws, (rules.seed, 3, place))
            parts += [] if found is None else [found]
    return (*parts, *_of_new_customers(tables, frames, response, whole.acquisition, rules))


def _of_offers(
    tables: Tables, frames: Mapping[str, pd.DataFrame], lever: LeverRules, rules: ScenarioRules, place: int
) -> Draws:
    from cpm_opt.estimates.response.offer_effects import MEASURES, offer_curves
    from cpm_opt.estimates.uncertainty.offer_draws import offer_draws

    fit, plan = offer_curves(frames, lever)
    measures = ("margin", "revenue", *(name for name in MEASURES if name in tables.info.measures))
    options = frames["options"][frames["options"]["lever"] == lever.lever]["option"].tolist()
    with_segments = "segments" not in tables.frames and place == 0
    return offer_draws(fit, plan, options, measures, rules.draws, (rules.seed, 2, place), with_segments)


def _of_new_customers(
    tables: Tables,
    frames: Mapping[str, pd.DataFrame],
    response: ResponseRules,
    own: AcquisitionRules | None,
    rules: ScenarioRules,
) -> tuple[Draws, ...]:
    if own is None or "acquisitions" not in frames:
        return ()
    made = "arrivals" if own.prospects is None else "migration"
    if made in tables.frames:
        return ()
    from cpm_opt.estimates.moves.acquisition import mix_draws

    found = mix_draws(frames, response, own, rules.draws, (rules.seed, 4))
    return () if found is None else (found,)


def _estimated(tables: Tables, lever: LeverRules) -> bool:
    """Whether no stated table has the lever's effects."""
    table = tables.frames.get("migration_effects" if lever.measure == RETENTION else "effects")
    return table is None or not bool((table["lever"] == lever.lever).any())


def _lost(draws: Draws) -> list[Fault]:
    """What is estimated as 0 is not uncertain in the scenarios, because a factor leaves 0 what it is."""
    remedy = "state scenarios of your own"
    return [
        _warning("no-factor", f"{name} is estimated as 0, so no factor of a scenario moves it", remedy)
        for name in draws.lost
    ]


def _left_out(kept: NDArray[np.bool_], reduced: Reduced, rules: ScenarioRules) -> list[Fault]:
    """What the bounds of rates, 0 and 1, do to the draws."""
    told = []
    if not kept.all():
        told.append(
            f"{int((~kept).sum())} of {len(kept)} draws make a rate below 0 or above 1 with some combination of "
            "options and are left out"
        )
    if rules.spread == "matched" and reduced.stretch < 1.0:
        told.append(
            "stretched to the spread of all draws, factors would make a rate below 0 or above 1, so "
            + (
                f"they have {reduced.stretch:.0%} of it"
                if reduced.matched
                else "each scenario is a draw as it is"
            )
        )
    low, high = reduced.mean
    if told and not reduced.matched and max(abs(low - 1.0), abs(high - 1.0)) > FAR:
        told.append(
            f"the mean of factors over the scenarios lies between {low:.3g} and {high:.3g}, where the estimate is 1: "
            "scenarios lie to one side of the estimates"
        )
    remedy = "the spread is too small; join the levers that together make such rates into one"
    return [_warning("impossible-draws", message, remedy) for message in told]


def _warning(code: str, message: str, remedy: str) -> Fault:
    return Fault(SCENARIOS, message, remedy, column="factor", code=code, warning=True)


def _notes(draws: Draws, reduced: Reduced, rules: ScenarioRules) -> tuple[str, ...]:
    spread, off = reduced.spread, reduced.off
    notes = [
        f"scenarios: {len(reduced.kept)} of {rules.draws} draws with seed {rules.seed}; by themselves they keep "
        f"{spread[0]:.0%} of the draws' standard deviation in money (median; least {spread[1]:.0%}), and their mean is "
        f"{off[0]:.2f} of it away (at most {off[1]:.2f})"
        + (
            f"; factors are moved to all draws' mean and {reduced.stretch:.0%} of their spread"
            * reduced.matched
        )
        + f"; mean factors are {reduced.mean[0]:.3g} to {reduced.mean[1]:.3g}, the estimate being 1"
    ]
    if draws.missed > 0:
        notes.append(
            "scenarios: one factor stands for all moves of a segment under an option; it misses a draw's rate by "
            f"{draws.missed:.2g} (root mean square)"
        )
    if draws.uneven:
        notes.append(
            "scenarios: one factor stands for all moves from a segment and varies as staying with the firm does, so "
            f"that where stayers go is taken as certain; rates vary {'; '.join(draws.uneven)}"
        )
    return tuple(notes)
