"""The steps of a spawn as a table: what each does, emits, and takes back when something fails later. Pure data.

`polecat.lifecycle` has the code of each; the event of a step is looked up here, and the documentation draws its picture from it.
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
        event: the event that is emitted when it has succeeded; empty for none.
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
    Step("look", "settings and the pool's counter are read; no program is started", _REFUSED, is_shared=True),
    Step(
        "key",
        "the key's lock is taken; the polecat of the key is looked for, and what a killed spawn of it left is recovered",
        "a typed error; a polecat that is there is the result",
        is_optional=True,
    ),
    Step(
        "admit",
        "accounts and agents are read: the agent is known and its program on PATH, the account is known, there is free disk",
        _REFUSED,
    ),
    Step(
        "observe",
        "while the remote is asked in the background, one tmux call lists all sessions and one directory read all homes",
        _REFUSED,
        is_shared=True,
    ),
    Step(
        "bead",
        "the bead's lock is taken; the bead is open, does not keep failing, and nobody alive has it",
        _REFUSED,
        is_optional=True,
    ),
    Step(
        "claim",
        "under the pool lock: room in the rig, a name, an instance id, and the home with a claim in it, which appears in one step",
        "the home goes again",
        event="name_claimed",
        undoes=("claim",),
    ),
    Step("orphan", "a session that bears the name and has no home is ended", "as above", event="orphan_ended", is_optional=True),
    Step(
        "worktree",
        "registered on a fresh branch at the remote's tip, under the repository's lock; the files are checked out outside it",
        "directory, branch and registration go again",
        event="worktree_added",
        undoes=("worktree",),
    ),
    Step(
        "provision",
        "ports, trust, instructions, beads redirect, `PRIME.md`, overlay, ignored files, submodules, set-up hooks",
        "an error where agents would work against the wrong beads, a warning otherwise",
        event="worktree_provisioned",
        undoes=("trust",),
    ),
    Step(
        "hook",
        "the agent bead is created or reopened, nothing of an earlier polecat in it; the work is hooked and read back",
        "handed back",
        event="hook_set",
        undoes=("agent bead", "hook"),
    ),
    Step(
        "session",
        "one tmux call makes it: environment, options, crash hook and our stamp are there before the process runs",
        "session and processes go again",
        event="session_started",
        undoes=("session",),
    ),
    Step(
        "working",
        "the agent bead says that the agent works, while the agent comes up",
        "a store that cannot be written now is a warning",
    ),
    Step(
        "ready",
        "the agent's prompt, its process, a configured delay, or that it lives: the best sign that is known for it",
        "the error shows its last screen",
        event="agent_ready",
        is_optional=True,
    ),
    Step(
        "record",
        "the claim becomes a record, the feed gets its line",
        "a feed that cannot be written is a warning",
        event="polecat_spawned",
    ),
)
"""In the order in which they are taken."""

BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}
