"""Whose session is whose, and all decisions of one spawn as one value; pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from polecat import Rig, SpawnOptions
from polecat.errors import SpawnRefusedError
from polecat.plan import Choice, SpawnPlan, describe, make_plan, process_env, take_census, typed_text
from polecat.ports import Session
from polecat.presets import CLAUDE, PRESETS

RIG = Rig(name="gas", path=Path("/t/gas"), siblings=("gas-town", "other"))


def plan(*, choice: Choice | None = None, opts: SpawnOptions | None = None, unix_ms: int = 1_768_305_600_000) -> SpawnPlan:
    return make_plan(
        RIG,
        opts or SpawnOptions(),
        choice or Choice(agent=CLAUDE),
        name="nux",
        orphan_session="",
        unix_ms=unix_ms,
        local_time="2026-01-13T12:00",
    )


# ---------------------------------------------------------------------------------------------------------- census


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("gt-gas-nux", "nux"),
        ("gt-gas-nux-2", "nux-2"),
        ("gt-gas-gas-51", "gas-51"),
        ("gt-gas-witness", None),
        ("gt-gas-refinery", None),
        ("gt-gas-crew-max", None),
        ("gt-other-nux", None),
        ("gt-gas-town-nux", None),
        ("gt-gas", None),
        ("gt-gas-", None),
        ("GT-gas-nux", None),
        ("hq-mayor", None),
        ("xgt-gas-nux", None),
        ("gt-gasoline-nux", None),
        ("mine", None),
    ],
)
def test_whose_session_it_is_by_its_name(name: str, whose: str | None) -> None:
    """Only a whole, exact name is a polecat's; roles, crew, other rigs and longer rig names are not (T-44, T-46)."""
    census = take_census([Session(id="$1", name=name)], RIG)
    assert list(census.own) == ([] if whose is None else [whose])


@pytest.mark.parametrize(
    ("environment", "is_own"),
    [
        ({}, True),
        ({"GT_ROLE": "polecat"}, True),
        ({"GT_ROLE": "gas/polecats/nux"}, True),
        ({"GT_ROLE": "polecat", "GT_RIG": "gas", "GT_POLECAT": "nux"}, True),
        ({"GT_ROLE": ""}, True),
        ({"GT_ROLE": "witness"}, False),
        ({"GT_ROLE": "mayor"}, False),
        ({"GT_ROLE": "other/polecats/nux"}, False),
        ({"GT_RIG": "other"}, False),
        ({"GT_POLECAT": "furiosa"}, False),
        ({"GT_ROLE": "polecat", "GT_CREW": "max"}, False),
    ],
)
def test_whose_session_it_is_by_what_it_says(environment: dict[str, str], is_own: bool) -> None:
    """A session whose own environment says it is something else is never ours to end, and its name is not free (T-24)."""
    census = take_census([Session(id="$1", name="gt-gas-nux", environment=environment)], RIG)
    assert ("nux" in census.own) is is_own


def test_a_renamed_session_is_found_by_its_stamp() -> None:
    """A session that a person renamed is still found by our instance id (T-28)."""
    census = take_census([Session(id="$1", name="favourite", instance="i1"), Session(id="$2", name="x")], RIG)
    assert set(census.by_instance) == {"i1"}
    assert census.by_instance["i1"].id == "$1"


# ------------------------------------------------------------------------------------------------------------ plan


def test_a_plan_is_a_value() -> None:
    """The same question at the same time gives the same plan; a millisecond later the branch is another one (T-52)."""
    assert plan() == plan()
    assert plan(unix_ms=1) != plan(unix_ms=2)
    assert evolve(plan(unix_ms=1), branch="") == evolve(plan(unix_ms=2), branch="")


def test_a_plan_names_everything() -> None:
    """Address, branch, worktree, session and agent bead all come from rig and name."""
    made = plan(opts=SpawnOptions(hook_bead="gt-1"))
    assert made.agent_id == "gas/polecats/nux"
    assert made.branch.startswith("polecat/nux-")
    assert made.base_ref == "refs/remotes/origin/main"
    assert made.clone_path == Path("/t/gas/polecats/nux/gas")
    assert made.session_name == "gt-gas-nux"
    assert made.agent_bead == "gt-gas-polecat-nux"
    assert made.hook_bead == "gt-1"


def test_a_plan_shows_no_secret() -> None:
    """Printed or logged, a plan has the names of the variables and not what is in them (T-47)."""
    made = plan(opts=SpawnOptions(env={"TOKEN": "s3cret"}, prompt="do s3cret things"))
    shown = repr(made) + "".join(text for row in describe(made) for text in row)
    assert "TOKEN" in made.environment
    assert "s3cret" not in shown


def test_options_beat_the_rig() -> None:
    """Base branch and fetch policy of the spawn win over those of the rig."""
    made = plan(opts=SpawnOptions(base_branch="dev"))
    assert (made.upstream, made.base_ref) == ("dev", "refs/remotes/origin/dev")


def test_a_prompt_no_argument_can_hold_is_refused_while_planning() -> None:
    """What the system could not pass is refused by the plan already, so before anything is touched (T-39)."""
    with pytest.raises(SpawnRefusedError):
        plan(opts=SpawnOptions(prompt="x" * 200_000))
    with pytest.raises(SpawnRefusedError):
        plan(opts=SpawnOptions(prompt="a\0b"))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_an_instruction_reaches_an_agent_exactly_once(name: str) -> None:
    """Of every built-in agent: the prompt is an argument or typed, never both and never neither (T-37)."""
    made = plan(choice=Choice(agent=PRESETS[name]), opts=SpawnOptions(prompt="the-prompt", nudge=None))
    assert [*made.argv, made.typed].count("the-prompt") == 1


@pytest.mark.parametrize(
    ("nudge", "has_gt", "typed"),
    [("auto", False, ""), (None, True, ""), ("", True, ""), ("go", False, "go"), ("go", True, "go")],
)
def test_what_is_typed(nudge: str | None, has_gt: bool, typed: str) -> None:
    """Nothing is typed that was not asked for, unless Gas Town's program is there."""
    text, warnings = typed_text(
        RIG, SpawnOptions(nudge=nudge), Choice(agent=CLAUDE, has_gt=has_gt), name="nux", local_time="2026-01-13T12:00"
    )
    assert (text, warnings) == (typed, ())


def test_the_nudge_of_gas_town() -> None:
    """Where gt is, the header is exactly the contract's, and the rest says what is on the hook."""
    for hook, said in (("gt-1", "begin at once; nobody will confirm"), (None, "if not, wait")):
        opts = SpawnOptions(hook_bead=hook)
        text, _ = typed_text(RIG, opts, Choice(agent=CLAUDE, has_gt=True), name="nux", local_time="2026-01-13T12:00")
        header, blank, body = text.split("\n")
        assert header == "[GAS TOWN] gas/polecats/nux <- witness • 2026-01-13T12:00 • assigned"
        assert blank == "" and said in body


def test_what_is_not_awaited_is_not_typed_to() -> None:
    """Without waiting nothing is typed, and that is said."""
    made = plan(opts=SpawnOptions(wait="no", nudge="go"))
    assert made.typed == "" and any("nothing was typed" in text for text in made.warnings)


def test_the_environment_of_the_process() -> None:
    """The caller's environment without foreign identity, then ours, then what was asked; the instance is always in it (T-31)."""
    caller = {"PATH": "/bin", "GT_ROLE": "mayor", "CLAUDECODE": "1", "NODE_OPTIONS": "x", "LANG": "C"}
    env = process_env(
        RIG, SpawnOptions(env={"LANG": "de"}), Choice(agent=CLAUDE, config_dir="/c"), name="nux", instance="i1", caller=caller
    )
    assert env["GT_ROLE"] == "polecat" and env["LANG"] == "de" and env["PATH"] == "/bin"
    assert env["CLAUDE_CONFIG_DIR"] == "/c" and env["POLECAT_ID"] == "i1"
    assert not {"CLAUDECODE", "NODE_OPTIONS"} & set(env)


def test_the_rigs_patience_counts_unless_the_spawn_has_its_own() -> None:
    """The setting ``ready_timeout_s`` of a rig holds for every spawn that does not say how long it waits."""
    patient = Choice(agent=CLAUDE, ready_timeout_s=300.0)

    assert plan(choice=patient).ready_timeout_s == 300.0
    assert plan(choice=patient, opts=SpawnOptions(ready_timeout_s=5.0)).ready_timeout_s == 5.0
    assert plan().ready_timeout_s == 60.0
