"""Where the firm stands after a period: rules, concentration, resources, cash and scenarios, in words and tables."""

from __future__ import annotations

from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Section, Table
from cpm_opt.report.words import Units, names, percent
from cpm_opt.study.monitor.exposure import Exposure
from cpm_opt.study.monitor.monitor import Monitoring

SENSES = {"max": "at most", "min": "at least"}


def position_section(monitoring: Monitoring, units: Units) -> Section:
    """Exposure now, as sentences and tables; nothing is told that was not computed."""
    found = monitoring.exposure
    sentences = [
        *_rules_told(found),
        *_concentration_told(found),
        *_idle_told(found, units),
        *_cash_told(found, units),
    ]
    sentences += _scenarios_told(found)
    tables = [_concentration(found), _resources(found), _rules(found, units), _scenarios(found)]
    return Section(
        "position",
        "Where the firm stands now",
        tuple(sentences),
        tuple(table for table in tables if table.rows),
    )


def _rules_told(found: Exposure) -> list[str]:
    if not found.rules:
        return []
    broken = [f"{row.rule} {row.subject}".strip() for row in found.rules if not row.kept]
    told = [f"{'Rules' if len(broken) > 1 else 'A rule'} not kept: {names(broken)}."]
    if not broken:
        kept = f"All {len(found.rules)} rules" if len(found.rules) > 1 else "The only rule"
        told = [f"{kept} on balance and concentration {'were' if len(found.rules) > 1 else 'was'} kept."]
    if not all(row.delivered for row in found.rules):
        told.append("Where what a rule measures was not delivered, it is judged by the plan's rates.")
    return told


def _concentration_told(found: Exposure) -> list[str]:
    told = []
    for row in found.concentration:
        planned, actual = row.share
        if actual is not None and planned is not None:
            told.append(
                f"The largest segment by {row.measure} is {row.largest}, with {percent(actual)} of it (planned "
                f"{percent(planned)})."
            )
        elif row.measure == "margin":
            told.append("Shares of margin say nothing: some segments bring a loss.")
    return told


def _idle_told(found: Exposure, units: Units) -> list[str]:
    over = [row.resource for row in found.resources if row.headroom is not None and row.headroom < 0.0]
    told = [f"More was used than may be: {names(over)}."] if over else []
    idle = [
        (row.idle_cost, row.resource) for row in found.resources if row.idle_cost > 1e-6 * max(1.0, row.used)
    ]
    return told + [
        f"Capacity of {name} that stood idle cost {units.worth(cost)}."
        for cost, name in sorted(idle, reverse=True)
    ]


def _cash_told(found: Exposure, units: Units) -> list[str]:
    planned, actual = found.cash
    if actual is None:
        return [
            f"Planned cash of the period: {units.worth(planned)}; the actual cash was not delivered, or not all of it."
        ]
    gap = actual - planned
    more = (
        "as planned"
        if abs(gap) < 1e-6 * max(1.0, abs(planned))
        else f"{units.worth(abs(gap))} {'more' if gap > 0 else 'less'} than planned"
    )
    return [f"Cash of the period: {units.worth(actual)}, {more}."]


def _scenarios_told(found: Exposure) -> list[str]:
    if not found.scenarios:
        return []
    told = []
    near = [row for row in found.scenarios if row.distance is not None]
    if near:
        closest = min(near, key=lambda row: (row.distance, row.scenario))
        told.append(
            f"The margins look most like scenario {closest.scenario}: {percent(closest.distance or 0.0)} away from it."
        )
    if any(row.posterior is not None for row in found.scenarios):
        likeliest = max(found.scenarios, key=lambda row: (row.posterior or 0.0, row.scenario))
        told.append(
            f"By Bayes' rule on counts and margins with standard errors, {likeliest.scenario} is the most probable "
            f"now: {percent(likeliest.posterior or 0.0)}."
        )
    else:
        told.append(
            "New probabilities cannot be given: where scenarios differ, the tables do not say how far figures spread."
        )
    return told


def _concentration(found: Exposure) -> Table:
    columns = (
        Column("measure", "concentration of"),
        Column("largest", "largest segment"),
        Column("share_planned", "its share, planned", SHARE),
        Column("share", "actual", SHARE),
        Column("top_planned", "three largest, planned", SHARE),
        Column("top", "actual", SHARE),
        Column("index_planned", "Herfindahl index, planned", NUMBER),
        Column("index", "actual", NUMBER),
    )
    rows = tuple((row.measure, row.largest, *row.share, *row.top, *row.index) for row in found.concentration)
    return Table("concentration", columns, rows)


def _resources(found: Exposure) -> Table:
    columns = (
        Column("resource", "resource"),
        Column("unit", "unit"),
        Column("planned", "use planned", NUMBER),
        Column("expected", "use expected", NUMBER),
        Column("actual", "use", NUMBER),
        Column("capacity", "capacity", NUMBER),
        Column("utilisation", "utilisation", SHARE),
        Column("headroom", "headroom", NUMBER),
    )
    rows: list[tuple[Cell, ...]] = []
    for row in found.resources:
        used = "not delivered" if row.actual is None else row.actual
        there = "unlimited" if row.capacity is None else row.capacity
        rows.append(
            (row.resource, row.unit, row.planned, row.expected, used, there, row.utilisation, row.headroom)
        )
    return Table("resources", columns, tuple(rows))


def _rules(found: Exposure, units: Units) -> Table:
    columns = (
        Column("rule", "rule"),
        Column("planned", "planned", NUMBER),
        Column("actual", "actual", NUMBER),
        Column("sense", ""),
        Column("limit", "limit", NUMBER),
        Column("unit", "unit"),
        Column("kept", "kept"),
        Column("judged_by", "judged by"),
    )
    rows = tuple(
        (
            f"{row.rule} {row.subject}".strip(),
            row.planned,
            row.actual,
            SENSES[row.sense],
            row.limit,
            units.unit(row.unit),
            "yes" if row.kept else "no",
            "actuals" if row.delivered else "the plan's rates",
        )
        for row in found.rules
    )
    return Table("rules", columns, rows)


def _scenarios(found: Exposure) -> Table:
    columns = (
        Column("scenario", "scenario"),
        Column("prior", "probability before", SHARE),
        Column("posterior", "probability now", SHARE),
        Column("distance", "margins away from it", SHARE),
    )
    rows = tuple((row.scenario, row.prior, row.posterior, row.distance) for row in found.scenarios)
    return Table("scenarios", columns, rows)
