"""Sales behind a query, added up by the user's own database: the statement of the same rows in a small CSV file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpm_opt.costing import ProfitStatement, cost_and_profit, profitability
from cpm_opt.costing.dimensions import DIMENSIONS
from cpm_opt.costing.trace import trace
from cpm_opt.faults import InputError
from cpm_opt.tables import Tables
from cpm_opt.tables.ledgers import from_query
from cpm_opt.tables.ledgers.in_database import DatabaseTable
from tests.costing.test_large_sales import COLUMNS, OTHERS, RULES, line, same
from tests.ledger import instance

SERVER = os.environ.get("CPM_OPT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
KINDS = {"customer": "varchar", "date": "date", "quantity": "double precision", "revenue": "numeric(12, 2)",
         "list_price": "numeric(9, 3)", "discount": "double precision", "cost": "numeric",
         "tax": "double precision"}  # fmt: skip
ONES = (  # customer, date, quantity, revenue, order
    ("a", "2025-01-01", 1.0, "10.10", "o1"),
    ("b, of Ladenge", "2025-02-01", None, "-5.05", None),
    ("007", "2024-05-05", 2.5, "1e2", 'say "o"'),
    ("a", "2025-12-31", 3.0, "0.30", "o1"),
)
servers = pytest.mark.parametrize("server", ["sqlite", "postgresql"])


@contextmanager
def stored(
    folder: Path, server: str, kinds: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, str]]:
    """The URL of a database and a table of it that holds these rows, as long as the test needs it."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds)
    if server == "sqlite":
        with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
            database.execute(f"create table lines ({columns})")
            database.executemany(f"insert into lines values ({', '.join('?' * len(kinds))})", rows)
        yield f"sqlite:{folder / 'ledger.db'}", "lines"
        return
    try:
        connection = psycopg.connect(SERVER, connect_timeout=3, autocommit=True)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers: {error}")
    schema = f"cpm_opt_ledger_{os.getpid()}"
    with connection, connection.cursor() as cursor:
        cursor.execute("set lock_timeout = '5s'")
        cursor.execute(f"create schema {schema}")
        try:
            cursor.execute(f"create table {schema}.lines ({columns})")
            cursor.executemany(f"insert into {schema}.lines values ({', '.join(['%s'] * len(kinds))})", rows)
            yield SERVER, f"{schema}.lines"
        finally:
            cursor.execute(f"drop schema {schema} cascade")


@contextmanager
def read(
    folder: Path,
    place: tuple[str, str],
    more: str = "",
    others: dict[str, str] | None = None,
    rules: str = RULES,
) -> Iterator[Tables]:
    """The instance with its sales from a query that counts as a long one."""
    query = f"{rules}[tables.sales]\nurl = '{place[0]}'\nquery = 'select * from {place[1]} -- all of them'\n{more}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_query, "MANY_ROWS", 0)
        found = instance(folder, None, query, "year", others or {})
    assert [fault.line() for fault in found.faults] == []
    assert found.large["sales"].of_query
    try:
        yield found
    finally:
        table = found.large["sales"]
        if isinstance(table, DatabaseTable):
            table.database.close()


def added_up(tables: Tables) -> bool:
    """Whether the database gave sums alone."""
    table = tables.large["sales"]
    return isinstance(table, DatabaseTable) and table.state.rows is None


def alike(found: ProfitStatement, wanted: ProfitStatement) -> None:
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
    same(found.customers, wanted.customers)
    same(*(each.matrix.set_index(["customer", "product"]) for each in (found, wanted)))
    same(found.products, wanted.products)
    for dimension in DIMENSIONS:
        same(found.by(dimension), wanted.by(dimension))
    assert (found.prior is None) == (wanted.prior is None)
    if found.prior is not None and wanted.prior is not None:
        same(found.prior.customers, wanted.prior.customers)


@servers
@given(
    lines=st.lists(line, min_size=1, max_size=40),
    periods=st.booleans(),
    dropped=st.sets(
        st.sampled_from(["quantity", "order", "product", "list_price", "discount", "cost", "tax"])
    ),
    texts=st.booleans(),
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_database_adds_up_the_statement_of_a_small_ledger(
    tmp_path_factory: pytest.TempPathFactory,
    server: str,
    lines: list[tuple[str, ...]],
    periods: bool,
    dropped: set[str],
    texts: bool,
) -> None:
    """`texts`: every column is one of text, as an import of a CSV file leaves it."""
    folder = tmp_path_factory.mktemp("shop")
    frame = pd.DataFrame(lines, columns=list(COLUMNS)).drop(columns=list(dropped))
    rules = RULES if periods else "[estimates]\ngross_margin = 0.25\n"
    small = instance(folder / "small", None, rules, "year", {**OTHERS, "sales": frame.to_csv(index=False)})
    kinds = [(name, "text" if texts else KINDS.get(name, "text")) for name in frame.columns]
    rows = [[cell or None for cell in row] for row in frame.itertuples(index=False)]
    with (
        stored(folder, server, kinds, rows) as place,
        read(folder / "long", place, others=OTHERS, rules=rules) as long,
    ):
        alike(cost_and_profit(long), cost_and_profit(small))
        pair = [profitability(tables) for tables in (long, small)]
        same(*(each.transactions.set_index(["customer", "date"]) for each in pair))
        assert added_up(long)
        assert long.large["sales"].check() == []
        assert long.count("sales") == len(lines)
        assert added_up(long)


@servers
def test_the_columns_of_a_query_are_mapped_and_its_rows_can_be_traced(tmp_path: Path, server: str) -> None:
    columns = ("customer", "date", "quantity", "revenue", "order")
    sales = pd.DataFrame(ONES, columns=list(columns)).to_csv(index=False)
    wanted = cost_and_profit(instance(tmp_path / "small", None, RULES, "year", {"sales": sales}))
    kinds = [("who", "varchar"), ("date", "text" if server == "sqlite" else "timestamp"), ("quantity", "float"),
             ("revenue", "numeric(12, 2)"), ("order", "varchar")]  # fmt: skip
    mapped = "columns = { customer = 'who' }\n"
    with stored(tmp_path, server, kinds, ONES) as place, read(tmp_path / "long", place, mapped) as long:
        found = cost_and_profit(long)
        alike(found, wanted)
        assert added_up(long)
        # Numbers of rows need the rows.
        figures = {figure.name: figure for figure in trace(found, "a").figures}
        (paid,) = figures["sales_revenue"].parts
        assert (paid.lines, paid.amount) == ((1, 4), 10.4)
        assert not added_up(long)


FAULTY: dict[str, tuple[Any, ...]] = {
    "no customer": (None, "2025-01-01", "1"),
    "no day": ("a", "2025-02-30", "1"),
    "a time of day": ("a", "2025-01-01 10:00:00", "1"),
    "a year out of range": ("a", "1025-01-01", "1"),
    "no number": ("a", "2025-01-01", "1,234"),
    "a number too large": ("a", "2025-01-01", "1e400"),
    "no amount": ("a", "2025-01-01", " "),
    "a hidden character": ("a\u200bb", "2025-01-01", "1"),
    "a space": ("a ", "2025-01-01", "1"),
    "two names too alike": ("B", "2025-01-01", "1"),
}


@servers
@pytest.mark.parametrize("case", FAULTY)
def test_faults_are_those_of_a_small_query(tmp_path: Path, server: str, case: str) -> None:
    rows = [("b", "2025-01-01", "1.50"), FAULTY[case], ("b", "2025-01-02", "2")]
    kinds = [("customer", "text"), ("date", "text"), ("revenue", "text")]
    with stored(tmp_path, server, kinds, rows) as place:
        source = f"{RULES}[tables.sales]\nurl = '{place[0]}'\nquery = 'select * from {place[1]}'\n"
        small = instance(tmp_path / "small", None, source, "year", {})
        wanted = {fault.line() for fault in small.faults if fault.table == "sales"}
        assert wanted
        with read(tmp_path / "long", place) as long:
            assert {fault.line() for fault in long.large["sales"].check()} == wanted
        with read(tmp_path / "again", place) as long, pytest.raises(InputError) as told:
            cost_and_profit(long)
        assert {fault.line() for fault in told.value.faults} <= wanted


@servers
def test_rows_that_a_database_cannot_add_up_are_fetched_and_the_notes_say_so(
    tmp_path: Path, server: str
) -> None:
    rows = [("a", "31.01.2025", "1.234,50"), ("b", "01.02.2025", "-0,50")]
    kinds = [("customer", "text"), ("date", "text"), ("revenue", "text")]
    spelt = "decimal = ','\nthousands = '.'\ndate_format = '%d.%m.%Y'\n"
    with stored(tmp_path, server, kinds, rows) as place, read(tmp_path / "long", place, spelt) as long:
        found = cost_and_profit(long).as_dict()
        assert not added_up(long)
        assert found["revenue"] == 1234
        (note,) = [note for note in found["notes"] if "fetched" in note]  # type: ignore[attr-defined]
        assert "spelt" in note


@servers
def test_sums_of_a_database_are_exact_and_too_large_ones_are_refused(tmp_path: Path, server: str) -> None:
    """0.1 added 3,000 times between amounts that a float would lose it in; halves of a millionth go to even."""
    rows = [("a", "2025-01-01", 0.1)] * 3000 + [("a", "2025-01-01", 1e8), ("a", "2025-01-01", -1e8)] * 50
    halves = [(2 * k + 1) / 2**7 / 15625 for k in range(1000)]  # k + 1/2 millionths
    rows += [("b", "2025-01-01", half) for half in halves]
    kinds = [
        ("customer", "text"),
        ("date", "text" if server == "sqlite" else "date"),
        ("revenue", "double precision"),
    ]
    with stored(tmp_path, server, kinds, rows) as place, read(tmp_path / "long", place) as long:
        revenue = cost_and_profit(long).figures["revenue"]
        assert added_up(long)
        assert revenue["a"] == 300.0
        assert revenue["b"] == np.rint(np.array(halves) * 1e6).sum() / 1e6
    (tmp_path / "large").mkdir()
    most = [("a", "2025-01-01", 2e13)]
    refused = pytest.raises(InputError, match="9,000,000,000,000")
    with (
        stored(tmp_path / "large", server, kinds, most) as place,
        read(tmp_path / "most", place) as long,
        refused,
    ):
        cost_and_profit(long)
