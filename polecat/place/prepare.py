"""A polecat's place beyond its worktree: the ports that are its own, the containers that are its own, the trust its agent inherits."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from polecat.core.agent_model import Agent
from polecat.documents import PlaceSettings, RigSettings
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.place.ports import PortRange, reserve_ports
from polecat.place.trust import inherit_trust, withdraw_trust
from polecat.town.logs import log


@frozen(kw_only=True)
class Place:
    """What was prepared.

    Attributes:
        variables: what tells the agent and the set-up hooks of it.
        trusted_as: the directory whose trust was handed on; empty if none was.
        warnings: what went wrong, each one line.
    """

    variables: Mapping[str, str] = field(factory=dict)
    trusted_as: str = ""
    warnings: tuple[str, ...] = ()


def prepare_place(
    rig: Rig, clone: Path, agent: Agent, *, settings: RigSettings, config_dir: str = "", environ: Mapping[str, str]
) -> Place:
    """Reserve what belongs to a polecat's place; nothing here can fail a spawn.

    Args:
        rig: the rig.
        clone: where the worktree stands or will stand; its parent is the polecat's home, which exists.
        agent: the agent that will work there.
        settings: the rig's settings.
        config_dir: the account's configuration directory; empty for none.
        environ: the caller's environment.
    """
    sweep_places(rig)
    variables, warnings = place_env(rig, clone.parent.name, settings.place)
    inherited = inherit_trust(rig, clone, agent, policy=settings.trust, config_dir=config_dir, environ=environ)
    return Place(variables=variables, trusted_as=inherited.source, warnings=(*warnings, *inherited.warnings))


def compose_project(rig: Rig, name: str) -> str:
    """Name the Docker Compose project of a polecat: its own on this machine, the same each time.

    Examples:
        >>> from pathlib import Path
        >>> compose_project(Rig(name="Gas_town", path=Path("/gt/Gas_town")), "nux")[:-4]
        'gas_town-nux-'
    """
    mark = hashlib.sha256(str(rig.path).encode("utf-8", "surrogateescape")).hexdigest()[:4]
    plain = re.sub(r"[^a-z0-9_-]", "-", f"{rig.name}-{name}".lower()).lstrip("-_")
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


def leave_place(rig: Rig, name: str) -> None:
    """Take back what outlives a worktree: the trust that was handed on. Ports are free as soon as the home is gone."""
    try:
        withdraw_trust(rig, name)
    except (PolecatError, OSError, ValueError) as error:
        log("warning", "trust_not_withdrawn", rig=rig.name, polecat=name, error=str(error))


def sweep_places(rig: Rig) -> None:
    """Take back what was prepared for polecats that are gone, because whoever removed them did not."""
    with contextlib.suppress(OSError):
        for note in os.listdir(rig.runtime_dir / "trust"):
            name = note.removesuffix(".json")
            if name != note and not rig.home_dir(name).exists():
                leave_place(rig, name)
