"""What the core says to people, word for word: a message is part of what is promised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from polecat import AgentFields, AgentNotFoundError, Bead, GitFacts, PolecatError
from polecat.core.agent_description import check_field_names, format_description, replace_fields
from polecat.core.agents import from_entry, from_runtime, resolve_agent
from polecat.core.bead_rules import check_can_be_given, check_is_agent, no_such_bead
from polecat.core.presets import PRESETS
from polecat.core.risk import SafetyFacts, judge_work
from polecat.core.sessions import parse_session_name
from polecat.documents import AgentEntry, RigSettings, RuntimeConfig, TownSettings
from polecat.names import check_bead_id, check_env_key, check_new_rig_name, check_polecat_name, check_prefix, check_rig_name

LETTERS = "may only hold letters, digits, '_' and '-', and must start with a letter or digit"
BUILT_IN = ", ".join(PRESETS)
MANY = ("a", "b", "c", "d", "e")


def resolve(name: str, **registries: dict[str, AgentEntry]) -> object:
    """Look a name up where each place defines one agent."""
    return resolve_agent(
        override=name,
        rig_settings=RigSettings(agents={"mine": RuntimeConfig(command="m")}),
        town_settings=TownSettings(agents={"ours": RuntimeConfig(command="o")}),
        rig_registry=registries.get("rig"),
        town_registry=registries.get("town"),
        which=lambda _: None,
    )


@pytest.mark.parametrize(
    ("act", "message", "hint"),
    [
        (lambda: check_polecat_name(""), "polecat name '' is empty", ""),
        (
            lambda: check_polecat_name("x" * 65),
            f"polecat name '{'x' * 60}…' is 65 characters long; at most 64 are allowed",
            "",
        ),
        (lambda: check_polecat_name("a.b"), f"polecat name 'a.b' {LETTERS}", ""),
        (lambda: check_polecat_name("Mayor"), "polecat name 'Mayor' is the name of a role", "choose another name"),
        (lambda: check_rig_name(""), "rig name '' is empty", ""),
        (lambda: check_rig_name("a/b"), f"rig name 'a/b' {LETTERS}", ""),
        (lambda: check_new_rig_name("My-rig.x y"), "rig name 'My-rig.x y' contains invalid characters", "use 'my_rig_x_y'"),
        (lambda: check_new_rig_name("Logs"), "rig name 'Logs' is the name of a role or of a town directory", ""),
        (
            lambda: check_bead_id("--force"),
            "bead name '--force' may only hold letters, digits, '_', '-' and '.', and must start with a letter or digit",
            "",
        ),
        (
            lambda: check_prefix("1-"),
            "prefix name '1-' is an invalid beads prefix: a letter, then up to 19 letters, digits, '-'",
            "",
        ),
        (lambda: check_env_key("A-B"), "environment variable name 'A-B' may only hold letters, digits and '_'", ""),
        (lambda: parse_session_name("mine"), "session name 'mine' is not a session of a town", ""),
        (
            lambda: check_can_be_given(Bead(id="gt-1", status="closed"), "a/polecats/nux", None),
            "bead gt-1 is closed; it cannot be given to a/polecats/nux",
            "reopen it first, or choose another",
        ),
        (
            lambda: check_can_be_given(Bead(id="gt-1", assignee="a/polecats/ace"), "a/polecats/nux", ""),
            "bead gt-1 is held by a/polecats/ace; nobody was expected",
            "look again",
        ),
        (
            lambda: check_can_be_given(Bead(id="gt-1"), "a/polecats/nux", "a/polecats/ace"),
            "bead gt-1 is held by nobody; 'a/polecats/ace' was expected",
            "look again",
        ),
        (lambda: check_is_agent(Bead(id="gt-1")), "bead gt-1 is not an agent bead: it lacks the label 'gt:agent'", ""),
        (
            lambda: from_runtime("", RuntimeConfig(provider="odd"), source="rig settings"),
            "agent 'runtime' names no program (rig settings)",
            "give it a 'command'",
        ),
        (
            lambda: from_entry(AgentEntry(name="mine"), source="town agents.json"),
            "agent 'mine' names no program (town agents.json)",
            "give it a 'command'",
        ),
        (
            lambda: resolve(
                "claud", rig={"r": AgentEntry(name="r")}, town={"r": AgentEntry(name="r"), "t": AgentEntry(name="t")}
            ),
            (
                f"no agent 'claud'; known here: {BUILT_IN}, mine (rig settings), ours (town settings), "
                "r (rig agents.json), t (town agents.json)"
            ),
            "did you mean 'claude'?",
        ),
        (
            lambda: resolve("zzzzzz"),
            f"no agent 'zzzzzz'; known here: {BUILT_IN}, mine (rig settings), ours (town settings)",
            "",
        ),
    ],
)
def test_refusals(act: Callable[[], object], message: str, hint: str) -> None:
    """Each refusal says what is wrong with what, and what to do where that is known."""
    with pytest.raises(PolecatError) as caught:
        act()

    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_refusal_lists_what_there_is_for_programs_too() -> None:
    """The error about an unknown agent has the known ones as a value."""
    with pytest.raises(AgentNotFoundError) as caught:
        resolve("nobody")

    assert caught.value.known == (*PRESETS, "mine", "ours")


def test_a_bead_that_is_missing() -> None:
    """The error for a missing bead names the bead and the store."""
    error = no_such_bead("gt-1", "this store")

    assert (error.message, error.hint) == ("there is no bead 'gt-1' in this store", "check the id")


@pytest.mark.parametrize(
    ("act", "kind", "message"),
    [
        (
            lambda: check_field_names({"colour": "", "a": "", "rig": ""}),
            TypeError,
            (
                "no such field of an agent bead: a, colour; there are role_type, rig, agent_state, hook_bead, role_bead, cleanup_status, "
                "active_mr, notification_level, host"
            ),
        ),
        (
            lambda: format_description("a\nb", AgentFields()),
            ValueError,
            "title of an agent bead must be one line, not 'a\\nb'",
        ),
        (
            lambda: replace_fields("t", {"hook_bead": "a\rb"}),
            ValueError,
            "hook_bead of an agent bead must be one line, not 'a\\rb'",
        ),
        (
            lambda: format_description("t", AgentFields(rig="a\0b")),
            ValueError,
            "rig of an agent bead must be one line, not 'a\\x00b'",
        ),
    ],
)
def test_mistakes_of_a_caller(act: Callable[[], object], kind: type[Exception], message: str) -> None:
    """What only a mistake in code can cause is a plain Python error that names the field."""
    with pytest.raises(kind) as caught:
        act()

    assert str(caught.value) == message


CLEAN = GitFacts(head="a" * 40, branch="polecat/nux", merged="ancestor")


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (SafetyFacts(git=GitFacts(modified=("a",), untracked=("b", "c"), merged="ancestor")), "3 uncommitted change(s)"),
        (SafetyFacts(git=GitFacts(in_progress=("rebase", "index.lock"))), "rebase, index.lock in progress"),
        (SafetyFacts(git=GitFacts(stashes=("c", "d"))), "2 stash(es)"),
        (SafetyFacts(git=GitFacts(unpushed=2, merged="no")), "2 unpushed commit(s)"),
        (SafetyFacts(git=GitFacts(submodules=("lib", "sub"))), "work in submodules (lib, sub)"),
        (SafetyFacts(git=GitFacts(nested=MANY[:3])), "repositories inside (a, b, c)"),
        (SafetyFacts(git=GitFacts(nested=MANY)), "repositories inside (a, b, c, … 2 more)"),
        (SafetyFacts(git=CLEAN, precious=(".env", "db")), "2 ignored file(s) that matter (.env, db)"),
        (SafetyFacts(git=CLEAN, stray=("notes",)), "files beside the worktree (notes)"),
        (SafetyFacts(git=CLEAN, hooked_bead="gt-1"), "bead gt-1 is on its hook"),
        (SafetyFacts(git=CLEAN, active_mr="mr-1"), "merge request mr-1 is open"),
        (SafetyFacts(git=CLEAN, inside=("vim (7)", "sh (8)")), "processes work in it (vim (7), sh (8))"),
        (SafetyFacts(git=CLEAN, caller_inside=True), "your working directory is in it; change to another one first"),
        (SafetyFacts(git=CLEAN, problems=("its beads (down)",)), "could not be checked: its beads (down)"),
        (SafetyFacts(git=GitFacts(problems=("status: timeout",))), "could not be checked: status: timeout"),
        (SafetyFacts(), "could not be checked: there is no worktree that could be looked at"),
        (
            SafetyFacts(cleanup_status="has_stash"),
            "it reported 'has_stash'; could not be checked: there is no worktree that could be looked at",
        ),
        (SafetyFacts(git=CLEAN), "clean"),
    ],
)
def test_risks(facts: SafetyFacts, text: str) -> None:
    """Each reason not to touch a polecat's work in words, several of them in a row."""
    assert str(judge_work(facts)) == text
