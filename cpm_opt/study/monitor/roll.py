"""The next period's instance: the plan's tables with what happened in place of what was foreseen.

    segments     customers are those at the end of the last delivered period t
    current      who was on what in period t; where a segment has lost customers, those are taken to have left first
                 whom the plan moves to another option anyway, so that no change is charged where some only left
    arrivals, factors, resources and balance with a period: moved t periods forward, what is over is left out
    resources    extra capacity that the plan ordered for the first `lead_time` periods is there as capacity
    rest-of-plan.toml   the run's model over the rest of its horizon, with the choices that must still hold as pins

Replanned by that model after a period as planned, the rest of the old plan is a best plan of the new instance, with the
same worth (the principle of optimality).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpm_opt.estimates.planning_files import info_text, table_text
from cpm_opt.faults import Fault, InputError, shown
from cpm_opt.portfolio.portfolio import Numbers
from cpm_opt.study.base import question
from cpm_opt.study.monitor.monitor import Monitoring
from cpm_opt.study.monitor.roll_model import rolled_model
from cpm_opt.study.monitor.settled import PRESENT, planned_shares
from cpm_opt.tables import PLANNING, InstanceInfo
from cpm_opt.whole_files import check_place, write_folder

if TYPE_CHECKING:
    import pandas as pd

PLACE = "--roll"
MODEL_FILE = "rest-of-plan.toml"
_SUFFIX = re.compile(r"^(?P<name>.*)-from-(?P<number>\d+)$")
_TITLE = re.compile(r"^(?P<title>.*), from (?:month|quarter|year) \d+$")


@dataclass(frozen=True)
class Rolled:
    """What was written: the folder, its files, `first`, the period of the old plan that is the new one's first, how
    many periods of the old plan are left, and what could not be carried over, in words."""

    folder: Path
    files: tuple[str, ...]
    first: int
    periods_left: int
    notes: tuple[str, ...]


def check_roll(folder: Path) -> None:
    """Raises InputError where no instance may be written into `folder`: it must be new or empty."""
    check_place(PLACE, folder)


def roll(monitoring: Monitoring, folder: Path) -> Rolled:
    """Writes the instance of the next period into a new or empty folder, whole or not at all.

    Raises InputError where the customers at the end are not all known, where the tables do not fit together, or where
    the folder cannot be written.
    """
    check_roll(folder)
    plan, last = monitoring.plan, monitoring.last
    _refuse_unknown_ends(monitoring)
    passed = last.number
    notes: list[str] = []
    frames = {name: frame for name, frame in plan.frames.items() if name in PLANNING}
    segments = frames["segments"]
    place = {name: s for s, name in enumerate(plan.portfolio.segments)}
    ends = np.maximum(0.0, last.end)
    frames["segments"] = segments.assign(customers=[float(ends[place[name]]) for name in segments["segment"]])
    _put(frames, "current", _current(monitoring, ends, notes))
    for table in ("arrivals", "factors"):
        if table in frames:
            _put(frames, table, _later(frames[table], passed))
    if "resources" in frames:
        _put(frames, "resources", _resources(monitoring, passed, notes))
    if "balance" in frames:
        _put(frames, "balance", _balance(frames["balance"], passed, notes))
    info = _info(plan.info, passed)
    left = plan.portfolio.periods - passed
    model = rolled_model(monitoring, left, notes) if left > 0 else None
    if left <= 0:
        notes.append("the plan's horizon is over: solve with a model of its own horizon")
    if "scenarios" in frames:
        notes.append(
            "scenarios have their old probabilities: weigh them anew where the period told something"
        )
    _check(monitoring, frames, info, left)
    files = {
        f"{name}.csv": table_text(PLANNING[name], frames[name], info) for name in PLANNING if name in frames
    }
    files["instance.toml"] = _provenance(monitoring, notes) + info_text(info)
    if model is not None:
        files[MODEL_FILE] = model
    write_folder(PLACE, folder, files)
    return Rolled(folder, tuple(sorted(files)), passed + 1, max(0, left), tuple(notes))


def _put(frames: dict[str, pd.DataFrame], name: str, frame: pd.DataFrame | None) -> None:
    """A table with rows takes its place; one without is left out."""
    frames.pop(name, None)
    if frame is not None and len(frame):
        frames[name] = frame.reset_index(drop=True)


def _refuse_unknown_ends(monitoring: Monitoring) -> None:
    p, last = monitoring.plan.portfolio, monitoring.last
    gone = [name for name, end in zip(p.segments, last.end.tolist(), strict=True) if np.isnan(end)]
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        message = (
            f"customers at the end of period {last.number} are not known of segment {shown(gone[0])}{more}"
        )
        remedy = "state `end` in actual_customers"
        raise InputError([Fault(PLACE, message, remedy, column="end", code="unknown_end")])


def _current(monitoring: Monitoring, ends: Numbers, notes: list[str]) -> pd.DataFrame | None:
    """Who is on which option before the new period 1; those on the base need no row."""
    import pandas as pd

    plan, last = monitoring.plan, monitoring.last
    p = plan.portfolio
    ahead = planned_shares(plan, last.t + 1) if last.number < p.periods else None
    rows = []
    for number, lever in enumerate(p.levers):
        options = np.array(lever.options)
        if lever.single:
            chosen = last.chosen[number][lever.group_of]
            on = np.where(options[None, :] == chosen[:, None], ends[:, None], 0.0)
        else:
            wanted = last.on[:, options] if ahead is None else ahead[:, options] * ends[:, None]
            on = staying(last.on[:, options], wanted, ends)
        for s, o in np.argwhere((on > PRESENT) & (options != lever.base)[None, :]).tolist():
            option = p.options[options[o]]
            rows.append(
                {
                    "segment": p.segments[s],
                    "lever": lever.name,
                    "option": option,
                    "customers": float(on[s, o]),
                }
            )
    if (~last.known[last.start > PRESENT]).any():
        notes.append(
            "current: where no choices were delivered, customers count as on what was planned for them"
        )
    return pd.DataFrame(rows, columns=["segment", "lever", "option", "customers"])


def staying(on: Numbers, wanted: Numbers, ends: Numbers) -> Numbers:
    """`[S, options]`: who of those on options is still there when the segment has `ends[S]` customers.

    Nobody gains customers here (newcomers are on the base). Where some left, those stay first whom the plan wants where
    they are; the rest is shared in proportion.
    """
    kept = np.minimum(on, wanted)
    kept *= np.minimum(1.0, ends / np.maximum(kept.sum(axis=1), PRESENT))[:, None]
    spare = on - kept
    room = np.maximum(0.0, ends - kept.sum(axis=1))
    share = np.minimum(1.0, room / np.maximum(spare.sum(axis=1), PRESENT))
    found: Numbers = kept + spare * share[:, None]
    return found


def _later(frame: pd.DataFrame, passed: int) -> pd.DataFrame:
    """Rows of periods that are still to come, counted anew."""
    rest = frame[frame["period"] > passed]
    return rest.assign(period=rest["period"] - passed)


def _balance(frame: pd.DataFrame, passed: int, notes: list[str]) -> pd.DataFrame:
    over = (frame["last_period"] > 0) & (frame["last_period"] <= passed)
    if over.any():
        notes.append(f"balance: over and left out: {', '.join(sorted(frame.loc[over, 'rule']))}")
    rest = frame[~over]
    first = (rest["first_period"] - passed).clip(lower=1)
    last = (rest["last_period"] - passed).clip(lower=0)
    return rest.assign(first_period=first, last_period=last)


def _resources(monitoring: Monitoring, passed: int, notes: list[str]) -> pd.DataFrame:
    """Resources counted anew, with capacity that was ordered in time as capacity of its period."""
    import pandas as pd

    plan = monitoring.plan
    frame = plan.frames["resources"]
    always = frame[frame["period"] <= 0]
    dated = _later(frame[frame["period"] > 0], passed)
    rows = {(str(row["resource"]), int(row["period"])): row for row in _records(dated)}
    usual = {str(row["resource"]): row for row in _records(always)}
    p, r = plan.portfolio, plan.portfolio.resources
    for i, t in np.argwhere(plan.decisions.extra > PRESENT).tolist():
        period = t + 1 - passed
        if period < 1 or period > r.lead_time[i, t]:
            continue
        row = rows.get((r.names[i], period), usual.get(r.names[i]))
        if row is None:
            continue
        rows[r.names[i], period] = _ordered(monitoring, row, i, t, period)
        unit = r.units[i] or "units"
        notes.append(
            f"resources: the plan ordered {plan.decisions.extra[i, t]:g} {unit} more of {r.names[i]} for "
            f"{p.period_name} {t + 1}, taken as there"
        )
    return pd.concat([always, pd.DataFrame(list(rows.values()), columns=frame.columns)], ignore_index=True)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _ordered(monitoring: Monitoring, row: Mapping[str, Any], i: int, t: int, period: int) -> dict[str, Any]:
    """The row of a resource in a period for which the plan ordered more: the same limit and the same cost in all."""
    r, extra = monitoring.plan.portfolio.resources, float(monitoring.plan.decisions.extra[i, t])
    capacity, cost = float(r.capacity[i, t]), float(r.capacity_cost[i, t])
    # What table factors multiplies will be multiplied again.
    growth = capacity / row["capacity"] if row["capacity"] > 0.0 else 1.0
    dearer = cost / row["capacity_cost"] if row["capacity_cost"] > 0.0 else 1.0
    paid = capacity * cost + extra * float(r.extra_cost[i, t])
    return {
        **row,
        "period": period,
        "capacity": row["capacity"] + extra / (growth or 1.0),
        "capacity_cost": paid / (capacity + extra) / (dearer or 1.0),
    }


def _info(info: InstanceInfo, passed: int) -> InstanceInfo:
    """The instance's own facts with a name and a title that tell the period from which it plans."""
    known, title = _SUFFIX.match(info.name), _TITLE.match(info.title)
    first = passed + (int(known["number"]) if known else 1)
    name = f"{known['name'] if known else info.name}-from-{first}"
    titled = f"{title['title'] if title else info.title}"[:170] + f", from {info.period} {first}"
    return info.model_copy(update={"name": name[-200:], "title": titled, "estimates": {}})


def _check(monitoring: Monitoring, frames: Mapping[str, pd.DataFrame], info: InstanceInfo, left: int) -> None:
    """Raises InputError where the new tables do not fit together, before anything is written."""
    spec = monitoring.plan.spec
    if left > 0:
        spec = replace(spec, horizon=replace(spec.horizon, periods=left))
    settled = ("pins", "locked")  # these are about the old periods
    unpinned = {name: component for name, component in spec.components.items() if name not in settled}
    lined = {name: frame if "line" in frame else frame.assign(line=0) for name, frame in frames.items()}
    question(replace(spec, components=unpinned), lined, info)


def _provenance(monitoring: Monitoring, notes: list[str]) -> str:
    """Where the instance comes from, as comments at its head."""
    plan, last = monitoring.plan, monitoring.last
    lines = [
        f"Rolled forward by `cpm monitor` after {plan.portfolio.period_name} {last.number} of run {plan.record.id},",
        f"which was made from {json.dumps(plan.info.name)}. What had happened by then was read from",
        *(
            f"  {name} (sha256 {digest[:16]}...)"
            for name, digest in sorted(monitoring.actuals.hashes.items())
        ),
        *(f"Note: {note}" for note in notes),
    ]
    return "".join(f"# {_printable(line)}\n" for line in lines) + "\n"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
