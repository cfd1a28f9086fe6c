"""Long work shows life on a terminal, and nothing anywhere else."""

import io
import time

import pytest

from cpm_opt.cli.output import waiting


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_what_goes_on_and_for_how_long(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with waiting("solving,\n60 seconds at most ...") as tell:
        time.sleep(1.2)
        tell("3 of 4")
    lines = stream.getvalue().split("\r")
    assert lines[1] == "solving, 60 seconds at most ... 0 s"
    assert "solving, 60 seconds at most ... 1 s" in lines
    assert lines[-1].startswith("3 of 4 1 s  ")
    assert lines[-1].endswith("\n")
    assert len({len(line.rstrip("\n")) for line in lines[1:]}) == 1


def test_the_line_ends_where_the_work_fails(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(ValueError, match="no"), waiting("solving"):
        raise ValueError("no")
    assert stream.getvalue() == "\rsolving 0 s\n"


def test_a_pipe_gets_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with waiting("solving") as tell:
        tell("more")
    assert stream.getvalue() == ""
