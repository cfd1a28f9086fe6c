"""A profit statement in words and tables: in comes `ProfitStatement`, out goes `Explanation`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Units, amount, counted, percent

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.costing import ProfitStatement
    from cpm_opt.tables import InstanceInfo

LAYERS = (
    ("list_revenue", "Sales at list prices", 1),
    ("discount", "Discounts", -1),
    ("other_reductions", "Other differences from the list", -1),
    ("interest_income", "Income from balances", 1),
    ("revenue", "Revenue", 1),
    ("product_cost", "Product cost", -1),
    ("gross_profit", "Gross profit", 1),
    ("cost_to_serve", "Cost to serve", -1),
    ("contribution", "Contribution", 1),
    ("service_overhead", "Service overhead", -1),
    ("tax", "Tax on sales", -1),
    ("profit", "Profit of all customers", 1),
)
SUMS = ("revenue", "gross_profit", "contribution", "profit")
MAY_BE_NOTHING = ("cost_to_serve", "break_even_revenue")
SHOWN = 10
BY_COLUMNS = {
    "revenue": "revenue",
    "product_cost": "product cost",
    "cost_to_serve": "cost to serve",
    "service_overhead": "overhead",
    "campaign_cost": "campaign cost",
    "tax": "tax",
    "profit": "profit",
}


def profit_report(statement: ProfitStatement, info: InstanceInfo, by: tuple[str, ...] = ()) -> Explanation:
    """The statement for a reader; `by` are dimensions of the ledger to be shown too.

    Raises InputError for a dimension that is none.
    """
    units = Units.of_instance(info)
    now = statement.reporting
    title = f"{info.title}: profit of {counted(len(statement.figures), 'customer')}, {now.period}"
    sections = [
        _layers(statement, units),
        _activities(statement, units),
        _accounts(statement, units),
        _tiers(statement, units),
        _concentration(statement, units),
        _customers(statement, units),
        _ways_out(statement, units),
        *(_dimension(statement, name, units) for name in by),
        Section("notes", "What was counted", statement.notes),
    ]
    return Explanation("", "", title, tuple(section for section in sections if section is not None))


def _money(key: str, heading: str, units: Units) -> Column:
    return Column(key, heading, NUMBER, units.money)


def _table(name: str, frame: pd.DataFrame, columns: tuple[Column, ...], most: int = SHOWN) -> Table:
    """The frame's columns (its index is the first) as a table; NaN is blank, and costs that nobody has are left out."""
    columns = tuple(
        column for column in columns if column.key not in MAY_BE_NOTHING or frame[column.key].fillna(0).any()
    )
    rows = frame.head(most).reset_index()[[column.key for column in columns]].itertuples(index=False)
    return Table(name, columns, tuple(tuple(map(_cell, row)) for row in rows), most, of=len(frame))


def _cell(value: object) -> Cell:
    if isinstance(value, str):
        return value or "(none)"
    number = float(value)  # type: ignore[arg-type]
    return None if number != number else number


def _layers(statement: ProfitStatement, units: Units) -> Section:
    now, before = statement.reporting, statement.prior
    rows: list[tuple[Cell, ...]] = []
    for key, heading, sign in LAYERS:
        value, prior = now.total(key), 0.0 if before is None else before.total(key)
        if key in SUMS or value or prior:
            heading = f"= {heading}" if key in SUMS else heading
            rows.append((heading, sign * value, *(() if before is None else (sign * prior,))))
    idle, unassigned = now.served.idle_capacity_cost, now.unassigned_cost
    earlier = (lambda value: ()) if before is None else (lambda value: (value,))
    rows.append(
        ("Idle capacity", -idle, *earlier(0 if before is None else -before.served.idle_capacity_cost))
    )
    rows.append(("Unassigned cost", -unassigned, *earlier(0 if before is None else -before.unassigned_cost)))
    rows.append(
        ("= Total of the ledger", now.ledger_total, *earlier(0 if before is None else before.ledger_total))
    )
    paid = statement.tax_on_profit(now)
    if paid is not None:
        paid_before = 0.0 if before is None else statement.tax_on_profit(before) or 0.0
        after = 0.0 if before is None else before.ledger_total - paid_before
        rows.append(("Tax on profit", -paid, *earlier(-paid_before)))
        rows.append(("= Profit after tax", now.ledger_total - paid, *earlier(after)))
    columns = [Column("layer", "layer"), _money("amount", "this period", units)]
    if before is not None:
        columns.append(_money("prior", "the period before", units))
    table = Table("layers", tuple(columns), tuple(rows))
    return Section("layers", "From sales to profit", _told(statement, units), (table,))


def _told(statement: ProfitStatement, units: Units) -> tuple[str, ...]:
    now, change = statement.reporting, statement.change
    told = [
        "Customers' profits, less idle capacity and unassigned cost, are the total of the ledger to the cent."
    ]
    if now.served.idle_capacity_cost < 0:
        told.append(
            "More was done than the pools' practical capacity gives: their idle capacity is negative."
        )
    revenue = now.total("revenue")
    if revenue > 0:
        told.append(f"Return on sales is {percent(now.total('profit') / revenue)}.")
    if change is not None and change.growth == change.growth:
        told.append(f"Revenue grew by {percent(change.growth)} over the period before.")
    if change is not None and change.change_of_return == change.change_of_return:
        told.append(f"Return on sales changed by {change.change_of_return * 100:+.2f} percentage points.")
    margin = statement.margin_of_interest
    if margin == margin:
        told.append(f"Profit is 0 at a margin of {margin * 100:.2f}% a year on deposits (the dead centre).")
    for name, cost in now.unassigned.items():
        if cost:
            told.append(f"Unassigned, {name}: {units.worth(cost)}.")
    return tuple(told)


def _activities(statement: ProfitStatement, units: Units) -> Section | None:
    served = statement.reporting.served
    if served.pools.empty and served.rows.empty:
        return None
    minutes = {"minutes": "minutes done", "idle_minutes": "minutes idle"}
    pools = (
        Column("pool", "pool"),
        _money("expense", "expense", units),
        _money("rate", "a minute", units),
        *(Column(key, heading, NUMBER) for key, heading in minutes.items()),
        _money("assigned", "assigned", units),
        _money("idle_cost", "idle", units),
    )
    activities = (
        Column("activity", "activity"),
        Column("count", "times", NUMBER),
        Column("minutes", "minutes", NUMBER),
        _money("cost", "cost", units),
    )
    by_cost = statement.cost_by_activity.sort_values("cost", ascending=False, kind="stable")
    tables = (_table("pools", served.pools, pools, 20), _table("activities", by_cost, activities, 20))
    told = "Idle capacity stays with the pool; no customer bears it."
    return Section("cost_to_serve", "Cost to serve", (told,), tuple(table for table in tables if table.rows))


def _accounts(statement: ProfitStatement, units: Units) -> Section | None:
    """A bank's accounts by kind and product."""
    accounts = statement.reporting.accounts
    if accounts.empty:
        return None
    totals = statement.account_totals("kind", "product").reset_index("product")
    told = ["Stability is minimum over mean balance, both of the days on which an account stood."]
    late = int((accounts["mean"] != accounts["mean_open"]).sum())
    if late:
        told.append(
            f"{counted(late, 'account')} opened within the period; the days before count 0 in the mean."
        )
    columns = (
        Column("kind", "kind"),
        Column("product", "product"),
        Column("accounts", "accounts", NUMBER),
        _money("mean", "mean balance", units),
        *((_money("mean_open", "mean while open", units),) if late else ()),
        _money("minimum", "minimum", units),
        Column("stability", "stability", SHARE),
        _money("free", "free for placing", units),
        _money("revenue", "brought", units),
        _money("product_cost", "cost", units),
    )
    return Section("accounts", "Accounts", tuple(told), (_table("accounts", totals, columns, 30),))


def _tiers(statement: ProfitStatement, units: Units) -> Section:
    columns = (
        Column("tier", "tier"),
        Column("customers", "customers", NUMBER),
        Column("share", "of all", SHARE),
        _money("revenue", "revenue", units),
        _money("cost_to_serve", "cost to serve", units),
        _money("profit", "profit", units),
        _money("profit_each", "each", units),
    )
    tables = [_table("tiers", statement.tiers, columns, 30)]
    told: list[str] = []
    moves = statement.moves
    if moves is not None:
        froms = tuple(Column(str(name), f"to {name}", NUMBER) for name in moves.columns)
        tables.append(_table("moves", moves, (Column("from", "from"), *froms), 30))
        before, now = statement.inactive_shares
        told.append(
            f"{percent(now)} of the customers are inactive; the period before it were {percent(before)}."
        )
    return Section("tiers", "Tiers", tuple(told), tuple(tables))


def _concentration(statement: ProfitStatement, units: Units) -> Section:
    found = statement.concentration
    whale = found.whale
    told = ["No customer makes a loss: the whale curve only rises."]
    if round(whale.peak - whale.end, 2) > 0:
        earn = f"The most profitable {percent(whale.peak_at)} of the customers earn {units.worth(whale.peak)}"
        told = [f"{earn}; the others take it down to {units.worth(whale.end)}."]
        if whale.peak_share == whale.peak_share:
            told.append(f"The peak of the whale curve is {percent(whale.peak_share)} of the profit.")
    if found.top_share == found.top_share:
        told.append(f"The best 20% of the customers make {percent(found.top_share)} of the profit.")
    told.append(f"The worst 30% lose {units.worth(found.worst_loss)} together.")
    if found.gini == found.gini:
        told.append(f"Gini coefficient of revenue: {amount(found.gini)}.")
    if found.hhi == found.hhi:
        told.append(f"Herfindahl-Hirschman index of revenue: {amount(found.hhi)}.")
    share = percent(statement.ledger.rules.large_share)
    columns = (
        Column("customer", "customer"),
        _money("revenue", "revenue", units),
        Column("share", "of all", SHARE),
        _money("profit", "profit", units),
        Column("return_on_sales", "return on sales", SHARE),
    )
    tables = []
    for frame, name, who in (
        (statement.large, "large", "customer"),
        (statement.large_groups, "large_groups", "group of connected clients"),
    ):
        if frame is not None and frame.empty:
            told.append(f"No {who} has {share} of sales or more.")
        elif frame is not None:
            told.append(f"{counted(len(frame), who)} with {share} of sales or more, in table {name}.")
            tables.append(_table(name, frame, columns, 30))
    return Section("concentration", "Concentration", tuple(told), tuple(tables))


def _customers(statement: ProfitStatement, units: Units) -> Section:
    columns = (
        Column("customer", "customer"),
        Column("tier", "tier"),
        _money("revenue", "revenue", units),
        _money("cost_to_serve", "cost to serve", units),
        _money("profit", "profit", units),
        Column("return_on_sales", "return on sales", SHARE),
        _money("break_even_revenue", "break-even revenue", units),
    )
    customers = statement.figures
    best = _table("best", customers[(customers["profit"] >= 0).to_numpy()].head(SHOWN), columns)
    worst = customers[(customers["profit"] < 0).to_numpy()].iloc[::-1].head(SHOWN)
    tables = (best,) if worst.empty else (best, _table("worst", worst, columns))
    words = "The most profitable customers" if worst.empty else "The most and the least profitable customers"
    return Section("customers", words, (), tables)


def _ways_out(statement: ProfitStatement, units: Units) -> Section | None:
    """What unprofitable customers need to break even, where the ledger knows products."""
    losing = len(statement.losing)
    if not losing or statement.margins.empty:
        return None
    found = statement.worst_ways_out(SHOWN)
    columns = (
        Column("customer", "customer"),
        _money("loss", "loss", units),
        Column("worst_product", "worst product"),
        Column("price_rise", "price up by", SHARE),
        _money("stopping", "profit if stopped", units),
        Column("sell", "or sell"),
        _money("sell_revenue", "for", units),
    )
    told = (
        "Two ways to break even: raise the price of what loses money (or stop selling it), or sell more of the product "
        "with the best margin.",
    )
    table = replace(_table("ways_out", found, columns), of=losing)
    return Section("ways_out", "Ways out for unprofitable customers", told, (table,))


def _dimension(statement: ProfitStatement, name: str, units: Units) -> Section:
    frame = statement.by(name)
    used = [key for key in BY_COLUMNS if key in ("revenue", "profit") or frame[key].any()]
    columns = [Column(name, name.replace("_", " ")), *(_money(key, BY_COLUMNS[key], units) for key in used)]
    columns.append(Column("return_on_sales", "return on sales", SHARE))
    if "profit_over_cost" in frame:
        columns.append(Column("profit_over_cost", "profit over cost", SHARE))
    return Section(name, f"By {name.replace('_', ' ')}", (), (_table(name, frame, tuple(columns), 40),))
