"""One HTML file for a run, which opens anywhere without a network: plots, tables, the explanation, where it comes from.

In goes a `RunRecord`; out comes the text of the page. `figures` makes figures from the run's tables, `html` puts them
beside the explanation, `plots.js` draws them in the reader's browser with Apache ECharts (in `echarts/`, as released).
"""

from cpm_opt.report.page.html import page

__all__ = ["page"]
