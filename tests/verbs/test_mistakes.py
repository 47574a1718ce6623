"""Typing errors: the words that were probably meant, on few lines, with the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat.cli import SYNONYMS, VERBS
from polecat.testing.worlds import make_town
from tests.cli_fixtures import Run


@pytest.fixture
def in_town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A town with two rigs and two polecats, as the working directory. No program is needed to misspell."""
    root = make_town(tmp_path / "town", rigs=("gastown", "beads"))
    for name in ("furiosa", "nux"):
        (root / "gastown" / "polecats" / name).mkdir()
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("spwan gastown", "no verb 'spwan'; did you mean 'spawn'?"),
        ("hook shwo gastown/nux", "no action 'shwo'; did you mean 'show'?"),
        ("rig ad", "no action 'ad'; did you mean 'add'?"),
        ("completion bahs", "no shell 'bahs'; did you mean 'bash'?"),
        ("spawn gastown --hok x", "no option '--hok'; did you mean '--hook'?"),
        ("spawn gastown --base-brunch=x", "no option '--base-brunch'; did you mean '--base-branch'?"),
        ("remove gastown/nux --forc", "no option '--forc'; did you mean '--force'?"),
        ("hook set gastown/nux gt-1 --jsn", "no option '--jsn'; did you mean '--json'?"),
        ("diff gastown/nux --stat", "what is meant for git stands after --: polecat diff RIG/NAME -- --stat"),
        ("log gastown/nux --bsae main", "no option '--bsae'; did you mean '--base'?"),
        ("list a b", "'b' is more than it understands"),
        ("list --watch gastown", "polecat list gastown --watch"),
        ("spawn gastown --count 0", "must be a whole number from 1 to 1000, not '0'"),
        ("spawn gastown --count 99999999", "must be a whole number from 1 to 1000"),
        ("capture gastown/nux --lines many", "must be a whole number from 1"),
        ("stale gastown --threshold -1", "must be a whole number from 1"),
        ("warm gastown -3", "must be a whole number from 0"),
        ("spawn gastown --every 1e300", "must be between 0 and 86400 seconds"),
    ],
)
def test_wrong_usage_says_what_was_meant(in_town: Path, run: Run, words: str, meant: str) -> None:
    """Wrong usage is status 2 and three lines: how it is used, what is wrong, where to read on."""
    done = run(*words.split())
    assert (done.code, done.out) == (2, "")
    usage, error, more = done.err.splitlines()
    assert usage.startswith("usage: polecat ") and more.endswith(" --help")
    assert meant in error


def test_a_verb_nobody_knows_lists_those_there_are(run: Run) -> None:
    """Where nothing is near, what there is is listed, without what is for shells only."""
    error = run("zzzzz").err.splitlines()[1]
    assert "it is one of: spawn, list, " in error and "complete" not in error.replace("completion", "")


def test_no_words_at_all(run: Run) -> None:
    """polecat alone shows the help, as an error."""
    done = run()
    assert (done.code, done.out) == (2, "")
    assert "polecat demo" in done.err


def test_help_as_a_word(run: Run) -> None:
    """polecat help VERB is polecat VERB --help."""
    assert run("help", "spawn") == run("spawn", "--help")
    assert run("help") == run("--help")


def test_options_are_spelt_out(in_town: Path, run: Run) -> None:
    """A beginning of an option is no option: what is clear today may be ambiguous tomorrow."""
    assert run("list", "--js").code == 2


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["list", "gastwon"], "did you mean 'gastown'?"),
        (["list", ""], "it has gastown, beads"),
        (["status", "gastown/furioso"], "did you mean 'furiosa'?"),
        (["status", "gastown/zebra"], "it has furiosa, nux"),
        (["status", "nux"], "did you mean gastown/nux?"),
        (["attach", "gastown"], "did you mean gastown/furiosa or gastown/nux?"),
        (["capture", ""], "write it as RIG/NAME"),
        (["nudge", "a/b/c/d", "x"], "write it as RIG/NAME"),
        (["list", "--town", ""], "--town is empty"),
        (["list", "--socket", ""], "--socket is empty"),
        (["init", ""], "'' is no directory"),
        (["nudge", "gastown/nux", ""], "nothing to send"),
        (["nudge", "gastown/nux", "a\0b"], "holds a NUL"),
    ],
)
def test_what_was_named_is_not_there(in_town: Path, run: Run, words: list[str], meant: str) -> None:
    """What does not exist, and what is empty, is one error that says what was probably meant."""
    assert meant in run(*words).refused().err


@pytest.mark.parametrize("verb", ["list", "status", "spawn", "remove", "rescue list", "hook show", "init"])
def test_huge_words_give_short_errors(in_town: Path, run: Run, verb: str) -> None:
    """However long what was typed is, no line of the answer is."""
    done = run(*verb.split(), "x" * 100_000)
    assert done.code in (1, 2)
    assert max(map(len, done.err.splitlines())) <= 1001


def test_what_was_typed_cannot_move_the_cursor(in_town: Path, run: Run) -> None:
    """Control characters come back as something to read."""
    assert "\x1b" not in run("list", "--town", "/\x1b[2J").refused("not in a town").err


@pytest.mark.parametrize(
    ("typed", "ours"),
    [("rm", "remove"), ("kill", "stop"), ("ps", "list"), ("logs", "capture"), ("new", "spawn"), ("open", "attach")],
)
def test_what_other_tools_call_it_is_answered_with_our_verb(run: Run, typed: str, ours: str) -> None:
    """A verb that other tools have is wrong usage, and the answer is the verb that does it here."""
    said = run(typed, "gastown/nux")

    assert (said.code, said.out) == (2, "")
    assert f"no verb '{typed}'; here it is '{ours}'" in said.err


def test_every_synonym_leads_to_a_verb() -> None:
    """No synonym is a verb of ours, and each leads to one, or is kept back until there is one."""
    assert not SYNONYMS.keys() & VERBS.keys()
    assert {verb.partition(" ")[0] for verb in SYNONYMS.values()} - VERBS.keys() <= {"start"}


@pytest.mark.parametrize(
    "words",
    [
        ("--beads", "a-1,a-2", "--hook", "a-1"),
        ("--beads", "a-1,a-2", "--count", "2"),
        ("--count", "2", "--name", "nux"),
        ("--nudge", "go", "--no-nudge"),
        ("--no-wait", "--ready-timeout", "3"),
        ("--attach", "--json"),
        ("--attach", "--count", "2"),
        ("--attach", "--dry-run"),
    ],
    ids=" ".join,
)
def test_options_that_contradict_each_other_are_wrong_usage(in_town: Path, run: Run, words: tuple[str, ...]) -> None:
    """They are refused before anything is looked at: status 2, one line that names both."""
    said = run("spawn", "gastown", *words)

    assert (said.code, said.out) == (2, "")
    assert " goes without " in said.err


def test_common_options_may_stand_before_the_verb(in_town: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--town``, ``--socket`` and ``--json`` mean the same before the verb as behind it; a verb that lacks one still says so."""
    monkeypatch.chdir("/")
    before, behind = ("--town", str(in_town), "--json"), (f"--town={in_town}", "--json")

    assert run(*before, "list").json == run("list", *behind).json
    assert run(*behind, "rig", "list").json == run("rig", "list", *before).json
    assert "no option '--town'" in run("--town", "x", "completion", "bash").err
