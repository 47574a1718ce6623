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
    MAX_CALL_BYTES,
    PANE,
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
    """Write what the server does when the process ends: run the on-exit command; end the session once the start is over.

    The command is read from an option, so that its quoting is the shell's alone. The server waits for it before it ends the session: with
    its last session the server itself ends, and with it every command that it still runs. If the session has gone while it waited, the
    server goes on with the hook in some other session; so the end asks once more whether this is ours.
    """
    ours = all_of("#{==:#{hook_pane},#{" + PANE + "}}", equals(STAMP, instance))
    run = "#{" + _ON_EXIT + "} '#{pane_dead_status}' '#{pane_dead_signal}' >/dev/null 2>&1"
    then: list[Command] = [
        ("if-shell", "-F", "#{" + _ON_EXIT + "}", joined([("run-shell", run)])),
        ("if-shell", "-F", all_of(equals(STAMP, instance), "#{" + RELEASED + "}"), "kill-session"),
    ]
    return joined([("if-shell", "-F", ours, joined(then))])


def _tick(request: SessionRequest) -> list[Command]:
    """Make the server notice, within seconds, an end whose signal it missed; a timer of the server, no process.

    The tick looks at the pane by id, because people rename sessions, and ends with the session.
    """
    pane = "#{" + PANE + "}"
    again = ("run-shell", "-b", "-d", str(_TICK_S), "-C", "-t")
    arm = "#{E:" + _TICK + "}"
    nudge = ("if-shell", "-t", "\0", "-F", LOST_STATUS, joined([("run-shell", "-b", "true")]))
    then = joined([nudge, (*again, "\0", arm)])
    tick = joined([("if-shell", "-t", "\0", "-F", equals(STAMP, request.instance), then)])
    target = f"={request.name}:"
    return [("set-option", "-t", target, _TICK, literal(tick).replace("\0", pane)), (*again, target, arm)]


def start_commands(request: SessionRequest, launch_file: Path, fields: Fields) -> list[Command]:
    """Write the chain that makes the session."""
    target = f"={request.name}:"
    ids = fields.row("#{session_id}", "#{session_name}", "#{pane_id}", "#{pane_pid}", "#{pid}")
    size = ("-x", str(request.columns), "-y", str(request.rows))
    where = ("-s", request.name, "-c", os.fspath(request.cwd).replace("#", "##"))
    identity = environment_options(request.session_environment)
    commands: list[Command] = [
        ["new-session", "-d", "-P", "-F", ids, *size, *where, *identity, "--", "/bin/sh", str(launch_file)],
        ("pipe-pane", "-O", "-t", target, _DRAIN),
        ("set-option", "-t", target, STAMP, request.instance),
        ("set-option", "-t", target, RELEASED, "0"),
        ("set-option", "-F", "-t", target, PANE, "#{pane_id}"),
        ("set-option", "-t", target, "destroy-unattached", "off"),
        ("set-option", "-p", "-t", target, "remain-on-exit", "on"),
        ("set-option", "-pq", "-t", target, "remain-on-exit-format", ""),
    ]
    if request.on_exit:
        commands.append(("set-option", "-t", target, _ON_EXIT, shlex.join(request.on_exit)))
    commands.append(("set-hook", "-p", "-t", target, "pane-died", crash_hook(request.instance)))
    commands.extend(("set-option", "-t", target, option, value) for option, value in request.options)
    return [*commands, *_tick(request), *(KEYS if request.bind_keys else ())]


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
    return [("set-option", "-t", pane_id, RELEASED, "1"), ("pipe-pane", "-t", pane_id)]


def read_started(request: SessionRequest, text: str, fields: Fields) -> StartedSession | None:
    """Read the ids the server printed; None if there are none."""
    try:
        ((session_id, name, pane_id, pane_pid, server_pid),) = fields.read(text, 5)
        return StartedSession(
            id=session_id,
            name=name,
            instance=request.instance,
            pane_id=pane_id,
            pane_pid=int(pane_pid),
            server_pid=int(server_pid),
        )
    except ValueError:
        return None


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
