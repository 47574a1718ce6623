"""A checkout of one's own becomes a rig with real git, and says from then on which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polecat import NotFoundError, RigNotFoundError, TownNotFoundError, add_rig, adopt_checkout, find_rig, find_town, init_town
from polecat.ports import World
from polecat.town.config import load_rig_config
from tests.git_fixtures import commit, git, make_origin

pytestmark = pytest.mark.real


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A person's clone of a project, with a directory in it and a branch of their own."""
    origin = make_origin(tmp_path / "toaster-oven")
    git("clone", "-q", origin, tmp_path / "mine", cwd=tmp_path)
    git("switch", "-q", "-c", "idea", cwd=tmp_path / "mine")
    (tmp_path / "mine" / "src").mkdir(exist_ok=True)
    return tmp_path / "mine"


def test_a_checkout_becomes_a_rig_of_a_new_town(checkout: Path, home: Path) -> None:
    """Without a word more the town is ``~/polecat``; the rig has the checkout's origin, its default branch and a name that a rig may have."""
    done = adopt_checkout(checkout / "src")

    assert (done.made_town, done.made_rig, done.checkout) == (True, True, checkout)
    assert (done.rig.name, done.rig.town_root) == ("toaster_oven", home / "polecat")
    assert (done.rig.git_url, done.rig.default_branch) == (str(checkout.parent / "toaster-oven"), "main")
    assert load_rig_config(done.rig.path).local_repo == str(checkout)
    assert git("status", "--porcelain", cwd=checkout) == ""


def test_the_rig_is_found_from_anywhere_in_the_checkout(checkout: Path, home: Path, tmp_path: Path) -> None:
    """From its directories and from its linked worktrees; not from elsewhere, which is told what to do."""
    rig = adopt_checkout(checkout).rig
    git("worktree", "add", "-q", tmp_path / "linked", cwd=checkout)

    assert find_rig(checkout / "src") == find_rig(checkout) == find_rig(tmp_path / "linked") == rig
    assert find_rig(rig.path / "polecats") == rig
    with pytest.raises(TownNotFoundError) as elsewhere:
        find_rig(tmp_path)
    assert "polecat adopt" in elsewhere.value.hint
    with pytest.raises(RigNotFoundError, match="none of its rigs"):
        find_rig(rig.town_root / "settings")


def test_adopting_again_changes_nothing(checkout: Path, home: Path, tmp_path: Path) -> None:
    """A second time, and from a second clone of the same project, it is the same rig."""
    first = adopt_checkout(checkout)
    git("clone", "-q", tmp_path / "toaster-oven", tmp_path / "second", cwd=tmp_path)

    again, second = adopt_checkout(checkout), adopt_checkout(tmp_path / "second")

    assert again.rig == second.rig == first.rig
    assert not (again.made_town or again.made_rig or second.made_town or second.made_rig)
    assert [rig.name for rig in find_town(first.rig.town_root).rigs()] == ["toaster_oven"]


def test_a_broken_rig_keeps_nobody_from_adopting(checkout: Path, home: Path, tmp_path: Path) -> None:
    """A rig of the town that cannot be read is its own affair."""
    first = adopt_checkout(checkout)
    broken = add_rig(find_town(first.rig.town_root), "broken", str(make_origin(tmp_path / "other")))
    (broken.path / "config.json").write_text("{")

    assert adopt_checkout(checkout).rig.name == first.rig.name


def test_the_town_is_the_one_that_is_named(checkout: Path, home: Path, tmp_path: Path) -> None:
    """``town=`` before ``POLECAT_TOWN`` before ``~/polecat``; a town that is there is used, and what is remembered counts the next time."""
    init_town(tmp_path / "there")
    environ = {**os.environ, "POLECAT_TOWN": str(tmp_path / "there")}

    by_variable = adopt_checkout(checkout, world=World(environ=environ))
    remembered = adopt_checkout(checkout)
    named = adopt_checkout(checkout, town=tmp_path / "named")

    assert (by_variable.rig.town_root, by_variable.made_town) == (tmp_path / "there", False)
    assert remembered.rig == by_variable.rig
    assert (named.rig.town_root, named.made_town) == (tmp_path / "named", True)
    assert find_rig(checkout) == named.rig
    assert not (home / "polecat").exists()


def test_a_rig_of_the_checkout_itself(checkout: Path, home: Path) -> None:
    """With ``local`` polecats start at the checkout's own branch and commits, which no remote has."""
    tip = commit(checkout, {"new.txt": "mine\n"})

    rig = adopt_checkout(checkout, local=True).rig

    assert (rig.git_url, rig.default_branch) == (str(checkout), "idea")
    assert git("rev-parse", "refs/remotes/origin/idea", cwd=rig.path / ".repo.git") == tip
    git("switch", "-q", "--detach", cwd=checkout)
    with pytest.raises(NotFoundError, match="no branch checked out"):
        adopt_checkout(checkout, local=True)


def test_a_prefix_that_is_taken_gets_a_number(checkout: Path, home: Path, tmp_path: Path) -> None:
    """Two projects whose names suggest the same prefix both find a place in one town."""
    town = init_town(tmp_path / "town")
    add_rig(town, "top_off", str(tmp_path / "toaster-oven"))

    assert adopt_checkout(checkout, town=town.root, name="twin_oven").rig.prefix == "to2"


def test_what_cannot_be_adopted_is_said(home: Path, tmp_path: Path) -> None:
    """No checkout, and one that comes from nowhere, are errors that say what to do; no town is made."""
    git("init", "-q", "-b", "main", tmp_path / "lonely", cwd=tmp_path)
    (tmp_path / "plain").mkdir()

    with pytest.raises(NotFoundError, match="in no checkout"):
        adopt_checkout(tmp_path / "plain")
    with pytest.raises(NotFoundError) as lonely:
        adopt_checkout(tmp_path / "lonely")
    assert "polecat adopt --local" in lonely.value.hint
    assert not (home / "polecat").exists()


def test_a_rig_that_is_gone_is_named(checkout: Path, home: Path) -> None:
    """A checkout whose rig or town was taken away says so, and how to mend it."""
    rig = adopt_checkout(checkout).rig
    rig.path.rename(rig.path.with_name("gone"))

    with pytest.raises(RigNotFoundError, match="was adopted as rig 'toaster_oven'") as caught:
        find_rig(checkout)
    assert "adopt it again" in caught.value.hint
