"""What a review of the solver layer found, kept from coming back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpm_opt.pipeline import check_instance, solve_instance
from cpm_opt.solve.engine import Engine
from cpm_opt.solve.session import Session
from cpm_opt.solve.solve import solve
from tests.portfolio.small import built
from tests.solve.test_traps import TABLES, spec


def test_two_rules_whose_terms_vanish_are_infeasible_together() -> None:
    rules = "rule,measure,members,sense,value\nsell,revenue,all,min,5\nsell more,revenue,gold,min,7"
    assert solve(built({**TABLES, "balance": rules}), spec()).status == "infeasible"


def test_whole_customers_are_no_mere_edit_of_numbers() -> None:
    """The same columns and rows, once in parts and once whole: the kept session must not mix them up."""
    tables = {name: text for name, text in TABLES.items() if not name.startswith("migration")}
    tables["usage"] = "resource,amount,segment,lever,option\nhours,0.7,,service,plus"
    parts = built(tables)
    whole = replace(parts, whole=np.ones_like(parts.whole))
    with Session(spec()) as kept:
        found = [kept.solve(portfolio).objective for portfolio in (parts, whole, parts)]
    fresh = [solve(portfolio, spec()).objective for portfolio in (parts, whole, parts)]
    assert found == pytest.approx(fresh, rel=1e-9)
    assert found[0] != pytest.approx(found[1], rel=1e-9)


def test_a_floor_at_exactly_what_is_there_is_kept_at_ten_billions() -> None:
    """A sum of 1e10 is exact to 2e-6 only, more than the solver's own tolerance."""
    rng = np.random.default_rng(3)
    margins = rng.uniform(1e6, 4e6, 40).round(2)
    rows = "\n".join(f"s{n:02d},{rng.integers(80, 120)},{margin}" for n, margin in enumerate(margins))
    tables = {
        "segments": f"segment,customers,margin\n{rows}",
        "levers": "lever,choice\nservice,mix",
        "options": "lever,option,base\nservice,basic,true\nservice,plus,false",
        "effects": "segment,lever,option,margin\n"
        + "\n".join(f"s{n:02d},service,plus,-1" for n in range(40)),
    }
    portfolio = built(tables)
    today = float((portfolio.flows["margin"].per_customer[:, 0] * portfolio.customers).sum())
    floor = f"rule,measure,members,sense,value\nno worse,margin,all,min,{today!r}"
    assert solve(built({**tables, "balance": floor}), spec()).status == "optimal"


def test_an_engine_closed_twice_leaves_other_files_alone(tmp_path: Path) -> None:
    engine = Engine()
    engine.close()
    with (tmp_path / "file").open("w") as mine:
        engine.close()
        mine.write("still open")
    assert (tmp_path / "file").read_text() == "still open"


def instance_with_hold(folder: Path) -> Path:
    """One segment, a hold of two periods, and a programme that only pays in the second."""
    tables = {
        "segments": "segment,customers,margin\na,100,1",
        "levers": "lever,choice,hold\nprogramme,single,2",
        "options": "lever,option,base\nprogramme,none,true\nprogramme,on,false",
        "effects": "segment,lever,option,margin\na,programme,on,5",
    }
    tables["factors"] = "target,period,factor\neffects.margin,1,0\neffects.margin,3,0"
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text + "\n", "utf-8")
    (folder / "instance.toml").write_text(
        '[instance]\nname = "held"\ntitle = "Held"\ncurrency = "EUR"\nperiod = "month"\n'
        'source = "test"\nlicence = "none"\n',
        "utf-8",
    )
    (folder / "options.csv").write_text(
        "lever,option,base,fixed_cost\nprogramme,none,true,\nprogramme,on,false,100\n", "utf-8"
    )
    return folder


def test_hold_counts_only_with_the_component_switching_and_its_absence_is_told(tmp_path: Path) -> None:
    """On in period 2 alone earns 500 - 100; held from period 1 to 2 it costs 100 more."""
    folder = instance_with_hold(tmp_path / "held")
    free, held = tmp_path / "free.toml", tmp_path / "held.toml"
    free.write_text("[horizon]\nperiods = 3\n", "utf-8")
    held.write_text("[horizon]\nperiods = 3\n[components.switching]\n", "utf-8")
    assert solve_instance(folder, free).objective == pytest.approx(300 + 500 - 100)
    assert solve_instance(folder, held).objective == pytest.approx(300 + 500 - 200)
    faults, warnings = check_instance(folder, free)
    assert faults == []
    assert [warning.code for warning in warnings] == ["hold_unused"]
    assert check_instance(folder, held) == ([], [])
