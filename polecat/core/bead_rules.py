"""What every store of beads agrees on: who holds a bead, what may be hooked, in which order held beads come. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from polecat.core.agent_description import AGENT_LABEL, parse_description
from polecat.errors import BeadClosedError, BeadsError, BeadTakenError, NotFoundError
from polecat.names import assignees
from polecat.ports import AgentBead, Bead

HELD_STATUSES: Final = ("hooked", "in_progress", "open")
"""The statuses in which a bead is somebody's, the most urgent first."""

CLOSED_STATUSES: Final = frozenset(("closed", "tombstone"))
"""The statuses in which there is nothing left to do on a bead."""

_ROLES: Final = frozenset(("witness", "refinery", "crew", "polecats"))


def spellings(assignee: str) -> tuple[str, ...]:
    """Every spelling under which the same somebody may hold a bead, ours first.

    Examples:
        >>> spellings("gastown/nux")
        ('gastown/polecats/nux', 'gastown/nux')
        >>> spellings("gastown/witness"), spellings("mayor"), spellings("")
        (('gastown/witness',), ('mayor',), ('',))

    Source:
        Design §6, deviation 18.
    """
    rig, *middle, name = assignee.split("/") if "/" in assignee else ("", "", assignee)
    if middle not in ([], ["polecats"]) or not rig or not name or name in _ROLES or rig == "polecats":
        return (assignee,)
    return assignees(rig, name)


def holds(bead: Bead, assignee: str) -> bool:
    """Say whether somebody holds a bead, in whichever spelling.

    Examples:
        >>> holds(Bead(id="gt-1", assignee="gastown/nux"), "gastown/polecats/nux")
        True
    """
    return bead.assignee in spellings(assignee)


def in_order(beads: Iterable[Bead]) -> tuple[Bead, ...]:
    """Put held beads in order: hooked, in progress, open; by id within these; everything else is left out."""
    held = (bead for bead in beads if bead.status in HELD_STATUSES)
    return tuple(sorted(held, key=lambda bead: (HELD_STATUSES.index(bead.status), bead.id)))


def check_can_be_given(bead: Bead, assignee: str, expected: str | None) -> None:
    """Refuse to give somebody a bead that is closed, or that is not held by whom it should be.

    Args:
        bead: the bead as it is now.
        assignee: who is to have it.
        expected: who must hold it now; the empty text means nobody, None means it does not matter. That it is held by
            *assignee* already is always fine.

    Raises:
        BeadClosedError: it is closed.
        BeadTakenError: somebody else holds it.
    """
    if bead.status in CLOSED_STATUSES:
        raise BeadClosedError(
            f"bead {bead.id} is {bead.status}; it cannot be given to {assignee}", hint="reopen it first, or choose another"
        )
    if expected is None or holds(bead, assignee) or holds(bead, expected):
        return
    wanted = f"{expected!r} was expected" if expected else "nobody was expected"
    raise BeadTakenError(
        f"bead {bead.id} is held by {bead.assignee or 'nobody'}; {wanted}", holder=bead.assignee, hint="look again"
    )


def status_when_let_go(bead: Bead) -> str:
    """Return the status of a bead once nobody holds it: work goes back to ``open``, other words stay.

    Examples:
        >>> status_when_let_go(Bead(id="gt-1", status="hooked")), status_when_let_go(Bead(id="gt-1", status="blocked"))
        ('open', 'blocked')
    """
    return "open" if bead.status in HELD_STATUSES else bead.status


def check_is_agent(bead: Bead) -> None:
    """Refuse to treat a piece of work as an agent.

    Raises:
        BeadsError: the bead lacks the label of agent beads.
    """
    if AGENT_LABEL not in bead.labels:
        raise BeadsError(f"bead {bead.id} is not an agent bead: it lacks the label {AGENT_LABEL!r}")


def as_agent(bead: Bead, description: str) -> AgentBead:
    """Read a bead as an agent.

    Raises:
        BeadsError: it is a piece of work.
    """
    check_is_agent(bead)
    return AgentBead(
        id=bead.id, title=bead.title, fields=parse_description(description), is_open=bead.status not in CLOSED_STATUSES
    )


def fields_at_close() -> dict[str, str]:
    """Return what changes in an agent's fields when its life ends: hook, merge request and clean-up status go.

    Source:
        Contract §12.5.
    """
    return {"agent_state": "closed", "hook_bead": "", "cleanup_status": "", "active_mr": ""}


def no_such_bead(bead_id: str, where: str) -> NotFoundError:
    """The error for a write to a bead that does not exist."""
    return NotFoundError(f"there is no bead {bead_id!r} in {where}", hint="check the id")
