"""Standing in the one door to outside programs: which were started, when, and how long each ran."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Any, Self

from attrs import define, field

from polecat.adapters.processes import program


@define(kw_only=True)
class Call:
    """One program that was run.

    Attributes:
        argv: its words.
        began_s: when it was asked for, since the door was entered.
        started_s: when it ran and we could go on.
        ended_s: when we had its result; 0 while it runs.
    """

    argv: tuple[str, ...]
    began_s: float
    started_s: float = 0.0
    ended_s: float = 0.0

    @property
    def summary(self) -> str:
        """What it was, short: the program and its command."""
        options = {"-c", "-C", "-L", "-S", "-f", "-u"}
        words = [os.path.basename(self.argv[0])]
        rest = iter(self.argv[1:])
        for word in rest:
            if word in options and word != "-u":
                next(rest, None)
            elif not word.startswith("-"):
                words.append(os.path.basename(word))
            if len(words) == 3:
                break
        return " ".join(words)[:44]


@define
class Door:
    """While it is entered, it notes what goes through the door."""

    calls: list[Call] = field(factory=list, init=False)
    _began_s: float = field(default=0.0, init=False)
    _real: tuple[Any, Any] = field(factory=lambda: (program.start, program.Running.wait), init=False)

    def __enter__(self) -> Self:
        """Stand in the door."""
        self._began_s = time.perf_counter()
        real_start, real_wait = self._real
        by_process: dict[int, Call] = {}

        def start(argv: Any, **how: Any) -> program.Running:
            call = Call(argv=tuple(os.fspath(word) for word in argv), began_s=self._now_s())
            self.calls.append(call)
            running: program.Running = real_start(argv, **how)
            call.started_s = self._now_s()
            by_process[id(running)] = call
            return running

        def wait(running: program.Running) -> program.Finished:
            try:
                finished: program.Finished = real_wait(running)
                return finished
            finally:
                by_process[id(running)].ended_s = self._now_s()

        program.start = start
        program.Running.wait = wait  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Step out of the door."""
        program.start, program.Running.wait = self._real  # type: ignore[method-assign]

    def _now_s(self) -> float:
        return time.perf_counter() - self._began_s
