"""A line that says what takes so long: on a terminal, after one second, with the seconds; nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

DELAY_S = 1.0
"""What is done sooner needs no line."""

_ERASE = "\r\x1b[K"


class Progress:
    """The line. `say` changes what it says, `line` prints a line above it.

    Args:
        what: what is being done, such as ``fetching origin``.
        out: where it is shown; nothing is, unless that is a terminal.
        delay_s: how long to say nothing.
    """

    def __init__(self, what: str, *, out: TextIO | None = None, delay_s: float = DELAY_S) -> None:
        self._out = sys.stderr if out is None else out
        self._delay_s = delay_s
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self._what, self._since_s = what, time.monotonic()
        self._is_shown = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the clock, if somebody is there to see it."""
        if self._out.isatty():
            self._thread = threading.Thread(target=self._tick, name="polecat-progress", daemon=True)
            self._thread.start()

    def say(self, what: str) -> None:
        """Say from now on that this is being done; its seconds begin at 0."""
        with self._mutex:
            self._what, self._since_s = what, time.monotonic()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        with self._mutex:
            self._erase()
            print(text, file=self._out, flush=True)

    def end(self) -> None:
        """Take the line away. Ending twice is fine."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._mutex:
            self._erase()

    def _tick(self) -> None:
        wait_s = self._delay_s
        while not self._over.wait(wait_s):
            with self._mutex:
                seconds = time.monotonic() - self._since_s
                wait_s = 1.0 - seconds % 1.0 if seconds >= self._delay_s else self._delay_s - seconds
                if seconds >= self._delay_s and self._what:
                    self._erase()
                    self._out.write(f"{self._what}… {int(seconds)} s")
                    self._out.flush()
                    self._is_shown = True

    def _erase(self) -> None:
        if self._is_shown:
            self._out.write(_ERASE)
            self._out.flush()
            self._is_shown = False


@contextlib.contextmanager
def during(what: str, *, out: TextIO | None = None, delay_s: float = DELAY_S) -> Iterator[Progress]:
    """Show the line for as long as the body of a ``with`` block takes.

    Examples:
        >>> with during("counting") as progress:
        ...     progress.line("one")  # doctest: +SKIP
    """
    progress = Progress(what, out=out, delay_s=delay_s)
    progress.start()
    try:
        yield progress
    finally:
        progress.end()
