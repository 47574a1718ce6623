"""The town on disk: which one contains a place, and what it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polecat.errors import ConfigError, NotFoundError, RigNotFoundError, TownNotFoundError
from polecat.model import Rig
from polecat.testing import make_town
from polecat.town.find import Town, find_repo, find_town, is_rig_name


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """A town with the rigs ``beads`` and ``gastown``."""
    return find_town(make_town(tmp_path / "gt", rigs=["gastown", "beads"]))


def _elsewhere(code: str, cwd: Path, **env: str) -> str:
    """Run code in a process of its own, because it changes or loses its working directory."""
    done = subprocess.run(
        [sys.executable, "-c", f"from polecat.town.find import *\nimport os, shutil\n{code}"],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


# ------------------------------------------------------------------------------------------------------- find_town


def test_a_place_in_a_town_finds_it(town: Town) -> None:
    """From the root, a rig and a place that does not exist yet, the way leads up to the same town."""
    for below in ("", "gastown", "gastown/polecats/nux/gastown/src", "gastown/no/such/place"):
        assert find_town(town.root / below) == town


def test_a_town_without_a_name_is_called_like_its_directory(tmp_path: Path) -> None:
    """``{}`` makes a town; the directory names it."""
    (tmp_path / "gt" / "mayor").mkdir(parents=True)
    (tmp_path / "gt" / "mayor" / "town.json").write_text("{}")

    assert find_town(tmp_path / "gt").name == "gt"


def test_a_worktree_that_brings_a_town_of_its_own(town: Town) -> None:
    """T-47: from inside a polecat's worktree the outermost town counts, not one that the project carries."""
    inner = town.root / "gastown" / "polecats" / "nux" / "gastown"
    make_town(inner)

    assert find_town(inner / "mayor").root == town.root
    assert find_town(inner / "gastown").root == town.root


def test_outside_a_worktree_the_nearest_town_counts(town: Town) -> None:
    """A town inside another one is found from inside itself."""
    make_town(town.root / "gastown" / "inner")

    assert find_town(town.root / "gastown" / "inner" / "gastown").root == town.root / "gastown" / "inner"


def test_no_town_says_what_was_looked_for(tmp_path: Path) -> None:
    """The message names the place and the marker, the hint names the command."""
    with pytest.raises(TownNotFoundError) as caught:
        find_town(tmp_path / "x")

    assert f"neither {tmp_path / 'x'} nor a directory above it has a mayor/town.json" in str(caught.value)
    assert "polecat init" in caught.value.hint


def test_symlinks_are_kept(town: Town, tmp_path: Path) -> None:
    """A town that is reached by a symlink keeps the name the user gave it."""
    (tmp_path / "link").symlink_to(town.root)

    assert find_town(tmp_path / "link" / "gastown").root == tmp_path / "link"


def test_the_working_directory_is_named_as_the_user_named_it(town: Town, tmp_path: Path) -> None:
    """``$PWD`` counts where it is true: a town behind a symlink is reported by the symlink."""
    (tmp_path / "link").symlink_to(town.root)

    assert _elsewhere("print(find_town().root)", tmp_path / "link", PWD=str(tmp_path / "link")) == str(tmp_path / "link")


@pytest.mark.parametrize("pwd", ["/", "/no/such/place", "gastown", ""])
def test_a_wrong_pwd_is_ignored(town: Town, pwd: str) -> None:
    """A ``$PWD`` that names another place, none, or a relative one does not mislead."""
    assert _elsewhere("print(find_town().root)", town.root / "gastown", PWD=pwd) == str(town.root)


@pytest.mark.parametrize("key", ["GT_TOWN_ROOT", "GT_ROOT"])
def test_a_deleted_working_directory_falls_back(town: Town, key: str) -> None:
    """T-47: with the working directory gone, the town is the one the environment names."""
    (town.root / "gone").mkdir()

    code = "os.rmdir(os.getcwd())\nprint(find_town().root, is_rig_name('gastown'))"

    assert _elsewhere(code, town.root / "gone", **{key: str(town.root)}) == f"{town.root} True"


def test_the_first_variable_that_names_a_town_counts(town: Town, tmp_path: Path) -> None:
    """``GT_TOWN_ROOT`` before ``GT_ROOT``, and only where there is a town."""
    other = make_town(tmp_path / "other")
    (tmp_path / "gone").mkdir()
    code = "os.rmdir(os.getcwd())\nprint(find_town().root)"

    assert _elsewhere(code, tmp_path / "gone", GT_TOWN_ROOT=str(other), GT_ROOT=str(town.root)) == str(other)
    (tmp_path / "gone").mkdir()
    assert _elsewhere(code, tmp_path / "gone", GT_TOWN_ROOT="/nowhere", GT_ROOT=str(town.root)) == str(town.root)


def test_a_deleted_working_directory_without_help_is_an_error(tmp_path: Path) -> None:
    """With nothing to fall back on the message says so, and it is the usual error."""
    (tmp_path / "gone").mkdir()

    said = _elsewhere("os.rmdir(os.getcwd())\nfind_town()", tmp_path / "gone")

    assert "TownNotFoundError" in said
    assert "the working directory was deleted" in said


def test_the_environment_does_not_beat_the_working_directory(town: Town, tmp_path: Path) -> None:
    """The variables count only when the working directory is gone."""
    other = make_town(tmp_path / "other")

    assert _elsewhere("print(find_town().root)", town.root, GT_TOWN_ROOT=str(other)) == str(town.root)


def test_a_broken_town_file_is_an_error(town: Town) -> None:
    """Deviation 2: a ``town.json`` that is no JSON is named, with its line."""
    (town.root / "mayor" / "town.json").write_text('{\n"name": }')

    with pytest.raises(ConfigError, match=r"town\.json, line 2") as caught:
        find_town(town.root)

    assert caught.value.line == 2


# ------------------------------------------------------------------------------------------------------------ rigs


def test_a_rig_is_put_together_from_its_files(town: Town) -> None:
    """Registry, identity and routes each give their part."""
    (town.root / ".beads").mkdir()
    (town.root / ".beads" / "routes.jsonl").write_text('{"prefix":"ga-","path":"gastown/mayor/rig"}\n')
    (town.root / "gastown" / "config.json").write_text('{"type":"rig","version":1,"name":"gastown","default_branch":"trunk"}')

    assert town.rig("gastown") == Rig(
        name="gastown",
        path=town.root / "gastown",
        git_url="https://example.invalid/gastown.git",
        default_branch="trunk",
        prefix="ga",
        siblings=("beads",),
    )


def test_a_rig_without_identity_has_the_defaults(town: Town) -> None:
    """An absent ``config.json`` is branch ``main``; an absent route is prefix ``gt``."""
    (town.root / "gastown" / "config.json").unlink()

    rig = town.rig("gastown")

    assert (rig.default_branch, rig.prefix) == ("main", "gt")


def test_rigs_are_listed_by_name(town: Town) -> None:
    """The list is sorted, and leaves out a rig whose directory is gone."""
    assert [rig.name for rig in town.rigs()] == ["beads", "gastown"]
    (town.root / "beads").rename(town.root / "elsewhere")
    assert [rig.name for rig in town.rigs()] == ["gastown"]


def test_a_misspelt_rig(town: Town) -> None:
    """An unknown rig is an error that proposes the nearest one."""
    with pytest.raises(RigNotFoundError) as caught:
        town.rig("gastwon")

    assert str(caught.value) == f"no rig 'gastwon' in the town {town.root}; did you mean 'gastown'?"
    assert set(caught.value.known) == {"beads", "gastown"}


@pytest.mark.parametrize("name", ["zzz", "", "../gastown", "gastown/", "GASTOWN?", "\n", "x" * 300])
def test_no_rig_of_that_name(town: Town, name: str) -> None:
    """Whatever is not registered is no rig, path or not."""
    with pytest.raises(RigNotFoundError, match="no rig"):
        town.rig(name)


def test_a_town_without_rigs_says_how_to_add_one(tmp_path: Path) -> None:
    """The hint of the first error somebody meets names the command."""
    with pytest.raises(RigNotFoundError) as caught:
        find_town(make_town(tmp_path / "gt", rigs=[])).rig("x")

    assert "polecat rig add" in caught.value.hint


def test_a_rig_whose_directory_is_gone(town: Town) -> None:
    """A registered rig without a directory is an error that names the directory."""
    (town.root / "gastown").rename(town.root / "elsewhere")

    with pytest.raises(RigNotFoundError, match="the directory of rig 'gastown' is gone"):
        town.rig("gastown")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("mayor/rigs.json", "{", "is not valid JSON"),
        ("mayor/rigs.json", '{"version": 9}', "version"),
        ("mayor/rigs.json", '{"rigs": {"gastown": {"git_url": 7}}}', "'rigs.gastown.git_url' must be a string"),
        ("mayor/rigs.json", '{"rigs": {"gastown": {}, "a.b": {}}}', "cannot be the name of a rig"),
        ("gastown/config.json", "[]", "must hold an object"),
        ("gastown/config.json", '{"default_branch": 1}', "'default_branch' must be a string"),
    ],
)
def test_broken_files_are_named(town: Town, file: str, text: str, said: str) -> None:
    """Deviation 2: a file that cannot be read as what it should be is an error with file and field, never 'no rigs'."""
    (town.root / file).write_text(text)

    with pytest.raises(ConfigError, match=said) as caught:
        town.rigs()

    assert caught.value.path == town.root / file


# ----------------------------------------------------------------------------------------------------- is_rig_name


def test_only_exact_names_are_rigs(town: Town) -> None:
    """Paths, roles, other cases and unknown names are not."""
    said = {t: is_rig_name(t, start=town.root) for t in ("gastown", "beads", "Gastown", "mayor", "gastown/nux", "x", "")}

    assert said == {**dict.fromkeys(said, False), "gastown": True, "beads": True}


def test_outside_a_town_nothing_is_a_rig(tmp_path: Path) -> None:
    """No town, no rigs, no error."""
    assert not is_rig_name("gastown", start=tmp_path)


def test_a_rig_without_directory_is_no_target(town: Town) -> None:
    """A registered rig whose directory is gone cannot be meant."""
    (town.root / "beads").rename(town.root / "elsewhere")

    assert not is_rig_name("beads", start=town.root)


def test_a_broken_registry_is_not_a_no(town: Town) -> None:
    """Deviation 2: when the registry cannot be read, the question cannot be answered."""
    (town.root / "mayor" / "rigs.json").write_text("oops")

    with pytest.raises(ConfigError):
        is_rig_name("gastown", start=town.root)


# ------------------------------------------------------------------------------------------------------- find_repo


def test_the_bare_repository_wins(town: Town) -> None:
    """New architecture: ``.repo.git``, also when the mayor has a clone."""
    rig = town.rig("gastown")
    (rig.path / "mayor" / "rig").mkdir(parents=True)

    repo = find_repo(rig)

    assert (repo.git_dir, repo.is_bare) == (rig.path / ".repo.git", True)


def test_the_mayors_clone_will_do(town: Town) -> None:
    """Old architecture: ``mayor/rig``, whose git directory is inside it."""
    rig = town.rig("gastown")
    (rig.path / ".repo.git").rmdir()
    (rig.path / "mayor" / "rig").mkdir(parents=True)

    assert find_repo(rig).git_dir == rig.path / "mayor" / "rig" / ".git"


def test_a_rig_without_repository(town: Town) -> None:
    """With neither there is nothing to make worktrees of, and the message names both places."""
    rig = town.rig("gastown")
    (rig.path / ".repo.git").rmdir()

    with pytest.raises(NotFoundError, match=r"neither .*\.repo\.git nor .*mayor/rig"):
        find_repo(rig)


def test_towns_are_values(town: Town) -> None:
    """Two looks at one town are equal, and a town can be made by hand."""
    assert Town(root=str(town.root), name="gt") == town
    assert json.loads((town.root / "mayor" / "town.json").read_text())["name"] == town.name
