"""What limits a plan: resources in full use and rules at their limit, and what easing each by one unit is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from cpm_opt.report.explanation import NUMBER, Cell, Column, Section, Table
from cpm_opt.report.numbers import number, optional
from cpm_opt.report.words import Range, Units, amount, names, percent
from cpm_opt.runs.record import RunRecord

TOLERANCE = 1e-6
INTEGERS_FIXED = "fixed integers"
SENSES = {"max": "at most", "min": "at least"}
PRICES_NOTE = (
    "What one more unit is worth counts everything that the plan is judged by, in money of today, and holds while the "
    "limit stays within the range given."
)
FIXED_NOTE = "It is reckoned with the plan's yes-or-no choices kept as they are (integers fixed)."


def limits(run: RunRecord, units: Units) -> Section:
    """The section on what limits the plan."""
    resources, spare = _resources(run, units)
    rules, missed = _rules(run, units)
    sentences = []
    if spare:
        sentences.append(f"Room to spare: {names(spare)}.")
    sentences.extend(missed)
    sentences.extend(_pins(run, units))
    if not resources.rows and not rules.rows:
        sentences.append("No capacity and no rule is at its limit.")
    elif any(row[-2] for table in (resources, rules) for row in table.rows):
        sentences.append(PRICES_NOTE)
        if run.facts["prices_from"] == INTEGERS_FIXED:
            sentences.append(FIXED_NOTE)
    tables = tuple(table for table in (resources, rules) if table.rows)
    return Section("limits", "What limits it", tuple(sentences), tables)


def _resources(run: RunRecord, units: Units) -> tuple[Table, list[str]]:
    """Resources that are used up, and in words those that are not."""
    rows: list[tuple[Cell, ...]] = []
    fullest: dict[str, float] = defaultdict(float)
    full: set[str] = set()
    for row in run.table("resources"):
        limit = optional(run, "resources", row, "limit")
        if limit is None:
            continue
        use = number(run, "resources", row, "use")
        price = optional(run, "resources", row, "shadow_price") or 0.0
        share = use / limit if limit > 0 else float(use > 0)
        name = row["resource"]
        if limit - use <= TOLERANCE * max(1.0, limit) or price > TOLERANCE:
            full.add(name)
            period = int(number(run, "resources", row, "period"))
            holds = _holds(run, "resources", row)
            own, extra = (optional(run, "resources", row, column) for column in ("capacity", "extra"))
            rows.append((name, period, use, limit, own, extra, row["unit"] or "units", price, holds))
        fullest[name] = max(fullest[name], share)
    spare = [
        f"{name} (at most {percent(share)} in use)" for name, share in fullest.items() if name not in full
    ]
    columns = (
        Column("resource", "resource in full use"),
        Column("period", units.period),
        Column("use", "in use", NUMBER),
        Column("limit", "usable", NUMBER),
        Column("capacity", "capacity", NUMBER),
        Column("extra", "extra bought", NUMBER),
        Column("unit", "unit"),
        Column("shadow_price", "one more is worth", NUMBER, units.money),
        Column("range", "while capacity is", NUMBER),
    )
    return Table("resources", columns, tuple(rows), most=20, file="resources.csv"), spare


def _rules(run: RunRecord, units: Units) -> tuple[Table, list[str]]:
    """Rules at their limit, and in words those that the plan misses and pays a penalty for."""
    rows: list[tuple[Cell, ...]] = []
    missed = []
    # A pin or a lock is always at its limit; what they cost is told in words.
    pinned = set((run.facts.get("pins") or {"names": ()})["names"])
    for row in run.table("rules"):
        limit, slack = number(run, "rules", row, "limit"), number(run, "rules", row, "slack")
        told = optional(run, "rules", row, "shadow_price")
        price = abs(told or 0.0)
        period = int(number(run, "rules", row, "period"))
        tolerance = TOLERANCE * max(1.0, abs(limit))
        unit = units.unit(row["unit"])
        subject = f"{row['rule']} {row['subject']}".strip()
        if row["penalty"] and slack < -tolerance:
            missed.append(
                f"Rule {subject} is missed by {amount(-slack)} {unit} in {units.when(period, period)}, "
                f"at a penalty of {units.worth(number(run, 'rules', row, 'penalty'))} a unit."
            )
        locked = row["rule"] in pinned and row["rule"].startswith("lock ")
        if (price > TOLERANCE and not locked) or (slack <= tolerance and row["rule"] not in pinned):
            sense = SENSES.get(row["sense"], row["sense"])
            value = number(run, "rules", row, "value")
            holds = _holds(run, "rules", row)
            rows.append((subject, period, value, sense, limit, unit, None if told is None else price, holds))
    columns = (
        Column("rule", "rule at its limit"),
        Column("period", units.period),
        Column("value", "is", NUMBER),
        Column("sense", "has to be"),
        Column("limit", "limit", NUMBER),
        Column("unit", "unit"),
        Column("shadow_price", "easing it by one is worth", NUMBER, units.money),
        Column("range", "while the limit is", NUMBER),
    )
    if len(missed) > 5:
        missed = [*missed[:5], f"{len(missed) - 5} more are missed (rules.csv)."]
    return Table("rules", columns, tuple(rows), most=20, file="rules.csv"), missed


def _pins(run: RunRecord, units: Units) -> list[str]:
    """What was fixed or forbidden, and what that costs; nothing without pins."""
    pins = run.facts.get("pins")
    if not pins:
        return []
    kinds = {name.partition(" ")[0] == "lock" for name in pins["names"]}
    what = {frozenset({True}): "locks", frozenset({False}): "pins"}.get(frozenset(kinds), "pins and locks")
    sentences = [f"Pinned: {names(pins['names'])}."]
    if pins["cost"] is None:
        sentences.append(f"There was no time left to find out what the {what} cost.")
    elif not pins["biting"]:
        sentences.append(f"The {what} cost nothing: no better plan was found without them.")
    else:
        worth = f"{units.worth(pins['cost'])} more, counting all that the plan is judged by"
        verb = "stands" if len(pins["biting"]) == 1 else "stand"
        sentences.append(
            f"Without the {what} a plan is worth {worth}; {names(pins['biting'])} {verb} in its way."
        )
    return sentences


def _holds(run: RunRecord, table: str, row: Mapping[str, str]) -> Cell:
    """The range of the limit over which its worth holds; text where it is open on a side, None without one."""
    low, high = optional(run, table, row, "range_low"), optional(run, table, row, "range_high")
    if low is not None and high is not None:
        return Range(low, high)
    if low is not None:
        return f"{amount(low)} or more"
    return f"{amount(high)} or less" if high is not None else None
