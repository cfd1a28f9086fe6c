"""Numbers and days as a source writes them: what is written is read, and what may mean two things is refused."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cpm_opt.tables.cells import cell_text, column_texts
from cpm_opt.tables.column import Column
from cpm_opt.tables.source import PLAIN, Spelling
from cpm_opt.tables.values import days, numbers

NUMBER = Column("revenue", "number", "")
DAY = Column("date", "date", "")
marks = st.sampled_from([(".", ","), (",", "."), (",", ""), (",", " "), (".", "'"), (".", " ")])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.decimals(-(10**12), 10**12, places=2), min_size=1), marks)
def test_numbers_come_back_as_they_were_written(
    written: list[decimal.Decimal], mark: tuple[str, str]
) -> None:
    point, between = mark
    cells = [f"{number:,}".replace(".", "p").replace(",", between).replace("p", point) for number in written]
    found, problems = numbers(cells, NUMBER, Spelling(point, between))  # type: ignore[arg-type]
    assert problems == []
    assert found.tolist() == [float(number) + 0.0 for number in written]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e14, 1e14), st.integers(-(10**9), 10**9))), marks)
def test_typed_numbers_keep_every_digit(typed: list[float | int | None], mark: tuple[str, str]) -> None:
    assume(all(number is None or number == 0 or abs(number) >= 1e-9 for number in typed))
    spelling = Spelling(*mark)  # type: ignore[arg-type]
    texts, odd = column_texts(typed, spelling)
    assert odd == []
    column = Column("end_value", "number", "", default=np.nan)
    found, problems = numbers(texts, column, spelling)
    assert problems == []
    np.testing.assert_array_equal(
        found, np.array([np.nan if n is None else n + 0.0 for n in typed], dtype=float)
    )


@pytest.mark.parametrize(
    ("decimal_mark", "thousands", "cell"),
    [
        (",", "", "1.234"),  # 1234 or 1.234?
        (",", "", "12.5"),
        (",", ".", "12.5"),
        (",", ".", "1.23.456"),
        (",", ".", "1234.567,5"),
        (",", ".", "1,234.50"),
        (".", ",", "1.234,50"),
        (".", ",", "12,34"),
        (",", " ", "1 23"),
        (",", ".", "."),
        (",", ".", "-"),
        (",", "", ","),
        (",", ".", "12,5 %"),
        (",", ".", "12,5 €"),
    ],
)
def test_what_is_not_written_as_stated_is_refused(decimal_mark: str, thousands: str, cell: str) -> None:
    _, problems = numbers([cell], NUMBER, Spelling(decimal_mark, thousands))  # type: ignore[arg-type]
    assert [problem.at for problem in problems] == [0]


forms = st.sampled_from(["%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%d-%b-%Y", "%d.%m.%Y %H:%M:%S", "%Y-%d-%m"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dates(datetime.date(1900, 1, 1), datetime.date(2200, 12, 31)), min_size=1), forms)
def test_days_come_back_as_they_were_written(written: list[datetime.date], form: str) -> None:
    """As text, and as typed cells of a workbook or a database in a source that states a format."""
    spelling = Spelling(date_format=form)
    expected = [np.datetime64(day) for day in written]
    for cells in ([day.strftime(form) for day in written], [cell_text(day, spelling) for day in written]):
        found, problems = days(cells, DAY, spelling)
        assert problems == []
        assert found.astype("datetime64[D]").tolist() == [day.astype(object) for day in expected]


@pytest.mark.parametrize("cell", ["31.02.2026", "2026-01-31", "01/02/2026", "46053", "31.01.26", "1.1.1"])
def test_days_that_are_not_written_as_stated_are_refused(cell: str) -> None:
    _, problems = days([cell], DAY, Spelling(date_format="%d.%m.%Y"))
    assert [problem.code for problem in problems] == ["date"]


def test_a_typed_time_is_a_day_where_the_format_names_a_time_alone() -> None:
    moment = datetime.datetime(2026, 1, 31, 14, 30)
    assert cell_text(moment, PLAIN) == "2026-01-31 14:30:00"
    assert cell_text(moment, Spelling(date_format="%d.%m.%Y")) == "2026-01-31 14:30:00"
    assert cell_text(moment, Spelling(date_format="%d.%m.%Y %H:%M")) == "31.01.2026 14:30"
    assert cell_text(moment.replace(hour=0, minute=0), PLAIN) == "2026-01-31"
    there = moment.replace(tzinfo=datetime.UTC)
    assert cell_text(there, Spelling(date_format="%d.%m.%Y %H:%M")) == "2026-01-31 14:30:00+00:00"
