"""Excel workbooks: what is read of them, and each kind that is refused, with the sheet's own row in its fault."""

from __future__ import annotations

import datetime
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from cpm_opt.faults import Fault
from cpm_opt.tables import package, read_instance, workbook
from tests.test_bad_inputs import BASE, check, faults_of

HEADER = ("segment", "period", "customers")
ROWS = (("basic", 1, 10), ("basic", 2, 10))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The base of the corpus without its table of arrivals."""
    shutil.copytree(BASE, tmp_path / "instance")
    (tmp_path / "instance" / "arrivals.csv").unlink()
    return tmp_path / "instance"


def written(rows: Any = ROWS, header: Any = HEADER, more: Callable[[Any, Any], None] | None = None) -> bytes:
    """A workbook of one sheet; `more` gets the workbook and the sheet before they are written."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Arrivals")
    for at, row in enumerate((header, *rows)):
        sheet.write_row(at, 0, row)
    if more is not None:
        more(book, sheet)
    book.close()
    return file.getvalue()


def repacked(change: Callable[[str, bytes], bytes], data: bytes | None = None) -> bytes:
    """A workbook with each of its parts changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data or written())) as old, zipfile.ZipFile(file, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def stated(folder: Path, keys: str) -> None:
    with (folder / "instance.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tables.arrivals]\n{keys}\n")


def the_fault(folder: Path, data: bytes | None = None, command: bool = False) -> Fault:
    """The one fault of an instance with this workbook; nothing is left behind. With `command`, `cpm check` tells it."""
    if data is not None:
        (folder / "arrivals.xlsx").write_bytes(data)
    before = sorted(path.name for path in folder.iterdir())
    (fault,) = (fault for fault in read_instance(folder).faults if not fault.warning)
    assert fault.remedy
    if command:
        code, shown = check(folder)
        assert code == 2
        assert fault.line() in shown
    assert sorted(path.name for path in folder.iterdir()) == before
    return fault


def place_of(fault: Fault) -> tuple[str, int | None, str | None, str]:
    return fault.table, fault.row, fault.column, fault.code


def test_a_workbook_beside_instance_toml_is_read(folder: Path) -> None:
    (folder / "arrivals.xlsx").write_bytes(written((*ROWS, ("silver", "2", "7.5"))))
    tables = read_instance(folder)
    assert tables.faults == ()
    # The last row holds numbers stored as text, which read as a CSV file's text would.
    assert tables.frames["arrivals"].to_numpy(dtype=object).tolist() == [
        ["basic", 1, 10.0, 2],
        ["basic", 2, 10.0, 3],
        ["silver", 2, 7.5, 4],
    ]
    assert "arrivals.xlsx" in tables.hashes


def test_rows_are_those_of_the_sheet_and_blank_ones_and_columns_are_passed_over(folder: Path) -> None:
    def _far(book: Any, sheet: Any) -> None:
        for at in range(3):
            sheet.write_row(at, 0, ["", "", ""])
        bold = book.add_format({"bold": True})
        for at, row in enumerate((HEADER, ("basic", 1, "ten"), ("", "", ""), ("silver", 2, -1))):
            sheet.write_row(at + 4, 2, row)
        sheet.write_blank(4, 6, None, bold)

    (folder / "arrivals.xlsx").write_bytes(written(((),) * 2, (), _far))
    found = [(fault.row, fault.column, fault.code) for fault in read_instance(folder).faults]
    assert found == [(6, "customers", "not_a_number"), (8, "customers", "negative")]


def test_ids_numbers_flags_and_days_of_typed_cells(folder: Path) -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "dd.mm.yyyy"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ("customer", "date", "revenue"))
    sheet.write_row(1, 0, (7.0, datetime.date(2026, 1, 31), 0.125))
    sheet.write_row(2, 0, ("007", datetime.datetime(2026, 2, 28), 1250000))
    sheet.write_row(3, 0, (1e5, "2026-03-01", "12.5"))
    book.close()
    (folder / "sales.xlsx").write_bytes(file.getvalue())
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults if fault.table == "sales"] == []
    sales = tables.frames["sales"]
    assert sales["customer"].tolist() == ["7", "007", "100000"]
    assert sales["date"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-31", "2026-02-28", "2026-03-01"]
    assert sales["revenue"].tolist() == [0.125, 1250000.0, 12.5]


def test_days_that_a_program_wrote_as_iso_text(folder: Path) -> None:
    """Cells of type d (ECMA-376, part 1, 18.18.11)."""

    def _iso(name: str, part: bytes) -> bytes:
        return part.replace(b'<c r="B2"><v>5</v>', b'<c r="B2" t="d"><v>2026-01-31T00:00:00</v>')

    (folder / "sales.xlsx").write_bytes(
        repacked(_iso, written((("a", 5, 1),), ("customer", "date", "revenue")))
    )
    tables = read_instance(folder)
    assert [fault.line() for fault in tables.faults if fault.table == "sales"] == []
    assert tables.frames["sales"]["date"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-31"]


def test_days_and_ids_that_excel_has_spoilt(folder: Path) -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ("customer", "date", "revenue"))
    sheet.write_row(1, 0, ("a", 46053, 1))
    sheet.write_row(2, 0, (1234567890123456, datetime.datetime(2026, 1, 31, 14, 30), 1))
    book.close()
    (folder / "sales.xlsx").write_bytes(file.getvalue())
    found = {(f.row, f.column, f.code): f.line() for f in read_instance(folder).faults if f.table == "sales"}
    assert set(found) == {(2, "date", "date"), (3, "date", "date"), (3, "customer", "digits")}
    assert "day number of a spreadsheet" in found[2, "date", "date"]
    assert "has a time" in found[3, "date", "date"]


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods"])
def test_other_kinds_of_workbooks_are_named(kind: str, folder: Path) -> None:
    stated(folder, f'path = "a.{kind}"')
    fault = the_fault(folder)
    assert (fault.code, fault.column) == ("other_format", "tables.arrivals.path")
    assert "save it as .xlsx" in fault.line()


def test_a_password_and_an_old_workbook_under_the_new_name(folder: Path) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    fault = the_fault(folder, ole + "EncryptedPackage".encode("utf-16-le"))
    assert (fault.code, "password" in fault.line()) == ("password", True)
    assert the_fault(folder, ole + "Workbook".encode("utf-16-le")).code == "not_a_workbook"


def test_several_sheets_and_none_named_tells_their_names(folder: Path) -> None:
    data = written(more=lambda book, _: book.add_worksheet("Notes"))
    fault = the_fault(folder, data)
    assert (fault.code, "'Arrivals', 'Notes'" in fault.line()) == ("sheet", True)


def test_a_sheet_that_is_not_there_offers_the_nearest(folder: Path) -> None:
    stated(folder, 'path = "arrivals.xlsx"\nsheet = "Arivals"')
    fault = the_fault(folder, written(more=lambda book, _: book.add_worksheet("Notes")))
    assert (fault.code, "did you mean 'Arrivals'?" in fault.line()) == ("sheet", True)


def test_merged_cells_are_refused_where_they_are_read(folder: Path) -> None:
    def _merge(_: Any, sheet: Any) -> None:
        sheet.merge_range(1, 0, 2, 0, "basic")

    assert place_of(the_fault(folder, written(more=_merge))) == ("arrivals", 2, None, "merged_cells")


def test_merged_cells_in_a_column_left_out_do_not_matter(folder: Path) -> None:
    def _merge(_: Any, sheet: Any) -> None:
        sheet.merge_range(0, 3, 2, 3, "seen")

    (folder / "arrivals.xlsx").write_bytes(written(more=_merge))
    stated(folder, 'columns = { segment = "segment" }')
    assert faults_of(folder) == []


def test_hidden_rows_are_counted(folder: Path) -> None:
    def _hide(_: Any, sheet: Any) -> None:
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_row(9, None, None, {"hidden": True})

    fault = the_fault(folder, written(more=_hide), command=True)
    assert place_of(fault) == ("arrivals", 2, None, "hidden_rows")
    assert "2 rows are hidden" in fault.line()


@pytest.mark.parametrize(("column", "name"), [(2, "customers"), (0, "segment")])
def test_an_error_of_a_spreadsheet(column: int, name: str, folder: Path) -> None:
    def _err(_: Any, sheet: Any) -> None:
        sheet.write_formula(2, column, "=1/0", None, "#DIV/0!")

    fault = the_fault(folder, written(more=_err))
    assert place_of(fault) == ("arrivals", 3, name, "spreadsheet_error")
    assert fault.value == "#DIV/0!"


@pytest.mark.parametrize("value", ["<v></v>", "<v/>", "", "<v>0</v>"])
def test_a_formula_without_its_value(value: str, folder: Path) -> None:
    """The last is what libraries write that cannot calculate: 0, and a wish that Excel calculate on opening."""

    def _unfilled(name: str, part: bytes) -> bytes:
        return part.replace(b"<v>99</v>", value.encode()) if name.startswith("xl/worksheets/") else part

    data = written(more=lambda _, sheet: sheet.write_formula(2, 2, "=5+5", None, 99))
    fault = the_fault(folder, repacked(_unfilled, data))
    assert place_of(fault) == ("arrivals", 3, "customers", "no_value")


def test_a_formula_with_its_value_is_that_value(folder: Path) -> None:
    (folder / "arrivals.xlsx").write_bytes(
        written(more=lambda _, sheet: sheet.write_formula(2, 2, "=5+5", None, 10))
    )
    tables = read_instance(folder)
    assert tables.faults == ()
    assert tables.frames["arrivals"]["customers"].tolist() == [10.0, 10.0]


def bomb() -> bytes:
    """A workbook with a part of 60 MB of spaces, packed to 60 kB."""
    file = io.BytesIO(written())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet2.xml", b" " * 60_000_000)
    return file.getvalue()


def bomb_that_lies() -> bytes:
    """The same, while the archive's directory says that the part has 500 bytes."""
    data = bytearray(bomb())
    for at in range(len(data) - 4):
        if data[at : at + 4] == b"PK\x01\x02" and b"sheet2.xml" in data[at + 46 : at + 80]:
            data[at + 24 : at + 28] = (500).to_bytes(4, "little")
    return bytes(data)


def outside(name: str) -> bytes:
    file = io.BytesIO(written())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    return file.getvalue()


def entities(name: str, part: bytes) -> bytes:
    head = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    return part.replace(b"?>", b"?>" + head, 1) if name == "xl/sharedStrings.xml" else part


def utf16_entities(name: str, part: bytes) -> bytes:
    text = entities(name, part).decode("utf-8").replace("UTF-8", "UTF-16")
    return text.encode("utf-16") if name == "xl/sharedStrings.xml" else part


def far_cell(name: str, part: bytes) -> bytes:
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return part.replace(b"</sheetData>", far) if name.startswith("xl/worksheets/") else part


def repeated_text() -> bytes:
    """One text of 100,000 letters in 20,000 cells: 2 GB in memory out of 200 kB."""
    data = written((("x", 1, 1),))
    rows = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (at, at) for at in range(3, 20_003))

    def _long(name: str, part: bytes) -> bytes:
        part = part.replace(b"<t>segment</t>", b"<t>" + b"s" * 100_000 + b"</t>")
        return (
            part.replace(b"</sheetData>", rows + b"</sheetData>")
            if name.startswith("xl/worksheets/")
            else part
        )

    return repacked(_long, data)


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (bomb, "zip_bomb", "60 MB"),
        (bomb_that_lies, "damaged", "damaged or not complete"),
        (lambda: outside("../../x"), "path_in_archive", "leads out of it"),
        (lambda: outside("/etc/x"), "path_in_archive", "leads out of it"),
        (lambda: outside("..\\..\\x"), "path_in_archive", "leads out of it"),
        (lambda: repacked(entities), "entities", "entities or a document type"),
        (lambda: repacked(utf16_entities), "entities", "entities or a document type"),
        (lambda: repacked(far_cell), "too_large", "1,048,576 rows and 16,384 columns"),
        (repeated_text, "too_large", "texts add up to 2,0"),
        (lambda: written()[:3000], "damaged", "damaged or not complete"),
        (lambda: b"", "not_a_workbook", "has 0 bytes"),
        (lambda: b"segment,period,customers\n", "not_a_workbook", "is no Excel workbook"),
        (lambda: repacked(lambda name, part: part[: len(part) // 2]), "damaged", "damaged"),
    ],
)
def test_what_is_made_to_do_harm_or_is_damaged(
    make: Callable[[], bytes], code: str, says: str, folder: Path
) -> None:
    fault = the_fault(folder, make(), command=code in ("zip_bomb", "entities"))
    assert (fault.table, fault.code) == ("arrivals", code), fault.line()
    assert says in fault.line()


def test_a_bomb_is_refused_by_its_directory_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _unpack(*_: object) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr(package, "_unpacked", _unpack)
    assert the_fault(folder, bomb()).code == "zip_bomb"


def test_over_the_size_limit_is_refused_before_reading(folder: Path) -> None:
    with (folder / "arrivals.xlsx").open("wb") as file:
        file.truncate(200_000_000)
    assert the_fault(folder).code == "too_large"


def test_an_empty_sheet_and_one_with_a_header_alone(folder: Path) -> None:
    assert the_fault(folder, written((), ())).code == "empty_table"
    assert the_fault(folder, written(())).code == "empty_table"


def test_a_title_above_the_header_is_told(folder: Path) -> None:
    fault = the_fault(folder, written((HEADER, *ROWS), ("Arrivals of 2026",)))
    assert place_of(fault) == ("arrivals", 1, None, "no_header")


def test_a_header_twice_or_blank_over_filled_cells(folder: Path) -> None:
    (folder / "arrivals.xlsx").write_bytes(written((("basic", 1, 10, 10, 5),), (*HEADER, "customers", "")))
    found = [(fault.row, fault.column, fault.code) for fault in read_instance(folder).faults]
    assert found == [(1, "customers", "duplicate_column"), (1, None, "blank_header")]


def test_a_workbook_is_opened_once_for_all_its_tables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    real = workbook.open_book

    def _count(path: Path, table: str) -> workbook.Book:
        opened.append(path)
        return real(path, table)

    monkeypatch.setattr(workbook, "open_book", _count)
    (folder / "book.xlsx").write_bytes(
        written(more=lambda book, _: book.add_worksheet("L").write_row(0, 0, ("lever",)))
    )
    stated(folder, 'path = "book.xlsx"\nsheet = "Arrivals"\n[tables.levers]\npath = "book.xlsx"\nsheet = "L"')
    tables = read_instance(folder)
    assert len(opened) == 1
    assert [fault.code for fault in tables.faults if fault.table == "levers" and not fault.warning] == [
        "empty_table"
    ]
    assert len(tables.frames["arrivals"]) == 2
