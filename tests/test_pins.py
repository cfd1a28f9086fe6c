"""Pins the whole way: against the reference with the same columns fixed, what they cost, and what reports say."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.pipeline import read_problem, solve_instance
from tests.reference.formulation import build
from tests.reference.generate import PRESETS, RULES, random_instance
from tests.reference.numbers import Numbers
from tests.reference.program import Key
from tests.reference.read import Case, read_case

FEATURES = (PRESETS["everything"] - {"ugly"}) | RULES


def draw_pins(case: Case, rng: random.Random) -> tuple[list[str], list[str], dict[Key, float]]:
    """A pin for each lever, and the columns of the reference that it closes, at 0."""
    numbers, fix, forbid = Numbers(case), [], []
    fixed: dict[Key, float] = {}
    for lever in numbers.levers.values():
        targets = lever.groups if lever.single else numbers.segments
        target, period = rng.choice(targets), rng.randint(1, case.periods)
        members = [s for s in numbers.segments if lever.group[s] == target] if lever.single else [target]
        options = [o for o in lever.options if all(numbers.offered((s, lever.name, o)) for s in members)]
        option = rng.choice(options)
        text = f'"{lever.name}"="{option}"@"{target}":{period}'
        if rng.random() < 0.5 or len(options) == 1:
            fix.append(text)
            closed = [o for o in lever.options if o != option]
        else:
            forbid.append(text)
            closed = [option]
        for o in closed:
            key = ("y", lever.name, target, o) if lever.single else ("x", target, lever.name, o)
            fixed[*key, period] = 0.0
    return fix, forbid, fixed


def test_pinned_plans_are_those_of_the_reference_with_its_columns_fixed(tmp_path: Path):
    statuses, costly = [], 0
    for seed in range(18):
        folder = tmp_path / str(seed)
        model = random_instance(seed, folder, FEATURES)
        case = read_case(folder, model)
        fix, forbid, fixed = draw_pins(case, random.Random(seed))
        program = build(case)
        expected, free = program.solve(fixed), program.solve()
        plan = solve_instance(folder, model, fix=fix, forbid=forbid)
        assert plan.status == expected.status, (seed, fix, forbid)
        statuses.append(plan.status)
        assert plan.pins is not None
        assert len(plan.pins.names) == len(fix) + len(forbid)
        if expected.objective is None:
            assert any(name.startswith(plan.pins.names) for name in plan.conflict), (seed, plan.conflict)
            continue
        assert plan.objective == pytest.approx(expected.objective, rel=1e-6, abs=1e-6), seed
        assert plan.shown, seed
        assert plan.pins.objective == pytest.approx(free.objective, rel=1e-6, abs=1e-6), seed
        gained = free.objective - expected.objective > 1e-4
        assert bool(plan.pins.biting) == gained, (seed, plan.pins)
        costly += gained
    assert statuses.count("optimal") >= 9
    assert costly >= 4


def test_rules_that_are_slack_cost_nothing(tmp_path: Path):
    """Every kind of rule, each far from its limit: the optimum is that without them."""
    for seed in range(5):
        folder = tmp_path / str(seed)
        model = random_instance(seed, folder, PRESETS["everything"] - {"ugly"})
        before = solve_instance(folder, model).objective
        case = read_case(folder, model)
        numbers, rows = Numbers(case), case.rows("options")
        single = next(lever for lever in numbers.levers.values() if lever.single)
        lever, option = rows[0]["lever"], rows[0]["option"]
        columns = [*dict.fromkeys(column for row in rows for column in row), "price_change"]
        priced = [{**row, "price_change": 0.01 * k} for k, row in enumerate(rows)]
        write(
            folder / "options.csv", columns, [[row.get(column, "") for column in columns] for row in priced]
        )
        write(folder / "price_rules.csv", ["rule", "lever", "kind", "other_group", "value"], [
            ["a", single.name, "step", "", "1"], ["b", single.name, "total_step", "", "1"],
            ["c", single.name, "order", single.groups[0], "9"], ["d", single.name, "max_changes", "", "99"],
        ])  # fmt: skip
        write(folder / "option_rules.csv", ["rule", "lever", "option", "kind", "value"], [
            ["a", lever, option, "max", 10 * (1 + numbers.bound)], ["b", lever, option, "floor", 0],
            ["c", lever, option, "min", 0], ["d", single.name, single.options[0], "min", 1e-9],
        ])  # fmt: skip
        text = model.read_text("utf-8")
        model.write_text(
            text.replace("[solver]", "[components.price]\n[components.options]\n[solver]"), "utf-8"
        )
        assert solve_instance(folder, model).objective == pytest.approx(before, rel=1e-6), seed


def write(file: Path, header: list[str], rows: list[list[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two segments on a service of choice mix and a tariff of choice single; hours are short."""
    tables = {
        "segments": "segment,customers,margin\ngold,100,50\nsilver,400,10",
        "levers": "lever,choice,scope\nservice,mix,\ntariff,single,segment",
        "options": "lever,option,base,price_change\nservice,basic,true,\nservice,plus,false,\ntariff,keep,true,\n"
        "tariff,up,false,0.1",
        "effects": "segment,lever,option,margin\ngold,service,plus,8\nsilver,service,plus,3\ngold,tariff,up,4\n"
        "silver,tariff,up,-2",
        "resources": "resource,capacity\nhours,120",
        "usage": "resource,amount,segment,lever,option\nhours,1,,service,plus",
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text + "\n", "utf-8")
    info = ["name", "title", "currency", "source", "licence"]
    lines = [
        "[instance]",
        *(f'{key} = "shop"' for key in info),
        'period = "month"',
        'default_model = "model.toml"',
    ]
    (tmp_path / "instance.toml").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "model.toml").write_text("[horizon]\nperiods = 2\n[components.capacity]\n", "utf-8")
    return tmp_path


def cpm(shop: Path, *words: str) -> tuple[int, str, str]:
    model, results = str(shop / "model.toml"), str(shop / "results")
    command = [words[0], str(shop), "--model", model, *words[1:]]
    done = CliRunner().invoke(app, [*command, *(["--results", results] if words[0] == "solve" else [])])
    return done.exit_code, done.stdout, done.stderr


def test_a_pin_that_bites_is_told_with_its_cost(shop: Path):
    code, out, _ = cpm(
        shop, "solve", "--fix", "tariff=up@silver:1", "--forbid", "service=plus@gold", "--json"
    )
    assert code == 0
    answer = json.loads(out)
    # Silver loses 2 each for a month; the 100 hours that gold (8) would use go to silver (3), in both months.
    assert answer["pins"]["cost"] == pytest.approx(400 * 2 + 2 * 100 * 5)
    assert answer["pins"]["biting"] == ["fix tariff=up@silver:1", "forbid service=plus@gold"]
    _, out, _ = cpm(shop, "solve", "--fix", "tariff=up@silver:1", "--forbid", "service=plus@gold")
    text = " ".join(out.split())
    assert "Pinned: fix tariff=up@silver:1 and forbid service=plus@gold." in text
    assert "Without the pins a plan is worth 1,800 shop more" in text
    rules = (Path(answer["run"]) / "rules.csv").read_text("utf-8")
    assert "fix tariff=up@silver:1,silver,1,1,min,1,0,choices" in rules
    prices = {(p["rule"], p["period"]): p["shadow_price"] for p in answer["shadow_prices"]}
    assert prices["forbid service=plus@gold", 1] == pytest.approx(5)
    # The choice is fixed as a whole number: nothing is left of it that could have a price.
    assert ("fix tariff=up@silver:1", 1) not in prices


def test_a_pin_that_costs_nothing_is_told_too(shop: Path):
    code, out, _ = cpm(shop, "solve", "--fix", "tariff=up@gold")
    assert code == 0
    assert "The pins cost nothing" in out


def test_pins_that_leave_no_plan_are_named_in_the_conflict(shop: Path):
    code, out, _ = cpm(shop, "solve", "--fix", "service=plus@silver:2", "--json")
    answer = json.loads(out)
    assert code == 3
    assert (answer["status"], answer["pins"]["names"]) == ("infeasible", ["fix service=plus@silver:2"])
    assert any(name.startswith("fix service=plus@silver:2") for name in answer["conflict"])


def test_all_faults_of_pins_are_told_by_solve_and_check(shop: Path):
    words = ("--fix", "tarif=up", "--forbid", "tariff", "--fix", "tariff=up@gold", "--forbid", "tariff=up:1")
    for command in ("solve", "check"):
        code, _, err = cpm(shop, command, *words)
        assert code == 2
        assert [line.split(":")[0] for line in err.splitlines() if line.startswith("--")] == [
            "--fix, value 'tarif=up'", "--forbid, value 'tariff'", "--forbid, value 'tariff=up",
        ]  # fmt: skip


def test_pins_of_a_model_and_of_the_call_add_up(shop: Path):
    text = (shop / "model.toml").read_text("utf-8")
    (shop / "model.toml").write_text(text + '[components.pins]\nfix = ["tariff=up@gold"]\n', "utf-8")
    problem = read_problem(shop, shop / "model.toml", (), None, (), ("service=plus",))
    assert problem.spec.resolved()["components"]["pins"] == {
        "fix": ("tariff=up@gold",),
        "forbid": ("service=plus",),
    }
