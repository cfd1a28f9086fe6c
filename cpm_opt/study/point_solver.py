"""Solves points of a sweep one after another in one process and writes a run for each.

The tables were read once, elsewhere. A model stays loaded in the solver between points, so a point that changes numbers
alone is an edit and a warm start; another structure is built anew. Where keys of `solver` are varied, every point has a
solver of its own and starts cold: there the times themselves are what is looked for.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cpm_opt.faults import InputError
from cpm_opt.runs import RunFacts, write_run
from cpm_opt.study.base import Base, question
from cpm_opt.study.points import Point
from cpm_opt.study.variation import Variation, changed

if TYPE_CHECKING:
    from pandas import DataFrame

    from cpm_opt.formulation.spec import ModelSpec
    from cpm_opt.solve.plan import Plan
    from cpm_opt.solve.session import Session
    from cpm_opt.tables import InstanceInfo

CHANGED_CELLS = "cells changed by the sweep"  # stands among the hashes of a point's inputs
# A session's log grows with every solve; after so many it is begun anew.
SOLVES_A_SESSION = 200


@dataclass(frozen=True)
class Task:
    """All that a process needs to solve points: plain values that can be sent to it.

    `frames` are the planning tables; `facts` those of a run before anything was varied; `mark` names the sweep.
    """

    base: Base
    frames: Mapping[str, DataFrame]
    info: InstanceInfo
    facts: RunFacts
    variations: tuple[Variation, ...]
    results: Path
    mark: str


@dataclass(frozen=True)
class Done:
    """One finished point: its number, the name of its run's folder; or, without a run, what is wrong with its data."""

    number: int
    run: str
    message: str = ""


def cells_hash(cells: Sequence[Sequence[str]]) -> str:
    """SHA-256 of (key, value) of the cells that a point changes in the tables that were read."""
    return hashlib.sha256(json.dumps([list(cell) for cell in cells]).encode()).hexdigest()


def note_of(mark: str, number: int) -> str:
    """The note in a run that tells which point of which sweep it is."""
    return f"point {number} of sweep {mark}"


class Orphaned(Exception):
    """The process that asked is gone; a run written now would be one that nobody waits for."""


class PointSolver:
    """Solves points; use it as a context manager, for it keeps a solver's process."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._session: Session | None = None
        self._solves = 0
        self._log = ""
        self._specs: dict[tuple[tuple[str, str], ...], ModelSpec] = {}

    def solve(self, number: int, point: Point) -> Done:
        """Solves one point and writes its run; what its values break in the data is told in `Done`."""
        task = self.task
        keys = {each.key: value for each, value in zip(task.variations, point, strict=True) if not each.table}
        try:
            spec = self._spec(keys)
            frames = changed(task.frames, task.info, task.variations, point)
            asked = question(spec, frames, task.info)
        except InputError as error:
            return Done(number, "", "; ".join(fault.line() for fault in error.faults if not fault.warning))
        session = self._session_for(spec, any(key.startswith("solver") for key in keys))
        plan = self._own_log(session.solve(asked.portfolio, scenarios=asked.scenarios))
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise Orphaned
        record = write_run(task.results, plan, self._facts(number, point, spec))
        return Done(number, record.id)

    def _spec(self, keys: Mapping[str, str]) -> ModelSpec:
        """The model with these keys, read once for as many points as have them."""
        asked = tuple(keys.items())
        if asked not in self._specs:
            self._specs[asked] = self.task.base.spec(keys)
        return self._specs[asked]

    def _session_for(self, spec: ModelSpec, cold: bool) -> Session:
        """A session with this model: the one there is where it will do."""
        from cpm_opt.solve.session import Session

        if self._session is not None and (cold or self._solves >= SOLVES_A_SESSION):
            self.close()
        if self._session is None:
            self._session, self._solves, self._log = Session(spec), 0, ""
            # Once it answers it is up, and its start counts in no point's seconds.
            self._session.engine.ask("whole_numbers", True)
        self._session.spec = spec
        self._solves += 1
        return self._session

    def _own_log(self, plan: Plan) -> Plan:
        """The plan with the solver's log of this solve alone: a session's log holds those before it, too."""
        whole = plan.solver_log
        own = whole.removeprefix(self._log)
        self._log = whole
        return replace(plan, solver_log=own)

    def _facts(self, number: int, point: Point, spec: ModelSpec) -> RunFacts:
        task = self.task
        varied = [(each, value) for each, value in zip(task.variations, point, strict=True)]
        told = [f"{each.key} = {value}" for each, value in varied]
        cells = tuple((each.key, value) for each, value in varied if each.table)
        hashes = dict(task.facts.hashes)
        if cells:
            hashes[CHANGED_CELLS] = cells_hash(cells)
        notes = (*task.facts.notes, note_of(task.mark, number), *told)
        own = replace(task.facts, model=spec.name, resolved=spec.resolved(), hashes=hashes, notes=notes)
        return replace(own, study="sweep", cells=cells)

    def close(self) -> None:
        """Ends the solver's process."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def __enter__(self) -> PointSolver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
