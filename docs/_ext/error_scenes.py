"""How each error comes to be: when, what to do, and a scene in the pretend world that really raises it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

import polecat
from polecat import PolecatError, Rig, SpawnOptions, Town
from polecat.adapters import BdCli, LocalBeads
from polecat.adapters.program import run
from polecat.adapters.tmux_words import check_version
from polecat.locks import polecat_lock, take
from polecat.ports import SessionRequest
from polecat.testing import FakeAgent, FakeTmux, FakeWorld, fake_world


@frozen
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
        self.world["clock"].sleep(1)
        return polecat.spawn_for_sling(self.rig, SpawnOptions(**options), **self.world)

    def remove(self, **how: Any) -> object:
        """Remove the first polecat."""
        return polecat.remove_polecat(self.rig, "furiosa", **how, **self.world)

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
        tmux = FakeTmux(agent=FakeAgent(**behaviour), processes=self.world["processes"], clock=self.world["clock"])
        self.world["tmux"] = tmux
        return self

    def git_fails(self, method: str, error: Exception) -> Stage:
        """Let the next call of a method of git fail."""
        self.world["git"].fail_next(method, error)
        return self

    def cause(self, act: Callable[[], object]) -> object:
        """Do something that fails, and return what was behind it."""
        try:
            return act()
        except PolecatError as error:
            return error.__cause__


@frozen
class Scene:
    """How one error comes to be.

    Attributes:
        when: ends the sentence that begins with *Raised*.
        remedy: what to do.
        act: raises it, or returns it; None for a class that is never raised itself.
    """

    when: str
    remedy: str
    act: Callable[[Stage], object] | None = None


def play(scene: Scene) -> PolecatError:
    """Play a scene; return its error, with the stage's places written as ``/gt`` and ``~``."""
    if scene.act is None:
        raise AssertionError("there is no scene")
    with tempfile.TemporaryDirectory(prefix="polecat-scene-") as place:
        stage = Stage(Path(place), *fake_world(Path(place)))
        try:
            error = scene.act(stage)
        except PolecatError as raised:
            error = raised
        if not isinstance(error, PolecatError):
            raise TypeError(f"the scene went well: {error!r}")
        for old, new in ((f"{place}/town", "/gt"), (place, "~"), (f"process {os.getpid()}", "process 4711")):
            error.args = (error.message.replace(old, new),)
            error.hint = error.hint.replace(old, new)
    return error


def _held(stage: Stage) -> object:
    lock = take(polecat_lock(stage.rig, "furiosa"), what="repair furiosa")
    try:
        return take(polecat_lock(stage.rig, "furiosa"), what="remove furiosa", timeout_s=0.1)
    finally:
        lock.release()


def _bad_json(stage: Stage) -> object:
    path = stage.town.root / "mayor" / "rigs.json"
    path.write_text('{\n "version": 1,\n "rigs": {\n  "gastown": {\n   "git_url": "u",\n   "added_at": "yesterday"\n}}}')
    return stage.town.rig("gastown")


def _thrice(stage: Stage) -> object:
    stage.agent(exits=1)
    for _ in range(3):
        polecat.spawn_many(stage.rig, [SpawnOptions(hook_bead="gt-abc12")], **stage.world)
        stage.world["clock"].sleep(1)
    return stage.spawn(hook_bead="gt-abc12")


def _closed(stage: Stage) -> object:
    stage.world["beads"].add(polecat.Bead(id="gt-abc12", status="closed"))
    return stage.spawn(hook_bead="gt-abc12")


def _taken(stage: Stage) -> object:
    stage.spawn(hook_bead="gt-abc12")
    return stage.spawn(hook_bead="gt-abc12")


def _rig_exists(stage: Stage) -> object:
    return polecat.add_rig(stage.town, "gastown", "https://example.invalid/gastown.git", git=stage.world["git"])


def _no_branch(stage: Stage) -> object:
    return polecat.add_rig(stage.town, "other", "https://example.invalid/other.git", branch="mian", git=stage.world["git"])


def _no_git(stage: Stage) -> object:
    return polecat.spawn_for_sling(stage.rig, tmux=stage.world["tmux"], environ={"PATH": "/nowhere"})


def _slow(_stage: Stage) -> object:
    return run(["sleep", "5"], env=dict(os.environ), timeout_s=0.05)


def _no_session(stage: Stage) -> object:
    cat = stage.spawn()
    stage.world["tmux"].crash(cat.session_name)
    return polecat.nudge_polecat(stage.rig, "furiosa", "hello", tmux=stage.world["tmux"])


def _two_sessions(stage: Stage) -> object:
    request = SessionRequest(
        name="gt-gastown-furiosa", instance="1", cwd=stage.root, argv=("true",), environment={}, session_environment={},
        scratch_dir=stage.root,
    )  # fmt: skip
    stage.world["tmux"].start(request)
    return stage.world["tmux"].start(request)


def _unreachable(stage: Stage) -> object:
    stage.world["tmux"].unreachable = True
    return stage.spawn()


def _lost_disk(stage: Stage) -> object:
    stage.spawn()
    stage.rig.polecats_dir.rename(stage.root / "elsewhere")
    return stage.spawn()


def _damaged_store(stage: Stage) -> object:
    store = stage.rig.runtime_dir / "polecat-beads.sqlite3"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_text("no database " * 100)
    return LocalBeads(store).bead("gt-abc12")


def _no_agent_bead(stage: Stage) -> object:
    stage.world["beads"].add(polecat.Bead(id="gt-gastown-polecat-furiosa", title="something else"))
    return stage.cause(stage.spawn)


def _no_bd(stage: Stage) -> object:
    (stage.rig.path / ".beads").mkdir()
    return BdCli(beads_dir=stage.rig.path / ".beads", environ={"PATH": "/nowhere"}).bead("gt-abc12")


def _no_program(stage: Stage) -> object:
    (stage.root / "tool").write_text("#!/no/such/interpreter\n")
    (stage.root / "tool").chmod(0o755)
    return run([str(stage.root / "tool")], env=dict(os.environ))


def _no_room(stage: Stage) -> object:
    stage.with_draft()
    return stage.git_fails(
        "rescue", polecat.RescueFailedError("the rescue of furiosa cannot be written: No space left on device")
    ).remove(force=True)


def _cannot_repair(stage: Stage) -> object:
    stage.spawn()
    stage.world["clock"].sleep(1)
    stage.git_fails("check_out", polecat.GitError("git reset failed (exit code 128): No space left on device"))
    return polecat.repair_polecat(stage.rig, "furiosa", **stage.world)


def _cannot_remove(stage: Stage) -> object:
    stage.spawn()
    return stage.git_fails("drop_worktree", polecat.GitError("cannot move the worktree: Permission denied")).remove()


def _about(act: Callable[[], object]) -> object:
    """Do something whose message has a number of this machine in it; give it a number of its own."""
    try:
        return act()
    except PolecatError as error:
        error.args = (re.sub(r"only \d+ MB", "only 212 MB", error.message).replace("1000000000 MB", "500 MB"),)
        return error


_DISK = {"min_free_disk_mb": 10**9}
_TYPO = "look at what the message says exists, and mend the name"

SCENES: Mapping[str, Scene] = {
    "PolecatError": Scene(
        "itself only where no class below fits: a file that cannot be written, an address that is none",
        "read the message; catch it to catch everything that polecat raises on purpose",
        lambda stage: polecat.init_town(stage.town.root),
    ),
    "InvalidNameError": Scene(
        "by everything that takes a name, before anything is done",
        "choose another name",
        lambda stage: Rig(name="gas town", path=stage.root),
    ),
    "ConfigError": Scene("by everything that reads the town's or a rig's files", "mend the file", _bad_json),
    "NotFoundError": Scene(
        "itself where what is missing is none of those below, such as a branch or a rescue", _TYPO, _no_branch
    ),
    "TownNotFoundError": Scene(
        "by `find_town`, and by everything that is given a rig by name",
        "change into the town, name it with `--town` or `find_town(path)`, or make one with `polecat init`",
        lambda stage: polecat.find_town(stage.root),
    ),
    "RigNotFoundError": Scene(
        "by `Town.rig` and everything that is given a rig by name", _TYPO, lambda stage: stage.town.rig("gastwon")
    ),
    "PolecatNotFoundError": Scene(
        "by everything that is given a polecat by name; also when `instance=` names a spawn whose name was used again",
        "list what there is: `polecat list`",
        lambda stage: polecat.get_polecat(stage.rig, "furiosa", **stage.world),
    ),
    "AgentNotFoundError": Scene(
        "by a spawn or a plan, before anything is touched",
        "mend the name, or install the program",
        lambda stage: stage.spawn(agent="claud"),
    ),
    "AccountNotFoundError": Scene(
        "by a spawn or a plan, before anything is touched",
        "add the account to `mayor/accounts.json`",
        lambda stage: stage.spawn(account="work"),
    ),
    "SessionNotFoundError": Scene(
        "by `stop_polecat`, `nudge_polecat`, `capture_polecat` and `attach_command`; nothing was typed",
        "look at its state; `polecat repair` gives it a fresh place",
        _no_session,
    ),
    "RigExistsError": Scene("by `add_rig`", "choose another name, or use the rig that is there", _rig_exists),
    "SpawnRefusedError": Scene(
        "itself where none of the classes below fits: the name is taken, or the prompt is too long for an argument",
        "change the request, or wait; nothing was touched",
        lambda stage: (stage.spawn(name="nux"), stage.spawn(name="nux")),
    ),
    "RigFullError": Scene(
        "by a spawn",
        "remove polecats that are done, or raise `max_polecats`",
        lambda stage: (stage.set(max_polecats=1).spawn(), stage.spawn()),
    ),
    "DiskFullError": Scene(
        "by a spawn or a plan", "free some disk, or lower `min_free_disk_mb`", lambda stage: _about(stage.set(**_DISK).spawn)
    ),
    "RespawnLimitError": Scene(
        "by a spawn whose bead made the agents of the last `respawn_limit` spawns fail",
        "find out why, then `polecat hook clear BEAD --rig RIG` or `force=True`",
        _thrice,
    ),
    "BeadTakenError": Scene("by a spawn, a repair or a hook", "wait, or take it back first", _taken),
    "BeadClosedError": Scene("by a spawn, a repair or a hook", "reopen the bead, or choose another", _closed),
    "StepFailedError": Scene(
        "never itself; it is what the failures of spawn, repair and removal have in common", "catch it to catch all three"
    ),
    "SpawnFailedError": Scene(
        "by a spawn that began and broke; `undone` says what was taken back, `left_behind` what could not be",
        "mend the cause and spawn again; with something in `left_behind`, reconcile first",
        lambda stage: stage.spawn(base_branch="no-such-branch"),
    ),
    "AgentDiedError": Scene(
        "by a spawn whose agent ended before it was ready, with whatever status",
        "read its last words",
        lambda stage: stage.agent(screen="claude: licence expired", exits=3).spawn(),
    ),
    "NotReadyError": Scene(
        "by a spawn whose agent lives and does not become ready",
        "give it longer, or describe its prompt",
        lambda stage: stage.agent(screen="Loading the index…").spawn(ready_timeout_s=2.0),
    ),
    "RepairFailedError": Scene(
        "by `repair_polecat`; the old worktree is as it was", "mend the cause and repair again", _cannot_repair
    ),
    "RemoveFailedError": Scene(
        "by `remove_polecat`; the name stays taken", "mend the cause, then do what the hint says", _cannot_remove
    ),
    "WorkAtRiskError": Scene(
        "by `remove_polecat` and `repair_polecat`; `reasons` holds the [codes](risks.md)",
        "save the work, or go on with `force` or `nuclear`; both save it to a rescue ref first",
        lambda stage: stage.with_draft().remove(),
    ),
    "RescueFailedError": Scene(
        "by `remove_polecat` and `repair_polecat` when work could not be saved", "free disk, and try again", _no_room
    ),
    "LockTimeoutError": Scene(
        "by everything that changes something; `path`, `waited_s` and `holder` say more",
        "wait for the other process or end it; never delete the file",
        _held,
    ),
    "UnknownStateError": Scene(
        "by everything whose check failed: nothing was decided, ended or removed",
        "mend what kept the check from answering",
        _lost_disk,
    ),
    "BeadsError": Scene(
        "by everything that writes beads, when the store refuses or does not keep what it was told",
        "read what the store says",
        _no_agent_bead,
    ),
    "BeadsUnavailableError": Scene(
        "when the store gave no usable answer; that is not *not found*, so nothing is created because of it",
        "try again; look whether `bd` works by hand",
        _damaged_store,
    ),
    "BeadsConfigError": Scene(
        "when the store is set up in a way that trying again will not mend", "do what the hint says", _no_bd
    ),
    "ProgramError": Scene(
        "itself for programs other than git and tmux",
        "run the command by hand",
        _no_program,
    ),
    "ProgramMissingError": Scene("when a program is not on PATH", "install it", _no_git),
    "ProgramTimeoutError": Scene(
        "when a program took longer than its time limit; it was ended", "find out what it waits for", _slow
    ),
    "GitError": Scene(
        "by everything that uses git; in a spawn it is the cause of a `SpawnFailedError`",
        "do what git says",
        lambda stage: stage.cause(lambda: stage.spawn(base_branch="no-such-branch")),
    ),
    "TmuxError": Scene("when tmux refuses, or is too old", "do what tmux says", lambda _stage: check_version("tmux 2.9")),
    "SessionExistsError": Scene(
        "by the tmux port; a spawn never meets it, because names whose session is taken are not given",
        "end or rename the session",
        _two_sessions,
    ),
    "TmuxUnreachableError": Scene(
        "when tmux could not be asked; that is *unknown*, never *no sessions*",
        "look whether `tmux ls` works for this user",
        _unreachable,
    ),
}
