"""The page of a run: one file that a browser opens without a network, with every name as text."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpm_opt.report.page import figures as figures_module
from cpm_opt.report.page import page
from cpm_opt.report.page.figure import REST, Series, fewest
from cpm_opt.report.page.figures import figures
from cpm_opt.report.page.html import _script_json
from cpm_opt.report.terminal import clean
from cpm_opt.report.words import Units
from cpm_opt.runs import RunRecord, read_run, write_run
from tests.handmade import FACTS, no_plan, plan, written
from tests.report.hostile import NAMES, TAKEN, hostile_run
from tests.report.risky import risky_run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
LIMIT = 3_000_000
# What a reader may do: press every button of a legend, choose every view, point at a plot, change the window's width.
READER = """
for (const button of document.querySelectorAll(".legend button")) { button.click(); button.click(); }
for (const choice of document.querySelectorAll("select")) {
  for (const option of choice.options) { choice.value = option.value; choice.dispatchEvent(new Event("change")); }
}
for (const each of document.querySelectorAll("details")) each.open = true;
for (const each of document.querySelectorAll(".canvas")) {
  echarts.getInstanceByDom(each).dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: 1 });
}
document.body.style.width = "420px";
"""


class Text(HTMLParser):
    """The text of a page outside of scripts and styles, and the elements in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def browse(text: str, folder: Path, name: str = "page.html") -> tuple[str, list[str]]:
    """The document that a browser without a network makes of a page, and what its console said."""
    file = folder / name
    file.write_bytes(text.encode("utf-8"))
    assert CHROMIUM is not None
    call = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--v=0",
        "--proxy-server=127.0.0.1:9",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1200,1600",
        "--virtual-time-budget=3000",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(call, capture_output=True, timeout=120, check=True)
    errors = done.stderr.decode("utf-8", errors="replace").splitlines()
    return done.stdout.decode("utf-8"), [line for line in errors if "CONSOLE" in line]


def with_script(html: str, script: str) -> str:
    """The page with one script more at its end."""
    before, end, after = html.rpartition("</body>")
    return f"{before}<script>{script}</script>{end}{after}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return read_run(written(tmp_path_factory.mktemp("results")))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return hostile_run(tmp_path_factory.mktemp("hostile"))


def plots(elements: Sequence[tuple[str, dict[str, str | None]]]) -> Iterator[str]:
    return (str(attrs.get("id")) for tag, attrs in elements if tag == "div" and attrs.get("class") == "plot")


@in_a_browser
def test_a_browser_without_a_network_draws_every_plot_and_has_nothing_to_complain_of(run, tmp_path):
    # One script more, which is not the page's own: the page's policy forbids it, and that is all the console tells.
    document, console = browse(with_script(page(run), "document.title = 'planted'"), tmp_path)
    assert len(console) == 1
    assert "violates the following Content Security Policy" in console[0]
    assert "<title>planted</title>" not in document
    seen = Text(document)
    drawn = figures(run, Units(run.facts["instance"]))
    assert len(list(plots(seen.elements))) == len(drawn) >= 8
    assert document.count("<svg") == len(drawn)
    captions = {f"figure-{number}-caption" for number in range(len(drawn))}
    assert captions <= {attrs.get("id") for _, attrs in seen.elements}
    assert {
        attrs.get("aria-labelledby") for _, attrs in seen.elements if attrs.get("role") == "img"
    } == captions
    for axis in ("thousand RUB for one unit more", "share of the customers", "hours of service"):
        assert axis in seen.text


def assert_text_alone(document: str, scripts: int) -> None:
    """Nothing in the document is an element, a script or a title that a name made."""
    seen = Text(document)
    tags = [tag for tag, _ in seen.elements]
    assert tags.count("script") == scripts
    assert [tag for tag in tags if tag in ("img", "iframe", "object", "base", "form")] == []
    assert [name for _, attrs in seen.elements for name in attrs if name.startswith("on")] == []
    assert TAKEN not in re.findall(r"<title>(.*?)</title>", document)
    assert [name for name in NAMES if clean(name.strip()) not in seen.text] == []


@in_a_browser
def test_hostile_names_are_text(hostile, tmp_path):
    document, console = browse(page(hostile), tmp_path)
    assert console == []
    assert_text_alone(document, 3)


@pytest.mark.slow
@in_a_browser
def test_hostile_names_are_text_whatever_a_reader_does_and_also_without_the_policy(hostile, tmp_path):
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(hostile))
    document, console = browse(with_script(free, READER), tmp_path)
    assert console == []
    assert_text_alone(document, 4)
    assert "width: 420px" in document  # the reader's script did run
    assert document.count('class="tip"') == document.count("<svg") > 0
    for count in (3, 13):
        text = page(risky_run(tmp_path / str(count), count))
        free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        document, console = browse(with_script(free, READER), tmp_path)
        assert console == []
        assert document.count('class="tip"') == document.count("<svg") > 0


def test_the_page_is_whole_without_scripts_and_names_no_place_on_a_network(run, hostile):
    for html in (page(run), page(hostile)):
        seen = Text(html)
        loads = [
            attrs.get(name)
            for _, attrs in seen.elements
            for name in ("src", "href", "action")
            if attrs.get(name)
        ]
        assert [place for place in loads if place != "data:," and not str(place).startswith("#")] == []
        ids = {attrs["id"] for _, attrs in seen.elements if attrs.get("id")}
        assert {str(place)[1:] for place in loads if str(place).startswith("#")} <= ids
        assert "default-src 'none'" in html
        assert len(html.encode("utf-8")) < LIMIT
    seen = Text(page(run))
    for words in (
        "What it earns",
        "proven",
        "Recomputed from the tables alone",
        "silver never leaves",
        "highspy",
        "ab",
    ):
        assert words in seen.text


@pytest.mark.parametrize("status", ["infeasible", "unbounded", "no_solution"])
def test_a_run_without_a_plan_says_so_and_why(tmp_path, status):
    seen = Text(page(read_run(written(tmp_path, no_plan(status)))))
    assert "No plan for 2 months" in seen.text
    assert ("capacity hours and keep gold" in seen.text) == (status == "infeasible")
    assert [tag for tag, _ in seen.elements if tag in ("script", "figure", "svg")] == []
    assert "none: there is no plan to check" in seen.text


def test_source_and_licence_of_the_data_stand_at_the_foot(tmp_path):
    facts = replace(FACTS, source="A & B (2008), https://doi.org/1", licence="CC BY 4.0")
    seen = Text(page(write_run(tmp_path, plan(), facts)))
    foot = seen.text[-300:]
    assert "Source of the data: A & B (2008), https://doi.org/1" in foot
    assert "Licence of the data: CC BY 4.0" in foot
    assert "of the data" not in Text(page(write_run(tmp_path, plan(), FACTS))).text


def test_a_plan_that_failed_its_check_is_not_shown(tmp_path):
    html = page(read_run(written(tmp_path, plan(passed=False))))
    assert "a defect of ours" in html
    assert "<figure" not in html
    assert "not passed" in html


def test_a_large_run_stays_under_the_limit_and_says_what_is_left_out(tmp_path):
    path = written(tmp_path)
    letters = "segment of a great many customers " * 6
    facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
    names = [f"{letters}{number}" for number in range(8_000)]
    facts["portfolio"] |= {
        "segments": names,
        "kinds": ["active"] * len(names),
        "groupings": {"tier": [name[-1] for name in names]},
    }
    (path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    plan_rows = "".join(f"{name},{period},service,better,1,1\n" for name in names for period in (1, 2))
    (path / "plan.csv").write_text(
        "segment,period,lever,option,customers,share\n" + plan_rows, encoding="utf-8"
    )
    rows = "".join(f"{name},{period},1,2,2\n" for name in names for period in (1, 2))
    (path / "segments.csv").write_text("segment,period,customers,margin,cash\n" + rows, encoding="utf-8")
    facts["notes"] = [f"note {number} " + "of an estimation " * 9 for number in range(20_000)]
    (path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    many = "".join(f"effects,{name},1,{at}\n" for at, name in enumerate(names))
    (path / "waterfall.csv").write_text(
        f"source,item,amount,total\ntoday,,0,0\n{many}plan,,,8000\n", encoding="utf-8"
    )
    html = page(read_run(path))
    assert len(html.encode("utf-8")) < LIMIT
    assert "15,700 more rows in plan.csv of the run." in html
    assert "7977 smaller steps" in html
    assert "19,941 more of this kind are told by" in html


def test_the_figures_are_the_numbers_of_the_run(run):
    drawn = {figure.name: figure for figure in figures(run, Units(run.facts["instance"]))}
    steps = drawn["waterfall"].views[0].series[0].values
    assert sum(value or 0.0 for value in steps[:-1]) == pytest.approx(steps[-1])
    for name in ("options-service", "options-tariff"):
        columns = zip(*(series.values for series in drawn[name].views[0].series), strict=True)
        assert [sum(value or 0.0 for value in column) for column in columns] == pytest.approx([1.0, 1.0, 1.0])
    better = {series.name: series.values for series in drawn["options-service"].views[0].series}["better"]
    assert better == pytest.approx((0.0, 96 / 500, 112 / 500))
    use, limit = (series.values for series in drawn["resource-hours"].views[0].series)
    assert use == pytest.approx((48.0, 56.0))
    assert limit == pytest.approx((48.0, 56.0))
    assert drawn["prices"].views[0].series[0].values == pytest.approx((12.0, 2.352))
    gold, silver = drawn["customers"].views[0].series
    assert gold.values == pytest.approx((100.0, 90.0, 81.0))
    assert silver.values == pytest.approx((400.0, 410.0, 419.0))


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), min_size=1, max_size=30),
    st.integers(2, 9),
)
def test_series_beyond_the_colours_are_added_up(values, most):
    series = [Series(str(at), tuple(each)) for at, each in enumerate(values)]
    kept = fewest(series, most)
    assert len(kept) == min(most, len(series))
    assert (kept[-1].role == REST) == (len(series) > most)
    for at in (0, 1):
        total = sum(each.values[at] or 0.0 for each in kept)
        assert total == pytest.approx(sum(each[at] for each in values), abs=1e-3)


@given(st.text(), st.text())
def test_numbers_and_names_for_the_script_cannot_leave_their_block(name, value):
    text = _script_json({"name": name, "values": [value, 1.5, None]})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"name": clean(name), "values": [clean(value), 1.5, None]}


def test_the_script_for_plots_is_the_one_that_was_released():
    folder = Path(figures_module.__file__).parent / "echarts"
    (stated,) = re.findall(r"sha256 ([0-9a-f]{64})", (folder / "README.md").read_text(encoding="utf-8"))
    assert hashlib.sha256((folder / "echarts.common.min.js").read_bytes()).hexdigest() == stated
    assert {"LICENSE", "NOTICE", "LICENSE-d3", "LICENSE-zrender"} <= {path.name for path in folder.iterdir()}


def test_the_same_run_gives_the_same_page(run):
    assert page(run) == page(read_run(run.path))
