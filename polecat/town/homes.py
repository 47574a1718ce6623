"""The homes of a rig's polecats on disk: a *home* is the directory ``polecats/<name>``. While it exists the name is taken."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from polecat.errors import UnknownStateError
from polecat.model import Rig

PENDING = ".pending"
"""The end of a file's name by which Gas Town reserves a name (gt 1.2.1, ``Manager.AllocateName``)."""


@frozen(kw_only=True)
class Homes:
    """What stands in ``polecats/``.

    Attributes:
        dirs: the polecats: real, visible directories, sorted.
        others: visible names that are something else (a file, a symlink); taken, but no polecats.
        reserved: names that Gas Town has given out and is about to make homes for, by its files ``<name>.pending``; taken, too.
        exists: ``polecats/`` is there at all.
    """

    dirs: tuple[str, ...]
    others: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    exists: bool = True

    @property
    def taken(self) -> frozenset[str]:
        """Every name that a new polecat must not have."""
        return frozenset((*self.dirs, *self.others, *self.reserved))


def list_homes(rig: Rig) -> Homes:
    """List what stands in ``polecats/``; one directory read.

    Raises:
        UnknownStateError: the rig or its ``polecats/`` cannot be listed, which is not the same as being empty.
    """
    if not rig.path.is_dir():
        raise UnknownStateError(f"the rig's directory {rig.path} cannot be found", hint="is its disk mounted?")
    try:
        with os.scandir(rig.polecats_dir) as entries:
            seen = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if not e.name.startswith("."))
    except FileNotFoundError:
        return Homes(dirs=(), exists=False)
    except OSError as error:
        raise UnknownStateError(
            f"{rig.polecats_dir} cannot be listed: {error.strerror or error}", hint="nothing was decided or changed"
        ) from error
    files = [name for name, is_dir in seen if not is_dir]
    return Homes(
        dirs=tuple(name for name, is_dir in seen if is_dir),
        others=tuple(name for name in files if not name.endswith(PENDING)),
        reserved=tuple(name.removesuffix(PENDING) for name in files if name.endswith(PENDING)),
    )


def clone_path(rig: Rig, name: str) -> Path:
    """The worktree of a polecat: ``<home>/<rig>``, or the home itself in the old layout.

    Source:
        Contract §2.3.
    """
    home = rig.home_dir(name)
    new = home / rig.name
    if not os.path.isdir(new) and os.path.isdir(home) and os.path.exists(home / ".git"):
        return home
    return new


def put_stand_in(rig: Rig, tree: Path) -> None:
    """Put something into the place of a worktree that is not made yet, where Gas Town of today deletes homes without one: at every allocation.

    It is a directory with an empty ``.git``, which is what it looks for (gt 1.2.1, ``cleanupOrphanPolecatState``) and nothing to git.
    """
    if rig.gastown.is_today:
        tree.mkdir(exist_ok=True)
        (tree / ".git").touch()


def clear_stand_in(tree: Path) -> None:
    """Take away what `put_stand_in` put there; anything else stays."""
    mark = tree / ".git"
    if mark.is_file() and not mark.is_symlink() and mark.stat().st_size == 0:
        mark.unlink()
        with contextlib.suppress(OSError):  # something else is in it
            tree.rmdir()


def files_in_homes(rig: Rig, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Name → what stands in its home beside directories: claim, drafts, whatever else; one directory read each.

    A home that cannot be listed is left out: nothing is known of it.
    """
    found: dict[str, tuple[str, ...]] = {}
    top = os.fspath(rig.polecats_dir)
    for name in names:
        with contextlib.suppress(OSError), os.scandir(f"{top}/{name}") as entries:
            found[name] = tuple(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))
    return found
