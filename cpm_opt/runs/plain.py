"""Values of the program as JSON: plain types only, and never an infinity or a NaN, which JSON does not know."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping


def plain(value: object) -> object:
    """`value` as dicts, lists, text, numbers and None, which also stands for what is not finite."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(part) for part in value]
    return str(value)


def json_text(value: object) -> str:
    """`value` as one JSON document. ASCII only, so that it passes through any terminal, pipe or code page."""
    return json.dumps(plain(value), indent=2, ensure_ascii=True, allow_nan=False)
