"""Reading whole instances: what is written comes back, in the shape that later stages rely on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpm_opt.tables import PLANNING, InstanceInfo, check_frame, read_instance
from cpm_opt.tables.check import check_records
from cpm_opt.tables.names import alike, texts
from cpm_opt.tables.records import parse

BASE = Path(__file__).parents[1] / "bad_inputs" / "_base"
INFO = InstanceInfo(name="a", title="A", currency="EUR", period="year", measures={}, estimates={})
DTYPES = {"number": "float64", "integer": "int64", "flag": "bool", "date": "datetime64[ns]"}


def fit(name: str) -> bool:
    return not texts([name], PLANNING["segments"].column("segment"))[1]


ids = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf")), min_size=1, max_size=8).filter(fit)
sane = st.floats(-1e14, 1e14).filter(lambda value: value == 0 or abs(value) >= 1e-9)
segments = st.lists(
    st.tuples(ids, st.floats(0, 1e14).filter(lambda v: v == 0 or v >= 1e-9), sane, ids),
    min_size=1,
    unique_by=lambda row: alike(row[0]),
)


@settings(max_examples=150, deadline=None)
@given(segments, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.permutations(range(4)))
def test_what_is_written_is_read(rows: list[Any], line_break: str, quoted: bool, order: list[int]) -> None:
    header = ["segment", "customers", "margin", "tier"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow([header[at] for at in order])
    writer.writerows(
        [[row[at] if isinstance(row[at], str) else repr(row[at]) for at in order] for row in rows]
    )
    text = file.getvalue().replace("\n", line_break).replace("\r\n", "\n").replace("\r", "\n")
    table = PLANNING["segments"]
    records, faults = parse(text, "segments", table.names)
    assert records is not None
    frame, more = check_records(table, records, INFO)
    assert frame is not None
    # Groupings may be alike here; they are not what is tested.
    assert [f for f in faults + more if f.column != "tier"] == []
    assert [tuple(row) for row in frame[header].to_numpy(dtype=object)] == [
        (name, customers + 0.0, margin + 0.0, tier) for name, customers, margin, tier in rows
    ]


def test_shape_of_the_frames() -> None:
    tables = read_instance(BASE)
    assert set(tables.hashes) == {path.name for path in BASE.iterdir()}
    for name, frame in tables.frames.items():
        columns = PLANNING[name].with_measures(tables.info.measures)
        extra = ["tier"] if name == "segments" else []
        assert list(frame.columns) == [column.name for column in columns] + [*extra, "line"]
        for column in columns:
            assert frame[column.name].dtype == DTYPES.get(column.kind, object), f"{name}.{column.name}"
            if column.numeric and not column.blank_is_nan:
                assert frame[column.name].notna().all(), f"{name}.{column.name}"
    resources = tables.frames["resources"]
    assert list(resources["period"]) == [0, 2]
    assert list(tables.frames["balance"]["last_period"]) == [2, 0]
    assert list(tables.frames["usage"]["segment"]) == ["", "", "gold"]
    assert np.isnan(tables.frames["segments"]["cash"]).tolist() == [True, False, True, False]
    assert tables.info.measures["satisfaction"].unit == "points of 10"


def parsed(name: str, text: str) -> tuple[pd.DataFrame | None, list[tuple[int | None, str | None, str]]]:
    records, faults = parse(text, name, PLANNING[name].names)
    assert records is not None
    frame, more = check_records(PLANNING[name], records, INFO)
    return frame, [(fault.row, fault.column, fault.code) for fault in faults + more]


def test_lines_are_those_of_the_file() -> None:
    frame, faults = parsed("usage", 'resource,amount\n\n"two\nlines",1\n\nhours,2\n')
    assert frame is not None
    assert faults == []
    assert frame["line"].tolist() == [3, 6]


def test_faulty_cells_get_the_default_and_rows_without_a_key_are_left_out() -> None:
    frame, faults = parsed(
        "segments", "segment,customers,margin,kind\na,x,1,active\n,5,1,active\nb ,7,2,gone\n"
    )
    assert faults == [
        (3, "segment", "blank"),
        (4, "segment", "space"),
        (2, "customers", "not_a_number"),
        (4, "kind", "choice"),
    ]
    assert frame is not None
    assert frame[["segment", "customers", "kind"]].to_numpy(dtype=object).tolist() == [
        ["a", 0.0, "active"],
        ["b", 7.0, "active"],
    ]


def test_a_thousand_faults_and_the_count() -> None:
    text = "resource,amount,segment\n" + "".join(f"hours,x,s{at}\n" for at in range(1234))
    _, faults = parsed("usage", text)
    assert len(faults) == 1001
    assert faults[-1] == (None, "amount", "more")


def test_without_key_there_is_no_frame_but_all_faults() -> None:
    frame, faults = parsed("usage", "amount,segment\nx,gold\n")
    assert frame is None
    assert faults == [(1, "resource", "missing_column"), (2, "amount", "not_a_number")]


def test_estimated_tables_pass_the_same_door() -> None:
    made = pd.DataFrame({"from": ["a", "a", "b"], "to": ["a", "b", "b"], "rate": [0.5, 1e-12, 1.2]})
    frame, faults = check_frame("migration", made, INFO)
    assert [(fault.row, fault.column, fault.code) for fault in faults] == [(4, "rate", "percent")]
    assert frame["rate"].tolist() == [0.5, 0.0, 0.0]
    assert frame["se"].isna().all()
    again, none = check_frame("migration", frame.drop(index=2), INFO)
    assert none == []
    pd.testing.assert_frame_equal(again, frame.drop(index=2))


def test_an_estimate_that_is_no_number_is_a_fault() -> None:
    made = pd.DataFrame({"segment": ["a", "b"], "customers": [1, 2], "margin": [np.nan, np.inf]})
    _, faults = check_frame("segments", made, INFO)
    assert [(fault.row, fault.code) for fault in faults] == [(2, "not_a_number"), (3, "too_large")]


def test_an_estimate_without_a_key_has_faults_and_no_rows() -> None:
    frame, faults = check_frame("migration", pd.DataFrame({"from": ["a"], "rate": [1.0]}), INFO)
    assert [fault.code for fault in faults] == ["missing_column"]
    assert list(frame.columns) == ["from", "to", "rate", "se", "line"]
    assert frame.empty


@pytest.mark.parametrize("name", sorted(path.stem for path in BASE.glob("*.csv")))
def test_a_frame_read_is_a_frame_accepted(name: str) -> None:
    tables = read_instance(BASE)
    frame = tables.frames[name]
    again, faults = check_frame(name, frame, tables.info)
    assert faults == []
    pd.testing.assert_frame_equal(again, frame)


def test_options_where_only_the_base_is_marked() -> None:
    """A blank `base` is false where another option of its lever says true; alone it keeps its default, true."""
    frame = pd.DataFrame(
        {"lever": ["fee", "fee", "call"], "option": ["keep", "up", "none"], "base": ["TRUE", "", ""]}
    )
    checked, faults = check_frame("options", frame, INFO)
    assert faults == []
    assert checked["base"].tolist() == [True, False, True]
