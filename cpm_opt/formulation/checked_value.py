"""Checks one value of a table against the type of its field, and says what is wrong in our words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from cpm_opt.faults import nearest

_BEYOND = {
    "greater_than_equal": ("ge", "is below"),
    "greater_than": ("gt", "is not above"),
    "less_than_equal": ("le", "is above"),
    "less_than": ("lt", "is not below"),
}
_WORDS = {
    "string_type": ("is not text", "write it in quotes"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "tuple_type": ("is no list", "write it in brackets"),
}


@dataclass(frozen=True)
class Checked:
    """The value as its type has it (a whole number as a float where one belongs); or what is wrong, and the remedy."""

    value: Any = None
    wrong: str | None = None
    remedy: str = ""


def checked_value(hint: Any, value: Any) -> Checked:
    """Check `value` strictly against a type hint, bounds in Annotated included: no text for a number, no true for 1."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
        return Checked(
            adapter.validate_python(tuple(value) if isinstance(value, list) else value, strict=True)
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    kind = first["type"]
    if kind in ("float_type", "int_type", "int_from_float"):
        wrong = "is not a number" if kind == "float_type" else "is not a whole number"
        return Checked(wrong=wrong, remedy=_number_remedy(hint, value))
    if kind in _BEYOND:
        name, words = _BEYOND[kind]
        return Checked(wrong=f"{words} {_plain(_bounds(hint)[name])}", remedy=_number_remedy(hint, value))
    if kind == "literal_error":
        choices = [leaf for leaf in _leaves(hint) if isinstance(leaf, str)]
        near = nearest(str(value), choices)
        remedy = f"did you mean '{near}'?" if near else "write one of them"
        return Checked(wrong="is not one of " + ", ".join(choices), remedy=remedy)
    wrong, remedy = _WORDS.get(kind, (first["msg"][:1].lower() + first["msg"][1:], "correct it"))
    return Checked(wrong=wrong, remedy=remedy)


def _bounds(hint: Any) -> dict[str, Any]:
    """The bounds ge, gt, le, lt of an Annotated type, whether given by pydantic's Field or by annotated_types."""
    bounds = {}
    for given in getattr(hint, "__metadata__", ()):
        for constraint in getattr(given, "metadata", [given]):
            for name in ("ge", "gt", "le", "lt"):
                if getattr(constraint, name, None) is not None:
                    bounds[name] = getattr(constraint, name)
    return bounds


def _number_remedy(hint: Any, value: object) -> str:
    if isinstance(value, str) and _is_number(value):
        return f"write it without quotes: {value.strip()}"
    bounds = _bounds(hint)
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if (bounds.get("ge"), high) == (0, 1):
        limit = "below 1" if "lt" in bounds else "1"
        return f"write a fraction from 0 to {limit}, such as 0.05 for 5 %"
    remedy = "write a whole number" if int in _leaves(hint) else "write a number"
    if low is not None:
        remedy += f" above {_plain(low)}" if "gt" in bounds else f" from {_plain(low)}"
    if high is not None:
        remedy += f" below {_plain(high)}" if "lt" in bounds else f" up to {_plain(high)}"
    return remedy


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(number: Any) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _leaves(hint: Any) -> Iterator[Any]:
    """What a hint is made of, inside Annotated, a union or a Literal: the types, bounds and choices."""
    parts = get_args(hint)
    if not parts:
        yield hint
    for part in parts:
        yield from _leaves(part)
