"""The reference is complete: every name, verb, option, error, event, key and variable is on its page."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

import polecat
from docs._ext import cli_reference, error_reference, pictures, table_reference
from docs._ext.error_scenes import SCENES
from docs._ext.made_pages import MAKERS, MARK, fill
from docs._ext.settings_reference import fields_of
from polecat.core.environment import polecat_env
from polecat.core.event_names import EVENTS, LOGGED
from polecat.core.risk import RiskCode
from polecat.core.states import STATE_RULES
from polecat.core.steps import STEPS
from polecat.documents import NamePoolSettings, PlaceSettings, RigSettings, RuntimeConfig, TownSettings
from polecat.model import PolecatState
from polecat.town.settings import load_rig_settings, load_town_settings
from tests.docs.test_tutorial import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
PACKAGE = Path(str(polecat.__file__)).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


def page(name: str) -> str:
    return (DOCS / "reference" / name).read_text("utf-8")


@pytest.mark.parametrize("module", ["polecat", "polecat.adapters", "polecat.fleet", "polecat.testing"])
def test_every_public_name_is_in_the_reference(module: str) -> None:
    """The page of the Python API lists every public name once, and nothing that is not public."""
    listed = re.findall(r"^\.\. auto\w+:: (polecat(?:\.\w+)*)\.(\w+)$", page("api.md"), re.MULTILINE)
    names = [name for where, name in listed if where == module]

    assert sorted(names) == sorted(import_module(module).__all__)


def _functions() -> list[tuple[str, str]]:
    modules = ("polecat", "polecat.testing")
    return [(m, n) for m in modules for n in import_module(m).__all__ if inspect.isfunction(getattr(import_module(m), n))]


@pytest.mark.parametrize(("module", "name"), _functions())
def test_every_public_function_says_all_about_itself(module: str, name: str) -> None:
    """Its docstring names every parameter, what it returns, and has an example, which runs with the tests."""
    function = getattr(import_module(module), name)
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    said = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    named = {
        word
        for words in re.findall(r"^    (\w+(?:, \w+)*):", said[1] if said else "", re.MULTILINE)
        for word in words.split(", ")
    }

    assert named == set(signature.parameters)
    assert "Returns:" in text or signature.return_annotation == "None"
    assert ">>>" in text


def test_every_mark_is_made_and_everything_made_has_a_place() -> None:
    """Pages and makers agree; a page that asks for what cannot be made would stop the build."""
    marks = [mark for one in PAGES for mark in MARK.findall(one.read_text("utf-8"))]

    assert sorted(marks) == sorted(MAKERS)
    with pytest.raises(KeyError):
        fill("<!-- made: no such thing -->")


def test_every_error_has_a_scene_that_raises_exactly_it() -> None:
    """The page of errors has a section for each class; its message was raised by polecat itself when the page was made."""
    text = error_reference.errors()

    assert set(SCENES) == {cls.__name__ for cls in error_reference.classes()}
    assert {cls.__name__ for cls in error_reference.classes()} - {"StepFailedError"} <= set(
        re.findall(r"\w+Error", error_reference.tree())
    )
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [cls.__name__ for cls in error_reference.classes()]
    unplayed = {name for name, scene in SCENES.items() if scene.act is None}
    assert unplayed == {"StepFailedError"}, "which is never raised itself"
    assert text.count("```text\npolecat: ") == len(SCENES) - len(unplayed)


def test_every_command_that_an_error_advises_exists() -> None:
    """What a hint says to type is something that polecat understands."""
    text = error_reference.errors()
    advised = re.findall(
        r"(?<![./])\bpolecat ((?:rig add|[a-z]+)(?: [-\w/.]+)+)", "\n".join(re.findall(r"```text\n(.*?)```", text, re.DOTALL))
    )
    verbs = cli_reference.sub_parsers(cli_reference.whole_parser())
    commands = [words for words in advised if words.split()[0] in verbs]

    assert len(commands) > 5
    assert not [words for words in commands if _exit_code(shlex.split(words)) != 0]


def test_every_verb_and_option_is_on_the_page_of_the_command_line() -> None:
    """Each verb that the help lists has a section, with each of its options, and an example."""
    text = cli_reference.verbs()
    sections = dict(re.findall(r"^## (\w+)$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    parsers = cli_reference.sub_parsers(cli_reference.whole_parser())

    assert set(sections) == {verb for verb in parsers if verb != "complete"}
    for verb, section in sections.items():
        assert "For example:" in section, verb
        for parser in (parsers[verb], *cli_reference.sub_parsers(parsers[verb]).values()):
            for action in parser._actions:
                for option in set(action.option_strings) - {"-h", "--help"}:
                    assert f"{option}" in section, (verb, option)


def test_every_event_and_log_line_is_on_the_page_of_events() -> None:
    """The tables hold every name and every key."""
    text = fill(page("events.md"))

    for name, kind in {**EVENTS, **LOGGED}.items():
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert all(f"`{key}`" in row for key in kind.facts), name


def test_every_risk_is_on_the_page_of_risks() -> None:
    """The table holds every code a verdict may have."""
    assert table_reference.risk_codes() == set(get_args(RiskCode))


# ------------------------------------------------------------------------------------------------------------ pictures


def test_the_picture_of_the_pipeline_shows_every_step() -> None:
    """Each step of the table is drawn, in order, with its event and what is taken back for it."""
    words = re.findall(r"<text[^>]*>([^<]*)</text>", pictures.pipeline())

    assert [word for word in words if word in {step.name for step in STEPS}] == [step.name for step in STEPS]
    assert {step.event for step in STEPS} - {""} <= set(words)
    assert {f"↶ {', '.join(step.undoes)}" for step in STEPS if step.undoes} <= set(words)


def test_the_picture_of_the_states_shows_every_rule() -> None:
    """Each rule of the table is drawn, in order, with its state and its meaning."""
    words = re.findall(r"<text[^>]*>([^<]*)</text>", pictures.states())

    assert [word for word in words if word in {rule.means for rule in STATE_RULES}] == [rule.means for rule in STATE_RULES]
    assert {state.value for state in PolecatState} <= set(words)


# ------------------------------------------------------------------------------------------------------------ settings

_OTHER: dict[str, object] = {
    "fetch": "never",
    "trust": "ask",
    "lfs": "lazy",
    "prompt_mode": "none",
    "port_base": 21_000,
    "port_top": 40_000,
    "port_block": 20,
    "runtime": {"command": "x"},
    "namepool": {"style": "minerals"},
    "agents": {"a": {"command": "x"}},
    "role_agents": {"polecat": "codex"},
    "worktree_include_from": "/somewhere",
}


def _other_than(field: attrs.Attribute[object]) -> object:
    """A value that the key may have and that is not its default."""
    if field.name in _OTHER:
        return _OTHER[field.name]
    match str(field.type).removeprefix("<class '").removesuffix("'>"):
        case "bool":
            return not field.default
        case "int" | "float":
            return 7
        case word if word.startswith("tuple"):
            return ["seven"]
        case _:
            return "seven"


def _keys(*classes: type) -> list[tuple[type, str, str]]:
    return [(cls, field, key) for cls in classes for field, key in fields_of(cls).items()]


@pytest.mark.parametrize(
    ("cls", "field", "key"),
    _keys(RigSettings, PlaceSettings, TownSettings, RuntimeConfig, NamePoolSettings),
    ids=str,
)
def test_every_key_of_the_settings_is_read(tmp_path: Path, cls: type, field: str, key: str) -> None:
    """A key as the page writes it, with another value than the default, changes that field of what is loaded."""
    [attribute] = [one for one in attrs.fields(cls) if one.name == field]
    value: Any = _other_than(attribute)
    for part in reversed(key.split(".")):
        value = {part: value}
    if cls is RuntimeConfig:
        value = {"agents": {"a": value}}
    elif cls is NamePoolSettings:
        value = {"namepool": {"names": ["nux"], **value}}
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "config.json").write_text(json.dumps(value))

    loaded: Any = load_town_settings(tmp_path) if cls is TownSettings else load_rig_settings(tmp_path)
    found = {PlaceSettings: "place", NamePoolSettings: "namepool"}.get(cls)
    loaded = getattr(loaded, found) if found else loaded.agents["a"] if cls is RuntimeConfig else loaded

    assert getattr(loaded, field) != attribute.default


@pytest.mark.parametrize("page_name", ["town.md", "settings.md"])
def test_every_field_has_a_meaning(page_name: str) -> None:
    """No row of a table of keys is without a text."""
    assert not re.findall(r"^\| `[^`]+` \|.*\|\s*\|$", fill(page(page_name)).replace("|  |", "| - |"), re.MULTILINE)


# --------------------------------------------------------------------------------------------------------- environment


def _variables_read() -> set[str]:
    """Names that stand in the code where it looks something up in an environment."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and re.search(r"environ\.get$", ast.unparse(node.func)) and node.args:
                found |= {str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant)}
    return found


def test_every_variable_is_on_the_page_of_the_environment() -> None:
    """Whatever is read from the environment, or set for an agent or a set-up hook, is named there."""
    text = page("environment.md")
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", text))
    set_for_agents = set(polecat_env("r", "n", "/t", beads_dir="/b", config_dir="/c")) | {"POLECAT_ID"}
    set_for_agents |= set(attrs.evolve(PlaceSettings(), lfs="lazy").variable_names)

    assert len(_variables_read()) > 8
    assert _variables_read() | set_for_agents <= named
    hooks = (PACKAGE / "place" / "setup_hooks.py").read_text("utf-8")
    assert set(re.findall(r'"(GT_[A-Z_]+)"', hooks)) <= named


# ------------------------------------------------------------------------------------------------------------- console


_COMMAND = re.compile(r"\s*(?:\S*/|ssh (?:-t )?\S+ )?polecat( .*)$")


def _typed() -> list[tuple[str, str]]:
    """Every command that a page tells people to type and that begins with polecat, pipes taken apart."""
    found = []
    for one in (ROOT / "README.md", *PAGES):
        for block in re.findall(r"^```(?:console|sh)\n(.*?)^```", one.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            lines = (re.sub(r"\s+#.*$", "", line.removeprefix("$ ")) for line in block.replace("\\\n", " ").splitlines())
            parts = [part for line in lines for part in re.split(r"\|\||&&|\||;|\$\(|\)", line)]
            found += [(str(one.relative_to(ROOT)), match[1].strip()) for part in parts if (match := _COMMAND.match(part))]
    return found


def _exit_code(argv: list[str]) -> int:
    """How the parser ends: 0 where it understands, or prints its help."""
    try:
        cli_reference.whole_parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize(("where", "words"), sorted(set(_typed())), ids=str)
def test_every_polecat_command_on_a_page_is_one_that_polecat_understands(where: str, words: str) -> None:
    """The parser itself takes each command that a page shows."""
    assert _exit_code(shlex.split(re.split(r"\s[<>]", words)[0])) == 0


def test_pages_have_commands_to_look_at() -> None:
    """The search finds commands in the README and in many pages, so the test above looks at something."""
    assert {"README.md", "docs/how-to/talk-to-polecats.md", "docs/tutorial/1-first-spawn.md"} <= {where for where, _ in _typed()}
    assert len(_typed()) > 25


def test_every_verb_and_option_in_running_text_exists() -> None:
    """What stands between the lines as `polecat VERB --option` is a verb with that option."""
    parsers = cli_reference.sub_parsers(cli_reference.whole_parser())
    seen = 0
    for one in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES):
        text = re.sub(r"^```.*?^```", "", one.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for words in re.findall(r"`polecat ([a-z][^`]*)`", text):
            verb, *rest = words.split()
            below = cli_reference.sub_parsers(parsers[verb])
            known = parsers[verb] if not below else below[rest[0]] if rest else parsers[verb]
            options = {option for action in known._actions for option in action.option_strings}
            assert {word for word in rest if word.startswith("--")} <= options, (one.name, words)
            if any(not word.startswith("-") for word in (rest[1:] if below else rest)):
                assert _exit_code(shlex.split(re.split(r" [<>] ", words)[0])) == 0, (one.name, words)
            seen += 1
    assert seen > 20


def test_decisions_are_numbered_once_each() -> None:
    """The pages of decisions count from 1 without a gap, in the file's name and in its heading alike."""
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    headings = [page.read_text("utf-8").split(".", 1)[0] for page in pages]

    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert headings == [f"# {number}" for number in range(1, len(pages) + 1)]
