"""Towns to try things in: real directories, pretend programs."""

from __future__ import annotations

# pyright: reportGeneralTypeIssues=false
# a narrower world has no defaults, which pyright wants of every field that overrides one with a default; all are keyword-only
import atexit
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Literal, TypeVar, cast

from attrs import evolve, frozen

from polecat.model import Rig
from polecat.ports import World
from polecat.testing.fake_beads import FakeBeads
from polecat.testing.fake_clock import FakeClock
from polecat.testing.fake_git import FakeGit
from polecat.testing.fake_processes import FakeProcesses
from polecat.testing.fake_tmux import FakeTmux


@frozen(kw_only=True)
class FakeWorld(World):
    """A world in which everything is pretended: ``spawn_for_sling(rig, world=world)``.

    Another fake for one part of it: ``attrs.evolve(world, tmux=FakeTmux(sessions=["gt-gastown-nux"]))``.
    """

    git: FakeGit
    tmux: FakeTmux
    beads: FakeBeads
    processes: FakeProcesses
    clock: FakeClock
    environ: Mapping[str, str]


@frozen(kw_only=True)
class FakeTown:
    """A town with one rig on disk, and the pretend world round it.

    Attributes:
        rig: the rig.
        world: the pretend world.
    """

    rig: Rig
    world: FakeWorld

    @property
    def git(self) -> FakeGit:
        """The pretend repositories."""
        return self.world.git

    @property
    def tmux(self) -> FakeTmux:
        """The pretend tmux server."""
        return self.world.tmux

    @property
    def beads(self) -> FakeBeads:
        """The pretend store of work."""
        return self.world.beads

    @property
    def processes(self) -> FakeProcesses:
        """The pretend process table."""
        return self.world.processes

    @property
    def clock(self) -> FakeClock:
        """The clock, which moves only when somebody waits."""
        return self.world.clock


def make_town(root: Path, rigs: Sequence[str] = ("gastown",)) -> Path:
    """Lay out a town with rigs, as Gas Town would, without starting a program.

    Args:
        root: the town's directory; made where missing.
        rigs: the names of its rigs.

    Returns:
        *root*.

    Examples:
        >>> import tempfile
        >>> from polecat import find_town
        >>> with tempfile.TemporaryDirectory() as place:
        ...     [rig.name for rig in find_town(make_town(Path(place), ["gastown", "other"])).rigs()]
        ['gastown', 'other']
    """
    registry = {name: {"git_url": f"https://example.invalid/{name}.git", "added_at": "2026-01-13T12:00:00Z"} for name in rigs}
    put_json(
        root / "mayor" / "town.json", {"type": "town", "version": 2, "name": root.name, "created_at": "2026-01-13T12:00:00Z"}
    )
    put_json(root / "mayor" / "rigs.json", {"version": 1, "rigs": registry})
    for name in rigs:
        rig = root / name
        put_json(
            rig / "config.json",
            {"type": "rig", "version": 1, "name": name, "git_url": registry[name]["git_url"], "default_branch": "main"},
        )
        for directory in (".repo.git", "polecats", "settings"):
            (rig / directory).mkdir(parents=True, exist_ok=True)
    return root


def make_program(directory: Path, name: str = "claude") -> Path:
    """Put a program that does nothing into a directory, so that it is found on PATH.

    Args:
        directory: where; made where missing.
        name: what it is called.

    Returns:
        *directory*.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     [program.name for program in make_program(Path(place), "my-agent").iterdir()]
        ['my-agent']
    """
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    return directory


def make_rig(root: Path, name: str = "gastown") -> Rig:
    """Lay out a town with one rig below *root*, and give the rig.

    Args:
        root: a directory, such as pytest's ``tmp_path``; the town is ``town`` in it.
        name: the rig's name.

    Returns:
        The rig.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     make_rig(Path(root), "gas").polecats_dir.is_dir()
        True
    """
    town = make_town(root / "town", [name])
    return Rig(name=name, path=town / name, git_url=f"https://example.invalid/{name}.git")


def fake_world(root: Path, name: str = "gastown") -> tuple[Rig, FakeWorld]:
    """Make a town with one rig below *root*, and a pretend world for it.

    Args:
        root: an empty directory, such as pytest's ``tmp_path``.
        name: the rig's name.

    Returns:
        The rig, and the world for `polecat.spawn_for_sling` and its neighbours.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> with tempfile.TemporaryDirectory() as place:
        ...     rig, world = fake_world(Path(place))
        ...     spawn_for_sling(rig, world=world).agent_id
        'gastown/polecats/furiosa'
    """
    path = make_program(root / "bin")
    clock, processes = FakeClock(), FakeProcesses()
    world = FakeWorld(
        git=FakeGit(),
        tmux=FakeTmux(processes=processes, clock=clock),
        beads=FakeBeads(),
        processes=processes,
        clock=clock,
        environ={"PATH": f"{path}", "HOME": str(root)},
    )
    return make_rig(root, name), world


def example_world() -> tuple[Rig, FakeWorld]:
    """`fake_world` in a temporary directory that goes when the process ends; for examples in documentation.

    Returns:
        As `fake_world`.

    Examples:
        >>> rig, world = example_world()
        >>> rig.name, world.tmux.sessions()
        ('gastown', [])
    """
    directory = tempfile.TemporaryDirectory(prefix="polecat-example-")
    atexit.register(directory.cleanup)
    return fake_world(Path(directory.name))


T = TypeVar("T")
HostFault = Literal["", "mute", "lost", "refuses", "late", "twice", "garbage"]


class FakeHost(Executor):
    """An executor for `polecat.fleet.Host` that does what it is asked at once, in this process, in a world of its own.

    Args:
        root: an empty directory.
        rig: the name of its rig.
        beads: a store that it shares with others; its own by default.

    Attributes:
        fault: what goes wrong from now on: ``mute`` does nothing and never answers, ``lost`` does it and the answer is lost, ``refuses``
            takes no call, ``late`` keeps calls until `run_late`, ``twice`` does everything a second time, as engines do that lost a worker,
            ``garbage`` answers with something else.
        asked: how many questions came.
        now: what its clock says, in seconds; it stands still.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     host = FakeHost(place)
        ...     host.submit(lambda text, world, clock: f"{text} {type(world).__name__}", "hello").result()
        'hello FakeWorld'
    """

    def __init__(self, root: Path | str, rig: str = "gastown", *, beads: FakeBeads | None = None) -> None:
        Path(root).mkdir(parents=True, exist_ok=True)
        made, world = fake_world(Path(root), rig)
        self.fake = FakeTown(rig=made, world=world if beads is None else evolve(world, beads=beads))
        self.fault: HostFault = ""
        self.asked = 0
        self.now = time.time()
        self._late: list[Callable[[], object]] = []

    @property
    def town(self) -> str:
        """The town's directory, for `polecat.fleet.Host`."""
        return str(self.fake.rig.town_root)

    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        """Do it, or what the fault makes of it."""
        if self.fault == "refuses":
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.asked += 1
        future: Future[T] = Future()

        def do() -> T:
            return fn(*args, **kwargs, world=self.fake.world, clock=lambda: self.now)

        match self.fault:
            case "mute":
                pass
            case "late":
                self._late.append(do)
            case "lost":
                do()
                future.set_exception(ConnectionResetError("the connection was lost"))
            case "garbage":
                future.set_result(cast("T", "<html>"))
            case "twice":
                do()
                future.set_result(do())
            case _:
                future.set_result(do())
        return future

    def run_late(self) -> list[object]:
        """Do what was kept, as an engine does that has found its worker again; return the answers, which nobody waits for."""
        kept, self._late = self._late, []
        return [do() for do in kept]


def put_json(path: Path, document: Mapping[str, object]) -> None:
    """Write a JSON file, making its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), "utf-8")
