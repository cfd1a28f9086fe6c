"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: the path of its folder, its id, or a beginning or end of it that no other has, or `last`: the "
        "last of `cpm solve`.",
        show_default=False,
    ),
]
Instance = Annotated[
    str,
    typer.Argument(
        metavar="INSTANCE", help="An instance: the path of its folder, or its name.", show_default=False
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="A model's file or name. [default: the instance's own]"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of the model; components.NAME=false turns a rule off. May be repeated.",
        show_default=False,
    ),
]
Fix = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        metavar="LEVER=OPTION[@GROUP][:t1-t2]",
        help="Fix a choice, for a group (else all) and periods (else all); may be repeated.",
        show_default=False,
    ),
]
Forbid = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid",
        metavar="LEVER=OPTION[@GROUP][:t1-t2]",
        help="Forbid a choice, written as for --fix; may be repeated.",
        show_default=False,
    ),
]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="The folder of the runs.")]
MovedTo = Annotated[
    str | None,
    typer.Option("--instance", metavar="DIR", help="Where the run's tables are now, if they were moved."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw it into this file: .svg, .png or .pdf.",
        show_default=False,
    ),
]

RESULTS = Path("results")
