"""``--json``: what every verb really prints, held against the one table that also is the documentation."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import polecat
from docs._ext.made_pages import fill
from polecat.cli import VERBS, _parser
from polecat.verbs.schemas import DOCUMENTS, SHAPES, document
from tests.cli_fixtures import Answer, Run, untouched
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, run_python, start_polecat_session
from tests.tmux_fixtures import eventually

ROOT = Path(__file__).parent.parent.parent
SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}


def faults(kind: str, value: Any, at: str = "") -> Iterator[str]:
    """Say where a value is not of the type that the table promises."""
    bare = kind.removesuffix(" or null")
    if value is None:
        if bare == kind:
            yield f"{at} is null"
    elif bare.startswith("list of "):
        if not isinstance(value, list):
            yield f"{at} is no list: {value!r}"
        else:
            for number, one in enumerate(value):
                yield from faults(bare.removeprefix("list of "), one, f"{at}[{number}]")
    elif bare in SHAPES:
        yield from _faults_of_fields(bare, value, at)
    elif bare == "time":
        if not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is None:
            yield f"{at} is no time with an offset: {value!r}"
    elif not isinstance(value, SCALARS[bare]) or (isinstance(value, bool) and bare != "boolean"):
        yield f"{at} is no {bare}: {value!r}"
    elif isinstance(value, dict) and not all(isinstance(one, str | int | float) for one in value.values()):
        yield f"{at} holds something else than strings and numbers"


def _faults_of_fields(shape: str, value: Any, at: str) -> Iterator[str]:
    names = [name for name, _, _ in SHAPES[shape]]
    if not isinstance(value, dict) or list(value) != names:
        yield f"{at} has the fields {list(value)!r}, not {names}"
        return
    for name, kind, _ in SHAPES[shape]:
        yield from faults(kind, value[name], f"{at}.{name}")


def checked(command: str, answer: Answer, *, code: int = 0) -> Any:
    """The document that was printed, proved to be what is promised for the command."""
    assert answer.code == code, answer
    assert list(faults(DOCUMENTS[command], answer.json)) == []
    return answer.json


# --------------------------------------------------------------------------------------------------------- the table


def test_the_page_is_made_from_the_table() -> None:
    """``docs/reference/json.md`` has a row for each document, and for each shape a section with a row for each field."""
    page = fill((ROOT / "docs" / "reference" / "json.md").read_text("utf-8"))
    for command in DOCUMENTS:
        assert f"| `polecat {command}` | " in page
    sections = dict(re.findall(r"^## ([\w ]+)$(.*?)(?=^\(json-|\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(SHAPES)
    for shape, section in sections.items():
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [name for name, _, _ in SHAPES[shape]]


def test_every_verb_takes_json() -> None:
    """Each verb, or each of its actions, that the help shows has ``--json``."""
    whole = _parser(VERBS)
    for verb, parser in whole.below().items():
        for one in parser.below().values() or [parser]:
            flags = [flag for action in one._actions for flag in action.option_strings]
            assert "--json" in flags or not VERBS[verb][1], one.prog


PRINTERS = ("answer", "json_text", "print_cats")
"""What prints a document under the name that it is given."""


def test_every_document_is_printed_by_somebody() -> None:
    """Each name that a verb prints JSON under is in the table, and each name of the table is printed."""
    named = set()
    for path in Path(str(polecat.__file__)).parent.glob("verbs/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PRINTERS:
                named |= {word.value for word in node.args[:2] if isinstance(word, ast.Constant)}
                documents = [word.value for word in node.keywords if word.arg == "document"]
                named |= {one.value for word in documents for one in ast.walk(word) if isinstance(one, ast.Constant)}
    assert named | {"send", "diff", "log"} == set(DOCUMENTS)  # `send` is `nudge`, and `diff` and `log` one verb under two names


def test_a_promised_field_cannot_be_forgotten() -> None:
    """A verb that leaves out a field that is promised fails, instead of printing less; what is not promised is not printed."""
    with pytest.raises(KeyError, match="path"):
        document("init", {"name": "t"})
    assert document("init", {"path": "/t", "name": "t", "secret": 1}) == {"name": "t", "path": "/t"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("string", 1), ("integer", True), ("time", "2026-01-13T12:00:00"), ("list of string", "a"), ("nudge", {}), ("string", None)],
)
def test_the_check_finds_what_is_wrong(kind: str, value: object) -> None:
    """A value of another type, a time without an offset and a missing field are faults."""
    assert list(faults(kind, value, "x"))


# ------------------------------------------------------------------------------------------------------ real programs


@pytest.mark.real
def test_verbs_that_look(town: HandTown, run: Run) -> None:
    """What looks and talks prints what is promised, with a dirty polecat on a hook and one that is done."""
    cat = checked("spawn", run("spawn", "gastown", "--hook", "gt-abc12", "--json"))
    checked("spawn --count", run("spawn", "gastown", "--count", "1", "--json"))
    (Path(cat["clone_path"]) / "draft.txt").write_text("draft")
    run("stop", "gastown/nux")
    before = untouched(town)

    plan = checked("spawn --dry-run", run("spawn", "gastown", "--count", "2", "--dry-run", "--json"))
    listed = checked("list", run("list", "--json"))
    status = checked("status", run("status", "gastown/furiosa", "--json"))
    attach = checked("attach", run("attach", "gastown/furiosa", "--json"))
    stale = checked("stale", run("stale", "gastown", "--json"))
    checked("capture", run("capture", "gastown/furiosa", "--json"))
    assert len(checked("wait", run("wait", "gastown/nux", "--json"), code=3)) == 1
    hook = checked("hook", run("hook", "show", "gastown/furiosa", "--json"))
    checked("rescue list", run("rescue", "list", "gastown", "--json"))
    checked("doctor", run("doctor", "--json"))
    before.check()

    assert (plan["count"], plan["polecat_name"], plan["hook_bead"]) == (2, "slit", None)
    assert [(one["polecat_name"], one["running"], one["clean"]) for one in listed] == [
        ("furiosa", True, False),
        ("nux", False, True),
    ]
    assert {risk["code"] for risk in status["risks"]} == {"uncommitted", "hooked"}
    assert status["state"] in ("working", "idle") and status["created_at"] == listed[0]["created_at"]
    assert attach["argv"][-1] == "=gt-gastown-furiosa"
    assert [(one["polecat_name"], one["stale"]) for one in stale] == [("furiosa", False), ("nux", True)]
    assert [(one["id"], one["assignee"]) for one in hook] == [("gt-abc12", "gastown/polecats/furiosa")]


@pytest.mark.real
def test_verbs_that_change(town: HandTown, run: Run) -> None:
    """What types, hooks, repairs, removes and tidies prints what is promised."""
    cat = checked("spawn", run("spawn", "gastown", "--json"))
    checked("nudge", run("nudge", "gastown/furiosa", "hello", "--json"))
    checked("stop", run("stop", "gastown/furiosa", "--json"))
    assert checked("start", run("start", "gastown/furiosa", "--fresh", "--json"))["branch"] == cat["branch"]
    town.server.run("kill-server")
    assert len(checked("start --all", run("start", "--all", "gastown", "--fresh", "--json"))) == 1
    run("stop", "gastown/furiosa")
    checked("hook", run("hook", "set", "gastown/furiosa", "gt-abc12", "--json"))
    checked("hook", run("hook", "clear", "gt-abc12", "--rig", "gastown", "--json"))
    (Path(cat["clone_path"]) / "draft.txt").write_text("draft")
    checked("repair", run("repair", "gastown/furiosa", "--force", "--json"))
    rescues = checked("rescue list", run("rescue", "list", "gastown", "--json"))
    shown = checked("rescue show", run("rescue", "show", "gastown", "furiosa", "--json"))
    assert (shown["ref"], shown["files"]) == (rescues[0]["ref"], {"draft.txt": "added"})
    checked("remove", run("remove", "gastown/furiosa", "--json"))
    start_polecat_session(town, "nux")
    assert checked("reconcile", run("reconcile", "gastown", "--json"))["orphans"] == ["nux"]
    git("branch", "polecat/gone-mk000001", "refs/remotes/origin/main", cwd=town.repo_dir)
    assert checked("prune", run("prune", "gastown", "--json"))["branches_deleted"] == ["polecat/gone-mk000001"]
    assert checked("warm", run("warm", "gastown", "1", "--json"))["made"] == 1


@pytest.mark.real
def test_verbs_that_begin(town: HandTown, run: Run, tmp_path: Path) -> None:
    """Making a town, adding a rig, the demo and completion print what is promised."""
    fresh = tmp_path / "fresh"
    assert checked("init", run("init", str(fresh), "--json"))["path"] == str(fresh)
    rig = checked("rig add", run("rig", "add", "demo", str(town.origin), "--town", str(fresh), "--json"))
    assert (rig["rig_name"], rig["default_branch"]) == ("demo", "main")
    assert checked("completion", run("completion", "bash", "--json"))["script"] == run("completion", "bash").out


@pytest.mark.real
def test_the_demo_in_json(tmp_path: Path) -> None:
    """The demo prints one document and leaves nothing behind, neither files nor sessions."""
    done = run_python("demo", "--json", cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    shown = checked("demo", Answer(code=done.returncode, out=done.stdout, err=done.stderr))
    assert [cat["polecat_name"] for cat in shown["spawned"]] == ["furiosa", "nux", "slit"]
    assert shown["removed"]["rescue"].startswith("refs/polecat/rescue/slit/")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_what_is_sent_from_stdin(town: HandTown, run: Run) -> None:
    """``send`` types what stdin holds, without its last line break, as one message, and prints what ``nudge`` prints."""
    run("spawn", "gastown")
    done = run_python("send", "gastown/furiosa", "--json", cwd=town.root, stdin="one\ntwo\n")
    checked("send", Answer(code=done.returncode, out=done.stdout, err=done.stderr))
    eventually(lambda: town.typed("furiosa").endswith(b"one\ntwo\r"), "it is typed whole")


def test_names_that_are_no_text(town: HandTown, run: Run) -> None:
    """A directory whose name is no UTF-8, or would move the cursor, is listed in valid JSON and in a table that moves nothing."""
    names = [b"b\xff", b"x\x1b[31m\ny"]
    for name in names:
        os.mkdir(os.fsencode(town.rig_dir / "polecats") + b"/" + name)
    listed = checked("list", run("list", "--json"))
    assert [os.fsencode(cat["polecat_name"]) for cat in listed] == names
    table = run("list").out
    assert "b\\xff" in table and "x\\x1b[31m\\x0ay" in table and "\x1b" not in table
    for name in names:
        os.rmdir(os.fsencode(town.rig_dir / "polecats") + b"/" + name)
