"""The figures of a run, made from the tables in its folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cpm_opt.report.explanation import SHARE
from cpm_opt.report.numbers import number, optional
from cpm_opt.report.page.figure import (
    BARS,
    BASE,
    CHANCES,
    COLUMNS,
    DOTS,
    LIMIT,
    PLAN,
    STACK,
    STEPS,
    TODAY,
    Figure,
    Series,
    View,
    fewest,
)
from cpm_opt.report.run_facts import choiceless
from cpm_opt.report.words import Range, Units, amount, names, percent
from cpm_opt.runs.record import RunRecord

MOST_COLOURS = 9
MOST_RESOURCES = 12
MOST_LEVERS = 12
MOST_BARS = 15
MOST_STEPS = 24
MOST_SCENARIOS = 12
TOLERANCE = 1e-6
PARTS = "waterfall_parts"
# Beside a bar there is room for few words, and what the step is about comes first.
STEP_WORDS = {
    "margin": "margin of the customers, by where they are",
    "effects": "change in margin",
    "fixed cost": "fixed costs",
    "change cost": "costs of changing",
    "resource cost": "costs of use",
    "extra capacity": "extra capacity",
    "credit cost": "cost of credit",
}
ACTIVE = "active"
# Names of sections of the page, beside which figures stand.
WATERFALL, ACTIONS, LIMITS, SCENARIOS, CUSTOMERS = "waterfall", "actions", "limits", "scenarios", "customers"


def figures(run: RunRecord, units: Units) -> tuple[Figure, ...]:
    """All figures of a run that has a plan. Raises InputError where its folder is damaged."""
    return (
        *_waterfall(run, units),
        *_by_segment(run, units),
        *_scenarios(run, units),
        *_options(run, units),
        *_resources(run, units),
        *_prices(run, units),
        *_customers(run, units),
        *_flows(run, units),
        *_debt(run, units),
    )


def _period(run: RunRecord, table: str, row: Mapping[str, str]) -> int:
    return int(number(run, table, row, "period"))


def _waterfall(run: RunRecord, units: Units) -> Iterator[Figure]:
    rows = run.table("waterfall")
    steps = [
        (_step(row), number(run, "waterfall", row, "amount"))
        for row in rows
        if row["source"] not in ("today", "plan")
    ]
    if not steps:
        return
    if len(steps) > MOST_STEPS:
        kept = set(sorted(range(len(steps)), key=lambda at: (-abs(steps[at][1]), at))[: MOST_STEPS - 1])
        rest = [change for at, (_, change) in enumerate(steps) if at not in kept]
        steps = [step for at, step in enumerate(steps) if at in kept] + [
            (f"{len(rest)} smaller steps", sum(rest))
        ]
    first, last = number(run, "waterfall", rows[0], "total"), number(run, "waterfall", rows[-1], "total")
    names = ("today", *(name for name, _ in steps), "the plan")
    values = (first, *(change for _, change in steps), last)
    best, worst = max(steps, key=lambda step: step[1]), min(steps, key=lambda step: step[1])
    summary = f"From {units.worth(first)} to {units.worth(last)}."
    if best[1] > 0:
        summary += f" Most is gained by {best[0]} ({units.worth(best[1])})"
        summary += f", most is given up for {worst[0]} ({units.worth(-worst[1])})." if worst[1] < 0 else "."
    yield Figure(
        "waterfall", WATERFALL, STEPS, "From today's profit to the plan's", "step",
        f"profit over {units.horizon}, {units.money}", names, (View("", (Series("change", values),)),), summary,
        unit=units.money,
    )  # fmt: skip


def _by_segment(run: RunRecord, units: Units) -> Iterator[Figure]:
    """What each segment's part of the difference is, the largest ones first."""
    if not (run.path / f"{PARTS}.csv").is_file():
        return
    parts: dict[str, float] = defaultdict(float)
    for row in run.table(PARTS):
        parts[row["segment"] or "the firm as a whole"] += number(run, PARTS, row, "amount")
    ordered = sorted(
        (item for item in parts.items() if abs(item[1]) > TOLERANCE), key=lambda item: (-item[1], item[0])
    )
    if len(ordered) < 2:
        return
    if len(ordered) > MOST_STEPS:
        kept = set(sorted(range(len(ordered)), key=lambda at: (-abs(ordered[at][1]), at))[: MOST_STEPS - 1])
        rest = [change for at, (_, change) in enumerate(ordered) if at not in kept]
        ordered = [item for at, item in enumerate(ordered) if at in kept] + [
            (f"{len(rest)} others", sum(rest))
        ]
    best = max(ordered, key=lambda item: item[1])
    yield Figure(
        "segments", WATERFALL, BARS, "The difference, by segment", "segment",
        f"change of profit over {units.horizon}, {units.money}", tuple(name for name, _ in ordered),
        (View("", (Series("change", tuple(change for _, change in ordered), PLAN),)),),
        f"{best[0]} brings most: {units.worth(best[1])}.",
        unit=units.money,
    )  # fmt: skip


def _step(row: Mapping[str, str]) -> str:
    words = STEP_WORDS.get(row["source"], row["source"])
    return f"{row['item']}: {words}" if row["item"] else words


def _scenarios(run: RunRecord, units: Units) -> Iterator[Figure]:
    outcomes: Sequence[Mapping[str, Any]] = run.facts["scenarios"]
    if not outcomes:
        return
    ordered = sorted(outcomes, key=lambda each: (each["profit"], each["scenario"]))
    value_title = f"profit over {units.horizon}, {units.money}"
    low, high = ordered[0]["profit"], ordered[-1]["profit"]
    losing = sum(
        each["probability"] for each in outcomes if each["profit"] < each["today_profit"] - TOLERANCE
    )
    summary = f"The plan earns {amount(Range(low, high))} {units.money}, as things turn out. The chance that it earns "
    summary += f"less than staying as today is {percent(losing)}."
    title = "Profit, as things may turn out"
    if len(ordered) <= MOST_SCENARIOS:
        names = tuple(f"{each['scenario']} ({percent(each['probability'])})" for each in ordered)
        series = (
            Series("as today", tuple(each["today_profit"] for each in ordered), TODAY),
            Series("plan", tuple(each["profit"] for each in ordered), PLAN),
        )
        yield Figure(
            "scenarios", SCENARIOS, DOTS, title, "scenario (its probability)", value_title, names,
            (View("", series),), summary,
            unit=units.money,
        )  # fmt: skip
        return
    # A curve of chances: each point says how probable a profit of at most so much is.
    points = sorted({each[key] for each in outcomes for key in ("profit", "today_profit")})
    chances = [
        Series(
            name,
            tuple(sum(each["probability"] for each in outcomes if each[key] <= point) for point in points),
            role,
        )
        for name, key, role in (("as today", "today_profit", TODAY), ("plan", "profit", PLAN))
    ]
    yield Figure(
        "scenarios", SCENARIOS, CHANCES, title, value_title, "chance of at most this profit",
        tuple(f"{point:.{10}g}" for point in points), (View("", tuple(chances)),), summary, SHARE,
    )  # fmt: skip


def _options(run: RunRecord, units: Units) -> Iterator[Figure]:
    """For each lever the shares of the customers on its options: today, then period by period; without the segments for
    which all options of the lever do the same, such as most customers who were lost."""
    served: dict[str, dict[str, dict[int, float]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(float))
    )
    first: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    without = choiceless(run)
    for row in run.table("plan"):
        if row["segment"] in without[row["lever"]]:
            continue
        period, customers = _period(run, "plan", row), number(run, "plan", row, "customers")
        served[row["lever"]][row["option"]][period] += customers
        if period == 1:
            first[row["lever"]][row["segment"]] += customers
    drawn = []
    for lever in run.facts["portfolio"]["levers"]:
        by_option, periods = served[lever["name"]], range(1, units.periods + 1)
        totals = [sum(each[period] for each in by_option.values()) for period in periods]
        before = _today(lever, first[lever["name"]])
        if not any(totals):
            continue
        series = []
        # The base at the bottom, so that what changes stands on what stays.
        for option in sorted(lever["options"], key=lambda name: name != lever["base"]):
            shares = [
                by_option[option][at] / total if total else None
                for at, total in zip(periods, totals, strict=True)
            ]
            values = (before.get(option, 0.0), *shares)
            if any(values):
                series.append(Series(option, values, BASE if option == lever["base"] else ""))
        drawn.append((_moved(series), lever["name"], series))
    for moved, name, series in sorted(drawn, key=lambda each: -each[0])[:MOST_LEVERS]:
        share = f"{percent(moved)} of the customers get another option of {name} than today, on average."
        left_out = sorted(without[name] & set(run.facts["portfolio"]["segments"]))
        note = f" Not counted: {names(left_out)}, where all options do the same." if left_out else ""
        yield Figure(
            f"options-{name}", ACTIONS, STACK, f"Who gets what: {name}", units.period, "share of the customers",
            ("today", *map(str, range(1, units.periods + 1))), (View("", fewest(series, MOST_COLOURS)),),
            (share if moved > TOLERANCE else f"The shares on the options of {name} stay as today.") + note, SHARE,
        )  # fmt: skip


def _today(lever: Mapping[str, Any], customers: Mapping[str, float]) -> dict[str, float]:
    """The shares on each option before the first period, of the customers who are there in it."""
    shares: dict[str, float] = defaultdict(float)
    total = sum(customers.values())
    for segment, count in customers.items():
        for option, share in lever["today"].get(segment, {lever["base"]: 1.0}).items():
            shares[option] += share * count / total if total else 0.0
    return shares


def _moved(series: Sequence[Series]) -> float:
    """The mean over periods of the share that is on another option than before the first."""
    steps = [
        0.5 * sum(abs((each.values[at] or 0.0) - (each.values[0] or 0.0)) for each in series)
        for at in range(1, len(series[0].values))
        if any(each.values[at] is not None for each in series)
    ]
    return sum(steps) / len(steps) if steps else 0.0


def _resources(run: RunRecord, units: Units) -> Iterator[Figure]:
    """Each resource's use against what there is of it, the fullest ones first."""
    by_name: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in run.table("resources"):
        by_name[row["resource"]].append(row)
    drawn = []
    for name, rows in by_name.items():
        use, limit = ([optional(run, "resources", row, key) for row in rows] for key in ("use", "limit"))
        if not any(use):
            continue
        shares = [(u or 0.0) / most for u, most in zip(use, limit, strict=True) if most]
        drawn.append((max(shares, default=-1.0), name, rows, use, limit, shares))
    for full, name, rows, use, limit, shares in sorted(drawn, key=lambda each: -each[0])[:MOST_RESOURCES]:
        unit = rows[0]["unit"] or "units"
        series = [Series("in use", tuple(use), PLAN)]
        if any(most is not None for most in limit):
            series.append(Series("usable, extra included", tuple(limit), LIMIT))
        summary = (
            f"{name}: {percent(Range(min(shares), full))} of what is usable is in use." if shares else ""
        )
        yield Figure(
            f"resource-{name}", LIMITS, COLUMNS, f"Use of {name}", units.period, unit,
            tuple(row["period"] for row in rows), (View("", tuple(series)),), summary or f"{name} has no limit.",
            unit=unit,
        )  # fmt: skip


def _prices(run: RunRecord, units: Units) -> Iterator[Figure]:
    """What one unit more of each limit is worth, the dearest ones first."""
    found = []
    for row in run.table("resources"):
        price = optional(run, "resources", row, "shadow_price") or 0.0
        found.append((abs(price), row["resource"], row["unit"] or "unit", _period(run, "resources", row)))
    pinned = set((run.facts.get("pins") or {"names": ()})["names"])
    for row in run.table("rules"):
        price = optional(run, "rules", row, "shadow_price") or 0.0
        subject = f"{row['rule']} {row['subject']}".strip()
        if row["rule"] not in pinned:
            found.append((abs(price), subject, units.unit(row["unit"]) or "unit", _period(run, "rules", row)))
    dear = sorted((each for each in found if each[0] > TOLERANCE), key=lambda each: (-each[0], each[1:]))
    if not dear:
        return
    value, name, unit, period = dear[0]
    summary = (
        f"The dearest limit is {name} in {units.period} {period}: {units.worth(value)} for one more ({unit})."
    )
    costs = (run.facts["portfolio"].get("resources") or {}).values()
    if any(any(each["capacity_cost"]) for each in costs):
        summary += " Capacity is worth that before its own cost (capacity_cost)."
    if len(dear) > MOST_BARS:
        summary += f" The {MOST_BARS} dearest of {len(dear)} are drawn."
        dear = dear[:MOST_BARS]
    names = tuple(f"{units.period} {period}: {name} ({unit})" for _, name, unit, period in dear)
    series = Series("worth of one more", tuple(each[0] for each in dear), PLAN)
    yield Figure(
        "prices", LIMITS, BARS, "What one unit more of a limit is worth", "limit", f"{units.money} for one unit more",
        names, (View("", (series,)),), summary,
        unit=units.money,
    )  # fmt: skip


def _customers(run: RunRecord, units: Units) -> Iterator[Figure]:
    """Customers at the start of each period and after the last, by segment and by each grouping of segments."""
    portfolio = run.facts["portfolio"]
    kinds = dict(zip(portfolio["segments"], portfolio["kinds"], strict=True))
    counts: dict[str, dict[int, float]] = defaultdict(dict)
    for row in run.table("segments"):
        counts[row["segment"]][_period(run, "segments", row)] = number(run, "segments", row, "customers")
    groupings = {"segment": dict(zip(portfolio["segments"], portfolio["segments"], strict=True))}
    for column, values in portfolio["groupings"].items():
        groupings[column] = dict(zip(portfolio["segments"], values, strict=True))
    periods = range(1, units.periods + 2)
    names = (*map(str, range(1, units.periods + 1)), "end")
    for active in (True, False):
        segments = [
            name for name in portfolio["segments"] if (kinds[name] == ACTIVE) == active and name in counts
        ]
        if not segments:
            continue
        views = []
        for column, group_of in groupings.items():
            totals: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(periods))
            for segment in segments:
                for at, period in enumerate(periods):
                    totals[group_of[segment] or "(blank)"][at] += counts[segment].get(period, 0.0)
            if column == "segment" or (active and 1 < len(totals) < len(segments)):
                series = [Series(name, tuple(values)) for name, values in totals.items()]
                views.append((len(series), View(f"by {column}", fewest(series, MOST_COLOURS))))
        # Where there are too many segments to tell apart, the first grouping that can be read comes first.
        views.sort(key=lambda view: view[0] > MOST_COLOURS)
        start, end = (
            sum(counts[name].get(period, 0.0) for name in segments) for period in (1, units.periods + 1)
        )
        who = "Customers" if active else "Prospects and lost customers"
        yield Figure(
            "customers" if active else "others", CUSTOMERS, STACK, f"{who} over time",
            f"start of the {units.period}", who.lower(), names, tuple(view for _, view in views),
            f"{who}: {amount(start)} at the start, {amount(end)} at the end.",
        )  # fmt: skip


def _flows(run: RunRecord, units: Units) -> Iterator[Figure]:
    """The margin of the customers period by period, and their cash where it is another figure."""
    totals: dict[str, list[float]] = {name: [0.0] * units.periods for name in ("margin", "cash")}
    for row in run.table("segments"):
        period = _period(run, "segments", row)
        if period <= units.periods:
            for name, values in totals.items():
                values[period - 1] += optional(run, "segments", row, name) or 0.0
    margin, cash = totals["margin"], totals["cash"]
    series = [Series("margin", tuple(margin), PLAN)]
    differs = any(abs(a - b) > TOLERANCE * max(1.0, abs(a)) for a, b in zip(margin, cash, strict=True))
    if differs or "cash" in run.facts["model"]["components"]:
        series.append(Series("cash", tuple(cash), TODAY))
    title = "Margin and cash of the customers" if len(series) > 1 else "Margin of the customers"
    yield Figure(
        "flows", CUSTOMERS, COLUMNS, title, units.period,
        f"{units.money} a {units.period}", tuple(map(str, range(1, units.periods + 1))), (View("", tuple(series)),),
        f"Before costs of resources, fixed and change costs; not discounted. {title}: {units.worth(margin[0])} in "
        f"{units.period} 1, {units.worth(margin[-1])} in {units.period} {units.periods}.",
        unit=units.money,
    )  # fmt: skip


def _debt(run: RunRecord, units: Units) -> Iterator[Figure]:
    """The debt of each period against the credit line, where the model keeps a balance of cash."""
    rows = [row for row in run.table("rules") if (row["rule"], row["subject"]) == ("cash", "credit")]
    if not rows:
        return
    debt = tuple(number(run, "rules", row, "value") for row in rows)
    line = tuple(number(run, "rules", row, "limit") for row in rows)
    if max(*debt, *line) <= TOLERANCE:
        return
    yield Figure(
        "debt", LIMITS, COLUMNS, "Debt against the credit line", units.period, units.money,
        tuple(row["period"] for row in rows),
        (View("", (Series("debt", debt, PLAN), Series("credit line", line, LIMIT))),),
        f"The debt is at most {units.worth(max(debt))}.",
        unit=units.money,
    )  # fmt: skip
