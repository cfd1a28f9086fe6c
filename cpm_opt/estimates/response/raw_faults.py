"""What raw tables of answers may not hold, cell by cell right and wrong together: told before anything is fitted.

In: frames of raw tables. Out: `Fault`s with the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cpm_opt.faults import Fault, shown

if TYPE_CHECKING:
    import pandas as pd

LINE = "line"
# Table -> the column by which it is fitted in parts, each of which may have clusters or none.
CLUSTERED: Mapping[str, str] = {
    "offers": "",
    "price_points": "lever",
    "efforts": "lever",
    "trials": "programme",
}
RAW = (*CLUSTERED, "panel", "acquisitions")


def raw_faults(frames: Mapping[str, pd.DataFrame]) -> tuple[Fault, ...]:
    """Rows without a cluster where others of the same fit have one, and rows of customers who have left."""
    faults: list[Fault] = []
    for name, part in CLUSTERED.items():
        frame = frames.get(name)
        if frame is not None and len(frame) and (frame["cluster"] != "").any():
            faults += _without_cluster(name, frame, part)
    panel = frames.get("panel")
    if panel is not None and len(panel) and panel["left"].any():
        faults += _after_leaving(panel)
    return tuple(faults)


def _without_cluster(name: str, frame: pd.DataFrame, part: str) -> list[Fault]:
    """One fault a fit, with its first row: errors that ignore clusters come out too small, and nobody would see why."""
    told = []
    for _, own in frame.groupby(frame[part] if part else frame["cluster"].map(lambda _: "")):
        blank = own["cluster"] == ""
        if blank.any() and not blank.all():
            others = f", and so are {int(blank.sum()) - 1} more" if blank.sum() > 1 else ""
            told.append(
                Fault(
                    name,
                    f"is blank here{others}, where other rows name one",
                    "name the cluster, or leave the column blank everywhere",
                    row=int(own.loc[blank, LINE].iloc[0]),
                    column="cluster",
                    code="cluster-blank",
                )
            )
    return told


def _after_leaving(panel: pd.DataFrame) -> list[Fault]:
    """A fault for each customer with rows after the one in which they left, with the first such row."""
    gone = panel[panel["left"] == 1].groupby("customer")["period"].min()
    late = panel[panel["period"] > panel["customer"].map(gone)].sort_values("period", kind="stable")
    return [
        Fault(
            "panel",
            f"customer {shown(str(row['customer']))} left in period {gone[row['customer']]} and has a row after it; "
            "leaving is final",
            "correct left, or give a customer who came back another name",
            row=int(row[LINE]),
            column="period",
            value=str(row["period"]),
            code="after-leaving",
        )
        for row in late.drop_duplicates("customer").to_dict("records")
    ]
