"""Segments and their moves from ledgers: by recency and frequency, by tier, by rules."""
