"""One spawn, end to end, with the real git and the real tmux, in a town that was laid out by hand."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from polecat import (
    PolecatState,
    SpawnRefusedError,
    World,
    get_polecat,
    nudge_polecat,
    reconcile_pool,
    remove_polecat,
    start_polecat,
    stop_polecat,
)
from polecat.errors import BeadTakenError, SessionNotFoundError
from tests.git_fixtures import git
from tests.spawn_fixtures import RECORD, HandTown, agent_env, hand_town, start_polecat_session, start_session, wait_for
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real


def test_two_spawns_give_the_first_two_names(town: HandTown) -> None:
    """Two spawns in a fresh rig give furiosa and nux, each with home, worktree, branch and session of its own."""
    first, second = town.spawn(), town.spawn()
    assert [first.polecat_name, second.polecat_name] == ["furiosa", "nux"]
    assert [first.agent_id, second.agent_id] == ["gastown/polecats/furiosa", "gastown/polecats/nux"]
    assert sorted(town.sessions()) == ["gt-gastown-furiosa", "gt-gastown-nux"]
    for cat in (first, second):
        assert cat.clone_path == town.rig_dir / "polecats" / cat.polecat_name / "gastown"
        assert (cat.clone_path / "README.md").read_text() == "a project\n"
        assert git("status", "--porcelain", cwd=cat.clone_path) == ""
        assert git("symbolic-ref", "--short", "HEAD", cwd=cat.clone_path) == cat.branch
        assert re.fullmatch(rf"polecat/{cat.polecat_name}-[0-9a-z]+", cat.branch)
    assert first.branch != second.branch


def test_the_result_says_where_the_agent_is(town: HandTown) -> None:
    """Pane, session id, process id and instance of the result are those tmux and the kernel know."""
    cat = town.spawn()
    listed = town.server.run("list-panes", "-a", "-F", "#{session_id} #{session_name} #{pane_id} #{pane_pid} #{@polecat_id}")
    assert listed == f"{cat.session_id} {cat.session_name} {cat.pane} {cat.pid} {cat.instance}"
    assert Path(f"/proc/{cat.pid}/cwd").resolve() == cat.clone_path.resolve()
    assert cat.readiness == "ready"
    assert cat.warnings == ()
    assert cat.tmux_socket == str(town.server.socket)


def test_the_worktree_starts_at_the_tip_of_the_remote(town: HandTown) -> None:
    """The branch starts at the tip of the remote's default branch, tracks it, and the commit is in the result."""
    cat = town.spawn()
    assert cat.base_commit == git("rev-parse", "main", cwd=town.origin)
    assert git("rev-parse", "HEAD", cwd=cat.clone_path) == cat.base_commit
    assert git("rev-parse", "--abbrev-ref", "@{upstream}", cwd=cat.clone_path) == "origin/main"


def test_the_event_is_exactly_the_contracts(town: HandTown) -> None:
    """A spawn appends one line to the town's feed, byte for byte as contract §14 says, wherever the caller stands."""
    town.spawn()
    [line] = (town.root / ".events.jsonl").read_text().splitlines()
    payload = '"payload":{"polecat":"furiosa","rig":"gastown"},"visibility":"feed"}'
    assert re.fullmatch(
        r'\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","source":"gt","type":"spawn","actor":"gt",' + re.escape(payload), line
    )


def test_an_orphan_session_ends_first_and_neighbours_stay(town: HandTown) -> None:
    """The orphan gt-<rig>-furiosa is ended; witness, crew, another rig's sessions and names that only begin alike stay (T-44)."""
    neighbours = ["gt-gastown-witness", "gt-gastown-crew-max", "gt-otherrig-furiosa", "gt-gastown-furiosa-2", "mine"]
    for name in neighbours:
        start_session(town.server, name)
    start_polecat_session(town, "furiosa")
    orphan = town.server.run("display-message", "-p", "-t", "=gt-gastown-furiosa:", "#{session_id}")
    cat = town.spawn()
    assert cat.polecat_name == "furiosa"
    assert cat.session_id != orphan
    assert sorted(town.sessions()) == sorted([*neighbours, "gt-gastown-furiosa"])


def test_a_foreign_session_of_our_name_is_never_ended(town: HandTown) -> None:
    """A session whose own environment says it is somebody else keeps its name; the next one is given."""
    start_session(town.server, "gt-gastown-furiosa", GT_ROLE="witness")
    assert town.spawn().polecat_name == "nux"
    assert sorted(town.sessions()) == ["gt-gastown-furiosa", "gt-gastown-nux"]


def test_a_home_without_a_session_keeps_its_name(town: HandTown) -> None:
    """A polecat whose session is gone is still there: its name is not given again, its files are not touched."""
    (town.rig_dir / "polecats" / "furiosa" / "gastown").mkdir(parents=True)
    (town.rig_dir / "polecats" / "furiosa" / "gastown" / "work.txt").write_text("precious")
    assert town.spawn().polecat_name == "nux"
    assert (town.rig_dir / "polecats" / "furiosa" / "gastown" / "work.txt").read_text() == "precious"


def test_the_status_bar_and_the_mouse_are_the_sessions_own(town: HandTown) -> None:
    """Status bar and mouse are set for the session, in the rig's colours, and nothing for the whole server."""
    before = town.server.run("start-server", ";", "show-options", "-g", code=None)
    cat = town.spawn()
    shown = town.server.run("show-options", "-t", f"={cat.session_name}:")
    assert "status-style" in shown and "bg=" in shown
    assert 'status-left "😺 gastown/furiosa "' in shown
    assert "mouse on" in shown
    if before:
        assert town.server.run("show-options", "-g") == before
    assert "gt " not in town.server.run("list-keys")


def test_a_crash_is_told_to_the_feed_and_the_session_goes(town: HandTown) -> None:
    """After kill -9 of a ready agent its session is gone and the feed has one session_death that says how."""
    cat = town.spawn()
    os.kill(cat.pid, signal.SIGKILL)
    wait_for(lambda: [e["type"] for e in town.events()], ["spawn", "session_death"], "the feed tells of the death")
    wait_for(town.sessions, [], "the session ends with its agent")
    payload = {"agent": cat.agent_id, "caller": "polecat", "reason": "signal 9", "session": cat.session_name}
    line = (town.root / ".events.jsonl").read_text().splitlines()[1]
    assert json.loads(line)["payload"] == payload
    assert json.loads(line)["actor"] == cat.agent_id
    assert list(json.loads(line)) == ["ts", "source", "type", "actor", "payload", "visibility"]
    assert cat.clone_path.is_dir(), "a crash loses no work"


def test_the_hook_is_in_the_embedded_store(town: HandTown) -> None:
    """Nothing else needs to be installed: the embedded store has the bead on the polecat's hook and the agent bead."""
    cat = town.spawn(hook_bead="gt-abc12")
    bead = town.store().bead("gt-abc12")
    assert bead is not None and (bead.status, bead.assignee) == ("hooked", "gastown/polecats/furiosa")
    agent = town.store().agent("gt-gastown-polecat-furiosa")
    assert agent is not None and agent.is_open
    assert (agent.fields.hook_bead, agent.fields.agent_state, agent.fields.rig) == ("gt-abc12", "working", "gastown")
    assert cat.hook_bead == "gt-abc12"


def test_no_hook_means_no_hook(town: HandTown) -> None:
    """Without a bead the agent bead has an empty hook."""
    assert town.spawn().hook_bead is None
    agent = town.store().agent("gt-gastown-polecat-furiosa")
    assert agent is not None and agent.fields.hook_bead == ""


def test_a_renamed_session_is_found_by_its_id(town: HandTown) -> None:
    """A session renamed by its user still holds its polecat's bead, and a second spawn takes neither bead nor name (T-28)."""
    cat = town.spawn(hook_bead="gt-abc12")
    town.server.run("rename-session", "-t", cat.session_id, "my-favourite")
    with pytest.raises(SpawnRefusedError, match="gastown/polecats/furiosa"):
        town.spawn(hook_bead="gt-abc12")
    assert town.spawn().polecat_name == "nux"
    assert sorted(town.sessions()) == ["gt-gastown-nux", "my-favourite"]
    assert Path(f"/proc/{cat.pid}").exists()


def test_a_commit_that_its_branch_has_left_is_saved(town: HandTown) -> None:
    """A clean polecat whose agent reset a commit away is removed without ado, and the commit is on a rescue ref."""
    cat, world = town.spawn(), World(tmux=town.server.cli())
    git("commit", "-q", "--allow-empty", "-m", "mine", cwd=cat.clone_path)
    left = git("rev-parse", "HEAD", cwd=cat.clone_path)
    git("reset", "-q", "--hard", "HEAD~1", cwd=cat.clone_path)

    done = remove_polecat(town.rig, cat, world=world)

    assert done.rescue and left in git("rev-list", done.rescue, f"--glob={done.rescue}.sub/*", cwd=town.repo_dir)


def test_a_persons_pane_in_the_agents_session_is_not_the_agents(town: HandTown) -> None:
    """A shell that a person opens beside the agent keeps nobody alive, and nothing that ends the agent ends it."""
    cat, world = town.spawn(), World(tmux=town.server.cli())
    person = int(town.server.run("split-window", "-dPF", "#{pane_pid}", "-t", f"={cat.session_name}:", "exec sleep 1000"))
    os.kill(cat.pid, signal.SIGKILL)
    wait_for(lambda: get_polecat(town.rig, cat, world=world).is_running, False, "the agent is known to be dead")
    remove_polecat(town.rig, cat, world=world)
    reconcile_pool(town.rig, world=world)

    assert Path(f"/proc/{person}/stat").read_text().rpartition(") ")[2][0] in "SR"


def test_a_program_that_somebody_started_in_the_agents_pane_is_not_typed_to(town: HandTown) -> None:
    """A shell in the agent's own pane (``respawn-pane``) would execute the text; the agent started there anew gets it."""
    cat, world = town.spawn(), World(tmux=town.server.cli())
    town.server.run("respawn-pane", "-k", "-t", cat.pane, "exec sh")
    with pytest.raises(SessionNotFoundError, match="another program was started"):
        nudge_polecat(town.rig, cat, "touch executed", world=world)
    path = town.rig_dir / ".runtime" / "polecats" / "furiosa.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "process_names": ["cat"]}))
    town.server.run("respawn-pane", "-k", "-t", cat.pane, "exec cat")
    wait_for(lambda: Path(f"/proc/{_pane_pid(town, cat.pane)}/comm").read_text(), "cat\n", "it is there")

    assert nudge_polecat(town.rig, cat, "hello", world=world).is_taken
    assert not (cat.clone_path / "executed").exists()


def test_a_program_that_somebody_started_in_the_agents_pane_is_no_agent_that_works(town: HandTown) -> None:
    """Whether the agent lives is unknown then, and says why; its bead is nobody else's; stopped and started anew it works again."""
    cat, world = town.spawn(hook_bead="gt-abc12"), World(tmux=town.server.cli())
    town.server.run("respawn-pane", "-k", "-t", cat.pane, "exec sh")
    wait_for(lambda: Path(f"/proc/{_pane_pid(town, cat.pane)}/comm").read_text(), "sh\n", "it is there")

    found = get_polecat(town.rig, cat, world=world)

    why = "another program was started in its pane: sh"
    assert (found.state, found.is_running, found.unknown["state"]) == (PolecatState.UNKNOWN, None, why)
    assert found.session_name == cat.session_name and found.issue == "gt-abc12"
    with pytest.raises(BeadTakenError, match=why):
        town.spawn(hook_bead="gt-abc12")
    stop_polecat(town.rig, cat, world=world)
    again = start_polecat(town.rig, cat, resume=False, world=world)
    assert get_polecat(town.rig, again, world=world).state is PolecatState.WORKING


@pytest.mark.parametrize("command", ["cat", "sh -c 'cat; true'"])
def test_an_agent_that_was_started_anew_in_its_pane_lives(town: HandTown, command: str) -> None:
    """As Gas Town does it, or from a shell; it is known by its name."""
    cat, world = town.spawn(), World(tmux=town.server.cli())
    path = town.rig_dir / ".runtime" / "polecats" / "furiosa.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "process_names": ["cat"]}))
    town.server.run("respawn-pane", "-k", "-t", cat.pane, command)

    wait_for(lambda: get_polecat(town.rig, cat, world=world).is_running, True, "the agent is known")


def _pane_pid(town: HandTown, pane: str) -> int:
    return int(town.server.run("display-message", "-p", "-t", pane, "#{pane_pid}"))


def test_a_bead_of_a_living_polecat_is_not_given_twice(town: HandTown) -> None:
    """A bead on the hook of a living polecat is refused, and the refusal names the holder; nothing is touched."""
    town.spawn(hook_bead="gt-abc12")
    with pytest.raises(SpawnRefusedError, match="gastown/polecats/furiosa"):
        town.spawn(hook_bead="gt-abc12")
    assert town.sessions() == ["gt-gastown-furiosa"]
    assert [name for name in os.listdir(town.rig_dir / "polecats") if name[0] != "."] == ["furiosa"]


def test_an_explicit_name_is_honoured(town: HandTown) -> None:
    """The name that was asked for is the name that is given."""
    assert town.spawn(name="toast").session_name == "gt-gastown-toast"


def test_two_towns_on_two_servers_do_not_know_each_other(town: HandTown, tmp_path: Path, template: Path) -> None:
    """Two towns with the same rig and names are independent, and $TMUX set to the other's server has no effect (T-53)."""
    (tmp_path / "other").mkdir()
    with hand_town(tmp_path / "other", template) as other:
        other.agent("recorder", RECORD)
        one = town.spawn()
        pointing_there = {**os.environ, "TMUX": f"{town.server.socket},1,0", "TMUX_PANE": one.pane}
        two = other.spawn(environ=pointing_there)
        assert [one.polecat_name, two.polecat_name] == ["furiosa", "furiosa"]
        assert town.sessions() == other.sessions() == ["gt-gastown-furiosa"]
        assert agent_env(two)["TMUX"].startswith(f"{other.server.socket},")
        os.kill(two.pid, signal.SIGKILL)
        eventually(lambda: other.sessions() == [], "the other town's agent dies alone")
        assert town.sessions() == ["gt-gastown-furiosa"]
