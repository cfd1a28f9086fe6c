"""A doubt as the user reads it: a warning with its place and with the remedy that goes with its code.

In: `Lint`s. Out: `Fault`s that are warnings, for `cpm estimate`, `cpm check` and `cpm solve` alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cpm_opt.estimates.value.model_estimate import Lint
from cpm_opt.faults import Fault

if TYPE_CHECKING:
    import pandas as pd

LINE = "line"
REMEDIES: Mapping[str, str] = {
    "biased-forecast": "take another calibration_end, or trust the other models more",
    "blank-figures": "fill in the figures of accepted offers, and leave those of others blank",
    "counted-twice": "leave the cost out of margin, or the use (or its unit_cost) out of the other tables",
    "few-clusters": "use more and smaller clusters if they are independent, or read the errors as too small",
    "few-moves": "join the state with one that is like it, or take a longer ledger",
    "few-observations": "join the segment with one that is like it",
    "gross-margin": "state gross_margin of the lever, the part of revenue left after cost that varies with volume",
    "impossible-rate": "lower the effects, or make one lever with combined options of those that meet",
    "near-doubles": "join the two into one alternative, or name what they share in covariates",
    "negative-margin": "check their costs, or leave them as they are if they are right",
    "negative-value": "ask less service of them, or another price",
    "no-control": "name the arm that got nothing control, or leave the programme out",
    "no-error": "check whether the table holds observations, or figures made by a formula",
    "no-lifetime-model": "add repeat purchases, or read the values as they are",
    "no-mean-spend": "read values of customers without repeats as unknown",
    "no-price-effect": "add [[estimates.response.levers]] with lever, from and base_price, or state table effects",
    "no-spend": "check their refunds, or leave them as they are if they are right",
    "no-values": "add them to value customers, or go on without",
    "not-converged": "join levels or segments, or leave the term out",
    "not-in-plan": "name segments as table segments does, or leave such rows out",
    "not-tried": "write calibration_end under [estimates]",
    "outside-range": "leave the step out, or test it before the plan relies on it",
    "percent-not-fraction": "write a fraction (0.05 for 5 percent), or leave it if it is meant so",
    "positive-price-effect": "check the signs, and whether prices followed demand",
    "refunds": "check them, or leave them as they are if they are right",
    "spend-and-frequency": "read lifetime values of frequent customers as less sure than their intervals say",
    "thin-cell": "gather data, or state the effect",
    "weak-estimate": "treat it as undecided: take more data, or weigh risk in the model",
    "zero-frequency": "read their values as those of an average customer, or take a longer ledger",
}


def as_warning(lint: Lint) -> Fault:
    """The doubt with its remedy."""
    return Fault(
        lint.table,
        lint.message,
        REMEDIES[lint.code],
        row=lint.row,
        column=lint.column or None,
        value=lint.value,
        code=lint.code,
        warning=True,
    )


def with_known_rows(lints: Iterable[Lint], stated: Mapping[str, pd.DataFrame]) -> tuple[Lint, ...]:
    """The doubts, without the rows of those that no file holds: estimated ones count on from the last stated one."""
    last = {name: int(frame[LINE].max()) for name, frame in stated.items() if LINE in frame and len(frame)}
    return tuple(
        lint if lint.row is None or lint.row <= last.get(lint.table, 0) else replace(lint, row=None)
        for lint in lints
    )


def each_once(warnings: Iterable[Fault], faults: Iterable[Fault] = ()) -> list[Fault]:
    """The warnings without those that say what another, or a fault, says too: of impossible rates a fault tells most,
    then what was found where they were estimated."""
    kept = list(dict.fromkeys(warnings))
    refused = {fault.table for fault in faults} & {"migration", "migration_effects"}
    known = {"impossible-rate", "impossible-combination"} if refused else {"impossible-rate"}
    if refused or any(warning.code == "impossible-combination" for warning in kept):
        kept = [warning for warning in kept if warning.code not in known]
    return kept


def told(warning: Fault) -> dict[str, object]:
    """JSON-ready fields: code, table, column, message, row, value, remedy."""
    fields = warning.as_dict()
    order = ("code", "table", "column", "message", "row", "value", "remedy")
    return {name: fields[name] or "" if name == "column" else fields[name] for name in order}
