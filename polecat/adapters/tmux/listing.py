"""Listing sessions in one call, and knowing whose the variables in the list are. Pure; `polecat.adapters.tmux.cli` runs it.

A format such as ``#{GT_ROLE}`` falls back to the server's global environment, which is that of whoever started it. So the
listing prints the global values too; where a session's value equals the global one a second call reads the sessions' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from polecat.adapters.tmux.commands import PANE, STAMP, Command, Fields, joined, read_exports
from polecat.ports import Session

IDENTITY = ("GT_ROLE", "GT_RIG", "GT_POLECAT", "GT_CREW", "POLECAT_ID")
"""The variables that say who a session is."""

_COLUMNS = (
    "session_id",
    "session_name",
    STAMP,
    PANE,
    "window_index",
    "pane_index",
    "pane_id",
    "pane_pid",
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
    "session_attached",
    "session_created",
    "session_activity",
    *IDENTITY,
)


@frozen(kw_only=True)
class Listing:
    """What one listing told.

    Attributes:
        version: the server's version.
        sessions: every session.
        unsure: ids of sessions whose identity may be the server's global one.
        has_lost: some process ended and the server missed how, so that its crash hook has not run.
    """

    version: str
    sessions: tuple[Session, ...]
    unsure: frozenset[str]
    has_lost: bool


class ListCall:
    """One listing: what to ask and how to read the answer."""

    def __init__(self) -> None:
        self._head, self._rows = Fields(), Fields()

    def commands(self) -> list[Command]:
        """Write the call; the listing itself comes last because it fails when there is no session."""
        return [
            ("display-message", "-p", self._head.row("#{version}")),
            ("show-options", "-gqv", STAMP),
            ("display-message", "-p", self._head.row("")),
            ("show-environment", "-gs"),
            ("display-message", "-p", self._head.row("")),
            ("list-panes", "-a", "-F", self._rows.row(*("#{" + column + "}" for column in _COLUMNS))),
        ]

    def read(self, text: str) -> Listing:
        """Read the answer.

        Raises:
            ValueError: it is anything but the answer to this call.
        """
        _, version, stamp, _, exports, _, rows = self._head.split(text, 7)
        everywhere = read_exports(exports.lstrip("\n"))
        panes: list[dict[str, str]] = [dict(zip(_COLUMNS, row, strict=True)) for row in self._rows.read(rows, len(_COLUMNS))]
        first: dict[str, dict[str, str]] = {}
        for pane in sorted(panes, key=_rank):
            first.setdefault(pane["session_id"], pane)
        sessions = tuple(_session(pane, stamp.strip("\n")) for pane in first.values())
        unsure = frozenset(s.id for s in sessions if any(everywhere.get(k) == v for k, v in s.environment.items()))
        lost = any(p["pane_dead"] == "1" and not p["pane_dead_status"] + p["pane_dead_signal"] for p in panes)
        return Listing(version=version, sessions=sessions, unsure=unsure, has_lost=lost)


def _rank(pane: Mapping[str, str]) -> tuple[int, bool, int, int]:
    """Order panes: by session, then the agent's own before those a person opened."""
    other = bool(pane[PANE]) and pane[PANE] != pane["pane_id"]
    return (int(pane["session_id"].removeprefix("$")), other, int(pane["window_index"]), int(pane["pane_index"]))


def _session(pane: Mapping[str, str], stamp_everywhere: str) -> Session:
    return Session(
        id=pane["session_id"],
        name=pane["session_name"],
        instance="" if pane[STAMP] == stamp_everywhere else pane[STAMP],
        environment={key: pane[key] for key in IDENTITY if pane[key]},
        pane_id=pane["pane_id"],
        pane_pid=int(pane["pane_pid"]),
        is_dead=pane["pane_dead"] == "1",
        attached=int(pane["session_attached"] or 0),
        created_at_s=int(pane["session_created"]),
        active_at_s=int(pane["session_activity"] or pane["session_created"]),
    )


class OwnCall:
    """A second call: the environments that are the sessions' own, and a nudge for ends that were missed.

    It is a script on stdin, because that has no size limit and goes on when a session is gone meanwhile.
    """

    def __init__(self, session_ids: Iterable[str], *, nudge: bool) -> None:
        self._fields = Fields()
        self._ids = tuple(session_ids)
        self._nudge = nudge

    def script(self) -> bytes:
        """Write the script."""
        lines = [joined([("run-shell", "-b", "true")])] if self._nudge else []
        for session_id in self._ids:
            lines.append(joined([("display-message", "-p", self._fields.row(session_id.removeprefix("$")))]))
            lines.append(joined([("show-environment", "-s", "-t", session_id)]))
        lines.append(joined([("display-message", "-p", self._fields.row("end"))]))
        return ("\n".join(lines) + "\n").encode()

    def read(self, text: str) -> dict[str, dict[str, str]]:
        """Read the environment of each session; one that is gone meanwhile has none.

        Raises:
            ValueError: it is anything but the answer to this call.
        """
        parts = self._fields.split(text, 2 * len(self._ids) + 3)
        answered = [f"${part}" for part in parts[1:-2:2]]
        if answered != list(self._ids) or parts[-2] != "end":
            raise ValueError("not the sessions that were asked for")
        return {key: read_exports(body.lstrip("\n")) for key, body in zip(answered, parts[2:-2:2], strict=True)}


def with_own(sessions: Sequence[Session], own: Mapping[str, Mapping[str, str]]) -> tuple[Session, ...]:
    """Replace the identity of the sessions whose own environment was read."""
    return tuple(
        evolve(s, environment={k: own[s.id][k] for k in IDENTITY if own[s.id].get(k)}) if s.id in own else s for s in sessions
    )
