"""Where the walls of a random instance stand: a little beyond what one random plan needs."""

from __future__ import annotations

import math
import random

from tests.reference.draw import Draft, money
from tests.reference.drawn_rules import draw_prices, draw_rules
from tests.reference.money_walls import set_money_walls
from tests.reference.numbers import Numbers
from tests.reference.read import Row
from tests.reference.simulate import Choices, Outcome, Split, simulate


def set_walls(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    """Fills `resources` and `balance`; the plan that they are measured by stays within them all."""
    resources = sorted({row["resource"] for row in draft.tables["usage"]})
    draft.tables["resources"] = [{"resource": r, "capacity": ""} for r in resources]
    if "balance" in features:
        draft.tables["balance"] = _rules(draft, rng, features)
    if "price_rules" in features:
        draw_prices(draft, rng)
    plan = random_plan(draft, rng)
    outcome = simulate(draft.case(), *plan)
    _capacities(draft, rng, features, resources, outcome)
    if "balance" in features:
        _values(draft, rng, features, outcome)
        if not draft.tables["balance"]:
            del draft.tables["balance"]
    set_money_walls(draft, rng, features, plan)
    draw_rules(draft, rng, features, outcome, _groups(draft, features))
    if "infeasible" in features:
        _no_way_out(draft, rng)


def random_plan(draft: Draft, rng: random.Random) -> tuple[Choices, Split]:
    """A random plan, drawn while it is played for the first time and the same ever after."""
    case = draft.case()
    numbers = Numbers(case)
    choices: Choices = {}
    # Groups that go together, and stay where they are, leave rules between prices that are worth keeping.
    calm, together = (case.on("price") and rng.random() < 0.6 for _ in range(2))
    common = (
        {(d, t): rng.random() for d in numbers.levers for t in range(1, case.periods + 1)} if together else {}
    )
    for lever in numbers.levers.values():
        hold = lever.hold if case.on("switching") else 1
        for group in lever.groups if lever.single else []:
            options = [o for o in lever.options if numbers.available(lever, group, o)]
            for t in range(1, case.periods + 1):
                again = (t - 1) % hold or (calm and t > 1 and rng.random() < 0.5)
                choices[lever.name, group, t] = (
                    choices[lever.name, group, t - 1] if again else rng.choice(options)
                )
                if not again and together:
                    choices[lever.name, group, t] = options[int(common[lever.name, t] * len(options))]

    drawn: dict[tuple[str, str, int], dict[str, float]] = {}

    def split(segment: str, lever: str, period: int, customers: float) -> dict[str, float]:
        if (segment, lever, period) not in drawn:
            drawn[segment, lever, period] = draw_split(segment, lever, customers)
        return drawn[segment, lever, period]

    def draw_split(segment: str, lever: str, customers: float) -> dict[str, float]:
        options = [o for o in numbers.levers[lever].options if numbers.offered((segment, lever, o))]
        if rng.random() < 0.5 or numbers.segment_rows[segment].get("whole"):
            return {rng.choice(options): customers}
        weights = [rng.random() for _ in options]
        return {o: customers * w / sum(weights) for o, w in zip(options, weights, strict=True)}

    return choices, split


def _capacities(
    draft: Draft, rng: random.Random, features: frozenset[str], resources: list[str], outcome: Outcome
) -> None:
    periods = range(1, draft.model["horizon"]["periods"] + 1)
    numbers = Numbers(draft.case())
    rows: list[Row] = []
    for resource in resources:
        need = {t: outcome.use.get((resource, t), 0.0) for t in periods}
        if "resource_periods" in features and rng.random() < 0.5:
            spread = [[t] for t in periods if rng.random() < 0.5]
            rest = [t for t in periods if [t] not in spread]
            spread += [rest] if rest and (not spread or rng.random() < 0.8) else []
        else:
            spread = [list(periods)]
        for held in spread:
            season = {t: numbers.factor("resources.capacity", t, resource=resource) for t in held}
            row = _supply(rng, features, {t: max(0.0, need[t]) / season[t] for t in held})
            own = len(held) == 1 and held != list(periods)
            rows.append(row | {"resource": resource, "period": str(held[0]) if own else ""})
    draft.tables["resources"] = rows


def _supply(rng: random.Random, features: frozenset[str], need: dict[int, float]) -> Row:
    """A row of `resources` that leaves room for the need of each period that it holds for."""
    row = {"unit_cost": rng.choice(["", money(rng, 0, 4)])}
    row["capacity_cost"] = rng.choice(["", money(rng, 0, 2)])
    if "extra" not in features:
        return row | {"capacity": _ceiling(max(need.values()) * (1 + rng.uniform(0, 0.08)))}
    if rng.random() < 0.1:
        return row | {"capacity": "", "capacity_cost": ""}
    utilisation, late = rng.choice([1.0, 0.9]), rng.choice([0, 0, 1, 2])
    row["max_utilisation"] = "" if utilisation == 1.0 else str(utilisation)
    row["lead_time"] = str(late) if late or rng.random() < 0.5 else ""
    wanted = max(need.values()) / utilisation
    before_extra = max((n for t, n in need.items() if t <= late), default=0.0) / utilisation
    capacity = max(before_extra, wanted * rng.uniform(0.7, 1.0))
    row["capacity"] = _ceiling(capacity)
    # Factors of capacity may be as low as 0.9, and hold for the capacity alone.
    row["extra_capacity"] = _ceiling((wanted - 0.9 * capacity) * rng.uniform(1.3, 2) + 1)
    row["extra_cost"] = money(rng, 0.1, 3)
    return row


def _ceiling(value: float) -> str:
    """The number, a little above, with three decimals."""
    return str(math.ceil(value * 1000 + 1) / 1000)


def _rules(draft: Draft, rng: random.Random, features: frozenset[str]) -> list[Row]:
    measures = ["customers", "margin", "use:hours", "revenue", "cash"]
    measures += draft.measures * 2
    groups = _groups(draft, features)
    rows = []
    periods = draft.model["horizon"]["periods"]
    for k in range(rng.randint(1, 4)):
        row = {
            "rule": f"rule {k + 1}",
            "measure": rng.choice(measures),
            "members": rng.choice(groups),
            "sense": rng.choice(["min", "max"]),
            "basis": rng.choice(["", "amount", "share", "mean"]),
            "value": "0",
        }
        first = rng.randint(1, periods)
        row["first_period"] = str(first) if first > 1 or rng.random() < 0.3 else ""
        row["last_period"] = str(rng.randint(first, periods)) if rng.random() < 0.4 else ""
        row["penalty"] = money(rng, 0.05, 3) if "penalty" in features and rng.random() < 0.5 else ""
        rows.append(row)
    return rows


def _groups(draft: Draft, features: frozenset[str]) -> list[str]:
    """What a rule can name as its members."""
    groups = ["all", *draft.segments]
    if "groups" in features:
        values = {(c, row[c]) for row in draft.tables["segments"] for c in ("tier", "region")}
        active = [row for row in draft.tables["segments"] if row["segment"] in draft.active]
        groups += sorted(f"{c}={v}" for c, v in values if any(row[c] == v for row in active)) * 2
    return groups


def _values(draft: Draft, rng: random.Random, features: frozenset[str], outcome: Outcome) -> None:
    """Each rule's value where the played plan just keeps it; a soft rule's goes beyond, so that slack is bought."""
    kept = []
    for row in draft.tables["balance"]:
        sides = [side for (rule, _), side in outcome.sides.items() if rule == row["rule"]]
        if not sides or min(by for _, by in sides) <= 1e-6:
            continue
        ratios = [left / by for left, by in sides]
        sign = 1 if row["sense"] == "max" else -1
        worst = max(sign * ratio for ratio in ratios) * sign
        room = rng.uniform(0.0, 0.05) if not row["penalty"] else rng.uniform(-0.2, 0.02)
        value = worst + sign * room * max(abs(worst), 0.01)
        if row["basis"] == "share" and abs(value) > 0.999:
            continue  # nothing bounds a share of margins, but it looks like a percent
        scale = 10**5
        row["value"] = str((math.ceil if sign > 0 else math.floor)(value * scale + sign * 1e-3) / scale)
        kept.append(row)
    draft.tables["balance"] = kept


def _no_way_out(draft: Draft, rng: random.Random) -> None:
    """A wall that no plan can keep: more customers than there are, hours below the least need, or two at odds."""
    everybody = sum(float(row["customers"]) for row in draft.tables["segments"])
    arriving = sum(float(row["customers"]) for row in draft.tables.get("arrivals", []))
    rows = draft.tables.setdefault("balance", [])
    draft.model["components"].setdefault("balance", {})
    common = {"measure": "customers", "members": "all", "basis": "amount"}
    if rng.random() < 0.5:
        rows.append(
            {**common, "rule": "too many", "sense": "min", "value": f"{2 * (everybody + arriving) + 10:.0f}"}
        )
    else:
        rows.append({**common, "rule": "at least", "sense": "min", "value": "12"})
        rows.append({**common, "rule": "at most", "sense": "max", "value": "11"})
