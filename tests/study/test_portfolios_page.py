"""The example on docs/portfolios.md gives what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from cpm_opt.cli import app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "portfolios.md").read_text("utf-8")


def test_the_example_of_the_page(tmp_path):
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(text, "utf-8")
    shown = CliRunner().invoke(app, ["product", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    said = PAGE.split("<!-- says -->\n\n")[1].split("\n\n")[0]
    assert len(said.splitlines()) == 2
    for line in said.splitlines():
        assert line.strip() in shown.stdout
