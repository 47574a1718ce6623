"""Rules that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

ROOT = Path(__file__).resolve().parents[2]
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def _tests(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def _is_long_sleep(call: ast.Call) -> bool:
    if ast.unparse(call.func) not in ("time.sleep", "sleep") or not call.args or not isinstance(call.args[0], ast.Constant):
        return False
    return float(str(call.args[0].value)) > 0.1


@pytest.mark.parametrize("path", TEST_FILES, ids=[str(path.relative_to(ROOT)) for path in TEST_FILES])
def test_every_test_states_a_behaviour(path: Path) -> None:
    """Each test has a docstring, patches nothing, and waits for conditions rather than for time to pass."""
    silent = [node.name for node in _tests(path) if not ast.get_docstring(node)]
    patching = [ast.unparse(c) for c in _calls(path) if re.search(r"\.setattr$|^mock\.|\.patch$|Mock$", ast.unparse(c.func))]
    sleeping = [ast.unparse(call) for call in _calls(path) if _is_long_sleep(call)]

    assert not silent
    assert not patching
    assert not sleeping


LAST_INCIDENT = 54
NOT_OURS = {"T-43": "nothing is typed 'when idle': whoever types decides when"}
"""Incidents whose feature we do not have."""


def test_every_incident_has_a_test() -> None:
    """Whatever broke for others is named by the test that would notice it here."""
    told = "\n".join(path.read_text("utf-8") for path in TEST_FILES)
    wanted = {f"T-{number:02}" for number in range(1, LAST_INCIDENT + 1)} - set(NOT_OURS)

    assert sorted(wanted - {one for line in re.findall(r'(?m)^ +"""(.+)"""$', told) for one in re.findall(r"T-\d\d", line)}) == []


def test_readme_has_exactly_two_setup_commands() -> None:
    """The README starts with two commands of one line each, ready to be copied: the demo and the tests."""
    text = (ROOT / "README.md").read_text("utf-8")

    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    assert [block.count("\n") for block in blocks] == [1, 1]
    assert blocks[0].strip().endswith("polecat demo")
    assert blocks[1].strip().endswith("nox")
    assert "pip install polecat" not in text


def _python_blocks() -> list[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = []
    for page in pages:
        for at, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)):
            found.append((f"{page.relative_to(ROOT)}[{at}]", block))
    return found


@pytest.mark.parametrize(("where", "code"), _python_blocks(), ids=[where for where, _ in _python_blocks()])
def test_every_example_runs(where: str, code: str) -> None:
    """Python in the README and in the documentation runs as it stands."""
    try:
        exec(compile(code, where, "exec"), {"__name__": "example"})
    finally:
        structlog.reset_defaults()


SOURCES = sorted((ROOT / "polecat").rglob("*.py")) if (ROOT / "polecat").is_dir() else []
MAX_LINES, MAX_FUNCTION_LINES = 350, 40


def _code_lines(function: ast.FunctionDef) -> int:
    """The lines of a function without its signature and its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_modules_and_functions_can_be_read_at_a_sitting(path: Path) -> None:
    """No module is longer than 350 lines, and no function longer than 40 besides its docstring."""
    text = path.read_text("utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]

    assert [node.name for node in functions if _code_lines(node) > MAX_FUNCTION_LINES] == []
    assert text.count("\n") <= MAX_LINES
