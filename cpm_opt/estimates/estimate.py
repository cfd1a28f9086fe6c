"""Raw tables to planning tables: in come `Tables`, out go `Estimates`.

Without raw tables the stated frames are handed on as they are, and nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpm_opt.costing.profitability import SALES, Profitability
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.costing import ProfitStatement
    from cpm_opt.estimates.moves.panel_tables import PanelTables
    from cpm_opt.estimates.response.response import Response
    from cpm_opt.estimates.segments.chain import Chain
    from cpm_opt.estimates.value.purchases import Fitted
    from cpm_opt.estimates.value.values import Values

ESTIMATED = ("segments", "migration")


@dataclass(frozen=True)
class Estimates:
    """Every planning table of an instance, stated or estimated.

    `frames`: the stated frames and, of `ESTIMATED`, those that are not stated but follow from raw tables, in the same
    shape; `notes`: what was counted and assumed, for a report; `faults`: what kept a table from being estimated;
    `profitability` and `chain`: what the estimates rest on, None where nothing was estimated; `moved`: what a panel
    tells of migration; `members` (customer to segment) and `statement` where segments are made by
    `[estimates.segments]`. There only where they were asked for: `values`, what each customer is worth
    (`with_values`); `fitted`, the models of purchases alone (`with_models`); `response`, how customers answer to
    prices, service and programmes (`with_response`).
    """

    frames: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    profitability: Profitability | None = None
    chain: Chain | None = None
    values: Values | None = None
    fitted: Fitted | None = None
    response: Response | None = None
    moved: PanelTables | None = None
    members: Mapping[str, str] | None = None
    statement: ProfitStatement | None = None


def estimate(tables: Tables, scenarios: bool = True) -> Estimates:
    """The planning tables of an instance, with those that follow from its raw tables. Faults are gathered, not raised.

    A table that is stated as a file stands. Raw table `sales` gives `segments` (states by recency and frequency at
    the end of the panel, with margin, revenue and end value per customer) and `migration` (the moves of one period);
    with `[estimates.segments]` both follow from customers' profit instead, by tier or by rules.
    Raw table `offers` gives `segments` and `effects` of the lever in `[estimates.response]`, raw table `panel` gives
    `migration`, and `migration_effects` of its levers. Raw tables offers, price_points, choices, efforts and trials
    give `effects` and `migration_effects` of the levers in `[[estimates.response.levers]]` that no stated table has
    rows of.
    Raw table `acquisitions` gives `arrivals` or moves out of prospects, `[estimates.scenarios]` gives `scenarios`
    (where `scenarios` is true). Raw tables of answers with faults in their cells are not read further.
    """
    from cpm_opt.estimates.response.far_off import far_off
    from cpm_opt.estimates.response.raw_faults import raw_faults

    raw = (*raw_faults(tables.frames), *far_off(tables.frames))
    missing = [name for name in ESTIMATED if name not in tables.frames]
    by_profit = "segments" in tables.info.estimates and bool(missing)
    if not by_profit and (not tables.has(SALES) or not missing):
        unread = any(fault.table == SALES and not fault.warning for fault in tables.faults)
        told = _not_estimated(missing) if unread and not tables.has(SALES) else ()
        stated = Estimates(tables.frames, faults=(*_settings_faults(tables), *told, *raw))
        return _answers(tables, stated, scenarios, offers=True)
    try:
        found = _from_profit(tables) if by_profit else _from_sales(tables)
    except InputError as error:
        told = _not_estimated(missing, "the ledgers" if by_profit else SALES)
        return Estimates(tables.frames, faults=(*_with_lines(tables, error.faults), *told, *raw))
    added = {name: found.frames[name] for name in missing if name in found.frames}
    kept = [f"table {name} is stated and was not estimated" for name in ESTIMATED if name not in missing]
    whole = replace(
        found,
        frames={**tables.frames, **added},
        notes=(*found.notes, *kept),
        faults=(*found.faults, *raw),
    )
    return _answers(tables, whole, scenarios, offers=False)


def _answers(tables: Tables, estimates: Estimates, scenarios: bool, offers: bool) -> Estimates:
    """The estimates with everything that raw tables of customers' answers give."""
    from cpm_opt.estimates.response.raw_faults import RAW

    faulty = [fault.table for fault in tables.faults if fault.table in RAW and not fault.warning]
    if faulty:
        missing = [] if "segments" in estimates.frames else ["segments"]
        return replace(estimates, faults=(*estimates.faults, *_not_estimated(missing, faulty[0])))
    found = _with_offers(tables, estimates) if offers else estimates
    found = _with_new_customers(tables, _with_levers(tables, _with_moves(tables, found)))
    return _with_scenarios(tables, found) if scenarios else found


def _from_sales(tables: Tables) -> Estimates:
    from cpm_opt.estimates.segments.from_sales import estimate_from_sales

    return estimate_from_sales(tables)


def _from_profit(tables: Tables) -> Estimates:
    from cpm_opt.estimates.segments.from_profit import estimate_from_profit

    return estimate_from_profit(tables)


def with_values(tables: Tables, estimates: Estimates, statement: ProfitStatement | None = None) -> Estimates:
    """The same estimates with the customers' values, which a plan does not need and `estimate` does not compute.

    `statement` is that of `cpm profit`. Raises InputError with every fault; see `values.customer_values`.
    """
    from cpm_opt.estimates.value.values import customer_values

    try:
        return replace(estimates, values=customer_values(tables, estimates, statement))
    except InputError as error:
        raise InputError(_with_lines(tables, error.faults)) from None


def with_models(tables: Tables, estimates: Estimates) -> Estimates:
    """The same estimates with models of purchases fitted to raw table sales; it needs no `[estimates.value]`.

    Raises InputError with every fault.
    """
    from cpm_opt.estimates.ledger_inputs import read_inputs
    from cpm_opt.estimates.value.purchases import fit_purchases

    try:
        rules, profit, end = read_inputs(tables, estimates)
    except InputError as error:
        raise InputError(_with_lines(tables, error.faults)) from None
    return (
        estimates
        if profit is None
        else replace(estimates, fitted=fit_purchases(profit.transactions, rules, end))
    )


def with_response(tables: Tables, estimates: Estimates) -> Estimates:
    """The same estimates with what raw tables offers, panel and trials tell about answers, and doubts about effects.

    A plan does not need it and `estimate` does not compute it. Raises InputError with every fault of the raw tables.
    """
    from cpm_opt.estimates.response.response import respond

    found = respond(tables, estimates.frames)
    moved = estimates.moved
    if moved is not None and moved.models:
        found = replace(found, models=(*found.models, *moved.models))
        if moved.effects is not None:  # the plan's leaving is that of the moves, and not of the hazard
            from cpm_opt.estimates.moves.move_curves import move_curves

            curves = [curve for curve in found.curves if not curve.name.startswith("churn by ")]
            found = replace(found, curves=(*curves, *move_curves(moved.effects, tables.frames["panel"])))
    return replace(estimates, response=found)


def _with_offers(tables: Tables, estimates: Estimates) -> Estimates:
    """Segments and effects from raw offers, where effects are not stated and `[estimates.response]` names the lever."""
    frames = estimates.frames
    wrong = any(not fault.warning for fault in estimates.faults)
    if "offers" not in frames or "options" not in frames or "effects" in frames or wrong:
        return estimates
    from cpm_opt.estimates.settings import read_rules

    rules = read_rules(tables.info.estimates)[0]
    own = None if rules is None else rules.response
    if own is None or own.lever is None or own.base_price is None:
        return estimates
    from cpm_opt.estimates.response.offer_effects import effects_from_offers

    try:
        added, faults = effects_from_offers(tables, own)
    except InputError as error:
        return replace(estimates, faults=(*estimates.faults, *_with_lines(tables, error.faults)))
    note = f"{', '.join(added)}: curves of the offers, at the prices of lever {own.lever}"
    told = (*estimates.faults, *faults)
    return replace(estimates, frames={**frames, **added}, faults=told, notes=(*estimates.notes, note))


def _with_levers(tables: Tables, estimates: Estimates) -> Estimates:
    """The effects of the levers in `[[estimates.response.levers]]`, each from its raw table."""
    if "response" not in tables.info.estimates or any(not fault.warning for fault in estimates.faults):
        return estimates
    from cpm_opt.estimates.settings import read_rules

    rules = read_rules(tables.info.estimates)[0]
    if rules is None or rules.response is None or not rules.response.levers:
        return estimates
    from cpm_opt.estimates.response.lever_effects import with_levers

    frames, faults, notes = with_levers(tables, estimates.frames, rules.response)
    told = (*estimates.faults, *_with_lines(tables, faults))
    return replace(estimates, frames=frames, faults=told, notes=(*estimates.notes, *notes))


def _with_moves(tables: Tables, estimates: Estimates) -> Estimates:
    """Tables migration and migration_effects from a raw panel, as far as they are not stated; see `panel_tables`."""
    frames = estimates.frames
    wrong = any(not fault.warning for fault in estimates.faults)
    if "panel" not in frames or "segments" not in frames or wrong:
        return _refused(tables, estimates, "panel", "panel" in frames)
    from cpm_opt.estimates.moves.panel_tables import tables_from_panel
    from cpm_opt.estimates.settings import ResponseRules, read_rules

    rules = read_rules(tables.info.estimates)[0]
    own = ResponseRules() if rules is None or rules.response is None else rules.response
    try:
        moved = tables_from_panel(tables, frames, own)
    except InputError as error:
        return replace(estimates, faults=(*estimates.faults, *_with_lines(tables, error.faults)))
    if moved is None:
        return estimates
    return replace(
        estimates,
        frames={**frames, **moved.frames},
        faults=(*estimates.faults, *moved.faults),
        notes=(*estimates.notes, *moved.notes),
        moved=moved,
    )


def _with_new_customers(tables: Tables, estimates: Estimates) -> Estimates:
    """Table arrivals, or moves out of prospects, from raw acquisitions, where `[estimates.acquisition]` asks for it."""
    frames = estimates.frames
    wrong = any(not fault.warning for fault in estimates.faults)
    if "acquisitions" not in frames or "segments" not in frames or wrong:
        return _refused(tables, estimates, "acquisitions", "acquisitions" in frames)
    if "acquisition" not in tables.info.estimates:
        return _refused(tables, estimates, "acquisitions", False)
    from cpm_opt.estimates.moves.acquisition import new_customers
    from cpm_opt.estimates.settings import ResponseRules, read_rules

    rules = read_rules(tables.info.estimates)[0]
    if rules is None or rules.acquisition is None:
        return estimates
    made = "arrivals" if rules.acquisition.prospects is None else "migration"
    if made in tables.frames:
        note = f"table {made} is stated, and new customers were not estimated"
        return replace(estimates, notes=(*estimates.notes, note))
    try:
        found = new_customers(tables, frames, rules.response or ResponseRules(), rules.acquisition)
    except InputError as error:
        return replace(estimates, faults=(*estimates.faults, *_with_lines(tables, error.faults)))
    return replace(
        estimates,
        frames={**frames, **found.frames},
        faults=(*estimates.faults, *found.faults),
        notes=(*estimates.notes, *found.notes),
    )


def _refused(tables: Tables, estimates: Estimates, source: str, there: bool) -> Estimates:
    """The estimates, with a fault for each rule and lever that reads a raw table (or a part) that is not there."""
    asked = {"response", "acquisition"} & set(tables.info.estimates)
    if there or not asked or any(not fault.warning for fault in estimates.faults):
        return estimates
    from cpm_opt.estimates.absent import without_table
    from cpm_opt.estimates.settings import read_rules

    rules = read_rules(tables.info.estimates)[0]
    told = () if rules is None else without_table(rules, source, source in estimates.frames)
    return replace(estimates, faults=(*estimates.faults, *_with_lines(tables, told)))


def _with_scenarios(tables: Tables, estimates: Estimates) -> Estimates:
    """Table scenarios from the estimates' joint errors, where it is not stated and `[estimates.scenarios]` asks."""
    wrong = any(not fault.warning for fault in estimates.faults)
    if "scenarios" not in tables.info.estimates or wrong:
        return estimates
    if "scenarios" in estimates.frames:
        note = "table scenarios is stated and was not estimated"
        return replace(estimates, notes=(*estimates.notes, note))
    from cpm_opt.estimates.settings import read_rules
    from cpm_opt.estimates.uncertainty.with_scenarios import scenarios_of

    rules = read_rules(tables.info.estimates)[0]
    if rules is None or rules.scenarios is None:
        return estimates
    try:
        found = scenarios_of(tables, estimates.frames, estimates.moved, estimates.chain, rules)
    except InputError as error:
        return replace(estimates, faults=(*estimates.faults, *_with_lines(tables, error.faults)))
    return replace(
        estimates,
        frames={**estimates.frames, "scenarios": found.frame},
        faults=(*estimates.faults, *found.faults),
        notes=(*estimates.notes, *found.notes),
    )


def _not_estimated(missing: list[str], source: str = SALES) -> tuple[Fault, ...]:
    """Says of table `segments`, without which there is no plan, why it is not there."""
    if "segments" not in missing:
        return ()
    remedy = f"correct {source} and [estimates] in instance.toml first"
    return (Fault("segments", f"could not be estimated from {source}", remedy, code="not-estimated"),)


def _settings_faults(tables: Tables) -> tuple[Fault, ...]:
    """Faults of `[estimates]` where nothing is estimated: its keys are checked all the same."""
    if not tables.info.estimates:
        return ()
    if set(tables.info.estimates) == {"profit"}:  # a plan need not import the rules of estimates for that
        from cpm_opt.costing.settings import read_profit_rules

        return _with_lines(tables, read_profit_rules(tables.info.estimates)[1])
    from cpm_opt.estimates.settings import read_rules

    return _with_lines(tables, read_rules(tables.info.estimates)[1])


def _with_lines(tables: Tables, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """The faults, those of keys of instance.toml with the line of the key."""
    from cpm_opt.toml_file import read_toml

    path = tables.folder / "instance.toml"
    if not any(fault.table == path.name for fault in faults):
        return faults
    try:
        file = read_toml(path)
    except InputError:  # changed since it was read: the faults hold without their lines
        return faults
    return tuple(
        replace(fault, row=file.line_of(tuple(fault.column.split("."))))
        if fault.table == path.name and fault.column
        else fault
        for fault in faults
    )
