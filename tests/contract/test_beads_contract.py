"""One contract, every store of work."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from polecat.adapters.local_beads import LocalBeads
from polecat.ports import Bead, Beads
from polecat.testing.beads_contract import BEADS_CHECKS, BeadsUnderTest
from polecat.testing.fake_beads import FakeBeads

_IDS = itertools.count(1)


def _fake(_: Path) -> BeadsUnderTest:
    store = FakeBeads(strict=True)
    return BeadsUnderTest(store=store, new_work=lambda title: store.add(Bead(id=f"gt-{next(_IDS)}", title=title)).id)


def _local(directory: Path) -> BeadsUnderTest:
    store: Beads = LocalBeads(directory / "beads.sqlite3")
    return BeadsUnderTest(store=store, new_work=lambda _: f"gt-{next(_IDS)}")


@pytest.mark.parametrize("check", BEADS_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("make", [_fake, _local], ids=["fake", "local"])
def test_contract(make: Callable[[Path], BeadsUnderTest], check: Callable[[BeadsUnderTest], None], tmp_path: Path) -> None:
    """The store keeps what every store must keep (T-03)."""
    check(make(tmp_path))
