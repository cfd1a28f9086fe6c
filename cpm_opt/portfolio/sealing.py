"""Arrays that nobody can write to, so that a frozen value is frozen to the last number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TypeVar

import numpy as np

Value = TypeVar("Value")


def sealed_all(value: Value) -> Value:
    """The value itself, every array in it (through dataclasses, tuples and mappings) closed to writing."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif is_dataclass(value):
        for each in fields(value):
            sealed_all(getattr(value, each.name))
    elif isinstance(value, tuple):
        for part in value:
            sealed_all(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            sealed_all(part)
    return value
