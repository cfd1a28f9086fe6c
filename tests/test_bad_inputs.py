"""The corpus of bad inputs: each case is told in full, with place and remedy, by the library and by `cpm check`.

A folder of tests/bad_inputs holds the files in which a case differs from `_base`, and `expected.toml` with the faults.
What cannot be a file in a repository is made here. tests/ugly_inputs holds what looks bad and must be accepted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.cli.output import one_line
from cpm_opt.faults import Fault, InputError
from cpm_opt.portfolio.build import build_portfolio
from cpm_opt.tables import Tables, files, read_instance

HERE = Path(__file__).parent
BASE = HERE / "bad_inputs" / "_base"
MODEL = HERE / "bad_inputs" / "_model.toml"
BAD = sorted(path for path in (HERE / "bad_inputs").iterdir() if not path.name.startswith("_"))
UGLY = sorted((HERE / "ugly_inputs").iterdir())
PERIODS = 2


def laid_out(case: Path, to: Path) -> tuple[Path, dict[str, Any]]:
    """The instance of a case: the base with the case's files over it."""
    expected = tomllib.loads((case / "expected.toml").read_text(encoding="utf-8"))
    folder = to / "instance"
    shutil.copytree(BASE, folder)
    for name in expected.get("without", []):
        (folder / name).unlink()
    for path in case.iterdir():
        if path.name != "expected.toml":
            shutil.copy(path, folder / path.name)
    return folder, expected


def faults_of(folder: Path) -> list[Fault]:
    """Every fault that reading and building tell; warnings are left out."""
    tables = read_instance(folder)
    found = [fault for fault in tables.faults if not fault.warning]
    if "segments" not in tables.frames and not found:
        return found
    try:
        build_portfolio(tables.frames, tables.info, PERIODS, tables.faults)
    except InputError as error:
        return [fault for fault in error.faults if not fault.warning]
    return found


def _is(fault: Fault, wanted: dict[str, Any]) -> bool:
    """Whether a fault has the place, code and words that a case expects (those that it names)."""
    places = all(
        getattr(fault, name) == wanted[name] for name in ("table", "row", "column", "code") if name in wanted
    )
    return places and wanted["says"] in fault.line()


def check(folder: Path) -> tuple[int, list[str]]:
    """Exit code and lines on standard error of `cpm check`."""
    result = CliRunner().invoke(app, ["check", str(folder), "--model", str(MODEL)])
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr.splitlines()


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.name)
def test_bad_input(case: Path, tmp_path: Path) -> None:
    folder, expected = laid_out(case, tmp_path)
    before = sorted(path.name for path in folder.iterdir())
    faults = faults_of(folder)
    lines = [fault.line() for fault in faults]
    left = list(faults)
    for wanted in expected["fault"]:
        match = next((fault for fault in left if _is(fault, wanted)), None)
        assert match is not None, (wanted, lines)
        left.remove(match)
    assert [fault.line() for fault in left] == []
    assert all("\n" not in line and fault.remedy for line, fault in zip(lines, faults, strict=True))
    code, shown = check(folder)
    assert code == 2
    assert set(lines) <= set(shown)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("case", UGLY, ids=lambda path: path.name)
def test_ugly_input_is_accepted(case: Path, tmp_path: Path) -> None:
    folder, _ = laid_out(case, tmp_path)
    assert [fault.line() for fault in faults_of(folder)] == []
    assert check(folder)[0] == 0


def test_base_has_no_faults() -> None:
    tables = read_instance(BASE)
    assert tables.faults == ()
    portfolio = build_portfolio(tables.frames, tables.info, PERIODS)
    assert portfolio.segments == ("basic", "gold", "lost", "silver")
    assert portfolio.warnings == ()


def _fifo(folder: Path) -> None:
    (folder / "usage.csv").unlink()
    os.mkfifo(folder / "usage.csv")


def _folder(folder: Path) -> None:
    (folder / "usage.csv").unlink()
    (folder / "usage.csv").mkdir()


def _device(folder: Path) -> None:
    (folder / "usage.csv").unlink()
    (folder / "usage.csv").symlink_to("/dev/zero")


def _loop(folder: Path) -> None:
    (folder / "usage.csv").unlink()
    (folder / "usage.csv").symlink_to("usage.csv")


def _dangling(folder: Path) -> None:
    (folder / "usage.csv").unlink()
    (folder / "usage.csv").symlink_to("nowhere.csv")


def _many_columns(folder: Path) -> None:
    header = "resource,amount," + ",".join(f"c{at}" for at in range(100_000))
    (folder / "usage.csv").write_text(f"{header}\nhours,1\n")


def _long_line(folder: Path) -> None:
    with (folder / "usage.csv").open("wb") as file:
        file.write(b"resource,amount\n")
        for _ in range(99):
            file.write(b"x" * 1_000_000)


def _200_mb(folder: Path) -> None:
    # A sparse file: it has the size without the disk.
    with (folder / "usage.csv").open("r+b") as file:
        file.truncate(200_000_000)


def _one_cell_of_half_a_megabyte(folder: Path) -> None:
    (folder / "usage.csv").write_text("resource,amount\nhours," + "1" * 500_000 + "x\n")


def _deep_toml(folder: Path) -> None:
    with (folder / "instance.toml").open("a") as file:
        file.write("\n[estimates]\nx = " + "[" * 100_000 + "]" * 100_000 + "\n")


def _deep_keys(folder: Path) -> None:
    with (folder / "instance.toml").open("a") as file:
        file.write("\n[estimates]\n" + ".".join(["a"] * 5_000) + " = 1\n")


def _huge_integer(folder: Path) -> None:
    with (folder / "instance.toml").open("a") as file:
        file.write("\n[estimates]\nx = " + "9" * 10_000 + "\n")


def _path_with_a_nul(folder: Path) -> None:
    with (folder / "instance.toml").open("a") as file:
        file.write('\n[tables.usage]\npath = "a\\u0000.csv"\n')
    (folder / "usage.csv").unlink()


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (_fifo, "not_a_file", "is a pipe"),
        (_folder, "not_a_file", "is a folder"),
        (_device, "not_a_file", "is a device"),
        (_loop, "unreadable", "cannot be read"),
        (_dangling, "missing_file", "is missing"),
        (_many_columns, "too_many_columns", "100,002 columns"),
        (_long_line, "line_too_long", "99,000,000 characters"),
        (_200_mb, "too_large", "200 MB"),
        (_one_cell_of_half_a_megabyte, "cell_too_long", "131,072 characters"),
        (_deep_toml, "file", "nests too deep"),
        (_deep_keys, "file", "nested deeper"),
        (_huge_integer, "file", "thousands of digits"),
        (_path_with_a_nul, "unreadable", "cannot be read"),
    ],
)
def test_what_no_repository_can_hold(
    make: Callable[[Path], None], code: str, says: str, tmp_path: Path
) -> None:
    folder = tmp_path / "instance"
    shutil.copytree(BASE, folder)
    make(folder)
    tables = read_instance(folder)
    (fault,) = [fault for fault in tables.faults if not fault.warning]
    assert (fault.code, says in fault.line()) == (code, True), fault.line()
    exit_code, shown = check(folder)
    assert exit_code == 2
    assert one_line(fault.line()) in shown


def test_memory_for_the_longest_line(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    shutil.copytree(BASE, folder)
    _long_line(folder)
    program = (
        "import sys; from pathlib import Path; from cpm_opt.tables import read_instance; "
        "print(len(read_instance(Path(sys.argv[1])).faults)); "
        # The process's own peak: getrusage would count that of the process it was forked from.
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = [sys.executable, "-c", program, str(folder)]
    result = subprocess.run(run, capture_output=True, text=True, cwd=HERE.parent, check=True)
    faults, kilobytes = map(int, result.stdout.split())
    assert faults == 1
    assert kilobytes < 512_000


def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(BASE, tmp_path / "instance")
    opened = os.open

    def refuse(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith("usage.csv"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest, **more)

    # Tests may run as root, who may read everything.
    monkeypatch.setattr(files.os, "open", refuse)
    (fault,) = read_instance(tmp_path / "instance").faults
    assert (fault.table, fault.code) == ("usage", "unreadable")


def test_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "instance"
    shutil.copytree(BASE, folder)
    fdopen = os.fdopen

    def grow(*given: Any, **more: Any) -> Any:
        with (folder / "usage.csv").open("a") as file:
            file.write("hours,0.2,silver,,\n")
        return fdopen(*given, **more)

    monkeypatch.setattr(files.os, "fdopen", grow)
    found: Tables = read_instance(folder)
    assert {fault.code for fault in found.faults if fault.table == "usage"} == {"changed_while_read"}
    assert "usage" not in found.frames


@pytest.mark.parametrize("kind", ["nothing", "a file", "an empty folder"])
def test_what_is_no_instance(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "here"
    if kind == "a file":
        place.write_text("x")
    elif kind == "an empty folder":
        place.mkdir()
    with pytest.raises(InputError) as raised:
        read_instance(place)
    (fault,) = raised.value.faults
    assert fault.code == "no_instance"
    assert check(place)[0] == 2
