"""Which Gas Town works on a town is read from files that only it makes."""

from __future__ import annotations

from pathlib import Path

from polecat.documents import RigEntry
from polecat.testing import make_town
from polecat.testing.worlds import put_json
from polecat.town.find import Town
from polecat.town.gastown import find_gastown, mark_as_today


def test_a_town_is_nobodys_until_its_files_say_so(tmp_path: Path) -> None:
    """A town of polecat's own has no Gas Town; one whose overseer is written down has an older one; a copy of the registry is today's."""
    root = make_town(tmp_path / "town")
    eras = [Town(root=root).rig("gastown").gastown.era]
    put_json(root / "mayor" / "overseer.json", {"name": "me"})
    eras.append(Town(root=root).rig("gastown").gastown.era)
    put_json(root / "rigs.json", {"version": 1, "rigs": {}})
    eras.append(Town(root=root).rig("gastown").gastown.era)

    assert eras == ["none", "seed", "today"]


def test_each_rig_of_a_town_of_today_has_its_prefix(tmp_path: Path) -> None:
    """The names of sessions begin with the prefix in the registry, not with the one that the routes say; without one it is gt."""
    root = make_town(tmp_path / "town", ["gastown", "other"])
    put_json(
        root / "mayor" / "rigs.json", {"version": 1, "rigs": {"gastown": {"beads": {"prefix": "ga"}}, "other": {"git_url": "x"}}}
    )
    mark_as_today(root)
    rigs = {rig.name: rig for rig in Town(root=root).rigs()}

    assert rigs["gastown"].session_name("nux") == "ga-nux"
    assert rigs["other"].session_name("nux") == "gt-nux"
    assert rigs["gastown"].gastown.server == rigs["other"].gastown.server != ""


def test_a_town_is_marked_as_its_own_program_marks_it(tmp_path: Path) -> None:
    """The mark is the copy of the registry; where there is no registry, nothing is made."""
    root = make_town(tmp_path / "town")
    mark_as_today(root)

    assert (root / "rigs.json").read_bytes() == (root / "mayor" / "rigs.json").read_bytes()
    mark_as_today(tmp_path)
    assert not (tmp_path / "rigs.json").exists()


def test_agent_beads_are_in_the_towns_database_where_it_has_one(tmp_path: Path) -> None:
    """A directory that holds nothing but routes is no database."""
    root = make_town(tmp_path / "town")
    (root / ".beads").mkdir()
    (root / ".beads" / "routes.jsonl").write_text("")
    assert find_gastown(root, RigEntry(), is_today=True).agents_dir is None

    put_json(root / ".beads" / "metadata.json", {"dolt_mode": "server"})
    assert find_gastown(root, RigEntry(), is_today=True).agents_dir == root / ".beads"
    assert find_gastown(root, RigEntry()).agents_dir is None
