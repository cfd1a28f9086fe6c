"""The results store: one folder a run, written whole or not at all, never overwritten.

In goes a `Plan` and what it was made from (`RunFacts`); out comes a `RunRecord`, which later commands read without
solving again. Nothing heavy is imported to list, find or read runs.
"""

from cpm_opt.runs.facts import RunFacts
from cpm_opt.runs.record import RunRecord, find_run, list_runs, read_run
from cpm_opt.runs.store import check_results, write_run

__all__ = ["RunFacts", "RunRecord", "check_results", "find_run", "list_runs", "read_run", "write_run"]
