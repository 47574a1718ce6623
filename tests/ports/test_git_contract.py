"""One contract, every git."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polecat import Repo
from polecat.testing import FakeGit, GitContract, GitUnderTest
from tests.git_fixtures import commit, git, make_git_rig, write


def _fake(root: Path) -> GitUnderTest:
    fake = FakeGit(files={"README.md": "a project\n"})
    repo, no_repo = Repo(path=root / "rig" / ".repo.git"), Repo(path=root / "no-repo")
    fake.break_repo(no_repo)

    def stash(path: Path) -> None:
        fake.edit(path, "README.md", "stashed")
        fake.stash(path)

    def break_remote() -> None:
        fake.is_remote_down = True

    return GitUnderTest(
        git=fake,
        repo=repo,
        no_repo=no_repo,
        room=_made(root / "room"),
        advance_remote=lambda: fake.advance_remote(files={"news": "1"}),
        commit=lambda path: fake.commit(path, {"done": "1"}),
        stash=stash,
        break_remote=break_remote,
    )


def _real(root: Path) -> GitUnderTest:
    rig = make_git_rig(root)

    def stash(path: Path) -> None:
        write(path, {"README.md": "stashed"})
        git("stash", "-q", cwd=path)

    def break_remote() -> None:
        rig.origin.rename(root / "elsewhere")

    return GitUnderTest(
        git=rig.git,
        repo=rig.repo,
        no_repo=Repo(path=_made(root / "no-repo")),
        room=_made(root / "room"),
        advance_remote=lambda: commit(rig.origin, {"news": "1"}),
        commit=lambda path: commit(path, {"done": "1"}),
        stash=stash,
        break_remote=break_remote,
    )


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


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
        yield _real(room)
