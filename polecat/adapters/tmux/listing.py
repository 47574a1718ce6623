"""Listing sessions in one call, and knowing whose the variables in the list are. Pure; `polecat.adapters.tmux.cli` runs it.

A format such as ``#{GT_ROLE}`` falls back to the server's global environment, which is that of whoever started it. So the
listing prints the global values too; where a session's value equals the global one a second call reads the sessions' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from polecat.adapters.tmux.commands import AGENT, STAMP, Command, Fields, joined, read_exports, read_number
from polecat.ports import Session
from polecat.town.endings import read_signal

IDENTITY = ("GT_ROLE", "GT_RIG", "GT_POLECAT", "GT_CREW", "GT_ROOT", "POLECAT_ID")
"""The variables that say who a session is."""

_COLUMNS = (
    "session_id",
    "session_name",
    STAMP,
    AGENT,
    "window_index",
    "pane_index",
    "pane_id",
    "pane_pid",
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
    "session_created",
    "window_activity",
    "pane_start_path",
    *IDENTITY,
)


@frozen(kw_only=True)
class Listing:
    """What one listing told.

    Attributes:
        version: the server's version.
        server_pid: its process.
        sessions: every session.
        unsure: ids of sessions whose identity may be the server's global one.
        has_lost: some process ended and the server missed how, so that its crash hook has not run.
    """

    version: str
    server_pid: int
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
            ("display-message", "-p", self._head.row("#{version}", "#{pid}")),
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
        _, version, pid, stamp, _, exports, _, rows = self._head.split(text, 8)
        everywhere = read_exports(exports.lstrip("\n"))
        panes: list[dict[str, str]] = [dict(zip(_COLUMNS, row, strict=True)) for row in self._rows.read(rows, len(_COLUMNS))]
        sessions = _sessions(panes, stamp.strip("\n"))
        unsure = frozenset(s.id for s in sessions if any(everywhere.get(k) == v for k, v in s.environment.items()))
        lost = any(p["pane_dead"] == "1" and not p["pane_dead_status"] + p["pane_dead_signal"] for p in panes)
        return Listing(version=version, server_pid=int(pid), sessions=sessions, unsure=unsure, has_lost=lost)


def _sessions(panes: Sequence[Mapping[str, str]], stamp_everywhere: str) -> tuple[Session, ...]:
    """Make a session of each, shown by its agent's pane or else its first one; and one of each agent's pane that was moved elsewhere.

    A pane is shown by several sessions where a person has a second view; then it is that one's which bears its stamp.
    """
    shown_by: dict[str, list[Mapping[str, str]]] = {}
    for pane in sorted(panes, key=_position):
        shown_by.setdefault(pane["pane_id"], []).append(pane)
    owners = {pane_id: next((row for row in rows if row[STAMP] == row[AGENT]), rows[0]) for pane_id, rows in shown_by.items()}
    first: dict[str, Mapping[str, str]] = {}
    agents = [row for row in owners.values() if row[AGENT]]
    moved = [row for row in agents if first.setdefault(row["session_id"], row) is not row]
    for pane in sorted(panes, key=_position):
        first.setdefault(pane["session_id"], pane)
    shared = {row["session_id"] for rows in shown_by.values() if len(rows) > 1 for row in rows}
    rows = [*sorted(first.values(), key=_position), *moved]
    return tuple(
        _session(row, stamp_everywhere, is_owner=owners[row["pane_id"]] is row, is_shared=row["session_id"] in shared)
        for row in rows
    )


def _position(pane: Mapping[str, str]) -> tuple[int, int, int]:
    return (int(pane["session_id"].removeprefix("$")), int(pane["window_index"]), int(pane["pane_index"]))


def _session(pane: Mapping[str, str], stamp_everywhere: str, *, is_owner: bool, is_shared: bool) -> Session:
    """Read one row. A session of ours in which the agent's pane is no more proves nothing: what is left in it is somebody else's."""
    stamp = pane[AGENT] if is_owner else ""
    is_left = not stamp and pane[STAMP] not in ("", stamp_everywhere)
    return Session(
        id=pane["session_id"],
        name=pane["session_name"],
        instance=stamp,
        environment={} if is_left else {key: pane[key] for key in IDENTITY if pane[key]},
        pane_id=pane["pane_id"],
        pane_pid=_number(pane["pane_pid"]),
        is_dead=pane["pane_dead"] == "1",
        exit_code=read_number(pane["pane_dead_status"]),
        signal=read_signal(pane["pane_dead_signal"]),
        active_at_s=_number(pane["window_activity"] or pane["session_created"]),
        started_in=pane["pane_start_path"],
        is_shared=is_shared,
    )


def _number(text: str) -> int:
    """Read a number; 0 where a server does not tell, as after 3.7 of a dead pane's process: one odd row spoils no listing."""
    return int(text) if text.isdecimal() else 0


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
