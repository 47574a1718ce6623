"""The port to the store of work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import frozen

from polecat.errors import BeadsError


@frozen(kw_only=True)
class AgentFields:
    """The fields of an agent bead, as its description carries them. Empty means ``null`` there; ``host``, which is polecat's own, is left out.

    Source:
        Contract §12.4.
    """

    role_type: str = ""
    rig: str = ""
    agent_state: str = ""
    hook_bead: str = ""
    role_bead: str = ""
    cleanup_status: str = ""
    active_mr: str = ""
    notification_level: str = ""
    host: str = ""


@frozen(kw_only=True)
class AgentBead:
    """The bead that stands for an agent."""

    id: str
    title: str
    fields: AgentFields
    is_open: bool = True


@frozen(kw_only=True)
class Bead:
    """A piece of work.

    Attributes:
        id: such as ``gt-abc12``.
        title: its title.
        status: ``open``, ``hooked``, ``in_progress``, ``closed`` or another word of the store.
        assignee: who holds it; empty for nobody.
        labels: its labels.
    """

    id: str
    title: str = ""
    status: str = "open"
    assignee: str = ""
    labels: tuple[str, ...] = ()


@frozen(kw_only=True)
class Holdings:
    """What a store knows of one agent.

    Attributes:
        held: the beads it holds, as `Beads.held_by` lists them.
        agent: its agent bead, open or closed; None if there is none.
        named: the bead that its open agent bead names as its hook; None if it names none, or none that the store has.
    """

    held: tuple[Bead, ...] = ()
    agent: AgentBead | None = None
    named: Bead | None = None


class Beads(Protocol):
    """The store of work. Found is a value, not found is None, *unknown* is `BeadsUnavailableError` or `BeadsConfigError`.

    Every write is read back; one that did not take is a `BeadsError`. Whom ``a/polecats/b`` means, ``a/b`` means as well. A bead is
    an agent's if it has the label ``gt:agent``, otherwise it is work; the four methods about agents refuse work with a `BeadsError`.
    Several threads and processes may call at the same time: each call happens as a whole or not at all.
    """

    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        """Create the agent bead, or reopen it: open, with exactly this title and these fields; nothing of an earlier life stays.

        Raises:
            BeadClosedError: it was deleted, and this store never gives such an id again.
            ValueError: a value holds a line break.
        """
        ...

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        """Close an agent bead; False if there is none. Closing what is closed is fine.

        Its state becomes ``closed``; hook, merge request and clean-up status are cleared, the other fields stay.
        """
        ...

    def agent(self, bead_id: str) -> AgentBead | None:
        """Read an agent bead, open or closed; None if there is none."""
        ...

    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        """Change some fields of an agent bead, keeping what others write at the same time; the empty text clears.

        Raises:
            NotFoundError: there is no such bead.
            TypeError: there is no such field.
            ValueError: a value holds a line break.
        """
        ...

    def bead(self, bead_id: str) -> Bead | None:
        """Read a bead, an agent's too: its status and who holds it; None if there is none."""
        ...

    def held_by(self, assignee: str) -> tuple[Bead, ...]:
        """List the beads somebody holds: hooked ones first, then in progress, then open, by id within these; no others."""
        ...

    def holdings(self, agents: Mapping[str, str]) -> Mapping[str, Holdings | BeadsError]:
        """Look many agents up at once: as `held_by`, `agent` and `bead` would for each, but at the cost of a few questions for all.

        Args:
            agents: assignee → the id of its agent bead.

        Returns:
            An answer for each assignee. Where the id is that of a piece of work, the answer is the error.
        """
        ...

    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        """Put a bead on somebody's hook: status ``hooked``, assignee set, read back.

        Args:
            bead_id: the bead.
            assignee: who gets it, such as ``gastown/polecats/furiosa``.
            expected: who must hold it now (empty: nobody; *assignee* itself is always fine); None does not look.

        Raises:
            BeadClosedError: it is closed.
            BeadTakenError: somebody other than *expected* holds it; its ``holder`` says who.
            NotFoundError: there is no such bead, and this store does not make one.
        """
        ...

    def assign(self, bead_id: str, *, assignee: str) -> Bead:
        """Give a bead to somebody, whoever holds it: status ``in_progress``, assignee set, read back. Errors as `hook`."""
        ...

    def unassign(self, bead_id: str, *, expected: str) -> bool:
        """Take a bead from *expected*; False if somebody else holds it or there is none.

        A bead that was hooked or in progress is ``open`` again; any other status, such as ``closed``, stays.
        """
        ...

    def set_status(self, bead_id: str, status: str) -> Bead:
        """Set the status of a bead, to any word.

        Raises:
            NotFoundError: there is no such bead.
        """
        ...
