"""Sales that stay in their file, condensed by DuckDB: the same statement to the cent and the same faults."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpm_opt.costing import cost_and_profit, profitability
from cpm_opt.costing.dimensions import DIMENSIONS
from cpm_opt.faults import InputError
from cpm_opt.tables import Tables, read_instance
from cpm_opt.tables.ledgers import broken, large
from cpm_opt.tables.ledgers.engine import start
from tests.ledger import HEADER, instance

RULES = """[estimates]
gross_margin = 0.25
[estimates.profit]
first_day = 2025-01-01
last_day = 2025-12-31
"""


def read_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """The instance with every CSV or Parquet file of sales taken for a large one."""
    with monkeypatch.context() as patch:
        patch.setattr(large, "THRESHOLD", 0)
        found = read_instance(folder)
    assert "sales" not in found.frames
    return found


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Equal frames: numbers within a thousandth of a cent, rows in the order of their names."""
    found, wanted = (frame.sort_index().sort_index(axis=1) for frame in (found, wanted))
    pd.testing.assert_frame_equal(
        found, wanted, check_dtype=False, rtol=1e-9, atol=1e-5, check_index_type=False
    )


money = st.one_of(
    st.integers(-200_00, 900_00).map(lambda cents: f"{cents / 100:.2f}"), st.just("0"), st.just("-7")
)
line = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "007", "NA"]),
    st.sampled_from(
        ["2023-05-05", "2024-07-01", "2024-12-31", "2025-01-01", "2025-02-01", "2025-12-31", "2026-01-01"]
    ),
    st.sampled_from(["", "1", "2", "3.5", "-1"]),
    money,
    st.sampled_from(["", "o1", "o2", "o3"]),
    st.sampled_from(["", "p", "q", "r"]),
    st.sampled_from(["", "x", "y"]),
    st.sampled_from(["", "web", "Ladenge, schäft"]),
    st.sampled_from(["", "12.345", "80"]),
    st.sampled_from(["", "1.10", "-0.5"]),
    st.sampled_from(["", "3.33", "-2"]),
    st.sampled_from(["", "0.07"]),
)
COLUMNS = ("customer", "date", "quantity", "revenue", "order", "product", "product_group", "channel", "list_price",
           "discount", "cost", "tax")  # fmt: skip
OTHERS = {
    "products": "product,product_group,unit_cost\np,x,1.234\nq,,\nr,z,2\n",
    "activities": "activity,pool,base_minutes,transaction_rate\npack,store,1.7,\nvisit,,,3.33\n",
    "cost_pools": "pool,expense,practical_capacity,per_client,date\n"
    "store,100,311,,2025-01-01\nstore,90,300,,2024-01-01\ndesk,50,,true,\n",
    "activity_counts": "activity,customer,order,product,count,date\npack,,o1,,3,2025-03-03\nvisit,a,,p,2,2025-03-03\n"
    "visit,z,,,1,2025-03-03\npack,,o2,,1,2024-03-03\n",
    "customers": "customer,segment,opened,closed\na,s1,,\nb,s2,2025-03-03,\nc,,2020-01-01,2024-12-31\n",
}


@given(
    lines=st.lists(line, min_size=1, max_size=40),
    stated=st.booleans(),
    dropped=st.sets(
        st.sampled_from(["quantity", "order", "product", "list_price", "discount", "cost", "tax"])
    ),
    parquet=st.booleans(),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_large_ledger_gives_the_statement_of_a_small_one(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[tuple[str, ...]],
    stated: bool,
    dropped: set[str],
    parquet: bool,
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    frame = pd.DataFrame(lines, columns=list(COLUMNS)).drop(columns=list(dropped))
    rules = RULES if stated else "[estimates]\ngross_margin = 0.25\n"
    small = instance(folder, None, rules, "year", {**OTHERS, "sales": frame.to_csv(index=False)})
    wanted = cost_and_profit(small)
    if parquet:
        as_parquet(folder / "sales.csv", frame)
    found = cost_and_profit(read_large(folder, monkeypatch))
    told, asked = found.as_dict(), wanted.as_dict()
    assert told["unreconciled"] == 0
    assert told["notes"] == asked["notes"]
    for name in (
        "customers",
        "revenue",
        "product_cost",
        "tax",
        "profit",
        "ledger_total",
        "discount",
        "list_revenue",
    ):
        assert told[name] == pytest.approx(asked[name], abs=1e-5), name
    assert told["tiers"] == {
        name: {"customers": tier["customers"], "profit": pytest.approx(tier["profit"], abs=1e-5)}  # type: ignore[index]
        for name, tier in asked["tiers"].items()  # type: ignore[attr-defined]
    }
    assert told["whale"] == pytest.approx(asked["whale"], abs=1e-6, nan_ok=True)
    same(found.customers, wanted.customers)
    for matrix in ("matrix", "loss_makers", "products"):
        keys = {"matrix": ["customer", "product"], "loss_makers": ["customer", "product"]}.get(matrix)
        pair = [getattr(statement, matrix) for statement in (found, wanted)]
        same(*(frame.set_index(keys) if keys else frame for frame in pair))
    same(found.ways_out.drop(columns=["sell"]), wanted.ways_out.drop(columns=["sell"]))
    for dimension in DIMENSIONS:
        same(found.by(dimension), wanted.by(dimension))
    assert (found.prior is None) == (wanted.prior is None)
    if found.prior is not None and wanted.prior is not None:
        same(found.prior.customers, wanted.prior.customers)
    pair = [profitability(tables) for tables in (read_large(folder, monkeypatch), small)]
    same(*(each.transactions.set_index(["customer", "date"]) for each in pair))
    assert pair[0].gross_margin == pytest.approx(pair[1].gross_margin)


def as_parquet(path: Path, frame: pd.DataFrame) -> None:
    """The CSV file as a Parquet file of typed columns in its place."""
    import duckdb

    typed = {
        "date": "DATE",
        "quantity": "DOUBLE",
        "revenue": "DECIMAL(12, 2)",
        "discount": "FLOAT",
        "tax": "DOUBLE",
    }
    columns = ", ".join(
        f'CAST(nullif("{name}", \'\') AS {typed.get(name, "VARCHAR")}) AS "{name}"' for name in frame.columns
    )
    with duckdb.connect() as database:
        rows = f"read_csv('{path}', all_varchar = true, header = true, delim = ',')"
        database.execute(f"COPY (SELECT {columns} FROM {rows}) TO '{path.with_suffix('.parquet')}'")
    path.unlink()


H = "customer,date,quantity,revenue,order\n"
FINE = "a,2025-01-01,1,5,o\n"
TEXTS: dict[str, str | bytes] = {
    "sound": H + FINE,
    "crlf and a mark": "\ufeff" + (H + FINE).replace("\n", "\r\n"),
    "cells": H
    + FINE
    + "b,2025-1-01,1,5,\n,2025-01-02,x,1e400,\nc,2025/01/01,1_0,,\nd,2025-02-30,nan,1e-12,\n",
    "spelt oddly": H + 'a,"2025-01-01 ", 5,+5.50,\nb,2025-01-01,\u00a07,0.0000000,\n',
    "widths": H + FINE + "a,2025-01-01,1,5\nb,2025-01-01,1,5,x,y\n" + FINE,
    "a thousands comma before an empty field": H
    + "a,2025-01-01,1,1,234,\n"
    + FINE
    + "b,2025-01-01,1,234,,\n",
    "empty fields too many": H + "a,2025-01-01,1,5,o,,,\n" + FINE + 'b,2025-01-01,1,5,"",""\n',
    "widths and cells": H + "a,2025-01-01,1,5\nb,2025-01-01,1,five,\n",
    "open quote": H + FINE + 'a,2025-01-01,1,5,"x\nb,2025-01-01,1,5,\n',
    "text after a quote": H + 'a,2025-01-01,1,5,"x"y\n',
    "blank lines": H + "a,2025-01-01,1,5,x\n\n\nA,2025-01-01,1,5,\n",
    "line breaks in quotes": H + 'a,2025-01-01,1,5,"x\ny"\n   \nA,2025-01-01,1,z,\n,,,,\n',
    "names": H + "a\u200bb,2025-01-01,1,5,x \n\u0416,2025-01-01,1,5,x\n\u0436,2025-01-01,1,5,x\n",
    "delimiter": "customer;date;revenue\na;2025-01-01;1\n",
    "misspelt": "customer,dte,revenue\na,2025-01-01,1\n",
    "unknown": "customer,date,revenue,colour\na,2025-01-01,1,red\n",
    "percent, signs": H + "a,2025-01-01,1%,$5,\n" + 'a,2025-01-01,"1,234",(5),\n',
}


TEXTS |= {
    "every row too few": H + "a,2025-01-01\n" * 70,
    "every row too many, and two are blank": H + "   \n,\n" + "a,2025-01-01,1,5,x,\n" * 3,
    "every row but of two widths": H + "a,2025-01-01,1,5\nb,2025-01-01,1,5,x,y\n",
    "no row": H + "\n\n   \n,,,,\n",
    "blank rows of another width": H + FINE + ",,\n" + FINE,
    "a line too long": H + FINE + "a" * 1_200_000 + ",2025-01-01,1,5,x\n" + FINE,
    "the first line too long": H[:-1] + "x" * 1_000_001 + "\n" + FINE,
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_large_file_has_the_faults_of_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    (tmp_path / "instance.toml").write_text(HEADER.format(period="year"), encoding="utf-8")
    text = TEXTS[case]
    (tmp_path / "sales.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    small = read_instance(tmp_path)
    wanted = {fault.line() for fault in small.faults if fault.table == "sales" and not fault.warning}
    with monkeypatch.context() as patch:
        patch.setattr(large, "THRESHOLD", 0)
        tables = read_instance(tmp_path)
    found = {fault.line() for fault in tables.faults if fault.table == "sales" and not fault.warning}
    if "sales" in tables.large:
        found |= {fault.line() for fault in tables.large["sales"].check()}
    assert found == wanted
    assert bool(wanted) == (
        case not in ("sound", "crlf and a mark", "spelt oddly", "blank rows of another width")
    )


ODD_ROWS: dict[str, bytes] = {
    "few fields": b"a,2025-01-01\n",
    "many fields": b"a,2025-01-01,1,5,o,x\n",
    "not UTF-8": b"M\xfcller,2025-01-01,1,5,o\n",
}


@pytest.mark.parametrize("most", [10_000, 0])
@pytest.mark.parametrize("case", ODD_ROWS)
def test_of_many_rows_that_are_no_records_the_first_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, most: int
) -> None:
    """By DuckDB where they are few, by Python where they are many: the same, and how many more there are."""
    monkeypatch.setattr(broken, "FEW", most)
    rows = (FINE.encode() + ODD_ROWS[case] + b"   \n") * 60
    sales = H.encode() + rows + b"a,2025-01-01,1,five,o\n"
    (tmp_path / "instance.toml").write_text(HEADER.format(period="year"), encoding="utf-8")
    (tmp_path / "sales.csv").write_bytes(sales)
    found = read_large(tmp_path, monkeypatch).large["sales"].check()
    code = "encoding" if case == "not UTF-8" else "field_count"
    assert [fault.row for fault in found if fault.code == code] == list(range(3, 3 + 3 * 50, 3))
    more = [fault.message for fault in found if fault.code == "more"]
    if code == "encoding":  # one remedy for the whole file
        assert not more
        return
    assert len(more) == 1
    # Blank lines count as rows where only the lines are known.
    assert more[0].startswith("10 more rows" if most else "up to 70 more rows")
    assert any(fault.column == "revenue" and fault.row == 182 for fault in found)


def test_blank_lines_by_the_thousand_are_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broken, "FEW", 0)
    sales = H + ("   \n" * 500 + FINE) * 4
    instance(tmp_path, None, "[estimates]\ngross_margin = 0.5\n", "year", {"sales": sales})
    assert cost_and_profit(read_large(tmp_path, monkeypatch)).customers["lines"].tolist() == [4]


def test_a_ledger_without_a_row_has_no_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance(
        tmp_path, None, "[estimates]\ngross_margin = 0.5\n", "year", {"sales": H + "\n" * 50 + " \n,,,,\n"}
    )
    for ask in (cost_and_profit, profitability):
        with pytest.raises(InputError, match="sales: is an empty table"):
            ask(read_large(tmp_path, monkeypatch))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_query_and_keeps_its_number(number: signal.Signals) -> None:
    """DuckDB would make a RuntimeError of it, which passes for a defect."""

    def stop(found: int, frame: object) -> None:
        raise KeyboardInterrupt(found)

    long = "SELECT sum(sqrt(a.range * b.range)) FROM range(100000) AS a, range(40000) AS b"
    before = signal.signal(number, stop)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt) as stopped:
            start().columns(long)
        assert stopped.value.args == (number,)
        assert signal.getsignal(number) is stop
    finally:
        timer.join()
        signal.signal(number, before)


def test_faulty_cells_stop_a_statement_and_sound_odd_ones_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = "[estimates]\ngross_margin = 0.5\n"
    odd = H + 'a,"2025-01-01 ", 5,+5.50,\n,,,,\nb,2025-01-01,\u00a07,0.0000000,\n'
    instance(tmp_path / "odd", None, rules, "year", {"sales": odd})
    found = cost_and_profit(read_large(tmp_path / "odd", monkeypatch))
    assert found.customers[["lines", "quantity", "revenue"]].to_dict("index") == {
        "a": {"lines": 1, "quantity": 5, "revenue": 5.5},
        "b": {"lines": 1, "quantity": 7, "revenue": 0},
    }
    instance(tmp_path / "bad", None, rules, "year", {"sales": str(TEXTS["cells"])})
    with pytest.raises(InputError, match="sales line 3, column date, value '2025-1-01': is no date"):
        cost_and_profit(read_large(tmp_path / "bad", monkeypatch))


def test_a_margin_that_lines_need_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sales = "customer,date,revenue,cost\na,2025-01-01,5,3\nb,2025-01-01,5,\n"
    instance(tmp_path, None, "", "year", {"sales": sales})
    for ask in (cost_and_profit, profitability):
        with pytest.raises(InputError, match="1 lines of sales have no cost of their own"):
            ask(read_large(tmp_path, monkeypatch))


def test_sums_are_exact_whatever_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1 added 30,000 times, between amounts that a float would lose it in."""
    draw = np.random.default_rng(1)
    rows = ["a,2025-01-01,0.1"] * 30_000 + ["a,2025-01-01,100000000.07", "a,2025-01-01,-100000000.07"] * 500
    results: list[Any] = []
    for at in range(2):
        draw.shuffle(rows)
        sales = "customer,date,revenue\n" + "\n".join(rows) + "\n"
        instance(tmp_path / str(at), None, "[estimates]\ngross_margin = 0.5\n", "year", {"sales": sales})
        results.append(cost_and_profit(read_large(tmp_path / str(at), monkeypatch)).as_dict())
    assert results[0]["revenue"] == 3000.0
    assert results[0] == results[1]
