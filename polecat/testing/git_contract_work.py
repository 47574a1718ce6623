"""The git contract: what work is there, saving it, moving it."""

from __future__ import annotations

from polecat.ports import Worktree
from polecat.testing.git_under_test import GitUnderTest, refuses


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
    assert at.git.facts(at.repo, made, ignore=["README.md", "new.txt"]).is_clean
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


def check_rescue_saves_what_is_nowhere_else(at: GitUnderTest) -> None:
    """A rescue holds changed, new and deleted files and the commit below; the worktree is not changed by it."""
    made = at.add("nux")
    tip = at.commit(made.path)
    (made.path / "new.txt").write_text("new")
    (made.path / "README.md").unlink()
    (made.path / "provisioned").write_text("ours")
    before = at.git.facts(at.repo, made)
    saved = at.git.rescue(at.repo, made, ref_name="nux/1-a", message="removal of nux", ignore=["provisioned"])
    assert saved is not None and saved.ref == "refs/polecat/rescue/nux/1-a" and saved.message == "removal of nux"
    files = dict(at.git.rescued_files(at.repo, saved.ref))
    assert (files, saved.refs) == ({"new.txt": "added", "README.md": "deleted"}, (saved.ref,))
    assert [one.ref for one in at.git.rescues(at.repo)] == [saved.ref]
    assert (at.git.facts(at.repo, made), at.git.resolve(at.repo, "refs/heads/polecat/nux")) == (before, tip)


def check_rescue_needs_no_name_twice(at: GitUnderTest) -> None:
    """A rescue never overwrites another."""
    made = at.add("nux")
    (made.path / "new.txt").write_text("new")
    first = at.git.rescue(at.repo, made, ref_name="nux/1", message="m")
    refuses(lambda: at.git.rescue(at.repo, made, ref_name="nux/1", message="m"))
    assert at.git.rescues(at.repo) == (first,)


def check_nothing_to_rescue_is_none(at: GitUnderTest) -> None:
    """A clean worktree whose commit is part of the base needs no rescue; without a base its commit is kept."""
    made = at.add("nux")
    assert at.git.rescue(at.repo, made, ref_name="nux/1", message="m", base="refs/remotes/origin/main") is None
    assert at.git.rescues(at.repo) == ()
    assert at.git.rescue(at.repo, made, ref_name="nux/1", message="m") is not None


def check_too_much_is_not_rescued(at: GitUnderTest) -> None:
    """A rescue over the limit is refused and leaves no ref."""
    made = at.add("nux")
    (made.path / "big").write_bytes(b"x" * 1000)
    refuses(lambda: at.git.rescue(at.repo, made, ref_name="nux/1", message="m", size_limit_bytes=999))
    assert at.git.rescues(at.repo) == ()


def check_how_far_behind(at: GitUnderTest) -> None:
    """How many commits of the remote a commit lacks is counted; what does not exist is None, a commit nobody knows an error."""
    old = at.start
    at.advance_remote()
    at.git.fetch(at.repo, timeout_s=30)
    assert at.git.commits_behind(at.repo, old, "refs/remotes/origin/main") == 1
    assert at.git.commits_behind(at.repo, at.start, "refs/remotes/origin/main") == 0
    assert at.git.commits_behind(at.repo, old, "refs/remotes/origin/nope") is None
    refuses(lambda: at.git.commits_behind(at.repo, "1" * 40, "refs/remotes/origin/main"))


def check_a_commit_is_elsewhere_once_it_is_saved(at: GitUnderTest) -> None:
    """A commit is elsewhere if the remote or a rescue has it; one nobody knows is an error."""
    made = at.add("nux")
    assert at.git.is_elsewhere(at.repo, at.start)
    tip = at.commit(made.path)
    assert not at.git.is_elsewhere(at.repo, tip)
    at.git.rescue(at.repo, made, ref_name="nux/1", message="m")
    assert at.git.is_elsewhere(at.repo, tip)
    refuses(lambda: at.git.is_elsewhere(at.repo, "1" * 40))


def check_checked_out_branches_are_known(at: GitUnderTest) -> None:
    """A branch is checked out while its worktree is registered."""
    made = at.add("nux")
    assert at.git.is_checked_out(at.repo, "polecat/nux")
    assert not at.git.is_checked_out(at.repo, "polecat/nu")
    at.git.drop_worktree(at.repo, made, into=at.room / "gone")
    assert not at.git.is_checked_out(at.repo, "polecat/nux")


def check_worktree_moves(at: GitUnderTest) -> None:
    """A moved worktree is the same one elsewhere; a target in the way is not touched."""
    made = at.add("nux")
    (made.path / "new.txt").write_text("work")
    (at.room / "taken").mkdir()
    refuses(lambda: at.git.move_worktree(at.repo, made, at.room / "taken"))
    refuses(lambda: at.git.move_worktree(at.repo, made, at.room / "missing" / "x"))
    assert at.git.find_worktree(at.repo, made.path) == made
    moved = at.git.move_worktree(at.repo, made, at.room / "else where")
    assert (moved.path, moved.branch, moved.head) == (at.room / "else where", made.branch, made.head)
    assert at.git.find_worktree(at.repo, moved.path) == moved == at.git.mend_worktree(at.repo, moved.path)
    assert at.git.find_worktree(at.repo, made.path) is None
    assert at.git.facts(at.repo, moved).untracked == ("new.txt",)
    assert at.git.stale_registrations(at.repo) == ()
    assert at.git.mend_worktree(at.repo, at.room / "taken") is None


def check_nothing_is_ignored_unless_the_project_says_so(at: GitUnderTest) -> None:
    """Files are offered for copying only where the worktree ignores them; an absent source has none."""
    made = at.add()
    source = at.room / "source"
    source.mkdir()
    (source / ".env").write_text("secret")
    (source / "README.md").write_text("tracked")

    assert at.git.ignored_files(made, source, ["*"]) == ()
    assert at.git.ignored_files(made, at.room / "absent", ["*"]) == ()


def check_no_submodules_are_no_trouble(at: GitUnderTest) -> None:
    """A worktree without submodules stays as it is."""
    made = at.add()
    before = at.git.facts(at.repo, made)

    assert at.git.fill_submodules(at.repo, made, references=[at.room], timeout_s=10.0) == ()
    assert at.git.facts(at.repo, made) == before
