"""What the cells of a row, or the rows of one table, say together. Other tables are not looked at here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set

import pandas as pd

from cpm_opt.faults import Fault, shown
from cpm_opt.tables.catalogue import LINE
from cpm_opt.tables.names import confusable

Refused = Mapping[str, Set[int]]

_SUM_TOLERANCE = 1e-6


def row_faults(table: str, frame: pd.DataFrame, refused: Refused) -> list[Fault]:
    """Faults between the cells of a checked table; `refused[column]` are lines whose cell was told already."""
    check = _CHECKS.get(table)
    return [] if check is None or frame.empty else check(frame, refused)


def _balance(frame: pd.DataFrame, refused: Refused) -> list[Fault]:
    faults = []
    told = refused.get("first_period", set()) | refused.get("last_period", set())
    for row in frame.to_dict("records"):
        line, value = int(row[LINE]), float(row["value"])
        first, last = int(row["first_period"]), int(row["last_period"])
        if 0 < last < first and line not in told:
            message = f"the rule ends in period {last}, before it begins in period {first}"
            remedy = "exchange them, or leave last_period blank"
            faults.append(Fault("balance", message, remedy, line, "last_period", code="ends_before"))
        if row["basis"] == "share" and abs(value) > 1:
            remedy = "write a fraction: 0.15 for 15 percent"
            message = "is a share over 1 and looks like a percent"
            faults.append(Fault("balance", message, remedy, line, "value", f"{value:g}", code="percent"))
    return faults


def _days_in_order(table: str, first: str, last: str) -> Callable[[pd.DataFrame, Refused], list[Fault]]:
    """A check that no row ends before it begins; a blank day is no end and no beginning."""

    def check(frame: pd.DataFrame, refused: Refused) -> list[Fault]:
        told = refused.get(first, set()) | refused.get(last, set())
        wrong = frame[(frame[last] < frame[first]) & ~frame[LINE].isin(told)]
        return [
            Fault(table, f"is before {first}, {begun:%Y-%m-%d}", "exchange the two days, or correct one",
                  int(line), last, f"{ended:%Y-%m-%d}", code="ends_before")
            for begun, ended, line in wrong[[first, last, LINE]].itertuples(index=False, name=None)
        ]  # fmt: skip

    return check


def _scenarios(frame: pd.DataFrame, refused: Refused) -> list[Fault]:
    blank = (frame["target"] != "") & frame["factor"].isna()
    message, remedy = "is blank and is read as 0", "write the number"
    faults = [
        Fault("scenarios", message, remedy, int(line), "factor", code="blank", warning=True)
        for line in frame.loc[blank, LINE]
        if line not in refused.get("factor", set())
    ]
    # In place: the frame is this room's own until it is handed on.
    frame.loc[blank, "factor"] = 0.0
    if not refused.get("probability") and not refused.get("scenario"):
        faults += _probabilities(frame)
    return faults


def _probabilities(frame: pd.DataFrame) -> list[Fault]:
    faults = []
    total = 0.0
    for name, rows in frame.groupby("scenario", sort=False):
        stated = rows["probability"].dropna()
        line = int(rows[LINE].iloc[0])
        if stated.empty:
            message, remedy = f"scenario {shown(str(name))} has no probability", "write it in its first row"
        elif stated.nunique() > 1:
            message = f"scenario {shown(str(name))} has different probabilities"
            remedy = "write it once, or the same in each row"
        else:
            total += float(stated.iloc[0])
            continue
        faults.append(Fault("scenarios", message, remedy, line, "probability", code="probability"))
    if not faults and not math.isclose(total, 1.0, abs_tol=_SUM_TOLERANCE):
        message = f"the probabilities of the scenarios add to {total:.9g} instead of 1"
        faults.append(Fault("scenarios", message, "correct them", column="probability", code="sum"))
    return faults


def _options(frame: pd.DataFrame, _: Refused) -> list[Fault]:
    faults = []
    for lever, rows in frame.groupby("lever", sort=False):
        line = dict(zip(rows["option"], rows[LINE], strict=True))
        for option, earlier in confusable(line).items():
            message = (
                f"differs only in case, spaces or Unicode form from '{earlier}' of lever {shown(str(lever))}"
            )
            remedy = "make them differ plainly"
            faults.append(
                Fault("options", message, remedy, int(line[option]), "option", option, code="confusable")
            )
    return faults


_CHECKS: Mapping[str, Callable[[pd.DataFrame, Refused], list[Fault]]] = {
    "balance": _balance,
    "contracts": _days_in_order("contracts", "start", "end"),
    "customers": _days_in_order("customers", "opened", "closed"),
    "options": _options,
    "scenarios": _scenarios,
}
