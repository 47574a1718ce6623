"""Starting a session on a server, and saying that its start is over. What is said to tmux is written by `tmux_start`."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable

from polecat.adapters.tmux.commands import (
    AGENT,
    Fields,
    all_of,
    chain,
    check_session_name,
    equals,
    guarded,
    means_ending,
    means_not_found,
)
from polecat.adapters.tmux.launch import check_sizes, drop_launch_file, write_launch_file
from polecat.adapters.tmux.server import TRIES, TRY_AGAIN_S, TmuxServer
from polecat.adapters.tmux.start import (
    check_call_size,
    mark_commands,
    marked_pane,
    raise_not_started,
    read_started,
    release_commands,
    start_commands,
    unmark_commands,
    with_room_for_panes,
)
from polecat.errors import SessionExistsError, TmuxError, TmuxUnreachableError
from polecat.ports import SessionRequest, StartedSession

Kill = Callable[[str], object]
"""Ends the session of an instance if there is one."""


def start(server: TmuxServer, request: SessionRequest, *, kill: Kill) -> StartedSession:
    """Make a session. See `polecat.adapters.tmux.cli.TmuxCli.start`.

    Args:
        server: where.
        request: what.
        kill: takes back what a start may have made that gave no answer.
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


def _start(server: TmuxServer, request: SessionRequest, kill: Kill) -> StartedSession:
    fields = Fields()
    launch_file = write_launch_file(request)
    started: StartedSession | None = None
    is_done = False
    try:
        argv = [*server.base, *chain(start_commands(request, launch_file, fields))]
        check_call_size(request, argv)
        if not server.is_running:
            argv = with_room_for_panes(argv, *resource.getrlimit(resource.RLIMIT_NOFILE))
        answer = server.call(argv)
        started = read_started(request, answer.text, fields)
        marked = marked_pane(answer.text, fields)
        is_done = answer.exit_code == 0 and started is not None and marked == started.pane_id
        if started is not None and not is_done and (answer.exit_code == 0 or means_not_found(answer.error_text)):
            is_done = _mark_by_ids(server, request, started, wrong=marked)
        if started is None or not is_done:
            raise_not_started(request, answer)
        server.is_running = True
        return started
    except SessionExistsError:
        is_done = True  # nothing was made
        drop_launch_file(launch_file)
        raise
    finally:
        if not is_done:
            drop_launch_file(launch_file)
            with contextlib.suppress(TmuxError):  # the error that is being raised matters more than this one's
                _undo(server, request, started, kill)


def _mark_by_ids(server: TmuxServer, request: SessionRequest, started: StartedSession, *, wrong: str) -> bool:
    """Mark session and pane by their ids, because a hook of the user's renamed the session or opened a pane before ours."""
    fields = Fields()
    right = mark_commands(request, started.id, started.pane_id, fields)
    is_wrong = wrong.startswith("%") and wrong != started.pane_id
    ours = all_of(equals("session_id", started.id), equals("pid", str(started.server_pid)))  # a new server counts anew
    then = [*(unmark_commands(wrong) if is_wrong else ()), *right]
    return marked_pane(server.ask([guarded(started.id, ours, then)]).text, fields) == started.pane_id


def _undo(server: TmuxServer, request: SessionRequest, started: StartedSession | None, kill: Kill) -> None:
    """End what a failed start may have made."""
    if started is None:
        kill(request.instance)
    else:
        ours = all_of(equals("session_id", started.id), equals("pid", str(started.server_pid)))  # a new server counts anew
        server.ask([guarded(started.id, ours, [("kill-session", "-t", started.id)])])


def release(server: TmuxServer, session: StartedSession) -> bool:
    """Say that a start is over. See `polecat.adapters.tmux.cli.TmuxCli.release`."""
    ours = all_of(equals(AGENT, session.instance), "#{==:#{pane_dead},0}")
    then = [*release_commands(session.pane_id), ("display-message", "-p", "released")]
    answer = server.ask([guarded(session.pane_id, ours, then, [("display-message", "-p", "ended")])])
    if means_not_found(answer.error_text):
        return False
    if answer.text.strip() not in ("released", "ended"):
        server.raise_unusable(answer)
    return answer.text.strip() == "released"
