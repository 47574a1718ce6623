"""What only a registration, or a repository deep inside, holds: it is saved before it goes, and saved means reachable."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from polecat.adapters.git.cli import GitCli
from polecat.errors import RescueFailedError
from polecat.ports import Rescue, Worktree
from tests.git_fixtures import GitRig, commit, git, make_git_rig, make_origin, write
from tests.spawn_fixtures import shim_directory, with_path

pytestmark = pytest.mark.real

BASE = "refs/remotes/origin/main"


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def _lose(rig: GitRig, made: Worktree) -> list[Rescue]:
    """Delete a worktree's directory as a person would, let its registration go, and collect; return what was saved."""
    shutil.rmtree(made.path)
    [stale] = rig.git.stale_registrations(rig.repo)
    assert rig.git.drop_stale(rig.repo, stale, into=rig.trash("stale.admin"))
    shutil.rmtree(rig.trash("stale.admin"))
    git("reflog", "expire", "--expire=now", "--all", cwd=rig.repo.path)
    git("gc", "-q", "--prune=now", cwd=rig.repo.path)
    return list(rig.git.rescues(rig.repo))


def _has(rig: GitRig, oid: str) -> bool:
    return git("cat-file", "-t", oid, cwd=rig.repo.path, code=None) != ""


def test_a_registration_without_anything_of_its_own_needs_no_rescue(rig: GitRig) -> None:
    """A worktree whose commits are all on its branch leaves nothing to save."""
    made = rig.add()
    tip = commit(made.path, {"a": "1"})

    assert _lose(rig, made) == []
    assert rig.git.resolve(rig.repo, "refs/heads/polecat/nux") == tip


def test_what_was_staged_is_saved(rig: GitRig) -> None:
    """Files that were added to the index and never committed are in the rescue of a lost registration; of a conflict, both sides are."""
    made = rig.add()
    write(made.path, {"staged.txt": "only in the index"})
    git("add", "staged.txt", cwd=made.path)
    commit_id = git("rev-parse", "HEAD", cwd=made.path)

    [saved] = _lose(rig, made)

    staged = git("show", "-s", "--format=%P", saved.ref, cwd=rig.repo.path).split()[-1]
    assert git("show", f"{staged}:staged.txt", cwd=rig.repo.path) == "only in the index"
    assert git("merge-base", commit_id, saved.ref, cwd=rig.repo.path) == commit_id


def test_unfinished_work_is_saved(rig: GitRig) -> None:
    """A stopped rebase's autostash and its commits, refs of the worktree's own and detached commits outlive a lost registration."""
    made = rig.add()
    first = commit(made.path, {"README.md": "ours\n"})
    second = commit(made.path, {"more": "1"})
    commit(rig.origin, {"README.md": "theirs\n"})
    rig.fetch()
    write(made.path, {"src/main.py": "stashed away\n"})
    git("rebase", "--autostash", BASE, cwd=made.path, code=1)
    stash = (made.admin_dir / "rebase-merge" / "autostash").read_text().strip()
    git("update-ref", "refs/worktree/mine", git("commit-tree", "-m", "x", f"{first}^{{tree}}", cwd=made.path), cwd=made.path)
    mine = git("rev-parse", "refs/worktree/mine", cwd=made.path)
    git("update-ref", "-d", "refs/heads/polecat/nux", cwd=rig.repo.path)

    _lose(rig, made)

    assert [oid for oid in (first, second, stash, mine) if not _has(rig, oid)] == []


def test_commits_in_submodules_are_saved(rig: GitRig, tmp_path: Path) -> None:
    """The repository of a submodule lies in the registration; its unpushed commits are in the rescue before it goes."""
    made = rig.add_with_submodule(tmp_path / "library")
    git("checkout", "-q", "-b", "wip", cwd=made.path / "lib")
    only = commit(made.path / "lib", {"lib.c": "only here"})

    [saved] = _lose(rig, made)

    assert _has(rig, only)
    assert any(ref.startswith(f"{saved.ref}.sub/0-lib/heads/") for ref in saved.refs)


def test_a_registration_that_cannot_be_saved_stays(rig: GitRig, tmp_path: Path) -> None:
    """Where the commit that only it names cannot be given a ref, the registration is not dropped."""
    made = rig.add()
    git("checkout", "-q", "--detach", cwd=made.path)
    commit(made.path, {"only": "here"})
    shutil.rmtree(made.path)
    script = f'case "$*" in *update-ref*) exit 1 ;; esac; exec {shutil.which("git")} "$@"'
    broken = GitCli(environ=with_path(shim_directory(tmp_path / "bin", git=script)))
    [stale] = broken.stale_registrations(rig.repo)

    with pytest.raises(RescueFailedError):
        broken.drop_stale(rig.repo, stale, into=rig.trash())

    assert made.admin_dir.is_dir()


@pytest.mark.parametrize(
    ("place", "kind"),
    [(place, kind) for place in ("node_modules/deep/er", "node_modules", "plain") for kind in ("clone", "bare")][:-1],
)
def test_repositories_at_any_depth_are_saved(rig: GitRig, place: str, kind: str) -> None:
    """A repository below an ignored directory, with files or without, is named by the facts, and its commits are in the rescue."""
    commit(rig.origin, {".gitignore": "node_modules/\n"})
    rig.fetch()
    made = rig.add()
    write(made.path, {"node_modules/x": "", f"{place}/y": ""})
    inner = made.path / place / "own"
    make_origin(inner)
    only = commit(inner, {"only": "here"})
    if kind == "bare":
        git("clone", "-q", "--bare", str(inner), f"{inner}.git", cwd=made.path)
        shutil.rmtree(inner)

    facts = rig.git.facts(rig.repo, made, base=BASE)
    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m", base=BASE)

    name = "own.git" if kind == "bare" else "own"
    assert facts.nested == (f"{place}/{name}/",)
    assert saved is not None
    shutil.rmtree(made.path)
    assert _has(rig, only)
    assert all(_has(rig, ref) for ref in saved.refs)


@pytest.mark.parametrize("whose", ["the same repository", "another one"])
def test_a_linked_worktree_inside_is_saved_and_its_refs_are_there(rig: GitRig, tmp_path: Path, whose: str) -> None:
    """What lies in a worktree that somebody made inside the place is in refs that exist, whichever repository it is of."""
    made = rig.add()
    other = rig.repo.path if whose == "the same repository" else make_origin(tmp_path / "other")
    git("worktree", "add", "-q", "--detach", made.path / "inside", "HEAD" if whose == "another one" else rig.start, cwd=other)
    only = commit(made.path / "inside", {"detached": "here"})
    write(made.path / "inside", {"dirty": "only here"})

    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m", base=BASE)

    assert saved is not None
    assert [ref for ref in saved.refs if rig.git.resolve(rig.repo, ref) is None] == []
    [work] = [ref for ref in saved.refs if ref.endswith("/work")]
    assert git("show", f"{work}:dirty", cwd=rig.repo.path) == "only here"
    assert git("merge-base", only, work, cwd=rig.repo.path) == only


def test_what_only_the_reflog_names_is_saved_with_the_rest(rig: GitRig) -> None:
    """Where a worktree is rescued, every object that only it named is reachable afterwards: amended commits, a stopped merge's tree."""
    made = rig.add()
    amended = commit(made.path, {"README.md": "one\n"})
    git("commit", "-q", "--amend", "-m", "again", "--allow-empty", cwd=made.path)
    write(made.path, {"new": "work"})

    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m", base=BASE)

    assert saved is not None and saved.refs == (saved.ref, f"{saved.ref}.sub/named")
    assert git("merge-base", amended, saved.refs[1], cwd=rig.repo.path) == amended
    assert rig.git.rescues(rig.repo) == (saved,)


def test_rescue_of_a_stopped_rebase_holds_the_autostash(rig: GitRig) -> None:
    """What ``rebase --autostash`` put away is reachable from the rescue."""
    made = rig.add()
    commit(made.path, {"README.md": "ours\n"})
    commit(rig.origin, {"README.md": "theirs\n"})
    rig.fetch()
    write(made.path, {"src/main.py": "put away\n"})
    git("rebase", "--autostash", BASE, cwd=made.path, code=1)
    stash = (made.admin_dir / "rebase-merge" / "autostash").read_text().strip()

    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m", base=BASE)

    assert saved is not None
    assert git("merge-base", stash, saved.ref, cwd=rig.repo.path) == stash
    assert git("show", f"{stash}:src/main.py", cwd=rig.repo.path) == "put away"
    assert saved.holds == "files" and rig.git.rescues(rig.repo) == (saved,)


def test_a_rescue_with_only_an_autostash_is_no_bare_tip(rig: GitRig) -> None:
    """Where all commits are pushed and no file differs, what ``rebase --autostash`` put away is still work of the rescue's own."""
    made = rig.add()
    git("push", "-q", "origin", "HEAD:refs/heads/review", cwd=made.path)
    write(made.path, {"src/main.py": "put away\n"})
    stash = git("stash", "create", cwd=made.path)
    git("checkout", "-q", "src/main.py", cwd=made.path)
    write(made.admin_dir, {"rebase-merge/autostash": f"{stash}\n", "rebase-merge/head-name": "refs/heads/polecat/nux\n"})

    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m", base=BASE)

    assert saved is not None and saved.holds == "commits"
    assert rig.git.rescues(rig.repo) == (saved,)


def test_what_is_saved_or_fetched_is_never_a_single_object(rig: GitRig, tmp_path: Path) -> None:
    """New objects are in packs, which are kept until a ref reaches them: somebody's ``gc --prune=now`` cannot take them in between."""
    made = rig.add()
    write(made.path, {"new": "work"})
    inner = make_origin(made.path / "inner")
    commit(inner, {"only": "here"})
    commit(rig.origin, {"news": "1"})
    before = git("count-objects", cwd=rig.repo.path)

    rig.fetch()
    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m")

    assert saved is not None and len(saved.refs) > 1
    assert git("count-objects", cwd=rig.repo.path) == before


def test_a_moved_town_loses_no_registration(rig: GitRig) -> None:
    """A worktree that stands where the moved repository has its like is not stale, and ``git worktree repair`` finds it."""
    made = rig.add()
    write(made.path, {"staged": "1"})
    git("add", "staged", cwd=made.path)
    moved = rig.root.with_name("moved")
    rig.root.rename(moved)
    repo = type(rig.repo)(path=moved / ".repo.git")

    assert rig.git.stale_registrations(repo) == ()
    git("worktree", "repair", moved / "polecats" / "nux", cwd=repo.path)
    found = rig.git.find_worktree(repo, moved / "polecats" / "nux")
    assert found is not None and rig.git.facts(repo, found).staged == ("staged",)
    assert os.path.realpath(found.admin_dir).startswith(os.path.realpath(moved))
