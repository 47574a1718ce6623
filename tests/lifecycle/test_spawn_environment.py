"""What an agent's own process sees: its environment, its arguments, its working directory; as the kernel says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polecat import AccountNotFoundError, SpawnRefusedError
from polecat.errors import PolecatError
from tests.git_fixtures import commit, contents_below, git
from tests.spawn_fixtures import (
    PROMPT,
    RECORD,
    SAY_ARGS,
    HandTown,
    agent_env,
    shim_directory,
    start_session,
    with_path,
    write_json,
)
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real

FOREIGN = {
    "GT_ROLE": "mayor",
    "GT_RIG": "elsewhere",
    "GT_CREW": "max",
    "CLAUDECODE": "1",
    "CLAUDE_CODE_ENTRYPOINT": "cli",
    "NODE_OPTIONS": "--inspect-brk",
    "BEADS_DB": "/elsewhere/beads.db",
    "GIT_DIR": "/elsewhere/.git",
    "GIT_INDEX_FILE": "/elsewhere/index",
    "TMUX_PANE": "%99",
}


def test_the_environment_is_complete_in_the_agents_own_process(town: HandTown) -> None:
    """Every variable of contract §10.1 is in /proc/<pid>/environ of the agent itself."""
    cat = town.spawn(env={"EXTRA": "a b'c\"d$e\nf"})
    env = agent_env(cat)
    expected = {
        "GT_ROLE": "polecat",
        "GT_RIG": "gastown",
        "GT_POLECAT": "furiosa",
        "BD_ACTOR": "gastown/polecats/furiosa",
        "GIT_AUTHOR_NAME": "furiosa",
        "BEADS_AGENT_NAME": "gastown/furiosa",
        "GT_ROOT": str(town.root),
        "BEADS_NO_DAEMON": "1",
        "POLECAT_ID": cat.instance,
        "EXTRA": "a b'c\"d$e\nf",
        "HOME": os.environ["HOME"],
        "PATH": os.environ["PATH"],
    }
    assert {key: env.get(key) for key in expected} == expected


def test_nothing_of_the_server_or_the_caller_leaks_in(town: HandTown) -> None:
    """Server and caller full of another agent's variables: the polecat's process has only intended values (T-31, T-32)."""
    town.server.run("new-session", "-d", "-s", "mine", "exec sleep 600", env=FOREIGN)
    cat = town.spawn(environ={**os.environ, **FOREIGN})
    env = agent_env(cat)
    assert env["GT_ROLE"] == "polecat" and env["GT_RIG"] == "gastown"
    assert env["TMUX_PANE"] == cat.pane
    assert not {"GT_CREW", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "NODE_OPTIONS", "BEADS_DB", "GIT_DIR", "GIT_INDEX_FILE"} & set(
        env
    )
    assert "POLECAT_LAUNCH" not in env


def test_the_calls_of_a_spawn_ignore_foreign_repositories(town: HandTown, tmp_path: Path) -> None:
    """GIT_DIR and its like in the caller's environment bend no git call of ours (T-32)."""
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    git("init", "-q", cwd=decoy)
    pointing = {"GIT_DIR": str(decoy / ".git"), "GIT_WORK_TREE": str(decoy), "GIT_INDEX_FILE": str(decoy / "index")}
    cat = town.spawn(environ={**os.environ, **pointing})
    assert cat.base_commit == git("rev-parse", "main", cwd=town.origin)
    assert git("for-each-ref", cwd=decoy) == ""


def test_windows_opened_later_know_whose_they_are(town: HandTown) -> None:
    """The session's own environment carries the identity, so that a window a person opens there has it too; no secret does."""
    cat = town.spawn(env={"SECRET": "s3cret"})
    shown = town.server.run("show-environment", "-t", cat.session_id)
    assert "GT_POLECAT=furiosa" in shown and "GT_ROLE=polecat" in shown
    everything = shown + town.server.run("show-environment", "-g") + town.server.run("show-options", "-t", cat.session_id)
    assert "s3cret" not in everything


def test_a_secret_stands_in_no_command_line_and_no_file(town: HandTown) -> None:
    """A variable given for the agent is in its process and nowhere else: no argument list, no file, no event (T-47)."""
    cat = town.spawn(env={"SECRET": "s3cret"}, hook_bead="gt-abc12")
    assert agent_env(cat)["SECRET"] == "s3cret"
    for pid in (cat.pid, int(town.server.run("display-message", "-p", "#{pid}"))):
        assert b"s3cret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert [path for path, data in contents_below(town.root).items() if b"s3cret" in data] == []


def test_the_pane_is_the_agent_itself(town: HandTown) -> None:
    """The pane's process is the program, with exactly its arguments; no shell stands in between."""
    script = town.agent("args", SAY_ARGS)
    words = ["--a", "b c", "$HOME", "x;", "", "it's"]
    town.define("args", {"command": str(script), "args": words, **PROMPT})
    cat = town.spawn(agent="args")
    assert town.args("furiosa") == words
    assert os.readlink(f"/proc/{cat.pid}/exe").endswith("/tee"), "the script has become its last program"


# --------------------------------------------------------------------------------------------------------- the prompt


def test_a_prompt_arrives_as_an_argument_exactly_once(bare_town: HandTown) -> None:
    """An agent that takes its instruction at its start gets it there, byte for byte, and nothing is typed (T-37, T-47)."""
    bare_town.agent("args", SAY_ARGS)
    prompt = "fix 'it' \"now\" $(rm -rf /) `id`;\n- and that\tümlaut 🐈;"
    cat = bare_town.spawn(prompt=prompt)
    assert bare_town.args(cat.polecat_name) == [prompt]
    assert bare_town.typed(cat.polecat_name) == b""


def test_a_prompt_is_typed_where_the_agent_cannot_take_it(bare_town: HandTown) -> None:
    """An agent with prompt_mode 'none' gets its instruction typed once, with one Enter (T-37)."""
    bare_town.agent("args", SAY_ARGS, prompt_mode="none", tmux={"ready_prompt_prefix": "> "})
    cat = bare_town.spawn(prompt="fix it")
    eventually(lambda: bare_town.typed(cat.polecat_name) == b"fix it\r", "the prompt is typed")
    assert bare_town.args(cat.polecat_name) == []


def test_a_prompt_that_looks_like_an_option(bare_town: HandTown) -> None:
    """A prompt with a leading dash is never taken for an option of an agent."""
    bare_town.agent("args", SAY_ARGS)
    cat = bare_town.spawn(prompt="-rf everything")
    assert bare_town.args(cat.polecat_name)[-1].lstrip() == "-rf everything"


def test_a_long_prompt_arrives_whole(bare_town: HandTown) -> None:
    """100 KB of prompt and 30 KB of environment arrive whole, though tmux takes 16 KB (T-39)."""
    bare_town.agent("args", SAY_ARGS)
    prompt = "ä" * 50_000
    cat = bare_town.spawn(prompt=prompt, env={f"BIG_{n}": "x" * 10_000 for n in range(3)})
    assert bare_town.args(cat.polecat_name) == [prompt]
    assert len(agent_env(cat)["BIG_2"]) == 10_000


def test_a_prompt_too_long_for_the_system_is_refused_before_anything_is_touched(bare_town: HandTown) -> None:
    """A prompt no program could be given is a clear error with nothing made (T-39)."""
    bare_town.agent("args", SAY_ARGS)
    with pytest.raises(SpawnRefusedError, match="200000 bytes"):
        bare_town.spawn(prompt="x" * 200_000)
    bare_town.assert_nothing_left()


def test_a_variable_too_long_for_the_system_is_a_clear_error(town: HandTown) -> None:
    """A variable no program could be given is a clear error, and nothing is left (T-39)."""
    with pytest.raises(PolecatError, match="BIG"):
        town.spawn(env={"BIG": "x" * 200_000})
    town.assert_nothing_left()


# ------------------------------------------------------------------------------------------------- accounts and agents


def test_the_account_reaches_the_agent(town: HandTown, tmp_path: Path) -> None:
    """The default account's configuration directory is in the agent's environment; one asked for by name beats it."""
    accounts = {handle: {"email": f"{handle}@x", "config_dir": str(tmp_path / handle)} for handle in ("home", "work")}
    write_json(town.root / "mayor" / "accounts.json", {"version": 1, "accounts": accounts, "default": "home"})
    assert agent_env(town.spawn())["CLAUDE_CONFIG_DIR"] == str(tmp_path / "home")
    assert agent_env(town.spawn(account="work"))["CLAUDE_CONFIG_DIR"] == str(tmp_path / "work")


def test_an_account_that_does_not_exist(town: HandTown) -> None:
    """An account nobody defined is refused before anything is touched."""
    with pytest.raises(AccountNotFoundError):
        town.spawn(account="nobody")
    town.assert_nothing_left()


def test_an_override_is_used_for_everything(town: HandTown) -> None:
    """The agent one spawn asks for decides command, readiness and prompt alike (T-34)."""
    town.agent("other", SAY_ARGS.replace('"> "', '"other# "'), prompt_mode="none", tmux={"ready_prompt_prefix": "other# "})
    cat = town.spawn(agent="other", prompt="hello", ready_timeout_s=10.0)
    assert cat.agent == "other"
    eventually(lambda: town.typed("furiosa") == b"hello\r", "the prompt is typed")
    assert town.args("furiosa") == []


# ------------------------------------------------------------------------------------------------------------ nudges


def test_nothing_is_typed_that_was_not_asked_for(town: HandTown) -> None:
    """Without gt on PATH and without a nudge nothing is typed, Escape included (T-42)."""
    cat = town.spawn(hook_bead="gt-abc12")
    town.server.run("send-keys", "-t", cat.pane, "-l", "end")
    eventually(lambda: town.typed("furiosa").endswith(b"end"), "what a person types arrives")
    assert town.typed("furiosa") == b"end"


def test_the_nudges_of_the_contract_come_where_gt_is(town: HandTown, tmp_path: Path) -> None:
    """With gt on PATH the beacon arrives: its header byte for byte, then what to do, one message and one Enter."""
    cat = town.spawn(hook_bead="gt-abc12", environ=with_path(shim_directory(tmp_path / "bin", gt="exit 0")))
    eventually(lambda: town.typed("furiosa").endswith(b"\r"), "the nudge is typed")
    text = town.typed("furiosa").decode()
    header, blank, body = text.split("\n")
    assert header.startswith("[GAS TOWN] gastown/polecats/furiosa <- witness • 20")
    assert header.endswith(" • assigned")
    assert blank == "" and "gt hook" in body
    assert text.count("\r") == 1
    assert cat.readiness == "ready"


def test_no_nudge_where_none_is_wanted(town: HandTown, tmp_path: Path) -> None:
    """With gt on PATH and the nudge switched off nothing is typed."""
    cat = town.spawn(nudge=None, environ=with_path(shim_directory(tmp_path / "bin", gt="exit 0")))
    town.server.run("send-keys", "-t", cat.pane, "-l", "end")
    eventually(lambda: town.typed("furiosa").endswith(b"end"), "what a person types arrives")
    assert town.typed("furiosa") == b"end"


NUDGES = {
    "several lines": "one\ntwo\n\nfour",
    "leading dash": "-l --help",
    "trailing semicolon": "do it;",
    "shell": "$(id) `id` $HOME 'a' \"b\" \\n #{pane_id}",
    "unicode": "ünï 🐈 日本語",
    "long": "0123456789abcdef" * 1250,
}


@pytest.mark.parametrize("kind", NUDGES)
def test_a_nudge_arrives_whole_with_one_enter(town: HandTown, kind: str) -> None:
    """Several lines, UTF-8, 20 KB, a leading dash, a trailing semicolon and shell characters arrive unchanged (T-41)."""
    town.spawn(nudge=NUDGES[kind])
    wanted = NUDGES[kind].encode() + b"\r"
    eventually(lambda: len(town.typed("furiosa")) >= len(wanted), "the nudge is typed")
    assert town.typed("furiosa") == wanted


def test_prompt_and_nudge_are_one_message_where_both_are_typed(bare_town: HandTown) -> None:
    """What is typed is typed as one message, because a second one would interrupt the answer to the first (T-37)."""
    bare_town.agent("recorder", RECORD, prompt_mode="none", tmux={"ready_prompt_prefix": "> "})
    bare_town.spawn(prompt="fix it", nudge="go")
    eventually(lambda: bare_town.typed("furiosa").endswith(b"\r"), "it is typed")
    assert bare_town.typed("furiosa") == b"fix it\n\ngo\r"


def test_what_the_project_brings_cannot_pose_as_the_town(town: HandTown) -> None:
    """A mayor/ directory inside the project does not make the worktree a town of its own: GT_ROOT stays the real one."""
    commit(town.origin, {"mayor/town.json": "{}"}, "a decoy")
    start_session(town.server, "mine")
    assert agent_env(town.spawn())["GT_ROOT"] == str(town.root)
