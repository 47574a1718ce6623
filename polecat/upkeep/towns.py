"""Making a town that Gas Town and polecat both accept.

Nothing is visible before it is complete: ``mayor/``, which makes the directory a town, is made under a hidden name and renamed last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from polecat.adapters.beads.init import init_beads
from polecat.adapters.world import caller_environ, search_path
from polecat.documents import Route, TownConfig
from polecat.errors import InvalidNameError, PolecatError
from polecat.names import shell_line
from polecat.ports import World
from polecat.town.files import why_not, write_json
from polecat.town.find import MARKER, Town
from polecat.town.logs import log
from polecat.town.registry import write_town
from polecat.town.routes import add_route

_OURS = frozenset((".beads", "logs", "settings"))
"""What an interrupted `init_town` may have left; such a directory may be made a town all the same."""


def init_town(directory: Path | str, name: str | None = None, *, world: World | None = None) -> Town:
    """Make a directory a town: ``mayor/``, ``settings/``, ``logs/``, and where Gas Town and ``bd`` are on PATH the town's own beads.

    Args:
        directory: made where missing, with the directories above it; empty if it exists.
        name: the town's name; None means the directory's.
        world: the world to use; only its environment is used.

    Raises:
        PolecatError: it is a town already, is within one, holds other things, or cannot be written. Nothing was changed.
        InvalidNameError: the name is empty or holds control characters.

    Returns:
        The town.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     init_town(f"{place}/town").name
        'town'
    """
    root = Path(os.path.abspath(directory))
    # as text in a file, a directory's name is what its bytes say in UTF-8, whatever this caller's locale makes of them
    name = os.fsencode(root.name).decode("utf-8", "replace") if name is None else name
    if not name.strip(" ") or not name.isprintable():
        raise InvalidNameError("town", name, "is empty or holds control characters", hint="name it otherwise: --name")
    with contextlib.ExitStack() as undo, clear_errors(f"make a town of {root}"):
        _must_suit(root)
        for missing in reversed([p for p in (root, *root.parents) if not p.exists()]):
            _make_directory(missing, undo)
        for below in ("settings", "logs"):
            _make_directory(root / below, undo)
        settings = root / "settings" / "config.json"
        _make_file(settings, undo, lambda: write_json(settings, _TOWN_SETTINGS))
        if make_beads(root, "hq", caller_environ(world)):
            undo.callback(shutil.rmtree, root / ".beads", ignore_errors=True)
        if (root / ".beads").is_dir():
            add_route(root, Route(prefix="hq-", path="."))
        _make_mayor(root, name, undo)
        undo.pop_all()
    return Town(root=root, name=name)


def make_beads(folder: Path, prefix: str, environ: Mapping[str, str]) -> bool:
    """Give a town or a rig a beads directory with a database, if Gas Town and ``bd`` are on PATH; whole, or not at all.

    What goes wrong stops nothing: Gas Town finds no beads then, as without ``bd``, and `check_town` says how to make them.

    Args:
        folder: the town or the rig.
        prefix: what the ids of its beads begin with, without the hyphen.
        environ: the caller's environment.

    Returns:
        They were made.
    """
    path = search_path(environ)
    if os.path.lexists(folder / ".beads") or not all(shutil.which(program, path=path) for program in ("gt", "bd")):
        return False
    try:
        init_beads(folder, prefix, environ=environ)
    except (PolecatError, OSError) as error:
        log("warning", "beads_not_made", folder=str(folder), error=why_not(error))
        return False
    return True


_TOWN_SETTINGS = {"type": "town-settings", "version": 1, "default_agent": "claude"}


def _must_suit(root: Path) -> None:
    """Refuse a directory that cannot become a town."""
    if os.path.lexists(root / MARKER):
        raise PolecatError(
            f"{root} is a town already", hint=f"add a rig to it: polecat rig add NAME GIT_URL --town {shell_line(root)}"
        )
    for above in root.parents:
        if os.path.lexists(above / MARKER):
            raise PolecatError(f"{root} would be within the town {above}", hint="choose a directory outside it")
    try:
        there = sorted(entry for entry in os.listdir(root) if entry not in _OURS and not entry.startswith(".mayor."))
    except FileNotFoundError:
        return
    if there:
        shown = ", ".join(there[:3]) + (", …" if len(there) > 3 else "")
        raise PolecatError(f"{root} is not empty: it holds {shown}", hint="choose a new directory")


def _make_directory(path: Path, undo: contextlib.ExitStack) -> None:
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        undo.callback(_quietly, path.rmdir)


def _make_file(path: Path, undo: contextlib.ExitStack, make: Callable[[], None]) -> None:
    if not path.exists():
        make()
        undo.callback(_quietly, path.unlink)


def _quietly(step: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        step()


def _make_mayor(root: Path, name: str, undo: contextlib.ExitStack) -> None:
    """Make ``mayor/`` aside and rename it into place: from then on the directory is a town."""
    draft = root / f".mayor.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    undo.callback(shutil.rmtree, draft, ignore_errors=True)
    write_town(draft, TownConfig(name=name, created_at=now()))
    write_json(draft / "mayor" / "rigs.json", {"version": 1, "rigs": {}}, mode=0o600)
    os.rename(draft / "mayor", root / "mayor")
    for left in root.glob(".mayor.*"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def clear_errors(what: str) -> Iterator[None]:
    """Turn an OSError of a ``with`` block into an error that says what was to be done."""
    try:
        yield
    except OSError as error:
        if isinstance(error, PolecatError):
            raise
        raise PolecatError(
            f"cannot {what}: {why_not(error)}", hint="the directory must be writable and its disk must not be full"
        ) from error


def now() -> datetime:
    """This second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
