"""Reports of a run, made from its folder alone: nothing is solved again.

In goes a `RunRecord`; out comes an `Explanation`, in words and tables, for a terminal, a pipe or JSON.
"""

from cpm_opt.report.explain import explain
from cpm_opt.report.explanation import Column, Explanation, Section, Table
from cpm_opt.report.profit import profit_report
from cpm_opt.report.run_list import run_list
from cpm_opt.report.terminal import text_of

__all__ = ["Column", "Explanation", "Section", "Table", "explain", "profit_report", "run_list", "text_of"]
