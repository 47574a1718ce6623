"""Loading ahead: in order, only while there is nothing better to do, and never the end of anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import attrs
import pytest

from polecat.ahead import load_until, will_need
from polecat.spawn import LATER


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Leave nothing to be loaded by the next test."""
    yield
    will_need([])


def loaded(code: str) -> list[str]:
    """Run code in a fresh Python; return what it prints, as words."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout.split()


def test_until_there_is_something_better_to_do() -> None:
    """Things are loaded in the order in which they are needed; the rest waits for the next moment."""
    code = """\
import sys
from polecat.ahead import load_until, will_need
will_need(["graphlib", "colorsys", "polecat.states:Signals", "cmd"])
moments = iter([False, False, True])
load_until(lambda: next(moments))
print(*sorted({"graphlib", "colorsys", "polecat.states", "cmd"} & set(sys.modules)))
load_until(lambda: False)
print(*sorted({"polecat.states", "cmd"} & set(sys.modules)))
"""

    assert loaded(code) == ["colorsys", "graphlib", "cmd", "polecat.states"]


def test_what_cannot_be_loaded_is_left_to_whoever_needs_it() -> None:
    """A name that is no module, or no class of one, is passed over in silence."""
    will_need(["no.such.module", "polecat.model:NoSuchClass", "polecat.model:Timings"])

    load_until(lambda: False)


def test_an_interrupt_is_not_kept(tmp_path: Path) -> None:
    """Ctrl-C while something is loaded gets through; it is loaded whole where it is needed."""
    (tmp_path / "interrupted.py").write_text("import builtins\nif not hasattr(builtins, 'again'):\n    raise KeyboardInterrupt\n")
    code = f"""\
import builtins, sys
sys.path.insert(0, {str(tmp_path)!r})
from polecat.ahead import load_until, will_need
will_need(["interrupted"])
try:
    load_until(lambda: False)
except KeyboardInterrupt:
    print("through")
builtins.again = True
import interrupted
print(interrupted.__name__)
"""

    assert loaded(code) == ["through", "interrupted"]


@pytest.mark.parametrize("thing", LATER)
def test_a_spawn_names_what_exists(thing: str) -> None:
    """Everything that a spawn loads ahead is there, and a class in it is a value."""
    module, _, name = thing.partition(":")

    assert not name or attrs.has(getattr(import_module(module), name))
