"""The name pool: which names there are, which are taken, who is an orphan. Pure.

A polecat's name is taken while its directory exists; nothing else counts, so a crashed polecat never blocks a name
longer than its directory does. In-use names are never stored: only the overflow counter survives between runs.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable

from attrs import evolve, field, frozen

from polecat.core.themes import DEFAULT_THEME, THEMES
from polecat.errors import publish
from polecat.names import RESERVED_NAMES, check_polecat_name, check_rig_name

DEFAULT_MAX_SIZE = 50


@functools.lru_cache(maxsize=8)
def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """Drop names of roles and repetitions, once a list: every allocation makes a new pool of the same names."""
    kept = tuple(dict.fromkeys(name for name in names if name.lower() not in RESERVED_NAMES))
    for name in kept:
        check_polecat_name(name)
    return kept


def _custom(names: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(names or ())


def _theme(theme: str) -> str:
    return theme or DEFAULT_THEME


def _size(value: int) -> int:
    return value if value > 0 else DEFAULT_MAX_SIZE


@publish
@frozen(kw_only=True)
class NamePool:
    """The names a rig can give, and the counter of the numbers that come after them.

    Args:
        rig_name: the rig; numbered names start with it.
        theme: a built-in theme; an unknown or empty one means ``mad-max``.
        custom_names: the rig's own names; if there is one, the theme does not count.
        max_size: how many names of the list are given before numbering starts; 0 or less means 50.
        overflow_next: the next number; never below ``max_size + 1``.
        bare_numbers: numbered names are the number alone, as in Gas Town of today; otherwise the rig's name stands before it.

    Raises:
        InvalidNameError: a custom name cannot be a polecat's name.

    Examples:
        >>> NamePool(rig_name="gastown", custom_names=["ace", "witness"]).names
        ('ace',)

    Source:
        Contract §4; design §6, deviations 1 and 16.
    """

    rig_name: str
    theme: str = field(default="", converter=_theme)
    custom_names: tuple[str, ...] = field(default=(), converter=_custom)
    max_size: int = field(default=DEFAULT_MAX_SIZE, converter=_size)
    overflow_next: int = 0
    bare_numbers: bool = field(default=False, repr=False)
    names: tuple[str, ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_rig_name(self.rig_name)
        listed = self.custom_names or THEMES.get(self.theme) or THEMES[DEFAULT_THEME]
        object.__setattr__(self, "names", _checked(tuple(listed)))
        object.__setattr__(self, "overflow_next", max(self.overflow_next, self.max_size + 1))


@publish
@frozen(kw_only=True)
class Reconciliation:
    """What a look at the rig says.

    Attributes:
        in_use: the names that are taken.
        orphans: names whose session has no directory; `reconcile_pool` ends these sessions.
        recovered: names whose spawn, repair or removal died half-way; what it had made is undone, or it is finished.
        taken_back: of those whose spawn was undone, what went with it: the name, its bead and its branch.
        adopted: names whose spawner died though the agent lives, or has left something; they are kept.
        emptied: names whose home was empty and was removed.
        stale: worktree registrations whose directory is gone.
        forgotten: what we remembered of polecats that are gone, and claims that were never published.
        kept: what was left alone, and why.
    """

    in_use: frozenset[str]
    orphans: tuple[str, ...]
    recovered: tuple[str, ...] = field(default=(), repr=False)
    taken_back: tuple[str, ...] = field(default=(), repr=False)
    adopted: tuple[str, ...] = field(default=(), repr=False)
    emptied: tuple[str, ...] = field(default=(), repr=False)
    stale: tuple[str, ...] = field(default=(), repr=False)
    forgotten: tuple[str, ...] = field(default=(), repr=False)
    kept: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_quiet(self) -> bool:
        """There is nothing to do."""
        return not (self.orphans or self.recovered or self.adopted or self.emptied or self.stale or self.forgotten)


def allocate_name(pool: NamePool, in_use: Collection[str]) -> tuple[str, NamePool]:
    """Choose the next name: the first of the list that is free, otherwise the next number that is free.

    A name is free when no name in use equals it; letters that differ only in case count as equal, because some file
    systems cannot tell them apart. Numbers only grow; a number is never given twice, not even after its polecat went.

    Args:
        pool: the pool as it was loaded.
        in_use: every name that exists, themed or not.

    Returns:
        The name, and the pool to save. Nothing is reserved by this call: hold the pool lock until the directory exists.

    Examples:
        >>> pool = NamePool(rig_name="gas", max_size=2)
        >>> allocate_name(pool, {"furiosa"})[0]
        'nux'
        >>> name, pool = allocate_name(pool, {"furiosa", "nux"}); name
        'gas-3'
        >>> pool.overflow_next
        4

    Source:
        Contract §4.5; design §6, deviation 17.
    """
    taken = {name.casefold() for name in in_use}
    for name in pool.names[: pool.max_size]:
        if name.casefold() not in taken:
            return name, pool
    number, prefix = pool.overflow_next, "" if pool.bare_numbers else f"{pool.rig_name}-"
    while f"{prefix}{number}".casefold() in taken:
        number += 1
    name = check_polecat_name(f"{prefix}{number}")
    return name, evolve(pool, overflow_next=number + 1)


def reconcile_pool_with(sessions: Iterable[str], dirs: Iterable[str]) -> Reconciliation:
    """Compare the polecats that have a session with the polecats that have a directory.

    ============  =========  ===============================
    directory     session    outcome
    ============  =========  ===============================
    no            no         the name is free
    yes           no         in use
    no            yes        orphan; the name is free
    yes           yes        in use
    ============  =========  ===============================

    Args:
        sessions: polecat names (not session names) that have a session.
        dirs: polecat names that have a directory.

    Returns:
        The names in use and the orphans, sorted. The order of the arguments' elements does not matter.

    Examples:
        >>> reconcile_pool_with(sessions=["furiosa", "nux"], dirs=["nux"])
        Reconciliation(in_use=frozenset({'nux'}), orphans=('furiosa',))

    Source:
        Contract §5.
    """
    in_use = frozenset(dirs)
    return Reconciliation(in_use=in_use, orphans=tuple(sorted(set(sessions) - in_use)))


def pool_state(pool: NamePool) -> dict[str, object]:
    """The state file's content, in the order in which it is written.

    Source:
        Contract §3.10.
    """
    state: dict[str, object] = {"rig_name": pool.rig_name, "theme": pool.theme}
    if pool.custom_names:
        state["custom_names"] = list(pool.custom_names)
    return {**state, "overflow_next": pool.overflow_next, "max_size": pool.max_size}
