"""Choices among priced alternatives as arrays: what each alternative of each choice has, and what was chosen.

In: table choices and the rules of a lever. Out: `ChoiceDesign`, checked for what no fit could tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpm_opt.estimates.response.explanatory import refuse_few_clusters, terms
from cpm_opt.estimates.response.lever_rules import LeverRules
from cpm_opt.faults import Fault, InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
Faults = list[tuple[str, str, str, str]]

TABLE = "choices"
PRICE = "price"
EACH, COMMON, NONE = "segment", "common", "none"
VARIES = 1e-9  # of a column's size, below which it is the same for all alternatives of a choice


@dataclass(frozen=True)
class ChoiceDesign:
    """R rows, an alternative of a choice each, sorted by choice; C choices, whose rows begin at `begins[C]`.

    `x[R, K]` are the columns of all parameters under `names[K]`: constants (of each segment, common, or none), one
    price for each segment (or one for all), then `terms`. `prices[K]` says which are prices. `of_choice[R]`,
    `alternative[R]` and `of_row[R]` are the row's choice, alternative and segment as numbers; `price[R]`, `chosen[R]`
    as in the table, `weight[C]` who chose in all. `cluster[C]` is a number, or empty. `left_out` counts rows of
    choices in which a covariate is blank.
    """

    segments: tuple[str, ...]
    alternatives: tuple[str, ...]
    names: tuple[str, ...]
    terms: tuple[str, ...]
    prices: slice
    x: Numbers = field(repr=False)
    begins: Indices = field(repr=False)
    of_choice: Indices = field(repr=False)
    alternative: Indices = field(repr=False)
    of_row: Indices = field(repr=False)
    price: Numbers = field(repr=False)
    chosen: Numbers = field(repr=False)
    weight: Numbers = field(repr=False)
    cluster: Indices = field(repr=False)
    left_out: int = 0

    def slope_of(self, segment: int) -> int:
        """Where the price of a segment stands among the parameters."""
        return int(self.prices.start) + (segment if self.prices.stop - self.prices.start > 1 else 0)

    def summed(self, of_row: Numbers) -> Numbers:
        """Figures of everybody who chose, from those of rows `of_row[R, ...]`: by row, times the root of how many alike
        chose it, or added up within clusters, times the root of G / (G - 1). Their squares add to a sandwich."""
        if not len(self.cluster):
            return np.asarray((of_row.T * np.sqrt(self.chosen)).T, dtype=np.float64)
        size = int(self.cluster.max()) + 1
        found = np.zeros((size, *of_row.shape[1:]))
        np.add.at(found, self.cluster[self.of_choice], (of_row.T * self.chosen).T)
        return np.asarray(found * np.sqrt(size / (size - 1)), dtype=np.float64)

    def seen(self, alternative: str) -> dict[str, tuple[float, float, float]]:
        """Lowest, mean and highest price of an alternative by segment; without those in which it was never there."""
        own = self.alternative == self.alternatives.index(alternative)
        found = {}
        for s, name in enumerate(self.segments):
            price = self.price[own & (self.of_row == s)]
            if len(price):
                found[name] = (float(price.min()), float(price.mean()), float(price.max()))
        return found


def choice_design(choices: pd.DataFrame, rules: LeverRules) -> ChoiceDesign:
    """The design that `rules` ask for. Raises InputError with every fault that keeps it from being fitted.

    The reference (`rules.reference`, else the first alternative by name) has no constant; a covariate that is the same
    for all alternatives of a choice may act with ":alternative" behind it alone, and then not on the reference.
    """
    found = terms(choices, rules.covariates, TABLE)
    # A choice that lacks one of its alternatives would be another choice, so a blank cell leaves out all of its rows.
    blank = set(choices.loc[~found.used, "choice"])
    whole = ~choices["choice"].isin(blank).to_numpy()
    if not whole.any():
        message, remedy = "every choice has a blank covariate", "leave that covariate out, or fill it in"
        raise InputError([Fault(TABLE, message, remedy, code="blank_covariate")])
    used = choices[whole]
    columns = found.columns[whole[found.used]]
    order = np.lexsort((used["alternative"].to_numpy(dtype=str), used["choice"].to_numpy(dtype=str)))
    used, columns = used.iloc[order], columns[order]
    segments = tuple(sorted(str(name) for name in used["segment"].unique()))
    alternatives = tuple(sorted(str(name) for name in used["alternative"].unique()))
    _refuse_rules(rules, alternatives)
    first = used["choice"].to_numpy(dtype=str)
    begins: Indices = np.flatnonzero(np.append(True, first[1:] != first[:-1])).astype(np.int64)
    of_choice: Indices = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(used))))
    of_row, alternative = (
        np.asarray(used[column].map({name: k for k, name in enumerate(names)}), dtype=np.int64)
        for column, names in (("segment", segments), ("alternative", alternatives))
    )
    price, chosen = (used[name].to_numpy(dtype=np.float64) for name in (PRICE, "chosen"))
    reference = alternatives.index(rules.reference or alternatives[0])
    kept = _identified(found.names, columns, begins, of_choice, alternatives, alternatives[reference])
    constants = _constants(rules.constants, segments, alternatives, reference, of_row, alternative)
    own = np.zeros((len(price), len(segments) if rules.by_segment else 1))
    own[np.arange(len(price)), of_row if rules.by_segment else 0] = price
    slopes = [f"{PRICE}[{name}]" if name else PRICE for name in segments] if rules.by_segment else [PRICE]
    first_price = len(constants[0])
    design = ChoiceDesign(
        segments=segments,
        alternatives=alternatives,
        names=(*constants[0], *slopes, *(found.names[k] for k in kept)),
        terms=tuple(found.names[k] for k in kept),
        prices=slice(first_price, first_price + len(slopes)),
        x=np.hstack([constants[1], own, columns[:, kept]]),
        begins=begins,
        of_choice=of_choice,
        alternative=alternative,
        of_row=of_row,
        price=price,
        chosen=chosen,
        weight=np.add.reduceat(chosen, begins),
        cluster=_clusters(used, rules, of_row, segments, begins),
        left_out=int((~whole).sum()),
    )
    _refuse(design, rules)
    return design


def _constants(
    kind: str,
    segments: tuple[str, ...],
    alternatives: tuple[str, ...],
    reference: int,
    of_row: Indices,
    alternative: Indices,
) -> tuple[list[str], Numbers]:
    """Names and columns: a dummy for each alternative but the reference, of each segment by itself or of all.

    One that a segment never could choose has none there.
    """
    names: list[str] = []
    columns: list[Numbers] = []
    for s, segment in enumerate(segments if kind == EACH else ("",)):
        for a, called in enumerate(alternatives):
            if kind == NONE or a == reference:
                continue
            column = (alternative == a) & ((of_row == s) | (kind != EACH))
            if column.any():
                names.append(f"constant[{called}][{segment}]" if segment else f"constant[{called}]")
                columns.append(column.astype(np.float64))
    return names, np.column_stack(columns) if columns else np.zeros((len(of_row), 0))


def _identified(
    names: tuple[str, ...],
    columns: Numbers,
    begins: Indices,
    of_choice: Indices,
    alternatives: tuple[str, ...],
    reference: str,
) -> list[int]:
    """Which columns are kept: of what only the person has, the column of the reference says what the others do."""
    kept = []
    for k, name in enumerate(names):
        stem = name.removesuffix(f"[{reference}]")
        family = [names.index(f"{stem}[{a}]") for a in alternatives if f"{stem}[{a}]" in names]
        alone = stem == name or len(family) < 2 or _varies(columns[:, family].sum(axis=1), begins, of_choice)
        if alone:
            kept.append(k)
    return kept


def _varies(column: Numbers, begins: Indices, of_choice: Indices) -> bool:
    """Whether a column differs between alternatives of any choice."""
    mean = np.add.reduceat(column, begins) / np.bincount(of_choice)
    size = float(np.abs(column).max())
    return bool((np.abs(column - mean[of_choice]) > VARIES * max(size, 1e-300)).any())


def _clusters(
    used: pd.DataFrame, rules: LeverRules, of_row: Indices, segments: tuple[str, ...], begins: Indices
) -> Indices:
    """The cluster of each choice as a number; empty where errors are not to be summed within clusters."""
    if rules.errors == "classical" or (used["cluster"] == "").any():
        return np.zeros(0, dtype=np.int64)
    slope_of = of_row if rules.by_segment else np.zeros_like(of_row)
    refuse_few_clusters(slope_of, segments if rules.by_segment else ("",), used["cluster"], TABLE)
    codes: Indices = used["cluster"].astype("category").cat.codes.to_numpy().astype(np.int64)
    return codes[begins]


def _refuse_rules(rules: LeverRules, alternatives: tuple[str, ...]) -> None:
    """Names in the rules that are no alternatives."""
    wrong: Faults = []
    for key, name in (
        ("alternative", rules.alternative),
        ("reference", rules.reference),
        *(("own_alternatives", name) for name in rules.own_alternatives),
    ):
        if name is not None and name not in alternatives:
            text = f"key {key} of lever {rules.lever} names '{name}', which is no alternative of it"
            wrong.append((text, did_you_mean(name, alternatives), "alternative", "unknown_alternative"))
    _raise(wrong)


def _refuse(design: ChoiceDesign, rules: LeverRules) -> None:
    """What no fit can tell, all at once."""
    wrong: Faults = []
    if len(design.alternatives) < 2 or len(design.begins) == len(design.price):
        text = "no choice has two alternatives, so nothing was chosen among"
        _raise(
            [(text, "add a row for each alternative that was to be had", "alternative", "one_alternative")]
        )
    price = design.x[:, design.prices]
    for s, name in enumerate(design.segments if price.shape[1] > 1 else ("",)):
        if not _varies(price[:, s], design.begins, design.of_choice):
            who = f"in segment {name} " if name else ""
            text = f"{who}all alternatives of a choice have one price, so nothing tells what another would do"
            wrong.append((text, "join the segment with another, or leave it out", PRICE, "one_price"))
    for name in design.terms:
        if not _varies(design.x[:, design.names.index(name)], design.begins, design.of_choice):
            text = f"{name} is the same for all alternatives of each choice, so it decides nothing by itself"
            wrong.append(
                (text, 'write ":alternative" behind the covariate', name.partition("[")[0], "same_in_choice")
            )
    wrong += _never(design, rules)
    _raise(wrong)
    if design.weight.sum() <= len(design.names):
        text = f"{design.weight.sum():g} choices are too few for {len(design.names)} parameters"
        remedy = 'leave covariates out, or write constants = "common" or by_segment = false'
        _raise([(text, remedy, "choice", "too_few")])


def _never(design: ChoiceDesign, rules: LeverRules) -> Faults:
    """Alternatives that nobody (of a segment) chose, or everybody did: their constants would run away."""
    if rules.constants == NONE:
        return []
    wrong: Faults = []
    apart = rules.constants == EACH
    for s, name in enumerate(design.segments if apart else ("",)):
        mine = (design.of_row == s) | (not apart)
        offered = np.bincount(design.alternative[mine], minlength=len(design.alternatives))
        taken = np.bincount(
            design.alternative[mine], weights=design.chosen[mine], minlength=len(design.alternatives)
        )
        who = f"of segment {name} " if name else ""
        for a in np.flatnonzero((offered > 0) & (taken == 0.0)):
            text = f"nobody {who}chose {design.alternatives[a]}"
            remedy = "leave the alternative out, or join it with another" + (
                ', or write constants = "common"' if apart and len(design.segments) > 1 else ""
            )
            wrong.append((text, remedy, "chosen", "never_chosen"))
    return wrong


def _raise(wrong: Faults) -> None:
    if wrong:
        raise InputError(
            [Fault(TABLE, text, remedy, column=at, code=code) for text, remedy, at, code in wrong]
        )
