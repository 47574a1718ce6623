"""What every store of beads agrees on: who holds a bead, what may be hooked, in which order held beads come. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from polecat.core.agent_description import AGENT_LABEL, parse_description
from polecat.errors import BeadClosedError, BeadsError, BeadTakenError, NotFoundError
from polecat.names import assignees
from polecat.ports import AgentBead, Bead, Holdings

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


def holdings(
    agents: Mapping[str, str], find: Callable[[frozenset[str]], Iterable[tuple[Bead, str]]]
) -> dict[str, Holdings | BeadsError]:
    """Answer what each of many agents holds, from as few looks at a store as it takes.

    Args:
        agents: assignee → the id of its agent bead.
        find: gives beads and their descriptions. It is asked first for no ids, and gives at least every bead that somebody may hold;
            then for ids, until nothing is missing.

    Examples:
        >>> rows = {"gt-1": (Bead(id="gt-1", status="hooked", assignee="gas/nux"), "")}
        >>> holdings({"gas/polecats/nux": "gt-gas-polecat-nux"}, lambda ids: [rows[i] for i in ids & rows.keys()] or rows.values())
        {'gas/polecats/nux': Holdings(held=(Bead(id='gt-1', title='', status='hooked', assignee='gas/nux', labels=()),), agent=None, named=None)}
    """
    rows = {bead.id: (bead, description) for bead, description in find(frozenset())}
    asked: set[str] = set()
    while missing := ({*agents.values(), *_hooks(agents.values(), rows)} - rows.keys() - asked):
        asked |= missing
        rows.update((bead.id, (bead, description)) for bead, description in find(frozenset(missing)))
    held: dict[str, list[Bead]] = {}
    for bead, _ in rows.values():
        held.setdefault(bead.assignee, []).append(bead)
    return {who: _holdings_of(who, agent_id, rows, held) for who, agent_id in agents.items()}


def _hooks(agent_ids: Iterable[str], rows: Mapping[str, tuple[Bead, str]]) -> Iterator[str]:
    """The beads that those open agent beads name which were found."""
    for bead, description in (rows[one] for one in agent_ids if one in rows):
        if (
            AGENT_LABEL in bead.labels
            and bead.status not in CLOSED_STATUSES
            and (named := parse_description(description).hook_bead)
        ):
            yield named


def _holdings_of(
    who: str, agent_id: str, rows: Mapping[str, tuple[Bead, str]], held: Mapping[str, list[Bead]]
) -> Holdings | BeadsError:
    try:
        agent = as_agent(*rows[agent_id]) if agent_id in rows else None
    except BeadsError as error:
        return error
    hook = agent.fields.hook_bead if agent and agent.is_open else ""
    mine = (bead for spelling in spellings(who) for bead in held.get(spelling, ()))
    return Holdings(held=in_order(mine), agent=agent, named=rows[hook][0] if hook in rows else None)


def fields_at_close() -> dict[str, str]:
    """Return what changes in an agent's fields when its life ends: hook, merge request and clean-up status go.

    Source:
        Contract §12.5.
    """
    return {"agent_state": "closed", "hook_bead": "", "cleanup_status": "", "active_mr": ""}


def no_such_bead(bead_id: str, where: str) -> NotFoundError:
    """The error for a write to a bead that does not exist."""
    return NotFoundError(f"there is no bead {bead_id!r} in {where}", hint="check the id")
