"""The reference is itself held to account: matrices against plain simulation, the solver against trying every plan."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.reference.enumerate import all_choices, best_of_choices, best_of_splits, count_choices, fixed_by
from tests.reference.formulation import build
from tests.reference.generate import (
    ALONE,
    CHOICES_ONLY,
    MONEY_RULES,
    PRESETS,
    RULES,
    SINGLE,
    WHOLE,
    random_instance,
)
from tests.reference.numbers import Numbers
from tests.reference.program import Answer
from tests.reference.read import Case, read_case
from tests.reference.simulate import Outcome, simulate


def _case(folder: Path, seed: int, features: frozenset[str]) -> Case:
    model = random_instance(seed, folder / str(seed), features)
    return read_case(folder / str(seed), model)


def _same(answer: Answer, best: Outcome | None, what: object) -> None:
    assert answer.status == ("infeasible" if best is None else "optimal"), what
    if best is not None:
        assert answer.objective == pytest.approx(best.objective, rel=1e-7, abs=1e-5), what


def test_solver_finds_the_best_of_all_choices(tmp_path: Path) -> None:
    """Where every lever is `single`, the best of all simulated plans, found without a solver, is the optimum."""
    compared, none, tried = 0, 0, 0
    for seed in range(90):
        case = _case(tmp_path, seed, CHOICES_ONLY - ({"hold"} if seed % 2 else set()))
        if seed % 5 == 0:
            _tighten(case)
        if count_choices(case) <= 256:
            best = best_of_choices(case)
            _same(build(case).solve(), best.outcome, seed)
            compared, none, tried = compared + 1, none + (best.outcome is None), tried + best.tried
    assert compared >= 60
    assert tried >= 1000
    assert none >= 3


def test_solver_finds_the_best_of_all_choices_that_keep_the_rules(tmp_path: Path) -> None:
    """The same with rules between prices and options on: they rule plans out, and never the one that was drawn."""
    compared, tried, ruled_out = 0, 0, 0
    for seed in range(40):
        case = _case(tmp_path, seed, CHOICES_ONLY | RULES)
        if count_choices(case) <= 256:
            best = best_of_choices(case)
            _same(build(case).solve(), best.outcome, seed)
            assert best.outcome is not None, seed
            compared, tried = compared + 1, tried + best.tried
            ruled_out += sum(bool(_broken_rules(simulate(case, plan, _nobody))) for plan in all_choices(case))
    assert compared >= 20
    assert ruled_out >= tried / 10


def _nobody(segment: str, lever: str, period: int, customers: float) -> dict[str, float]:
    raise AssertionError(f"{lever} of {segment} is not single")


def _broken_rules(outcome: Outcome) -> list[str]:
    return [what for what, _ in outcome.broken if what.startswith(("price rule", "option rule"))]


def test_solver_finds_the_best_of_all_choices_under_rules_of_money(tmp_path: Path) -> None:
    """Cash, concentration and robust, each reckoned once as rows and once by playing every plan through."""
    compared, bitten = 0, 0
    for seed in range(60):
        case = _case(tmp_path, seed, CHOICES_ONLY | MONEY_RULES)
        if count_choices(case) <= 128:
            best = best_of_choices(case)
            _same(build(case).solve(), best.outcome, seed)
            for name in ("cash", "concentration", "robust"):
                case.model["components"].pop(name, None)
            free = build(case).solve().objective
            assert free is not None
            compared += 1
            bitten += best.outcome is not None and best.outcome.objective < free - 1e-4 * abs(free)
    assert compared >= 30
    assert bitten >= compared / 3


def _tighten(case: Case) -> None:
    """Lower capacity and no extra: some of these have no plan left, others only one or two."""
    for row in case.rows("resources"):
        row["extra_capacity"] = ""
        row["capacity"] = str(0.9 * float(row["capacity"])) if row["capacity"] else ""


def test_solver_finds_the_best_of_all_whole_splits(tmp_path: Path) -> None:
    """Whole customers on `mix` levers: every division of them is tried."""
    compared = 0
    for seed in range(40):
        case = _case(tmp_path, seed, WHOLE)
        best = best_of_splits(case)
        _same(build(case).solve(), best.outcome, seed)
        compared += best.tried
    assert compared >= 1000


def test_solver_finds_the_best_linear_programme_of_all_choices(tmp_path: Path) -> None:
    """`single` and `mix` together: each plan of the choices leaves a linear programme, and the best of those wins."""
    compared = 0
    for seed in range(30):
        case = _case(tmp_path, seed, SINGLE)
        program = build(case)
        if count_choices(case) > 60:
            continue
        answers = [program.solve(fixed_by(choices), relax=True) for choices in all_choices(case)]
        found = [a.objective for a in answers if a.objective is not None]
        answer = program.solve()
        assert answer.status == ("optimal" if found else "infeasible"), seed
        assert not found or answer.objective == pytest.approx(max(found), rel=1e-7, abs=1e-5), seed
        compared += len(answers)
    assert compared >= 100


@pytest.mark.parametrize("preset", [*PRESETS, "everything and rules"])
def test_solved_plan_simulates_to_the_same_figures(tmp_path: Path, preset: str) -> None:
    """The solver's plan, played period by period, breaks no wall and earns what the matrices say."""
    for seed in range(100, 125):
        case = _case(tmp_path, seed, frozenset({**PRESETS, **ALONE}[preset]))
        answer = build(case).solve()
        if answer.objective is None:
            continue
        played = _played(case, answer)
        assert [what for what, much in played.broken if much > 1e-5] == [], seed
        assert played.objective == pytest.approx(answer.objective, rel=1e-7, abs=1e-4), seed
        assert played.profit == pytest.approx(answer.profit, rel=1e-6, abs=1e-3), seed
        for s, customers in played.customers[-1].items():
            assert customers == pytest.approx(answer.values["n", s, case.periods + 1], abs=1e-5), seed


def _played(case: Case, answer: Answer) -> Outcome:
    numbers = Numbers(case)
    choices = {
        (lever.name, group, t): next(
            o for o in lever.options if answer.values["y", lever.name, group, o, t] > 0.5
        )
        for lever in numbers.levers.values()
        if lever.single
        for group in lever.groups
        for t in range(1, case.periods + 1)
    }

    def split(segment: str, lever: str, period: int, customers: float) -> dict[str, float]:
        on = {o: answer.values["x", segment, lever, o, period] for o in numbers.levers[lever].options}
        return {o: max(0.0, v) for o, v in on.items()}

    return simulate(case, choices, split)


def test_random_plans_mean_the_same_to_matrices_and_simulation(tmp_path: Path) -> None:
    """Any plan, good or bad, has one objective and one verdict, whichever of the two readings is asked."""
    verdicts: set[str] = set()
    for seed in range(60):
        rng = random.Random(seed)
        case = _case(tmp_path, seed, PRESETS["everything"])
        program, numbers, choices, shares = build(case), Numbers(case), {}, {}
        fixed = {}
        for lever in numbers.levers.values():
            for t in range(1, case.periods + 1):
                for group in lever.groups if lever.single else []:
                    choices[lever.name, group, t] = rng.choice(lever.options)
                    for o in lever.options:
                        fixed["y", lever.name, group, o, t] = float(choices[lever.name, group, t] == o)
                for s in numbers.segments:
                    shares[s, lever.name, t] = rng.choice(lever.options)
        outcome = simulate(case, choices, lambda s, d, t, n, shares=shares: {shares[s, d, t]: n})
        for (s, d, t), o in shares.items():
            for other in numbers.levers[d].options if not numbers.levers[d].single else ():
                fixed["x", s, d, other, t] = outcome.customers[t - 1][s] * (other == o)
        forced = [key for key, value in fixed.items() if value > program.upper[program.columns[key]]]
        answer = program.solve({key: value for key, value in fixed.items() if key not in forced})
        verdict = "infeasible" if forced else answer.status
        assert verdict == ("infeasible" if outcome.broken else "optimal"), (seed, outcome.broken)
        if verdict == "optimal":
            assert answer.objective == pytest.approx(outcome.objective, rel=1e-7, abs=1e-4), seed
        verdicts.add(verdict)
    assert verdicts == {"optimal", "infeasible"}


def test_infeasible_on_purpose(tmp_path: Path) -> None:
    """The feature `infeasible` leaves no plan, whatever else is on."""
    for name, preset in PRESETS.items():
        for seed in range(6):
            assert build(_case(tmp_path / name, seed, preset | {"infeasible"})).solve().status == "infeasible"


def test_generator_writes_equal_files_for_equal_seeds(tmp_path: Path) -> None:
    """A failing seed can be drawn again."""
    for name in ("one", "two"):
        random_instance(7, tmp_path / name, PRESETS["everything"])
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_random_instances_fill_every_column(tmp_path: Path) -> None:
    """A column that no instance fills would leave its rule untested."""
    filled: set[tuple[str, str]] = set()
    for seed in range(40):
        for name, preset in (("everything", PRESETS["everything"] | RULES), ("whole", WHOLE)):
            case = _case(tmp_path / name, seed, preset)
            filled |= {
                (table, c) for table, rows in case.tables.items() for row in rows for c in row if row[c]
            }
    expected = {
        "segments": "segment customers margin kind end_value revenue cash satisfaction whole tier region",
        "arrivals": "segment period customers",
        "current": "segment lever option customers",
        "resources": "resource capacity unit_cost capacity_cost extra_capacity extra_cost lead_time max_utilisation "
        "period",
        "levers": "lever choice scope hold",
        "options": "lever option base fixed_cost change_cost price_change",
        "effects": "segment lever option offered margin revenue cash satisfaction",
        "usage": "resource amount segment lever option",
        "migration": "from to rate",
        "migration_effects": "from to lever option rate when",
        "balance": "rule measure members sense value basis first_period last_period penalty",
        "factors": "target period factor segment lever option resource",
        "price_rules": "rule lever kind group other_group value",
        "option_rules": "rule lever option kind other_lever other_option value members",
    }
    assert filled == {(table, column) for table, columns in expected.items() for column in columns.split()}
