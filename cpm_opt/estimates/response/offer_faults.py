"""What keeps offers from being fitted: too few answers, prices or clusters, and answers that something tells perfectly.

In: offers as arrays. Out: nothing, or InputError with every fault of a kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.explanatory import Terms, refuse_few_clusters
from cpm_opt.estimates.response.separation import refuse_alike
from cpm_opt.faults import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST_ACCEPTED = 5
SAME = 1e-9  # a contract's price is the one offered where they differ by no more


def told_by(offers: pd.DataFrame) -> NDArray[np.bool_]:
    """Which offers tell what an accepted one brings at its price: those accepted at the price that was offered. Where a
    contract came to have another price (`contract_price`), what it brought is an answer to that one."""
    taken = offers["accepted"].to_numpy(dtype=np.float64) > 0
    if "contract_price" not in offers:
        return np.asarray(taken)
    apart = (offers["contract_price"] - offers["price"]).abs().to_numpy(dtype=np.float64)
    return np.asarray(taken & ~(apart > SAME))  # a blank one makes nan, which is not above


def refuse_offers(
    offers: pd.DataFrame,
    of_row: Indices,
    segments: tuple[str, ...],
    by_segment: bool,
    found: Terms,
    brings: bool,
) -> None:
    """Raises InputError with what keeps offers from being fitted; `brings` says that accepted ones have curves too."""
    price, taken = (offers[name].to_numpy(dtype=np.float64) for name in ("price", "accepted"))
    accepted = np.bincount(of_row, weights=taken, minlength=len(segments)).astype(np.float64)
    count = np.bincount(of_row, minlength=len(segments)).astype(np.float64)
    _refuse_thin(segments, accepted, count)
    if brings:
        _refuse_redrawn(segments, accepted, np.bincount(of_row[told_by(offers)], minlength=len(segments)))
    _refuse_prices(segments, of_row, price, taken, by_segment)
    words = ("nobody accepted", "everybody accepted", "offers")
    refuse_alike(found, taken, np.ones(len(taken)), "offers", words)
    if "cluster" in offers:
        slope_of = of_row if by_segment else np.zeros_like(of_row)
        refuse_few_clusters(slope_of, segments if by_segment else ("",), offers["cluster"], "offers")


def _refuse_thin(segments: tuple[str, ...], accepted: Numbers, count: Numbers) -> None:
    thin = [
        Fault(
            "offers",
            f"segment {name} has {int(accepted[s])} accepted of {int(count[s])} offers, too few for a curve",
            "join it with a segment that is like it",
            column="segment",
            code="few_accepted",
        )
        for s, name in enumerate(segments)
        if accepted[s] < LEAST_ACCEPTED or accepted[s] == count[s]
    ]
    if thin:
        raise InputError(thin)


def _refuse_redrawn(segments: tuple[str, ...], accepted: Numbers, left: Indices) -> None:
    thin = [
        Fault(
            "offers",
            f"segment {name} has {left[s]} of {int(accepted[s])} accepted offers at the price that was offered, too "
            "few for curves of what they bring",
            "join it with a segment that is like it",
            column="contract_price",
            code="few_accepted",
        )
        for s, name in enumerate(segments)
        if left[s] < LEAST_ACCEPTED
    ]
    if thin:
        raise InputError(thin)


def _refuse_prices(
    segments: tuple[str, ...], of_row: Indices, price: Numbers, taken: Numbers, by_segment: bool
) -> None:
    """Raises InputError for segments (or, with one slope for all, offers) at one price, or whose price tells perfectly
    who accepts."""
    wrong = []
    for s, name in enumerate(segments if by_segment else ("",)):
        own = of_row == s if by_segment else np.ones(len(price), dtype=np.bool_)
        who = f"segment {name} has" if name else "there is"
        if len(np.unique(price[own])) < 2:
            text = f"{who} one price alone, so nothing tells what another would do"
            remedy = "join it with another segment, or leave it out"
            wrong.append(Fault("offers", text, remedy, column="price", code="one_price"))
            continue
        yes, no = price[own & (taken > 0)], price[own & (taken == 0)]
        if by_segment and (yes.max() <= no.min() or yes.min() >= no.max()):
            edge = "below" if yes.max() <= no.min() else "above"
            at = yes.max() if edge == "below" else yes.min()
            text = (
                f"segment {name}: no offer {edge} {at:g} was refused and none beyond it accepted, so the price tells "
                "perfectly who accepts (separation), and no curve is the likeliest"
            )
            remedy = "offer prices at which some accept and some do not, or join the segment with another"
            wrong.append(Fault("offers", text, remedy, column="price", code="separation"))
    if wrong:
        raise InputError(wrong)
