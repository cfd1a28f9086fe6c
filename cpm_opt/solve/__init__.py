"""From a portfolio and a model to a certified plan: `solve.solve`, `session.Session`.

This file imports nothing: the solver's own process starts from this package and must start fast.
"""
