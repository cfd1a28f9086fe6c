"""Every component: the model it states is the stored one, and its audit tells a good plan from a bad one.

After a wanted change of a formula, write the stored models anew with `pytest tests/formulation --update-golden` and
read the difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cpm_opt.formulation.audit import Audit, Decisions, facts_of
from cpm_opt.formulation.components import BUILT_IN, LeastChange, Risk
from cpm_opt.formulation.compose import compose
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.statement import state
from cpm_opt.solve.certificate import certify
from cpm_opt.solve.recount import recount
from tests.formulation.component_cases import CASES, Case

GOLDEN = Path(__file__).parent.parent / "golden"
WEIGHTS = Weights(1.0, 1.0, 0.1)


def test_every_component_has_a_case_and_a_stored_model() -> None:
    names = {component.name for component in BUILT_IN}
    # These two limit nothing, so no plan breaks them: tests/solve/test_risk.py and test_least_change.py.
    weighing = {Risk.name, LeastChange.name}
    assert set(CASES) | weighing == names
    assert {path.stem for path in GOLDEN.glob("*.lp")} == names - {LeastChange.name}


@pytest.mark.parametrize("name", sorted(CASES))
def test_states_the_stored_model(name: str, tmp_path: Path, update_golden: bool) -> None:
    case = CASES[name]
    model = state(compose(case.portfolio(), [case.component], WEIGHTS))
    written = tmp_path / "model.lp"
    model.write(str(written), io_options={"symbolic_solver_labels": True})
    stored = GOLDEN / f"{name}.lp"
    if update_golden:
        stored.write_text(written.read_text("utf-8"), "utf-8")
    assert written.read_text("utf-8") == stored.read_text("utf-8")


def breaks(audit: Audit) -> list[str]:
    rows = [row.rule for row in audit.rows if row.penalty is None and row.slack < -1e-9]
    return rows + [breach.where for breach in audit.breaches if breach.amount > 0.0]


def certified(case: Case, decisions: Decisions) -> bool:
    portfolio = case.portfolio()
    objective = recount(portfolio, decisions, [case.component], WEIGHTS)[0].objective
    return certify(portfolio, decisions, [case.component], WEIGHTS, objective, None)[0].passed


@pytest.mark.parametrize("name", sorted(CASES))
def test_audit_accepts_a_plan_that_keeps_the_rule(name: str) -> None:
    case = CASES[name]
    good = case.plan(case.good)
    assert breaks(case.component.audit(facts_of(case.portfolio(), good))) == []
    assert certified(case, good)


@pytest.mark.parametrize("name", sorted(name for name, case in CASES.items() if case.bad is not None))
def test_audit_names_what_a_bad_plan_breaks(name: str) -> None:
    case = CASES[name]
    assert case.bad is not None
    bad = case.plan(case.bad)
    assert breaks(case.component.audit(facts_of(case.portfolio(), bad)))
    assert not certified(case, bad)
