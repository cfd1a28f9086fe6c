"""Segments and their migration from customers' profit: in come `Tables` with ledgers, out go `Estimates`.

Each customer is in one segment, by tier or by the instance's rules, at the close of the prior and of the reporting
period of `cpm profit`. Both are as long as a period of the plan, so what happened between them is one move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cpm_opt.costing import ProfitStatement, cost_and_profit
from cpm_opt.costing.periods import Period, whole_months
from cpm_opt.costing.settings import TierRules, read_profit_rules
from cpm_opt.costing.tiers import tier_names
from cpm_opt.estimates.estimate import Estimates
from cpm_opt.estimates.moves.moves import Moves, count_moves
from cpm_opt.estimates.response.service import base_service_cost
from cpm_opt.estimates.segments.chain import Chain, stated_chain
from cpm_opt.estimates.segments.customer_segments import merge_small, segment_names, sort_customers
from cpm_opt.estimates.segments.figures import ORDERS, asks_for_values, closed_by, figures_of, measures_of
from cpm_opt.estimates.segments.segment_settings import SegmentRules
from cpm_opt.estimates.segments.states import MONTHS, NO_FREQUENCY, State
from cpm_opt.estimates.settings import ValueRules, missing_rules, read_rules, rule_fault
from cpm_opt.estimates.value.markov import chain_value
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import Tables, check_frame

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Sorted:
    """Customers in segments: `now[N]` and `before[M]` (index customer; None without a prior period), the segments that
    have a row, in their order, with their `kinds`, and what was merged."""

    now: pd.Series[str]
    before: pd.Series[str] | None
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    notes: tuple[str, ...]


def estimate_from_profit(tables: Tables) -> Estimates:
    """`Estimates` whose frames are `segments` and, where there is a prior period, `migration`.

    Raises InputError with every fault found.
    """
    rules, value = _rules(tables)
    statement = cost_and_profit(tables)
    _check_periods(tables, statement)
    found = _sort(tables, statement, rules)
    money = _money(statement, found, rules)
    chain, migration = _chain(tables, statement, found, rules, money)
    names, kinds = list(found.names), list(found.kinds)
    service = base_service_cost(tables.frames, names, kinds)
    end_value = _end_value(chain, np.array(service), value)
    segments = pd.DataFrame(
        {
            "segment": names,
            "customers": found.now.value_counts().reindex(names).fillna(0.0).to_numpy(dtype=float),
            "margin": money["margin"].to_numpy(),
            "kind": kinds,
            "end_value": end_value,
            "revenue": money["revenue"].to_numpy(),
            **{
                name: money[name].to_numpy()
                for name in measures_of(statement.reporting, tables.info.measures)
            },
        }
    )
    frames, faults = {}, _doubts(tables, statement, rules)
    made = {"segments": segments} if migration is None else {"segments": segments, "migration": migration}
    for name, frame in made.items():
        frames[name], wrong = check_frame(name, frame, tables.info)
        faults += wrong
    if any(not fault.warning for fault in faults):
        raise InputError(faults)
    return Estimates(
        frames,
        _notes(tables, statement, found, rules, value, any(service)),
        tuple(faults),
        chain=chain,
        members={str(customer): str(segment) for customer, segment in found.now.items()},
        statement=statement,
    )


def _rules(tables: Tables) -> tuple[SegmentRules, ValueRules]:
    """The parts of `[estimates]` that are needed. Raises InputError with all that is wrong or missing."""
    rules, faults = read_rules(tables.info.estimates)
    if rules is None:
        raise InputError(faults)
    faults = missing_rules(rules, ("segments", "value"))
    if faults or rules.segments is None or rules.value is None:
        raise InputError(faults)
    tiers = read_profit_rules(tables.info.estimates)[0].tiers
    wrong = _unknown_tiers(rules.segments, tiers) if rules.segments.by == "tier" else []
    if wrong:
        raise InputError(wrong)
    return rules.segments, rules.value


def _unknown_tiers(rules: SegmentRules, tiers: TierRules) -> list[Fault]:
    """Segments that are to be lost, or to take small ones, and are no tier."""
    names = tier_names(tiers)
    asked = [("lost", name) for name in rules.lost or ()]
    asked += [("merge_into", rules.merge_into)] if rules.merge_into != "next" else []
    return [
        rule_fault(f"segments.{key}", "is no tier", did_you_mean(name, names), name)
        for key, name in asked
        if name not in names
    ]


def _check_periods(tables: Tables, statement: ProfitStatement) -> None:
    """Raises InputError where the periods of profit are not one period of the plan each, the one after the other."""
    period, now = tables.info.period, statement.reporting.period
    wanted = MONTHS[period]
    if whole_months(now.first, now.last) != wanted:
        message = f"gives a reporting period of {now}, and a period of the plan is one whole {period}"
        remedy = f"write first_day and last_day of the last whole {period} of the ledger"
        raise InputError([rule_fault("profit.first_day", message, remedy, f"{now.first:%Y-%m-%d}")])
    if statement.prior is None:
        return
    before = statement.prior.period
    adjacent = before.last + pd.Timedelta(days=1) == now.first
    if not adjacent or whole_months(before.first, before.last) != wanted:
        message = f"gives a prior period of {before}, and moves are counted from one {period} to the next"
        remedy = f"write the days of the {period} just before, or leave both keys out"
        raise InputError([rule_fault("profit.prior_first_day", message, remedy, f"{before.first:%Y-%m-%d}")])


def _sort(tables: Tables, statement: ProfitStatement, rules: SegmentRules) -> _Sorted:
    """Both periods' customers by the same rules, small segments merged by their size in the reporting period."""
    tiers = read_profit_rules(tables.info.estimates)[0].tiers
    periods = [statement.reporting, *([] if statement.prior is None else [statement.prior])]
    told: list[pd.DataFrame | None] = [None] * len(periods)
    if asks_for_values(rules):
        from cpm_opt.estimates.value.figures_of_value import value_figures

        told = [*value_figures(tables, periods)]
    sorted_by = [
        sort_customers(figures_of(tables, found, values, ORDERS in rules.columns), rules)
        for found, values in zip(periods, told, strict=True)
    ]
    lost = frozenset((tiers.inactive,) if rules.by == "tier" and rules.lost is None else rules.lost or ())
    names = segment_names(rules, tier_names(tiers))
    seen = set().union(*(set(column) for column in sorted_by))
    sizes = sorted_by[0].value_counts()
    target, notes = merge_small(
        {name: int(sizes.get(name, 0)) for name in names if name in seen}, lost, rules
    )
    now, *earlier = (column.map(target) for column in sorted_by)
    kept = tuple(name for name in names if target.get(name) == name)
    kinds = tuple("lost" if name in lost else "active" for name in kept)
    return _Sorted(now, earlier[0] if earlier else None, kept, kinds, notes)


def _money(statement: ProfitStatement, found: _Sorted, rules: SegmentRules) -> pd.DataFrame:
    """By segment (index): margin, its standard error margin_se, revenue and the other figures of the reporting period,
    each the mean over customers: of those who are in it now, or of those who were in it before (`following`)."""
    customers = statement.reporting.customers
    figures = customers.select_dtypes("number").assign(margin=customers[rules.margin])
    groups = found.now
    if rules.money == "following":
        if found.before is None:
            message = "needs a prior period, and no ledger reaches back so far"
            raise InputError(
                [rule_fault("segments.money", message, 'write money = "reporting"', "following")]
            )
        groups = found.before
    by_segment = figures.reindex(groups.index).fillna(0.0).groupby(groups)
    money = by_segment.mean()
    money["margin_se"] = by_segment["margin"].sem()
    empty = [name for name in found.names if name not in money.index]
    if empty and rules.money == "following":
        text = f"nobody was in segment '{empty[0]}' in the prior period, so what its customers earn after it is unknown"
        raise InputError(
            [rule_fault("segments.money", text, 'write money = "reporting", or merge it by smallest')]
        )
    # A segment that is empty by now and was not before earns nothing that is known; nobody of the plan starts in it.
    return money.reindex(list(found.names)).fillna(
        {name: 0.0 for name in money.columns if name != "margin_se"}
    )


def _chain(
    tables: Tables, statement: ProfitStatement, found: _Sorted, rules: SegmentRules, money: pd.DataFrame
) -> tuple[Chain | None, pd.DataFrame | None]:
    """The moves from the prior to the reporting period, as a chain and as table migration; none without both.

    A stated table migration stands, and the chain is made of it: how many moves it rests on is not known (0).
    """
    names = list(found.names)
    states = tuple(State(name, "", NO_FREQUENCY, kind) for name, kind in zip(names, found.kinds, strict=True))
    people = np.asarray(found.now.value_counts().reindex(names).fillna(0.0), dtype=np.float64)
    earned = tuple(np.asarray(money[name], dtype=np.float64) for name in ("revenue", "margin", "margin_se"))
    stated = tables.frames.get("migration")
    if stated is not None:
        segments = money.assign(segment=names, kind=found.kinds, customers=people)
        return replace(stated_chain(segments, stated), margin_se=earned[2]), None
    if found.before is None:
        return None, None
    moves = count_moves(_panel(tables, statement, found), rules.smoothing, last_told=False)
    counts, rates, errors = _in_order(moves, names)
    observed = counts.sum(axis=1).astype(np.int64)
    unseen = [
        name for name, seen, size in zip(names, observed, people, strict=True)
        if seen == 0 and size > 0 and rules.smoothing == 0
    ]  # fmt: skip
    if unseen:
        raise InputError([_unseen(name) for name in unseen])
    own = counts[:, :-1].astype(np.int64)
    chain = Chain(states, people, own, observed, rates[:, :-1], errors[:, :-1], *earned)
    source, target = np.nonzero(chain.rates > 0.0)
    labels = np.array(names, dtype=object)
    frame = pd.DataFrame(
        {
            "from": labels[source],
            "to": labels[target],
            "rate": chain.rates[source, target],
            "se": chain.rate_se[source, target],
        }
    )
    return chain, frame


def _in_order(moves: Moves, names: list[str]) -> tuple[Numbers, Numbers, Numbers]:
    """Counts, rates and errors `[S, S + 1]` of the moves in the order of `names`, the last column out.

    Nobody was in a segment that the moves lack: nothing goes there, and where its customers go only the prior says.
    """
    place = [moves.segments.index(name) if name in moves.segments else -1 for name in names]
    prior = moves.counts.sum(axis=0) / max(1.0, float(moves.counts.sum())) if moves.weight else 0.0
    spread = np.sqrt(prior * (1.0 - prior) / (moves.weight + 1.0))
    found = []
    for part, unseen in ((moves.counts, 0.0), (moves.rates, prior), (moves.errors, spread)):
        rows = np.vstack([part, np.zeros(part.shape[1]) + unseen])
        whole = np.column_stack([rows[:, :-1], np.zeros(len(rows))])
        found.append(np.column_stack([whole[place][:, place], rows[place, -1]]))
    counts, rates, errors = found
    return counts, rates, errors


def _panel(tables: Tables, statement: ProfitStatement, found: _Sorted) -> pd.DataFrame:
    """Two periods of every customer of the prior one, as table panel; `left` 1 where they were closed in between."""
    assert found.before is not None
    before, now = found.before, found.now.reindex(found.before.index).dropna()
    left = closed_by(tables, before.index, statement.reporting.period.last)
    left = left | ~before.index.isin(now.index)
    first = pd.DataFrame(
        {"customer": before.index, "period": 1, "segment": before.to_numpy(), "left": left.astype(int)}
    )
    second = pd.DataFrame({"customer": now.index, "period": 2, "segment": now.to_numpy(), "left": 0})
    return pd.concat([first, second], ignore_index=True)


def _unseen(name: str) -> Fault:
    message = f"nobody was in segment '{name}' in the prior period: where its customers go cannot be counted"
    remedy = "write segments.smoothing, or merge it by smallest"
    return rule_fault("segments", message, remedy)


def _end_value(chain: Chain | None, service: Numbers, value: ValueRules) -> Numbers:
    """Value per customer after the horizon: margins less base service cost, along the chain; 0 without moves."""
    if chain is None:
        return np.zeros(len(service))
    try:
        return chain_value(chain.rates, chain.margin - service, value.discount_rate, value.periods)
    except ValueError as error:
        remedy = "write a rate above 0, or value.periods"
        raise InputError(
            [rule_fault("value.discount_rate", str(error), remedy, value.discount_rate)]
        ) from None


def _doubts(tables: Tables, statement: ProfitStatement, rules: SegmentRules) -> list[Fault]:
    """Warnings: no moves, unlike periods, a cost that may count twice."""
    told = []
    now, before = statement.reporting, statement.prior
    if before is None and "migration" not in tables.frames:
        message = (
            "cannot be counted: no ledger reaches back before the period; nobody moves, end values are 0"
        )
        remedy = "add ledgers of the period before, or state table migration"
        told.append(Fault("migration", message, remedy, code="no-moves", warning=True))
    elif before is not None and now.total("cost_to_serve") and not before.total("cost_to_serve"):
        message = (
            "have no row in the prior period: its profit is before cost to serve, and its tiers are not alike"
        )
        remedy = "add those of the prior period"
        told.append(Fault("activity_counts", message, remedy, code="unlike-periods", warning=True))
    resources = tables.frames.get("resources")
    served = now.total("cost_to_serve") + (now.total("service_overhead") if rules.margin == "profit" else 0.0)
    if (
        rules.margin != "gross_profit"
        and served
        and resources is not None
        and (resources["unit_cost"] > 0).any()
    ):
        message = "is after the cost to serve, and resources have a unit_cost too: a cost may count twice"
        remedy = 'write margin = "gross_profit", or resources without unit_cost'
        warning = rule_fault("segments.margin", message, remedy, rules.margin)
        told.append(Fault(**{**vars(warning), "code": "counted-twice", "warning": True}))
    return told


def _notes(
    tables: Tables,
    statement: ProfitStatement,
    found: _Sorted,
    rules: SegmentRules,
    value: ValueRules,
    serviced: bool,
) -> tuple[str, ...]:
    now, period = statement.reporting, tables.info.period
    customers = now.customers
    gone = ~customers.index.isin(found.now.index)
    words = {
        "gross_profit": "gross profit, before cost to serve",
        "contribution": "contribution, after cost to serve",
        "profit": "profit, after cost to serve, overhead and tax",
    }[rules.margin]
    notes = [
        *statement.notes,
        f"segments: {len(found.now)} customers at the close of {now.period.last:%Y-%m-%d}, by "
        f"{'tier' if rules.by == 'tier' else f'{len(rules.rules)} rules'}; margin is {words}",
        *found.notes,
        _sums(now.period, float(customers.loc[~gone, rules.margin].sum()), int(gone.sum()),
              float(customers.loc[gone, rules.margin].sum()), rules),
    ]  # fmt: skip
    if found.before is not None and statement.prior is not None:
        new = int((~found.now.index.isin(found.before.index)).sum())
        left = int((~found.before.index.isin(found.now.index)).sum())
        smooth = (
            f", smoothed with {rules.smoothing:g} customers' worth of the whole" if rules.smoothing else ""
        )
        notes.append(
            f"migration: moves of {len(found.before)} customers from {statement.prior.period} to {now.period}, {left} "
            f"of them left{smooth}; {new} customers are new and come from no segment (state them in arrivals)"
        )
        span = "endless" if value.periods is None else f"{value.periods} {period}s"
        net = "net of base service" if serviced else "no base service cost is stated"
        notes.append(
            f"end values: Markov chain, {span}, discounted at {value.discount_rate:g} per {period}; {net}"
        )
    return tuple(notes)


def _sums(period: Period, kept: float, gone: int, lost: float, rules: SegmentRules) -> str:
    """How the segments' margins add up to the profit and loss."""
    whose = f" and {lost:.2f} of {gone} customers who left in it" if gone else ""
    total = f"{rules.margin.replace('_', ' ')} of {period}: {kept:.2f} of the segments' customers{whose}"
    if rules.money == "following":
        return f"{total}; margins are what the prior period's segments earned in it"
    return f"{total}; customers times margin add up to the first to the cent"
