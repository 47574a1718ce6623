"""The git contract, the essential part: refs, the remote, worktrees made and taken away, what work is in them."""

from __future__ import annotations

import os
from pathlib import Path

from polecat.ports import Worktree
from polecat.testing.contracts.git_under_test import GitUnderTest, refuses


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
    refuses(lambda: at.git.remote_branches(at.no_repo))
    refuses(lambda: at.git.start_fetch(at.no_repo, timeout_s=10).wait())


def check_fetch_can_be_cancelled(at: GitUnderTest) -> None:
    """A fetch that ended may be cancelled, and one that was cancelled may be cancelled again."""
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
    refuses(at.fetch)
    age_s = at.git.last_fetch_age_s(at.repo)
    assert (age_s is None) == (age_before_s is None)
    assert age_s is None or age_before_s is None or age_s >= age_before_s
    assert at.start == before


def check_worktree_is_made(at: GitUnderTest) -> None:
    """A new worktree is registered, on its branch, at its commit; files come with the check-out only."""
    path = at.room / "nux"
    made = at.git.add_worktree(at.repo, path, branch="polecat/nux-1", start=at.start, upstream="main")
    assert (made.path, made.branch, made.head) == (path, "polecat/nux-1", at.start)
    assert os.listdir(path) == [".git"]
    assert at.git.find_worktree(at.repo, path) == made
    assert at.git.resolve(at.repo, "refs/heads/polecat/nux-1") == at.start
    at.git.check_out(made)
    assert (path / "README.md").is_file()
    assert at.git.facts(at.repo, made).is_clean


def check_worktree_starts_where_it_was_told(at: GitUnderTest) -> None:
    """The branch starts at the commit that was given, even if the remote's branch moved on since."""
    old = at.start
    at.advance_remote()
    at.fetch()
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
        assert branch == "polecat/taken" or at.git.resolve(at.repo, f"refs/heads/{branch}") is None, (path, branch, start)
    (at.room / "file").unlink()
    assert at.state() == before
    assert at.git.add_worktree(at.repo, at.room / "nux", branch="new", start=at.start, upstream="main").branch == "new"


def check_an_existing_directory_is_not_touched(at: GitUnderTest) -> None:
    """Even an empty directory in the way is somebody's."""
    (at.room / "nux").mkdir()
    refuses(lambda: at.git.add_worktree(at.repo, at.room / "nux", branch="new", start=at.start, upstream=None))
    assert os.listdir(at.room / "nux") == []
    assert at.git.resolve(at.repo, "refs/heads/new") is None


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
    assert at.git.resolve(at.repo, "refs/heads/polecat/nux") == made.head
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


def check_facts_find_work(at: GitUnderTest) -> None:
    """Changed and new files, commits and stashes of this branch are found; those of a neighbour are not (T-15)."""
    made, other = at.add("nux"), at.add("ace")
    at.stash(other.path)
    assert at.git.facts(at.repo, made).is_clean
    (made.path / "README.md").write_text("changed")
    (made.path / "new.txt").write_text("new")
    facts = at.git.facts(at.repo, made, base="refs/remotes/origin/main")
    assert (facts.modified, facts.untracked, facts.branch, facts.head) == (("README.md",), ("new.txt",), "polecat/nux", at.start)
    assert (facts.unpushed, facts.merged, facts.is_clean, facts.is_detached) == (0, "ancestor", False, False)
    new = at.commit(made.path)
    facts = at.git.facts(at.repo, made, base="refs/remotes/origin/main")
    assert (facts.head, facts.unpushed, facts.merged, facts.stashes) == (new, 1, "no", ())
    at.stash(made.path)
    facts = at.git.facts(at.repo, made)
    assert (len(facts.stashes), facts.status().stashes, facts.is_clean) == (1, 1, False)


def check_facts_see_deleted_files(at: GitUnderTest) -> None:
    """A deleted file is a change."""
    made = at.add("nux")
    (made.path / "README.md").unlink()
    assert at.git.facts(at.repo, made).modified == ("README.md",)


def check_facts_want_a_worktree(at: GitUnderTest) -> None:
    """Facts of a directory that is no worktree any more are refused; of one in the trash they are found."""
    made = at.add("nux")
    (made.path / "new.txt").write_text("new")
    before = at.git.facts(at.repo, made, base="refs/remotes/origin/main")
    at.git.drop_worktree(at.repo, made, into=at.room / "gone")
    refuses(lambda: at.git.facts(at.repo, made))
    dropped = Worktree(path=at.room / "gone", admin_dir=at.room / "gone.admin", branch=made.branch, head=made.head)
    assert at.git.facts(at.repo, dropped, base="refs/remotes/origin/main") == before


def check_fetch_brings_what_is_new(at: GitUnderTest) -> None:
    """After a fetch the remote's new commit is known, and we know when we asked."""
    new = at.advance_remote()
    assert at.start != new
    at.fetch()
    assert at.start == new
    age_s = at.git.last_fetch_age_s(at.repo)
    assert age_s is not None and 0 <= age_s < 60
    assert "main" in at.git.remote_branches(at.repo)
