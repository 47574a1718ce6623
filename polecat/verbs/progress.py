"""A line that says what takes so long: on a terminal, after one second, with the seconds; nothing elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import Self, TextIO

from polecat.verbs.tables import plain_lines

DELAY_S = 1.0
"""What is done sooner needs no line."""

_ERASE = "\r\x1b[K"


class Progress:
    """The line, for as long as a ``with`` block takes. `say` changes what it says, `line` prints a line above it.

    Args:
        what: what is being done, such as ``fetching origin``.
        out: where it is shown; nothing is, unless that is a terminal.
        delay_s: how long to say nothing.

    Examples:
        >>> with Progress("counting") as progress:
        ...     progress.line("one")  # doctest: +SKIP
    """

    def __init__(self, what: str, *, out: TextIO | None = None, delay_s: float = DELAY_S) -> None:
        self._out = sys.stderr if out is None else out
        self._delay_s = delay_s
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self._what, self._since_s = what, time.monotonic()
        self._is_shown = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._out.isatty():  # otherwise nobody is there to see it
            self._thread = threading.Thread(target=self._tick, name="polecat-progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with self._mutex:
            self._erase()

    def say(self, what: str) -> None:
        """Say from now on that this is being done; its seconds begin at 0."""
        with self._mutex:
            self._what, self._since_s = what, time.monotonic()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        with self._mutex:
            self._erase()
            print(plain_lines(text), file=self._out, flush=True)

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
