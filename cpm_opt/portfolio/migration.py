"""Moves between segments: rates as things are, and what options add to them."""

from __future__ import annotations

import numpy as np

from cpm_opt.faults import shown
from cpm_opt.portfolio.factors import Cells
from cpm_opt.portfolio.levers import check_one_before
from cpm_opt.portfolio.portfolio import Flags, Lever, Migration, MigrationEffects, Numbers
from cpm_opt.portfolio.rows import Rows
from cpm_opt.portfolio.source import Source


def read_migration(source: Source) -> Migration:
    """Table `migration`; without it everybody stays. Warns of segments that lose everybody for want of rows."""
    rows = source.rows("migration")
    size = len(source.names.segments)
    if not rows.present:
        stay = np.arange(size, dtype=np.int64)
        nowhere = Cells.at(0)
        source.scaled("migration.rate", np.zeros((0, source.periods)), nowhere)
        return Migration(stay, stay.copy(), np.ones((size, source.periods)), stated=False)
    origin, target = source.references.segment(rows, "from"), source.references.segment(rows, "to")
    sound = (origin >= 0) & (target >= 0)
    _warn_lost(source, rows)
    codes, first = np.unique(origin[sound] * size + target[sound], return_index=True)
    rate = rows.number("rate")[sound][first]
    origin, target = codes // max(size, 1), codes % max(size, 1)
    scaled = source.scaled("migration.rate", rate, Cells.at(len(codes), segment=origin))
    return Migration(origin, target, scaled, stated=True)


def _warn_lost(source: Source, rows: Rows) -> None:
    known = set(rows.text("from"))
    lost = [name for name in source.names.segments if name not in known]
    if lost and not source.findings.incomplete("migration", "from", "to"):
        names = ", ".join(shown(name) for name in lost[:12]) + (", ..." if len(lost) > 12 else "")
        plural = "s" if len(lost) > 1 else ""
        source.findings.warn(
            "loses_everybody",
            "migration",
            f"segment{plural} {names} {'have' if plural else 'has'} no rows, so all customers there leave at once",
            "add a row with rate 1 from the segment to itself if they stay",
            column="from",
            value=lost[0],
        )


def read_migration_effects(
    source: Source, levers: tuple[Lever, ...], offered: Flags, current: Numbers
) -> MigrationEffects:
    """Table `migration_effects`, rows of options that a segment cannot get left out.

    `on_change` needs choice single, and groups that are on one option before period 1.
    """
    rows = source.rows("migration_effects")
    origin, target = source.references.segment(rows, "from"), source.references.segment(rows, "to")
    lever = source.references.lever(rows)
    option = source.references.option(rows, lever)
    on_change = np.array([when == "on_change" for when in rows.text("when", "in_force")], dtype=np.bool_)
    for place, each in enumerate(levers):
        answers = on_change & (lever == place)
        if answers.any() and each.single:
            check_one_before(
                source, each, current, "effects with when = on_change must know the one they come from"
            )
        elif answers.any() and not source.findings.incomplete("levers", "choice"):
            source.findings.fault(
                "needs_single",
                "migration_effects",
                f"lever {shown(each.name)} has choice mix, but on_change needs a single choice",
                "set choice of the lever to single, or when to in_force",
                row=rows.first_line(answers),
                column="when",
                value="on_change",
            )
    sound = (origin >= 0) & (target >= 0) & (option >= 0)
    sound[sound] = offered[origin[sound], option[sound]]
    size, options = offered.shape
    codes = ((origin * size + target) * options + option) * 2 + on_change
    kept, first = np.unique(codes[sound], return_index=True)
    row = np.flatnonzero(sound)[first]
    cells = Cells.at(len(kept), segment=origin[row], option=option[row])
    rate = source.scaled("migration_effects.rate", rows.number("rate")[row], cells)
    return MigrationEffects(origin[row], target[row], option[row], on_change[row], rate)
