"""Points of a sweep in parallel processes, begun afresh (spawn), each with a solver of its own.

Each process is asked for one point at a time over a pipe. When the pipe closes, this process is gone and so is the
other one after the point in hand, whose run it does not write any more.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from cpm_opt.faults import DefectError
from cpm_opt.study.point_solver import Done, PointSolver, Task
from cpm_opt.study.points import Point


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
            process.start()
            theirs.close()
            processes.append(process)
            ends.append(ours)
            ours.send(waiting.pop())
        busy = list(ends)
        while busy:
            for end in multiprocessing.connection.wait(busy):
                assert isinstance(end, Connection)
                done = _received(end)
                if waiting:
                    end.send(waiting.pop())
                else:
                    busy.remove(end)
                    end.send(None)
                yield done
    finally:
        for end in ends:
            end.close()
        for process in processes:
            process.join(5.0)
            if process.is_alive():
                process.kill()


def _received(end: Connection) -> Done:
    try:
        answer = end.recv()
    except EOFError:
        raise DefectError("a process of the sweep ended by itself") from None
    if isinstance(answer, BaseException):
        raise answer
    assert isinstance(answer, Done)
    return answer


def _serve(requests: Connection, task: Task) -> None:
    """Solves points until there are no more, or nobody is left to ask for them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, too, and ends this process
    with PointSolver(task) as solver, contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while (asked := requests.recv()) is not None:
            try:
                answer: object = solver.solve(*asked)
            except Exception as error:  # told where the user is, as the same error
                answer = error
            if os.getppid() == 1:
                return
            requests.send(answer)
