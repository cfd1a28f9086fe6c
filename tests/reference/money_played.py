"""Cash, concentration and robust of a plan that is played through: plain arithmetic, period by period."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Purse:
    """The firm's money under `[components.cash]`; without the component, debt is free and unlimited."""

    keys: dict[str, Any] | None
    broken: list[tuple[str, float]]
    balance: float = 0.0
    balances: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.balance = float((self.keys or {}).get("opening", 0.0))

    def interest(self, cash: float) -> float:
        """Books the cash of a period and returns what debt costs in it."""
        keys = self.keys or {}
        rate = float(keys.get("credit_cost", 0.0))
        short = max(0.0, -(self.balance + cash))
        debt = short / (1.0 - rate)
        self.balance += cash - rate * debt
        self.balances.append(self.balance)
        limit = float(keys.get("credit_limit", 0.0))
        if self.keys is not None and debt > limit + 1e-7 * max(1.0, limit):
            self.broken.append(("credit", debt - limit))
        return rate * debt


def concentrated(keys: dict[str, Any], amounts: list[float]) -> list[tuple[str, float]]:
    """What of `[components.concentration]` these amounts of the active segments break."""
    broken, total = [], math.fsum(amounts)
    if "top_k" in keys:
        over = (
            math.fsum(sorted(amounts, reverse=True)[: int(keys["top_k"])]) - float(keys["top_share"]) * total
        )
        broken.append(("top", over))
    if "hhi" in keys:
        over = math.sqrt(math.fsum(a * a for a in amounts)) - math.sqrt(float(keys["hhi"])) * total
        broken += [("index", over), ("total", -total)]
    return [(what, over) for what, over in broken if over > 1e-7 * max(1.0, abs(total))]


def lost(keys: dict[str, Any], at_risk: list[float]) -> float:
    """What `[components.robust]` takes off: the largest few of what may be lost."""
    return float(keys["width"]) * math.fsum(sorted(at_risk, reverse=True)[: int(keys["budget"])])
