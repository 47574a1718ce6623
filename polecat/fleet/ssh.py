"""A host that is reached with the user's own ssh: its configuration, keys, jump hosts and agents are used, and nothing of them is ours."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from polecat.adapters.processes.dialogue import converse
from polecat.fleet import wire
from polecat.fleet.answer import answer
from polecat.fleet.model import HostUnknownError

AT_ONCE = 64
"""How many ssh run at once, for all hosts together; the others wait."""

CHANNELS = 8
"""Questions at once on one connection; sshd refuses an eleventh (MaxSessions)."""

_LIVELY = {"BatchMode": "yes", "ConnectTimeout": 10, "ServerAliveInterval": 5, "ServerAliveCountMax": 3}
_POOL = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="polecat-ssh")


class SshExecutor(Executor):
    """Runs `polecat.fleet.answer` on a host, and nothing else: text goes there, text comes back. See `ssh_executor`."""

    def __init__(self, host: str, argv: Sequence[str], pool: ThreadPoolExecutor) -> None:
        self.host, self._argv, self._pool = host, tuple(argv), pool
        self._channels = threading.BoundedSemaphore(CHANNELS)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Ask a question; *fn* is `polecat.fleet.answer.answer`."""
        if fn is not answer or len(args) != 1 or kwargs:
            raise TypeError("an ssh host answers a fleet's questions and runs nothing else")
        return self._pool.submit(self._ask, args[0])

    def _ask(self, question: str) -> str:
        with self._channels:
            limit_s = json.loads(question)["within_s"]
            said = converse(self._argv, hello=wire.HELLO, question=question.encode(), timeout_s=limit_s)
        if said.answer.endswith(b"\n"):
            return said.answer.decode()
        words = [line for line in said.error_text.split("\n") if line]
        why = words[-1] if words else said.hello[:80] or "it said nothing"
        raise HostUnknownError(f"ssh ended with {said.exit_code}: {why}", host=self.host, was_sent=said.was_asked)


def ssh_executor(
    host: str,
    *,
    python: str | Sequence[str] = "python3",
    options: Sequence[str] = (),
    keep_s: int = 60,
    pool: ThreadPoolExecutor | None = None,
) -> Executor:
    """Make a host of what ssh reaches. One connection is kept and used by all calls.

    Args:
        host: what ssh calls it: a ``Host`` of its configuration, or ``user@machine``.
        python: the Python there that has polecat; or a command in words, such as ``["env", "PATH=/opt/bin:/usr/bin:/bin", "python3"]``,
            because ssh starts commands without a profile.
        options: further options of ssh, such as ``("-F", "fleet.config")``.
        keep_s: how long the connection is kept for the next call, in seconds; 0 for not at all.
        pool: the threads that wait for ssh; by default all hosts share 64.

    Returns:
        An executor for `Host`.

    Examples:
        >>> alpha = ssh_executor("alpha", python="/opt/polecat/bin/python")
    """
    kept = {"ControlMaster": "auto", "ControlPath": f"{_control_dir()}/%C", "ControlPersist": keep_s} if keep_s else {}
    settings = [word for key, value in {**_LIVELY, **kept}.items() for word in ("-o", f"{key}={value}")]
    # ssh joins what follows the host with blanks, and a shell there reads it: quoted, and one word
    command = shlex.join((*([python] if isinstance(python, str) else python), "-m", "polecat.fleet.answer"))
    return SshExecutor(host, ("ssh", "-T", *options, *settings, "--", host, command), pool or _POOL)


def _control_dir() -> Path:
    """A directory of the user's own for the sockets of kept connections; its path is short, because a socket's may not be long."""
    place = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"polecat-ssh-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.stat().st_uid != os.getuid() or place.is_symlink():
        raise PermissionError(f"{place} is somebody else's")
    return place
