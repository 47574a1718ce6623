"""Beside Gas Town of today: its polecats are seen wherever they live, ours are made as it expects them, and nobody is taken for dead."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from attrs import evolve, frozen

from polecat import (
    PolecatState,
    SpawnOptions,
    capture_polecat,
    get_polecat,
    nudge_polecat,
    plan_spawn,
    reconcile_pool,
    remove_polecat,
    spawn_for_sling,
    stop_polecat,
)
from polecat.adapters.beads.bd import BdCli
from polecat.adapters.world import default_beads, gastown_socket, real_tmux
from polecat.errors import BeadTakenError, SessionNotFoundError
from polecat.model import Rig
from polecat.ports import Bead
from polecat.testing import FakeBeads, FakeTmux, FakeWorld, fake_world
from polecat.testing.worlds import make_program, put_json
from polecat.town.find import Town
from polecat.town.homes import list_homes
from polecat.town.records import Record, publish_claim, read_record
from polecat.upkeep.doctor import check_town


@frozen(kw_only=True)
class Place:
    """A town of today's Gas Town, seen from another tmux server than its own."""

    rig: Rig
    world: FakeWorld
    theirs: FakeTmux

    def gt_made(self, name: str, *, is_running: bool = True) -> Path:
        """Let Gas Town make a polecat: a worktree without a record of ours, and a session that says who it is."""
        tree = self.rig.home_dir(name) / self.rig.name
        tree.mkdir(parents=True, exist_ok=True)
        if is_running:
            says = {
                "GT_ROLE": f"{self.rig.name}/polecats/{name}",
                "GT_RIG": self.rig.name,
                "GT_POLECAT": name,
                "GT_ROOT": str(self.rig.town_root),
            }
            self.theirs.person(f"gt-{name}", says)
        return tree


def _today(rig: Rig) -> Rig:
    put_json(rig.town_root / "rigs.json", {"version": 1, "rigs": {}})
    return Town(root=rig.town_root).rig(rig.name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    rig, world = fake_world(tmp_path)
    rig = _today(rig)
    theirs = FakeTmux(socket="theirs", processes=world.processes, clock=world.clock)
    world.tmux.others[gastown_socket(rig, world.environ)] = theirs
    return Place(rig=rig, world=world, theirs=theirs)


# ------------------------------------------------------------------------------------------------------------- seeing


def test_a_polecat_of_gas_town_lives_on_its_server(place: Place) -> None:
    """One without a record of ours is found by what its session says of itself, on a server that we do not use."""
    place.gt_made("toast")

    cat = get_polecat(place.rig, "toast", world=place.world)

    assert (cat.is_running, cat.session_name) == (True, "gt-toast")


def test_a_living_polecat_of_gas_town_keeps_its_bead(place: Place) -> None:
    """Its bead is refused while it lives there; once it has ended the bead can be given."""
    place.gt_made("toast")
    place.world.beads.add(Bead(id="gt-1", status="hooked", assignee="gastown/polecats/toast"))

    with pytest.raises(BeadTakenError) as caught:
        spawn_for_sling(place.rig, SpawnOptions(hook_bead="gt-1"), world=place.world)
    place.theirs.crash("gt-toast")

    assert caught.value.holder == "gastown/polecats/toast"
    assert spawn_for_sling(place.rig, SpawnOptions(hook_bead="gt-1"), world=place.world).hook_bead == "gt-1"


def test_text_reaches_a_polecat_of_gas_town_and_its_screen_is_read(place: Place) -> None:
    """Both go to its server; it is ended there, too."""
    place.gt_made("toast")
    place.theirs.show("gt-toast", "> ")
    pane = place.theirs.list_sessions()[0].pane_id

    nudge_polecat(place.rig, "toast", "hello", world=place.world)
    typed, seen = place.theirs.typed(pane), capture_polecat(place.rig, "toast", world=place.world)
    stop_polecat(place.rig, "toast", world=place.world)

    assert (typed, seen.startswith(">")) == (["hello"], True)
    assert place.theirs.sessions() == []
    with pytest.raises(SessionNotFoundError):
        nudge_polecat(place.rig, "toast", "hello", world=place.world)


def test_who_works_in_a_worktree_may_be_its_agent(place: Place) -> None:
    """Without a session anywhere, a process in the worktree of a polecat that is not ours leaves open whether it lives; so its bead stays."""
    tree = place.gt_made("toast", is_running=False)
    place.world.beads.add(Bead(id="gt-1", status="hooked", assignee="gastown/polecats/toast"))
    place.world.processes.add(4711, cwd=tree)

    cat = get_polecat(place.rig, "toast", world=place.world)
    with pytest.raises(BeadTakenError, match=r"may live: it has no session, but processes work in it: p4711 \(4711\)"):
        spawn_for_sling(place.rig, SpawnOptions(hook_bead="gt-1"), world=place.world)

    assert (cat.state, cat.is_running) == (PolecatState.UNKNOWN, None)


def test_our_own_processes_prove_nothing(place: Place) -> None:
    """Whoever asks from within the worktree does not keep the polecat alive."""
    tree = place.gt_made("toast", is_running=False)
    place.world.processes.add(os.getpid(), cwd=tree)

    assert get_polecat(place.rig, "toast", world=place.world).is_running is False


def test_a_server_of_gas_town_that_cannot_be_asked_is_unknown(place: Place) -> None:
    """Not to be able to ask is not *nobody lives there*."""
    place.gt_made("toast")
    place.theirs.unreachable = True

    assert get_polecat(place.rig, "toast", world=place.world).is_running is None


def test_a_worktree_that_gas_town_uses_again_is_seen_to_live(place: Place) -> None:
    """Gas Town gives the worktree of a polecat of ours that has ended to an agent of its own; that one lives."""
    cat = spawn_for_sling(place.rig, world=place.world)
    stop_polecat(place.rig, cat, world=place.world)
    place.gt_made(cat.polecat_name)

    assert get_polecat(place.rig, cat.polecat_name, world=place.world).is_running is True


# ------------------------------------------------------------------------------------------------------- being seen


def test_a_polecat_is_made_as_gas_town_of_today_makes_it(place: Place) -> None:
    """The name of its session, and in the environment of session and process all by which it is known and seen to live, and no more."""
    cat = spawn_for_sling(place.rig, world=place.world)
    request = place.world.tmux.request("gt-furiosa")

    assert cat.session_name == "gt-furiosa"
    for env in (request.environment, request.session_environment):
        assert env["GT_ROLE"] == "gastown/polecats/furiosa"
        assert env["GT_TOWN_ROOT"] == env["GT_ROOT"] == str(place.rig.town_root)
        assert env["GT_AGENT"] == "claude"
        assert env["GT_PROCESS_NAMES"].split(",")[:2] == ["node", "claude"]
        assert "sh" in env["GT_PROCESS_NAMES"].split(",")
        assert not {"GT_SESSION", "BEADS_DIR", "BEADS_NO_DAEMON"} & env.keys()


def test_the_server_is_gas_towns_unless_the_settings_name_one(place: Place, tmp_path: Path) -> None:
    """By default we are on the server of the town's Gas Town; ``tmux_socket`` still decides, and without Gas Town it is the user's own."""
    elsewhere, _ = fake_world(tmp_path / "else")
    servers = [real_tmux(rig, place.world.environ).socket for rig in (place.rig, elsewhere)]
    put_json(place.rig.town_root / "settings" / "config.json", {"tmux_socket": "mine"})

    assert servers == [place.rig.gastown.server, None]
    assert real_tmux(place.rig, place.world.environ).socket == "mine"


def test_agent_beads_go_where_gas_town_looks(place: Place) -> None:
    """Where rig and town have databases and there is a ``bd``, agents are in the town's and work is in the rig's."""
    for root in (place.rig.path, place.rig.town_root):
        put_json(root / ".beads" / "metadata.json", {"dolt_mode": "server"})
    make_program(Path(place.world.environ["PATH"].partition(os.pathsep)[0]), "bd")

    beads = default_beads(_today(place.rig), place.world.environ)

    assert isinstance(beads, BdCli)
    assert (beads.beads_dir, beads.agents_dir) == (place.rig.path / ".beads", place.rig.town_root / ".beads")


def test_elsewhere_nothing_changes(tmp_path: Path) -> None:
    """A town without Gas Town, or with an older one, has names and variables as before."""
    rig, world = fake_world(tmp_path)
    spawn_for_sling(rig, world=world)
    env = world.tmux.request("gt-gastown-furiosa").session_environment

    assert env["GT_ROLE"] == "polecat"
    assert not {"GT_AGENT", "GT_PROCESS_NAMES", "GT_TOWN_ROOT"} & env.keys()


def test_numbers_and_reserved_names(place: Place) -> None:
    """A name that Gas Town has reserved is passed over; behind the list there are bare numbers."""
    put_json(place.rig.path / "settings" / "config.json", {"namepool": {"names": ["nux", "slit"], "max_before_numbering": 2}})
    (place.rig.polecats_dir / "nux.pending").write_text("1")

    names = [spawn_for_sling(place.rig, world=place.world).polecat_name for _ in range(2)]

    assert names == ["slit", "3"]


class Sweeping(FakeBeads):
    """A store slow enough for an allocation by Gas Town, which deletes each home that has no worktree."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self._rig = rig

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        """Close it, beside an allocation."""
        for home in self._rig.polecats_dir.iterdir():
            if not (home / self._rig.name / ".git").exists():
                shutil.rmtree(home)
        return super().close_agent(bead_id, reason=reason)


def test_a_home_may_go_while_its_polecat_is_removed(place: Place) -> None:
    """Gas Town deletes a home once its worktree is away: the removal ends well all the same, and the name is free."""
    world = evolve(place.world, beads=Sweeping(place.rig))
    cat = spawn_for_sling(place.rig, world=world)

    remove_polecat(place.rig, cat, world=world)

    assert list_homes(place.rig).taken == frozenset()
    assert read_record(place.rig, cat.polecat_name) is None


# --------------------------------------------------------------------------------------------- a home that is being made


def test_a_spawn_that_is_killed_while_its_home_is_half_made_is_taken_back(place: Place) -> None:
    """What stood in for its worktree goes with the rest."""
    publish_claim(place.rig, Record(instance="i1", polecat="nux", rig="gastown", branch="polecat/nux-1"))

    assert reconcile_pool(place.rig, world=place.world).recovered == ("nux",)
    assert not place.rig.home_dir("nux").exists()


def test_the_worktree_takes_the_place_of_what_stood_in(place: Place) -> None:
    """A spawn, with a spare or without, ends with a worktree and nothing beside it."""
    cat = spawn_for_sling(place.rig, world=place.world)

    assert (cat.clone_path / ".git").stat().st_size > 0
    assert sorted(path.name for path in place.rig.home_dir(cat.polecat_name).iterdir()) == ["gastown"]


# ------------------------------------------------------------------------------------------------- what cannot be shared


def test_the_first_spawn_says_that_a_town_cannot_be_shared(place: Place) -> None:
    """Where we use another server than Gas Town, the first spawn of a rig says so and what to do, and doctor each time."""
    first, second = (spawn_for_sling(place.rig, world=place.world) for _ in range(2))
    found = [one for one in check_town(Town(root=place.rig.town_root), world=place.world).wrong if "Gas Town uses" in one.text]

    assert any(f"Gas Town uses the tmux server {place.rig.gastown.server}" in text for text in first.warnings)
    assert second.warnings == ()
    assert len(found) == 1 and "tmux_socket" in found[0].remedy


def _gt(world: FakeWorld, says: str) -> FakeWorld:
    """A ``gt`` on PATH that says which one it is."""
    directory = Path(world.environ["PATH"].partition(os.pathsep)[0])
    (directory / "gt").write_text(f"#!/bin/sh\necho {says}\necho $* >>{directory}/asked\n")
    (directory / "gt").chmod(0o755)
    return world


def test_where_files_do_not_say_it_the_program_is_asked(tmp_path: Path) -> None:
    """A town of polecat's own in which somebody uses Gas Town of today: the first spawn asks it once, and marks the town as it would."""
    rig, world = fake_world(tmp_path)
    _gt(world, "gt version 1.2.1")

    planned = plan_spawn(rig, world=world)
    assert not (rig.town_root / "rigs.json").exists()
    cats = [spawn_for_sling(rig, world=world) for _ in range(2)]

    assert planned.session_name == cats[0].session_name == "gt-furiosa"
    assert Town(root=rig.town_root).rig("gastown").gastown.era == "today"
    assert (Path(shutil.which("gt", path=world.environ["PATH"]) or "").with_name("asked")).read_text() == "--version\n"


def test_an_older_program_changes_nothing(tmp_path: Path) -> None:
    """Beside Gas Town of the seed's date a town stays as it is."""
    rig, world = fake_world(tmp_path)
    _gt(world, "gt version 0.2.6")

    assert spawn_for_sling(rig, world=world).session_name == "gt-gastown-furiosa"
    assert not (rig.town_root / "rigs.json").exists()


def test_a_version_between_is_told(tmp_path: Path) -> None:
    """A Gas Town that looks elsewhere than all others is named by the first spawn and by doctor, with the remedy."""
    rig, world = fake_world(tmp_path)
    _gt(world, "gt version 0.10.0")

    cat = spawn_for_sling(rig, world=world)
    found = [one for one in check_town(Town(root=rig.town_root), world=world).wrong if "0.10.0" in one.text]

    assert any("gt version 0.10.0 looks for polecats elsewhere" in text for text in cat.warnings)
    assert [one.remedy for one in found] == ["install gt 0.13 or later"]


def test_doctor_finds_what_lives_where_gas_town_ends_it(place: Place) -> None:
    """A polecat that was made before the town became one of today's lives on another server; doctor says how to bring it over."""
    cat = spawn_for_sling(place.rig, world=evolve(place.world, tmux=place.world.tmux.neighbour("old")))
    assert read_record(place.rig, cat.polecat_name) is not None

    notes = [one.text for one in check_town(Town(root=place.rig.town_root), world=place.world).findings if one.level == "note"]

    assert any(text.startswith("gastown/furiosa: lives on the tmux server") for text in notes)


def test_doctor_finds_a_reservation_that_nobody_needs(place: Place) -> None:
    """A reserved name of which Gas Town has made nothing for five minutes is worth a note, a fresh one is not."""
    path = place.rig.polecats_dir / "slit.pending"
    path.write_text("1")
    now_s = place.world.clock.now().timestamp()

    def notes() -> list[str]:
        found = check_town(Town(root=place.rig.town_root), world=place.world).findings
        return [one.remedy for one in found if "slit" in one.text]

    os.utime(path, (now_s - 10, now_s - 10))
    assert notes() == []
    os.utime(path, (now_s - 400, now_s - 400))
    assert notes() == [f"rm {path}"]
