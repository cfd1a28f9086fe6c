"""Doubts about estimated moves: combinations that make an impossible rate, what the data do not tell, a base that
counts and curve tell apart. Told as warnings, and never repaired.

In: tables migration and migration_effects, or `MoveEffects`. Out: `Fault`s that are warnings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.estimates.moves.move_effects import IN_FORCE, MoveEffects
from cpm_opt.estimates.moves.moves import Moves, count_moves, destinations
from cpm_opt.estimates.response.lever_terms import CHANGE, PRICE, LeverTerms
from cpm_opt.faults import Fault, shown

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-9
CERTAIN = 2.0  # standard errors
UNLIKELY = 1e-3
CUSTOMERS = 40  # with fewer, errors summed by customer say little
LOYAL = 0.25  # so much larger errors are no chance with as many customers


def impossible_combinations(migration: pd.DataFrame | None, effects: pd.DataFrame) -> list[Fault]:
    """Each move, and each segment's sum, that the strongest options together bring below 0 or above 1, with the
    combination. Without `migration` everybody stays."""
    base: dict[str, dict[str, float]] = {}
    for row in [] if migration is None else migration.to_dict("records"):
        base.setdefault(row["from"], {})[row["to"]] = float(row["rate"])
    told = []
    for source, own in effects.groupby("from", sort=True):
        name = str(source)
        start = base.get(name, {}) if migration is not None else {name: 1.0}
        for target, rows in own.groupby("to", sort=True):
            what = f"the rate from segment {shown(name)} to {shown(str(target))}"
            told += _beyond(what, start.get(str(target), 0.0), rows, True)
        told += _beyond(f"the sum of rates from segment {shown(name)}", sum(start.values()), own, False)
    return told


def _beyond(what: str, start: float, rows: pd.DataFrame, floor: bool) -> list[Fault]:
    low, high, least, most = start, start, [], []
    for lever, own in rows.groupby("lever", sort=True):
        sums: list[tuple[float, str]] = [(0.0, "")]
        for option, each in own.groupby("option", sort=True):
            standing = float(each.loc[each["when"] == IN_FORCE, "rate"].sum())
            sums.append((standing, f"{lever}={option}"))
            sums.append((float(each["rate"].sum()), f"a change to {lever}={option}"))
        down, up = min(sums), max(sums, key=lambda pair: pair[0])
        low, high = low + down[0], high + up[0]
        least += [down[1]] if down[1] else []
        most += [up[1]] if up[1] else []
    told = []
    for reach, names, wrong in (
        (low, least, floor and low < -TOLERANCE),
        (high, most, high > 1.0 + TOLERANCE),
    ):
        if wrong:
            message = f"{what} comes to {reach:.4g} with {' and '.join(names)}"
            remedy = "the plan refuses it: join the options into one lever, or leave one out"
            told.append(Fault("migration_effects", message, remedy, column="rate", code="impossible-combination",
                              warning=True))  # fmt: skip
    return told


def untold(effects: MoveEffects) -> list[Fault]:
    """Options of which a segment's data tell nothing, so that they have no effect there."""
    told = []
    for e, (option, when) in enumerate(effects.entries):
        none = [name for s, name in enumerate(effects.curve.segments) if not effects.told[e, s]]
        if none:
            message = (
                f"{option.lever} {option.option}, {when}: the panel has nobody like that in {', '.join(none)}, so no "
                "effect is written there"
            )
            told.append(Fault("migration_effects", message, "state it, or gather data", column="option",
                              code="thin-cell", warning=True))  # fmt: skip
    return told


def unseen(effects: MoveEffects, panel: pd.DataFrame) -> list[Fault]:
    """Options that nobody of a segment met in the panel, where all segments share their terms: the effect there is what
    other segments tell. A price that never varied in a segment is such an option too."""
    told = []
    for option, when in effects.entries:
        setting = getattr(option, when)
        none = [
            name
            for name, own in panel.groupby("segment", sort=True)
            for column, value in setting.items()
            if (own[column].nunique() <= 1 if column in (PRICE, CHANGE) else not (own[column] == value).any())
        ]
        if none:
            names = ", ".join(dict.fromkeys(map(str, none)))
            message = (
                f"{option.lever} {option.option}, {when}: the panel has nobody like that in {names}, so its effect "
                "there is taken from the other segments"
            )
            told.append(Fault("migration_effects", message, "state it, or gather data", column="option",
                              code="thin-cell", warning=True))  # fmt: skip
    return told


def half_told(terms: LeverTerms, frames: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """Price levers of which the panel tells one half: the answer to a price, or that to its change."""
    told = []
    single = set(frames["levers"].loc[frames["levers"]["choice"] == "single", "lever"])
    for lever in terms.levers:
        own = [option for option in terms.options if option.lever == lever]
        columns = {name for option in own for name in (*option.in_force, *option.on_change)}
        for name, other, lacks in (
            (CHANGE, PRICE, "no effect in the period in which a price comes"),
            (PRICE, CHANGE, "no lasting effect of a price"),
        ):
            if other in columns and name not in columns and (name == PRICE or lever in single):
                message = f"column {name} of table panel never varies, so lever {lever} has {lacks}"
                told.append(Fault("panel", message, "gather data in which it does, or state the effects", column=name,
                                  code="never-varies", warning=True))  # fmt: skip
    return told


def repeated_doubts(panel: pd.DataFrame) -> list[Fault]:
    """Segments whose counted moves have larger errors once rows are summed by customer, because some customers are more
    loyal than others: the errors of counts take what one customer did in several periods for what several did."""
    found, counted = destinations(panel), count_moves(panel)
    names, customer = np.unique(found.rows["customer"].to_numpy().astype(str), return_inverse=True)
    told = []
    for s, segment in enumerate(counted.segments):
        mine, out = found.here == s, len(counted.segments)
        target = found.target[mine]
        followed = (target >= 0) & (target != out)
        if not followed.any():
            continue
        leave, to = counted.rates[s, -1], counted.counts[s, :-1] / followed.sum()
        # What each row adds to the rates: that of leaving of all rows, those of destinations of the followed ones.
        off = ((target == out) - leave)[:, None] / len(target)
        where = (target[:, None] == np.arange(out)) - to
        influence = np.hstack([where * followed[:, None] * (1.0 - leave) / followed.sum() - to * off, off])
        whole = np.zeros((len(names), out + 1))
        np.add.at(whole, customer[mine], influence)
        alone, summed = float((influence**2).sum()), float((whole**2).sum())
        if len(np.unique(customer[mine])) >= CUSTOMERS and summed > (1.0 + LOYAL) ** 2 * alone:
            message = (
                f"errors of moves from segment {shown(segment)} are {np.sqrt(summed / alone):.1f} times as large once "
                "rows are summed by customer: customers of the segment differ in where they go"
            )
            remedy = 'write migration = "logit", whose errors are those, or finer segments'
            told.append(Fault("panel", message, remedy, column="customer", value=segment,
                              code="repeated-customers", warning=True))  # fmt: skip
    return told


def smoothing_doubts(moves: Moves) -> list[Fault]:
    """Segments of which no stayer was followed: smoothing sends them where all followed stayers go."""
    told = []
    for name in moves.by_smoothing:
        s = moves.segments.index(name)
        to = moves.rates[s, :-1] / moves.rates[s, :-1].sum()
        where = ", ".join(
            f"{share:.0%} to {shown(k)}" for k, share in zip(moves.segments, to, strict=True) if share > 0
        )
        message = (
            f"nobody who stayed in segment {shown(name)} has a row in the next period, so they go where stayers of all "
            f"segments together go, {where}: smoothing alone says so"
        )
        remedy = "add their next rows, or state table migration"
        told.append(Fault("panel", message, remedy, column="segment", value=name, code="thin-cell",
                          warning=True))  # fmt: skip
    return told


def base_doubts(moves: Moves, effects: MoveEffects) -> list[Fault]:
    """Segments whose counted leaving is not that of the curve at the base: their panel is not as things are today."""
    told = []
    for s, name in enumerate(moves.segments):
        counted, curve = moves.rates[s, -1], effects.base[s, -1]
        error = float(np.hypot(moves.errors[s, -1], effects.base_se[s, -1]))
        if moves.at_risk[s] > 0 and abs(counted - curve) > CERTAIN * error:
            message = (
                f"from segment {shown(name)} {counted:.4g} leave by counts, {curve:.4g} with every lever on its base: "
                "the panel's prices and services are not today's"
            )
            remedy = 'write migration = "logit", which takes the base'
            told.append(
                Fault("migration", message, remedy, column="rate", code="counts-off-base", warning=True)
            )
    return told


def last_period_doubts(panel: pd.DataFrame) -> list[Fault]:
    """A last period in which nobody leaves, though so many do in others: who left there may not be known yet."""
    last = panel["period"] == panel["period"].max()
    before, rows = panel.loc[~last, "left"], int(last.sum())
    if not len(before) or panel.loc[last, "left"].any() or (1.0 - float(before.mean())) ** rows > UNLIKELY:
        return []
    message = (
        f"nobody of {rows} left in the last period, {float(before.mean()):.2%} a period did before: the model of "
        "leaving takes that for staying"
    )
    remedy = "leave the last period out where it is not known yet who left in it"
    return [Fault("panel", message, remedy, column="left", code="last-period", warning=True)]
