"""The whole of an estimation, by name of an instance: `cpm estimate` in one call.

In: an instance and the places to be written to. Out: `Tables` and `Estimates` with the customers' values.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cpm_opt.costing import ProfitStatement, cost_and_profit
from cpm_opt.costing.profitability import SALES
from cpm_opt.estimates.estimate import Estimates, estimate, with_models, with_response, with_values
from cpm_opt.estimates.ledger_inputs import ACCOUNTS
from cpm_opt.estimates.response.far_off import FAR_OFF
from cpm_opt.estimates.value.contracts import CONTRACTS
from cpm_opt.faults import Fault, InputError
from cpm_opt.places import find_instance
from cpm_opt.tables import Tables, read_instance
from cpm_opt.whole_files import check_place


def estimate_instance(
    instance: str | Path, out: Path | None = None, customers: Path | None = None
) -> tuple[Tables, Estimates]:
    """The tables of an instance and everything that follows from them.

    Customers are valued where there are raw tables sales, contracts or accounts and `[estimates.value]`, with the tiers
    of profit and after the cost to serve where `cpm profit` tells them; without `[estimates.value]` models of purchases
    are fitted to sales if there is a `calibration_end`. `out` and `customers` are only checked as places to write to.
    Raises InputError with every fault of tables, rules and places.
    """
    faults: list[Fault] = []
    for option, path in (("--out", out), ("--customers", customers)):
        if path is not None:
            try:
                check_place(option, path)
            except InputError as error:
                faults += error.faults
    try:
        tables = read_instance(find_instance(instance))
    except InputError as error:
        raise InputError([*error.faults, *faults]) from None
    estimates = estimate(tables)
    if out is None and customers is None:
        estimates = _without_plan(tables, estimates)
    faults = [fault for fault in (*tables.faults, *estimates.faults) if not fault.warning] + faults
    valued = any(map(tables.has, (SALES, CONTRACTS, ACCOUNTS))) and "value" in tables.info.estimates
    if customers is not None and not valued:
        message = (
            "there is nothing to write: customers are valued from sales, contracts or accounts, with "
            "[estimates.value]"
        )
        faults.append(Fault("--customers", message, "add them, or leave the option out", code="no-values"))
    if faults:  # one row that is far off may be why a curve cannot be fitted
        raise InputError([*faults, *(fault for fault in estimates.faults if fault.code == FAR_OFF)])
    estimates = with_response(tables, estimates)
    if valued:
        return tables, with_values(tables, estimates, _statement(tables, estimates))
    return tables, with_models(tables, estimates) if _calibrated(tables) else estimates


def _calibrated(tables: Tables) -> bool:
    """Whether models of purchases are asked for without values: there are sales and a day to fit them up to."""
    return tables.has(SALES) and "calibration_end" in tables.info.estimates


def _without_plan(tables: Tables, estimates: Estimates) -> Estimates:
    """The estimates as they are where sales are there and no rules of segments are stated: models need none.

    That segments could not be estimated is a doubt then, and no fault.
    """
    unstated = [f"estimates.{part}" for part in ("states", "value") if part not in tables.info.estimates]
    wrong = [fault for fault in estimates.faults if not fault.warning]
    if not _calibrated(tables) or any(
        fault.column not in unstated and fault.code != "not-estimated" for fault in wrong
    ):
        return estimates
    return replace(estimates, faults=tuple(replace(fault, warning=True) for fault in estimates.faults))


def _statement(tables: Tables, estimates: Estimates) -> ProfitStatement | None:
    """What `cpm profit` tells; None without sales or a bank's accounts."""
    if estimates.statement is not None:
        return estimates.statement
    return cost_and_profit(tables) if any(map(tables.has, (SALES, ACCOUNTS))) else None
