"""Small random portfolios with random decisions, as arrays: fast enough to draw a thousand of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.components import Capacity, Cash, Switching
from cpm_opt.formulation.draft import Weights
from cpm_opt.portfolio.portfolio import (
    Flow,
    Lever,
    Migration,
    MigrationEffects,
    Portfolio,
    Resources,
    Usage,
)
from cpm_opt.solve.plan import Recount
from cpm_opt.solve.recount import doing_nothing, recount
from cpm_opt.study.given_tariff import carried
from tests.handmade import portfolio as handmade

PARTS = (Capacity(), Switching(), Cash(opening=50.0, credit_limit=1e9, credit_cost=0.02))


@dataclass(frozen=True)
class Drawn:
    """A portfolio, decisions on it, and what they and doing nothing bring."""

    portfolio: Portfolio
    decisions: Decisions
    plan: Recount
    today: Recount


def drawn(seed: int, scale: float = 1.0, money_unit: float = 1.0) -> Drawn:
    """Up to 5 segments, 4 periods, 3 levers, 2 resources; figures of the size `scale`."""
    rng = np.random.default_rng(seed)
    p = replace(_portfolio(rng, scale), money_unit=money_unit)
    share = np.zeros((len(p.segments), len(p.options), p.periods))
    chosen = []
    for lever in p.levers:
        options = np.array(lever.options)
        picks = rng.choice(options, (len(lever.groups) if lever.single else 0, p.periods))
        chosen.append(picks)
        if lever.single:
            share[:, options] = options[None, :, None] == picks[lever.group_of][:, None, :]
        else:
            share[:, options] = rng.dirichlet(np.ones(len(options)), (len(p.segments), p.periods)).swapaxes(
                1, 2
            )
    extra = p.resources.extra_capacity * rng.random(p.resources.extra_capacity.shape)
    decisions = carried(p, share, tuple(chosen), extra)
    weights = Weights(1.0, 1.0, float(rng.choice([0.0, 0.03])))
    plan, today = (recount(p, each, PARTS, weights)[0] for each in (decisions, doing_nothing(p)))
    return Drawn(p, decisions, plan, today)


def _portfolio(rng: np.random.Generator, scale: float) -> Portfolio:
    segments, periods = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    names = tuple(f"s{number}" for number in range(segments))
    customers = rng.uniform(0.0, 900.0, segments)
    levers, current = _levers(rng, names, customers)
    count = sum(len(lever.options) for lever in levers)
    shape = (segments, count, periods)
    margin = Flow(scale * rng.normal(size=(segments, periods)), scale * rng.normal(size=shape))
    rows = int(rng.integers(0, 8))
    sources, targets = rng.integers(0, segments, (2, 2 * segments))
    effects = int(rng.integers(0, 4)) if count else 0
    who = rng.integers(0, segments, (2, effects))
    return replace(
        handmade(),
        periods=periods,
        segments=names,
        kinds=("active",) * segments,
        groupings={},
        customers=customers,
        whole=np.zeros(segments, dtype=bool),
        end_value=scale * rng.random(segments),
        arrivals=rng.uniform(0.0, 20.0, (segments, periods)),
        flows={"margin": margin, "cash": margin, "revenue": margin},
        margin_se=np.zeros((segments, count)),
        levers=levers,
        options=tuple(f"o{number}" for number in range(count)),
        lever_of=np.concatenate([[k] * len(lever.options) for k, lever in enumerate(levers)]).astype(int),
        offered=np.ones((segments, count), dtype=bool),
        current=current,
        price_change=np.zeros(count),
        fixed_cost=scale * rng.random((count, periods)),
        change_cost=scale * rng.random((count, periods)),
        resources=_resources(rng, periods, scale),
        usage=Usage(
            rng.integers(0, 2, rows),
            rng.integers(0, segments, rows),
            rng.integers(-1, count, rows),
            rng.normal(size=(rows, periods)),
        ),
        migration=Migration(sources, targets, rng.uniform(0.0, 0.4, (2 * segments, periods)), True),
        migration_effects=MigrationEffects(
            who[0], who[1], rng.integers(0, max(1, count), effects), rng.random(effects) < 0.3,
            rng.uniform(-0.05, 0.05, (effects, periods)),
        ),
        ceiling=np.full((segments, periods + 1), 1e9),
        warnings=(),
    )  # fmt: skip


def _levers(
    rng: np.random.Generator, names: tuple[str, ...], customers: np.ndarray
) -> tuple[tuple[Lever, ...], np.ndarray]:
    levers: list[Lever] = []
    current, first = [], 0
    for number in range(int(rng.integers(1, 4))):
        count = int(rng.integers(2, 4))
        options = tuple(range(first, first + count))
        single, alone = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        groups = names if alone else ("all",)
        group_of = np.arange(len(names)) if alone else np.zeros(len(names), dtype=int)
        choice, base = "single" if single else "mix", int(rng.integers(count))
        levers.append(Lever(f"d{number}", choice, "segment", 1, options, first + base, groups, group_of))
        shares = (
            rng.dirichlet(np.ones(count), len(names)) if not single else np.eye(count)[[base] * len(names)]
        )
        current.append(shares * customers[:, None])
        first += count
    return tuple(levers), np.concatenate(current, axis=1)


def _resources(rng: np.random.Generator, periods: int, scale: float) -> Resources:
    shape = (2, periods)
    return Resources(
        names=("hours", "vans"),
        units=("hours", "vans"),
        capacity=np.where(rng.random(shape) < 0.3, np.inf, 1e6 * rng.random(shape)),
        unit_cost=scale * rng.random(shape),
        capacity_cost=scale * 1e-3 * rng.random(shape),
        extra_capacity=10.0 * rng.random(shape),
        extra_cost=scale * rng.random(shape),
        max_utilisation=np.ones(shape),
        repair_cost=np.full(shape, np.nan),
        lead_time=np.zeros(shape),
    )
