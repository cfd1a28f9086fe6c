"""The points of a sweep: a whole grid, or a sample drawn with a seed."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

from cpm_opt.faults import Fault, InputError
from cpm_opt.study.variation import Variation

MOST_POINTS = 100_000
DIGITS = 6

Point = tuple[str, ...]


def points_of(variations: Sequence[Variation], sample: int | None, seed: int) -> tuple[Point, ...]:
    """One text a variation and point. Without `sample` every combination, the last key running fastest.

    With `sample` that many of them: different combinations where all values are listed (all of them where there are no
    more), else independent draws, even between the ends of a range and rounded to 6 digits. Raises InputError.
    """
    ranged = [variation for variation in variations if variation.ranged]
    count = math.prod(len(variation.values) for variation in variations)
    if sample is not None and not 1 <= sample <= MOST_POINTS:
        message, remedy = "is no number of points", f"write 1 to {MOST_POINTS:,}"
        raise InputError([Fault("--sample", message, remedy, value=str(sample), code="sample")])
    if sample is None and ranged:
        message, remedy = "a range has no grid", "add --sample N, or list its values"
        raise InputError([Fault("--vary", message, remedy, value=ranged[0].key, code="range")])
    if sample is None and count > MOST_POINTS:
        message = f"the grid has {count:,} points, more than {MOST_POINTS:,}"
        raise InputError([Fault("--vary", message, "list fewer values, or add --sample N", code="grid")])
    if sample is None:
        return tuple(itertools.product(*(variation.values for variation in variations)))
    draw = random.Random(seed)
    if ranged:
        return tuple(tuple(_drawn(variation, draw) for variation in variations) for _ in range(sample))
    numbers = sorted(draw.sample(range(count), min(sample, count)))
    return tuple(_combination(variations, number) for number in numbers)


def _drawn(variation: Variation, draw: random.Random) -> str:
    if variation.low is None or variation.high is None:
        return draw.choice(variation.values)
    return f"{draw.uniform(variation.low, variation.high):.{DIGITS}g}"


def _combination(variations: Sequence[Variation], number: int) -> Point:
    """The combination of that number in the order of the grid, without making the grid."""
    picked = []
    for variation in reversed(variations):
        number, place = divmod(number, len(variation.values))
        picked.append(variation.values[place])
    return tuple(reversed(picked))
