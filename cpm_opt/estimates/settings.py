"""`[estimates]` of instance.toml as a closed, frozen model: what the estimates need to be told.

[estimates]
gross_margin = 0.3               # part of revenue left after the goods
ledger_end = 1998-06-30          # last day that the ledger covers; without it the day of the last sale
calibration_end = 1997-09-30     # models of purchases are fitted up to this day, and tried on the days after it

[estimates.states]
frequency_periods = 4            # purchases of how many periods up to now make the frequency
recency = { recent = 0, quiet = 1, silent = 4 }    # bands by whole periods since the last purchase: from
frequency = { once = 1, few = 2, frequent = 4 }    # bands by transactions in those periods: from
lost = ["silent"]                # recency bands whose customers count as lost
smallest = 0                     # states seen fewer times than this go into the next one of their recency

[estimates.value]
discount_rate = 0.025            # per period
periods = 12                     # periods whose margins count; without it endless
purchases = "bg_nbd"             # the model behind lifetime values: bg_nbd or pareto_nbd
margin = "contribution"          # values are after cost to serve where ledgers tell it; "gross_profit": before it
half_life = 4                    # periods after which past profit counts half, in the value weighted to the recent
alive = 0.5                      # probability of being alive below which a customer counts as inactive
fall = 0.1                       # loss of that probability over a period from which a customer is at risk
high_share = 0.25                # the part of the customers whose value is called high

[estimates.response]
migration = "counts"             # moves of a panel: counted, or "logit"
smoothing = 20                   # counted moves: the prior is worth so many customers; 0 without it
lever = "rate"                   # its options are prices of table offers
base_price = 7.75                # and this is the price of its base
covariates = ["age"]             # further columns of table offers that acceptance is explained by too

[[estimates.response.levers]]    # more levers, from further raw tables: see `lever_rules`
lever = "calls"
from = "efforts"

`[estimates.segments]`, segments by tier or by rules on any column, is described in `segment_settings`.
[estimates.acquisition] and [estimates.scenarios] stand in `answer_rules`, [estimates.product] and
[estimates.supplier] in `portfolio_rules`.

Periods are the instance's: months, quarters or years.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from cpm_opt.costing.gross_margin import GROSS_MARGIN, REMEDY, checked_gross_margin
from cpm_opt.costing.settings import SECTION as PROFIT
from cpm_opt.costing.settings import read_profit_rules
from cpm_opt.estimates.moves.answer_rules import REMEDIES as ANSWER_REMEDIES
from cpm_opt.estimates.moves.answer_rules import AcquisitionRules, ScenarioRules
from cpm_opt.estimates.portfolio_rules import PORTFOLIO_REMEDIES, ProductRules, SupplierRules
from cpm_opt.estimates.response.lever_rules import REMEDIES as LEVER_REMEDIES
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.estimates.segments.segment_settings import REMEDIES as SEGMENT_REMEDIES
from cpm_opt.estimates.segments.segment_settings import SEGMENTS, SegmentRules, known_keys
from cpm_opt.faults import Fault, did_you_mean

INSTANCE = "instance.toml"
SECTION = "estimates"


def _discount_rate(value: float) -> float:
    if value >= 1:
        raise ValueError("looks like a percent")
    if value < 0:
        raise ValueError("is negative")
    return value


def _rising(first: int) -> AfterValidator:
    """Bands in a rising order that leave nothing below the first."""

    def check(bands: dict[str, int]) -> dict[str, int]:
        starts = list(bands.values())
        if not starts or starts[0] != first:
            raise ValueError(f"has to begin with a band from {first}")
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise ValueError("has bands whose starts do not rise")
        if any(not name.strip() for name in bands):
            raise ValueError("has a band without a name")
        return bands

    return AfterValidator(check)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StateRules(_Closed):
    """Which state a customer is in at the end of a period.

    `recency`: band name -> whole periods since the period of the last purchase from which it holds (0: bought in this
    very period). `frequency`: band name -> transactions in the last `frequency_periods` periods, this one included,
    from which it holds. The state's name joins both, `recent-few`; customers without a purchase in those periods are
    in the state of their recency band alone, `silent`. `lost` names recency bands whose states are of kind lost.
    A state that was left, or stayed in, fewer than `smallest` times is merged into the one of the next lower frequency
    and the same recency (the lowest into the next higher).
    """

    recency: Annotated[dict[str, int], _rising(0)]
    frequency: Annotated[dict[str, int], _rising(1)]
    frequency_periods: int = Field(default=4, ge=1, le=1000)
    lost: tuple[str, ...] = Field(default=(), strict=False)
    smallest: int = Field(default=0, ge=0)

    @field_validator("lost")
    @classmethod
    def _known_bands(cls, lost: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = info.data.get("recency")  # absent where it is faulty itself
        for band in lost:
            if known is not None and band not in known:
                raise ValueError(f"names '{band}', which is no recency band ({did_you_mean(band, known)})")
        return lost


class ValueRules(_Closed):
    """How the margins to come are added: `discount_rate` a fraction per period; `periods` whose flows count.

    The others belong to the customers' own values and lists; see the module for their meaning.
    """

    discount_rate: Annotated[float, AfterValidator(_discount_rate)]
    periods: int | None = Field(default=None, ge=1, le=10_000)
    purchases: Literal["bg_nbd", "pareto_nbd"] = "bg_nbd"
    margin: Literal["contribution", "gross_profit"] = "contribution"
    half_life: float = Field(default=4.0, gt=0)
    alive: float = Field(default=0.5, gt=0, lt=1)
    fall: float = Field(default=0.1, gt=0, lt=1)
    high_share: float = Field(default=0.25, gt=0, lt=1)


class ResponseRules(_Closed):
    """How answers to prices are looked at.

    `migration`: whether moves of a panel are counted, or a multinomial logit that answers to prices and service;
    `smoothing`: what the prior of counted moves is worth, as so many customers; `lever` whose options are prices of
    table offers, `base_price` the one of its base: then doubts tell which options lie outside the prices seen.
    `covariates`, `by_segment` and `shrink` are those of the fit of offers, as in `LeverRules`; `levers` are further
    levers, each with the raw table that tells its effects.
    """

    migration: Literal["counts", "logit"] = "counts"
    smoothing: float = Field(default=0.0, ge=0, le=1e6)
    lever: str | None = None
    base_price: float | None = Field(default=None, gt=0)
    covariates: tuple[str, ...] = Field(default=(), strict=False)
    by_segment: bool = True
    shrink: bool = True
    levers: tuple[LeverRules, ...] = Field(default=(), strict=False)

    def of(self, source: str) -> tuple[LeverRules, ...]:
        """The levers whose effects come from raw table `source`, that of the keys `lever` and `base_price` first."""
        own = tuple(rules for rules in self.levers if rules.source == source)
        if source != "offers" or self.lever is None or self.base_price is None:
            return own
        keys = {"covariates": self.covariates, "by_segment": self.by_segment, "shrink": self.shrink}
        first = LeverRules(**{"from": "offers"}, lever=self.lever, base_price=self.base_price, **keys)  # type: ignore[arg-type]
        return (first, *own)


class EstimateRules(_Closed):
    """The whole of `[estimates]`. Each part is needed only by the estimates that use it."""

    gross_margin: Annotated[float, BeforeValidator(checked_gross_margin)] | None = None
    ledger_end: datetime.date | None = None
    calibration_end: datetime.date | None = None
    states: StateRules | None = None
    segments: SegmentRules | None = None
    value: ValueRules | None = None
    response: ResponseRules | None = None
    acquisition: AcquisitionRules | None = None
    scenarios: ScenarioRules | None = None
    product: ProductRules | None = None
    supplier: SupplierRules | None = None


_REMEDIES = {
    GROSS_MARGIN: REMEDY,
    "ledger_end": "write the last day of the ledger as a date, such as ledger_end = 1998-06-30",
    "calibration_end": "write a day inside the ledger as a date, such as calibration_end = 1997-09-30",
    "states": "write [estimates.states] with recency and frequency bands",
    "states.recency": "write bands by periods since the last purchase, such as { recent = 0, quiet = 1, silent = 4 }",
    "states.frequency": "write bands by transactions, such as { once = 1, few = 2, frequent = 4 }",
    "states.frequency_periods": "write a whole number of periods, such as 4",
    "states.lost": 'name recency bands, such as ["silent"]',
    "states.smallest": "write a number of times, such as 30, or leave it out to merge nothing",
    "response": "write [estimates.response] with smoothing, or lever and base_price",
    "response.migration": 'write "counts" or "logit"',
    "response.smoothing": "write how many customers the prior is worth, 0 or more",
    "response.lever": "name the lever whose options are prices of table offers",
    "response.base_price": "write the price of the lever's base, above 0, in the unit of table offers",
    **{f"response.{key}": LEVER_REMEDIES[key] for key in ("covariates", "by_segment", "shrink")},
    "response.levers": "write [[estimates.response.levers]] with lever and from",
    **{f"response.levers.{key}": remedy for key, remedy in LEVER_REMEDIES.items()},
    **ANSWER_REMEDIES,
    **SEGMENT_REMEDIES,
    **PORTFOLIO_REMEDIES,
    "value": "write [estimates.value] with a discount_rate per period",
    "value.discount_rate": "write a fraction per period, such as 0.025",
    "value.periods": "write a whole number of periods from 1 on, or leave it out for an endless value",
    "value.purchases": 'write "bg_nbd" or "pareto_nbd"',
    "value.margin": 'write "contribution" (after cost to serve, where ledgers tell it) or "gross_profit"',
    "value.half_life": "write a number of periods above 0, such as 4",
    "value.alive": "write a probability between 0 and 1, such as 0.5",
    "value.fall": "write a loss of probability between 0 and 1, such as 0.1",
    "value.high_share": "write a share between 0 and 1, such as 0.25",
}


def read_rules(raw: Mapping[str, Any]) -> tuple[EstimateRules | None, tuple[Fault, ...]]:
    """`[estimates]` as rules, or None with every fault in it. `[estimates.profit]` is costing's: only checked here."""
    faults = read_profit_rules(raw)[1]
    try:
        rules = EstimateRules.model_validate({key: value for key, value in raw.items() if key != PROFIT})
    except ValidationError as error:
        return None, (*(_fault(problem, raw) for problem in error.errors()), *faults)
    return (None if faults else rules), faults


def unknown_keys(raw: Mapping[str, Any]) -> tuple[Fault, ...]:
    """A fault for each key right under `[estimates]` that nothing reads, with the nearest one that something does."""
    known = [*EstimateRules.model_fields, PROFIT]
    return tuple(
        rule_fault(key, "is no key that is known here", did_you_mean(key, known))
        for key in raw
        if key not in known
    )


def missing_rules(rules: EstimateRules, needed: tuple[str, ...]) -> tuple[Fault, ...]:
    """A fault for each part of `[estimates]` that an estimate needs and the instance does not state."""
    return tuple(
        rule_fault(part, "is missing, and the tables are to be estimated from sales", _REMEDIES[part])
        for part in needed
        if getattr(rules, part) is None
    )


def rule_fault(key: str, message: str, remedy: str, value: object = None) -> Fault:
    """A fault of one key under `[estimates]`."""
    shown = None if value is None else str(value)
    return Fault(INSTANCE, message, remedy, column=f"{SECTION}.{key}", value=shown, code="estimates")


def _fault(problem: Any, raw: Mapping[str, Any]) -> Fault:
    """One complaint of pydantic in our words."""
    path = [str(part) for part in problem["loc"] if "[" not in str(part)]
    key = ".".join(path)
    if problem["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        return rule_fault(key, "is no key that is known here", did_you_mean(path[-1], known))
    plain = [part for part in path if not part.isdigit()]
    # The remedy of the key itself, else of the nearest table that it is in.
    nearest = (".".join(plain[:size]) for size in range(len(plain), 0, -1))
    table_of_key = next((k for k in (key, *nearest) if k in _REMEDIES), "states")
    if problem["type"] == "missing":
        return rule_fault(key, "is missing", _REMEDIES[table_of_key])
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] != "value_error":
        message = message[:1].lower() + message[1:].replace("Input ", "")
    value = problem["input"]
    return rule_fault(key, message, _REMEDIES[table_of_key], None if isinstance(value, Mapping) else value)


def _fields_at(path: list[str]) -> list[str]:
    nested: dict[str, type[BaseModel]] = {
        "states": StateRules,
        "value": ValueRules,
        "response": ResponseRules,
        "acquisition": AcquisitionRules,
        "scenarios": ScenarioRules,
        "product": ProductRules,
        "supplier": SupplierRules,
    }
    if path[:2] == ["response", "levers"]:
        return ["from" if name == "source" else name for name in LeverRules.model_fields]
    if path[:1] == [SEGMENTS]:
        return known_keys(path)
    model = nested.get(path[0], EstimateRules) if path else EstimateRules
    return [*model.model_fields, *([] if path else [PROFIT])]
