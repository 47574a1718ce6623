"""A store of work in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import attrs

from polecat.core import bead_rules
from polecat.core.agent_description import AGENT_LABEL, format_description, replace_fields
from polecat.errors import BeadsError
from polecat.ports import AgentBead, AgentFields, Bead, Holdings


class FakeBeads:
    """`Beads` in memory, safe between threads.

    Args:
        strict: refuse to hook or assign a bead that was never added, as ``bd`` does; otherwise it is made on the spot, as
            `LocalBeads` does.

    Examples:
        >>> beads = FakeBeads()
        >>> beads.hook("gt-1", assignee="gas/polecats/nux").status
        'hooked'
        >>> [bead.id for bead in beads.held_by("gas/nux")]
        ['gt-1']
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._lock = threading.RLock()
        self._beads: dict[str, Bead] = {}
        self._descriptions: dict[str, str] = {}

    def add(self, bead: Bead) -> Bead:
        """Put a bead into the store as it is, over one of the same id."""
        with self._lock:
            self._beads[bead.id] = bead
        return bead

    def beads(self) -> tuple[Bead, ...]:
        """List every bead, agent beads included, by id."""
        with self._lock:
            return tuple(self._beads[key] for key in sorted(self._beads))

    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        """See `Beads.open_agent`."""
        description = format_description(title, fields)
        with self._lock:
            if bead_id in self._beads:
                bead_rules.check_is_agent(self._beads[bead_id])
            self._beads[bead_id] = Bead(id=bead_id, title=title, labels=(AGENT_LABEL,))
            self._descriptions[bead_id] = description
            return self._agent(bead_id)

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        """See `Beads.close_agent`."""
        with self._lock:
            if self.agent(bead_id) is None:
                return False
            self.update_agent(bead_id, **bead_rules.fields_at_close())
            self._beads[bead_id] = attrs.evolve(self._beads[bead_id], status="closed")
            return True

    def agent(self, bead_id: str) -> AgentBead | None:
        """See `Beads.agent`."""
        with self._lock:
            return self._agent(bead_id) if bead_id in self._beads else None

    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        """See `Beads.update_agent`."""
        with self._lock:
            if bead_id not in self._beads:
                raise bead_rules.no_such_bead(bead_id, "this store")
            bead_rules.check_is_agent(self._beads[bead_id])
            self._descriptions[bead_id] = replace_fields(self._descriptions.get(bead_id, ""), changes)
            return self._agent(bead_id)

    def bead(self, bead_id: str) -> Bead | None:
        """See `Beads.bead`."""
        with self._lock:
            return self._beads.get(bead_id)

    def held_by(self, assignee: str) -> tuple[Bead, ...]:
        """See `Beads.held_by`."""
        with self._lock:
            return bead_rules.in_order(bead for bead in self._beads.values() if bead_rules.holds(bead, assignee))

    def holdings(self, agents: Mapping[str, str]) -> dict[str, Holdings | BeadsError]:
        """See `Beads.holdings`."""
        with self._lock:
            return bead_rules.holdings(agents, lambda _: [(bead, self._descriptions.get(bead.id, "")) for bead in self.beads()])

    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        """See `Beads.hook`."""
        return self._give(bead_id, "hooked", assignee, expected)

    def assign(self, bead_id: str, *, assignee: str) -> Bead:
        """See `Beads.assign`."""
        return self._give(bead_id, "in_progress", assignee, None)

    def unassign(self, bead_id: str, *, expected: str) -> bool:
        """See `Beads.unassign`."""
        with self._lock:
            bead = self._beads.get(bead_id)
            if bead is None or not bead_rules.holds(bead, expected):
                return False
            self._beads[bead_id] = attrs.evolve(bead, assignee="", status=bead_rules.status_when_let_go(bead))
            return True

    def set_status(self, bead_id: str, status: str) -> Bead:
        """See `Beads.set_status`."""
        with self._lock:
            bead = self._beads.get(bead_id)
            if bead is None:
                raise bead_rules.no_such_bead(bead_id, "this store")
            return self.add(attrs.evolve(bead, status=status))

    def _give(self, bead_id: str, status: str, assignee: str, expected: str | None) -> Bead:
        with self._lock:
            bead = self._beads.get(bead_id)
            if bead is None:
                if self._strict:
                    raise bead_rules.no_such_bead(bead_id, "this store")
                bead = Bead(id=bead_id)
            bead_rules.check_can_be_given(bead, assignee, expected)
            return self.add(attrs.evolve(bead, status=status, assignee=assignee))

    def _agent(self, bead_id: str) -> AgentBead:
        return bead_rules.as_agent(self._beads[bead_id], self._descriptions.get(bead_id, ""))
