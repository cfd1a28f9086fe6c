"""The core of the model, which is always on: assignment, migration, the single choice and its fixed cost.

    customers[s, t]         >= 0        customers of segment s at the start of period t = 1..T+1; given for t = 1
    on[s, d, o, t]          >= 0        customers of s who get option o of lever d in period t
    chosen[d, g, o, t]      in {0, 1}   group g takes option o (levers of choice `single`)
    changed[d, g, o, t]     in [0, 1]   and did not have it in the period before (where an effect acts on a change)
    moved_on[s, d, o, t]    >= 0        customers on an option that their group has just changed to

    assignment    sum_o on[s,d,o,t] = customers[s,t]
    migration     customers[s',t+1] = sum_s P[s,s'] customers[s,t] + sum dP on[s,d,o,t] + sum dP' moved_on + arrivals
    single        on[s,d,o,t] <= N[s,t] chosen[d,g,o,t],  sum_o chosen = 1;  where nobody can move, the number of
                  customers is data and the link is the equation on = N chosen, which leaves no gap to branch on

Figures per customer are posted to the ledgers `flows`, `use` and `profit`.
"""

from __future__ import annotations

import numpy as np

from cpm_opt.formulation.draft import Axes, ChoiceSet, Core, Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.portfolio import Indices, Lever, Numbers, Portfolio

BLOCK = "core"


def periods_of(portfolio: Portfolio, extra: int = 0) -> list[int]:
    """Periods 1..T, and T + 1 with `extra` = 1."""
    return list(range(1, portfolio.periods + 1 + extra))


def option_labels(portfolio: Portfolio) -> list[tuple[str, str]]:
    """(lever, option) for each position on the option axis."""
    return [
        (portfolio.levers[lever].name, option)
        for lever, option in zip(portfolio.lever_of.tolist(), portfolio.options, strict=True)
    ]


def today_of(portfolio: Portfolio, lever: Lever) -> Indices:
    """`[G]`: position on the option axis of what each group is on before period 1 (the base if it has no customers)."""
    options = np.array(lever.options)
    totals = np.zeros((len(lever.groups), len(options)))
    np.add.at(totals, lever.group_of, portfolio.current[:, options])
    found = options[np.argmax(totals, axis=1)]
    return np.where(totals.sum(axis=1) > 0.0, found, lever.base)


def known_customers(portfolio: Portfolio) -> Numbers | None:
    """`[S, T + 1]` where nobody can move, so that numbers of customers are data; else None."""
    if portfolio.can_move:
        return None
    arrived = np.cumsum(portfolio.arrivals, axis=1)
    none = np.zeros((len(portfolio.segments), 1))
    known: Numbers = portfolio.customers[:, None] + np.concatenate([none, arrived], axis=1)
    return known


def declare(draft: Draft) -> None:
    """Makes the variables of the core and posts what customers and options bring to the ledgers."""
    p = draft.portfolio
    known = known_customers(p)
    upper = np.full((len(p.segments), p.periods + 1), np.inf)
    lower = np.zeros_like(upper)
    if known is not None:
        lower = upper = known
    else:
        lower[:, 0] = upper[:, 0] = p.customers
    customers = draft.add_variables(BLOCK, "customers", [p.segments, periods_of(p, 1)], True, lower, upper)
    on = _declare_on(draft)
    chosen = tuple(_declare_chosen(draft, number, on) for number in range(len(p.levers)))
    draft.core = Core(customers, on, chosen)
    ledger = draft.customers
    ledger.post(BLOCK, "customers", Terms.of(ledger.size, ledger.cells, customers, 1.0))
    _post_flows(draft)
    _post_use(draft)
    _post_fixed_cost(draft)


def _declare_on(draft: Draft) -> Indices:
    """Customers on options; in whole customers for segments that say so (a `single` choice keeps them whole itself)."""
    p = draft.portfolio
    axes = [p.segments, option_labels(p), periods_of(p)]
    mixed = np.array([not p.levers[lever].single for lever in p.lever_of.tolist()], dtype=bool)
    whole = p.offered & p.whole[:, None] & mixed[None, :]
    first = np.arange(p.periods) == 0  # decided before it is known which scenario comes
    parts = draft.add_variables(BLOCK, "on", axes, (p.offered & ~whole)[:, :, None], shared=first)
    wholes = draft.add_variables(BLOCK, "whole_on", axes, whole[:, :, None], integer=True, shared=first)
    return np.maximum(parts, wholes)


def _declare_chosen(draft: Draft, number: int, on: Indices) -> Indices:
    p = draft.portfolio
    lever = p.levers[number]
    if not lever.single:
        return np.zeros((0, len(lever.options), p.periods), dtype=np.int64)
    offered = group_offers(p, lever)
    labels = [(lever.name, group) for group in lever.groups]
    names = [p.options[option] for option in lever.options]
    chosen = draft.add_variables(
        BLOCK,
        "chosen",
        [labels, names, periods_of(p)],
        offered[:, :, None],
        upper=1.0,
        integer=True,
        shared=True,
    )
    if chosen.size and draft.space.has_choice_set(chosen[chosen >= 0]):
        return chosen
    today = today_of(p, lever)
    options = np.array(lever.options)
    for group in range(len(lever.groups)):
        alternatives = np.flatnonzero(offered[group])
        now = np.flatnonzero(options[alternatives] == today[group])
        members = np.flatnonzero(lever.group_of == group)
        for first in range(0, p.periods, lever.hold):
            held = slice(first, first + lever.hold)
            columns = chosen[group, alternatives, held]
            served = (
                on[members[:, None], options[alternatives], held]
                .swapaxes(0, 1)
                .reshape(len(alternatives), -1)
            )
            draft.space.choice_sets.append(ChoiceSet(columns, served, int(now[0]) if len(now) else -1))
    return chosen


def group_offers(portfolio: Portfolio, lever: Lever) -> np.ndarray:
    """`[G, options of the lever]`: what a group may choose, which is what every member is offered."""
    offers = np.ones((len(lever.groups), len(lever.options)), dtype=bool)
    np.logical_and.at(offers, lever.group_of, portfolio.offered[:, np.array(lever.options)])
    return offers


def _post_flows(draft: Draft) -> None:
    p = draft.portfolio
    segments, periods = len(p.segments), p.periods
    cells = np.arange(segments * periods).reshape(segments, periods)
    to_period = np.broadcast_to(np.arange(periods), (segments, periods)).ravel()
    for measure, flow in p.flows.items():
        ledger = draft.flows[measure]
        base = Terms.of(ledger.size, cells, draft.core.customers[:, :-1], flow.per_customer)
        ledger.post(BLOCK, measure, base)
        if measure == "margin":
            draft.profit.post("margin", "", base.gathered(to_period, periods))
        for number, lever in enumerate(p.levers):
            mine = p.lever_of == number
            terms = Terms.of(
                ledger.size, cells[:, None, :], draft.core.on[:, mine, :], flow.per_option[:, mine, :]
            )
            ledger.post("effects", lever.name, terms)
            if measure == "margin":
                draft.profit.post("effects", lever.name, terms.gathered(to_period, periods))


def _post_use(draft: Draft) -> None:
    p, u = draft.portfolio, draft.portfolio.usage
    cells = draft.use.cells[u.resource, u.segment, :]
    base = (u.option < 0)[:, None]
    columns = (
        np.where(base, draft.core.customers[u.segment, :-1], draft.core.on[u.segment, u.option, :])
        if len(p.options)
        else draft.core.customers[u.segment, :-1]
    )
    draft.use.post(BLOCK, "use", Terms.of(draft.use.size, cells, columns, u.amount))


def _post_fixed_cost(draft: Draft) -> None:
    p = draft.portfolio
    for lever, chosen in zip(p.levers, draft.core.chosen, strict=True):
        if lever.single:
            cost = p.fixed_cost[np.array(lever.options), :]
            terms = Terms.of(p.periods, np.arange(p.periods), chosen, cost[None, :, :])
            draft.cost("fixed cost", lever.name, terms)


def constrain(draft: Draft) -> None:
    """States assignment, the single choice and migration."""
    _assignment(draft)
    for number, lever in enumerate(draft.portfolio.levers):
        if lever.single:
            _single(draft, number)
    if draft.portfolio.can_move:
        _migration(draft)


def _assignment(draft: Draft) -> None:
    p, core = draft.portfolio, draft.core
    shape = (len(p.segments), len(p.levers), p.periods)
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    terms = Terms.of(cells.size, cells[:, p.lever_of, :], core.on, 1.0)
    terms = terms - Terms.of(cells.size, cells, core.customers[:, None, :-1], 1.0)
    draft.add_rows(BLOCK, "assignment", [p.segments, [x.name for x in p.levers], periods_of(p)], terms, "==")


def _single(draft: Draft, number: int) -> None:
    p, core = draft.portfolio, draft.core
    lever, chosen = p.levers[number], core.chosen[number]
    options = np.array(lever.options)
    labels = [(lever.name, group) for group in lever.groups]
    cells = np.arange(len(labels) * p.periods).reshape(len(labels), p.periods)
    one = Terms.of(cells.size, cells[:, None, :], chosen, 1.0)
    draft.add_rows(BLOCK, "one_option", [labels, periods_of(p)], one, "==", 1.0)
    on = core.on[:, options, :]
    links = np.arange(on.size).reshape(on.shape)
    known = known_customers(p)
    most = p.ceiling if known is None else known
    terms = Terms.of(on.size, links, on, 1.0) - Terms.of(
        on.size, links, chosen[lever.group_of], most[:, None, :-1]
    )
    names = [(lever.name, p.options[option]) for option in lever.options]
    draft.add_rows(
        BLOCK,
        "link",
        [p.segments, names, periods_of(p)],
        terms,
        "<=" if known is None else "==",
        0.0,
        on >= 0,
    )


def _migration(draft: Draft) -> None:
    p, core = draft.portfolio, draft.core
    shape = (len(p.segments), p.periods)
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    size = cells.size
    moves, effects = p.migration, p.migration_effects
    terms = Terms.of(size, cells, core.customers[:, 1:], 1.0)
    terms = terms - Terms.of(size, cells[moves.target], core.customers[moves.source, :-1], moves.rate)
    lasting = ~effects.on_change
    terms = terms - Terms.of(
        size,
        cells[effects.target[lasting]],
        core.on[effects.source[lasting], effects.option[lasting], :],
        effects.rate[lasting],
    )
    if effects.on_change.any():
        once = effects.on_change
        moved = _moved_on(draft)
        terms = terms - Terms.of(
            size,
            cells[effects.target[once]],
            moved[effects.source[once], effects.option[once], :],
            effects.rate[once],
        )
    draft.add_rows(BLOCK, "migration", [p.segments, periods_of(p)], terms, "==", p.arrivals)


def _moved_on(draft: Draft) -> Indices:
    """Columns `[S, O, T]` of customers on an option that their group has just changed to, where an effect needs it.

    moved_on = on * changed, exact because changed is 0 or 1 whenever chosen is:
    moved_on <= on, moved_on <= N changed, moved_on >= on - N (1 - changed).
    """
    p, core, effects = draft.portfolio, draft.core, draft.portfolio.migration_effects
    needed = np.zeros((len(p.segments), len(p.options)), dtype=bool)
    needed[effects.source[effects.on_change], effects.option[effects.on_change]] = True
    needed &= p.offered
    changed = np.full((len(p.segments), len(p.options), p.periods), -1, dtype=np.int64)
    for number, lever in enumerate(p.levers):
        if lever.single and needed[:, np.array(lever.options)].any():
            options = np.array(lever.options)
            changed[:, options, :] = _changed(draft, number, needed)[lever.group_of]
    where = (changed >= 0) & needed[:, :, None]
    axes = [p.segments, option_labels(p), periods_of(p)]
    moved = draft.add_variables(BLOCK, "moved_on", axes, where)
    cells = np.arange(moved.size).reshape(moved.shape)
    most = p.ceiling[:, None, :-1]
    mine = Terms.of(moved.size, cells, moved, 1.0)
    all_on = Terms.of(moved.size, cells, np.where(where, core.on, -1), 1.0)
    if_changed = Terms.of(moved.size, cells, np.where(where, changed, -1), most)
    draft.add_rows(BLOCK, "moved_at_most_on", axes, mine - all_on, "<=", 0.0, where)
    draft.add_rows(BLOCK, "moved_if_changed", axes, mine - if_changed, "<=", 0.0, where)
    right = np.broadcast_to(-most, moved.shape)
    draft.add_rows(BLOCK, "moved_all", axes, mine - all_on - if_changed, ">=", right, where)
    return moved


def _changed(draft: Draft, number: int, needed: np.ndarray) -> Indices:
    """Columns `[G, options of the lever, T]`, 1 where the group has the option now and not in the period before."""
    p, lever, chosen = draft.portfolio, draft.portfolio.levers[number], draft.core.chosen[number]
    options = np.array(lever.options)
    wanted = np.zeros((len(lever.groups), len(options)), dtype=bool)
    np.logical_or.at(wanted, lever.group_of, needed[:, options])
    had = today_of(p, lever)[:, None] == options[None, :]
    where = np.repeat((wanted & (chosen[:, :, 0] >= 0))[:, :, None], p.periods, axis=2)
    where[:, :, 0] &= ~had
    labels = [(lever.name, group) for group in lever.groups]
    axes: Axes = [labels, [p.options[option] for option in lever.options], periods_of(p)]
    changed = draft.add_variables(BLOCK, "changed", axes, where, upper=1.0)
    cells = np.arange(changed.size).reshape(changed.shape)
    before = np.full_like(chosen, -1)
    before[:, :, 1:] = chosen[:, :, :-1]
    mine = Terms.of(changed.size, cells, changed, 1.0)
    now = Terms.of(changed.size, cells, np.where(where, chosen, -1), 1.0)
    then = Terms.of(changed.size, cells, np.where(where, before, -1), 1.0)
    draft.add_rows(BLOCK, "changed_at_least", axes, mine - now + then, ">=", 0.0, where)
    draft.add_rows(BLOCK, "changed_to_chosen", axes, mine - now, "<=", 0.0, where)
    later = where.copy()
    later[:, :, 0] = False
    draft.add_rows(BLOCK, "changed_from_other", axes, mine + then, "<=", 1.0, later)
    return changed
