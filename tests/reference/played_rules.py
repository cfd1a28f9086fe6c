"""Tables `price_rules` and `option_rules` looked up in a plan that has been played: plain comparisons."""

from __future__ import annotations

import itertools

from tests.reference.read import Case, Row, number

Path = list[str]
"""The options of a group: today's first, then those of periods 1, 2, ..."""
NEAR = 1e-7


def price_breaches(case: Case, paths: dict[tuple[str, str], Path]) -> list[tuple[str, float]]:
    """What breaks a price rule, and by how much; `paths` by (lever, group)."""
    out = []
    for row in case.rows("price_rules"):
        mine = {group: path for (lever, group), path in paths.items() if lever == row["lever"]}
        out += [(f"price rule {row['rule']}", by) for by in _excesses(case, row, mine) if by > NEAR]
    return out


def _excesses(case: Case, row: Row, paths: dict[str, Path]) -> list[float]:
    prices = {
        group: [price_of(case, row["lever"], option) for option in path] for group, path in paths.items()
    }
    return [measured - number(row, "value", 1.0) for measured in measured_prices(row, paths, prices)]


def price_of(case: Case, lever: str, option: str) -> float:
    """price_change of an option."""
    (row,) = (r for r in case.rows("options") if (r["lever"], r["option"]) == (lever, option))
    return number(row, "price_change")


def measured_prices(row: Row, paths: dict[str, Path], prices: dict[str, list[float]]) -> list[float]:
    """What the rule's value has to reach, for each group and period: steps, ratios, numbers of changes; for `equal`,
    1 and the difference of prices."""
    kind, periods = row["kind"], range(1, len(next(iter(paths.values()))))
    if kind == "max_changes":
        return [sum(path[t] != path[t - 1] for path in paths.values()) for t in periods]
    other = row.get("other_group", "")
    out = []
    for group in [row["group"]] if row.get("group") else [g for g in paths if g != other]:
        for t in periods:
            price = prices[group][t]
            if kind == "step":
                out.append(abs(price - prices[group][t - 1]))
            elif kind == "total_step":
                out.append(abs(price - prices[group][0]))
            elif kind == "order":
                out.append((1 + price) / (1 + prices[other][t]))
            else:
                out.append(1 + abs(price - prices[other][t]))
    return out


def option_breaches(
    case: Case,
    members: dict[str, list[str]],
    on: list[dict[tuple[str, str, str], float]],
    there: list[dict[str, float]],
    groups: dict[tuple[str, str], set[str]],
    paths: dict[tuple[str, str], Path],
) -> list[tuple[str, float]]:
    """What breaks an option rule; `members` by rule, `on` and `there` by period, `groups` by (lever, group)."""
    out = []
    for row in case.rows("option_rules"):
        at, inside = (row["lever"], row["option"]), members[row["rule"]]
        if row["kind"] == "once":
            counts = [
                take_ups(path, row["option"])
                for key, path in paths.items()
                if key[0] == row["lever"] and groups[key] & set(inside)
            ]
            out += [(f"option rule {row['rule']}", count - 1.0) for count in counts if count > 1]
            continue
        for mine, all_of in zip(on, there, strict=False):
            by = _misses(case, row, at, inside, mine, all_of)
            if by > NEAR:
                out.append((f"option rule {row['rule']}", by))
    return out


def take_ups(path: Path, option: str) -> int:
    """How often the option is taken up."""
    return sum(now == option != then for then, now in itertools.pairwise(path))


def _misses(
    case: Case,
    row: Row,
    at: tuple[str, str],
    inside: list[str],
    on: dict[tuple[str, str, str], float],
    there: dict[str, float],
) -> float:
    """By how much the rule is broken in one period, in customers."""
    kind, value = row["kind"], number(row, "value")
    together = sum(on[s, *at] for s in inside)
    if kind == "max":
        return together - value
    if kind == "min":
        return min(together, value - together)
    beside = (row.get("other_lever", ""), row.get("other_option", ""))
    worst = 0.0
    for s in inside:
        if kind == "floor" and not refuses(case, s, *at):
            worst = max(worst, value * there[s] - on[s, *at])
        elif kind == "needs":
            worst = max(worst, on[s, *at] - on[s, *beside])
        elif kind == "excludes":
            worst = max(worst, on[s, *at] + on[s, *beside] - there[s])
    return worst


def refuses(case: Case, segment: str, lever: str, option: str) -> bool:
    """Whether the segment is not offered the option."""
    rows = (
        r for r in case.rows("effects") if (r["segment"], r["lever"], r["option"]) == (segment, lever, option)
    )
    return any(r.get("offered") == "false" for r in rows)
