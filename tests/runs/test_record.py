"""Finding runs by path, id, an end of it and `last`; damaged ones are told in one line."""

import json

import pytest

from cpm_opt.faults import InputError
from cpm_opt.report import explain
from cpm_opt.runs import find_run, list_runs, read_run
from tests.handmade import no_plan, written


@pytest.fixture
def three(tmp_path):
    return [written(tmp_path), written(tmp_path, no_plan()), written(tmp_path)]


def test_a_run_is_found_by_path_id_and_either_end(tmp_path, three, monkeypatch):
    first = three[0]
    monkeypatch.chdir(tmp_path.parent)
    for text in (
        str(first),
        f"{tmp_path.name}/{first.name}",
        str(first / "run.json"),
        first.name,
        first.name[-8:],
    ):
        assert find_run(tmp_path, text).path.resolve() == first
    assert find_run(tmp_path, "last").path == three[2]
    assert [run.path for run in list_runs(tmp_path)[0]] == three[::-1]


def test_a_run_that_is_not_there_or_not_the_only_one(tmp_path, three):
    with pytest.raises(InputError, match="means 3 runs"):
        find_run(tmp_path, "2")
    name = three[1].name
    with pytest.raises(InputError, match=f"did you mean '{name}'"):
        find_run(tmp_path, name[:-1] + "!")
    with pytest.raises(InputError, match="no runs in"):
        find_run(tmp_path / "none", "last")
    with pytest.raises(InputError, match=r"has no run\.json"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="file name too long"):
        find_run(tmp_path, "x" * 5000)


def test_folders_of_others_are_no_runs(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / ".20260101T000000Z-a-b-00000000.part").mkdir()
    assert list_runs(tmp_path) == ((), ())
    assert list_runs(tmp_path / "missing") == ((), ())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{\xff}", b'{"status": 3}', b"[" * 100_000, b'{"status": "optimal"}']
)
def test_a_damaged_run_is_a_fault_and_hides_no_other(tmp_path, three, content):
    (three[0] / "run.json").write_bytes(content)
    runs, faults = list_runs(tmp_path)
    assert len(runs) == 2
    assert len(faults) == 1
    assert three[0].name in faults[0].line()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("plan.csv", "customers", "clients"),
        ("plan.csv", ",100,1", ",100,1,1"),
        ("plan.csv", ",100,1", ",many,1"),
        ("resources.csv", ",48,60", ",,60"),
        ("run.json", '"profit"', '"loss"'),
        ("run.json", '"money_unit": 1000.0', '"money_unit": "a lot"'),
        ("run.json", '"levers": [', '"levers": 3, "x": ['),
    ],
)
def test_a_tampered_run_is_told_in_one_line(tmp_path, file, old, new):
    path = written(tmp_path)
    text = (path / file).read_text()
    assert old in text
    (path / file).write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        explain(read_run(path))
    (fault,) = caught.value.faults
    assert file in fault.line()
    assert "damaged" in fault.line()


def test_a_run_of_another_format_is_not_guessed_at(tmp_path):
    path = written(tmp_path)
    facts = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(InputError, match="another format"):
        read_run(path)
