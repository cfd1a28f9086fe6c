"""Where a run comes from, as rows of names and values: the check, the model, settings, inputs, programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cpm_opt.report.terminal import clean
from cpm_opt.report.words import Units, amount, percent
from cpm_opt.runs.record import RunRecord

STATUS_WORDS = {
    "optimal": "a plan, proven the best",
    "feasible": "a plan, not proven the best",
    "infeasible": "no plan keeps all the rules",
    "unbounded": "no best plan: the profit has no limit",
    "no_solution": "no plan before the time ran out",
}
EXACT = 1e-9  # a gap below this is what computing leaves of none
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Origin:
    """Pairs of a name and a value: of the run, its check, every key of its model, each input and program."""

    run: Pairs
    check: Pairs
    model: Pairs
    inputs: Pairs
    programs: Pairs


def origin(run: RunRecord, units: Units) -> Origin:
    """Where the run comes from. Raises KeyError and the like where run.json lacks something."""
    facts = run.facts
    instance, model = facts["instance"], facts["model"]
    seconds = facts["seconds"]
    about = (
        ("run", run.id),
        ("made", str(facts["created"])),
        ("result", STATUS_WORDS.get(run.status, run.status)),
        ("instance", f"{instance['title'] or instance['name']} ({instance['name']})"),
        *((f"{name} of the data", value) for name, value in attribution(run)),
        ("model", f"{model.get('title') or model['name']} ({model['name']})"),
        ("horizon", units.horizon),
        ("money", f"{units.money} in all tables, plots and cells"),
        *(
            (f"seconds to {name}", amount(seconds[name]))
            for name in ("read", "build", "solve")
            if name in seconds
        ),
    )
    return Origin(
        _clean(about),
        _clean(_check(facts, units)),
        _clean(flat(model)),
        _clean((name, str(digest)) for name, digest in facts["hashes"].items()),
        _clean((name, version or "not installed") for name, version in facts["versions"].items()),
    )


def attribution(run: RunRecord) -> Pairs:
    """Whose data the instance is made from and under which licence; nothing in a run from before that was kept."""
    instance = run.facts["instance"]
    return _clean((name, str(instance[name])) for name in ("source", "licence") if instance.get(name))


def _check(facts: Mapping[str, Any], units: Units) -> Iterator[tuple[str, str]]:
    certificate = facts["certificate"]
    if certificate["passed"] is None:
        yield "certificate", "none: there is no plan to check"
        return
    yield "certificate", "passed" if certificate["passed"] else "not passed"
    yield "conditions checked", amount(certificate["checked"])
    worst = (
        f"{certificate['largest_violation']:.1e} of its limit" if certificate["largest_violation"] else "none"
    )
    yield "largest violation", worst
    for name, key in (("recomputed total", "objective"), ("the solver's total", "solver_objective")):
        yield name, units.worth(certificate[key]) if certificate[key] is not None else ""
    if facts["bound"] is not None:
        yield "no plan is worth more than", units.worth(facts["bound"])
    if facts["gap"] is not None:
        yield "gap", percent(facts["gap"] if facts["gap"] >= EXACT else 0.0)


def choiceless(run: RunRecord) -> Mapping[str, frozenset[str]]:
    """By lever the segments for which all its options do the same: who gets what there is no matter of choice, and such
    customers are not counted among those of an option."""
    levers = run.facts["portfolio"]["levers"]
    return {str(lever["name"]): frozenset(lever.get("untouched", ())) for lever in levers}


def penalties_today(facts: Mapping[str, Any]) -> float:
    """What missed rules cost if all stays as today. In a run from before that was kept, what the total of today leaves
    for it; 0 where risk makes the total no sum."""
    today, weights = facts["today"], facts["model"]["objective"]
    if "penalties" in today:
        return float(today["penalties"])
    if facts["scenarios"] or not weights["profit"]:
        return 0.0
    deducted = sum((today.get("deductions") or {}).values())
    earned = weights["profit"] * (today["profit"] - deducted) + weights["end_value"] * today["end_value"]
    left = (earned - today["objective"]) / weights["profit"]
    return float(left) if left > EXACT * max(1.0, abs(earned)) else 0.0


def flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Keys of nested tables by their dotted names, and their values as text."""
    for key, each in value.items():
        name = f"{above}{key}"
        if isinstance(each, Mapping) and each:
            yield from flat(each, f"{name}.")
        elif isinstance(each, Mapping):
            yield name, "on, with nothing to set"
        elif isinstance(each, list):
            yield name, ", ".join(map(str, each))
        else:
            yield name, "" if each is None else str(each).lower() if isinstance(each, bool) else str(each)


def _clean(pairs: object) -> Pairs:
    return tuple((clean(str(name)), clean(str(value))) for name, value in pairs)  # type: ignore[attr-defined]
