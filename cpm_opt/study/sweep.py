"""A sweep: the same question at many points, each a run in the results store, and one table over all of them.

    read once -> points -> solve in parallel (warm where only numbers change) -> sweep.csv

It may be killed at any moment: the next call with the same words goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpm_opt.faults import Fault, InputError
from cpm_opt.runs import RunRecord, check_results, read_run
from cpm_opt.runs.record import RUN_FILE
from cpm_opt.runs.sheets import csv_text
from cpm_opt.study.base import Base, run_facts_of
from cpm_opt.study.point_solver import Done, Task
from cpm_opt.study.points import Point, points_of
from cpm_opt.study.sweep_index import Index, alone, opened
from cpm_opt.study.variation import Variation, read_variations, unit_of
from cpm_opt.study.workers import solved
from cpm_opt.whole_files import replace_file

if TYPE_CHECKING:
    from cpm_opt.pipeline import Problem

TABLE = "sweep.csv"
FIGURES = ("status", "objective", "bound", "gap", "profit", "end_value", "penalties")
COLUMNS = (*FIGURES, "certified", "today_profit", "seconds", "nodes", "iterations", "run", "message")
FAULTS = "faults"

Cell = str | int | float | None


@dataclass(frozen=True)
class Call:
    """What was asked: `vary` as written; `sample` points drawn with `seed`, or the grid; `jobs` processes (0: one a
    processor); `out`: the folder of the index and the table, blank for one in `results` named by the sweep."""

    instance: str
    base: Base
    vary: tuple[str, ...]
    results: Path
    sample: int | None = None
    seed: int = 0
    jobs: int = 0
    out: Path | None = None


@dataclass(frozen=True)
class Sweep:
    """What came of it: a row a point, in their order, under `columns`; `solved` of them now, the others before.

    `seconds` are those of the solver. `instance` are facts of the instance as in run.json (currency, money_unit, ...);
    `units` those of what varies, by key, blank where none is known.
    """

    name: str
    title: str
    instance: dict[str, Any]
    variations: tuple[Variation, ...]
    rows: tuple[dict[str, Cell], ...]
    folder: Path
    solved: int
    units: Mapping[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that were varied."""
        return tuple(each.key for each in self.variations)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the table's columns."""
        return ("point", *self.keys, *COLUMNS)


def sweep(problem: Problem, call: Call, tell: Callable[[int, int], None] | None = None) -> Sweep:
    """Solves every point that is not finished yet and writes the table; `tell` hears how many are done, of how many.

    Raises InputError for faults of the call; a point whose values break the data is a row of the table.
    """
    variations = read_variations(call.vary, problem, call.base)
    points = points_of(variations, call.sample, call.seed)
    if call.jobs < 0:
        raise InputError(
            [Fault("--jobs", "is negative", "write 0 or more", value=str(call.jobs), code="jobs")]
        )
    about = {
        "instance": problem.tables.info.name,
        "model": problem.spec.name,
        "keys": [each.key for each in variations],
        "sample": call.sample,
        "seed": call.seed if call.sample is not None else None,
    }
    mark = _mark(problem, variations, points)
    folder = call.out or call.results / f"sweep-{problem.spec.name}-{problem.tables.info.name}-{mark}"
    facts = run_facts_of(problem, problem.spec)
    info = problem.tables.info
    frames = dict(problem.frames)
    task = Task(call.base, frames, info, facts, variations, call.results, mark)
    check_results(call.results)
    call.results.mkdir(exist_ok=True)
    with alone(folder):
        index = opened(folder, call.results, mark, about, points)
        before = len(index.done)
        _solve_rest(index, task, call.jobs or (os.cpu_count() or 1), tell)
        found = Sweep(
            problem.tables.info.name,
            problem.portfolio.title,
            {"currency": info.currency, "money_unit": info.money_unit, "period": info.period, "periods": 1},
            variations,
            tuple(_row(call.results, variations, point, index.done[k]) for k, point in enumerate(points, 1)),
            folder,
            len(points) - before,
            {each.key: unit_of(each, frames) for each in variations},
        )
        cells = [[_written(row[column]) for column in found.columns] for row in found.rows]
        replace_file("--out", folder / TABLE, csv_text(found.columns, cells))
    return found


def typed(found: Sweep) -> list[dict[str, Cell]]:
    """The rows with what was varied as numbers and flags where it is one, not as it was written."""
    return [{**row, **{key: _typed(str(row[key])) for key in found.keys}} for row in found.rows]


def _typed(text: str) -> Cell:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def _written(cell: Cell) -> Cell:
    """A cell as the table has it: flags are `true` and `false` there."""
    return str(cell).lower() if isinstance(cell, bool) else cell


def _solve_rest(index: Index, task: Task, jobs: int, tell: Callable[[int, int], None] | None) -> None:
    """Solves what is left, points with the same model one after another, since they need no new model."""
    left = [(k, point) for k, point in enumerate(index.points, 1) if k not in index.done]
    places = [place for place, each in enumerate(task.variations) if not each.table]
    ranks = [{value: rank for rank, value in enumerate(each.values)} for each in task.variations]
    left.sort(key=lambda one: ([ranks[place].get(one[1][place], 0) for place in places], one[0]))
    answers = solved(task, left, jobs)
    try:
        for done in answers:
            index.add(done)
            if tell is not None:
                tell(len(index.done), len(index.points))
    finally:
        close = getattr(answers, "close", None)
        if close is not None:
            close()
        index.write()


def _mark(problem: Problem, variations: Sequence[Variation], points: Sequence[Point]) -> str:
    """A short name of the sweep that changes with anything that its points depend on."""
    content = {
        "hashes": dict(problem.hashes),
        "model": problem.spec.resolved(),
        "variations": [asdict(each) for each in variations],
        "points": points,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:12]


def _row(results: Path, variations: Sequence[Variation], point: Point, done: Done) -> dict[str, Cell]:
    row: dict[str, Cell] = {"point": done.number}
    row.update({each.key: value for each, value in zip(variations, point, strict=True)})
    row.update(dict.fromkeys(COLUMNS))
    row.update(run=done.run, message=done.message, status=FAULTS)
    if done.run:
        row.update(_figures(read_run(results / done.run)))
    return row


def _figures(run: RunRecord) -> dict[str, Cell]:
    facts = run.facts
    try:
        solver = facts["solver"]
        return {
            **{name: facts[name] for name in FIGURES},
            "certified": run.shown,
            "today_profit": facts["today"]["profit"],
            "seconds": facts["seconds"]["solve"],
            "nodes": max(0, solver["nodes"]),
            "iterations": solver["iterations"],
            "message": ": ".join(filter(None, (facts["message"], ", ".join(facts["conflict"])))),
        }
    except (KeyError, TypeError) as error:
        raise run.damaged(RUN_FILE, "lacks a figure or holds a wrong one") from error
