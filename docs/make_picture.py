"""Draws docs/picture.svg, the README's picture: from today's profit to the plan's, for the shipped bank.

Call: python docs/make_picture.py RUN        (RUN: the folder of a run of instances/bank-clients)
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from cpm_opt.report.chart import Steps, picture

WORDS = {
    "margin": "clients won and lost",
    "effects": "better margin",
    "fixed cost": "fixed cost",
    "change cost": "cost of changing",
    "resource cost": "cost of resources",
    "extra capacity": "extra capacity",
}


def main() -> None:
    """Writes the picture of a run."""
    (Path(__file__).parent / "picture.svg").write_bytes(drawn(Path(sys.argv[1])))


def drawn(run: Path) -> bytes:
    """The picture, from the waterfall of a run's folder."""
    return picture([waterfall(run)], "svg")


def waterfall(run: Path) -> Steps:
    """The steps of a run's waterfall, in words."""
    facts = json.loads((run / "run.json").read_text("utf-8"))
    with (run / "waterfall.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    today, plan = (float(rows[at]["total"]) for at in (0, -1))
    steps = tuple((label(row["source"], row["item"]), float(row["amount"])) for row in rows[1:-1])
    unit = f"thousand {facts['instance']['currency']}, {facts['instance']['periods']} years, discounted"
    title = "A bank: from today's profit to the plan's"
    return Steps(title, unit, ("profit if all stays as today", today), steps, ("profit of the plan", plan))


def label(source: str, item: str) -> str:
    """What a step is called."""
    return WORDS.get(source, source) + (f": {item}" if item else "")


if __name__ == "__main__":
    main()
