"""A stage to play scenes on, and acts that end in an error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve

import polecat
from polecat import PolecatError, Rig, SpawnOptions, Town
from polecat.adapters import BdCli, LocalBeads
from polecat.adapters.processes.program import run
from polecat.ports import SessionRequest, World
from polecat.testing import FakeAgent, FakeTmux, FakeWorld
from polecat.town.locks import polecat_lock, take


@define
class Stage:
    """A pretend world that a scene is played in."""

    root: Path
    rig: Rig
    world: FakeWorld

    @property
    def town(self) -> Town:
        """The town."""
        return polecat.find_town(self.rig.path)

    def spawn(self, **options: Any) -> polecat.SpawnedPolecat:
        """Spawn a polecat."""
        self.world.clock.sleep(1)
        return polecat.spawn_for_sling(self.rig, SpawnOptions(**options), world=self.world)

    def remove(self, **how: Any) -> object:
        """Remove the first polecat."""
        return polecat.remove_polecat(self.rig, "furiosa", **how, world=self.world)

    def with_draft(self) -> Stage:
        """A polecat with a file that is nowhere else."""
        (self.spawn().clone_path / "draft.txt").write_text("x")
        return self

    def set(self, **settings: object) -> Stage:
        """Set what the rig's settings say."""
        (self.rig.path / "settings" / "config.json").write_text(json.dumps(settings, indent=1))
        return self

    def agent(self, **behaviour: Any) -> Stage:
        """Let agents behave in some way from now on."""
        tmux = FakeTmux(agent=FakeAgent(**behaviour), processes=self.world.processes, clock=self.world.clock)
        self.world = evolve(self.world, tmux=tmux)
        return self

    def git_fails(self, method: str, error: Exception) -> Stage:
        """Let the next call of a method of git fail."""
        self.world.git.fail_next(method, error)
        return self

    def cause(self, act: Callable[[], object]) -> object:
        """Do something that fails, and return what was behind it."""
        try:
            return act()
        except PolecatError as error:
            return error.__cause__


def held(stage: Stage) -> object:
    """Ask for a lock that somebody holds."""
    lock = take(polecat_lock(stage.rig, "furiosa"), what="repair furiosa")
    try:
        return take(polecat_lock(stage.rig, "furiosa"), what="remove furiosa", timeout_s=0.1)
    finally:
        lock.release()


def bad_json(stage: Stage) -> object:
    """Read a registry with a time that is none."""
    path = stage.town.root / "mayor" / "rigs.json"
    path.write_text('{\n "version": 1,\n "rigs": {\n  "gastown": {\n   "git_url": "u",\n   "added_at": "yesterday"\n}}}')
    return stage.town.rig("gastown")


def thrice(stage: Stage) -> object:
    """Give a bead out whose agents failed three times."""
    stage.agent(exits=1)
    for _ in range(3):
        polecat.spawn_many(stage.rig, [SpawnOptions(hook_bead="gt-abc12")], world=stage.world)
        stage.world.clock.sleep(1)
    return stage.spawn(hook_bead="gt-abc12")


def closed(stage: Stage) -> object:
    """Give a closed bead out."""
    stage.world.beads.add(polecat.Bead(id="gt-abc12", status="closed"))
    return stage.spawn(hook_bead="gt-abc12")


def taken(stage: Stage) -> object:
    """Give a bead out twice."""
    stage.spawn(hook_bead="gt-abc12")
    return stage.spawn(hook_bead="gt-abc12")


def rig_exists(stage: Stage) -> object:
    """Add a rig twice."""
    return polecat.add_rig(stage.town, "gastown", "https://example.invalid/gastown.git", world=World(git=stage.world.git))


def no_branch(stage: Stage) -> object:
    """Add a rig with a branch that the remote does not have."""
    return polecat.add_rig(
        stage.town, "other", "https://example.invalid/other.git", branch="mian", world=World(git=stage.world.git)
    )


def no_git(stage: Stage) -> object:
    """Spawn where there is no git."""
    return polecat.spawn_for_sling(stage.rig, world=World(tmux=stage.world.tmux, environ={"PATH": "/nowhere"}))


def slow(_stage: Stage) -> object:
    """Run a program that takes too long."""
    return run(["sleep", "5"], env=dict(os.environ), timeout_s=0.05)


def no_session(stage: Stage) -> object:
    """Type to a polecat whose agent has ended."""
    cat = stage.spawn()
    stage.world.tmux.crash(cat.session_name)
    return polecat.nudge_polecat(stage.rig, "furiosa", "hello", world=World(tmux=stage.world.tmux))


def two_sessions(stage: Stage) -> object:
    """Start a session of a name that is taken."""
    request = SessionRequest(
        name="gt-gastown-furiosa", instance="1", cwd=stage.root, argv=("true",), environment={}, session_environment={},
        scratch_dir=stage.root,
    )  # fmt: skip
    stage.world.tmux.start(request)
    return stage.world.tmux.start(request)


def unreachable(stage: Stage) -> object:
    """Spawn while tmux cannot be asked."""
    stage.world.tmux.unreachable = True
    return stage.spawn()


def lost_disk(stage: Stage) -> object:
    """Spawn after the homes have vanished."""
    stage.spawn()
    stage.rig.polecats_dir.rename(stage.root / "elsewhere")
    return stage.spawn()


def damaged_store(stage: Stage) -> object:
    """Ask a store whose file is damaged."""
    store = stage.rig.runtime_dir / "polecat-beads.sqlite3"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_text("no database " * 100)
    return LocalBeads(store).bead("gt-abc12")


def no_agent_bead(stage: Stage) -> object:
    """Spawn where another bead has the agent bead's id."""
    stage.world.beads.add(polecat.Bead(id="gt-gastown-polecat-furiosa", title="something else"))
    return stage.cause(stage.spawn)


def no_bd(stage: Stage) -> object:
    """Ask a `bd` that is not there."""
    (stage.rig.path / ".beads").mkdir()
    return BdCli(beads_dir=stage.rig.path / ".beads", environ={"PATH": "/nowhere"}).bead("gt-abc12")


def no_program(stage: Stage) -> object:
    """Run a script whose interpreter does not exist."""
    (stage.root / "tool").write_text("#!/no/such/interpreter\n")
    (stage.root / "tool").chmod(0o755)
    return run([str(stage.root / "tool")], env=dict(os.environ))


def no_room(stage: Stage) -> object:
    """Remove a polecat whose work cannot be saved."""
    stage.with_draft()
    return stage.git_fails(
        "rescue", polecat.RescueFailedError("the rescue of furiosa cannot be written: No space left on device")
    ).remove(force=True)


def plain_git(stage: Stage) -> object:
    """Repair with a git that has only what is essential."""
    stage.spawn()
    essential = {name: getattr(stage.world.git, name) for name in vars(polecat.Git) if not name.startswith("_")}
    return polecat.repair_polecat(stage.rig, "furiosa", world=evolve(stage.world, git=type("PlainGit", (), essential)()))


def cannot_repair(stage: Stage) -> object:
    """Repair with a checkout that fails."""
    stage.spawn()
    stage.world.clock.sleep(1)
    stage.git_fails("check_out", polecat.GitError("git reset failed (exit code 128): No space left on device"))
    return polecat.repair_polecat(stage.rig, "furiosa", world=stage.world)


def cannot_remove(stage: Stage) -> object:
    """Remove a worktree that cannot be moved."""
    stage.spawn()
    return stage.git_fails("drop_worktree", polecat.GitError("cannot move the worktree: Permission denied")).remove()


def about(act: Callable[[], object]) -> object:
    """Do something whose message has a number of this machine in it; give it a number of its own."""
    try:
        return act()
    except PolecatError as error:
        error.args = (re.sub(r"only \d+ MB", "only 212 MB", error.message).replace("1000000000 MB", "500 MB"),)
        return error
