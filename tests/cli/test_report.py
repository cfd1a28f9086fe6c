"""`cpm report`: where its files go, what it refuses, and that a run is never touched."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cpm_opt.cli import app
from tests.handmade import no_plan, written

PAGE = Path(__file__).resolve().parents[2] / "docs" / "report.md"


def cpm(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_both_files_go_to_the_current_folder_and_the_run_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = written(Path("results"))
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    done = cpm("report", "last")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [f"{run.name}.html", f"{run.name}.xlsx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{run.name}.html",
        f"{run.name}.xlsx",
        "results",
    ]
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_nothing_is_written_over_without_force(tmp_path):
    run, out = written(tmp_path / "results"), tmp_path / "out"
    call = ("report", str(run), "--out", str(out), "--format", "html")
    assert cpm(*call).exit_code == 0
    (page,) = out.iterdir()
    page.write_text("mine", encoding="utf-8")
    refused = cpm("report", str(run), "--out", str(out))
    assert refused.exit_code == 2
    assert "is there already" in refused.stderr
    assert "--force" in refused.stderr
    assert page.read_text(encoding="utf-8") == "mine"
    assert [each.suffix for each in out.iterdir()] == [".html"]
    assert cpm(*call, "--force").exit_code == 0
    assert page.read_text(encoding="utf-8") != "mine"


def test_json_names_the_files(tmp_path):
    run = written(tmp_path, no_plan())
    done = cpm("report", str(run), "--out", str(tmp_path), "--format", "xlsx", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "run": run.name,
        "status": "infeasible",
        "path": str(run),
        "files": {"xlsx": str(tmp_path / f"{run.name}.xlsx")},
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--format", "html,pdf,docx"],
            ["--format, value 'pdf': is no format", "--format, value 'docx': is no format"],
        ),
        (["--format", ""], ["--format: is empty"]),
        (["--out", "nowhere/below"], ["cannot be made"]),
        (["--out", "results/RUN"], ["is the folder of a run"]),
        (["--out", "file"], ["cannot be made"]),
    ],
)
def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    run = written(Path("results"))
    Path("file").write_text("", encoding="utf-8")
    done = cpm("report", "last", *(word.replace("RUN", run.name) for word in words))
    assert done.exit_code == 2
    assert [line for line in told if line not in done.stderr] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "results"]
    assert not list(run.glob("*.html"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    run, out = written(tmp_path / "results"), tmp_path / "out"
    out.mkdir(mode=0o500)
    done = cpm("report", str(run), "--out", str(out))
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


@pytest.mark.slow
def test_the_commands_of_the_guide_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert any(line.startswith("cpm report") for line in lines)
    for line in lines:
        done = cpm(*shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, f"{line}: {done.output}"
    assert len(list(tmp_path.rglob("*.html"))) >= 2
