"""Spawns that fail for real: the error says why, and nothing is left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from polecat import AgentDiedError, AgentNotFoundError, BeadsError, NotReadyError, SpawnFailedError, TmuxUnreachableError
from polecat.adapters import LocalBeads
from polecat.ports import AgentBead, AgentFields, Bead
from tests.git_fixtures import git
from tests.spawn_fixtures import SPARES, HandTown, shim_directory, start_session, with_path
from tests.tmux_fixtures import ENDS, eventually

pytestmark = pytest.mark.real

NEVER_READY = 'echo "loading the model"; exec sleep 600'


def test_an_agent_that_says_why_and_exits(bare_town: HandTown) -> None:
    """An agent that prints why and exits 3 gives an error with its words, its status and its fate; nothing is left (T-38)."""
    bare_town.agent("refuser", f'echo "licence expired"; {ENDS} 3')
    with pytest.raises(AgentDiedError, match="licence expired") as caught:
        bare_town.spawn(hook_bead="gt-abc12")
    error = caught.value
    assert (error.exit_code, error.signal, error.step) == (3, None, "ready")
    assert "status 3" in error.message
    assert error.screen.splitlines()[0] == "licence expired"
    assert error.left_behind == ()
    assert error.outcome().startswith("nothing was left behind (session, hook, agent bead, worktree, claim")
    bare_town.assert_nothing_left()


def test_the_hook_of_a_dead_agent_is_free_again(bare_town: HandTown) -> None:
    """After an agent died the bead is open and nobody's, and the agent bead is closed with an empty hook (T-38)."""
    bare_town.agent("refuser", "exit 3")
    with pytest.raises(AgentDiedError):
        bare_town.spawn(hook_bead="gt-abc12")
    bead = bare_town.store().bead("gt-abc12")
    assert bead is not None and (bead.status, bead.assignee) == ("open", "")
    agent = bare_town.store().agent("gt-gastown-polecat-furiosa")
    assert agent is not None and not agent.is_open and agent.fields.hook_bead == ""


def test_an_agent_that_exits_0_at_once_has_failed_too(bare_town: HandTown) -> None:
    """An agent that ends within the window has failed, whatever its status says (T-38)."""
    bare_town.agent("idler", "exit 0", tmux={})
    with pytest.raises(AgentDiedError, match="status 0") as caught:
        bare_town.spawn()
    assert caught.value.exit_code == 0
    bare_town.assert_nothing_left()


def test_an_agent_that_kills_itself(bare_town: HandTown) -> None:
    """An agent ended by a signal within the window is reported with that signal (T-38)."""
    bare_town.agent("victim", "echo started; sleep 0.2; kill -9 $$", tmux={})
    with pytest.raises(AgentDiedError, match="started") as caught:
        bare_town.spawn()
    assert (caught.value.exit_code, caught.value.signal) == (None, 9)
    bare_town.assert_nothing_left()


def test_a_program_whose_interpreter_is_missing(bare_town: HandTown) -> None:
    """A program that is there but cannot run fails with what the system said of it (T-38)."""
    script = bare_town.agent("broken", "exit 0")
    script.write_text("#!/no/such/interpreter\n")
    screens = []
    for _ in range(3):  # on a busy machine tmux may see the end before the last words
        with pytest.raises(AgentDiedError) as caught:
            bare_town.spawn()
        assert caught.value.exit_code in (126, 127)
        bare_town.assert_nothing_left()
        screens.append(caught.value.screen)
    assert any("interpreter" in screen or "not found" in screen for screen in screens)


def test_a_program_that_is_not_there(bare_town: HandTown) -> None:
    """A program that is not on PATH is refused before anything is touched (T-38)."""
    bare_town.define("ghost", {"command": "no-such-agent-anywhere"})
    with pytest.raises(AgentNotFoundError, match="no-such-agent-anywhere"):
        bare_town.spawn()
    assert not (bare_town.rig_dir / ".runtime" / "namepool-state.json").exists()
    bare_town.assert_nothing_left()


def test_an_agent_that_is_never_ready(bare_town: HandTown) -> None:
    """An agent that lives and shows no prompt in time is ended, and the error shows its screen; bounded in time (T-35)."""
    bare_town.agent("loader", NEVER_READY)
    with pytest.raises(NotReadyError, match="loading the model") as caught:
        bare_town.spawn(ready_timeout_s=0.6)
    assert caught.value.screen == "loading the model"
    assert "0.6 s" in caught.value.message
    bare_town.assert_nothing_left()


def test_children_of_a_failed_agent_end_with_it(bare_town: HandTown) -> None:
    """What the agent started ends too, also what left its session, when the spawn is taken back."""
    bare_town.agent("parent", "setsid sleep 601 & sleep 602 & echo loading; exec sleep 600")
    with pytest.raises(NotReadyError):
        bare_town.spawn(ready_timeout_s=0.6)
    bare_town.assert_nothing_left()


def test_work_of_an_agent_that_failed_is_kept(bare_town: HandTown) -> None:
    """An agent that wrote something before it died loses no work: it is kept, and the error says where."""
    bare_town.agent("author", "echo draft >draft.txt; exit 1")
    with pytest.raises(AgentDiedError) as caught:
        bare_town.spawn()
    [kept] = caught.value.left_behind
    assert ".trash" in kept
    drafts = list((bare_town.rig_dir / "polecats" / ".trash").rglob("draft.txt"))
    assert [path.read_text() for path in drafts] == ["draft\n"]
    assert [name for name in os.listdir(bare_town.rig_dir / "polecats") if not name.startswith(".")] == []


def test_commits_of_an_agent_that_failed_are_kept(bare_town: HandTown) -> None:
    """A branch with new commits outlives the undo, and the error names it."""
    bare_town.agent("committer", "git commit -q --allow-empty -m mine && exit 1")
    with pytest.raises(AgentDiedError) as caught:
        bare_town.spawn()
    [branch] = git("for-each-ref", "--format=%(refname:short)", "refs/heads/polecat", cwd=bare_town.repo_dir).split()
    assert any(branch in text for text in caught.value.left_behind)
    assert git("log", "-1", "--format=%s", branch, cwd=bare_town.repo_dir) == "mine"


def test_the_name_is_free_again_after_a_failure(town: HandTown) -> None:
    """A failed spawn uses no name up."""
    town.agent("refuser", "exit 3")
    with pytest.raises(AgentDiedError):
        town.spawn(agent="refuser")
    assert town.spawn().polecat_name == "furiosa"


# ------------------------------------------------------------------------------------------------- the store says no


def _refuse() -> NoReturn:
    raise BeadsError("the store is out of order")


class MakesNoAgent(LocalBeads):
    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        _refuse()


class HooksNothing(LocalBeads):
    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        _refuse()


class KeepsTheState(LocalBeads):
    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        if changes.get("agent_state") == "working":
            _refuse()
        return super().update_agent(bead_id, **changes)


def store_path(town: HandTown) -> Path:
    return town.rig_dir / ".runtime" / "polecat-beads.sqlite3"


@pytest.mark.parametrize("kind", [MakesNoAgent, HooksNothing])
def test_a_store_that_says_no_takes_everything_back(town: HandTown, kind: type[LocalBeads]) -> None:
    """If the agent bead cannot be made or the hook cannot be set, no agent starts and nothing remains (T-11, T-04)."""
    with pytest.raises(SpawnFailedError, match="out of order") as caught:
        town.spawn(beads=kind(store_path(town)), hook_bead="gt-abc12")
    assert caught.value.step == "hook"
    assert caught.value.left_behind == ()
    town.assert_nothing_left()
    bead = town.store().bead("gt-abc12")
    assert bead is None or bead.assignee == ""
    agent = town.store().agent("gt-gastown-polecat-furiosa")
    assert agent is None or not agent.is_open


def test_a_store_that_fails_after_the_agent_is_ready_is_a_warning(town: HandTown) -> None:
    """An agent that runs is not ended because its bead still says 'spawning'."""
    cat = town.spawn(beads=KeepsTheState(store_path(town)))
    assert any("out of order" in warning for warning in cat.warnings)
    assert town.sessions() == ["gt-gastown-furiosa"]


# ------------------------------------------------------------------------------------------------- programs say no


def test_a_session_that_somebody_else_makes_meanwhile(town: HandTown, tmp_path: Path) -> None:
    """If a foreign session takes our name after the look, the spawn fails, is taken back, and that session stays (T-10)."""
    hook = town.rig_dir / ".runtime" / "setup-hooks" / "steal"
    hook.parent.mkdir(parents=True)
    hook.write_text(
        f"#!/bin/sh\ntmux -S {town.server.socket} -f /dev/null new-session -d -s gt-gastown-furiosa 'exec sleep 600'\n"
    )
    hook.chmod(0o755)
    with pytest.raises(SpawnFailedError, match="gt-gastown-furiosa"):
        town.spawn()
    assert town.sessions() == ["gt-gastown-furiosa"]
    assert town.server.run("show-options", "-qv", "-t", "=gt-gastown-furiosa:", "@polecat_id") == ""
    town.server.run("kill-session", "-t", "=gt-gastown-furiosa")
    town.assert_nothing_left()


@pytest.mark.skipif(SPARES > 0, reason="a spare needs no checkout")
def test_a_checkout_that_fails_leaves_nothing(town: HandTown) -> None:
    """A repository whose objects are damaged fails the checkout; directory, branch and registration are gone again."""
    tree = git("rev-parse", "main:README.md", cwd=town.repo_dir)
    for pack in (town.repo_dir / "objects" / "pack").glob("*"):
        pack.chmod(0o644)
    loose = town.repo_dir / "objects" / tree[:2] / tree[2:]
    if not loose.exists():
        pytest.skip("the clone is packed")
    loose.chmod(0o644)
    loose.write_bytes(b"")
    with pytest.raises(SpawnFailedError) as caught:
        town.spawn(fetch=None)
    assert caught.value.step == "worktree"
    town.assert_nothing_left()


def test_git_that_hangs_is_ended_at_its_limit(town: HandTown, tmp_path: Path) -> None:
    """A remote that never answers is given up after the configured time; the spawn goes on with what was fetched before."""
    town.settings(fetch_timeout_s=0.5)
    real = shutil.which("git")
    body = f'for word; do case $word in fetch) exec sleep 600;; esac; done\nexec {real} "$@"'
    cat = town.spawn(environ=with_path(shim_directory(tmp_path / "bin", git=body)))
    assert any("could not be reached" in warning for warning in cat.warnings)
    assert cat.base_commit == git("rev-parse", "main", cwd=town.origin)


def test_an_unreachable_tmux_is_not_an_empty_one(town: HandTown, tmp_path: Path) -> None:
    """A tmux that cannot be asked refuses the spawn before anything is touched; it does not count as 'no sessions' (T-25)."""
    shim = shim_directory(tmp_path / "bin", tmux='echo "error connecting to /tmp/x (Permission denied)" >&2; exit 1')
    with pytest.raises(TmuxUnreachableError, match="Permission denied"):
        town.spawn(environ=with_path(shim))
    assert not (town.rig_dir / ".runtime" / "namepool-state.json").exists()
    town.assert_nothing_left()


def test_a_failure_leaves_the_neighbours_alone(bare_town: HandTown) -> None:
    """Undoing one spawn ends no other session and touches no other worktree."""
    bare_town.agent("recorder", 'printf "> "; exec cat')
    neighbour = bare_town.spawn()
    start_session(bare_town.server, "gt-gastown-nux-2")
    bare_town.agent("refuser", "exit 3")
    with pytest.raises(AgentDiedError):
        bare_town.spawn(agent="refuser")
    assert sorted(bare_town.sessions()) == ["gt-gastown-furiosa", "gt-gastown-nux-2"]
    assert neighbour.clone_path.is_dir() and Path(f"/proc/{neighbour.pid}").exists()
    eventually(lambda: os.listdir(bare_town.rig_dir / "polecats") == ["furiosa"], "the failed one's home is gone")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda rig: (rig / "polecats" / "furiosa").write_text("a file"), id="a file in place of a home"),
        pytest.param(lambda rig: (rig / "polecats" / "furiosa").symlink_to("/nowhere"), id="a dead link in place of a home"),
    ],
)
def test_what_is_no_home_keeps_its_name(town: HandTown, spoil: Callable[[Path], object]) -> None:
    """Whatever stands in the place of a home is left alone, and its name is not given out."""
    spoil(town.rig_dir)
    assert town.spawn().polecat_name == "nux"
    assert os.path.lexists(town.rig_dir / "polecats" / "furiosa")
