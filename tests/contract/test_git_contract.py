"""One contract, every git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from polecat.model import Repo
from polecat.testing.fake_git import FakeGit
from polecat.testing.git_contract import GIT_CHECKS, GitUnderTest
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


@pytest.mark.parametrize("check", GIT_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("make", [_fake, pytest.param(_real, marks=pytest.mark.real)], ids=["fake", "real"])
def test_contract(make: Callable[[Path], GitUnderTest], check: Callable[[GitUnderTest], None], tmp_path: Path) -> None:
    """The adapter keeps what every git must keep."""
    check(make(tmp_path))
