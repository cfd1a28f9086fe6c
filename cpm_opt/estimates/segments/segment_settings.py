"""`[estimates.segments]` of instance.toml: segments by tier or by rules on any column, as closed, frozen models.

[estimates.segments]
by = "rules"                     # or "tier": the tiers of [estimates.profit.tiers]
margin = "gross_profit"          # or "contribution" (after cost to serve), "profit" (after overhead and tax too)
money = "reporting"              # or "following": what a segment's customers earn in the period after
other = "other"                  # segment of the customers whom no rule fits
lost = []                        # segments of kind lost; by tier it is the inactive tier
smoothing = 0                    # moves: the prior is worth so many customers
smallest = 30                    # segments of fewer customers are merged
merge_into = "next"              # into the next one in the order of rules or tiers, or the segment of that name

[[estimates.segments.rules]]     # the first rule that fits counts; all conditions of a rule have to hold
segment = "large-depositor"
where = { deposits = { at_least = 1000 }, group = ["holding", "trust"] }

A condition is a text, a number, true or false (equal to it), a list (one of them), or a table of `at_least`, `above`,
`at_most`, `below` (numbers or days) and `not` (a text or a list). Nothing of a rule is ever executed.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cpm_opt.faults import did_you_mean

SEGMENTS = "segments"
NEXT = "next"
BOUNDS = ("at_least", "above", "at_most", "below")
RESERVED = ("all", "new", "left", NEXT)


def _bound(raw: Any) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int | float | datetime.date):
        raise ValueError("is neither a number nor a day")
    return raw


def _item(raw: Any) -> Any:
    if isinstance(raw, bool):
        return str(raw).lower()
    if not isinstance(raw, int | float | str):
        raise ValueError("is neither a text nor a number")
    return raw


Bound = Annotated[float | datetime.date, BeforeValidator(_bound)]
Item = Annotated[str | float, BeforeValidator(_item)]
_Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^\S[^\r\n]*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True
    )


class Condition(_Closed):
    """What a column has to hold: one of `among` (empty: anything), none of `excluded`, and the bounds."""

    among: tuple[Item, ...] = Field(default=(), strict=False)
    excluded: tuple[str, ...] = Field(default=(), alias="not", strict=False)
    at_least: Bound | None = None
    above: Bound | None = None
    at_most: Bound | None = None
    below: Bound | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = [getattr(self, name) for name in BOUNDS if getattr(self, name) is not None]
        if not self.among and not self.excluded and not given:
            raise ValueError("says nothing")
        if len({isinstance(bound, datetime.date) for bound in given}) > 1:
            raise ValueError("has a number and a day as bounds")
        lows = [getattr(self, name) for name in ("at_least", "above") if getattr(self, name) is not None]
        highs = [getattr(self, name) for name in ("at_most", "below") if getattr(self, name) is not None]
        if lows and highs and max(lows) > min(highs):
            raise ValueError("has a lower bound above its upper one")
        return self

    @property
    def bounded(self) -> bool:
        """Whether it compares numbers or days."""
        return any(getattr(self, name) is not None for name in BOUNDS)


def _written(raw: Any) -> Any:
    """The short ways to write a condition, as the table that they stand for."""
    if isinstance(raw, bool | str | int | float):
        return {"among": [raw]}
    if isinstance(raw, list):
        if not raw:
            raise ValueError("is an empty list, which nothing fits")
        return {"among": raw}
    if isinstance(raw, datetime.date):
        return {"at_least": raw, "at_most": raw}
    if not isinstance(raw, Mapping):
        raise ValueError("is no text, number, list or table of bounds")
    if isinstance(raw.get("not"), str):
        return {**raw, "not": [raw["not"]]}
    return raw


class Rule(_Closed):
    """Customers who meet every condition of `where` (column to condition) are in `segment`."""

    segment: _Name
    where: dict[str, Annotated[Condition, BeforeValidator(_written)]] = Field(min_length=1)


class SegmentRules(_Closed):
    """How customers become segments; see the module for the keys. `rules` in the order in which they are tried."""

    by: Literal["tier", "rules"]
    rules: tuple[Rule, ...] = Field(default=(), max_length=1000, strict=False)
    margin: Literal["gross_profit", "contribution", "profit"] = "gross_profit"
    money: Literal["reporting", "following"] = "reporting"
    other: _Name = "other"
    lost: tuple[_Name, ...] | None = Field(default=None, strict=False)
    smoothing: float = Field(default=0.0, ge=0, le=1e6)
    smallest: int = Field(default=0, ge=0)
    merge_into: _Name = NEXT

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.by == "tier" and self.rules:
            raise ValueError('has rules, and by = "tier" uses none')
        if self.by == "rules" and not self.rules:
            raise ValueError('has no rules, and by = "rules" needs them')
        names = [*(rule.segment for rule in self.rules), self.other]
        for name in names:
            if name in RESERVED:
                raise ValueError(f"calls a segment '{name}', which has a meaning of its own")
        if self.by == "rules":
            wanted = [*(self.lost or ()), *(() if self.merge_into == NEXT else (self.merge_into,))]
            for name in wanted:
                if name not in names:
                    raise ValueError(f"names '{name}', which is no segment ({did_you_mean(name, names)})")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a rule speaks of, once."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.where))


REMEDIES = {
    "segments": "write [estimates.segments] as docs/value.md shows",
    "segments.by": 'write by = "tier" or by = "rules"',
    "segments.rules": 'write [[estimates.segments.rules]] with segment = "NAME" and where = { COLUMN = ... }',
    "segments.margin": 'write "gross_profit", "contribution" or "profit"',
    "segments.money": 'write "reporting" or "following"',
    "segments.other": "write a name for the customers whom no rule fits",
    "segments.lost": 'name segments, such as ["inactive"]',
    "segments.smoothing": "write how many customers the prior is worth, 0 or more",
    "segments.smallest": "write a number of customers, such as 30, or leave it out to merge nothing",
    "segments.merge_into": 'write "next" or the name of a segment',
}


def known_keys(path: list[str]) -> list[str]:
    """The keys that may stand under a place of `[estimates]` within `segments`."""
    if len(path) > 4:
        return ["among", "not", *BOUNDS]
    return list((Rule if len(path) > 1 else SegmentRules).model_fields)
