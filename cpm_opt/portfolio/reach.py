"""How far options can move the rates of migration, and how many customers a segment can come to.

Levers act side by side, so the extremes of a sum of rates are found lever by lever. An `on_change` effect
acts only where the group can have changed: in a period in which `hold` allows it, from another option that is
open to it, and in period 1 to any option but the one it is on before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.factors import LARGEST
from cpm_opt.portfolio.levers import option_before
from cpm_opt.portfolio.portfolio import Flags, Indices, Lever, Migration, MigrationEffects, Numbers
from cpm_opt.portfolio.source import Source

RATE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Openings:
    """In which periods a segment can stay on an option and change to it, `[S, O, T]`, and of how many options
    of each lever it may choose, `choosable[S, D]`."""

    stays: Flags
    changes: Flags
    choosable: Indices
    lever_of: Indices


@dataclass(frozen=True)
class Extremes:
    """Least and greatest effect of options on a sum of rates: `low[E, T]` and `high[E, T]`."""

    low: Numbers
    high: Numbers


@dataclass(frozen=True)
class Reach:
    """Rates from `source[E]` to `target[E]` between `low[E, T]` and `high[E, T]`; `sums[S, T]`: the greatest
    sum of the rates from each segment."""

    source: Indices
    target: Indices
    low: Numbers
    high: Numbers
    sums: Numbers


def openings(
    levers: tuple[Lever, ...], lever_of: Indices, offered: Flags, current: Numbers, periods: int
) -> Openings:
    """When each option is open to each segment, to stay on and to change to."""
    stays = np.repeat(offered[:, :, None], periods, axis=2)
    changes = np.zeros_like(stays)
    choosable = np.zeros((len(offered), len(levers)), dtype=np.int64)
    for place, lever in enumerate(levers):
        options = np.array(lever.options, dtype=np.int64)
        choosable[:, place] = offered[:, options].sum(axis=1)
        if not lever.single:
            continue
        before = option_before(lever, current)[lever.group_of]
        for option in options:
            may_change = np.arange(periods) % lever.hold == 0
            changes[:, option] = (offered[:, option] & (choosable[:, place] > 1))[:, None] & may_change
            changes[:, option, 0] = offered[:, option] & (before != option)
            stays[:, option, 0] = offered[:, option] & (before == option)
    return Openings(stays, changes, choosable, lever_of)


def extremes(
    keys: Indices, size: int, segment: Indices, effects: MigrationEffects, open_to: Openings
) -> Extremes:
    """Extremes of the sums of effects with the same key: `keys[K]` below `size`, all of one key of one segment."""
    periods = effects.rate.shape[1]
    low, high = np.zeros((size, periods)), np.zeros((size, periods))
    if not len(keys):
        return Extremes(low, high)
    options = open_to.stays.shape[1]
    pairs, place = np.unique(keys * options + effects.option, return_inverse=True)
    stay, change = np.zeros((len(pairs), periods)), np.zeros((len(pairs), periods))
    np.add.at(stay, place[~effects.on_change], effects.rate[~effects.on_change])
    np.add.at(change, place[effects.on_change], effects.rate[effects.on_change])
    key, option = pairs // options, pairs % options
    # One lever's options lie side by side on the option axis, so each (key, lever) is a run of pairs.
    runs = key * open_to.choosable.shape[1] + open_to.lever_of[option]
    _, starts, counts = np.unique(runs, return_index=True, return_counts=True)
    owner = key[starts]
    others = (open_to.choosable[segment[owner], open_to.lever_of[option[starts]]] > counts)[:, None]
    stays, changes = open_to.stays[segment[key], option], open_to.changes[segment[key], option]
    for total, pick, idle in ((low, np.minimum, np.inf), (high, np.maximum, -np.inf)):
        best = pick(np.where(stays, stay, idle), np.where(changes, stay + change, idle))
        of_lever = pick.reduceat(best, starts, axis=0)
        # An option without a row for this key adds nothing, and may be what is chosen.
        np.add.at(total, owner, np.where(others, pick(of_lever, 0.0), of_lever))
    return Extremes(low, high)


def read_reach(source: Source, migration: Migration, effects: MigrationEffects, open_to: Openings) -> Reach:
    """The range of every rate over all combinations of options; one that leaves 0 to 1, in an entry or in the
    sum of a segment's rates, is a fault that names the segment, the period and the combination."""
    size = len(source.names.segments)
    base_codes = migration.source * size + migration.target
    effect_codes = effects.source * size + effects.target
    codes = np.union1d(base_codes, effect_codes)
    origin, target = codes // max(size, 1), codes % max(size, 1)
    base = np.zeros((len(codes), source.periods))
    base[np.searchsorted(codes, base_codes)] = migration.rate
    entry = np.searchsorted(codes, effect_codes)
    of_entry = extremes(entry, len(codes), origin, effects, open_to)
    base_sums = np.zeros((size, source.periods))
    np.add.at(base_sums, migration.source, migration.rate)
    of_sum = extremes(effects.source, size, np.arange(size), effects, open_to)
    reach = Reach(origin, target, base + of_entry.low, base + of_entry.high, base_sums + of_sum.high)
    _check_reach(source, reach, base_sums, entry, effects, open_to)
    return reach


def _check_reach(
    source: Source,
    reach: Reach,
    base_sums: Numbers,
    entry: Indices,
    effects: MigrationEffects,
    open_to: Openings,
) -> None:
    """Tell what leaves 0 to 1, as far as faults of other kinds leave it certain."""
    blamed, names = source.findings.blamed, source.names.segments
    if blamed("factors"):
        return
    effects_known = not (
        blamed("migration_effects")
        or blamed("current")
        or blamed("levers", "lever", "choice", "scope", "hold")
        or blamed("options", "lever", "option", "base")
        or blamed("effects", "segment", "lever", "option", "offered")
    )
    # A row of migration that was left out can only have added to a sum, but it may have kept a rate above 0.
    if effects_known and not blamed("migration"):
        _check_entries(source, reach, entry, effects, open_to)
    broken = reach.sums > 1.0 + RATE_TOLERANCE
    if not effects_known:
        touched = set(source.rows("migration_effects").text("from"))
        broken &= np.array([name not in touched for name in names], dtype=np.bool_)[:, None]
    _check_sums(source, reach, base_sums, broken, effects, open_to)


def _check_entries(
    source: Source, reach: Reach, entry: Indices, effects: MigrationEffects, open_to: Openings
) -> None:
    names, rows = source.names.segments, source.rows("migration_effects")
    broken = reach.low < -RATE_TOLERANCE
    place = {
        pair: k for k, pair in reversed(list(enumerate(zip(rows.text("from"), rows.text("to"), strict=True))))
    }
    for e in np.flatnonzero(broken.any(axis=1)):
        period = int(np.flatnonzero(broken[e])[0])
        origin, target = names[reach.source[e]], names[reach.target[e]]
        combination = _combination(source, np.flatnonzero(entry == e), effects, open_to, period, -1.0)
        source.findings.fault(
            "negative_rate",
            "migration_effects",
            f"the rate from segment {shown(origin)} to {shown(target)} falls to {reach.low[e, period]:.10g} "
            f"in period {period + 1} with {combination}",
            "keep every combination of options at 0 or above, or offer combined options on one lever",
            row=rows.first_line([place[origin, target]]),
            column="rate",
        )


def _check_sums(
    source: Source,
    reach: Reach,
    base_sums: Numbers,
    broken: Flags,
    effects: MigrationEffects,
    open_to: Openings,
) -> None:
    names = source.names.segments
    for s in np.flatnonzero(broken.any(axis=1)):
        period = int(np.flatnonzero(broken[s])[0])
        by_itself = base_sums[s, period] > 1.0 + RATE_TOLERANCE
        of = np.flatnonzero(effects.source == s)
        combination = "" if by_itself else _combination(source, of, effects, open_to, period, 1.0)
        rows = source.rows("migration" if by_itself else "migration_effects")
        total = base_sums[s, period] if by_itself else reach.sums[s, period]
        source.findings.fault(
            "rates_above_one",
            rows.table,
            f"the rates from segment {shown(names[s])} add up to {total:.10g} in period {period + 1}"
            + (f" with {combination}" if combination else ""),
            "keep the rates from a segment at 1 or below in every combination of options",
            row=rows.first_line([rows.text("from").index(names[s])]),
            column="rate",
        )


def _combination(
    source: Source, rows: Indices, effects: MigrationEffects, open_to: Openings, period: int, sign: float
) -> str:
    """The options that move a sum of these rows of effects furthest up (sign 1) or down (-1): `a=x and b=y`."""
    options = np.unique(effects.option[rows])
    best: dict[int, tuple[float, str]] = {}
    for option in options.tolist():
        mine = rows[effects.option[rows] == option]
        s, lever = int(effects.source[mine[0]]), int(open_to.lever_of[option])
        if lever not in best:
            touched = int((open_to.lever_of[options] == lever).sum())
            best[lever] = (0.0 if open_to.choosable[s, lever] > touched else -np.inf * sign, "")
        stay = float(effects.rate[mine[~effects.on_change[mine]], period].sum())
        change = stay + float(effects.rate[mine[effects.on_change[mine]], period].sum())
        title = source.names.option_title(option)
        if open_to.stays[s, option, period] and stay * sign > best[lever][0] * sign:
            best[lever] = (stay, title)
        if open_to.changes[s, option, period] and change * sign > best[lever][0] * sign:
            best[lever] = (change, title if change == stay else f"a change to {title}")
    return " and ".join(best[lever][1] for lever in sorted(best) if best[lever][1])


def customer_ceiling(source: Source, customers: Numbers, arrivals: Numbers, reach: Reach) -> Numbers:
    """`[S, T + 1]`: no plan brings more customers into a segment than these.

    Each rate is taken at its greatest, and all segments together at most the greatest sums of rates; where
    nobody can decide on moves, these are the customers themselves."""
    size = len(customers)
    ceiling = np.zeros((size, source.periods + 1))
    ceiling[:, 0] = customers
    total = customers.sum()
    for period in range(source.periods):
        moved = np.maximum(reach.high[:, period], 0.0) * ceiling[reach.source, period]
        arrived = arrivals[:, period]
        sums = np.maximum(reach.sums[:, period], 0.0)
        total = min(total * sums.max(initial=0.0), (sums * ceiling[:, period]).sum())
        inflow = np.bincount(reach.target, weights=moved, minlength=size)[:size]
        ceiling[:, period + 1] = np.minimum(inflow, total) + arrived
        total += arrived.sum()
    _check_ceiling(source, ceiling)
    return ceiling


def _check_ceiling(source: Source, ceiling: Numbers) -> None:
    """Customers who may come together in a segment must stay in the range of numbers too."""
    wild = ~(ceiling < LARGEST).all(axis=1)
    if wild.any():
        segment = source.names.segments[int(np.flatnonzero(wild)[0])]
        source.findings.fault(
            "out_of_range",
            "segments",
            f"{ceiling[wild].max():g} customers may come together in segment {shown(segment)}",
            f"stay below {LARGEST:g} customers in all; count them in thousands, say",
            column="customers",
        )
