"""The documentation is that of the program: generated pages are up to date, links are there, examples run."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.formulation.components import BUILT_IN, COMPONENTS
from cpm_opt.formulation.registry import registered_components
from cpm_opt.formulation.spec import load_model
from cpm_opt.places import known_instances, known_models
from cpm_opt.runs.columns import COLUMNS
from cpm_opt.solve.solve import solve
from cpm_opt.tables.catalogue import ALL
from tests.portfolio.small import built
from tests.solve.test_traps import TABLES

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "adding-a-rule.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", *DOCS, *sorted(ROOT.glob("instances/*/README.md"))]
GROUP: Any = get_command(app)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def churn_cap(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the walk, registered as if it were built in."""
    (code,) = blocks("python")
    module = ModuleType("churn_cap_of_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    component = module.__dict__["ChurnCap"]
    known = {**registered_components(), component.name: component}
    monkeypatch.setattr("cpm_opt.formulation.spec.registered_components", lambda: known)
    return component


def test_the_rule_of_the_walk_is_read_binds_and_is_audited(churn_cap: Any, tmp_path: Path) -> None:
    (table,) = blocks("toml")
    assert tomllib.loads(table) == {"components": {"churn_cap": {"max_share": 0.05}}}
    model = tmp_path / "capped.toml"
    model.write_text("[horizon]\nperiods = 2\n" + table.replace("0.05", "0.12"), "utf-8")
    spec = load_model(model)
    tables = {
        **TABLES,
        "levers": "lever,choice,scope\nservice,mix,segment\ntariff,mix,segment",
        "migration": "from,to,rate\ngold,gold,0.8\nsilver,silver,0.9",
    }
    plan = solve(built(tables), spec)
    free = solve(built(tables), replace(spec, components={}))
    assert plan.status == free.status == "optimal"
    assert plan.recount is not None
    assert plan.objective is not None
    assert free.objective is not None
    shares = [row.value / row.limit for row in plan.recount.rows]
    assert max(shares) == pytest.approx(1.0)  # it binds
    assert plan.objective < free.objective
    assert max(price.price for price in plan.shadow_prices.values()) > 0.0
    loose = churn_cap(max_share=0.05).audit  # a tighter cap is broken by this plan, and the audit says so
    from cpm_opt.formulation.audit import facts_of

    assert plan.decisions is not None
    assert any(row.slack < 0.0 for row in loose(facts_of(plan.portfolio, plan.decisions)).rows)


def test_the_walk_names_places_that_are_there() -> None:
    text = PAGE.read_text("utf-8")
    for place in re.findall(r"`((?:cpm_opt|tests)/[\w/.]+?)`", text):
        if "churn_cap" not in place:
            assert (ROOT / place).exists(), place
    assert "BUILT_IN" in text
    assert BUILT_IN


def script(name: str) -> Any:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_up_to_date() -> None:
    assert script("generate").stale() == [], "run python docs/generate.py"


def test_every_column_of_a_run_has_a_meaning() -> None:
    text = (ROOT / "docs" / "runs.md").read_text("utf-8")
    assert not re.findall(r"^\| `\w+` \|  \|$", text, re.MULTILINE)
    assert set(re.findall(r"^## (\w+)\.csv$", text, re.MULTILINE)) == set(COLUMNS)


def test_the_picture_is_that_of_the_bank_as_it_is_planned_today(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["solve", str(ROOT / "instances" / "bank-clients"), "--results", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    (run,) = tmp_path.iterdir()
    texts = [
        re.findall(r"<text[^>]*>([^<]+)</text>", svg)
        for svg in (
            script("make_picture").drawn(run).decode("utf-8"),
            (ROOT / "docs" / "picture.svg").read_text("utf-8"),
        )
    ]
    assert len(texts[0]) > 20
    # Paths are drawn with all their digits, which may differ by machine; words and figures are what a reader sees.
    assert texts[0] == texts[1], "run python docs/make_picture.py RUN"


def test_every_command_rule_model_and_table_is_named() -> None:
    text = "\n".join(path.read_text("utf-8") for path in DOCS)
    readme = (ROOT / "README.md").read_text("utf-8")
    headings = set(re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    assert {f"cpm {name}" for name in GROUP.commands} <= headings
    assert set(COMPONENTS) | set(ALL) <= headings
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert "(docs/README.md)" in readme
    for page in PAGES[1:]:
        assert (
            page == ROOT / "docs" / "README.md"
            or f"{page.relative_to(ROOT).as_posix().removeprefix('docs/')})" in index
        )
    for model in ROOT.glob("models/*.toml"):
        assert f"(models/{model.stem}.md)" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    ):
        if "://" in target:
            continue
        place, _, anchor = target.partition("#")
        there = page.parent / place if place else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            }, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_called_as_they_can_be(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words in capitals and my-... stand for the reader's own; all else is read as the program does, and is there."""
    monkeypatch.chdir(ROOT)
    text = page.read_text("utf-8")
    in_blocks = re.findall(r"^(?:    )?(cpm [a-z].*)$", text, re.MULTILINE)
    for line in {*in_blocks, *re.findall(r"`(cpm [a-z][^`\n]*)`", text)}:
        if re.search(r"[\[…]|\.\.\.$", line):  # a synopsis
            continue
        name, *words = shlex.split(line, comments=True)[1:]
        assert name in GROUP.commands, line
        if not words:
            continue
        given = GROUP.commands[name].make_context(name, list(words)).params
        for kind, known in (("instance", known_instances()), ("model", known_models())):
            word = given.get(kind)
            if isinstance(word, str) and not word.isupper() and not word.startswith("my-"):
                assert word in known or Path(word).exists(), line
