"""Doubts about effects in planning tables by themselves: weak ones, impossible rates, more figures than customers.

In: frames of planning tables. Out: `Lint`s.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cpm_opt.estimates.lint.doubts import LINE
from cpm_opt.estimates.lint.words import TOLERANCE, WEAK, weak
from cpm_opt.estimates.value.model_estimate import Lint

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.tables import InstanceInfo

IN_FORCE = "in_force"
Rows = list[dict[Hashable, Any]]
Reach = tuple[float, list[str]]  # a rate, and the options that make it


def weak_effects(frames: Mapping[str, pd.DataFrame], info: InstanceInfo | None) -> list[Lint]:
    """Effects below twice their standard error: of each row the margin, of each lever every other figure once, and of
    the rates of one answer, which hang together (who does not stay leaves), the one that is nearest to 2."""
    told = []
    effects, moves = frames.get("effects"), frames.get("migration_effects")
    if effects is not None:
        offered = effects[effects["offered"]]
        for row in offered[_in_doubt(offered, "margin")].to_dict("records"):
            what = f"{row['segment']}, {row['lever']} {row['option']}: margin"
            told.append(weak("effects", "margin", what, row["margin"], row["margin_se"], int(row[LINE])))
        for name in ("revenue", "cash", *(() if info is None else info.measures)):
            thin = offered[_in_doubt(offered, name)]
            for lever, same in thin.groupby("lever", sort=False):
                one = same.iloc[0]
                what = f"{one['segment']}, {lever} {one['option']}: {name}"
                lint = weak("effects", name, what, one[name], one[f"{name}_se"], int(one[LINE]))
                more = len(same) - 1
                told.append(_and_so(lint, f"{more} more of the lever's effects on it" if more else "", more))
    if moves is not None:
        thin = moves[(moves["se"] > 0) & (moves["rate"].abs() < WEAK * moves["se"])]
        answers: dict[tuple[str, ...], Rows] = {}
        for row in thin.to_dict("records"):
            key = tuple(str(row[name]) for name in ("from", "lever", "option", "when"))
            answers.setdefault(key, []).append(row)
        for rows in answers.values():
            near = max(rows, key=lambda each: abs(float(each["rate"])) / float(each["se"]))
            what = f"{near['from']} to {near['to']}, {near['lever']} {near['option']} ({near['when']}): rate"
            lint = weak("migration_effects", "rate", what, near["rate"], near["se"], int(near[LINE]))
            others = [str(each["to"]) for each in rows if each is not near]
            told.append(_and_so(lint, f"the change to {', '.join(others)}" if others else "", len(others)))
    return told


def _in_doubt(effects: pd.DataFrame, name: str) -> pd.Series[bool]:
    """Rows with a figure below twice its error; one without an error is not known to be."""
    import pandas as pd

    error = effects.get(f"{name}_se")
    if name not in effects or error is None:
        return pd.Series(False, index=effects.index)
    return (error > 0.0) & (effects[name].abs() < WEAK * error)


def _and_so(lint: Lint, others: str, count: int) -> Lint:
    verb = "is" if count == 1 else "are"
    return replace(lint, message=f"{lint.message}, and so {verb} {others}") if others else lint


def impossible_rates(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Each move's rate, and all of a segment's together, with the strongest effects of all levers.

    Rates of segments without a lever, and sums that are above 1 by themselves, are told too.
    """
    effects, base = frames.get("migration_effects"), frames.get("migration")
    if effects is None:
        return _sums_above(base)
    rates: dict[tuple[str, str], float] = {}
    for row in [] if base is None else base.to_dict("records"):
        rates[str(row["from"]), str(row["to"])] = float(row["rate"])
    if base is None:
        rates = {(str(name), str(name)): 1.0 for name in effects["from"].unique()}
    told = _sums_above(base)
    over = {lint.value for lint in told}
    whole: dict[str, float] = {}
    for (name, _), rate in rates.items():
        whole[name] = whole.get(name, 0.0) + rate
    moves: dict[tuple[str, str], Rows] = {}
    leaving: dict[str, Rows] = {}
    for row in effects.to_dict("records"):
        start, to = str(row["from"]), str(row["to"])
        moves.setdefault((start, to), []).append(row)
        leaving.setdefault(start, []).append(row)
    for (start, to), own in moves.items():
        low, high = _reach(own, rates.get((start, to), 0.0))
        told += _reached(f"{start} to {to}: its rate", own, low, high)
    for start, own in leaving.items():
        if start not in over:
            high = _reach(own, whole.get(start, 0.0))[1]
            told += _reached(f"{start}: the sum of its rates", own, None, high)
    return told


def _sums_above(base: pd.DataFrame | None) -> list[Lint]:
    """Segments whose rates add to more than 1 whatever the options."""
    if base is None:
        return []
    sums: dict[str, float] = {}
    for row in base.to_dict("records"):
        sums[str(row["from"])] = sums.get(str(row["from"]), 0.0) + float(row["rate"])
    return [
        Lint("impossible-rate", "migration", "rate", f"{name}: its rates add to {_digits(total)} with no option at all",
             value=name)
        for name, total in sums.items()
        if total > 1.0 + TOLERANCE
    ]  # fmt: skip


def _reach(rows: Rows, start: float) -> tuple[Reach, Reach]:
    """The least and the greatest rate that options make, one a lever, with those options: an option stands by itself
    from its second period on, so its effects in force count without those on change too."""
    levers: dict[str, dict[str, float]] = {}
    for row in rows:
        lever, option, rate = str(row["lever"]), str(row["option"]), float(row["rate"])
        sums = levers.setdefault(lever, {"": 0.0})
        standing, changed = f"{lever}={option}", f"a change to {lever}={option}"
        sums[standing] = sums.get(standing, 0.0) + (rate if row["when"] == IN_FORCE else 0.0)
        sums[changed] = sums.get(changed, 0.0) + rate
    low, high = start, start
    least: list[str] = []
    most: list[str] = []
    for sums in levers.values():
        down, up = min(sums, key=lambda name: sums[name]), max(sums, key=lambda name: sums[name])
        low, high = low + sums[down], high + sums[up]
        least += [down] if down else []
        most += [up] if up else []
    return (low, least), (high, most)


def _reached(what: str, rows: Rows, low: Reach | None, high: Reach) -> list[Lint]:
    line = int(rows[0][LINE])
    if low is not None and low[0] < -TOLERANCE:
        text = (
            f"{what} comes to {_digits(low[0])} with {' and '.join(low[1])}, the strongest options together"
        )
        return [Lint("impossible-rate", "migration_effects", "rate", text, line)]
    if high[0] > 1.0 + TOLERANCE:
        with_what = (
            f"with {' and '.join(high[1])}, the strongest options together" if high[1] else "by itself"
        )
        text = f"{what} comes to {_digits(high[0])} {with_what}"
        return [Lint("impossible-rate", "migration_effects", "rate", text, line)]
    return []


def _digits(rate: float) -> str:
    """Four digits, or as many as it takes to see that the rate is beyond 0 or 1."""
    return next(
        (text for digits in range(4, 16) if float(text := f"{rate:.{digits}g}") not in (0.0, 1.0)), f"{rate}"
    )


def few_customers(frames: Mapping[str, pd.DataFrame]) -> list[Lint]:
    """Active segments with fewer customers than figures that were estimated for them."""
    segments = frames.get("segments")
    if segments is None:
        return []
    counts: dict[str, int] = {}
    for table, column, error in (("effects", "segment", "margin_se"), ("migration_effects", "from", "se")):
        frame = frames.get(table)
        if frame is not None:
            for name, n in frame.loc[frame[error] > 0, column].value_counts().items():
                counts[str(name)] = counts.get(str(name), 0) + int(n)
    told = []
    for row in segments[segments["kind"] == "active"].to_dict("records"):
        name, customers = str(row["segment"]), float(row["customers"])
        if customers < counts.get(name, 0):
            text = f"segment {name}: {customers:g} customers, and {counts[name]} effects are estimated for it"
            told.append(
                Lint("few-observations", "segments", "customers", text, int(row[LINE]), f"{customers:g}")
            )
    return told
