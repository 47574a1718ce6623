"""Which Gas Town works on a town: its server and names as its own programs gave them, and what cannot share a town."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat.core.gastown import era_of_version, gastown_of, misfit, town_server
from polecat.model import GasTown

TOWN = Path("/tmp/g1/town")


@pytest.mark.parametrize(
    ("root", "server"),
    [
        ("/tmp/g1/town", "town-dea9cd"),
        ("/home/me/My Town", "my-town-2212b7"),
        ("/x/Ä_b.c", "b-c-"),
        ("/x/ßß", "default-"),
        ("/", "default-8a5edab2"[:14]),
    ],
)
def test_each_town_has_a_server_of_its_own(root: str, server: str) -> None:
    """It is named by the town's directory, in letters that a socket may have, and by six digits of the hash of its path."""
    found = town_server(Path(root), Path(root))

    assert found.startswith(server)
    assert len(found.rpartition("-")[2]) == 6


def test_a_symlink_leads_to_the_same_digits() -> None:
    """The name is that of the path as it was given, the digits are those of the real one."""
    assert town_server(Path("/link/gt"), TOWN) == "gt-dea9cd"


def _of(*, is_today: bool, is_older: bool = False, prefix: str = "ga") -> GasTown:
    return gastown_of(TOWN, real_root=TOWN, is_today=is_today, is_older=is_older, prefix=prefix, agents_dir=TOWN / ".beads")


def test_what_follows_from_the_era() -> None:
    """Only Gas Town of today has a server, session names and agent beads of its own; without a prefix it says gt."""
    assert _of(is_today=False) == GasTown()
    assert _of(is_today=False, is_older=True) == GasTown(era="seed")
    assert _of(is_today=True, is_older=True) == GasTown(
        era="today", server="town-dea9cd", session_prefix="ga", agents_dir=TOWN / ".beads"
    )
    assert _of(is_today=True, prefix="").session_prefix == "gt"


@pytest.mark.parametrize(
    ("text", "era"),
    [
        ("gt version 0.2.6", "seed"),
        ("gt version 0.7.9", "seed"),
        ("gt version 0.8.0", "between"),
        ("gt version 0.12.1 (abc)", "between"),
        ("gt version 0.13.0", "today"),
        ("gt version 1.2.1", "today"),
        ("gt version 10.0.0", "today"),
        ("gt version (devel)", "unknown"),
        ("1.7.4", "unknown"),  # another program of that name
        ("", "unknown"),
    ],
)
def test_a_version_says_of_when_it_is(text: str, era: str) -> None:
    """By its first two numbers; what says none is unknown."""
    assert era_of_version(text) == era


TODAY = _of(is_today=True)


@pytest.mark.parametrize(
    ("gastown", "is_its_server", "version", "says"),
    [
        (GasTown(), True, "", None),
        (GasTown(era="seed"), False, "gt version 0.2.6", None),
        (GasTown(era="seed"), True, "gt version 0.10.0", "gt version 0.10.0 looks"),
        (TODAY, True, "gt version 1.2.1", None),
        (TODAY, True, "", None),
        (TODAY, True, "gt version 0.2.6", "gt version 0.2.6 looks"),
        (TODAY, False, "gt version 1.2.1", "uses the tmux server town-dea9cd and polecat mine"),
    ],
)
def test_what_cannot_share_a_town(gastown: GasTown, is_its_server: bool, version: str, says: str | None) -> None:
    """Another server than Gas Town's, versions of which each looked elsewhere, and an old program in a town of today."""
    found = misfit(gastown, server="mine", is_its_server=is_its_server, version=version)

    assert found is None if says is None else found is not None and says in found[0]
