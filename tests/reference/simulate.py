"""A given plan played through, customer group by customer group, period by period: no matrix, no solver.

It reads the rows of text itself (not through `numbers.py`), so that a slip in one of the two shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.reference.money_played import Purse, concentrated, lost
from tests.reference.played_rules import option_breaches, price_breaches
from tests.reference.read import Case, Row, flag, number, whole_number

Split = Callable[[str, str, int, float], dict[str, float]]
"""(segment, lever, period, customers there) -> customers on each option"""
Choices = dict[tuple[str, str, int], str]
"""(lever, group, period) -> option, for `single` levers"""


@dataclass
class Outcome:
    """What a plan comes to. `broken`: (what, by how much) for every wall that the plan runs into;
    `sides`: rule and period -> the members' figure and what its value is multiplied by (1 for an amount);
    `use`: resource and period -> use; `on`: per period, who is on what; `paths`: lever and group -> its options, the
    one of today first; `groups`: lever and group -> its segments; `amounts`: measure, segment and period -> the
    figure of a segment, cash less what its use costs as measure `net`; `balances`: cash after each period."""

    profit: float = 0.0
    penalty: float = 0.0
    end: float = 0.0
    objective: float = 0.0
    broken: list[tuple[str, float]] = field(default_factory=list)
    sides: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    use: dict[tuple[str, int], float] = field(default_factory=dict)
    amounts: dict[tuple[str, str, int], float] = field(default_factory=dict)
    balances: list[float] = field(default_factory=list)
    customers: list[dict[str, float]] = field(default_factory=list)
    on: list[dict[tuple[str, str, str], float]] = field(default_factory=list)
    paths: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    groups: dict[tuple[str, str], set[str]] = field(default_factory=dict)


def simulate(case: Case, choices: Choices, split: Split) -> Outcome:
    """Plays a plan; extra capacity and slack are bought as needed, never more (both cost, neither can earn)."""
    return Play(case, choices, split).run()


class Play:
    """One run of one plan."""

    def __init__(self, case: Case, choices: Choices, split: Split) -> None:
        self.case, self.choices, self.split = case, choices, split
        self.segments = {row["segment"]: row for row in case.rows("segments")}
        self.active = [s for s, row in self.segments.items() if (row.get("kind") or "active") == "active"]
        self.levers = {row["lever"]: row for row in case.rows("levers")}
        self.out = Outcome()
        self.on: dict[tuple[str, str, str], float] = {}
        self.there: dict[str, float] = {}
        self.first: dict[tuple[str, str, str], float] = {}
        self.last: dict[tuple[str, str, str], float] = {}

    def run(self) -> Outcome:
        out, case = self.out, self.case
        rate = case.model["horizon"].get("discount_rate", 0.0)
        self.there = {s: number(row, "customers") for s, row in self.segments.items()}
        self.first = self.last = self._start()
        out.customers.append(dict(self.there))
        keys = case.model.get("components", {})
        purse, at_risk = Purse(keys.get("cash"), out.broken), dict.fromkeys(self.last, 0.0)
        for period in range(1, case.periods + 1):
            self.on = self._put_on(period)
            after = self._move(period)
            worth = 1 / (1 + rate) ** (period - 1)
            paid = self._fixed(period) + self._changed(period) + self._use(period)
            interest = purse.interest(self.total("cash", list(self.segments), period) - paid)
            out.profit += worth * (self._earn(period) - paid - interest)
            self._amounts(period, after)
            for s, d, o in at_risk:
                at_risk[s, d, o] += worth * self._error(s, d, o) * self.on[s, d, o]
            out.penalty += worth * self._rules(period, after)
            self.there, self.last = after, self.on
            out.customers.append(dict(after))
            out.on.append(dict(self.on))
        self._check_choices()
        ends = sum(number(row, "end_value") * self.there[s] for s, row in self.segments.items())
        out.end = ends / (1 + rate) ** case.periods
        weights = case.model.get("objective", {})
        out.balances = purse.balances
        deduction = lost(keys["robust"], list(at_risk.values())) if "robust" in keys else 0.0
        earned = out.profit - out.penalty - deduction
        out.objective = weights.get("profit", 1.0) * earned + weights.get("end_value", 1.0) * out.end
        return out

    def _check_choices(self) -> None:
        """The rules that are about choices over time."""
        for d, g in sorted({(d, g) for d, g, _ in self.choices}):
            self.out.groups[d, g] = {s for s in self.segments if self.group(s, d) == g}
            chosen = [self.choices[d, g, t] for t in range(1, self.case.periods + 1)]
            self.out.paths[d, g] = [self._today(d, g), *chosen]
        if self.case.on("price"):
            self.out.broken += price_breaches(self.case, self.out.paths)
        if self.case.on("options"):
            rows = self.case.rows("option_rules")
            members = {row["rule"]: self._inside(row.get("members") or "all") for row in rows}
            out = self.out
            out.broken += option_breaches(self.case, members, out.on, out.customers, out.groups, out.paths)

    def _error(self, segment: str, lever: str, option: str) -> float:
        rows = self.case.rows("effects")
        found = [r for r in rows if (r["segment"], r["lever"], r["option"]) == (segment, lever, option)]
        return number(found[0], "margin_se") if found and flag(found[0], "offered", True) else 0.0

    def _amounts(self, period: int, after: dict[str, float]) -> None:
        """Figures of each segment, and what rules about them are broken."""
        keys = self.case.model.get("components", {})
        rule = keys.get("concentration")
        measures = {"customers", "margin", "cash", *([rule.get("measure", "margin")] if rule else [])}
        for s in self.segments:
            for measure in measures:
                self.out.amounts[measure, s, period] = self._measured(measure, [s], period, after)
            self.out.amounts["net", s, period] = self.out.amounts["cash", s, period] - self._served(s, period)
        if rule is not None:
            measure = rule.get("measure", "margin")
            mine = [self.out.amounts[measure, s, period] for s in self.active]
            self.out.broken += concentrated(rule, mine)
        groups = [keys.get("cash", {}).get(key) for key in ("grow", "fund")]
        named = {s for members in groups if members for s in self._inside(members)}
        net = sum(self.out.amounts["net", s, period] for s in named)
        if net < -1e-7 * max(1.0, sum(abs(self.out.amounts["net", s, period]) for s in named)):
            self.out.broken.append(("growth", -net))

    def _served(self, segment: str, period: int) -> float:
        """What the resources cost that a segment uses, by the unit."""
        if not self.case.on("capacity"):
            return 0.0
        cost = 0.0
        for name in {row["resource"] for row in self.case.rows("resources")}:
            for row in self._supplies(name, period):
                price = number(row, "unit_cost") * self.season("resources.unit_cost", period, resource=name)
                cost += price * self.used(name, [segment], period)
        return cost

    def _supplies(self, resource: str, period: int) -> list[Row]:
        """The row of a resource in a period; none where it is free then."""
        rows = [r for r in self.case.rows("resources") if r["resource"] == resource]
        own = [r for r in rows if r.get("period") == str(period)]
        return own or [r for r in rows if not r.get("period")]

    def season(self, target: str, period: int, **keys: str) -> float:
        """Factors of a cell: each filled key of a row must be the cell's own."""
        product = 1.0
        for row in self.case.rows("factors"):
            match = row["target"] == target and row["period"] == str(period)
            for key in ("segment", "lever", "option", "resource"):
                match = match and (not row.get(key) or row[key] == keys.get(key))
            product *= float(row["factor"]) if match else 1.0
        return product

    def group(self, segment: str, lever: str) -> str:
        scope = self.levers[lever].get("scope") or "segment"
        return {"segment": segment, "all": "all"}.get(scope) or self.segments[segment][scope]

    def options(self, lever: str) -> list[Row]:
        return [row for row in self.case.rows("options") if row["lever"] == lever]

    def _start(self) -> dict[tuple[str, str, str], float]:
        on = {
            (s, d, row["option"]): 0.0 for d in self.levers for row in self.options(d) for s in self.segments
        }
        for s in self.segments:
            for d in self.levers:
                (base,) = (row["option"] for row in self.options(d) if flag(row, "base", True))
                on[s, d, base] = self.there[s]
                for row in self.case.rows("current"):
                    if row["segment"] == s and row["lever"] == d and row["option"] != base:
                        on[s, d, row["option"]] += number(row, "customers")
                        on[s, d, base] -= number(row, "customers")
        return on

    def _put_on(self, period: int) -> dict[tuple[str, str, str], float]:
        on = dict.fromkeys(self.last, 0.0)
        for d, lever in self.levers.items():
            single = lever.get("choice") == "single"
            for s in self.segments:
                if single:
                    where = {self.choices[d, self.group(s, d), period]: self.there[s]}
                else:
                    where = self.split(s, d, period, self.there[s])
                    if abs(sum(where.values()) - self.there[s]) > 1e-6 or min(where.values()) < -1e-9:
                        self.out.broken.append(
                            (f"assignment of {s}", abs(sum(where.values()) - self.there[s]))
                        )
                for o, customers in where.items():
                    on[s, d, o] = customers
                    refused = [
                        r
                        for r in self.case.rows("effects")
                        if (r["segment"], r["lever"], r["option"]) == (s, d, o)
                    ]
                    if (single or customers > 1e-7) and refused and not flag(refused[0], "offered", True):
                        self.out.broken.append((f"{d}={o} is not offered to {s}", max(1.0, customers)))
            if single and self.case.on("switching") and (period - 1) % int(lever.get("hold") or 1):
                for g in {self.group(s, d) for s in self.segments}:
                    if self.choices[d, g, period] != self.choices[d, g, period - 1]:
                        self.out.broken.append((f"hold of {d}", 1.0))
        return on

    def _is_new(self, segment: str, lever: str, option: str, period: int) -> bool:
        group = self.group(segment, lever)
        if self.choices[lever, group, period] != option:
            return False
        if period > 1:
            return self.choices[lever, group, period - 1] != option
        return self._today(lever, group) != option

    def _today(self, lever: str, group: str) -> str:
        """The option of a group before period 1; where its customers are on two, a rule that asks is not to be read."""
        there = {(s, o): customers for (s, d, o), customers in self.first.items() if d == lever}
        held = {
            o for (s, o), customers in there.items() if self.group(s, lever) == group and customers > 1e-9
        }
        if len(held) > 1:
            return "two options"
        (base,) = (row["option"] for row in self.options(lever) if flag(row, "base", True))
        return held.pop() if held else base

    def _move(self, period: int) -> dict[str, float]:
        after = dict.fromkeys(self.segments, 0.0) if "migration" in self.case.tables else dict(self.there)
        for row in self.case.rows("migration"):
            rate = number(row, "rate") * self.season("migration.rate", period, segment=row["from"])
            after[row["to"]] += rate * self.there[row["from"]]
        for row in self.case.rows("migration_effects"):
            s, d, o = row["from"], row["lever"], row["option"]
            if row.get("when") == "on_change" and not self._is_new(s, d, o, period):
                continue
            rate = number(row, "rate") * self.season(
                "migration_effects.rate", period, segment=s, lever=d, option=o
            )
            after[row["to"]] += rate * self.on[s, d, o]
        for row in self.case.rows("arrivals"):
            if row["period"] == str(period):
                s = row["segment"]
                after[s] += number(row, "customers") * self.season("arrivals.customers", period, segment=s)
        for s, customers in after.items():
            if customers < -1e-7:
                self.out.broken.append((f"customers of {s} negative", -customers))
        return after

    def total(self, measure: str, segments: list[str], period: int) -> float:
        """margin, revenue, cash or a measure, over segments, in this period."""
        out = 0.0
        for s in segments:
            row = self.segments[s]
            what = "margin" if measure == "cash" and not row.get("cash") else measure
            out += number(row, what) * self.season(f"segments.{what}", period, segment=s) * self.there[s]
        for row in self.case.rows("effects"):
            s, d, o = row["segment"], row["lever"], row["option"]
            if s in segments:
                what = "margin" if measure == "cash" and not row.get("cash") else measure
                season = self.season(f"effects.{what}", period, segment=s, lever=d, option=o)
                out += number(row, what) * season * self.on[s, d, o]
        return out

    def used(self, resource: str, segments: list[str], period: int) -> float:
        """Net use of a resource by segments."""
        out = 0.0
        for row in self.case.rows("usage"):
            if row["resource"] != resource:
                continue
            d, o = row.get("lever", ""), row.get("option", "")
            for s in [row["segment"]] if row.get("segment") else self.active:
                if s in segments:
                    keys = {"segment": s, "lever": d, "option": o, "resource": resource}
                    customers = self.on[s, d, o] if d else self.there[s]
                    out += number(row, "amount") * self.season("usage.amount", period, **keys) * customers
        return out

    def _earn(self, period: int) -> float:
        return self.total("margin", list(self.segments), period)

    def _fixed(self, period: int) -> float:
        out = 0.0
        for (d, _, t), o in self.choices.items():
            if t == period:
                (row,) = (row for row in self.options(d) if row["option"] == o)
                out += number(row, "fixed_cost") * self.season(
                    "options.fixed_cost", period, lever=d, option=o
                )
        return out

    def _changed(self, period: int) -> float:
        if not self.case.on("switching"):
            return 0.0
        out = 0.0
        for row in self.case.rows("options"):
            d, o = row["lever"], row["option"]
            new = sum(max(0.0, self.on[s, d, o] - self.last[s, d, o]) for s in self.segments)
            out += (
                new
                * number(row, "change_cost")
                * self.season("options.change_cost", period, lever=d, option=o)
            )
        return out

    def _use(self, period: int) -> float:
        if not self.case.on("capacity"):
            return 0.0
        cost = 0.0
        for name in {row["resource"] for row in self.case.rows("resources")}:
            use = self.out.use[name, period] = self.used(name, list(self.segments), period)
            for row in self._supplies(name, period):

                def scaled(column: str, row: Row = row, name: str = name) -> float:
                    return number(row, column) * self.season(f"resources.{column}", period, resource=name)

                cost += scaled("unit_cost") * use
                if row.get("capacity"):
                    extra = use / number(row, "max_utilisation", 1.0) - scaled("capacity")
                    limit = scaled("extra_capacity") if period > whole_number(row, "lead_time") else 0.0
                    cost += scaled("capacity_cost") * scaled("capacity") + scaled("extra_cost") * max(
                        0.0, extra
                    )
                    if extra > limit + 1e-7 * max(1.0, abs(use)):
                        self.out.broken.append((f"capacity of {name}", extra - limit))
        return cost

    def _rules(self, period: int, after: dict[str, float]) -> float:
        if not self.case.on("balance"):
            return 0.0
        penalty = 0.0
        for row in self.case.rows("balance"):
            if not whole_number(row, "first_period", 1) <= period <= whole_number(row, "last_period", 10**9):
                continue
            inside = self._inside(row["members"])
            left = self._measured(row["measure"], inside, period, after)
            basis = row.get("basis") or "amount"
            by = {"amount": 1.0, "share": 0.0, "mean": sum(self.there[s] for s in inside)}[basis]
            if basis == "share":
                by = self._measured(row["measure"], self.active, period, after)
            short = left - number(row, "value") * by
            short = max(0.0, short if row["sense"] == "max" else -short)
            self.out.sides[row["rule"], period] = (left, by)
            if row.get("penalty"):
                penalty += number(row, "penalty") * short
            elif short > 1e-7 * max(1.0, abs(left)):
                self.out.broken.append((f"rule {row['rule']}", short))
        return penalty

    def _inside(self, members: str) -> list[str]:
        if members in self.segments:
            return [members]
        if members == "all":
            return self.active
        column, _, value = members.partition("=")
        return [s for s in self.active if self.segments[s].get(column) == value]

    def _measured(self, measure: str, segments: list[str], period: int, after: dict[str, float]) -> float:
        if measure in ("", "customers"):
            return sum(after[s] for s in segments)
        if measure.startswith("use:"):
            return self.used(measure.removeprefix("use:"), segments, period)
        return self.total(measure, segments, period)
