"""One contract, every git."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polecat import Repo
from polecat.testing import FakeGit, GitContract, GitUnderTest
from tests.git_fixtures import git_under_test, has_reftable, shape_environ


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

    def move(old: Path, new: Path) -> None:
        old.rename(new)
        fake.moved(old, new)

    return GitUnderTest(
        git=fake,
        repo=repo,
        no_repo=no_repo,
        room=root / "room",
        advance_remote=lambda: fake.advance_remote(files={"news": "1"}),
        commit=lambda path: fake.commit(path, {"done": "1"}),
        stash=stash,
        break_remote=break_remote,
        move=move,
    )


class TestFakeGit(GitContract):
    """The pretend git."""

    @contextmanager
    def make(self, room: Path) -> Iterator[GitUnderTest]:
        yield _fake(room)


@pytest.mark.real
class TestGitCli(GitContract):
    """The git on PATH."""

    shape = "plain"

    @contextmanager
    def make(self, room: Path) -> Iterator[GitUnderTest]:
        if self.shape == "reftable" and not has_reftable():
            pytest.skip("refs in tables need git 2.45; nox -s releases runs this with a newer one")
        with pytest.MonkeyPatch.context() as patch:
            for key, value in shape_environ(self.shape, room / "surroundings").items():
                patch.setenv(key, value)
            yield git_under_test(room)


@pytest.mark.real
class TestGitCliSha256(TestGitCli):
    """The git on PATH, in repositories whose ids are SHA-256."""

    shape = "sha256"


@pytest.mark.real
class TestGitCliReftable(TestGitCli):
    """The git on PATH, in repositories whose refs are in tables."""

    shape = "reftable"


@pytest.mark.real
class TestGitCliHostile(TestGitCli):
    """The git on PATH, beside a configuration that changes whatever it can."""

    shape = "hostile"
