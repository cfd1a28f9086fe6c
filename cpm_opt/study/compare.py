"""Two or more runs side by side: what differs in input, model, plan and figures, and nothing else.

Everything is read from the folders of the runs. Numbers count as equal up to 1e-6 of their size (shares: of 1), because
two solves of one problem may differ that much; times, versions and names of folders are no differences of content.
Money of all runs stands in the first run's unit where they have one currency; else in each run's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cpm_opt.runs import RunRecord
from cpm_opt.runs.record import RUN_FILE

TOLERANCE = 1e-6
FIGURES = ("status", "profit", "end_value", "penalties", "objective", "bound")
INSTANCE = ("name", "title", "currency", "money_unit", "period")

Value = str | float | bool | None
Place = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One thing in which the runs differ: its place, the periods for which it holds (0, 0: none), a value a run."""

    place: Place
    values: tuple[Value, ...]
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Comparison:
    """What differs between runs, values in the order of `runs`.

    `input`: (name of a file or fact); `model`: (dotted key); `choices`: (lever, group) by periods; `shares`: (segment,
    lever, option) by periods, fractions of the segment's customers; `extra`: (resource) by periods, capacity bought;
    `figures`: (name); `waterfall`: (source, item), money; `use`: (resource) by periods; `customers`: (segment) at the
    end of the horizon. `currencies` and `money_units` of the runs' instances: money of different currencies cannot be
    subtracted.
    """

    runs: tuple[RunRecord, ...]
    currencies: tuple[str, ...]
    money_units: tuple[float, ...]
    input: tuple[Difference, ...]
    model: tuple[Difference, ...]
    choices: tuple[Difference, ...]
    shares: tuple[Difference, ...]
    extra: tuple[Difference, ...]
    figures: tuple[Difference, ...]
    waterfall: tuple[Difference, ...]
    use: tuple[Difference, ...]
    customers: tuple[Difference, ...]

    @property
    def one_currency(self) -> bool:
        """Whether all runs count in the same money, so that theirs can be compared."""
        return len(set(self.currencies)) == 1

    @property
    def equal(self) -> bool:
        """Whether nothing differs at all."""
        parts = (self.input, self.model, self.choices, self.shares, self.extra)
        return not any((*parts, self.figures, self.waterfall, self.use, self.customers))


def compare(runs: Sequence[RunRecord]) -> Comparison:
    """Compares runs by their folders; raises InputError where one is damaged."""
    currencies, units = zip(*(_money(run) for run in runs), strict=True)
    times = [unit / units[0] if len(set(currencies)) == 1 else 1.0 for unit in units]
    return Comparison(
        tuple(runs),
        currencies,
        units,
        input=_apart([_input(run) for run in runs]),
        model=_apart([_model(run) for run in runs], missing="off"),
        choices=_by_periods([_choices(run) for run in runs], None),
        shares=_by_periods([_shares(run) for run in runs], 0.0),
        extra=_by_periods([_resources(run, "extra") for run in runs], 0.0),
        figures=_apart([_times(_figures(run), by) for run, by in zip(runs, times, strict=True)]),
        waterfall=_apart(
            [_times(_waterfall(run), by) for run, by in zip(runs, times, strict=True)], missing=0.0
        ),
        use=_by_periods([_resources(run, "use") for run in runs], None),
        customers=_apart([_customers(run) for run in runs]),
    )


def _money(run: RunRecord) -> tuple[str, float]:
    """The currency, and how many of it a figure of the run stands for."""
    instance = _part(run, "instance")
    try:
        currency, unit = str(instance["currency"]), float(instance["money_unit"])
    except (KeyError, TypeError, ValueError) as error:
        raise run.damaged(RUN_FILE, "lacks its money or holds a wrong one") from error
    return currency, unit


def _times(found: Mapping[Place, Value], by: float) -> dict[Place, Value]:
    """Amounts of money in another unit; words stay as they are."""
    numbers = {place: value for place, value in found.items() if isinstance(value, float | int)}
    return {**found, **{place: value if by == 1.0 else value * by for place, value in numbers.items()}}


def _input(run: RunRecord) -> dict[Place, Value]:
    """The instance's own facts, the hash of every file, and what was estimated or changed before the solve."""
    instance, hashes = _part(run, "instance"), _part(run, "hashes")
    found: dict[Place, Value] = {(name,): instance.get(name) for name in INSTANCE}
    found.update({(str(name),): str(value)[:12] for name, value in hashes.items()})
    found[("notes",)] = "; ".join(map(str, run.facts.get("notes") or ())) or None
    return found


def _model(run: RunRecord) -> dict[Place, Value]:
    return dict(_flat(_part(run, "model"), ""))


def _flat(part: Mapping[str, Any], prefix: str) -> list[tuple[Place, Value]]:
    found: list[tuple[Place, Value]] = []
    for key, value in part.items():
        if isinstance(value, Mapping):
            if prefix == "components.":  # a component without keys of its own is on all the same
                found.append(((prefix + key,), "on"))
            found += _flat(value, f"{prefix}{key}.")
        else:
            plain = value if value is None or isinstance(value, (str, float, int, bool)) else _listed(value)
            found.append(((prefix + key,), plain))
    return found


def _listed(value: object) -> str:
    """A list as it would be typed: its parts with commas."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _figures(run: RunRecord) -> dict[Place, Value]:
    found: dict[Place, Value] = {(name,): run.facts.get(name) for name in FIGURES}
    found.update({(f"today's {name}",): _part(run, "today").get(name) for name in ("profit", "objective")})
    return found


def _choices(run: RunRecord) -> dict[tuple[Place, int], Value]:
    return {
        ((row["lever"], row["group"]), _period(run, "choices", row)): row["option"]
        for row in _rows(run, "choices")
    }


def _shares(run: RunRecord) -> dict[tuple[Place, int], Value]:
    """Shares of levers of choice `mix`; those of `single` ones follow from the choices."""
    levers = _part(run, "portfolio").get("levers") or ()
    single = {lever["name"] for lever in levers if lever.get("choice") == "single"}
    return {
        ((row["segment"], row["lever"], row["option"]), _period(run, "plan", row)): _number(
            run, "plan", row, "share"
        )
        for row in _rows(run, "plan")
        if row["lever"] not in single
    }


def _resources(run: RunRecord, column: str) -> dict[tuple[Place, int], Value]:
    return {
        ((row["resource"],), _period(run, "resources", row)): _number(run, "resources", row, column)
        for row in _rows(run, "resources")
        if row[column]
    }


def _waterfall(run: RunRecord) -> dict[Place, Value]:
    return {
        (row["source"], row["item"]): _number(run, "waterfall", row, "amount")
        for row in _rows(run, "waterfall")
        if row["source"] not in ("today", "plan")
    }


def _customers(run: RunRecord) -> dict[Place, Value]:
    rows = _rows(run, "segments")
    end = max((_period(run, "segments", row) for row in rows), default=0)
    return {
        (row["segment"],): _number(run, "segments", row, "customers")
        for row in rows
        if _period(run, "segments", row) == end
    }


def _apart(found: Sequence[Mapping[Place, Value]], missing: Value = None) -> tuple[Difference, ...]:
    """The places where the runs differ, in the order in which they come up."""
    places = dict.fromkeys(place for each in found for place in each)
    rows = [(place, tuple(each.get(place, missing) for each in found)) for place in places]
    return tuple(Difference(place, values) for place, values in rows if not _alike(values))


def _by_periods(found: Sequence[Mapping[tuple[Place, int], Value]], missing: Value) -> tuple[Difference, ...]:
    """The places and periods where the runs differ; neighbouring periods with the same values are one difference."""
    spans: list[Difference] = []
    for place, period in sorted({key for each in found for key in each}):
        values = tuple(each.get((place, period), missing) for each in found)
        if _alike(values):
            continue
        before = spans[-1] if spans else None
        if before is not None and before.place == place and before.last == period - 1:
            pairs = zip(before.values, values, strict=True)
            if all(_alike(pair) for pair in pairs):
                spans[-1] = Difference(place, before.values, before.first, period)
                continue
        spans.append(Difference(place, values, period, period))
    return tuple(spans)


def _alike(values: Sequence[Value]) -> bool:
    return all(_same(values[0], other) for other in values[1:])


def _same(one: Value, other: Value) -> bool:
    numbers = [
        value for value in (one, other) if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    if len(numbers) == 2:
        return abs(numbers[0] - numbers[1]) <= TOLERANCE * max(1.0, abs(numbers[0]), abs(numbers[1]))
    return one == other


def _part(run: RunRecord, name: str) -> Mapping[str, Any]:
    part = run.facts.get(name)
    if not isinstance(part, Mapping):
        raise run.damaged(RUN_FILE, f"lacks {name}")
    return part


def _rows(run: RunRecord, table: str) -> list[dict[str, str]]:
    """The rows of one of the run's tables; a run without a plan has none."""
    return run.table(table) if run.shown else []


def _number(run: RunRecord, table: str, row: Mapping[str, str], column: str) -> float:
    return _converted(run, table, row, column, float)


def _period(run: RunRecord, table: str, row: Mapping[str, str]) -> int:
    return int(_converted(run, table, row, "period", int))


def _converted(
    run: RunRecord, table: str, row: Mapping[str, str], column: str, kind: Callable[[str], float]
) -> float:
    try:
        return kind(row[column])
    except ValueError:
        raise run.damaged(f"{table}.csv", f"has a {column} that is no number") from None
