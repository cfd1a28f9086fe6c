"""The sections on docs/inputs.md, each read from a source of its kind that holds the rows of the page's export."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import xlsxwriter

from cpm_opt.tables import read_instance
from cpm_opt.tables.sections import Section
from cpm_opt.tables.source import ENCODINGS

BASE = Path(__file__).parent / "bad_inputs" / "_base"
PAGE = (Path(__file__).parent.parent / "docs" / "inputs.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"<!-- source: (\w+) -->\n```toml\n(.*?)```", PAGE, re.DOTALL))
EXPORT = re.findall(r"<!-- file: export.txt -->\n```\n(.*?)```", PAGE, re.DOTALL)[0]
LABELS = ("Kunde Nr.", "Buchungsdatum", "Netto", "Verkäufer")
SCHEMA = f"cpm_opt_docs_{os.getpid()}"


def _rows() -> list[tuple[Any, ...]]:
    """The lines of the export as a program would store them."""
    lines = [line.split(";") for line in EXPORT.splitlines()[1:]]
    return [
        (
            customer,
            datetime.datetime.strptime(day, "%d.%m.%Y").date(),
            float(net.replace(".", "").replace(",", ".")),
            seller,
        )
        for _, customer, day, net, seller, _ in lines
    ]


def _text(folder: Path) -> None:
    (folder / "export.txt").write_bytes(EXPORT.encode("windows-1252"))


def _workbook(folder: Path) -> None:
    with xlsxwriter.Workbook(folder / "export.xlsx", {"default_date_format": "dd.mm.yyyy"}) as book:
        book.add_worksheet("Notes")
        sheet = book.add_worksheet("Sales")
        for at, row in enumerate((LABELS, *_rows())):
            sheet.write_row(at, 0, row)


def _parquet(folder: Path) -> None:
    with duckdb.connect() as database:
        labels = ", ".join(f'"{label}" {kind}' for label, kind in zip(LABELS, _TYPES, strict=True))
        database.execute(f"create table export ({labels})")
        database.executemany("insert into export values (?, ?, ?, ?)", _rows())
        database.execute(f"copy export to '{folder / 'export.parquet'}' (format parquet)")


_TYPES = ("varchar", "date", "decimal(12, 2)", "varchar")
_TABLE = "buchungen (beleg integer, kunde text, tag date, netto numeric(12, 2), verkaeufer text)"


def _sqlite(folder: Path) -> None:
    connection = sqlite3.connect(folder / "ledger.db")
    connection.execute(f"create table {_TABLE}")
    for at, (customer, day, net, seller) in enumerate(_rows()):
        row = (at, customer, day.isoformat(), net, seller)
        connection.execute("insert into buchungen values (?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()


def _postgresql(folder: Path) -> None:
    try:
        connection = psycopg.connect("postgresql://postgres@127.0.0.1:5432/test", connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers: {error}")
    with connection:
        connection.execute(f"create schema {SCHEMA}")
        connection.execute(f"create table {SCHEMA}.{_TABLE}")
        for at, row in enumerate(_rows()):
            connection.execute(f"insert into {SCHEMA}.buchungen values (%s, %s, %s, %s, %s)", (at, *row))
    text = (folder / "instance.toml").read_text("utf-8")
    (folder / "instance.toml").write_text(text.replace("from buchungen", f"from {SCHEMA}.buchungen"), "utf-8")


MADE = {
    "text": _text,
    "workbook": _workbook,
    "parquet": _parquet,
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_section_of_the_page_reads_the_export(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    shutil.copytree(BASE, folder)
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + SECTIONS[kind])
    MADE[kind](folder)
    try:
        tables = read_instance(folder)
    finally:
        if kind == "postgresql":
            with psycopg.connect("postgresql://postgres@127.0.0.1:5432/test", autocommit=True) as connection:
                connection.execute(f"drop schema {SCHEMA} cascade")
    assert [fault.code for fault in tables.faults] == (["left_out"] if kind == "text" else [])
    sales = tables.frames["sales"]
    found = sales[["customer", "date", "revenue", "salesperson"]].to_numpy(dtype=object).tolist()
    assert [(c, d.date(), r, s) for c, d, r, s in found] == _rows()


def test_every_kind_and_every_key_is_on_the_page() -> None:
    assert SECTIONS.keys() == MADE.keys()
    for key in Section.model_fields:
        assert f"`{key}`" in PAGE, key
    for encoding in ENCODINGS:
        assert f"`{encoding}`" in PAGE, encoding
