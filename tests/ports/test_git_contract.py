"""One contract, every git."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polecat import Repo
from polecat.testing import FakeGit, GitContract, GitUnderTest
from tests.git_fixtures import git_under_test


def _fake(root: Path) -> GitUnderTest:
    fake = FakeGit(files={"README.md": "a project\n"})
    repo, no_repo = Repo(path=root / "rig" / ".repo.git"), Repo(path=root / "no-repo")
    fake.break_repo(no_repo)
    (root / "room").mkdir()

    def stash(path: Path) -> None:
        fake.edit(path, "README.md", "stashed")
        fake.stash(path)

    def break_remote() -> None:
        fake.is_remote_down = True

    return GitUnderTest(
        git=fake,
        repo=repo,
        no_repo=no_repo,
        room=root / "room",
        advance_remote=lambda: fake.advance_remote(files={"news": "1"}),
        commit=lambda path: fake.commit(path, {"done": "1"}),
        stash=stash,
        break_remote=break_remote,
    )


class TestFakeGit(GitContract):
    """The pretend git."""

    @contextmanager
    def make(self, room: Path) -> Iterator[GitUnderTest]:
        yield _fake(room)


@pytest.mark.real
class TestGitCli(GitContract):
    """The git on PATH."""

    @contextmanager
    def make(self, room: Path) -> Iterator[GitUnderTest]:
        yield git_under_test(room)
