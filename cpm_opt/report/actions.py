"""What a plan tells people to do: for each lever, who gets what other than today, when, and what capacity to buy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cpm_opt.report.explanation import NUMBER, PERIODS, SHARE, Cell, Column, Section, Table
from cpm_opt.report.numbers import number
from cpm_opt.report.run_facts import choiceless
from cpm_opt.report.words import Range, Units, amount, names, percent, spans
from cpm_opt.runs.record import RunRecord

SHARE_DIGITS = 3
PRICE_DIGITS = 9
SMALLEST_SHARE = 0.0005
EVERYBODY = "everybody"


@dataclass
class _Group:
    """Those who get an option in one way: who they are, and how many in each period."""

    members: set[str] = field(default_factory=set)
    customers: dict[int, float] = field(default_factory=lambda: defaultdict(float))


# An option, an unbroken span of periods, the smallest and largest share of the customers who get it, and by what
# fraction their price changes against today (the least and the most).
_Way = tuple[str, int, int, float, float, float, float]


def actions(run: RunRecord, units: Units) -> Section:
    """The section that says what to do; segments that are treated alike share a row."""
    served: dict[str, dict[tuple[str, str], dict[int, tuple[float, float]]]] = defaultdict(dict)
    present: dict[str, set[str]] = defaultdict(set)
    for row in run.table("plan"):
        period = int(number(run, "plan", row, "period"))
        figures = number(run, "plan", row, "customers"), number(run, "plan", row, "share")
        served[row["lever"]].setdefault((row["segment"], row["option"]), {})[period] = figures
        present[row["lever"]].add(row["segment"])
    rows: list[tuple[Cell, ...]] = []
    unchanged, without = [], choiceless(run)
    all_the_same: set[str] = set()
    for lever in run.facts["portfolio"]["levers"]:
        untouched = set(without[lever["name"]]) & present[lever["name"]]
        touched = present[lever["name"]] - untouched
        told, untold = _divided(served[lever["name"]], untouched)
        of_lever = _lever_rows(run, lever, told, touched)
        if _lever_rows(run, lever, untold, untouched):
            all_the_same |= untouched
        rows.extend(of_lever)
        if not of_lever:
            unchanged.append(str(lever["name"]))
    sentences = []
    if rows:
        sentences.append("Who is not named stays as today.")
    if unchanged:
        sentences.append(f"Leave as it is today: {names(unchanged)}.")
    if all_the_same:
        who = f"Nothing is said of {names(sorted(all_the_same))} where all options do the same there."
        sentences.append(who)
    sentences.extend(_purchases(run, units))
    table = Table("actions", _columns(units), tuple(rows), file="plan.csv")
    if len(rows) > table.most:  # a reader sees the first ones only: let them be the largest
        table = replace(table, rows=tuple(sorted(rows, key=_size, reverse=True)))
    return Section("actions", "What to do", tuple(sentences), (table,) if rows else ())


_Served = Mapping[tuple[str, str], Mapping[int, tuple[float, float]]]


def _divided(served: _Served, untouched: set[str]) -> tuple[_Served, _Served]:
    """What segments and options are served, without and with the segments for which no option does anything."""
    return (
        {way: served[way] for way in served if way[0] not in untouched},
        {way: served[way] for way in served if way[0] in untouched},
    )


def _columns(units: Units) -> tuple[Column, ...]:
    return (
        Column("lever", "decision"),
        Column("option", "option"),
        Column("who", "for whom"),
        Column("periods", f"{units.period}s", PERIODS),
        Column("share", "share of them", SHARE),
        Column("customers", f"customers a {units.period}", NUMBER),
    )


def _size(row: tuple[Cell, ...]) -> float:
    """The most customers in a period whom a row is about."""
    return row[-1].high if isinstance(row[-1], Range) else 0.0


def _lever_rows(
    run: RunRecord,
    lever: Mapping[str, Any],
    served: Mapping[tuple[str, str], Mapping[int, tuple[float, float]]],
    present: set[str],
) -> list[tuple[Cell, ...]]:
    ways: dict[_Way, _Group] = defaultdict(_Group)
    for (segment, option), by_period in served.items():
        base = option == lever["base"]
        before = lever["today"].get(segment, {lever["base"]: 1.0}).get(option, 0.0)
        changed = [
            period
            for period, (_, share) in by_period.items()
            if abs(share - before) > SMALLEST_SHARE and not (base and share < before)
        ]
        for first, last in spans(changed):
            shares = [round(by_period[period][1], SHARE_DIGITS) for period in range(first, last + 1)]
            group = ways[
                option, first, last, min(shares), max(shares), *_price_changes(lever, segment, option)
            ]
            group.members.add(segment)
            for period in range(first, last + 1):
                group.customers[period] += by_period[period][0]
    rows: list[tuple[Cell, ...]] = []
    for (option, first, last, low, high, *prices), group in sorted(ways.items()):
        counts = group.customers.values()
        rows.append(
            (
                lever["name"],
                _option_words(option, *prices),
                _who(run, lever, group.members, present),
                Range(first, last),
                Range(low, high),
                Range(min(counts), max(counts)),
            )
        )
    return rows


def _price_changes(lever: Mapping[str, Any], segment: str, option: str) -> tuple[float, float]:
    """By what fraction the option changes the price of those who come to it, the least and the most: against each
    option on which some of the segment's customers are today."""
    prices: Mapping[str, float] = lever["options"]
    today = lever["today"].get(segment, {lever["base"]: 1.0})
    left = [each for each, share in today.items() if share > SMALLEST_SHARE and each != option]
    price = 1.0 + prices.get(option, 0.0)
    # From a price of nothing there is no fraction.
    paid = [own for own in (1.0 + prices.get(each, 0.0) for each in left) if own > 0.0]
    changes = [round(price / own - 1.0, PRICE_DIGITS) for own in paid]
    return min(changes, default=0.0), max(changes, default=0.0)


def _option_words(option: str, low: float, high: float) -> str:
    """The option, with what it does to the price of those who come to it."""
    if not low and not high:
        return option
    ends = [f"{'+' if each > 0 else '-' if each < 0 else ''}{percent(abs(each))}" for each in (low, high)]
    return f"{option} (price {ends[0] if low == high else ' to '.join(ends)})"


def _who(run: RunRecord, lever: Mapping[str, Any], members: set[str], present: set[str]) -> str:
    """Segments in words: everybody, the groups of the lever where they are whole, else the segments' names."""
    if members == present:
        return EVERYBODY if len(present) > 1 else names(sorted(members))
    portfolio = run.facts["portfolio"]
    column = portfolio["groupings"].get(lever["scope"])
    if column is None:
        return names(sorted(members))
    group_of = dict(zip(portfolio["segments"], column, strict=True))
    groups = {group_of[segment] for segment in members}
    if {segment for segment in present if group_of[segment] in groups} != members:
        return names(sorted(members))
    return f"{lever['scope']} " + names(sorted(groups))


def _purchases(run: RunRecord, units: Units) -> list[str]:
    """One sentence a resource of which extra capacity is bought."""
    bought: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in run.table("resources"):
        if row["extra"] and (extra := number(run, "resources", row, "extra")) > 1e-6:
            bought[row["resource"], row["unit"]][int(number(run, "resources", row, "period"))] = extra
    sentences = []
    for (resource, unit), by_period in bought.items():
        parts = []
        for first, last in spans(list(by_period)):
            values = [by_period[period] for period in range(first, last + 1)]
            parts.append(f"{amount(Range(min(values), max(values)))} in {units.when(first, last)}")
        sentences.append(f"Buy extra {resource} ({unit or 'units'}): {names(parts)}.")
    return sentences
