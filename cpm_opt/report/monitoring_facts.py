"""Actuals against a plan as one JSON-ready object: all figures, the money that adds up to the cent."""

from __future__ import annotations

from dataclasses import asdict

from cpm_opt.study.monitor.forecast import Forecast
from cpm_opt.study.monitor.money import Bridge
from cpm_opt.study.monitor.monitor import Monitoring
from cpm_opt.study.monitor.roll import Rolled
from cpm_opt.study.monitor.variance import Variance


def monitoring_facts(monitoring: Monitoring, rolled: Rolled | None = None) -> dict[str, object]:
    """The report's figures; what is not known is null. In `by_segment`, the blank name holds what is the firm's."""
    p, found = monitoring.plan.portfolio, monitoring.exposure
    segments = (*p.segments, "")
    return {
        "run": monitoring.plan.record.id,
        "currency": p.currency,
        "money_unit": p.money_unit,
        "periods": [_variance(each, segments) for each in monitoring.variances],
        "value": None
        if monitoring.value is None
        else {**_bridge(monitoring.value, segments), "assumed": list(monitoring.value_assumed)},
        "forecasts": [_forecast(each) for each in monitoring.forecasts],
        "estimate_again": [
            {**_forecast(each.forecast), "rows": list(each.rows), "stake": each.stake, "tested": each.tested}
            for each in monitoring.doubts
        ],
        "rules": [{**asdict(each), "room": each.room, "kept": each.kept} for each in found.rules],
        "concentration": [
            {
                "measure": each.measure,
                "largest": each.largest,
                **{
                    f"{name}{side}": value
                    for name, pair in (("share", each.share), ("top", each.top), ("index", each.index))
                    for side, value in zip(("_planned", ""), pair, strict=True)
                },
            }
            for each in found.concentration
        ],
        "resources": [
            {**asdict(each), "utilisation": each.utilisation, "headroom": each.headroom}
            for each in found.resources
        ],
        "cash": {"planned": found.cash[0], "actual": found.cash[1]},
        "scenarios": [asdict(each) for each in found.scenarios],
        "hashes": dict(monitoring.actuals.hashes),
        "rolled": None
        if rolled is None
        else {
            "folder": str(rolled.folder),
            "files": list(rolled.files),
            "first_period": rolled.first,
            "periods_left": rolled.periods_left,
            "notes": list(rolled.notes),
        },
    }


def _variance(found: Variance, segments: tuple[str, ...]) -> dict[str, object]:
    return {
        "period": found.period,
        **_bridge(found.profit, segments),
        "flexible": float(found.profit.money(sum(found.flexible))),
        "complete": found.complete,
        "assumed": list(found.assumed),
        "unsplit": list(found.unsplit),
        "pieces": [
            {
                "variance": each.step,
                "cost": each.cost,
                "item": each.item,
                "standard": each.standard,
                "paid": each.paid,
                "amount": float(found.profit.money(each.cents)),
            }
            for each in found.pieces
        ],
    }


def _bridge(bridge: Bridge, segments: tuple[str, ...]) -> dict[str, object]:
    totals = {name: bridge.total(name) for name in bridge.steps}
    return {
        "planned": float(bridge.planned),
        "actual": float(bridge.actual),
        "variances": {name: None if total is None else float(total) for name, total in totals.items()},
        "by_segment": [
            {
                "segment": segment,
                "planned": float(bridge.money(bridge.start[k])),
                **{
                    name: None if parts is None else float(bridge.money(parts[k]))
                    for name, parts in bridge.steps.items()
                },
                "actual": float(bridge.money(bridge.end[k])),
            }
            for k, segment in enumerate(segments)
        ],
    }


def _forecast(each: Forecast) -> dict[str, object]:
    return {**asdict(each), "error": each.error, "relative_error": each.relative_error}
