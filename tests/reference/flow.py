"""A measure of some segments in a period, as terms of the programme's columns."""

from __future__ import annotations

from tests.reference.numbers import Numbers
from tests.reference.program import Program, Terms, add


def flow(program: Program, numbers: Numbers, measure: str, segments: list[str], t: int) -> Terms:
    """The sum of a measure over segments in a period, as terms."""
    out: Terms = {}
    for s in segments:
        if measure == "customers":
            add(out, {program.columns["n", s, t + 1]: 1.0})
            continue
        add(out, {program.columns["n", s, t]: numbers.base(measure, s, t)})
        for lever in numbers.levers.values():
            for o in lever.options:
                at = (s, lever.name, o)
                add(out, {program.columns["x", *at, t]: numbers.effect(measure, at, t)})
    return out
