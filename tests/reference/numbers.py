"""From rows of text to figures per segment, option and period, with the factors of each period."""

from __future__ import annotations

from dataclasses import dataclass

from tests.reference.read import Case, Row, flag, number, whole_number

Option = tuple[str, str, str]
"""segment, lever, option"""


@dataclass(frozen=True)
class Lever:
    """A lever: its options in the order of the table, its base, and (for `single`) the group of each segment."""

    name: str
    single: bool
    hold: int
    options: tuple[str, ...]
    base: str
    group: dict[str, str]

    @property
    def groups(self) -> list[str]:
        """The groups in order of the segments."""
        return list(dict.fromkeys(self.group.values()))


@dataclass(frozen=True)
class Supply:
    """What holds for one resource in one period; capacity None is unlimited."""

    capacity: float | None
    unit_cost: float
    capacity_cost: float
    extra: float
    extra_cost: float
    utilisation: float


class Numbers:
    """Figures by name; every method takes a 1-based period."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.segment_rows = {row["segment"]: row for row in case.rows("segments")}
        self.segments = list(self.segment_rows)
        self.active = [s for s in self.segments if self.segment_rows[s].get("kind", "") in ("", "active")]
        self.levers = {row["lever"]: self._lever(row) for row in case.rows("levers")}
        self.effects = {(r["segment"], r["lever"], r["option"]): r for r in case.rows("effects")}
        self.customers = {s: number(row, "customers") for s, row in self.segment_rows.items()}
        arrivals = (number(r, "customers") * self.factor("arrivals.customers", t, segment=r["segment"])
                    for r in case.rows("arrivals") for t in [int(r["period"])] if t <= case.periods)  # fmt: skip
        self.bound = sum(self.customers.values()) + sum(arrivals)

    def _lever(self, row: Row) -> Lever:
        name, scope = row["lever"], row.get("scope", "") or "segment"
        options = [r for r in self.case.rows("options") if r["lever"] == name]
        (base,) = (r["option"] for r in options if flag(r, "base", True))
        if scope == "segment":
            group = {s: s for s in self.segments}
        elif scope == "all":
            group = dict.fromkeys(self.segments, "all")
        else:
            group = {s: self.segment_rows[s][scope] for s in self.segments}
        single = row.get("choice", "") == "single"
        hold = whole_number(row, "hold", 1)
        return Lever(name, single, hold, tuple(r["option"] for r in options), base, group)

    def factor(self, target: str, period: int, **keys: str) -> float:
        """Product of the rows of `factors` for this target and period whose filled keys all match."""
        out = 1.0
        for row in self.case.rows("factors"):
            if row["target"] == target and int(row["period"]) == period:
                filled = {k: row[k] for k in ("segment", "lever", "option", "resource") if row.get(k)}
                if all(keys.get(key) == value for key, value in filled.items()):
                    out *= float(row["factor"])
        return out

    def offered(self, at: Option) -> bool:
        """Whether the segment may have the option."""
        return flag(self.effects.get(at, {}), "offered", True)

    def available(self, lever: Lever, group: str, option: str) -> bool:
        """Whether a group may choose the option: all its members are offered it."""
        return all(self.offered((s, lever.name, option)) for s in self.segments if lever.group[s] == group)

    def base(self, measure: str, segment: str, period: int) -> float:
        """margin, revenue, cash, a measure of the instance or use:RESOURCE of one customer, whatever he is on."""
        if measure.startswith("use:"):
            return self._use(measure[4:], segment, "", "", period)
        row = self.segment_rows[segment]
        if measure == "cash" and not row.get("cash"):
            measure = "margin"
        return number(row, measure) * self.factor(f"segments.{measure}", period, segment=segment)

    def effect(self, measure: str, at: Option, period: int) -> float:
        """The change of the measure for one customer on the option."""
        segment, lever, option = at
        if measure.startswith("use:"):
            return self._use(measure[4:], segment, lever, option, period)
        row = self.effects.get(at, {})
        if measure == "cash" and not row.get("cash"):
            measure = "margin"
        factor = self.factor(f"effects.{measure}", period, segment=segment, lever=lever, option=option)
        return number(row, measure) * factor

    def _use(self, resource: str, segment: str, lever: str, option: str, period: int) -> float:
        out = 0.0
        for row in self.case.rows("usage"):
            same = row["resource"] == resource and (row.get("lever", ""), row.get("option", "")) == (
                lever,
                option,
            )
            spread = row.get("segment", "")
            if same and (spread == segment or (not spread and segment in self.active)):
                keys = {"segment": segment, "lever": lever, "option": option, "resource": resource}
                out += number(row, "amount") * self.factor("usage.amount", period, **keys)
        return out

    def option_cost(self, column: str, lever: str, option: str, period: int) -> float:
        """fixed_cost or change_cost of an option."""
        (row,) = (r for r in self.case.rows("options") if (r["lever"], r["option"]) == (lever, option))
        return number(row, column) * self.factor(f"options.{column}", period, lever=lever, option=option)

    def price(self, lever: Lever, option: str) -> float:
        """price_change of an option, a fraction of the base price."""
        rows = self.case.rows("options")
        (row,) = (r for r in rows if (r["lever"], r["option"]) == (lever.name, option))
        return number(row, "price_change")

    @property
    def resources(self) -> list[str]:
        """The resources, once each."""
        return list(dict.fromkeys(row["resource"] for row in self.case.rows("resources")))

    def supply(self, resource: str, period: int) -> Supply | None:
        """The row that holds in a period, the period's own before the blank one; None: free and unlimited."""
        rows = {
            whole_number(r, "period"): r for r in self.case.rows("resources") if r["resource"] == resource
        }
        row = rows.get(period, rows.get(0))
        if row is None:
            return None
        at = {
            name: number(row, name) * self.factor(f"resources.{name}", period, resource=resource)
            for name in ("capacity", "unit_cost", "capacity_cost", "extra_capacity", "extra_cost")
        }
        late = period <= whole_number(row, "lead_time")
        return Supply(
            capacity=at["capacity"] if row.get("capacity") else None,
            unit_cost=at["unit_cost"],
            capacity_cost=at["capacity_cost"],
            extra=0.0 if late else at["extra_capacity"],
            extra_cost=at["extra_cost"],
            utilisation=number(row, "max_utilisation", 1.0),
        )

    def moves(self, period: int) -> dict[tuple[str, str], float]:
        """The migration matrix of a period: (from, to) -> rate; everybody stays where the table is absent."""
        if "migration" not in self.case.tables:
            return {(s, s): 1.0 for s in self.segments}
        return {
            (r["from"], r["to"]): number(r, "rate") * self.factor("migration.rate", period, segment=r["from"])
            for r in self.case.rows("migration")
        }

    def pushes(self, when: str, period: int) -> list[tuple[str, Option, float]]:
        """Changes of migration, as (to, (from, lever, option), rate)."""
        out = []
        for r in self.case.rows("migration_effects"):
            if (r.get("when", "") or "in_force") == when:
                keys = {"segment": r["from"], "lever": r["lever"], "option": r["option"]}
                rate = number(r, "rate") * self.factor("migration_effects.rate", period, **keys)
                out.append((r["to"], (r["from"], r["lever"], r["option"]), rate))
        return out

    def arrivals(self, segment: str, period: int) -> float:
        """Customers who come in a period and are there from the next one on."""
        rows = (
            r for r in self.case.rows("arrivals") if r["segment"] == segment and int(r["period"]) == period
        )
        factor = self.factor("arrivals.customers", period, segment=segment)
        return sum(number(r, "customers") for r in rows) * factor

    def before(self, at: Option) -> float:
        """Customers on the option before period 1."""
        segment, lever, option = at
        named = {
            r["option"]: number(r, "customers")
            for r in self.case.rows("current")
            if (r["segment"], r["lever"]) == (segment, lever)
        }
        if option == self.levers[lever].base:
            return self.customers[segment] - sum(v for o, v in named.items() if o != option)
        return named.get(option, 0.0)

    def choice_before(self, lever: Lever, group: str) -> str:
        """The option of a group before period 1; ValueError where its customers are on two."""
        members = [s for s in self.segments if lever.group[s] == group]
        on = [o for o in lever.options if sum(self.before((s, lever.name, o)) for s in members) > 1e-9]
        if len(on) > 1:
            raise ValueError(f"{lever.name}: {group} is on {on} before period 1")
        return on[0] if on else lever.base

    def members(self, text: str) -> list[str]:
        """A segment, then `all`, then COLUMN=VALUE; groups hold active segments only."""
        if text in self.segment_rows:
            return [text]
        if text == "all":
            return list(self.active)
        column, value = text.split("=", 1)
        return [s for s in self.active if self.segment_rows[s][column] == value]
