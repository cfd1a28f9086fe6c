"""A run's problem again, from the inputs that it names, if they are still what they were; and its plan as decisions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cpm_opt.faults import Fault, InputError, shown
from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.locked import Locked
from cpm_opt.pipeline import Problem, read_problem
from cpm_opt.places import find_instance
from cpm_opt.portfolio.portfolio import Portfolio
from cpm_opt.runs.record import RUN_FILE, RunRecord
from cpm_opt.solve.recount import recount
from cpm_opt.study.base import question
from cpm_opt.study.lock import locked
from cpm_opt.study.point_solver import CHANGED_CELLS, cells_hash
from cpm_opt.study.variation import changed, selection
from cpm_opt.toml_file import toml_document

# A plan in its files, to 9 decimals, is worth the same to this share.
SAME = 1e-6
# Sections of a resolved model that a model's file may hold.
SECTIONS = ("horizon", "objective", "solver")


def problem_of(run: RunRecord, instance: str | Path | None = None) -> Problem:
    """The instance and the model of a run, read again; runs that it locks are looked for beside it. `instance` is where
    its tables are now, if no longer where the run says. Raises InputError where a table is not what it was when the run
    was made, or where they are not found."""
    facts = run.facts
    try:
        model, hashes = dict(facts["model"]), dict(facts["hashes"])
        folder = _folder(run, instance)
        locks = [str(text) for text in model["components"].get(Locked.name, {"locks": ()})["locks"]]
        text = toml_of(model)
    except (KeyError, TypeError, AttributeError) as error:
        raise run.damaged(RUN_FILE, "lacks its inputs") from error
    cells = tuple((str(key), str(value)) for key, value in facts.get("cells") or ())
    with tempfile.TemporaryDirectory(prefix="cpm-") as place:
        file = Path(place) / f"{model.get('name', 'model')}.toml"
        file.write_text(text, "utf-8")
        problem = read_problem(folder, file)
        own = {name: value for name, value in problem.hashes.items() if name != file.name}
    if cells:
        own[CHANGED_CELLS] = cells_hash(cells)
    changed = sorted(name for name, value in own.items() if hashes.get(name) != value)
    # What is left of the run's hashes is the file of the model: that stands whole in the run.
    gone = sorted(name for name in hashes if name not in own and not name.endswith(".toml"))
    if changed or gone:
        message = "is not what it was when the run was made, so the run cannot be looked into further"
        remedy = "solve again, and explain that run"
        raise InputError([Fault(name, message, remedy, code="changed") for name in (*changed, *gone)])
    return locked(_with_cells(problem, cells) if cells else problem, locks, run.path.parent)


def _with_cells(problem: Problem, cells: Sequence[tuple[str, str]]) -> Problem:
    """The problem of a sweep's point: with the cells that it changed in the tables."""
    info = problem.tables.info
    variations = [selection(key) for key, _ in cells]
    frames = changed(problem.frames, info, variations, [value for _, value in cells])
    asked = question(problem.spec, frames, info)
    return replace(problem, frames=frames, portfolio=asked.portfolio, scenarios=asked.scenarios)


def _folder(run: RunRecord, instance: str | Path | None) -> Path:
    """Where the instance is: as told, else as the run says, else under its name.

    A run from before folders were kept whole names one as it was called for: from here, or from beside its results.
    """
    if instance is not None:
        return find_instance(instance)
    said = run.facts["instance"]
    for place in (said["folder"], run.path.absolute().parent.parent / said["folder"], said["name"]):
        try:
            return find_instance(place)
        except InputError:
            continue
    message = f"its instance is not where it was ({shown(str(said['folder']), 200)})"
    raise InputError([Fault("RUN", message, "name its folder with --instance", value=run.id, code="place")])


def plan_of(run: RunRecord, problem: Problem) -> Decisions:
    """The decisions of a run's plan (of its first scenario), recounted on the problem that was read again. Raises
    InputError where that is not worth what the run says: it was made of tables that were changed for it, as in a sweep.
    """
    case = problem.scenarios[0].portfolio if problem.scenarios else problem.portfolio
    decisions, spec = decisions_of(run, case), problem.spec
    weights = Weights(spec.objective.profit, spec.objective.end_value, spec.horizon.discount_rate)
    counted, _, _ = recount(case, decisions, spec.components.values(), weights)
    told = run.facts["scenarios"][0]["objective"] if problem.scenarios else run.facts["objective"]
    if abs(counted.objective - told) > SAME * max(1.0, abs(told)):
        message = (
            "was made of tables that were changed for it (as in a sweep), so it cannot be looked into further"
        )
        raise InputError(
            [Fault("RUN", message, "solve an instance with these tables", value=run.id, code="changed")]
        )
    return decisions


def toml_of(model: Mapping[str, object]) -> str:
    """A resolved model as the text of a model's file; what is None is left out."""
    components = model["components"]
    assert isinstance(components, Mapping)
    sections = {section: model[section] for section in SECTIONS}
    kept = {name: table for name, table in components.items() if name != Locked.name}
    return toml_document({"title": str(model.get("title", "")), **sections, "components": kept})


def decisions_of(run: RunRecord, p: Portfolio) -> Decisions:
    """The decisions of a run's plan (of its first scenario) on its own portfolio, to the 9 decimals of its files."""
    segments = {name: position for position, name in enumerate(p.segments)}
    options = {
        (p.levers[p.lever_of[position]].name, name): position for position, name in enumerate(p.options)
    }
    resources = {name: position for position, name in enumerate(p.resources.names)}
    on = np.zeros((len(p.segments), len(p.options), p.periods))
    extra = np.zeros((len(p.resources.names), p.periods))
    chosen = [np.full((len(lever.groups) if lever.single else 0, p.periods), -1) for lever in p.levers]
    levers = {lever.name: number for number, lever in enumerate(p.levers)}
    try:
        for row in run.table("plan"):
            place = segments[row["segment"]], options[row["lever"], row["option"]], int(row["period"]) - 1
            on[place] = float(row["customers"])
        for row in run.table("choices"):
            number = levers[row["lever"]]
            group = p.levers[number].groups.index(row["group"])
            chosen[number][group, int(row["period"]) - 1] = options[row["lever"], row["option"]]
        for row in run.table("resources"):
            extra[resources[row["resource"]], int(row["period"]) - 1] = float(row["extra"] or 0.0)
    except (KeyError, ValueError, IndexError) as error:
        raise run.damaged("plan.csv", "does not fit the instance") from error
    return Decisions(on, tuple(chosen), extra)
