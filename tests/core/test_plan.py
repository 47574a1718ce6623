"""All decisions of one spawn as one value; pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from polecat import FetchPolicy, Rig, SpawnOptions
from polecat.core.plan import Choice, SpawnPlan, describe, identity_env, make_plan, process_env, typed_text
from polecat.core.presets import CLAUDE, PRESETS
from polecat.errors import SpawnRefusedError

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
    opts, choice = SpawnOptions(env={"LANG": "de"}), Choice(agent=CLAUDE, config_dir="/c")
    env = process_env(RIG, opts, choice, name="nux", instance="i1", caller=caller, place={})
    assert env["GT_ROLE"] == "polecat" and env["LANG"] == "de" and env["PATH"] == "/bin"
    assert env["CLAUDE_CONFIG_DIR"] == "/c" and env["POLECAT_ID"] == "i1"
    assert not {"CLAUDECODE", "NODE_OPTIONS"} & set(env)


def test_the_rigs_patience_counts_unless_the_spawn_has_its_own() -> None:
    """The setting ``ready_timeout_s`` of a rig holds for every spawn that does not say how long it waits."""
    patient = Choice(agent=CLAUDE, ready_timeout_s=300.0)

    assert plan(choice=patient).ready_timeout_s == 300.0
    assert plan(choice=patient, opts=SpawnOptions(ready_timeout_s=5.0)).ready_timeout_s == 5.0
    assert plan().ready_timeout_s == 60.0


# ----------------------------------------------------------------------------------------------------- every detail


WHOLE = Choice(
    agent=evolve(PRESETS["codex"], config_dir_env="CODEX_HOME"),
    account="work",
    config_dir="/c",
    fetch=FetchPolicy(when="if-older-than", max_age_s=90),
    accepts_trust=True,
    leave_out=("big",),
    has_gt=True,
    beads_dir="/b",
    variables=("PORT",),
    warnings=("first",),
)


def test_a_plan_as_a_whole() -> None:
    """Every decision of a spawn that was asked for everything."""
    opts = SpawnOptions(
        hook_bead="gt-1", base_branch="dev", prompt="the-prompt", nudge="go", env={"MINE": "1"}, ready_timeout_s=7.5, wait="ready"
    )

    made = make_plan(
        RIG, opts, WHOLE, name="nux", orphan_session="gt-gas-nux", unix_ms=1_768_000_000_000, local_time="2026-01-13T12:00"
    )

    assert made == SpawnPlan(
        rig_name="gas",
        polecat_name="nux",
        agent_id="gas/polecats/nux",
        branch="polecat/nux-mk7hjuv4",
        base_ref="refs/remotes/origin/dev",
        upstream="dev",
        clone_path=Path("/t/gas/polecats/nux/gas"),
        session_name="gt-gas-nux",
        orphan_session="gt-gas-nux",
        agent=WHOLE.agent,
        argv=("codex", "--yolo", "--no-daemon", "the-prompt"),
        environment=(
            "BD_ACTOR", "BEADS_AGENT_NAME", "BEADS_DIR", "BEADS_NO_DAEMON", "CODEX_HOME", "GIT_AUTHOR_NAME", "GT_POLECAT", "GT_RIG",
            "GT_ROLE", "GT_ROOT", "MINE", "PORT",
        ),
        account="work",
        config_dir="/c",
        hook_bead="gt-1",
        agent_bead="gt-gas-polecat-nux",
        fetch=FetchPolicy(when="if-older-than", max_age_s=90),
        typed="go",
        wait="ready",
        ready_timeout_s=7.5,
        accepts_trust=True,
        leave_out=("big",),
        warnings=("first",),
    )  # fmt: skip


def test_a_plan_that_was_asked_for_nothing() -> None:
    """Nothing is invented: no bead, no text, the rig's branch; a prompt for an agent that is typed to is not an argument too."""
    made = plan(opts=SpawnOptions(wait="no"))
    typed_to = plan(choice=Choice(agent=PRESETS["amp"]), opts=SpawnOptions(prompt="the-prompt", nudge="go"))

    assert (made.hook_bead, made.typed, made.wait, made.upstream, made.warnings) == ("", "", "no", "main", ())
    assert (made.account, made.config_dir, made.orphan_session, made.accepts_trust) == ("", "", "", False)
    assert (typed_to.argv, typed_to.typed) == (PRESETS["amp"].argv(), "the-prompt\n\ngo")


def test_the_nudge_names_who_where_and_when() -> None:
    """The start-up message that a plan holds is about its own polecat, at the plan's time."""
    made = plan(choice=Choice(agent=CLAUDE, has_gt=True))

    assert made.typed.startswith("[GAS TOWN] gas/polecats/nux <- witness • 2026-01-13T12:00 • assigned\n\nLook at your hook")


def test_who_the_agent_is_told_it_is() -> None:
    """The identity of a polecat, complete; the account's directory goes into the agent's own variable, Claude's by default."""
    expected = {
        "GT_ROLE": "polecat",
        "GT_RIG": "gas",
        "GT_POLECAT": "nux",
        "BD_ACTOR": "gas/polecats/nux",
        "GIT_AUTHOR_NAME": "nux",
        "BEADS_AGENT_NAME": "gas/nux",
        "GT_ROOT": "/t",
        "BEADS_DIR": "/b",
        "BEADS_NO_DAEMON": "1",
    }

    assert identity_env(RIG, WHOLE, name="nux") == {**expected, "CODEX_HOME": "/c"}
    assert identity_env(RIG, evolve(WHOLE, agent=PRESETS["amp"]), name="nux") == {**expected, "CLAUDE_CONFIG_DIR": "/c"}


def test_what_was_asked_for_beats_the_place_and_the_place_beats_the_caller() -> None:
    """Variables of the spawn win over those of the place, these over the caller's; without a place there is none."""
    opts, caller = SpawnOptions(env={"A": "asked"}), {"A": "caller", "B": "caller", "C": "caller"}

    with_place = process_env(RIG, opts, WHOLE, name="nux", instance="i1", caller=caller, place={"A": "place", "B": "place"})
    without = process_env(RIG, opts, WHOLE, name="nux", instance="i1", caller=caller, place={})

    assert [with_place[key] for key in "ABC"] == ["asked", "place", "caller"]
    assert [without[key] for key in "ABC"] == ["asked", "caller", "caller"]
    assert without["GT_POLECAT"] == "nux"


def test_a_plan_described() -> None:
    """The dry run's rows, for a plan with everything and for one with nothing."""
    opts = SpawnOptions(hook_bead="gt-1", nudge="go", ready_timeout_s=7.5)
    full = make_plan(RIG, opts, WHOLE, name="nux", orphan_session="gt-gas-nux", unix_ms=1_768_000_000_000, local_time="")
    bare = plan(opts=SpawnOptions(wait="no"), unix_ms=1_768_000_000_000)

    assert describe(full) == [
        ("polecat", "gas/polecats/nux"),
        ("worktree", "/t/gas/polecats/nux/gas"),
        ("branch", "polecat/nux-mk7hjuv4 from origin/main (fetch: if older than 90 s)"),
        ("hook", "gt-1"),
        ("agent bead", "gt-gas-polecat-nux"),
        ("agent", "codex: codex"),
        ("account", "work"),
        ("session", "gt-gas-nux"),
        ("ends first", "gt-gas-nux"),
        ("waits", "until ready, at most 7.5 s"),
        ("types", "1 message"),
        ("warning", "first"),
    ]
    assert describe(bare) == [
        ("polecat", "gas/polecats/nux"),
        ("worktree", "/t/gas/polecats/nux/gas"),
        ("branch", f"polecat/nux-mk7hjuv4 from origin/main (fetch: {FetchPolicy().when})"),
        ("hook", "-"),
        ("agent bead", "gt-gas-polecat-nux"),
        ("agent", "claude: claude"),
        ("account", "-"),
        ("session", "gt-gas-nux"),
        ("ends first", "-"),
        ("waits", "no"),
        ("types", "nothing"),
    ]


def test_a_warning_of_the_choice_comes_before_those_of_the_plan() -> None:
    """What the resolution had to say is said first; the text that is not typed after it, word for word."""
    made = plan(choice=WHOLE, opts=SpawnOptions(wait="no", nudge="go"))

    assert made.warnings == ("first", "nothing was typed to the agent, because the spawn did not wait for it")
