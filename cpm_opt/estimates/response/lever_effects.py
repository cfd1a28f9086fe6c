"""Tables effects and migration_effects of the levers in `[[estimates.response.levers]]`, from raw tables.

In: `Tables`, the frames so far and the rules. Out: frames with the levers' rows added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cpm_opt.estimates.lint.doubts import as_warning
from cpm_opt.estimates.response.choice_effects import choice_rows
from cpm_opt.estimates.response.effort_effects import effort_rows
from cpm_opt.estimates.response.lever_rows import RETENTION, LeverRows, refused
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.offer_effects import offer_rows
from cpm_opt.estimates.response.price_effects import price_point_rows, stated_rows
from cpm_opt.estimates.response.trial_effects import trial_rows
from cpm_opt.estimates.settings import ResponseRules
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables, check_frame

LINE = "line"
NOTHING = 1e-9  # an error that is smaller against the effect is one of rounding
FROM: Mapping[str, Callable[[Tables, Mapping[str, pd.DataFrame], LeverRules], LeverRows]] = {
    "offers": offer_rows,
    "price_points": price_point_rows,
    "choices": choice_rows,
    "efforts": effort_rows,
    "trials": trial_rows,
    "stated": stated_rows,
}


def with_levers(
    tables: Tables, frames: Mapping[str, pd.DataFrame], rules: ResponseRules
) -> tuple[dict[str, pd.DataFrame], tuple[Fault, ...], tuple[str, ...]]:
    """All frames, with faults and notes. A lever that a stated table has rows of stands as it is stated.

    Every faulty lever is told at once.
    """
    made = dict(frames)
    faults: list[Fault] = []
    notes: list[str] = []
    for table in ("price_points", "efforts"):
        if table in frames:
            faults += _of_several(table, frames[table], [lever.lever for lever in rules.of(table)])
    if faults:
        return made, tuple(faults), ()
    for lever in rules.levers:
        source = FROM.get(lever.source)
        if source is None:  # `panel_tables` has made their migration_effects
            continue
        written = "migration_effects" if lever.measure == RETENTION else "effects"
        if _holds(tables.frames, written, lever.lever):
            notes.append(f"lever {lever.lever}: stated in table {written}, and not estimated")
            continue
        if _holds(made, written, lever.lever):
            message = f"has its {written.replace('_', ' ')} from two raw tables"
            faults += refused(lever, "lever", message, "leave one of the two out").faults
            continue
        try:
            found = source(tables, made, lever)
        except InputError as error:
            faults += error.faults
            continue
        for name, rows in (
            ("segments", found.segments if "segments" not in made else ()),
            ("effects", found.effects),
            ("migration_effects", found.migration_effects),
        ):
            if rows:
                rows, doubts = _known_errors(lever, name, rows)
                made[name], wrong = added(tables, made.get(name), name, rows)
                faults += [*wrong, *doubts]
        faults += [as_warning(doubt) for doubt in found.doubts]
        notes += [f"lever {lever.lever}: effects from {_named(lever)}", *found.notes]
    return made, tuple(dict.fromkeys(faults)), tuple(notes)


def _of_several(table: str, frame: pd.DataFrame, levers: list[str]) -> list[Fault]:
    """The fault of rows that name no lever, where the table tells of several: each would be fitted to all of them."""
    blank = frame["lever"] == ""
    named = sorted({*levers, *(str(name) for name in frame["lever"])} - {""})
    if not blank.any() or len(named) < 2:
        return []
    others = f", and so it is in {int(blank.sum()) - 1} more rows" if blank.sum() > 1 else ""
    message = f"is blank{others}, and the table tells of {', '.join(named)}, so it could be of any"
    row = int(frame.loc[blank, LINE].iloc[0])
    return [Fault(table, message, "name the lever in every row", row=row, column="lever", code="lever_blank")]


def _known_errors(
    lever: LeverRules, name: str, rows: tuple[dict[str, Any], ...]
) -> tuple[tuple[dict[str, Any], ...], list[Fault]]:
    """Rows without errors of 0 (but for rounding): data on which a curve lies exactly tell no error, and that is told.

    A single error of 0 beside others is right: margin does not move with volume at a price that leaves none.
    """
    kept, sure = [], 0
    for row in rows:
        errors = {key: row[key] for key in row if key == "se" or (key.endswith("_se") and key[:-3] in row)}
        size = max((abs(float(row[key[:-3] or "rate"])) for key in errors), default=0.0)
        exact = bool(errors) and all(error <= NOTHING * size for error in errors.values())
        sure += exact
        kept.append({**row, **dict.fromkeys(errors, np.nan)} if exact else row)
    if not sure:
        return rows, []
    message = (
        f"{sure} rows of lever {lever.lever} come out without any error, so none is known and none is written"
    )
    remedy = "check whether the raw table holds observations, or figures made by a formula"
    return tuple(kept), [Fault(name, message, remedy, code="no-error", warning=True)]


def added(
    tables: Tables, frame: pd.DataFrame | None, name: str, rows: tuple[dict[str, Any], ...]
) -> tuple[pd.DataFrame, list[Fault]]:
    """A planning table with estimated rows after those that are there; only the new ones are checked."""
    fresh = pd.DataFrame(list(rows))
    if frame is None or not len(frame):
        return check_frame(name, fresh, tables.info)
    # A new row counts on from the last line of the file, so that lines stay names of rows.
    first = int(frame[LINE].max()) + 1
    fresh[LINE] = range(first, first + len(fresh))
    checked, faults = check_frame(name, fresh, tables.info)
    return pd.concat([frame, checked], ignore_index=True), faults


def _named(lever: LeverRules) -> str:
    return "the elasticity that is stated" if lever.source == "stated" else f"table {lever.source}"


def _holds(frames: Mapping[str, pd.DataFrame], name: str, lever: str) -> bool:
    frame = frames.get(name)
    return frame is not None and bool((frame["lever"] == lever).any())
