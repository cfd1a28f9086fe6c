"""Actuals made from a plan: exactly as planned, or drawn at random around it; written as a controller would."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cpm_opt.formulation.audit import newly_chosen
from cpm_opt.study.monitor.plan import PlannedRun
from cpm_opt.study.monitor.settled import planned_shares
from cpm_opt.study.monitor.standards import change_costs, flow_of, moves_of, use_of

Rows = list[dict[str, Any]]


def as_planned(plan: PlannedRun, t: int) -> dict[str, Rows]:
    """The actuals of period t (0-based) if all came as planned, to the last digit."""
    p, r = plan.portfolio, plan.portfolio.resources
    n, on = plan.recount.customers[:, t], plan.decisions.customers_on[:, :, t]
    ends = plan.recount.customers[:, t + 1]
    rates = moves_of(p, t, planned_shares(plan, t), newly_chosen(p, plan.decisions)[:, :, t])
    tables: dict[str, Rows] = {
        "actual_customers": [
            {"segment": name, "start": n[s], "end": ends[s], "arrivals": p.arrivals[s, t]}
            for s, name in enumerate(p.segments)
        ],
        "actual_moves": [
            {"from": name, "to": (*p.segments, "")[target], "customers": n[s] * rates[s, target]}
            for s, name in enumerate(p.segments)
            for target in np.flatnonzero(rates[s] > 0.0).tolist()
        ],
        "actual_choices": [
            {
                "segment": name,
                "lever": p.levers[p.lever_of[o]].name,
                "option": p.options[o],
                "customers": on[s, o],
            }
            for s, name in enumerate(p.segments)
            for o in range(len(p.options))
            if on[s, o] > 0.0
        ],
        "actual_results": [
            {"segment": name, **{m: flow_of(p, m, t, n, on)[s] for m in ("revenue", "margin", "cash")}}
            for s, name in enumerate(p.segments)
        ],
    }
    if plan.has("capacity"):
        use = use_of(p, t, n, on).sum(axis=1)
        there = np.where(np.isfinite(r.capacity[:, t]), r.capacity[:, t], 0.0)
        extra = plan.decisions.extra[:, t]
        cost = r.unit_cost[:, t] * use + r.capacity_cost[:, t] * there + r.extra_cost[:, t] * extra
        tables["actual_use"] = [
            {"resource": name, "use": use[i], "capacity": there[i], "extra": extra[i], "cost": cost[i]}
            for i, name in enumerate(r.names)
        ]
    before = p.current if t == 0 else plan.decisions.customers_on[:, :, t - 1]
    changed = change_costs(plan, t, before, on).sum(axis=0)
    costs = [
        {"cost": "change cost", "item": lever.name, "amount": changed[d]} for d, lever in enumerate(p.levers)
    ]
    for source in ("fixed cost", "credit cost"):
        costs += [
            {"cost": source, "item": item, "amount": -flow[t]}
            for (posted, item), flow in plan.recount.money.items()
            if posted == source
        ]
    tables["actual_costs"] = costs
    return tables


def written(folder: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]], period: int = 1) -> Path:
    """The tables as files of a new folder, rows of this period."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        if not rows:
            continue
        columns = list(dict.fromkeys(["period", *(key for row in rows for key in row)]))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows(
                {"period": period, **{key: _cell(value) for key, value in row.items()}} for row in rows
            )
    return folder


def _cell(value: Any) -> Any:
    if isinstance(value, float) and (np.isnan(value) or abs(value) < 1e-9):
        return "" if np.isnan(value) else 0
    return repr(float(value)) if isinstance(value, float) else value
