"""Reads the settings of towns and rigs; their values are in `polecat.documents`.

Gas Town's own keys mean what they mean there. They stand in ``settings/config.json``, which Gas Town rewrites with its own keys only;
so polecat's stand in ``settings/polecat.json``. Both files are read, each key from either: what polecat's own file says counts.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import cast, get_args

from polecat.core.themes import THEMES
from polecat.documents import (
    TOP_PORT,
    Lfs,
    NamePoolSettings,
    PlaceSettings,
    RigSettings,
    RuntimeConfig,
    TownSettings,
    Trust,
)
from polecat.errors import ConfigError
from polecat.model import FetchPolicy
from polecat.names import RESERVED_NAMES, check_polecat_name
from polecat.town.files import read_text
from polecat.town.json_files import Layered, Node, read_document

SHARED_FILE, OWN_FILE = Path("settings", "config.json"), Path("settings", "polecat.json")
"""Where settings stand, below a town or a rig: what Gas Town writes too, and what only polecat knows."""

_THEME_NAME, _MOST_NAMES = re.compile(r"[a-z][a-z0-9-]{3,}"), 2000
_THEME_HINT = "a name is of four and more of a to z, 0 to 9 and '-', and begins with a letter"

_DURATION = r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)\Z"


def load_rig_settings(rig_path: Path) -> RigSettings:
    """Read a rig's settings; what neither file says has its default.

    Raises:
        ConfigError: a file is invalid.
    """
    shared = read_document(rig_path / SHARED_FILE)
    if shared is not None:
        shared.choice_of("type", ("rig-settings",))
        check_version(shared, newest=1)
        _check_unused(shared)
    doc = _both(rig_path, shared)
    _check_merge_queue(doc)
    return RigSettings(
        namepool=_name_pool(doc, rig_path),
        runtime=None if doc.child("runtime") is None else _runtime(doc.object_of("runtime")),
        agent=doc.text_of("agent"),
        agents=_agents(doc),
        role_agents=_role_agents(doc),
        max_polecats=doc.integer_of("max_polecats", 30, least=1),
        fetch=_fetch(doc),
        fetch_timeout_s=doc.number_of("fetch_timeout_s", 120.0, above=0),
        leave_out=_paths(doc, "leave_out"),
        trust=cast(Trust, doc.choice_of("trust", get_args(Trust), "inherit")),
        ready_timeout_s=doc.number_of("ready_timeout_s", 60.0, above=0),
        min_free_disk_mb=doc.integer_of("min_free_disk_mb", 500, least=0),
        respawn_limit=doc.integer_of("respawn_limit", 3, least=1),
        warm_spares=doc.integer_of("warm_spares", 0, least=0, most=100),
        rescue_ignored=_patterns(doc, "rescue_ignored"),
        setup_hook_timeout_s=doc.number_of("setup_hook_timeout_s", 300.0, above=0),
        worktree_include=_patterns(doc, "worktree_include"),
        place=_place(doc),
    )


def load_town_settings(town_root: Path) -> TownSettings:
    """Read a town's settings; what neither file says has its default.

    Raises:
        ConfigError: a file is invalid.
    """
    shared = read_document(town_root / SHARED_FILE)
    if shared is not None:
        shared.text_of("type")
        shared.integer_of("version")
    doc = _both(town_root, shared)
    socket = doc.child("tmux_socket")
    if socket is not None and (any(c in socket.text() for c in "\0\n") or socket.text().startswith("-")):
        raise socket.must("a socket's name or path")
    host = doc.child("host")
    if host is not None and not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})?", host.text()):
        raise host.must("up to 64 letters, digits, '.', '_' and '-'")
    return TownSettings(
        default_agent=doc.text_of("default_agent"),
        agents=_agents(doc),
        role_agents=_role_agents(doc),
        tmux_socket=doc.text_of("tmux_socket"),
        host=doc.text_of("host"),
    )


def _both(folder: Path, shared: Node | None) -> Node:
    """Lay polecat's own file over the one that Gas Town writes too."""
    own = read_document(folder / OWN_FILE)
    below = shared or Node(path=folder / SHARED_FILE, source="", value={})
    if own is None:
        return below
    check_version(own, newest=1)
    return Layered(path=own.path, source=own.source, value=own.value, below=below)


def check_version(doc: Node, *, newest: int) -> None:
    """Refuse a document of a version from the future."""
    version = doc.integer_of("version")
    if version > newest:
        hint = "it was written by a newer program"
        raise doc.missing("version", f"is unsupported: {version}; known up to {newest}", hint=hint)


def _runtime(node: Node) -> RuntimeConfig:
    session, hooks, tmux = node.object_of("session"), node.object_of("hooks"), node.object_of("tmux")
    for key in ("command", "provider"):
        if any(c in node.text_of(key) for c in "\0\n"):
            raise node.missing(key, "must be one line")
    flag = node.text_of("prompt_flag")
    if re.search(r"\s", flag):
        raise node.missing("prompt_flag", f"must be one word such as --prompt, not {flag!r}")
    return RuntimeConfig(
        provider=node.text_of("provider"),
        command=node.text_of("command"),
        args=node.texts_of("args"),
        initial_prompt=node.text_of("initial_prompt"),
        prompt_mode=node.choice_of("prompt_mode", ("arg", "none")),
        prompt_flag=flag,
        session_id_env=session.text_of("session_id_env"),
        config_dir_env=session.text_of("config_dir_env"),
        hooks_provider=hooks.text_of("provider"),
        hooks_dir=hooks.text_of("dir"),
        hooks_file=hooks.text_of("settings_file"),
        process_names=tmux.texts_of("process_names") or (),
        ready_prompt_prefix=tmux.text_of("ready_prompt_prefix"),
        ready_delay_ms=tmux.integer_of("ready_delay_ms"),
        instructions_file=node.object_of("instructions").text_of("file"),
    )


def _agents(doc: Node) -> dict[str, RuntimeConfig]:
    return {name: _runtime(node) for name, node in doc.entries_of("agents").items()}


def _role_agents(doc: Node) -> dict[str, str]:
    return {role: node.text() for role, node in doc.entries_of("role_agents").items()}


def _name_pool(doc: Node, rig_path: Path) -> NamePoolSettings | None:
    """Where names come from. Without ``namepool`` those of the rig's ``config.json`` count, as in Gas Town."""
    if doc.child("namepool") is None:
        fixed = read_document(rig_path / "config.json")
        names = () if fixed is None else names_of(fixed, "polecat_names")
        return NamePoolSettings(names=names) if names else None
    node = doc.object_of("namepool")
    names, style = names_of(node, "names"), node.text_of("style")
    if not names and style and style not in THEMES:
        names = _theme_names(node, rig_path.parent, style)
    return NamePoolSettings(style=style, names=names, max_before_numbering=node.integer_of("max_before_numbering"))


def names_of(node: Node, key: str) -> tuple[str, ...]:
    """Read a list of names for polecats. Names of roles may be in it; they are never given."""
    for item in node.items_of(key) or ():
        if item.value is None or item.text().lower() in RESERVED_NAMES:
            continue
        try:
            check_polecat_name(item.text())
        except ValueError as error:
            raise item.error(f"cannot name a polecat: {error}") from None
    return tuple(name for name in node.texts_of(key) or () if name)


def _theme_names(node: Node, town_root: Path, style: str) -> tuple[str, ...]:
    """The names of a theme of the town's own. Lines that Gas Town skips are skipped, so that both give the same names."""
    folder = town_root / "settings" / "themes"
    path = folder / f"{style}.txt"
    text = read_text(path) if path.parent == folder and "\0" not in style else None
    if text is None:
        own = sorted(path.stem for path in folder.glob("*.txt"))
        known = ", ".join((*THEMES, *own))
        raise node.missing("style", f"names no theme: {style!r}; there are {known}", hint=f"its names would stand in {path}")
    lines = (line.strip(" \t\r").lower() for line in text.split("\n"))
    names = tuple(dict.fromkeys(line for line in lines if _THEME_NAME.fullmatch(line) and line not in RESERVED_NAMES))
    if not 0 < len(names) <= _MOST_NAMES:
        raise ConfigError(path, f"must hold 1 to {_MOST_NAMES} names, one a line, not {len(names)}", hint=_THEME_HINT)
    return names


def _check_merge_queue(doc: Node) -> None:
    """Check how the rig's refinery merges, as `_check_unused`."""
    node = doc.object_of("merge_queue")
    for key in ("enabled", "integration_branches", "run_tests", "delete_merged_branches"):
        node.flag_of(key)
    for key in ("target_branch", "integration_branch_template", "test_command"):
        node.text_of(key)
    interval = node.text_of("poll_interval")
    if interval and not re.match(_DURATION, interval):
        raise node.missing("poll_interval", f"must be a duration such as 30s or 1m30s, not {interval!r}")
    node.choice_of("on_conflict", ("assign_back", "auto_rebase"))
    for key in ("retry_flaky_tests", "max_concurrent"):
        node.integer_of(key, least=0)


def _check_unused(doc: Node) -> None:
    """Check what Gas Town reads and polecat does not, so that both accept the same files."""
    theme = doc.object_of("theme")
    theme.text_of("name")
    theme.object_of("custom").text_of("bg")
    theme.object_of("custom").text_of("fg")
    for node in theme.entries_of("role_themes").values():
        node.text()
    doc.object_of("crew").text_of("startup")
    doc.object_of("workflow").text_of("default_formula")


def _fetch(doc: Node) -> str:
    text = doc.text_of("fetch") or "always"
    with contextlib.suppress(ValueError):
        if FetchPolicy.parse(text).max_age_s >= 0:
            return text
    raise doc.missing("fetch", f"must be 'always', 'never' or 'if-older-than SECONDS', not {text!r}")


def _place(doc: Node) -> PlaceSettings:
    source = doc.text_of("worktree_include_from")
    if source and (not os.path.isabs(os.path.expanduser(source)) or any(c in source for c in "\0\n")):
        raise doc.missing("worktree_include_from", "must be an absolute path, or start with ~/")
    base = doc.integer_of("port_base", 20_000, least=1024, most=TOP_PORT)
    block = doc.integer_of("port_block", 10, least=0, most=1000)
    top = doc.integer_of("port_top", max(32_767, min(TOP_PORT, base + 999)), least=1024, most=TOP_PORT)
    if block and base + block - 1 > top:
        raise doc.missing("port_top", f"leaves no room for a block of {block} ports from {base}")
    return PlaceSettings(
        submodules=doc.flag_of("submodules", True),
        submodule_timeout_s=doc.number_of("submodule_timeout_s", 300.0, above=0),
        lfs=cast(Lfs, doc.choice_of("lfs", get_args(Lfs), "eager")),
        port_block=block,
        port_base=base,
        port_top=top,
        compose_project=doc.flag_of("compose_project", True),
        worktree_include_from=os.path.expanduser(source),
        worktree_include_limit_mb=doc.integer_of("worktree_include_limit_mb", 1024, least=0),
    )


def _patterns(doc: Node, key: str) -> tuple[str, ...]:
    """Read a list of patterns, each on one line."""
    items = doc.items_of(key) or ()
    for item in items:
        if not item.text() or any(c in item.text() for c in "\0\n"):
            raise item.must("a pattern on one line")
    return tuple(item.text() for item in items)


def _paths(doc: Node, key: str) -> tuple[str, ...]:
    """Read a list of paths inside the project."""
    for item in doc.items_of(key) or ():
        parts = item.text().strip("/").split("/") if isinstance(item.value, str) else []
        if not parts or any(part in ("", ".", "..", ".git") for part in parts):
            raise item.must("a path inside the project, such as docs/old")
    return _patterns(doc, key)
