"""Effects of a lever whose options are amounts of effort: a concave curve by segment, cut at the options.

In: table efforts and the options of the lever. Out: `LeverRows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.estimates.lint.fits import lint_effort
from cpm_opt.estimates.response.effort import FORMS, EffortFit, envelope_gaps, fit_effort
from cpm_opt.estimates.response.lever_rows import (
    LeverRows,
    check_measure,
    effect_row,
    options_of,
    plan_segments,
    refused,
    rows_of_lever,
    without_data,
)
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.faults import InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

TABLE = "efforts"


def effort_fits(efforts: pd.DataFrame, rules: LeverRules) -> dict[str, EffortFit]:
    """A curve for each segment ("": one for all), of the form `rules.curve` (log where it names none).

    Raises InputError with every segment that shows no falling returns.
    """
    form = rules.curve or "log"
    if form not in FORMS:
        raise refused(rules, "curve", "is none of effort", "write log, power or hill", form)
    fits, faults = {}, []
    for name, own in efforts.groupby("segment", sort=True):
        effort, result = (own[column].to_numpy(dtype=np.float64) for column in ("effort", "result"))
        named = bool((own["cluster"] != "").all())
        try:
            fits[str(name)] = fit_effort(
                effort, result, form, own["cluster"].to_numpy(dtype=object) if named else None
            )
        except InputError as error:
            value = str(name) or None
            faults += [replace(fault, column="segment", value=value) for fault in error.faults]
    if faults:
        raise InputError(faults)
    return fits


def effort_rows(tables: Tables, frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> LeverRows:
    """Effects of each option on each segment: value x (gain(its effort) - gain(effort of the base)) of the measure.

    `rules.options` are the efforts; the base is none where it is not named. Standard errors by the delta method. The
    notes say what cutting the curve into options costs at the most.
    """
    own = options_of(frames, rules, TABLE)
    check_measure(tables, rules)
    efforts = _efforts(own, rules)
    segments = plan_segments(frames, rules, TABLE)
    fits = effort_fits(rows_of_lever(frames[TABLE], rules.lever, TABLE), rules)
    base = next(
        (efforts[str(o)] for o, is_base in zip(own["option"], own["base"], strict=True) if is_base), 0.0
    )
    names, amounts = list(efforts), np.array(list(efforts.values()))
    rows, missing = [], []
    for segment in segments["segment"]:
        fit = fits.get(str(segment), fits.get(""))
        if fit is None:
            missing.append(str(segment))
            continue
        change, error = fit.difference(amounts, base)
        rows += [
            effect_row(rules, str(segment), option, float(change[k]), float(error[k]))
            for k, option in enumerate(names)
            if amounts[k] != base
        ]
    notes = [_cost_of_cut(rules, name, fit, amounts) for name, fit in fits.items()]
    planned = planned_efforts(frames, rules)
    doubts = tuple(doubt for name, fit in fits.items() for doubt in lint_effort(fit, name, planned))
    return LeverRows(effects=tuple(rows), notes=(*notes, *without_data(rules, missing, TABLE)), doubts=doubts)


def planned_efforts(frames: Mapping[str, pd.DataFrame], rules: LeverRules) -> list[float]:
    """The efforts that the plan needs of a curve: those of the lever's options, and that of its base."""
    stated = [float(effort) for effort in rules.options.values() if not isinstance(effort, str)]
    options = frames.get("options")
    if options is None:
        return stated
    base = options[(options["lever"] == rules.lever) & options["base"]]["option"]
    return stated if not len(base) or base.iloc[0] in rules.options else [0.0, *stated]


def _efforts(own: pd.DataFrame, rules: LeverRules) -> dict[str, float]:
    """The effort of every option, in the order of table options."""
    found: dict[str, float] = {}
    for option, base in zip(own["option"], own["base"], strict=True):
        stated = rules.options.get(str(option), 0.0 if base else None)
        if not isinstance(stated, float | int) or stated < 0:
            what = "is not told" if stated is None else "is no number of 0 or more"
            remedy = f"write its effort under options, such as {{ {option} = 2 }}"
            raise refused(rules, "options", f"the effort of option {option} {what}", remedy, stated)
        found[str(option)] = float(stated)
    return found


def _cost_of_cut(
    rules: LeverRules, name: str, fit: EffortFit, amounts: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> str:
    inner, outer = envelope_gaps(fit, np.unique(amounts))
    scale = abs(rules.value)
    where = f", segment {name}" if name else ""
    unit = f"of {rules.measure} per customer and period"
    return (
        f"lever {rules.lever}{where}: {fit.form} curve of {fit.n} observations at efforts {fit.low:g} to {fit.high:g}; "
        f"between options the plan counts up to {scale * inner:.4g} {unit} less than the curve, and by its tangents "
        f"cutting it costs {scale * outer:.4g} at the most"
    )
