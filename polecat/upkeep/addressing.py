"""Which rig and which polecat a caller means. Both are given by name or as a value; a value of a polecat means one spawn of the name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from polecat.errors import InvalidNameError, PolecatNotFoundError
from polecat.model import Polecat, PolecatState, Rig, SpawnedPolecat
from polecat.names import agent_id, nearest
from polecat.town.find import find_town
from polecat.town.homes import list_homes
from polecat.town.locks import holding, polecat_lock
from polecat.town.records import read_current


@frozen(kw_only=True)
class Target:
    """One polecat, as a caller named it.

    Attributes:
        rig: its rig.
        name: its name.
        instance: the spawn that is meant, empty for one that polecat did not make; None for whichever has the name.
    """

    rig: Rig
    name: str
    instance: str | None = None

    def check(self) -> None:
        """Make sure that it exists and is still the spawn that is meant.

        Raises:
            PolecatNotFoundError: it is not.
            UnknownStateError: its record cannot be read.
        """
        check_exists(self.rig, self.name)
        if self.instance is None:
            return
        known = read_current(self.rig, self.name)
        now = known.instance if known else ""
        if now != self.instance:
            meant, there = (f"instance {one}" if one else "one that polecat did not make" for one in (self.instance, now))
            raise PolecatNotFoundError(
                f"{agent_id(self.rig.name, self.name)} is not {meant} any more: that polecat is gone, and the name is now {there}",
                hint=f"nothing was done; look who has the name now: polecat status {self.rig.name}/{self.name}",
            )

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Hold the polecat's lock for a ``with`` block, after another `check`. Errors as `check` and `holding`."""
        with holding(polecat_lock(self.rig, self.name), what=f"{what} {self.name}"):
            self.check()
            yield


def find_target(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat) -> Target:
    """Find out which polecat a caller means.

    Args:
        rig: the rig, or its name.
        polecat: the polecat's name, or the polecat as it was spawned, found or listed.

    Raises:
        PolecatNotFoundError: there is none of that name, or the value's polecat is gone and another one has its name.
        InvalidNameError: the value is of another rig.
        TypeError: it is neither a name nor a polecat.
    """
    rig = as_rig(rig)
    match polecat:
        case str(name):
            target = Target(rig=rig, name=name)
        case Polecat(name=name) | SpawnedPolecat(polecat_name=name):
            if polecat.rig_name != rig.name:
                raise InvalidNameError(
                    "polecat", name, f"is of rig {polecat.rig_name!r}, not of {rig.name!r}", hint="hand on the rig that it is of"
                )
            target = Target(rig=rig, name=name, instance=polecat.instance)
        case _:
            raise TypeError(f"a polecat is its name as a string, a Polecat or a SpawnedPolecat; not {polecat!r}")
    target.check()
    return target


def named(rig: Rig, name: str, instance: str | None) -> str | Polecat:
    """The polecat that is meant, for `find_target`: whichever has the name, or with an instance that one spawn and no later one."""
    if instance is None:
        return name
    return Polecat(name=name, rig_name=rig.name, state=PolecatState.UNKNOWN, clone_path=rig.home_dir(name), instance=instance)


def check_exists(rig: Rig, name: str) -> None:
    """Raise `PolecatNotFoundError`, with what was probably meant, if the rig has no polecat of that name."""
    names = list_homes(rig).dirs
    if name not in names:
        near = nearest(name, names) if len(name) < 100 else None
        shown = f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}" if names else "none"
        meant = f"; did you mean {near!r}?" if near else f"; it has {shown}"
        raise PolecatNotFoundError(f"no polecat {name!r} in rig {rig.name!r}{meant}", known=names)


def as_rig(rig: Rig | str) -> Rig:
    """Take a rig as it is, or look a name up in the town that contains the working directory.

    Raises:
        TownNotFoundError: no town contains the working directory.
        RigNotFoundError: the town has no such rig.
        TypeError: it is neither.
    """
    if not isinstance(rig, (Rig, str)):
        raise TypeError(f"a rig is a Rig, or its name as a string; not {rig!r}")
    return rig if isinstance(rig, Rig) else find_town().rig(rig)
