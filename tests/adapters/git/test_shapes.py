"""git's other shapes: configurations, versions and formats in which the same question has another answer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from polecat.adapters.git.cli import GitCli
from tests.git_fixtures import GitRig, commit, git, has_reftable, make_git_rig, shape_environ, write
from tests.spawn_fixtures import shim_directory, with_path

pytestmark = pytest.mark.real

BASE = "refs/remotes/origin/main"
REFSPECS = {
    "none": [],
    "mirror": ["+refs/*:refs/*"],
    "heads to heads": ["+refs/heads/*:refs/heads/*"],
    "one branch": ["+refs/heads/other:refs/remotes/origin/other"],
    "elsewhere": ["+refs/heads/*:refs/remotes/theirs/*"],
}


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


@pytest.mark.parametrize("refspec", REFSPECS)
def test_a_fetch_brings_the_base_and_prunes_nothing(rig: GitRig, refspec: str) -> None:
    """Whatever refspec is configured, and with pruning on: the remote's tip is known afterwards, and polecats' branches are as they were."""
    made, spare = rig.add("nux"), rig.add("ace")
    tip = commit(made.path, {"work": "1"})
    rig.git.drop_worktree(rig.repo, spare, into=rig.trash())  # a branch that no worktree protects
    git("config", "--unset-all", "remote.origin.fetch", cwd=rig.repo.path)
    for one in REFSPECS[refspec]:
        git("config", "--add", "remote.origin.fetch", one, cwd=rig.repo.path)
    git("config", "fetch.prune", "true", cwd=rig.repo.path)
    new = commit(rig.origin, {"news": "1"})

    rig.fetch()

    assert rig.start == new
    assert rig.git.branches(rig.repo, "polecat/") == {"polecat/nux": tip, "polecat/ace": made.head}


def test_a_merge_driver_makes_no_work_look_merged(rig: GitRig) -> None:
    """A driver that keeps what is there merges everything without a change; work that is nowhere else is still unpushed."""
    commit(rig.origin, {".gitattributes": "* merge=ours\n"})
    rig.fetch()
    git("config", "merge.ours.driver", "true", cwd=rig.repo.path)
    made = rig.add("nux")
    commit(rig.origin, {"README.md": "theirs\n"})
    rig.fetch()
    commit(made.path, {"README.md": "ours\n"})

    facts = rig.git.facts(rig.repo, made, base=BASE)

    assert (facts.unpushed, facts.merged in ("no", "unknown")) == (1, True)


def test_a_squash_merge_is_still_seen(rig: GitRig) -> None:
    """Work whose changes the base has, as one commit, is merged."""
    made = rig.add("nux")
    commit(made.path, {"a": "1"})
    commit(made.path, {"b": "2"})
    commit(rig.origin, {"a": "1", "b": "2"})
    rig.fetch()

    assert rig.git.facts(rig.repo, made, base=BASE).merged == "same changes"


def test_without_the_merge_that_writes_a_tree_nothing_is_known(rig: GitRig, tmp_path: Path) -> None:
    """Before git 2.38 whether a branch was squash-merged cannot be told, and unknown is not merged."""
    made = rig.add("nux")
    commit(made.path, {"a": "1"})
    old = 'case "$*" in *merge-tree*) echo "usage: git merge-tree" >&2; exit 129 ;; esac; exec "$REAL" "$@"'
    shims = shim_directory(tmp_path / "bin", git=f"REAL={shutil.which('git')}\n{old}")

    assert GitCli(environ=with_path(shims)).facts(rig.repo, made, base=BASE).merged == "unknown"


@pytest.mark.parametrize("form", ["WIP on {}: abc1234 work", "On {}: mine"])
@pytest.mark.parametrize("name", ["polecat/nux", "nux"])
def test_stashes_are_known_by_either_name(rig: GitRig, form: str, name: str) -> None:
    """Before 2.36 git wrote only the last part of a branch's name into a stash; it is this polecat's all the same."""
    made, other = rig.add("nux"), rig.add("ace")
    write(made.path, {"README.md": "stashed"})
    as_now = git("stash", "create", cwd=made.path)
    parents = ("-p", f"{as_now}^1", "-p", f"{as_now}^2")
    oid = git("commit-tree", "-m", form.format(name), *parents, f"{as_now}^{{tree}}", cwd=made.path)
    git("stash", "store", "-m", "x", oid, cwd=made.path)

    assert rig.git.facts(rig.repo, made).stashes == (oid,)
    assert rig.git.facts(rig.repo, other).stashes == ()


def test_what_a_configuration_overlooks_is_seen(rig: GitRig) -> None:
    """An executable bit, a name in other letters, and an edit that leaves size and time as they were are work."""
    for key, value in {"fileMode": "false", "ignoreCase": "true", "trustctime": "false", "checkStat": "minimal"}.items():
        git("config", "--replace-all", f"core.{key}", value, cwd=rig.repo.path)
    made = rig.add("nux")
    readme, draft = made.path / "README.md", made.path / "draft"
    os.utime(readme, (1e9, 1e9))
    git("status", "--porcelain", cwd=made.path)
    draft.write_bytes(readme.read_bytes().swapcase())
    os.utime(draft, (1e9, 1e9))
    draft.replace(readme)
    assert git("status", "--porcelain", cwd=made.path) == ""
    (made.path / "src" / "main.py").chmod(0o755)
    write(made.path, {"claude.md": "another one"})

    facts = rig.git.facts(rig.repo, made)
    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1", message="m")

    assert facts.modified == ("README.md", "src/main.py")
    assert facts.untracked == ("claude.md",)
    assert not rig.git.is_pristine(made)
    assert saved is not None and set(rig.git.rescued_files(rig.repo, saved.ref)) == {"README.md", "src/main.py", "claude.md"}


def test_a_cherry_pick_and_a_sequence_are_seen(rig: GitRig) -> None:
    """A pick that stopped is in progress, in whichever format its head is kept, and what it picks is part of the work."""
    made = rig.add("nux")
    picked = commit(rig.origin, {"README.md": "theirs\n"})
    rig.fetch()
    commit(made.path, {"README.md": "ours\n"})
    git("cherry-pick", picked, cwd=made.path, code=1)

    facts = rig.git.facts(rig.repo, made)

    assert facts.in_progress == ("cherry-pick",)
    assert facts.conflicted == ("README.md",)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRig:
    """A rig whose repository keeps refs in tables."""
    if not has_reftable():
        pytest.skip("refs in tables need git 2.45; nox -s releases runs this with a newer one")
    for key, value in shape_environ("reftable", tmp_path / "surroundings").items():
        monkeypatch.setenv(key, value)
    return make_git_rig(tmp_path)


def test_living_branches_are_known_where_refs_are_in_tables(tables: GitRig) -> None:
    """The HEAD file of a registration is a stub there; its branch is checked out all the same, and is not deleted."""
    made = tables.add("nux")

    assert (made.admin_dir / "HEAD").read_text() == "ref: refs/heads/.invalid\n"
    assert tables.git.is_checked_out(tables.repo, "polecat/nux")
    with pytest.raises(Exception, match="checked out"):
        tables.git.delete_branch(tables.repo, "polecat/nux", expected=tables.start)


def test_a_clone_may_have_its_refs_in_tables(tables: GitRig, tmp_path: Path) -> None:
    """Where new repositories are of that format, a rig's is too, and it works."""
    repo = tables.git.clone_bare(str(tables.origin), tmp_path / "r.git", timeout_s=30)

    assert (repo.path / "reftable").is_dir()
    assert tables.git.resolve(repo, BASE) == tables.start
