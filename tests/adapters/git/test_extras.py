"""Submodules, git-lfs and ignored files, with the real git."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from polecat.adapters.git.cli import GitCli
from polecat.ports import Worktree
from tests.git_fixtures import GitRig, commit, git, make_git_rig, make_origin, write

pytestmark = pytest.mark.real

ALLOWED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}


def _cli(more: Mapping[str, str] | None = None) -> GitCli:
    return GitCli(environ={**os.environ, **(more or {})})


def _rig(root: Path, *submodules: str) -> GitRig:
    """A rig whose project has submodules ``libs/<name>``, each a repository beside the origin."""
    rig = make_git_rig(root)
    for name in submodules:
        make_origin(root / name, {"code": name})
        git("submodule", "add", "-q", "--name", name, str(root / name), f"libs/{name}", cwd=rig.origin)
    commit(rig.origin, {}, "with submodules")
    rig.fetch()
    return rig


def _fill(rig: GitRig, worktree: Worktree, environ: Mapping[str, str] | None = None, **more: object) -> tuple[str, ...]:
    options: dict[str, object] = {"timeout_s": 60.0, **more}
    return _cli(ALLOWED if environ is None else environ).fill_submodules(rig.repo, worktree, **options)  # type: ignore[arg-type]


def _status(worktree: Worktree) -> str:
    return git("status", "--porcelain", cwd=worktree.path)


# ------------------------------------------------------------------------------------------------------ submodules


def test_submodules_are_filled_and_the_tree_is_clean(tmp_path: Path) -> None:
    """Each submodule holds its files; nothing is dirty, and what has no submodules costs no process."""
    rig = _rig(tmp_path, "a", "b")
    made = rig.add()

    assert _fill(rig, made) == ()

    assert (made.path / "libs/a/code").read_text() == "a"
    assert (made.path / "libs/b/code").read_text() == "b"
    assert _status(made) == ""
    assert git("submodule", "status", cwd=made.path).startswith(" ")


def test_second_worktree_borrows_what_the_first_downloaded(tmp_path: Path) -> None:
    """A copy stays in the rig's repository; the next worktree has its own repository and takes the objects from there."""
    rig = _rig(tmp_path, "a")
    _fill(rig, rig.add("nux"))
    second = rig.add("slit")

    assert _fill(rig, second) == ()

    kept = rig.repo.git_dir / "modules" / "a"
    alternates = (second.admin_dir / "modules/a/objects/info/alternates").read_text()
    assert alternates.strip() == str(kept / "objects")
    assert (second.path / "libs/a/code").read_text() == "a"


def test_first_worktree_may_go(tmp_path: Path) -> None:
    """What the rig keeps does not depend on the worktree it was copied from."""
    rig = _rig(tmp_path, "a")
    first = rig.add("nux")
    _fill(rig, first)
    rig.git.drop_worktree(rig.repo, first, into=tmp_path / "rig" / "trash")
    git("gc", "-q", "--prune=now", cwd=rig.repo.git_dir / "modules" / "a")
    second = rig.add("slit")

    assert _fill(rig, second) == ()
    assert git("fsck", cwd=second.path / "libs/a") == ""


def test_protocols_that_git_refuses_stay_refused(tmp_path: Path) -> None:
    """git allows no submodules from the file system by default; the error says so, and nothing is left of the attempt."""
    rig = _rig(tmp_path, "a")
    made = rig.add()

    [failure] = _fill(rig, made, os.environ)

    assert failure == "submodule libs/a: transport 'file' not allowed" or "not allowed" in failure
    assert os.listdir(made.path / "libs/a") == []
    assert not (made.admin_dir / "modules" / "a").exists()
    assert _status(made) == ""


def test_one_unreachable_submodule_leaves_the_others(tmp_path: Path) -> None:
    """A submodule whose repository is gone stays empty and is named; the other one is filled."""
    rig = _rig(tmp_path, "a", "b")
    (tmp_path / "a").rename(tmp_path / "gone")
    made = rig.add()

    [failure] = _fill(rig, made)

    assert failure.startswith("submodule libs/a: ")
    assert os.listdir(made.path / "libs/a") == []
    assert (made.path / "libs/b/code").read_text() == "b"


def test_no_time_is_an_error_for_each(tmp_path: Path) -> None:
    """When the time is over each submodule that is left is named; none is half there."""
    rig = _rig(tmp_path, "a", "b")
    made = rig.add()

    errors = _fill(rig, made, timeout_s=0.0)

    assert len(errors) == 2
    assert os.listdir(made.path / "libs/a") == []


def test_files_that_gitmodules_merely_names_are_not_touched(tmp_path: Path) -> None:
    """A ``.gitmodules`` that names plain files, places outside or symlinks makes us fill and empty nothing."""
    rig = make_git_rig(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("x")
    lines = "".join(
        f'[submodule "{name}"]\n\tpath = {path}\n\turl = {tmp_path}/nowhere\n'
        for name, path in (("s", "src"), ("o", "../../outside"), ("l", "link/x"), ("../up", "up"))
    )
    write(rig.origin, {".gitmodules": lines})
    (rig.origin / "link").symlink_to(tmp_path / "outside")
    commit(rig.origin, {}, "hostile")
    rig.fetch()
    made = rig.add()

    assert _fill(rig, made) == ()

    assert (made.path / "src/main.py").exists()
    assert (tmp_path / "outside" / "precious").exists()
    assert _status(made) == ""


def test_submodule_in_use_is_left_alone(tmp_path: Path) -> None:
    """Filling again does not touch a submodule that holds somebody's work."""
    rig = _rig(tmp_path, "a")
    made = rig.add()
    _fill(rig, made)
    (made.path / "libs/a/code").write_text("work")
    (tmp_path / "a").rename(tmp_path / "gone")

    assert _fill(rig, made) == ()
    assert (made.path / "libs/a/code").read_text() == "work"


def test_filled_submodules_survive_a_move(tmp_path: Path) -> None:
    """A repair makes the worktree aside and moves it: its submodules work at the new place."""
    rig = _rig(tmp_path, "a")
    made = rig.add()
    _fill(rig, made)
    (tmp_path / "rig/polecats/there").mkdir()

    moved = rig.git.move_worktree(rig.repo, made, tmp_path / "rig/polecats/there/gastown")

    assert _status(moved) == ""
    assert git("rev-parse", "--show-toplevel", cwd=moved.path / "libs/a") == str(moved.path / "libs/a")


# ---------------------------------------------------------------------------------------------------------- git-lfs


def test_lazy_lfs_leaves_pointers(tmp_path: Path) -> None:
    """Lazy: the filter is told to download nothing. Otherwise it downloads."""
    rig = make_git_rig(tmp_path)
    smudge = tmp_path / "smudge"
    smudge.write_text('#!/bin/sh\nif [ "$GIT_LFS_SKIP_SMUDGE" = 1 ]; then cat; else cat >/dev/null; echo downloaded; fi\n')
    smudge.chmod(0o755)
    git("config", "filter.lfs.smudge", str(smudge), cwd=rig.repo.git_dir)
    git("config", "filter.lfs.clean", "echo pointer; cat >/dev/null", cwd=rig.repo.git_dir)
    commit(rig.origin, {".gitattributes": "*.bin filter=lfs\n", "big.bin": "pointer\n"}, "lfs")
    rig.fetch()
    eager, lazy = rig.add("nux", fill=False), rig.add("slit", fill=False)

    _cli().check_out(eager)
    _cli().check_out(lazy, lazy_lfs=True)

    assert (eager.path / "big.bin").read_text() == "downloaded\n"
    assert (lazy.path / "big.bin").read_text() == "pointer\n"


# ---------------------------------------------------------------------------------------------------- ignored files

IGNORE = ".env*\nnode_modules/\nbuild/*\n!build/keep\n/config/local\nsecrets\n"


def _place(tmp_path: Path) -> tuple[GitRig, Worktree, Path]:
    rig = make_git_rig(tmp_path)
    commit(rig.origin, {".gitignore": IGNORE, "build/keep": "1"}, "ignore")
    rig.fetch()
    source = tmp_path / "source"
    files = {
        ".env": "1",
        "deep/er/.env.local": "1",
        "node_modules/m/x": "1",
        "build/out": "1",
        "build/keep": "1",
        "config/local": "1",
        "plain.txt": "1",
        "src/main.py": "1",
        "wéird\nname/.env": "1",
    }
    write(source, files)
    return rig, rig.add(), source


@pytest.mark.parametrize("is_clone", [False, True], ids=["directory", "clone"])
def test_ignored_files_that_match_are_listed(tmp_path: Path, *, is_clone: bool) -> None:
    """What matches and is ignored: never what is tracked, nor what git would show as untracked; git's own pattern language."""
    rig, made, source = _place(tmp_path)
    if is_clone:
        git("clone", "-q", "--no-checkout", str(rig.origin), str(tmp_path / "clone"), cwd=tmp_path)
        (tmp_path / "clone" / ".git").rename(source / ".git")

    every = rig.git.ignored_files(made, source, ["*"])
    some = rig.git.ignored_files(made, source, ["# comment", ".env*", "!.env.local", "/config/", "plain.txt", "build/"])

    assert set(every) == {".env", "deep/er/.env.local", "node_modules/m/x", "build/out", "config/local", "wéird\nname/.env"}
    assert set(some) == {".env", "build/out", "config/local", "wéird\nname/.env"}


def test_nothing_asked_for_is_nothing(tmp_path: Path) -> None:
    """No patterns, no source, no match: no files and no error."""
    rig, made, source = _place(tmp_path)

    assert rig.git.ignored_files(made, source, []) == ()
    assert rig.git.ignored_files(made, tmp_path / "absent", ["*"]) == ()
    assert rig.git.ignored_files(made, source, ["nothing-like-it"]) == ()


def test_repositories_inside_and_places_behind_symlinks_are_left_out(tmp_path: Path) -> None:
    """A repository of its own is no file to copy; what a symlink of the worktree would lead elsewhere is not offered."""
    rig, made, source = _place(tmp_path)
    make_origin(source / "node_modules" / "own")
    (made.path / "deep").symlink_to(tmp_path)

    found = rig.git.ignored_files(made, source, ["*"])

    assert not [name for name in found if "own" in name]
    assert "deep/er/.env.local" not in found
    assert ".env" in found


def test_submodules_can_be_asked_in_the_trash_and_work_again_afterwards(tmp_path: Path) -> None:
    """After a drop the same facts are found, whatever depth the trash is at; after bringing it back everything is as before."""
    rig = _rig(tmp_path, "a")
    made = rig.add()
    _fill(rig, made)
    (made.path / "libs/a/code").write_text("changed")
    git("commit", "-qam", "unpushed", cwd=made.path / "libs/a")
    (made.path / "libs/a/new").write_text("untracked")
    before = rig.git.facts(rig.repo, made)
    into = tmp_path / "rig" / "polecats" / ".trash" / "deeper" / "nux"
    into.parent.mkdir(parents=True)

    rig.git.drop_worktree(rig.repo, made, into=into)
    moved = Worktree(path=into, admin_dir=into.with_name("nux.admin"), branch=made.branch, head=made.head)
    inside = rig.git.facts(rig.repo, moved)
    rig.git.restore_worktree(rig.repo, made, source=into)

    assert before.problems == ()
    assert before.submodules
    assert inside == before
    assert rig.git.facts(rig.repo, made) == before
    assert git("log", "--format=%s", "-1", cwd=made.path / "libs/a") == "unpushed"


def test_a_worktree_for_later_has_an_index_newer_than_its_files(tmp_path: Path) -> None:
    """Git trusts the index about every file, so that the first look at them reads none; the tree is clean."""
    rig = make_git_rig(tmp_path)
    made = rig.git.add_worktree(rig.repo, tmp_path / "later", branch="later", start=rig.start, upstream=None)

    rig.git.check_out(made, for_later=True)

    newest_s = max(int(path.lstat().st_mtime) for path in made.path.iterdir() if path.name != ".git")
    assert int((made.admin_dir / "index").stat().st_mtime) > newest_s
    assert rig.git.is_pristine(made)
