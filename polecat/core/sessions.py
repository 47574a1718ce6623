"""Whose a session is: by its name, and by what its environment says against that. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from attrs import frozen

from polecat.errors import InvalidNameError
from polecat.model import Rig
from polecat.names import agent_id, is_polecat_name, session_name
from polecat.ports import Session

Role = Literal["mayor", "deacon", "witness", "refinery", "crew", "polecat"]


def polecat_of_session(session: str, rig: str, other_rigs: Iterable[str] = ()) -> str | None:
    """Read the polecat's name out of a session name, or None if the session is not a polecat of this rig.

    Hyphens make names ambiguous (``gt-a-b-nux``: rig ``a`` or rig ``a-b``?), so the other rigs of the town must be given:
    the longest rig name that fits owns the session.

    Args:
        session: the exact session name.
        rig: the rig that asks.
        other_rigs: the names of the town's other rigs.

    Examples:
        >>> polecat_of_session("gt-a-bullet-farmer", "a")
        'bullet-farmer'
        >>> polecat_of_session("gt-a-b-nux", "a", other_rigs=["a-b"]) is None
        True
        >>> polecat_of_session("gt-a-witness", "a") is None
        True
    """
    prefix = f"gt-{rig}-"
    if not session.startswith(prefix):
        return None
    rest = session[len(prefix) :]
    if not is_polecat_name(rest) or rest.startswith("crew-"):
        return None
    longer = (f"gt-{other}-" for other in other_rigs if len(other) > len(rig))
    return None if any(session.startswith(p) for p in longer) else rest


@frozen(kw_only=True)
class SessionIndex:
    """The sessions of a server, seen from one rig.

    Attributes:
        own: polecat's name → its session, where name and environment agree that it is a polecat of this rig.
        foreign: names that a session bears by its form, though its own environment says it is something else.
        by_instance: instance id → its session, whatever the session is called by now.
        names: the names of all sessions of the server.
    """

    own: Mapping[str, Session]
    foreign: frozenset[str]
    by_instance: Mapping[str, Session]
    names: frozenset[str] = frozenset()

    def is_taken(self, rig: str, name: str) -> bool:
        """Say whether the session name of a polecat is borne by a session that is not this rig's polecat."""
        return name in self.foreign or (name not in self.own and session_name(rig, name) in self.names)

    def of(self, name: str, instance: str) -> Session | None:
        """The session of a polecat: by its stamp, because a user may rename a session; else by its name."""
        return self.by_instance.get(instance) or self.own.get(name)


def index_sessions(sessions: Collection[Session], rig: Rig) -> SessionIndex:
    """Sort out which sessions are polecats of *rig*.

    A session is the rig's polecat if its name says so and, where its own environment names a role, rig or polecat, that says so
    too. One that says something else is never ours to end, and its name is not free either.

    Source:
        Design §6, deviation 1; incidents T-24, T-45, T-46.
    """
    own: dict[str, Session] = {}
    foreign: set[str] = set()
    for session in sessions:
        name = polecat_of_session(session.name, rig.name, rig.siblings)
        if name is None:
            continue
        if _says_otherwise(session.environment, rig.name, name):
            foreign.add(name)
        else:
            own[name] = session
    stamped = {session.instance: session for session in sessions if session.instance}
    return SessionIndex(own=own, foreign=frozenset(foreign), by_instance=stamped, names=frozenset(s.name for s in sessions))


def _says_otherwise(env: Mapping[str, str], rig: str, name: str) -> bool:
    role = env.get("GT_ROLE", "")
    return bool(
        role not in ("", "polecat", agent_id(rig, name))
        or env.get("GT_RIG", rig) not in ("", rig)
        or env.get("GT_POLECAT", name) not in ("", name)
        or env.get("GT_CREW")
    )


_FORMS: Mapping[Role, tuple[str, str]] = {
    "mayor": ("mayor", "hq-mayor"),
    "deacon": ("deacon", "hq-deacon"),
    "witness": ("{rig}/witness", "gt-{rig}-witness"),
    "refinery": ("{rig}/refinery", "gt-{rig}-refinery"),
    "crew": ("{rig}/crew/{name}", "gt-{rig}-crew-{name}"),
    "polecat": ("{rig}/polecats/{name}", "gt-{rig}-{name}"),
}
"""Role → its mail address and its session."""


@frozen(kw_only=True)
class SessionIdentity:
    """Who a session name says it belongs to."""

    role: Role
    rig: str = ""
    name: str = ""

    @property
    def address(self) -> str:
        """The mail address: ``mayor``, ``rig/witness``, ``rig/crew/name``, ``rig/polecats/name``."""
        return _FORMS[self.role][0].format(rig=self.rig, name=self.name)

    @property
    def session(self) -> str:
        """The session name, the reverse of `parse_session_name`."""
        return _FORMS[self.role][1].format(rig=self.rig, name=self.name)


def parse_session_name(session: str) -> SessionIdentity:
    """Read role, rig and name out of a session name by its form alone.

    The last segment of a polecat's session is taken as its name; use `polecat_of_session` where the rig is known, for
    names with hyphens.

    Raises:
        InvalidNameError: the text is not a session name of a town.

    Examples:
        >>> parse_session_name("gt-foo-bar-witness").address
        'foo-bar/witness'

    Source:
        Contract §5, last paragraph.
    """
    if session in ("hq-mayor", "hq-deacon"):
        return SessionIdentity(role="mayor" if session == "hq-mayor" else "deacon")
    segments = session.removeprefix("gt-").split("-")
    if not session.startswith("gt-") or len(segments) < 2 or not all((segments[0], segments[-1])):
        raise InvalidNameError("session", session, "is not a session of a town")
    last = segments[-1]
    if last in ("witness", "refinery"):
        role: Role = "witness" if last == "witness" else "refinery"
        return SessionIdentity(role=role, rig="-".join(segments[:-1]))
    for at in range(1, len(segments) - 1):
        if segments[at] == "crew":
            return SessionIdentity(role="crew", rig="-".join(segments[:at]), name="-".join(segments[at + 1 :]))
    return SessionIdentity(role="polecat", rig="-".join(segments[:-1]), name=last)
