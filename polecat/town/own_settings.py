"""Moves polecat's own keys out of ``settings/config.json``, which Gas Town rewrites with its own keys only, into ``settings/polecat.json``."""

from __future__ import annotations

from pathlib import Path

from attrs import fields

from polecat.documents import PlaceSettings, RigSettings, TownSettings
from polecat.errors import ConfigError
from polecat.town.files import write_bytes, write_json
from polecat.town.json_edit import without_key
from polecat.town.json_files import Node, read_document
from polecat.town.settings import OWN_FILE, SHARED_FILE

_GAS_TOWNS = ("namepool", "runtime", "agent", "agents", "role_agents", "default_agent")
_KEYS = {
    one.name
    for cls in (TownSettings, RigSettings, PlaceSettings)
    for one in fields(cls)
    if one.name not in (*_GAS_TOWNS, "place")
}


def misplaced_keys(folder: Path) -> tuple[str, ...]:
    """The keys of polecat's own that stand where Gas Town drops them, as they are written there.

    Args:
        folder: a town, or a rig.

    Raises:
        ConfigError: the file is invalid.
    """
    shared = read_document(folder / SHARED_FILE)
    return () if shared is None else _misplaced(shared)


def _misplaced(shared: Node) -> tuple[str, ...]:
    return tuple(key for key in shared.members if key.casefold() in _KEYS)


def move_own_keys(folder: Path) -> tuple[str, ...]:
    """Move these keys into polecat's own file. What stands there already stays, because it is what counts.

    Args:
        folder: a town, or a rig.

    Returns:
        The keys that were moved; every other byte of the file they were in is as it was.

    Raises:
        ConfigError: a file is invalid; nothing was changed.
        OSError: a file cannot be written. A key is then in both files, which means the same.
    """
    shared, own = read_document(folder / SHARED_FILE), read_document(folder / OWN_FILE)
    keys = () if shared is None else _misplaced(shared)
    if shared is None or not keys:
        return ()
    there = {} if own is None else own.members
    known = {key.casefold() for key in there}
    text = shared.source
    try:
        for key in keys:
            text = without_key(text, [key])
    except ValueError as error:
        raise ConfigError(
            shared.path, f"cannot be changed: {error}", hint=f"move {', '.join(keys)} to {OWN_FILE} by hand"
        ) from error
    moved = {key.casefold(): shared.members[key] for key in keys if key.casefold() not in known}
    write_json(folder / OWN_FILE, {**there, **moved})
    write_bytes(shared.path, text.encode("utf-8"))
    return keys
