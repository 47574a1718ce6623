"""Refs read from files agree with git, and damage is never absence."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat.adapters.git import config as git_config
from polecat.adapters.git import files as git_files
from polecat.adapters.git.cli import GitCli
from polecat.errors import GitError, PolecatError, ProgramMissingError, UnknownStateError
from tests.git_fixtures import GitRig, commit, git, make_git_rig

pytestmark = pytest.mark.real


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def test_packed_refs_are_read(rig: GitRig) -> None:
    """Branches are found after git packed them, and a loose one wins over its packed elder."""
    rig.add("nux")
    git("pack-refs", "--all", cwd=rig.repo.path)
    assert rig.git.branches(rig.repo, "polecat/") == {"polecat/nux": rig.start}

    new = commit(rig.root / "polecats" / "nux")

    assert rig.git.branches(rig.repo, "polecat/") == {"polecat/nux": new}
    assert rig.git.resolve(rig.repo, "refs/heads/polecat/nux") == new


def test_a_prefix_is_only_a_prefix(rig: GitRig) -> None:
    """Branches are chosen by the start of their name, within and across slashes."""
    for name in ("polecat/nux-1", "polecat/nux-2", "polecat/nuxa", "polecats"):
        git("branch", name, "main", cwd=rig.repo.path)
    assert set(rig.git.branches(rig.repo, "polecat/nux-")) == {"polecat/nux-1", "polecat/nux-2"}
    assert set(rig.git.branches(rig.repo, "polecat")) == {"polecat/nux-1", "polecat/nux-2", "polecat/nuxa", "polecats"}
    assert rig.git.branches(rig.repo, "nothing/here/") == {}


@pytest.mark.usefixtures("refs_in_files")
def test_a_damaged_ref_is_unknown_not_absent(rig: GitRig) -> None:
    """An empty ref file, as a power failure leaves it, is an error where it is asked for, and no branch in a list (T-25)."""
    (rig.repo.path / "refs/heads/broken").write_text("")
    with pytest.raises(UnknownStateError, match="damaged"):
        rig.git.resolve(rig.repo, "refs/heads/broken")
    assert set(rig.git.branches(rig.repo, "")) == {"main"}


@pytest.mark.usefixtures("refs_in_files")
def test_reftable_repositories_are_asked_through_git(rig: GitRig) -> None:
    """Where refs are not in files, git is asked, with the same answers."""
    made = rig.add("nux")
    expected = (rig.git.branches(rig.repo, "polecat/"), rig.git.remote_branches(rig.repo), rig.start)
    (rig.repo.path / "reftable").mkdir()
    assert (rig.git.branches(rig.repo, "polecat/"), rig.git.remote_branches(rig.repo), rig.start) == expected
    assert rig.git.find_worktree(rig.repo, made.path) == made
    assert rig.git.facts(rig.repo, made).is_clean
    assert rig.git.resolve(rig.repo, "refs/heads/nope") is None


@pytest.mark.usefixtures("refs_in_files")
def test_reading_refs_starts_no_process(rig: GitRig) -> None:
    """Resolving, listing and finding are file reads: they work without any git on PATH."""
    made = rig.add("nux")
    blind = GitCli(environ={"PATH": "/nonexistent"})
    assert blind.resolve(rig.repo, "refs/remotes/origin/main") == rig.start
    assert blind.remote_branches(rig.repo) == ("main",)
    assert blind.branches(rig.repo, "polecat/") == {"polecat/nux": rig.start}
    assert blind.find_worktree(rig.repo, made.path) == made
    assert blind.stale_registrations(rig.repo) == ()


def test_missing_git_says_how_to_install_it(rig: GitRig) -> None:
    """Without git on PATH the error names the packages."""
    with pytest.raises(ProgramMissingError) as caught:
        GitCli(environ={"PATH": "/nonexistent"}).check()
    assert "apt install git" in caught.value.hint
    assert "brew install git" in caught.value.hint


def test_a_git_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """A git older than 2.31 is named."""
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.30.9\n")
    (tmp_path / "git").chmod(0o755)
    with pytest.raises(GitError, match=r"2\.30\.9"):
        GitCli(environ={"PATH": f"{tmp_path}:/usr/bin:/bin"}).check()


def test_upstream_lines_are_what_git_reads(rig: GitRig) -> None:
    """git itself sees the upstream we wrote, also for branches with quotes in their name, and not after it was taken away."""
    made = rig.add("nux", branch='polecat/q"1')
    assert git("rev-parse", "--abbrev-ref", "@{u}", cwd=made.path) == "origin/main"
    before = (rig.repo.path / "config").read_text()
    git_config.set_upstream(rig.repo.path, "other", 'ma"in', patience_s=1)
    assert git("config", "branch.other.merge", cwd=rig.repo.path) == 'refs/heads/ma"in'
    git_config.set_upstream(rig.repo.path, "other", None, patience_s=1)
    assert (rig.repo.path / "config").read_text() == before


def test_config_is_not_lost_when_the_lock_is_held(rig: GitRig) -> None:
    """A lock that somebody else holds is neither taken away nor written through."""
    lock = rig.repo.path / "config.lock"
    lock.write_text("theirs")
    before = (rig.repo.path / "config").read_bytes()
    with pytest.raises(GitError, match="cannot write") as caught:
        git_config.set_upstream(rig.repo.path, "b", "main", patience_s=0.05)
    assert "config.lock" in caught.value.hint
    assert (lock.read_text(), (rig.repo.path / "config").read_bytes()) == ("theirs", before)


def test_ref_names_that_git_refuses_are_refused() -> None:
    """What we call a legal name is what git calls one."""
    names = [
        "a",
        "a/b",
        "a.b",
        ".a",
        "a/.b",
        "a..b",
        "a~b",
        "a b",
        "a:b",
        "a.lock",
        "a/b.lock/c",
        "a/",
        "/a",
        "a//b",
        "a@{b",
        "@",
        "a.",
        "ü",
    ]
    for name in names:
        done = git("check-ref-format", f"refs/heads/{name}", cwd=Path("/"), code=None)
        is_legal = git("check-ref-format", "--normalize", f"refs/heads/{name}", cwd=Path("/"), code=None) == f"refs/heads/{name}"
        assert done == ""
        assert git_files.is_ref_name(f"refs/heads/{name}") == is_legal, name


def test_registration_that_cannot_be_listed_is_an_error(rig: GitRig) -> None:
    """A list of worktrees that cannot be read is not an empty one (T-25)."""
    (rig.repo.path / "worktrees").write_text("no directory")
    with pytest.raises(PolecatError):
        rig.git.stale_registrations(rig.repo)
