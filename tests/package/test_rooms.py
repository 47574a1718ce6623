"""The rooms: what `nox -s layers` cannot say."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import polecat

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(polecat.__file__).parent
PURE = sorted(
    [
        *(PACKAGE / "core").glob("*.py"),
        *(PACKAGE / "ports").glob("*.py"),
        *(PACKAGE / f"{name}.py" for name in ("documents", "model", "names", "errors")),
    ]
)
ALLOWED = frozenset(
    "__future__ attrs collections datetime difflib enum fnmatch functools hashlib pathlib polecat posixpath re shlex sys typing".split()
)
"""What a pure module may import; nothing of it reads or changes anything outside, but for some methods."""

IMPURE = frozenset(
    """
    absolute chmod cwd exists expanduser glob hardlink_to home is_dir is_file is_symlink iterdir lchmod lstat mkdir now open
    read_bytes read_text readlink rename replace resolve rglob rmdir samefile stat symlink_to today touch unlink utcnow
    write_bytes write_text
    """.split()
)
"""Methods of paths and times that ask the disk or the clock."""


@pytest.mark.parametrize("path", PURE, ids=[str(path.relative_to(PACKAGE)) for path in PURE])
def test_what_decides_cannot_reach_the_world(path: Path) -> None:
    """The core, the ports and the words import nothing that reads a clock, a disk or an environment, and call no method that would."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    called = {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    built_in = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    assert {name.partition(".")[0] for name in imported} <= ALLOWED
    assert not called & (IMPURE - {"replace"})  # texts have that method too
    assert not built_in & {"open", "input", "print", "exec", "eval", "__import__"}


def test_the_map_is_the_layers() -> None:
    """The map in CONTRIBUTING names the layers of the contract, all of them and in the same order."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]["layers"]
    [drawn] = re.findall(r"## The rooms\n.*?```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    names = [re.split(r" {2,}", line)[0].split(", ") for line in drawn.splitlines()]

    assert [name.rstrip("/") for line in names for name in line] == [name for layer in layers for name in layer.split(" | ")]


@pytest.mark.parametrize("room", sorted(path.parent for path in PACKAGE.glob("*/__init__.py")), ids=lambda room: room.name)
def test_a_room_says_what_lives_in_it(room: Path) -> None:
    """Each room's docstring says what lives there, and none but the verbs, one module each, has more than twenty modules."""
    modules = {path.stem for path in room.glob("*.py")} - {"__init__"}

    assert ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))
    assert len(modules) <= 20 or room.name == "verbs"
