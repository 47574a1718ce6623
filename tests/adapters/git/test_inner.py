"""A repository inside a worktree is judged and saved by the worktree's own rule: whatever only it has is seen, and saved means it is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from polecat.errors import RescueFailedError
from polecat.ports import Rescue, Worktree
from tests.git_fixtures import GitRig, commit, git, make_git_rig, make_origin, write

pytestmark = pytest.mark.real

BASE = "refs/remotes/origin/main"


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def _left_by_update(made: Worktree) -> str:
    """A commit on the submodule's detached HEAD, which ``submodule update`` puts back."""
    only = commit(made.path / "lib", {"lib.c": "only here"})
    git("submodule", "--quiet", "update", cwd=made.path)
    return only


def _put_away_by_rebase(made: Worktree) -> str:
    """What ``rebase --autostash`` put away, in a rebase that stopped."""
    write(made.path / "lib", {"lib.c": "only here"})
    stash = git("stash", "create", cwd=made.path / "lib")
    git("checkout", "-q", "lib.c", cwd=made.path / "lib")
    write(made.admin_dir / "modules/lib", {"rebase-merge/autostash": f"{stash}\n"})
    return stash


def _held_by_tag(made: Worktree) -> str:
    """A commit of a clone that a tag holds, and no branch."""
    only = commit(_clone(made), {"lib.c": "only here"})
    git("tag", "-a", "-m", "keep", "keep", cwd=made.path / "clone")
    git("reset", "-q", "--hard", "origin/main", cwd=made.path / "clone")
    git("reflog", "expire", "--expire=now", "--all", cwd=made.path / "clone")
    return only


def _left_in_a_clone(made: Worktree) -> str:
    """A commit of a clone that was made with a detached HEAD and left."""
    git("checkout", "-q", "--detach", cwd=_clone(made))
    only = commit(made.path / "clone", {"lib.c": "only here"})
    git("checkout", "-q", "main", cwd=made.path / "clone")
    return only


def _below_another_stash(made: Worktree) -> str:
    """The older of two stashes, which only the reflog of the stash names."""
    for text in ("only here", "newer"):
        write(_clone(made), {"lib.c": text})
        git("stash", "-q", cwd=made.path / "clone")
    return git("rev-parse", "stash@{1}", cwd=made.path / "clone")


def _clone(made: Worktree) -> Path:
    place = made.path / "clone"
    if not place.exists():
        git("clone", "-q", git("config", "submodule.lib.url", cwd=made.path), place, cwd=made.path)
    return place


@pytest.mark.parametrize("how", [_left_by_update, _put_away_by_rebase, _held_by_tag, _left_in_a_clone, _below_another_stash])
def test_what_only_a_repository_inside_has_is_seen_and_saved(rig: GitRig, tmp_path: Path, how: object) -> None:
    """Commits that no branch of the inner repository holds are work, and are reachable after the worktree is gone."""
    made = rig.add_with_submodule(tmp_path / "library")
    only = how(made)  # type: ignore[operator]

    facts = rig.git.facts(rig.repo, made, base=BASE)
    saved = _saved(rig, made)

    assert facts.submodules or facts.nested == ("clone/",)
    shutil.rmtree(made.path)
    shutil.rmtree(made.admin_dir)
    assert git("show", f"{only}:lib.c", cwd=rig.repo.path) == "only here"
    assert git("for-each-ref", "--contains", only, "--format=%(refname)", cwd=rig.repo.path).split("\n")[0].startswith(saved.ref)


def test_a_lost_registration_keeps_what_its_submodule_left(rig: GitRig, tmp_path: Path) -> None:
    """Where the directory is gone, a commit that only the submodule's reflog names is saved before the registration goes."""
    made = rig.add_with_submodule(tmp_path / "library")
    only = _left_by_update(made)
    shutil.rmtree(made.path)

    [stale] = rig.git.stale_registrations(rig.repo)
    rig.git.drop_stale(rig.repo, stale, into=rig.trash("stale.admin"))

    shutil.rmtree(rig.trash("stale.admin"))
    [saved] = rig.git.rescues(rig.repo)
    assert saved.holds == "files"
    assert git("for-each-ref", "--contains", only, cwd=rig.repo.path) != ""


def test_what_a_submodule_was_told_to_overlook_is_seen(rig: GitRig, tmp_path: Path) -> None:
    """An edit that git was told not to look at counts in a submodule as it does outside."""
    made = rig.add_with_submodule(tmp_path / "library")
    git("update-index", "--skip-worktree", "lib.c", cwd=made.path / "lib")
    assert rig.git.facts(rig.repo, made).is_clean
    write(made.path / "lib", {"lib.c": "edited"})

    assert rig.git.facts(rig.repo, made).submodules == ("lib: lib.c changed, which git was told not to look at",)
    assert git("show", f"{_saved(rig, made).refs[-1]}:lib.c", cwd=rig.repo.path) == "edited"


@pytest.mark.parametrize("base", [None, BASE], ids=["a look", "a removal"])
def test_a_repository_in_a_tracked_directory_is_seen(rig: GitRig, base: str | None) -> None:
    """``git init`` in a directory whose files are tracked changes nothing that ``git status`` shows; its commits are work."""
    made = rig.add()
    git("init", "-q", cwd=made.path / "src")
    only = commit(made.path / "src", {"main.py": (made.path / "src/main.py").read_text()})

    assert rig.git.facts(rig.repo, made, base=base).nested == ("src/",)
    _saved(rig, made)
    shutil.rmtree(made.path)
    assert git("for-each-ref", "--contains", only, cwd=rig.repo.path) != ""


def test_a_link_in_the_place_of_a_tracked_directory_leads_nowhere(rig: GitRig, tmp_path: Path) -> None:
    """What a link leads to is not inside the worktree."""
    made = rig.add()
    shutil.rmtree(made.path / "src")
    (made.path / "src").symlink_to(make_origin(tmp_path / "elsewhere"), target_is_directory=True)

    assert rig.git.facts(rig.repo, made).nested == ()


def test_submodules_that_cannot_be_listed_are_unknown(rig: GitRig, tmp_path: Path) -> None:
    """Where submodules' repositories cannot be looked for, nobody says that there is no work in them."""
    made = rig.add_with_submodule(tmp_path / "library")
    shutil.rmtree(made.path / "lib")  # as a person empties it: git says nothing about that
    (made.path / "lib").mkdir()
    shutil.rmtree(made.admin_dir / "modules")
    assert rig.git.facts(rig.repo, made).is_clean
    (made.admin_dir / "modules").write_text("no directory")

    facts = rig.git.facts(rig.repo, made)

    assert not facts.is_clean
    assert "modules" in " ".join(facts.problems)


def test_a_shallow_repository_inside_is_not_called_saved(rig: GitRig, tmp_path: Path) -> None:
    """git copies no ref out of a shallow repository and ends with 0; that is no rescue, and nothing is left behind."""
    other = make_origin(tmp_path / "other")
    commit(other, {"second": "2"})
    made = rig.add()
    git("clone", "-q", "--depth=1", f"file://{other}", made.path / "inner", cwd=made.path)
    commit(made.path / "inner", {"only": "here"})
    before = git("for-each-ref", cwd=made.path / "inner")

    with pytest.raises(RescueFailedError, match="shallow") as caught:
        _saved(rig, made)

    assert "push" in caught.value.hint
    assert rig.git.rescues(rig.repo) == () and git("for-each-ref", cwd=made.path / "inner") == before


def _saved(rig: GitRig, made: Worktree) -> Rescue:
    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m", base=BASE)
    assert saved is not None and rig.git.rescues(rig.repo) == (saved,)
    return saved
