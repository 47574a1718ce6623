"""The process table: whose a process is, and ending exactly those."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat.adapters.processes.table import ProcessTable
from polecat.errors import UnknownStateError
from polecat.ports import Process
from tests.tmux_fixtures import PrivateServer, eventually, private_server, request, started_program

pytestmark = pytest.mark.real

# An agent with every kind of child that survives the hang-up of its terminal; each writes its process id.
BROOD = """
import os, sys, time
def child(name, escape):
    if os.fork() == 0:
        escape()
        with open(f"{name}.tmp", "w") as file:
            file.write(str(os.getpid()))
        os.rename(f"{name}.tmp", name)
        time.sleep(1000)
def double_fork():
    os.setsid()
    if os.fork():
        os._exit(0)
import signal
child("plain", lambda: None)
child("setsid", os.setsid)
child("nohup", lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
child("double", double_fork)
child("deaf", lambda: [signal.signal(s, signal.SIG_IGN) for s in (signal.SIGHUP, signal.SIGTERM)])
time.sleep(1000)
"""
KINDS = ("plain", "setsid", "nohup", "double", "deaf")


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start programs of the test's own; they are killed by their handles afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*argv: str, cwd: Path | None = None, **environment: str) -> Process:
        one = subprocess.Popen(argv, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
        started.append(one)
        line = Path(f"/proc/{one.pid}/cmdline")
        eventually(lambda: line.read_bytes().split(b"\0")[0] == os.fsencode(argv[0]), f"{argv} runs")
        return _known(one.pid)

    yield run
    for one in started:
        one.kill()
        one.wait(10)


def _known(pid: int) -> Process:
    process = ProcessTable().identify(pid)
    assert process is not None
    return process


def _brood(room: Path) -> dict[str, Process]:
    """The children of the agent in a room, once all of them run."""
    eventually(lambda: all((room / kind).exists() for kind in KINDS), "all children run")
    return {kind: _known(int((room / kind).read_text())) for kind in KINDS}


def test_a_whole_family_ends_and_nobody_else(server: PrivateServer, tmp_path: Path) -> None:
    """T-21: children that left session, terminal or tree end with their agent; another agent and its children live on."""
    rooms = {name: tmp_path / name for name in ("one", "two")}
    tmux, table = server.cli(), ProcessTable()
    started = {}
    for name, room in rooms.items():
        room.mkdir()
        started[name] = tmux.start(request(room, name, sys.executable, "-c", BROOD))
    broods = {name: _brood(room) for name, room in rooms.items()}
    root = _known(started["one"].pane_pid)

    family = table.family([root], instance=started["one"].instance)
    assert tmux.kill(started["one"].id, name="one", instance=started["one"].instance)
    survivors = table.end(family, grace_s=0.2)

    assert survivors == ()
    assert {p.pid for p in family} >= {root.pid, *(p.pid for p in broods["one"].values())}
    assert [kind for kind, process in broods["one"].items() if table.is_alive(process)] == []
    assert [kind for kind, process in broods["two"].items() if not table.is_alive(process)] == []
    table.end(table.family([_known(started["two"].pane_pid)], instance=started["two"].instance), grace_s=0.2)


def test_children_come_before_their_parents(start: Callable[..., Process]) -> None:
    """The deepest process is ended first, so that no parent starts it anew."""
    top = start("sh", "-c", "sh -c 'sleep 1000; :' ; :")
    table = ProcessTable()
    eventually(lambda: len(table.family([top], instance="")) == 3, "the whole line runs")

    assert [p.name for p in table.family([top], instance="")] == ["sleep", "sh", "sh"]
    table.end(table.family([top], instance=""), grace_s=1)


def test_the_same_command_line_proves_nothing(start: Callable[..., Process]) -> None:
    """T-22: a stranger's process that looks like ours, and names us in its arguments, is never touched."""
    ours = start("sleep", "1000", POLECAT_ID=f"i-T22-{os.getpid()}")
    stranger = start("sh", "-c", f"sleep 1000 # POLECAT_ID=i-T22-{os.getpid()}", POLECAT_ID=f"i-T22-{os.getpid()}x")
    table = ProcessTable()

    family = table.family([], instance=f"i-T22-{os.getpid()}")

    assert family == (ours,)
    assert table.end(family, grace_s=2) == ()
    assert (table.is_alive(ours), table.is_alive(stranger)) == (False, True)


def test_an_id_used_again_is_somebody_else(start: Callable[..., Process]) -> None:
    """T-22: a process id with another start time is neither alive nor a root nor ended."""
    stranger = start("sleep", "1000")
    gone = evolve(stranger, start_time=stranger.start_time - 1)
    table = ProcessTable()

    assert not table.is_alive(gone)
    assert table.family([gone], instance="") == ()
    assert table.end([gone], grace_s=1) == ()
    assert table.is_alive(stranger)


def test_a_server_that_carries_our_mark_is_spared(server: PrivateServer, tmp_path: Path) -> None:
    """An agent that happened to start a tmux server takes neither it nor the windows in it down; its own pane it does."""
    name = f"spared-{os.getpid()}"  # marks are looked for on the whole machine, and other tests run beside this one
    server.run("new-session", "-d", "-s", "person", "sleep", "1000", env={"POLECAT_ID": f"i-{name}"})
    agent = server.cli().start(request(tmp_path, name, "sleep", "2000"))
    started_program(agent, b"2000")
    table = ProcessTable()
    root = _known(agent.pane_pid)

    family = table.family([root], instance=f"i-{name}")

    assert _known(agent.server_pid) not in family
    assert [p.pid for p in family] == [agent.pane_pid]


def test_an_agent_is_known_by_its_mark_alone(server: PrivateServer, tmp_path: Path) -> None:
    """Whoever lost the session still finds the agent by the instance it bears."""
    agent = server.cli().start(request(tmp_path, "one", "sleep", "2000", environment={"POLECAT_ID": f"i-mark-{os.getpid()}"}))
    table = ProcessTable()

    eventually(
        lambda: [p.pid for p in table.family([], instance=f"i-mark-{os.getpid()}")] == [agent.pane_pid], "the agent is found"
    )


def test_we_never_end_ourselves(start: Callable[..., Process]) -> None:
    """Neither the process that asks nor what it started is in the family it asks for."""
    ourselves = _known(os.getpid())
    helper = start("sleep", "1000")

    family = ProcessTable().family([ourselves], instance="")

    assert ourselves not in family
    assert helper not in family


def test_a_zombie_is_dead(start: Callable[..., Process]) -> None:
    """What ended but was not reaped does not hold anything up."""
    process = start("sleep", "1000")
    table = ProcessTable()

    os.kill(process.pid, signal.SIGKILL)

    eventually(lambda: not table.is_alive(process), "it is dead, reaped or not")
    assert table.end([process], grace_s=1) == ()


def test_a_deaf_process_is_killed(start: Callable[..., Process], tmp_path: Path) -> None:
    """Who ignores SIGTERM gets SIGKILL after the grace; who heeds it may clean up."""
    deaf = start("sh", "-c", f"trap '' TERM; : >'{tmp_path}/deaf'; while :; do sleep 0.1; done")
    polite = start("sh", "-c", f"trap ': >\"{tmp_path}/tidied\"; exit' TERM; : >'{tmp_path}/polite'; while :; do sleep 0.1; done")
    eventually(lambda: (tmp_path / "deaf").exists() and (tmp_path / "polite").exists(), "both are ready")
    table = ProcessTable()

    assert table.end([deaf, polite], grace_s=1) == ()

    assert (tmp_path / "tidied").exists()


def test_who_is_inside_a_directory(start: Callable[..., Process], tmp_path: Path) -> None:
    """Being inside is decided by whole path components, symbolic links followed, however odd the name."""
    room = tmp_path / "a b\n(deleted)"
    (room / "deep").mkdir(parents=True)
    (tmp_path / "a b\n(deleted)2").mkdir()
    (tmp_path / "link").symlink_to(room)
    inside, deep = start("sleep", "1000", cwd=room), start("sleep", "1000", cwd=room / "deep")
    start("sleep", "1000", cwd=tmp_path / "a b\n(deleted)2")

    assert set(ProcessTable().inside(tmp_path / "link")) == {inside, deep}


def test_an_odd_name_is_read_right(tmp_path: Path, start: Callable[..., Process]) -> None:
    """Brackets and blanks in a program's name do not confuse the table."""
    odd = tmp_path / "a) R 1 (x"
    shutil.copy(shutil.which("sleep") or "", odd)

    process = start(str(odd), "1000")

    assert process.name == "a) R 1 (x"
    assert ProcessTable().is_alive(process)


# ------------------------------------------------------------------------------------------------- without /proc


@pytest.fixture
def elsewhere(tmp_path: Path) -> ProcessTable:
    """A table on a system without /proc."""
    return ProcessTable(proc=tmp_path / "no-proc")


def test_ps_tells_the_tree(elsewhere: ProcessTable, start: Callable[..., Process]) -> None:
    """Without /proc the family comes from ps, and is ended as exactly."""
    top = start("sh", "-c", "sleep 1000; :")
    eventually(lambda: len(ProcessTable().family([top], instance="")) == 2, "the child runs")
    known = elsewhere.identify(top.pid)
    assert known is not None

    family = elsewhere.family([known], instance="i")
    assert [p.name for p in family] == ["sleep", "sh"]
    assert elsewhere.family([evolve(known, start_time=1)], instance="") == ()

    assert elsewhere.end(family, grace_s=5) == ()
    assert not ProcessTable().is_alive(top)


def test_lsof_tells_who_is_inside(
    elsewhere: ProcessTable, start: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc working directories come from lsof; where that is missing nobody knows, which is not "nobody"."""
    process = start("sleep", "1000", cwd=tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("ps", "sh"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UnknownStateError, match="lsof"):
        elsewhere.inside(tmp_path)

    lsof = tmp_path / "bin" / "lsof"
    lsof.write_text(f"#!/bin/sh\nprintf 'p%s\\nn%s\\n' 1 / {process.pid} '{tmp_path}' 999999 '{tmp_path}'\n")
    lsof.chmod(0o755)

    assert [p.pid for p in elsewhere.inside(tmp_path)] == [process.pid]


def test_only_newlines_end_lines(
    elsewhere: ProcessTable, start: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Unicode calls a line's end is none to lsof: a directory with it in its name is known."""
    room = tmp_path / "odd\u2028room\x85"
    room.mkdir()
    process = start("sleep", "1000", cwd=room)
    lsof = tmp_path / "lsof"
    lsof.write_text(f"#!/bin/sh\nprintf 'p%s\\nn%s\\n' {process.pid} '{room}'\n")
    lsof.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert [p.pid for p in elsewhere.inside(room)] == [process.pid]


def test_a_table_that_cannot_be_read_is_unknown(elsewhere: ProcessTable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T-25: without /proc and ps nobody knows who lives; nobody is taken for dead."""
    monkeypatch.setenv("PATH", str(tmp_path))

    for ask in (
        lambda: elsewhere.family([Process(pid=1, start_time=1)], instance=""),
        lambda: elsewhere.is_alive(Process(pid=1, start_time=1)),
        lambda: elsewhere.inside(tmp_path),
    ):
        with pytest.raises(UnknownStateError, match="cannot be read"):
            ask()
