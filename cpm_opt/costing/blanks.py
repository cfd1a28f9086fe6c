"""Names that a look-up did not find."""

from __future__ import annotations

from typing import Any

import pandas as pd


def blank_where_missing(names: pd.Series[Any]) -> pd.Series[str]:
    """Text, of dtype object, with "" for what is missing: a look-up that finds nothing at all gives numbers."""
    found: pd.Series[str] = names.astype(object).where(names.notna(), "")
    return found
