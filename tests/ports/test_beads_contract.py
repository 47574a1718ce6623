"""One contract, every store of work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polecat import Bead
from polecat.adapters import LocalBeads
from polecat.testing import BeadsContract, BeadsUnderTest, FakeBeads

_IDS = itertools.count(1)


class TestFakeBeads(BeadsContract):
    """The pretend store, as strict as bd (T-03)."""

    @contextmanager
    def make(self, room: Path) -> Iterator[BeadsUnderTest]:
        store = FakeBeads(strict=True)
        yield BeadsUnderTest(store=store, new_work=lambda title: store.add(Bead(id=f"gt-{next(_IDS)}", title=title)).id)


class TestLocalBeads(BeadsContract):
    """The embedded store (T-03)."""

    @contextmanager
    def make(self, room: Path) -> Iterator[BeadsUnderTest]:
        yield BeadsUnderTest(store=LocalBeads(room / "beads.sqlite3"), new_work=lambda _: f"gt-{next(_IDS)}")
