"""Every test of the adapter is run on a plain repository, and on one that is everything at once beside a configuration that changes all."""

from __future__ import annotations

import pytest

from tests.git_fixtures import has_reftable, shape_environ


@pytest.fixture(autouse=True, params=["plain", "all"])
def shape(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the test's repositories and surroundings are like, one of `tests.git_fixtures.SHAPES`."""
    shape = str(request.param)
    for key, value in shape_environ(shape, tmp_path_factory.mktemp("surroundings")).items():
        monkeypatch.setenv(key, value)
    return shape


@pytest.fixture
def refs_in_files(shape: str) -> None:
    """Skip a test that is about refs in files where they are in tables."""
    if shape == "all" and has_reftable():
        pytest.skip("refs are in tables here")
