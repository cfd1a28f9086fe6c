"""Names to positions: every segment, lever, option and resource in sorted order, and references to them.

A reference to a name that is not there is told once for each distinct (table, column, value).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cpm_opt.faults import did_you_mean, shown
from cpm_opt.portfolio.findings import Findings
from cpm_opt.portfolio.portfolio import Indices
from cpm_opt.portfolio.rows import Rows

BLANK = -1
SUGGESTION_EFFORT = 20_000
"""Comparisons of names that a build may spend on finding what misspelt ones may have meant; each takes some 20 us."""

UNKNOWN = -2


@dataclass(frozen=True)
class Names:
    """What can be referred to. `options` are (position of the lever, name of the option), lever by lever."""

    segments: tuple[str, ...]
    levers: tuple[str, ...]
    options: tuple[tuple[int, str], ...]
    resources: tuple[str, ...]
    segment_at: Mapping[str, int]
    lever_at: Mapping[str, int]
    option_at: Mapping[tuple[int, str], int]
    resource_at: Mapping[str, int]

    def option_title(self, position: int) -> str:
        """An option as `lever=option`, the way the command line writes it."""
        lever, option = self.options[position]
        return f"{self.levers[lever]}={option}"


def positions(names: Sequence[str]) -> dict[str, int]:
    """Each name's place in the sequence."""
    return {name: place for place, name in enumerate(names)}


def read_names(segments: Rows, levers: Rows, options: Rows, resources: Rows) -> Names:
    """The sorted names of all four tables; an option counts where its lever is known."""
    segment_names = tuple(sorted(set(segments.text("segment"))))
    lever_names = tuple(sorted(set(levers.text("lever"))))
    lever_at = positions(lever_names)
    pairs = {
        (lever_at[lever], option)
        for lever, option in zip(options.text("lever"), options.text("option"), strict=True)
        if lever in lever_at
    }
    option_pairs = tuple(sorted(pairs))
    resource_names = tuple(sorted(set(resources.text("resource"))))
    return Names(
        segments=segment_names,
        levers=lever_names,
        options=option_pairs,
        resources=resource_names,
        segment_at=positions(segment_names),
        lever_at=lever_at,
        option_at={pair: place for place, pair in enumerate(option_pairs)},
        resource_at=positions(resource_names),
    )


@dataclass(frozen=True)
class References:
    """Looks names up for every part of the build and tells the ones that are not there.

    Each lookup returns positions as int64: -1 where the cell is blank, -2 where the name is unknown.
    """

    names: Names
    findings: Findings

    def segment(self, rows: Rows, column: str = "segment") -> Indices:
        """Positions of segments."""
        return self._look_up(rows, column, self.names.segment_at, "segments")

    def lever(self, rows: Rows, column: str = "lever") -> Indices:
        """Positions of levers."""
        return self._look_up(rows, column, self.names.lever_at, "levers")

    def resource(self, rows: Rows, column: str = "resource") -> Indices:
        """Positions of resources."""
        return self._look_up(rows, column, self.names.resource_at, "resources")

    def option(self, rows: Rows, levers: Indices, column: str = "option") -> Indices:
        """Positions of options, each within the lever of its row; -2 without a word where the lever is unknown."""
        texts = rows.text(column)
        at = self.names.option_at
        found = [
            BLANK if text == "" else at.get((lever, text), UNKNOWN)
            for lever, text in zip(levers.tolist(), texts, strict=True)
        ]
        missing = [k for k, place in enumerate(found) if place == UNKNOWN and levers[k] >= 0]
        if missing and not self.findings.incomplete("options"):
            self._tell(
                rows, column, missing, [(int(levers[k]), texts[k]) for k in missing], self._no_such_option
            )
        return np.array(found, dtype=np.int64).reshape(len(found))

    def suggestion(self, text: str, known: Collection[str]) -> str:
        """A remedy for an unknown name, as long as there is time to look for one."""
        if self.findings.spend(len(known)) > SUGGESTION_EFFORT:
            return "correct it"
        return did_you_mean(text, known)

    def _no_such_option(self, lever: int, option: str) -> tuple[str, str]:
        known = [name for owner, name in self.names.options if owner == lever]
        return f"lever {shown(self.names.levers[lever])} has no such option", self.suggestion(option, known)

    def _look_up(self, rows: Rows, column: str, at: Mapping[str, int], home: str) -> Indices:
        texts = rows.text(column)
        found = [BLANK if text == "" else at.get(text, UNKNOWN) for text in texts]
        missing = [k for k, place in enumerate(found) if place == UNKNOWN]
        if missing and not self.findings.incomplete(home):

            def message(_: int, text: str) -> tuple[str, str]:
                return f"is not in table {home}", self.suggestion(text, at)

            self._tell(rows, column, missing, [(BLANK, texts[k]) for k in missing], message)
        return np.array(found, dtype=np.int64).reshape(len(found))

    def _tell(
        self,
        rows: Rows,
        column: str,
        missing: Sequence[int],
        values: Sequence[tuple[int, str]],
        message: Callable[[int, str], tuple[str, str]],
    ) -> None:
        """One fault for each distinct value, with the number of rows that have it and the first of them."""
        places: dict[tuple[int, str], list[int]] = {}
        for k, value in zip(missing, values, strict=True):
            places.setdefault(value, []).append(k)
        for (owner, text), where in sorted(places.items()):
            problem, remedy = message(owner, text)
            if len(where) > 1:
                problem += f" ({len(where)} rows, this is the first)"
            line = rows.first_line(where)
            self.findings.fault(
                "unknown_reference", rows.table, problem, remedy, row=line, column=column, value=text
            )
