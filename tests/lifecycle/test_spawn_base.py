"""What a polecat starts from, and where: branches, remotes that are gone, places with odd names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from polecat import FetchPolicy, PolecatError, SpawnFailedError, list_polecats, reconcile_pool
from polecat.ports import World
from tests.git_fixtures import commit, git
from tests.spawn_fixtures import (
    RECORD,
    RIG,
    SPARES,
    HandTown,
    agent_env,
    hand_town,
    lay_out_town,
    make_template,
    start_session,
    tree_of,
    write_json,
)
from tests.tmux_fixtures import private_server

pytestmark = pytest.mark.real


def test_a_remote_that_moved_ahead(town: HandTown) -> None:
    """What colleagues pushed since the last fetch is what new work starts from, and the commit is reported (T-20)."""
    old = git("rev-parse", "refs/remotes/origin/main", cwd=town.repo_dir)
    new = commit(town.origin, {"new.txt": "news"}, "moved ahead")
    cat = town.spawn()
    assert cat.base_commit == new != old
    assert (cat.clone_path / "new.txt").read_text() == "news"
    assert cat.base_age_s is not None and cat.base_age_s < 60


def test_a_remote_that_was_rewritten(town: HandTown) -> None:
    """A branch that was force-pushed is followed to where it is now (T-20)."""
    git("checkout", "-q", "--orphan", "fresh", cwd=town.origin)
    new = commit(town.origin, {"other.txt": "all new"}, "rewritten")
    git("branch", "-q", "-f", "main", new, cwd=town.origin)
    assert town.spawn().base_commit == new


def test_another_base_branch(town: HandTown) -> None:
    """The branch that was asked for is the base, and what the worktree tracks."""
    git("checkout", "-q", "-b", "release/2.x", cwd=town.origin)
    tip = commit(town.origin, {"two.txt": "2"}, "release")
    cat = town.spawn(base_branch="release/2.x")
    assert cat.base_commit == tip
    assert git("rev-parse", "--abbrev-ref", "@{upstream}", cwd=cat.clone_path) == "origin/release/2.x"


def test_an_unreachable_remote_is_a_warning_with_an_age(town: HandTown) -> None:
    """If the remote cannot be reached, what was fetched before is used, and the warning says how old it is."""
    town.spawn()
    town.origin.rename(town.origin.with_name("gone"))
    cat = town.spawn()
    [warning] = cat.warnings
    assert "could not be reached" in warning and " old)" in warning
    assert cat.polecat_name == "nux"


@pytest.mark.skipif(SPARES > 0, reason="making the spares was a fetch of ours")
def test_an_unreachable_remote_that_was_never_fetched_from_by_us(town: HandTown) -> None:
    """The warning comes also where nobody knows how old the knowledge is."""
    town.origin.rename(town.origin.with_name("gone"))
    (town.repo_dir / "FETCH_HEAD").unlink(missing_ok=True)
    [warning] = town.spawn().warnings
    assert "could not be reached" in warning and "unknown age" in warning
    assert "does not appear to be a git repository" in warning


def test_an_unreachable_remote_of_which_nothing_is_here(town: HandTown) -> None:
    """If there is nothing to start from, the spawn fails, says why, and leaves nothing."""
    git("update-ref", "-d", "refs/remotes/origin/main", cwd=town.repo_dir)
    town.origin.rename(town.origin.with_name("gone"))
    with pytest.raises(SpawnFailedError, match="cannot be reached"):
        town.spawn()
    town.assert_nothing_left()


def test_a_default_branch_that_does_not_exist(town: HandTown) -> None:
    """A default branch the remote does not have is an error that names those it has, and nothing is left."""
    path = town.rig_dir / "config.json"
    path.write_text(path.read_text().replace('"main"', '"trunk"'))
    with pytest.raises(SpawnFailedError, match=r"trunk.*main") as caught:
        town.spawn()
    assert "default_branch" in caught.value.hint or "--base-branch" in caught.value.hint
    town.assert_nothing_left()


def test_a_base_branch_that_cannot_be(town: HandTown) -> None:
    """A base branch that does not exist, or cannot be the name of one, is a clear error; nothing is left (T-47)."""
    for branch in ("no-such", "../x", "-x", "a b", "a..b", "x" * 300, "a\nb", "@{-1}"):
        with pytest.raises(SpawnFailedError):
            town.spawn(base_branch=branch, fetch=FetchPolicy(when="never"))
    town.assert_nothing_left()


def test_a_repository_without_a_remote(town: HandTown) -> None:
    """A repository that has no remote at all is a clear error with what to do, and nothing is left."""
    git("remote", "remove", "origin", cwd=town.repo_dir)
    with pytest.raises(SpawnFailedError) as caught:
        town.spawn()
    assert "remote" in caught.value.message
    assert "remote" in caught.value.hint
    town.assert_nothing_left()


def test_an_empty_remote(town: HandTown, tmp_path: Path) -> None:
    """A remote without a commit is a clear error, and nothing is left."""
    git("init", "-q", "--bare", str(tmp_path / "empty"), cwd=tmp_path)
    git("remote", "set-url", "origin", str(tmp_path / "empty"), cwd=town.repo_dir)
    git("update-ref", "-d", "refs/remotes/origin/main", cwd=town.repo_dir)
    with pytest.raises(SpawnFailedError, match="no branch 'main'"):
        town.spawn()
    town.assert_nothing_left()


def test_not_fetching(town: HandTown) -> None:
    """With the policy 'never' the remote is not asked."""
    old = git("rev-parse", "refs/remotes/origin/main", cwd=town.repo_dir)
    commit(town.origin, {"new.txt": "news"}, "moved ahead")
    assert town.spawn(fetch=FetchPolicy(when="never")).base_commit == old


def test_a_rig_of_the_old_architecture(tmp_path: Path) -> None:
    """A rig without .repo.git uses its clone mayor/rig."""
    make_template(tmp_path / "made")
    lay_out_town(tmp_path / "town", tmp_path / "made" / "origin")
    git("clone", "-q", tmp_path / "made" / "origin", tmp_path / "town" / RIG / "mayor" / "rig", cwd=tmp_path)
    (tmp_path / "notes").mkdir()
    with private_server() as server:
        old = HandTown(root=tmp_path / "town", origin=tmp_path / "made" / "origin", server=server, notes=tmp_path / "notes")
        old.agent("recorder", RECORD)
        cat = old.spawn()
        assert git("rev-parse", "HEAD", cwd=cat.clone_path) == git("rev-parse", "main", cwd=old.origin)
        assert git("status", "--porcelain", cwd=old.rig_dir / "mayor" / "rig") == ""


# ------------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("name", ["a town", 'it\'s "mine"', "new\nline", "$(id)", "#{pane_id};", "tôwn 🐈", "-dash"])
def test_towns_with_odd_names(tmp_path: Path, template: Path, name: str) -> None:
    """Spaces, quotes, newlines and shell characters in a town's path are just characters; no shell runs them (T-47)."""
    with hand_town(tmp_path, template, name=name) as odd:
        odd.agent("recorder", RECORD)
        cat = odd.spawn(hook_bead="gt-abc12", nudge="hello")
        assert cat.clone_path == tmp_path / name / RIG / "polecats" / "furiosa" / RIG
        assert Path(os.readlink(f"/proc/{cat.pid}/cwd")) == cat.clone_path
        assert agent_env(cat)["GT_ROOT"] == str(tmp_path / name)
        assert git("status", "--porcelain", cwd=cat.clone_path) == ""
        odd.server.run("kill-session", "-t", cat.session_id)


def test_a_town_that_is_a_repository_itself(town: HandTown) -> None:
    """With the town in git and a polecat's .git removed, no git command of ours touches the town's repository (T-18)."""
    git("init", "-q", "-b", "main", cwd=town.root)
    (town.root / ".gitignore").write_text("gastown/\n")
    git("add", "-A", cwd=town.root)
    git("commit", "-q", "-m", "the town", cwd=town.root)
    cat = town.spawn()
    (cat.clone_path / ".git").unlink()
    before = tree_of(town.root / ".git")
    tmux = town.server.cli()
    assert town.spawn().polecat_name == "nux"
    [broken, _] = list_polecats(town.rig, world=World(tmux=tmux))
    assert (broken.name, broken.work, broken.branch) == ("furiosa", None, "")
    reconcile_pool(town.rig, world=World(tmux=tmux))
    assert tree_of(town.root / ".git") == before
    assert git("status", "--porcelain", cwd=town.root) in ("", "?? .events.jsonl", "?? .events.jsonl\n?? .runtime/")


def test_overlay_and_set_up_hooks_run_in_a_spawn(town: HandTown) -> None:
    """The rig's overlay is copied and its set-up hooks run before the agent starts; the tree stays clean."""
    runtime = town.rig_dir / ".runtime"
    (runtime / "overlay").mkdir(parents=True)
    (runtime / "overlay" / ".env").write_text("A=1")
    (runtime / "setup-hooks").mkdir()
    hook = runtime / "setup-hooks" / "01-say"
    hook.write_text(f'#!/bin/sh\necho "$GT_WORKTREE_PATH" >{town.notes}/hooked\n')
    hook.chmod(0o755)
    cat = town.spawn()
    assert (cat.clone_path / ".env").read_text() == "A=1"
    assert (town.notes / "hooked").read_text().strip() == str(cat.clone_path)
    assert git("status", "--porcelain", cwd=cat.clone_path) == ""


def test_sibling_rigs_with_names_that_begin_alike(town: HandTown) -> None:
    """A session that belongs to the rig gastown-nux is never ended by gastown, and its name is not given out there (T-46)."""
    path = town.root / "mayor" / "rigs.json"
    registry = json.loads(path.read_text())
    registry["rigs"]["gastown-nux"] = registry["rigs"]["gastown"]
    write_json(path, registry)
    start_session(town.server, "gt-gastown-nux-furiosa")
    with pytest.raises(PolecatError, match="nux-furiosa"):
        town.spawn(name="nux-furiosa")
    town.settings(namepool={"names": ["nux-furiosa", "toast"]})
    assert town.spawn().polecat_name == "toast"
    assert sorted(town.sessions()) == ["gt-gastown-nux-furiosa", "gt-gastown-toast"]
