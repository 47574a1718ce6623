"""The git contract, the parts for what an adapter may also have; a part is skipped for an adapter that has not its protocol."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import SkipTest

from attrs import evolve

from polecat.ports import (
    GitBranches,
    GitCheckouts,
    GitClones,
    GitIgnored,
    GitLists,
    GitMoves,
    GitRecovery,
    GitRescues,
    GitSpares,
    GitSubmodules,
    Standing,
)
from polecat.testing.contracts.git_under_test import GitUnderTest, refuses

# --------------------------------------------------------------------------------------------------------- GitRescues


def check_rescue_saves_what_is_nowhere_else(at: GitUnderTest) -> None:
    """A rescue holds changed, new and deleted files and the commit below; the worktree is not changed by it."""
    git = at.having(GitRescues)
    made = at.add("nux")
    tip = at.commit(made.path)
    (made.path / "new.txt").write_text("new")
    (made.path / "README.md").unlink()
    before = at.git.facts(at.repo, made)
    saved = git.rescue(at.repo, made, ref_name="nux/1-a", message="removal of nux")
    assert saved is not None and saved.ref == "refs/polecat/rescue/nux/1-a" and saved.message == "removal of nux"
    files = dict(git.rescued_files(at.repo, saved.ref))
    assert (files, saved.refs) == ({"new.txt": "added", "README.md": "deleted"}, (saved.ref,))
    assert [one.ref for one in git.rescues(at.repo)] == [saved.ref]
    assert (at.git.facts(at.repo, made), at.git.resolve(at.repo, "refs/heads/polecat/nux")) == (before, tip)


def check_rescue_needs_no_name_twice(at: GitUnderTest) -> None:
    """A rescue never overwrites another."""
    git = at.having(GitRescues)
    made = at.add("nux")
    (made.path / "new.txt").write_text("new")
    first = git.rescue(at.repo, made, ref_name="nux/1", message="m")
    refuses(lambda: git.rescue(at.repo, made, ref_name="nux/1", message="m"))
    assert git.rescues(at.repo) == (first,)


def check_nothing_to_rescue_is_none(at: GitUnderTest) -> None:
    """A clean worktree whose commit is part of the base needs no rescue; without a base its commit is kept."""
    git = at.having(GitRescues)
    made = at.add("nux")
    assert git.rescue(at.repo, made, ref_name="nux/1", message="m", base="refs/remotes/origin/main") is None
    assert git.rescues(at.repo) == ()
    assert git.rescue(at.repo, made, ref_name="nux/1", message="m") is not None


def check_too_much_is_not_rescued(at: GitUnderTest) -> None:
    """A rescue over the limit is refused and leaves no ref."""
    git = at.having(GitRescues)
    made = at.add("nux")
    (made.path / "big").write_bytes(b"x" * 1000)
    refuses(lambda: git.rescue(at.repo, made, ref_name="nux/1", message="m", size_limit_bytes=999))
    assert git.rescues(at.repo) == ()


def check_saved_work_is_told_from_a_mere_tip(at: GitUnderTest) -> None:
    """A rescue says whether it holds files, commits that no remote has, or neither; once dropped it is gone, and only it."""
    git, made = at.having(GitRescues), at.add("nux")
    tip = git.rescue(at.repo, made, ref_name="nux/1", message="m")
    at.commit(made.path)
    commits = git.rescue(at.repo, made, ref_name="nux/2", message="m")
    (made.path / "new.txt").write_text("new")
    files = git.rescue(at.repo, made, ref_name="nux/3", message="m")
    assert tip and commits and files
    assert [(one.ref[-1], one.holds) for one in git.rescues(at.repo)] == [("1", "tip"), ("2", "commits"), ("3", "files")]
    assert (tip.holds, commits.holds, files.holds) == ("tip", "commits", "files")
    assert (git.drop_rescue(at.repo, commits), git.drop_rescue(at.repo, commits)) == (True, False)
    assert git.rescues(at.repo) == (tip, files)


# ----------------------------------------------------------------------------------------------- GitMoves, GitSpares


def check_worktree_moves(at: GitUnderTest) -> None:
    """A moved worktree is the same one elsewhere; a target in the way is not touched."""
    git = at.having(GitMoves)
    made = at.add("nux")
    (made.path / "new.txt").write_text("work")
    (at.room / "taken").mkdir()
    refuses(lambda: git.move_worktree(at.repo, made, at.room / "taken"))
    refuses(lambda: git.move_worktree(at.repo, made, at.room / "missing" / "x"))
    assert at.git.find_worktree(at.repo, made.path) == made
    moved = git.move_worktree(at.repo, made, at.room / "else where")
    assert (moved.path, moved.branch, moved.head) == (at.room / "else where", made.branch, made.head)
    assert at.git.find_worktree(at.repo, moved.path) == moved == git.finish_move(at.repo, moved.path)
    assert at.git.find_worktree(at.repo, made.path) is None
    assert at.git.facts(at.repo, moved).untracked == ("new.txt",)
    assert git.finish_move(at.repo, at.room / "taken") is None


def check_a_moved_or_dropped_worktree_is_not_stale(at: GitUnderTest) -> None:
    """Its registration went with it."""
    git, recovery = at.having(GitMoves), at.having(GitRecovery)
    git.move_worktree(at.repo, at.add("nux"), at.room / "moved")
    at.git.drop_worktree(at.repo, at.add("ace"), into=at.room / "gone")
    assert recovery.stale_registrations(at.repo) == ()


def check_rebranch(at: GitUnderTest) -> None:
    """A worktree on a new branch keeps its files, its old branch is gone, and a check-out brings it to the new start."""
    git = at.having(GitSpares)
    made, old = at.add("nux", branch="spare/1"), at.start
    at.advance_remote()
    at.fetch()
    fresh = git.rebranch(at.repo, made, branch="polecat/nux", start=at.start, upstream="main")
    assert (fresh.path, fresh.branch, fresh.head) == (made.path, "polecat/nux", at.start) != (made.path, made.branch, old)
    assert at.git.find_worktree(at.repo, made.path) == fresh
    assert at.git.resolve(at.repo, "refs/heads/spare/1") is None
    at.git.check_out(fresh)
    assert git.is_pristine(fresh)


def check_a_refused_rebranch_changes_nothing(at: GitUnderTest) -> None:
    """A branch that exists is not taken over."""
    git = at.having(GitSpares)
    made, other = at.add("nux"), at.add("ace")
    refuses(lambda: git.rebranch(at.repo, made, branch="polecat/ace", start=at.start, upstream="main"))
    assert (at.git.find_worktree(at.repo, made.path), at.git.find_worktree(at.repo, other.path)) == (made, other)


def check_what_somebody_touched_is_not_pristine(at: GitUnderTest) -> None:
    """A new file, a changed one, and a directory that is no worktree: none is as the commit has it."""
    git = at.having(GitSpares)
    made, other = at.add("nux"), at.add("ace")
    assert git.is_pristine(made) and git.is_pristine(other)
    (made.path / "new.txt").write_text("new")
    (other.path / "README.md").write_text("changed")
    assert not git.is_pristine(made) and not git.is_pristine(other)
    assert not git.is_pristine(evolve(made, path=at.room / "missing", admin_dir=at.room / "missing.admin"))


# -------------------------------------------------------------------------------------------------------- GitRecovery


def check_stale_registrations(at: GitUnderTest) -> None:
    """A registration is stale only while its directory is gone; moving it out makes its branch deletable."""
    git = at.having(GitRecovery)
    made, other = at.add("nux"), at.add("ace")
    made.path.rename(at.room / "hidden")
    (stale,) = git.stale_registrations(at.repo)
    assert (stale.admin_dir, stale.path) == (made.admin_dir, made.path)
    (at.room / "hidden").rename(made.path)
    assert git.drop_stale(at.repo, stale, into=at.room / "s") is False
    made.path.rename(at.room / "hidden")
    assert git.drop_stale(at.repo, stale, into=at.room / "s") is True
    assert (at.room / "s").is_dir()
    assert git.drop_stale(at.repo, stale, into=at.room / "t") is False
    assert git.stale_registrations(at.repo) == ()
    assert at.git.delete_branch(at.repo, "polecat/nux", expected=at.start)
    assert at.git.find_worktree(at.repo, other.path) == other
    refuses(lambda: git.stale_registrations(at.no_repo))


def check_a_moved_town_makes_nothing_stale(at: GitUnderTest) -> None:
    """A registration whose worktree moved together with the repository is not stale; one whose directory is gone is."""
    git = at.having(GitRecovery)
    if at.move is None:
        raise SkipTest("it cannot be moved")
    at.add("nux")
    gone = at.add("ace")
    top = Path(os.path.commonpath([at.repo.path, at.room]))
    at.move(top, new := top.with_name(f"{top.name}-moved"))
    repo = evolve(at.repo, path=new / at.repo.path.relative_to(top))
    (new / at.room.relative_to(top) / "ace").rename(new / "hidden")
    assert [one.path for one in git.stale_registrations(repo)] == [gone.path]
    (new / "hidden").rename(new / at.room.relative_to(top) / "ace")
    at.move(new, top)
    assert at.git.find_worktree(at.repo, gone.path) == gone


def check_half_made_is_cleared(at: GitUnderTest) -> None:
    """Half a worktree is taken away with its registration; a whole one, or files nobody accounts for, are not."""
    git = at.having(GitRecovery)
    made = at.add("nux")
    refuses(lambda: git.clear_half_made(at.repo, made.path, into=at.room / "gone"))
    (made.path / ".git").unlink()
    refuses(lambda: git.clear_half_made(at.repo, made.path, into=at.room / "gone"))
    assert (made.path / "README.md").is_file()
    made.path.rename(at.room / "hidden")
    made.path.mkdir()
    (made.path / ".git").write_text("")
    git.clear_half_made(at.repo, made.path, into=at.room / "gone")
    assert not made.path.exists()
    assert at.git.delete_branch(at.repo, "polecat/nux", expected=at.start)
    git.clear_half_made(at.repo, made.path, into=at.room / "again")
    assert git.stale_registrations(at.repo) == ()


# -------------------------------------------------------------------------------------------------------- GitBranches


def check_branches(at: GitUnderTest) -> None:
    """Branches are listed by the beginning of their name, each with its commit; no repository is an error."""
    git = at.having(GitBranches)
    at.add("nux")
    tip = at.commit(at.add("ace").path)
    assert git.branches(at.repo, "polecat/") == {"polecat/nux": at.start, "polecat/ace": tip}
    assert git.branches(at.repo, "polecat/nu") == {"polecat/nux": at.start}
    refuses(lambda: git.branches(at.no_repo, ""))


def check_how_a_commit_stands(at: GitUnderTest) -> None:
    """What a commit and a branch of the remote have of each other is counted; no branch is None, a commit nobody knows an error."""
    git, old, main = at.having(GitBranches), at.start, "refs/remotes/origin/main"
    ours = at.commit(at.add("nux").path)
    at.advance_remote()
    at.fetch()
    assert git.standing(at.repo, old, main) == Standing(behind=1, merged="ancestor")
    assert git.standing(at.repo, at.start, main) == Standing(merged="ancestor")
    assert git.standing(at.repo, ours, main) == Standing(ahead=1, behind=1, merged="no")
    assert git.standing(at.repo, old, "refs/remotes/origin/nope") is None
    refuses(lambda: git.standing(at.repo, "1" * 40, main))


def check_a_commit_is_elsewhere_once_it_is_saved(at: GitUnderTest) -> None:
    """A commit is elsewhere if the remote or a rescue has it; one nobody knows is an error."""
    git, rescues = at.having(GitBranches), at.having(GitRescues)
    made = at.add("nux")
    assert git.is_elsewhere(at.repo, at.start)
    tip = at.commit(made.path)
    assert not git.is_elsewhere(at.repo, tip)
    rescues.rescue(at.repo, made, ref_name="nux/1", message="m")
    assert git.is_elsewhere(at.repo, tip)
    refuses(lambda: git.is_elsewhere(at.repo, "1" * 40))


def check_checked_out_branches_are_known(at: GitUnderTest) -> None:
    """A branch is checked out while its worktree is registered."""
    git = at.having(GitBranches)
    made = at.add("nux")
    assert git.is_checked_out(at.repo, "polecat/nux")
    assert not git.is_checked_out(at.repo, "polecat/nu")
    at.git.drop_worktree(at.repo, made, into=at.room / "gone")
    assert not git.is_checked_out(at.repo, "polecat/nux")


# ---------------------------------------------------------------------------------------------------------- GitClones


def check_clone(at: GitUnderTest) -> None:
    """A clone knows the remote's branches and can have worktrees; a place that is taken is refused and not touched."""
    git = at.having(GitClones)
    repo = git.clone_bare(str(at.repo.path), at.room / "clone.git", timeout_s=30)
    start = at.git.resolve(repo, "refs/remotes/origin/main")
    assert start is not None and at.git.remote_branches(repo) == ("main",)
    made = at.git.add_worktree(repo, at.room / "nux", branch="b", start=start, upstream="main")
    assert at.git.find_worktree(repo, made.path) == made
    (at.room / "taken").mkdir()
    refuses(lambda: git.clone_bare(str(at.repo.path), at.room / "taken", timeout_s=30))


def check_remote_default_branch(at: GitUnderTest) -> None:
    """The remote knows which branch is its default; one that cannot be reached is an error."""
    git = at.having(GitClones)
    assert git.remote_default_branch(at.repo, timeout_s=30) == "main"
    at.break_remote()
    refuses(lambda: git.remote_default_branch(at.repo, timeout_s=30))


# -------------------------------------------------------------------------------- GitSubmodules, GitIgnored, GitLists


def check_a_worktree_without_submodules_stays_as_it_is(at: GitUnderTest) -> None:
    """Where there are no submodules nothing is filled and nothing is wrong."""
    git = at.having(GitSubmodules)
    made = at.add()
    before = at.git.facts(at.repo, made)
    assert git.fill_submodules(at.repo, made, references=[at.room], timeout_s=10.0) == ()
    assert at.git.facts(at.repo, made) == before


def check_nothing_is_ignored_unless_the_project_says_so(at: GitUnderTest) -> None:
    """Files are offered for copying only where the worktree ignores them; an absent source has none."""
    git = at.having(GitIgnored)
    made, source = at.add(), at.room / "source"
    source.mkdir()
    (source / ".env").write_text("secret")
    (source / "README.md").write_text("tracked")
    assert git.ignored_files(made, source, ["*"]) == ()
    assert git.ignored_files(made, at.room / "absent", ["*"]) == ()


def check_many_worktrees_are_found_at_once(at: GitUnderTest) -> None:
    """Each directory that is a worktree is found, as it would be alone; what is none is left out and spoils no other."""
    git = at.having(GitLists)
    one, other = at.add("nux"), at.add("ace")
    absent, link = at.room / "absent", at.room / "link"
    link.symlink_to(one.path)
    found = git.find_worktrees(at.repo, [one.path, absent, link, other.path, at.room])
    assert found == {made.path: at.git.find_worktree(at.repo, made.path) for made in (one, other)}


# ------------------------------------------------------------------------------------------------------------- GitCheckouts


def check_a_checkout_remembers_its_rig(at: GitUnderTest) -> None:
    """A checkout is found from below its top, and keeps which rig it was adopted into; elsewhere there is none."""
    git, made = at.having(GitCheckouts), at.add()
    (made.path / "below").mkdir()
    found = git.checkout_at(made.path / "below")
    assert found is not None and (found.path.resolve(), found.town, found.rig) == (made.path.resolve(), None, "")
    git.remember_rig(found.path, town=at.room / "town", rig="gas")
    again = git.checkout_at(made.path)
    assert again is not None and (again.town, again.rig) == (at.room / "town", "gas")
    (at.room / "nowhere").mkdir()
    assert git.checkout_at(at.room / "nowhere") is None
    refuses(lambda: git.remember_rig(at.room / "nowhere", town=at.room, rig="gas"))
