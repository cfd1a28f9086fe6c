"""The raw tables of what customers answered: to prices, to effort, to programmes, and from period to period."""

from __future__ import annotations

from math import nan

from cpm_opt.tables.column import Column, Table, optional_reference, reference

_MONEY = "money per accepted offer"

OFFERS = Table(
    "offers",
    "offers at different prices and what became of them, one row each; best where prices were drawn at random",
    (
        reference("segment", "segment of the customer"),
        Column("price", "number", "price that was offered, such as a rate or a fee", "of the price", True, low=1e-9),
        Column("accepted", "integer", "1 accepted, 0 not", required=True, low=0, high=1),
        Column("amount", "number", "volume of an accepted offer, such as the loan", _MONEY, default=nan, low=0.0,
               blank="0"),
        Column("revenue", "number", "what an accepted offer brought", _MONEY, default=nan, low=0.0, blank="0"),
        Column("loss", "number", "what was lost on it, such as arrears", _MONEY, default=nan, low=0.0, blank="0"),
        optional_reference("stratum", "within which prices were drawn, such as a mailing", "one for all"),
        optional_reference("cluster", "whose offers may answer alike, such as a branch", "each offer by itself"),
        Column("standard_price", "number", "usual price of such a customer; higher offers are left out", "as price",
               default=nan, low=0.0, blank="none is left out"),
        Column("contract_price", "number", "price of the contract, where it came to differ from the one offered; what "
               "such an accepted offer brought is left out of the curves of amount, revenue and loss, and its take-up "
               "counts", "as price", default=nan, low=0.0, blank="as price"),
    ),
    extra="covariates",
)  # fmt: skip

PRICE_POINTS = Table(
    "price_points",
    "what was sold at which price, a row for each observation, such as a segment's week in one shop; with curve "
    "`points` the stated points of a demand curve",
    (
        Column("price", "number", "price that stood", "of the price", True, low=1e-9),
        Column("volume", "number", "what was sold at it", "units", True, low=0.0),
        optional_reference("segment", "segment that bought", "one for all"),
        optional_reference("lever", "lever whose price it is", "the only one"),
        Column("period", "integer", "running number of the period", "periods", default=-1, low=0, blank="not known"),
        Column("potential", "number", "how many could have bought; curve `logit` needs it", "units", default=nan,
               low=0.0, blank="not known"),
        optional_reference("stratum", "within which prices are compared, such as a shop or season", "one for all"),
        optional_reference("cluster", "which observations may err alike, such as a shop", "each by itself"),
    ),
    extra="covariates",
)  # fmt: skip

CHOICES = Table(
    "choices",
    "what was chosen among priced alternatives: a row for each alternative that was to be had in each choice",
    (
        reference("choice", "one choice, such as a customer's purchase on one day"),
        reference("alternative", "what could be chosen; buying nothing is an alternative too"),
        Column("price", "number", "price at which it could be had", "of the price", True, low=0.0),
        Column("chosen", "number", "1 chosen, 0 not; or how many chose it", "customers", True, low=0.0),
        optional_reference("segment", "segment of who chose", "one for all"),
        optional_reference("cluster", "whose choices may err alike, such as a household", "each choice by itself"),
    ),
    key=("choice", "alternative"),
    extra="covariates",
)  # fmt: skip

EFFORTS = Table(
    "efforts",
    "what effort was made and what it brought, a row for each observation, such as a customer's period",
    (
        Column(
            "effort", "number", "effort made, such as calls or money spent", "of the effort", True, low=0.0
        ),
        Column("result", "number", "what it brought", "of the result, per customer and period", True),
        optional_reference("segment", "segment that it was made for", "one for all"),
        optional_reference("lever", "lever whose options are amounts of it", "the only one"),
        optional_reference("cluster", "which observations may err alike, such as a region", "each by itself"),
    ),
)

PANEL = Table(
    "panel",
    "where each customer was in each period, what they met there, and whether they left in it",
    (
        reference("customer", "who"),
        Column("period", "integer", "running number of the period", "periods", True, low=0),
        reference("segment", "segment at the start of the period"),
        Column("left", "integer", "1 left in the period, 0 not", required=True, low=0, high=1),
        Column("price", "number", "price in force, today's as 1", "ratio", default=nan, blank="not known"),
        Column("price_change", "number", "change of the price at the start of the period", "fraction", default=0.0,
               low=-1.0, high=10.0, doubtful_above=1.0, fraction=True),
        Column("satisfaction", "integer", "score from 1 to 5; each level has an effect of its own", "score", default=0,
               low=1, high=5, blank="not asked"),
        Column("complaints", "number", "complaints in the period before", "complaints", default=0.0, low=0.0),
        Column("tenure", "number", "periods as a customer so far", "periods", default=nan, low=0.0, blank="not known"),
        optional_reference("service", "service level", "the usual one"),
        optional_reference("programme", "programme they were in", "none"),
    ),
    key=("customer", "period"),
)  # fmt: skip

TRIALS = Table(
    "trials",
    "a randomised campaign: who was in which arm and what came of it, one row a customer",
    (
        reference("programme", "campaign"),
        reference("arm", "what they got; `control` is those who got nothing"),
        Column(
            "outcome", "number", "what came of it: 1 or 0 for stayed or not, or money", "of the outcome", True
        ),
        optional_reference("segment", "segment of the customer", "one for all"),
        optional_reference("cluster", "who was drawn together, such as a household", "each by themselves"),
    ),
)

ACQUISITIONS = Table(
    "acquisitions",
    "new customers, one row each: of which type, and what stood to attract them then",
    (
        reference("segment", "type of the customer"),
        Column("price", "number", "price that stood then", "of the price", default=0.0),
        Column(
            "promotion",
            "number",
            "promotion that ran then, 1 or 0 or its depth",
            "of the promotion",
            default=0.0,
        ),
        Column("advertising", "number", "advertising that ran then", "of the advertising", default=0.0),
        optional_reference("firm", "whose customer it became", "the own firm's"),
    ),
)

TABLES = (OFFERS, PRICE_POINTS, CHOICES, EFFORTS, PANEL, TRIALS, ACQUISITIONS)
