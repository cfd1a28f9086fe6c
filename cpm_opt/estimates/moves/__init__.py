"""Moves between segments, leaving and coming: what a panel and new customers tell."""
