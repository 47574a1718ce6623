"""Whose session is whose: what its name says, and what is proved by a stamp or by its own environment. Pure.

A name is an address, not an identity: the next spawn, a second town with a rig of that name, a person's own session and a session that a
plugin restored may bear it too. What proves nothing keeps its name and is never ended, typed to, or taken for somebody's agent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from attrs import field, frozen

from polecat.errors import InvalidNameError
from polecat.model import Rig
from polecat.names import agent_id, is_polecat_name, session_name
from polecat.ports import Session

Role = Literal["mayor", "deacon", "witness", "refinery", "crew", "polecat"]


def polecat_of_session(session: str, rig: str, other_rigs: Iterable[str] = (), *, prefix: str = "") -> str | None:
    """Read the polecat's name out of a session name, or None if the session is not a polecat of this rig.

    Hyphens make names ambiguous (``gt-a-b-nux``: rig ``a`` or rig ``a-b``?), so the other rigs of the town must be given:
    the longest rig name that fits owns the session.

    Args:
        session: the exact session name.
        rig: the rig that asks.
        other_rigs: the names of the town's other rigs.
        prefix: what Gas Town of today begins the session names of that rig with; empty for the older form.

    Examples:
        >>> polecat_of_session("gt-a-bullet-farmer", "a")
        'bullet-farmer'
        >>> polecat_of_session("gt-a-b-nux", "a", other_rigs=["a-b"]) is None
        True
        >>> polecat_of_session("gt-a-witness", "a") is None
        True
    """
    start = session_name(rig, "", prefix=prefix)
    if not session.startswith(start):
        return None
    rest = session[len(start) :]
    if not is_polecat_name(rest) or rest.startswith("crew-"):
        return None
    longer = (f"gt-{other}-" for other in other_rigs if not prefix and len(other) > len(rig))
    return None if any(session.startswith(p) for p in longer) else rest


@frozen(kw_only=True)
class SessionIndex:
    """The sessions of a server, seen from one rig.

    Attributes:
        by_instance: instance id → the session that bears it as our stamp.
        own: polecat's name → a session whose own environment says that it is this polecat of this rig of this town.
        shared: ids of sessions of which another session shows a pane as well (``new-session -t``, a linked window).
        names: the names of all sessions of the server.
        unproved: polecats' names → a session that bears their session's name and proves nothing of the kind.
        prefix: what the names of the rig's sessions begin with; empty for ``gt-<rig>``.
    """

    by_instance: Mapping[str, Session] = field(factory=dict)
    own: Mapping[str, Session] = field(factory=dict)
    shared: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    unproved: Mapping[str, Session] = field(factory=dict)
    prefix: str = ""

    def is_taken(self, rig: str, name: str) -> bool:
        """Say whether the session name of a polecat is borne by a session that is not to be ended."""
        if name in self.unproved:
            return True
        orphan, wanted = self.own.get(name), session_name(rig, name, prefix=self.prefix)
        is_free = orphan is not None and orphan.name == wanted and may_be_ended(orphan, self, name)
        return not is_free and wanted in self.names

    def of(self, name: str, instance: str) -> Session | None:
        """The session of a polecat: by the stamp of its record; else one that proves by itself to be this polecat's.

        Args:
            name: the polecat.
            instance: the instance of its record; empty if there is no record. With one, a session with another stamp is another spawn's.
        """
        own = self.own.get(name)
        if own is not None and instance and own.instance:
            own = None
        return self.by_instance.get(instance) or own


def index_sessions(sessions: Collection[Session], rig: Rig) -> SessionIndex:
    """Sort out which sessions are polecats of *rig*.

    Args:
        sessions: as the server listed them.
        rig: the rig.

    Source:
        Design §7; design §6, deviations 1 and 29; incidents T-24, T-45, T-46.
    """
    own: dict[str, Session] = {}
    unproved: dict[str, Session] = {}
    for session in sessions:
        name = proved_name(session, rig)
        if name is not None:
            own[name] = session
            continue
        name = polecat_of_session(session.name, rig.name, rig.siblings, prefix=rig.gastown.session_prefix)
        if name is not None:
            unproved[name] = session
    return SessionIndex(
        by_instance={session.instance: session for session in sessions if session.instance},
        own=own,
        shared=frozenset(session.id for session in sessions if session.is_shared),
        names=frozenset(session.name for session in sessions),
        unproved=unproved,
        prefix=rig.gastown.session_prefix,
    )


def proved_name(session: Session, rig: Rig) -> str | None:
    """Say which polecat of the rig a session proves to be by its own environment and by where it was started; None if it does not.

    Examples:
        >>> rig, said = Rig(name="gas", path="/t/gas"), {"GT_ROLE": "polecat", "GT_RIG": "gas", "GT_POLECAT": "nux"}
        >>> proved_name(Session(id="$1", name="x", environment={**said, "GT_ROOT": "/t"}), rig)
        'nux'
        >>> proved_name(Session(id="$1", name="gt-gas-nux", environment=said, started_in="/other/gas"), rig) is None
        True
    """
    env = session.environment
    name = env.get("GT_POLECAT", "")
    if not is_polecat_name(name) or env.get("GT_RIG") != rig.name or env.get("GT_CREW"):
        return None
    if env.get("GT_ROLE") not in ("polecat", agent_id(rig.name, name)):
        return None
    return name if _is_of_town(env.get("GT_ROOT", ""), session.started_in, str(rig.town_root)) else None


def _is_of_town(root: str, started_in: str, town: str) -> bool:
    return root == town if root else started_in == town or started_in.startswith(f"{town}/")


def may_be_ended(session: Session, index: SessionIndex, name: str) -> bool:
    """Say whether a session without a home is an orphan that may be ended: it proves to be the rig's, and nobody else shows its pane."""
    return index.own.get(name) == session and session.id not in index.shared


Liveness = Literal["alive", "dead", "unknown"]
Seen = Literal["running", "ended", "absent", "unknown"]


def judge_liveness(*, pane: Seen, process: Seen) -> Liveness:
    """Say whether an agent lives, from its pane on the server that its record names and from the process table.

    A pane may have been moved to another session or its server's socket lost, so a process that runs is an agent that lives, and only both
    together prove an end. What cannot be told is unknown, which is not dead.

    Args:
        pane: the recorded pane; ``absent`` is a server that answered, or is provably gone, without it.
        process: the recorded process, or any that bears the instance id.

    Examples:
        >>> judge_liveness(pane="absent", process="running"), judge_liveness(pane="absent", process="unknown")
        ('alive', 'unknown')

    Source:
        Design §7.
    """
    if "running" in (pane, process):
        return "alive"
    if "unknown" in (pane, process):
        return "unknown"
    return "dead"


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
