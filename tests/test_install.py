"""Both installs, each into an environment of its own: the program must find its models and instances by name.

Dependencies are not installed anew: a .pth file lends the running environment's. The project itself is.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Environment:
    """A clean environment, a folder far from the sources to call it from, and where the package must run from."""

    folder: Path
    elsewhere: Path
    package: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        scripts = self.folder / ("Scripts" if os.name == "nt" else "bin")
        return subprocess.run(
            [str(scripts / program), *arguments],
            cwd=self.elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def ask(self, code: str) -> list[str]:
        """What a line of Python prints as JSON."""
        done = self.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The project installed as a user does (`pip install .`) or as a developer does (`pip install -e .`)."""
    base = tmp_path_factory.mktemp(request.param)
    source = base / "source"
    unwanted = shutil.ignore_patterns(".*", "results", "tests", "__pycache__")
    shutil.copytree(ROOT, source, ignore=unwanted)
    shutil.copy(ROOT / ".gitignore", source)
    folder, elsewhere = base / "venv", base / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(folder)}))
    # Without isolation, hatchling too is taken from the running environment, which this path lends.
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-deps"]
    how = ["-e", str(source)] if request.param == "editable" else [str(source)]
    done = subprocess.run(
        [*pip, "--ignore-installed", "--no-build-isolation", *how], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if request.param == "wheel":
        shutil.rmtree(source)
        return Environment(folder, elsewhere, site / "cpm_opt")
    return Environment(folder, elsewhere, source / "cpm_opt")


def test_the_installed_package_is_the_one_that_runs(installed: Environment):
    (file,) = installed.ask("import cpm_opt, json; print(json.dumps([cpm_opt.__file__]))")
    assert Path(file).parent == installed.package


@pytest.mark.parametrize("kind", ["instance", "model"])
def test_what_is_shipped_is_found_by_name(installed: Environment, kind: str):
    found = installed.ask(
        f"import json; from cpm_opt.places import find_{kind} as find, known_{kind}s as known;"
        "print(json.dumps([str(find(name)) for name in known()]))"
    )
    entries = list(ROOT.glob("models/*.toml"))
    if kind == "instance":
        entries = [file.parent for file in ROOT.glob("instances/*/instance.toml")]
    packaged, beside = installed.package / f"_{kind}s", installed.package.parent / f"{kind}s"
    expected = packaged if packaged.is_dir() else beside
    assert entries
    assert [Path(path) for path in found] == sorted(expected / entry.name for entry in entries)


def test_the_bank_is_checked_and_solved_by_name_from_another_folder(installed: Environment):
    checked = installed.run("cpm", "check", "bank-clients")
    assert checked.returncode == 0, checked.stderr
    solved = installed.run("cpm", "solve", "bank-clients", "--json")
    assert solved.returncode == 0, solved.stderr
    answer = json.loads(solved.stdout)
    assert answer["status"] == "optimal"
    assert answer["certificate"]["passed"] is True
    assert [path.name for path in installed.elsewhere.iterdir()] == ["results"]
    reported = installed.run("cpm", "report", "last")  # the page's script and style are in the package too
    assert reported.returncode == 0, reported.stderr
    assert sorted(path.suffix for path in installed.elsewhere.iterdir()) == ["", ".html", ".xlsx"]
