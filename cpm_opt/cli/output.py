"""What goes to standard output and to standard error."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    from cpm_opt.report import Explanation
    from cpm_opt.report.chart import Chart

MOST_FAULTS = 50


def write(text: str) -> None:
    """Prints to standard output; what its encoding lacks is escaped. A full disk behind it is a fault of the call."""
    _print(text, sys.stdout)


def show(explanation: Explanation) -> None:
    """Prints an explanation to standard output, as it fits the terminal or pipe behind it."""
    from cpm_opt.report import text_of

    if sys.stdout is not None:
        write(text_of(explanation, sys.stdout))


def write_json(value: Mapping[str, object]) -> None:
    """Prints one JSON object to standard output."""
    from cpm_opt.runs.plain import json_text

    write(json_text(value))


def write_error(text: str) -> None:
    """Prints to standard error; nobody is left to tell where that fails."""
    _print_error(text)


def write_faults(faults: Iterable[Fault]) -> None:
    """Prints faults to standard error, one a line: the first 50, and how many there are."""
    lines = [one_line(fault.line()) for fault in faults]
    for line in lines[:MOST_FAULTS]:
        write_error(line)
    if len(lines) > MOST_FAULTS:
        write_error(f"... and {len(lines) - MOST_FAULTS} more: {len(lines)} in all")


def check_plot(file: Path | None) -> None:
    """Raises InputError where a picture cannot be written under that name, before any work is done for it."""
    from cpm_opt.report.chart import picture_format

    if file is not None:
        picture_format("--plot", str(file))
        if not file.absolute().parent.is_dir():
            message, remedy = "its parent folder is not there", "make it, or give another place"
            raise InputError([Fault("--plot", message, remedy, value=str(file), code="place")])


def draw(file: Path | None, charts: Sequence[Chart]) -> None:
    """Draws charts into the file of `--plot`, where one is named; without any chart there is nothing to draw."""
    from cpm_opt.report.chart import picture, picture_format
    from cpm_opt.whole_files import replace_file

    if file is None:
        return
    if not charts:
        message = "there is nothing to draw"
        raise InputError([Fault("--plot", message, "leave the option out", value=str(file), code="call")])
    replace_file("--plot", file, picture(charts, picture_format("--plot", str(file))))


def progress(text: str) -> None:
    """Tells somebody who waits at a terminal what is going on; silent elsewhere."""
    if sys.stderr is not None and sys.stderr.isatty():
        write_error(text)


@contextmanager
def waiting(text: str) -> Iterator[Callable[[str], None]]:
    """Tells somebody who waits at a terminal what is going on, and each second how long it has; silent elsewhere.

    What it gives is called with another text where the work has gone on to something else.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda said: None
        return
    over, began, line, longest = threading.Event(), time.monotonic(), one_line(text), 0

    def show_line() -> None:
        nonlocal longest
        shown = f"{line} {time.monotonic() - began:.0f} s"
        longest = max(longest, len(shown))
        _print_error("\r" + shown.ljust(longest), end="")

    def tell(said: str) -> None:
        nonlocal line
        line = one_line(said)
        show_line()

    def tick() -> None:
        while not over.wait(1.0):
            show_line()

    show_line()
    clock = threading.Thread(target=tick, daemon=True)
    clock.start()
    try:
        yield tell
    finally:
        over.set()
        clock.join()
        _print_error("")


def one_line(text: str) -> str:
    """Text in one line, with what is not printable escaped."""
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in joined)


def check_words(**words: str | Iterable[str] | None) -> None:
    """Raises InputError for words of the call that are empty or hold a line break or another control character."""
    faults = []
    for name, given in words.items():
        for word in [given] if isinstance(given, str) else given or []:
            option = name.upper() if name in ("instance", "run") else f"--{name.replace('_', '-')}"
            if not word.strip():
                faults.append(Fault(option, "is empty", "give it a value", code="call"))
            elif any(ord(c) < 32 or ord(c) in (127, 0x85, 0x2028, 0x2029) for c in word):
                message = "holds a line break or another control character"
                faults.append(Fault(option, message, "write it in one line", value=word, code="call"))
    if faults:
        raise InputError(faults)


def _print_error(text: str, end: str = "\n") -> None:
    try:
        _print(text, sys.stderr, end)
    except (OSError, InputError):
        return


def _print(text: str, stream: TextIO | None, end: str = "\n") -> None:
    if stream is None:  # closed by the caller (`>&-`)
        return
    encoding = stream.encoding or "ascii"
    safe = text.encode(encoding, errors="backslashreplace").decode(encoding)
    try:
        print(safe, end=end, file=stream, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"cannot be written: {(error.strerror or str(error)).lower()}"
        remedy = "free some space" if error.errno == errno.ENOSPC else "direct it elsewhere"
        raise InputError([Fault("standard output", message, remedy, code="output")]) from error
