"""docs/response.md: its examples run, and every lint code and key of the response half is described."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from cpm_opt.estimates.lint.doubts import REMEDIES
from cpm_opt.estimates.moves.answer_rules import AcquisitionRules, ScenarioRules
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.settings import ResponseRules
from cpm_opt.report.doubts import GRAVEST

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "response.md"


def test_the_worked_examples_run() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 15
    assert failed == 0


ROOMS = ROOT / "cpm_opt" / "estimates"


def test_every_lint_and_key_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = ("lint/*.py", "response.py", "transitions.py")
    sources = "".join(path.read_text(encoding="utf-8") for name in names for path in ROOMS.rglob(name))
    codes = set(re.findall(r'Lint\(\s*"([a-z-]+)"', sources))
    names = ("move_doubts.py", "panel_tables.py", "lever_terms.py", "with_scenarios.py")
    sources = "".join(path.read_text(encoding="utf-8") for name in names for path in ROOMS.rglob(name))
    codes |= set(re.findall(r'(?:code=|_warning\(\s*)"([a-z-]+)"', sources)) - {"segments-differ"}
    codes |= set(GRAVEST) | {"far-off"}
    assert len(codes) >= 20
    assert {code for code in codes if f"`{code}`" not in text} == set()
    value = (ROOT / "docs" / "value.md").read_text(encoding="utf-8")
    assert {code for code in REMEDIES if f"`{code}`" not in text + value} == set()
    keys = {*ResponseRules.model_fields, *LeverRules.model_fields} - {"source"}  # written `from`
    keys |= {*AcquisitionRules.model_fields, *ScenarioRules.model_fields}
    assert {key for key in keys if key not in text} == set()
