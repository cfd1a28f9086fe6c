"""The parent's end of the solver's process: requests with a deadline, and a kill when it passes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from cpm_opt.faults import DefectError


class OutOfTime(Exception):
    """The solver did not answer by the deadline and was stopped."""


class Engine:
    """A solver in a process of its own. Use it as a context manager; it starts at once and works while you build.

    `incumbents` are the better plans that the last run reported on its way (objective, bound, values).
    """

    def __init__(self) -> None:
        self.incumbents: list[dict[str, Any]] = []
        self._start()

    def _start(self) -> None:
        to_worker_read, to_worker_write = os.pipe()
        from_worker_read, from_worker_write = os.pipe()
        lifeline_read, self._lifeline = os.pipe()
        handed = (to_worker_read, from_worker_write, lifeline_read)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cpm_opt.solve.worker", *map(str, handed)],
            pass_fds=handed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": _own_path()},
        )
        for descriptor in handed:
            os.close(descriptor)
        self._requests = Connection(to_worker_write, readable=False)
        self._answers = Connection(from_worker_read, writable=False)

    def ask(self, name: str, *arguments: Any, deadline: float | None = None) -> Any:
        """Sends a request and waits for its answer, until `deadline` on `time.monotonic`'s clock.

        Raises OutOfTime (the process is killed then), and DefectError where the solver refuses or dies.
        """
        self.incumbents = [] if name == "run" else self.incumbents
        try:
            self._send((name, arguments), deadline)
            while True:
                if not self._answers.poll(_until(deadline)):
                    self.kill()
                    raise OutOfTime(name)
                kind, answer = self._answers.recv()
                if kind == "incumbent":
                    self.incumbents.append(answer)
                elif kind == "refused":
                    raise DefectError(answer)
                else:
                    return answer
        except (EOFError, BrokenPipeError, ConnectionResetError) as lost:
            raise DefectError(f"the solver's process ended by itself: {self._last_words()}") from lost

    def _send(self, request: object, deadline: float | None) -> None:
        """Sends in a thread, because a pipe to a process that does not read blocks for ever."""
        failed: list[BaseException] = []

        def send() -> None:
            try:
                self._requests.send(request)
            except OSError as error:
                failed.append(error)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        sender.join(_until(deadline))
        if sender.is_alive():
            self.kill()
            raise OutOfTime("sending")
        if failed:
            raise BrokenPipeError from failed[0]

    def _last_words(self) -> str:
        self._process.kill()
        _, errors = self._process.communicate()
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    @property
    def alive(self) -> bool:
        """Whether the process still takes requests."""
        return self._process.poll() is None

    def restart(self) -> None:
        """A fresh process in place of one that was killed."""
        self.close()
        self._start()

    def kill(self) -> None:
        """Stops the process at once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Ends the process and gives back its pipes."""
        for connection in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                connection.close()
        if self._lifeline >= 0:  # once only: the number may be another file's by the next time
            with contextlib.suppress(OSError):
                os.close(self._lifeline)
            self._lifeline = -1
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _until(deadline: float | None) -> float | None:
    """Seconds until the deadline; None waits for ever."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _own_path() -> str:
    """The path on which the child finds this package, wherever the parent found it."""
    own = Path(__file__).absolute().parents[2]
    return os.pathsep.join([str(own), *filter(None, [os.environ.get("PYTHONPATH")])])
