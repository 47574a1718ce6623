"""A tmux server of a test's own, and ways to look into it that do not go through the library."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from polecat.adapters.tmux.cli import TmuxCli
from polecat.ports import SessionRequest, StartedSession

PATIENCE_S = 10.0

SHOW_AND_READ = 'stty raw -echo; printf "%s" "$1"; exec tee "in-$POLECAT_ID"'
ENDS = "sleep 0.2; exit"
"""How a program ends whose last words a test looks for: the kernel hands them over a moment later, and tmux may see the end before them."""
SHOW_AND_EXIT = f'printf "%s\\n" "$1"; {ENDS} "$2"'


def program(screen: str, exits: int | None = None) -> tuple[str, ...]:
    """Give the command of a program that shows a text, then reads into a file, or exits."""
    if exits is None:
        return ("/bin/sh", "-c", SHOW_AND_READ, "agent", screen.replace("\n", "\r\n"))
    return ("/bin/sh", "-c", SHOW_AND_EXIT, "agent", screen, str(exits))


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition that must come true soon."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.01)


@frozen(kw_only=True)
class PrivateServer:
    """A server of a test's own."""

    socket: Path

    def cli(self, *, environ: Mapping[str, str] | None = None, timeout_s: float = 10.0) -> TmuxCli:
        """The adapter for this server."""
        return TmuxCli(socket=str(self.socket), config_file="/dev/null", environ=environ, timeout_s=timeout_s)

    def run(self, *args: str, env: Mapping[str, str] | None = None, code: int | None = 0) -> str:
        """Run tmux as a person would; return what it printed."""
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self.socket), "-f", "/dev/null", *args],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert code is None or done.returncode == code, f"tmux {args}: {done.returncode} {done.stderr!r}"
        return os.fsdecode(done.stdout).rstrip("\n")

    def end_unreachable(self) -> None:
        """End this server where the test took its socket away: known by the socket's unique path in its command line."""
        path = os.fsencode(self.socket)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if b"(tmux: server)" in stat.read_bytes() and path in (stat.parent / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(stat.parent.name), signal.SIGTERM)


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """Give a server of its own, not yet running; afterwards it is ended by its socket."""
    place = Path(tempfile.mkdtemp(prefix="pct-", dir="/tmp"))
    server = PrivateServer(socket=place / "s")
    try:
        yield server
    finally:
        server.run("kill-server", code=None)
        server.end_unreachable()
        shutil.rmtree(place, ignore_errors=True)


def request(room: Path, name: str = "one", *argv: str, environment: Mapping[str, str] | None = None) -> SessionRequest:
    """Ask for a session that shows ``ready`` and reads, or runs *argv*."""
    return SessionRequest(
        name=name,
        instance=f"i-{name}",
        cwd=room,
        argv=argv or program("ready"),
        environment={"PATH": os.environ["PATH"], "POLECAT_ID": f"i-{name}", **(environment or {})},
        session_environment={"GT_POLECAT": name},
        scratch_dir=room / "scratch",
    )


def environ_of(pid: int) -> dict[bytes, bytes]:
    """Read the environment a process was started with."""
    parts = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(part.split(b"=", 1) for part in parts if part)


def started_program(session: StartedSession, word: bytes) -> None:
    """Wait until the process of a session is the program itself, known by a word of its command line.

    At first it is a copy of the server, whose own command line may hold the word too.
    """
    line = Path(f"/proc/{session.pane_pid}/cmdline")

    def runs() -> bool:
        words = line.read_bytes()
        return word in words and not words.startswith(b"tmux")

    eventually(runs, f"the program {word!r} runs")
