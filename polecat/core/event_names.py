"""The names of all events and log lines, with the facts each carries. Pure data; nothing else is ever emitted.

Names and keys are part of the public interface: they are added to, and not changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class EventKind:
    """One kind of event.

    Attributes:
        says: what happened.
        facts: the keys of its facts, each with its meaning.
        is_timed: it says how long that took.
    """

    says: str
    facts: Mapping[str, str] = field(factory=dict)
    is_timed: bool = False


_SESSION = "the session's name"
_RESCUE = "the ref that holds what was at risk; empty if nothing was"

_STARTED = {
    "session": _SESSION,
    "session_id": "tmux's id of the session",
    "tmux_socket": "the server's socket; null for the user's own server",
    "pane": "the id of its pane",
    "pid": "the agent's process id",
    "agent": "the agent's name",
    "hook_bead": "the work; null if there is none",
    "readiness": "`ready`, `waiting` or `not awaited`",
    "waiting_for": "what it asks first; empty if nothing",
    "warnings": "what went wrong without stopping it",
    "timings": "step → seconds",
}
"""What is told of an agent that was started."""

EVENTS: Mapping[str, EventKind] = {
    # a spawn, in the order in which they come
    "name_claimed": EventKind(
        "a polecat has its name, and its home with a claim in it", {"branch": "the branch it will get"}, is_timed=True
    ),
    "orphan_ended": EventKind("a session that bore the name, or has no home any more, was ended", {"session": _SESSION}),
    "worktree_added": EventKind(
        "the worktree stands on its branch, with its files",
        {
            "branch": "its branch",
            "base_commit": "the commit it starts at",
            "path": "its directory",
            "spare": "true if it was a warm spare",
        },
        is_timed=True,
    ),
    "worktree_provisioned": EventKind(
        "instructions, redirect, overlay and set-up hooks are done",
        {"warnings": "what went wrong without stopping it"},
        is_timed=True,
    ),
    "hook_set": EventKind(
        "the agent bead is open and the work is on the hook",
        {"agent_bead": "the bead that stands for the polecat", "hook_bead": "the work; empty if there is none"},
        is_timed=True,
    ),
    "session_started": EventKind(
        "the session is there and the agent's process runs",
        {"session": _SESSION, "pane": "the id of its pane", "pid": "the agent's process"},
        is_timed=True,
    ),
    "agent_ready": EventKind("the agent can be talked to", {"agent": "the agent's name"}, is_timed=True),
    "agent_waiting": EventKind(
        "the agent asks something that only a person may answer", {"dialog": "what it asks"}, is_timed=True
    ),
    "polecat_spawned": EventKind(
        "a spawn has succeeded; its duration is the whole of it",
        {
            "clone_path": "its worktree",
            "branch": "its branch",
            "base_commit": "the commit it starts at",
            "base_age_s": "how long ago the remote was asked for it; null if never",
            **_STARTED,
            "key": "the key that it was ordered with; empty for none",
        },
        is_timed=True,
    ),
    "polecat_started": EventKind(
        "a polecat that had ended runs again, in its own place; its duration is the whole of it",
        _STARTED,
        is_timed=True,
    ),
    "spawn_failed": EventKind(
        "a spawn or a start was refused, or has failed and was undone",
        {"step": "the step that failed", "left_behind": "what could not be undone"},
    ),
    # what is done with a polecat
    "polecat_nudged": EventKind(
        "a text was typed to it", {"session": _SESSION, "bytes": "how long the text was", "outcome": "what became of it"}
    ),
    "session_ended": EventKind("its session was ended on request", {"session": _SESSION}),
    "polecat_repaired": EventKind(
        "it has a fresh worktree",
        {"branch": "the new branch", "rescue": _RESCUE, "base_commit": "the commit the new branch starts at"},
    ),
    "polecat_removed": EventKind(
        "it was removed",
        {
            "rescue": _RESCUE,
            "branch": "its branch",
            "branch_deleted": "true if the branch went too",
            "unassigned": "the beads that were handed back",
        },
    ),
    # a reconcile
    "claim_adopted": EventKind("its spawner died after the agent had started, which lives or has left something; it is kept"),
    "claim_recovered": EventKind(
        "its spawner, repairer or remover died; what it had begun was undone or finished",
        {
            "purpose": "what it was about: `spawn`, `start`, `repair` or `remove`",
            "bead": "the bead that was on its hook; empty for none",
            "branch": "its branch",
        },
    ),
    "empty_home_removed": EventKind("an empty home was removed"),
}
"""Name → what it says. ``on_event`` receives them as `Event`; structlog gets the same."""

LOGGED: Mapping[str, EventKind] = {
    "step_undone": EventKind("one thing of a failed operation was undone", {"step": "what"}),
    "undo_failed": EventKind("one thing could not be undone", {"step": "what", "error": "why"}),
    "spawn_interrupted": EventKind("Ctrl-C or SIGTERM; the spawn was undone", {"rig": "the rig", "step": "where it was"}),
    "listener_failed": EventKind("an `on_event` function raised; the operation goes on", {"heard": "the event", "error": "why"}),
    "trust_not_withdrawn": EventKind(
        "trust that was handed on could not be withdrawn", {"rig": "the rig", "polecat": "its name", "error": "why"}
    ),
    "beads_not_made": EventKind("a new town or rig got no beads; it has none now", {"folder": "which", "error": "why"}),
    "spare_not_used": EventKind(
        "a warm spare was not as it should be, so a checkout was made", {"spare": "which", "error": "why"}
    ),
}
"""Name → what it says. Lines that only structlog gets."""
