"""The outside things of one operation, bundled, with real defaults that are made only when nobody gave others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import field

from polecat import config
from polecat.beads_paths import resolve_beads_dir
from polecat.errors import ProgramMissingError
from polecat.light import free_bytes, which
from polecat.logs import tell
from polecat.model import Event, Rig
from polecat.ports import Beads, Clock, Git, OnEvent, Processes, Tmux
from polecat.values import frozen


@frozen(kw_only=True)
class World:
    """Everything outside that an operation on one rig uses.

    Attributes:
        git: the repositories.
        tmux: the tmux server.
        beads: the store of work of this rig.
        processes: the process table.
        clock: time.
        environ: the environment that counts as the caller's.
        on_event: who wants to hear of every fact; None for nobody.
    """

    git: Git
    tmux: Tmux
    beads: Beads
    processes: Processes
    clock: Clock
    environ: Mapping[str, str] = field(repr=False)
    on_event: OnEvent | None = None

    def which(self, program: str) -> str | None:
        """Find a program on the caller's PATH."""
        return which(program, self.environ.get("PATH", os.defpath))

    def free_bytes(self, place: Path) -> int:
        """How much disk is free at a place."""
        return free_bytes(place)

    def emit(self, event: Event) -> None:
        """Tell the log and whoever listens."""
        tell(event, self.on_event)


def make_world(
    rig: Rig,
    *,
    git: Git | None = None,
    tmux: Tmux | None = None,
    beads: Beads | None = None,
    processes: Processes | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    on_event: OnEvent | None = None,
) -> World:
    """Bundle what was given with real things for what was not.

    Raises:
        ConfigError: the town's settings, which name the tmux socket, are invalid.
    """
    env = dict(os.environ) if environ is None else dict(environ)
    tmux = tmux or _real_tmux(rig, env)
    return World(
        git=git or real_git(env),
        tmux=tmux,
        beads=beads or default_beads(rig, env),
        processes=processes or tmux.processes,
        clock=clock or _real_clock(),
        environ=env,
        on_event=on_event,
    )


def rig_beads_dir(rig: Rig) -> Path | None:
    """The rig's beads directory, redirects followed; None if the rig has none."""
    for place in (rig.path, rig.path / "mayor" / "rig"):
        if (place / ".beads").exists():
            return resolve_beads_dir(place)
    return None


def default_beads(rig: Rig, environ: Mapping[str, str]) -> Beads:
    """``bd`` where the rig has a beads directory and ``bd`` is on PATH, the embedded store otherwise."""
    beads_dir = rig_beads_dir(rig)
    if beads_dir is not None and which("bd", environ.get("PATH", os.defpath)):
        from polecat.adapters.bd import BdCli

        return BdCli(beads_dir=beads_dir, environ=environ, actor=environ.get("BD_ACTOR", ""), cache_dir=rig.runtime_dir)
    from polecat.adapters.local_beads import LocalBeads

    return LocalBeads(rig.runtime_dir / "polecat-beads.sqlite3")


def real_git(environ: Mapping[str, str], *, must_exist: bool = True) -> Git:
    """The git on PATH. Where there is none, it is said at once, or (*must_exist* False) by whatever is asked of it.

    Raises:
        ProgramMissingError: there is none.
    """
    from polecat.adapters.git import GitCli
    from polecat.adapters.git_run import MISSING_HINT

    if must_exist and which("git", environ.get("PATH", os.defpath)) is None:
        raise ProgramMissingError("git is not on PATH", argv=("git",), hint=MISSING_HINT)
    return GitCli(environ=environ)


def _real_tmux(rig: Rig, environ: Mapping[str, str]) -> Tmux:
    from polecat.adapters.tmux import TmuxCli

    return TmuxCli(socket=config.load_town_settings(rig.town_root).tmux_socket or None, environ=environ)


def _real_clock() -> Clock:
    from polecat.adapters.clock import SystemClock

    return SystemClock()
