"""The house rules that no linter holds: sizes, a light start, known rooms, locks that cover what is declared."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = sorted((ROOT / "cpm_opt").rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60
FOR_SOME = {
    "duckdb",
    "jinja2",
    "matplotlib",
    "psycopg",
    "python_calamine",
    "sqlalchemy",
    "statsmodels",
    "xlsxwriter",
}
HEAVY = FOR_SOME | {"highspy", "kmeans1d", "numpy", "pandas", "pydantic", "pyomo", "rich", "scipy"}


def test_files_and_functions_stay_short():
    too_long = []
    for path in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MAX_FILE_LINES:
            too_long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {lines} lines")
    assert SOURCES
    assert too_long == []


def test_nothing_is_left_over_in_the_sources():
    word = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    left = [str(path.relative_to(ROOT)) for path in SOURCES if word.search(path.read_text(encoding="utf-8"))]
    assert left == []


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in SOURCES}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


IMPORTED = (
    "import sys; from cpm_opt.cli import main; sys.argv = ['cpm', *sys.argv[1:]]\n"
    "try: status = main()\n"
    "except SystemExit as stop: status = stop.code\n"
    "print('imported', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    "sys.exit(status)"
)


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (["--help"], HEAVY),
        (["solve", "--help"], HEAVY - {"pydantic"}),
    ],  # for options Typer itself takes pydantic
)
def test_help_comes_without_the_slow_imports(arguments: list[str], spared: set[str]):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    imported = set(done.stderr.strip().splitlines()[-1].split()[1:])
    assert imported >= {"cpm_opt", "typer"}
    assert imported & spared == set()


def test_a_plan_comes_without_what_only_some_commands_need(tmp_path: Path):
    call = ["solve", str(ROOT / "instances" / "bank-clients"), "--results", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *call], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stderr.strip().splitlines()[-1].split()[1:])
    assert imported >= {"pandas", "pyomo"}
    assert imported & FOR_SOME == set()


def test_the_package_itself_imports_nothing():
    code = "import sys; before = set(sys.modules); import cpm_opt; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert {name.partition(".")[0] for name in done.stdout.split()} <= {"cpm_opt", "__future__"}


def locked(name: str) -> dict[str, list[tuple[str, bool]]]:
    """The packages of a lock: each one's versions (one per range of Pythons), and whether it has hashes."""
    text = (ROOT / ".requirements" / name).read_text(encoding="utf-8")
    found: dict[str, list[tuple[str, bool]]] = {}
    for record in re.split(r"\n(?=[a-z0-9])", text):
        match = re.match(r"([A-Za-z0-9._-]+)==(\S+)", record)
        if match:
            entry = (match[2], "--hash=sha256:" in record)
            found.setdefault(canonicalize_name(match[1]), []).append(entry)
    return found


@pytest.mark.parametrize(
    ("name", "groups"), [("run.txt", ["build"]), ("test.txt", ["build", "test", "lint"])]
)
def test_the_locks_cover_what_the_project_declares(name: str, groups: list[str]):
    lock = locked(name)
    declared = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for group in groups:
        declared += PROJECT["dependency-groups"][group]
    wrong = []
    for requirement in map(Requirement, declared):
        versions = [version for version, _ in lock.get(canonicalize_name(requirement.name), [])]
        if not versions or not all(version in requirement.specifier for version in versions):
            wrong.append(f"{requirement}: {versions}")
    assert wrong == [], "run .ci/lock"
    assert [package for package, entries in lock.items() if not all(hashed for _, hashed in entries)] == []


def test_the_locks_agree_and_point_to_no_private_place():
    run, test = locked("run.txt"), locked("test.txt")
    assert {package: test.get(package) for package in run} == run
    for name in ("run.txt", "test.txt"):
        text = (ROOT / ".requirements" / name).read_text(encoding="utf-8")
        assert re.findall(r"file:|https?:|find-links|index-url", text) == []


def test_every_room_has_its_place_in_the_contract_of_imports():
    layers, forbidden = PROJECT["tool"]["importlinter"]["contracts"]
    rooms = {path.relative_to(ROOT / "cpm_opt").parts[0].removesuffix(".py") for path in SOURCES} - {
        "__init__"
    }
    assert rooms <= {layer.strip("()") for layer in layers["layers"]}
    without_solver = {module.removeprefix("cpm_opt.") for module in forbidden["source_modules"]}
    assert rooms - without_solver == {"formulation", "solve"}
