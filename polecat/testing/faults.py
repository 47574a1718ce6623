"""Faults on purpose: the *n*-th outside call fails, hangs, answers garbage, or is the last thing the process does.

An injector is put round a world (or round single ports, which may be real ones); it numbers every call through any of them, from 1.
Trying every number until the operation gets through visits every point where the outside can break::

    for number in itertools.count(1):
        fault = FailAt(number)
        ...                              # a fresh world, the operation, what must hold afterwards
        if not fault.has_struck:
            break
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast, get_args

from attrs import evolve, frozen

from polecat import ports
from polecat.errors import (
    BeadsUnavailableError,
    GitError,
    PolecatError,
    ProgramTimeoutError,
    TmuxUnreachableError,
    UnknownStateError,
)
from polecat.ports import World

PortKind = Literal["git", "tmux", "beads", "processes"]
P = TypeVar("P")
W = TypeVar("W", bound=World)

_PROTOCOLS: Mapping[PortKind, tuple[type, ...]] = {
    "git": (ports.Git, *ports.GIT_EXTRAS),
    "tmux": (ports.Tmux,),
    "beads": (ports.Beads,),
    "processes": (ports.Processes,),
}
_METHODS = {
    kind: frozenset(n for one in each for n, v in vars(one).items() if callable(v) and not n.startswith("_"))
    for kind, each in _PROTOCOLS.items()
}
_FAILURES: Mapping[str, type[PolecatError]] = {
    "git": GitError,
    "tmux": TmuxUnreachableError,
    "beads": BeadsUnavailableError,
    "processes": UnknownStateError,
}


@frozen(kw_only=True)
class Call:
    """One call of a port's method.

    Attributes:
        number: which one it is, from 1, counted over all ports of one injector.
        port: the port: ``git``, ``tmux``, ``beads`` or ``processes``.
        method: the method; ``start_fetch.wait`` is waiting for a fetch that `Git.start_fetch` began.
    """

    number: int
    port: str
    method: str

    def __str__(self) -> str:
        return f"{self.port}.{self.method}"


class Crashed(BaseException):
    """The pretend death of a process: no error that may be caught, and nothing outside is done after it."""


class Garbage:
    """An answer that makes no sense; using it for anything but a test for None is a `TypeError` or an `AttributeError`."""

    def __bool__(self) -> bool:
        raise TypeError("the answer is garbage")

    def __repr__(self) -> str:
        return "<garbage>"


class Fault:
    """Put round a world, it only counts; the classes below it also strike.

    Args:
        at: the number of the call it strikes; 0 for none.

    Attributes:
        calls: every call so far, in order.
        struck: the call it struck; None while it has not.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> count = Fault()
        >>> _ = spawn_for_sling(rig, world=count.around(world))
        >>> "tmux.start" in map(str, count.calls), count.has_struck
        (True, False)
    """

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.calls: list[Call] = []
        self.struck: Call | None = None
        self._mutex = threading.Lock()

    @property
    def has_struck(self) -> bool:
        """Whether there was a call of that number."""
        return self.struck is not None

    def around(self, world: W) -> W:
        """Put it round every port of a world; what is no port stays as it is.

        Args:
            world: a world, such as `polecat.testing.fake_world` gives.
        """
        ports: dict[PortKind, Any] = {kind: getattr(world, kind) for kind in get_args(PortKind)}
        wrapped: Any = {kind: self.wrap(port, kind) for kind, port in ports.items() if port is not None}
        return evolve(world, **wrapped)

    def wrap(self, port: P, kind: PortKind) -> P:
        """Put it round one port, pretended or real."""
        return cast(P, _Wrapped(self, port, kind))

    def call(self, port: str, method: str, do: Callable[[], object]) -> object:
        """Let one call happen, or not."""
        with self._mutex:
            call = Call(number=len(self.calls) + 1, port=port, method=method)
            self.calls.append(call)
            if call.number == self.at:
                self.struck = call
        return self.strike(call, do) if self.hits(call) else do()

    def hits(self, call: Call) -> bool:
        """Say whether this call is struck."""
        return call.number == self.at

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """What happens instead of the call *do*."""
        return do()


class FailAt(Fault):
    """The *n*-th call raises, having done nothing.

    Args:
        at: its number.
        error: what it raises; by default what that port raises when it cannot tell.
        and_after: every later call fails as well.

    Examples:
        >>> from polecat.testing import FakeTmux
        >>> FailAt(1).wrap(FakeTmux(), "tmux").list_sessions()
        Traceback (most recent call last):
        polecat.TmuxUnreachableError: tmux.list_sessions failed: told to
    """

    def __init__(self, at: int, error: Exception | None = None, *, and_after: bool = False) -> None:
        super().__init__(at)
        self._error = error
        self._and_after = and_after

    def hits(self, call: Call) -> bool:
        """See `Fault.hits`."""
        return call.number == self.at or (self._and_after and call.number > self.at)

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        raise self._error or _FAILURES[call.port](f"{call} failed: told to")


class HangAt(Fault):
    """The *n*-th call takes until its time limit and is ended there.

    Args:
        at: its number.
        takes_effect: it did its work before it hung, as a program may that is killed while it cleans up. Only calls that end or
            take away something may do so; the others promise to leave nothing behind when they raise, and do.

    Examples:
        >>> from polecat.testing import FakeGit
        >>> HangAt(1).wrap(FakeGit(), "git").check()
        Traceback (most recent call last):
        polecat.ProgramTimeoutError: git.check took longer than its limit
    """

    _MAY_TAKE_EFFECT = frozenset(
        ("kill", "end", "release", "unassign", "close_agent", "delete_branch", "drop_stale", "start_fetch.wait")
    )

    def __init__(self, at: int, *, takes_effect: bool = False) -> None:
        super().__init__(at)
        self._takes_effect = takes_effect

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        if self._takes_effect and call.method in self._MAY_TAKE_EFFECT:
            do()
        kind = ProgramTimeoutError if call.port == "git" else _FAILURES[call.port]
        raise kind(f"{call} took longer than its limit")


class GarbageAt(Fault):
    """The *n*-th call does its work and answers nonsense, as an adapter with a mistake in it would.

    Args:
        at: its number.

    Examples:
        >>> from polecat.testing import FakeGit
        >>> GarbageAt(1).wrap(FakeGit(), "git").check()
        <garbage>
    """

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        do()
        return Garbage()


class CrashAt(Fault):
    """The process dies at the *n*-th call: `Crashed` is raised there and by every later call, so that nothing outside is undone.

    What a dying process cannot do and this one still does is to leave ``with`` blocks: locks are let go of (as the kernel would do),
    and files may be put back. Where that matters, use `KillAt` in a process of its own.

    Args:
        at: its number.
        after: it dies right after the call instead of right before.

    Examples:
        >>> from polecat.testing import FakeGit
        >>> git = CrashAt(1).wrap(FakeGit(), "git")
        >>> git.check()
        Traceback (most recent call last):
        polecat.testing.faults.Crashed: at git.check
    """

    def __init__(self, at: int, *, after: bool = False) -> None:
        super().__init__(at)
        self._after = after

    def hits(self, call: Call) -> bool:
        """See `Fault.hits`."""
        return 0 < self.at <= call.number

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        if self._after and call.number == self.at:
            do()
        raise Crashed(f"at {call}")


class KillAt(Fault):
    """The process kills itself with SIGKILL at the *n*-th call: nothing is undone, no lock is let go of but by the kernel.

    Args:
        at: its number.
        after: it dies right after the call instead of right before.
        last_words: called just before; the only chance to save what a pretend world holds in memory.
    """

    def __init__(self, at: int, *, after: bool = False, last_words: Callable[[], None] = lambda: None) -> None:
        super().__init__(at)
        self._after = after
        self._last_words = last_words

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        if self._after:
            do()
        self._last_words()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


class MeanwhileAt(Fault):
    """Somebody else does something just before the *n*-th call, so that a race happens in the same order every time.

    Args:
        at: the number of the call.
        do: what the other one does.

    Examples:
        >>> from polecat.testing import FakeGit
        >>> git = MeanwhileAt(1, lambda: print("meanwhile")).wrap(FakeGit(), "git")
        >>> git.check()
        meanwhile
        '2.39.5'
    """

    def __init__(self, at: int, do: Callable[[], object]) -> None:
        super().__init__(at)
        self._meanwhile = do

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        self._meanwhile()
        return do()


class _Wrapped:
    """A port with an injector round it. What the port's protocol does not name goes straight through."""

    def __init__(self, fault: Fault, port: object, kind: PortKind) -> None:
        self._fault = fault
        self._port = port
        self._kind: PortKind = kind

    def __getattr__(self, name: str) -> object:
        found = getattr(self._port, name)
        if name not in _METHODS[self._kind]:
            return found

        def call(*args: object, **kwargs: object) -> object:
            answer = self._fault.call(self._kind, name, lambda: found(*args, **kwargs))
            if name == "start_fetch" and not isinstance(answer, Garbage):
                return _WrappedFetch(self._fault, cast(ports.PendingFetch, answer))
            if name == "at" and not isinstance(answer, Garbage):  # another server is a port as well
                return self if answer is self._port else _Wrapped(self._fault, answer, self._kind)
            return answer

        return call


class _WrappedFetch:
    def __init__(self, fault: Fault, pending: ports.PendingFetch) -> None:
        self._fault = fault
        self._pending = pending

    def wait(self) -> None:
        try:
            self._fault.call("git", "start_fetch.wait", self._pending.wait)
        except BaseException:
            with contextlib.suppress(PolecatError):
                self._pending.cancel()
            raise

    def cancel(self) -> None:
        self._pending.cancel()
