"""Scenarios: the planning problem once for each way that the world may turn out.

A scenario multiplies columns of the tables, from period 1 on, beside their own `factors`. So its portfolio is built
from the same tables with its factors added, through the same checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.faults import Fault, InputError, shown
from cpm_opt.portfolio.build import build_portfolio
from cpm_opt.portfolio.portfolio import Portfolio

if TYPE_CHECKING:
    from pandas import DataFrame

    from cpm_opt.tables.info import InstanceInfo

END_VALUE = "segments.end_value"
KEYS = ("segment", "lever", "option", "resource")


@dataclass(frozen=True)
class Scenario:
    """One way the world may turn out: `probability` as a fraction, and the portfolio as it is then."""

    name: str
    probability: float
    portfolio: Portfolio


def build_scenarios(
    frames: Mapping[str, DataFrame], info: InstanceInfo, periods: int
) -> tuple[Scenario, ...]:
    """The scenarios of table `scenarios`, the most probable first, then by name; none without the table.

    Raises InputError with the faults that a scenario's numbers make (a rate above 1, say), each told once and with the
    scenario's name. The tables must have passed `build_portfolio` unchanged.
    """
    table = frames.get("scenarios")
    if table is None or not len(table):
        return ()
    found, faults = [], []
    for name in sorted(set(table["scenario"])):
        rows = table[table["scenario"] == name]
        probability = float(np.nanmax(np.append(rows["probability"].to_numpy(dtype=np.float64), 0.0)))
        try:
            portfolio = build_portfolio(_scaled(frames, rows, periods), info, periods)
        except InputError as error:
            faults += [_in_scenario(fault, name) for fault in error.faults if not fault.warning]
            continue
        found.append(Scenario(name, probability, replace(portfolio, warnings=())))
    if faults:
        raise InputError(faults)
    return tuple(sorted(found, key=lambda scenario: (-scenario.probability, scenario.name)))


def _in_scenario(fault: Fault, name: str) -> Fault:
    return replace(fault, message=f"in scenario {shown(name)}: {fault.message}")


def _scaled(frames: Mapping[str, DataFrame], rows: DataFrame, periods: int) -> dict[str, DataFrame]:
    """The tables as they are in a scenario: its factors in every period, and end values multiplied."""
    import pandas as pd

    aimed = rows[(rows["target"] != "") & (rows["target"] != END_VALUE)]
    spread = pd.concat([aimed.assign(period=period) for period in range(1, periods + 1)], ignore_index=True)
    added = spread[["target", "period", "factor", *KEYS, "line"]]
    own = frames.get("factors")
    factors = added if own is None else pd.concat([own, added], ignore_index=True)[list(own.columns)]
    segments = frames["segments"].copy()
    ends = rows[rows["target"] == END_VALUE]
    for segment, factor in sorted(zip(ends["segment"], ends["factor"], strict=True)):
        mine = np.ones(len(segments), dtype=bool) if segment == "" else segments["segment"] == segment
        segments.loc[mine, "end_value"] *= factor
    return {**frames, "segments": segments, **({"factors": factors} if len(factors) else {})}
