"""Starting a session on a server: one call that makes it complete; and saying that its start is over.

The server works through the whole chain before it looks at a process that ended meanwhile, so stamp, kept screen and crash
hook are there even for a program that ends at once.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from attrs import evolve

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
    chain,
    check_session_name,
    equals,
    guarded,
    joined,
    literal,
    means_ending,
    means_not_found,
    means_unreachable,
)
from polecat.adapters.tmux.launch import check_sizes, drop_launch_file, write_launch_file
from polecat.adapters.tmux.server import TRIES, TRY_AGAIN_S, TmuxServer
from polecat.errors import SessionExistsError, TmuxError, TmuxUnreachableError
from polecat.ports import SessionRequest, StartedSession

_ON_EXIT = "@polecat_on_exit"
_KEEP_END = "@polecat_keep_end"
_TICK = "@polecat_tick"

LOST_STATUS = all_of("#{pane_dead}", "#{==:#{pane_dead_status}#{pane_dead_signal},}")
"""The process ended, and the server missed how: its signal came while a helper of the server ran (tmux before 3.6)."""

_TICK_S = 2.0

_IDS = 7
"""How many ids a new session prints; the last one says whether the server ends when nobody is attached."""

_DRAIN = "exec cat"
"""While a pane is piped tmux reads all that has reached it before it takes the pane for dead; else last words are lost more often.

What a process wrote in its last moment may still be on its way then, on a busy machine; that is lost all the same.
"""

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


def start_session(server: TmuxServer, request: SessionRequest, *, kill: Callable[[], object]) -> StartedSession:
    """Make a session. See `polecat.adapters.tmux.cli.TmuxCli.start`.

    Args:
        server: where.
        request: what.
        kill: ends the session of this request, if a start that gave no answer made one.
    """
    check_session_name(request.name)
    check_sizes(request)
    if not request.cwd.is_dir():
        raise TmuxError(
            f"cannot start session {request.name!r}: {request.cwd} is not a directory", argv=("tmux",), cwd=request.cwd
        )
    for _ in range(TRIES - 1):
        try:
            return _start(server, request, kill)
        except TmuxUnreachableError as error:  # from a server that was just ending, so the session is not there
            if not means_ending(error.stderr):
                raise
            time.sleep(TRY_AGAIN_S)
    return _start(server, request, kill)


def _start(server: TmuxServer, request: SessionRequest, kill: Callable[[], object]) -> StartedSession:
    fields = Fields()
    launch_file = write_launch_file(request)
    started: StartedSession | None = None
    try:
        argv = [*server.base, *chain(start_commands(request, launch_file, fields))]
        check_call_size(request, argv)
        if not server.is_running:
            argv = with_room_for_panes(argv, *resource.getrlimit(resource.RLIMIT_NOFILE))
        answer = server.call(argv)
        started = read_started(request, answer.text, fields)
        if started is None or not _is_marked(server, request, started, answer, fields):
            raise_not_started(request, answer)
        if fields.pieces(answer.text)[_IDS] in ("1", "on"):
            raise TmuxError(
                f"cannot start session {request.name!r}: this tmux server ends with all its sessions as soon as nobody looks at it",
                argv=("tmux", "new-session"),
                hint="switch that off (tmux set-option -s exit-unattached off), or give the town a server of its own: tmux_socket",
            )
        return evolve(started, lost=_now_at(server, started))
    except BaseException as error:
        drop_launch_file(launch_file)
        if not isinstance(error, SessionExistsError):  # then nothing was made
            with contextlib.suppress(TmuxError):  # the error that is being raised matters more than this one's
                if started is None:
                    kill()
                else:
                    server.ask([guarded(started.id, _is_same(started), [("kill-session", "-t", started.id)])])
        raise


def _now_at(server: TmuxServer, started: StartedSession) -> tuple[str, ...]:
    """Note that the server is there with a new session; return the names of those that went with the one that was there before."""
    lost = tuple(server.sessions.values()) if server.pid not in (0, started.server_pid) else ()
    server.sessions = {**({} if lost else server.sessions), started.id: started.name}
    server.is_running, server.pid = True, started.server_pid
    return lost


def _is_marked(server: TmuxServer, request: SessionRequest, started: StartedSession, answer: Finished, fields: Fields) -> bool:
    """Say whether the stamp went to the new pane; if a hook of the user's renamed the session or opened a pane before ours, mark by ids."""
    marked = marked_pane(answer.text, fields)
    if answer.exit_code == 0 and marked == started.pane_id:
        return True
    if answer.exit_code != 0 and not means_not_found(answer.error_text):
        return False
    again = Fields()
    taken_back = unmark_commands(marked) if marked.startswith("%") and marked != started.pane_id else []
    then = [*taken_back, *mark_commands(request, started.id, started.pane_id, again)]
    return marked_pane(server.ask([guarded(started.id, _is_same(started), then)]).text, again) == started.pane_id


def _is_same(started: StartedSession) -> str:
    """Write the condition that a session is the one that was started: a new server counts its ids anew."""
    return all_of(equals("session_id", started.id), equals("pid", str(started.server_pid)))


def release_session(server: TmuxServer, session: StartedSession) -> bool:
    """Say that a start is over. See `polecat.adapters.tmux.cli.TmuxCli.release`."""
    ours = all_of(equals(AGENT, session.instance), "#{==:#{pane_dead},0}")
    then = [*release_commands(session.pane_id), ("display-message", "-p", "released")]
    answer = server.ask([guarded(session.pane_id, ours, then, [("display-message", "-p", "ended")])])
    if means_not_found(answer.error_text):
        return False
    said = answer.text.strip("\n")
    if said not in ("released", "ended"):
        server.raise_unusable(answer)
    return said == "released"


def crash_hook(instance: str) -> str:
    """Write what the server does when the process ends: keep how; run the on-exit command; end the pane once the start is over.

    The session goes with its last pane; one in which a person has a pane of his own stays. The commands are read from options, so that
    their quoting is the shell's alone. The server waits for each before it goes on: with its last session the server itself ends, and with
    it every command that it still runs. If the pane has gone while it waited, the server goes on with the hook in some other one; so
    each asks once more whether this is ours.
    """
    ours, how = equals(AGENT, instance), "'#{pane_dead_status}' '#{pane_dead_signal}' >/dev/null 2>&1"
    keep = "#{" + _KEEP_END + "} '#{socket_path}' '#{pane_id}' " + how
    return joined(
        [
            ("if-shell", "-F", all_of(ours, "#{" + _KEEP_END + "}"), joined([("run-shell", keep)])),
            ("if-shell", "-F", all_of(ours, "#{" + _ON_EXIT + "}"), joined([("run-shell", "#{" + _ON_EXIT + "} " + how)])),
            ("if-shell", "-F", all_of(ours, "#{" + RELEASED + "}"), "kill-pane"),
        ]
    )


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
    ids = fields.row(
        "#{session_id}", "#{session_name}", "#{pane_id}", "#{pane_pid}", "#{pid}", "#{socket_path}", "#{exit-unattached}"
    )
    size = ("-x", str(request.columns), "-y", str(request.rows))
    where = ("-s", request.name, "-c", os.fspath(request.cwd).replace("#", "##"))
    identity = [word for key, value in request.session_environment.items() for word in ("-e", f"{key}={value}")]
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
    if request.end_file is not None:
        keep = ("/bin/sh", os.fspath(Path(__file__).with_name("keep_end.sh")), os.fspath(request.end_file))
        commands.append(("set-option", "-p", "-t", pane, _KEEP_END, shlex.join(keep)))
    if request.on_exit:
        commands.append(("set-option", "-p", "-t", pane, _ON_EXIT, shlex.join(request.on_exit)))
    commands.append(("set-hook", "-p", "-t", pane, "pane-died", crash_hook(request.instance)))
    commands += [("set-option", "-t", session, option, value) for option, value in request.options]
    return [*commands, *_tick(pane, request.instance), ("display-message", "-p", "-t", pane, fields.row("#{pane_id}"))]


def unmark_commands(pane: str) -> list[Command]:
    """Write what takes everything back from a pane that a hook of the user's opened in the place of the agent's."""
    options = (AGENT, RELEASED, "remain-on-exit", "remain-on-exit-format", _KEEP_END, _ON_EXIT, _TICK)
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
    """Write what the end of the start changes: the session goes with its process. The pipe stays: last words are kept."""
    return [("set-option", "-p", "-t", pane_id, RELEASED, "1")]


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
