"""Parquet files: what is read, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from cpm_opt.tables import read_instance
from tests.tables.test_queries import READ, ROWS, arrivals, the_fault
from tests.test_bad_inputs import BASE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The base of the corpus without its table of arrivals."""
    shutil.copytree(BASE, tmp_path / "instance")
    (tmp_path / "instance" / "arrivals.csv").unlink()
    return tmp_path / "instance"


def parquet(folder: Path, select: str, name: str = "arrivals.parquet") -> Path:
    duckdb.sql(f"copy ({select}) to '{folder / 'made.parquet'}' (format parquet)")
    return (folder / "made.parquet").rename(folder / name)


def test_parquet_beside_instance_toml_is_read(folder: Path) -> None:
    parquet(folder, f"select * from (values {ROWS}) as a(segment, period, customers)")
    assert arrivals(folder) == READ


def test_a_file_name_is_no_pattern(folder: Path) -> None:
    parquet(folder, f"select * from (values {ROWS}) as a(segment, period, customers)", "a[1]*.parquet")
    parquet(folder, "select 'x' as segment", "a1.parquet")
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tables.arrivals]\npath = "a[1]*.parquet"\n')
    assert arrivals(folder) == READ


def test_types_of_parquet(folder: Path) -> None:
    parquet(
        folder,
        "select 7::double as customer, date '2026-01-31' as date, 0.1::float as revenue, 12::utinyint as quantity "
        "union all select 8, timestamp '2026-02-28 00:00:00', 2.5, null",
        "sales.parquet",
    )
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults if fault.table == "sales"] == []
    sales = tables.frames["sales"]
    assert sales["customer"].tolist() == ["7", "8"]
    assert sales["date"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-31", "2026-02-28"]
    assert sales["revenue"].tolist() == [0.1, 2.5]


def test_parquet_that_cannot_be_read(folder: Path) -> None:
    path = parquet(folder, f"select * from (values {ROWS}) as a(segment, period, customers)")
    whole = path.read_bytes()
    for data, code in (
        (whole[:-20], "damaged"),
        (whole[:20] + b"PAR1", "damaged"),
        (b"PK\x03\x04" + whole[4:], "not_parquet"),
        (b"", "not_parquet"),
    ):
        path.write_bytes(data)
        fault = the_fault(folder)
        assert (fault.table, fault.code) == ("arrivals", code), fault.line()


@pytest.mark.parametrize("value", ["[1, 2]", "{'a': 1}", "map {'a': 1}", "'x'::blob"])
def test_nested_columns_of_parquet_are_named(value: str, folder: Path) -> None:
    parquet(folder, f"select 'basic' as segment, 1 as period, {value} as customers")
    fault = the_fault(folder, command=True)
    assert (fault.column, fault.code) == ("customers", "nested")


def test_nested_columns_left_out_by_a_map_do_not_matter(folder: Path) -> None:
    parquet(folder, "select 'basic' as seg, 1 as period, 10 as customers, [1] as tags")
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tables.arrivals]\ncolumns = { segment = "seg" }\n')
    (warning,) = read_instance(folder).faults
    assert (warning.warning, warning.code, "'tags'" in warning.line()) == (True, "left_out", True)


def test_parquet_without_rows_and_with_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet(folder, "select 'basic' as segment, 1 as period, 10 as customers where false")
    assert the_fault(folder).code == "empty_table"
    parquet(folder, "select 'basic' as segment, 1 as period, 10 as customers from range(2)")
    monkeypatch.setattr("cpm_opt.tables.parquet.MAX_CELLS", 5)
    assert the_fault(folder).code == "too_large"
