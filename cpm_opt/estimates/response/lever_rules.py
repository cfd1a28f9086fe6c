"""`[[estimates.response.levers]]` of instance.toml as a closed, frozen model: a lever, and the table that tells of it.

[[estimates.response.levers]]
lever = "fee"                    # a lever of tables levers and options
from = "price_points"            # offers, price_points, choices, efforts, trials, panel, acquisitions, or stated
base_price = 100                 # price of the lever's base; price_change of options says how theirs stand to it
curve = "constant_elasticity"    # price_points: also linear, logit, points; efforts: log, power, hill
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Source = Literal["offers", "price_points", "choices", "efforts", "trials", "panel", "acquisitions", "stated"]
Term = Literal["price", "service", "programme", "promotion", "advertising"]
CurveForm = Literal["constant_elasticity", "linear", "logit", "points", "log", "power", "hill"]

PRICED = ("curve", "gross_margin", "revenue_share")
FITTED = ("base_price", "covariates", "by_segment", "shrink")
RESULT = ("options", "measure", "value")
CHOSEN = ("alternative", "own_alternatives", "reference", "constants")
KEYS: Mapping[str, tuple[str, ...]] = {
    "offers": FITTED,
    "price_points": (*FITTED, *PRICED, "fit", "errors"),
    "choices": (*FITTED, *CHOSEN, "gross_margin", "revenue_share", "errors"),
    "efforts": ("curve", *RESULT),
    "trials": ("programme", *RESULT),
    "stated": (*PRICED, "elasticity", "elasticity_se", "share"),
}  # of panel and acquisitions: `lever_terms`


class LeverRules(BaseModel):
    """How the effects of one lever's options follow from a raw table.

    For prices (`offers`, `price_points`, `choices`): `base_price` is the price of the base. `curve` is the form that is
    fitted, `fit` how a constant elasticity is (least squares of logarithms, or Poisson quasi-likelihood), `errors`
    whether standard errors are robust (clustered where clusters are named) or classical. `covariates` name further
    columns of the raw table: numbers, or words, each of which becomes a dummy; "C(NAME)" takes a number as a word,
    "log(NAME)" its logarithm, "NAME:segment" (choices: "NAME:alternative" too) lets it act in each in its own way.
    `by_segment`: each segment answers to the
    price in its own way; `shrink`: these slopes are then shrunk to the whole.
    `gross_margin`: the part of revenue left after cost that varies with volume; without it margin over revenue of
    table segments. `revenue_share`: the part of a segment's revenue that is earned at this price.

    For choices: `alternative` is the one whose price the lever is, `own_alternatives` the firm's others, each with the
    part of a segment's revenue that is earned at it, which the price of the first moves too. `constants` says whether
    an alternative's utility beside price and covariates is each segment's own (without it), common to all, or none
    (alternatives without a name, as in an experiment); the `reference` has none (without it the first by name).

    Without a raw table (`stated`): `elasticity` is that at today's price, one for all or by segment, with its standard
    error `elasticity_se` if it is known; `curve` logit needs `share`, the part of everybody that buys today.

    For the others: `options` says what each option is, its effort (efforts) or its arm (trials; without it the arm
    has the option's name); `measure` what the result or outcome is: margin, revenue, cash, a measure of the instance,
    or `retention` (trials: 1 stayed, 0 not); `value` is the amount of it that one unit of the result makes.
    `programme` is the campaign of table trials; it may be left out where there is one.

    `term` (panel: price, service or programme; acquisitions: price, promotion or advertising) is the column that the
    lever moves, and `options` says what each option is there; see `cpm_opt.estimates.response.lever_terms`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    lever: str
    source: Source = Field(alias="from")
    base_price: float | None = Field(default=None, gt=0)
    curve: CurveForm | None = None
    fit: Literal["ols", "poisson"] = "ols"
    errors: Literal["robust", "classical"] = "robust"
    covariates: tuple[str, ...] = Field(default=(), strict=False)
    by_segment: bool = True
    shrink: bool = True
    gross_margin: float | None = Field(default=None, gt=0, le=1)
    revenue_share: float = Field(default=1.0, gt=0, le=1)
    elasticity: float | dict[str, float] | None = None
    elasticity_se: float = Field(default=0.0, ge=0)
    share: float | None = Field(default=None, gt=0, lt=1)
    alternative: str | None = None
    own_alternatives: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    reference: str | None = None
    constants: Literal["segment", "common", "none"] = "segment"
    options: dict[str, float | str] = Field(default_factory=dict)
    term: Term | None = None
    programme: str | None = None
    measure: str = "margin"
    value: float = 1.0

    @model_validator(mode="after")
    def _no_idle_key(self) -> Self:
        """A key that the source does not read is a slip, not a wish to be passed over."""
        known = KEYS.get(self.source, ())
        given = [name for name in type(self).model_fields if name in self.model_fields_set]
        idle = [name for name in given if name not in (*known, "lever", "source")]
        if known and idle:
            raise ValueError(
                f"has {idle[0]}, which says nothing for from = {self.source} (known: {', '.join(known)})"
            )
        if self.fit == "poisson" and self.curve not in (None, "constant_elasticity"):
            raise ValueError(
                f"has fit = poisson, which is for a constant elasticity and not for {self.curve}"
            )
        if self.alternative is not None and self.alternative in self.own_alternatives:
            raise ValueError(
                f"has own_alternatives with {self.alternative}, which is the lever's own: name the others there"
            )
        return self


REMEDIES = {
    "lever": "name a lever of tables levers and options",
    "from": 'write "offers", "price_points", "choices", "efforts", "trials", "panel", "acquisitions" or "stated"',
    "base_price": "write the price of the lever's base, above 0, in the unit of the raw table",
    "curve": 'price_points: "constant_elasticity", "linear", "logit" or "points"; efforts: "log", "power" or "hill"',
    "fit": 'write "ols" or "poisson"',
    "errors": 'write "robust" or "classical"',
    "covariates": 'name further columns of the raw table, such as ["age", "region"]',
    "by_segment": "write true or false",
    "shrink": "write true or false",
    "gross_margin": "write a fraction above 0, such as 0.4",
    "revenue_share": "write the part of a segment's revenue that is earned at this price, such as 0.3",
    "elasticity": "write the elasticity, such as -1.5, or one a segment, such as { gold = -1.2, silver = -2 }",
    "elasticity_se": "write its standard error, 0 or more",
    "share": "write the part of everybody that buys today, between 0 and 1",
    "alternative": "name the alternative of table choices whose price the lever is",
    "own_alternatives": "write the part of a segment's revenue earned at each, such as { economy = 0.3 }",
    "reference": "name an alternative of table choices",
    "constants": 'write "segment", "common" or "none"',
    "options": "write what each option is, such as { none = 0, call = 1.5 }",
    "programme": "name a programme of table trials",
    "term": 'panel: "price", "service" or "programme"; acquisitions: "price", "promotion" or "advertising"',
    "measure": 'write "margin", "revenue", "cash", a measure of the instance, or "retention"',
    "value": "write the amount that one unit of the result makes, such as 12.5",
}
