"""A DuckDB of our own for one long table: memory and threads bounded, its temporary files gone with it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"


@dataclass(frozen=True, eq=False)
class Engine:
    """A connection and the folder of what does not fit into its memory."""

    connection: DuckDBPyConnection
    folder: Path

    def columns(self, sql: str) -> Mapping[str, Any]:
        """The answer of a query as one NumPy array a column (masked where it holds NULLs)."""
        with _stoppable(self.connection):
            found: Mapping[str, Any] = self.connection.execute(sql).fetchnumpy()
        return found

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer of a query that has few rows."""
        with _stoppable(self.connection):
            return self.connection.execute(sql).fetchall()


def start() -> Engine:
    """A fresh DuckDB in memory that loads no extension and keeps the order of rows only where it is asked to."""
    import duckdb

    folder = Path(tempfile.mkdtemp(prefix="cpm-ledger-"))
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "temp_directory": str(folder),
            "threads": threads,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # DuckDB takes a CSV file for a short table and would build its hash tables on the ledger's side.
            "disabled_optimizers": "join_order,build_side_probe_side",
        },
    )
    connection.execute("SET enable_progress_bar = false")
    engine = Engine(connection, folder)
    weakref.finalize(engine, _end, connection, folder)
    return engine


@contextmanager
def _stoppable(connection: DuckDBPyConnection) -> Iterator[None]:
    """Signals during a query end it, and raise KeyboardInterrupt with their number.

    Alone, DuckDB makes a RuntimeError of whatever their handler raises, when all its threads have done their share.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []

    def note(number: int, frame: object) -> None:
        heard.append(number)
        connection.interrupt()

    # A signal that is ignored, or ends the program at once, does so here too.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caught = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in caught:
            signal.signal(number, note)
        yield
    except Exception as error:
        if not heard:
            raise
        raise KeyboardInterrupt(heard[0]) from error
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt(heard[0])


def _end(connection: DuckDBPyConnection, folder: Path) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)
