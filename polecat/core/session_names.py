"""Whose a session is, read out of its name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import frozen

from polecat.errors import InvalidNameError
from polecat.names import agent_id, is_polecat_name, session_name

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
class SessionIdentity:
    """Who a session name says it belongs to."""

    role: Role
    rig: str = ""
    name: str = ""

    @property
    def address(self) -> str:
        """The mail address: ``mayor``, ``rig/witness``, ``rig/crew/name``, ``rig/polecats/name``."""
        match self.role:
            case "mayor" | "deacon":
                return self.role
            case "witness" | "refinery":
                return f"{self.rig}/{self.role}"
            case "crew":
                return f"{self.rig}/crew/{self.name}"
            case "polecat":
                return agent_id(self.rig, self.name)

    @property
    def session(self) -> str:
        """The session name, the reverse of `parse_session_name`."""
        match self.role:
            case "mayor" | "deacon":
                return f"hq-{self.role}"
            case "witness" | "refinery":
                return f"gt-{self.rig}-{self.role}"
            case "crew":
                return f"gt-{self.rig}-crew-{self.name}"
            case "polecat":
                return session_name(self.rig, self.name)


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
