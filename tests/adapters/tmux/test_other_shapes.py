"""Versions and settings of tmux that print, know or do other things than the one at hand: what degrades, and what is said about it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from polecat import SpawnOptions, TmuxError, spawn_for_sling
from polecat.adapters.tmux.cli import TmuxCli
from polecat.adapters.tmux.listing import ListCall
from polecat.ports import Watch
from polecat.testing import MeanwhileAt, fake_world
from tests.conftest import TmuxGuard
from tests.spawn_fixtures import shim_directory, with_path
from tests.tmux_fixtures import PrivateServer, eventually, private_server, request

pytestmark = pytest.mark.real

_AS_3_2 = r"""
for word; do
  shift
  word=$(printf '%s.' "$word" | sed 's/pane_dead_signal/pane_dead_nothing/g; s/remain-on-exit-format/remain-on-exit-nothing/g')
  set -- "$@" "${word%.}"
done
exec @REAL@ "$@"
"""
"""A tmux that knows neither ``pane_dead_signal`` nor ``remain-on-exit-format``, as 3.2 and 3.2a do not."""


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


def _as_old(server: PrivateServer, guard: TmuxGuard, place: Path) -> TmuxCli:
    shim = shim_directory(place, tmux=_AS_3_2.replace("@REAL@", str(guard.real)))
    return server.cli(environ=with_path(shim))


@pytest.mark.parametrize(("ends", "code"), [("exit 3", 3), ("kill -9 $$", None)])
def test_a_tmux_that_knows_no_signals(
    ends: str, code: int | None, server: PrivateServer, tmux_guard: TmuxGuard, tmp_path: Path
) -> None:
    """On tmux 3.2 a start, a list and a release work; of an agent that was killed it is known that it ended, and not by what."""
    tmux = _as_old(server, tmux_guard, tmp_path / "bin")
    made = tmux.start(request(tmp_path, "one", "sh", "-c", f"read line; {ends}"))
    assert [one.instance for one in tmux.list_sessions()] == [made.instance]
    tmux.send_text(made.pane_id, "go", instance=made.instance)

    [seen] = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance)], timeout_s=10)

    assert (seen.is_dead, seen.exit_code, seen.signal) == (True, code, None)
    assert tmux.release(made) is False
    assert tmux.kill(made.id, name="one", instance=made.instance) is True


def _row(call: ListCall, *values: str) -> str:
    mark = call.commands()[-1][-1].split("#{")[0]
    return mark + "".join(f"{value}{mark}" for value in values)


def test_a_strangers_dead_pane_without_a_process_is_a_row_like_any_other() -> None:
    """After tmux 3.7 a dead pane has no process id: a stranger's spoils no list."""
    call = ListCall()
    head = call.commands()[0][-1].split("#{")[0]
    stranger = ("$1", "theirs", "", "", "0", "0", "%1", "", "1", "0", "", "1700000000", "", "", *[""] * 6)
    ours = ("$2", "gt-a-nux", "i1", "i1", "0", "0", "%2", "77", "0", "", "", "1700000000", "1700000001", "", *[""] * 6)
    text = f"{head}3.8{head}4711{head}\n\n{head}{head}\n{head}{head}\n{_row(call, *stranger)}\n{_row(call, *ours)}\n"

    listing = call.read(text)

    assert [(one.name, one.pane_pid, one.is_dead) for one in listing.sessions] == [("theirs", 0, True), ("gt-a-nux", 77, False)]


def test_a_server_that_went_with_its_sessions_is_news(server: PrivateServer, tmp_path: Path) -> None:
    """Sessions that were listed and went with their server are named by the next start, once; nobody's are lost without a word."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))
    assert made.lost == ()
    server.run("new-session", "-d", "-s", "theirs", "sleep 1000")
    tmux.list_sessions()
    os.kill(made.server_pid, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{made.server_pid}"), "the server is gone")

    assert tmux.start(request(tmp_path, "two", "sleep", "1000")).lost == ("one", "theirs")
    assert tmux.start(request(tmp_path, "three", "sleep", "1000")).lost == ()


def test_a_server_that_crashes_under_a_start_is_news(server: PrivateServer, tmux_guard: TmuxGuard, tmp_path: Path) -> None:
    """It looks like one that was just ending, so the start goes on; what was there before is named all the same."""
    made = server.cli().start(request(tmp_path, "one", "sleep", "1000"))
    crash = f'kill -9 {made.server_pid}; echo "server exited unexpectedly" >&2; exit 1'
    script = f'case "$*" in *new-session*) if mkdir "{tmp_path}/crashed" 2>/dev/null; then {crash}; fi;; esac\nexec {tmux_guard.real} "$@"'
    tmux = server.cli(environ=with_path(shim_directory(tmp_path / "bin", tmux=script)))
    tmux.list_sessions()

    assert tmux.start(request(tmp_path, "two", "sleep", "1000")).lost == ("one",)


def test_a_session_that_we_ended_ourselves_is_no_news(server: PrivateServer, tmp_path: Path) -> None:
    """The last session that was ended on purpose takes its server along, and that is nothing to tell."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))
    tmux.list_sessions()
    assert tmux.kill(made.id, name="one", instance=made.instance)
    eventually(lambda: not os.path.exists(f"/proc/{made.server_pid}"), "the server ended")

    assert tmux.start(request(tmp_path, "two", "sleep", "1000")).lost == ()


def test_a_spawn_says_which_sessions_the_server_took_along(tmp_path: Path) -> None:
    """A server that ends between the look and the start is a warning of the spawn, with the names."""
    rig, world = fake_world(tmp_path)
    first = spawn_for_sling(rig, world=world)
    count = 0

    class BeforeStart(MeanwhileAt):
        def hits(self, call: object) -> bool:
            nonlocal count
            count += str(call) == "tmux.start"
            return str(call) == "tmux.start"

    second = spawn_for_sling(rig, SpawnOptions(), world=BeforeStart(0, world.tmux.restart_server).around(world))

    assert count == 1
    assert [one for one in second.warnings if first.session_name in one], second.warnings


def test_a_server_that_ends_when_nobody_looks_is_refused(server: PrivateServer, tmp_path: Path) -> None:
    """With ``exit-unattached`` every agent would die with the last look; the start says so, and leaves nothing."""
    config = tmp_path / "tmux.conf"
    config.write_text("set -s exit-unattached on\n")
    tmux = TmuxCli(socket=str(server.socket), config_file=str(config))

    with pytest.raises(TmuxError, match="as soon as nobody looks at it") as caught:
        tmux.start(request(tmp_path, "one", "sleep", "1000"))

    assert "exit-unattached off" in caught.value.hint
    assert tmux.list_sessions() == ()
    assert list(tmp_path.rglob("launch-*")) == []
