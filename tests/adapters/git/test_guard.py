"""What git would wait for or read without end: it is not started, or does not go on."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from polecat.adapters.git import guard
from polecat.errors import UnknownStateError
from tests.git_fixtures import GitRig, git, make_git_rig, write

pytestmark = pytest.mark.real

BELOW = (
    *("src/.gitignore", "src/.gitattributes", "new/deep/.gitignore", "new/.git", "inner/.git/HEAD", "inner/.git/config"),
    *("inner/.git/info/exclude", "inner/.git/objects/info/alternates", "inner/.git/refs/heads/x", "lib/.gitignore"),
)


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def _put(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 38)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("place", ["src/.gitignore", "inner/.git/HEAD", "modules/lib/config"])
def test_a_pipe_further_down_makes_no_question_wait(rig: GitRig, tmp_path: Path, place: str) -> None:
    """What cannot be told is said within seconds, with what git waited for, and git is ended; other worktrees are answered for."""
    made, other = rig.add_with_submodule(tmp_path / "library"), rig.add("slit")
    git("init", "-q", "inner", cwd=made.path)
    pipe = (made.admin_dir if place.startswith("modules") else made.path) / place
    _put(pipe, "pipe")
    began_s = time.monotonic()

    with pytest.raises(UnknownStateError, match="not a regular file") as caught:
        rig.git.facts(rig.repo, made)

    assert str(pipe) in caught.value.message
    assert time.monotonic() - began_s < 20
    with pytest.raises(OSError, match="No such device"):  # nobody reads it any more
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    assert rig.git.facts(rig.repo, other).status().is_clean


@pytest.mark.parametrize("place", BELOW)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_git_waits_for_is_found_wherever_it_goes(rig: GitRig, tmp_path: Path, place: str, kind: str) -> None:
    """In every directory, tracked or not, and in every repository inside."""
    made = rig.add_with_submodule(tmp_path / "library")
    git("init", "-q", "inner", cwd=made.path)
    if "refs" in place and (made.path / "inner/.git/reftable").exists():
        pytest.skip("refs are in tables here")
    guard.check_below(made.admin_dir, made.path, 1)

    _put(made.path / place, kind)

    with pytest.raises(UnknownStateError, match="not a regular file") as caught:
        guard.check_below(made.admin_dir, made.path, 1)
    assert str(made.path / place) in caught.value.message


def test_a_list_of_patterns_without_end_is_found(rig: GitRig) -> None:
    """Git reads such a file as a whole."""
    made = rig.add()
    _put(made.path / "src/.gitignore", "huge")

    with pytest.raises(UnknownStateError, match="more than"):
        guard.check_below(made.admin_dir, made.path, 1)


def test_what_git_does_not_open_stops_nobody(rig: GitRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe of an agent's own, a socket in a repository, loops, and directories that nobody may read."""
    made = rig.add()
    git("init", "-q", "inner", cwd=made.path)
    write(made.path, {"shut/x": "x"})
    _put(made.path / "src/pipe", "pipe")
    (made.path / "loop").symlink_to(made.path)
    (made.path / "shut").chmod(0)
    monkeypatch.chdir(made.path / "inner/.git")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("fsmonitor--daemon.ipc")

    guard.check_below(made.admin_dir, made.path, 60)

    (made.path / "shut").chmod(0o700)


def test_another_worktrees_pipe_is_its_own_trouble(rig: GitRig) -> None:
    """A look at the repository leaves out what only one worktree has."""
    _put(rig.add().admin_dir / "modules/lib/config", "pipe")

    guard.check_below(rig.repo.git_dir, None, 60)


def test_what_is_mounted_and_does_not_answer_has_some_time() -> None:
    """A mount is not looked into, which could wait for ever; it is named as the cause when git has waited for long."""
    if not Path("/dev/shm").is_mount():
        pytest.skip("nothing is mounted in /dev here")
    guard.check_below(Path("/nowhere"), Path("/dev"), 2)

    with pytest.raises(UnknownStateError, match=r"within 15 s, and in /dev is mounted: .*/dev/shm"):
        guard.check_below(Path("/nowhere"), Path("/dev"), 15)
