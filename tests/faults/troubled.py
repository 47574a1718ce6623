"""A rig in which every kind of polecat stands, and what is known about it, so that a read that fails can be seen to change nothing."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from pathlib import Path
from typing import cast

import attrs
from attrs import evolve, frozen

from polecat import Rig, SpawnedPolecat, SpawnOptions, spawn_for_sling, warm_spares
from polecat.ports import Bead, Session
from polecat.testing import FakeBeads, FakeTmux, FakeWorld, fake_world
from polecat.town.find import find_repo
from polecat.town.records import Record, publish_claim, read_record, write_claim
from polecat.upkeep.spares import spare_dirs
from tests.faults.pretend import COMMITTED, WORK, Picture, Scene, pickled, picture

BEADS = ("gt-1", "gt-2", "gt-3", "gt-4", "gt-5", "gt-6", "gt-9")

NAMES = ("ace", "capable", "dag", "furiosa", "nux", "rictus", "slit", "toast")
"""Every polecat of the rig."""


@frozen(kw_only=True)
class Troubled:
    """The rig and its world.

    Attributes:
        rig: the rig.
        world: its outside.
        elsewhere: a second tmux server.
    """

    rig: Rig
    world: FakeWorld
    elsewhere: FakeTmux

    def picture(self) -> Picture:
        """Everything that can be seen: as for a scene, with the processes and the sessions of the second server."""
        seen = picture(Scene(rig=self.rig, world=self.world, operate=lambda rig, world: None))
        for tmux in (self.world.tmux, self.elsewhere):
            seen |= {f"session {one.name} on {tmux.socket}": one.is_dead for one in tmux.list_sessions()}
        seen |= {f"process {one.pid}": one for one in self.world.processes.inside(Path("/"))}
        return {key: value for key, value in seen.items() if "spare" not in key} | {
            "spares": len(spare_dirs(self.rig)),
            "clock": self.world.clock.monotonic_s(),
        }

    def plain(self, value: object) -> str:
        """A value as text, without what differs from one making of this rig to the next."""
        value = attrs.asdict(cast(attrs.AttrsInstance, value)) if attrs.has(type(value)) else value
        text = repr(value).replace(str(self.rig.town_root), "TOWN")
        return re.sub(r"-[0-9a-f]{6}\b|\b[0-9a-f]{16}\b|[0-9.]+ (?:MB|s|min)\b|[0-9]+\.[0-9]+|\d{4}-\d\d-\d\dT[0-9:]+", "…", text)


class Rigs:
    """Troubled rigs, one after the other at the same place: the first is made, the others are put back from it.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        first = troubled_rig(root / "place")
        self._town, self._saved, self._world = first.rig.town_root, root / "saved", pickled(first)
        shutil.copytree(self._town, self._saved, symlinks=True)

    def fresh(self) -> Troubled:
        """The rig as it was made."""
        while self._town.exists():  # what a removal left in the trash may just be deleted in the background
            shutil.rmtree(self._town, ignore_errors=True)
        shutil.copytree(self._saved, self._town, symlinks=True)
        made: Troubled = pickle.loads(self._world)
        return made


def troubled_rig(root: Path) -> Troubled:
    """Make the rig.

    ===========  =======  ===================================================================================
    ``nux``      works    on gt-1, with uncommitted files; pane and process tell that it lives
    ``furiosa``  done     clean, its agent ended
    ``slit``     crashed  with gt-2 on its hook and a commit that was never pushed
    ``ace``      works    on gt-3; only the process table tells, its pane is nowhere
    ``rictus``   works    on gt-4, on another tmux server than the town's settings name now
    ``capable``  works    on gt-5; only its pane tells, the process table does not show it
    ``toast``    works    on gt-6; its spawn was killed before it was recorded
    ``dag``      nothing  its spawn was killed before it had a worktree
    ===========  =======  ===================================================================================

    Besides: an orphan session, a registration whose directory is gone, branches of polecats that are gone with and without commits of
    their own, a spare, and a bead that nobody has.
    """
    rig, world = fake_world(root)
    world = evolve(world, beads=FakeBeads(strict=True))
    for bead in BEADS:
        world.beads.add(Bead(id=bead, title=bead))
    elsewhere = FakeTmux(socket="elsewhere", processes=world.processes, clock=world.clock)
    cats = {name: _spawn(rig, world, name, bead) for name, bead in _HERE.items()}
    cats["rictus"] = _spawn(rig, evolve(world, tmux=elsewhere), "rictus", "gt-4")
    for name, data in WORK.items():
        world.git.edit(cats["nux"].clone_path, name, data)
    world.git.commit(cats["slit"].clone_path, COMMITTED)
    warm_spares(rig, 1, world=world)
    _lose_home(rig, root, "keeper")
    _add_branches(rig, world)
    world = evolve(world, tmux=_server(world, world.tmux, cats, ended=("furiosa", "slit", "ace", "keeper")))
    elsewhere = world.tmux.others[elsewhere.socket_path] = _server(world, elsewhere, cats, ended=())
    for name in ("furiosa", "slit", "keeper", "capable"):
        world.processes.forget(cats[name].pid)
    _kill_spawn(rig, "toast")
    publish_claim(rig, Record(instance="00000000deadbeef", polecat="dag", rig=rig.name, pid=1))
    return Troubled(rig=rig, world=world, elsewhere=elsewhere)


_HERE = {
    "nux": "gt-1",
    "furiosa": None,
    "slit": "gt-2",
    "ace": "gt-3",
    "capable": "gt-5",
    "toast": "gt-6",
    "keeper": None,
}


def _spawn(rig: Rig, world: FakeWorld, name: str, bead: str | None) -> SpawnedPolecat:
    return spawn_for_sling(rig, SpawnOptions(name=name, hook_bead=bead), world=world)


def _server(world: FakeWorld, tmux: FakeTmux, cats: dict[str, SpawnedPolecat], *, ended: tuple[str, ...]) -> FakeTmux:
    """A server with the same sessions, in which a pane does not end because the process table does not show its process."""
    gone = {cats[name].session_name for name in ended}
    kept = [session for session in tmux.list_sessions() if session.name not in gone]
    kept += [Session(id=f"${at}", name=f"a-person-{at}") for at in range(70, 80)]
    if tmux is world.tmux:
        said = {"GT_ROLE": "polecat", "GT_RIG": "gastown", "GT_POLECAT": "valkyrie"}
        started_in = str(cats["nux"].clone_path)
        kept.append(Session(id="$90", name="gt-gastown-valkyrie", pane_pid=90, environment=said, started_in=started_in))
    return FakeTmux(kept, socket=tmux.socket, processes=world.processes, clock=world.clock)


def _lose_home(rig: Rig, root: Path, name: str) -> None:
    os.rename(rig.home_dir(name), root / "taken away")


def _add_branches(rig: Rig, world: FakeWorld) -> None:
    known, tip = world.git.repo(find_repo(rig)), world.git.remote["main"]
    known.heads["polecat/gone-mk000000"] = tip
    known.heads["polecat/lost-mk000000"] = world.git.record(tip, {"only-here.txt": b"nowhere else"})


def _kill_spawn(rig: Rig, name: str) -> None:
    record = read_record(rig, name)
    assert record is not None
    write_claim(rig, record)
    (rig.runtime_dir / "polecats" / f"{name}.json").unlink()
