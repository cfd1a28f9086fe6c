"""What a raw table tells about the options of a lever, as rows of planning tables. `LeverRows` goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.response.price_response import step_from_base
from cpm_opt.estimates.value.model_estimate import Lint
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

FLOWS = ("margin", "revenue", "cash")
RETENTION = "retention"


@dataclass(frozen=True)
class LeverRows:
    """Rows of tables `effects` and `migration_effects`, of table `segments` (where it is estimated too), `notes` on
    what was assumed, and `doubts` about the fit that they rest on."""

    effects: tuple[dict[str, Any], ...] = ()
    migration_effects: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    segments: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    doubts: tuple[Lint, ...] = ()


def options_of(frames: Mapping[str, pd.DataFrame], rules: LeverRules, table: str = "") -> pd.DataFrame:
    """Rows of table options of the lever. Raises InputError where it has none, or raw table `table` is missing."""
    if table and (table not in frames or not len(frames[table])):
        message = f"has its effects from table {table}, which is not there"
        raise refused(rules, "from", message, f"add table {table}, or leave the lever out")
    options = frames.get("options")
    known = [] if options is None else sorted({str(name) for name in options["lever"]})
    if options is None or rules.lever not in known:
        raise refused(
            rules, "lever", "is no lever of table options", did_you_mean(rules.lever, known), rules.lever
        )
    return options[options["lever"] == rules.lever]


def price_steps_of(options: pd.DataFrame, rules: LeverRules, free: bool = False) -> NDArray[np.float64]:
    """The price of each of the lever's options as a fraction of its base's, less 1: the base's own is 0.

    An option's price is base_price (1 + step), and where the base's price_change is 0 the step is price_change.
    Raises InputError for a base without a price, and for an option whose price is 0, unless it may be `free`.
    """
    base = float(options.loc[options["base"], "price_change"].sum())
    steps = np.array([step_from_base(float(change), base) for change in options["price_change"]])
    faults = [
        Fault(
            "options",
            f"leaves option {option} of lever {rules.lever} without a price above 0",
            "write one above -1, or leave the option out",
            row=int(line),
            column="price_change",
            value="-1",
            code="no_price",
        )
        for option, line, is_base, change in zip(
            *(options[name] for name in ("option", "line", "base", "price_change")), strict=True
        )
        if change <= -1.0 and (is_base or not free)
    ]
    if faults:
        raise InputError(faults)
    return np.asarray(steps, dtype=np.float64)


def rows_of_lever(frame: pd.DataFrame, lever: str, table: str) -> pd.DataFrame:
    """The rows of a raw table that are of the lever, or of none by name. Raises InputError where there are none."""
    own = frame[(frame["lever"] == lever) | (frame["lever"] == "")]
    if not len(own):
        message, known = f"holds no row of lever {lever}", sorted({str(name) for name in frame["lever"]})
        raise InputError([Fault(table, message, did_you_mean(lever, known), column="lever", code="no_rows")])
    return own


def plan_segments(frames: Mapping[str, pd.DataFrame], rules: LeverRules, table: str) -> pd.DataFrame:
    """Table segments without lost ones. Raises InputError where there is no such table."""
    segments = frames.get("segments")
    if segments is None:
        message = f"is needed: effects from {table} are changes of its margin and revenue"
        fault = Fault("segments", message, f"add it, or leave lever {rules.lever} out", code="no_segments")
        raise InputError([fault])
    return segments[segments["kind"] != "lost"]


def check_measure(tables: Tables, rules: LeverRules) -> None:
    """Raises InputError where `measure` is nothing that table effects holds (or retention, which trials may tell)."""
    known = [*FLOWS, *tables.info.measures, *([RETENTION] if rules.source == "trials" else [])]
    if rules.measure not in known:
        raise refused(
            rules, "measure", "is no figure of an effect", did_you_mean(rules.measure, known), rules.measure
        )


def refused(rules: LeverRules, key: str, message: str, remedy: str, value: object = None) -> InputError:
    """A fault of one key of the lever."""
    # Imported here: `settings` reads these rules, and cannot be read by them.
    from cpm_opt.estimates.settings import rule_fault

    return InputError(
        [rule_fault(f"response.levers.{key}", f"of lever {rules.lever} {message}", remedy, value)]
    )


def effect_row(rules: LeverRules, segment: str, option: str, change: float, error: float) -> dict[str, Any]:
    """A row of effects that changes the measure of the rules alone."""
    return {
        "segment": segment,
        "lever": rules.lever,
        "option": option,
        rules.measure: rules.value * change,
        f"{rules.measure}_se": abs(rules.value) * error,
        "source": "estimated",
    }


def without_data(rules: LeverRules, missing: list[str], table: str) -> tuple[str, ...]:
    """The note on segments of the plan of which a raw table tells nothing."""
    if not missing:
        return ()
    text = f"{table} tells nothing of {_listed(missing)}, so its options change nothing there"
    return (f"lever {rules.lever}: {text}",)


def not_in_plan(rows: pd.DataFrame, segments: pd.DataFrame, table: str) -> tuple[Lint, ...]:
    """Doubts about rows of a raw table whose segment the plan has not (a slip, often), where it names segments."""
    counts = rows["segment"].value_counts().sort_index()
    if set(counts.index) == {""}:
        return ()
    told = []
    for name, count in counts[~counts.index.isin(segments["segment"])].items():
        who = f"segment {name}, which the plan has not" if name else "no segment, where others name one"
        text = f"{count} rows are of {who}: they make no effect, and move others by shrinkage alone"
        told.append(Lint("not-in-plan", table, "segment", text))
    return tuple(told)


def without_revenue(rules: LeverRules, free: list[str]) -> tuple[str, ...]:
    """The note on segments of the plan that pay nothing which a price could change."""
    if not free:
        return ()
    return (f"lever {rules.lever}: segments without revenue have no effect of a price: {_listed(free)}",)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
