"""Equal input gives byte-identical plan.csv, whatever the order of rows and columns in the tables."""

from __future__ import annotations

import csv
import random
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app

INSTANCES = Path(__file__).parent.parent.parent / "instances"


def shuffled(source: Path, target: Path, seed: int) -> Path:
    """A copy of an instance with the rows and the columns of every table in another order."""
    draw = random.Random(seed)
    shutil.copytree(source, target)
    for table in sorted(target.glob("*.csv")):
        with table.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        order = draw.sample(range(len(header)), len(header))
        draw.shuffle(rows)
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([[row[place] for place in order] for row in [header, *rows]])
    return target


def plan_of(instance: Path, results: Path) -> bytes:
    """plan.csv of a solve through the command line."""
    answer = CliRunner().invoke(app, ["solve", str(instance), "--results", str(results), "--json"])
    assert answer.exit_code == 0, answer.output
    (run,) = results.iterdir()
    return (run / "plan.csv").read_bytes()


@pytest.mark.parametrize("name", ["bank-clients", "cdnow"])
def test_plan_is_byte_identical_whatever_the_order_of_rows(name: str, tmp_path: Path) -> None:
    first = plan_of(INSTANCES / name, tmp_path / "first")
    assert first.count(b"\n") > 20
    for seed in (1, 2):
        again = shuffled(INSTANCES / name, tmp_path / f"{name}-{seed}", seed)
        assert plan_of(again, tmp_path / f"results-{seed}") == first
