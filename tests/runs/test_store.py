"""The store: whole or absent, never overwritten, equal bytes for equal plans, no figure of a plan that is none."""

import csv
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.faults import InputError, Interrupted
from cpm_opt.formulation.audit import RuleRow
from cpm_opt.portfolio.portfolio import BalanceRule
from cpm_opt.runs import check_results, list_runs, store, write_run
from cpm_opt.runs.prices import reader_prices
from cpm_opt.solve.plan import ShadowPrice
from tests.handmade import FACTS, no_plan, plan, portfolio, written

ROOT = Path(__file__).resolve().parents[2]
PLAN = """\
segment,period,lever,option,customers,share
gold,1,service,as now,100,1
gold,1,tariff,up5,100,1
gold,2,service,as now,90,1
gold,2,tariff,up5,90,1
silver,1,service,as now,304,0.76
silver,1,service,better,96,0.24
silver,1,tariff,keep,400,1
silver,2,service,as now,298,0.726829268
silver,2,service,better,112,0.273170732
silver,2,tariff,keep,410,1
"""


def strict_json(path: Path) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_holds_every_file_of_the_design(tmp_path):
    path = written(tmp_path / "results")
    names = {file.name for file in path.iterdir()}
    tables = {"plan", "segments", "resources", "choices", "rules", "waterfall", "waterfall_parts"}
    assert names == {"run.json", "solver.log", *(f"{table}.csv" for table in tables)}
    assert re.fullmatch(r"\d{8}T\d{6}Z-basic-hand-made-[0-9a-f]{8}", path.name)
    facts = strict_json(path / "run.json")
    assert facts["id"] == path.name
    assert facts["status"] == "optimal"
    assert facts["model"]["horizon"] == {"periods": 2, "discount_rate": 0.02}
    assert facts["hashes"] == FACTS.hashes
    assert facts["certificate"]["passed"] is True
    assert facts["versions"]["highspy"]
    assert facts["profit"] == plan().profit


def test_plan_csv_is_the_same_to_the_byte(tmp_path):
    first, second = written(tmp_path), written(tmp_path)
    assert first != second
    assert (first / "plan.csv").read_bytes() == PLAN.encode() == (second / "plan.csv").read_bytes()


def test_tables_tell_what_the_plan_does(tmp_path):
    path = written(tmp_path)
    segments = rows(path / "segments.csv")
    assert [(row["segment"], row["period"]) for row in segments][:3] == [
        ("gold", "1"),
        ("gold", "2"),
        ("gold", "3"),
    ]
    assert [row["customers"] for row in segments] == ["100", "90", "81", "400", "410", "419"]
    assert [row["margin"] for row in segments] == ["5200", "4680", "", "4768", "4996", ""]
    hours = rows(path / "resources.csv")
    assert [(row["use"], row["capacity"], row["extra"], row["limit"]) for row in hours] == [
        ("48", "60", "0", "48"),
        ("56", "60", "10", "56"),
    ]
    # 80 % of the capacity may be used: an hour more is worth 0.8 of what one more on the right side is worth.
    assert [(row["shadow_price"], row["range_low"], row["range_high"]) for row in hours] == [
        ("12", "0", "250"),
        ("2.352", "50", ""),
    ]
    assert [tuple(row.values()) for row in rows(path / "choices.csv")] == [
        ("gold", "1", "tariff", "up5"),
        ("gold", "2", "tariff", "up5"),
        ("silver", "1", "tariff", "keep"),
        ("silver", "2", "tariff", "keep"),
    ]


def test_names_that_look_like_formulas_or_numbers_stay_text(tmp_path):
    path = written(tmp_path, plan(portfolio(('007, "é"', "=1+1"))))
    assert {row["segment"] for row in rows(path / "plan.csv")} == {'007, "é"', "=1+1"}
    assert b"\r" not in (path / "plan.csv").read_bytes()


@pytest.mark.parametrize("nothing", [no_plan(), no_plan("no_solution"), plan(passed=False)])
def test_without_a_certified_plan_there_is_no_figure_of_one(tmp_path, nothing):
    path = written(tmp_path, nothing)
    assert {file.name for file in path.iterdir()} == {"run.json", "solver.log"}
    facts = strict_json(path / "run.json")
    assert facts["status"] == nothing.status
    assert [facts[name] for name in ("objective", "gap", "profit", "end_value")] == [None] * 4
    assert facts["certificate"]["passed"] in (None, False)


@pytest.mark.parametrize(
    "stop", [OSError(errno.ENOSPC, "No space left on device"), Interrupted(15), KeyboardInterrupt()]
)
def test_what_stops_in_the_middle_leaves_nothing(tmp_path, monkeypatch, stop):
    def half(part: Path, files: dict[str, str]) -> None:
        (part / "plan.csv").write_text("segment")
        raise stop

    monkeypatch.setattr(store, "_write_files", half)
    expected = InputError if isinstance(stop, OSError) else type(stop)
    with pytest.raises(expected) as caught:
        written(tmp_path / "results")
    assert list(tmp_path.iterdir()) == []
    if expected is InputError:
        (fault,) = caught.value.faults
        assert "no space left" in fault.line()


def test_a_kill_in_the_middle_leaves_no_run(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.handmade import written\n"
        "Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "written(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    assert list_runs(tmp_path) == ((), ())
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    written(tmp_path)
    assert len(list_runs(tmp_path)[0]) == 1


def test_two_processes_and_many_threads_share_a_folder(tmp_path, monkeypatch):
    code = (
        "import sys; from pathlib import Path; from tests.handmade import written\n"
        "for _ in range(8): written(Path(sys.argv[1]))"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT) for _ in range(2)]
    # Few short ids: runs of the same second meet, and each must still get a folder of its own.
    monkeypatch.setattr(os, "urandom", lambda count: bytes([random.randrange(40)]) * count)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: written(tmp_path), range(24)))
    assert [other.wait(60) for other in others] == [0, 0]
    assert len(set(paths)) == 24
    found, faults = list_runs(tmp_path)
    assert (len(found), faults) == (40, ())
    assert all((run.path / "plan.csv").read_text() == PLAN for run in found)


def test_a_folder_that_cannot_be_written_is_one_fault(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    for results in (file, file / "below", tmp_path / "not" / "there", Path("/proc/cpm_results")):
        for attempt in (check_results, written):
            with pytest.raises(InputError) as caught:
                attempt(results)
            (fault,) = caught.value.faults
            assert fault.table == "--results"
            assert str(results)[:20] in fault.line()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def read_only(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    (tmp_path / "results").mkdir()
    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(InputError, match="permission denied"):
        write_run(tmp_path / "results", plan(), FACTS)


def test_looking_whether_a_folder_can_be_written_leaves_nothing(tmp_path):
    check_results(tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


def test_prices_of_shares_hold_for_the_limit_that_a_reader_sees():
    p = portfolio()
    rule = BalanceRule(
        "gold share", "margin", -1, "gold", np.array([True, False]), "min", 0.5, "share", 1, 1, None, None
    )
    base = plan(replace(p, balance=(rule,)))
    row = RuleRow("gold share", "", 1, 5200.0, "min", 4984.0, "RUB")
    recount = replace(base.recount, rows=(*base.recount.rows, row))
    # The solver's row is `gold's margin - 0.5 x all margin >= 0`: its right side is 0, not 4,984.
    price = {("gold share", "", 1): ShadowPrice(-2.0, -100.0, 216.0, 0.0)}
    found = reader_prices(replace(base, recount=recount, shadow_prices=price))
    assert found == {("gold share", "", 1): (-2.0, 4884.0, 5200.0)}


def test_money_of_rules_is_in_the_unit_that_the_figures_have(tmp_path):
    base = plan()
    row = RuleRow("keep", "", 1, 5200.0, "min", 4984.0, "RUB")
    path = written(tmp_path, replace(base, recount=replace(base.recount, rows=(*base.recount.rows, row))))
    assert [(each["rule"], each["unit"]) for each in rows(path / "rules.csv")] == [("keep", "thousand RUB")]
    facts = strict_json(path / "run.json")
    assert facts["portfolio"]["measure_units"] == dict.fromkeys(("margin", "cash", "revenue"), "thousand RUB")
