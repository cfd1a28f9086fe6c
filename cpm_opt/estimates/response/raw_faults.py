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
FEW = 0.1  # of all choices, that look like a slip and not like counts
# Table -> the column by which it is fitted in parts, each of which may have clusters or none.
CLUSTERED: Mapping[str, str] = {
    "offers": "",
    "price_points": "lever",
    "choices": "",
    "efforts": "lever",
    "trials": "programme",
}
RAW = (*CLUSTERED, "panel", "acquisitions")


def raw_faults(frames: Mapping[str, pd.DataFrame]) -> tuple[Fault, ...]:
    """Rows without a cluster where others of the same fit have one, choices that are none, and rows of customers who
    have left."""
    faults: list[Fault] = []
    for name, part in CLUSTERED.items():
        frame = frames.get(name)
        if frame is not None and len(frame) and (frame["cluster"] != "").any():
            faults += _without_cluster(name, frame, part)
    choices = frames.get("choices")
    if choices is not None and len(choices):
        faults += _unlike_rows(choices)
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


def _unlike_rows(choices: pd.DataFrame) -> list[Fault]:
    """Choices in which nothing was chosen, or whose rows are of different segments or clusters: one fault a choice."""
    groups = choices.groupby("choice", sort=False)
    told = []
    nothing = groups["chosen"].sum() == 0.0
    for what, wrong, message, remedy in (
        ("chosen", nothing, "none of its alternatives was chosen",
         "mark the one that was, or add an alternative that stands for buying nothing"),
        ("segment", groups["segment"].nunique() > 1, "its rows name different segments", "name one segment in all"),
        ("cluster", groups["cluster"].nunique() > 1, "its rows name different clusters", "name one cluster in all"),
    ):  # fmt: skip
        if not wrong.any():
            continue
        first = choices[choices["choice"].map(wrong)].drop_duplicates("choice")
        others = f" (and {len(first) - 1} more choices)" if len(first) > 1 else ""
        name, line = shown(str(first["choice"].iloc[0])), int(first[LINE].iloc[0])
        told.append(
            Fault("choices", f"of choice {name} {message}{others}", remedy, row=line, column=what,
                  code=f"choice-{what}")
        )  # fmt: skip
    several = groups["chosen"].sum() > 1.0
    if choices["chosen"].max() <= 1.0 and 0 < several.sum() <= FEW * len(several):
        first = choices[choices["choice"].map(several)].drop_duplicates("choice")
        name, line = shown(str(first["choice"].iloc[0])), int(first[LINE].iloc[0])
        others = f", as in {len(first) - 1} more" if len(first) > 1 else ""
        text = f"in choice {name} several alternatives are chosen{others}, where all others have one"
        remedy = "mark one, unless as many people chose"
        told.append(
            Fault("choices", text, remedy, row=line, column="chosen", code="several-chosen", warning=True)
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
