"""What was estimated, for a reader and as JSON. In: `Tables` and `Estimates`. Out: `Explanation`, or plain fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cpm_opt.estimates.lint.doubts import as_warning, each_once, told
from cpm_opt.estimates.value.model_estimate import Lint
from cpm_opt.report.answer_tables import answer_facts, answer_sections
from cpm_opt.report.explanation import NUMBER, SHARE, Cell, Column, Explanation, Section, Table
from cpm_opt.report.move_tables import move_facts, move_sections
from cpm_opt.report.words import Units
from cpm_opt.tables import PLANNING

if TYPE_CHECKING:
    import pandas as pd

    from cpm_opt.estimates import Estimates
    from cpm_opt.estimates.value.holdout import Holdout
    from cpm_opt.estimates.value.model_estimate import ModelEstimate
    from cpm_opt.estimates.value.values import Values
    from cpm_opt.faults import Fault
    from cpm_opt.tables import Tables

LISTS = {
    "most_valuable": "Most valuable: the four kinds of value side by side",
    "at_risk": "At risk: high value, falling probability of being alive",
    "ready_for_more": "Ready for more: below what their segment brings",
    "inactive": "Inactive, and what they are still worth",
    "reversals": "Value today and lifetime value say opposite things",
}
MOST_LISTED = 100
SHOWN = 8
SHARES = {"customer_share", "equity_share", "probability_alive", "bias"}
MONEY = {
    "historical", "historical_recent", "recent", "current", "present", "migration", "lifetime", "lifetime_low",
    "lifetime_high", "equity", "equity_low", "equity_high", "money_at_stake",
}  # fmt: skip
PURCHASES = {"actual", "predicted", "mean_absolute_error", "root_mean_square_error", "class_error"}
HEADINGS = {
    "frequency": "repeat purchases before",
    "historical_recent": "historical weighted by age",
    "migration": "by migration",
    "bias": "too many or too few",
}


def doubts_of(tables: Tables, estimates: Estimates) -> list[Fault]:
    """Every doubt with its place and remedy: warnings of tables and estimates, then those of the models."""
    warnings = [fault for fault in (*tables.faults, *estimates.faults) if fault.warning]
    lints = [] if estimates.response is None else list(estimates.response.lint)
    if estimates.values is not None:
        return each_once([*warnings, *map(as_warning, (*lints, *estimates.values.lint))])
    if estimates.fitted is not None:
        lints += estimates.fitted.lint
    message = "customers were not valued: there is no table sales or contracts, or no [estimates.value]"
    lints.append(Lint("no-values", "instance.toml", "estimates.value", message))
    return each_once([*warnings, *map(as_warning, lints)])


def lint_of(tables: Tables, estimates: Estimates) -> list[dict[str, object]]:
    """Every doubt as code, table, column, message, row, value and remedy."""
    return [told(doubt) for doubt in doubts_of(tables, estimates)]


def estimation_facts(tables: Tables, estimates: Estimates) -> dict[str, object]:
    """The JSON of an estimation; lists of customers hold their first hundred rows."""
    values = estimates.values
    facts: dict[str, object] = {
        "status": "ok",
        "instance": tables.info.name,
        "currency": tables.info.currency,
        "money_unit": tables.info.money_unit,
        "models": [model.as_dict() for model in (*_purchase_models(estimates), *_answers(estimates))],
        "value_models": [] if values is None else [model.as_dict() for model in values.value_models],
        "holdout": _holdout_facts(_tried(estimates)),
        **answer_facts(estimates.response),
        **move_facts(estimates),
        "lint": lint_of(tables, estimates),
        "tables": _tables(tables, estimates),
        "notes": [*estimates.notes, *(() if estimates.response is None else estimates.response.notes)],
    }
    if values is not None:
        facts |= _value_facts(values)
    return facts


def _holdout_facts(holdout: Holdout | None) -> dict[str, object] | None:
    if holdout is None:
        return None
    return {
        "calibration_end": f"{holdout.calibration_end:%Y-%m-%d}",
        "end": f"{holdout.end:%Y-%m-%d}",
        "weeks": holdout.weeks,
        "table": holdout.table.to_dict("records"),
        "errors": holdout.errors.to_dict("records"),
    }


def _value_facts(values: Values) -> dict[str, object]:
    facts: dict[str, object] = {
        "end": f"{values.end:%Y-%m-%d}",
        "customers": len(values.customers),
        "margin": values.margin,
        "value_notes": list(values.notes),
        "equity": dict(values.equity),
        "segments": _groups(values.segments),
        "tiers": None if values.tiers is None else _groups(values.tiers),
        "ranks": values.ranks.to_dict("records"),
    }
    for name in LISTS:
        listed: pd.DataFrame = getattr(values, name)
        facts[name] = {
            "customers": len(listed),
            "money_at_stake": float(listed["money_at_stake"].sum()),
            "rows": listed.head(MOST_LISTED).to_dict("records"),
        }
    return facts


def _groups(frame: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of segments or tiers, with equity under the name of its kind of value too."""
    return [
        {**{str(name): cell for name, cell in row.items()}, "lifetime": row["equity"]}
        for row in frame.to_dict("records")
    ]


def estimation(tables: Tables, estimates: Estimates) -> Explanation:
    """The same for a reader."""
    sections = [_planning(tables, estimates)] if _tables(tables, estimates) else []
    values = estimates.values
    if values is not None:
        info = tables.info
        units = Units.of_instance(info)
        sections = [
            *([_models(values)] if values.models else []),
            *_holdout(values.holdout),
            _worth(values, units),
            *_lists(values, units),
            *sections,
        ]
    elif estimates.fitted is not None:
        table = _model_table("models", estimates.fitted.models)
        models = Section("models", "Models, by maximum likelihood", (), (table,))
        sections = [models, *_holdout(estimates.fitted.holdout), *sections]
    if _answers(estimates):
        sections.append(_response(estimates))
    sections += answer_sections(estimates.response, tables.info)
    sections += move_sections(estimates)
    doubts = tuple(f"{doubt.code}: {doubt.line()}." for doubt in doubts_of(tables, estimates))
    if doubts:
        sections.append(Section("lint", "Doubts", doubts))
    return Explanation("", "", f"{tables.info.title}: what was estimated", tuple(sections))


def _purchase_models(estimates: Estimates) -> tuple[ModelEstimate, ...]:
    """Models of purchases and contracts, of the values or on their own."""
    if estimates.values is not None:
        return estimates.values.models
    return () if estimates.fitted is None else estimates.fitted.models


def _tried(estimates: Estimates) -> Holdout | None:
    found = estimates.values or estimates.fitted
    return None if found is None else found.holdout


def _answers(estimates: Estimates) -> tuple[ModelEstimate, ...]:
    """Models of customers' answers, from tables offers, panel and trials."""
    return () if estimates.response is None else estimates.response.models


def _response(estimates: Estimates) -> Section:
    notes = () if estimates.response is None else estimates.response.notes
    says = tuple(f"{note[:1].upper()}{note[1:]}." for note in notes)
    return Section("response", "How customers answer", says, (_model_table("answers", _answers(estimates)),))


def _tables(tables: Tables, estimates: Estimates) -> list[dict[str, object]]:
    return [
        {"table": name, "rows": len(estimates.frames[name]), "source": _source(name, tables, estimates)}
        for name in PLANNING
        if name in estimates.frames
    ]


def _source(name: str, tables: Tables, estimates: Estimates) -> str:
    if name not in tables.frames:
        return "estimated"
    added = len(estimates.frames[name]) > len(tables.frames[name])
    return "stated, and levers estimated" if added else "stated"


def _planning(tables: Tables, estimates: Estimates) -> Section:
    rows = tuple(
        (str(row["table"]), _cell(row["rows"]), str(row["source"])) for row in _tables(tables, estimates)
    )
    columns = (Column("table", "table"), Column("rows", "rows", NUMBER), Column("source", "the table is"))
    notes = tuple(f"{note[:1].upper()}{note[1:]}." for note in estimates.notes)
    return Section("tables", "Planning tables", notes, (Table("tables", columns, rows),))


def _models(values: Values) -> Section:
    sentences: tuple[str, ...] = ()
    tables = [_model_table("models", values.models)]
    if values.value_models != values.models:
        fitted = "the ones behind the values, fitted to the whole ledger, are below."
        sentences = (f"The first models were fitted up to the end of the calibration; {fitted}",)
        tables.append(_model_table("value_models", values.value_models))
    return Section("models", "Models, by maximum likelihood", sentences, tuple(tables))


def _model_table(name: str, models: Sequence[ModelEstimate]) -> Table:
    columns: tuple[Column, ...] = (
        Column("model", "model"),
        Column("parameter", "parameter"),
        Column("estimate", "estimate", NUMBER),
        Column("standard_error", "standard error", NUMBER),
        Column("n", "sample", NUMBER),
        Column("log_likelihood", "log-likelihood", NUMBER),
        Column("converged", "converged"),
    )
    rows: list[tuple[Cell, ...]] = []
    for model in models:
        said: tuple[Cell, ...] = (model.n, _digits(model.log_likelihood), "yes" if model.converged else "no")
        for parameter, value in model.parameters.items():
            error = model.standard_errors[parameter]
            rows.append((model.name, parameter, _digits(value), _digits(error), *said))
            said = (None, None, "")
    if all(model.converged for model in models):  # a column of nothing but yes tells nothing
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(name, columns, tuple(rows))


def _holdout(holdout: Holdout | None) -> list[Section]:
    if holdout is None:
        return []
    title = f"Out of sample: purchases a customer after {holdout.calibration_end:%Y-%m-%d}, by repeats before"
    says = (
        f"Predicted against actual over {holdout.weeks:g} weeks; same_rate is the forecast without a model. "
        "Purchases a customer above; all purchases, and errors a customer, below.",
    )
    return [
        Section(
            "holdout", title, says, (_framed("holdout", holdout.table), _framed("errors", holdout.errors))
        )
    ]


def _worth(values: Values, units: Units) -> Section:
    equity = values.equity
    known = equity["low"] == equity["low"]
    width = (
        f"95 % interval {units.worth(equity['low'])} to {units.worth(equity['high'])}"
        if known
        else "no interval"
    )
    unsure = (
        "The interval is what the estimates of the parameters leave open; what one customer does spreads wider."
        if known
        else "How sure the rates and margins behind the values are is not known: they were stated, or not estimated."
    )
    says = (
        f"Customer equity is {units.worth(equity['value'])} ({width}): the lifetime values of "
        f"{len(values.customers):,} customers at the close of {values.end:%Y-%m-%d}.",
        *(f"{note[:1].upper()}{note[1:]}." for note in values.notes),
        unsure,
    )
    shown = [_framed("segments", values.segments, money=units.money)]
    if values.tiers is not None:
        shown.append(_framed("tiers", values.tiers, money=units.money))
    if len(values.ranks) > 1:
        shown.append(_framed("ranks", values.ranks))
    return Section("values", "What the customers are worth", says, tuple(shown))


def _lists(values: Values, units: Units) -> list[Section]:
    sections = []
    for name, title in LISTS.items():
        listed: pd.DataFrame = getattr(values, name)
        if len(listed):
            says = (f"Money at stake in all: {units.worth(float(listed['money_at_stake'].sum()))}.",)
            table = _framed(name, listed, SHOWN, units.money)
            sections.append(Section(name, f"{title} ({len(listed):,})", says, (table,)))
    return sections


def _framed(name: str, frame: pd.DataFrame, most: int = 40, money: str = "") -> Table:
    """A frame as a table under its own column names; `money` is the unit of those that are money."""
    columns = tuple(
        Column(
            str(label),
            HEADINGS.get(str(label), str(label).replace("_", " ")),
            _form(str(label), frame[label]),
            money if label in MONEY else "",
        )
        for label in frame.columns
    )
    rows = tuple(tuple(_cell(cell) for cell in row) for row in frame.itertuples(index=False))
    return Table(name, columns, rows, most=most)


def _form(label: str, cells: Any) -> str:
    if label in SHARES:
        return SHARE
    return NUMBER if cells.dtype.kind in "if" else "text"


def _cell(cell: Any) -> Cell:
    if isinstance(cell, str):
        return cell
    number = float(cell)
    return None if number != number else int(number) if number == int(number) else number


def _digits(value: float) -> Cell:
    """A parameter with four decimals, which is what tables of such models print."""
    return None if value != value else f"{value:,.4f}"
