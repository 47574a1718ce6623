"""What may be imported, and what importing costs."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import polecat

ARCHITECTURE = """
    Town Rig NamePool Reconciliation SpawnOptions SpawnPlan SpawnedPolecat Polecat WorkStatus
    allocate_name reconcile_pool_with
    find_town is_rig_name plan_spawn spawn_for_sling spawn_many reconcile_pool
    list_polecats get_polecat repair_polecat remove_polecat stop_polecat
    Git Tmux Beads PolecatError
""".split()

FACE: Any = import_module("polecat")


@pytest.mark.parametrize("name", ARCHITECTURE)
def test_promised_names_are_public(name: str) -> None:
    """Every name that the design fixes can be imported from the package."""
    assert name in FACE.__all__
    assert getattr(polecat, name).__module__.startswith("polecat")


@pytest.mark.parametrize("module", ["polecat", "polecat.adapters", "polecat.fleet", "polecat.testing"])
def test_public_names_exist_and_are_listed_once(module: str) -> None:
    """Whatever ``__all__`` lists is there, ``dir`` shows it, and it has a docstring."""
    home = import_module(module)

    assert len(set(home.__all__)) == len(home.__all__)
    for name in home.__all__:
        assert getattr(home, name).__doc__, f"{module}.{name} has no docstring"
        assert name in dir(home)


@pytest.mark.parametrize("module", ["polecat", "polecat.adapters", "polecat.fleet", "polecat.testing"])
def test_no_public_name_is_a_module_too(module: str) -> None:
    """Loading a module puts its name into the package; a function of that name would be gone from then on."""
    home = import_module(module)

    assert {name for _, name, _ in pkgutil.iter_modules(home.__path__)} & set(home.__all__) == set()


def test_every_error_is_public() -> None:
    """Whatever polecat raises on purpose can be caught by a public name."""
    errors = import_module("polecat.errors")
    raised = {n for n, e in vars(errors).items() if isinstance(e, type) and issubclass(e, polecat.PolecatError)}

    assert raised <= set(FACE.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    """A name that is not there is refused as by any module."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = FACE.no_such_name


def test_script_and_module_are_the_same() -> None:
    """The ``polecat`` script is the function that ``python -m polecat`` calls."""
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, function = project["scripts"]["polecat"].partition(":")

    assert callable(getattr(import_module(module), function))
    assert f"{function}()" in Path(str(import_module("polecat.__main__").__file__)).read_text("utf-8")


def test_four_runtime_packages() -> None:
    """The library needs attrs, filelock, sh and structlog, and nothing else."""
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]

    assert [re.split("[<>=]", package)[0] for package in project["dependencies"]] == ["attrs", "filelock", "sh", "structlog"]
