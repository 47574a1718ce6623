"""The command line as a process of its own: interrupts, terminals, pipes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.spawn_fixtures import HandTown, processes_of, run_python, wait_for
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running(town: HandTown, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command line; it is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "polecat", *argv],
        cwd=town.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def in_readiness(town: HandTown) -> Callable[[], bool]:
    return lambda: len(town.sessions()) == 1


def in_a_setup_hook(town: HandTown) -> Callable[[], bool]:
    hooks = town.rig_dir / ".runtime" / "setup-hooks"
    hooks.mkdir(parents=True)
    (hooks / "slow").write_text(f"#!/bin/sh\ntouch {town.notes}/hooked\nexec sleep 600\n")
    (hooks / "slow").chmod(0o755)
    return (town.notes / "hooked").exists


def with_three(town: HandTown) -> Callable[[], bool]:
    return lambda: len(town.sessions()) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("where", [in_readiness, in_a_setup_hook, with_three])
def test_an_interrupt_takes_everything_back(
    town: HandTown, number: signal.Signals, where: Callable[..., Callable[[], bool]]
) -> None:
    """Ctrl-C, SIGTERM and a hang-up, wherever a spawn is, undo it: status 130, one line, nothing left, no traceback."""
    town.agent("never", "exec sleep 600")
    is_there = where(town)
    more = ("--count", "3") if where is with_three else ("--hook", "gt-abc12")
    with running(town, "spawn", "gastown", "--agent", "never", *more) as process:
        eventually(is_there, "the spawn is where it should be interrupted")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, ""), err
    assert err == "polecat: interrupted; what was unfinished has been taken back\n"
    town.assert_nothing_left()
    bead = town.store().bead("gt-abc12")
    assert bead is None or (bead.status, bead.assignee) == ("open", "")


def test_a_killed_spawn_is_taken_back_by_the_next_reconcile(town: HandTown) -> None:
    """kill -9 in the middle leaves a claim that nobody holds; reconcile takes everything back, twice is once (T-05)."""
    town.agent("never", "exec sleep 600")
    with running(town, "spawn", "gastown", "--agent", "never", "--hook", "gt-abc12") as process:
        eventually(in_readiness(town), "the session is there")
        eventually(lambda: '"session_id": "$' in (town.rig_dir / "polecats/furiosa/.claim.json").read_text(), "it is noted")
        process.kill()
        process.wait()
    town.server.run("kill-session", "-t", "=gt-gastown-furiosa")
    eventually(lambda: not processes_of(town.root), "its agent, which the hang-up ends, is gone")
    done = run_python("reconcile", "gastown", "--json", cwd=town.root)
    assert '"furiosa"' in done.stdout and done.returncode == 0, done
    town.assert_nothing_left()
    assert "nothing to do" in run_python("reconcile", "gastown", cwd=town.root).stdout


def test_a_spawn_in_the_making_is_left_alone(town: HandTown) -> None:
    """While a spawn waits for its agent, reconcile and a second spawn leave it alone (T-05)."""
    town.agent("never", "exec sleep 600")
    with running(town, "spawn", "gastown", "--agent", "never") as process:
        eventually(in_readiness(town), "the session is there")
        assert "nothing to do" in run_python("reconcile", "gastown", cwd=town.root).stdout
        assert '"spawning"' in run_python("list", "--json", cwd=town.root).stdout
        assert town.spawn().polecat_name == "nux"
        assert process.poll() is None
        assert sorted(town.sessions()) == ["gt-gastown-furiosa", "gt-gastown-nux"]


def test_progress_is_shown_on_a_terminal(town: HandTown) -> None:
    """With stderr a terminal each step gets a line there; stdout stays the result."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "polecat", "spawn", "gastown", "--hook", "gt-abc12"],
        cwd=town.root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        timeout=50,
        check=False,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(ours)
    assert (done.returncode, done.stdout) == (0, "gastown/polecats/furiosa\n")
    text = shown.decode()
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines] == ["claimed", "worktree", "hook", "session", "ready", "attach:"], text
    assert lines[0][1] == "furiosa" and lines[2][1] == "gt-abc12" and lines[1][2] == "at" and lines[1][4] == "(main)"
    assert all(line[-1] == "s" and float(line[-2]) >= 0 for line in lines[:-1])
    assert f"tmux -S {town.server.socket} attach" in text


def test_a_reader_that_goes_away(town: HandTown) -> None:
    """A closed pipe behind us is no error worth a traceback."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "polecat", "list"],
        cwd=town.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
        check=False,
    )
    os.close(theirs)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr


def test_a_working_directory_that_was_deleted(town: HandTown, tmp_path: Path) -> None:
    """From a deleted working directory the town comes from GT_ROOT (contract §13.2), and without that there is one error."""
    (tmp_path / "gone").mkdir()
    script = f"cd {tmp_path}/gone && rmdir {tmp_path}/gone && exec {sys.executable} -m polecat list"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        ["sh", "-c", script], env={**env, "GT_ROOT": str(town.root)}, capture_output=True, text=True, timeout=50, check=False
    )
    assert (found.returncode, found.stdout) == (0, "no polecats\n"), found.stderr
    (tmp_path / "gone").mkdir()
    lost = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, timeout=50, check=False)
    assert lost.returncode == 1 and "deleted" in lost.stderr and "Traceback" not in lost.stderr


def test_processes_side_by_side(town: HandTown) -> None:
    """Four processes that spawn in one rig at once: four names, four sessions, nothing stands in each other's way (T-01, T-12)."""
    import contextlib

    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running(town, "spawn", "gastown")) for _ in range(4)]
        answers = [process.communicate(timeout=50) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], answers
    assert len({out for out, _ in answers}) == 4
    wait_for(lambda: len(town.sessions()), 4, "each has its session")


def test_children_say_how_they_ended_whoever_started_us(town: HandTown) -> None:
    """A parent that ignores SIGCHLD leaves that to us; every exit status reaches us all the same."""
    start = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", start, sys.executable, "-m", "polecat", "spawn", "gastown"],
        cwd=town.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, "gastown/polecats/furiosa" in done.stdout) == (0, True), done


def test_what_was_printed_before_an_interrupt_is_not_lost(tmp_path: Path) -> None:
    """A result that waits in the buffer is written when Ctrl-C ends the command."""
    (tmp_path / "says.py").write_text(
        "def run(args): print('said'); raise KeyboardInterrupt\nVERBS = {'list': ('', lambda parser: None, run)}\n"
    )
    script = "import sys; sys.argv[1:] = ['list']; from polecat import cli; cli.VERBS['list'] = ('says', 'say'); cli.entry()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))), "PYTHONUNBUFFERED": ""}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (130, "said\n"), done


def test_a_town_has_its_directorys_name_in_every_locale(tmp_path: Path) -> None:
    """Without a locale a name that is not ASCII is as good as with one; it was refused for control characters that it has not."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    subprocess.run([sys.executable, "-m", "polecat", "init", "t\xf8wn"], cwd=tmp_path, env=env, check=True, capture_output=True)

    assert json.loads((tmp_path / "t\xf8wn" / "mayor" / "town.json").read_text("utf-8"))["name"] == "t\xf8wn"
