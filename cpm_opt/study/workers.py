"""Points of a sweep in parallel processes, begun afresh (spawn), each with a solver of its own.

Each process is asked for one point at a time over a pipe. When this process is gone, the pipe is closed, and the others
end after the point in hand without writing its run.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import cast

from cpm_opt.faults import DefectError, InputError
from cpm_opt.study.point_solver import Done, Orphaned, PointSolver, Task
from cpm_opt.study.points import Point

# Seconds that a process has for ending by itself, in which it may write the run in hand, and then for ending at once.
ENDING, AT_ONCE = 3.0, 2.0


def solved(task: Task, points: Sequence[tuple[int, Point]], jobs: int) -> Iterator[Done]:
    """The points as they are finished, from `jobs` processes (in this one where that is 1); closed, it stops them."""
    if jobs <= 1:
        with PointSolver(task) as solver:
            for number, point in points:
                yield solver.solve(number, point)
        return
    waiting = list(reversed(points))
    context = multiprocessing.get_context("spawn")
    processes = []
    ends: list[Connection] = []
    try:
        for _ in range(min(jobs, len(points))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, task), daemon=True)
            with _deaf():
                process.start()
            theirs.close()
            processes.append(process)
            ends.append(ours)
            ours.send(waiting.pop())
        busy = list(ends)
        while busy:
            for ready in multiprocessing.connection.wait(busy):
                end = cast(Connection, ready)
                done = _received(end)
                if not waiting:
                    busy.remove(end)
                end.send(waiting.pop() if waiting else None)
                yield done
    finally:
        for end in ends:
            end.close()
        patience = time.monotonic() + ENDING
        for process in processes:
            process.join(max(0.0, patience - time.monotonic()))
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(AT_ONCE)
            if process.is_alive():
                process.kill()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A process that is started here never hears Ctrl-C, not even while Python starts up in it; this one hears it
    afterwards."""
    resource_tracker.ensure_running()  # when it starts it lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(end: Connection) -> Done:
    """The answer of a process; what went wrong there is raised here."""
    try:
        kind, answer = end.recv()
    except EOFError:
        raise DefectError("a process of the sweep ended by itself") from None
    if kind == "faults":
        raise InputError(answer)
    if kind == "defect":
        raise DefectError(answer)
    return cast(Done, answer)


def _serve(requests: Connection, task: Task) -> None:
    """Solves points until there are no more, or nobody is left to ask for them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, too, and ends this process
    # Told to end at once, it leaves by way of its own cleaning up: Python complains of what a killed one leaves behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    gone = (EOFError, BrokenPipeError, ConnectionResetError, Orphaned)
    with PointSolver(task) as solver, contextlib.suppress(*gone):
        while (asked := requests.recv()) is not None:
            answer: tuple[str, object]
            try:
                answer = "done", solver.solve(*asked)
            except Orphaned:
                raise
            except InputError as error:
                answer = "faults", error.faults
            except Exception as error:
                answer = "defect", f"{type(error).__name__} at point {asked[0]}: {error}"
            requests.send(answer)
