"""What a panel and new customers tell, for a reader and as JSON: rates, what options do to them, whom they attract.

In: `Estimates`. Out: `Section`s, or plain fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpm_opt.report.explanation import NUMBER, Cell, Column, Section, Table

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.estimates import Estimates

MOST_ROWS = 60


def move_facts(estimates: Estimates) -> dict[str, object]:
    """Fields moves (None without levers on a panel): its base rates, effects and additivity; and attraction."""
    facts: dict[str, object] = {"moves": None, "attraction": []}
    moved, response = estimates.moved, estimates.response
    if moved is not None and moved.effects is not None:
        off = moved.effects.additivity
        facts["moves"] = {
            "effects": []
            if "migration_effects" not in moved.frames
            else _effect_rows(moved.frames["migration_effects"]),
            "additivity": {
                "largest": off.largest,
                "mean": off.mean,
                "combinations": off.count,
                "where": off.where,
                "between_options": off.between,
            },
        }
    if response is not None and response.attraction:
        facts["attraction"] = _attraction(estimates).astype(object).to_dict("records")
    return facts


def move_sections(estimates: Estimates) -> list[Section]:
    """Sections on migration_effects and on attraction, where there are such."""
    sections = []
    moved, response = estimates.moved, estimates.response
    if moved is not None and "migration_effects" in moved.frames:
        columns = (
            Column("from", "from"),
            Column("to", "to"),
            Column("lever", "lever"),
            Column("option", "option"),
            Column("when", "when"),
            Column("rate", "change of the rate", NUMBER),
            Column("se", "standard error", NUMBER),
        )
        frame = moved.frames["migration_effects"]
        rows = tuple(tuple(_cell(row[column.key]) for column in columns) for row in frame.to_dict("records"))
        says = ("Changes of rates are fractions of the customers, a period; who leaves is in no row.",)
        table = Table("migration_effects", columns, rows, most=MOST_ROWS)
        sections.append(Section("moves", "What options do to staying and moving", says, (table,)))
    if response is not None and response.attraction:
        frame = _attraction(estimates)
        rival = bool((frame["firm"] != "").any())
        columns = (
            Column("firm", "firm"),
            Column("segment", "type"),
            Column("intervention", "intervention"),
            Column("share", "share", NUMBER),
            Column("pull", "pull of one unit", NUMBER),
            Column("pull_se", "standard error", NUMBER),
            *(
                (
                    Column("own_less_rival", "own less rival", NUMBER),
                    Column("own_less_rival_se", "its error", NUMBER),
                )
                if rival
                else ()
            ),
        )
        rows = tuple(
            tuple(
                _cell(row[column.key] or "own" if column.key == "firm" else row[column.key])
                for column in columns
            )
            for row in frame.to_dict("records")
        )
        says = ("Pull is the change of a type's share of the new customers by one unit of an intervention.",)
        sections.append(
            Section(
                "attraction", "Whom an intervention attracts", says, (Table("attraction", columns, rows),)
            )
        )
    return sections


def _attraction(estimates: Estimates) -> pd.DataFrame:
    from cpm_opt.estimates.attraction import attraction_table

    return attraction_table(() if estimates.response is None else estimates.response.attraction)


def _effect_rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    names = ["from", "to", "lever", "option", "when", "rate", "se"]
    return [{name: row[name] for name in names} for row in frame.to_dict("records")]


def _cell(cell: object) -> Cell:
    if isinstance(cell, str):
        return cell
    number = float(cell)  # type: ignore[arg-type]
    return None if number != number else f"{number:.4f}"
