"""What a person sees first: the help, what an editor offers, and what the public things call themselves."""

from __future__ import annotations

import ast
import copy
import doctest
import pickle
import pydoc
import subprocess
import sys
import traceback
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_type_hints

import attrs
import pytest

import polecat

FACE: Any = import_module("polecat")
PUBLIC = {name: getattr(polecat, name) for name in FACE.__all__}
CLASSES = {name: value for name, value in PUBLIC.items() if isinstance(value, type)}


def _stub() -> dict[str, str]:
    """Public name → the module that the stub takes it from."""
    tree = ast.parse((files("polecat") / "__init__.pyi").read_text("utf-8"))
    return {
        str(alias.asname): str(node.module)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


def test_the_stub_lists_what_is_public() -> None:
    """Editors and type checkers are told of the names of ``__all__`` and of no other, each from the module that has it."""
    listed = _stub()

    assert sorted(listed) == FACE.__all__
    assert {name for name, home in listed.items() if getattr(import_module(home), name) is not PUBLIC[name]} == set()


def test_the_types_travel_with_the_package() -> None:
    """The stub and the mark that says that there are types are installed with the modules."""
    assert (files("polecat") / "__init__.pyi").is_file()
    assert (files("polecat") / "py.typed").is_file()


def test_editors_offer_the_public_names(tmp_path: Path) -> None:
    """An editor built on jedi completes every public name after ``polecat.``, and finds where it is defined."""
    jedi: Any = pytest.importorskip("jedi")
    jedi.settings.cache_directory = str(tmp_path)
    here = jedi.InterpreterEnvironment()
    offered = {one.name for one in jedi.Script("import polecat\npolecat.", environment=here).complete(2, len("polecat."))}
    [found] = jedi.Script("import polecat\npolecat.spawn_for_sling", environment=here).goto(2, 12, follow_imports=True)

    assert set(FACE.__all__) <= offered
    assert Path(str(found.module_path)).name == "spawn.py"


def test_the_help_begins_with_use() -> None:
    """``help(polecat)`` starts with a few lines that show a spawn and its end, which run with the tests, and lists the names."""
    text = pydoc.plain(pydoc.render_doc(polecat))
    [example] = [one for one in doctest.DocTestFinder(recurse=False).find(FACE) if one.examples]

    first = "\n".join(text.splitlines()[:18])
    assert "spawn_for_sling" in first
    assert "remove_polecat" in first
    assert 10 <= str(example.docstring).partition("Only the names")[0].strip().count("\n") <= 12
    assert doctest.DocTestRunner(verbose=False).run(example) == (0, len(example.examples))
    assert {name for name in PUBLIC if name not in text} == set()


@pytest.mark.parametrize("name", CLASSES)
def test_public_classes_call_themselves_polecats(name: str) -> None:
    """A public class has its public name wherever it is shown, and is found by it when it is unpickled."""
    assert repr(CLASSES[name]) in (f"<class 'polecat.{name}'>", f"<enum '{name}'>")
    assert pickle.loads(pickle.dumps(CLASSES[name])) is CLASSES[name]


@pytest.mark.parametrize("name", CLASSES)
def test_public_classes_still_know_their_types(name: str) -> None:
    """Whatever reads annotations at run time finds types, of the fields of values too."""
    one = CLASSES[name]

    assert not any(isinstance(hint, str) for hint in get_type_hints(one).values())
    if attrs.has(one):
        attrs.resolve_types(one)
        assert not any(isinstance(field.type, str) for field in attrs.fields(one))
        assert get_type_hints(one.__init__)["return"] is type(None)


def test_values_and_errors_are_pickled() -> None:
    """What a function returns or raises can be sent to another process."""
    error = polecat.RigFullError("it is full", hint="remove one")
    for value in (polecat.WorkStatus(modified=1), polecat.PolecatState.DONE, polecat.SpawnOptions(hook_bead="gt-1")):
        assert pickle.loads(pickle.dumps(value)) == value
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.hint) == (polecat.RigFullError, "it is full", "remove one")


def test_an_errors_cause_travels_with_it() -> None:
    """Pickled and copied errors keep the chain of their causes; one that is neither ours nor Python's own arrives as its words."""
    error = polecat.SpawnFailedError("it broke", step="hook", undone=["worktree"])
    error.__cause__ = polecat.BeadsError("the store said no", hint="ask it again")
    error.__cause__.__cause__ = subprocess.TimeoutExpired(["bd"], 3)
    error.add_note("seen by a test")

    for again in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        cause = cast("Any", again.__cause__)
        assert (type(again), again.undone, again.__notes__) == (polecat.SpawnFailedError, ("worktree",), ["seen by a test"])
        assert (type(cause), cause.message, cause.hint) == (polecat.BeadsError, "the store said no", "ask it again")
        assert str(cause.__cause__) == "TimeoutExpired: Command '['bd']' timed out after 3 seconds"


def test_tracebacks_say_what_can_be_caught() -> None:
    """The last line of a traceback has the name that an ``except`` would use; an error of somebody else's has its own."""

    class Ours(polecat.PolecatError):
        """An error of a program that uses polecat."""

    assert traceback.format_exception_only(polecat.RigFullError("it is full")) == ["polecat.RigFullError: it is full\n"]
    assert Ours.__module__ == __name__


def test_examples_of_public_classes_run() -> None:
    """Examples in the docstrings of public classes are found by doctest in the modules that define them."""
    homes = [module for name, module in sys.modules.items() if name.startswith("polecat.") and hasattr(module, "__test__")]
    found = {test.name.rpartition(".")[2] for home in homes for test in doctest.DocTestFinder().find(home) if test.examples}

    assert {name for name, one in CLASSES.items() if ">>>" in (one.__doc__ or "")} - found == set()
