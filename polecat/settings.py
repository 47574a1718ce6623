"""Settings of towns and rigs as frozen values, and how they are read from their files.

Gas Town's own keys mean what they mean there. Keys that only polecat knows stand beside them at the top level, which it ignores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attrs import field

from polecat.json_documents import Node, read_document
from polecat.model import FetchPolicy
from polecat.names import RESERVED_NAMES, check_polecat_name
from polecat.place_settings import PlaceSettings, paths_of, patterns_of, read_place
from polecat.values import frozen

Trust = Literal["inherit", "ask", "accept"]

_DURATION = r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)\Z"


@frozen(kw_only=True)
class RuntimeConfig:
    """An agent as settings describe it. Empty and None mean *not said*, which the resolution fills in.

    Attributes:
        provider: the built-in agent it is a variant of.
        command: the program: one path or name, never a command line.
        args: its arguments; not said means the provider's, empty means none.
        initial_prompt: kept for Gas Town; polecats get their prompt from the spawn.
        prompt_mode: ``arg`` or ``none``.
        session_id_env: the variable that holds the agent's session id.
        config_dir_env: the variable that names the agent's configuration directory.
        hooks_provider: whose hooks are installed.
        hooks_dir: the directory of the hooks' file, relative to ``polecats/``.
        hooks_file: the hooks' file.
        process_names: how the agent's process may be called.
        ready_prompt_prefix: what a line of the agent's screen starts with when it is ready.
        ready_delay_ms: how long to wait where nothing can be recognised; negative for not at all.
        instructions_file: the file the agent reads its instructions from.

    Source:
        Contract §3.8.
    """

    provider: str = ""
    command: str = ""
    args: tuple[str, ...] | None = None
    initial_prompt: str = ""
    prompt_mode: str = ""
    session_id_env: str = ""
    config_dir_env: str = ""
    hooks_provider: str = ""
    hooks_dir: str = ""
    hooks_file: str = ""
    process_names: tuple[str, ...] = ()
    ready_prompt_prefix: str = ""
    ready_delay_ms: int = 0
    instructions_file: str = ""


@frozen(kw_only=True)
class MergeQueue:
    """How the rig's refinery merges; read and checked, not used by polecat.

    Source:
        Contract §3.5.
    """

    on_conflict: str = ""
    poll_interval: str = ""
    retry_flaky_tests: int = 0
    max_concurrent: int = 0


@frozen(kw_only=True)
class NamePoolSettings:
    """Where a rig's names come from.

    Attributes:
        style: a built-in theme; an unknown or empty one means ``mad-max``.
        names: the rig's own names; if there is one, the theme does not count.
        max_before_numbering: how many names of the list are given before numbering starts; 0 means 50.
    """

    style: str = ""
    names: tuple[str, ...] = ()
    max_before_numbering: int = 0


@frozen(kw_only=True)
class RigSettings:
    """``<rig>/settings/config.json``.

    Attributes:
        namepool: where names come from.
        merge_queue: for the refinery.
        runtime: an agent described in place (deprecated in Gas Town, still obeyed).
        agent: the name of the rig's agent.
        agents: agents the rig defines.
        role_agents: the agent of each role.
        max_polecats: how many polecats the rig holds at most, those being made included.
        fetch: when a spawn asks the remote: ``always``, ``never`` or ``if-older-than SECONDS``.
        fetch_timeout_s: how long the remote may take.
        leave_out: root-anchored paths of the project that are not checked out.
        trust: ``inherit`` hands on the trust that the user gave to the repository, and leaves the agent's question to a person where
            there is none; ``ask`` always leaves it to a person; ``accept`` answers it.
        ready_timeout_s: how long an agent may take to be ready.
        min_free_disk_mb: a spawn is refused with less free disk.
        respawn_limit: how often in a row one bead may make an agent fail.
        warm_spares: how many prepared worktrees are kept.
        rescue_ignored: patterns of ignored files that are rescued before a forced removal.
        setup_hook_timeout_s: how long one set-up hook may take.
        worktree_include: patterns of ignored files that are copied into new worktrees, beside the project's own list.
        place: what else a polecat's place holds.

    Source:
        Contract §3.5.
    """

    namepool: NamePoolSettings | None = None
    merge_queue: MergeQueue | None = None
    runtime: RuntimeConfig | None = None
    agent: str = ""
    agents: Mapping[str, RuntimeConfig] = field(factory=dict)
    role_agents: Mapping[str, str] = field(factory=dict)
    max_polecats: int = 30
    fetch: str = "always"
    fetch_timeout_s: float = 120.0
    leave_out: tuple[str, ...] = ()
    trust: Trust = "inherit"
    ready_timeout_s: float = 60.0
    min_free_disk_mb: int = 500
    respawn_limit: int = 3
    warm_spares: int = 0
    rescue_ignored: tuple[str, ...] = ()
    setup_hook_timeout_s: float = 300.0
    worktree_include: tuple[str, ...] = ()
    place: PlaceSettings = field(factory=PlaceSettings)


@frozen(kw_only=True)
class TownSettings:
    """``<town>/settings/config.json``.

    Attributes:
        default_agent: the agent of rigs that name none.
        agents: agents the town defines.
        role_agents: the agent of each role.
        tmux_socket: the town's own tmux server, a name or a path; empty for the user's default one.

    Source:
        Contract §3.6.
    """

    default_agent: str = ""
    agents: Mapping[str, RuntimeConfig] = field(factory=dict)
    role_agents: Mapping[str, str] = field(factory=dict)
    tmux_socket: str = ""


# --------------------------------------------------------------------------------------------------------- loading


def load_rig_settings(rig_path: Path) -> RigSettings:
    """Read a rig's settings; an absent file gives the defaults.

    Raises:
        ConfigError: the file is invalid.
    """
    doc = read_document(rig_path / "settings" / "config.json")
    if doc is None:
        return RigSettings()
    doc.choice_of("type", ("rig-settings",))
    check_version(doc, newest=1)
    _check_unused(doc)
    runtime = doc.object_of("runtime")
    return RigSettings(
        namepool=_name_pool(doc),
        merge_queue=_merge_queue(doc),
        runtime=None if runtime is None else _runtime(runtime),
        agent=doc.text_of("agent"),
        agents=_agents(doc),
        role_agents=_role_agents(doc),
        max_polecats=doc.integer_of("max_polecats", 30, least=1),
        fetch=_fetch(doc),
        fetch_timeout_s=doc.number_of("fetch_timeout_s", 120.0, above=0),
        leave_out=paths_of(doc, "leave_out"),
        trust=_trust(doc),
        ready_timeout_s=doc.number_of("ready_timeout_s", 60.0, above=0),
        min_free_disk_mb=doc.integer_of("min_free_disk_mb", 500, least=0),
        respawn_limit=doc.integer_of("respawn_limit", 3, least=1),
        warm_spares=doc.integer_of("warm_spares", 0, least=0, most=100),
        rescue_ignored=patterns_of(doc, "rescue_ignored"),
        setup_hook_timeout_s=doc.number_of("setup_hook_timeout_s", 300.0, above=0),
        worktree_include=patterns_of(doc, "worktree_include"),
        place=read_place(doc),
    )


def load_town_settings(town_root: Path) -> TownSettings:
    """Read a town's settings; an absent file gives the defaults.

    Raises:
        ConfigError: the file is invalid.
    """
    doc = read_document(town_root / "settings" / "config.json")
    if doc is None:
        return TownSettings()
    doc.text_of("type")
    doc.integer_of("version")
    socket = doc.child("tmux_socket")
    if socket is not None and (any(c in socket.text() for c in "\0\n") or socket.text().startswith("-")):
        raise socket.must("a socket's name or path")
    return TownSettings(
        default_agent=doc.text_of("default_agent"),
        agents=_agents(doc),
        role_agents=_role_agents(doc),
        tmux_socket=doc.text_of("tmux_socket"),
    )


def check_version(doc: Node, *, newest: int) -> int:
    """Read the version of a document, which must not be from the future."""
    version = doc.integer_of("version")
    if version > newest:
        hint = "it was written by a newer program"
        raise doc.missing("version", f"is unsupported: {version}; known up to {newest}", hint=hint)
    return version


def _runtime(node: Node) -> RuntimeConfig:
    session, hooks, tmux = node.object_of("session"), node.object_of("hooks"), node.object_of("tmux")
    instructions = node.object_of("instructions")
    for key in ("command", "provider"):
        if any(c in node.text_of(key) for c in "\0\n"):
            raise node.missing(key, "must be one line")
    return RuntimeConfig(
        provider=node.text_of("provider"),
        command=node.text_of("command"),
        args=node.texts_of("args"),
        initial_prompt=node.text_of("initial_prompt"),
        prompt_mode=node.choice_of("prompt_mode", ("arg", "none")),
        session_id_env=session.text_of("session_id_env") if session else "",
        config_dir_env=session.text_of("config_dir_env") if session else "",
        hooks_provider=hooks.text_of("provider") if hooks else "",
        hooks_dir=hooks.text_of("dir") if hooks else "",
        hooks_file=hooks.text_of("settings_file") if hooks else "",
        process_names=(tmux.texts_of("process_names") or ()) if tmux else (),
        ready_prompt_prefix=tmux.text_of("ready_prompt_prefix") if tmux else "",
        ready_delay_ms=tmux.integer_of("ready_delay_ms") if tmux else 0,
        instructions_file=instructions.text_of("file") if instructions else "",
    )


def _agents(doc: Node) -> dict[str, RuntimeConfig]:
    return {name: _runtime(node) for name, node in doc.entries_of("agents").items()}


def _role_agents(doc: Node) -> dict[str, str]:
    return {role: node.text() for role, node in doc.entries_of("role_agents").items()}


def _name_pool(doc: Node) -> NamePoolSettings | None:
    node = doc.object_of("namepool")
    if node is None:
        return None
    for item in node.items_of("names") or ():
        if item.value is None or item.text().lower() in RESERVED_NAMES:
            continue
        try:
            check_polecat_name(item.text())
        except ValueError as error:
            raise item.error(f"cannot name a polecat: {error}") from None
    return NamePoolSettings(
        style=node.text_of("style"),
        names=tuple(name for name in node.texts_of("names") or () if name),
        max_before_numbering=node.integer_of("max_before_numbering"),
    )


def _merge_queue(doc: Node) -> MergeQueue | None:
    node = doc.object_of("merge_queue")
    if node is None:
        return None
    for key in ("enabled", "integration_branches", "run_tests", "delete_merged_branches"):
        node.flag_of(key)
    for key in ("target_branch", "integration_branch_template", "test_command"):
        node.text_of(key)
    interval = node.text_of("poll_interval")
    if interval and not re.match(_DURATION, interval):
        raise node.missing("poll_interval", f"must be a duration such as 30s or 1m30s, not {interval!r}")
    return MergeQueue(
        on_conflict=node.choice_of("on_conflict", ("assign_back", "auto_rebase")),
        poll_interval=interval,
        retry_flaky_tests=node.integer_of("retry_flaky_tests", least=0),
        max_concurrent=node.integer_of("max_concurrent", least=0),
    )


def _check_unused(doc: Node) -> None:
    """Check what Gas Town reads and polecat does not, so that both accept the same files."""
    theme, crew, workflow = (doc.object_of(key) for key in ("theme", "crew", "workflow"))
    if theme is not None:
        theme.text_of("name")
        custom = theme.object_of("custom")
        if custom is not None:
            custom.text_of("bg")
            custom.text_of("fg")
        for node in theme.entries_of("role_themes").values():
            node.text()
    if crew is not None:
        crew.text_of("startup")
    if workflow is not None:
        workflow.text_of("default_formula")


def _fetch(doc: Node) -> str:
    node = doc.child("fetch")
    if node is None or not node.text():
        return "always"
    try:
        if FetchPolicy.parse(node.text()).max_age_s >= 0:
            return node.text()
    except ValueError:
        pass
    raise node.must("'always', 'never' or 'if-older-than SECONDS'")


def _trust(doc: Node) -> Trust:
    match doc.choice_of("trust", ("inherit", "ask", "accept")):
        case "accept":
            return "accept"
        case "ask":
            return "ask"
        case _:
            return "inherit"
