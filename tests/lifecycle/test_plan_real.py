"""A plan, with real git and a real tmux: it touches nothing, and the spawn then does exactly that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polecat import SpawnOptions, plan_spawn, reconcile_pool, spawn_for_sling
from polecat.adapters import GitCli
from polecat.ports import World
from polecat.testing import FakeClock
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, agent_env, start_polecat_session, tree_of

pytestmark = pytest.mark.real

OPTIONS = SpawnOptions(hook_bead="gt-abc12", base_branch="dev", prompt="do it", env={"MINE": "1"}, nudge=None)
OPTIONS_ON_MAIN = SpawnOptions(prompt="-do it\twell", nudge=None)


def everything(town: HandTown, *leave_out: str) -> dict[str, object]:
    """Every file of town and origin byte by byte, every ref, every session."""
    return {
        "files": tree_of(town.root, leave_out=leave_out),
        "origin": tree_of(town.origin),
        "refs": git("for-each-ref", cwd=town.repo_dir),
        "sessions": town.server.run("list-sessions", "-F", "#{session_id} #{session_name} #{pane_pid}", code=None),
    }


def test_a_plan_touches_nothing_and_the_spawn_does_just_that(town: HandTown) -> None:
    """T-52: no file, no ref and no session changes; then every decision of the plan is found in what was made."""
    git("branch", "dev", cwd=town.origin)
    git("commit", "-q", "--allow-empty", "-m", "ahead", cwd=town.origin)
    git("fetch", "-q", "origin", cwd=town.repo_dir)
    start_polecat_session(town, "furiosa")
    tmux, real_git, clock = town.server.cli(), GitCli(), FakeClock()
    before = everything(town)

    plan = plan_spawn(town.rig, OPTIONS, world=World(tmux=tmux, git=real_git, clock=clock))
    again = plan_spawn(town.rig, OPTIONS, world=World(tmux=tmux, git=real_git, clock=clock))

    assert everything(town) == before
    assert again == plan

    cat = spawn_for_sling(town.rig, OPTIONS, world=World(tmux=tmux, git=real_git, clock=clock))

    assert plan.orphan_session == "gt-gastown-furiosa"
    assert [session.instance for session in tmux.list_sessions()] == [cat.instance]
    assert (cat.agent_id, cat.branch, cat.clone_path) == (plan.agent_id, plan.branch, plan.clone_path)
    assert (cat.session_name, cat.agent, cat.hook_bead) == (plan.session_name, plan.agent.name, plan.hook_bead)
    assert cat.base_commit == git("rev-parse", plan.base_ref, cwd=town.repo_dir) == git("rev-parse", "HEAD", cwd=plan.clone_path)
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=plan.clone_path) == plan.branch
    assert git("rev-parse", "--abbrev-ref", "HEAD@{upstream}", cwd=plan.clone_path) == f"origin/{plan.upstream}"
    assert set(plan.environment) <= set(agent_env(cat))
    agent_bead = town.store().agent(plan.agent_bead)
    assert agent_bead is not None and agent_bead.fields.hook_bead == plan.hook_bead


def test_the_command_of_the_plan_is_the_command_that_runs(bare_town: HandTown, tmp_path: Path) -> None:
    """The agent is started with the plan's arguments, in the planned order, in the planned worktree."""
    town = bare_town
    script = town.agent("args", f'printf "%s\\n" "$0" "$@" >{tmp_path}/ran; pwd >>{tmp_path}/ran; printf "> "; exec sleep 600')
    tmux, real_git = town.server.cli(), GitCli()

    plan = plan_spawn(town.rig, OPTIONS_ON_MAIN, world=World(tmux=tmux, git=real_git))
    spawn_for_sling(town.rig, OPTIONS_ON_MAIN, world=World(tmux=tmux, git=real_git))

    assert plan.argv[0] == str(script)
    assert (tmp_path / "ran").read_text().splitlines() == [*plan.argv, os.path.realpath(plan.clone_path)]


def test_the_dry_run_of_a_reconcile_touches_nothing(town: HandTown) -> None:
    """Files, refs and sessions are the same after a dry run, and the real run then ends what it named."""
    start_polecat_session(town, "nux")
    tmux, real_git = town.server.cli(), GitCli()
    town.rig.runtime_dir.mkdir(exist_ok=True)
    before = everything(town, "locks")

    said = reconcile_pool(town.rig, world=World(tmux=tmux, git=real_git), dry_run=True)
    after = everything(town, "locks")
    done = reconcile_pool(town.rig, world=World(tmux=tmux, git=real_git))

    assert after == before
    assert said == done
    assert done.orphans == ("nux",)
    assert town.sessions() == []
