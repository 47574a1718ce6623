"""The name pool: what is given, what is taken, who is an orphan."""

from __future__ import annotations

import time

import pytest
from attrs import evolve

from polecat.core.pool import NamePool, allocate_name, pool_state, reconcile_pool_with
from polecat.core.themes import THEMES
from polecat.errors import InvalidNameError
from polecat.names import RESERVED_NAMES, is_polecat_name


def _given(pool: NamePool, count: int, in_use: set[str]) -> list[str]:
    names = []
    for _ in range(count):
        name, pool = allocate_name(pool, in_use)
        in_use = in_use | {name}
        names.append(name)
    return names


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_no_theme_gives_a_role_name(theme: str) -> None:
    """T-45: a whole theme is given out without ever naming a polecat like a role."""
    names = _given(NamePool(rig_name="gas", theme=theme), 50, set())

    assert not RESERVED_NAMES & set(names)
    assert all(is_polecat_name(name) for name in names)


def test_reserved_custom_names_are_left_out() -> None:
    """T-45: role names in a custom list are skipped, in any case."""
    assert NamePool(rig_name="gas", custom_names=["ace", "Witness", "crew", "max"]).names == ("ace", "max")


@pytest.mark.parametrize("name", ["", "a.b", "a:b", "../x", "-x", "a b", "ünï", "x" * 65, "a\n"])
def test_malformed_custom_names_are_refused(name: str) -> None:
    """T-45: a custom name that tmux, git or the disk would not keep is an error, not a surprise later."""
    with pytest.raises(InvalidNameError):
        NamePool(rig_name="gas", custom_names=["ace", name])


def test_case_twins_count_as_one() -> None:
    """T-45: a name that differs only in case from one in use is not given."""
    name, _ = allocate_name(NamePool(rig_name="gas", custom_names=["ace", "max"]), {"ACE"})

    assert name == "max"


def test_overflow_names_are_the_rig_and_a_number() -> None:
    """T-45: after the list come numbers; the rig's name stands in front exactly once."""
    assert _given(NamePool(rig_name="gas", custom_names=["ace"], max_size=1), 3, set()) == ["ace", "gas-2", "gas-3"]


def test_overflow_never_gives_a_name_that_exists() -> None:
    """A lost counter does not hand out the name of somebody who lives."""
    name, pool = allocate_name(NamePool(rig_name="gas", custom_names=["ace"], max_size=1), {"ace", "gas-2", "GAS-3"})

    assert (name, pool.overflow_next) == ("gas-4", 5)


def test_numbers_are_not_given_again() -> None:
    """The number of a polecat that went is not given a second time."""
    pool = NamePool(rig_name="gas", custom_names=["ace"], max_size=1)
    first, pool = allocate_name(pool, {"ace"})
    second, _ = allocate_name(pool, {"ace"})

    assert (first, second) == ("gas-2", "gas-3")


def test_a_freed_name_is_given_again_first() -> None:
    """The first free name of the list is given, wherever it stands."""
    name, _ = allocate_name(NamePool(rig_name="gas"), {"furiosa", "slit", "rictus"})

    assert name == "nux"


def test_allocation_does_not_change_its_pool() -> None:
    """The pool that was given in is as it was."""
    pool = NamePool(rig_name="gas", max_size=1)
    allocate_name(pool, {"furiosa"})

    assert pool.overflow_next == 2


def test_configured_size_wins_over_a_saved_counter_only_upwards() -> None:
    """The counter never falls below the size of the list."""
    assert NamePool(rig_name="gas", max_size=100, overflow_next=51).overflow_next == 101
    assert NamePool(rig_name="gas", max_size=3, overflow_next=51).overflow_next == 51
    assert NamePool(rig_name="gas", max_size=0).max_size == 50


def test_names_beyond_the_size_are_never_given_but_are_known() -> None:
    """A custom list longer than the pool: the rest is not handed out."""
    pool = NamePool(rig_name="gas", custom_names=["a", "b", "c"], max_size=2)

    assert _given(pool, 3, set()) == ["a", "b", "gas-3"]
    assert "c" in pool.names


def test_unknown_theme_means_the_default_one() -> None:
    """A theme nobody knows gives the default list, and keeps its name in the state."""
    pool = NamePool(rig_name="gas", theme="no-such")

    assert pool.names[0] == "furiosa"
    assert pool_state(pool)["theme"] == "no-such"


@pytest.mark.parametrize(
    ("sessions", "dirs", "in_use", "orphans"),
    [
        ((), (), set(), ()),
        ((), ("nux",), {"nux"}, ()),
        (("nux",), (), set(), ("nux",)),
        (("nux",), ("nux",), {"nux"}, ()),
        (("nux", "furiosa", "nux"), ("slit",), {"slit"}, ("furiosa", "nux")),
    ],
)
def test_reconcile_table(sessions: tuple[str, ...], dirs: tuple[str, ...], in_use: set[str], orphans: tuple[str, ...]) -> None:
    """A name is taken while it has a directory; a session without one is an orphan."""
    seen = reconcile_pool_with(sessions=sessions, dirs=dirs)

    assert seen.in_use == in_use
    assert seen.orphans == orphans


def test_a_freed_name_comes_back_after_its_directory_went() -> None:
    """T-44: a crashed polecat blocks its name no longer than its directory stands."""
    assert "nux" not in reconcile_pool_with(sessions=["nux"], dirs=[]).in_use


class _CountedName(str):
    """A name that counts how often it is hashed or compared."""

    __slots__ = ()
    touched = 0

    def __hash__(self) -> int:
        _CountedName.touched += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        _CountedName.touched += 1
        return super().__eq__(other)

    def __lt__(self, other: str) -> bool:
        _CountedName.touched += 1
        return super().__lt__(other)


def _touches(count: int) -> int:
    names = [_CountedName(f"cat-{at}") for at in range(count)]
    _CountedName.touched = 0
    reconcile_pool_with(sessions=names[::2], dirs=names)
    return _CountedName.touched


def test_reconcile_grows_linearly() -> None:
    """Ten times the names cost about ten times the work, counted in touches of a name."""
    assert _touches(20_000) < 15 * _touches(2_000)


def test_a_hundred_thousand_names() -> None:
    """100,000 names reconcile, and a name is found among them, well within a second of processor time."""
    names = [f"cat-{at}" for at in range(100_000)]
    began_s = time.process_time()

    seen = reconcile_pool_with(sessions=names[::2], dirs=names)
    name, _ = allocate_name(NamePool(rig_name="cat", max_size=1), seen.in_use | {"furiosa"})

    assert time.process_time() - began_s < 1.0
    assert name == "cat-100000"


def test_the_next_free_number_is_taken() -> None:
    """A taken number is passed over by one, not by more."""
    pool = NamePool(rig_name="gas", max_size=1)

    assert [allocate_name(pool, {"furiosa", *taken})[0] for taken in ([], ["gas-2"], ["gas-2", "gas-3"])] == [
        "gas-2", "gas-3", "gas-4",
    ]  # fmt: skip


def test_numbers_stand_alone_in_a_town_of_today() -> None:
    """Gas Town of today gives ``51``, and takes ``<rig>-51`` for a mistake; the counter and what is taken are the same."""
    pool = NamePool(rig_name="gas", max_size=1, bare_numbers=True)

    name, grown = allocate_name(pool, {"furiosa", "2", "gas-3"})

    assert (name, grown.overflow_next) == ("3", 4)
    assert pool_state(grown) == pool_state(evolve(grown, bare_numbers=False))
