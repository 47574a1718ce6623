"""Scenes in the pretend world, pictures of them, and operations that are killed in the middle of them.

A *scene* is a rig in which one polecat, ``nux``, is at work and must never be harmed, and in which something is about to be done.
A *picture* is everything that can be seen of a rig, as a flat dictionary, so that two of them can be subtracted.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from attrs import define, evolve, field, frozen

from polecat import Rig, SpawnOptions, reconcile_pool, remove_polecat, repair_polecat, spawn_for_sling, start_polecat
from polecat.ports import Bead, Repo
from polecat.testing import FakeBeads, FakeWorld, Fault, fake_world
from polecat.town.find import find_repo
from tests.faults.points import Points

WORK = {"README.md": b"changed by the agent\n", "new.txt": b"nobody has seen this yet\n", "deep/er/bytes": bytes(range(256))}
"""What the agent left uncommitted."""

COMMITTED = {"committed.txt": b"a commit that was never pushed\n"}

Picture = dict[str, object]


@define(kw_only=True)
class Scene:
    """A rig, its pretend world, and the operation that is tried.

    Attributes:
        rig: the rig.
        world: its outside.
        operate: what is done with it, through whatever ports it is given.
        name: the polecat it is done to.
        work: the files whose bytes must be somewhere afterwards.
        commit: the commit that must be reachable from something afterwards; empty for none.
    """

    rig: Rig
    world: FakeWorld
    operate: Callable[[Rig, FakeWorld], object]
    name: str = "furiosa"
    work: Mapping[str, bytes] = field(factory=dict)
    commit: str = ""

    def run(self, fault: Fault | None = None) -> object:
        """Do it, with or without a fault round the world."""
        return self.operate(self.rig, fault.around(self.world) if fault else self.world)

    def reconcile(self) -> None:
        """What anybody may do afterwards."""
        reconcile_pool(self.rig, world=self.world)


def a_rig(root: Path) -> tuple[Rig, FakeWorld]:
    """Make a rig with two beads in its store and one polecat at work."""
    rig, world = fake_world(root)
    world = evolve(world, beads=FakeBeads(strict=True))
    for bead in ("gt-1", "gt-2"):
        world.beads.add(Bead(id=bead, title=bead))
    nux = spawn_for_sling(rig, SpawnOptions(name="nux", hook_bead="gt-2"), world=world)
    (nux.clone_path / "mine.txt").write_text("nux works here")
    world.clock.sleep(60)
    return rig, world


def with_furiosa(root: Path, *, commits: bool) -> tuple[Rig, FakeWorld, str]:
    """Make such a rig with a second polecat that has changed files, and perhaps a commit nobody else has."""
    rig, world = a_rig(root)
    cat = spawn_for_sling(rig, SpawnOptions(name="furiosa", hook_bead="gt-1"), world=world)
    commit = world.git.commit(cat.clone_path, COMMITTED) if commits else ""
    for name, data in WORK.items():
        world.git.edit(cat.clone_path, name, data)
    world.clock.sleep(60)
    return rig, world, commit


def spawning(root: Path) -> Scene:
    """A spawn with a bead, a prompt and a nudge."""
    rig, world = a_rig(root)
    opts = SpawnOptions(name="furiosa", hook_bead="gt-1", prompt="begin", nudge="go on", env={"KEY": "value"})
    return Scene(rig=rig, world=world, operate=lambda rig, world: spawn_for_sling(rig, opts, world=world))


def starting(root: Path) -> Scene:
    """A start of a polecat whose agent was killed amid uncommitted work."""
    rig, world, _ = with_furiosa(root, commits=False)
    world.tmux.crash("gt-gastown-furiosa", signal=9)
    return Scene(
        rig=rig, world=world, work=WORK, operate=lambda rig, world: start_polecat(rig, "furiosa", prompt="go on", world=world)
    )


def removing(root: Path) -> Scene:
    """A forced removal of a polecat with uncommitted work and a bead on its hook."""
    rig, world, _ = with_furiosa(root, commits=False)
    return Scene(
        rig=rig, world=world, work=WORK, operate=lambda rig, world: remove_polecat(rig, "furiosa", force=True, world=world)
    )


def nuking(root: Path) -> Scene:
    """A nuclear removal of a polecat that also has a commit nobody else has."""
    rig, world, commit = with_furiosa(root, commits=True)
    work = {**WORK, **COMMITTED}
    return Scene(
        rig=rig,
        world=world,
        work=work,
        commit=commit,
        operate=lambda rig, world: remove_polecat(rig, "furiosa", nuclear=True, world=world),
    )


def repairing(root: Path) -> Scene:
    """A forced repair of a polecat with uncommitted work."""
    rig, world, _ = with_furiosa(root, commits=False)
    return Scene(
        rig=rig, world=world, work=WORK, operate=lambda rig, world: repair_polecat(rig, "furiosa", force=True, world=world)
    )


def remaking(root: Path) -> Scene:
    """A nuclear repair of a polecat that also has a commit nobody else has."""
    rig, world, commit = with_furiosa(root, commits=True)
    work = {**WORK, **COMMITTED}
    return Scene(
        rig=rig,
        world=world,
        work=work,
        commit=commit,
        operate=lambda rig, world: repair_polecat(rig, "furiosa", nuclear=True, world=world),
    )


def nuking_what_cannot_be_saved(root: Path) -> Scene:
    """A nuclear removal of a polecat whose work git cannot read, so that no rescue can be written."""
    return _unsavable(nuking(root))


def remaking_what_cannot_be_saved(root: Path) -> Scene:
    """A nuclear repair of such a polecat."""
    return _unsavable(remaking(root))


def _unsavable(scene: Scene) -> Scene:
    scene.world.git.set_facts(scene.rig.home_dir(scene.name) / scene.rig.name, problems=("status: told to fail",))
    return scene


def reconciling(root: Path) -> Scene:
    """A reconcile of a rig with an orphan session, three operations that were killed half-way, and a lost directory."""
    rig, world, _ = with_furiosa(root, commits=False)
    for name, verb in (("slit", "spawn"), ("rictus", "remove"), ("toast", "repair")):
        scene = Scene(rig=rig, world=world, operate=_VERBS[verb](name), name=name)
        if verb != "spawn":
            spawn_for_sling(rig, SpawnOptions(name=name), world=world)
            world.clock.sleep(60)
        half = {"spawn": "after git.check_out", "remove": "after git.drop_worktree", "repair": "after git.check_out"}[verb]
        died = die_at(scene, half, place=root)
        assert died.point == half, died
        world = scene.world
    spawn_for_sling(rig, SpawnOptions(name="dementus"), world=world)
    world.tmux.restart_server()
    lost = spawn_for_sling(rig, SpawnOptions(name="capable"), world=world)
    os.rename(rig.home_dir("capable"), root / "taken away")
    assert world.tmux.sessions() == [lost.session_name]
    return Scene(rig=rig, world=world, work=WORK, operate=lambda rig, world: reconcile_pool(rig, world=world))


_VERBS: Mapping[str, Callable[[str], Callable[[Rig, FakeWorld], object]]] = {
    "spawn": lambda name: lambda rig, world: spawn_for_sling(rig, SpawnOptions(name=name), world=world),
    "remove": lambda name: lambda rig, world: remove_polecat(rig, name, world=world),
    "repair": lambda name: lambda rig, world: repair_polecat(rig, name, world=world),
}

SCENES: Mapping[str, Callable[[Path], Scene]] = {
    "spawn": spawning,
    "start": starting,
    "remove --force": removing,
    "remove --nuclear": nuking,
    "repair --force": repairing,
    "repair --nuclear": remaking,
    "remove --nuclear, unsavable": nuking_what_cannot_be_saved,
    "repair --nuclear, unsavable": remaking_what_cannot_be_saved,
    "reconcile": reconciling,
}


# ---------------------------------------------------------------------------------------------------------- pictures


def picture(scene: Scene) -> Picture:
    """Everything that can be seen of a rig, except lock files, caches and worthless entries in the trash."""
    rig, world = scene.rig, scene.world
    found: Picture = {}
    for path in _files(rig.town_root):
        name = str(path.relative_to(rig.town_root))
        found[f"file {name}"] = (
            _normal(path.read_bytes().replace(os.fsencode(rig.town_root), b"TOWN")) if path.is_file() else None
        )
    known = world.git.repo(_repo(scene))
    found |= {f"branch {name}": commit for name, commit in known.heads.items()}
    found |= {f"upstream of {name}": branch for name, branch in known.upstream.items()}
    registered = {a: t for a, t in known.trees.items() if a.parent.name == "worktrees"}
    found |= {f"registration {tree.path.relative_to(rig.path)}": tree.branch for tree in registered.values()}
    found |= {f"stash {at}": branch for at, (branch, _) in enumerate(known.stashes)}
    found |= {f"session {s.name}": s.is_dead for s in world.tmux.list_sessions()}
    for bead in world.beads.beads():
        agent = world.beads.agent(bead.id) if bead.labels else None
        if agent is None:
            found[f"bead {bead.id}"] = (bead.status, bead.assignee)
        elif agent.is_open or agent.fields.hook_bead:
            found[f"agent bead {bead.id}"] = (agent.fields.agent_state, agent.fields.hook_bead)
    return found


def _files(town: Path) -> Iterator[Path]:
    """What stands in a town, without what is deleted behind our backs and what says nothing about polecats."""
    for where, dirs, names in os.walk(town):
        dirs[:] = sorted(set(dirs) - {".repo.git", "locks", ".trash"})
        if os.path.basename(where) != ".runtime" and where != str(town):
            yield Path(where)
        # a block of ports is noted once and counts only while the home exists
        yield from (
            Path(where, name)
            for name in sorted(names)
            if name not in ("namepool-state.json", ".events.jsonl", "polecat-ports.json")
            and not (name.startswith(".") and name.endswith(".tmp"))  # a hidden draft, in nobody's way
        )


def _repo(scene: Scene) -> Repo:
    return find_repo(scene.rig)


def _normal(data: bytes) -> object:
    """Records without what differs from spawn to spawn."""
    try:
        document = json.loads(data)
    except ValueError:
        return data
    if isinstance(document, dict) and "instance" in document:
        return {
            k: v
            for k, v in document.items()
            if k
            not in ("instance", "pid", "since", "server_pid", "agent_pid", "pane", "session_id", "socket_path", "server_started")
        }
    return data


def difference(before: Picture, after: Picture) -> dict[str, tuple[object, object]]:
    """What is not as it was: what it was, and what it is."""
    absent = "absent"
    return {
        key: (before.get(key, absent), after.get(key, absent))
        for key in sorted(before.keys() | after.keys())
        if before.get(key, absent) != after.get(key, absent)
    }


def of_bystander(seen: Picture) -> Picture:
    """The part of a picture that is about ``nux``."""
    return {key: value for key, value in seen.items() if "nux" in key or "gt-2" in key}


def is_rescued(scene: Scene) -> bool:
    """Whether a rescue was written, or none was needed."""
    return not scene.work or bool(scene.world.git.repo(_repo(scene)).rescues)


def missing_work(scene: Scene) -> list[str]:
    """The files whose bytes are nowhere: not in the worktree, not in a rescue, not in what the trash keeps for good."""
    known = scene.world.git.repo(_repo(scene))
    commits = scene.world.git.commits
    contents: set[bytes] = set()
    for rescue in known.rescues.values():
        contents.update(commits[rescue.commit].files.values())
    polecats = scene.rig.polecats_dir
    kept = [p for p in (polecats / ".trash").glob("*") if p.with_name(f"{p.name}.keep").exists()] if polecats.exists() else []
    for top in [scene.rig.home_dir(scene.name), *kept]:
        contents.update(path.read_bytes() for path in top.rglob("*") if path.is_file())
    gone = [name for name, data in scene.work.items() if data not in contents]
    tips = [*known.heads.values(), *(rescue.commit for rescue in known.rescues.values())]
    if scene.commit and not any(scene.commit in scene.world.git.ancestry(tip) for tip in tips):
        gone.append(f"commit {scene.commit}")
    return gone


# ------------------------------------------------------------------------------------------------------------- dying


@frozen(kw_only=True)
class Death:
    """How a process ended that was to die somewhere.

    Attributes:
        point: where it died; empty when it got through.
        points: every point it passed.
    """

    point: str
    points: tuple[str, ...]


def die_at(scene: Scene, point: int | str, *, place: Path) -> Death:
    """Do a scene's operation in a process of its own that kills itself at a point, by number or name; the scene's world is then what it left.

    The pretend world lives in memory, so the dying process writes it down first; files, locks and the death itself are real.
    """
    will = place / f"will-{os.urandom(4).hex()}"
    child = os.fork()
    if child == 0:
        try:
            _die(scene, point, will)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert will.exists(), f"the process ended with {status} before it could say anything"
    died, points, scene.world = pickle.loads(will.read_bytes())
    will.unlink()
    assert os.WIFSIGNALED(status) == bool(died), (died, status)
    return Death(point=died, points=points)


def _die(scene: Scene, point: int | str, will: Path) -> None:
    def write_will(at: str, points: tuple[str, ...]) -> None:
        will.write_bytes(pickled((at, points, scene.world)))

    points = Points(scene.rig.town_root, point, write_will, inside_calls=False)
    sys.addaudithook(points.listen)
    scene.run(points)
    points.stop()
    write_will("", tuple(points.points))
    os._exit(0)


def pickled(value: object) -> bytes:
    """A pretend world, or a value that holds one, as bytes."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out)
    pickler.dispatch_table = {type(threading.Lock()): _new_lock, type(threading.RLock()): _new_rlock}
    pickler.dump(value)
    return out.getvalue()


def _new_lock(_: object) -> tuple[Callable[[], object], tuple[()]]:
    return threading.Lock, ()


def _new_rlock(_: object) -> tuple[Callable[[], object], tuple[()]]:
    return threading.RLock, ()
