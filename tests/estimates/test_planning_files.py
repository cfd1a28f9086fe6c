"""Planning tables written as an instance: read back bit by bit, whole or absent."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from cpm_opt.estimates import estimate
from cpm_opt.estimates.planning_files import info_text, write_frame, write_planning_tables
from cpm_opt.faults import InputError
from cpm_opt.pipeline import read_problem
from cpm_opt.tables import PLANNING, read_instance
from cpm_opt.toml_file import read_toml

INSTANCES = Path(__file__).resolve().parents[2] / "instances"


@pytest.mark.parametrize("name", ["cdnow", "bank-clients"])
def test_what_was_written_reads_back_bit_by_bit(tmp_path: Path, name: str) -> None:
    tables = read_instance(INSTANCES / name)
    frames = estimate(tables).frames
    files = write_planning_tables(tmp_path / "out", tables.info, frames)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == files
    again = read_instance(tmp_path / "out")
    assert [fault.line() for fault in again.faults] == []
    assert set(again.frames) == set(frames) & set(PLANNING)
    for table, frame in again.frames.items():
        expected = frames[table].drop(columns="line").reset_index(drop=True)
        pd.testing.assert_frame_equal(frame[list(expected.columns)], expected, check_exact=True)
    kept = {key: value for key, value in again.info if key != "estimates"}
    assert kept == {key: value for key, value in tables.info if key != "estimates"}
    problem = read_problem(tmp_path / "out")
    assert problem.portfolio.segments == read_problem(INSTANCES / name).portfolio.segments


def test_what_a_row_is_stands_in_the_file_though_it_is_the_default(tmp_path: Path) -> None:
    """Effects that are all estimated say so, and an answer in force does."""
    effects = {"segment": ["a"], "lever": ["fee"], "option": ["up"], "margin": [1.5], "source": ["estimated"]}
    moves = {
        "from": ["a"],
        "to": ["a"],
        "lever": ["fee"],
        "option": ["up"],
        "rate": [0.1],
        "when": ["in_force"],
    }
    info = read_instance(INSTANCES / "cdnow").info
    write_planning_tables(
        tmp_path / "out", info, {"effects": pd.DataFrame(effects), "migration_effects": pd.DataFrame(moves)}
    )
    assert (tmp_path / "out" / "effects.csv").read_text("utf-8").splitlines() == [
        "segment,lever,option,margin,source",
        "a,fee,up,1.5,estimated",
    ]
    assert "in_force" in (tmp_path / "out" / "migration_effects.csv").read_text("utf-8")


def test_instance_toml_takes_any_text(tmp_path: Path) -> None:
    tables = read_instance(INSTANCES / "cdnow")
    odd = 'say "hi"\\ \t \u007f \u0001 \U0001f600 \u2028'
    info = tables.info.model_copy(update={"title": odd, "default_model": None, "money_unit": 1000.0})
    (tmp_path / "instance.toml").write_text(info_text(info), encoding="utf-8", newline="")
    section = read_toml(tmp_path / "instance.toml").data["instance"]
    assert section["title"] == odd
    assert section["money_unit"] == 1000.0
    assert "default_model" not in section


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda place: (place.mkdir(), (place / "mine.txt").write_text("x")), "is there already"),
        (lambda place: place.write_text("x"), "is there already"),
        (lambda place: None, "parent folder is not there"),
    ],
)
def test_nothing_is_overwritten(tmp_path: Path, make, words: str) -> None:  # type: ignore[no-untyped-def]
    tables = read_instance(INSTANCES / "cdnow")
    place = tmp_path / "none" / "out" if "parent" in words else tmp_path / "out"
    make(place)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=words):
        write_planning_tables(place, tables.info, tables.frames)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled_and_a_failure_leaves_nothing(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    tables = read_instance(INSTANCES / "cdnow")
    (tmp_path / "out").mkdir()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(InputError, match="no space left"):
            write_planning_tables(tmp_path / "new", tables.info, tables.frames)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert "levers.csv" in write_planning_tables(tmp_path / "out", tables.info, tables.frames)


def test_a_frame_as_a_file(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "customer": ["a,b", "c"],
            "first": pd.to_datetime(["2025-01-31", None]),
            "value": [0.1, math.nan],
            "purchases": [3, 4],
        }
    )
    write_frame("--customers", tmp_path / "x.csv", frame)
    assert (
        tmp_path / "x.csv"
    ).read_text() == 'customer,first,value,purchases\n"a,b",2025-01-31,0.1,3\nc,,,4\n'
    with pytest.raises(InputError, match="is there already"):
        write_frame("--customers", tmp_path / "x.csv", frame)
