"""Rules that no linter knows."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import polecat

ROOT = Path(__file__).resolve().parents[2]
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def _tests(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


@functools.cache
def _calls(path: Path) -> tuple[ast.Call, ...]:
    return tuple(node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


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


# ---------------------------------------------------------------------------------------------------- how much there is

PACKAGE = Path(str(polecat.__file__)).parent
SOURCES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
MAX_CODE_LINES = 18_500
"""All of the package but `polecat.testing`: 13,400 before real agents, the middle of a life and many machines came. Lower it whenever there is less."""
MAX_MODULES, MAX_LINES, MAX_FUNCTION_LINES = 20, 350, 40
MAX_WORDS_LINES = 480
"""The errors and the values are looked up, not read from top to bottom."""


def code_lines(text: str) -> int:
    """The lines of a module without blank lines, comments and docstrings."""
    said = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for at, line in lines if line.strip() and not line.lstrip().startswith("#") and at not in said)


def test_code_lines_are_counted() -> None:
    """What the counter counts is code: no blank line, no comment, no docstring, also not that of a constant."""
    assert (
        code_lines(
            '"""Two\nlines."""\n\n# a comment\nX = 1  # code\n"""What X is."""\n\n\ndef f():\n    """A."""\n    return """b\nc"""\n'
        )
        == 4
    )


def test_the_package_stays_small(capsys: pytest.CaptureFixture[str]) -> None:
    """All of the package but the pretend world has no more lines of code than it was given."""
    counts = Counter[str]()
    for name, path in SOURCES.items():
        counts[name.partition("/")[0] if "/" in name else "the root"] += code_lines(path.read_text("utf-8"))
    total = counts.total() - counts["testing"]
    with capsys.disabled():
        print(f"\n{total} lines of code without testing/: {', '.join(f'{room} {count}' for room, count in counts.most_common())}")

    assert total <= MAX_CODE_LINES


def _length(function: ast.FunctionDef) -> int:
    """The lines of a function without its signature and its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", SOURCES)
def test_modules_and_functions_can_be_read_at_a_sitting(name: str) -> None:
    """No module is longer than 350 lines, and no function longer than 40 besides its docstring."""
    text = SOURCES[name].read_text("utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]

    assert [node.name for node in functions if _length(node) > MAX_FUNCTION_LINES] == []
    assert text.count("\n") <= (MAX_WORDS_LINES if name in WORDS else MAX_LINES)


# ------------------------------------------------------------------------------------------------------------ the rooms

ROOMS = {"fleet", "lifecycle", "upkeep", "place", "town", "core", "ports", "adapters", "testing", "verbs"}
WORDS = {"errors.py", "model.py", "documents.py", "names.py"}
FACE = {"__init__.py", "__init__.pyi", "__main__.py", "cli.py", "py.typed"}
EXPORTING = {"adapters", "fleet", "testing", "ports"}
"""The rooms whose names are public; of the ports everybody else takes the words from here too."""


def test_the_root_holds_the_face_the_words_and_the_rooms() -> None:
    """Nothing else lies directly in the package."""
    found = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}

    assert found == ROOMS | WORDS | FACE


@pytest.mark.parametrize("room", sorted({str(Path(name).parent) for name in SOURCES} - {"."}))
def test_rooms_can_be_seen_at_a_glance(room: str) -> None:
    """No room has more than twenty modules; its ``__init__`` says what lives there, and does nothing but, perhaps, export it."""
    modules = [path for path in (PACKAGE / room).glob("*.py") if path.name != "__init__.py"]
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8"))
    code = [node for node in tree.body[1:] if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]

    assert len(modules) <= MAX_MODULES
    assert ast.get_docstring(tree)
    assert not code or room in EXPORTING


# ---------------------------------------------------------------------------------------------------------- the imports

OUTSIDE = set(
    "asyncio filelock glob http logging multiprocessing os random secrets select sh shutil signal socket sqlite3"
    " structlog subprocess tempfile threading time urllib uuid".split()
)
"""What reaches the disk, other processes, the network, the clock or chance."""

ADAPTERS_ABOVE = {
    "gastown": (("upkeep/observation.py",), "which Gas Town is on PATH, where the town's files do not say"),
    "world": (("lifecycle", "upkeep", "verbs/hook.py"), "whoever acts completes the world that it was given"),
    "processes.program": (("place", "verbs/demo.py"), "a set-up hook is a program; the demo shows git itself"),
    "processes.dialogue": (("fleet/ssh.py",), "a host that ssh reaches is asked through a program"),
    "processes.mounts": (("upkeep/trash.py",), "what lies behind a mount is never deleted"),
    "processes.background": (("upkeep/spares.py", "upkeep/trash.py"), "what is done when everything else is done"),
    "tmux.cli": (("lifecycle/talk.py", "verbs"), "the server that a polecat's record or --socket names"),
    "tmux.server": (("lifecycle/talk.py",), "whether a person is a client of that server"),
    "tmux.commands": (("verbs/talk.py",), "how to get tmux"),
    "beads.init": (("upkeep/towns.py",), "a beads directory is made before there is a store that could be asked"),
    "git.cli": (("verbs",), "verbs that need nothing but git"),
}
"""Module of the adapters → who above them may import it, and why. Everybody else sees the ports."""


def _imports(name: str, within: type[ast.AST] = ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Each import statement of a module below nodes of a kind, with the module that it names."""
    for scope in ast.walk(ast.parse(SOURCES[name].read_text("utf-8"))):
        for node in ast.walk(scope) if isinstance(scope, within) else ():
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node, str(node.module)


@pytest.mark.parametrize("name", SOURCES)
def test_an_import_in_a_function_says_why(name: str) -> None:
    """Imports stand at the top; one that does not has its reason on its line, or on the line before."""
    lines = SOURCES[name].read_text("utf-8").splitlines()
    inside = {node.lineno for node, _ in _imports(name, ast.FunctionDef)}

    assert [line for line in inside if "#" not in lines[line - 1] and not lines[line - 2].lstrip().startswith("#")] == []


def test_only_the_face_and_the_verbs_are_loaded_when_they_are_used() -> None:
    """Nobody else loads modules by name."""
    lazy = {name for name, path in SOURCES.items() if "import_module(" in path.read_text("utf-8")}

    assert lazy <= {"__init__.py", "cli.py", "testing/__init__.py"}


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith(("core/", "ports/")) or name in WORDS])
def test_what_decides_reaches_nothing(name: str) -> None:
    """The core, the ports and the words import nothing that reads or changes anything outside of them."""
    taken = {module for _, module in _imports(name)}

    assert {module for module in taken if module.partition(".")[0] in OUTSIDE} == set()


def test_whoever_acts_acts_through_the_ports() -> None:
    """Above the adapters only those import one that are listed here with a reason, and each that is listed does."""
    used = set()
    for name in SOURCES:
        for _, module in _imports(name):
            if module.startswith("polecat.adapters") and not name.startswith(("adapters/", "testing/")):
                used.add((module.removeprefix("polecat.adapters."), name))

    assert [(module, name) for module, name in used if not name.startswith(ADAPTERS_ABOVE.get(module, ((), ""))[0])] == []
    listed = {(module, place) for module, (places, _) in ADAPTERS_ABOVE.items() for place in places}
    assert [(m, place) for m, place in listed if not any(module == m and name.startswith(place) for module, name in used)] == []


def test_only_the_plugin_needs_pytest() -> None:
    """Whoever uses the fakes may test with something else."""
    needing = {name for name in SOURCES for _, module in _imports(name) if module.partition(".")[0] in ("pytest", "_pytest")}

    assert needing <= {"testing/plugin.py"}


# ------------------------------------------------------------------------------------------------- what others have written

SPLITTERS = ("splitlines", "split", "rsplit", "strip", "lstrip", "rstrip", "isspace")
"""Without an argument they cut text at characters that git, tmux, bd and file systems take for letters: U+0085, U+00A0, U+2028, U+3000."""


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "__init__.py"])
def test_text_is_cut_at_characters_that_are_named(name: str) -> None:
    """Lines end at a newline and fields at what the program says, never at whatever Unicode calls blank; a constant of ours may be split."""
    vague = []
    for call in _calls(SOURCES[name]):
        how = call.func
        if not isinstance(how, ast.Attribute) or how.attr not in SPLITTERS or isinstance(how.value, ast.Constant):
            continue
        if how.attr == "splitlines" or not call.args or ast.unparse(call.args[0]) == "None":
            vague.append(ast.unparse(call))

    assert vague == []


OPENERS = {
    "cli.py": "its own standard streams",
    "adapters/git/facts.py": "a file of the worktree, hashed where git was told not to look, after a look at its kind",
    "adapters/processes/mounts.py": "the kernel's",
    "adapters/processes/program.py": "/dev/null",
    "adapters/processes/table.py": "the kernel's",
    "adapters/tmux/launch.py": "a new file",
    "adapters/tmux/screen.py": "a terminal, opened without waiting; how it is set is read, not what stands in it",
    "fleet/answer.py": "the kernel's, and its own standard streams",
    "place/beneath.py": "opens from directory to directory, and only regular files",
    "place/env_file.py": "the caller names it; it may well be a pipe",
    "town/files.py": "a new file",
    "town/guarded.py": "this is the guard",
    "town/locks.py": "a lock, opened without waiting and not read",
    "verbs/demo.py": "it has just been made",
    "verbs/spawn.py": "the caller names it; it may well be a pipe",
}
"""Modules that open files themselves, each with what makes that safe. Everybody else reads and appends by `polecat.town.guarded`."""


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("testing/")])
def test_files_that_others_may_have_replaced_are_opened_guarded(name: str) -> None:
    """A pipe, a device, a directory or gigabytes in the place of a file harm nobody, because one module reads and appends."""
    calls = [ast.unparse(call.func) for call in _calls(SOURCES[name])]
    opening = [call for call in calls if re.search(r"(^|\.)open$|\.read_(text|bytes)$|^(json|tomllib)\.load$", call)]

    assert bool([call for call in opening if call != "files.read_text"]) == (name in OPENERS)


FAR_SHELLS = ("fleet/fleet.py", "fleet/ssh.py")
"""Where words are quoted for the POSIX shell of another host, whatever shell is used here."""

COMMANDS = r"(git -C|mkdir|mkdir -p|mv|rm|rm -rf?|ls -ld?|ls -la|cd|--town|tmux -S) '?\{(?!shell_line\(|at\}|town\}|where\})"
"""A command in a message, with a word that was not quoted behind it."""


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith(("testing/", "adapters/processes/background"))])
def test_shell_lines_that_people_copy_are_quoted(name: str) -> None:
    """Words go into a printed command by `shell_line`: nothing in a path is evaluated by whichever shell it is pasted into."""
    text = SOURCES[name].read_text("utf-8")

    assert re.findall(COMMANDS, text) == []
    assert "shlex." not in text or name in (
        "names.py",
        "adapters/git/rescue.py",
        "adapters/tmux/launch.py",
        "adapters/tmux/start.py",
        *FAR_SHELLS,
    )
