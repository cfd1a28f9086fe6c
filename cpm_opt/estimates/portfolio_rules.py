"""`[estimates.product]` and `[estimates.supplier]` of instance.toml as closed, frozen models.

[estimates.product]
by = "product"                   # or "product_group": what table markets names
growth = 0.10                    # growth of a market from which it is a fast one, a fraction a period
share = 1.0                      # relative market share from which it is high

[estimates.supplier]
method = "thresholds"            # or "shares", "natural_breaks"
names = ["strategic", "preferred", "approved"]     # the best first
values = [80, 60]                # thresholds: least points of each but the last; shares: of each; natural_breaks: none
refused = "refused"              # the tier of those who miss a limit
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cpm_opt.costing.settings import TierRules

PORTFOLIO_REMEDIES = {
    "product": "write [estimates.product] with by, growth and share, each of which may be left out",
    "product.by": 'write "product" or "product_group"',
    "product.growth": "write a growth per period as a fraction, such as 0.10",
    "product.share": "write a relative market share above 0, such as 1.0",
    "supplier": "write [estimates.supplier] with method, names and values",
    "supplier.method": 'write "thresholds", "shares" or "natural_breaks"',
    "supplier.names": 'name the tiers, the best first, such as ["strategic", "preferred", "approved"]',
    "supplier.values": "write as many values as the method needs",
    "supplier.refused": "name the tier of suppliers who miss a limit",
}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ProductRules(_Closed):
    """Where the growth and share matrix is cut: `growth` a fraction per period, `share` a ratio of sales."""

    by: Literal["product", "product_group"] = "product"
    growth: float = Field(default=0.10, ge=-1, le=1)
    share: float = Field(default=1.0, gt=0, le=100)


class SupplierRules(_Closed):
    """How points (0 to 100) make tiers of suppliers; see the module for the meaning of `values`."""

    method: Literal["thresholds", "shares", "natural_breaks"] = "thresholds"
    names: tuple[str, ...] = Field(
        default=("strategic", "preferred", "approved"), min_length=1, max_length=20, strict=False
    )
    values: tuple[float, ...] = Field(default=(80.0, 60.0), strict=False)
    refused: str = Field(default="refused", min_length=1, max_length=60)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.refused in self.names:
            raise ValueError("names a tier twice")
        try:
            _ = self.tiers
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @property
    def tiers(self) -> TierRules:
        """The same as rules for tiers; those who miss a limit take the place of customers who did not work."""
        return TierRules(
            method=self.method,
            names=self.names,
            values=self.values,
            unprofitable="\N{NULL}",
            inactive=self.refused,
        )
