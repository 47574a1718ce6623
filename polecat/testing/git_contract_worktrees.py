"""The git contract: refs, the remote, worktrees made and taken away."""

from __future__ import annotations

import os
from pathlib import Path

from polecat.ports import Worktree
from polecat.testing.git_under_test import GitUnderTest, refuses


def check_git_is_there(at: GitUnderTest) -> None:
    """A usable git tells its version."""
    assert at.git.check().split(".")[0].isdigit()


def check_unknown_refs_are_none(at: GitUnderTest) -> None:
    """Refs and commits that do not exist are None, whatever they look like."""
    for ref in (
        "refs/heads/nope",
        "refs/remotes/origin/nope",
        "refs/heads/ma",
        "refs/heads/",
        "0" * 40,
        "main",
        "../HEAD",
        "--all",
    ):
        assert at.git.resolve(at.repo, ref) is None, ref


def check_a_commit_resolves_to_itself(at: GitUnderTest) -> None:
    """A commit id that exists is itself."""
    assert at.git.resolve(at.repo, at.start) == at.start


def check_no_repository_is_an_error(at: GitUnderTest) -> None:
    """A place that is no repository is an error, not an empty repository."""
    refuses(lambda: at.git.resolve(at.no_repo, "refs/heads/main"))
    refuses(lambda: at.git.branches(at.no_repo, ""))
    refuses(lambda: at.git.remote_branches(at.no_repo))
    refuses(lambda: at.git.stale_registrations(at.no_repo))
    refuses(lambda: at.git.start_fetch(at.no_repo, timeout_s=10).wait())


def check_fetch_brings_news(at: GitUnderTest) -> None:
    """After a fetch the remote's new commit is known, and we know when we asked."""
    new = at.advance_remote()
    assert at.start != new
    at.git.fetch(at.repo, timeout_s=30)
    assert at.start == new
    age_s = at.git.last_fetch_age_s(at.repo)
    assert age_s is not None and 0 <= age_s < 60
    assert "main" in at.git.remote_branches(at.repo)


def check_fetch_in_the_background(at: GitUnderTest) -> None:
    """A started fetch brings the news once it is waited for; a cancelled one may be cancelled again."""
    new = at.advance_remote()
    pending = at.git.start_fetch(at.repo, timeout_s=30)
    pending.wait()
    pending.cancel()
    assert at.start == new
    other = at.git.start_fetch(at.repo, timeout_s=30)
    other.cancel()
    other.cancel()


def check_unreachable_remote_is_an_error(at: GitUnderTest) -> None:
    """A fetch that failed says so and does not count as one; what was known stays known."""
    before = at.start
    age_before_s = at.git.last_fetch_age_s(at.repo)
    at.break_remote()
    refuses(lambda: at.git.fetch(at.repo, timeout_s=30))
    refuses(lambda: at.git.remote_default_branch(at.repo, timeout_s=30))
    age_s = at.git.last_fetch_age_s(at.repo)
    assert (age_s is None) == (age_before_s is None)
    assert age_s is None or age_before_s is None or age_s >= age_before_s
    assert at.start == before


def check_remote_default_branch(at: GitUnderTest) -> None:
    """The remote knows which branch is its default."""
    assert at.git.remote_default_branch(at.repo, timeout_s=30) == "main"


def check_worktree_is_made(at: GitUnderTest) -> None:
    """A new worktree is registered, on its branch, at its commit; files come with the check-out only."""
    path = at.room / "nux"
    made = at.git.add_worktree(at.repo, path, branch="polecat/nux-1", start=at.start, upstream="main")
    assert (made.path, made.branch, made.head) == (path, "polecat/nux-1", at.start)
    assert os.listdir(path) == [".git"]
    assert at.git.find_worktree(at.repo, path) == made
    assert at.git.branches(at.repo, "polecat/") == {"polecat/nux-1": at.start}
    at.git.check_out(made)
    assert (path / "README.md").is_file()
    assert at.git.facts(at.repo, made).is_clean


def check_worktree_starts_where_it_was_told(at: GitUnderTest) -> None:
    """The branch starts at the commit that was given, even if the remote's branch moved on since."""
    old = at.start
    at.advance_remote()
    at.git.fetch(at.repo, timeout_s=30)
    made = at.git.add_worktree(at.repo, at.room / "nux", branch="b", start=old, upstream="main")
    assert made.head == old == at.git.resolve(at.repo, "refs/heads/b")


def check_left_out_paths_stay_out(at: GitUnderTest) -> None:
    """Paths to be left out are not checked out, and their absence is no change."""
    made = at.git.add_worktree(at.repo, at.room / "nux", branch="b", start=at.start, upstream=None)
    at.git.check_out(made, leave_out=["README.md"])
    assert not (made.path / "README.md").exists()
    assert at.git.facts(at.repo, made).is_clean


def check_odd_paths_work(at: GitUnderTest) -> None:
    """Spaces, quotes, newlines and letters of all kinds in a path change nothing."""
    for number, name in enumerate(("with space", "quote'\"s", "new\nline", "-dash", "naïve ☃")):
        made = at.add(name, branch=f"b{number}")
        assert at.git.find_worktree(at.repo, at.room / name) == made
        assert (at.room / name / "README.md").is_file()
        at.git.drop_worktree(at.repo, made, into=at.room / f"{name}.gone")
        assert (at.room / f"{name}.gone" / "README.md").is_file()


def check_failed_add_leaves_nothing(at: GitUnderTest) -> None:
    """An add that cannot be leaves no directory, no branch and no registration."""
    at.add("taken")
    before = at.state()
    (at.room / "file").write_text("x")
    with_file = sorted([*os.listdir(at.room)])
    tries: list[tuple[Path, str, str]] = [
        (at.room / "taken", "new", at.start),
        (at.room / "nux", "polecat/taken", at.start),
        (at.room / "missing" / "nux", "new", at.start),
        (at.room / "file", "new", at.start),
        (at.room / "nux", "new", "1" * 40),
        (at.room / "nux", "new", "main"),
        (at.room / "nux", "-d", at.start),
        (at.room / "nux", "bad..name", at.start),
        (at.room / "nux", "new\nline", at.start),
    ]
    for path, branch, start in tries:
        refuses(lambda p=path, b=branch, s=start: at.git.add_worktree(at.repo, p, branch=b, start=s, upstream="main"))  # type: ignore[misc]
        assert sorted(os.listdir(at.room)) == with_file, (path, branch, start)
    (at.room / "file").unlink()
    assert at.state() == before


def check_an_existing_directory_is_not_touched(at: GitUnderTest) -> None:
    """Even an empty directory in the way is somebody's."""
    (at.room / "nux").mkdir()
    refuses(lambda: at.git.add_worktree(at.repo, at.room / "nux", branch="new", start=at.start, upstream=None))
    assert os.listdir(at.room / "nux") == []
    assert at.git.branches(at.repo, "").get("new") is None


def check_only_a_whole_worktree_is_found(at: GitUnderTest) -> None:
    """A directory is a worktree only if it and the registration name each other."""
    made = at.add("nux")
    (at.room / "plain").mkdir()
    (at.room / "link").symlink_to(made.path)
    (at.room / "copied").mkdir()
    (at.room / "copied" / ".git").write_bytes((made.path / ".git").read_bytes())
    for number, text in enumerate((b"", b"garbage", b"gitdir: /nowhere/worktrees/x\n")):
        (at.room / f"broken{number}").mkdir()
        (at.room / f"broken{number}" / ".git").write_bytes(text)
    for name in ("plain", "link", "copied", "missing", "broken0", "broken1", "broken2"):
        assert at.git.find_worktree(at.repo, at.room / name) is None, name
    made.path.rename(at.room / "moved")
    assert at.git.find_worktree(at.repo, at.room / "moved") is None
    assert at.git.find_worktree(at.repo, made.path) is None


def check_drop_keeps_everything(at: GitUnderTest) -> None:
    """A dropped worktree is gone from the repository and whole in the trash; restored it is as before."""
    made = at.add("nux")
    (made.path / "new.txt").write_text("work")
    at.git.drop_worktree(at.repo, made, into=at.room / "gone")
    assert not made.path.exists()
    assert (at.room / "gone" / "new.txt").read_text() == "work"
    assert (at.room / "gone.admin").is_dir()
    assert at.git.find_worktree(at.repo, made.path) is None
    assert at.git.stale_registrations(at.repo) == ()
    assert at.git.branches(at.repo, "polecat/")
    at.git.restore_worktree(at.repo, made, source=at.room / "gone")
    assert at.git.find_worktree(at.repo, made.path) == made
    assert at.git.facts(at.repo, made).untracked == ("new.txt",)


def check_drop_refuses_what_is_not_its_own(at: GitUnderTest) -> None:
    """A drop that is not of this very worktree, or has no room, does nothing."""
    made, other = at.add("nux"), at.add("ace")
    (at.room / "full").mkdir()
    refuses(lambda: at.git.drop_worktree(at.repo, made, into=at.room / "full"))
    refuses(lambda: at.git.drop_worktree(at.repo, made, into=at.room / "missing" / "x"))
    mixed = Worktree(path=made.path, admin_dir=other.admin_dir, branch=made.branch, head=made.head)
    refuses(lambda: at.git.drop_worktree(at.repo, mixed, into=at.room / "gone"))
    for one in (made, other):
        assert at.git.find_worktree(at.repo, one.path) == one


def check_branch_is_deleted_only_as_expected(at: GitUnderTest) -> None:
    """A branch that moved, is checked out, or is not there is not deleted."""
    made = at.add("nux")
    start, branch = at.start, "polecat/nux"
    refuses(lambda: at.git.delete_branch(at.repo, branch, expected=start))
    moved = at.commit(made.path)
    at.git.drop_worktree(at.repo, made, into=at.room / "gone")
    assert at.git.delete_branch(at.repo, branch, expected=start) is False
    assert at.git.resolve(at.repo, f"refs/heads/{branch}") == moved
    assert at.git.delete_branch(at.repo, branch, expected=moved) is True
    assert at.git.delete_branch(at.repo, branch, expected=moved) is False
    assert at.git.delete_branch(at.repo, "polecat/nu", expected=moved) is False


def check_stale_registrations(at: GitUnderTest) -> None:
    """A registration is stale only while its directory is gone; moving it out makes its branch deletable."""
    made, other = at.add("nux"), at.add("ace")
    made.path.rename(at.room / "hidden")
    (stale,) = at.git.stale_registrations(at.repo)
    assert (stale.admin_dir, stale.path) == (made.admin_dir, made.path)
    (at.room / "hidden").rename(made.path)
    assert at.git.drop_stale(at.repo, stale, into=at.room / "s") is False
    made.path.rename(at.room / "hidden")
    assert at.git.drop_stale(at.repo, stale, into=at.room / "s") is True
    assert (at.room / "s").is_dir()
    assert at.git.drop_stale(at.repo, stale, into=at.room / "t") is False
    assert at.git.stale_registrations(at.repo) == ()
    assert at.git.delete_branch(at.repo, "polecat/nux", expected=at.start)
    assert at.git.find_worktree(at.repo, other.path) == other


def check_half_made_is_cleared(at: GitUnderTest) -> None:
    """Half a worktree is taken away with its registration; a whole one, or files nobody accounts for, are not."""
    made = at.add("nux")
    refuses(lambda: at.git.clear_half_made(at.repo, made.path, into=at.room / "gone"))
    (made.path / ".git").unlink()
    refuses(lambda: at.git.clear_half_made(at.repo, made.path, into=at.room / "gone"))
    assert (made.path / "README.md").is_file()
    made.path.rename(at.room / "hidden")
    made.path.mkdir()
    (made.path / ".git").write_text("")
    at.git.clear_half_made(at.repo, made.path, into=at.room / "gone")
    assert not made.path.exists()
    assert at.git.delete_branch(at.repo, "polecat/nux", expected=at.start)
    at.git.clear_half_made(at.repo, made.path, into=at.room / "again")
    assert at.git.stale_registrations(at.repo) == ()
