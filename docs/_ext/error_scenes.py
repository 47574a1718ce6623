"""How each error comes to be: when, what to do, and a scene in the pretend world that really raises it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

import polecat
from docs._ext import acts
from docs._ext.acts import Stage
from polecat import PolecatError, Rig
from polecat.adapters.tmux.commands import check_version
from polecat.testing import fake_world


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
    "ConfigError": Scene("by everything that reads the town's or a rig's files", "mend the file", acts.bad_json),
    "NotFoundError": Scene(
        "itself where what is missing is none of those below, such as a branch or a rescue", _TYPO, acts.no_branch
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
        lambda stage: polecat.get_polecat(stage.rig, "furiosa", world=stage.world),
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
        acts.no_session,
    ),
    "RigExistsError": Scene("by `add_rig`", "choose another name, or use the rig that is there", acts.rig_exists),
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
        "by a spawn or a plan", "free some disk, or lower `min_free_disk_mb`", lambda stage: acts.about(stage.set(**_DISK).spawn)
    ),
    "RespawnLimitError": Scene(
        "by a spawn whose bead made the agents of the last `respawn_limit` spawns fail",
        "find out why, then `polecat hook clear BEAD --rig RIG` or `force=True`",
        acts.thrice,
    ),
    "BeadTakenError": Scene("by a spawn, a repair or a hook", "wait, or take it back first", acts.taken),
    "BeadClosedError": Scene("by a spawn, a repair or a hook", "reopen the bead, or choose another", acts.closed),
    "StepFailedError": Scene(
        "as one of the failures of spawn, repair and removal below it, never itself", "catch it to catch all three"
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
    "WaitTimeoutError": Scene(
        "`wait_polecats` waited for as long as it was told",
        "give it longer; `polecats` says who is not as asked, and what each does",
        lambda stage: polecat.wait_polecats(stage.rig, [stage.spawn()], until=["ended"], timeout_s=60, world=stage.world),
    ),
    "NotReadyError": Scene(
        "by a spawn whose agent lives and does not become ready",
        "give it longer, or describe its prompt",
        lambda stage: stage.agent(screen="Loading the index…").spawn(ready_timeout_s=2.0),
    ),
    "RepairFailedError": Scene(
        "by `repair_polecat`; the old worktree is as it was", "mend the cause and repair again", acts.cannot_repair
    ),
    "RemoveFailedError": Scene(
        "by `remove_polecat`; the name stays taken", "mend the cause, then do what the hint says", acts.cannot_remove
    ),
    "WorkAtRiskError": Scene(
        "by `remove_polecat` and `repair_polecat`; `reasons` holds the [codes](risks.md)",
        "save the work, or go on with `force` or `nuclear`; both save it to a rescue ref first",
        lambda stage: stage.with_draft().remove(),
    ),
    "RescueFailedError": Scene(
        "by `remove_polecat` and `repair_polecat` when work could not be saved", "free disk, and try again", acts.no_room
    ),
    "LockTimeoutError": Scene(
        "by everything that changes something; `path`, `waited_s` and `holder` say more",
        "wait for the other process or end it; never delete the file",
        acts.held,
    ),
    "UnknownStateError": Scene(
        "by everything whose check failed: nothing was decided, ended or removed",
        "mend what kept the check from answering",
        acts.lost_disk,
    ),
    "UnsupportedError": Scene(
        "by what needs more of an adapter to git than `polecat.Git`, before anything is touched; `operation` and `protocol` say what",
        "write the methods of that protocol, or use `GitCli`",
        acts.plain_git,
    ),
    "BeadsError": Scene(
        "by everything that writes beads, when the store refuses or does not keep what was written",
        "read what the store says",
        acts.no_agent_bead,
    ),
    "BeadsUnavailableError": Scene(
        "when the store gave no usable answer; that is not *not found*, so nothing is created because of it",
        "try again; look whether `bd` works by hand",
        acts.damaged_store,
    ),
    "BeadsConfigError": Scene(
        "when the store is set up in a way that trying again will not mend", "do what the hint says", acts.no_bd
    ),
    "ProgramError": Scene(
        "itself for programs other than git and tmux",
        "run the command by hand",
        acts.no_program,
    ),
    "ProgramMissingError": Scene("when a program is not on PATH", "install it", acts.no_git),
    "ProgramTimeoutError": Scene(
        "when a program took longer than its time limit; it was ended", "find out what it waits for", acts.slow
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
        acts.two_sessions,
    ),
    "TmuxUnreachableError": Scene(
        "when tmux could not be asked; that is *unknown*, never *no sessions*",
        "look whether `tmux ls` works for this user",
        acts.unreachable,
    ),
}
