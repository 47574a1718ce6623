"""The town on disk: which town contains a place, which rigs it has, where a rig's repository is. Reads only."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from polecat.documents import RigEntry
from polecat.errors import (
    ConfigError,
    InvalidNameError,
    NotFoundError,
    PolecatError,
    RigNotFoundError,
    TownNotFoundError,
    UnknownStateError,
    publish,
)
from polecat.model import Rig
from polecat.names import check_rig_name, could_be_rig, nearest, shell_line
from polecat.ports import Repo
from polecat.town.config import load_rig_config, load_rigs, load_town, rigs_path
from polecat.town.files import read_text
from polecat.town.gastown import find_gastown
from polecat.town.routes import load_routes, rig_prefix

MARKER = Path("mayor", "town.json")
"""Its existence makes a directory a town."""


@publish
@frozen(kw_only=True)
class Town:
    """A workspace: the directory that contains ``mayor/`` and the rigs.

    Args:
        root: its directory.
        name: its name in ``town.json``, or the directory's where that does not say.
    """

    root: Path = field(converter=Path)
    name: str = ""

    def rig(self, name: str) -> Rig:
        """Return one rig of the town.

        Raises:
            RigNotFoundError: the town has no such rig, or the rig's directory is gone.
            ConfigError: ``rigs.json``, the routes or the rig's ``config.json`` are invalid.
            UnknownStateError: the rig's directory cannot be looked at.
        """
        entries = load_rigs(self.root)
        if name not in entries:
            raise _no_such_rig(self.root, name, tuple(entries))
        rig = _load_rig(self.root, name, entries)
        if rig is None:
            raise RigNotFoundError(
                f"the directory of rig {name!r} is gone: {self.root / name} is not a directory",
                known=tuple(entries),
                hint=f"bring it back, or take {name!r} out of {rigs_path(self.root)}",
            )
        return rig

    def rigs(self) -> list[Rig]:
        """List the rigs of the town by name. One whose directory is gone is left out; `rig` says so when asked for it.

        Raises:
            ConfigError: ``rigs.json``, the routes or the ``config.json`` of a rig are invalid.
            UnknownStateError: the directory of a rig cannot be looked at.
        """
        entries = load_rigs(self.root)
        loaded = (_load_rig(self.root, name, entries) for name in sorted(entries))
        return [rig for rig in loaded if rig is not None]


def readable_rigs(town: Town) -> tuple[list[Rig], list[PolecatError]]:
    """List the rigs of a town that can be read, and why each other one cannot: one that is broken keeps nobody from the rest.

    Raises:
        ConfigError: ``rigs.json`` is invalid.
    """
    entries = load_rigs(town.root)
    found: list[Rig] = []
    broken: list[PolecatError] = []
    for name in sorted(entries):
        try:
            rig = _load_rig(town.root, name, entries)
        except PolecatError as error:
            broken.append(error)
            continue
        found += [] if rig is None else [rig]
    return found, broken


def _no_such_rig(root: Path, name: str, known: tuple[str, ...]) -> RigNotFoundError:
    message = f"no rig {name!r} in the town {root}"
    if (meant := nearest(name, known)) is not None:
        return RigNotFoundError(f"{message}; did you mean {meant!r}?", known=known)
    if known:
        return RigNotFoundError(f"{message}; it has {', '.join(known)}", known=known)
    return RigNotFoundError(f"{message}, which has none", hint="add one: polecat rig add NAME GIT_URL")


def _load_rig(root: Path, name: str, entries: Mapping[str, RigEntry]) -> Rig | None:
    """Read one registered rig; None if its directory is gone."""
    try:
        check_rig_name(name)
    except InvalidNameError as error:
        raise ConfigError(rigs_path(root), f"cannot be the name of a rig: {error}", field=f"rigs.{name}") from error
    path, entry = root / name, entries[name]
    if not _is_directory(path):
        return None
    identity = load_rig_config(path)
    local = entry.local_repo or identity.local_repo
    return Rig(
        name=name,
        path=path,
        git_url=entry.git_url or identity.git_url,
        default_branch=identity.default_branch,
        prefix=rig_prefix(load_routes(root), name, registered=entry.beads_prefix),
        local_repo=Path(local) if local else None,
        siblings=tuple(sorted(other for other in entries if other != name)),
        gastown=find_gastown(root, entry),
    )


def find_repo(rig: Rig) -> Repo:
    """Find the repository whose worktrees the rig's polecats work in.

    The bare ``.repo.git`` wins over the clone ``mayor/rig`` of rigs of the old architecture.

    Raises:
        NotFoundError: the rig has neither.
        UnknownStateError: it cannot be told.

    Source:
        Contract §2.4.
    """
    bare, clone = rig.path / ".repo.git", rig.path / "mayor" / "rig"
    if _is_directory(bare):
        return Repo(path=bare)
    if _is_directory(clone):
        return Repo(path=clone, is_bare=False)
    raise NotFoundError(
        f"rig {rig.name!r} has no repository: neither {bare} nor {clone} is a directory",
        hint=f"clone it again: {shell_line('git', 'clone', '--bare', rig.git_url or 'GIT_URL', bare)}",
    )


def is_rig_name(target: str, *, start: Path | str | None = None, environ: Mapping[str, str] | None = None) -> bool:
    """Say whether *target* is, exactly, the name of a rig of the town around *start*.

    Outside every town nothing is; a path, a role and a role's short form never are.

    Args:
        target: what somebody typed, such as ``gastown``, ``mayor`` or ``gastown/nux``.
        start: as for `find_town`.
        environ: as for `find_town`.

    Raises:
        ConfigError: the registry of rigs is invalid, so it cannot be told.

    Returns:
        Whether it is.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, _ = example_world()
        >>> [is_rig_name(word, start=rig.town_root) for word in ("gastown", "mayor", "gastown/nux")]
        [True, False, False]

    Source:
        Contract §13.3.
    """
    if not could_be_rig(target):
        return False
    try:
        root = find_town(start, environ=environ).root
    except TownNotFoundError:
        return False
    return target in load_rigs(root) and _is_directory(root / target)


def find_town(start: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> Town:
    """Find the town that contains a place.

    The nearest directory at or above *start* with a ``mayor/town.json`` is the town. From inside a worktree, that is below some
    ``polecats/`` or ``crew/``, it is the *outermost* one instead, because a project may bring such a file of its own. Where there
    is none, the nearest directory with a ``mayor/`` will do. Symlinks are not resolved.

    Args:
        start: the place; None means the working directory, by the name ``$PWD`` gives it where that is true. If the working
            directory was deleted, ``GT_TOWN_ROOT`` and then ``GT_ROOT`` count, where they name a town.
        environ: the environment that counts as the caller's; None means our own.

    Raises:
        TownNotFoundError: there is none.
        ConfigError: its ``town.json`` is invalid. An empty one is not.

    Returns:
        The town.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, _ = example_world()
        >>> [found.name for found in find_town(rig.path / "polecats").rigs()]
        ['gastown']

    Source:
        Contract §13.2.
    """
    env = os.environ if environ is None else environ
    place = working_directory(env) if start is None else Path(os.path.abspath(start))
    if place is None:
        return _town_at(_town_of_environment(env))
    root = _climb(place)
    if root is None:
        raise TownNotFoundError(
            f"not in a town: neither {place} nor a directory above it has a {MARKER}",
            hint="go to a town, name one with --town DIR, or make one: polecat init DIR",
        )
    return _town_at(root)


def working_directory(environ: Mapping[str, str]) -> Path | None:
    """The working directory, by the name the user knows it by; None if it was deleted."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return None
    named = environ.get("PWD", "")
    try:
        if os.path.isabs(named) and os.path.samefile(named, here):
            return Path(os.path.normpath(named)) if ".." not in Path(named).parts else Path(here)
    except OSError:
        pass
    return Path(here)


def _town_of_environment(environ: Mapping[str, str]) -> Path:
    for key in ("GT_TOWN_ROOT", "GT_ROOT"):
        root = environ.get(key, "")
        if root and os.path.exists(Path(root, MARKER)):
            return Path(os.path.abspath(root))
    raise TownNotFoundError(
        f"the working directory was deleted, and neither GT_TOWN_ROOT nor GT_ROOT names a directory with a {MARKER}",
        hint="go to a town, or name one with --town DIR",
    )


def _climb(place: Path) -> Path | None:
    in_worktree = any(part in ("polecats", "crew") for part in place.parts[1:-1])
    upwards = (place, *place.parents)
    towns = [directory for directory in upwards if os.path.exists(directory / MARKER)]
    if towns:
        return towns[-1] if in_worktree else towns[0]
    return next((directory for directory in upwards if os.path.isdir(directory / "mayor")), None)


def _town_at(root: Path) -> Town:
    path = root / MARKER
    text = read_text(path)
    name = load_town(path).name if text and text.strip(" \t\r\n") else ""
    return Town(root=root, name=name or root.name)


def _is_directory(path: Path) -> bool:
    """Say whether *path* is a directory; not being able to tell is an error, not a no."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UnknownStateError(f"cannot look at {path}: {error.strerror or error}") from error
