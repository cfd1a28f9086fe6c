"""The waterfall by lever and segment: every cell from the postings, and sums that are exact to the cent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from cpm_opt.faults import DefectError
from cpm_opt.formulation.spec import Horizon, ModelSpec
from cpm_opt.portfolio.portfolio import MigrationEffects
from cpm_opt.runs.waterfall import parted, waterfall
from cpm_opt.solve.by_segment import by_segment
from cpm_opt.solve.recount import doing_nothing
from cpm_opt.solve.session import Session
from tests.drawn_plans import PARTS, Drawn, drawn

SEEDS = 1000


def parts_of(case: Drawn) -> tuple:
    p = case.portfolio
    return by_segment(p, doing_nothing(p), case.today), by_segment(p, case.decisions, case.plan)


def test_cells_add_up_to_their_steps_and_all_to_the_difference_on_a_thousand_instances() -> None:
    nothing_parted = 0
    for seed in range(SEEDS):
        scale, unit = 10.0 ** (seed % 9 - 2), (1.0, 1000.0, 1e6)[seed % 3]
        case = drawn(seed, scale, unit)
        steps = waterfall(case.today, case.plan, unit)
        cells = parted(case.today, case.plan, parts_of(case), case.portfolio.segments, unit)
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for source, item, _, _, amount in cells:
            sums[source, item] += Decimal(amount)
        told = {(source, item): Decimal(amount or 0) for source, item, amount, _ in steps[1:-1]}
        assert {key: total for key, total in sums.items() if total} == told, seed
        assert sum(sums.values(), Decimal(steps[0][3])) == Decimal(steps[-1][3]), seed
        places = {(source, item, lever, segment) for source, item, lever, segment, _ in cells}
        assert len(places) == len(cells), seed
        nothing_parted += not any(segment for *_, segment, _ in cells)
    assert nothing_parted < SEEDS // 20


@pytest.mark.parametrize("seed", range(40))
def test_every_cell_is_what_its_segment_and_lever_brought(seed: int) -> None:
    case = drawn(seed)
    found = by_segment(case.portfolio, case.decisions, case.plan)
    expected = played(case)
    keys = {key for key in expected if abs(expected[key]) > 1e-9}
    names = [*case.portfolio.segments, ""]
    told = {
        (*key, names[place]): float(amounts[place])
        for key, amounts in found.items()
        for place in np.flatnonzero(np.abs(amounts) > 1e-9).tolist()
    }
    assert told.keys() == keys
    assert told == pytest.approx({key: expected[key] for key in keys}, rel=1e-8, abs=1e-8)


def played(case: Drawn) -> dict[tuple[str, str, str, str], float]:
    """The postings played through, one customer group after the other."""
    p, on = case.portfolio, case.decisions.customers_on
    found: dict[tuple[str, str, str, str], float] = defaultdict(float)
    lever_of = {option: lever for lever in p.levers for option in lever.options}
    for t in range(p.periods):
        worth = float(case.plan.discount[t])
        for s, name in enumerate(p.segments):
            starts = float(case.plan.customers[s, t])
            found["margin", "", "", name] += worth * starts * p.flows["margin"].per_customer[s, t]
            for o, lever in lever_of.items():
                effect = on[s, o, t] * p.flows["margin"].per_option[s, o, t]
                found["effects", lever.name, lever.name, name] += worth * effect
                before = on[s, o, t - 1] if t else p.current[s, o]
                cost = max(0.0, on[s, o, t] - before) * p.change_cost[o, t]
                found["change cost", lever.name, lever.name, name] -= worth * cost
        for k in range(len(p.usage.resource)):
            r, s, o = (int(each[k]) for each in (p.usage.resource, p.usage.segment, p.usage.option))
            used = (case.plan.customers[s, t] if o < 0 else on[s, o, t]) * p.usage.amount[k, t]
            behind = lever_of[o].name if o >= 0 else ""
            key = ("resource cost", p.resources.names[r], behind, p.segments[s])
            found[key] -= worth * used * p.resources.unit_cost[r, t]
        for lever, chosen in zip(p.levers, case.decisions.chosen, strict=True):
            for g, option in enumerate(chosen[:, t].tolist()):
                members = np.flatnonzero(lever.group_of == g)
                whose = p.segments[members[0]] if len(members) == 1 else ""
                found["fixed cost", lever.name, lever.name, whose] -= worth * p.fixed_cost[option, t]
        for source in ("capacity cost", "extra capacity", "credit cost"):
            for (posted, item), flow in case.plan.money.items():
                if posted == source:
                    found[source, item, "", ""] += worth * float(flow[t])
    return found


def test_what_a_further_component_posts_is_the_firms_as_a_whole() -> None:
    case = drawn(3)
    own = {("levy", "city"): np.full(case.portfolio.periods, -7.0)}
    plan = replace(case.plan, money={**case.plan.money, **own})
    amounts = by_segment(case.portfolio, case.decisions, plan)["levy", "city", ""]
    assert amounts[:-1].tolist() == [0.0] * len(case.portfolio.segments)
    assert amounts[-1] == pytest.approx(-7.0 * case.plan.discount[:-1].sum())


def test_parts_that_miss_their_step_are_a_defect() -> None:
    case = drawn(5)
    before, after = parts_of(case)
    lost = {key: amounts for key, amounts in after.items() if key[0] != "margin"}
    with pytest.raises(DefectError):
        parted(case.today, case.plan, (before, lost), case.portfolio.segments, 1.0)


def test_so_do_those_of_solved_plans() -> None:
    spec = ModelSpec("m", "M", Horizon(1, 0.03), components={part.name: part for part in PARTS})
    with Session(spec) as session:
        for seed in range(8):
            p = drawn(seed, 10.0).portfolio
            kept = replace(p.migration, rate=p.migration.rate / len(p.segments))
            none = np.zeros(0, dtype=np.int64)
            still = MigrationEffects(none, none, none, none.astype(bool), np.zeros((0, p.periods)))
            plan = session.solve(replace(p, migration=kept, migration_effects=still))
            assert plan.shown
            assert plan.recount is not None
            assert plan.decisions is not None
            p = plan.portfolio
            parts = by_segment(p, doing_nothing(p), plan.today), by_segment(p, plan.decisions, plan.recount)
            cells = parted(plan.today, plan.recount, parts, p.segments, 1.0)
            steps = waterfall(plan.today, plan.recount, 1.0)
            assert sum((Decimal(cell[4]) for cell in cells), Decimal(steps[0][3])) == Decimal(steps[-1][3])
            assert float(steps[-1][3]) == pytest.approx(plan.recount.profit, abs=0.0051)
