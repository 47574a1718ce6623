"""The JSON documents of a town and its rigs, as frozen values. Pure; `polecat.town` reads and writes the files.

Empty and None mean *not said*. Gas Town's own keys mean what they mean there; keys that only polecat knows stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from attrs import field, frozen


@frozen(kw_only=True)
class TownConfig:
    """``mayor/town.json``. Its existence makes a town; its content may be ``{}``.

    Attributes:
        name: the town's name.
        owner: whose it is; kept for Gas Town.
        public_name: its name for others; kept for Gas Town.
        created_at: when it was made.
    """

    name: str = ""
    owner: str = ""
    public_name: str = ""
    created_at: datetime | None = None


@frozen(kw_only=True)
class RigEntry:
    """What ``mayor/rigs.json`` says about one rig.

    Attributes:
        git_url: where the source comes from.
        local_repo: a local clone that objects may be borrowed from; empty for none.
        added_at: when it was registered.
        beads_repo: where its beads live; empty for the rig itself.
        beads_prefix: what its bead ids start with, perhaps with a trailing hyphen; empty when not said.
    """

    git_url: str = ""
    local_repo: str = ""
    added_at: datetime | None = None
    beads_repo: str = ""
    beads_prefix: str = ""


@frozen(kw_only=True)
class RigConfig:
    """``<rig>/config.json``, the rig's identity.

    Attributes:
        name: the rig's name.
        git_url: where the source comes from.
        local_repo: a local clone that objects may be borrowed from; empty for none.
        default_branch: the branch new work starts from.
        created_at: when it was made.
        beads_prefix: what its bead ids start with.
        polecat_names: the names of its polecats, where its settings have no ``namepool``.
        polecat_pool_size: how many polecats ``gt polecat pool-init`` makes; checked, and not used by polecat.
    """

    name: str = ""
    git_url: str = ""
    local_repo: str = ""
    default_branch: str = "main"
    created_at: datetime | None = None
    beads_prefix: str = ""
    polecat_names: tuple[str, ...] = ()
    polecat_pool_size: int = 0


@frozen(kw_only=True)
class Route:
    """One line of ``routes.jsonl``: beads of this prefix live in the ``.beads`` of this directory of the town."""

    prefix: str
    path: str


@frozen(kw_only=True)
class AgentEntry:
    """An agent as ``agents.json`` describes it.

    Attributes:
        name: what it is called; the key of its entry.
        command: the program.
        args: its arguments.
        process_names: how its process may be called.
        session_id_env: the variable that holds its session id.
        resume_flag: how a session is resumed; kept for Gas Town.
        resume_style: ``flag`` or ``subcommand``; kept for Gas Town.
        supports_hooks: it runs hooks.

    Source:
        Contract §3.7.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    process_names: tuple[str, ...] = ()
    session_id_env: str = ""
    resume_flag: str = ""
    resume_style: str = ""
    supports_hooks: bool = False


@frozen(kw_only=True)
class RuntimeConfig:
    """An agent as settings describe it. Empty and None mean *not said*, which the resolution fills in.

    Attributes:
        provider: the built-in agent it is a variant of.
        command: the program: one path or name, never a command line.
        args: its arguments; not said means the provider's, empty means none.
        initial_prompt: kept for Gas Town; polecats get their prompt from the spawn.
        prompt_mode: ``arg`` or ``none``.
        prompt_flag: the flag that the agent takes its first instruction with, such as ``--prompt``; not said means the provider's.
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
    prompt_flag: str = ""
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
class Account:
    """One login of an agent: a directory that the agent keeps its configuration in.

    Attributes:
        config_dir: its directory; ``~/`` is the home directory.
        email: whose it is; for people.
        description: for people.
    """

    config_dir: str
    email: str = ""
    description: str = ""


@frozen(kw_only=True)
class Accounts:
    """``mayor/accounts.json``; without accounts when the file is absent."""

    path: Path
    accounts: Mapping[str, Account] = field(factory=dict)
    default: str = ""
    exists: bool = True


@frozen(kw_only=True)
class PoolState:
    """What is kept of ``.runtime/namepool-state.json``: the counter. The rest of the file is configuration's business."""

    overflow_next: int = 0
    max_size: int = 0


@frozen(kw_only=True)
class NamePoolSettings:
    """Where a rig's names come from.

    Attributes:
        style: a built-in theme, or one of the town's own, of which ``<town>/settings/themes/<style>.txt`` holds the names, one a line;
            not said means ``mad-max``.
        names: the rig's own names; if there is one, the theme does not count.
        max_before_numbering: how many names of the list are given before numbering starts; 0 means 50.
    """

    style: str = ""
    names: tuple[str, ...] = ()
    max_before_numbering: int = 0


Lfs = Literal["eager", "lazy"]

TOP_PORT = 65_535


@frozen(kw_only=True)
class PlaceSettings:
    """Keys of a rig's settings that stand at the top level beside the others.

    Attributes:
        submodules: fill submodules, where the project has any.
        submodule_timeout_s: how long all of them together may take.
        lfs: ``lazy`` leaves the pointers of git-lfs until somebody fetches a file; ``eager`` lets git-lfs do as it does.
        port_block: how many ports a polecat gets; 0 for none.
        port_base: the first port that may be given out.
        port_top: the last one.
        compose_project: give each polecat a project name of its own for Docker Compose.
        worktree_include_from: the directory ignored files are copied from; empty for the rig's own places.
        worktree_include_limit_mb: how much is copied at most where the file system cannot share the data.
    """

    submodules: bool = True
    submodule_timeout_s: float = 300.0
    lfs: Lfs = "eager"
    port_block: int = 10
    port_base: int = 20_000
    port_top: int = 32_767
    compose_project: bool = True
    worktree_include_from: str = ""
    worktree_include_limit_mb: int = 1024

    @property
    def is_lfs_lazy(self) -> bool:
        """Files of git-lfs are left to be fetched when they are needed."""
        return self.lfs == "lazy"

    @property
    def variable_names(self) -> tuple[str, ...]:
        """Names of the variables that an agent gets for its ports, its Compose project and git-lfs."""
        ports = ("POLECAT_PORT_BASE", "POLECAT_PORT_COUNT") if self.port_block else ()
        compose = ("COMPOSE_PROJECT_NAME",) if self.compose_project else ()
        return (*ports, *compose, *(("GIT_LFS_SKIP_SMUDGE",) if self.is_lfs_lazy else ()))


Trust = Literal["inherit", "ask", "accept"]


@frozen(kw_only=True)
class RigSettings:
    """``<rig>/settings/config.json`` and ``polecat.json``.

    Attributes:
        namepool: where names come from.
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
    """``<town>/settings/config.json`` and ``polecat.json``.

    Attributes:
        default_agent: the agent of rigs that name none.
        agents: agents the town defines.
        role_agents: the agent of each role.
        tmux_socket: the town's own tmux server, a name or a path; empty for that of the town's Gas Town, or the user's default one.
        host: this machine's name among those that work together; it stands in claims, records and agent beads, and only the host of that
            name can say that such a polecat is dead. Needed where several towns share one store of beads; name it before the first spawn.

    Source:
        Contract §3.6.
    """

    default_agent: str = ""
    agents: Mapping[str, RuntimeConfig] = field(factory=dict)
    role_agents: Mapping[str, str] = field(factory=dict)
    tmux_socket: str = ""
    host: str = ""
