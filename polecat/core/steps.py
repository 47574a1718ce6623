"""The steps of a spawn as a table: what each does, tells, and takes back when something fails later. Pure data.

`building` and `moving_in` hold one function for each, `attempt` looks the event up here, and the documentation draws its picture from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Step(NamedTuple):
    """One step of a spawn.

    Attributes:
        name: what timings and errors call it.
        does: what happens.
        if_it_fails: what becomes of the spawn.
        event: the event that tells of its success; empty for none.
        undoes: what is in `SpawnFailedError.undone` once it has been taken back, in the order in which it is made.
        is_optional: only some spawns take it.
        is_shared: done once for all polecats of a batch, so it has no time of its own.
    """

    name: str
    does: str
    if_it_fails: str
    event: str = ""
    undoes: tuple[str, ...] = ()
    is_optional: bool = False
    is_shared: bool = False


_REFUSED = "a typed error; nothing was touched"

STEPS = (
    Step(
        name="look",
        does="settings and the pool's counter are read; no program is started",
        if_it_fails=_REFUSED,
        is_shared=True,
    ),
    Step(
        name="admit",
        does="accounts and agents are read: the agent is known and its program on PATH, the account is known, there is free disk",
        if_it_fails=_REFUSED,
    ),
    Step(
        name="census",
        does="while the remote is asked in the background, one tmux call lists all sessions and one directory read all homes",
        if_it_fails=_REFUSED,
        is_shared=True,
    ),
    Step(
        name="bead",
        does="the bead's lock is taken; the bead is open, does not keep failing, and nobody alive has it",
        if_it_fails=_REFUSED,
        is_optional=True,
    ),
    Step(
        name="claim",
        does="under the pool lock: room in the rig, a name, an instance id, and the home with a claim in it, which appears in one step",
        if_it_fails="the home goes again",
        event="name_claimed",
        undoes=("claim",),
    ),
    Step(
        name="orphan",
        does="a session that bears the name and has no home is ended",
        if_it_fails="as above",
        event="orphan_ended",
        is_optional=True,
    ),
    Step(
        name="worktree",
        does="registered on a fresh branch at the remote's tip, under the repository's lock; the files are checked out outside it",
        if_it_fails="directory, branch and registration go again",
        event="worktree_added",
        undoes=("worktree",),
    ),
    Step(
        name="provision",
        does="ports, trust, instructions, beads redirect, `PRIME.md`, overlay, ignored files, submodules, set-up hooks",
        if_it_fails="an error where agents would work against the wrong beads, a warning otherwise",
        event="worktree_provisioned",
        undoes=("trust",),
    ),
    Step(
        name="hook",
        does="the agent bead is created or reopened, nothing of an earlier life in it; the work is hooked and read back",
        if_it_fails="handed back",
        event="hook_set",
        undoes=("agent bead", "hook"),
    ),
    Step(
        name="session",
        does="one tmux call makes it: environment, options, crash hook and our stamp are there before the process runs",
        if_it_fails="session and processes go again",
        event="session_started",
        undoes=("session",),
    ),
    Step(
        name="working",
        does="the agent bead says that the agent works, while the agent comes up",
        if_it_fails="a store that cannot be written now is a warning",
    ),
    Step(
        name="ready",
        does="the agent's prompt, its process, a configured delay, or that it lives: the best sign that is known for it",
        if_it_fails="the error shows its last screen",
        event="agent_ready",
        is_optional=True,
    ),
    Step(
        name="record",
        does="the claim becomes a record, the feed gets its line",
        if_it_fails="a feed that cannot be written is a warning",
        event="polecat_spawned",
    ),
)
"""In the order in which they are taken."""

BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}
