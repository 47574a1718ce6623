"""Starting sessions: what fails and leaves nothing, what a person's configuration cannot break."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat.adapters.tmux.cli import TmuxCli
from polecat.errors import TmuxError
from polecat.ports import Watch
from tests.conftest import ProgramCounts
from tests.spawn_fixtures import shim_directory, with_path
from tests.tmux_fixtures import ENDS, PrivateServer, eventually, private_server, request, started_program

pytestmark = pytest.mark.real

HOSTILE_CONFIG = """
set -g destroy-unattached on
set -g base-index 5
set -g pane-base-index 3
set -g default-shell /bin/false
set -g default-command false
set -g remain-on-exit off
set -g @polecat_id everybody
set -g @polecat_released 1
"""


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


def test_a_start_is_one_call(server: PrivateServer, tmp_path: Path, program_counts: ProgramCounts) -> None:
    """Session, options, stamp and hook take one tmux process, and seeing the prompt one more."""
    tmux = server.cli()

    made = tmux.start(request(tmp_path))
    (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance, patterns=("ready",))], timeout_s=10)

    assert status.matched == (True,)
    assert program_counts.count("tmux") == 2


def test_the_session_is_as_it_was_asked_for(server: PrivateServer, tmp_path: Path) -> None:
    """Size, directory and options are set before the program runs."""
    options = (("status-left", "😺 gas/nux #[x];"), ("mouse", "on"), ("status-interval", "5"))
    asked = evolve(request(tmp_path, "one", "sleep", "1000"), options=options, columns=123, rows=45)

    made = server.cli().start(asked)

    told = "#{window_width} #{window_height} #{session_path} #{mouse} #{status-interval} #{status-left}"
    shown = server.run("list-panes", "-t", made.id, "-F", told)
    assert shown == f"123 45 {tmp_path} 1 5 😺 gas/nux #[x];"


def test_keys_are_bound_only_when_asked(server: PrivateServer, tmp_path: Path) -> None:
    """The reference's keys are for the whole server, so a person must want them."""
    tmux = server.cli()
    asked = request(tmp_path, "one", "sleep", "1000")
    tmux.start(asked)
    assert "gt feed" not in server.run("list-keys")

    tmux.start(evolve(asked, name="two", bind_keys=True))

    keys = server.run("list-keys")
    assert [word for word in ("gt mail peek", "gt feed --window", "gt cycle next", "gt cycle prev") if word not in keys] == []


def test_a_start_that_breaks_half_way_leaves_nothing(server: PrivateServer, tmp_path: Path) -> None:
    """An option tmux refuses undoes the session that was made before it."""
    tmux = server.cli()
    tmux.start(request(tmp_path, "bystander", "sleep", "1000"))
    asked = evolve(request(tmp_path, "one", "sleep", "1000"), options=(("no-such-option", "x"),))

    with pytest.raises(TmuxError, match="no-such-option"):
        tmux.start(asked)

    assert tmux.sessions() == ["bystander"]
    left = [
        path for path in tmp_path.rglob("launch-*") if "bystander" not in path.name
    ]  # that one goes when its pane has read it
    assert left == []


def test_a_start_that_loses_its_server_ends_no_session_of_the_next(server: PrivateServer, tmp_path: Path) -> None:
    """A session is known by its id within one server; where a new one came meanwhile, that id is a neighbour's."""
    server.cli().start(request(tmp_path, "neighbour", "sleep", "1000"))
    real = shutil.which("tmux")
    # says what a server says that made the session and died; what comes after goes to the server that is there now
    lost = f'case "$*" in *new-session*) ;; *) exec {real} "$@";; esac\nm=$(printf %s "$*" | grep -o "~[0-9a-f]*~" | head -n 1)\n'
    lost += """printf '%s$0%sone%s%%0%s999999%s1%s/s%s\n' "$m" "$m" "$m" "$m" "$m" "$m" "$m"; echo 'server exited unexpectedly' >&2; exit 1"""
    shims = shim_directory(tmp_path / "bin", tmux=lost)

    with pytest.raises(TmuxError, match="server exited"):
        server.cli(environ=with_path(shims)).start(request(tmp_path, "one", "sleep", "1000"))

    assert server.cli().sessions() == ["neighbour"]


HOOKS = {
    "renames the session": "rename-session odd",
    "opens a window": "new-window 'sleep 1000'",
    "splits the window before ours": "split-window -b 'sleep 1000'",
    "opens a window before ours": "new-window -b 'sleep 1000'",
    "prints": "display-message -p 'hello'",
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_persons_hook_on_new_sessions_moves_no_stamp(server: PrivateServer, tmp_path: Path, hook: str) -> None:
    """Whatever a person's hook does to a new session, the agent's own pane is marked, and no other."""
    server.run("new-session", "-d", "-s", "x", "sleep 1000", ";", "set-hook", "-g", "after-new-session", hook)
    tmux = server.cli()

    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))

    [listed] = [session for session in tmux.list_sessions() if session.instance == made.instance]
    assert (listed.id, listed.pane_id, listed.pane_pid) == (made.id, made.pane_id, made.pane_pid)
    marked = server.run("list-panes", "-a", "-F", "#{pane_id} #{@polecat_agent} #{remain-on-exit}").splitlines()
    assert [row.split()[0] for row in marked if made.instance in row] == [made.pane_id]
    assert [row.split()[0] for row in marked if row.endswith(" on")] == [made.pane_id]


def test_a_crash_ends_the_pane_and_not_a_persons_beside_it(server: PrivateServer, tmp_path: Path) -> None:
    """A person who has a pane of his own in the agent's session keeps it when the agent ends, and when it is ended."""
    tmux = server.cli()
    for name in ("crashes", "is-ended"):
        made = tmux.start(request(tmp_path, name, "sleep", "1000"))
        assert tmux.release(made)
        own = server.run("split-window", "-t", made.pane_id, "-P", "-F", "#{pane_id}", "exec sleep 1000").strip()

        if name == "crashes":
            os.kill(made.pane_pid, signal.SIGTERM)
        else:
            assert tmux.kill(made.id, name=name, instance=made.instance, pane_id=made.pane_id)

        eventually(lambda pane=made.pane_id: pane not in _panes(server), "the agent's pane goes")  # type: ignore[misc]
        assert own in _panes(server)


def _panes(server: PrivateServer) -> list[str]:
    return server.run("list-panes", "-a", "-F", "#{pane_id}").split()


def test_a_pane_that_was_moved_is_still_the_agents(server: PrivateServer, tmp_path: Path) -> None:
    """A person joins the agent's pane to a session of his own: it is found there, typed to there, and ended without its neighbours."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))
    assert tmux.release(made)
    server.run("new-session", "-d", "-s", "mine", "sleep 1000", ";", "join-pane", "-s", made.pane_id, "-t", "=mine:")

    [listed] = [session for session in tmux.list_sessions() if session.instance == made.instance]
    assert (listed.name, listed.pane_id) == ("mine", made.pane_id)
    tmux.send_text(made.pane_id, "x", instance=made.instance)
    assert tmux.kill(listed.id, name=listed.name, instance=made.instance, pane_id=made.pane_id)
    assert tmux.sessions() == ["mine"]


def test_a_second_view_is_told_and_is_not_the_agents(server: PrivateServer, tmp_path: Path) -> None:
    """A grouped session shows the agent's pane and bears no stamp of its own; both are told to share it."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))
    server.run("new-session", "-d", "-t", "=one", ";", "new-session", "-d", "-s", "alone", "sleep 1000")

    listed = {session.name: session for session in tmux.list_sessions()}

    assert {name: (s.instance, s.is_shared) for name, s in listed.items()} == {
        "one": (made.instance, True),
        "one-1": ("", True),
        "alone": ("", False),
    }


def test_a_persons_configuration_does_not_end_the_agent(server: PrivateServer, tmp_path: Path) -> None:
    """On a shared server global options neither end a session nor stamp or release it."""
    config = tmp_path / "tmux.conf"
    config.write_text(HOSTILE_CONFIG)
    tmux = TmuxCli(socket=str(server.socket), config_file=str(config))

    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))
    started_program(made, b"sleep")

    (found,) = tmux.list_sessions()
    assert (found.name, found.instance, found.pane_id) == ("one", made.instance, made.pane_id)


def test_a_globally_set_release_ends_nothing_early(server: PrivateServer, tmp_path: Path) -> None:
    """The screen of a start that failed is kept whatever a person's configuration says."""
    config = tmp_path / "tmux.conf"
    config.write_text(HOSTILE_CONFIG)
    tmux = TmuxCli(socket=str(server.socket), config_file=str(config))

    made = tmux.start(request(tmp_path, "one", "sh", "-c", f"echo why; {ENDS} 3"))
    (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance)], timeout_s=10)

    assert (status.exists, status.exit_code) == (True, 3)
    assert tmux.capture(made.pane_id) == "why"


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("/no/such/agent", 127, "/no/such/agent: program not found"),
        ("no-such-agent", 127, "program not found"),
        ("./plain", 126, "denied"),
    ],
)
def test_a_program_that_cannot_run_says_so(program: str, code: int, words: str, server: PrivateServer, tmp_path: Path) -> None:
    """T-38: tmux itself reports nothing; the kept screen does."""
    (tmp_path / "plain").write_text("no program")
    (tmp_path / "plain").chmod(stat.S_IRUSR)
    tmux = server.cli()

    screens = []
    for name in ("one", "two", "three"):  # on a busy machine tmux may see the end before the shell's own last words
        made = tmux.start(request(tmp_path, name, program))
        (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance)], timeout_s=10)
        assert (status.is_dead, status.exit_code) == (True, code if os.getuid() or code == 127 else status.exit_code)
        screens.append(tmux.capture(made.pane_id).replace("\n", ""))
    assert any(words in screen for screen in screens)


def test_last_words_that_have_arrived_are_not_lost(server: PrivateServer, tmp_path: Path) -> None:
    """T-38: a busy tmux drops what a process that has ended wrote last; during a start it reads all of it first."""
    tmux = server.cli()
    tmux.start(request(tmp_path, "bystander", "sleep", "1000"))
    for number in range(5):
        go = tmp_path / f"go{number}"
        wait = f"until test -e {go.name}; do sleep 0.01; done; seq 300; echo why; exit 3"
        made = tmux.start(request(tmp_path, "one", "sh", "-c", wait))
        started_program(made, b"until")
        os.kill(made.server_pid, signal.SIGSTOP)
        try:
            go.touch()
            eventually(lambda made=made: not Path(f"/proc/{made.pane_pid}/cmdline").read_text(), "it has ended")  # type: ignore[misc]
        finally:
            os.kill(made.server_pid, signal.SIGCONT)
        (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance)], timeout_s=10)

        assert status.exit_code == 3
        assert tmux.capture(made.pane_id, lines=10).splitlines()[-2:] == ["300", "why"]
        tmux.kill(made.id, name="one")


def test_a_new_server_may_open_enough_files(server: PrivateServer, tmp_path: Path) -> None:
    """At its limit of open files tmux hangs, and everybody with it; a server we start gets room."""
    made = server.cli().start(request(tmp_path, "one", "sleep", "1000"))

    soft, _ = resource.prlimit(made.server_pid, resource.RLIMIT_NOFILE)

    own_soft, own_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if own_hard < 0 else min(4096, own_hard)
    assert soft < 0 or soft >= min(wanted, max(own_soft, wanted))


def test_a_private_directory_that_cannot_be_written_is_an_error(server: PrivateServer, tmp_path: Path) -> None:
    """Where the launch file cannot be written nothing is started."""
    (tmp_path / "file").write_text("")

    with pytest.raises(TmuxError, match="cannot be written"):
        server.cli().start(evolve(request(tmp_path), scratch_dir=tmp_path / "file" / "x"))
    assert not server.socket.exists()
