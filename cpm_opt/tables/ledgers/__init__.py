"""Raw tables too long to be held in memory: DuckDB reads, checks and condenses them where they lie."""

from __future__ import annotations

from cpm_opt.tables.ledgers.large import LargeTable, open_large, too_long_for_a_frame

__all__ = ["LargeTable", "open_large", "too_long_for_a_frame"]
