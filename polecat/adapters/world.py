"""The outside things of one operation: what the caller gave, and the real thing for what it did not."""

from __future__ import annotations

# pyright: reportGeneralTypeIssues=false
# a narrower world has no defaults, which pyright wants of every field that overrides one with a default; all are keyword-only
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from polecat.adapters.beads.bd import BdCli
from polecat.adapters.beads.local import LocalBeads
from polecat.adapters.git.cli import GitCli
from polecat.adapters.git.run import MISSING_HINT
from polecat.adapters.processes.clock import SystemClock
from polecat.adapters.tmux.cli import TmuxCli
from polecat.adapters.tmux.server import socket_path
from polecat.errors import ProgramMissingError
from polecat.model import Rig
from polecat.ports import Beads, Clock, Event, Git, Processes, Tmux, World
from polecat.town.beads_paths import resolve_beads_dir
from polecat.town.logs import emit
from polecat.town.settings import load_town_settings


@frozen(kw_only=True)
class FullWorld(World):
    """A world in which nothing is missing: what every function below the public ones takes."""

    git: Git
    tmux: Tmux
    beads: Beads
    processes: Processes
    clock: Clock
    environ: Mapping[str, str] = field(repr=False)
    host: str = ""
    """The machine's name in the town's settings; empty where it has none."""

    def which(self, program: str) -> str | None:
        """Find a program on the caller's PATH."""
        return shutil.which(program, path=search_path(self.environ))

    def free_bytes(self, place: Path) -> int:
        """How much disk is free at a place."""
        return shutil.disk_usage(place).free

    def emit(self, event: Event) -> None:
        """Log an event and notify the listener."""
        emit(event, self.on_event)


def full_world(rig: Rig, world: World | None) -> FullWorld:
    """Complete what was given with real things for what was not.

    Raises:
        ConfigError: the town's settings, which name the tmux socket, are invalid.
        ProgramMissingError: there is no git.
        TypeError: it is no `World`.
    """
    if world is None:
        world = World()
    if not isinstance(world, World):
        raise TypeError(f"the world is a World, such as World(git=FakeGit(), tmux=FakeTmux()); not {world!r}")
    environ = caller_environ(world)
    tmux = world.tmux or real_tmux(rig, environ)
    return FullWorld(
        git=world.git or real_git(environ),
        tmux=tmux,
        beads=world.beads or default_beads(rig, environ),
        processes=world.processes or tmux.processes,
        clock=given_clock(world),
        environ=environ,
        on_event=world.on_event,
        host=load_town_settings(rig.town_root).host,
    )


def caller_environ(world: World | None) -> dict[str, str]:
    """The environment that counts as the caller's."""
    return dict(os.environ if world is None or world.environ is None else world.environ)


def given_clock(world: World | None) -> Clock:
    """The clock that was given, or the real one."""
    return (world.clock if world else None) or SystemClock()


def search_path(environ: Mapping[str, str]) -> str:
    """Where programs are looked for."""
    return environ.get("PATH", os.defpath)


def rig_beads_dir(rig: Rig) -> Path | None:
    """The rig's beads directory, redirects followed; None if the rig has none."""
    for place in (rig.path, rig.path / "mayor" / "rig"):
        if (place / ".beads").exists():
            return resolve_beads_dir(place, rig.town_root)
    return None


def default_beads(rig: Rig, environ: Mapping[str, str]) -> Beads:
    """``bd`` where the rig has a beads directory and ``bd`` is on PATH, the embedded store otherwise."""
    beads_dir = rig_beads_dir(rig)
    if beads_dir is not None and shutil.which("bd", path=search_path(environ)):
        return BdCli(
            beads_dir=beads_dir,
            environ=environ,
            actor=environ.get("BD_ACTOR", ""),
            cache_dir=rig.runtime_dir,
            agents_dir=rig.gastown.agents_dir,
        )
    return LocalBeads(rig.runtime_dir / "polecat-beads.sqlite3")


def real_git(environ: Mapping[str, str], *, must_exist: bool = True) -> Git:
    """The git on PATH. Where there is none, it is said at once, or (*must_exist* False) by whatever is asked of it.

    Raises:
        ProgramMissingError: there is none.
    """
    if must_exist and shutil.which("git", path=search_path(environ)) is None:
        raise ProgramMissingError("git is not on PATH", argv=("git",), hint=MISSING_HINT)
    return GitCli(environ=environ)


def real_tmux(rig: Rig, environ: Mapping[str, str]) -> Tmux:
    """The server that the town's settings name; else the one of the town's Gas Town, or the user's default one.

    Raises:
        ConfigError: the town's settings are invalid.
    """
    return TmuxCli(socket=load_town_settings(rig.town_root).tmux_socket or rig.gastown.server or None, environ=environ)


def gastown_socket(rig: Rig, environ: Mapping[str, str]) -> str:
    """The socket of the server on which the town's Gas Town has its sessions; empty where there is no Gas Town."""
    return "" if rig.gastown.era == "none" else socket_path(rig.gastown.server or None, environ)
