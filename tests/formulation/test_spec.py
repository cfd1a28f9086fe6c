"""Models as TOML: what is accepted, each fault with its place, `extends`, settings, components of other packages."""

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from cpm_opt.faults import Fault, InputError
from cpm_opt.formulation.spec import load_model

FULL = """\
title = "Everything said"
[horizon]
periods = 4
discount_rate = 0.02
[objective]
profit = 1
end_value = 0.5
[components.switching]
[components.capacity]
[solver]
method = "ipm"
time_limit = 60
mip_gap = 0.001
threads = 2
seed = 7
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes models into models/ of an empty current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()

    def write(text: str | bytes, name: str = "own") -> str:
        raw = text.encode() if isinstance(text, str) else text
        (tmp_path / "models" / f"{name}.toml").write_bytes(raw)
        return name

    return write


def faults_of(*args: object, **kwargs: object) -> tuple[Fault, ...]:
    with pytest.raises(InputError) as caught:
        load_model(*args, **kwargs)
    return caught.value.faults


def test_a_model_that_says_everything_is_read_as_it_says(model):
    spec = load_model(model(FULL))
    assert spec.resolved() == {
        "name": "own",
        "title": "Everything said",
        "horizon": {"periods": 4, "discount_rate": 0.02},
        "objective": {"profit": 1.0, "end_value": 0.5},
        "components": {"capacity": {}, "switching": {}},
        "solver": {"method": "ipm", "time_limit": 60.0, "mip_gap": 0.001, "threads": 2, "seed": 7},
    }
    assert isinstance(spec.objective.profit, float)


def test_what_a_model_leaves_out_has_the_defaults_of_the_design(model):
    spec = load_model(model(""))
    assert (spec.title, spec.horizon.periods, spec.horizon.discount_rate) == ("own", 1, 0.0)
    assert (spec.objective.profit, spec.objective.end_value) == (1.0, 1.0)
    assert (spec.solver.method, spec.solver.mip_gap) == ("auto", 1e-6)
    assert dict(spec.components) == {}


def test_a_spec_is_frozen_and_can_be_sent_to_another_process(model):
    spec = load_model(model(FULL))
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.title = "other"
    with pytest.raises(TypeError):
        spec.components["balance"] = object()
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    "raw",
    [b"\xef\xbb\xbf" + FULL.encode(), FULL.replace("\n", "\r\n").encode(), FULL.encode("utf-16")],
    ids=["byte-order mark", "CRLF", "UTF-16"],
)
def test_files_as_windows_saves_them_are_read(model, raw: bytes):
    assert load_model(model(raw)).resolved() == load_model(model(FULL, "own")).resolved()


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[horizon]\nperiod = 4\n", 2, "horizon.period", "did you mean 'periods'?"),
        ("titel = 'x'\n", 1, "titel", "did you mean 'title'?"),
        ("title = 'x'\nperiods = 4\n", 2, "periods", "put it into [horizon]"),
        ("\n[components.capacitty]\n", 2, "components.capacitty", "did you mean 'capacity'?"),
        ("[components.capacity]\nhours = 3\n", 2, "components.capacity.hours", "this table has no keys"),
        ("[components]\ncapacity = true\n", 2, "components.capacity", "is no table"),
        ("components = 1\n", 1, "components", "is no table"),
        ("horizon = 4\n", 1, "horizon", "write [horizon]"),
        ("title = 4\n", 1, "title", "is not text"),
        ('[horizon]\nperiods = "4"\n', 2, "horizon.periods", "write it without quotes: 4"),
        ("[horizon]\nperiods = 4.5\n", 2, "horizon.periods", "is not a whole number"),
        ("[horizon]\nperiods = true\n", 2, "horizon.periods", "is not a whole number"),
        ("[horizon]\nperiods = 0\n", 2, "horizon.periods", "is below 1"),
        ("[horizon]\nperiods = 121\n", 2, "horizon.periods", "is above 120"),
        ("[horizon]\n# per cent\ndiscount_rate = 10\n", 3, "horizon.discount_rate", "0.05 for 5 %"),
        ("[horizon]\ndiscount_rate = -0.1\n", 2, "horizon.discount_rate", "is below 0"),
        ("[objective]\nend_value = true\n", 2, "objective.end_value", "is not a number"),
        ("[objective]\nprofit = nan\n", 2, "objective.profit", "is not a finite number"),
        ("[objective]\nprofit = -inf\n", 2, "objective.profit", "is not a finite number"),
        ("[objective]\nprofit = 1e400\n", 2, "objective.profit", "is not a finite number"),
        ("[objective]\nprofit = 1e15\n", 2, "objective.profit", "is too large"),
        ("[objective]\nprofit = -1\n", 2, "objective.profit", "is below 0"),
        ("[components]\nrisk = {weigth = 0.5}\n", 2, "components.risk.weigth", "did you mean 'weight'?"),
        ("[components.risk]\nalpha = 1\n", 2, "components.risk.alpha", "a fraction from 0 to below 1"),
        ("[components.robust]\nbudget = 3\n", 1, "components.robust.width", "is missing"),
        (
            "[components.concentration]\ntop_k = 1.5\n",
            2,
            "components.concentration.top_k",
            "write a whole number from 1",
        ),
        ("[components.concentration]\ntop_k = 3\n", 1, "components.concentration", "belong together"),
        ("solver.mip_gap = 5\n", 1, "solver.mip_gap", "is above 1"),
        ("[solver]\ntime_limit = 0\n", 2, "solver.time_limit", "is not above 0"),
        ("[solver]\ntime_limit = 2_000_000\n", 2, "solver.time_limit", "is above 1000000"),
        ('[solver]\nmethod = "simplx"\n', 2, "solver.method", "did you mean 'simplex'?"),
        ("[solver]\nthreads = -1\n", 2, "solver.threads", "is below 0"),
        ("[solver]\nseed = [1]\n", 2, "solver.seed", "is not a whole number"),
    ],
)
def test_a_fault_names_its_line_and_key_and_what_to_do(model, text: str, line: int, key: str, says: str):
    (fault,) = faults_of(model(text))
    assert (fault.table, fault.row, fault.column) == ("own.toml", line, key)
    assert says in fault.line()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"title = 'x'\n[horizon\nperiods = 4\n", "own.toml line 2: is not TOML at column 9"),
        (b"title = 'x'\nperiods = ", "own.toml line 2: is not TOML at"),
        (b"title = 'x'\ntitle = 'y'\n", "own.toml line 2: a key or table stands twice"),
        (b"[solver]\n[horizon]\n[solver]\n", "own.toml line 3: a key or table stands twice"),
        (b"title = '\xe4'\n", "own.toml: is not UTF-8 text (from byte 9 on)"),
        (b"x = " + b"[" * 100_000, "own.toml: nests too deep"),
        (b"periods = " + b"9" * 5_000, "own.toml: holds a number of thousands of digits"),
        (b"#" * 1_000_001, "own.toml: is larger than 1 MB"),
    ],
)
def test_a_file_that_is_no_toml_is_told_in_one_line(model, raw: bytes, says: str):
    (fault,) = faults_of(model(raw))
    assert fault.line().startswith(says)


def test_all_faults_of_the_model_its_base_and_the_settings_are_told_at_once(model):
    model("[objective]\nprofit = -1\n", "base")
    model("extends = 'base'\n[horizon]\nperiods = 0\n[solver]\nsed = 1\n")
    told = [fault.line() for fault in faults_of("own", ["solver.mip_gap=5", "solver"], -3.0)]
    places = ["base.toml line 2", "own.toml line 3", "own.toml line 5", "--set", "--set", "--time-limit"]
    assert sorted(line.split(",")[0].split(":")[0] for line in told) == sorted(places)


def test_a_model_extends_another_key_by_key_and_the_child_wins(model):
    model(FULL, "base")
    model("extends = 'base'\n[horizon]\nperiods = 2\n[components.balance]\n[solver]\nseed = 1\n")
    spec, base = load_model("own"), load_model("base")
    assert (spec.name, spec.title) == ("own", base.title)
    assert spec.horizon == dataclasses.replace(base.horizon, periods=2)
    assert spec.solver == dataclasses.replace(base.solver, seed=1)
    assert list(spec.components) == ["capacity", "balance", "switching"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("extends = 'own'\n", "the model extends itself"),
        ("extends = 'circle'\n", "in a circle"),
        ("extends = 'two'\n", "a model extends one that stands alone"),
        ("extends = 'plane'\n", "did you mean 'plain'?"),
        ("extends = ''\n", "is empty"),
        ("extends = 1\n", "write the name of a model in quotes"),
    ],
)
def test_extends_that_leads_nowhere_or_too_far_is_a_fault(model, text: str, says: str):
    model("extends = 'own'\n", "circle")
    model("extends = 'plain'\n", "two")
    model("", "plain")
    (fault,) = faults_of(model(text))
    assert (fault.table, fault.row) == ("own.toml", 1)
    assert says in fault.line()


def test_a_base_is_found_beside_the_model_from_any_folder(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model("title = 'the base'\n", "base")
    model("extends = 'base'\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load_model("../models/own.toml").title == "the base"


def test_settings_go_before_the_file_and_the_time_limit_before_both(model):
    settings = [
        "horizon.periods=6",
        "solver.method=simplex",
        'title="A = B"',
        "components.balance={}",
        "solver.time_limit=9",
    ]
    spec = load_model(model(FULL), settings, 5)
    assert (spec.horizon.periods, spec.horizon.discount_rate) == (6, 0.02)
    assert (spec.title, spec.solver.method, spec.solver.time_limit) == ("A = B", "simplex", 5.0)
    assert list(spec.components) == ["capacity", "balance", "switching"]


def test_a_component_is_turned_off_for_one_run(model):
    spec = load_model(model(FULL), ["components.switching=false", "components.risk=false"])
    assert list(spec.components) == ["capacity"]
    assert list(spec.resolved()["components"]) == ["capacity"]
    (fault,) = faults_of(model(FULL), ["components.cash=false", "components.cash.opening=5"])
    assert "components.cash is turned off by another --set; keep one of them" in fault.line()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("solver.mip_gap", "has no value"),
        ("solver.mip_gap=", "has no value"),
        ("=1", "empty part"),
        ("solver..seed=1", "empty part"),
        ("solver.seed=1\nthreads=2", "line break"),
        ("extends=base", "cannot be set"),
        ("solver.sed=1", "did you mean 'seed'?"),
        ("components.balanse={}", "did you mean 'balance'?"),
        ("components.capacity=on", "components.capacity={}; --set components.capacity=false turns it off"),
        ("horizon=4", "is no table"),
        ("solver.time_limit=1,000", "is not a number"),
        ("solver.time_limit=nan", "is not a finite number"),
    ],
)
def test_a_setting_that_cannot_stand_is_a_fault_of_the_option(model, setting: str, says: str):
    (fault,) = faults_of(model(FULL), [setting])
    assert fault.table == "--set"
    assert says in fault.line()


def test_a_key_set_twice_is_a_fault(model):
    (fault,) = faults_of(model(FULL), ["solver.seed=1", "solver.seed=2"])
    assert "a second time" in fault.line()


def test_loading_a_model_leaves_the_solver_libraries_alone(model):
    model(FULL)
    code = (
        "import sys; from cpm_opt.formulation.spec import load_model; load_model('own');"
        "print(sorted({'pyomo', 'highspy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


PLUGIN = """\
from dataclasses import dataclass
@dataclass(frozen=True)
class Quota:
    share: float
    members: tuple[str, ...] = ()
    def __post_init__(self):
        if self.share > 1:
            raise ValueError("share is above 1")
class Loose:
    pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts another package with entry points of the group on the path, and lets plug-ins in."""
    monkeypatch.delenv("CPM_OPT_PLUGINS")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "quota_rules.py").write_text(PLUGIN)
    folder = tmp_path / "quota_rules-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: quota-rules\nVersion: 1.0\n")

    def register(entries: str) -> None:
        (folder / "entry_points.txt").write_text(f"[cpm_opt.components]\n{entries}\n")

    yield register
    sys.modules.pop("quota_rules", None)


def test_a_component_of_another_package_is_turned_on_like_our_own(model, plugin):
    plugin("quota = quota_rules:Quota")
    spec = load_model(model("[components.quota]\nshare = 1\nmembers = ['a', 'b']\n"))
    assert spec.resolved()["components"] == {"quota": {"share": 1.0, "members": ("a", "b")}}
    assert [fault.line() for fault in faults_of(model("[components.quota]\n"))] == [
        "own.toml line 1, key components.quota.share: is missing; add it to [components.quota]"
    ]
    (fault,) = faults_of(model("[components.quota]\nshare = 2\n"))
    assert "share is above 1" in fault.line()


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ("capacity = quota_rules:Quota", "the name 'capacity' is taken already"),
        ("quota = quota_rules:Loose", "is no frozen dataclass"),
        ("quota = quota_rules:Missing", "cannot be loaded"),
    ],
)
def test_a_component_of_another_package_that_cannot_be_is_told_with_its_package(
    model, plugin, entries: str, says: str
):
    plugin(entries)
    (fault,) = faults_of(model(FULL))
    assert "quota-rules" in fault.table
    assert says in fault.line()


def test_plugins_are_left_out_of_the_tests_unless_asked(model, plugin, monkeypatch: pytest.MonkeyPatch):
    plugin("quota = quota_rules:Quota")
    monkeypatch.setenv("CPM_OPT_PLUGINS", "0")
    (fault,) = faults_of(model("[components.quota]\nshare = 0.5\n"))
    assert fault.code == "unknown_component"
