"""What the contracts of the ports have in common: checks, and something to hold to them."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Generic, TypeVar
from unittest import SkipTest

U = TypeVar("U")

PREFIX = "test_"


class Contract(ABC, Generic[U]):
    """Checks that every implementation of one port must pass, yours too.

    Subclass `GitContract`, `TmuxContract` or `BeadsContract` and write `make`. In a test module, in a class whose name begins with
    ``Test``, that is all: pytest finds each check as a test of its own. Elsewhere call `run_all`.

    A check gets a new world from `make` and fails with an `AssertionError`, or with whatever the implementation raised.

    Attributes:
        checks: the checks by name; each is a function of what `make` gives.
    """

    checks: ClassVar[Mapping[str, Callable[..., None]]] = {}

    @abstractmethod
    def make(self, room: Path) -> AbstractContextManager[U]:
        """Make a world to check, and take it down again; called once for each check.

        Args:
            room: an empty directory of this check.
        """

    def run(self, name: str, room: Path) -> None:
        """Run one check.

        Args:
            name: one of `checks`.
            room: an empty directory.

        Raises:
            AssertionError: the contract is not kept.
            KeyError: there is no such check.
            unittest.SkipTest: it is about something that this implementation does not have.
        """
        check = self.checks[name]
        with self.make(room) as under:
            check(under)

    def run_all(self, room: Path) -> None:
        """Run every check that applies, each in a directory of its own below *room*.

        Raises:
            ExceptionGroup: what failed; each error carries the name of its check as a note.
        """
        failed: list[Exception] = []
        for name in self.checks:
            place = room / name
            place.mkdir(parents=True)
            try:
                with contextlib.suppress(SkipTest):
                    self.run(name, place)
            except Exception as error:  # noqa: BLE001  collected, and raised below
                error.add_note(f"check: {name}")
                failed.append(error)
        if failed:
            raise ExceptionGroup(f"{len(failed)} of {len(self.checks)} checks failed", failed)


C = TypeVar("C", bound=type[Contract])  # type: ignore[type-arg]  # of anything


def of_checks(*checks: Callable[[U], None]) -> Callable[[C], C]:
    """Give a contract its checks, and a method ``test_…`` for each, which is where pytest looks."""

    def fill(contract: C) -> C:
        contract.checks = {check.__name__.removeprefix("check_"): check for check in checks}
        for name, check in contract.checks.items():
            setattr(contract, PREFIX + name, _method(name, check))
        return contract

    return fill


def _method(name: str, check: Callable[[U], None]) -> Callable[[Contract[U], Path], None]:
    def test(self: Contract[U], tmp_path: Path) -> None:
        self.run(name, tmp_path)

    test.__name__ = PREFIX + name
    test.__qualname__ = f"{check.__module__}.{check.__name__}"
    test.__doc__ = check.__doc__
    return test
