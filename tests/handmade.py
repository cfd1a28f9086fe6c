"""A small plan made by hand, its figures recounted: two segments, two periods, a `mix` and a `single` lever.

gold (100 customers, margin 50) and silver (400, margin 10); 10 % of gold fall to silver each month, the rest stays.
`service` (mix): better service adds 8 margin and takes 0.5 hours. `tariff` (single): up5 adds 2 margin.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cpm_opt.faults import Fault
from cpm_opt.formulation.audit import Decisions
from cpm_opt.formulation.components.capacity import Capacity
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
from cpm_opt.runs import RunFacts
from cpm_opt.solve.plan import Certificate, Plan, ShadowPrice
from cpm_opt.solve.recount import doing_nothing, recount

RATE = 0.02
FACTS = RunFacts(
    instance="hand made",
    folder="instances/hand",
    model="basic",
    resolved={
        "name": "basic",
        "title": "Basic",
        "horizon": {"periods": 2, "discount_rate": RATE},
        "objective": {"profit": 1.0, "end_value": 1.0},
        "components": {"capacity": {}},
        "solver": {},
    },
    hashes={"segments.csv": "ab", "instance.toml": "cd"},
)


def portfolio(segments: tuple[str, str] = ("gold", "silver"), money_unit: float = 1000.0) -> Portfolio:
    per_option = np.zeros((2, 4, 2))
    per_option[:, 1, :], per_option[:, 3, :] = 8.0, 2.0
    margin = Flow(np.array([[50.0, 50.0], [10.0, 10.0]]), per_option)
    customers = np.array([100.0, 400.0])
    current = np.zeros((2, 4))
    current[:, 0] = current[:, 2] = customers
    no_moves = np.zeros(0, dtype=np.int64)
    return Portfolio(
        name="hand made",
        title="The hand-made shop",
        currency="RUB",
        money_unit=money_unit,
        period_name="month",
        periods=2,
        segments=segments,
        kinds=("active", "active"),
        groupings={"tier": ("top", "low")},
        customers=customers,
        whole=np.zeros(2, dtype=bool),
        end_value=np.array([200.0, 30.0]),
        arrivals=np.zeros((2, 2)),
        flows={"margin": margin, "cash": margin, "revenue": margin},
        margin_se=np.zeros((2, 4)),
        measure_units={"margin": "RUB", "cash": "RUB", "revenue": "RUB"},
        levers=(
            Lever("service", "mix", "segment", 1, (0, 1), 0, segments, np.array([0, 1])),
            Lever("tariff", "single", "segment", 1, (2, 3), 2, segments, np.array([0, 1])),
        ),
        options=("as now", "better", "keep", "up5"),
        lever_of=np.array([0, 0, 1, 1]),
        offered=np.ones((2, 4), dtype=bool),
        current=current,
        price_change=np.array([0.0, 0.0, 0.0, 0.05]),
        fixed_cost=np.zeros((4, 2)),
        change_cost=np.zeros((4, 2)),
        resources=_hours(),
        usage=Usage(np.array([0, 0]), np.array([0, 1]), np.array([1, 1]), np.full((2, 2), 0.5)),
        migration=Migration(
            np.array([0, 0, 1]), np.array([0, 1, 1]), np.repeat([[0.9], [0.1], [1.0]], 2, axis=1), True
        ),
        migration_effects=MigrationEffects(
            no_moves, no_moves, no_moves, no_moves.astype(bool), np.zeros((0, 2))
        ),
        balance=(),
        ceiling=np.full((2, 3), 500.0),
        warnings=(Fault("migration", "silver never leaves", "state a rate below 1", warning=True),),
    )


def choiceless() -> Portfolio:
    """The same, but for gold all options of `service` do the same."""
    p = portfolio()
    per_option = p.flows["margin"].per_option.copy()
    per_option[0, 1] = 0.0
    flows = {name: replace(flow, per_option=per_option) for name, flow in p.flows.items()}
    usage = replace(p.usage, amount=np.array([[0.0, 0.0], [0.5, 0.5]]))
    return replace(p, flows=flows, usage=usage)


def _hours() -> Resources:
    def by_period(value: float) -> np.ndarray:
        return np.full((1, 2), value)

    return Resources(
        names=("hours",),
        units=("hours of service",),
        capacity=by_period(60.0),
        unit_cost=by_period(1.0),
        capacity_cost=by_period(0.0),
        extra_capacity=np.array([[0.0, 20.0]]),
        extra_cost=by_period(3.0),
        max_utilisation=by_period(0.8),
        repair_cost=by_period(np.nan),
        lead_time=by_period(0.0),
    )


def decisions(p: Portfolio) -> Decisions:
    """Better service for 96 customers in month 1 and 112 in month 2, all silver; a dearer tariff for gold."""
    on = np.zeros((2, 4, 2))
    on[:, 0] = [[100.0, 90.0], [304.0, 298.0]]
    on[1, 1] = [96.0, 112.0]
    on[0, 3] = [100.0, 90.0]
    on[1, 2] = [400.0, 410.0]
    return Decisions(
        on, (np.zeros((0, 2), dtype=np.int64), np.array([[3, 3], [2, 2]])), np.array([[0.0, 10.0]])
    )


def plan(p: Portfolio | None = None, passed: bool = True, status: str = "optimal") -> Plan:
    """A solved plan; with `passed` False, one whose certificate does not pass."""
    p = p or portfolio()
    rules, weights = (Capacity(),), Weights(discount_rate=RATE)
    chosen = decisions(p)
    done, _, _ = recount(p, chosen, rules, weights)
    today, _, _ = recount(p, doing_nothing(p), rules, weights)
    return Plan(
        portfolio=p,
        status=status,
        message="",
        objective=done.objective,
        bound=done.objective * 1.0000001,
        gap=1e-7,
        decisions=chosen,
        recount=done,
        certificate=Certificate(
            passed, 1e-9 if passed else 3.0, "", done.objective, done.objective, None, 20
        ),
        today=today,
        shadow_prices={
            ("capacity", "hours", 1): ShadowPrice(15.0, 0.0, 200.0),
            ("capacity", "hours", 2): ShadowPrice(2.94, 40.0, None),
        },
        prices_from="fixed integers",
        seconds={"read": 0.1, "build": 0.2, "solve": 0.3, "total": 0.6},
        solver_log="solved\n",
        solver={"name": "HiGHS"},
    )


def no_plan(status: str = "infeasible", conflict: tuple[str, ...] = ("capacity hours", "keep gold")) -> Plan:
    """A plan that is none."""
    return replace(
        plan(),
        status=status,
        objective=None,
        bound=float("nan"),
        gap=float("inf"),
        decisions=None,
        recount=None,
        certificate=None,
        shadow_prices={},
        conflict=conflict if status == "infeasible" else (),
    )


def written(results: Path, of: Plan | None = None) -> Path:
    """A run of the plan in folder `results`."""
    from cpm_opt.runs import write_run

    return write_run(results, of or plan(), FACTS).path
