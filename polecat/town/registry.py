"""Writing what makes a town and its rigs: ``town.json``, ``rigs.json``, a rig's ``config.json``.

Each writer changes one thing in a file, keeps everything it does not know, and replaces the file in one step.
"""

from __future__ import annotations

from pathlib import Path

from polecat.documents import RigConfig, RigEntry, TownConfig
from polecat.names import derive_prefix
from polecat.town.config import load_rigs, rigs_path
from polecat.town.files import sorted_map, write_json
from polecat.town.json_files import format_time, read_document


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
    record: dict[str, object] = {
        "git_url": entry.git_url,
        "local_repo": entry.local_repo,
        "added_at": format_time(entry.added_at),
    }
    if not entry.local_repo:
        del record["local_repo"]
    if entry.beads_prefix or entry.beads_repo:
        record["beads"] = {"repo": entry.beads_repo, "prefix": entry.beads_prefix}
    _change_rigs(town_root, name, record)


def unregister_rig(town_root: Path, name: str) -> None:
    """Take a rig out of the registry, if it is there; errors as `register_rig`."""
    _change_rigs(town_root, name, None)


def _change_rigs(town_root: Path, name: str, record: dict[str, object] | None) -> None:
    load_rigs(town_root)
    path = rigs_path(town_root)
    node = read_document(path)
    old_document = node.value if node is not None else None
    document: dict[str, object] = dict(old_document) if isinstance(old_document, dict) else {}
    document = document or {"version": 1}
    there = node.object_of("rigs") if node is not None else None
    key = str(there.at[-1]) if there is not None else "rigs"
    old = document.get(key)
    rigs = dict(old) if isinstance(old, dict) else {}
    rigs.pop(name, None)
    if record is not None:
        rigs[name] = record
    document[key] = sorted_map(rigs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, document, mode=None if node is not None else 0o600)
