"""The tables of a run folder, as rows of text in a fixed order: equal plans give equal bytes.

Numbers are rounded to 9 decimals and written in their shortest form; what is not there (no limit, no price) is blank.
Customers are at the start of a period; margin and cash are undiscounted, in the tables' own money.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.faults import DefectError
from cpm_opt.runs.columns import CHOICES, PARTS, PLAN, RESOURCES, RULES, SCENARIOS, SEGMENTS, WATERFALL
from cpm_opt.runs.facts import scenario_facts
from cpm_opt.runs.money import unit_words
from cpm_opt.runs.prices import CAPACITY, reader_prices
from cpm_opt.runs.waterfall import parted, waterfall
from cpm_opt.solve.by_segment import by_segment
from cpm_opt.solve.recount import doing_nothing

if TYPE_CHECKING:
    from cpm_opt.portfolio.portfolio import Numbers
    from cpm_opt.runs.facts import RunFacts
    from cpm_opt.solve.by_segment import Posting
    from cpm_opt.solve.plan import Decisions, Plan, Recount

DECIMALS = 9
NO_PRICE = (None, None, None)

Cell = str | int | float | None
Row = Sequence[Cell]
Parts = Mapping["Posting", "Numbers"]


def sheets(plan: Plan, facts: RunFacts) -> dict[str, str]:
    """The text of each CSV file of the run by its name without `.csv`; the plan must be one that may be shown."""
    decisions, recount = plan.decisions, plan.recount
    if decisions is None or recount is None:
        raise DefectError("a plan without decisions was to be written")
    p, (today, end) = plan.portfolio, _expected(plan, recount)
    parts = parted(today, end, _parts(plan, decisions, recount), p.segments, p.money_unit)
    measures = sorted(set(recount.flows) - set(SEGMENTS))
    outcomes = [tuple(each[name] for name in SCENARIOS) for each in scenario_facts(plan)]
    return {
        **({"scenarios": csv_text(SCENARIOS, outcomes)} if outcomes else {}),  # type: ignore[arg-type]
        "plan": csv_text(PLAN, _plan_rows(plan, decisions, recount)),
        "segments": csv_text(
            (*SEGMENTS, *measures), _segment_rows(plan, recount, ["margin", "cash", *measures])
        ),
        "resources": csv_text(RESOURCES, _resource_rows(plan, decisions, recount, facts)),
        "choices": csv_text(CHOICES, _choice_rows(plan, decisions)),
        "rules": csv_text(RULES, _rule_rows(plan, recount)),
        "waterfall": csv_text(WATERFALL, waterfall(today, end, p.money_unit)),
        "waterfall_parts": csv_text(PARTS, parts),
    }


def _expected(plan: Plan, recount: Recount) -> tuple[Recount, Recount]:
    """Today and the plan with the means of their postings over scenarios; as they are, where nothing is uncertain."""
    if not plan.scenarios:
        return plan.today, recount

    def mean(each: Sequence[Recount], of: Recount) -> Recount:
        chances = [scenario.probability for scenario in plan.scenarios]
        keys = sorted({key for one in each for key in one.money})
        none = np.zeros(plan.portfolio.periods)
        money = {
            key: sum((p * one.money.get(key, none) for p, one in zip(chances, each, strict=True)), none)
            for key in keys
        }
        return replace(
            of, money=money, profit=sum(p * one.profit for p, one in zip(chances, each, strict=True))
        )

    todays, ends = [each.today for each in plan.scenarios], [each.recount for each in plan.scenarios]
    return mean(todays, plan.today), mean(ends, recount)


def _parts(plan: Plan, decisions: Decisions, recount: Recount) -> tuple[Parts, Parts]:
    """Whose money the postings of today and of the plan are; means over scenarios, where there are any."""
    if not plan.scenarios:
        p = plan.portfolio
        return by_segment(p, doing_nothing(p), plan.today), by_segment(p, decisions, recount)

    def mean(each: Sequence[Parts]) -> Parts:
        chances = [scenario.probability for scenario in plan.scenarios]
        none = np.zeros(len(plan.portfolio.segments) + 1)
        keys = sorted({key for one in each for key in one})
        return {
            key: sum((p * one.get(key, none) for p, one in zip(chances, each, strict=True)), none)
            for key in keys
        }

    cases = plan.scenarios
    todays = [by_segment(case.portfolio, doing_nothing(case.portfolio), case.today) for case in cases]
    return mean(todays), mean([by_segment(case.portfolio, case.decisions, case.recount) for case in cases])


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """A CSV document: header and rows, quoted where needed, lines ended by a line feed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([number_text(cell) if isinstance(cell, float) else cell for cell in row] for row in rows)
    return out.getvalue()


def number_text(value: float) -> str:
    """A number rounded to 9 decimals in its shortest form (`12`, `0.5`); blank where it is not finite."""
    if not math.isfinite(value):
        return ""
    rounded = round(float(value), DECIMALS)
    if rounded == int(rounded) and abs(rounded) < 1e15:
        return str(int(rounded))
    return repr(rounded)


def _plan_rows(plan: Plan, decisions: Decisions, recount: Recount) -> Iterator[Row]:
    p = plan.portfolio
    on = np.round(decisions.customers_on, DECIMALS).transpose(0, 2, 1)
    levers = [p.levers[lever].name for lever in p.lever_of.tolist()]
    for segment, period, option in np.argwhere(on > 0.0).tolist():
        customers = float(on[segment, period, option])
        present = float(recount.customers[segment, period])
        share = customers / present if present > 0.0 else 0.0
        yield p.segments[segment], period + 1, levers[option], p.options[option], customers, share


def _segment_rows(plan: Plan, recount: Recount, measures: Sequence[str]) -> Iterator[Row]:
    p = plan.portfolio
    flows = [recount.flows.get(measure) for measure in measures]
    for segment, name in enumerate(p.segments):
        for period in range(p.periods + 1):
            values: list[Cell] = [
                None if flow is None or period == p.periods else float(flow[segment, period])
                for flow in flows
            ]
            yield name, period + 1, float(recount.customers[segment, period]), *values


def _resource_rows(plan: Plan, decisions: Decisions, recount: Recount, facts: RunFacts) -> Iterator[Row]:
    p, r = plan.portfolio, plan.portfolio.resources
    limited, prices = facts.has_component(CAPACITY), reader_prices(plan)
    for resource, name in enumerate(r.names):
        for period in range(p.periods):
            capacity, extra = float(r.capacity[resource, period]), float(decisions.extra[resource, period])
            limit = float(r.max_utilisation[resource, period]) * (capacity + extra)
            bounds: tuple[Cell, ...] = (capacity, extra, limit) if limited else (None, None, None)
            price: tuple[Cell, ...] = prices.get((CAPACITY, name, period + 1), NO_PRICE)
            yield name, r.units[resource], period + 1, float(recount.use[resource, period]), *bounds, *price


def _choice_rows(plan: Plan, decisions: Decisions) -> Iterator[Row]:
    p = plan.portfolio
    singles = [number for number, lever in enumerate(p.levers) if lever.single]
    rows = [
        (group, period + 1, p.levers[number].name, p.options[int(decisions.chosen[number][position, period])])
        for number in singles
        for position, group in enumerate(p.levers[number].groups)
        for period in range(p.periods)
    ]
    yield from sorted(rows)


def _rule_rows(plan: Plan, recount: Recount) -> Iterator[Row]:
    prices, resources = reader_prices(plan), set(plan.portfolio.resources.names)
    for row in sorted(recount.rows, key=lambda row: row.key):
        if row.rule == CAPACITY and row.subject in resources:  # these are in the table of resources
            continue
        sides = (float(row.value), row.sense, float(row.limit), float(row.slack))
        price: tuple[Cell, ...] = prices.get(row.key, NO_PRICE)
        unit = unit_words(plan.portfolio, row.unit)
        ratios = [
            ratio if row.basis == basis else None
            for basis in ("share", "mean")
            for ratio in (row.ratio, row.stated)
        ]
        yield row.rule, row.subject, row.period, *sides, unit, row.penalty, *price, *ratios
