"""Trust for a new worktree, so that its agent need not ask: what the user has given to the repository, or to the rig's polecats.

Where the rig says ``inherit``, only what the user answered with yes is handed on, and only between places that are the same repository:
the clone ``mayor/rig``, the rig's directory, the local checkout that the rig was added from. Where it says ``accept``, the worktree is
trusted, and nothing but the worktree: the agent's own dialog may keep a yes for more than that. Without either, and whenever something
is unclear, the agent asks, and the polecat is reported as *waiting*.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from polecat.core.agent_model import Agent
from polecat.documents import Trust
from polecat.model import Rig
from polecat.place.trust_stores import ClaudeTrust, CodexTrust, FolderTrust, TrustStore
from polecat.town.files import why_not, write_json
from polecat.town.guarded import read_guarded, read_json_object


@frozen(kw_only=True)
class Inherited:
    """How giving trust went.

    Attributes:
        source: the directory whose trust was handed on; empty if none was.
        warnings: what went wrong, each one line.
    """

    source: str = ""
    warnings: tuple[str, ...] = ()


def inherit_trust(
    rig: Rig, clone: Path, agent: Agent, *, policy: Trust, config_dir: str = "", environ: Mapping[str, str]
) -> Inherited:
    """Let a new worktree be trusted if the rig accepts that, or if, and only as long as, the user trusts the repository.

    Args:
        rig: the rig.
        clone: the worktree; its parent's name is the polecat's.
        agent: the agent that will start there.
        policy: the rig's setting; ``ask`` gives nothing.
        config_dir: the account's configuration directory; empty for none.
        environ: the caller's environment.

    Source:
        Incident T-36.
    """
    stores = stores_of(agent, config_dir=config_dir, environ=environ)
    if not stores:
        return Inherited()
    store, name = stores[0], clone.parent.name
    try:
        source = _trusted_source(rig, stores) if policy == "inherit" else ""
        if not source and policy != "accept":
            withdraw_trust(rig, name)
            return Inherited()
        if not store.is_in_use:  # an agent that was never started asks more than this
            return Inherited()
        for place in dict.fromkeys((clone, Path(os.path.realpath(clone)))):
            if not store.is_trusted(place):
                _note(rig, name, store, place)
                store.set_trusted(place, trusted=True)
        return Inherited(source=source)
    except (OSError, ValueError) as error:
        why = why_not(error) if isinstance(error, OSError) else f"{store.path}: {error}"
        return Inherited(warnings=(f"the worktree was not entered as trusted: {why}",))


def withdraw_trust(rig: Rig, name: str) -> None:
    """Take back the trust that was handed on to a polecat's worktree, and to no other directory. Nothing noted is nothing to do.

    Raises:
        OSError: the agent's file cannot be written.
        ValueError: it has another form by now.
    """
    path, home = _note_path(rig, name), os.path.realpath(rig.home_dir(name))
    for kind, file, place in _read_notes(path):
        # a note that was copied with the town, or changed, may name somebody else's directory
        is_anothers = os.path.lexists(place) and not Path(os.path.realpath(place)).is_relative_to(home)
        if not is_anothers and Path(file).exists():
            _STORES[kind](path=Path(file)).set_trusted(Path(place), trusted=False)
    path.unlink(missing_ok=True)


def stores_of(agent: Agent, *, config_dir: str, environ: Mapping[str, str]) -> tuple[TrustStore, ...]:
    """Where an agent looks for trust: the first is the one it will read; the others are the user's own. Empty if we do not know."""
    home = environ.get("HOME", "")
    if agent.config_dir_env == "CLAUDE_CONFIG_DIR":
        places = [config_dir, environ.get("CLAUDE_CONFIG_DIR", ""), home]
        return tuple(ClaudeTrust(path=Path(place) / ".claude.json") for place in dict.fromkeys(filter(None, places)))
    names = {*agent.process_names, posixpath.basename(agent.command)}
    if "codex" in names:
        place = environ.get("CODEX_HOME") or (f"{home}/.codex" if home else "")
        return (CodexTrust(path=Path(place) / "config.toml"),) if place else ()
    for name, variable, folder in _folder_files(environ):
        if name in names:
            file = environ.get(variable) or (f"{folder}/trustedFolders.json" if folder else "")
            return (FolderTrust(path=Path(file)),) if file else ()
    return ()


def _folder_files(environ: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Agents with a ``trustedFolders.json``: the program, the variable that names the file, the directory it is in otherwise."""
    home = environ.get("HOME", "")
    gemini = environ.get("GEMINI_CLI_HOME") or home
    return (
        ("gemini", "GEMINI_CLI_TRUSTED_FOLDERS_PATH", f"{gemini}/.gemini" if gemini else ""),
        ("qwen", "QWEN_CODE_TRUSTED_FOLDERS_PATH", environ.get("QWEN_HOME") or (f"{home}/.qwen" if home else "")),
    )


def same_repository(rig: Rig) -> tuple[Path, ...]:
    """The places that are the rig's repository as a person knows it."""
    places = [rig.path / "mayor" / "rig", rig.path]
    url = rig.git_url.removeprefix("file://")
    if os.path.isabs(url):
        places.append(Path(url))
    if rig.local_repo is not None and rig.git_url and _origin_of(rig.local_repo) == rig.git_url:
        places.append(rig.local_repo)
    return tuple(places)


def _trusted_source(rig: Rig, stores: tuple[TrustStore, ...]) -> str:
    for place in same_repository(rig):
        for spelling in dict.fromkeys((place, Path(os.path.realpath(place)))):
            if any(store.is_trusted(spelling) for store in stores):
                return str(spelling)
    return ""


def _origin_of(clone: Path) -> str:
    """Read where a clone comes from; empty if that cannot be told."""
    try:
        text = (read_guarded(clone / ".git" / "config") or b"").decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    section = re.search(r'^\[remote "origin"\]$(.*?)(?=^\[|\Z)', text, re.MULTILINE | re.DOTALL)
    url = re.search(r"^[ \t]*url[ \t]*=[ \t]*(.*?)[ \t\r]*$", section[1], re.MULTILINE) if section else None
    return url[1] if url else ""


# ------------------------------------------------------------------------------------------------- what we handed on

_STORES: Mapping[str, type[TrustStore]] = {store.kind: store for store in (ClaudeTrust, CodexTrust, FolderTrust)}


def _note_path(rig: Rig, name: str) -> Path:
    return rig.runtime_dir / "trust" / f"{name}.json"


def _note(rig: Rig, name: str, store: TrustStore, place: Path) -> None:
    """Note what is about to be written, so that it can be taken back even if we are killed right after."""
    path = _note_path(rig, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = [*_read_notes(path), (store.kind, str(store.path), str(place))]
    write_json(path, {"version": 1, "given": [list(note) for note in dict.fromkeys(notes)]})


def _read_notes(path: Path) -> list[tuple[str, str, str]]:
    try:
        given: Any = (read_json_object(path) or {}).get("given", ())
        return [(str(kind), str(file), str(place)) for kind, file, place in given if kind in _STORES]
    except (OSError, ValueError, TypeError):
        return []
