"""Scores and tiers of suppliers by declared criteria: the weighted-point method (Dickson 1966; Weber, Current and
Benton 1991, European Journal of Operational Research 50).

    points[s] = 100 sum_k weight[k] (score[s,k] - worst[k]) / (best[k] - worst[k]) / sum_k weight[k]

A supplier who misses a criterion's limit is refused, whatever the points. How far a weight may move before another
supplier comes first is told for each criterion.

In: `Tables` with raw tables suppliers, criteria and supplier_scores. Out: `SupplierPortfolio`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cpm_opt.costing.tiers import assign_tiers, tier_names
from cpm_opt.estimates.portfolio_rules import SupplierRules
from cpm_opt.estimates.settings import read_rules
from cpm_opt.faults import Fault, InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpm_opt.tables import Tables

SUPPLIERS, CRITERIA, SCORES = "suppliers", "criteria", "supplier_scores"
POINTS = 100.0


@dataclass(frozen=True)
class SupplierPortfolio:
    """Suppliers by their points.

    - `suppliers`: by supplier, the best first (equal ones by name): points (0 to 100), rank (equal points share one),
      tier, spend (money), misses (the criteria whose limit is missed, "" for none);
    - `parts`: supplier by criterion, the points that each criterion gave; rows add up to points;
    - `tiers`: by tier, the best first: suppliers, spend (money), spend_share (a fraction);
    - `weights`: by criterion: share (of all weights), worst and best of the scale, and, on the shares of weights, where
      another of those who are not refused comes first: `flip_at` (a share, NaN where none does) and `then_first`;
    - `concentration`: HHI of spend (1 is a single supplier), NaN without spend.
    """

    suppliers: pd.DataFrame = field(repr=False)
    parts: pd.DataFrame = field(repr=False)
    tiers: pd.DataFrame = field(repr=False)
    weights: pd.DataFrame = field(repr=False)
    concentration: float
    rules: SupplierRules


def supplier_portfolio(tables: Tables) -> SupplierPortfolio:
    """Scores and tiers of an instance's suppliers. Raises InputError with every fault of the tables and settings."""
    rules, faults = read_rules(tables.info.estimates)
    names = (SUPPLIERS, CRITERIA, SCORES)
    broken = [
        fault for fault in tables.faults if not fault.warning and fault.table in (*names, "instance.toml")
    ]
    told = [*broken, *(fault for fault in faults if fault not in broken)]
    missing = [name for name in names if tables.frames.get(name) is None or tables.frames[name].empty]
    unread = {fault.table for fault in broken}
    told += [
        Fault(name, "is missing or has no usable row", f"add {name}.csv", code="missing")
        for name in missing
        if name not in unread
    ]
    if told:
        raise InputError(told)
    suppliers, criteria, scores = (tables.frames[name] for name in names)
    faults_between = _faults(suppliers, criteria, scores)
    if faults_between:
        raise InputError(faults_between)
    own = SupplierRules() if rules is None or rules.supplier is None else rules.supplier
    return _judged(suppliers, criteria, scores, own)


def _judged(
    suppliers: pd.DataFrame, criteria: pd.DataFrame, scores: pd.DataFrame, rules: SupplierRules
) -> SupplierPortfolio:
    table = scores.pivot(index="supplier", columns="criterion", values="score")
    table = table.reindex(index=suppliers["supplier"], columns=criteria["criterion"])
    values, worst, best = _values(table, criteria)
    weight = criteria["weight"].to_numpy(dtype=np.float64)
    share = weight / weight.sum()
    parts = pd.DataFrame(POINTS * values * share, index=table.index, columns=table.columns)
    points = parts.sum(axis=1)
    misses = _misses(table, criteria)
    fit = misses == ""
    found = pd.DataFrame({"points": points, "misses": misses})
    found["spend"] = suppliers.set_index("supplier")["spend"]
    found["tier"] = assign_tiers(points, fit, rules.tiers)
    found["rank"] = points.round(9).rank(method="min", ascending=False).astype("int64")
    found = found[["points", "rank", "tier", "spend", "misses"]]
    order = sorted(found.index, key=lambda name: (-round(float(points[name]), 9), name))
    found = found.loc[order]
    weights = pd.DataFrame({"share": share, "worst": worst, "best": best}, index=table.columns)
    flips = _flips(values[np.asarray(fit)], share, [str(name) for name in table.index[np.asarray(fit)]])
    weights["flip_at"] = [at for at, _ in flips]
    weights["then_first"] = [name for _, name in flips]
    spend = float(found["spend"].sum())
    hhi = float((found["spend"] ** 2).sum()) / spend**2 if spend > 0 else np.nan
    tiers = _by_tier(found, [name for name in tier_names(rules.tiers) if name != rules.tiers.unprofitable])
    return SupplierPortfolio(found, parts.loc[order], tiers, weights, hhi, rules)


def _scale(table: pd.DataFrame, criteria: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Worst and best of each criterion: as stated, else as seen."""
    less = (criteria["better"] == "less").to_numpy()
    low, high = table.min(axis=0).to_numpy(dtype=np.float64), table.max(axis=0).to_numpy(dtype=np.float64)
    worst, best = (criteria[name].to_numpy(dtype=np.float64) for name in ("worst", "best"))
    return (
        np.where(np.isnan(worst), np.where(less, high, low), worst),
        np.where(np.isnan(best), np.where(less, low, high), best),
    )


def _values(
    table: pd.DataFrame, criteria: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scores as parts of the scale, 0 to 1, and its ends. Where all score alike on a scale as seen, all get 1, but 0
    where that is the stated worst."""
    worst, best = _scale(table, criteria)
    span = best - worst
    found = (table.to_numpy(dtype=np.float64) - worst) / np.where(span == 0, 1.0, span)
    alike = np.where(criteria["worst"].isna().to_numpy(), 1.0, 0.0)
    return np.where(span == 0, alike, found), worst, best


def _misses(table: pd.DataFrame, criteria: pd.DataFrame) -> pd.Series[str]:
    """The criteria whose limit each supplier misses, joined."""
    told = pd.Series("", index=table.index, dtype=object)
    for criterion, limit, better in criteria[["criterion", "limit", "better"]].itertuples(index=False):
        if not np.isnan(limit):
            short = table[criterion] > limit if better == "less" else table[criterion] < limit
            told = told.where(
                ~short, told.map(lambda text, name=criterion: f"{text}, {name}" if text else name)
            )
    return told


def _flips(
    values: NDArray[np.float64], share: NDArray[np.float64], names: list[str]
) -> list[tuple[float, str]]:
    """For each criterion the nearest share of its weight, the others keeping their ratios, at which another supplier
    has as many points as the first; (NaN, "") where none has at any share."""
    if len(names) < 2:
        return [(np.nan, "")] * len(share)
    points = values @ share
    first = min(range(len(names)), key=lambda at: (-round(float(points[at]), 12), names[at]))
    found = []
    for k, own in enumerate(share):
        if own >= 1.0:
            found.append((np.nan, ""))
            continue
        rest = (points - own * values[:, k]) / (1.0 - own)
        lead_on, lead_off = values[first, k] - values[:, k], rest[first] - rest
        # The lead at share w is w lead_on + (1 - w) lead_off, which is 0 at lead_off / (lead_off - lead_on).
        gone = lead_off - lead_on
        at = np.where(np.abs(gone) > 1e-12, lead_off / np.where(gone == 0, 1.0, gone), np.nan)
        able = np.flatnonzero((at >= 0) & (at <= 1) & (np.arange(len(names)) != first))
        nearest = min(able, key=lambda other: (abs(at[other] - own), names[other]), default=None)
        found.append((np.nan, "") if nearest is None else (float(at[nearest]), names[nearest]))
    return found


def _by_tier(found: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    grouped = found.groupby("tier")
    tiers = pd.DataFrame({"suppliers": grouped.size(), "spend": grouped["spend"].sum()}).reindex(
        names, fill_value=0
    )
    total = float(tiers["spend"].sum())
    tiers["spend_share"] = tiers["spend"] / total if total > 0 else np.nan
    return tiers


def _faults(suppliers: pd.DataFrame, criteria: pd.DataFrame, scores: pd.DataFrame) -> list[Fault]:
    """What is wrong between the tables: names that lead nowhere, scores that are not there or off the scale."""
    faults = []
    for column, table in (("supplier", suppliers), ("criterion", criteria)):
        known = set(table[column])
        strange = scores[~scores[column].isin(known)].drop_duplicates(column)
        faults += [
            Fault(
                SCORES,
                "is not known",
                did_you_mean(name, known),
                int(line),
                column,
                name,
                code="unknown_name",
            )
            for name, line in strange[[column, "line"]].itertuples(index=False)
        ]
    if criteria["weight"].sum() <= 0:
        message, remedy = "is 0 in every row", "give what counts a weight above 0"
        faults.append(Fault(CRITERIA, message, remedy, int(criteria["line"].iloc[0]), "weight", code="value"))
    there = set(zip(scores["supplier"], scores["criterion"], strict=True))
    for supplier, line in suppliers[["supplier", "line"]].itertuples(index=False):
        for criterion in criteria["criterion"]:
            if (supplier, criterion) not in there:
                message = f"has no score on criterion '{criterion}'"
                remedy = "add it to supplier_scores, or leave the supplier out"
                faults.append(
                    Fault(SUPPLIERS, message, remedy, int(line), "supplier", supplier, code="missing")
                )
    return [*faults, *_scale_faults(criteria), *_off_scale(criteria, scores)]


def _scale_faults(criteria: pd.DataFrame) -> list[Fault]:
    faults = []
    columns = ["worst", "best", "better", "line"]
    for worst, best, better, line in criteria[columns].itertuples(index=False, name=None):
        if np.isnan(worst) or np.isnan(best):
            continue
        if worst == best:
            message, remedy = "is the same as worst, so the scale has no length", "write two ends that differ"
        elif (best < worst) != (better == "less"):
            message, remedy = (
                f"lies on the wrong side of worst, where {better} is better",
                "swap them, or mend better",
            )
        else:
            continue
        faults.append(Fault(CRITERIA, message, remedy, int(line), "best", f"{best:g}", code="value"))
    return faults


def _off_scale(criteria: pd.DataFrame, scores: pd.DataFrame) -> list[Fault]:
    """Scores beyond an end that is stated, each in the direction of its criterion."""
    both = scores.merge(criteria[["criterion", "worst", "best", "better"]], on="criterion")
    up = np.where(both["better"] == "less", -1.0, 1.0)
    faults = []
    for end, beyond in (("worst", -1.0), ("best", 1.0)):
        off = both[beyond * up * (both["score"] - both[end]) > 0]
        remedy = "correct the score, or widen the scale in table criteria"
        for score, stated, line in off[["score", end, "line"]].itertuples(index=False, name=None):
            message = f"is off the scale: {'worse' if end == 'worst' else 'better'} than {end}, {stated:g}"
            faults.append(Fault(SCORES, message, remedy, int(line), "score", f"{score:g}", code="value"))
    return faults
