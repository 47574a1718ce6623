"""The points at which a process can be killed: round each outside call, before each start of a program and each change of a file."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from polecat.testing import Call, Fault

_CHANGES = frozenset(
    "os.rename os.remove os.mkdir os.rmdir os.link os.symlink os.chmod os.truncate os.utime shutil.rmtree shutil.move".split()
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Points(Fault):
    """Numbers the points and kills this process at one of them; `listen` is an audit hook, so Python tells of changes before they happen.

    Args:
        root: only changes below this directory count; lock files do not.
        wanted: the point, by number or name; 0 for none.
        last_words: called with the point and all that were passed, just before the end.
        inside_calls: what a port does to do its work counts as well; not for pretended ports, whose operations are one step each.
    """

    def __init__(
        self, root: Path, wanted: int | str, last_words: Callable[[str, tuple[str, ...]], None], *, inside_calls: bool
    ) -> None:
        super().__init__()
        self.points: list[str] = []
        self._root = f"{root}/"
        self._wanted = wanted
        self._last_words = last_words
        self._inside_calls = inside_calls
        self._depth = 0
        self._pid = os.getpid()

    def hits(self, call: Call) -> bool:
        """Every call is two points."""
        return True

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """Do it, with a point before and one after."""
        self._reach(f"before {call}")
        self._depth += not self._inside_calls
        try:
            answer = do()
        finally:
            self._depth -= not self._inside_calls
        self._reach(f"after {call}")
        return answer

    def listen(self, event: str, args: tuple[object, ...]) -> None:
        """Take what Python tells its audit hooks."""
        if self._depth or os.getpid() != self._pid or threading.current_thread() is not threading.main_thread():
            return
        if event in ("os.fork", "subprocess.Popen"):
            self._reach("start of a program")
        elif _is_change(event, args):
            path = os.fsdecode(cast(str, args[0]))
            if "/locks" not in path and (not path.startswith("/") or path.startswith(self._root)):
                self._reach(f"{event.removeprefix('os.')} {_plain(path.removeprefix(self._root))}")

    def stop(self) -> None:
        """From now on nothing counts."""
        self._depth += 1

    def _reach(self, point: str) -> None:
        self.points.append(point)
        if self._wanted in (point, len(self.points)):
            self.stop()
            self._last_words(point, tuple(self.points))
            os.kill(os.getpid(), signal.SIGKILL)


def _is_change(event: str, args: tuple[object, ...]) -> bool:
    if event == "open":
        return isinstance(args[2], int) and bool(args[2] & _WRITING) and not isinstance(args[0], int)
    return event in _CHANGES and not isinstance(args[0], int)


def _plain(path: str) -> str:
    """A path without what differs from run to run."""
    return re.sub(r"(?<=[-.])(?=[a-z0-9_]*[0-9_])[a-z0-9_]{8,}", "…", path)
