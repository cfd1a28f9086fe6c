"""The command as a process of its own: signals, pipes that close, odd terminals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.handmade import plan, portfolio, written

ROOT = Path(__file__).resolve().parents[2]
CPM = [sys.executable, "-m", "cpm_opt.cli"]
# A solve that would take an hour: the pipeline's reading waits, and says on standard error that it does.
WAITING = """
import sys, time, types
module = types.ModuleType("cpm_opt.pipeline")
module.solve_problem = None
def read_problem(*_, **__):
    print("reading", file=sys.stderr, flush=True)
    time.sleep(3600)
module.read_problem = read_problem
sys.modules["cpm_opt.pipeline"] = module
from cpm_opt.cli import main
sys.argv = ["cpm", "solve", "x", "--results", sys.argv[1]]
main()
"""


def cpm(*words: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*CPM, *words], cwd=ROOT, timeout=60, capture_output=True, **settings)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_quietly(tmp_path, number):
    results = tmp_path / "results"
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(results)], cwd=ROOT, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"reading\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert errors == b"cpm: stopped\n"
    assert not results.exists()


def test_a_reader_that_leaves_is_no_fault(tmp_path):
    for _ in range(3):
        written(tmp_path)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*CPM, "runs", "--json", "--results", str(tmp_path)],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 128 + signal.SIGPIPE


def test_a_full_disk_behind_standard_output_is_told(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("wb") as stream:
        done = subprocess.run(
            [*CPM, "runs"], cwd=tmp_path, stdout=stream, stderr=subprocess.PIPE, timeout=60, env=env()
        )
    assert done.returncode == 2
    assert done.stderr == b"standard output: cannot be written: no space left on device; free some space\n"


def env(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def test_a_terminal_without_unicode_gets_escapes(tmp_path):
    path = written(tmp_path, plan(portfolio(("золото", "silver"))))
    settings = {"env": env(LANG="C", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")}
    done = cpm("explain", str(path), **settings)
    assert done.returncode == 0, done.stderr
    assert b"\\u0437\\u043e" in done.stdout
    as_json = json.loads(cpm("explain", str(path), "--json", **settings).stdout)
    (actions,) = next(part for part in as_json["sections"] if part["name"] == "actions")["tables"]
    assert "золото" in {row["who"] for row in actions["rows"]}


def test_closed_output_does_not_crash():
    command = " ".join(CPM) + " --help >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr
