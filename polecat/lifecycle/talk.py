"""Talking to polecats: typing to one, reading its screen, attaching to it.

A polecat's session is looked for on the server that its record names, whatever the settings say by now.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import evolve, field, frozen

from polecat.adapters.tmux.cli import TmuxCli
from polecat.adapters.tmux.server import socket_path
from polecat.adapters.world import caller_environ, gastown_socket, given_clock, real_tmux
from polecat.core.sessions import index_sessions
from polecat.errors import PolecatError, SessionNotFoundError, UnknownStateError, publish
from polecat.lifecycle.delivery import Delivery, Typist
from polecat.model import Polecat, Rig, SpawnedPolecat
from polecat.names import agent_id
from polecat.ports import Event, Processes, Session, Tmux, World
from polecat.town.endings import end_path, read_end
from polecat.town.locks import holding
from polecat.town.logs import emit
from polecat.town.records import Record, read_current
from polecat.upkeep.addressing import Target, find_target
from polecat.upkeep.liveness import other_program, signs_by_agent

NUDGE_TIMEOUT_S = 60.0
"""How long a sender waits for the one before, which waits until its text is taken."""


def nudge_lock(rig: Rig, name: str) -> Path:
    """The lock of typing to one polecat; no other is taken with it, and it is held for one message."""
    return rig.runtime_dir / "locks" / f"nudge-{name}.lock"


def nudge_polecat(
    rig: Rig | str,
    polecat: str | Polecat | SpawnedPolecat,
    text: str,
    *,
    world: World | None = None,
    timeout_s: float = NUDGE_TIMEOUT_S,
) -> Delivery:
    """Type a message to a polecat's agent, whole, and say what became of it. Senders at the same time wait for each other.

    The text is pasted once; when it is seen, Enter is pressed; when the agent's composer still holds it, Enter is pressed again. An agent
    that asks something gets nothing, because the text would be its answer. Nothing is typed into a session that is not the polecat's own
    any more; tmux checks that in the same call.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        text: what is typed; several lines are one message.
        world: the world to use; without a tmux, the server that the polecat was spawned on. ``on_event`` receives ``polecat_nudged``;
            the text is never part of it.
        timeout_s: how long to wait for other senders.

    Returns:
        What became of it: taken, shown but not taken, refused, or unknown.

    Raises:
        PolecatNotFoundError: the rig has none of that name, or the value's polecat is gone and another one has its name.
        SessionNotFoundError: it has no session, its agent has ended, or somebody started another program in its pane; nothing was typed.
        LockTimeoutError: another sender did not finish in time; nothing was typed.
        PolecatError: there is no text, or it holds a NUL.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> nudge_polecat(rig, cat, "are you there?", world=world).outcome
        'taken'
        >>> world.tmux.typed(cat.pane)
        ['are you there?']

    Source:
        Incidents T-40 to T-42.
    """
    if not text:
        raise PolecatError("there is nothing to send", hint="give a text, or pipe one in: polecat send RIG/NAME < FILE")
    if "\0" in text:
        raise PolecatError("the text holds a NUL, which cannot be typed", hint="send text, not a binary file")
    target = find_target(rig, polecat)
    rig, name = target.rig, target.name
    with holding(nudge_lock(rig, name), what=f"type to {name}", timeout_s=timeout_s):
        target.check()
        tmux, session, record = _find_session(target, world)
        if record is not None:
            _check_program((world.processes if world else None) or tmux.processes, record, session)
        typist = Typist(tmux, session.pane_id, instance=session.instance, clock=given_clock(world))
        signs = signs_by_agent(rig)(record.agent if record is not None else "")
        delivery = evolve(typist.deliver(text, signs), session_name=session.name)
    facts: dict[str, object] = {
        "session": session.name,
        "bytes": len(text.encode("utf-8", "surrogateescape")),
        "outcome": delivery.outcome,
    }
    emit(
        Event(name="polecat_nudged", rig=rig.name, polecat=name, instance=session.instance, facts=facts),
        world.on_event if world else None,
    )
    return delivery


def capture_polecat(
    rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, lines: int = 200, world: World | None = None
) -> str:
    """Read what a polecat's agent shows; of one that has ended, the last that it showed.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        lines: how many lines at most, the last ones, 1 or more; those above the screen are read too.
        world: as for `nudge_polecat`.

    Returns:
        The text, without trailing blank lines.

    Raises:
        PolecatNotFoundError: the rig has none of that name, or the value's polecat is gone and another one has its name.
        SessionNotFoundError: it has no session, and nothing was kept of its end.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> world.tmux.show(cat.session_name, "one\\ntwo\\n> ")
        >>> capture_polecat(rig, cat, lines=2, world=world)
        'two\\n>'
    """
    if lines < 1:
        raise PolecatError(f"cannot read {lines} lines", hint="ask for 1 or more")
    target = find_target(rig, polecat)
    try:
        tmux, session, _ = _find_session(target, world)
        text = tmux.capture(session.pane_id, lines=lines)
    except SessionNotFoundError:
        kept = _kept_screen(target)
        if kept is None:
            raise
        text = kept
    return "\n".join(text.split("\n")[-lines:])


def _kept_screen(target: Target) -> str | None:
    with suppress(UnknownStateError):
        record = read_current(target.rig, target.name)
        kept = read_end(end_path(target.rig, target.name, record.instance)) if record is not None else None
        return None if kept is None else kept[1]
    return None


# ------------------------------------------------------------------------------------------------------- attaching


@publish
@frozen(kw_only=True)
class AttachCommand:
    """The program that shows a person a polecat's session.

    Attributes:
        argv: the program and its arguments.
        environ: its environment.
        session_name: the session.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    session_name: str


def attach_command(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, world: World | None = None) -> AttachCommand:
    """Make the command that attaches to exactly this polecat's session.

    From within the same tmux server the client is switched, because tmux does not nest; from within another, ``TMUX`` is removed.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        world: as for `nudge_polecat`.

    Returns:
        The command; the caller runs it.

    Raises:
        PolecatNotFoundError: the rig has none of that name, or the value's polecat is gone and another one has its name.
        SessionNotFoundError: it has no session.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> attach_command(rig, cat, world=world).argv
        ('tmux', '-u', 'attach-session', '-t', '=gt-gastown-furiosa')
    """
    env = caller_environ(world)
    tmux, session, _ = _find_session(find_target(rig, polecat), world)
    socket = tmux.socket
    where = () if socket is None else ("-S" if "/" in socket else "-L", socket)
    is_here = _is_inside(socket, env)
    if not is_here:
        env.pop("TMUX", None)
    verb = "switch-client" if is_here else "attach-session"
    argv = ("tmux", "-u", *where, verb, "-t", f"={session.name}")
    return AttachCommand(argv=argv, environ=env, session_name=session.name)


def _is_inside(socket: str | None, environ: Mapping[str, str]) -> bool:
    """Say whether the caller is a client of that server; ``TMUX`` begins with the path of its socket."""
    ours = environ.get("TMUX", "").partition(",")[0]
    return bool(ours) and os.path.realpath(ours) == os.path.realpath(socket_path(socket, environ))


# --------------------------------------------------------------------------------------------------------- finding


def _find_session(target: Target, world: World | None) -> tuple[Tmux, Session, Record | None]:
    """Find a polecat's server and session, and its record: by its stamp, because a person may rename it; else by its name.

    Raises:
        SessionNotFoundError: it has none. For a value, a session of its name with another stamp is not its own.
        TmuxUnreachableError: the server could not be asked.
    """
    rig, name, record = target.rig, target.name, None
    with suppress(UnknownStateError):  # what cannot be read names no server; the name still finds the session
        record = read_current(rig, name)
    tmux, environ = world.tmux if world else None, caller_environ(world)
    if tmux is None:
        tmux = real_tmux(rig, environ) if record is None else TmuxCli(socket=record.tmux_socket or None, environ=environ)
    if record is not None and record.socket_path:
        tmux = tmux.at(record.socket_path)
    session = _on(tmux, target, record)
    if session is None and (socket := gastown_socket(rig, environ)):
        tmux = tmux.at(socket)
        session = _on(tmux, target, record)
    if session is None or (target.instance is not None and session.instance not in ("", target.instance)):
        raise SessionNotFoundError(f"{agent_id(rig.name, name)} has no session", hint=f"its files are in {rig.home_dir(name)}")
    return tmux, session, record


def _check_program(processes: Processes, record: Record, session: Session) -> None:
    """Refuse a pane in which another program was started: a shell would execute what is typed.

    Raises:
        SessionNotFoundError: one was.
    """
    if other := other_program(processes, record, session):
        who = f"{record.rig}/{record.polecat}"
        raise SessionNotFoundError(
            f"another program was started in the pane of {agent_id(record.rig, record.polecat)}: {other}; nothing was typed",
            hint=f"look at it:      polecat attach {who}\nstart the agent: polecat stop {who}; polecat start {who} --fresh",
        )


def _on(tmux: Tmux, target: Target, record: Record | None) -> Session | None:
    return index_sessions(tmux.list_sessions(), target.rig).of(target.name, record.instance if record else "")
