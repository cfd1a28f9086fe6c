"""What limits a plan: resources in full use and rules at their limit, and what easing each by one unit is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cpm_opt.report.explanation import NUMBER, Cell, Column, Section, Table
from cpm_opt.report.numbers import number, optional
from cpm_opt.report.words import Range, Units, amount, names, percent, spans
from cpm_opt.runs.record import RunRecord

TOLERANCE = 1e-6
INTEGERS_FIXED = "fixed integers"
SENSES = {"max": "at most", "min": "at least"}
PRICES_NOTE = "What one more unit is worth counts everything that the plan is judged by, in money of today"
RANGE_NOTE = "; it holds while the limit stays within the range given."
NO_RANGE_NOTE = "; how far that holds is not known for this plan."
# Where in a row of each table the worth of one more unit stands.
PRICE_AT = {"resources": 7, "rules": 6}
# So many of the dearest limits are told in sentences.
MOST_TOLD = 3
FIXED_NOTE = "It is reckoned with the plan's yes-or-no choices kept as they are (integers fixed)."


def limits(run: RunRecord, units: Units) -> Section:
    """The section on what limits the plan."""
    resources, spare = _resources(run, units)
    rules, missed, idle = _rules(run, units)
    sentences: list[str] = []
    if spare:
        sentences.append(f"Room to spare: {names(spare)}.")
    sentences.extend(missed)
    sentences.extend(_pins(run, units))
    if idle:
        sentences.append(f"At their limit, but easing them is worth nothing: {names(idle)}.")
    if not resources.rows and not rules.rows and not idle:
        sentences.append("No capacity and no rule is at its limit.")
        sentences.extend(_in_the_way(run))
    sentences.extend(_ratios(run, units))
    priced = [row for table in (resources, rules) for row in table.rows if row[PRICE_AT[table.name]]]
    if priced:
        sentences = [*_told(run, resources, rules, units), *sentences]
        sentences.append(PRICES_NOTE + (RANGE_NOTE if any(row[-1] for row in priced) else NO_RANGE_NOTE))
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
            cost = _costs(run, name, period).capacity
            net = None if _cash_counts(run) else price - cost
            figures = (use, limit, own, extra, row["unit"] or "units", price, cost, net)
            rows.append((name, period, *figures, holds))
        fullest[name] = max(fullest[name], share)
    spare = [
        f"{name} (at most {percent(share)} in use)" for name, share in fullest.items() if name not in full
    ]
    columns = [
        Column("resource", "resource in full use"),
        Column("period", units.period),
        Column("use", "in use", NUMBER),
        Column("limit", "usable", NUMBER),
        Column("capacity", "capacity", NUMBER),
        Column("extra", "extra bought", NUMBER),
        Column("unit", "unit"),
        Column("shadow_price", "one more is worth before its own cost", NUMBER, units.money),
        Column("capacity_cost", "its own cost", NUMBER, units.money),
        Column("net", "one more brings", NUMBER, units.money),
        Column("range", "while capacity is", NUMBER),
    ]
    if not any(row[8] for row in rows):
        columns[7:10] = [Column("shadow_price", "one more is worth", NUMBER, units.money)]
        rows = [(*row[:8], row[10]) for row in rows]
    return Table("resources", tuple(columns), tuple(rows), most=20, file="resources.csv"), spare


class _Costs(NamedTuple):
    """What one unit of a resource costs in a period: `capacity` as the objective counts it, in money of today;
    `capacity_cost` and `extra_cost` in words, as the table has them, blank where there is none or no more may be
    bought."""

    capacity: float
    capacity_cost: str
    extra_cost: str


def _costs(run: RunRecord, name: str, period: int, bought: float = 0.0) -> _Costs:
    """The costs of a resource in a period; all 0 in a run from before these were kept."""
    costs = (run.facts["portfolio"].get("resources") or {}).get(name)
    if costs is None:
        return _Costs(0.0, "", "")
    model, own = run.facts["model"], costs["capacity_cost"][period - 1]
    counts = model["objective"]["profit"] * (1.0 + model["horizon"]["discount_rate"]) ** -(period - 1)
    more = costs["extra_capacity"][period - 1] > bought + TOLERANCE
    extra = _cost_words("extra_cost", costs["extra_cost"][period - 1], counts)
    return _Costs(
        own * counts, _cost_words("capacity_cost", own, counts) if own else "", extra if more else ""
    )


def _cash_counts(run: RunRecord) -> bool:
    """Whether cash is a rule: what capacity costs is felt there, too, so its worth less its cost is not all."""
    return "cash" in run.facts["model"]["components"]


def _cost_words(column: str, cost: float, counts: float) -> str:
    """A cost with its column, and what it counts in money of today where that is something else."""
    own, today = amount(cost), amount(cost * counts)
    return f"{own} ({column}{'' if own == today else f', counted as {today}'})"


def _told(run: RunRecord, resources: Table, rules: Table, units: Units) -> list[str]:
    """The limits that are worth most to ease, in sentences; each resource and rule once, where it is worth most."""
    dearest: dict[str, tuple[float, str]] = {}
    for row in resources.rows:
        name, period, price = str(row[0]), _number(row[1]), _number(row[7])
        if price > dearest.get(name, (0.0, ""))[0]:
            when = units.when(int(period), int(period))
            one = _one(str(row[6]))
            text = f"One more {one} of {name} in {when} is worth {units.worth(price)}"
            text += _after_cost(run, row, one) + _while("its capacity", row[-1])
            costs = _costs(run, name, int(period), _number(row[5]))
            if costs.extra_cost:
                text += f"; bought as extra capacity it would cost {costs.extra_cost}"
            dearest[name] = price, text
    for row in rules.rows:
        name, period, price = str(row[0]), _number(row[1]), _number(row[6])
        if price > dearest.get(f"rule {name}", (0.0, ""))[0]:
            when = units.when(int(period), int(period))
            text = f"Easing rule {name} by one {_one(str(row[5]))} in {when} is worth {units.worth(price)}"
            dearest[f"rule {name}"] = price, text + _while("its limit", row[-1])
    order = sorted(dearest, key=lambda name: (-dearest[name][0], name))
    return [f"{dearest[name][1]}." for name in order[:MOST_TOLD]]


def _after_cost(run: RunRecord, row: Sequence[Cell], one: str) -> str:
    """What is left of the worth of one more unit after what capacity costs, as the middle of a sentence."""
    price, costs = _number(row[7]), _costs(run, str(row[0]), int(_number(row[1])))
    if not costs.capacity_cost:
        return ""
    told = f" before its own cost of {costs.capacity_cost}"
    # At a kink, more is worth something else.
    if _cash_counts(run) or (isinstance(row[-1], str) and "just" in row[-1]):
        return told
    net = price - costs.capacity
    return f"{told}, so one more {one} {'loses' if net < 0.0 else 'brings'} {amount(abs(net))}"


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


def _one(unit: str) -> str:
    """One of a unit: `hour` for hours, `thousand RUB`; other units of several words as they are."""
    if unit.split(" ")[0] in ("thousand", "million", "billion"):
        return unit
    if " " in unit or not unit:
        return f"unit ({unit})" if unit else "unit"
    return unit[:-1] if unit.endswith("s") and len(unit) > 3 else unit


def _while(what: str, holds: Cell) -> str:
    """The range in which a price holds, as the end of a sentence."""
    return f", while {what} is {amount(holds)}" if isinstance(holds, str | Range) else ""


def _rules(run: RunRecord, units: Units) -> tuple[Table, list[str], list[str]]:
    """Rules at their limit; in words those that the plan misses and pays a penalty for; and names of those that are at
    their limit though easing them is worth nothing."""
    rows: list[tuple[Cell, ...]] = []
    idle: dict[str, list[int]] = defaultdict(list)
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
        at_limit = slack <= tolerance and row["rule"] not in pinned
        if at_limit and told is not None and price <= TOLERANCE and slack >= -tolerance:
            idle[subject].append(period)
        elif (price > TOLERANCE and not locked) or at_limit:
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
    told_idle = [f"{subject} ({_periods(periods, units)})" for subject, periods in idle.items()]
    return Table("rules", columns, tuple(rows), most=20, file="rules.csv"), missed, told_idle


def _in_the_way(run: RunRecord) -> list[str]:
    """Where choices are taken whole: that a limit may be in the way of another choice before it is reached, and which
    ones are in that of today's."""
    if not any(lever["choice"] == "single" for lever in run.facts["portfolio"]["levers"]):
        return []
    told = "Choices of groups are taken whole, so a limit with room to spare may still rule out a better one"
    broken = {f"{row['rule']} {row['subject']}".strip(): None for row in run.facts["today"]["broken"]}
    return [f"{told}; staying as today is ruled out by {names(list(broken))}." if broken else f"{told}."]


def _ratios(run: RunRecord, units: Units) -> list[str]:
    """One sentence on the rules on shares and means: what the plan has, over the periods, and what it may."""
    found: dict[tuple[str, str, str, float], list[float]] = defaultdict(list)
    for row in run.table("rules"):
        for basis in (each for each in ("share", "mean") if row.get(each)):
            limit = number(run, "rules", row, f"{basis}_limit")
            place = row["rule"], row["sense"], "" if basis == "share" else units.unit(row["unit"]), limit
            found[place].append(number(run, "rules", row, basis))
    told = []
    for (rule, sense, unit, limit), values in found.items():
        words, per = (amount, f" {unit} a customer") if unit else (percent, "")
        there = words(Range(min(values), max(values)))
        told.append(f"{rule} is {there}{per} (has to be {SENSES.get(sense, sense)} {words(limit)})")
    return [f"Rules on shares and means: {names(told)}."] if told else []


def _periods(periods: list[int], units: Units) -> str:
    return names([units.when(first, last) for first, last in spans(periods)])


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
        one_point = high - low <= TOLERANCE * max(1.0, abs(high))
        return f"just {amount(high)}: more or less is worth something else" if one_point else Range(low, high)
    if low is not None:
        return f"{amount(low)} or more"
    return f"{amount(high)} or less" if high is not None else None
