"""Actuals against a plan in words and tables: in comes `Monitoring`, out goes `Explanation`."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from cpm_opt.report.chart import Steps
from cpm_opt.report.explanation import NUMBER, Cell, Column, Explanation, Section, Table
from cpm_opt.report.monitoring_forecasts import again_section, forecast_section
from cpm_opt.report.monitoring_position import position_section
from cpm_opt.report.words import Units, amount, counted, names, percent
from cpm_opt.study.monitor.money import Bridge
from cpm_opt.study.monitor.monitor import Monitoring
from cpm_opt.study.monitor.roll import MODEL_FILE, Rolled
from cpm_opt.study.monitor.variance import BEFORE_FLEXIBLE, Variance

STEP_WORDS = {
    "volume": "number of customers at the start",
    "mix": "mix of segments at the start",
    "migration": "customers who moved or left otherwise before",
    "choices": "options other than planned",
    "purchases": "how much each customer bought",
    "price": "revenue a customer",
    "product cost": "product cost",
    "margin": "margin a customer (price and product cost)",
    "efficiency": "use of resources",
    "capacity": "capacity that was there or bought",
    "spending": "prices paid for resources, options and changes",
    "other": "costs that no plan foresaw",
}
VALUE_WORDS = {
    "start": "customers at the start",
    "choices": "options other than planned",
    "arrivals": "customers who came from outside",
    "migration": "customers who moved or left otherwise",
}
PRICED = "price paid a unit"
FIRM = "the firm as a whole"
NO_UNIT = 1e-12


def units_of(monitoring: Monitoring) -> Units:
    """Money and periods of the plan in words."""
    p = monitoring.plan.portfolio
    return Units.of_portfolio(p)


def monitoring_report(monitoring: Monitoring, rolled: Rolled | None = None) -> Explanation:
    """The whole report: what was earned and why, who is there, what failed as a forecast, where the firm stands."""
    units = units_of(monitoring)
    numbers = [each.number for each in monitoring.periods]
    when = units.when(numbers[0], numbers[-1]) if len(numbers) > 1 else units.when(numbers[0], numbers[0])
    sections = [
        _earned(monitoring, units),
        *([_periods(monitoring, units)] if len(numbers) > 1 else []),
        _segments(monitoring.variances[-1], monitoring, units),
        _value(monitoring, units),
        again_section(monitoring, units),
        forecast_section(monitoring, units),
        position_section(monitoring, units),
        *([_rolled(rolled, units)] if rolled is not None else []),
    ]
    title = f"{monitoring.plan.portfolio.title}: {when} against the plan"
    return Explanation(monitoring.plan.record.id, "monitored", title, tuple(sections))


def step_words(monitoring: Monitoring, step: str) -> str:
    """A variance as a reader sees it."""
    return PRICED if step == "price" and monitoring.volume is not None else STEP_WORDS[step]


def _favourable(value: float) -> str:
    return "favourable" if value > 0 else "adverse" if value < 0 else ""


def _earned(monitoring: Monitoring, units: Units) -> Section:
    found = monitoring.variances[-1]
    bridge = found.profit
    planned, actual = float(bridge.planned), float(bridge.actual)
    gap = actual - planned
    when = units.when(found.period, found.period)
    more = (
        "as planned" if not gap else f"{units.worth(abs(gap))} {'more' if gap > 0 else 'less'} than planned"
    )
    share = f" ({percent(abs(gap) / abs(planned))})" if gap and abs(planned) > NO_UNIT else ""
    what = "profit was" if found.complete else "profit, as far as it is known, was"
    sentences = [f"In {when} the {what} {units.worth(actual)}: {more}{share}."]
    steps = {name: float(step) for name in bridge.steps if (step := bridge.total(name)) is not None}
    causes = sorted((name for name in steps if steps[name]), key=lambda name: (-abs(steps[name]), name))[:3]
    if causes:
        told = [f"{step_words(monitoring, name)} ({_signed(steps[name], units)})" for name in causes]
        sentences.append(f"What counted most: {names(told)}.")
    budget = float(bridge.money(sum(found.flexible)))
    if any(steps.get(name) for name in BEFORE_FLEXIBLE):
        sentences.append(
            f"The customers who were there, on what they were on, should have brought {units.worth(budget)} "
            "(the flexible budget)."
        )
    if found.assumed:
        sentences.append(f"Not delivered, so taken at the standard: {'; '.join(found.assumed)}.")
    if found.unsplit:
        sentences.append(f"Not delivered, so not split: {'; '.join(found.unsplit)}.")
    rows: list[tuple[Cell, ...]] = [("", "planned profit", None, planned, "")]
    total = planned
    for name in bridge.steps:
        if bridge.steps[name] is None and _needless(bridge, name):
            continue
        amount_of = steps.get(name)
        total += amount_of or 0.0
        if amount_of is None:
            rows.append((name, step_words(monitoring, name), "not known", None, ""))
        else:
            rows.append((name, step_words(monitoring, name), amount_of, total, _favourable(amount_of)))
        if name == "choices":
            rows.append(("", "flexible budget", None, budget, ""))
    rows.append(
        ("", "actual profit" if found.complete else "actual profit, as far as known", None, actual, "")
    )
    columns = (
        Column("variance", "variance"),
        Column("meaning", "what it is"),
        Column("amount", "effect on profit", NUMBER, units.money),
        Column("total", "profit so far", NUMBER, units.money),
        Column("sign", "for or against"),
    )
    tables = (Table("variance", columns, tuple(rows)), *_pieces(found, units))
    return Section("earned", f"What {when} earned", tuple(sentences), tables)


def _pieces(found: Variance, units: Units) -> list[Table]:
    """Which costs make up `spending` and `other`, the largest effects first, each with what they come to."""
    rows: list[tuple[Cell, ...]] = []
    for step in dict.fromkeys(each.step for each in found.pieces):
        mine = [each for each in found.pieces if each.step == step and each.cents]
        for each in sorted(mine, key=lambda each: (-abs(each.cents), each.cost, each.item)):
            effect = float(found.profit.money(each.cents))
            rows.append((step, each.cost, each.item, each.standard, each.paid, effect))
        if len(mine) > 1:
            rows.append((step, "in all", "", None, None, _number(found.profit, step)))
    columns = (
        Column("variance", "variance"),
        Column("cost", "cost"),
        Column("item", "item"),
        Column("standard", "should have been", NUMBER, units.money),
        Column("paid", "was", NUMBER, units.money),
        Column("amount", "effect on profit", NUMBER, units.money),
    )
    return [Table("pieces", columns, tuple(rows), 20, "--json")] if rows else []


def _needless(bridge: Bridge, name: str) -> bool:
    """Whether a variance that is not known need not be told: another one holds it, or there was nothing to it."""
    return name == "migration" or (
        name in ("price", "product cost") and bridge.steps.get("margin") is not None
    )


def _signed(value: float, units: Units) -> str:
    return f"{'+' if value > 0 else '-'}{units.worth(abs(value))}"


def _periods(monitoring: Monitoring, units: Units) -> Section:
    """Each period's variances beside each other, and their sums."""
    steps = [name for name in monitoring.variances[-1].profit.steps if _any(monitoring, name)]
    columns = [
        Column("period", units.period, NUMBER),
        Column("planned", "planned profit", NUMBER, units.money),
        *(Column(name, name, NUMBER) for name in steps),
        Column("actual", "actual profit", NUMBER, units.money),
    ]
    rows: list[tuple[Cell, ...]] = []
    for each in monitoring.variances:
        middle = [_number(each.profit, name) for name in steps]
        rows.append((each.period, float(each.profit.planned), *middle, float(each.profit.actual)))
    sums = [
        float(
            sum(
                (each.profit.total(name) or Decimal(0)) if name in each.profit.steps else Decimal(0)
                for each in monitoring.variances
            )
        )
        for name in steps
    ]
    first = float(sum(each.profit.planned for each in monitoring.variances))
    last = float(sum(each.profit.actual for each in monitoring.variances))
    rows.append(("in all", first, *sums, last))
    return Section(
        "periods", f"All {units.period}s so far", (), (Table("periods", tuple(columns), tuple(rows)),)
    )


def _any(monitoring: Monitoring, name: str) -> bool:
    return any(any(each.profit.steps.get(name) or ()) for each in monitoring.variances)


def _number(bridge: Bridge, name: str) -> float | None:
    total = bridge.total(name) if name in bridge.steps else None
    return None if total is None else float(total)


def _segments(found: Variance, monitoring: Monitoring, units: Units) -> Section:
    """The same steps by segment; columns in which all is 0 are left out."""
    bridge = found.profit
    steps = [name for name, parts in bridge.steps.items() if parts is not None and any(parts)]
    columns = [
        Column("segment", "segment"),
        Column("planned", "planned", NUMBER),
        *(Column(name, name, NUMBER) for name in steps),
        Column("actual", "actual", NUMBER),
    ]
    labels = (*monitoring.plan.portfolio.segments, FIRM)
    rows: list[tuple[Cell, ...]] = []
    for k, label in enumerate(labels):
        cents = [
            bridge.start[k],
            *(parts[k] for name in steps if (parts := bridge.steps[name])),
            bridge.end[k],
        ]
        if any(cents):
            rows.append((label, *(float(bridge.money(each)) for each in cents)))
    rows.append(
        ("in all", float(bridge.planned), *(_number(bridge, name) for name in steps), float(bridge.actual))
    )
    sentence = (
        f"All in {units.money}. A segment's profit is its margin less the resources it uses at the plan's prices and "
        "the cost of changing; what is bought and paid for all is the firm's."
    )
    return Section("segments", "By segment", (sentence,), (Table("by_segment", tuple(columns), tuple(rows)),))


def _value(monitoring: Monitoring, units: Units) -> Section:
    last, bridge = monitoring.last, monitoring.value
    when = units.when(last.number, last.number)
    title = f"Customers at the end of {when}"
    if bridge is None:
        return Section("customers", title, ("How many customers were there at the end was not delivered.",))
    gap = float(bridge.actual) - float(bridge.planned)
    sentences = [
        _there(monitoring),
        f"Under the rest of the plan they are worth {units.worth(float(bridge.actual))}, "
        + (
            "as planned."
            if not gap
            else f"{units.worth(abs(gap))} {'more' if gap > 0 else 'less'} than planned."
        ),
    ]
    if monitoring.value_assumed:
        sentences.append(f"Not delivered: {'; '.join(monitoring.value_assumed)}.")
    rows: list[tuple[Cell, ...]] = [("", "planned worth", None, float(bridge.planned))]
    total = float(bridge.planned)
    for name in bridge.steps:
        step = _number(bridge, name)
        total += step or 0.0
        rows.append(
            (name, VALUE_WORDS[name], "not known" if step is None else step, None if step is None else total)
        )
    rows.append(("", "actual worth", None, float(bridge.actual)))
    columns = (
        Column("variance", "variance"),
        Column("meaning", "what it is"),
        Column("amount", "effect on worth", NUMBER, units.money),
        Column("total", "worth so far", NUMBER, units.money),
    )
    return Section("customers", title, tuple(sentences), (Table("value", columns, tuple(rows)),))


def _there(monitoring: Monitoring) -> str:
    """How many customers there were at the end beside those planned, of the segments that were delivered."""
    last, p = monitoring.last, monitoring.plan.portfolio
    told = p.active & ~np.isnan(last.end)
    planned = float(monitoring.plan.recount.customers[told, last.t + 1].sum())
    counts = f"there were {amount(float(last.end[told].sum()))} customers; planned were {amount(planned)}."
    if bool(told[p.active].all()):
        return counts[:1].upper() + counts[1:]
    if not told.any():
        return "Of no segment of customers was it delivered how many there were."
    segments = [name for name, known in zip(p.segments, told.tolist(), strict=True) if known]
    return f"In {names(segments)}, {len(segments)} of {int(p.active.sum())} segments, {counts}"


def _rolled(rolled: Rolled, units: Units) -> Section:
    left = counted(rolled.periods_left, units.period)
    sentences = [
        f"The instance of {units.period} {rolled.first} is in {rolled.folder}; {left} of the old plan "
        f"{'is' if rolled.periods_left == 1 else 'are'} left."
    ]
    if rolled.periods_left:
        sentences.append(
            f"Plan the rest anew: cpm solve {rolled.folder} --model {rolled.folder / MODEL_FILE}"
        )
    sentences.append(f"Plan the instance's own horizon: cpm solve {rolled.folder}")
    return Section("rolled", "The next instance", (*sentences, *rolled.notes))


def monitoring_charts(monitoring: Monitoring) -> list[Steps]:
    """From planned to actual profit of the last period as a waterfall, and the customers' worth where it is known."""
    units = units_of(monitoring)
    when = units.when(monitoring.last.number, monitoring.last.number)
    found = monitoring.variances[-1].profit
    charts = [_chart(f"Planned and actual profit of {when}", units, found, "profit")]
    if monitoring.value is not None:
        charts.append(
            _chart(f"Worth of the customers at the end of {when}", units, monitoring.value, "worth")
        )
    return charts


def _chart(title: str, units: Units, bridge: Bridge, what: str) -> Steps:
    steps = tuple(
        (name, float(total)) for name in bridge.steps if (total := bridge.total(name)) is not None and total
    )
    first, last = (f"planned {what}", float(bridge.planned)), (f"actual {what}", float(bridge.actual))
    return Steps(title, units.money, first, steps, last)
