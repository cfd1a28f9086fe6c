"""One instance as CSV, as a workbook of several sheets, as Parquet, in SQLite and in PostgreSQL: the same frames and
the same plan, also with rows shuffled and every column under another name."""

from __future__ import annotations

import csv
import os
import random
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import psycopg
import pytest
import xlsxwriter
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.tables import read_instance
from tests.tables.test_queries import SERVER
from tests.test_bad_inputs import BASE, MODEL

BANK = Path(__file__).parents[2] / "instances" / "bank-clients"
SCHEMA = f"cpm_opt_round_{os.getpid()}"

Rows = list[list[str]]


def rows_of(folder: Path) -> dict[str, Rows]:
    """The cells of every table of an instance, header first, and columns that are wholly blank left out: a typed
    source cannot tell what they would hold."""
    tables = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        full = [at for at in range(len(rows[0])) if any(row[at] for row in rows[1:])]
        tables[path.stem] = [[row[at] for at in full] for row in rows]
    return tables


def typed(cell: str) -> Any:
    """A cell as a program would store it: a number where it is one and loses nothing, nothing where it is blank."""
    if cell == "":
        return None
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if cell == "0" or not cell.startswith("0") or "." in cell else cell


def as_csv(folder: Path, tables: Mapping[str, Rows]) -> dict[str, str]:
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return dict.fromkeys(tables, "")


def as_workbook(folder: Path, tables: Mapping[str, Rows]) -> dict[str, str]:
    with xlsxwriter.Workbook(folder / "book.xlsx", {"strings_to_formulas": False}) as book:
        for name, rows in tables.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row if at == 0 else map(typed, row))
    return {name: f'path = "book.xlsx"\nsheet = "{name}"' for name in tables}


def as_parquet(folder: Path, tables: Mapping[str, Rows]) -> dict[str, str]:
    for name, (header, *body) in tables.items():
        cells = [[typed(cell) for cell in column] for column in zip(*body, strict=True)]
        words = [any(isinstance(cell, str) for cell in column) for column in cells]
        chosen = ", ".join(
            f'cast(column{at} as {"varchar" if text else "double"}) as "{label}"'
            for at, (label, text) in enumerate(zip(header, words, strict=True))
        )
        made = pd.DataFrame(
            {f"column{at}": list(column) for at, column in enumerate(zip(*body, strict=True))}
        )
        made = made.where(made != "", None)
        with duckdb.connect() as database:
            database.register("made", made)
            database.execute(
                f"copy (select {chosen} from made) to '{folder / name}.parquet' (format parquet)"
            )
    return dict.fromkeys(tables, "")


def as_sqlite(folder: Path, tables: Mapping[str, Rows]) -> dict[str, str]:
    connection = sqlite3.connect(folder / "ledger.db")
    for name, (header, *body) in tables.items():
        connection.execute(f'create table "{name}" ({", ".join(_quoted(label) for label in header)})')
        marks = ", ".join("?" for _ in header)
        connection.executemany(
            f'insert into "{name}" values ({marks})', [[typed(c) for c in row] for row in body]
        )
    connection.commit()
    connection.close()
    return {name: f'url = "sqlite:ledger.db"\nquery = \'select * from "{name}"\'' for name in tables}


def as_postgresql(folder: Path, tables: Mapping[str, Rows]) -> dict[str, str]:
    try:
        connection = psycopg.connect(SERVER, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers: {error}")
    with connection:
        connection.execute(f"drop schema if exists {SCHEMA} cascade")
        connection.execute(f"create schema {SCHEMA}")
        for name, (header, *body) in tables.items():
            connection.execute(
                f'create table {SCHEMA}."{name}" ({", ".join(_quoted(label) + " text" for label in header)})'
            )
            with connection.cursor().copy(f'copy {SCHEMA}."{name}" from stdin') as copy:
                for row in body:
                    copy.write_row([cell or None for cell in row])
    return {name: f'url = "{SERVER}"\nquery = \'select * from {SCHEMA}."{name}"\'' for name in tables}


def _quoted(label: str) -> str:
    return f'"{label}"'


FORMS: dict[str, Callable[[Path, Mapping[str, Rows]], dict[str, str]]] = {
    "CSV": as_csv,
    "workbook": as_workbook,
    "Parquet": as_parquet,
    "SQLite": as_sqlite,
    "PostgreSQL": as_postgresql,
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Any:
    yield FORMS[request.param]
    if request.param == "PostgreSQL":
        with psycopg.connect(SERVER, autocommit=True) as connection:
            connection.execute(f"drop schema if exists {SCHEMA} cascade")


def laid_out(form: Any, source: Path, to: Path, tables: Mapping[str, Rows], more: Mapping[str, str]) -> Path:
    to.mkdir()
    keys = form(to, tables)
    text = (source / "instance.toml").read_text(encoding="utf-8")
    for name in tables:
        if keys[name] or more.get(name):
            text += f"\n[tables.{name}]\n{keys[name]}\n{more.get(name, '')}\n"
    (to / "instance.toml").write_text(text, encoding="utf-8")
    return to


def plan_of(folder: Path, results: Path) -> str:
    """The plan of `cpm solve`, as it lies in the run's folder."""
    call = ["solve", str(folder), "--model", str(MODEL), "--results", str(results)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    (plan,) = results.glob("*/plan.csv")
    return plan.read_text(encoding="utf-8")


def test_the_same_frames(form: Any, tmp_path: Path) -> None:
    written = read_instance(BANK)
    folder = laid_out(form, BANK, tmp_path / "copy", rows_of(BANK), {})
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults] == [fault.line() for fault in written.faults]
    assert tables.frames.keys() == written.frames.keys()
    for name, frame in written.frames.items():
        first = tables.frames[name]["line"].iloc[0]
        assert first == (1 if form in (as_parquet, as_sqlite, as_postgresql) else 2)
        pd.testing.assert_frame_equal(tables.frames[name].drop(columns="line"), frame.drop(columns="line"))


def test_the_same_plan_from_shuffled_rows_under_other_names(form: Any, tmp_path: Path) -> None:
    shuffled, maps = {}, {}
    draw = random.Random(7)
    for name, (header, *body) in rows_of(BASE).items():
        draw.shuffle(body)
        labels = [f"Ihre {label} %" for label in header]
        shuffled[name] = [[*labels, "Notiz"], *([*row, "x"] for row in body)]
        pairs = ", ".join(f'"{ours}" = "{theirs}"' for ours, theirs in zip(header, labels, strict=True))
        maps[name] = f"columns = {{ {pairs} }}"
    folder = laid_out(form, BASE, tmp_path / "copy", shuffled, maps)
    tables = read_instance(folder)
    assert {fault.code for fault in tables.faults} == {"left_out"}
    assert len(tables.faults) == len(shuffled)
    assert plan_of(folder, tmp_path / "a") == plan_of(BASE, tmp_path / "b")
