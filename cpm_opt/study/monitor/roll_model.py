"""The model of the rest of a horizon: the run's own, shorter, with what earlier periods have settled."""

from __future__ import annotations

from typing import Any

import numpy as np

from cpm_opt.formulation.pinned import FIX, FORBID, Words, parse_pin
from cpm_opt.study.monitor.monitor import Monitoring
from cpm_opt.toml_file import toml_document


def rolled_model(monitoring: Monitoring, left: int, notes: list[str]) -> str:
    """The text of a model over the `left` periods that remain; what it cannot carry over is added to `notes`."""
    plan, passed = monitoring.plan, monitoring.last.number
    resolved = plan.spec.resolved()
    components: dict[str, dict[str, Any]] = {
        name: dict(keys) for name, keys in resolved["components"].items()
    }
    if components.pop("locked", None) is not None:
        notes.append(
            "model: what was locked of an earlier run is open again; name it anew with --lock if it must stay"
        )
    own = components.get("pins", {})
    pins = {
        kind: [each for text in own.get(kind, ()) if (each := _shifted(kind, text, passed))]
        for kind in (FIX, FORBID)
    }
    pins[FIX] += _held(monitoring, left, notes)
    if any(pins.values()):
        components["pins"] = pins
    else:
        components.pop("pins", None)
    if "cash" in components:
        components["cash"]["opening"] = _balance(monitoring, notes)
    for rule in ("price", "options"):
        notes += _histories(monitoring, rule)
    title = f"{plan.spec.title}, the last {left} of {plan.portfolio.periods} periods"
    document = {
        "title": title,
        "horizon": {**resolved["horizon"], "periods": left},
        "objective": resolved["objective"],
        "components": components,
        "solver": resolved["solver"],
    }
    return toml_document(document)


def _shifted(kind: str, text: str, passed: int) -> str | None:
    """A pin as it reads after `passed` periods; None where it is over."""
    words = parse_pin(kind, text)
    if not isinstance(words, Words) or not words.first:
        return text
    if words.last <= passed:
        return None
    return pin_text(words.lever, words.option, words.group, max(1, words.first - passed), words.last - passed)


def pin_text(lever: str, option: str, group: str | None, first: int, last: int) -> str:
    """A pin as it is written in a model or a call."""
    where = "" if group is None else f"@{_quoted(group)}"
    return f"{_quoted(lever)}={_quoted(option)}{where}:{first}-{last}"


def _quoted(part: str) -> str:
    if part and part == part.strip() and not any(mark in part for mark in '"=@:'):
        return part
    return '"' + part.replace('"', '""') + '"'


def _held(monitoring: Monitoring, left: int, notes: list[str]) -> list[str]:
    """Pins for choices that may not change yet: hold k lets them change in periods 1, 1 + k, ... of the old plan."""
    plan, last = monitoring.plan, monitoring.last
    if not plan.has("switching"):
        return []
    pins = []
    for number, lever in enumerate(plan.portfolio.levers):
        rest = min(left, -last.number % lever.hold)
        if not lever.single or rest == 0:
            continue
        for group, option in zip(lever.groups, last.chosen[number].tolist(), strict=True):
            members = lever.group_of == lever.groups.index(group)
            if plan.portfolio.offered[members, option].all():
                pins.append(pin_text(lever.name, plan.portfolio.options[option], group, 1, rest))
        if rest < left:
            unit = plan.portfolio.period_name
            notes.append(
                f"levers: {lever.name} holds for {lever.hold} {unit}s, and could change next in {unit} {rest + 1} of "
                f"the new instance; holds are counted from its {unit} 1 there, so it can only in {unit} "
                f"{lever.hold + 1}"
            )
    return pins


def _balance(monitoring: Monitoring, notes: list[str]) -> float:
    """What is in hand when the new period 1 begins: actual cash where all periods up to now were delivered, else the
    planned balance."""
    plan, last = monitoring.plan, monitoring.last
    opening = float(plan.spec.components["cash"].opening)
    planned = sum(
        float(flow[: last.number].sum())
        for (source, _), flow in plan.recount.money.items()
        if source not in ("margin", "effects")
    ) + float(plan.recount.flows["cash"][:, : last.number].sum())
    actual = monitoring.exposure.cash[1]
    if last.number == 1 and actual is not None:
        return opening + actual
    notes.append("cash: the opening balance is the planned one: correct it in rest-of-plan.toml")
    return opening + planned


def _histories(monitoring: Monitoring, rule: str) -> list[str]:
    """Rules that look back further than a new instance can: what was before its period 1 is its only history."""
    plan = monitoring.plan
    if rule not in plan.spec.components:
        return []
    if rule == "price" and any(each.kind == "total_step" for each in plan.portfolio.price_rules):
        return [
            "price_rules: total steps are counted from today's prices, no longer from those before the old plan"
        ]
    taken = [
        each.name
        for each in plan.portfolio.option_rules
        if each.kind == "once"
        and np.any(
            [
                np.any(choice[:, : monitoring.last.number] == each.option)
                for choice in plan.decisions.chosen
                if choice.size
            ]
        )
    ]
    return [f"option_rules: {', '.join(taken)}: was taken up already, and may be once more"] if taken else []
