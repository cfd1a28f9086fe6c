"""The raw tables of an instance, put in order for costing: in come `Tables`, out goes `Ledger`.

Tables that are not there are empty; names that lead to no row of another table are faults, told all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from cpm_opt.costing import OF_COSTING
from cpm_opt.costing.product_cost import priced_lines
from cpm_opt.costing.sales_lines import FrameSales, SalesLines
from cpm_opt.costing.settings import ProfitRules, read_profit_rules
from cpm_opt.faults import Fault, InputError, did_you_mean
from cpm_opt.tables import RAW, Tables

MAX_FAULTS = 50
DATED = ("balances", "activity_counts", "cost_pools", "campaigns")


@dataclass(frozen=True)
class Ledger:
    """Raw tables by name, each with the catalogue's columns and `line`, and the instance's rules of profit.

    `sales` are its sales lines with their money, in memory or where they lie (then the frame of `sales` is empty);
    `drivers` are the driver columns of activity_counts.
    """

    frames: Mapping[str, pd.DataFrame] = field(repr=False)
    sales: SalesLines = field(repr=False)
    drivers: tuple[str, ...]
    rules: ProfitRules

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The raw table of that name, empty where the instance has none."""
        return self.frames[name]

    def dates(self) -> list[pd.Series[pd.Timestamp]]:
        """The dates of every table that has them; of the sales the first and the last."""
        return [self.sales.days(), *(self.frames[name]["date"] for name in DATED)]


def read_ledger(tables: Tables) -> Ledger:
    """Raises InputError with every fault of the raw tables, between them and in `[estimates.profit]`."""
    rules, told = read_profit_rules(tables.info.estimates)
    # What planning tables lack is no matter here.
    broken = [
        f
        for f in tables.faults
        if not f.warning and (f.table in RAW or f.table in ("instance", "instance.toml"))
    ]
    faults = [*broken, *told]
    frames = {name: tables.frames.get(name, _empty(name)) for name in RAW}
    large = tables.large.get("sales")
    needed = ("sales", "balances", "activity_counts")
    told_already = any(fault.table in needed for fault in broken)
    if large is None and not told_already and not any(len(frames[name]) for name in needed):
        message = "is missing or has no usable row, and there are no balances and no activity_counts"
        faults.append(
            Fault("sales", message, "add sales.csv with customer, date and revenue", code="missing")
        )
    sales: SalesLines
    if large is None:
        lines, wrong = priced_lines(frames["sales"], frames["products"], tables.info.estimates)
        sales = FrameSales(lines)
    else:
        from cpm_opt.costing.large_sales import large_sales

        sales, wrong = large_sales(large, tables.frames.get("products"), tables.info.estimates)
    faults += wrong
    drivers = _drivers(frames)
    faults += _activity_faults(frames, drivers)
    faults += _bank_faults(frames, rules)
    if faults:
        raise InputError(faults)
    return Ledger(frames, sales, drivers, rules)


def reference_faults(tables: Tables) -> list[Fault]:
    """Names in the costing tables that lead to no row of another, for a check of the whole instance; a table that could
    not be read is not held against the others."""
    if any(f.table in OF_COSTING and not f.warning for f in tables.faults):
        return []
    frames = {name: tables.frames.get(name, _empty(name)) for name in RAW}
    rules = read_profit_rules(tables.info.estimates)[0]
    return [*_activity_faults(frames, _drivers(frames)), *_bank_faults(frames, rules)]


def _drivers(frames: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    known = (*RAW["activity_counts"].names, "line")
    return tuple(name for name in frames["activity_counts"].columns if name not in known)


def _empty(name: str) -> pd.DataFrame:
    kinds = {"number": "float64", "integer": "int64", "flag": "bool", "date": "datetime64[ns]"}
    columns = {
        column.name: pd.Series([], dtype=kinds.get(column.kind, "object")) for column in RAW[name].columns
    }
    return pd.DataFrame({**columns, "line": pd.Series([], dtype="int64")})


def _activity_faults(frames: Mapping[str, pd.DataFrame], drivers: tuple[str, ...]) -> list[Fault]:
    pools, activities = frames["cost_pools"], frames["activities"]
    counts, equations = frames["activity_counts"], frames["time_drivers"]
    faults = [
        *_unknown("activity_counts", counts, "activity", activities["activity"]),
        *_unknown("time_drivers", equations, "activity", activities["activity"]),
        *_unknown("activities", activities[activities["pool"] != ""], "pool", pools["pool"]),
        *_unknown("time_drivers", equations, "driver", drivers),
    ]
    costless = activities[(activities["pool"] == "") & activities["transaction_rate"].isna()]
    faults += [
        Fault(
            "activities",
            "has neither a pool nor a transaction_rate",
            "write one of them",
            int(line),
            code="value",
        )
        for line in costless["line"]
    ]
    limits = pools.groupby("pool")["practical_capacity"].sum()
    for pool, line in activities[activities["pool"].isin(limits.index[limits <= 0])][
        ["pool", "line"]
    ].itertuples(index=False):
        message = "has no practical_capacity, which the rate of its activities needs"
        faults.append(
            Fault("activities", f"pool '{pool}' {message}", "write it in cost_pools", int(line), "pool")
        )
    both = pools[pools["per_client"] & pools["practical_capacity"].notna()]
    faults += [
        Fault(
            "cost_pools",
            "is spread per_client and has a practical_capacity",
            "leave one of them out",
            int(line),
        )
        for line in both["line"]
    ]
    named = set(equations["driver"])
    for driver in drivers:
        if driver not in named:
            remedy = did_you_mean(driver, named) if named else "add it to time_drivers"
            message = "the column is neither known nor a driver in table time_drivers"
            faults.append(Fault("activity_counts", message, remedy, 1, driver, code="unknown_column"))
    return faults


def _bank_faults(frames: Mapping[str, pd.DataFrame], rules: ProfitRules) -> list[Fault]:
    faults = _unknown("balances", frames["balances"], "account", frames["accounts"]["account"])
    if len(frames["accounts"]) and rules.bank is None:
        column = "estimates.profit.bank"
        remedy = "write [estimates.profit.bank] with transfer_price, and reserve and liquidity where they are not 0"
        faults.append(Fault("instance.toml", "is missing, and there are accounts", remedy, column=column))
    return faults


def _unknown(table: str, rows: pd.DataFrame, column: str, known: Iterable[str]) -> list[Fault]:
    """A fault for each name that is not known, at the first row that has it."""
    names = set(known)
    strange = rows[~rows[column].isin(names)].drop_duplicates(column)
    return [
        Fault(table, "is not known", did_you_mean(name, names), int(line), column, name, code="unknown_name")
        for name, line in strange[[column, "line"]].head(MAX_FAULTS).itertuples(index=False)
    ]
