"""The answers of a ledger that was condensed where it lies: sums in millionths become money."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Condensed:
    """One scan: by code (of periods) and customer, by code and product, and the first and last day where asked for."""

    customers: pd.DataFrame
    products: pd.DataFrame
    days: tuple[pd.Timestamp, ...]


def texts(column: Any) -> Any:
    """Names, "" where there is none."""
    return np.asarray(np.ma.filled(column, "") if np.ma.isMaskedArray(column) else column, dtype=object)


def money(found: Mapping[str, Any], labels: Sequence[str], summed: Collection[str]) -> pd.DataFrame:
    """The sums in the tables' own unit, in the order of `labels`; those that were not `summed` follow from others:
    without quantities a line is one unit, without list prices list revenue is revenue and discount."""
    size = len(next(iter(found.values())))
    sums = {
        label: np.asarray(np.ma.filled(found[label], 0.0), dtype=np.float64) / 1e6
        for label in labels
        if label in summed
    }
    if "lines" in found:
        sums["lines"] = np.asarray(found["lines"], dtype=np.int64)
    if "quantity" in labels and "quantity" not in sums:
        sums["quantity"] = sums["lines"].astype(np.float64)
    for label in labels:
        if label not in sums and label != "list_revenue":
            sums[label] = np.zeros(size)
    if "list_revenue" in labels and "list_revenue" not in sums:
        sums["list_revenue"] = sums["revenue"] + sums["discount"]
    order = (["lines"] if "lines" in sums else []) + list(labels)
    return pd.DataFrame({label: sums[label] for label in order})
