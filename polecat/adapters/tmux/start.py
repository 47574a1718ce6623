"""Starting a session: one call that makes it complete. Pure; `polecat.adapters.tmux.cli` runs what this writes.

The server works through the whole chain before it looks at a process that ended meanwhile, so stamp, kept screen and crash
hook are there even for a program that ends at once.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import NoReturn

from polecat.adapters.processes.program import Finished
from polecat.adapters.tmux.commands import (
    AGENT,
    MAX_CALL_BYTES,
    RELEASED,
    STAMP,
    Command,
    Fields,
    all_of,
    call_bytes,
    environment_options,
    equals,
    joined,
    literal,
    means_unreachable,
)
from polecat.errors import SessionExistsError, TmuxError, TmuxUnreachableError
from polecat.ports import SessionRequest, StartedSession

_ON_EXIT = "@polecat_on_exit"
_TICK = "@polecat_tick"

LOST_STATUS = all_of("#{pane_dead}", "#{==:#{pane_dead_status}#{pane_dead_signal},}")
"""The process ended, and the server missed how: its signal came while a helper of the server ran (tmux before 3.6)."""

_TICK_S = 2.0

_IDS = 6
"""How many ids a new session prints."""

_DRAIN = "exec cat"
"""While a pane is piped tmux reads all that its process wrote before it takes the pane for dead; else last words may be lost."""

_IN_TOWN = "echo '#{session_name}' | grep -Eq '^(gt|hq)-'"

KEYS: tuple[Command, ...] = (
    (
        "bind-key", "-T", "root", "MouseDown1StatusRight", "display-popup", "-E", "-w", "60", "-h", "15",
        "gt mail peek || echo 'No unread mail'",
    ),
    (
        "bind-key", "-T", "prefix", "a", "if-shell", _IN_TOWN, "run-shell 'gt feed --window'",
        "display-message 'C-b a is for Gas Town sessions only'",
    ),
    ("bind-key", "-T", "prefix", "n", "if-shell", _IN_TOWN, "run-shell 'gt cycle next --session #{session_name}'", "next-window"),
    ("bind-key", "-T", "prefix", "p", "if-shell", _IN_TOWN, "run-shell 'gt cycle prev --session #{session_name}'", "previous-window"),
)  # fmt: skip
"""The reference's key bindings, for the whole server. Source: contract §9.4 steps 18a to 18d."""


def crash_hook(instance: str) -> str:
    """Write what the server does when the process ends: run the on-exit command; end the pane once the start is over.

    The session goes with its last pane; one in which a person has a pane of his own stays. The command is read from an option, so that its
    quoting is the shell's alone. The server waits for it before it ends the pane: with its last session the server itself ends, and with
    it every command that it still runs. If the pane has gone while it waited, the server goes on with the hook in some other one; so
    the end asks once more whether this is ours.
    """
    ours = equals(AGENT, instance)
    run = "#{" + _ON_EXIT + "} '#{pane_dead_status}' '#{pane_dead_signal}' >/dev/null 2>&1"
    then: list[Command] = [
        ("if-shell", "-F", "#{" + _ON_EXIT + "}", joined([("run-shell", run)])),
        ("if-shell", "-F", all_of(ours, "#{" + RELEASED + "}"), "kill-pane"),
    ]
    return joined([("if-shell", "-F", ours, joined(then))])


def _tick(pane: str, instance: str) -> list[Command]:
    """Make the server notice, within seconds, an end whose signal it missed; a timer of the server, no process.

    The tick looks at the pane by id, because people rename sessions and move panes, and ends with it.
    """
    again = ("run-shell", "-b", "-d", str(_TICK_S), "-C", "-t")
    arm = "#{E:" + _TICK + "}"
    nudge = ("if-shell", "-t", "\0", "-F", LOST_STATUS, joined([("run-shell", "-b", "true")]))
    then = joined([nudge, (*again, "\0", arm)])
    tick = joined([("if-shell", "-t", "\0", "-F", equals(AGENT, instance), then)])
    return [("set-option", "-p", "-t", pane, _TICK, literal(tick).replace("\0", "#{pane_id}")), (*again, pane, arm)]


def start_commands(request: SessionRequest, launch_file: Path, fields: Fields) -> list[Command]:
    """Write the chain that makes the session; it prints the ids of the new pane, then that of the pane which the stamp went to."""
    target = f"={request.name}:"
    ids = fields.row("#{session_id}", "#{session_name}", "#{pane_id}", "#{pane_pid}", "#{pid}", "#{socket_path}")
    size = ("-x", str(request.columns), "-y", str(request.rows))
    where = ("-s", request.name, "-c", os.fspath(request.cwd).replace("#", "##"))
    identity = environment_options(request.session_environment)
    commands: list[Command] = [
        ["new-session", "-d", "-P", "-F", ids, *size, *where, *identity, "--", "/bin/sh", str(launch_file)],
        *mark_commands(request, target, f"{target}^.{{top-left}}", fields),
    ]
    return [*commands, *(KEYS if request.bind_keys else ())]


def mark_commands(request: SessionRequest, session: str, pane: str, fields: Fields) -> list[Command]:
    """Write what makes a session ours and a pane the agent's: stamps, options, kept screen, crash hook; it prints the pane's id."""
    commands: list[Command] = [
        ("pipe-pane", "-O", "-t", pane, _DRAIN),
        ("set-option", "-p", "-t", pane, AGENT, request.instance),
        ("set-option", "-p", "-t", pane, RELEASED, "0"),
        ("set-option", "-p", "-t", pane, "remain-on-exit", "on"),
        ("set-option", "-pq", "-t", pane, "remain-on-exit-format", ""),
        ("set-option", "-t", session, STAMP, request.instance),
        ("set-option", "-t", session, "destroy-unattached", "off"),
    ]
    if request.on_exit:
        commands.append(("set-option", "-p", "-t", pane, _ON_EXIT, shlex.join(request.on_exit)))
    commands.append(("set-hook", "-p", "-t", pane, "pane-died", crash_hook(request.instance)))
    commands += [("set-option", "-t", session, option, value) for option, value in request.options]
    return [*commands, *_tick(pane, request.instance), ("display-message", "-p", "-t", pane, fields.row("#{pane_id}"))]


def unmark_commands(pane: str) -> list[Command]:
    """Write what takes everything back from a pane that a hook of the user's opened in the place of the agent's."""
    options = (AGENT, RELEASED, "remain-on-exit", "remain-on-exit-format", _ON_EXIT, _TICK)
    taken: list[Command] = [("set-option", "-puq", "-t", pane, option) for option in options]
    return [("pipe-pane", "-t", pane), *taken, ("set-hook", "-pu", "-t", pane, "pane-died")]


def check_call_size(request: SessionRequest, argv: list[str]) -> None:
    """Raise if the call is more than tmux takes.

    Raises:
        TmuxError: it is; nothing was done.
    """
    size = call_bytes(argv)
    if size > MAX_CALL_BYTES:
        raise TmuxError(
            f"cannot start session {request.name!r}: its session environment, options and on-exit command have {size} bytes"
            f" together, more than the {MAX_CALL_BYTES} tmux takes",
            argv=("tmux", "new-session"),
            hint="what only the program needs belongs into its environment, not the session's",
        )


def release_commands(pane_id: str) -> list[Command]:
    """Write what the end of the start changes: the session goes with its process, and last words are nobody's concern."""
    return [("set-option", "-p", "-t", pane_id, RELEASED, "1"), ("pipe-pane", "-t", pane_id)]


def read_started(request: SessionRequest, text: str, fields: Fields) -> StartedSession | None:
    """Read the ids the server printed, whatever hooks of the user's printed as well; None if there are none."""
    parts = fields.pieces(text)
    if len(parts) < 1 + _IDS or not (parts[4].isdecimal() and parts[5].isdecimal()):
        return None
    return StartedSession(
        id=parts[1],
        name=parts[2],
        instance=request.instance,
        pane_id=parts[3],
        pane_pid=int(parts[4]),
        server_pid=int(parts[5]),
        socket_path=parts[6],
    )


def marked_pane(text: str, fields: Fields) -> str:
    """Read the id of the pane that was marked; empty if none was."""
    parts = fields.pieces(text)
    return parts[-2] if len(parts) > 1 else ""


def raise_not_started(request: SessionRequest, answer: Finished) -> NoReturn:
    """Raise for a session that was not made.

    Raises:
        SessionExistsError: there is one of that name.
        TmuxUnreachableError: the server was not reached, or went away meanwhile.
        TmuxError: tmux refused.
    """
    stderr = answer.error_text
    kind: type[TmuxError] = TmuxUnreachableError if means_unreachable(stderr) else TmuxError
    message = f"cannot start session {request.name!r}: {stderr or 'tmux gave no usable answer'}"
    if stderr.startswith("duplicate session"):
        kind, message = SessionExistsError, f"there is a session {request.name!r} already"
    elif not stderr and not answer.stdout:
        kind, stderr = TmuxUnreachableError, "lost server"
    raise kind(message, argv=("tmux", "new-session"), exit_code=answer.exit_code, stderr=stderr)


def with_room_for_panes(argv: list[str], soft: int, hard: int, *, wanted: int = 4096) -> list[str]:
    """Let a server that this call may start open enough files: at its limit tmux hangs, and everybody with it.

    Args:
        argv: the call.
        soft: how many files this process may open.
        hard: how far it may raise that; negative for no limit.
        wanted: how many a server should be able to open; each session takes one.

    Examples:
        >>> with_room_for_panes(["tmux", "ls"], 8192, -1)
        ['tmux', 'ls']
        >>> with_room_for_panes(["tmux", "ls"], 256, 1024)[2]
        'ulimit -S -n 1024 2>/dev/null; exec "$@"'
    """
    most = wanted if hard < 0 else min(wanted, hard)
    if soft < 0 or soft >= most:
        return argv
    return ["/bin/sh", "-c", f'ulimit -S -n {most} 2>/dev/null; exec "$@"', "sh", *argv]
