"""The sales of a ledger too long for memory, condensed where they lie: by DuckDB, or by the user's own database.

The money of a line is computed in floats, as product_cost does, rounded to a millionth of its unit and then added as
whole numbers: a sum is exact and the same in every run, in whatever order threads meet the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cpm_opt.costing.condensed import Condensed, money, texts
from cpm_opt.costing.periods import Period
from cpm_opt.costing.product_cost import BY_MARGIN, BY_UNIT_COST, STATED, margin_of, no_margin
from cpm_opt.costing.sales_lines import MONEY, SUMS, LineTotals
from cpm_opt.faults import Fault, InputError
from cpm_opt.tables.ledgers import InRowsNow, LargeTable
from cpm_opt.tables.ledgers.dialects import Dialect
from cpm_opt.tables.ledgers.expressions import name, text

if TYPE_CHECKING:
    from cpm_opt.tables.ledgers.in_database import DatabaseTable

# More names than this are not written into a query: the rows are fetched instead.
MOST_LISTED = 20_000


def large_sales(
    large: LargeTable | DatabaseTable, products: pd.DataFrame | None, estimates: Mapping[str, Any]
) -> tuple[LargeSales, list[Fault]]:
    """The sales, and the fault of a gross margin that is unusable, or missing where every line needs it."""
    margin, faults = margin_of(estimates)
    sales = LargeSales(large, margin, products)
    if margin is None and not faults and not sales.own_costs:
        faults = [no_margin(0, every=True)]
    return sales, faults


@dataclass(frozen=True, eq=False)
class LargeSales:
    """Sales in a `LargeTable` or a `DatabaseTable`, with table products joined and the declared
    gross margin (None: there is none).

    `periods` are those that are asked for: one scan condenses the lines by customer for all of them.
    """

    large: LargeTable | DatabaseTable
    margin: float | None
    products: pd.DataFrame | None = field(repr=False)
    periods: tuple[Period, ...] = ()
    cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def divided(self, periods: Sequence[Period]) -> LargeSales:
        """The same lines, condensed by these periods."""
        return replace(self, periods=tuple(periods))

    def count(self) -> int:
        """How many lines there are."""
        return int(self._condensed.products["lines"].sum()) if self.periods else self.large.count()

    def days(self) -> pd.Series[pd.Timestamp]:
        """The first and the last day, from a scan that condenses the lines too, in case one period holds them all."""
        return pd.Series(self._whole.days)

    def before(self, day: pd.Timestamp) -> Collection[str]:
        """The customers with a line before a day on which a period begins."""
        bit = 2 * 4 ** [period.first for period in self.periods].index(day)
        rows = self._condensed.customers
        return set(rows.loc[(rows["code"] & bit) > 0, "customer"])

    def by_customer(self, period: Period) -> pd.DataFrame:
        """By customer: lines and the `SUMS`."""
        rows = self._condensed.customers
        rows = rows[(rows["code"] & self._bit(period)) > 0].drop(columns="code")
        if rows["customer"].duplicated().any():
            return rows.groupby("customer", sort=False).sum()
        return rows.set_index("customer")

    def orders(self, period: Period) -> pd.Series[int]:
        """How many orders by customer."""
        order = "CASE WHEN \"order\" = '' THEN '' ELSE \"order\" END AS o, CASE WHEN \"order\" = '' THEN date END AS d"

        def query() -> str:
            pairs = f"SELECT DISTINCT customer, {order} FROM {{lines}} WHERE {self._inside(period)}"
            return f"SELECT customer, count(*) AS n FROM ({pairs}) AS pairs GROUP BY customer"

        found = self._asked(["customer", "date", "order"], query)
        return pd.Series(found["n"], index=pd.Index(found["customer"], dtype=object)).sort_index()

    def totals(self, period: Period) -> LineTotals:
        """All lines together, by their product instead of their customer."""
        rows = self._condensed.products
        rows = rows[(rows["code"] & self._bit(period)) > 0]
        money = {label: float(rows[label].sum()) for label in MONEY}
        return LineTotals(int(rows["lines"].sum()), int(rows["stated"].sum()), **money)

    def by_value(self, period: Period, dimension: str) -> pd.DataFrame:
        """By value of a dimension."""
        if dimension == "product":
            rows = self._condensed.products
            rows = rows[(rows["code"] & self._bit(period)) > 0]
            sums = rows.groupby("product")[list(MONEY)].sum()
            return sums.rename_axis("value").reset_index()
        value = name(dimension)

        def query() -> str:
            columns = f"{value} AS value, {self._sums(MONEY)}"
            return f"SELECT {columns} FROM {{lines}} WHERE {self._inside(period)} GROUP BY 1 ORDER BY 1"

        found = self._asked([*self._money_needs(), "date", dimension], query)
        self.large.check_names(dimension, texts(found["value"]))
        return self._money(found, MONEY).assign(value=texts(found["value"]))[["value", *MONEY]]

    def cells(self, period: Period, customers: Collection[str] | None = None) -> pd.DataFrame:
        """By customer and product."""
        few = ""
        if customers is not None:
            few = f" AND customer IN ({', '.join(text(one) for one in sorted(customers)) or 'NULL'})"

        def query() -> str:
            return (
                f"SELECT customer, product, {self._sums(MONEY)} FROM {{lines}} WHERE {self._inside(period)}{few} "
                "GROUP BY 1, 2 ORDER BY 1, 2"
            )

        found = self._asked([*self._money_needs(), "customer", "date", "product"], query)
        money = self._money(found, MONEY)
        cost = money["product_cost"] + money["tax"]
        who, what = (texts(found[label]) for label in ("customer", "product"))
        return pd.DataFrame({"customer": who, "product": what, "revenue": money["revenue"], "cost": cost})

    def buyers(self, orders: Collection[str]) -> pd.Series[str]:
        """The customer of each of these orders, where it has one alone."""
        return self._one_of("order", "customer", orders, None)

    def agreed(self, period: Period, key: str, dimension: str, values: Collection[str]) -> pd.Series[str]:
        """The value on which all lines of an order (or product) of the period agree."""
        return self._one_of(key, dimension, values, period)

    def traced(self, period: Period, customer: str | None, most: int) -> pd.DataFrame:
        """By the rule of the product cost, over rows that have numbers."""
        from cpm_opt.tables.ledgers.offenders import lines_of

        rows = self.large.in_rows("")
        where = self._inside(period) + ("" if customer is None else f" AND customer = {text(customer)}")
        needs = [*self._needs(), "cost"]
        sums = f"count(*) AS lines, {self._sums(SUMS)}"
        query = f"SELECT {self._rule()} AS rule, {sums} FROM {{lines}} WHERE {where} GROUP BY 1"
        found = self._asked(needs, lambda: query)
        table = self._money(found, SUMS).set_index(texts(found["rule"]))
        first = {
            rule: rows.numbers(needs, self._priced, f"{where} AND {self._rule()} = {text(rule)}", most)
            for rule in table.index
        }
        table["first"] = pd.Series(
            {rule: lines_of(rows, numbers) for rule, numbers in first.items()}, dtype=object
        )
        return table.sort_index()

    def transactions(self) -> pd.DataFrame:
        """By customer and day, sorted by both: lines, quantity, revenue, product_cost."""
        sums = ("quantity", "revenue", "product_cost")

        def query() -> str:
            return (
                f"SELECT customer, date, count(*) AS lines, {self._sums(sums)}, {self._counts()} FROM {{lines}} "
                "GROUP BY 1, 2 ORDER BY 1, 2"
            )

        found = self._asked([*self._money_needs(), "customer", "date", "quantity"], query)
        missing = int(found["missing"].sum())
        if missing:
            raise InputError([no_margin(missing, missing == int(found["lines"].sum()))])
        # One object a name instead of one a row.
        code, names = pd.factorize(texts(found["customer"]))
        self.large.check_names("customer", names)
        customer = pd.Series(np.asarray(names, dtype=object)[code], dtype=object)
        rows = pd.DataFrame({"customer": customer})
        rows["date"] = np.asarray(found["date"]).astype("datetime64[ns]")
        return pd.concat([rows, self._money(found, sums)], axis=1)

    def told(self) -> str:
        """Why the rows of a database had to be fetched; blank where they were not."""
        return self.large.told

    @property
    def own_costs(self) -> bool:
        """Whether a line may have a product cost other than by the gross margin."""
        unit_costs = self.products is not None and bool(self.products["unit_cost"].notna().any())
        return unit_costs or self.large.has("cost")

    def _bit(self, period: Period) -> int:
        return int(4 ** self.periods.index(period))

    @property
    def _whole(self) -> Condensed:
        if "whole" not in self.cache:
            self.cache["whole"] = self._scan(lambda: "1")
        whole: Condensed = self.cache["whole"]
        return whole

    @cached_property
    def _condensed(self) -> Condensed:
        """Lines by period and customer, and by period and product, of one scan."""
        if "whole" in self.cache:
            first, last = self._whole.days
            now, *others = self.periods
            if now.first <= first and last <= now.last and all(other.last < first for other in others):
                return self._whole
        return self._scan(lambda: " + ".join(map(self._code, self.periods)))

    def _code(self, period: Period) -> str:
        """SQL of the bits of a line: whether it lies in the period, and whether before it."""
        bit = self._bit(period)
        return (
            f"CASE WHEN {self._inside(period)} THEN {bit} ELSE 0 END + "
            f"CASE WHEN date < {self._dialect.day(period.first)} THEN {2 * bit} ELSE 0 END"
        )

    def _scan(self, code_of: Callable[[], str]) -> Condensed:
        code = code_of()

        def query() -> str:
            days = ", min(date) AS first, max(date) AS last" if code == "1" else ""
            product = "" if self.large.has("product") else ", '' AS product"
            coded = f"(SELECT *{product}, CAST({code_of()} AS {self._dialect.small}) AS code FROM {{lines}}) AS coded"
            sums = f"count(*) AS lines, {self._sums(SUMS)}{days}, {self._counts()} FROM {coded} GROUP BY"
            if self._dialect.grouping_sets:
                sets = "GROUPING SETS ((code, customer), (code, product)) ORDER BY code, customer"
                return f"SELECT grouping(customer) AS g, code, customer, product, {sums} {sets}"
            return (
                f"SELECT 0 AS g, code, customer, NULL AS product, {sums} code, customer UNION ALL "
                f"SELECT 1 AS g, code, NULL AS customer, product, {sums} code, product ORDER BY code, customer"
            )

        found = self._asked([*self._needs(), *(["product"] if self.large.has("product") else [])], query)
        of_customer = np.asarray(found["g"]) == 0
        missing, every = (int(found[label][~of_customer].sum()) for label in ("missing", "lines"))
        if missing:
            raise InputError([no_margin(missing, missing == every)])
        rows = self._money(found, SUMS)
        rows.insert(0, "code", np.asarray(found["code"], dtype=np.int64))
        products = rows[~of_customer].assign(
            product=texts(found["product"])[~of_customer],
            stated=np.asarray(found["stated"], dtype=np.int64)[~of_customer],
        )
        customers = rows[of_customer].copy()
        names = pd.Series(texts(found["customer"])[of_customer], index=customers.index, dtype=object)
        customers.insert(1, "customer", names)
        for label, table in (("customer", customers), ("product", products)):
            met = table[label] if code == "1" else table[label].drop_duplicates()
            self.large.check_names(label, met.tolist())
        ends = (
            ()
            if code != "1" or rows.empty
            else (pd.Timestamp(found["first"].min()), pd.Timestamp(found["last"].max()))
        )
        return Condensed(customers, products.sort_values(["code", "product"]), ends)

    def _rule(self) -> str:
        """SQL of the rule of a line's product cost."""
        own = f"WHEN cost IS NOT NULL THEN {text(STATED)} " if self.large.has("cost") else ""
        unit = f"WHEN unit_cost IS NOT NULL THEN {text(BY_UNIT_COST)} " if self._joined else ""
        return f"CASE {own}{unit}ELSE {text(BY_MARGIN)} END" if own or unit else text(BY_MARGIN)

    @property
    def _joined(self) -> bool:
        """Whether lines are looked up in table products."""
        return self.products is not None and self.large.has("product")

    def _one_of(self, key: str, of: str, values: Collection[str], period: Period | None) -> pd.Series[str]:
        wanted = sorted(set(values) - {""})
        if not wanted or not self.large.has(key):
            return pd.Series([], dtype=object)
        frame = pd.DataFrame({"k": wanted}, dtype=object)

        def query() -> str:
            where = f"{self._inside(period)} AND" if period is not None else ""
            few = f"{name(key)} IN (SELECT k FROM {self._listed('wanted', frame)} AS w)"
            return (
                f"SELECT {name(key)} AS k, min({name(of)}) AS one FROM {{lines}} WHERE {where} {few} "
                f"GROUP BY 1 HAVING min({name(of)}) = max({name(of)}) ORDER BY 1"
            )

        found = self._asked(["date", *self._money_needs(), key, of], query)
        return pd.Series(texts(found["one"]), index=pd.Index(texts(found["k"]), dtype=object), dtype=object)

    def _needs(self) -> list[str]:
        return ["customer", "date", *self._money_needs(), *self._there("quantity", "discount", "list_price")]

    def _money_needs(self) -> list[str]:
        """The columns of revenue, product cost and tax."""
        needs = ["revenue", *self._there("tax", "cost")]
        if self._joined:
            needs += ["product", *self._there("quantity")]
        return needs

    def _there(self, *labels: str) -> list[str]:
        return [label for label in labels if self.large.has(label)]

    @property
    def _dialect(self) -> Dialect:
        """The SQL that the lines are asked in at present."""
        return self.large.dialect

    def _inside(self, period: Period) -> str:
        return f"date >= {self._dialect.day(period.first)} AND date <= {self._dialect.day(period.last)}"

    def _asked(self, needs: Iterable[str], query: Callable[[], str]) -> Mapping[str, Any]:
        """The answer of a query over `{lines}`, the lines with their money; put anew where a database cannot tell."""
        needed = tuple(dict.fromkeys(needs))
        try:
            return self.large.condense(needed, query().replace("{lines}", f"{self._priced(needed)} AS s"))
        except InRowsNow:
            return self.large.condense(needed, query().replace("{lines}", f"{self._priced(needed)} AS s"))

    def _listed(self, label: str, frame: pd.DataFrame) -> str:
        """A small frame as a table of DuckDB's, so that it knows how small it is, or as a subquery for a database."""
        if self._dialect.of_database:
            if len(frame) <= MOST_LISTED:
                return self._dialect.listed(list(frame.columns), frame)
            self.large.in_rows(f"more than {MOST_LISTED:,} names are looked up")
            raise InRowsNow
        kept = self.cache.get(label)
        if kept is None or not kept.equals(frame):
            connection = self.large.in_rows("").engine.connection
            connection.register("handed_over", frame)
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {label} AS SELECT * FROM handed_over")
            connection.unregister("handed_over")
            self.cache[label] = frame
        return label

    def _priced(self, needed: Sequence[str], rows: str = "{rows}") -> str:
        """A subquery of the needed columns with product_cost and list_revenue, by the formulas of product_cost."""
        columns = [f"r.{name(label)}" for label in needed if label != "product_group"]
        joined = self._joined and "product" in needed
        costs = ["r.cost"] if "cost" in needed else []
        if joined:
            costs.append(f"p.unit_cost * {'r.quantity' if 'quantity' in needed else '1.0'}")
            columns.append("p.unit_cost")
        nothing = self._dialect.nothing()
        if self.margin is not None:
            costs.append(f"r.revenue * {self._dialect.number(1.0 - self.margin)}")
        if "revenue" in needed:
            cost = f"coalesce({', '.join(costs)}, {nothing})" if costs else nothing
            columns.append(f"{cost} AS product_cost")
        if "list_price" in needed:
            quantity = "r.quantity" if "quantity" in needed else "1.0"
            discount = "r.discount" if "discount" in needed else "0.0"
            columns.append(f"coalesce(r.list_price * {quantity}, r.revenue + {discount}) AS list_revenue")
        if "product_group" in needed:
            own = "r.product_group"
            group = (
                f"CASE WHEN {own} <> '' THEN {own} ELSE coalesce(p.product_group, '') END" if joined else own
            )
            columns.append(f"{group} AS product_group")
        join = ""
        if joined and self.products is not None:
            known = self._listed("products", self.products[["product", "product_group", "unit_cost"]])
            join = f" LEFT JOIN {known} AS p ON r.product = p.product"
        return f"(SELECT {', '.join(columns)}, r.doubtful FROM {rows} AS r{join})"

    def _counts(self) -> str:
        """Lines in doubt, lines without a product cost, and lines with one of their own."""
        stated = "count(cost)" if self.large.has("cost") else "0"
        missing = "0" if self.margin is not None else "count(*) - count(product_cost)"
        return f"{self._dialect.counted('doubtful')} AS doubtful, {missing} AS missing, {stated} AS stated"

    def _sums(self, labels: Sequence[str]) -> str:
        """SQL of the sums that the file has the columns for, in millionths; `_money` knows the others."""
        return ", ".join(
            f"{self._dialect.micro_sum(label)} AS {label}" for label in labels if self._summed(label)
        )

    def _summed(self, label: str) -> bool:
        if label == "list_revenue":
            return self.large.has("list_price")
        return label in ("revenue", "product_cost") or self.large.has(label)

    def _money(self, found: Mapping[str, Any], labels: Sequence[str]) -> pd.DataFrame:
        """The sums in the tables' own unit."""
        return money(found, labels, {label for label in labels if self._summed(label)})
