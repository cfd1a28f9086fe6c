"""Plans and actuals drawn at random, as arrays: cheap enough for a thousand of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cpm_opt.formulation.audit import Decisions, customers_of
from cpm_opt.formulation.components import Balance, Capacity, Switching
from cpm_opt.formulation.draft import Weights
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.portfolio.portfolio import Flow, Lever, Migration, MigrationEffects, Portfolio, Resources, Usage
from cpm_opt.runs import RunRecord
from cpm_opt.solve.recount import recount
from cpm_opt.study.monitor.actuals import ActualPeriod, Actuals
from cpm_opt.study.monitor.plan import PlannedRun
from tests.portfolio.small import INFO

RATE = 0.04
MIX, SINGLE = (0, 1, 2), (3, 4)


class NoPrices(RunRecord):
    """A run whose tables hold no shadow prices."""

    def table(self, name: str) -> list[dict[str, str]]:
        assert name == "resources"
        return []


def planned_run(
    portfolio: Portfolio, decisions: Decisions, frames: Mapping[str, Any] | None = None
) -> PlannedRun:
    """A plan that no solver made, with the components of capacity, balance and switching."""
    parts = {"capacity": Capacity(), "balance": Balance(), "switching": Switching()}
    spec = ModelSpec("m", "M", Horizon(portfolio.periods, RATE), components=parts)
    weights = Weights(1.0, 1.0, RATE)
    counted, facts, _ = recount(portfolio, decisions, tuple(parts.values()), weights)
    record = NoPrices(Path("none"))
    fixed = (portfolio, (), decisions, facts, counted)
    return PlannedRun(record, Path("none"), INFO, frames or {}, spec, *fixed)


def drawn_plan(rng: np.random.Generator, periods: int = 3) -> PlannedRun:
    """A portfolio of 2 to 5 segments with a `mix` and a `single` lever and two resources, and random decisions."""
    size = int(rng.integers(2, 6))
    names = tuple(f"s{k}" for k in range(size))
    shape = (size, periods)
    rates = rng.dirichlet(np.ones(size + 1) * 0.7, size)[:, :-1]
    source, target = (each.ravel() for each in np.indices(rates.shape))
    flow = Flow(rng.uniform(-5, 60, shape), rng.normal(0, 2, (size, 5, periods)))
    units = Flow(rng.uniform(1, 9, shape), np.zeros((size, 5, periods)))
    zero = np.zeros(0, dtype=np.int64)
    customers = rng.integers(0, 900, size) * rng.integers(0, 2, size) + rng.integers(0, 20, size) * 1.0
    current = np.zeros((size, 5))
    current[:, 0] = current[:, 3] = customers
    group_of = rng.integers(0, 2, size)
    use = np.indices((2, size, 6)).reshape(3, -1)
    levers = (
        Lever("care", "mix", "segment", 1, MIX, 0, names, np.arange(size)),
        Lever("price", "single", "tier", 1, SINGLE, 3, ("a", "b"), group_of),
    )
    portfolio = Portfolio(
        name="drawn",
        title="Drawn",
        currency="EUR",
        money_unit=float(rng.choice([1.0, 1000.0])),
        period_name="quarter",
        periods=periods,
        segments=names,
        kinds=tuple(rng.choice(["active", "active", "active", "lost"], size)),
        groupings={"tier": tuple("ab"[g] for g in group_of)},
        customers=customers,
        whole=np.zeros(size, dtype=bool),
        end_value=rng.uniform(0, 90, size),
        arrivals=rng.uniform(0, 9, shape),
        flows={
            "margin": flow,
            "revenue": replace(flow, per_customer=flow.per_customer * 2),
            "cash": flow,
            "units": units,
        },
        margin_se=rng.uniform(0, 0.3, (size, 5)),
        measure_units={"units": "pieces"},
        levers=levers,
        options=("a", "b", "c", "keep", "up"),
        lever_of=np.array([0, 0, 0, 1, 1]),
        offered=np.ones((size, 5), dtype=bool),
        current=current,
        price_change=np.array([0, 0, 0, 0, 0.1]),
        fixed_cost=rng.uniform(0, 9, (5, periods)),
        change_cost=rng.uniform(0, 2, (5, periods)),
        resources=_resources(rng, periods),
        usage=Usage(use[0], use[1], use[2] - 1, rng.uniform(-0.2, 1, (use.shape[1], periods))),
        migration=Migration(source, target, np.repeat(rates.ravel()[:, None], periods, axis=1), True),
        migration_effects=MigrationEffects(zero, zero, zero, zero.astype(bool), np.zeros((0, periods))),
        balance=(),
        ceiling=np.full((size, periods + 1), 1e6),
    )
    return planned_run(portfolio, drawn_decisions(rng, portfolio))


def _resources(rng: np.random.Generator, periods: int) -> Resources:
    costs = {name: rng.uniform(0, 4, (2, periods)) for name in ("unit_cost", "capacity_cost", "extra_cost")}
    return Resources(
        names=("hours", "vans"),
        units=("h", ""),
        capacity=rng.uniform(0, 999, (2, periods)),
        extra_capacity=np.full((2, periods), 50.0),
        max_utilisation=np.ones((2, periods)),
        repair_cost=np.full((2, periods), np.nan),
        lead_time=np.zeros((2, periods)),
        **costs,
    )


def drawn_decisions(rng: np.random.Generator, p: Portfolio) -> Decisions:
    """Shares and choices at random."""
    chosen = (np.zeros((0, p.periods), dtype=np.int64), rng.choice(SINGLE, (2, p.periods)))
    share = np.zeros((len(p.segments), 5, p.periods))
    share[:, :3] = rng.dirichlet(np.ones(3), (len(p.segments), p.periods)).swapaxes(1, 2)
    for o in SINGLE:
        share[:, o] = chosen[1][p.levers[1].group_of] == o
    on = np.zeros_like(share)
    extra = rng.uniform(0, 50, (2, p.periods))
    for t in range(p.periods):
        on[:, :, t] = share[:, :, t] * customers_of(p, Decisions(on, chosen, extra))[:, t, None]
    return Decisions(on, chosen, extra)


def drawn_actuals(rng: np.random.Generator, plan: PlannedRun, periods: int, lost: float) -> Actuals:
    """Periods 1 to `periods` as they might have been; each figure is absent with the chance `lost`."""
    p, size = plan.portfolio, len(plan.portfolio.segments)

    def some(values: np.ndarray) -> np.ndarray:
        return np.where(rng.random(values.shape) < lost, np.nan, values)

    found = []
    start = np.maximum(0.0, plan.recount.customers[:, 0] + rng.integers(-9, 60, size) * 1.0)
    for t in range(periods):
        moves = np.array([rng.multinomial(round(n), np.ones(size + 1) / (size + 1)) for n in start]) * 1.0
        arrivals = rng.integers(0, 30, size) * 1.0
        start = np.round(start)
        on = np.full((size, 5), np.nan)
        part = rng.dirichlet(np.ones(3), size) * start[:, None]
        told = rng.random((size, 2)) >= lost
        on[:, :3] = np.where(told[:, :1], part, np.nan)
        price = rng.choice(SINGLE, 2)[p.levers[1].group_of]
        on[:, 3:] = np.where(told[:, 1:], (np.array(SINGLE)[None] == price[:, None]) * start[:, None], np.nan)
        end = moves[:, :-1].sum(axis=0) + arrivals
        silent = rng.random() < lost
        costs = {
            ("fixed cost", "price"): 9.5,
            ("change cost", "care"): 12.0,
            ("change cost", "price"): 1.25,
            ("other", "x"): 7.77,
        }
        found.append(
            ActualPeriod(
                period=t + 1,
                start=start.copy(),
                end=end,
                arrivals=np.full(size, np.nan) if silent else arrivals,
                moves=np.full_like(moves, np.nan) if silent else moves,
                on=on,
                results={
                    name: some(rng.uniform(-99, 9999, size))
                    for name in ("revenue", "margin", "cash", "units")
                },
                use=some(rng.uniform(0, 999, 2)),
                capacity=some(rng.uniform(0, 999, 2)),
                extra=some(rng.uniform(0, 99, 2)),
                cost=some(rng.uniform(0, 4000, 2)),
                costs={key: cost for key, cost in costs.items() if rng.random() >= lost},
            )
        )
        start = end
    return Actuals(Path("none"), tuple(found), {})
