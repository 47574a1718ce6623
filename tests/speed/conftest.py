"""A hand-made town for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spawn_fixtures import RECORD, HandTown, hand_town, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, tmux_guard: object) -> Path:
    """An origin and a clone of it, to be copied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def bare_town(tmp_path: Path, template: Path) -> Iterator[HandTown]:
    """A town without an agent of its own."""
    with hand_town(tmp_path, template) as town:
        yield town


@pytest.fixture
def town(bare_town: HandTown) -> HandTown:
    """A town whose agent is ready at once and records what is typed."""
    bare_town.agent("recorder", RECORD)
    return bare_town
