"""Columns of the user's own in `activity_counts`: the drivers of time equations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger import instance


def test_drivers_are_numbers_and_blank_is_none_of_it(tmp_path: Path) -> None:
    found = instance(
        tmp_path, None, "", tables={"activity_counts": "activity,count,rush order,kilos\npack,2,1,\n"}
    )
    assert [fault.line() for fault in found.faults] == []
    frame = found.frames["activity_counts"]
    assert frame[["count", "rush order", "kilos"]].to_numpy().tolist() == [[2.0, 1.0, 0.0]]
    assert frame[["customer", "order", "product"]].to_numpy().tolist() == [["", "", ""]]


@pytest.mark.parametrize(
    ("header", "cell", "words"),
    [
        ("kilos", "x", "column kilos, value 'x': is not a number"),
        ("cuont", "1", "unlike it enough to be a driver"),
        ("line", "1", "kept for the lines of files"),
    ],
)
def test_what_is_no_driver_is_told(tmp_path: Path, header: str, cell: str, words: str) -> None:
    text = f"activity,count,{header}\npack,2,{cell}\n"
    (fault,) = instance(tmp_path, None, "", tables={"activity_counts": text}).faults
    assert words in fault.line()


def test_a_repeated_key_with_a_day_is_told_with_the_day(tmp_path: Path) -> None:
    text = "pool,expense,date\np,1,\np,1,2025-01-01\np,2,2025-01-01\np,2,\n"
    told = [fault.line() for fault in instance(tmp_path, None, "", tables={"cost_pools": text}).faults]
    assert ["date 2025-01-01" in line for line in told] == [True, False]
    assert all("repeats the key" in line and "NaT" not in line for line in told)
