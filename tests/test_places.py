"""Where a name or a path of an instance or a model leads, and what is said where it leads nowhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cpm_opt import places
from cpm_opt.faults import InputError
from cpm_opt.places import find_instance, find_model, known_instances, known_models


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with an instance and a model, and a package that brings others (some by the same names)."""
    for name in ("here/instances/shop", "package/cpm_opt/_instances/shop", "package/cpm_opt/_instances/bank"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "instance.toml").touch()
    for name in ("here/models/shop", "package/cpm_opt/_models/shop", "package/cpm_opt/_models/bank"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.toml").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(places, "_PACKAGE", tmp_path / "package" / "cpm_opt")
    return tmp_path


def test_a_path_goes_before_a_name_and_the_current_folder_before_the_package(workspace: Path):
    here, packaged = workspace / "here", workspace / "package" / "cpm_opt"
    assert find_instance("shop").resolve() == here / "instances" / "shop"
    assert find_model("shop").resolve() == here / "models" / "shop.toml"
    assert find_instance("bank") == packaged / "_instances" / "bank"
    assert find_model("bank") == packaged / "_models" / "bank.toml"
    (here / "shop").mkdir()
    (here / "shop" / "instance.toml").touch()
    assert find_instance("shop").resolve() == here / "shop"
    assert find_instance(here / "shop" / "instance.toml") == here / "shop"
    assert find_model("models/shop.toml").resolve() == here / "models" / "shop.toml"
    assert find_model("shop").resolve() == here / "models" / "shop.toml"  # the folder shop/ is no model


def test_without_copies_in_the_package_the_folders_beside_it_are_used(workspace: Path):
    package = workspace / "package"
    (package / "cpm_opt" / "_instances").rename(package / "instances")
    (package / "cpm_opt" / "_models").rename(package / "models")
    assert find_instance("bank") == package / "instances" / "bank"
    assert find_model("bank") == package / "models" / "bank.toml"
    assert (known_instances(), known_models()) == (["bank", "shop"], ["bank", "shop"])


@pytest.mark.parametrize(
    ("find", "text", "says"),
    [
        (find_instance, "shpo", "did you mean 'shop'?"),
        (find_instance, "zzz", "known are bank, shop"),
        (find_instance, "instances", "the folder has no instance.toml"),
        (find_instance, "instances/none", "check the path"),
        (find_instance, "models/shop.toml", "it is not a folder"),
        (find_instance, "", "is empty"),
        (find_instance, "shop\n", "line break"),
        (find_instance, "x" * 5000, "is neither a path nor the name"),
        (find_model, "bnak", "did you mean 'bank'?"),
        (find_model, "models", "it is not a file"),
        (find_model, "models/none.toml", "check the path"),
        (find_model, "a\0b", "control character"),
    ],
)
def test_what_is_not_there_is_one_fault_with_a_remedy(
    workspace: Path, find: Callable[[str], Path], text: str, says: str
):
    with pytest.raises(InputError) as caught:
        find(text)
    (fault,) = caught.value.faults
    assert says in fault.line()
    assert len(fault.line()) < 300
