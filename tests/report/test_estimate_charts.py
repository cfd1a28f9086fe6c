"""Charts of estimates show their figures: trials out of sample by class, curves with bands and observed means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cpm_opt.cli import app
from cpm_opt.estimates.on_request import estimate_instance
from cpm_opt.report.estimate_charts import curve_chart, estimate_charts

INSTANCE = """[instance]
name = "calls"
title = "Calls"
currency = "EUR"
period = "month"
source = "x"
licence = "x"
[[estimates.response.levers]]
lever = "calls"
from = "efforts"
options = { none = 0.0, some = 2.0 }
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    rows = [
        f"{x},{3 * (1 + x) ** 0.5 + (-1) ** (x + k) * 0.1 * (k + 1):.4f},a"
        for x in range(9)
        for k in range(3)
    ]
    files = {
        "instance.toml": INSTANCE,
        "segments.csv": "segment,customers,margin\na,100,40\n",
        "levers.csv": "lever\ncalls\n",
        "options.csv": "lever,option,base\ncalls,none,true\ncalls,some,false\n",
        "efforts.csv": "effort,result,segment\n" + "\n".join(rows) + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_a_curve_is_drawn_with_its_band_and_what_was_observed(calls):
    _, estimates = estimate_instance(str(calls), None, None)
    (curve,) = estimates.response.curves
    (chart,) = estimate_charts(estimates)
    fitted, seen = chart.series
    assert fitted.points == tuple(zip(curve.x, curve.estimate, strict=True))
    assert fitted.band == tuple(zip(curve.low, curve.high, strict=True))
    assert (seen.points, seen.sizes) == (tuple(zip(curve.seen_x, curve.seen_y, strict=True)), curve.seen_n)
    assert curve.x_unit in chart.x_title
    assert curve_chart(replace(curve, stated=True)).series[0].band == ()
    assert curve_chart(replace(curve, shrunken=True)).series[0].name == "fitted and shrunk, with 95 % band"
    paid = replace(curve, y_title="revenue less loss", y_unit="money per offer")
    assert curve_chart(paid, "EUR").y_title == "revenue less loss, EUR per offer"


def test_models_are_shown_beside_what_happened():
    _, estimates = estimate_instance("cdnow", None, None)
    found = estimates.values.holdout
    (chart,) = estimate_charts(estimates)
    assert chart.names == tuple(found.table["frequency"])
    drawn = {series.name: [y for _, y in series.points] for series in chart.series}
    assert drawn["actual"] == found.table["actual"].tolist()
    assert drawn["BG/NBD"] == found.table["bg_nbd"].tolist()
    assert len(drawn) == 1 + len(found.forecasts)


def test_the_command_draws(calls, tmp_path):
    done = CliRunner().invoke(app, ["estimate", str(calls), "--plot", str(tmp_path / "curves.svg")])
    assert done.exit_code == 0, done.output
    assert ">effort[a]</text>" in (tmp_path / "curves.svg").read_text("utf-8")
    nothing = CliRunner().invoke(app, ["estimate", "bank-clients", "--plot", str(tmp_path / "none.svg")])
    assert (nothing.exit_code, "nothing to draw" in nothing.stderr) == (2, True)
    assert not (tmp_path / "none.svg").exists()
