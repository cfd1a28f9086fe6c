"""The tables of a random instance but for the heights of its walls."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.reference.read import Case, Row

UGLY = [
    "NA",
    "007",
    "a, b",
    "None",
    "1e5",
    'say "hi"',
    "=sum",
    "naïve é",
    "tier=hi",
    "new  york",
    "nan",
    "🙂",
    "-3",
    "all",
]


@dataclass
class Draft:
    """Tables in the making; cells are text as they will be written."""

    model: dict[str, Any]
    measures: list[str] = field(default_factory=list)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    segments: list[str] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    lost: str = ""

    def case(self) -> Case:
        """The draft as the reference reads it."""
        return Case(self.model, tuple(self.measures), self.tables)

    def options(self, lever: str) -> list[str]:
        """The options of a lever."""
        return [row["option"] for row in self.tables["options"] if row["lever"] == lever]


def draw(rng: random.Random, features: frozenset[str]) -> Draft:
    """Everything but resources' capacities and the rules."""
    periods = rng.choice([2, 3] if "few" in features else [2, 3, 4]) if "periods" in features else 1
    if "tiny" in features:
        periods = rng.choice([1, 2])
    draft = Draft({"horizon": {"periods": periods, "discount_rate": 0.0}, "components": {}})
    if "discount" in features:
        draft.model["horizon"]["discount_rate"] = rng.choice([0.01, 0.05, 0.12])
    if "weights" in features:
        weights = {"profit": rng.choice([1.0, 0.8]), "end_value": rng.choice([0.0, 0.5, 1.0])}
        draft.model["objective"] = {**weights}
    components = [c for c in ("capacity", "balance", "switching") if c in features]
    components += [
        c for c, feature in (("price", "price_rules"), ("options", "option_rules")) if feature in features
    ]
    rng.shuffle(components)
    draft.model["components"] = {name: {} for name in components}
    if "measures" in features:
        draft.measures = ["satisfaction"]
    _segments(draft, rng, features)
    _levers(draft, rng, features)
    _effects(draft, rng, features)
    if "current" in features:
        _current(draft, rng, features)
    if "migration" in features:
        _migration(draft, rng)
    if "migration_effects" in features:
        _migration_effects(draft, rng, features)
    if "arrivals" in features:
        _arrivals(draft, rng, features)
    _usage(draft, rng, features)
    if "factors" in features:
        _factors(draft, rng)
    return draft


def money(rng: random.Random, low: float, high: float) -> str:
    """A figure to the cent."""
    return f"{rng.uniform(low, high):.2f}"


def _segments(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    count = rng.randint(2, 3) if features & {"few", "tiny"} else rng.randint(2, 5)
    names = [f"s{k}" for k in range(1, count + 1)]
    if "ugly" in features:
        names = rng.sample(UGLY, count)
    kinds = dict.fromkeys(names, "active")
    if "kinds" in features:
        kinds |= {"market": "prospect", "gone": "lost"}
        draft.lost = "gone"
    rows = []
    for name, kind in kinds.items():
        active = kind == "active"
        row = {
            "segment": name,
            "customers": str(rng.randint(20, 300)),
            "margin": money(rng, -5, 60) if active else "0",
        }
        if "tiny" in features:
            row["customers"] = str(rng.randint(1, 3))
        row |= {"kind": "" if active and rng.random() < 0.3 else kind} if "kinds" in features else {}
        row |= {"end_value": money(rng, 0, 80)} if "end_value" in features and active else {}
        row |= {"revenue": money(rng, 20, 120)} if "measures" in features and active else {}
        row |= {"satisfaction": money(rng, 1, 10)} if "measures" in features and active else {}
        row |= {"cash": rng.choice(["", money(rng, 0, 50)])} if "cash" in features else {}
        row |= (
            {"tier": rng.choice(["hi", "lo"]), "region": rng.choice(["hi", "x"])}
            if "groups" in features
            else {}
        )
        row |= {"whole": "true"} if "whole" in features else {}
        rows.append(row)
    if "kinds" in features and kinds:
        rows[-1]["customers"] = rng.choice(["0", "40"])
    draft.tables["segments"] = rows
    draft.segments = list(kinds)
    draft.active = [name for name, kind in kinds.items() if kind == "active"]


def _levers(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    names = ["service", "price"][: 1 if "few" in features and rng.random() < 0.6 else 2]
    if features & {"tiny"}:
        names = ["service"]
    elif "few" not in features and rng.random() < 0.4:
        names.append("programme, yearly" if "ugly" in features else "programme")
    levers, options = [], []
    for k, name in enumerate(names):
        single = "all_single" in features or ("single" in features and (k == 0 or rng.random() < 0.5))
        row = {"lever": name, "choice": "single" if single else rng.choice(["", "mix"])}
        if single:
            scopes = ["all", "tier"] if "few" in features else ["segment", "all", "tier", "", "region"]
            row["scope"] = rng.choice(scopes if "groups" in features else ["segment", "all", ""])
            row["hold"] = rng.choice(["", "2", "3"]) if "hold" in features else ""
        levers.append(row)
        count = 2 if features & {"few", "tiny"} else rng.randint(2, 3)
        base = rng.randrange(count)
        for j in range(count):
            option = {
                "lever": name,
                "option": f"o{j}" if "ugly" not in features else ["NA", "full, plus", "3"][j],
            }
            option["base"] = "true" if j == base else "false"
            if single and "fixed_cost" in features and (j != base or rng.random() < 0.2):
                option["fixed_cost"] = money(rng, 0, 300)
            if "change_cost" in features and rng.random() < 0.7:
                option["change_cost"] = money(rng, 0, 6)
            options.append(option)
    draft.tables["levers"], draft.tables["options"] = levers, options


def _effects(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    rows = []
    for lever in draft.tables["levers"]:
        names = draft.options(lever["lever"])
        for segment in draft.segments:
            refused = rng.choice(names) if "not_offered" in features and rng.random() < 0.15 else None
            for option in names:
                if option != refused and rng.random() < 0.25:
                    continue
                row = {"segment": segment, "lever": lever["lever"], "option": option}
                if segment in draft.active:
                    row["margin"] = money(rng, -8, 12)
                if option == refused:
                    row["offered"] = "false"
                if "measures" in features and segment in draft.active:
                    row |= {"revenue": money(rng, -5, 15), "satisfaction": money(rng, -2, 2)}
                if "cash" in features and rng.random() < 0.5:
                    row["cash"] = money(rng, -8, 12)
                rows.append(row)
    draft.tables["effects"] = rows
    _keep_choosable(draft)


def _keep_choosable(draft: Draft) -> None:
    """A group's members together could be refused every option; the refusals of such a lever are dropped."""
    for lever in draft.tables["levers"]:
        rows = [row for row in draft.tables["effects"] if row["lever"] == lever["lever"]]
        refused = {row["option"] for row in rows if row.get("offered") == "false"}
        if lever["choice"] == "single" and len(refused) >= len(draft.options(lever["lever"])):
            for row in rows:
                row.pop("offered", None)


def _current(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    rows = []
    pushed = bool(features & {"on_change", "price_rules", "option_rules"})
    refused = {(r["lever"], r["option"]) for r in draft.tables["effects"] if r.get("offered") == "false"}
    for lever in draft.tables["levers"]:
        options = [o for o in draft.options(lever["lever"]) if (lever["lever"], o) not in refused]
        common = rng.choice(options) if options and rng.random() < 0.6 else None
        for row in draft.tables["segments"]:
            at = {"segment": row["segment"], "lever": lever["lever"]}
            if lever["choice"] == "single" and pushed:
                if common is not None:
                    rows.append({**at, "option": common, "customers": row["customers"]})
            elif options and rng.random() < 0.5:
                rows.append(
                    {
                        **at,
                        "option": rng.choice(options),
                        "customers": str(rng.randint(0, int(row["customers"]))),
                    }
                )
    draft.tables["current"] = rows
    if not rows:
        del draft.tables["current"]


def _migration(draft: Draft, rng: random.Random) -> None:
    rows = []
    for row in draft.tables["segments"]:
        source = row["segment"]
        targets = rng.sample(draft.segments, rng.randint(1, min(3, len(draft.segments))))
        if source not in targets and rng.random() < 0.9:
            targets.append(source)
        if draft.lost and draft.lost not in targets:
            targets.append(draft.lost)
        weights = [rng.uniform(0.5, 3) if to != source else 6.0 for to in targets]
        scale = rng.uniform(0.7, 0.85) / sum(weights)
        rows += [
            {"from": source, "to": to, "rate": f"{w * scale:.3f}"}
            for to, w in zip(targets, weights, strict=True)
        ]
    if rng.random() < 0.2:
        rows = [row for row in rows if row["from"] != draft.segments[0]] or rows
    draft.tables["migration"] = rows


def _migration_effects(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    """Small changes: no combination of two levers can carry a rate of 0.12 below 0 or a sum of 0.85 above 1."""
    rows = []
    table = draft.tables.get("migration")
    rates = {(row["from"], row["to"]): float(row["rate"]) for row in table or []}
    if table is None:
        rates = {(s, s): 1.0 for s in draft.segments}
    for lever in draft.tables["levers"][:2]:
        whens = ["in_force"] + (
            ["on_change"] if "on_change" in features and lever["choice"] == "single" else []
        )
        for segment in draft.segments:
            falls = [to for (source, to), rate in rates.items() if source == segment and rate >= 0.12]
            rises = [to for to in draft.segments if to not in falls]
            for option in draft.options(lever["lever"]):
                for when in whens:
                    key = {"from": segment, "lever": lever["lever"], "option": option, "when": when}
                    fall, rise = rng.uniform(0.005, 0.02), rng.uniform(0.005, 0.02)
                    fall, rise = (rise, rise) if table is None else (fall, rise)
                    if falls and (table is None or rng.random() < 0.6):
                        rows.append({**key, "to": rng.choice(falls), "rate": f"{-fall:.4f}"})
                    if rises and rng.random() < 0.6:
                        rows.append({**key, "to": rng.choice(rises), "rate": f"{rise:.4f}"})
    if rows:
        draft.tables["migration_effects"] = rows


def _arrivals(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    periods = draft.model["horizon"]["periods"]
    rows = []
    for segment in draft.segments:
        for period in range(1, periods + 2):
            if rng.random() < 0.3:
                rows.append({"segment": segment, "period": str(period), "customers": str(rng.randint(1, 40))})
    if rows:
        draft.tables["arrivals"] = rows


def _usage(draft: Draft, rng: random.Random, features: frozenset[str]) -> None:
    resources = ["hours"] if "tiny" in features else ["hours", "budget"][: rng.randint(1, 2)]
    rows = []
    for resource in resources:
        for segment in ["", *draft.segments]:
            if rng.random() < 0.5:
                rows.append({"resource": resource, "segment": segment, "amount": money(rng, 0.1, 1)})
        for lever in draft.tables["levers"]:
            for option in draft.options(lever["lever"]):
                for segment in ["", rng.choice(draft.segments)]:
                    if rng.random() < 0.5:
                        low = -0.3 if "savings" in features else 0.0
                        at = {
                            "resource": resource,
                            "segment": segment,
                            "lever": lever["lever"],
                            "option": option,
                        }
                        rows.append({**at, "amount": money(rng, low, 2)})
    if all(row["resource"] != "hours" for row in rows):  # factors and rules speak of hours
        rows.append({"resource": "hours", "amount": "0.5"})
    draft.tables["usage"] = rows


def _factors(draft: Draft, rng: random.Random) -> None:
    lever = rng.choice(draft.tables["levers"])["lever"]
    option, segment = rng.choice(draft.options(lever)), rng.choice(draft.segments)
    candidates: list[tuple[str, Row]] = [
        ("segments.margin", rng.choice([{}, {"segment": segment}])),
        (
            "effects.margin",
            rng.choice([{}, {"lever": lever}, {"segment": segment, "option": option, "lever": lever}]),
        ),
        (
            "usage.amount",
            rng.choice([{}, {"segment": segment}, {"resource": "hours"}, {"lever": lever, "option": option}]),
        ),
        ("resources.capacity", rng.choice([{}, {"resource": "hours"}])),
        ("resources.unit_cost", {"resource": "hours"}),
        ("options.fixed_cost", {"lever": lever}),
        ("options.change_cost", rng.choice([{}, {"lever": lever, "option": option}])),
    ]
    candidates += [("segments.satisfaction", {})] if draft.measures else []
    candidates += [("segments.revenue", {"segment": segment})] if draft.measures else []
    candidates += [("arrivals.customers", {"segment": segment})] if "arrivals" in draft.tables else []
    candidates += (
        [("migration.rate", rng.choice([{}, {"segment": segment}]))] if "migration" in draft.tables else []
    )
    candidates += (
        [("migration_effects.rate", {"lever": lever})] if "migration_effects" in draft.tables else []
    )
    rows: list[Row] = []
    for target, keys in rng.sample(candidates, rng.randint(1, min(5, len(candidates)))):
        for period in range(1, draft.model["horizon"]["periods"] + 1):
            if rng.random() < 0.6:
                high = 1.0 if target == "migration.rate" else 1.2
                rows.append(
                    {
                        "target": target,
                        "period": str(period),
                        "factor": f"{rng.uniform(0.9, high):.2f}",
                        **keys,
                    }
                )
    if rows:
        draft.tables["factors"] = rows
