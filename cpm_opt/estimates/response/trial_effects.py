"""Effects of a lever whose options are the arms of a randomised campaign.

In: table trials and the options of the lever. Out: `LeverRows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cpm_opt.estimates.lint.fits import lint_arms
from cpm_opt.estimates.response.lever_rows import (
    RETENTION,
    LeverRows,
    check_measure,
    effect_row,
    options_of,
    plan_segments,
    refused,
    without_data,
)
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.trials import CONTROL, ArmEffect, arm_effects
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

TABLE = "trials"


def trial_rows(tables: Tables, frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> LeverRows:
    """The effect of each option's arm (of that name, or as `rules.options` says) against that of the base, by segment.

    The arm of the base is the control, where neither its name nor `rules.options` says another.
    Measure `retention` (the outcome is 1 for stayed, 0 for left) makes rows of migration_effects from a segment to
    itself; where table migration has it lose customers to one lost segment alone, the same is taken from that move.
    Other measures make rows of effects, `value` times the effect.
    """
    own = options_of(frames, rules, TABLE)
    check_measure(tables, rules)
    trials = frames[TABLE]
    programme = _programme(trials, rules)
    trials = trials[trials["programme"] == programme]
    against = arm_of_base(own, trials, rules)
    _refuse_without(against, trials, rules, programme)
    if rules.measure == RETENTION:
        _refuse_no_retention(trials, rules)
    arms = arm_effects(trials, against)
    found = {(arm.arm, arm.segment): arm for arm in arms}
    segments = plan_segments(frames, rules, TABLE)
    effects: list[dict[str, Any]] = []
    moves: list[dict[str, Any]] = []
    missing: dict[str, None] = {}
    for option, base in zip(own["option"], own["base"], strict=True):
        arm = str(rules.options.get(str(option), option))
        if base:
            continue
        known = sorted({name for name, _ in found})
        if arm not in known:
            beside = "its control" if against == CONTROL else f"arm {against} of the base"
            message = (
                f"option {option} is arm {arm}, which programme {programme} does not hold beside {beside}"
            )
            raise refused(rules, "options", message, did_you_mean(arm, known), arm)
        for segment in map(str, segments["segment"]):
            effect = found.get((arm, segment), found.get((arm, "")))
            if effect is None:
                missing[segment] = None
            elif rules.measure == RETENTION:
                moves += _moves(rules, segment, str(option), effect, frames)
            else:
                effects.append(effect_row(rules, segment, str(option), effect.effect, effect.se))
    notes = without_data(rules, list(missing), TABLE)
    return LeverRows(tuple(effects), tuple(moves), notes, doubts=lint_arms(arms))


def arm_of_base(options: pd.DataFrame, trials: pd.DataFrame, rules: LeverRules) -> str:
    """The arm against which the options of a lever stand: that of its base, or the control."""
    known = sorted({str(name) for name in trials["arm"]})
    base = next(
        (str(o) for o, is_base in zip(options["option"], options["base"], strict=True) if is_base), ""
    )
    if base in rules.options:
        stated = str(rules.options[base])
        if stated not in known:
            message = f"option {base}, the base, is arm {stated}, which the programme does not hold"
            raise refused(rules, "options", message, did_you_mean(stated, known), stated)
        return stated
    return base if base in known else CONTROL


def _refuse_without(against: str, trials: pd.DataFrame, rules: LeverRules, programme: str) -> None:
    arms = sorted({str(name) for name in trials["arm"]})
    if against not in arms:
        message = f"programme {programme} has no arm {against} (it holds {', '.join(arms[:5])}), so no effect is known"
        remedy = f"name the arm {against} of those who got nothing, or leave lever {rules.lever} out"
        raise InputError([Fault(TABLE, message, remedy, column="arm", code="no-control")])


def _refuse_no_retention(trials: pd.DataFrame, rules: LeverRules) -> None:
    """A share of customers who stay comes of outcomes 0 and 1 alone, and is no amount that a value could turn into
    another."""
    if "value" in rules.model_fields_set:
        message = "says nothing for measure retention, which is the change of a rate"
        raise refused(rules, "value", message, "leave it out", rules.value)
    wrong = trials[~trials["outcome"].isin((0.0, 1.0))]
    if len(wrong):
        others = f", and so are {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = (
            f"is neither 1 (stayed) nor 0 (left), as measure retention of lever {rules.lever} needs{others}"
        )
        remedy = "write 1 or 0, or name the measure that the outcome is, such as margin"
        row, value = int(wrong["line"].iloc[0]), f"{wrong['outcome'].iloc[0]:g}"
        fault = Fault(TABLE, message, remedy, row=row, column="outcome", value=value, code="no-retention")
        raise InputError([fault])


def _programme(trials: pd.DataFrame, rules: LeverRules) -> str:
    known = sorted({str(name) for name in trials["programme"]})
    if rules.programme is None and len(known) == 1:
        return known[0]
    if rules.programme not in known:
        message = (
            "is no programme of table trials" if rules.programme else "is missing, and trials holds several"
        )
        raise refused(
            rules, "programme", message, did_you_mean(rules.programme or "", known), rules.programme
        )
    return rules.programme


def _moves(
    rules: LeverRules, segment: str, option: str, effect: ArmEffect, frames: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    """The change of the rate of staying, and its counterpart where there is one."""
    row = {"from": segment, "lever": rules.lever, "option": option, "when": "in_force", "source": "estimated"}
    made = [{**row, "to": segment, "rate": effect.effect, "se": effect.se}]
    migration, segments = frames.get("migration"), frames["segments"]
    if migration is not None:
        lost = set(segments.loc[segments["kind"] == "lost", "segment"])
        leads = [to for to in migration.loc[migration["from"] == segment, "to"] if to in lost]
        if len(leads) == 1:
            made.append({**row, "to": leads[0], "rate": -effect.effect, "se": effect.se})
    return made
