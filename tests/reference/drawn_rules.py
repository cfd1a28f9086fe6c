"""Random rows of `price_rules` and `option_rules` that one played plan keeps and the best plan without them breaks."""

from __future__ import annotations

import math
import random

from tests.reference.draw import Draft
from tests.reference.formulation import build
from tests.reference.numbers import Numbers
from tests.reference.played_rules import measured_prices, price_of, refuses, take_ups
from tests.reference.read import Case, Row
from tests.reference.simulate import Choices, Outcome, Split, simulate

DIGITS, CANDIDATES = 10**5, 12


def draw_prices(draft: Draft, rng: random.Random) -> None:
    """Fills price_change of the options."""
    for row in draft.tables["options"]:
        low = rng.choice(["", "", "0.02"]) if row["base"] == "true" else ""
        row["price_change"] = low or (
            "" if row["base"] == "true" else rng.choice(["-0.1", "0.05", "0.1", "0.2"])
        )


def draw_rules(
    draft: Draft, rng: random.Random, features: frozenset[str], outcome: Outcome, groups: list[str]
) -> None:
    """Fills both tables: of many rules that the played plan keeps, those in the way of the best plan, and one more."""
    rows: dict[str, list[Row]] = {}
    if "price_rules" in features:
        rows["price_rules"] = _price_rules(draft, rng, outcome)
    if "option_rules" in features:
        rows["option_rules"] = _option_rules(draft, rng, outcome, groups)
    if not rows:
        return
    best = _best_plan(draft.case())
    draft.tables |= rows
    broken = {what for what, _ in simulate(draft.case(), *best).broken} if best else set()
    for table, drawn in rows.items():
        what = table.removesuffix("s").replace("_", " ")
        biting = [row for row in drawn if f"{what} {row['rule']}" in broken]
        others = [row for row in drawn if row not in biting]
        kept = rng.sample(biting, min(3, len(biting))) + rng.sample(others, min(1, len(others)))
        draft.tables[table] = kept
        if not kept:
            del draft.tables[table]


def _best_plan(case: Case) -> tuple[Choices, Split] | None:
    """The best plan without the rules; None where there is none."""
    answer, numbers = build(case).solve(), Numbers(case)
    if answer.objective is None:
        return None
    choices: Choices = {
        (key[1], key[2], key[4]): key[3]
        for key, value in answer.values.items()
        if key[0] == "y" and value > 0.5
    }

    def split(segment: str, lever: str, period: int, customers: float) -> dict[str, float]:
        return {
            o: max(0.0, answer.values["x", segment, lever, o, period]) for o in numbers.levers[lever].options
        }

    return choices, split


def _price_rules(draft: Draft, rng: random.Random, outcome: Outcome) -> list[Row]:
    """Rules between prices, on levers of choice `single`."""
    case, rows = draft.case(), []
    singles = [row["lever"] for row in draft.tables["levers"] if row["choice"] == "single"]
    for k in range(CANDIDATES if singles else 0):
        lever = rng.choice(singles)
        paths = {group: path for (name, group), path in outcome.paths.items() if name == lever}
        row = {"rule": f"rule {k + 1}", "lever": lever}
        row["kind"] = rng.choice(["step", "total_step", "order", "order", "equal", "max_changes"])
        groups = sorted(paths)
        if row["kind"] != "max_changes" and rng.random() < 0.5:
            row["group"] = rng.choice(groups)
        if row["kind"] in ("order", "equal"):
            row["other_group"] = rng.choice(groups)
        prices = {group: [price_of(case, lever, option) for option in path] for group, path in paths.items()}
        needed = max(measured_prices(row, paths, prices), default=0.0)
        if row["kind"] == "equal":
            if needed > 1.0:
                continue
        elif row["kind"] == "order" and needed <= 1.0 and rng.random() < 0.7:
            row["value"] = ""
        else:
            row["value"] = _up(needed)
        rows.append(row)
    return rows


def _option_rules(draft: Draft, rng: random.Random, outcome: Outcome, groups: list[str]) -> list[Row]:
    """Rules on who is on which option."""
    case, rows = draft.case(), []
    numbers = Numbers(case)
    for k in range(CANDIDATES):
        lever = rng.choice(draft.tables["levers"])
        at = (lever["lever"], rng.choice(draft.options(lever["lever"])))
        kinds = ["min", "min", "max", "floor", "needs", "excludes"]
        kind = rng.choice([*kinds, "once", "once"] if lever["choice"] == "single" else kinds)
        members = rng.choice(["", *groups])
        row = {"rule": f"rule {k + 1}", "lever": at[0], "option": at[1], "kind": kind, "members": members}
        inside = numbers.members(members or "all")
        if kind in ("min", "max"):
            row["value"] = _total(rng, kind, [sum(on[s, *at] for s in inside) for on in outcome.on])
        elif kind == "floor":
            shares = [
                on[s, *at] / there[s]
                for on, there in zip(outcome.on, outcome.customers, strict=False)
                for s in inside
                if there[s] > 0 and not refuses(case, s, *at)
            ]
            row["value"] = _down(min(shares, default=0.3) * rng.uniform(0.95, 1.0))
        elif kind == "once":
            held = [
                path
                for (d, g), path in outcome.paths.items()
                if d == at[0] and outcome.groups[d, g] & set(inside)
            ]
            if max((take_ups(path, at[1]) for path in held), default=0) > 1:
                continue
        elif not _paired(draft, rng, outcome, row, inside):
            continue
        rows.append(row)
    return rows


def _total(rng: random.Random, kind: str, totals: list[float]) -> str:
    if kind == "max":
        return _up(max(totals) * rng.uniform(1.0, 1.03))
    return _down(min((total for total in totals if total > 0.0), default=25.0) * rng.uniform(0.97, 1.0))


def _paired(draft: Draft, rng: random.Random, outcome: Outcome, row: Row, inside: list[str]) -> bool:
    """Looks for another option with which the played plan keeps the rule."""
    at = (row["lever"], row["option"])
    every = [
        (lever["lever"], option)
        for lever in draft.tables["levers"]
        for option in draft.options(lever["lever"])
    ]
    for other in rng.sample(every, len(every)):
        pairs = [
            (on[s, *at], on[s, *other], there[s])
            for on, there in zip(outcome.on, outcome.customers, strict=False)
            for s in inside
        ]
        kept = (
            all(x <= y for x, y, _ in pairs)
            if row["kind"] == "needs"
            else all(x + y <= n for x, y, n in pairs)
        )
        if kept and other != at:
            row["other_lever"], row["other_option"] = other
            return True
    return False


def _up(value: float) -> str:
    return str(math.ceil(value * DIGITS + 1e-3) / DIGITS)


def _down(value: float) -> str:
    return str(max(0, math.floor(value * DIGITS - 1e-3)) / DIGITS)
