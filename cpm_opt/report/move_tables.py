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
MOVE = (Column("from", "from"), Column("to", "to"))
ERROR = Column("se", "standard error", NUMBER)
RATES = (*MOVE, Column("rate", "rate", NUMBER), ERROR)
EFFECTS = (
    *MOVE,
    Column("lever", "lever"),
    Column("option", "option"),
    Column("when", "when"),
    Column("rate", "change of the rate", NUMBER),
    ERROR,
)
PULLS = (
    Column("firm", "firm"),
    Column("segment", "type"),
    Column("intervention", "intervention"),
    Column("share", "share", NUMBER),
    Column("pull", "pull of one unit", NUMBER),
    Column("pull_se", "standard error", NUMBER),
)
AGAINST = (
    Column("own_less_rival", "own less rival", NUMBER),
    Column("own_less_rival_se", "its error", NUMBER),
)


def move_facts(estimates: Estimates) -> dict[str, object]:
    """Fields moves (None without tables from a panel): rates, effects and additivity; and attraction."""
    facts: dict[str, object] = {"moves": None, "attraction": []}
    moved, response = estimates.moved, estimates.response
    if moved is not None and moved.frames:
        off = None if moved.effects is None else moved.effects.additivity
        facts["moves"] = {
            "rates": _rows(_made(estimates, "migration"), RATES),
            "effects": _rows(_made(estimates, "migration_effects"), EFFECTS),
            "additivity": None
            if off is None
            else {
                "largest": off.largest,
                "mean": off.mean,
                "combinations": off.count,
                "where": off.where,
                "between_options": off.between,
            },
        }
    if response is not None and response.attraction:
        facts["attraction"] = [
            {str(name): None if cell != cell else cell for name, cell in row.items()}
            for row in _attraction(estimates).to_dict("records")
        ]
    return facts


def move_sections(estimates: Estimates) -> list[Section]:
    """Sections on rates of moves, on what options do to them, and on attraction, where there are such."""
    sections = []
    moved, response = estimates.moved, estimates.response
    if moved is not None and moved.frames:
        made = [(name, columns, _made(estimates, name)) for name, columns in
                (("migration", RATES), ("migration_effects", EFFECTS))]  # fmt: skip
        tables = [
            Table(name, columns, _cells(frame, columns), most=MOST_ROWS)
            for name, columns, frame in made
            if frame is not None
        ]
        says = ("Rates, and their changes by options, are fractions of a segment's customers, a period; who leaves is "
                "in no row.",)  # fmt: skip
        sections.append(Section("moves", "Staying and moving", says, tuple(tables)))
    if response is not None and response.attraction:
        frame = _attraction(estimates)
        columns = PULLS if not (frame["firm"] != "").any() else (*PULLS, *AGAINST)
        named = frame.assign(firm=frame["firm"].where(frame["firm"] != "", "own"))
        says = ("Pull is the change of a type's share of the new customers by one unit of an intervention.",)
        table = Table("attraction", columns, _cells(named, columns))
        sections.append(Section("attraction", "Whom an intervention attracts", says, (table,)))
    return sections


def _made(estimates: Estimates, name: str) -> pd.DataFrame | None:
    """A table that the panel made, with what other raw tables added to it."""
    moved = estimates.moved
    return estimates.frames[name] if moved is not None and name in moved.frames else None


def _attraction(estimates: Estimates) -> pd.DataFrame:
    from cpm_opt.estimates.moves.attraction import attraction_table

    return attraction_table(() if estimates.response is None else estimates.response.attraction)


def _rows(frame: pd.DataFrame | None, columns: tuple[Column, ...]) -> list[dict[str, object]]:
    """Rows as JSON-ready fields; a number that is not known is None."""
    if frame is None:
        return []
    return [
        {column.key: None if row[column.key] != row[column.key] else row[column.key] for column in columns}
        for row in frame.to_dict("records")
    ]


def _cells(frame: pd.DataFrame, columns: tuple[Column, ...]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(tuple(_cell(row[column.key]) for column in columns) for row in frame.to_dict("records"))


def _cell(cell: object) -> Cell:
    if isinstance(cell, str):
        return cell
    number = float(cell)  # type: ignore[arg-type]
    return None if number != number else f"{number:.4f}"
