"""Small states merged into their neighbours, so that rates and margins rest on enough customers.

In: a panel of states. Out: the same panel with fewer states, and what was merged into what.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def merge_small(
    panel: Indices, families: Sequence[str], names: Sequence[str], smallest: int
) -> tuple[Indices, tuple[str, ...]]:
    """The panel `[N, K]` (positions of states, negative: none yet) with small states gone, and a note for each.

    A state is small that was left, or stayed in, fewer than `smallest` times over the panel. It goes into the one
    before it in its family (the states of one recency, by rising frequency), the first one into the one after it; the
    smallest first, until none is small or the family has one left. The merged state has the name of its taker.
    """
    moves = panel[:, :-1]
    counts = np.bincount(moves[moves >= 0], minlength=len(names))
    seen = np.bincount(panel[panel >= 0], minlength=len(names)) > 0
    target = np.arange(len(names))
    for family in dict.fromkeys(families):
        members = [place for place, own in enumerate(families) if own == family and seen[place]]
        while len(members) > 1:
            least = min(members, key=lambda place: (counts[place], place))
            if counts[least] >= smallest:
                break
            at = members.index(least)
            taker = members[at - 1] if at else members[1]
            target[target == least] = taker
            counts[taker] += counts[least]
            members.remove(least)
    notes = tuple(
        f"state {names[place]} was seen fewer than {smallest} times and is part of {names[taker]}"
        for place, taker in enumerate(target.tolist())
        if place != taker
    )
    merged: Indices = np.where(panel >= 0, target[panel], panel).astype(np.int64)
    return merged, notes
