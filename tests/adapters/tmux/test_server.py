"""Which server is asked, what its answers mean, and what a list of sessions costs."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat.adapters.tmux.cli import TmuxCli
from polecat.adapters.tmux.commands import check_version, means_no_server
from polecat.errors import ProgramMissingError, TmuxError, TmuxUnreachableError
from polecat.ports import Watch
from tests.conftest import ProgramCounts, TmuxGuard
from tests.tmux_fixtures import PrivateServer, eventually, private_server, request

pytestmark = pytest.mark.real


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


def _pretend_tmux(directory: Path, script: str) -> dict[str, str]:
    """Put a program named tmux first on a PATH; return that environment."""
    directory.mkdir(exist_ok=True)
    (directory / "tmux").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "tmux").chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


# ---------------------------------------------------------------------------------------------------- which server


def test_the_surroundings_do_not_choose_the_server(server: PrivateServer, tmp_path: Path) -> None:
    """T-53: ``$TMUX`` pointing at another server has no effect."""
    with private_server() as other:
        other.run("new-session", "-d", "-s", "theirs", "sleep 1000")
        environ = {**os.environ, "TMUX": f"{other.socket},1,0", "TMUX_PANE": "%0"}
        tmux = server.cli(environ=environ)

        tmux.start(request(tmp_path, "ours", "sleep", "1000"))

        assert tmux.sessions() == ["ours"]
        assert other.cli().sessions() == ["theirs"]


def test_two_servers_are_independent(server: PrivateServer, tmp_path: Path) -> None:
    """T-53: the same name on two sockets is two sessions."""
    with private_server() as other:
        first, second = server.cli(), other.cli()
        first.start(request(tmp_path, "one", "sleep", "1000"))
        second.start(request(tmp_path, "one", "sleep", "1000"))

        assert first.kill("", name="one") is True

        assert (first.sessions(), second.sessions()) == ([], ["one"])


def test_only_newlines_end_lines(server: PrivateServer, tmp_path: Path) -> None:
    """What Unicode calls a line's end or a blank is none to tmux: names, directories and screens with it are read whole."""
    room = tmp_path / "odd\u2028room\x85"
    room.mkdir()
    tmux = server.cli()
    made = tmux.start(request(room, "one", "printf", "ready\\none\u3000\xa0"))
    server.run("new-session", "-d", "-s", "per\u3000son\u3000", "sleep 1000")
    tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance)], timeout_s=10)

    assert tmux.capture(made.pane_id) == "ready\none\u3000\xa0"
    assert {(s.name, s.started_in) for s in tmux.list_sessions()} >= {("one", str(room))}
    assert tmux.sessions() == ["one", "per\u3000son\u3000"]


def test_a_socket_is_a_name_or_a_path(tmp_path: Path) -> None:
    """A word is a name below tmux's directory, anything with a slash a path; what was given is what is told."""
    tmux = TmuxCli(socket="by-name", config_file="/dev/null")
    tmux.start(request(tmp_path, "one", "sleep", "1000"))

    path = Path(os.environ["TMUX_TMPDIR"], f"tmux-{os.getuid()}", "by-name")
    assert TmuxCli(socket=str(path)).sessions() == ["one"]
    assert (tmux.socket, TmuxCli().socket) == ("by-name", None)
    tmux.kill("", name="one")


def test_a_missing_socket_directory_does_not_lead_elsewhere(tmux_guard: TmuxGuard, tmp_path: Path) -> None:
    """Where TMUX_TMPDIR is not there tmux would silently go to another server; it is made, or refused."""
    environ = {
        "PATH": str(Path(tmux_guard.real).parent),
        "TMUX_TMPDIR": str(tmp_path / "t"),
    }  # round the guard, which knows one place
    assert TmuxCli(environ=environ).list_sessions() == ()
    assert (tmp_path / "t").is_dir()

    (tmp_path / "file").write_text("")
    with pytest.raises(TmuxUnreachableError, match="TMUX_TMPDIR"):
        TmuxCli(environ={**environ, "TMUX_TMPDIR": str(tmp_path / "file" / "t")}).list_sessions()


# ----------------------------------------------------------------------------------------------- unknown is not empty


def test_a_stale_socket_is_no_server(server: PrivateServer) -> None:
    """The file that a killed server leaves means that nothing runs."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(server.socket))

    assert server.cli().list_sessions() == ()


def test_something_else_on_the_socket_is_unknown(server: PrivateServer) -> None:
    """T-25: a socket that answers, but not as tmux, is not an empty server."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(server.socket))
        listener.listen()

        def hang_up() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(TmuxUnreachableError):
            server.cli().list_sessions()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize(
    "script",
    [
        "echo garbage",
        ":",
        'echo "access not allowed" >&2',
        'echo "error connecting to /x (Permission denied)" >&2; exit 1',
        'echo "protocol version mismatch (client 8, server 7)" >&2; exit 1',
        'echo "server exited unexpectedly" >&2; exit 1',
        'echo "directory /tmp/tmux-0 has unsafe permissions" >&2; exit 1',
        "exit 1",
        "kill -9 $$",
    ],
)
def test_an_answer_that_is_none_is_unknown(script: str, tmp_path: Path) -> None:
    """T-25: whatever tmux says but the answer, some of it with exit status 0, is never "no sessions"."""
    tmux = TmuxCli(socket="x", environ=_pretend_tmux(tmp_path / "bin", script))

    with pytest.raises(TmuxUnreachableError):
        tmux.list_sessions()
    with pytest.raises(TmuxUnreachableError):
        tmux.kill("", name="one")
    with pytest.raises(TmuxError):
        tmux.start(request(tmp_path))
    assert list(tmp_path.rglob("launch-*")) == []


def test_a_server_that_is_just_ending_is_asked_again(server: PrivateServer, tmux_guard: TmuxGuard, tmp_path: Path) -> None:
    """The moment in which a server ends with its last session is no failure: the next answer, or the next server, counts."""

    def cli(number: int) -> TmuxCli:
        first = f'if mkdir "{tmp_path}/{number}" 2>/dev/null; then echo "server exited unexpectedly" >&2; exit 1; fi'
        environ = _pretend_tmux(tmp_path / f"bin{number}", f'{first}\nexec {tmux_guard.real} "$@"')
        return TmuxCli(socket=str(server.socket), config_file="/dev/null", environ={**os.environ, **environ})

    assert cli(1).list_sessions() == ()
    cli(2).start(request(tmp_path, "one", "sleep", "1000"))
    assert cli(3).sessions() == ["one"]
    assert cli(4).kill("", name="one") is True


@pytest.mark.slow
def test_a_server_that_hangs_is_unknown(server: PrivateServer, tmp_path: Path) -> None:
    """T-25: after the time limit the answer is *unknown*; when the server goes on, so do we."""
    tmux = server.cli(timeout_s=0.3)
    made = server.cli().start(request(tmp_path, "one", "sleep", "1000"))
    os.kill(made.server_pid, signal.SIGSTOP)
    try:
        with pytest.raises(TmuxUnreachableError, match="did not answer within"):
            tmux.start(request(tmp_path, "two", "sleep", "1000"))
    finally:
        os.kill(made.server_pid, signal.SIGCONT)

    assert list(tmp_path.rglob("launch-*")) == []
    eventually(lambda: any(s.name == "one" and not s.is_dead for s in server.cli().list_sessions()), "the server answers again")


def test_missing_tmux_is_named(tmp_path: Path) -> None:
    """Without tmux the error says so, and how to get it; it is not an empty list either."""
    tmux = TmuxCli(environ={"PATH": str(tmp_path)})

    for ask in (tmux.check, tmux.list_sessions):
        with pytest.raises(ProgramMissingError, match="tmux is not on PATH") as caught:
            ask()
        assert "apt install tmux" in caught.value.hint


@pytest.mark.parametrize("version", ["2.9a", "3.0", "3.1c", "next-3.1", "openbsd-6.6", "1.8"])
def test_an_old_tmux_is_refused(version: str, tmp_path: Path) -> None:
    """tmux older than 3.2 is refused, with what to do."""
    tmux = TmuxCli(environ=_pretend_tmux(tmp_path / version, f"echo tmux {version}"))

    with pytest.raises(TmuxError, match="is too old: 3") as caught:
        tmux.check()
    assert caught.value.hint


@pytest.mark.parametrize("version", ["3.2", "3.2a", "3.3a", "3.10", "4.0", "next-3.4", "3.4-rc2", "openbsd-7.5", "master"])
def test_a_newer_tmux_is_taken(version: str) -> None:
    """Every form in which tmux names itself is understood."""
    assert check_version(f"tmux {version}") == version


def test_the_version_is_asked_for_once(tmp_path: Path, server: PrivateServer, program_counts: ProgramCounts) -> None:
    """A list of sessions tells the version too; without a server it is asked for once a program file."""
    tmux = server.cli()
    tmux.start(request(tmp_path, "one", "sleep", "1000"))
    program_counts.reset()

    tmux.list_sessions()
    assert tmux.check() == tmux.check()
    assert program_counts.count("tmux") == 1

    TmuxCli().check()
    TmuxCli().check()
    assert program_counts.count("tmux") == 2


def test_only_a_missing_server_is_no_server() -> None:
    """T-25: of tmux's complaints about a socket two prove that nothing runs there."""
    assert means_no_server("no server running on /tmp/tmux-0/default")
    assert means_no_server("error connecting to /tmp/tmux-0/default (No such file or directory)")
    assert not means_no_server("error connecting to /tmp/tmux-0/default (Connection reset by peer)")
    assert not means_no_server("")


# ------------------------------------------------------------------------------------------------ whose variables


def test_the_servers_own_variables_are_no_sessions(server: PrivateServer, tmp_path: Path) -> None:
    """T-31: a server started by the mayor does not make every session the mayor's; a session that says so itself is."""
    server.run("new-session", "-d", "-s", "plain", "sleep 1000", env={"GT_ROLE": "mayor", "POLECAT_ID": "boss"})
    server.run("new-session", "-d", "-s", "mayor", "-e", "GT_ROLE=mayor", "sleep 1000")
    server.cli().start(evolve(request(tmp_path, "cat", "sleep", "1000"), session_environment={"GT_ROLE": "polecat"}))

    found = {session.name: dict(session.environment) for session in server.cli().list_sessions()}

    assert found == {"plain": {}, "mayor": {"GT_ROLE": "mayor"}, "cat": {"GT_ROLE": "polecat"}}


def test_a_list_costs_at_most_two_calls(server: PrivateServer, tmp_path: Path, program_counts: ProgramCounts) -> None:
    """One call lists any number of sessions; a second one is needed only where the server's variables blur the picture."""
    tmux = server.cli()
    for number in range(30):
        server.run("new-session", "-d", "-s", f"s{number}", "-e", "GT_ROLE=polecat", "sleep 1000")
    program_counts.reset()

    assert len(tmux.list_sessions()) == 30
    assert program_counts.count("tmux") == 1

    server.run("set-environment", "-g", "GT_ROLE", "polecat")
    program_counts.reset()
    assert {session.environment["GT_ROLE"] for session in tmux.list_sessions()} == {"polecat"}
    assert program_counts.count("tmux") == 2


def test_odd_values_do_not_break_the_list(server: PrivateServer) -> None:
    """Tabs, newlines and look-alikes of variables in a person's options and environment stay values."""
    odd = 'a\tb\nGT_ROLE="x"; export GT_ROLE;\n"\\$`'
    server.run("new-session", "-d", "-s", "one", "-e", f"GT_RIG={odd}", "sleep 1000", env={"ODD": odd, "LC_ALL": "C"})
    server.run("set-option", "-t", "=one:", "@polecat_id", odd, ";", "set-option", "-p", "-t", "=one:", "@polecat_agent", odd)

    (found,) = server.cli(environ={**os.environ, "LC_ALL": "C"}).list_sessions()

    assert (found.instance, dict(found.environment)) == (odd, {"GT_RIG": odd})


def test_a_stamp_for_all_is_nobodys(server: PrivateServer) -> None:
    """A global option of our name stamps no session."""
    server.run("new-session", "-d", "-s", "one", "sleep 1000", ";", "set-option", "-g", "@polecat_id", "x")

    (found,) = server.cli().list_sessions()

    assert found.instance == ""


def test_a_server_without_sessions_has_none(server: PrivateServer) -> None:
    """A server that stays without sessions is an empty one."""
    server.run("start-server", ";", "set-option", "-s", "exit-empty", "off")

    assert server.cli().list_sessions() == ()
    assert server.cli().kill("", name="one") is False
