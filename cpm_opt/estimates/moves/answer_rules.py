"""`[estimates.acquisition]` and `[estimates.scenarios]` of instance.toml as closed, frozen models.

[estimates.acquisition]
customers = 120                  # new customers of the own firm in a period; table acquisitions tells who they are
periods = 8                      # rows of table arrivals, or
prospects = "market"             # the segment of kind prospect out of which they come, by migration
at = { promotion = 0 }           # what stands today; interventions that are not named are at their means

[estimates.scenarios]
number = 20                      # scenarios that are written
draws = 1000                     # draws that they are chosen from
seed = 1
spread = "matched"               # factors have the mean and spread of all draws; or "draws": those of the kept ones
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class AcquisitionRules(_Closed):
    """How many new customers there are, and where they come from; see the module for the keys."""

    customers: float = Field(gt=0, lt=1e12)
    periods: int | None = Field(default=None, ge=1, le=1000)
    prospects: str | None = None
    at: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.periods is None) == (self.prospects is None):
            raise ValueError("needs either periods (table arrivals) or prospects (moves out of that segment)")
        return self


class ScenarioRules(_Closed):
    """How many scenarios are written, out of how many draws, with which seed, and whether their spread is theirs."""

    number: int = Field(default=20, ge=1, le=1000)
    draws: int = Field(default=1000, ge=2, le=5000)
    seed: int = Field(default=1, ge=0, lt=2**32)
    spread: Literal["matched", "draws"] = "matched"

    @model_validator(mode="after")
    def _fewer_than_draws(self) -> Self:
        if self.number > self.draws:
            raise ValueError(f"asks for {self.number} scenarios of {self.draws} draws")
        return self


REMEDIES = {
    "acquisition": "write [estimates.acquisition] with customers, and either periods or prospects",
    "acquisition.customers": "write how many new customers there are in a period, above 0",
    "acquisition.periods": "write a whole number of periods from 1 on",
    "acquisition.prospects": "name a segment of kind prospect",
    "acquisition.at": "write what stands today, such as { promotion = 0, price = 10 }",
    "scenarios": "write [estimates.scenarios] with number, draws and seed; number at most draws",
    "scenarios.number": "write a whole number from 1 to 1000",
    "scenarios.draws": "write a whole number from 2 to 5000",
    "scenarios.seed": "write a whole number from 0 on",
    "scenarios.spread": 'write "matched" or "draws"',
}
