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
)
STATUS_WORDS = {
    "optimal": "best plan",
    "feasible": "a plan",
    "infeasible": "no plan keeps the rules",
    "unbounded": "profit without limit",
    "no_solution": "out of time",
}


def run_list(runs: Sequence[RunRecord]) -> Explanation:
    """One row a run, in the order given; raises InputError for a damaged run."""
    table = Table("runs", COLUMNS, tuple(_row(run) for run in runs), most=200)
    return Explanation("", "", "Runs, the newest first", (Section("runs", "", (), (table,)),))


def _row(run: RunRecord) -> tuple[Cell, ...]:
    facts = run.facts
    status = STATUS_WORDS.get(run.status, run.status)
    if not run.shown:
        return (
            run.id,
            status if run.status in ("infeasible", "unbounded", "no_solution") else "not certified",
            "",
            "",
        )
    try:
        units = Units(facts["instance"])
        gain = facts["profit"] - facts["today"]["profit"]
        return run.id, status, units.worth(facts["profit"]), ("+" if gain >= 0 else "") + units.worth(gain)
    except (KeyError, TypeError, ValueError) as error:
        raise run.damaged(RUN_FILE, "lacks a figure or holds a wrong one") from error
