"""Where instances and models lie: comes in a name or a path, goes out a path that exists.

The order is the same for both, and a path goes before a name:

1. a path that exists, relative to the current folder or absolute;
2. `instances/NAME` or `models/NAME.toml` in the current folder;
3. the ones that come with the program: `cpm_opt/_instances` and `cpm_opt/_models` in an installed wheel, else (a
   source checkout or an editable install, which have no such folders) the folders beside the package.
"""

from __future__ import annotations

from pathlib import Path

from cpm_opt.faults import Fault, InputError, did_you_mean

INSTANCE_FILE = "instance.toml"
_PACKAGE = Path(__file__).resolve().parent


def find_instance(name_or_path: str | Path) -> Path:
    """The folder of an instance, which holds an instance.toml.

    `name_or_path` is a path to the folder (or to its instance.toml), or the name of an instance. Raises InputError
    if there is none, with the nearest known name.
    """
    text = _checked(name_or_path, "INSTANCE")
    path = Path(text)
    if _exists(path):
        return _instance_at(path, text)
    if _is_name(text):
        for root in _roots("instances"):
            if _is_file(root / text / INSTANCE_FILE):
                return root / text
    raise _not_found("INSTANCE", "instance", text, known_instances())


def find_model(name_or_path: str | Path) -> Path:
    """The TOML file of a model.

    `name_or_path` is a path to the file or the name of a model (`bank` for models/bank.toml). A folder is never a
    model, so a word that happens to be a folder here is still looked for among the names. Raises InputError if
    there is none, with the nearest known name.
    """
    text = _checked(name_or_path, "MODEL")
    path = Path(text)
    if _is_file(path):
        return path
    if _is_name(text):
        for root in _roots("models"):
            if _is_file(root / f"{text}.toml"):
                return root / f"{text}.toml"
    if _exists(path):
        raise _fault(
            "MODEL", text, "is no model: it is not a file", "name a model or give the path of its .toml"
        )
    raise _not_found("MODEL", "model", text, known_models())


def known_instances() -> list[str]:
    """The names under which an instance is found from the current folder, sorted."""
    return sorted(
        {entry.parent.name for root in _roots("instances") for entry in root.glob(f"*/{INSTANCE_FILE}")}
    )


def known_models() -> list[str]:
    """The names under which a model is found from the current folder, sorted."""
    return sorted({entry.stem for root in _roots("models") for entry in root.glob("*.toml")})


def _roots(kind: str) -> list[Path]:
    """The folders in which a name of this kind (`instances`, `models`) is looked for, in their order."""
    packaged = _PACKAGE / f"_{kind}"
    shipped = packaged if packaged.is_dir() else _PACKAGE.parent / kind
    return [root for root in (Path(kind), shipped) if root.is_dir()]


def _instance_at(path: Path, text: str) -> Path:
    if path.name == INSTANCE_FILE and path.is_file():
        return path.parent
    if not path.is_dir():
        remedy = "give the folder that holds instance.toml and the tables"
        raise _fault("INSTANCE", text, "is no instance: it is not a folder", remedy)
    if not _is_file(path / INSTANCE_FILE):
        message = f"is no instance: the folder has no {INSTANCE_FILE}"
        raise _fault("INSTANCE", text, message, f"give a folder with an {INSTANCE_FILE}, or write one there")
    return path


def _checked(name_or_path: str | Path, option: str) -> str:
    """The name or path as text, refused where no file system could have it."""
    text = str(name_or_path)
    if not text.strip():
        raise _fault(option, text, "is empty", "give a name or a path")
    if any(ord(character) < 32 for character in text):
        raise _fault(
            option, text, "holds a control character or a line break", "give a name or a path in one line"
        )
    return text


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a file name, or behind a folder that may not be read
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _is_name(text: str) -> bool:
    return text not in (".", "..") and "/" not in text and "\\" not in text


def _fault(option: str, value: str, message: str, remedy: str) -> InputError:
    return InputError([Fault(option, message, remedy, value=value, code="place")])


def _not_found(option: str, kind: str, text: str, known: list[str]) -> InputError:
    if not _is_name(text):
        return _fault(option, text, f"no such {kind} is there", "check the path")
    message = f"is neither a path nor the name of a known {kind}"
    return _fault(option, text, message, did_you_mean(text, known))
