"""Groups of connected clients: owner, borrower and shareholder links, and the groups that table customers states.

In: tables customers and links. Out: the group of each customer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def connected_groups(
    customers: NDArray[np.object_], stated: pd.Series[str], links: pd.DataFrame
) -> pd.Series[str]:
    """The group of each of `customers` (sorted names), indexed by them; blank for who is connected to nobody.

    `stated` maps customers to the group that table customers names (blank: none). Whoever is linked, directly or
    through others or the same stated group, is in one group; it bears the stated name that comes first, else that of
    its first customer. Links to whom no ledger knows connect too.
    """
    named = stated[stated != ""]
    if named.empty and links.empty:
        return pd.Series("", index=customers, dtype=object)
    # The stated groups are nodes too, under names apart from customers'.
    groups = pd.Series([f"\0{name}" for name in named], dtype=object)
    heads = pd.concat([links["customer"], pd.Series(named.index, dtype=object)], ignore_index=True)
    tails = pd.concat([links["other"], groups], ignore_index=True)
    nodes, known = pd.factorize(pd.concat([pd.Series(customers, dtype=object), heads, tails]), sort=False)
    head, tail = np.split(nodes[len(customers) :], 2)
    every = _components(len(known), head, tail)
    component = pd.Series(every[: len(customers)], index=customers)
    together = component[component.duplicated(keep=False) | component.index.isin(named.index)]
    name_of = {int(at): str(first) for first, at in reversed(list(together.items()))}
    for at, name in sorted(zip(every[head[len(links) :]], named, strict=True), reverse=True):
        name_of[int(at)] = str(name)
    found = {str(customer): name_of[int(at)] for customer, at in together.items()}
    return pd.Series([found.get(customer, "") for customer in customers], index=customers, dtype=object)


def _components(size: int, head: NDArray[np.int64], tail: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least node of the component of each node."""
    label = np.arange(size)
    while True:
        before = label.copy()
        least = np.minimum(label[head], label[tail])
        np.minimum.at(label, head, least)
        np.minimum.at(label, tail, least)
        label = label[label]  # jumps along the way to the least
        if (label == before).all():
            return label
