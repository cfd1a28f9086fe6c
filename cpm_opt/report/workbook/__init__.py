"""A run as an Excel workbook: its tables typed, with live totals, and the explanation.

In goes a `RunRecord`; out come the bytes of an .xlsx file. `book` writes cells, `tables` the sheets of the run's own
tables, `summary` the sheets before and after them.
"""

from cpm_opt.report.workbook.xlsx import workbook

__all__ = ["workbook"]
