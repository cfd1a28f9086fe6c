"""The whole of an estimation, by name of an instance: `cpm estimate` in one call.

In: an instance and the places to be written to. Out: `Tables` and `Estimates` with the customers' values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cpm_opt.costing import cost_and_profit
from cpm_opt.costing.profitability import SALES
from cpm_opt.estimates.contracts import CONTRACTS
from cpm_opt.estimates.estimate import Estimates, estimate, with_response, with_values
from cpm_opt.estimates.planning_files import check_place
from cpm_opt.faults import Fault, InputError
from cpm_opt.places import find_instance
from cpm_opt.tables import Tables, read_instance


def estimate_instance(
    instance: str | Path, out: Path | None = None, customers: Path | None = None
) -> tuple[Tables, Estimates]:
    """The tables of an instance and everything that follows from them.

    Customers are valued where there are raw tables sales or contracts and `[estimates.value]`, with the tiers of profit
    where there are sales. `out` and `customers` are only checked as places to write to. Raises InputError with every
    fault of tables, rules and places.
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
    faults = [fault for fault in (*tables.faults, *estimates.faults) if not fault.warning] + faults
    valued = {SALES, CONTRACTS} & tables.frames.keys() and "value" in tables.info.estimates
    if customers is not None and not valued:
        message = (
            "there is nothing to write: customers are valued from sales or contracts, with [estimates.value]"
        )
        faults.append(Fault("--customers", message, "add them, or leave the option out", code="no-values"))
    if faults:
        raise InputError(faults)
    estimates = with_response(tables, estimates)
    return tables, with_values(tables, estimates, _tiers(tables)) if valued else estimates


def _tiers(tables: Tables) -> Mapping[str, str] | None:
    """The tier of each customer by profit, as `cpm profit` tells it; None without sales."""
    if SALES not in tables.frames:
        return None
    tiers = cost_and_profit(tables).customers["tier"]
    return {str(customer): str(tier) for customer, tier in tiers.items()}
