"""`cpm profit`: what each customer costs and earns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cpm_opt.cli.options import Instance, Json, Plot

if TYPE_CHECKING:
    from cpm_opt.costing import ProfitStatement
    from cpm_opt.tables import Tables

By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="DIMENSION",
        help="Show profit by segment, group, order, product, product_group, salesperson, channel or campaign too; "
        "may be repeated.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="Write every table as CSV into this new folder.", show_default=False
    ),
]


Customer = Annotated[
    str | None,
    typer.Option(
        "--customer",
        metavar="ID",
        help="Show one customer's statement instead, each figure with its rule, its table and the rows that count.",
        show_default=False,
    ),
]
Trace = Annotated[
    bool,
    typer.Option(
        "--trace",
        help="Show the firm's statement instead, each figure with its rule, its table and the rows.",
    ),
]


def profit(
    instance: Instance,
    by: By = None,
    customer: Customer = None,
    trace: Trace = False,
    out: Out = None,
    plot: Plot = None,
    json: Json = False,
) -> int:
    """Cost to serve, profit of each customer, tiers and the whale curve, from an instance's raw tables."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_plot, check_words, draw, show, write, write_json
    from cpm_opt.costing import cost_and_profit
    from cpm_opt.places import find_instance
    from cpm_opt.report import profit_report
    from cpm_opt.report.profit_charts import profit_charts
    from cpm_opt.tables import read_instance

    check_words(instance=instance, by=by, customer=customer, out=None if out is None else str(out))
    _refuse_both(customer, trace, {"--by": by, "--out": out, "--plot": plot})
    check_plot(plot)
    tables = read_instance(find_instance(instance))
    _refuse_unknown_keys(tables)
    statement = cost_and_profit(tables)
    dimensions = tuple(by or ())
    units = {"currency": tables.info.currency, "money_unit": tables.info.money_unit}
    left = () if out is None else _write_tables(statement, dimensions, out, bool(tables.large))
    if plot is not None:
        draw(plot, profit_charts(statement, tables.info))
    if customer is not None or trace:
        _show_trace(statement, tables, customer, json)
    elif json:
        shown = {name: statement.by(name).reset_index().to_dict("records") for name in dimensions}
        write_json({**statement.as_dict(), **units, **({"by": shown} if shown else {})})
    else:
        show(profit_report(statement, tables.info, dimensions))
    if out is not None and not json:
        some = f" (left out, for the ledger is long: {', '.join(left)})" if left else ""
        write(f"\nTables: {out}{some}")
    if plot is not None and not json:
        write(f"\nPlot: {plot}")
    _tell_doubtful(tables)
    return DONE


def _show_trace(statement: ProfitStatement, tables: Tables, customer: str | None, json: bool) -> None:
    """Prints where the figures of the firm, or of one customer, come from."""
    from cpm_opt.cli.output import show, write_json
    from cpm_opt.costing.trace import trace
    from cpm_opt.report.profit_trace import trace_report

    found = trace(statement, customer)
    if json:
        units = {"currency": tables.info.currency, "money_unit": tables.info.money_unit}
        write_json({**found.as_dict(), **units})
    else:
        show(trace_report(found, tables.info))


def _refuse_unknown_keys(tables: Tables) -> None:
    """Raises InputError for keys under `[estimates]` that nothing reads: a rule of profit may be meant by them."""
    from cpm_opt.faults import InputError

    if tables.info.estimates:
        from cpm_opt.estimates.settings import unknown_keys

        faults = unknown_keys(tables.info.estimates)
        if faults:
            raise InputError(faults)


def _tell_doubtful(tables: Tables) -> None:
    """Prints the warnings of the raw tables."""
    from cpm_opt.cli.output import write_error, write_faults
    from cpm_opt.tables import PLANNING

    doubtful = [fault for fault in tables.faults if fault.warning and fault.table not in PLANNING]
    if doubtful:
        write_error("Doubtful:")
        write_faults(doubtful)


def _refuse_both(customer: str | None, trace: bool, options: Mapping[str, object]) -> None:
    """Raises InputError where a trace is asked for together with what it does not show."""
    from cpm_opt.faults import Fault, InputError

    asked = "--customer" if customer is not None else "--trace" if trace else None
    others = [name for name, given in {**options, "--trace": trace}.items() if given and name != asked]
    if asked is not None and others:
        message = f"does not go with {' and '.join(others)}"
        raise InputError([Fault(asked, message, "leave one of them out", code="call")])


def _write_tables(
    statement: ProfitStatement, dimensions: tuple[str, ...], folder: Path, long: bool
) -> tuple[str, ...]:
    """The statement's tables as CSV files in a folder that is new or empty; names of those that are left out where the
    ledger is `long` (a cell for each customer and product). Raises InputError where that fails."""
    from cpm_opt.whole_files import write_folder

    tables = {
        "customers": statement.customers,
        "tiers": statement.tiers,
        "pools": statement.reporting.served.pools,
        "activities": statement.cost_by_activity,
        **({} if statement.moves is None else {"moves": statement.moves}),
        **({} if statement.accounts.empty else {"accounts": statement.accounts}),
        **{f"by_{name}": statement.by(name) for name in dimensions},
    }
    if not long:
        tables["matrix"] = statement.matrix.set_index("customer")
        tables["products"] = statement.products
        tables["loss_makers"] = statement.loss_makers.set_index("customer")
        tables["ways_out"] = statement.ways_out
    texts = {f"{name}.csv": frame.to_csv(lineterminator="\n") for name, frame in tables.items()}
    write_folder("--out", folder, texts, parents=True)
    return ("matrix", "products", "loss_makers", "ways_out") if long else ()
