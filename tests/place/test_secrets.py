"""What an orchestrator hands to an agent stays between the two."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from polecat import Event, SpawnFailedError, SpawnOptions, plan_spawn, spawn_for_sling
from polecat.adapters import GitCli
from polecat.ports import World
from tests.git_fixtures import contents_below
from tests.spawn_fixtures import HandTown
from tests.tmux_fixtures import ENDS, environ_of

pytestmark = pytest.mark.real

SECRET = "hunter2-4f1c9a"


@contextmanager
def watching_arguments(secret: str) -> Iterator[Callable[[], list[str]]]:
    """Look at the arguments of every process of the machine, over and over; give those that hold the secret, except our own."""
    over, seen, looks = threading.Event(), set[str](), [0]

    def look() -> None:
        while not over.is_set():
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and entry.name != str(os.getpid()):
                    try:
                        words = (entry / "cmdline").read_bytes()
                    except OSError:
                        continue
                    if secret.encode() in words:
                        seen.add(os.fsdecode(words))
            looks[0] += 1

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: sorted(seen)
    finally:
        over.set()
        thread.join(10)
        assert looks[0] > 3, "the watcher must have watched"


@contextmanager
def kept_logs() -> Iterator[list[str]]:
    """Configure structlog as an application would, and keep every line."""
    lines: list[str] = []

    def keep(_logger: object, _method: str, facts: structlog.typing.EventDict) -> str:
        lines.append(repr(facts))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    try:
        yield lines
    finally:
        structlog.reset_defaults()


def test_secret_reaches_the_agent_and_nobody_else(town: HandTown) -> None:
    """T-47: a variable of the spawn is in the agent's environment; it is in no argument, log, event, file, plan or repr."""
    opts, heard = SpawnOptions(env={"API_TOKEN": SECRET}), list[Event]()
    tmux, git = town.server.cli(), GitCli()

    with watching_arguments(SECRET) as found, kept_logs() as logged:
        plan = plan_spawn(town.rig, opts, world=World(tmux=tmux, git=git))
        cat = spawn_for_sling(town.rig, opts, world=World(tmux=tmux, git=git, on_event=heard.append))
        in_arguments = found()

    assert environ_of(cat.pid)[b"API_TOKEN"] == SECRET.encode()
    assert "API_TOKEN" in plan.environment
    assert in_arguments == []
    assert len(logged) > 5
    assert len(heard) > 5
    assert SECRET not in repr((opts, plan, cat, heard, logged))
    assert SECRET not in town.server.run("show-environment", "-t", f"={cat.session_name}")
    assert SECRET not in town.server.run("show-environment", "-g")
    assert _files_with(SECRET, town.root) == []


def test_failed_spawn_does_not_tell(town: HandTown) -> None:
    """A spawn whose agent dies says why, without its variables, and leaves no file that holds them."""
    town.agent("mortal", f'echo "no licence"; {ENDS} 3')

    with pytest.raises(SpawnFailedError) as raised:
        town.spawn(agent="mortal", env={"API_TOKEN": SECRET})

    assert SECRET not in f"{raised.value!r} {raised.value} {raised.value.hint} {raised.value.__cause__!r}"
    assert _files_with(SECRET, town.root) == []


def test_env_file_of_the_command_line(town: HandTown, tmp_path: Path) -> None:
    """``spawn --env-file`` and ``--env`` reach the agent; a wrong line is refused without being shown."""
    file = tmp_path / "secrets.env"
    file.write_text(f'# mine\nAPI_TOKEN="{SECRET}"\nOTHER=file\n')
    words = ["spawn", "gastown", "--town", str(town.root), "--socket", str(town.server.socket), "--env-file", str(file)]

    done = _polecat(*words, "--env", "OTHER=argument", "--json")
    file.write_text(f"{SECRET}\n")
    refused = _polecat(*words)

    assert done.returncode == 0, done.stderr
    [line] = town.server.run("list-panes", "-a", "-F", "#{pane_pid}").splitlines()
    env = environ_of(int(line))
    assert (env[b"API_TOKEN"], env[b"OTHER"]) == (SECRET.encode(), b"argument")
    assert refused.returncode == 1
    assert "line 1" in refused.stderr
    assert SECRET not in done.stdout + done.stderr + refused.stderr


def _polecat(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "polecat", *words], capture_output=True, text=True, timeout=60, check=False)


def _files_with(secret: str, folder: Path) -> list[Path]:
    return [path for path, data in contents_below(folder).items() if secret.encode() in data]
