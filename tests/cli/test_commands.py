"""Commands in process: exit codes, one JSON object on standard output, faults on standard error."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from cpm_opt.cli import app
from cpm_opt.faults import Fault, InputError
from cpm_opt.formulation.components import Capacity
from cpm_opt.runs import list_runs
from cpm_opt.solve.plan import Plan
from tests.handmade import FACTS, RATE, no_plan, plan, portfolio, written

FAULT = Fault("effects", "is not a number", "write 1250.5", row=7, column="margin", value="abc")


@pytest.fixture
def pipeline(monkeypatch):
    """The commands' pipeline, replaced by one that gives what the test says."""
    module = ModuleType("cpm_opt.pipeline")
    spec = SimpleNamespace(
        name=FACTS.model,
        resolved=lambda: FACTS.resolved,
        solver=SimpleNamespace(time_limit=300.0),
        objective=SimpleNamespace(profit=1.0, end_value=1.0),
        horizon=SimpleNamespace(periods=2, discount_rate=RATE),
        components={"capacity": Capacity()},
    )
    info = SimpleNamespace(name=FACTS.instance, source="", licence="")
    problem = SimpleNamespace(
        folder=Path("shop"),
        tables=SimpleNamespace(info=info),
        spec=spec,
        hashes=FACTS.hashes,
        notes=("a note",),
        portfolio=portfolio(),
        scenarios=(),
    )
    module.read_problem = lambda *_, **__: problem
    module.solve_problem = lambda *_: plan()
    module.check_instance = lambda *_: ([], [])
    monkeypatch.setitem(sys.modules, "cpm_opt.pipeline", module)
    return module


def cpm(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def only_json(result: Result) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(result.stdout, parse_constant=refuse)


def solve(results: Path, *more: str) -> Result:
    return cpm("solve", "shop", "--results", str(results), *more)


def test_solve_prints_a_plan_and_where_it_is(tmp_path, pipeline):
    result = solve(tmp_path)
    assert result.exit_code == 0, result.output
    (run,) = list_runs(tmp_path)[0]
    assert "The plan earns 19,322 thousand RUB" in result.stdout
    assert f"cpm explain {run.path}" in result.stdout
    assert result.stderr == ""


def test_solve_json_has_the_figures_of_the_design(tmp_path, pipeline):
    result = solve(tmp_path, "--json")
    assert result.exit_code == 0
    answer, done = only_json(result), plan()
    assert answer["status"] == "optimal"
    assert (answer["objective"], answer["bound"], answer["gap"], answer["profit"]) == (
        done.objective, done.bound, done.gap, done.profit,
    )  # fmt: skip
    assert answer["certificate"]["passed"] is True
    assert answer["certificate"]["largest_violation"] == 1e-9
    assert answer["today_profit"] == done.today.profit
    assert answer["greedy_profit"] == answer["greedy"]["profit"] > done.today.profit
    assert answer["gain_over_greedy"] == done.objective - answer["greedy"]["objective"]
    assert answer["seconds"] == {"read": 0.1, "build": 0.2, "solve": 0.3, "total": 0.6}
    assert (Path(answer["run"]) / "plan.csv").is_file()
    hour = {"rule": "capacity", "subject": "hours", "period": 1}
    assert answer["shadow_prices"][0] == {**hour, "shadow_price": 12.0, "range_low": 0.0, "range_high": 250.0}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (no_plan("infeasible"), 3),
        (no_plan("unbounded"), 3),
        (no_plan("no_solution"), 4),
        (plan(status="feasible"), 0),
        (plan(passed=False), 1),
    ],
)
def test_exit_codes_and_absent_values(tmp_path, pipeline, given: Plan, code: int):
    pipeline.solve_problem = lambda *_: given
    result = solve(tmp_path, "--json")
    assert result.exit_code == code
    answer = only_json(result)
    assert answer["status"] == given.status
    assert answer["seconds"].keys() >= {"read", "build", "solve", "total"}
    if code:
        assert [answer[name] for name in ("objective", "gap", "profit")] == [None] * 3
        assert answer["certificate"]["passed"] in (None, False)
        assert not (Path(answer["run"]) / "plan.csv").exists()
        text = solve(tmp_path).stdout
        assert text.startswith("No plan")
        assert "19,322" not in text
    assert answer["conflict"] == (["capacity hours", "keep gold"] if given.status == "infeasible" else [])
    assert ("defect of ours" in result.stderr) == (code == 1)


def test_faults_are_told_on_standard_error_and_in_json(tmp_path, pipeline):
    def faulty(*_: object, **__: object) -> None:
        raise InputError([FAULT] * 70)

    pipeline.read_problem = faulty
    (tmp_path / "file").write_text("")
    result = solve(tmp_path / "file", "--json")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == "effects line 7, column margin, value 'abc': is not a number; write 1250.5"
    assert len(lines) == 51
    assert lines[-1] == "... and 21 more: 71 in all"
    answer = only_json(result)
    assert answer["status"] == "faults"
    assert len(answer["faults"]) == 71
    assert answer["faults"][-1]["table"] == "--results"
    assert solve(tmp_path).stdout == ""


def test_check_tells_faults_and_warnings(pipeline):
    assert cpm("check", "shop").stdout == "shop: no faults\n"
    assert only_json(cpm("check", "shop", "--json")) == {"status": "ok", "faults": [], "warnings": []}
    pipeline.check_instance = lambda *_: ([FAULT], [Fault("migration", "silver leaves", "", warning=True)])
    result = cpm("check", "shop", "--json")
    assert result.exit_code == 2
    assert only_json(result)["faults"][0]["column"] == "margin"
    assert only_json(result)["warnings"][0]["table"] == "migration"
    assert result.stderr.splitlines() == [FAULT.line(), "Doubtful:", "migration: silver leaves"]


def test_arguments_reach_the_pipeline(tmp_path, pipeline):
    seen = []
    read = pipeline.read_problem
    pipeline.read_problem = lambda *given, **_: seen.append(given) or read()
    pins = ("--fix", "a=b", "--fix", "c=d")
    solve(tmp_path, "--model", "m", "--set", "a.b=1", "--set", "c=2", "--time-limit", "2.5", *pins)
    assert seen == [("shop", "m", ["a.b=1", "c=2"], 2.5, ["a=b", "c=d"], [])]


def test_explain_and_runs(tmp_path):
    path = written(tmp_path)
    written(tmp_path, no_plan())
    explained = cpm("explain", path.name[-8:], "--results", str(tmp_path))
    assert explained.exit_code == 0
    assert "From today's profit to the plan's" in explained.stdout
    as_json = only_json(cpm("explain", str(path), "--json"))
    assert as_json["run"] == path.name
    assert as_json["path"] == str(path)
    assert {part["name"] for part in as_json["sections"]} >= {
        "actions",
        "earns",
        "limits",
        "waterfall",
        "checked",
    }
    listed = only_json(cpm("runs", "--results", str(tmp_path), "--json"))["runs"]
    assert [(run["status"], run["certified"]) for run in listed] == [("infeasible", False), ("optimal", True)]
    assert path.name in cpm("runs", "--results", str(tmp_path)).stdout
    assert cpm("runs", "--results", str(tmp_path / "none")).stdout.startswith("no runs")


def test_a_defect_is_one_line_and_its_details_are_in_a_file(tmp_path, pipeline):
    def broken(*_: object) -> None:
        raise RuntimeError("two\nlines")

    pipeline.solve_problem = broken
    result = solve(tmp_path, "--json")
    assert result.exit_code == 1
    answer = only_json(result)
    assert (
        result.stderr
        == f"cpm: a defect of ours: RuntimeError: two lines; the details are in {answer['details']}\n"
    )
    details = Path(answer["details"])
    assert "Traceback" in details.read_text()
    details.unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["solve"], "missing argument 'INSTANCE'"),
        (["slove", "x"], "did you mean 'solve'"),
        (["solve", "x", "--jsn"], "no such option: --jsn"),
        (["solve", "x", "--time-limit", "soon"], "invalid value for '--time-limit'"),
        (["solve", "x", "y"], "unexpected extra argument"),
        (["solve", "a\nb"], "INSTANCE, value 'a\\nb': holds a line break"),
        (["solve", "x", "--set", "a=\x1b[2J"], "--set, value"),
        (["check", " "], "INSTANCE: is empty"),
        (["explain", "x\x00y"], "holds a line break or another control character"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(words, message):
    result = cpm(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message.lower() in result.stderr.lower()
    assert result.stderr.count("\n") == 1
    assert result.stderr[:-1].isprintable()
    assert only_json(cpm(*words, "--json"))["status"] == "faults"


def test_help_and_version():
    assert cpm("--help").exit_code == 0
    assert cpm("--version").stdout.startswith("cpm ")
    bare = cpm()
    assert bare.exit_code == 2
    assert bare.stdout == cpm("--help").stdout
    for command in ("check", "solve", "explain", "runs"):
        assert "--json" in cpm(command, "--help").stdout


@pytest.mark.parametrize("command", ["explain", "report"])
def test_a_time_limit_of_nothing_is_told(command: str, tmp_path):
    call = [command, "last", "--time-limit", "5", "--results", str(tmp_path)]
    done = CliRunner().invoke(app, call)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "--time-limit, value '5': is for --deep" in done.stderr
