"""The steps of a spawn as a table: what each does, tells, and takes back when something fails later. Pure data.

`building` holds one function for each, `attempt` looks the event up here, and the documentation draws its picture from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen
class Step:
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
    Step("look", "settings, accounts, agents and the pool's counter are read; no program is started", _REFUSED, is_shared=True),
    Step("admit", "the agent is known and its program on PATH, the account is known, there is free disk", _REFUSED),
    Step(
        "census",
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
        "name_claimed",
        ("claim",),
    ),
    Step("orphan", "a session that bears the name and has no home is ended", "as above", "orphan_ended", is_optional=True),
    Step(
        "worktree",
        "registered on a fresh branch at the remote's tip, under the repository's lock; the files are checked out outside it",
        "directory, branch and registration go again",
        "worktree_added",
        ("worktree",),
    ),
    Step(
        "provision",
        "ports, trust, instructions, beads redirect, `PRIME.md`, overlay, ignored files, submodules, set-up hooks",
        "an error where agents would work against the wrong beads, a warning otherwise",
        "worktree_provisioned",
        ("trust",),
    ),
    Step(
        "hook",
        "the agent bead is created or reopened, nothing of an earlier life in it; the work is hooked and read back",
        "handed back",
        "hook_set",
        ("agent bead", "hook"),
    ),
    Step(
        "session",
        "one tmux call makes it: environment, options, crash hook and our stamp are there before the process runs",
        "session and processes go again",
        "session_started",
        ("session",),
    ),
    Step(
        "ready",
        "the agent's prompt, its process, a configured delay, or that it lives: the best sign that is known for it",
        "the error shows its last screen",
        "agent_ready",
        is_optional=True,
    ),
    Step(
        "record",
        "the claim becomes a record, the feed gets its line",
        "a feed that cannot be written is a warning",
        "polecat_spawned",
    ),
)
"""In the order in which they are taken."""

BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}
