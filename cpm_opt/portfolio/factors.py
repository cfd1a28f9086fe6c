"""Seasons and trends: table `factors` multiplies columns of other tables by period.

A factor names a target (`segments.margin`, `usage.amount`, ...), a period, and any of the keys segment,
lever, option and resource; a blank key means all, overlapping factors multiply. Products are taken in a fixed
order, so the order of rows never shows in the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cpm_opt.portfolio.findings import Findings
from cpm_opt.portfolio.names import BLANK, UNKNOWN, Names, References, positions
from cpm_opt.portfolio.portfolio import Flags, Indices, Numbers
from cpm_opt.portfolio.rows import Rows
from cpm_opt.tables import catalogue

LARGEST = 1e15
"""Numbers from here on make HiGHS refuse a whole batch of rows, so none is let through."""

KEYS = ("segment", "lever", "option", "resource")

KEYS_OF: Mapping[str, tuple[str, ...]] = {
    "segments": ("segment",),
    "arrivals": ("segment",),
    "resources": ("resource",),
    "options": ("lever", "option"),
    "effects": ("segment", "lever", "option"),
    "usage": ("segment", "lever", "option", "resource"),
    "migration": ("segment",),
    "migration_effects": ("segment", "lever", "option"),
}
"""The keys to which the columns of each table answer; segment is `from` in the tables of migration."""


@dataclass(frozen=True)
class Cells:
    """Where each row of an array stands: positions of its segment, option and resource, -1 where it has none."""

    segment: Indices
    option: Indices
    resource: Indices

    @staticmethod
    def at(
        size: int,
        segment: Indices | None = None,
        option: Indices | None = None,
        resource: Indices | None = None,
    ) -> Cells:
        """Cells of an array of `size` rows, with the coordinates that it has."""
        none = np.full(size, BLANK, dtype=np.int64)
        return Cells(*(none if axis is None else axis for axis in (segment, option, resource)))


@dataclass(frozen=True)
class FactorTable:
    """The factors of one target: `keys[C, 4]` (positions in the order of `KEYS`, the option by its name
    alone, -1 for all), the factor by period `growth[C, T]`, and the first line of each in the file."""

    keys: Indices
    growth: Numbers
    lines: Indices


@dataclass(frozen=True)
class Factors:
    """All factors, ready to be applied by `scale`."""

    tables: Mapping[str, FactorTable]
    lever_of: Indices
    option_name_of: Indices
    sizes: tuple[int, int, int, int]
    findings: Findings

    def scale(self, target: str, values: Numbers, cells: Cells, applies: Flags | None = None) -> Numbers:
        """`values[K, T]` times the factors of the target that match their cells, where `applies[K]` (all if
        None).

        Warns of a factor that matches nothing.
        """
        table = self.tables.get(target)
        if table is None:
            return values
        scaled = values.copy()
        coordinates = self._coordinates(cells)
        idle = np.ones(len(table.keys), dtype=np.bool_)
        patterns = np.unique(table.keys >= 0, axis=0)
        for pattern in patterns:
            combos = np.flatnonzero(((table.keys >= 0) == pattern).all(axis=1))
            codes = self._codes(table.keys[combos], pattern)
            order = np.argsort(codes, kind="stable")
            wanted = self._codes(coordinates, pattern)
            place = np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)
            hit = codes[order][place] == wanted
            if applies is not None:
                hit &= applies
            which = combos[order[place[hit]]]
            scaled[hit] *= table.growth[which]
            idle[which] = False
        if idle.any():
            self._warn_idle(target, table, idle)
        return scaled

    def _coordinates(self, cells: Cells) -> Indices:
        optional = cells.option >= 0
        lever = np.full(len(cells.option), BLANK, dtype=np.int64)
        name = lever.copy()
        lever[optional] = self.lever_of[cells.option[optional]]
        name[optional] = self.option_name_of[cells.option[optional]]
        return np.stack([cells.segment, lever, name, cells.resource], axis=1)

    def _codes(self, keys: Indices, pattern: Flags) -> Indices:
        """One number for the keys that the pattern uses; a cell without such a coordinate gets one no factor has."""
        code = np.zeros(len(keys), dtype=np.int64)
        for axis in np.flatnonzero(pattern):
            code = code * (self.sizes[axis] + 1) + keys[:, axis] + 1
        return code

    def _warn_idle(self, target: str, table: FactorTable, idle: Flags) -> None:
        line = int(table.lines[idle].min())
        count = int(idle.sum())
        more = f" (nor do {count - 1} more like it)" if count > 1 else ""
        self.findings.warn(
            "idle_factor",
            "factors",
            f"matches no row of the target{more}, so it changes nothing",
            "check its keys, or leave it out",
            row=line or None,
            column="target",
            value=target,
        )


def check_targets(rows: Rows, references: References, measures: Sequence[str]) -> tuple[Indices, Flags]:
    """The keys `[N, 4]` of rows of `factors` or `scenarios`, and which rows are sound; all else is told.

    A row with a blank target has nothing to apply to and is not sound, without a word.
    """
    targets = {name: KEYS_OF[name.split(".", 1)[0]] for name in catalogue.targets(rows.table, measures)}
    lever = references.lever(rows)
    keys = np.stack(
        [references.segment(rows), lever, _option_names(rows, references, lever), references.resource(rows)],
        axis=1,
    )
    named = rows.text("target")
    known = np.array([target in targets for target in named], dtype=np.bool_)
    sound = known & (keys != UNKNOWN).all(axis=1)
    filled = keys != BLANK
    unknown: dict[str, list[int]] = {}
    told: set[tuple[str, str]] = set()
    for k, target in enumerate(named):
        if target and not known[k]:
            unknown.setdefault(target, []).append(k)
        for axis, key in enumerate(KEYS):
            if known[k] and filled[k, axis] and key not in targets[target]:
                sound[k] = False
                if (target, key) not in told:
                    told.add((target, key))
                    _tell_key(rows, references.findings, k, target, key, targets[target])
    for target, where in unknown.items():
        _tell_target(rows, references, target, where, targets)
    return keys, sound


def _option_names(rows: Rows, references: References, lever: Indices) -> Indices:
    """Positions of the options' names; a row without a lever means the options of that name of every lever."""
    names = references.names
    at = positions(sorted({name for _, name in names.options}))
    texts = rows.text("option")
    references.option(rows.keep(lever >= 0), lever[lever >= 0])
    found = np.array([BLANK if text == "" else at.get(text, UNKNOWN) for text in texts], dtype=np.int64)
    found = found.reshape(len(texts))
    lost: dict[str, list[int]] = {}
    for k in np.flatnonzero((lever == BLANK) & (found == UNKNOWN)).tolist():
        lost.setdefault(texts[k], []).append(k)
    unsure = references.findings.incomplete("options") or references.findings.incomplete("levers")
    for text, where in ({} if unsure else lost).items():
        references.findings.fault(
            "unknown_reference",
            rows.table,
            "no lever has such an option",
            references.suggestion(text, at),
            row=rows.first_line(where),
            column="option",
            value=text,
        )
    return found


def _tell_target(
    rows: Rows, references: References, target: str, where: list[int], targets: Mapping[str, tuple[str, ...]]
) -> None:
    count = f" ({len(where)} rows, this is the first)" if len(where) > 1 else ""
    references.findings.fault(
        "unknown_target",
        rows.table,
        f"is no column that {rows.table} can change{count}",
        references.suggestion(target, targets),
        row=rows.first_line(where),
        column="target",
        value=target,
    )


def _tell_key(
    rows: Rows, findings: Findings, k: int, target: str, key: str, allowed: tuple[str, ...]
) -> None:
    findings.fault(
        "wrong_key",
        rows.table,
        f"target {target} has no {key}",
        f"leave {key} blank; this target answers to {', '.join(allowed)}",
        row=rows.first_line([k]),
        column=key,
        value=rows.text(key)[k],
    )


def read_factors(rows: Rows, references: References, measures: Sequence[str], periods: int) -> Factors:
    """Table `factors`, checked and laid out by target and keys; rows after the last period are ignored."""
    names = references.names
    keys, sound = check_targets(rows, references, measures)
    period = rows.integer("period")
    factor = rows.number("factor", 1.0)
    lines = rows.lines()
    targets = np.array(rows.text("target"), dtype=object)
    sound = sound & (period >= 1) & (period <= periods)
    tables = {
        target: _by_period(keys[mask], period[mask], factor[mask], lines[mask], periods)
        for target in sorted(set(targets[sound].tolist()))
        for mask in [sound & (targets == target)]
    }
    return Factors(tables, lever_positions(names), option_names(names), key_sizes(names), references.findings)


def _by_period(keys: Indices, period: Indices, factor: Numbers, lines: Indices, periods: int) -> FactorTable:
    combos, which = np.unique(keys, axis=0, return_inverse=True)
    which = which.reshape(len(keys))
    growth = np.ones((len(combos), periods))
    # In a table keys are unique, but a scenario adds its own factors to those of the table; sorted, so that the order
    # of rows never shows in a product.
    order = np.lexsort((factor, period, which))
    np.multiply.at(growth, (which[order], period[order] - 1), factor[order])
    first = np.full(len(combos), np.iinfo(np.int64).max)
    np.minimum.at(first, which, lines)
    return FactorTable(combos, growth, first)


def lever_positions(names: Names) -> Indices:
    """`[O]`: the lever of each option."""
    return np.array([lever for lever, _ in names.options], dtype=np.int64).reshape(len(names.options))


def option_names(names: Names) -> Indices:
    """`[O]`: the place of each option's name among the distinct names of options."""
    at = positions(sorted({name for _, name in names.options}))
    return np.array([at[name] for _, name in names.options], dtype=np.int64).reshape(len(names.options))


def key_sizes(names: Names) -> tuple[int, int, int, int]:
    """How many segments, levers, distinct option names and resources there are."""
    distinct = len({name for _, name in names.options})
    return len(names.segments), len(names.levers), distinct, len(names.resources)
