"""An explanation on a terminal or in a pipe.

A wide terminal gets tables by rich; a pipe gets plain lines of text with columns set by spaces; a narrow terminal gets
each row as a few short lines. Nothing that stands in a user's table can move the cursor or change colours.
"""

from __future__ import annotations

import io
import shutil
import textwrap
from collections.abc import Iterator
from typing import Literal, TextIO

from cpm_opt.report.explanation import NUMBER, SHARE, Explanation, Table

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
        for table in section.tables:
            parts.append("")
            if boxed:
                parts.append(
                    _rich_table(table, width, (stream.encoding or "ascii").lower().startswith("utf"))
                )
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


def _rich_table(table: Table, width: int, lines: bool) -> str:
    """The table fitted to `width`, long cells wrapped; `lines` is whether the terminal can draw them."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    shape = RichTable(
        box=box.SIMPLE_HEAD if lines else box.ASCII2, pad_edge=False, show_edge=False, header_style=""
    )
    for column in table.columns:
        side: Literal["left", "right"] = "right" if column.form in (NUMBER, SHARE) else "left"
        shape.add_column(Text(clean(column.title)), justify=side, overflow="fold")
    for row in _cells(table):
        shape.add_row(*(Text(cell) for cell in row))
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False, emoji=False).print(shape)
    return out.getvalue().rstrip("\n")
