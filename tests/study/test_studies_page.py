"""The commands of docs/studies.md run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies.md"


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert {shlex.split(line)[1] for line in commands} >= {"compare", "sweep", "frontier"}
    for line in commands:
        words = shlex.split(line)[1:]
        if words[0] == "compare":  # what a shell makes of the pattern
            words[1:] = sorted(map(str, Path().glob(words[1])))
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}: {result.output}"
