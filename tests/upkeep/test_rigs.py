"""Adding rigs with real git: Gas Town's layout, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from attrs import asdict

from polecat.adapters.git.cli import GitCli
from polecat.documents import RigEntry, Route
from polecat.errors import (
    ConfigError,
    GitError,
    InvalidNameError,
    LockTimeoutError,
    NotFoundError,
    PolecatError,
    RigExistsError,
    UnsupportedError,
    WorkAtRiskError,
)
from polecat.model import Rig
from polecat.ports import Git, Repo, World
from polecat.testing import FakeGit, fake_world
from polecat.town.config import load_rig_config, load_rigs
from polecat.town.find import Town, find_repo
from polecat.town.locks import holding
from polecat.town.registry import register_rig
from polecat.town.routes import load_routes
from polecat.town.settings import load_rig_settings
from polecat.upkeep.rigs import add_rig, remove_rig
from polecat.upkeep.towns import init_town
from tests.git_fixtures import commit, git, make_origin
from tests.strangers.plain_git import PlainGit

pytestmark = pytest.mark.real


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """An empty town with beads of its own, whatever keeps them."""
    (tmp_path / "gt" / ".beads").mkdir(parents=True)
    return init_town(tmp_path / "gt")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit on ``main`` and a second branch."""
    path = make_origin(tmp_path / "origin")
    git("branch", "release/1.x", cwd=path)
    return path


def _state(town: Town) -> tuple[list[str], str, str]:
    """Everything in the town but lock files."""
    entries = sorted(str(p.relative_to(town.root)) for p in town.root.rglob("*") if not p.name.endswith(".lock"))
    registry = (town.root / "mayor" / "rigs.json").read_text()
    return entries, registry, (town.root / ".beads" / "routes.jsonl").read_text()


def test_a_rig_as_gas_town_loads_it(town: Town, origin: Path) -> None:
    """Bare repository with remote-tracking branches, identity, settings, registry entry and route."""
    rig = add_rig(town, "gastown", str(origin))

    assert rig == town.rig("gastown")
    assert (rig.git_url, rig.default_branch, rig.prefix) == (str(origin), "main", "gt")
    assert load_rigs(town.root)["gastown"].beads_prefix == "gt"
    assert load_routes(town.root)[-1] == Route(prefix="gt-", path="gastown")
    identity = load_rig_config(rig.path)
    assert (identity.name, identity.beads_prefix, identity.created_at is not None) == ("gastown", "gt", True)
    pool = load_rig_settings(rig.path).namepool
    assert pool is not None
    assert (pool.style, pool.max_before_numbering) == ("mad-max", 50)
    assert {p.name for p in rig.path.iterdir()} == {
        ".gitignore",
        ".repo.git",
        ".runtime",
        "config.json",
        "crew",
        "polecats",
        "settings",
        "witness",
    }


def test_its_repository_is_ready_for_worktrees(town: Town, origin: Path) -> None:
    """All branches of the remote are tracked, no local one stands in the way, and git takes the repository for sound."""
    repo = find_repo(add_rig(town, "gastown", str(origin)))
    refs = git("for-each-ref", "--format=%(refname)", "refs/remotes", cwd=repo.path).split()

    assert {"refs/remotes/origin/main", "refs/remotes/origin/release/1.x"} <= set(refs)
    assert git("config", "remote.origin.fetch", cwd=repo.path) == "+refs/heads/*:refs/remotes/origin/*"
    assert git("config", "remote.origin.url", cwd=repo.path) == str(origin)
    assert git("rev-parse", "--is-bare-repository", cwd=repo.path) == "true"
    git("fsck", "--strict", cwd=repo.path)


def test_the_registry_is_gas_towns_file(town: Town, origin: Path) -> None:
    """The entry has the fields and the form that Gas Town writes."""
    add_rig(town, "gastown", str(origin), prefix="gas-")

    document = json.loads((town.root / "mayor" / "rigs.json").read_text())

    entry = document["rigs"]["gastown"]
    assert document["version"] == 1
    assert entry.pop("added_at").endswith("Z")
    assert entry == {"git_url": str(origin), "beads": {"repo": "", "prefix": "gas"}}


def test_the_remotes_default_branch_counts(town: Town, tmp_path: Path) -> None:
    """A repository whose default branch is neither main nor master keeps it."""
    path = make_origin(tmp_path / "o")
    git("branch", "-m", "main", "trunk", cwd=path)

    assert add_rig(town, "a", str(path)).default_branch == "trunk"


def test_a_branch_can_be_chosen(town: Town, origin: Path) -> None:
    """``branch`` beats the remote's default; it may have a slash in it."""
    assert add_rig(town, "a", str(origin), branch="release/1.x").default_branch == "release/1.x"


def test_a_branch_that_is_not_there(town: Town, origin: Path) -> None:
    """A branch the remote lacks is an error that proposes one, and nothing is left."""
    before = _state(town)

    with pytest.raises(NotFoundError, match=r"has no branch 'mian'; did you mean 'main'\?"):
        add_rig(town, "a", str(origin), branch="mian")

    assert _state(town) == before


def test_a_dangling_default_branch(town: Town, origin: Path) -> None:
    """A remote whose HEAD names no branch: master or main if there, otherwise the user must say."""
    git("checkout", "-q", "--detach", cwd=origin)
    git("symbolic-ref", "HEAD", "refs/heads/nowhere", cwd=origin)
    assert add_rig(town, "a", str(origin)).default_branch == "main"

    git("branch", "-m", "main", "other", cwd=origin)
    with pytest.raises(NotFoundError, match="does not say which branch is its default") as caught:
        add_rig(town, "b", str(origin), prefix="bb")
    assert "other" in caught.value.hint


def test_an_empty_repository(town: Town, tmp_path: Path) -> None:
    """A repository without a commit is an error that says what to do, and nothing is left."""
    git("init", "-q", "--bare", str(tmp_path / "empty"), cwd=tmp_path)
    before = _state(town)

    with pytest.raises(NotFoundError, match="has no commit yet") as caught:
        add_rig(town, "a", str(tmp_path / "empty"))

    assert "push a first commit" in caught.value.hint
    assert _state(town) == before


@pytest.mark.parametrize("url", ["file:///no/such/repo", "https://127.0.0.1:1/x.git"])
def test_an_unreachable_repository(town: Town, url: str) -> None:
    """What git says about the remote is in the error, and nothing is left."""
    before = _state(town)

    with pytest.raises(GitError) as caught:
        add_rig(town, "a", url)

    assert caught.value.stderr
    assert _state(town) == before


def test_a_path_that_is_no_repository(town: Town, tmp_path: Path) -> None:
    """A directory without a repository, and a path where nothing is, are both named."""
    (tmp_path / "plain").mkdir()

    with pytest.raises(GitError):
        add_rig(town, "a", str(tmp_path / "plain"))
    with pytest.raises(NotFoundError, match=f"there is no repository at {tmp_path / 'nothing'}"):
        add_rig(town, "a", str(tmp_path / "nothing"))


def test_a_relative_path_is_made_absolute(town: Town, origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository given by a relative path is found from everywhere afterwards."""
    monkeypatch.chdir(origin.parent)

    rig = add_rig(town, "a", "./origin")

    assert rig.git_url == str(origin)
    assert git("config", "remote.origin.url", cwd=find_repo(rig).path) == str(origin)


@pytest.mark.parametrize("url", ["", " ", "-u", "--upload-pack=touch /tmp/x", "a\nb"])
def test_urls_that_are_none(town: Town, url: str) -> None:
    """T-47: what git could take for an option is refused before git starts."""
    with pytest.raises(PolecatError, match="cannot be the URL"):
        add_rig(town, "a", url, world=World(git=FakeGit()))


@pytest.mark.parametrize("name", ["a-b", "a.b", "../x", "mayor", "settings", "", "x" * 70, "a\n"])
def test_names_that_no_rig_may_have(town: Town, origin: Path, name: str) -> None:
    """T-45: a rig's name is checked before anything is touched."""
    before = _state(town)

    with pytest.raises(InvalidNameError):
        add_rig(town, name, str(origin))

    assert _state(town) == before


def test_one_name_one_rig(town: Town, origin: Path) -> None:
    """A registered rig, and a directory or file in its place, are not overwritten."""
    add_rig(town, "a", str(origin))
    (town.root / "b").mkdir()
    (town.root / "c").symlink_to("/nowhere")
    before = _state(town)

    for name in ("a", "b", "c"):
        with pytest.raises(RigExistsError):
            add_rig(town, name, str(origin), prefix=f"{name}{name}")

    assert _state(town) == before


@pytest.mark.parametrize("prefix", ["gt", "gt-", "GT", "hq"])
def test_one_prefix_one_rig(town: Town, origin: Path, prefix: str) -> None:
    """T-46: a prefix that another rig or the town itself has is refused, in any case, and the error says whose it is."""
    add_rig(town, "gastown", str(origin))

    with pytest.raises(InvalidNameError, match="belongs to") as caught:
        add_rig(town, "other", str(origin), prefix=prefix)

    assert "--prefix" in caught.value.hint
    assert [rig.name for rig in town.rigs()] == ["gastown"]


def test_prefixes_that_begin_alike_are_two(town: Town, origin: Path) -> None:
    """T-46: `g` and `gt` are different prefixes, of different rigs."""
    assert [add_rig(town, "gastown", str(origin)).prefix, add_rig(town, "g", str(origin)).prefix] == ["gt", "g"]


def test_a_rig_without_route_has_the_default_prefix(town: Town, origin: Path) -> None:
    """T-46: a rig without a route, of which the registry does not say either, uses `gt`, so `gt` is taken."""
    add_rig(town, "a", str(origin), prefix="aa")
    (town.root / ".beads" / "routes.jsonl").write_text("")
    register_rig(town.root, "a", RigEntry(git_url=str(origin)))

    with pytest.raises(InvalidNameError, match="belongs to rig 'a'"):
        add_rig(town, "gastown", str(origin))


def test_a_town_without_beads_gets_no_half_of_them(tmp_path: Path, origin: Path) -> None:
    """Where there is no bd, neither town nor rig has a ``.beads``, which bd would fill wrongly later; the prefix is the registry's."""
    town = init_town(tmp_path / "bare")
    first, second = add_rig(town, "gas", str(origin)), add_rig(town, "oil", str(origin), prefix="oo")

    assert not list(town.root.rglob(".beads"))
    assert (first.prefix, second.prefix, town.rig("oil").prefix) == ("gas", "oo", "oo")
    for taken in ("oo", "hq"):
        with pytest.raises(InvalidNameError, match="already"):
            add_rig(town, "c", str(origin), prefix=taken)


def test_a_broken_registry_stops_it(town: Town, origin: Path) -> None:
    """Deviation 2: an invalid ``rigs.json`` is neither overwritten nor ignored."""
    (town.root / "mayor" / "rigs.json").write_text("{oops")

    with pytest.raises(ConfigError):
        add_rig(town, "a", str(origin))

    assert (town.root / "mayor" / "rigs.json").read_text() == "{oops"
    assert not (town.root / "a").exists()


def test_registration_that_fails_takes_everything_back(town: Town, origin: Path) -> None:
    """When the registry cannot be written, the rig that was renamed into place goes away again."""
    registry = town.root / "mayor" / "rigs.json"
    registry.rename(town.root / "mayor" / "kept.json")
    registry.symlink_to("loop.json")
    (town.root / "mayor" / "loop.json").symlink_to("nowhere/rigs.json")

    with pytest.raises(PolecatError):
        add_rig(town, "a", str(origin))

    assert not [p for p in town.root.iterdir() if p.name not in (".beads", "mayor", "settings", "logs")]
    assert load_routes(town.root) == (Route(prefix="hq-", path="."),)


_KILLED = """
import os, signal, sys
from pathlib import Path
from polecat.adapters.git.cli import GitCli
from polecat.ports import World
from polecat.upkeep.rigs import add_rig, remove_rig
from polecat.town.find import find_town

class DiesCloning(GitCli):
    def clone_bare(self, url, path, **kwargs):
        repo = super().clone_bare(url, path, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        return repo

add_rig(find_town(Path(sys.argv[1])), "a", sys.argv[2], world=World(git=DiesCloning(environ=dict(os.environ))))
"""


def test_kill_minus_nine_while_cloning(town: Town, origin: Path) -> None:
    """A killed `rig add` leaves no rig, and the next one of that name clears what it left and succeeds."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(town.root), str(origin)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert town.rigs() == []

    rig = add_rig(town, "a", str(origin))

    assert [r.name for r in town.rigs()] == ["a"]
    assert not list(town.root.glob(".a*"))
    assert not list(rig.path.glob(".polecat-rig-add"))


def test_killed_between_place_and_registration(town: Town, origin: Path) -> None:
    """A directory that a killed `rig add` put in place but did not register is cleared, its route with it."""
    add_rig(town, "a", str(origin))
    (town.root / "a" / ".polecat-rig-add").touch()
    (town.root / "mayor" / "rigs.json").write_text('{"version": 1, "rigs": {}}')

    rig = add_rig(town, "a", str(origin), prefix="zz")

    assert rig.prefix == "zz"
    assert [route.prefix for route in load_routes(town.root)] == ["hq-", "zz-"]


def test_a_rig_in_use_is_never_cleared(town: Town, origin: Path) -> None:
    """A registered rig is not taken for a leftover, even if the mark of its making still stands in it."""
    rig = add_rig(town, "a", str(origin))
    (rig.path / ".polecat-rig-add").touch()

    with pytest.raises(RigExistsError):
        add_rig(town, "a", str(origin))

    assert find_repo(rig).path.is_dir()


def test_many_at_once(town: Town, origin: Path) -> None:
    """Eight at once, two of each name: each name once, every rig whole, every route there."""
    results: list[str] = []

    def add(name: str) -> None:
        try:
            results.append(
                add_rig(town, name, str(origin), prefix=name * 2, world=World(git=GitCli(environ=dict(os.environ)))).name
            )
        except RigExistsError:
            results.append("exists")

    threads = [threading.Thread(target=add, args=(name,)) for name in "aabbccdd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["a", "b", "c", "d", *["exists"] * 4]
    assert [(rig.name, rig.prefix) for rig in town.rigs()] == [("a", "aa"), ("b", "bb"), ("c", "cc"), ("d", "dd")]


def test_a_prefix_taken_while_cloning(town: Town, origin: Path) -> None:
    """T-46: who registers first has the prefix; the other, cloned meanwhile, is refused and taken back."""

    class Slow(GitCli):
        def remote_default_branch(self, repo: Repo, *, timeout_s: float) -> str | None:
            add_rig(town, "first", str(origin), prefix="pp")
            return super().remote_default_branch(repo, timeout_s=timeout_s)

    with pytest.raises(InvalidNameError, match="belongs to rig 'first'"):
        add_rig(town, "second", str(origin), prefix="pp", world=World(git=Slow(environ=dict(os.environ))))

    assert [rig.name for rig in town.rigs()] == ["first"]
    assert not (town.root / "second").exists()


def test_a_held_registry_names_its_holder(town: Town, origin: Path) -> None:
    """Somebody who holds the registry too long is named, and nothing is left."""
    with (
        holding(town.root / "mayor" / ".rigs.lock", what="a test"),
        pytest.raises(LockTimeoutError, match=f"held by process {os.getpid()}"),
    ):
        add_rig(town, "a", str(origin), lock_timeout_s=0.05)

    assert town.rigs() == []
    assert not [p for p in town.root.iterdir() if "rig-add" in p.name]


def test_a_new_commit_after_adding_is_fetched(town: Town, origin: Path) -> None:
    """The repository of a new rig follows its remote."""
    repo = find_repo(add_rig(town, "a", str(origin)))
    head = commit(origin, {"new.txt": "1"})

    GitCli(environ=dict(os.environ)).start_fetch(repo, timeout_s=30).wait()

    assert git("rev-parse", "refs/remotes/origin/main", cwd=repo.path) == head


# ------------------------------------------------------------------------------------------------------------ taking away


def test_a_removed_rig_leaves_nothing_and_can_come_back(town: Town, origin: Path) -> None:
    """Directory, registry entry and route are gone, the source stays; the name and the prefix are free again."""
    before = _state(town)[1:]
    rig = add_rig(town, "gastown", str(origin))

    assert remove_rig(town, "gastown") == rig.path

    assert not rig.path.exists() and origin.exists()
    assert _state(town)[1:] == before
    assert add_rig(town, "gastown", str(origin)) == rig


def _polecat(rig: Rig) -> None:
    (rig.polecats_dir / "nux").mkdir()


def _crew(rig: Rig) -> None:
    (rig.path / "crew" / "me").mkdir()


def _commit(rig: Rig) -> None:
    repo = rig.path / ".repo.git"
    tree = git("rev-parse", "HEAD^{tree}", cwd=repo)
    git("update-ref", "refs/heads/polecat/nux", git("commit-tree", "-m", "work", tree, cwd=repo), cwd=repo)


def _kept(rig: Rig) -> None:
    (rig.polecats_dir / ".trash").mkdir()
    (rig.polecats_dir / ".trash" / "nux-1.keep").touch()


def _worktree(rig: Rig) -> None:
    git("worktree", "add", "-q", "--detach", rig.town_root.parent / "mine", "origin/main", cwd=rig.path / ".repo.git")


def _stash(rig: Rig) -> None:
    repo = rig.path / ".repo.git"
    tree = git("rev-parse", "HEAD^{tree}", cwd=repo)
    git("update-ref", "refs/stash", git("commit-tree", "-m", "On main: draft", tree, cwd=repo), cwd=repo)


def _notes(rig: Rig) -> None:
    (rig.path / "notes.md").write_text("an idea")


@pytest.mark.parametrize(
    ("has", "word", "is_lifted"),
    [
        (_worktree, "worktrees elsewhere", False),
        (_stash, "stashes", True),
        (_notes, "notes.md", True),
        (_polecat, "has polecats: nux", False),
        (_crew, "clones that others work in", False),
        (_commit, "unpushed commits on polecat/nux", True),
        (_kept, "1 kept entry", True),
    ],
)
def test_a_rig_in_use_is_not_removed(town: Town, origin: Path, has: Callable[[Rig], None], word: str, is_lifted: bool) -> None:
    """Polecats and people's clones are never taken along; what is nowhere else only when that is said."""
    rig = add_rig(town, "gastown", str(origin))
    has(rig)
    before = _state(town)[1:]

    with pytest.raises(WorkAtRiskError, match=word):
        remove_rig(town, "gastown")
    assert (_state(town)[1:], rig.path.exists()) == (before, True)
    if is_lifted:
        assert not remove_rig(town, "gastown", force=True).exists()
    else:
        with pytest.raises(WorkAtRiskError):
            remove_rig(town, "gastown", force=True)
        assert (_state(town)[1:], rig.path.exists()) == (before, True)


def test_a_rig_with_a_mount_in_it_is_not_removed(tmp_path: Path) -> None:
    """What is mounted in a rig is no part of it, and nothing is deleted through a mount, whatever is accepted."""
    rig, world = fake_world(tmp_path)
    world.processes.mounted.add(rig.path / "settings" / "shared")

    for force in (False, True):
        with pytest.raises(WorkAtRiskError, match="is mounted") as caught:
            remove_rig(Town(root=rig.town_root), rig.name, force=force, world=world)
        assert caught.value.reasons == ("mounts",)
    assert rig.path.is_dir()


def test_a_git_that_cannot_tell_what_is_saved_removes_no_rig(tmp_path: Path) -> None:
    """An adapter without rescues or branches cannot say that nothing would be lost; only *force* goes on."""
    rig, world = fake_world(tmp_path)
    plain = World(**{**asdict(world, recurse=False), "git": cast("Git", PlainGit())})

    with pytest.raises(UnsupportedError):
        remove_rig(Town(root=rig.town_root), rig.name, world=plain)
    assert rig.path.is_dir()
    assert not remove_rig(Town(root=rig.town_root), rig.name, force=True, world=plain).exists()
