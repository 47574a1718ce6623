"""What Gas Town puts into a worktree is no work, and what an agent writes in the same places is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from polecat.errors import WorkAtRiskError
from polecat.lifecycle.remove import remove_polecat
from polecat.lifecycle.spawn import spawn_for_sling
from polecat.model import Rig, SpawnedPolecat, SpawnOptions
from polecat.place.gas_town_files import COUNTER, REDIRECT, STATE_FILES
from polecat.testing.worlds import FakeWorld, fake_world
from polecat.upkeep.inspection import work_at_risk
from polecat.upkeep.listing import list_polecats
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown

RECORDINGS = Path(__file__).with_name("gas_town_recordings")
"""What gt 1.2.1 wrote for a polecat ``toast`` of a rig ``gastown``; the path of its program was changed."""

WRITTEN = {
    "CLAUDE.md": "CLAUDE.md",
    "CLAUDE.local.md": "CLAUDE.md",
    ".claude/commands/handoff.md": "handoff.md",
    ".cursor/hooks.json": "hooks.json",
}
"""Where Gas Town puts a recording."""


@pytest.fixture
def place(tmp_path: Path) -> tuple[Rig, FakeWorld, SpawnedPolecat]:
    """A polecat ``toast`` in a pretend world, whose files are real."""
    rig, world = fake_world(tmp_path)
    return rig, world, spawn_for_sling(rig, SpawnOptions(name="toast"), world=world)


Place = tuple[Rig, FakeWorld, SpawnedPolecat]


def put(clone: Path, path: str, data: bytes) -> None:
    """Write a file of a worktree."""
    (clone / path).parent.mkdir(parents=True, exist_ok=True)
    (clone / path).write_bytes(data)


def _gas_towns(clone: Path) -> None:
    """Everything that Gas Town may put into a worktree."""
    for path, recording in WRITTEN.items():
        put(clone, path, (RECORDINGS / recording).read_bytes())
    for path in STATE_FILES:
        put(clone, path, b'{"pid": 1}')
    put(clone, REDIRECT, b"../../../.beads\n")


def test_what_gas_town_wrote_is_no_work(place: Place) -> None:
    """A worktree with nothing but Gas Town's files is clean to list, verdict and removal, and goes without --force."""
    rig, world, cat = place
    _gas_towns(cat.clone_path)
    (cat.clone_path.parent / COUNTER).write_text("3")

    [listed] = list_polecats(rig, world=world)

    assert listed.work is not None and listed.work.is_clean
    assert work_at_risk(rig, cat, world=world).is_safe
    assert remove_polecat(rig, cat, world=world).rescue == ""


@pytest.mark.parametrize("path", [*WRITTEN, REDIRECT])
@pytest.mark.parametrize(
    "change",
    [lambda data: data + b"and\n", lambda data: b"x" + data[1:], lambda data: data[:-2]],
    ids=["longer", "other", "shorter"],
)
def test_what_an_agent_changed_is_work(place: Place, path: str, change: Callable[[bytes], bytes]) -> None:
    """One changed file among Gas Town's is one uncommitted change, at whatever place; nothing of it is removed without --force."""
    rig, world, cat = place
    _gas_towns(cat.clone_path)
    data = (cat.clone_path / path).read_bytes()
    put(cat.clone_path, path, b"elsewhere\n" if path == REDIRECT else change(data))

    with pytest.raises(WorkAtRiskError, match=r"1 uncommitted change\(s\)"):
        remove_polecat(rig, cat, world=world)


@pytest.mark.parametrize(
    "path", [".claude/commands/mine.md", ".claude/settings.json", ".runtime/notes.md", "docs/CLAUDE.md", ".beads/x"]
)
def test_other_files_in_those_places_are_work(place: Place, path: str) -> None:
    """A directory is nobody's: a file that Gas Town does not write counts beside those that it does, even with its content."""
    rig, world, cat = place
    _gas_towns(cat.clone_path)
    put(cat.clone_path, path, (RECORDINGS / "CLAUDE.md").read_bytes())

    assert work_at_risk(rig, cat, world=world).reasons == ("uncommitted",)


def test_instructions_of_another_polecat_are_work(place: Place) -> None:
    """The instructions are Gas Town's with this polecat's name in them; a copy of a neighbour's was put there by somebody."""
    rig, world, cat = place
    put(cat.clone_path, "CLAUDE.md", (RECORDINGS / "CLAUDE.md").read_bytes().replace(b"toast", b"nux"))

    assert work_at_risk(rig, cat, world=world).reasons == ("uncommitted",)


def test_a_link_is_not_what_it_leads_to(place: Place, tmp_path: Path) -> None:
    """A link to Gas Town's own text is not Gas Town's file: it was made by somebody, and counts."""
    rig, world, cat = place
    (cat.clone_path / "CLAUDE.md").symlink_to(RECORDINGS / "CLAUDE.md")

    assert work_at_risk(rig, cat, world=world).reasons == ("uncommitted",)


@pytest.mark.real
def test_tracked_files_of_those_places_count(town: HandTown) -> None:
    """What the project tracks where Gas Town keeps its state or its commands is the project's: a change to it is work."""
    cat = town.spawn()
    for path in (STATE_FILES[0], ".claude/commands/handoff.md"):
        put(cat.clone_path, path, (RECORDINGS / "handoff.md").read_bytes())
    git("add", "-f", ".", cwd=cat.clone_path)
    git("commit", "-q", "-m", "x", cwd=cat.clone_path)
    git("push", "-q", "origin", "HEAD", cwd=cat.clone_path)
    before = work_at_risk(town.rig, cat).reasons
    put(cat.clone_path, STATE_FILES[0], b"changed")

    assert ("uncommitted" in before, "uncommitted" in work_at_risk(town.rig, cat).reasons) == (False, True)
