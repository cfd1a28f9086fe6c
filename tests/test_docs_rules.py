"""docs/rules.md: its tables make a plan on bank-clients that shows the rows it names, and its commands run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.pipeline import solve_instance

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "rules.md").read_text("utf-8")
INSTANCE = ROOT / "instances" / "bank-clients"


def test_the_tables_of_the_page_rule_a_plan(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(INSTANCE, tmp_path / "bank"))
    tables = dict(re.findall(r"`(\w+)\.csv`:\n\n```csv\n(.*?)```", TEXT, re.DOTALL))
    assert set(tables) == {"price_rules", "option_rules"}
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    plan = solve_instance(folder, settings=("components.price={}", "components.options={}"))
    assert plan.status == "optimal"
    assert plan.recount is not None
    names = {line.split(",")[0] for text in tables.values() for line in text.splitlines()[1:]}
    assert names <= {row.rule for row in plan.recount.rows}
    tight = {f"{row.rule} {row.subject}" for row in plan.recount.rows if abs(row.slack) < 1e-6}
    assert set(re.findall(r"^- `(.+?)`:", TEXT, re.MULTILINE)) <= tight


def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    commands = re.findall(r"^    cpm (.+)$", TEXT, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        more = ["--results", str(tmp_path)] if command.startswith("solve") else []
        done = CliRunner().invoke(app, [*shlex.split(command), *more])
        assert done.exit_code == 0, done.output
