"""The lines of keys, which the standard library does not give, and numbers that no figure can be."""

from pathlib import Path

import pytest

from cpm_opt.faults import InputError
from cpm_opt.toml_file import bad_numbers, read_toml

TEXT = '''\
# horizon = 1
title = """
horizon = 2
[solver]
"""
"quoted key" = 'a = b'
a.b = 1
list = [
  1,
  2,
]

[horizon] # per quarter
periods = 4
[estimates.segments]
tier = {names = ["low", "high"], at = 3}
'''


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "instance.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 2),
        (("quoted key",), 6),
        (("a", "b"), 7),
        (("list",), 8),
        (("horizon",), 13),
        (("horizon", "periods"), 14),
        (("horizon", "missing"), 13),
        (("estimates", "segments", "tier", "at"), 16),
        (("solver",), None),
    ],
)
def test_a_key_is_found_on_its_line_else_on_that_of_its_table(
    written: Path, key: tuple[str, ...], line: int | None
):
    assert read_toml(written).line_of(key) == line


def test_a_fault_shows_the_value_as_toml_writes_it(written: Path):
    fault = read_toml(written).fault(("quoted key",), "is odd", "mend it", "odd")
    assert (fault.table, fault.row, fault.value) == ("instance.toml", 6, '"a = b"')


def test_numbers_that_no_figure_can_be_are_found_at_any_depth():
    data = {
        "a": float("nan"),
        "b": {"c": [1, 1e15], "d": [{"e": -float("inf")}]},
        "f": 10**400,
        "g": True,
        "h": 9e14,
    }
    assert [".".join(path) for path, _ in bad_numbers(data)] == ["a", "b.c", "b.d.e", "f"]


@pytest.mark.parametrize("name", ["missing.toml", "folder"])
def test_what_is_no_file_is_told_in_one_line(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=f"{name}: is no file that can be read"):
        read_toml(tmp_path / name)
