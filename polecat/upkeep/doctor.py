"""Checking a town: what is wrong, what is worth knowing, and the command that fixes each. Changes nothing.

A check that fails is a finding of its own. It never stops the others, and never counts as *nothing is wrong*.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld, caller_environ, full_world, real_git
from polecat.documents import RigEntry
from polecat.errors import PolecatError, publish
from polecat.model import Rig
from polecat.names import shell_line
from polecat.ports import World
from polecat.town.config import load_accounts, load_agent_registry, load_rig_config, load_rigs, load_town, rigs_path
from polecat.town.find import Town, readable_rigs
from polecat.town.gastown import find_gastown
from polecat.town.homes import PENDING
from polecat.town.own_settings import misplaced_keys
from polecat.town.routes import load_routes, rig_prefix
from polecat.town.settings import OWN_FILE, SHARED_FILE, load_town_settings
from polecat.upkeep.doctor_rig import check_rig
from polecat.upkeep.findings import Finding, from_error, note, ok, wrong
from polecat.upkeep.observation import gastown_misfit

PENDING_S = 300.0
"""How long Gas Town takes at most to make a home of a name that it has reserved."""


@publish
@frozen(kw_only=True)
class Checkup:
    """What was found in a town.

    Attributes:
        findings: all findings, in the order of the checks.
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


def check_town(town: Town, *, rigs: Sequence[Rig | str] | None = None, world: World | None = None) -> Checkup:
    """Check a town: programs, files, rigs, locks, leftovers, disk. Changes nothing.

    Args:
        town: the town.
        rigs: only these rigs, or their names; None means all.
        world: the world to use; what it leaves out is the real thing.

    Returns:
        The findings. What could not be checked is a finding too.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> found = check_town(Town(root=rig.town_root), world=world)
        >>> found.is_well, found.findings[1].text
        (True, 'tmux 3.5a')
    """
    try:
        full = _world(town.root, world)
    except PolecatError as error:
        return Checkup(findings=_in("programs", [from_error(error)]))
    found = [*_in("programs", _programs(full)), *_in("town", _town_files(town))]
    try:
        named = None if rigs is None else [town.rig(one) if isinstance(one, str) else one for one in rigs]
        chosen, broken = readable_rigs(town) if named is None else (named, [])
    except PolecatError as error:
        return Checkup(findings=(*found, *_in("town", [from_error(error)])))
    found += _in("town", map(from_error, broken))
    found += _in("town", _no_beads(full, town.root, "hq"))
    for rig in chosen:
        of_rig = full_world(rig, evolve(world or World(), git=full.git, tmux=full.tmux))
        found += _in(rig.name, [*_misplaced(rig.path, rig.name), *_no_beads(full, rig.path, rig.prefix)])
        found += _in(rig.name, [*_gastown(of_rig, rig), *check_rig(of_rig, rig)])
    return Checkup(findings=tuple(found))


def check_without_town(failure: PolecatError, *, world: World | None = None) -> Checkup:
    """Check the programs only, where there is no town.

    Args:
        failure: why there is none.
        world: the world to use; what it leaves out is the real thing.
    """
    programs = _programs(_world(Path(os.sep), world))
    return Checkup(findings=(*_in("programs", programs), *_in("town", [from_error(failure)])))


def _in(area: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(evolve(finding, area=area) for finding in findings)


def _world(root: Path, world: World | None) -> FullWorld:
    # a complete world belongs to a rig; nothing is read below this one
    place = Rig(name="town", path=root / "town", gastown=find_gastown(root, RigEntry()))
    given = world or World()
    git = given.git or real_git(caller_environ(given), must_exist=False)  # a missing git is a finding beside the others
    return full_world(place, evolve(given, git=git))


def _programs(world: FullWorld) -> Iterator[Finding]:
    for program, check in (("git", world.git.check), ("tmux", world.tmux.check)):
        try:
            yield ok(f"{program} {check()}")
        except PolecatError as error:
            yield from_error(error)
    yield _server(world)
    yield ok(f"Python {platform.python_version()}")
    for program, use in (("bd", "beads are kept in the embedded store"), ("gt", "Gas Town's own hooks and nudges are left out")):
        path = world.which(program)
        yield ok(f"{program} is {path}") if path else note(f"{program} is not on PATH: {use}")


def _server(world: FullWorld) -> Finding:
    socket = world.tmux.socket
    try:
        count = len(world.tmux.list_sessions())
    except PolecatError as error:
        where = "" if socket is None else f"-{'S' if '/' in socket else 'L'} {shell_line(socket)} "
        return wrong(error.message, f"see what it says itself: tmux {where}list-sessions")
    where = "the default tmux server" if socket is None else f"tmux server {socket}"
    return ok(f"{where} has {count} session{'' if count == 1 else 's'}")


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
    bad = []
    for read in reads:
        try:
            read()
        except (PolecatError, OSError) as error:
            bad.append(from_error(error))
    yield from bad or [ok(f"{root}: its files are valid")]
    if not os.access(root, os.W_OK):
        yield wrong(f"{root} is not writable for this user", f"ls -ld {shell_line(root)}")
    if not bad:
        yield from _misplaced(root, "RIG")
        yield from _registry(town)


def _misplaced(folder: Path, rig: str) -> Iterator[Finding]:
    """Keys that only polecat knows, where Gas Town drops them. A file that cannot be read is told of elsewhere."""
    with contextlib.suppress(PolecatError):
        if keys := misplaced_keys(folder):
            text = f"Gas Town drops {', '.join(keys)} when it writes {folder / SHARED_FILE}; it does not write {OWN_FILE.name}"
            yield note(text, f"polecat reconcile {rig}")


def _no_beads(world: FullWorld, folder: Path, prefix: str) -> Iterator[Finding]:
    """Where Gas Town and bd are, a town or a rig without a database: bd takes one further up the tree, or makes one with another prefix."""
    place = folder / ".beads"
    if not (world.which("gt") and world.which("bd")) or any((place / name).exists() for name in _DATABASES):
        return
    begin = f'(cd "$(mktemp -d)" && BEADS_DIR=$PWD/.beads bd init --prefix {shell_line(prefix)} && touch .beads/issues.jsonl'
    yield note(f"{folder} has no beads that Gas Town could keep its work in", f"{begin} && cp -R .beads/. {shell_line(place)})")


_DATABASES = ("redirect", "metadata.json", "beads.db", "dolt", "embeddeddolt")
"""One of them is in a beads directory that ``bd`` works with."""


def _registry(town: Town) -> Iterator[Finding]:
    """Find rigs that are registered and gone, and prefixes that two of them share."""
    entries, routes = load_rigs(town.root), load_routes(town.root)
    owners: dict[str, str] = {}
    for name in sorted(entries):
        if not (town.root / name).is_dir():
            remedy = f"bring it back, or take {name!r} out of the registry: ${{EDITOR:-vi}} {shell_line(rigs_path(town.root))}"
            yield wrong(f"rig {name} is registered, and {town.root / name} is gone", remedy)
        registered = entries[name].beads_prefix.removesuffix("-")
        prefix = rig_prefix(routes, name, registered=registered)
        if prefix in owners:
            text = f"rigs {owners[prefix]} and {name} share the prefix {prefix!r}, so ids of their beads can collide"
            yield note(text, f"give one of them its own in {town.root / '.beads' / 'routes.jsonl'}")
        owners.setdefault(prefix, name)
        led = rig_prefix(routes, name)
        if registered and registered != led and (town.root / ".beads").exists():
            yield _lost_route(town, name, registered, led)
    yield from _unregistered(town, entries)
    if not entries:
        yield note("the town has no rig", "polecat rig add NAME GIT_URL")


def _lost_route(town: Town, name: str, registered: str, prefix: str) -> Finding:
    path = shell_line(town.root / ".beads" / "routes.jsonl")
    route = shell_line(json.dumps({"prefix": f"{registered}-", "path": name}))
    text = f"the ids of beads of rig {name} begin with {registered!r}, and the town's routes lead {prefix!r} to it"
    return wrong(text, f"mkdir -p {shell_line(town.root / '.beads')} && echo {route} >> {path}")


def _gastown(world: FullWorld, rig: Rig) -> Iterator[Finding]:
    """Gas Town looks for polecats where they are, and does what it has announced."""
    if (found := gastown_misfit(world, rig)) is not None:
        yield wrong(*found)
    elif rig.gastown.is_today:
        yield ok(f"Gas Town of today has its sessions on the tmux server {rig.gastown.server}, and polecat too")
    for path in sorted(rig.polecats_dir.glob(f"*{PENDING}")):
        if world.clock.now().timestamp() - path.lstat().st_mtime > PENDING_S:
            yield note(f"{path} keeps a name from being used, and Gas Town has made nothing of it", f"rm {shell_line(path)}")


def _unregistered(town: Town, entries: Mapping[str, RigEntry]) -> Iterator[Finding]:
    """Find directories that are rigs by their own files and not registered; without a registry, that was lost."""
    path = rigs_path(town.root)
    found = {}
    for place in sorted(town.root.iterdir()):
        if place.name not in entries and (place / "config.json").is_file() and (place / "polecats").is_dir():
            try:
                config = load_rig_config(place)
            except PolecatError:
                continue  # whatever it is, it does not say that it is a rig
            if config.name == place.name:
                found[place.name] = {"git_url": config.git_url, "beads": {"prefix": config.beads_prefix}}
    if found and not path.exists():
        document = shell_line(json.dumps({"version": 1, "rigs": found}))
        yield wrong(f"{path} is gone, and {', '.join(found)} stand beside it", f"echo {document} > {shell_line(path)}")
        return
    for name in found:
        yield note(
            f"{town.root / name} is a rig that is not registered", f"if it is to be one: ${{EDITOR:-vi}} {shell_line(path)}"
        )
