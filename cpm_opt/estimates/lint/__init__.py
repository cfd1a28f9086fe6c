"""Doubts about estimates and about planning tables: told with their remedies, and never repaired."""
