"""docs/value.md: its example runs, and every lint, key and kind of value that it names is one."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from cpm_opt.estimates.lists import KINDS
from cpm_opt.estimates.settings import EstimateRules, ValueRules

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "value.md"


def test_the_worked_example_runs() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 10
    assert failed == 0


def test_every_lint_and_key_of_the_value_half_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sources = "".join(
        (ROOT / "cpm_opt" / "estimates" / name).read_text(encoding="utf-8")
        for name in ("purchases.py", "values.py")
    )
    codes = set(re.findall(r'Lint\(\s*"([a-z-]+)"', sources))
    assert len(codes) >= 10
    assert {code for code in codes if f"`{code}`" not in text} == set()
    keys = {*ValueRules.model_fields, "calibration_end", "ledger_end"}
    assert keys <= {*ValueRules.model_fields, *EstimateRules.model_fields}
    assert {name for name in (*keys, *KINDS) if f"`{name}`" not in text} == set()
