"""Looking a town over: what is wrong, what is worth knowing, and the command that mends each. Changes nothing.

A check that fails is a finding of its own; it never ends the others, and never counts as *all is well*.
"""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld, caller_environ, full_world, real_git
from polecat.errors import ConfigError, PolecatError, publish
from polecat.model import Rig
from polecat.ports import World
from polecat.town.config import load_accounts, load_agent_registry, load_rigs, load_town, rigs_path
from polecat.town.files import why_not
from polecat.town.find import Town
from polecat.town.routes import load_routes, rig_prefix
from polecat.town.settings import load_town_settings
from polecat.upkeep.doctor_rig import Level, RigFinding, check_rig

__all__ = ["Checkup", "Finding", "check_town"]


@publish
@frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: ``programs``, ``town``, or the name of a rig.
        level: ``ok``; ``note`` is worth knowing; ``wrong`` keeps something from working, or is left over and should go.
        text: what was found, one line.
        remedy: the command that mends it, or a word of advice; empty where nothing is to be done.
    """

    area: str
    level: Level
    text: str
    remedy: str = ""


@publish
@frozen(kw_only=True)
class Checkup:
    """What a look at a town found.

    Attributes:
        findings: all of it, in the order in which it was looked for.
    """

    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Nothing is wrong."""
        return not self.wrong

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is wrong."""
        return tuple(finding for finding in self.findings if finding.level == "wrong")


def check_town(
    town: Town,
    *,
    rigs: Sequence[Rig | str] | None = None,
    world: World | None = None,
) -> Checkup:
    """Look a town over: programs, files, rigs, locks, leftovers, disk. Changes nothing.

    Args:
        town: the town.
        rigs: only these rigs, or their names; None means all.
        world: the outside; what it does not give is the real thing.

    Returns:
        The findings. What could not be looked at is a finding too.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> found = check_town(Town(root=rig.town_root), world=world)
        >>> found.is_well, found.findings[1].text
        (True, 'tmux 3.5a')
    """
    try:
        world = _world(town.root, world)
    except PolecatError as error:
        return Checkup(findings=(_from_error("programs", error),))
    found = [*_programs(world), *_town_files(town)]
    try:
        chosen = _chosen(town, rigs)
    except PolecatError as error:
        return Checkup(findings=(*found, _from_error("town", error)))
    for rig in chosen:
        found += [_of_rig(rig, one) for one in check_rig(world, rig)]
    return Checkup(findings=tuple(found))


def check_without_town(failure: PolecatError, *, world: World | None = None) -> Checkup:
    """Look at the programs, where there is no town to look over.

    Args:
        trouble: why there is none.
        world: the outside; what it does not give is the real thing.
    """
    return Checkup(findings=(*_programs(_world(Path(os.sep), world)), _from_error("town", failure)))


def _world(root: Path, world: World | None) -> FullWorld:
    place = Rig(name="town", path=root / "town")  # a world belongs to a rig; nothing is read below this one
    given = world or World()
    git = given.git or real_git(caller_environ(given), must_exist=False)  # a missing git is a finding beside the others
    return full_world(place, evolve(given, git=git))


def _of_rig(rig: Rig, one: RigFinding) -> Finding:
    return Finding(area=rig.name, level=one.level, text=one.text, remedy=one.remedy)


def _chosen(town: Town, rigs: Sequence[Rig | str] | None) -> list[Rig]:
    if rigs is None:
        return town.rigs()
    return [town.rig(one) if isinstance(one, str) else one for one in rigs]


def _from_error(area: str, error: PolecatError) -> Finding:
    remedy = error.hint
    if isinstance(error, ConfigError):
        line = f"+{error.line} " if error.line is not None else ""
        remedy = f"edit it: ${{EDITOR:-vi}} {line}{shlex.quote(str(error.path))}"
    return Finding(area=area, level="wrong", text=error.message, remedy=remedy)


# -------------------------------------------------------------------------------------------------------- programs


def _programs(world: FullWorld) -> Iterator[Finding]:
    area = "programs"
    for program, check in (("git", world.git.check), ("tmux", world.tmux.check)):
        try:
            yield Finding(area=area, level="ok", text=f"{program} {check()}")
        except PolecatError as error:
            yield _from_error(area, error)
    yield _server(world)
    yield Finding(area=area, level="ok", text=f"Python {platform.python_version()}")
    for program, use in (("bd", "beads are kept in the embedded store"), ("gt", "Gas Town's own hooks and nudges are left out")):
        path = world.which(program)
        text = f"{program} is {path}" if path else f"{program} is not on PATH: {use}"
        yield Finding(area=area, level="ok" if path else "note", text=text)


def _server(world: FullWorld) -> Finding:
    try:
        count = len(world.tmux.list_sessions())
    except PolecatError as error:
        socket = world.tmux.socket
        where = "" if socket is None else f"-{'S' if '/' in socket else 'L'} {shlex.quote(socket)} "
        return evolve(_from_error("programs", error), remedy=f"see what it says itself: tmux {where}list-sessions")
    where = "the default tmux server" if world.tmux.socket is None else f"tmux server {world.tmux.socket}"
    return Finding(area="programs", level="ok", text=f"{where} has {count} session{'' if count == 1 else 's'}")


# ------------------------------------------------------------------------------------------------------ town's files


def _town_files(town: Town) -> Iterator[Finding]:
    root = town.root
    reads: tuple[Callable[[], object], ...] = (
        lambda: load_town(root / "mayor" / "town.json"),
        lambda: load_rigs(root),
        lambda: load_routes(root),
        lambda: load_town_settings(root),
        lambda: load_accounts(root),
        lambda: load_agent_registry(root / "settings" / "agents.json"),
    )
    bad = [finding for read in reads for finding in _read("town", read)]
    yield from bad or [Finding(area="town", level="ok", text=f"{root}: its files are valid")]
    if not os.access(root, os.W_OK):
        yield Finding(area="town", level="wrong", text=f"{root} is not writable for this user", remedy=f"ls -ld {root}")
    if not bad:
        yield from _registry(town)


def _read(area: str, read: Callable[[], object]) -> list[Finding]:
    try:
        read()
    except PolecatError as error:
        return [_from_error(area, error)]
    except OSError as error:
        return [Finding(area=area, level="wrong", text=f"cannot be read: {why_not(error)}")]
    return []


def _registry(town: Town) -> Iterator[Finding]:
    """Rigs that are registered and gone, and prefixes that two of them share."""
    entries, routes = load_rigs(town.root), load_routes(town.root)
    owners: dict[str, str] = {}
    for name in sorted(entries):
        if not (town.root / name).is_dir():
            text = f"rig {name} is registered, and {town.root / name} is gone"
            remedy = f"bring it back, or take {name!r} out of {rigs_path(town.root)}"
            yield Finding(area="town", level="wrong", text=text, remedy=remedy)
        prefix = rig_prefix(routes, name)
        if prefix in owners:
            text = f"rigs {owners[prefix]} and {name} share the prefix {prefix!r}, so ids of their beads can collide"
            remedy = f"give one of them its own in {town.root / '.beads' / 'routes.jsonl'}"
            yield Finding(area="town", level="note", text=text, remedy=remedy)
        owners.setdefault(prefix, name)
    if not entries:
        yield Finding(area="town", level="note", text="the town has no rig", remedy="polecat rig add NAME GIT_URL")
