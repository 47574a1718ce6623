"""Which Gas Town works on a town, and where that one keeps things. Pure; `polecat.town.gastown` reads what it needs to know.

Up to 0.7 it was as at the seed's revision: the user's own tmux server, sessions named ``gt-<rig>-<name>``, agent beads in the rig's database.
Since 0.13 each town has a server of its own, sessions are named ``<prefix>-<name>``, and agent beads are in the town's database. Between the
two lie versions of which each looked elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal

from polecat.model import GasTown

_DEFAULT_PREFIX = "gt"


def gastown_of(root: Path, *, real_root: Path, is_today: bool, is_older: bool, prefix: str, agents_dir: Path | None) -> GasTown:
    """Decide which Gas Town a rig belongs to.

    Args:
        root: the town.
        real_root: the same, symlinks resolved.
        is_today: there is a file that only Gas Town of today makes.
        is_older: there is one that every Gas Town makes, and nobody else.
        prefix: the rig's prefix in ``rigs.json``; empty for none.
        agents_dir: the town's beads directory; None where that has no database.

    Examples:
        >>> t = Path("/t")
        >>> found = gastown_of(t, real_root=t, is_today=True, is_older=True, prefix="gs", agents_dir=None)
        >>> found.server, found.session_prefix
        ('t-599c83', 'gs')
        >>> gastown_of(t, real_root=t, is_today=False, is_older=True, prefix="gs", agents_dir=None).session_prefix
        ''

    Source:
        gt 1.2.1: ``session.InitRegistry``, ``session.PrefixForRig``, ``beads.ForAgentBead``.
    """
    if not is_today:
        return GasTown(era="seed" if is_older else "none")
    return GasTown(
        era="today", server=town_server(root, real_root), session_prefix=prefix or _DEFAULT_PREFIX, agents_dir=agents_dir
    )


def town_server(root: Path, real_root: Path) -> str:
    """Name the tmux server that Gas Town of today uses for a town: its directory, and six digits of the hash of its real path.

    Examples:
        >>> town_server(Path("/home/me/My Town"), Path("/home/me/My Town"))
        'my-town-2212b7'

    Source:
        gt 1.2.1, ``session.townSocketName``.
    """
    base = re.sub(r"[^a-z0-9-]+", "-", root.name.lower()).strip("-") or "default"
    return f"{base}-{hashlib.sha256(str(real_root).encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"


def era_of_version(text: str) -> Literal["seed", "between", "today", "unknown"]:
    """Say of when a ``gt`` is, from what ``gt --version`` prints; ``between`` cannot share a town with polecat.

    Other programs are called ``gt`` too; one that does not say ``gt version`` is *unknown*.

    Examples:
        >>> [era_of_version(text) for text in ("gt version 0.2.6", "gt version 0.9.0", "gt version 1.2.1", "1.7.4")]
        ['seed', 'between', 'today', 'unknown']

    Source:
        The changelog of gt: 0.8.0 (names of sessions), 0.11.0 and 0.13.0 (servers).
    """
    found = re.match(r"gt version v?(\d+)\.(\d+)\.\d+", text)
    if found is None:
        return "unknown"
    version = (int(found[1]), int(found[2]))
    return "seed" if version < (0, 8) else "between" if version < (0, 13) else "today"


def misfit(gastown: GasTown, *, server: str | None, is_its_server: bool, version: str) -> tuple[str, str] | None:
    """Say why polecat and Gas Town cannot share a town, and what to do; None if they can.

    Args:
        gastown: which one works on it.
        server: polecat's tmux server; None for the default one.
        is_its_server: that is Gas Town's as well.
        version: what ``gt --version`` prints; empty where there is none.

    Examples:
        >>> misfit(GasTown(), server=None, is_its_server=True, version="gt version 0.9.0")[1]
        'install gt 0.13 or later'
        >>> misfit(GasTown(era="today", server="t-599c83"), server="mine", is_its_server=False, version="")[1]
        "leave --socket out, take tmux_socket out of the town's settings, and start the polecats again"
    """
    era = era_of_version(version)
    if era == "between" or (era == "seed" and gastown.is_today):
        return (
            f"{version} looks for polecats elsewhere than this town has them, and takes living ones for dead",
            "install gt 0.13 or later",
        )
    if gastown.is_today and not is_its_server:
        ours = "the default one" if server is None else server
        return (
            f"Gas Town uses the tmux server {gastown.server} and polecat {ours}: each takes the other's living polecats for dead",
            "leave --socket out, take tmux_socket out of the town's settings, and start the polecats again",
        )
    return None
