"""The suite keeps its hands off the user's own tmux, git and home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ProgramCounts, TmuxGuard

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def _tmux(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["tmux", *args], env=env, capture_output=True, text=True, check=False, timeout=20)


def _without_our_directory() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "TMUX_TMPDIR"}


@pytest.mark.parametrize(
    "args",
    [
        ("list-sessions",),
        ("-L", "default", "list-sessions"),
        ("-Ldefault", "kill-server"),
        ("-f", "/dev/null", "new-session", "-d"),
        ("-2u", "list-sessions", "-L", "x"),
        ("-S", f"/tmp/tmux-{os.getuid()}/default", "list-sessions"),
    ],
)
def test_calls_that_could_reach_the_users_server_are_refused(tmux_guard: TmuxGuard, args: tuple[str, ...]) -> None:
    """T-23: without the suite's directory or a socket path of its own, tmux is not started, and the call is on record."""
    done = _tmux(*args, env=_without_our_directory())

    assert done.returncode == 97
    assert len(tmux_guard.take_refused()) == 1


def test_the_default_server_is_ours(tmux_guard: TmuxGuard) -> None:
    """T-23: even a call without any socket reaches a server in the suite's own directory."""
    name = f"guard-{os.getpid()}"
    started = _tmux("new-session", "-d", "-P", "-F", "#{socket_path}", "-s", name, "sleep 60")
    ended = _tmux("kill-session", "-t", f"={name}")

    assert started.stdout.startswith(str(tmux_guard.tmux_dir.resolve())), started
    assert ended.returncode == 0


def test_the_users_configuration_is_not_read(home: Path, tmp_path: Path) -> None:
    """A ``.tmux.conf`` in HOME has no effect on a server of the suite."""
    (home / ".tmux.conf").write_text("set -g @from_home yes\n")
    socket = str(tmp_path / "s")
    _tmux("-S", socket, "new-session", "-d", "-s", "x", "sleep 60")
    shown = _tmux("-S", socket, "show-options", "-gqv", "@from_home")
    _tmux("-S", socket, "kill-server")

    assert shown.stdout == ""


def test_calls_are_counted(program_counts: ProgramCounts, tmp_path: Path) -> None:
    """The counter sees each start of git and tmux, with its arguments, and can begin anew."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "a b")], check=True)
    _tmux("-V")

    assert program_counts.calls("git") == [f"init -q {tmp_path / 'a b'} "]
    assert program_counts.count("tmux") == 1
    program_counts.reset()
    assert program_counts.count("git") == 0


@pytest.mark.timeout(150)  # it starts a suite of its own
def test_what_a_suite_in_the_background_starts_can_be_interrupted() -> None:
    """The tests of interrupts pass as well when the suite was started with SIGINT ignored, as `nox &` does."""
    project = Path(__file__).parents[2]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/adapters/processes/test_program.py"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *argv, "-k", "interrupt_ends"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout


def test_git_is_nobody(home: Path) -> None:
    """Git has the suite's identity and reads no configuration of the user or the machine."""
    (home / ".gitconfig").write_text("[user]\n\tname = somebody\n")
    done = subprocess.run(["git", "config", "--list", "--show-scope"], cwd=home, capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert os.environ["GIT_AUTHOR_NAME"] == "Test Author"


def test_foreign_variables_are_gone() -> None:
    """Variables of towns, agents and terminals around the suite do not reach the tests."""
    allowed = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_TERMINAL_PROMPT", "TMUX_TMPDIR"}

    left = {k for k in os.environ if k.startswith(("GT_", "BD_", "BEADS_", "CLAUDE", "TMUX", "GIT_", "POLECAT_"))}

    assert {key for key in left if not key.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_"))} == allowed
