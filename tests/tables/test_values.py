"""Numbers, flags, choices, days and names as single cells: what is read, what is refused, and why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpm_opt.tables import PLANNING, Column
from cpm_opt.tables.names import confusable, letters_apart, misspelt, texts
from cpm_opt.tables.values import choices, days, flags, numbers

ANY = Column("margin", "number", "", default=0.0)
SEGMENT_COLUMNS = PLANNING["segments"].names


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("5", 5.0),
        ("-0.0", 0.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1e3", 1000.0),
        (" 7 ", 7.0),
        ("007", 7.0),
        ("", 0.0),
    ],
)
def test_numbers_that_are_read(cell: str, value: float) -> None:
    # Beside a cell that is no number, so that the way cell by cell is tested too.
    for cells in ([cell], [cell, "x"]):
        read, problems = numbers(cells, ANY)
        assert (read[0], math.copysign(1, read[0])) == (value, math.copysign(1, value))
        assert [problem.at for problem in problems] == ([1] if len(cells) > 1 else [])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_is_read_as_it_is_or_refused(values: list[float]) -> None:
    read, problems = numbers([repr(value) for value in values], ANY)
    refused = {problem.at for problem in problems}
    for at, value in enumerate(values):
        sane = value == 0 or 1e-9 <= abs(value) < 1e15
        assert (at in refused) != sane
        assert read[at] == (value if sane else 0.0)


@given(st.text(max_size=12))
def test_no_text_is_taken_for_a_number_that_python_does_not_know(cell: str) -> None:
    read, problems = numbers([cell], ANY)
    assert np.isfinite(read).all()
    if not problems and cell.strip():
        assert cell.strip().isascii()
        assert read[0] == float(cell)
        assert set(cell.strip()) <= set("0123456789+-.eE")


def test_a_long_cell_is_refused_at_once() -> None:
    _, problems = numbers(["1" * 130_000 + "x"], ANY)
    assert [problem.code for problem in problems] == ["not_a_number"]


def test_whole_numbers() -> None:
    period = PLANNING["arrivals"].column("period")
    read, problems = numbers(["1", "2.0", "2.5", "", "0", "1e3"], period)
    assert [(problem.at, problem.code) for problem in problems] == [
        (2, "integer"),
        (4, "too_low"),
        (3, "blank"),
    ]
    assert list(read[[0, 1, 5]]) == [1, 2, 1000]


def test_a_blank_required_number_is_0_with_one_warning() -> None:
    read, problems = numbers(["", "5", ""], PLANNING["segments"].column("margin"))
    assert list(read) == [0.0, 5.0, 0.0]
    (warning,) = problems
    assert warning.warning
    assert "and 1 more" in warning.message


def test_a_price_that_doubles_is_doubtful_and_15_is_a_percent() -> None:
    _, problems = numbers(["0.5", "1.5", "15", "-2"], PLANNING["options"].column("price_change"))
    told = [(problem.at, problem.code, problem.warning) for problem in problems]
    assert told == [(2, "percent", False), (3, "too_low", False), (1, "percent", True)]


def test_flags() -> None:
    read, problems = flags(
        ["true", "FALSE", " True", "", "1", "yes"], Column("base", "flag", "", default=True)
    )
    assert list(read[:4]) == [True, False, True, True]
    assert [problem.at for problem in problems] == [4, 5]


def test_choices() -> None:
    read, problems = choices(["lost", "", " prospect", "Active"], PLANNING["segments"].column("kind"))
    assert read[:3] == ["lost", "active", "prospect"]
    assert [(problem.at, problem.remedy) for problem in problems] == [(3, "did you mean 'active'?")]


def test_days() -> None:
    column = Column("date", "date", "", required=True)
    read, problems = days(["2024-02-29", "2023-02-29", "2024-W01-1", "20240229"], column)
    assert read[0] == np.datetime64("2024-02-29")
    assert np.isnat(read[1:]).all()
    assert [problem.at for problem in problems] == [1, 2, 3]


NAMES = ["NA", "None", "007", "1e5", "=A1", "a,b", 'say "no"', "two\nlines", "é", "👨‍👩‍👧", "❤️‍🔥", "имя"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_stand(name: str) -> None:
    assert texts([name], Column("segment", "id", "")) == ([name], [])


@pytest.mark.parametrize(
    "name", ["a\u200bb", "a\u200db", "\u202eab", "a\u00adb", "a\x07", "\ufeffa", " a", "a\u00a0", ""]
)
def test_names_that_are_refused(name: str) -> None:
    _, problems = texts([name], Column("segment", "id", ""))
    assert len(problems) == 1


def test_confusable_names() -> None:
    assert confusable(["a", "b", "A", "café", "cafe\u0301", "x y", "x\u00a0y", "cafe"]) == {
        "A": "a",
        "cafe\u0301": "café",
        "x\u00a0y": "x y",
    }


@pytest.mark.parametrize(
    "grouping", ["tier", "band", "class", "risk", "region", "size", "group", "type", "city"]
)
def test_grouping_columns_that_must_pass(grouping: str) -> None:
    assert misspelt(grouping, SEGMENT_COLUMNS) is None


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("margn", "margin"),
        ("Margin", "margin"),
        ("end value", "end_value"),
        ("endvalue", "end_value"),
        ("customer", "customers"),
        ("custmrs", "customers"),
        ("revnue", "revenue"),
        ("csah", "cash"),
        ("kinds", "kind"),
        ("hwole", "whole"),
    ],
)
def test_slips_within_two_letters(slip: str, meant: str) -> None:
    assert misspelt(slip, SEGMENT_COLUMNS) == meant


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_letters_apart_is_a_distance(one: str, other: str) -> None:
    apart = letters_apart(one, other)
    assert apart == letters_apart(other, one)
    assert (apart == 0) == (one == other)
    assert abs(len(one) - len(other)) <= apart <= max(len(one), len(other))
