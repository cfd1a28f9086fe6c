"""The same explanation in a pipe, on a wide, a narrow and an old terminal; nothing in a table can act on it."""

import io
import os

import pytest

from cpm_opt.report import Column, Explanation, Section, Table, text_of
from cpm_opt.report.words import Range, amount, names, percent, spans

COLUMNS = (
    Column("who", "for whom"),
    Column("margin", "margin", "number", "RUB"),
    Column("share", "share", "share"),
)
TABLE = Table(
    "t", COLUMNS, (("gold", 1234.5, 0.125), ("\x1b[2J[red]x\u202e", None, Range(0.1, 0.2))), file="t.csv"
)
EXPLANATION = Explanation(
    "run", "optimal", "A title\nin two", (Section("s", "Heading", ("A sentence.",), (TABLE,)),)
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class OldTerminal(Terminal):
    encoding = "ascii"


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, width: int = 80) -> str:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((width, 24)))
    text = text_of(EXPLANATION, stream)
    assert all(line.isprintable() for line in text.split("\n"))
    return text


def test_a_pipe_gets_aligned_text(monkeypatch):
    assert shown(io.StringIO(), monkeypatch).split("\n") == [
        "A title\\nin two",
        "",
        "Heading",
        "A sentence.",
        "",
        "for whom             margin, RUB      share",
        "-------------------  -----------  ---------",
        "gold                     1,234.5      12.5%",
        "\\x1b[2J[red]x\\u202e               10 to 20%",
    ]


def test_a_terminal_gets_a_table_that_fits(monkeypatch):
    text = shown(Terminal(), monkeypatch)
    assert "\u2500" in text
    assert "[red]" in text
    assert max(map(len, text.split("\n"))) <= 80
    assert shown(OldTerminal(), monkeypatch).isascii()


def wide_table(segments: int = 12) -> Table:
    """What segments bring by ten layers, each as long a figure as a table of a large firm has."""
    money = tuple(Column(f"m{i}", f"margin of layer {i}", "number", "thousand RUB") for i in range(10))
    rows = tuple(
        (f"class-{i}-deposit-retail", *(1_234_567.0 * (i + j + 1) for j in range(10)), None)
        for i in range(segments)
    )
    columns = (Column("segment", "segment"), *money, Column("note", "never told"))
    return Table("t", columns, rows)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_number_and_no_name_is_broken_on_a_terminal(width, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((width, 24)))
    table = wide_table()
    text = text_of(Explanation("", "", "", (Section("s", "", (), (table,)),)), Terminal())
    assert max(map(len, text.split("\n"))) <= width
    found = text.split()
    for row in table.rows:
        for cell in row[:-1]:
            assert (amount(cell) if isinstance(cell, float) else cell) in found
    assert found.count("class-0-deposit-retail") == (1 if width == 200 else text.count("segment"))


def test_a_shared_unit_is_said_once_and_a_blank_column_not_at_all(monkeypatch):
    text = text_of(Explanation("", "", "", (Section("s", "", (), (wide_table(),)),)), io.StringIO())
    assert text.count("thousand RUB") == 1
    assert "In thousand RUB.\nsegment" in text
    assert "never told" not in text


def test_figures_of_another_unit_are_named_beside_a_shared_one():
    columns = (
        Column("tier", "tier"),
        Column("customers", "customers", "number"),
        Column("now", "now", "number", "USD"),
        Column("later", "later", "number", "USD"),
        Column("hours", "work", "number", "hours"),
    )
    table = Table("t", columns, (("gold", 2, 3.0, 4.0, 5.0),))
    text = text_of(Explanation("", "", "", (Section("s", "", (), (table,)),)), io.StringIO())
    assert "In USD, but for customers.\ntier  customers  now  later  work, hours" in text
    assert table.as_dict()["units"] == {"now": "USD", "later": "USD", "hours": "hours"}


def test_a_narrow_terminal_gets_short_lines(monkeypatch):
    text = shown(Terminal(), monkeypatch, width=30)
    assert "- for whom: gold\n  margin, RUB: 1,234.5\n  share: 12.5%" in text


def test_a_long_table_is_cut_and_says_where_the_rest_is():
    table = Table("t", COLUMNS, tuple(("gold", 1.0, 0.5) for _ in range(1045)), file="plan.csv")
    text = text_of(Explanation("", "", "", (Section("s", "", (), (table,)),)), io.StringIO())
    assert text.count("gold") == 40
    assert text.endswith("... 1,005 more rows are in plan.csv")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.001, "-0.001"),
        (1e-9, "0.000000001"),
        (12.345, "12.35"),
        (1234.56, "1,234.6"),
        (-98765.4, "-98,765"),
        (1e20, "100,000,000,000,000,000,000"),
        (float("inf"), "unlimited"),
        (Range(2.0, 2.0), "2"),
    ],
)
def test_amounts(value, text):
    assert amount(value) == text


def test_percents_names_and_spans():
    assert [percent(value) for value in (0.5, 0.1234, 0.00123, 1e-7, 0.0, 12.0)] == [
        "50%", "12.3%", "0.12%", "0.00001%", "0%", "1,200%"
    ]  # fmt: skip
    assert names(["a", "b", "c"]) == "a, b and c"
    assert names([str(i) for i in range(9)], 3) == "0, 1 and 7 more"
    assert spans([4, 1, 2, 6, 5]) == [(1, 2), (4, 6)]
