"""docs/monitor.md: its tables and commands run as they stand, its sentences come true, and it names every column."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.study.monitor.value import ARRIVALS, CHOICES, MIGRATION, START
from cpm_opt.study.monitor.variance import STEPS
from cpm_opt.tables.catalogue_actuals import TABLES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "monitor.md").read_text("utf-8")


@pytest.mark.slow
def test_the_example_of_the_page_runs_and_says_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "year-1").mkdir()
    tables = re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", TEXT, re.DOTALL)
    assert len(tables) == 4
    for name, text in tables:
        (tmp_path / "year-1" / name).write_text(text, "utf-8")
    said = {}
    for command in re.findall(r"^    cpm (.+)$", TEXT, re.MULTILINE):
        words = shlex.split(command)
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, f"{command}: {done.output}"
        said[words[0]] = " ".join(done.stdout.split())
    rest = re.search(r"`cpm (solve my-bank-year-2 --model \S+)`. Here that ends with exit code 3", TEXT)
    assert rest is not None
    done = CliRunner().invoke(app, shlex.split(rest[1]))
    assert done.exit_code == 3
    assert "These contradict each other: class-4-share, fix fees=" in " ".join(done.stdout.split())
    (told,) = re.findall(r"says, among other things:\n\n(.+?)\n\n", TEXT, re.DOTALL)
    sentences = [" ".join(each.split()) for each in told.removeprefix("- ").split("\n- ")]
    assert len(sentences) == 5
    for sentence in sentences:
        assert sentence in said["monitor"], sentence
    assert "customers at the end in class-3-loan 54.73 54.73 47.35 to 62.11 39" in said["monitor"].replace(
        "customers 54", "54"
    )
    assert " 18,207 " in said["monitor"]
    for cost in (
        "staff-hours 20,400 20,910 -510",
        "service 928.4 905 23.38",
        "stable-rate 30 34 -4",
        "in all -490.6",
    ):
        assert cost in said["monitor"], cost
    assert (tmp_path / "year-1.svg").stat().st_size > 0


def test_the_page_names_every_table_column_and_variance():
    for table in TABLES:
        (row,) = re.findall(rf"^\| `{table.name}` \| (.+) \|$", TEXT, re.MULTILINE)
        for column in table.columns:
            assert f"`{column.name}`" in row or f"`{column.name}:" in row, (table.name, column.name)
            assert all(choice in row for choice in column.choices)
    for name in (*STEPS, START, CHOICES, ARRIVALS, MIGRATION):
        assert f"`{name}`" in TEXT
