"""`cpm compare`: what differs between runs."""

from __future__ import annotations

from typing import Annotated

import typer

from cpm_opt.cli.options import RESULTS, Json, Results

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Two runs or more: paths of their folders, ids, beginnings or ends of ids that no other has, or `last`: "
        "the last of `cpm solve`.",
        show_default=False,
    ),
]


def compare(runs: Runs, results: Results = RESULTS, json: Json = False) -> int:
    """Compare runs: what differs in input, model, plan and figures, and nothing else."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, show, write_json
    from cpm_opt.faults import Fault, InputError
    from cpm_opt.report.comparison import comparison, comparison_facts
    from cpm_opt.runs import find_run
    from cpm_opt.study.compare import compare as compared

    check_words(run=runs, results=str(results))
    if len(runs) < 2:
        message, remedy = "one run cannot be compared", "name two or more; `cpm runs` lists them"
        raise InputError([Fault("RUN", message, remedy, value=runs[0], code="call")])
    records = []
    faults: list[Fault] = []
    for name in runs:
        try:
            records.append(find_run(results, name))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    found = compared(records)
    if json:
        write_json(comparison_facts(found))
    else:
        show(comparison(found))
    return DONE
