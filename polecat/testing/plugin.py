"""Fixtures for pytest, off unless asked for.

A ``conftest.py`` or a test module asks for them so::

    pytest_plugins = ["polecat.testing.plugin"]

``fake_town`` is a rig on disk in a world that is pretended; a test with it takes milliseconds::

    def test_my_orchestrator(fake_town):
        cat = spawn_for_sling(fake_town.rig, world=fake_town.world)
        assert fake_town.tmux.sessions() == [cat.session_name]

``real_town`` is a rig with real git, a real tmux server of its own and an agent that writes down what it is told. While the test
runs, HOME, git's configuration and tmux's directory are the town's, so that what is called without arguments stays in it too::

    def test_my_orchestrator_for_real(real_town):
        cat = spawn_for_sling(real_town.rig)
        assert get_polecat(real_town.rig, cat.polecat_name).state is PolecatState.WORKING

In both, asserts of the contracts are shown with their values when they fail.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for _name in (
    "contracts.beads_contract",
    "contracts.git_contract_essentials",
    "contracts.git_contract_extras",
    "contracts.git_under_test",
    "contracts.tmux_contract",
    "contracts.tmux_contract_neighbours",
    "contracts.tmux_under_test",
):
    if f"polecat.testing.{_name}" not in sys.modules:
        pytest.register_assert_rewrite(f"polecat.testing.{_name}")

from polecat.testing.real_towns import RealTown, is_foreign  # noqa: E402  after the rewriting is asked for
from polecat.testing.real_towns import real_town as make_real_town  # noqa: E402
from polecat.testing.worlds import FakeTown, fake_world  # noqa: E402


@pytest.fixture
def fake_town(tmp_path: Path) -> FakeTown:
    """A town with the rig ``gastown`` on disk, and a pretend world round it."""
    rig, world = fake_world(tmp_path / "polecat")
    return FakeTown(rig=rig, world=world)


@pytest.fixture
def real_town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealTown]:
    """A town with real git and a tmux server of its own; skipped where git or tmux is missing."""
    for program in ("git", "tmux"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH")
    with make_real_town(tmp_path / "polecat") as town:
        for key in filter(is_foreign, list(os.environ)):
            monkeypatch.delenv(key)
        for key, value in town.environ.items():
            monkeypatch.setenv(key, value)
        yield town
