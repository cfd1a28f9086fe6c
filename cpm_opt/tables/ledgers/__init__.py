"""Raw tables too long to be held in memory: DuckDB, or the user's own database, checks and condenses them where they
lie."""

from __future__ import annotations

from cpm_opt.tables.ledgers.large import InRowsNow, LargeTable, open_large, too_long_for_a_frame

__all__ = ["InRowsNow", "LargeTable", "open_large", "too_long_for_a_frame"]
