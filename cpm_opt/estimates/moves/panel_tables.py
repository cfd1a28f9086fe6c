"""Tables migration and migration_effects from a raw panel, where they are not stated.

In: the frames of an instance, `[estimates.response]`. Out: `PanelTables`, checked frames with what they rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.estimates.lint.doubts import REMEDIES, as_warning
from cpm_opt.estimates.moves.hazard import fit_hazard
from cpm_opt.estimates.moves.move_doubts import (
    base_doubts,
    half_told,
    impossible_combinations,
    last_period_doubts,
    repeated_doubts,
    smoothing_doubts,
    unseen,
    untold,
)
from cpm_opt.estimates.moves.move_effects import MoveEffects, Rates, leaving_rates, logit_rates, move_effects
from cpm_opt.estimates.moves.moves import Moves, count_moves
from cpm_opt.estimates.moves.panel_design import design_of, usable
from cpm_opt.estimates.moves.transitions import Transitions, fit_transitions
from cpm_opt.estimates.response.lever_effects import added
from cpm_opt.estimates.response.lever_terms import LeverTerms, read_terms
from cpm_opt.estimates.settings import ResponseRules
from cpm_opt.estimates.value.model_estimate import ModelEstimate
from cpm_opt.faults import Fault, InputError, shown
from cpm_opt.tables import Tables, check_frame

if TYPE_CHECKING:
    import pandas as pd

PANEL, MIGRATION, EFFECTS = "panel", "migration", "migration_effects"
ELSEWHERE = ("prospect", "lost")


@dataclass(frozen=True)
class PanelTables:
    """`frames`: those of migration and migration_effects that the panel tells; `faults` are warnings; `models` are the
    logits of moves (that of leaving is fitted with the other answers); `effects` is None without levers, and `counted`
    where migration is not made by counts."""

    frames: Mapping[str, pd.DataFrame]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    models: tuple[ModelEstimate, ...] = ()
    effects: MoveEffects | None = None
    counted: Moves | None = None


def tables_from_panel(
    tables: Tables, frames: Mapping[str, pd.DataFrame], rules: ResponseRules
) -> PanelTables | None:
    """What the panel tells of the tables that `frames` lack; None where they lack none. Where its segments are not
    those of the plan, and nothing in `[estimates.response]` asks for migration, that is told and nothing is made.

    A lever that table migration_effects has rows of stands as it is. The panel has to hold every
    segment of kind active, and no unknown one. Segments of kind prospect or lost that it does not hold stay where they
    are, unless another table says more. Raises InputError with every fault.
    """
    panel, segments, there = frames[PANEL], frames["segments"], MIGRATION in frames
    levers = tuple(own for own in rules.of(PANEL) if not _stated(frames, own.lever))
    if there and not levers:
        return None
    wrong = _segment_faults(panel, segments)
    if wrong and (levers or {"migration", "smoothing"} & rules.model_fields_set):
        raise InputError(wrong)
    if wrong:
        unmade = "so table migration is not made of the panel"
        wrong = [replace(fault, message=f"{fault.message}, {unmade}", warning=True) for fault in wrong]
        return PanelTables({}, tuple(wrong))
    by_logit = rules.migration == "logit"
    moves = count_moves(panel, rules.smoothing)
    # The rows that migration rests on.
    counted = count_moves(panel, only=usable(panel)) if by_logit else moves
    if counted.untold and (by_logit or not there):
        raise InputError([_nobody_followed(name, counted, by_logit, panel) for name in counted.untold])
    fit = _fitted(panel, bool(levers)) if by_logit else None
    terms = LeverTerms({}, ())
    faults: tuple[Fault, ...] = ()
    if levers:
        used = panel[usable(panel)]
        terms, faults = read_terms(levers, frames, design_of(used), used)
    curve = _curve(panel, moves, fit, terms, frames.get(MIGRATION))
    effects = None if curve is None else move_effects(curve, terms)
    found: dict[str, pd.DataFrame] = {}
    told = list(faults)
    if not there:
        made = moves.frame() if fit is None or effects is None else _base_frame(effects)
        made, doubts = _known_errors(made, counted)
        told += doubts
        told += [*smoothing_doubts(moves), *repeated_doubts(panel)] if fit is None else []
        found[MIGRATION], wrong = check_frame(MIGRATION, _with_others(made, segments, panel), tables.info)
        told += _warnings(wrong)
    if effects is not None and effects.entries:
        _refuse_unmoved(effects)
        # Rows of other levers, stated or from other raw tables, stand before them.
        if rows := tuple(effects_rows(effects)):
            found[EFFECTS], wrong = added(tables, frames.get(EFFECTS), EFFECTS, rows)
            told += _warnings(wrong)
            told += impossible_combinations(found.get(MIGRATION, frames.get(MIGRATION)), found[EFFECTS])
        told += [*untold(effects), *half_told(terms, frames)]
        told += unseen(effects, panel[usable(panel)]) if fit is None else []
        told += base_doubts(moves, effects) if fit is None and not there else []
    told += last_period_doubts(panel)
    told += [] if fit is None else [as_warning(lint) for lint in fit.lint]
    models = () if fit is None else tuple(origin.model for origin in fit.origins)
    notes = _notes(rules, found, effects, fit)
    by_counts = moves if fit is None and not there else None
    return PanelTables(found, tuple(told), notes, models, effects, by_counts)


def effects_rows(effects: MoveEffects) -> list[dict[str, Any]]:
    """Rows of table migration_effects: from, to, lever, option, rate, when, source, se; a change of 0 has none."""
    names = effects.curve.segments
    return [
        {
            "from": source,
            "to": target,
            "lever": option.lever,
            "option": option.option,
            "rate": float(effects.changes[e, s, k]),
            "when": when,
            "source": "estimated",
            "se": float(effects.se[e, s, k]),
        }
        for e, (option, when) in enumerate(effects.entries)
        for s, source in enumerate(names)
        for k, target in enumerate(names)
        if effects.changes[e, s, k] != 0.0
    ]


def _refuse_unmoved(effects: MoveEffects) -> None:
    """Raises InputError with each lever all of whose options are the base: a price lever without price changes."""
    faults = []
    for lever in effects.terms.levers:
        own = [option for option, _ in effects.entries if option.lever == lever]
        at = [{**option.in_force, **option.on_change} for option in own]
        if own and all(
            effects.terms.base[name] == value for setting in at for name, value in setting.items()
        ):
            message = f"no option of lever {lever} has a price other than the base's, so it moves nobody"
            remedy = "write price_change, such as 0.1, or name prices under options of the lever"
            faults.append(Fault("options", message, remedy, column="price_change", code="no-step"))
    if faults:
        raise InputError(faults)


def _base_frame(effects: MoveEffects) -> pd.DataFrame:
    import pandas as pd

    names = effects.curve.segments
    rows = [
        {"from": source, "to": target, "rate": effects.base[s, k], "se": effects.base_se[s, k]}
        for s, source in enumerate(names)
        for k, target in enumerate(names)
        if effects.base[s, k] > 0.0
    ]
    return pd.DataFrame(rows, columns=["from", "to", "rate", "se"])


def _segment_faults(panel: pd.DataFrame, segments: pd.DataFrame) -> list[Fault]:
    seen, planned = set(panel["segment"]), set(segments["segment"])
    active = set(segments.loc[~segments["kind"].isin(ELSEWHERE), "segment"])
    remedy = "use the same segments in both tables"
    return [
        *(
            Fault(PANEL, f"segment {shown(name)} is none of table segments", remedy, column="segment",
                  value=name, code="segments-differ")
            for name in sorted(seen - planned)
        ),
        *(
            Fault(PANEL, f"nobody is in segment {shown(name)} of table segments", remedy, column="segment",
                  value=name, code="segments-differ")
            for name in sorted(active - seen)
        ),
    ]  # fmt: skip


def _nobody_followed(name: str, moves: Moves, by_logit: bool, panel: pd.DataFrame) -> Fault:
    message = f"nobody who stayed in segment {shown(name)} has a row in the next period, so where they go is not known"
    remedy = "add their next rows, or state table migration"
    if by_logit:
        remedy += ' and leave migration = "logit" out'
    elif moves.counts[
        :, moves.segments.index(name)
    ].any():  # smoothing needs somebody who stayed there, or came
        remedy = "add their next rows, state table migration, or write smoothing in [estimates.response]"
    if panel["period"].nunique() > 1 and (np.diff(np.unique(panel["period"])) > 1).all():
        remedy = "number periods one after the other, such as 1, 2, 3"
    return Fault(PANEL, message, remedy, column="segment", value=name, code="thin-cell")


def _fitted(panel: pd.DataFrame, levers: bool) -> Transitions:
    """The logits of moves; a segment without one is a fault, because the plan needs its moves."""
    fit = fit_transitions(panel)
    # Levers need a curve with counts too, which what tells a destination perfectly leaves without a maximum as well.
    stated = "state the effects of levers and " if levers else ""
    faults = [
        Fault(
            PANEL,
            f"moves from segment {shown(origin.segment)} cannot be fitted: {origin.model.message}",
            f'join segments or levels, or {stated}write migration = "counts"',
            column="segment",
            code="not-converged",
        )
        for origin in fit.failed
    ]
    if faults:
        raise InputError(faults)
    return fit


def _curve(
    panel: pd.DataFrame,
    moves: Moves,
    fit: Transitions | None,
    terms: LeverTerms,
    given: pd.DataFrame | None,
) -> Rates | None:
    """The curve on which the options stand; None where moves are counted and no lever is asked for."""
    if fit is not None:
        return logit_rates(fit, panel, terms.base)
    if not terms.options:
        return None
    hazard = fit_hazard(panel)
    if not hazard.model.converged:
        message = f"what levers do to leaving cannot be fitted: {hazard.model.message}"
        raise InputError([Fault(PANEL, message, "join segments or levels, or state the effects", column="left",
                                code="not-converged")])  # fmt: skip
    rates = moves.rates[:, :-1]
    if given is not None:
        place = {name: k for k, name in enumerate(moves.segments)}
        rates = np.zeros_like(rates)
        for row in given.to_dict("records"):
            if row["from"] in place and row["to"] in place:
                rates[place[row["from"]], place[row["to"]]] = row["rate"]
    total = rates.sum(axis=1, keepdims=True)
    stay = np.eye(len(rates))
    shares = np.where(total > 0, np.divide(rates, total, out=np.zeros_like(rates), where=total > 0), stay)
    return leaving_rates(hazard, panel, shares, terms.base)


def _known_errors(made: pd.DataFrame, moves: Moves) -> tuple[pd.DataFrame, list[Fault]]:
    """Without the errors of 0: where all customers of a segment did one and the same, none is known."""
    sure = made["se"] <= 0.0
    rows = dict(zip(moves.segments, moves.at_risk, strict=True))
    followed = dict(zip(moves.segments, moves.counts[:, :-1].sum(axis=1), strict=True))
    told = [
        _warning(
            "no-error",
            "segment",
            f"all of {rows[name]:.0f} rows of segment {shown(name)} stayed, and all {followed[name]:.0f} that were "
            "followed moved alike, so no standard error of its moves is known; leaving of up to "
            f"{_three(rows[name])} and other moves of up to {_three(followed[name])} fit that as well",
        )
        for name in made.loc[sure, "from"]
    ]
    return made.assign(se=made["se"].where(~sure)), told


def _three(size: float) -> str:
    """The upper end of a 95 % interval of a rate that was never seen in so many rows (the rule of three)."""
    return f"{min(1.0, 3.0 / size):.2g}" if size else "1"


def _with_others(moves: pd.DataFrame, segments: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """Prospects and lost customers whom the panel does not hold stay where they are."""
    import pandas as pd

    others = [name for name in segments["segment"] if name not in set(panel["segment"])]
    stay = pd.DataFrame({"from": others, "to": others, "rate": 1.0, "se": np.nan})
    return pd.concat([moves, stay], ignore_index=True) if others else moves


def _warnings(faults: list[Fault]) -> list[Fault]:
    """The faults, where all are warnings. Raises InputError with the others."""
    wrong = [fault for fault in faults if not fault.warning]
    if wrong:
        raise InputError(wrong)
    return faults


def _stated(frames: Mapping[str, pd.DataFrame], lever: str) -> bool:
    """Whether table migration_effects has rows of the lever already, which stand then."""
    return EFFECTS in frames and bool((frames[EFFECTS]["lever"] == lever).any())


def _notes(
    rules: ResponseRules,
    found: Mapping[str, pd.DataFrame],
    effects: MoveEffects | None,
    fit: Transitions | None,
) -> tuple[str, ...]:
    notes = []
    if MIGRATION in found:
        notes.append(
            f"migration: moves of the panel, smoothed with {rules.smoothing:g} customers' worth of the whole"
            if fit is None
            else "migration: multinomial logits of the panel's moves, at the base of every lever"
        )
    if effects is not None and EFFECTS in found:
        how = "logits of moves" if fit is not None else "the hazard of leaving, spread over where stayers go"
        off = effects.additivity
        notes.append(f"migration_effects: {how}, on the curve, mean over the panel's customers of a segment")
        if off.count:
            notes.append(
                f"effects of several levers added up are off the joint curve by {off.largest:.2g} at most "
                f"({off.where or 'nowhere'}) and {off.mean:.2g} on average, in rates, over {off.count} combinations"
            )
        if off.between:
            notes.append(
                f"effects on_change are those of a change from the base; from other options they are off by up to "
                f"{off.between:.2g}"
            )
    return tuple(notes)


def _warning(code: str, column: str, message: str) -> Fault:
    return Fault(PANEL, message, REMEDIES[code], column=column, code=code, warning=True)
