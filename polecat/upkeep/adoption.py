"""A checkout of one's own: making its project a rig, and knowing from then on which rig is meant there."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from attrs import frozen

from polecat.adapters.world import caller_environ, real_git
from polecat.errors import InvalidNameError, NotFoundError, RigNotFoundError, TownNotFoundError, publish
from polecat.model import Rig
from polecat.names import check_new_rig_name, shell_line
from polecat.ports import Checkout, GitCheckouts, World, needs
from polecat.town.config import load_rigs
from polecat.town.find import MARKER, Town, find_town, readable_rigs, working_directory
from polecat.town.registry import free_prefix
from polecat.upkeep.rigs import CLONE_TIMEOUT_S, add_rig, is_local_path
from polecat.upkeep.towns import init_town

HOW_TO_ADOPT = "in a checkout of yours: polecat adopt; elsewhere name the rig, in a town or with --town DIR"


@publish
@frozen(kw_only=True)
class Adopted:
    """What an adoption did.

    Attributes:
        rig: the rig.
        checkout: the checkout's top directory.
        made_town: the town is new.
        made_rig: the rig is new; otherwise the town had one of this project.
    """

    rig: Rig
    checkout: Path
    made_town: bool = False
    made_rig: bool = False


def adopt_checkout(
    start: Path | str | None = None,
    *,
    town: Path | str | None = None,
    name: str | None = None,
    local: bool = False,
    world: World | None = None,
    clone_timeout_s: float = CLONE_TIMEOUT_S,
) -> Adopted:
    """Make the project of a checkout a rig, and remember in the checkout which one. Doing it again changes nothing.

    The rig has a repository of its own, cloned from where the checkout comes from; the checkout itself is not touched, but for two lines
    in its own git configuration. What it has is not downloaded again.

    Args:
        start: a place in the checkout; None means the working directory.
        town: the town; None means the one it was adopted into before, else what ``POLECAT_TOWN`` names, else ``~/polecat``. Made where missing.
        name: the rig's name; None derives it from where the checkout comes from.
        local: the rig comes from the checkout itself and not from its ``origin``: polecats start at its current branch, see what is committed
            there, and push back into it.
        world: the world to use; only its git and environment are used.
        clone_timeout_s: how long the clone may take.

    Returns:
        The rig, and what was made.

    Raises:
        NotFoundError: there is no checkout, it has no ``origin``, or no branch to start from.
        RigExistsError: the town has another rig of that name.
        GitError: the project cannot be cloned.
        UnsupportedError: the given git has no `GitCheckouts` or no `GitClones`.
        PolecatError: the town cannot be made, or the rig not added; see `add_rig`.

    Examples:
        >>> import tempfile
        >>> from polecat.ports import Checkout
        >>> from polecat.testing import FakeGit
        >>> git = FakeGit()
        >>> with tempfile.TemporaryDirectory() as place:
        ...     mine = Path(place, "toaster")
        ...     mine.mkdir()
        ...     git.checkouts[mine] = Checkout(path=mine, url="https://example.org/toaster.git")
        ...     done = adopt_checkout(mine, town=Path(place, "town"), world=World(git=git))
        ...     done.rig.name, done.made_town, find_rig(mine, world=World(git=git)).name
        ('toaster', True, 'toaster')
    """
    checkouts = _checkouts(world)
    place = _place(start)
    checkout = checkouts.checkout_at(place)
    if checkout is None:
        raise NotFoundError(f"{place} is in no checkout of a git project", hint="go to one, or clone one first")
    url = str(checkout.path) if local else _origin(checkout)
    if local and not checkout.branch:
        raise NotFoundError(
            f"{checkout.path} has no branch checked out to start from",
            hint=f"{shell_line('git', '-C', checkout.path)} switch BRANCH",
        )
    home, made_town = _town(checkout, town, world)
    known = next((rig for rig in readable_rigs(home)[0] if rig.git_url == url and name in (None, rig.name)), None)
    rig = known or _add(home, checkout, url, name, checkout.branch if local else None, world, clone_timeout_s)
    checkouts.remember_rig(checkout.path, town=home.root, rig=rig.name)
    return Adopted(rig=rig, checkout=checkout.path, made_town=made_town, made_rig=known is None)


def find_rig(start: Path | str | None = None, *, world: World | None = None) -> Rig:
    """Find the rig that a place belongs to: the rig it is in, or the one its checkout was adopted into.

    Args:
        start: the place; None means the working directory.
        world: the world to use; only its git and environment are used.

    Returns:
        The rig.

    Raises:
        RigNotFoundError: the place is in a town but in none of its rigs, or the rig it was adopted into is gone.
        TownNotFoundError: it is in no town, and in no checkout that was adopted.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> find_rig(rig.path / "polecats", world=world).name
        'gastown'
    """
    place = _place(start)
    town: Town | None = None
    with contextlib.suppress(TownNotFoundError):
        town = find_town(place)
        first = next(iter(place.relative_to(town.root).parts), "")
        if first in load_rigs(town.root):
            return town.rig(first)
    checkout = _checkouts(world).checkout_at(place) if place.exists() else None
    if checkout is not None and checkout.town is not None and checkout.rig:
        return _remembered(checkout, checkout.town)
    if town is not None:
        raise RigNotFoundError(
            f"{place} is in the town {town.root}, but in none of its rigs", known=tuple(load_rigs(town.root)), hint=HOW_TO_ADOPT
        )
    raise TownNotFoundError(f"{place} is neither in a town nor in a checkout that was adopted", hint=HOW_TO_ADOPT)


def _remembered(checkout: Checkout, root: Path) -> Rig:
    try:
        return find_town(root).rig(checkout.rig)
    except (TownNotFoundError, RigNotFoundError) as error:
        raise RigNotFoundError(
            f"{checkout.path} was adopted as rig {checkout.rig!r} of {root}, which is gone: {error.message}",
            hint="adopt it again: polecat adopt",
        ) from error


def _checkouts(world: World | None) -> GitCheckouts:
    return needs((world.git if world else None) or real_git(caller_environ(world)), GitCheckouts, "find a checkout")


def _place(start: Path | str | None) -> Path:
    place = working_directory(os.environ) if start is None else Path(os.path.abspath(start))
    if place is None:
        raise NotFoundError("the working directory was deleted", hint="cd somewhere else first")
    return place


def _origin(checkout: Checkout) -> str:
    """Where a checkout comes from; a path is made absolute."""
    if not checkout.url:
        raise NotFoundError(
            f"{checkout.path} has no remote 'origin' that a rig could come from",
            hint="let the rig come from the checkout itself: polecat adopt --local",
        )
    return os.path.normpath(checkout.path / checkout.url) if is_local_path(checkout.url) else checkout.url


def _town(checkout: Checkout, wanted: Path | str | None, world: World | None) -> tuple[Town, bool]:
    """The town, and whether it was made."""
    environ = caller_environ(world)
    default = environ.get("POLECAT_TOWN") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), "polecat")
    root = Path(os.path.abspath(wanted or checkout.town or default))
    return (find_town(root), False) if os.path.lexists(root / MARKER) else (init_town(root, world=world), True)


def _add(
    town: Town, checkout: Checkout, url: str, name: str | None, branch: str | None, world: World | None, timeout_s: float
) -> Rig:
    """Add the rig, with the first prefix of beads that is free."""
    stem = re.split(r"[/:]", url.rstrip("/").removesuffix("/.git").removesuffix(".git"))[-1]
    wanted = name or re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_")
    try:
        check_new_rig_name(wanted)
    except InvalidNameError as error:
        if name is None:
            error.hint = "choose another one with --name"
        raise
    return add_rig(
        town,
        wanted,
        url,
        branch=branch,
        prefix=free_prefix(town.root, wanted),
        local_repo=checkout.path,
        world=world,
        clone_timeout_s=timeout_s,
    )
