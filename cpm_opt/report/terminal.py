"""An explanation on a terminal or in a pipe.

A wide terminal gets tables by rich; a pipe gets plain lines of text with columns set by spaces; a narrow terminal gets
each row as a few short lines. Nothing that stands in a user's table can move the cursor or change colours.
"""

from __future__ import annotations

import io
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Literal, TextIO

from cpm_opt.report.explanation import NUMBER, SHARE, Explanation, Table
from cpm_opt.report.fitting import blocks, shared_units

NARROW = 60
PIPE_WIDTH = 100
GAP = "  "


def text_of(explanation: Explanation, stream: TextIO) -> str:
    """The explanation as text that fits what `stream` is; it is not written there."""
    terminal = stream.isatty()
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if terminal else PIPE_WIDTH
    boxed = terminal and width >= NARROW
    parts = [clean(explanation.title)]
    for section in explanation.sections:
        parts.extend(["", clean(section.title)] if section.title else [])
        parts.extend(
            textwrap.fill(clean(sentence), max(20, width - 2), break_on_hyphens=False)
            for sentence in section.sentences
        )
        for whole in section.tables:
            table, units = shared_units(whole.without_blanks())
            parts.append("")
            if units:
                parts.append(textwrap.fill(clean(units), max(20, width - 2), break_on_hyphens=False))
            if boxed:
                lines = (stream.encoding or "ascii").lower().startswith("utf")
                parts.append(_fitted_table(table, width, lines))
            else:
                parts.extend(_plain_table(table, width if terminal else None))
            parts.extend(_rest(table))
    return "\n".join(parts)


def clean(text: str) -> str:
    """Text in one line, with what is not printable escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _rest(table: Table) -> Iterator[str]:
    rows = len(table.rows) if table.of is None else table.of
    if rows > table.most:
        where = f" are in {table.file}" if table.file else ""
        yield f"... {rows - table.most:,} more rows{where}"


def _cells(table: Table) -> list[list[str]]:
    return [
        [clean(column.text(cell)) for column, cell in zip(table.columns, row, strict=True)]
        for row in table.rows[: table.most]
    ]


def _plain_table(table: Table, width: int | None) -> Iterator[str]:
    """Aligned columns, or, where they are wider than `width`, each row as lines `heading: value`."""
    titles = [clean(column.title) for column in table.columns]
    rows = _cells(table)
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    if width is not None and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        for row in rows:
            yield "- " + "\n  ".join(
                f"{title}: {cell}" for title, cell in zip(titles, row, strict=True) if cell
            )
        return
    right = [column.form in (NUMBER, SHARE) for column in table.columns]
    for row in (titles, ["-" * size for size in widths], *rows):
        cells = zip(row, widths, right, strict=True)
        yield GAP.join(cell.rjust(size) if push else cell.ljust(size) for cell, size, push in cells).rstrip()


def _fitted_table(table: Table, width: int, lines: bool) -> str:
    """The table fitted to `width`, long cells wrapped; `lines` is whether the terminal can draw them."""
    titles = [clean(column.title) for column in table.columns]
    rows = _cells(table)
    found = blocks(list(zip(titles, *rows, strict=True)), width)
    if found is None:
        return "\n".join(_plain_table(table, width))
    return "\n\n".join(_rich_table(table, titles, rows, widths, lines) for widths in found)


def _rich_table(
    table: Table, titles: list[str], rows: list[list[str]], widths: Mapping[int, int], lines: bool
) -> str:
    """The columns named in `widths`, each as wide as it says there."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    shape = RichTable(
        box=box.SIMPLE_HEAD if lines else box.ASCII2, pad_edge=False, show_edge=False, header_style=""
    )
    for number, size in widths.items():
        form = table.columns[number].form
        side: Literal["left", "right"] = "right" if form in (NUMBER, SHARE) else "left"
        shape.add_column(Text(titles[number]), justify=side, overflow="fold", width=size)
    for row in rows:
        shape.add_row(*(Text(row[number]) for number in widths))
    out = io.StringIO()
    wide = sum(widths.values()) + 3 * len(widths)
    Console(file=out, width=wide, color_system=None, highlight=False, emoji=False).print(shape)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))
