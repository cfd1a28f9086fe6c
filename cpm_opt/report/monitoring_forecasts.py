"""Forecasts against what happened, and what to estimate again, in words and tables."""

from __future__ import annotations

from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Section, Table
from cpm_opt.report.words import Range, Units, amount, counted, percent
from cpm_opt.study.monitor.forecast import ARRIVALS, CUSTOMERS, LEFT, LEVEL, MARGIN, MOVE, USE, Forecast
from cpm_opt.study.monitor.monitor import Monitoring

SHOWN = 20
BASIS = {
    MOVE: "moves are counts: binomial, wider where the rate has a standard error",
    ARRIVALS: "arrivals are counts: Poisson",
    CUSTOMERS: "customers at the end: the spread of their moves",
    MARGIN: "margins: the standard errors of effects (margin_se) alone",
}


def forecast_words(row: Forecast) -> str:
    """A forecast's subject in words."""
    if row.kind == MOVE:
        if row.to == LEFT:
            return f"left from {row.subject}"
        return f"stayed in {row.subject}" if row.to == row.subject else f"{row.subject} to {row.to}"
    words = {
        ARRIVALS: "arrivals in",
        CUSTOMERS: "customers at the end in",
        MARGIN: "margin of",
        USE: "use of",
    }
    return f"{words[row.kind]} {row.subject}"


def again_section(monitoring: Monitoring, units: Units) -> Section:
    """What to estimate again, the dearest first, and how small a drift could have been seen."""
    tested = [each for each in monitoring.forecasts if each.p_value is not None]
    flagged = [each for each in monitoring.doubts if each.tested]
    sentences = []
    if flagged:
        sentences.append(
            f"{counted(len(flagged), 'estimate')} of {len(tested)} tested did not hold: chance is ruled out at "
            f"{percent(LEVEL)} over all that were tested (Holm)."
        )
    elif tested:
        sentences.append(
            f"None of {counted(len(tested), 'estimate')} that could be tested is contradicted "
            f"(at {percent(LEVEL)} over all of them, Holm)."
        )
    else:
        sentences.append(
            "Nothing could be tested: neither counts nor figures with standard errors were delivered."
        )
    if any(each.forecast.kind == MARGIN for each in flagged):
        sentences.append(
            "Margins are judged by the standard errors of effects alone: a flag says that these do not explain the "
            "difference. How far customers' own margins spread is not in the tables."
        )
    loose = [each for each in monitoring.doubts if not each.tested]
    if loose:
        are, spread = ("is", "it spreads") if len(loose) == 1 else ("are", "they spread")
        sentences.append(
            f"{counted(len(loose), 'more figure')} {are} off by more than {percent(monitoring.material)}, but the "
            f"tables do not say how far {spread}."
        )
    sentences += _power(tested, units, len(monitoring.periods))
    columns = (
        Column("what", "estimate again"),
        Column("error", "error", SHARE),
        Column("why", "why"),
        Column("stake", "at stake in the rest of the plan", NUMBER, units.money),
        Column("rows", "rows of the tables"),
    )
    rows: list[tuple[Cell, ...]] = []
    for doubt in monitoring.doubts:
        why = "beyond chance" if doubt.tested else f"over {percent(monitoring.material)}"
        off = doubt.forecast.relative_error
        rows.append(
            (
                forecast_words(doubt.forecast),
                "not foreseen" if off is None else off,
                why,
                doubt.stake,
                "; ".join(doubt.rows),
            )
        )
    tables = (Table("again", columns, tuple(rows), SHOWN),) if rows else ()
    return Section("again", "What to estimate again", tuple(sentences), tables)


def _power(tested: list[Forecast], units: Units, periods: int) -> list[str]:
    """How small a drift would have been noticed, for the largest of the moves that were tested."""
    moves = [
        each for each in tested if each.kind == MOVE and each.noticeable and each.base > 0 and each.spread
    ]
    if not moves:
        return []
    # By segment, the rate of which the smallest drift is seen: what can be noticed differs from rate to rate, too.
    finest: dict[str, Forecast] = {}
    for each in sorted(moves, key=lambda each: ((each.noticeable or 0.0) / each.base, each.subject, each.to)):
        finest.setdefault(each.subject, each)
    largest = max(finest.values(), key=lambda each: (each.base, each.subject))
    small = min(finest.values(), key=lambda each: (each.base, each.subject))

    def told(each: Forecast) -> str:
        drift = (each.noticeable or 0.0) / each.base * 100
        return f"{amount(drift)} percentage points ({forecast_words(each)})"

    little = f"One {units.period} shows" if periods == 1 else f"{periods} {units.period}s show"
    who = f"{largest.subject} ({amount(largest.base)} customers)"
    text = f"{little} little: the smallest drift of a rate that four cases of five would notice is, of "
    if small is largest:
        return [f"{text}{who}, {told(largest)}."]
    others = f"{small.subject} ({amount(small.base)} customers)"
    return [f"{text}the largest segment, {who}, {told(largest)}; of the smallest, {others}, {told(small)}."]


def forecast_section(monitoring: Monitoring, units: Units) -> Section:
    """Forecasts with their intervals: flagged ones first, then by the size of the error against its spread."""
    rows: list[tuple[Cell, ...]] = []
    for each in sorted(monitoring.forecasts, key=_rank):
        span = None if each.low is None or each.high is None else Range(each.low, each.high)
        rows.append(
            (
                forecast_words(each),
                units.unit(each.unit),
                each.planned,
                each.expected,
                span,
                each.actual,
                each.error,
                each.relative_error,
                _verdict(each),
            )
        )
    columns = (
        Column("forecast", "forecast"),
        Column("unit", "unit"),
        Column("planned", "planned", NUMBER),
        Column("expected", "expected", NUMBER),
        Column("interval", "95% interval", NUMBER),
        Column("actual", "actual", NUMBER),
        Column("error", "error", NUMBER),
        Column("relative_error", "error", SHARE),
        Column("verdict", "verdict"),
    )
    kinds = dict.fromkeys(each.kind for each in monitoring.forecasts if each.low is not None)
    sentences = ["Expected is what the plan's rates give for those who were there, on what they were on."]
    if kinds:
        sentences.append(f"What the intervals rest on: {'; '.join(BASIS[kind] for kind in kinds)}.")
    table = Table("forecasts", columns, tuple(rows), SHOWN, "--json")
    return Section("forecasts", "Forecasts", tuple(sentences), (table,) if rows else ())


def _rank(each: Forecast) -> tuple[bool, float, float, str, str]:
    p_value = 2.0 if each.p_value is None else each.p_value
    return (not each.flagged, p_value, -abs(each.relative_error or 0.0), each.subject, each.to)


def _verdict(each: Forecast) -> str:
    if each.flagged:
        return "does not hold"
    if each.low is None or each.high is None:
        return "no interval"
    return "within" if each.low <= each.actual <= each.high else "outside, may be chance"
