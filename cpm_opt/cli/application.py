"""The Typer application: one command a file, and what is common to them."""

from __future__ import annotations

from typing import Annotated

import typer

from cpm_opt.cli.boundary import CommandGroup
from cpm_opt.cli.check import check
from cpm_opt.cli.compare import compare
from cpm_opt.cli.estimate import estimate
from cpm_opt.cli.explain import explain
from cpm_opt.cli.frontier import frontier
from cpm_opt.cli.monitor import monitor
from cpm_opt.cli.product import product
from cpm_opt.cli.profit import profit
from cpm_opt.cli.repair import repair
from cpm_opt.cli.report import report
from cpm_opt.cli.runs import runs
from cpm_opt.cli.solve import solve
from cpm_opt.cli.supplier import supplier
from cpm_opt.cli.sweep import sweep
from cpm_opt.cli.test_tariff import test_tariff

# Typer's rich help would cost half the start-up; its rich tracebacks show users what is not for them.
app = typer.Typer(
    name="cpm",
    cls=CommandGroup,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from cpm_opt.cli.output import write
        from cpm_opt.runs.facts import versions

        write(f"cpm {versions()['cpm_opt'] or 'of a checkout that is not installed'}")
        raise typer.Exit


@app.callback()
def cpm(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Plans which service, tariff and programme each group of customers gets, within what people and money allow.

    Exit codes: 0 done; 2 faults in the input or the call; 3 no plan keeps the rules, or profit is without limit;
    4 a limit of time was reached before any plan; 1 a defect of the program.
    """


for command in (
    check,
    estimate,
    profit,
    solve,
    explain,
    report,
    runs,
    compare,
    sweep,
    frontier,
    repair,
    test_tariff,
    monitor,
    product,
    supplier,
):
    app.command()(command)
