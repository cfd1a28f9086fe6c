"""The list of runs as a table."""

from __future__ import annotations

from collections.abc import Sequence

from cpm_opt.report.explanation import Cell, Column, Explanation, Section, Table
from cpm_opt.report.words import Units
from cpm_opt.runs.record import RUN_FILE, RunRecord

COLUMNS = (
    Column("run", "run"),
    Column("status", "status"),
    Column("profit", "profit"),
    Column("gain", "against today"),
    Column("study", "point of"),
)
STATUS_WORDS = {
    "optimal": "best plan",
    "feasible": "a plan",
    "infeasible": "no plan keeps the rules",
    "unbounded": "profit without limit",
    "no_solution": "out of time",
}


PROVEN = 1e-6  # a gap up to this, the default, leaves nothing open that a reader sees


def status_words(status: str, gap: float | None, other: str = "") -> str:
    """What came of a solve; `other` for what is no status of one."""
    if status == "optimal" and gap is not None and gap > PROVEN:
        return "best within its gap"
    return STATUS_WORDS.get(status, other)


def run_list(runs: Sequence[RunRecord]) -> Explanation:
    """One row a run, in the order given; raises InputError for a damaged run."""
    table = Table("runs", COLUMNS, tuple(_row(run) for run in runs), most=200)
    return Explanation("", "", "Runs, the newest first", (Section("runs", "", (), (table,)),))


def _row(run: RunRecord) -> tuple[Cell, ...]:
    facts = run.facts
    gap = facts.get("gap")
    status = status_words(run.status, gap if isinstance(gap, float) else None, run.status)
    if not run.shown:
        return (
            run.id,
            status if run.status in ("infeasible", "unbounded", "no_solution") else "not certified",
            "",
            "",
            run.study,
        )
    try:
        units = Units(facts["instance"])
        gain = facts["profit"] - facts["today"]["profit"]
        return (
            run.id,
            status,
            units.worth(facts["profit"]),
            ("+" if gain >= 0 else "") + units.worth(gain),
            run.study,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise run.damaged(RUN_FILE, "lacks a figure or holds a wrong one") from error
