"""How a table fits a terminal: units that its columns share said once, and columns in as many blocks as they need.

A column is never narrower than its longest number or word, so that none is broken; a name of more than `WORD`
characters is. Columns that do not fit beside each other go into blocks below each other, each with the columns that
tell the rows apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cpm_opt.report.explanation import NUMBER, Table
from cpm_opt.report.words import names

WORD = 24
GAP = 3  # between two columns


def shared_units(table: Table) -> tuple[Table, str]:
    """The table with units that several columns share taken out of their headings, and the line that says them."""
    counts = Counter(column.unit for column in table.columns if column.unit)
    shared = [unit for unit, count in counts.items() if count > 1]
    if not shared:
        return table, ""
    columns = tuple(replace(column, unit="") if column.unit in shared else column for column in table.columns)
    others = [c.heading for c in table.columns if c.form == NUMBER and not c.unit]
    of_one = [c.heading for c in table.columns if c.unit == shared[0]]
    if len(shared) == 1 and len(others) < len(of_one):
        return replace(table, columns=columns), f"In {shared[0]}{_but(others)}."
    said = (
        f"in {unit}: {', '.join(column.heading for column in table.columns if column.unit == unit)}"
        for unit in shared
    )
    line = "; ".join(said)
    return replace(table, columns=columns), f"{line[:1].upper()}{line[1:]}."


def _but(headings: Sequence[str]) -> str:
    return f", but for {names(headings, 20)}" if headings else ""


def blocks(cells: Sequence[Sequence[str]], width: int) -> list[dict[int, int]] | None:
    """Blocks of columns below each other: the number and the width of each column; None where no block fits.

    `cells` are the columns, heading first. The first columns, as many as tell the rows apart, are in each block.
    """
    most = [max(map(len, column)) for column in cells]
    everything = list(range(len(cells)))
    least = [_least(column, max(most)) for column in cells]
    if _together(everything, least) > width:
        least = [_least(column, WORD) for column in cells]
    if _together(everything, least) <= width:
        return [_widths(everything, least, most, width)]
    keys = _keys(cells, least, width)
    found: list[list[int]] = []
    for number in everything[len(keys) :]:
        if found and _together([*found[-1], number], least) <= width:
            found[-1].append(number)
        else:
            found.append([*keys, number])
    if any(_together(block, least) > width for block in found):
        return None
    return [_widths(block, least, most, width) for block in found]


def _least(column: Sequence[str], cap: int) -> int:
    """The longest of its words, or `cap` where that is less."""
    return max((min(len(word), cap) for cell in column for word in cell.split()), default=1)


def _together(numbers: Sequence[int], sizes: Sequence[int]) -> int:
    return sum(sizes[number] for number in numbers) + GAP * (len(numbers) - 1)


def _keys(cells: Sequence[Sequence[str]], least: Sequence[int], width: int) -> list[int]:
    """The fewest first columns that tell the rows apart; one where these take more than half of the width."""
    rows = list(zip(*(column[1:] for column in cells), strict=True))
    for count in range(1, len(cells)):
        keys = list(range(count))
        if _together(keys, least) > width // 2:
            break
        if len({row[:count] for row in rows}) == len(rows):
            return keys
    return [0]


def _widths(numbers: Sequence[int], least: Sequence[int], most: Sequence[int], width: int) -> dict[int, int]:
    """What is left of the width goes to the columns that lack least, so that most of them need no second line."""
    found = {number: least[number] for number in numbers}
    left = width - _together(numbers, least)
    for place, number in enumerate(
        sorted(numbers, key=lambda number: (most[number] - least[number], number))
    ):
        more = min(most[number] - least[number], left // (len(numbers) - place))
        found[number] += more
        left -= more
    return found
