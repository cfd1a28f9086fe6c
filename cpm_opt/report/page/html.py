"""The report of a run as one HTML file that needs nothing else: no network, no other file, no server.

Text comes in through Jinja with escaping on; numbers for the plots as JSON in a block that no browser runs. The page's
own policy allows the two scripts that belong to it, by their hashes, and nothing else: no connection, no other script.
Without JavaScript all text and tables are there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpm_opt.faults import DefectError
from cpm_opt.report.explain import explain
from cpm_opt.report.explanation import NUMBER, SHARE, Explanation, Section, Table
from cpm_opt.report.page.figure import Figure
from cpm_opt.report.page.figures import CUSTOMERS, figures
from cpm_opt.report.run_facts import EXACT, attribution, origin
from cpm_opt.report.run_tables import TITLES, RunTable, run_tables
from cpm_opt.report.terminal import clean
from cpm_opt.report.words import Units, amount, counted, parted_commands, percent
from cpm_opt.runs.record import RUN_FILE, RunRecord

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).parent
MOST_BYTES = 2_900_000
# Rows of a table that the page shows; where that makes too large a file, fewer.
ROWS = (300, 100, 30, 10, 3)
LONGEST = 1_000
SENTENCES = 60


@dataclass(frozen=True)
class Tile:
    """One key figure at the head of the page."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class ShownTable:
    """A table as the page shows it: texts, which columns are numbers, and a word on rows that are left out."""

    caption: str
    heads: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    rest: str


@dataclass(frozen=True)
class WholeTable:
    """One of the run's own tables, folded away under its caption and the count of its rows."""

    caption: str
    count: str
    shown: ShownTable


@dataclass(frozen=True)
class ShownFigure:
    """A figure as the page shows it, with its numbers as tables below."""

    name: str
    title: str
    summary: str
    tables: tuple[ShownTable, ...]


@dataclass(frozen=True)
class ShownSection:
    """A part of the page under a heading that the list of contents names."""

    anchor: str
    title: str
    sentences: tuple[str, ...]
    figures: tuple[ShownFigure, ...]
    tables: tuple[ShownTable, ...]


def page(run: RunRecord, told: Explanation | None = None) -> str:
    """The page of a run, under 3 MB however large the run, with its explanation, if one is there already.

    Raises InputError where its folder is damaged.
    """
    try:
        return _fitted(run, Units(run.facts["instance"]), told or explain(run))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise run.damaged(RUN_FILE, "lacks a figure or holds a wrong one") from error


def _fitted(run: RunRecord, units: Units, told: Explanation) -> str:
    """The page with as many rows of long tables as there is room for."""
    drawn = figures(run, units) if run.shown else ()
    tables = run_tables(run, units, ROWS[0]) if run.shown else ()
    source, tiles = origin(run, units), _tiles(run, units) if run.shown else ()
    for most in ROWS:
        text = _rendered(
            title=clean(told.title),
            run=clean(run.id),
            tiles=tiles,
            sections=_sections(told.sections, drawn, most),
            tables=[_whole(table, most) for table in tables if table.count],
            money=clean(units.money),
            origin=source,
            attribution=attribution(run),
            drawn=drawn,
        )
        if len(text.encode("utf-8", errors="replace")) <= MOST_BYTES:
            return text
    raise DefectError("the page of the run is larger than it may be")


def _rendered(drawn: Sequence[Figure], **context: object) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = _prose
    scripts = [_asset("echarts/echarts.common.min.js"), _asset("plots.js")] if drawn else []
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return environment.from_string(_asset("page.html.j2")).render(
        policy=Markup(policy),
        style=Markup(_asset("page.css")),
        scripts=[Markup(script) for script in scripts],
        data=Markup(_script_json({"figures": [figure.as_dict() for figure in drawn]})),
        **context,
    )


def _prose(sentence: str) -> Markup:
    """A sentence as HTML, its commands as such."""
    from markupsafe import Markup, escape

    parts = map(escape, parted_commands(sentence))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


@cache
def _asset(name: str) -> str:
    text = (FOLDER / name).read_text(encoding="utf-8")
    if name.endswith(".js") and ("</script" in text.lower() or "<!--" in text or "\r" in text):
        raise DefectError(f"{name} cannot stand in a page as it is")
    return text


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _script_json(value: Mapping[str, object]) -> str:
    """JSON that can stand within a script element: nothing in it can end the element or be read as anything else."""
    text = json.dumps(_clean(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _cut(clean(value))
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value


def _tiles(run: RunRecord, units: Units) -> tuple[Tile, ...]:
    """The key figures: what it earns, how that compares, how good it is, whether it was checked."""
    facts: Mapping[str, Any] = run.facts
    gain, today = facts["profit"] - facts["today"]["profit"], facts["today"]["profit"]
    same = abs(gain) <= EXACT * max(1.0, abs(today))
    sign = "" if same else "+" if gain > 0 else "-"
    share = "as much as today" if same else f"today: {units.worth(today)}"
    if today > 0 and not same:
        share = f"{sign}{percent(abs(gain) / today)} of {units.worth(today)}"
    gap, certificate = facts["gap"], facts["certificate"]
    if run.status == "optimal":
        proof = Tile(
            "Best that the rules allow",
            "proven",
            f"to within {percent(gap)}" if gap and gap >= EXACT else "exactly",
        )
    else:
        note = (
            "how much better one could be is not known"
            if gap is None
            else f"at most {percent(gap)} could be gained"
        )
        proof = Tile("Best that the rules allow", "not proven", note)
    mean = ", mean over scenarios" if facts["scenarios"] else ""
    return (
        Tile("Profit of the plan", f"{amount(facts['profit'])}", f"{units.money} over {units.horizon}{mean}"),
        Tile(
            "Against staying as today",
            f"{sign}{amount(0.0 if same else abs(gain))}",
            f"{units.money}; {share}",
        ),
        proof,
        Tile("Recomputed from the tables", "passed", f"{counted(certificate['checked'], 'condition')} hold"),
    )


def _sections(told: Iterable[Section], drawn: Sequence[Figure], most: int) -> list[ShownSection]:
    """The explanation's sections with the figures that belong to them, then figures that belong to none of these."""
    sections = list(told)
    known = {section.name for section in sections}
    if any(figure.section not in known for figure in drawn):
        place = next((at for at, each in enumerate(sections) if each.name == "checked"), len(sections))
        sections.insert(place, Section(CUSTOMERS, "Customers and their margin over time"))
    shown: list[ShownSection] = []
    for section in sections:
        own = [
            figure
            for figure in drawn
            if figure.section == section.name
            or (section.name == CUSTOMERS and figure.section not in {*known, CUSTOMERS})
        ]
        shown.append(
            ShownSection(
                f"part-{len(shown) + 1}",
                clean(section.title),
                _told(section.sentences),
                tuple(_shown_figure(figure, drawn, most) for figure in own),
                tuple(_shown(table.without_blanks(), most) for table in section.tables),
            )
        )
    return shown


def _told(sentences: Sequence[str]) -> tuple[str, ...]:
    """Sentences as the page shows them: each of a bearable length, and no more of them than anybody reads."""
    shown = [_cut(clean(sentence)) for sentence in sentences[:SENTENCES]]
    if len(sentences) > SENTENCES:
        shown.append(f"{len(sentences) - SENTENCES:,} more of this kind are told by `cpm explain`.")
    return tuple(shown)


def _shown_figure(figure: Figure, drawn: Sequence[Figure], most: int) -> ShownFigure:
    tables = tuple(
        _shown(table, most, view.name) for table, view in zip(figure.tables(), figure.views, strict=True)
    )
    return ShownFigure(f"figure-{drawn.index(figure)}", clean(figure.title), clean(figure.summary), tables)


def _shown(table: Table, most: int, caption: str = "", count: int | None = None) -> ShownTable:
    """The first `most` rows of a table that has `count` rows (as many as are given, unless told otherwise)."""
    rows = tuple(
        tuple(_cut(clean(column.text(cell))) for column, cell in zip(table.columns, row, strict=True))
        for row in table.rows[:most]
    )
    rest = ""
    left = (len(table.rows) if count is None else count) - len(rows)
    if left > 0:
        where = f" in {table.file} of the run" if table.file else ", not shown here"
        rest = f"{left:,} more {'row' if left == 1 else 'rows'}{where}."
    heads = tuple((clean(column.title), column.form in (NUMBER, SHARE)) for column in table.columns)
    return ShownTable(clean(caption), heads, rows, rest)


def _whole(of: RunTable, most: int) -> WholeTable:
    name = of.table.name
    return WholeTable(
        TITLES.get(name, name), counted(of.count, "row"), _shown(of.table, most, count=of.count)
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
