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
    ends = pd.concat(
        [
            pd.DataFrame({"a": links["customer"], "b": links["other"]}),
            pd.DataFrame(
                {"a": named.index, "b": "\0" + named.astype(object)}
            ),  # a name apart from customers'
        ],
        ignore_index=True,
    )
    nodes, names = pd.factorize(
        pd.concat([pd.Series(customers, dtype=object), ends["a"], ends["b"]]), sort=False
    )
    head, tail = np.split(nodes[len(customers) :], 2)
    label = _components(len(names), head, tail)[: len(customers)]
    found = pd.DataFrame({"customer": customers, "label": label})
    found["stated"] = found["customer"].map(named)
    found["size"] = found.groupby("label")["customer"].transform("size")
    first = (
        found.groupby("label")["stated"]
        .transform("min")
        .fillna(found.groupby("label")["customer"].transform("min"))
    )
    alone = (found["size"] == 1) & found["stated"].isna()
    return pd.Series(first.where(~alone, "").to_numpy(dtype=object), index=customers)


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
