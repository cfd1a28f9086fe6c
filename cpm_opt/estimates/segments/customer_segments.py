"""Customers sorted into segments, by tier or by the instance's rules, and small segments merged.

In: a frame of figures by customer (see `figures`) and `SegmentRules`. Out: the name of each customer's segment.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.estimates.segments.segment_settings import NEXT, Condition, SegmentRules
from cpm_opt.estimates.settings import rule_fault
from cpm_opt.faults import Fault, InputError, did_you_mean

REMEDY = "compare text with a text, numbers with numbers and days with days"


def segment_names(rules: SegmentRules, tiers: Sequence[str]) -> tuple[str, ...]:
    """Every segment that the rules allow, in their order; `tiers` from the best to the least, inactive ones last."""
    if rules.by == "tier":
        return tuple(tiers)
    return tuple(dict.fromkeys([*(rule.segment for rule in rules.rules), rules.other]))


def sort_customers(figures: pd.DataFrame, rules: SegmentRules) -> pd.Series[str]:
    """The segment of each customer (index): the tier, or that of the first rule all of whose conditions hold.

    Who meets no rule is in `rules.other`. A blank cell meets no condition but `not`. Raises InputError where a rule
    names a column that is not there, or compares it with what it does not hold.
    """
    if rules.by == "tier":
        return figures["tier"]
    faults = [
        rule_fault(
            f"segments.rules.{number}.where.{name}",
            "is no column of table customers and no figure of a customer",
            did_you_mean(name, [str(label) for label in figures.columns]),
        )
        for number, rule in enumerate(rules.rules)
        for name in rule.where
        if name not in figures.columns
    ]
    masks = []
    for number, rule in enumerate(rules.rules):
        fits = np.ones(len(figures), dtype=bool)
        for name, condition in rule.where.items():
            if name not in figures.columns:
                continue
            try:
                fits &= holds(figures[name], condition)
            except ValueError as error:
                faults.append(rule_fault(f"segments.rules.{number}.where.{name}", str(error), REMEDY))
        masks.append(fits)
    if faults:
        raise InputError(_once(faults))
    segment = np.full(len(figures), rules.other, dtype=object)
    for rule, fits in reversed(list(zip(rules.rules, masks, strict=True))):
        segment[fits] = rule.segment
    return pd.Series(segment, index=figures.index)


def holds(cells: pd.Series[Any], condition: Condition) -> NDArray[np.bool_]:
    """`[N]`: which cells meet a condition. Raises ValueError where they are of another kind than its bounds."""
    fits = np.ones(len(cells), dtype=bool)
    words = _words(cells)
    if condition.among:
        one_of = words.isin([_word(item) for item in condition.among])
        numbers = [item for item in condition.among if not isinstance(item, str)]
        if numbers and cells.dtype == object:  # a column of the user's own, in which 1.0 is written for 1
            one_of |= pd.to_numeric(cells, errors="coerce").isin(numbers)
        fits &= one_of.to_numpy(dtype=bool)
    if condition.excluded:
        fits &= ~words.isin(list(condition.excluded)).to_numpy()
    for name, compare in (("at_least", np.greater_equal), ("above", np.greater),
                          ("at_most", np.less_equal), ("below", np.less)):  # fmt: skip
        bound = getattr(condition, name)
        if bound is not None:
            values, limit = _comparable(cells, bound)
            # Money to the cent: 1000.00 summed up from parts is 1000, whatever its last bit says.
            with np.errstate(invalid="ignore"):
                fits &= np.asarray(compare(np.round(values, 9), limit), dtype=bool)
    return fits


def _words(cells: pd.Series[Any]) -> pd.Series[str]:
    """Cells as the words that a rule compares: true, false, 1000, 2025-01-31."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        words: pd.Series[str] = cells.dt.strftime("%Y-%m-%d").fillna("").astype(object)
    else:
        words = cells.map(_word).astype(object)
    return words


def _word(cell: object) -> str:
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if isinstance(cell, int | float | np.integer | np.floating):
        number = float(cell)
        return "" if np.isnan(number) else f"{number:.12g}"
    return str(cell)


def _comparable(cells: pd.Series[Any], bound: float | datetime.date) -> tuple[NDArray[np.float64], float]:
    """Cells and bound as numbers; days are counted from 1970, blanks are nan."""
    dated = pd.api.types.is_datetime64_any_dtype(cells.dtype)
    if isinstance(bound, datetime.date):
        if not dated:
            raise ValueError("is compared with a day, and holds none")
        day = (cells - pd.Timestamp(0)) / pd.Timedelta(days=1)
        return np.asarray(day, dtype=np.float64), float((pd.Timestamp(bound) - pd.Timestamp(0)).days)
    if dated:
        raise ValueError("holds days, and is compared with a number")
    numbers = pd.to_numeric(cells.replace("", None), errors="coerce").astype("float64")
    strange = numbers.isna() & cells.notna() & (cells != "")
    if strange.any():
        raise ValueError(f"is compared with a number, and holds text ({int(strange.sum())} customers)")
    return np.asarray(numbers, dtype=np.float64), float(bound)


def merge_small(
    counts: Mapping[str, int], lost: frozenset[str], rules: SegmentRules
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which segment each of them (in the order of `counts`, with its customers) becomes, and a note for each merged.

    A segment of fewer than `rules.smallest` customers, nobody included, goes into the next one in the order that is of
    the same kind (the last one into the one before it), or into `rules.merge_into`; the smallest first. One that has no
    other of its kind stays. Where segments were merged into it, a taker may be large enough by then.
    """
    size = dict(counts)
    order = {name: place for place, name in enumerate(counts)}
    target = {name: name for name in counts}
    notes = []
    kept = list(counts)
    # One pass by size: each small segment is looked at once, with what it took before.
    while True:
        small = [name for name in kept if size[name] < rules.smallest and _taker(name, kept, lost, rules)]
        if not small:
            break
        least = min(small, key=lambda name: (size[name], order[name]))
        taker = _taker(least, kept, lost, rules)
        assert taker is not None
        notes.append(
            f"segment {least}: {size[least]} customers, fewer than {rules.smallest}, are part of {taker}"
        )
        size[taker] += size[least]
        kept.remove(least)
        target = {name: taker if now == least else now for name, now in target.items()}
    for name in kept:
        if 0 < size[name] < rules.smallest:
            text = f"segment {name}: {size[name]} customers, fewer than {rules.smallest}, stay: no other takes them"
            notes.append(text)
    return target, tuple(notes)


def _taker(name: str, kept: Sequence[str], lost: frozenset[str], rules: SegmentRules) -> str | None:
    """The segment that takes a small one, None where there is none of the same kind."""
    if rules.merge_into != NEXT:
        into = rules.merge_into
        fits = into in kept and into != name and (into in lost) == (name in lost)
        return into if fits else None
    alike = [other for other in kept if (other in lost) == (name in lost)]
    if len(alike) < 2:
        return None
    at = alike.index(name)
    return alike[at + 1] if at + 1 < len(alike) else alike[at - 1]


def _once(faults: Sequence[Fault]) -> list[Fault]:
    return list(dict.fromkeys(faults))
