"""Where the walls of cash and concentration stand in a random instance, and what is uncertain in it."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

from tests.reference.draw import Draft, money
from tests.reference.simulate import Choices, Outcome, Split, simulate

ROOM = 0.02


def set_money_walls(
    draft: Draft, rng: random.Random, features: frozenset[str], plan: tuple[Choices, Split]
) -> None:
    """Turns the components on, each a little beyond what the plan needs; it stays within all of them."""
    components = draft.model["components"]
    if "uncertain" in features:
        for row in draft.tables["effects"]:
            if rng.random() < 0.7:
                row["margin_se"] = money(rng, 0, 8)
        components["robust"] = {
            "budget": rng.choice([0, 1, 2, 3, 100]),
            "width": rng.choice([0.5, 1.0, 1.96]),
        }
        components["robust"]["budget"] = min(components["robust"]["budget"], 3 if rng.random() < 0.8 else 100)
    if features & {"top_share", "hhi"}:
        _concentration(draft, rng, features, plan)
    if "liquidity" in features:
        _cash(draft, rng, features, plan)


def _concentration(
    draft: Draft, rng: random.Random, features: frozenset[str], plan: tuple[Choices, Split]
) -> None:
    measure = rng.choice(["", "margin", "customers", "use:hours", *(["revenue"] if draft.measures else [])])
    keys: dict[str, Any] = {"measure": measure} if measure else {}
    draft.model["components"]["concentration"] = keys
    played = simulate(draft.case(), *plan)
    periods = range(1, draft.model["horizon"]["periods"] + 1)
    amounts = [[played.amounts[measure or "margin", s, t] for s in draft.active] for t in periods]
    totals = [math.fsum(now) for now in amounts]
    if min(totals) > 1.0 and "top_share" in features:
        keys["top_k"] = rng.randint(1, len(draft.active))
        largest = [math.fsum(sorted(now, reverse=True)[: keys["top_k"]]) for now in amounts]
        share = max(big / total for big, total in zip(largest, totals, strict=True))
        keys["top_share"] = min(1.0, math.ceil(share * (1 + rng.uniform(0, ROOM)) * 1e5) / 1e5)
        if share > 1.0:  # negative amounts make the largest more than all
            del keys["top_k"], keys["top_share"]
    if min(totals) > 1.0 and "hhi" in features:
        index = max(
            math.fsum(a * a for a in now) / total**2 for now, total in zip(amounts, totals, strict=True)
        )
        if index <= 1.0:
            keys["hhi"] = min(1.0, math.ceil(index * (1 + rng.uniform(0, ROOM)) * 1e5) / 1e5)
    if not keys.keys() & {"top_k", "hhi"}:
        del draft.model["components"]["concentration"]


def _cash(draft: Draft, rng: random.Random, features: frozenset[str], plan: tuple[Choices, Split]) -> None:
    """An opening balance that is used up, and just the credit that the plan then needs."""
    keys: dict[str, Any] = {}
    draft.model["components"]["cash"] = keys
    played = simulate(draft.case(), *plan)
    lowest = min(played.balances)
    if rng.random() < 0.3:
        keys["opening"] = math.ceil((-lowest + ROOM * abs(lowest) * rng.random()) * 100) / 100
    else:
        keys["opening"] = round(-rng.uniform(0.5, 1.5) * abs(played.balances[0]) - 1.0, 2)
        keys["credit_cost"] = rng.choice([0.0, 0.01, 0.08])
        played = simulate(draft.case(), *plan)
        debts = [over for what, over in played.broken if what == "credit"]
        keys["credit_limit"] = math.ceil(max(debts, default=0.0) * (1 + ROOM * rng.random()) * 100) / 100
    if "growth" in features:
        _growth(draft, rng, keys, played)


def _growth(draft: Draft, rng: random.Random, keys: dict[str, Any], played: Outcome) -> None:
    """The groups whose cash together is nearest to nothing, but not below."""
    names = [*draft.segments, "all"]
    if "tier" in draft.tables["segments"][0]:
        names += [f"tier={row['tier']}" for row in draft.tables["segments"] if row["segment"] in draft.active]
    inside = {name: [name] for name in draft.segments}
    inside["all"] = inside.get("all", draft.active)
    for name in set(names) - set(inside):
        tier = name.removeprefix("tier=")
        inside[name] = [
            r["segment"]
            for r in draft.tables["segments"]
            if r["tier"] == tier and r["segment"] in draft.active
        ]
    periods = range(1, draft.model["horizon"]["periods"] + 1)
    found = []
    for grow, fund in itertools.product(names, ["", *names]):
        union = {*inside[grow], *(inside[fund] if fund else [])}
        least = min(math.fsum(played.amounts["net", s, t] for s in union) for t in periods)
        if least >= 1e-3:
            found.append((least, grow, fund))
    if found:
        _, grow, fund = min(found) if rng.random() < 0.7 else rng.choice(found)
        keys |= {"grow": grow} | ({"fund": fund} if fund else {})
