"""Draws docs/picture.svg, the README's picture: from today's profit to the plan's, for the shipped bank.

Call: python docs/make_picture.py RUN        (RUN: the folder of a run of instances/bank-clients)
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WORDS = {
    "margin": "clients won and lost",
    "effects": "better margin",
    "fixed cost": "fixed cost",
    "change cost": "cost of changing",
    "resource cost": "cost of resources",
    "extra capacity": "extra capacity",
}
LEFT, WIDTH, ROW, TOP = 250, 470, 26, 64
UP, DOWN, TOTAL, INK, SOFT = "#2a7f62", "#b5482f", "#33506b", "#1f2933", "#7b8794"


def main() -> None:
    """Writes the picture of a run."""
    (Path(__file__).parent / "picture.svg").write_text(picture(Path(sys.argv[1])), "utf-8")


def picture(run: Path) -> str:
    """The picture, from the waterfall of a run's folder."""
    facts = json.loads((run / "run.json").read_text("utf-8"))
    with (run / "waterfall.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    bars = [(label(row), bar(rows, number), row) for number, row in enumerate(rows)]
    low = 0.98 * min(min(ends) for _, ends, row in bars if row["source"] not in ("today", "plan"))
    high = max(max(ends) for _, ends, _ in bars)
    currency = facts["instance"]["currency"]
    unit = f"thousand {currency}" if facts["instance"]["money_unit"] == 1000 else currency
    lines = [text(20, 30, "From today's profit to the plan's", 18, INK, "bold")]
    lines.append(text(20, 50, subtitle(facts, unit), 12))
    for number, (name, ends, row) in enumerate(bars):
        lines += drawn(number, name, ends, row, low, high)
    height = TOP + ROW * len(bars) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 {height}" width="840" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif"><rect width="840" height="{height}" fill="white"/>'
        + "".join(lines)
        + "</svg>\n"
    )


def label(row: dict[str, str]) -> str:
    """What a step is called."""
    if row["source"] == "today":
        return "profit if all stays as today"
    if row["source"] == "plan":
        return "profit of the plan"
    return WORDS.get(row["source"], row["source"]) + (f": {row['item']}" if row["item"] else "")


def bar(rows: list[dict[str, str]], number: int) -> tuple[float, float]:
    """Where a bar begins and ends, in money."""
    total = float(rows[number]["total"])
    return (
        (0.0, total)
        if rows[number]["source"] in ("today", "plan")
        else (float(rows[number - 1]["total"]), total)
    )


def drawn(
    number: int, name: str, ends: tuple[float, float], row: dict[str, str], low: float, high: float
) -> list[str]:
    """One row of the picture."""
    y = TOP + ROW * number
    whole = row["source"] in ("today", "plan")
    first, last = (LEFT + WIDTH * (max(low, end) - low) / (high - low) for end in ends)
    colour = TOTAL if whole else UP if ends[1] >= ends[0] else DOWN
    left, right = min(first, last), max(first, last)
    figure = f"{ends[1]:,.0f}" if whole else f"{ends[1] - ends[0]:+,.0f}"
    return [
        text(LEFT - 12, y + 16, name, 13, INK, anchor="end"),
        f'<rect x="{left:.1f}" y="{y + 4}" width="{max(1.5, right - left):.1f}" height="{ROW - 9}" fill="{colour}"/>',
        text(right + 8, y + 16, figure, 12, INK if whole else colour),
    ]


def subtitle(facts: dict[str, Any], unit: str) -> str:
    """Which plan this is, and the unit."""
    horizon = f"{facts['instance']['periods']} {facts['instance']['period']}s"
    return (
        f"bank-clients, model {facts['model']['name']}, {horizon}, {unit}, discounted; "
        f"{facts['status']}, certificate {'passed' if facts['certificate']['passed'] else 'failed'}. "
        "The two totals are cut off at the left."
    )


def text(
    x: float, y: float, words: str, size: int, colour: str = SOFT, weight: str = "", anchor: str = ""
) -> str:
    """A piece of text."""
    more = (f' font-weight="{weight}"' if weight else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'


if __name__ == "__main__":
    main()
