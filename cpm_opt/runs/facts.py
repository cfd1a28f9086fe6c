"""What `run.json` says of a run: where it comes from, what it was solved with, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpm_opt.runs.money import unit_words

if TYPE_CHECKING:
    from cpm_opt.portfolio.portfolio import Lever, Portfolio
    from cpm_opt.solve.plan import Certificate, Plan, Recount, RuleRow, ScenarioPlan

FORMAT = 1
PACKAGES = ("cpm_opt", "pyomo", "highspy", "pandas", "numpy")
TOLERANCE = 1e-6


@dataclass(frozen=True)
class RunFacts:
    """What a run was made from and a plan does not know.

    `instance` and `model` are names; `folder` is where the instance lies; `resolved` is the whole model with every
    default filled in; `hashes` gives the SHA-256 of each input by its name; `notes` tells what was estimated; `greedy`
    is the greedy plan's figures (`study.beside.greedy_facts`), `advice` what would change the plan's choices
    (`study.advice.Advice` as a dict); both are None where they were not asked for. `study` is what the run is a point
    of, `sweep` or `frontier`; blank for one of `cpm solve`. `cells` are those of the tables that were changed for it:
    (key of the sweep, value). `source` and `licence` are the instance's.
    """

    instance: str
    folder: str
    model: str
    resolved: Mapping[str, object]
    hashes: Mapping[str, str]
    notes: tuple[str, ...] = ()
    greedy: Mapping[str, object] | None = None
    advice: Mapping[str, object] | None = None
    study: str = ""
    cells: tuple[tuple[str, str], ...] = ()
    source: str = ""
    licence: str = ""

    def has_component(self, name: str) -> bool:
        """Whether the model has the component."""
        components = self.resolved.get("components")
        return isinstance(components, Mapping) and name in components


def run_facts(plan: Plan, facts: RunFacts, run_id: str, created: str) -> dict[str, object]:
    """The content of run.json. Figures of a plan whose certificate does not pass are left out: it is no plan."""
    p = plan.portfolio
    end = plan.recount if plan.shown else None
    return {
        "format": FORMAT,
        "id": run_id,
        "created": created,
        "study": facts.study or None,
        "cells": [list(cell) for cell in facts.cells],
        "instance": {
            "name": facts.instance,
            "title": p.title,
            "folder": facts.folder,
            "currency": p.currency,
            "money_unit": p.money_unit,
            "period": p.period_name,
            "periods": p.periods,
            "source": facts.source,
            "licence": facts.licence,
        },
        "model": {"name": facts.model, **facts.resolved},
        "status": plan.status,
        "message": plan.message,
        "objective": plan.objective if plan.shown else None,
        "bound": plan.bound,
        "gap": plan.gap if plan.shown else None,
        "profit": plan.profit if plan.shown else None,
        "end_value": None if end is None else _mean(plan, lambda each: each.recount.end_value, end.end_value),
        "penalties": None
        if end is None
        else _mean(plan, lambda each: _discounted_penalties(each.recount), _discounted_penalties(end)),
        "deductions": None if end is None else _deductions(plan, end),
        "today": _today(plan),
        "greedy": facts.greedy if plan.shown else None,
        "advice": facts.advice if plan.shown else None,
        "scenarios": scenario_facts(plan),
        "certificate": certificate_facts(plan.certificate),
        "prices_from": plan.prices_from,
        "given_up": plan.given_up if plan.shown else None,
        "pins": _pins(plan),
        "conflict": list(plan.conflict),
        "irreducible": plan.irreducible,
        "seconds": dict(plan.seconds),
        "solver": dict(plan.solver),
        "notes": list(facts.notes),
        "warnings": [fault.as_dict() for fault in p.warnings],
        "portfolio": _portfolio(p),
        "hashes": dict(sorted(facts.hashes.items())),
        "versions": versions(),
    }


def scenario_facts(plan: Plan) -> list[dict[str, object]]:
    """What the plan brings in each scenario, the one whose figures the tables show first; empty without scenarios.

    All are discounted money. Every figure of the run outside this list is a mean over scenarios by probability, but for
    `objective`, which weighs them as the model does, and for the tables, which show the first scenario.
    """
    return [
        {
            "scenario": each.name,
            "probability": each.probability,
            "profit": each.recount.profit,
            "end_value": each.recount.end_value,
            "objective": each.recount.objective,
            "today_profit": each.today.profit,
            "today_end_value": each.today.end_value,
        }
        for each in plan.scenarios
        if plan.shown
    ]


def certificate_facts(certificate: Certificate | None) -> dict[str, object]:
    """The certificate's fields; all of them None where there is nothing to certify."""
    if certificate is None:
        names = ("passed", "largest_violation", "where", "checked", "objective", "solver_objective", "bound")
        return dict.fromkeys(names)
    return {
        "passed": certificate.passed,
        "largest_violation": certificate.largest_violation,
        "where": certificate.where,
        "checked": certificate.checked,
        "objective": certificate.objective,
        "solver_objective": certificate.solver_objective,
        "bound": certificate.bound,
    }


def _pins(plan: Plan) -> dict[str, object] | None:
    """Choices that were fixed or forbidden: all, those that the best plan without them breaks, what it is worth, and
    how much more than the plan that is; None without pins."""
    pins = plan.pins
    if pins is None:
        return None
    known = plan.shown and plan.objective is not None and pins.objective is not None
    return {
        "names": list(pins.names),
        "biting": list(pins.biting),
        "objective_without": pins.objective,
        "bound_without": pins.bound,
        "cost": max(0.0, (pins.objective or 0.0) - (plan.objective or 0.0)) if known else None,
    }


def versions() -> dict[str, str | None]:
    """Versions of Python, of this program and of what it computes with; None for what is not installed."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # cpm_opt run from a checkout that was never installed
            found[package] = None
    return found


def _discounted_penalties(recount: Recount) -> float:
    return float(sum(amount @ recount.discount[:-1] for amount in recount.penalties.values()))


def _mean(plan: Plan, figure: Callable[[ScenarioPlan], float], only: float) -> float:
    """The mean of a figure over scenarios; `only`, where nothing is uncertain."""
    if not plan.scenarios:
        return only
    return sum(each.probability * figure(each) for each in plan.scenarios)


def _deductions(plan: Plan, end: Recount) -> dict[str, float]:
    return {
        rule: _mean(plan, lambda each, rule=rule: each.recount.deductions.get(rule, 0.0), amount)  # type: ignore[misc]
        for rule, amount in end.deductions.items()
    }


def _today(plan: Plan) -> dict[str, object]:
    """Doing nothing, for comparison; each limit that it breaks is told once, of the scenario where it misses most."""
    today = plan.today
    missed: dict[tuple[str, str, int], RuleRow] = {}
    for row in (row for each in plan.scenarios or (plan,) for row in each.today.rows):
        if row.penalty is None and row.slack < -TOLERANCE * max(1.0, abs(row.limit)):
            missed[row.key] = min(missed.get(row.key, row), row, key=lambda each: each.slack)
    broken = [
        {
            "rule": row.rule,
            "subject": row.subject,
            "period": row.period,
            "missed_by": -row.slack,
            "unit": unit_words(plan.portfolio, row.unit),
        }
        for row in missed.values()
    ]
    return {
        "profit": _mean(plan, lambda each: each.today.profit, today.profit),
        "end_value": _mean(plan, lambda each: each.today.end_value, today.end_value),
        "penalties": _mean(
            plan, lambda each: _discounted_penalties(each.today), _discounted_penalties(today)
        ),
        "objective": today.objective,
        "deductions": dict(today.deductions),
        "broken": broken,
    }


def _portfolio(p: Portfolio) -> dict[str, object]:
    """What a report needs: segments with their groups, levers with their options, costs of resources by period."""
    levers = [
        {
            "name": lever.name,
            "choice": lever.choice,
            "scope": lever.scope,
            "base": p.options[lever.base],
            "options": {p.options[option]: float(p.price_change[option]) for option in lever.options},
            "today": _shares_today(p, lever),
            "untouched": _untouched(p, lever),
        }
        for lever in p.levers
    ]
    return {
        "segments": list(p.segments),
        "kinds": list(p.kinds),
        "groupings": {column: list(values) for column, values in p.groupings.items()},
        "levers": levers,
        "measure_units": {name: unit_words(p, unit) for name, unit in p.measure_units.items()},
        "resources": {name: _costs(p, number) for number, name in enumerate(p.resources.names)},
    }


def _costs(p: Portfolio, number: int) -> dict[str, list[float]]:
    """A resource's costs a unit by period, money of the period, and how many extra units may be bought."""
    r = p.resources
    rows = (
        ("capacity_cost", r.capacity_cost),
        ("extra_cost", r.extra_cost),
        ("extra_capacity", r.extra_capacity),
    )
    return {name: [float(each) for each in values[number]] for name, values in rows}


def _untouched(p: Portfolio, lever: Lever) -> list[str]:
    """Segments for which it is all the same which option of the lever they are on: no row of any table tells them
    apart, so that a plan's choice for them is no advice."""
    import numpy as np

    options = list(lever.options)
    touched = np.zeros(len(p.segments), dtype=bool)
    for flow in p.flows.values():
        own = flow.per_option[:, options, :]
        touched |= np.any(own != own[:, :1, :], axis=(1, 2))
    told = ((p.usage.segment, p.usage.option, p.usage.amount),
            (p.migration_effects.source, p.migration_effects.option, p.migration_effects.rate))  # fmt: skip
    for segment, option, amount in told:
        touched[segment[np.isin(option, options) & np.any(amount != 0.0, axis=1)]] = True
    return [name for name, known in zip(p.segments, touched, strict=True) if not known]


def _shares_today(p: Portfolio, lever: Lever) -> dict[str, dict[str, float]]:
    """By segment, the shares of its customers on options before period 1; segments all on the base are left out."""
    shares: dict[str, dict[str, float]] = {}
    for segment, name in enumerate(p.segments):
        on = {p.options[option]: float(p.current[segment, option]) for option in lever.options}
        total = sum(on.values())
        if total > 0.0 and on[p.options[lever.base]] < total:
            shares[name] = {option: customers / total for option, customers in on.items() if customers > 0.0}
    return shares
