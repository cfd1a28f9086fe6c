"""Queries against SQLite and PostgreSQL: what is read, what is refused, and that nothing is written.

PostgreSQL is the one at CPM_OPT_TEST_POSTGRES, else at 127.0.0.1:5432; without it these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.faults import Fault
from cpm_opt.tables import database, read_instance
from cpm_opt.tables.database import not_one_select
from tests.test_bad_inputs import BASE, MODEL, check

SERVER = os.environ.get("CPM_OPT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
ARRIVALS = "(segment varchar, period integer, customers double precision)"
ROWS = "('basic', 1, 10), ('basic', 2, 10.5)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The base of the corpus without its table of arrivals."""
    shutil.copytree(BASE, tmp_path / "instance")
    (tmp_path / "instance" / "arrivals.csv").unlink()
    return tmp_path / "instance"


@pytest.fixture
def ledger(folder: Path) -> Path:
    """An SQLite database with the arrivals."""
    path = folder / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute(f"create table arrivals {ARRIVALS}")
    connection.execute(f"insert into arrivals values {ROWS}")
    connection.commit()
    connection.close()
    return path


@pytest.fixture(scope="module")
def schema() -> Iterator[str]:
    """A schema of our own in the PostgreSQL server, with the arrivals."""
    try:
        connection = psycopg.connect(SERVER, connect_timeout=3, autocommit=True)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers at 127.0.0.1:5432: {error}")
    name = f"cpm_opt_test_{os.getpid()}"
    with connection:
        connection.execute(f"create schema {name}")
        connection.execute(f"create table {name}.arrivals {ARRIVALS}")
        connection.execute(f"insert into {name}.arrivals values {ROWS}")
    yield name
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"drop schema {name} cascade")


def stated(folder: Path, url: str, query: str, more: str = "") -> None:
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tables.arrivals]\nurl = '{url}'\nquery = '''{query}'''\n{more}\n")


def the_fault(folder: Path, command: bool = False) -> Fault:
    """The one fault of an instance; nothing is written or left behind. With `command`, `cpm check` tells it too."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (fault,) = (fault for fault in read_instance(folder).faults if not fault.warning)
    assert fault.remedy
    if command:
        code, shown = check(folder)
        assert code == 2
        assert fault.line() in shown
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    return fault


def arrivals(folder: Path) -> list[list[Any]]:
    tables = read_instance(folder)
    assert tables.faults == ()
    return tables.frames["arrivals"].to_numpy(dtype=object).tolist()


READ = [["basic", 1, 10.0, 1], ["basic", 2, 10.5, 2]]


def test_sqlite_is_read(folder: Path, ledger: Path) -> None:
    stated(folder, "sqlite:ledger.db", "select * from arrivals order by period; -- all of them")
    assert arrivals(folder) == READ


@pytest.mark.parametrize("url", ["sqlite:{}", "sqlite:///{}", "sqlite:////{}"])
def test_sqlite_by_its_whole_path(url: str, folder: Path, tmp_path: Path, ledger: Path) -> None:
    ledger.rename(tmp_path / "else where#1.db")
    place = str(tmp_path / "else where#1.db")
    stated(
        folder, url.format(place if url == "sqlite:{}" else place.removeprefix("/")), "select * from arrivals"
    )
    assert arrivals(folder) == READ


def test_sqlite_with_a_log_and_one_that_another_program_holds(
    folder: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.1)
    stated(folder, "sqlite:ledger.db", "select * from arrivals order by period")
    writer = sqlite3.connect(ledger)
    writer.execute("pragma journal_mode = wal")
    writer.execute("update arrivals set customers = 11 where period = 2")
    writer.commit()
    assert arrivals(folder)[1] == ["basic", 2, 11.0, 2]  # which stands in the log alone
    writer.close()
    assert arrivals(folder)[1] == ["basic", 2, 11.0, 2]
    assert [path.name for path in folder.glob("ledger*")] == ["ledger.db"]
    writer = sqlite3.connect(ledger)
    writer.execute("pragma journal_mode = delete")
    writer.execute("begin exclusive")
    (fault,) = read_instance(folder).faults
    writer.close()
    assert fault.code == "locked"


def test_postgresql_is_read(folder: Path, schema: str) -> None:
    stated(folder, SERVER, f"select * from {schema}.arrivals where segment like 'b%' order by period")
    assert arrivals(folder) == READ


def test_types_of_postgresql(folder: Path, schema: str) -> None:
    query = """select cast(7 as numeric(10, 2)) as customer, date '2026-01-31' as date,
        cast(0.1 as numeric) + 0.2 as revenue, true as "left" union all
        select 12345678901234567, date '2026-02-28', 1e3, null"""
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write(
            f"[tables.sales]\nurl = '{SERVER}'\nquery = '''{query}'''\ncolumns = {{ product = 'left' }}\n"
        )
    tables = read_instance(folder)
    sales = tables.frames["sales"]
    assert [fault.code for fault in tables.faults if fault.table == "sales"] == []
    assert sales["customer"].tolist() == ["7", "12345678901234567"]
    assert sales["date"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-31", "2026-02-28"]
    assert sales["revenue"].tolist() == [0.3, 1000.0]
    assert sales["product"].tolist() == ["true", ""]


def test_the_hash_of_a_query_is_that_of_its_rows_in_any_order(folder: Path, ledger: Path) -> None:
    def _hash(query: str) -> str:
        text = (folder / "instance.toml").read_text(encoding="utf-8").partition("[tables.arrivals]")[0]
        (folder / "instance.toml").write_text(text, encoding="utf-8")
        stated(folder, "sqlite:ledger.db", query)
        return read_instance(folder).hashes["arrivals"]

    up, down = (_hash(f"select * from arrivals order by period {way}") for way in ("asc", "desc"))
    assert len(up) == 64
    assert up == down
    assert up != _hash("select segment, period, customers + 1 as customers from arrivals")


QUERIES = {
    "select * form arrivals": ("query", "syntax"),
    "select * from arrival": ("query", "arrival"),
    "select segmnt from arrivals": ("query", "segmnt"),
    "drop table arrivals": ("query", "does not begin with SELECT or WITH"),
    "select 1; drop table arrivals": ("query", "more than one statement"),
    "select * from arrivals where period > 9": ("empty_table", "no rows"),
    "select segment, period from arrivals": ("missing_column", "customers"),
    "select segment, period, customers, customers from arrivals": ("duplicate_column", "twice"),
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_that_fail_in_sqlite(query: str, folder: Path, ledger: Path) -> None:
    stated(folder, "sqlite:ledger.db", query)
    fault = the_fault(folder)
    assert (fault.table, fault.code) == ("arrivals", QUERIES[query][0]), fault.line()
    assert QUERIES[query][1] in fault.line()


@pytest.mark.parametrize("query", QUERIES)
def test_queries_that_fail_in_postgresql(query: str, folder: Path, schema: str) -> None:
    stated(folder, SERVER, query.replace(" arriva", f" {schema}.arriva"))
    fault = the_fault(folder)
    assert (fault.table, fault.code) == ("arrivals", QUERIES[query][0]), fault.line()
    assert QUERIES[query][1] in fault.line()


@pytest.mark.parametrize(
    "query",
    [
        "with gone as (delete from {0}.arrivals returning *) select * from gone",
        "select * into {0}.copied from {0}.arrivals",
        "select set_config('transaction_read_only', 'off', true) as segment, 1 as period, 1 as customers",
        "select * from {0}.arrivals for update",
    ],
)
def test_a_query_cannot_change_postgresql(query: str, folder: Path, schema: str) -> None:
    stated(folder, SERVER, query.format(schema))
    assert the_fault(folder).code == "query"
    with psycopg.connect(SERVER) as connection:
        assert connection.execute(f"select count(*) from {schema}.arrivals").fetchone() == (2,)


@pytest.mark.parametrize(
    "query",
    [
        "with a as (select 1) delete from arrivals",
        "with a as (select 1) insert into arrivals select 'x', 1, 1",
    ],
)
def test_a_query_cannot_change_sqlite(query: str, folder: Path, ledger: Path) -> None:
    stated(folder, "sqlite:ledger.db", query)
    fault = the_fault(folder)
    assert (fault.code, "does more than read" in fault.line()) == ("query", True)


@pytest.mark.parametrize("key", ["sqlite", "postgresql"])
def test_a_query_that_takes_too_long(
    key: str, folder: Path, ledger: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MAX_SECONDS", 0.2)
    endless = (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as period from n"
    )
    if key == "postgresql":
        request.getfixturevalue("schema")
        endless = "select pg_sleep(60)"
    stated(folder, "sqlite:ledger.db" if key == "sqlite" else SERVER, endless)
    assert the_fault(folder).code == "timeout"


def test_more_rows_than_a_table_may_have(folder: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_CELLS", 5)
    stated(folder, "sqlite:ledger.db", "select * from arrivals")
    assert the_fault(folder).code == "too_large"


def test_nobody_answers_and_the_password_is_not_told(folder: Path) -> None:
    stated(folder, "postgresql://clerk:s3cret@127.0.0.1:1/books", "select 1")
    fault = the_fault(folder, command=True)
    assert (fault.code, "s3cret" in fault.line()) == ("no_connection", False)
    assert "onnection refused" in fault.line()


def test_a_server_that_does_not_answer_is_asked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def _connect(*_: Any, **more: Any) -> None:
        asked.append(more["host"])
        raise psycopg.OperationalError("connection timeout expired")

    monkeypatch.setattr(psycopg, "connect", _connect)
    stated(folder, "postgresql://clerk@nowhere/books", "select 1")
    (folder / "usage.csv").unlink()
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write("[tables.usage]\nurl = 'postgresql://clerk@nowhere/books'\nquery = 'select 2'\n")
    faults = read_instance(folder).faults
    assert {(fault.table, fault.code) for fault in faults} == {
        (t, "no_connection") for t in ("usage", "arrivals")
    }
    assert asked == ["nowhere"]


def test_nothing_in_the_results_holds_the_password(folder: Path, schema: str, tmp_path: Path) -> None:
    url = SERVER.replace("postgres@", "postgres:s3cret@", 1)
    stated(folder, url, f"select * from {schema}.arrivals")
    call = ["solve", str(folder), "--model", str(MODEL), "--results", str(tmp_path / "results")]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0
    written = [path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert any(b'"arrivals"' in text for text in written)  # the hash of the query's rows, in run.json
    assert not any(b"s3cret" in text for text in [*written, result.output.encode()])


def test_a_database_that_does_not_exist(folder: Path, schema: str) -> None:
    stated(folder, SERVER.rpartition("/")[0] + "/nowhere", "select 1")
    fault = the_fault(folder)
    assert (fault.code, 'database "nowhere" does not exist' in fault.line()) == ("no_connection", True)


def test_a_wrong_password_is_told_and_not_shown() -> None:
    """As psycopg words it; a server that trusts everybody, as in tests, cannot be made to say it."""
    source = database.Source("sql", url="postgresql://clerk:s3cret@host/books", query="select 1")
    said = 'connection failed: FATAL:  password authentication failed for user "clerk" (s3cret)\nmore'
    fault = database.told_by(psycopg.OperationalError(said), source, "sales")
    assert fault.code == "no_connection"
    assert "PGPASSWORD" in fault.remedy
    assert "s3cret" not in fault.line()
    assert "more" not in fault.message


def test_the_password_comes_from_the_environment(
    folder: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", "p@ss/word")
    monkeypatch.setenv("LEDGER", SERVER)
    stated(folder, "${LEDGER}", f"select * from {schema}.arrivals order by period")
    assert arrivals(folder) == READ
    user, _, rest = SERVER.removeprefix("postgresql://").partition("@")
    url = f"postgresql://{user}:${{LEDGER_PASSWORD}}@{rest}"
    text = (folder / "instance.toml").read_text().replace("${LEDGER}", url)
    (folder / "instance.toml").write_text(text)
    assert arrivals(folder) == READ


def test_a_url_that_cannot_be_cut_into_its_parts(folder: Path) -> None:
    stated(folder, "postgresql://clerk:s3cret@host:port/books", "select 1")
    fault = the_fault(folder, command=True)
    assert (fault.code, "s3cret" in fault.line()) == ("wrong_url", False)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("select ';' as a, \"b;c\" from t -- ; done\n;", None),
        ("/* ; */ with a as (select $x$ ; $x$) select * from a", None),
        ("SELECT E'it\\'s; drop' ", None),
        ("select 1; select 2", "more than one statement"),
        ("select 'a''; ' ; commit", "more than one statement"),
        ("insert into t values (1)", "does not begin"),
        ("-- only words", "does not begin"),
    ],
)
def test_one_select(query: str, wrong: str | None) -> None:
    found = not_one_select(query)
    assert found is None if wrong is None else found is not None and wrong in found
