"""Making a town: whole, or not at all, and never over somebody's files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from polecat.errors import InvalidNameError, PolecatError
from polecat.town.config import load_rigs
from polecat.town.find import Town, find_town
from polecat.town.settings import load_town_settings
from polecat.upkeep.towns import init_town


def _tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_town_is_found_where_it_was_made(tmp_path: Path) -> None:
    """A new town is a town, has no rigs, default settings, and no beads that nobody keeps."""
    town = init_town(tmp_path / "a" / "gt")

    assert town == Town(root=tmp_path / "a" / "gt", name="gt") == find_town(town.root / "settings")
    assert town.rigs() == []
    assert load_rigs(town.root) == {}
    assert load_town_settings(town.root).default_agent == "claude"
    assert not (town.root / ".beads").exists()


def test_its_files_are_gas_towns(tmp_path: Path) -> None:
    """The marker has Gas Town's fields, version and mode."""
    town = init_town(tmp_path / "gt", "My Town")
    marker = town.root / "mayor" / "town.json"

    document = json.loads(marker.read_text())

    assert {key: document[key] for key in ("type", "version", "name")} == {"type": "town", "version": 2, "name": "My Town"}
    assert document["created_at"].endswith("Z")
    assert stat.S_IMODE(marker.stat().st_mode) == 0o600
    assert json.loads((town.root / "mayor" / "rigs.json").read_text()) == {"version": 1, "rigs": {}}


def test_an_empty_directory_becomes_a_town_and_stays_itself(tmp_path: Path) -> None:
    """`mkdir gt && cd gt && polecat init .` keeps the directory the shell stands in."""
    (tmp_path / "gt").mkdir()
    before = (tmp_path / "gt").stat().st_ino

    init_town(tmp_path / "gt")

    assert (tmp_path / "gt").stat().st_ino == before
    assert _tree(tmp_path / "gt") == [
        "logs",
        "mayor",
        "mayor/rigs.json",
        "mayor/town.json",
        "settings",
        "settings/config.json",
    ]


def test_a_relative_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The town's root does not depend on where one goes afterwards."""
    monkeypatch.chdir(tmp_path)

    assert init_town("gt").root == tmp_path / "gt"


def test_twice_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    """A town is not made over again, and the message says what it is."""
    town = init_town(tmp_path / "gt", "one")

    with pytest.raises(PolecatError, match="is a town already"):
        init_town(tmp_path / "gt", "two")

    assert find_town(town.root).name == "one"


def test_no_town_inside_a_town(tmp_path: Path) -> None:
    """A nested town would take the outer one's rigs for its own."""
    init_town(tmp_path / "gt")

    with pytest.raises(PolecatError, match="would be within the town"):
        init_town(tmp_path / "gt" / "deep" / "er")

    assert not (tmp_path / "gt" / "deep").exists()


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """A directory with anything else in it is refused, with what it holds."""
    (tmp_path / "src").mkdir()
    for name in ("a.py", "b.py", "c.py", "d.py"):
        (tmp_path / "src" / name).touch()

    with pytest.raises(PolecatError, match=r"is not empty: it holds a\.py, b\.py, c\.py, …"):
        init_town(tmp_path / "src")

    assert len(_tree(tmp_path / "src")) == 4


def test_a_file_is_no_place_for_a_town(tmp_path: Path) -> None:
    """A file in the way, at the place or above it, is a clear error."""
    (tmp_path / "f").touch()

    for place in (tmp_path / "f", tmp_path / "f" / "gt"):
        with pytest.raises(PolecatError, match="cannot make a town"):
            init_town(place)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m"])
def test_odd_town_names_are_refused(tmp_path: Path, name: str) -> None:
    """T-47: a name that would garble a screen is refused before anything is made."""
    with pytest.raises(InvalidNameError):
        init_town(tmp_path / "gt", name)

    assert not (tmp_path / "gt").exists()


def test_what_an_interrupted_init_left_is_no_obstacle(tmp_path: Path) -> None:
    """A process killed before the marker stood leaves directories; the next init goes on, and keeps files that were there."""
    for left in (".mayor.99/mayor", "logs", ".beads", "settings"):
        (tmp_path / "gt" / left).mkdir(parents=True)
    (tmp_path / "gt" / "settings" / "config.json").write_text('{"type":"town-settings","version":1,"default_agent":"codex"}')

    town = init_town(tmp_path / "gt")

    assert load_town_settings(town.root).default_agent == "codex"
    assert not list(town.root.glob(".mayor*"))


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    """When the last step cannot be done, the earlier ones are taken back, up to the directories made on the way."""
    place = tmp_path / "a" / ("x" * 200)  # the marker's draft has a name too long for the disk
    os.makedirs(tmp_path / "a")
    long = place / ("y" * 250)

    with pytest.raises(PolecatError, match="cannot make a town"):
        init_town(long / ("z" * 250) / ("w" * 300))

    assert _tree(tmp_path / "a") == []
