"""Writes the reference pages from the program itself, so that they cannot rot.

    python docs/generate.py            writes docs/README.md, tables.md, commands.md, components.md and models/*.md
    python docs/generate.py --check    writes nothing; exits 1 where a page is not what would be written

Run it by hand after a change of a table, a command, a rule, a model, an instance's expected.toml or a page's title.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))

from cpm_opt.formulation import core  # noqa: E402
from cpm_opt.formulation.components import COMPONENTS  # noqa: E402
from cpm_opt.formulation.draft import Draft  # noqa: E402
from cpm_opt.formulation.spec import ModelSpec, load_model  # noqa: E402
from cpm_opt.runs.columns import COLUMNS, MEANINGS, ROWS  # noqa: E402
from cpm_opt.tables.catalogue import PLANNING, RAW  # noqa: E402
from cpm_opt.tables.catalogue_actuals import actual_tables  # noqa: E402
from cpm_opt.tables.column import Column, Table  # noqa: E402
from cpm_opt.tables.info import InstanceSection  # noqa: E402

WRITTEN = "<!-- Written by docs/generate.py from the program; change that, not this page. -->\n"
WIDTH = 78  # of help texts: what the program prints to a terminal of 80 columns
EXTRAS = {
    "groupings": "Further text columns group the segments (such as `tier`), and each measure of `[measures]` in "
    "instance.toml may be a column.",
    "measures": "Each measure of `[measures]` in instance.toml may be a column, with `<measure>_se` beside it.",
    "drivers": "Further number columns are the drivers that table `time_drivers` names.",
    "covariates": "Further columns, of numbers or words, are the instance's own: `[estimates]` may name them.",
}
KINDS = """A table is a CSV file, a workbook or a Parquet file of its name beside `instance.toml`, or the file or query
that `[tables.<table>]` names there: see [inputs](inputs.md).

- **id**: a name, as it stands. **text**: any words. **choice**: one of the listed words. **flag**: true or false.
  **date**: a day, as 2026-01-31. **integer**, **number**: with a decimal point.
- Rates and shares are fractions, never percent. Money is in the instance's currency (and its `money_unit`).
- A column that is not required may be left out; the default stands in its place, and in place of a blank cell. In a
  required column a cell must be filled where no meaning of a blank is given.
- An unknown column is a fault; `cpm check INSTANCE` tells all faults of all tables at once.
"""
WORDS = {
    "tuple[str, ...]": "list of texts",
    "str": "text",
    "float": "number",
    "int": "whole number",
    "bool": "flag",
}
CODES = """| code | meaning |
| --- | --- |
| 0 | done; after `solve`, a plan with a passing certificate |
| 1 | a defect of the program |
| 2 | faults in the input or the call |
| 3 | no plan keeps the rules, or profit is without limit |
| 4 | a limit of time was reached before any plan |
| 128 + n | stopped by signal n, such as 130 for Ctrl-C |
"""


def main() -> None:
    """Writes the pages, or with --check compares them."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: python docs/generate.py [--check]")
    if sys.argv[1:]:
        wrong = stale()
        sys.exit("\n".join([*wrong, "run python docs/generate.py"]) if wrong else 0)
    wanted = pages()
    for path in _left_over(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


def stale() -> list[str]:
    """What is wrong with the pages as they stand: missing, different, or of a model that is there no more."""
    wanted = pages()
    wrong = [f"{_name(path)} has no model any more" for path in _left_over(wanted)]
    for path, text in wanted.items():
        if not path.is_file():
            wrong.append(f"{_name(path)} is missing")
        elif path.read_text("utf-8") != text:
            wrong.append(f"{_name(path)} is not up to date")
    return wrong


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    models = sorted(ROOT.glob("models/*.toml"))
    written = {
        DOCS / "tables.md": tables_page(),
        DOCS / "commands.md": commands_page(),
        DOCS / "components.md": components_page(models),
        DOCS / "runs.md": runs_page(),
        **{DOCS / "models" / f"{path.stem}.md": model_page(path) for path in models},
    }
    return {DOCS / "README.md": index_page(written), **written}


def index_page(written: Mapping[Path, str]) -> str:
    """What to read where: pages by hand, reference, models, instances, each by its title."""
    guides = [path for path in sorted(DOCS.glob("*.md")) if path not in written and path.name != "README.md"]
    groups = {
        "Guides": {path: path.read_text("utf-8") for path in guides},
        "Reference, written from the program": {
            path: written[path] for path in written if path.parent == DOCS
        },
        "Models": {path: written[path] for path in written if path.parent != DOCS},
        "Instances": {path: path.read_text("utf-8") for path in sorted(ROOT.glob("instances/*/README.md"))},
    }
    parts = [f"# Documentation\n\n{WRITTEN}"]
    for title, found in groups.items():
        links = [
            f"- [{_title(text)}]({Path(os.path.relpath(path, DOCS)).as_posix()})\n"
            for path, text in found.items()
        ]
        parts.append(f"## {title}\n\n{''.join(links)}")
    return "\n".join(parts)


def _title(text: str) -> str:
    return text.lstrip().partition("\n")[0].lstrip("# ")


def _left_over(wanted: Mapping[Path, str]) -> list[Path]:
    return [path for path in sorted((DOCS / "models").glob("*.md")) if path not in wanted]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Tables


def tables_page() -> str:
    """Every table that an instance may hold, column by column, and the keys of `[instance]`."""
    parts = [f"# Tables\n\n{WRITTEN}", KINDS, "## instance.toml\n", _instance_keys()]
    actuals = dict(actual_tables(()))
    groups = (("Planning tables", PLANNING), ("Raw tables", RAW), ("Tables of `cpm monitor`", actuals))
    for title, tables in groups:
        parts.append(f"## {title}\n")
        parts.append(", ".join(f"[{name}](#{name})" for name in tables) + ".\n")
        parts += [_table(table) for table in tables.values()]
    return "\n".join(parts)


def _instance_keys() -> str:
    schema = InstanceSection.model_json_schema()
    rows = []
    for name, key in schema["properties"].items():
        default = "required" if name in schema["required"] else f"`{_word(key.get('default'))}`"
        rows.append((f"`{name}`", default, _or_words(key.get("enum", ()))))
    found = _grid(("key of `[instance]`", "required, or the default", "values"), rows)
    return (
        f"{found}\n`[measures]` declares further numbers per customer, each with `title` and `unit`. A sum over "
        "customers is told in what stands before `per`: in `rand` where `unit` is `rand per offer`.\n"
    )


def _table(table: Table) -> str:
    key = f"Rows are told apart by {_and_words(table.key)}. " if table.key else "Rows may repeat. "
    head = ("column", "kind", "unit", "required, or the default", "values", "meaning")
    rows = [
        (f"`{each.name}`", each.kind, each.unit, _default(each), _values(each), _meaning(each))
        for each in table.columns
    ]
    text = f"{key}{EXTRAS.get(table.extra, '')}".strip()
    return (
        f"### {table.name}\n\n{table.meaning[:1].upper()}{table.meaning[1:]}. {text}\n\n{_grid(head, rows)}"
    )


def _default(column: Column) -> str:
    blank = f"blank: {column.blank}" if column.blank else ""
    stated = "" if column.default in (None, "") or column.blank_is_nan else f"`{_word(column.default)}`"
    if column.required:
        return "; ".join(filter(None, ("required", blank or (stated and f"blank: {stated}"))))
    return blank or stated or "blank"


def _values(column: Column) -> str:
    if column.choices:
        return _or_words(column.choices)
    low = "" if column.low is None else f"at least {column.low:g}"
    high = "" if column.high is None else f"at most {column.high:g}"
    doubtful = "" if column.doubtful_above is None else f"doubtful above {column.doubtful_above:g}"
    return ", ".join(filter(None, (low, high, doubtful)))


def _meaning(column: Column) -> str:
    scaled = _and_words(column.scaled_by)
    return column.meaning + (f"; may be scaled by {scaled}" if scaled else "")


def runs_page() -> str:
    """The tables of a run folder, column by column."""
    parts = [
        f"# The folder of a run\n\n{WRITTEN}",
        "`cpm solve` writes a folder `<time>-<model>-<instance>-<short id>` with `run.json` (versions, hashes of every "
        "input, the resolved model, status, figures, certificate), `solver.log` and these tables, which are there "
        "where there is a plan that passed its certificate. Money is in the instance's currency and money_unit. Under "
        "risk `waterfall` and `scenarios` tell of all scenarios, the others of the most probable one.\n",
    ]
    for name, columns in COLUMNS.items():
        more = " Further columns are the instance's measures." if name == "segments" else ""
        rows = [
            (f"`{column}`", MEANINGS.get(f"{name}.{column}", MEANINGS.get(column, ""))) for column in columns
        ]
        parts.append(
            f"## {name}.csv\n\nOne row is {ROWS[name]}.{more}\n\n{_grid(('column', 'meaning'), rows)}"
        )
    return "\n".join(parts)


# Commands


def commands_page() -> str:
    """What each command prints for --help, and the codes with which it may end."""
    from typer.main import get_command

    from cpm_opt.cli import app

    group: Any = get_command(app)
    parts = [f"# Commands\n\n{WRITTEN}", _help(group, "cpm"), CODES]
    for name, command in group.commands.items():
        codes = _and_words([str(code) for code in _codes(command)])
        parts.append(f"## cpm {name}\n\n{_help(command, f'cpm {name}')}\nExit codes: {codes}.\n")
    return "\n".join(parts)


def _help(command: Any, name: str) -> str:
    context = command.context_class(command, info_name=name, terminal_width=WIDTH)
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


def _codes(command: Any) -> list[int]:
    """0, 1 and 2 are everybody's; 3 and 4 those commands' that speak of them in their code."""
    source = inspect.getsource(inspect.getmodule(inspect.unwrap(command.callback)))  # type: ignore[arg-type]
    words = set(re.findall(r"\b[A-Z_]+\b", source))
    named = [number for word, number in (("NO_PLAN", 3), ("LIMIT", 4)) if words & {word, "CODES"}]
    return [0, 1, 2, *named]


# Rules and models


def components_page(models: Sequence[Path]) -> str:
    """Every rule that a model can turn on: its formula, its keys, and the shipped models that have it on."""
    specs = {path.stem: load_model(path) for path in models}
    parts = [
        f"# Rules that a model can turn on\n\n{WRITTEN}",
        "Each is a table `[components.<name>]` of a model. For one run, `--set components.<name>=false` turns one off, "
        "`--set components.<name>={}` one on that needs no keys. Their formulas use the names of the core.\n",
        f"## core\n\n{_mathematics(inspect.getdoc(core) or '')}\n",
    ]
    for name, component in COMPONENTS.items():
        on = [f"[{each}](models/{each}.md)" for each, spec in specs.items() if name in spec.components]
        keys = [_key(field) for field in dataclasses.fields(component)]  # type: ignore[arg-type]
        parts.append(f"## {name}\n\n{_mathematics(inspect.getdoc(component) or '')}\n")
        parts.append(_grid(("key", "type", "default"), keys) if keys else "It has no keys.\n")
        parts.append(
            f"On in {', '.join(on)}.\n" if on else f"In no shipped model; {_turned_on(name, keys)}.\n"
        )
    return "\n".join(parts)


def _key(field: dataclasses.Field[Any]) -> tuple[str, str, str]:
    told = str(field.type)
    limits = re.findall(r"(ge|gt|le|lt)=([-\d.e+*]+)", told)
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    kind = re.sub(r"^Annotated\[(.*?), Field\(.*$", r"\1", told).removesuffix(" | None")
    kind = _or_words(re.findall(r"'(\w+)'", kind)) or WORDS.get(kind, kind)
    bounds = ", ".join(f"{signs[word]} {float(number):g}" for word, number in limits)
    missing = dataclasses.MISSING
    default = field.default if field.default_factory is missing else field.default_factory()
    return (
        f"`{field.name}`",
        f"{kind} {bounds}".strip(),
        "required" if default is missing else f"`{_word(default)}`",
    )


def _turned_on(name: str, keys: Sequence[tuple[str, str, str]]) -> str:
    """How a rule of no shipped model is turned on for one run: by the keys that it needs, else by its first."""
    needed = [key for key, _, default in keys if default == "required"] or [keys[0][0]]
    return "one run has it with " + " ".join(
        f"`--set components.{name}.{key.strip('`')}=...`" for key in needed
    )


def model_page(path: Path) -> str:
    """The question a model answers, its TOML, its mathematics, and what it finds on the shipped instances."""
    spec, source = load_model(path), path.read_text("utf-8")
    question = " ".join(
        line.lstrip("# ") for line in itertools.takewhile(lambda x: x.startswith("#"), source.splitlines())
    )
    parts = [
        f"# {spec.title} (`{spec.name}`)\n\n{WRITTEN}\n{question}\n",
        f"## The model\n\n`models/{path.name}`:\n\n```toml\n{source.strip()}\n```\n",
        "Every key can be set for one run: "
        f"`cpm solve INSTANCE --model {spec.name} --set horizon.periods={spec.horizon.periods + 1}`.\n",
        f"## The mathematics\n\n### core\n\n{_mathematics(inspect.getdoc(core) or '')}\n",
        f"### objective\n\n{_mathematics(inspect.getdoc(Draft.objective_terms) or '')}\n",
    ]
    for name, component in spec.components.items():
        keys = ", ".join(f"`{key} = {_word(value)}`" for key, value in dataclasses.asdict(component).items())
        here = f"\nIn this model: {keys}.\n" if keys else ""
        parts.append(
            f"### [{name}](../components.md#{name})\n\n{_mathematics(inspect.getdoc(component) or '')}\n{here}"
        )
    parts.append(f"## Solved\n\n{_solved(spec)}")
    return "\n".join(parts)


def _solved(spec: ModelSpec) -> str:
    """What expected.toml of each shipped instance says of the model; the tests solve every line of it."""
    rows = []
    calls: list[tuple[bool, str]] = []  # that an instance's own model comes first sorts them
    without: list[tuple[bool, str]] = []
    for file in sorted(ROOT.glob("instances/*/expected.toml")):
        plan = tomllib.loads(file.read_text("utf-8")).get("plans", {}).get(spec.name)
        info = tomllib.loads((file.parent / "instance.toml").read_text("utf-8"))["instance"]
        name = f"[{file.parent.name}](../../instances/{file.parent.name}/README.md)"
        given = (
            name,
            f"{spec.horizon.periods} {info['period']}s",
            f"{100 * spec.horizon.discount_rate:g} % a {info['period']}",
        )
        if plan is None:
            rows.append((*given, "not among the checked plans"))
            continue
        own = info.get("default_model") == spec.name
        words = f"{file.parent.name}" + ("" if own else f" --model {spec.name}")
        (calls if "objective" in plan else without).append((not own, words))
        rows.append((*given, _outcome(plan, info)))
    text = "The figures are those of `instances/*/expected.toml`; a test solves each again.\n\n"
    if calls:
        text += f"```sh\ncpm solve {min(calls)[1]}\n```\n\n"
    text += _grid(
        ("instance", "horizon", "discount rate", "objective (discounted profit and end value)"), rows
    )
    if without:
        text += f"\nWhat would have to change for a plan: `cpm repair {min(without)[1]}`.\n"
    return text


def _outcome(plan: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    if "objective" not in plan:
        return f"**no plan** ({plan['status']}): {plan['why']}"
    unit = f"thousand {info['currency']}" if info.get("money_unit") == 1000 else info["currency"]
    return f"{plan['objective']:,.2f} {unit}"


# Markdown


def _mathematics(doc: str) -> str:
    """A docstring as markdown: its formulas are indented already and get a blank line before and after."""
    lines: list[str] = []
    for line in doc.splitlines():
        formula, before = line.startswith("    "), lines[-1] if lines else ""
        if line and before and formula != before.startswith("    ") and not _goes_on(before, line):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _goes_on(before: str, line: str) -> bool:
    """Whether an indented line only goes on with the item of a list above it."""
    return before.lstrip().startswith("- ") and line.startswith("  ")


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _word(value: object) -> str:
    """A value as it stands in TOML or a table."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(_word(each) for each in value)}]"
    return f"{value:g}" if isinstance(value, float) else f'"{value}"' if value == "" else str(value)


def _and_words(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _or_words(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    main()
