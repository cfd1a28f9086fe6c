"""The way from today's profit to the plan's, step by step: who posted what to the ledger of profit.

    step(source, item) = sum_t discount[t] [plan's posting - today's posting]

Steps are rounded to the cent of the real money (where tables are in thousands, to 0.00001) such that they add up
exactly to the two rounded profits. `parted` parts each step by segment and lever; the parts are rounded such that they
add up exactly to their step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from cpm_opt.faults import DefectError

if TYPE_CHECKING:
    from cpm_opt.portfolio.portfolio import Numbers
    from cpm_opt.solve.by_segment import Posting
    from cpm_opt.solve.plan import Recount

Step = tuple[str, str, str | None, str]
# (source, item, lever, segment, amount); no segment: the firm's as a whole.
Part = tuple[str, str, str, str, str]


def waterfall(today: Recount, plan: Recount, money_unit: float) -> list[Step]:
    """Rows (source, item, amount, total): `today`, the steps, `plan`. Amounts add up to the last total.

    Raises DefectError where the postings do not add up to the profits.
    """
    decimals = _decimals(money_unit)
    cents = 10.0**decimals
    start, end = round(today.profit * cents), round(plan.profit * cents)
    whole = _whole_steps(today, plan, cents)
    rows: list[Step] = [("today", "", _money(start, decimals), _money(start, decimals))]
    total = start
    for (source, item), amount in whole.items():
        total += amount
        if amount:
            rows.append((source, item, _money(amount, decimals), _money(total, decimals)))
    rows.append(("plan", "", None, _money(end, decimals)))
    return rows


def parted(
    today: Recount,
    plan: Recount,
    parts: tuple[Mapping[Posting, Numbers], Mapping[Posting, Numbers]],
    segments: Sequence[str],
    money_unit: float,
) -> list[Part]:
    """Rows (source, item, lever, segment, amount), one for each part that is not 0: of each step, what comes of which
    segment (blank: of no one segment alone) and, for resources, of which lever's use.

    `parts` are `by_segment.by_segment` of today and of the plan. The amounts of a step add up to that of `waterfall`.
    """
    decimals = _decimals(money_unit)
    cents = 10.0**decimals
    before, after = parts
    names, none = [*segments, ""], np.zeros(len(segments) + 1)
    by_step: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for key in sorted(set(before) | set(after)):
        source, item, lever = key
        change = (after.get(key, none) - before.get(key, none)) * cents
        cells = by_step.setdefault((source, item), {})
        cells.update({(lever, names[place]): float(change[place]) for place in np.flatnonzero(change)})
    rows: list[Part] = []
    for step, amount in _whole_steps(today, plan, cents).items():
        cells = by_step.get(step, {})
        noise = _noise(today, plan, cents) + 1.0
        for (lever, segment), whole in _rounded(cells, amount, noise, ("", "")).items():
            if whole:
                rows.append((*step, lever, segment, _money(whole, decimals)))
    return rows


def _decimals(money_unit: float) -> int:
    """Decimals of the cent of the real money in the tables' own money."""
    return 2 + max(0, math.ceil(math.log10(money_unit) - 1e-9))


def _whole_steps(today: Recount, plan: Recount, cents: float) -> dict[tuple[str, str], int]:
    """The steps in whole cents; they add up to the difference of the two rounded profits."""
    before, after = _discounted(today), _discounted(plan)
    keys = sorted(set(before) | set(after))
    steps = {key: (after.get(key, 0.0) - before.get(key, 0.0)) * cents for key in keys}
    total = round(plan.profit * cents) - round(today.profit * cents)
    return _rounded(steps, total, _noise(today, plan, cents), ("rounding", ""))


def _discounted(recount: Recount) -> dict[tuple[str, str], float]:
    return {key: float(flow @ recount.discount[:-1]) for key, flow in recount.money.items()}


def _noise(today: Recount, plan: Recount, cents: float) -> float:
    """What sums of floating-point numbers of this size may be off by, in cents."""
    sizes = [float(np.abs(flow).sum()) for recount in (today, plan) for flow in recount.money.values()]
    return 1e-9 * sum(sizes) * cents


def _rounded(
    steps: dict[tuple[str, str], float], total: int, noise: float, other: tuple[str, str]
) -> dict[tuple[str, str], int]:
    """Steps in whole cents that add up to `total`; the cents left over go to the steps whose rounding erred most, or to
    the step `other` where there is none. Raises DefectError where more is left over than rounding explains."""
    whole = {key: round(amount) for key, amount in steps.items()}
    left = total - sum(whole.values())
    if abs(left) > noise + len(steps) / 2 + 1:
        raise DefectError(f"the postings to profit miss the difference of the profits by {left} cents")
    if not left:
        return whole
    if not whole:
        return {other: left}
    sign = 1 if left > 0 else -1
    order = sorted(steps, key=lambda key: (steps[key] == 0.0, -sign * (steps[key] - whole[key]), key))
    each, more = divmod(abs(left), len(order))
    for place, key in enumerate(order):
        whole[key] += sign * (each + (1 if place < more else 0))
    return whole


def _money(cents: int, decimals: int) -> str:
    return format(Decimal(cents).scaleb(-decimals), "f")
