"""The variables that belong to a polecat's place, not to its identity: its ports, its containers, how git-lfs behaves there."""

from __future__ import annotations

import hashlib

from polecat.documents import PlaceSettings
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.place.ports import PortRange, reserve_ports

_KEPT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def compose_project(rig: Rig, name: str) -> str:
    """Name the Docker Compose project of a polecat: its own on this machine, the same each time.

    Examples:
        >>> from pathlib import Path
        >>> compose_project(Rig(name="Gas_town", path=Path("/gt/Gas_town")), "nux")[:-4]
        'gas_town-nux-'
    """
    mark = hashlib.sha256(str(rig.path).encode("utf-8", "surrogateescape")).hexdigest()[:4]
    kept = (char if char in _KEPT else "-" for char in f"{rig.name}-{name}".lower())
    plain = "".join(kept).lstrip("-_")
    return f"{plain}-{mark}"


def place_env(rig: Rig, name: str, settings: PlaceSettings) -> tuple[dict[str, str], tuple[str, ...]]:
    """Reserve what the polecat's place needs and say which variables tell of it.

    Args:
        rig: the rig.
        name: the polecat; its home exists.
        settings: the rig's settings.

    Returns:
        The variables, and warnings: a place without ports is still a place.
    """
    env: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    if settings.port_block:
        ports = PortRange(base=settings.port_base, top=settings.port_top, size=settings.port_block)
        try:
            env["POLECAT_PORT_BASE"] = str(reserve_ports(rig, name, ports))
            env["POLECAT_PORT_COUNT"] = str(settings.port_block)
        except (PolecatError, OSError) as error:
            warnings = (f"no ports were reserved: {getattr(error, 'message', None) or error}",)
    if settings.compose_project:
        env["COMPOSE_PROJECT_NAME"] = compose_project(rig, name)
    if settings.is_lfs_lazy:
        env["GIT_LFS_SKIP_SMUDGE"] = "1"
    return env, warnings
