"""docs/value.md: its example runs, and every lint, key and kind of value that it names is one."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from cpm_opt.estimates import estimate
from cpm_opt.estimates.segments.figures import OF_PROFIT, OF_VALUE, TIER
from cpm_opt.estimates.segments.segment_settings import BOUNDS, SegmentRules
from cpm_opt.estimates.settings import EstimateRules, ValueRules
from cpm_opt.estimates.value.lists import KINDS
from tests.estimates.bank_and_shop import bank

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "value.md"


def test_the_worked_example_runs() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 10
    assert failed == 0


def test_every_lint_and_key_of_the_value_half_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sources = "".join(
        (ROOT / "cpm_opt" / "estimates" / "value" / name).read_text(encoding="utf-8")
        for name in ("purchases.py", "values.py", "combined.py")
    )
    codes = set(re.findall(r'Lint\(\s*"([a-z-]+)"', sources))
    assert len(codes) >= 10
    assert {code for code in codes if f"`{code}`" not in text} == set()
    keys = {*ValueRules.model_fields, "calibration_end", "ledger_end"}
    assert keys <= {*ValueRules.model_fields, *EstimateRules.model_fields}
    assert {name for name in (*keys, *KINDS) if f"`{name}`" not in text} == set()


def test_the_segments_of_the_page_are_made_and_every_key_and_column_is_named(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (rules,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = estimate(bank(tmp_path, rules))
    assert [fault.line() for fault in found.faults] == []
    segments = found.frames["segments"].set_index("segment")
    assert segments["customers"].to_dict() == {"large-depositor": 2, "depositor": 2, "small": 3}
    assert {key for key in SegmentRules.model_fields if key not in rules} == set()
    assert {
        word for word in (*OF_PROFIT, *OF_VALUE, TIER, *BOUNDS) if not re.search(rf"\b{word}\b", text)
    } == set()
    source = (ROOT / "cpm_opt" / "estimates" / "segments" / "from_profit.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'"([a-z]+-[a-z]+)"', source)) & set(
        re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    )
    assert codes == {"no-moves", "unlike-periods", "counted-twice"}
