"""Take-ups: which option each group of a `single` lever has now and had not in the period before."""

from __future__ import annotations

import numpy as np

from cpm_opt.formulation.core import periods_of, today_of
from cpm_opt.formulation.draft import Draft
from cpm_opt.formulation.terms import Terms
from cpm_opt.portfolio.levers import option_before
from cpm_opt.portfolio.portfolio import Flags, Indices, Portfolio


def take_ups(draft: Draft, block: str, number: int, where: Flags) -> Indices:
    """Columns `[G, options of the lever, T]`, at least 1 where the group takes the option up; in `[0, 1]`.

    taken_up[t] >= chosen[t] - chosen[t-1], before period 1 what stands today; only for `where[G, options]`, and only
    from below: they are for limits that hold them down.
    """
    p, lever, chosen = draft.portfolio, draft.portfolio.levers[number], draft.core.chosen[number]
    options = np.array(lever.options)
    had = today_of(p, lever)[:, None] == options[None, :]
    open_to = (chosen >= 0) & where[:, :, None]
    axes = [[(lever.name, group) for group in lever.groups], [p.options[o] for o in options], periods_of(p)]
    taken_up = draft.add_variables(block, "taken_up", axes, open_to, upper=1.0)
    before = np.full_like(chosen, -1)
    before[:, :, 1:] = chosen[:, :, :-1]
    cells = np.arange(chosen.size).reshape(chosen.shape)
    now, then = (
        Terms.of(chosen.size, cells, np.where(open_to, columns, -1), 1.0) for columns in (chosen, before)
    )
    terms = Terms.of(chosen.size, cells, taken_up, 1.0) - now + then
    started = np.zeros(chosen.shape)
    started[:, :, 0] = had
    draft.add_rows(block, "take_up", axes, terms, ">=", 0.0 - started, open_to)
    return taken_up


def choices_from_today(portfolio: Portfolio, number: int, chosen: Indices) -> Indices:
    """`[G, T + 1]`: what each group has before period 1 and in each period, as positions on the option axis, from
    `chosen[G, T]`; for audits, from plain arrays."""
    today = option_before(portfolio.levers[number], portfolio.current)
    return np.concatenate([today[:, None], chosen], axis=1)
