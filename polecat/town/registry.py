"""Writing what makes a town and its rigs: ``town.json``, ``rigs.json``, a rig's ``config.json``.

Who has which prefix is known here as well, because registry and routes each say one.

Each writer changes one thing in a file, keeps everything it does not know, and replaces the file in one step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

from polecat.documents import RigConfig, RigEntry, TownConfig
from polecat.names import derive_prefix
from polecat.town.config import load_rigs, rigs_path
from polecat.town.files import write_json
from polecat.town.json_files import format_time, parse_document, read_document
from polecat.town.routes import load_routes, rig_prefix


def write_town(town_root: Path, town: TownConfig) -> None:
    """Write ``mayor/town.json``, which makes the directory a town.

    Raises:
        OSError: it cannot be written.
    """
    document = {
        "type": "town",
        "version": 2,
        "name": town.name,
        "owner": town.owner,
        "public_name": town.public_name,
        "created_at": format_time(town.created_at),
    }
    path = town_root / "mayor" / "town.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {k: v for k, v in document.items() if v or k == "name"}, mode=0o600)


def write_rig_config(rig_path: Path, config: RigConfig) -> None:
    """Write ``<rig>/config.json``.

    Raises:
        OSError: it cannot be written.
    """
    document: dict[str, object] = {
        "type": "rig",
        "version": 1,
        "name": config.name,
        "git_url": config.git_url,
        "local_repo": config.local_repo,
        "default_branch": config.default_branch,
        "created_at": format_time(config.created_at),
        "beads": {"prefix": config.beads_prefix or derive_prefix(config.name)},
    }
    write_json(rig_path / "config.json", {k: v for k, v in document.items() if v or k == "git_url"})


def register_rig(town_root: Path, name: str, entry: RigEntry) -> None:
    """Add a rig to the registry, or replace its entry; everything else in the file stays. Hold the town's lock.

    Raises:
        ConfigError: the registry that is there is invalid; it was not touched.
        OSError: it cannot be written.
    """
    new: dict[str, object] = {"git_url": entry.git_url}
    if entry.local_repo:
        new["local_repo"] = entry.local_repo
    new["added_at"] = format_time(entry.added_at)
    if entry.beads_prefix or entry.beads_repo:
        new["beads"] = {"repo": entry.beads_repo, "prefix": entry.beads_prefix}
    _change_rigs(town_root, lambda rigs: {**rigs, name: new})


def unregister_rig(town_root: Path, name: str) -> None:
    """Take a rig out of the registry. Errors as `register_rig`."""
    _change_rigs(town_root, lambda rigs: {key: value for key, value in rigs.items() if key != name})


def _change_rigs(town_root: Path, change: Callable[[Mapping[str, object]], Mapping[str, object]]) -> None:
    load_rigs(town_root)
    path = rigs_path(town_root)
    old = read_document(path)
    doc = old or parse_document(path, "{}")
    rigs = doc.object_of("rigs")
    entries = dict(sorted(change(rigs.members).items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**(doc.members or {"version": 1}), str(rigs.at[-1]): entries}, mode=0o600 if old is None else None)


def prefix_owners(root: Path) -> dict[str, str]:
    """Prefix of beads, in small letters → the path of the rig that has it, ``.`` for the town itself."""
    entries, routes = load_rigs(root), load_routes(root)
    owners = {"hq": "."} | {route.prefix.removesuffix("-").casefold(): route.path for route in routes}
    for name, entry in entries.items():
        owners[rig_prefix(routes, name, registered=entry.beads_prefix).casefold()] = name
        if entry.beads_prefix:
            owners[entry.beads_prefix.removesuffix("-").casefold()] = name
    return owners


def free_prefix(root: Path, name: str) -> str:
    """The prefix that a rig's name suggests, with a number behind it where that is taken."""
    first, owners = derive_prefix(name), prefix_owners(root)
    return next(
        one for number in itertools.count(1) if (one := first if number == 1 else f"{first}{number}").casefold() not in owners
    )
