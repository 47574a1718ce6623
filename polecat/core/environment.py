"""The environment of an agent's process: who it is, and nothing of who started it. Pure.

Whoever spawns a polecat may be an agent itself: then its environment says that *it* is the mayor, runs in *that* worktree, talks to
*that* database. All of it would be inherited. What is taken away is listed here, by name; the rest of the caller's environment is
what a user's shell would want and stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from polecat.names import agent_id

FOREIGN_PREFIXES = ("GT_", "BD_", "BEADS_", "POLECAT_", "TMUX", "CLAUDE_CODE_", "GIT_TRACE", "CODEX_SANDBOX")
"""Variables that start so say who, where or under what an agent runs."""

GIT_LOCAL = frozenset(
    """
    GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_INDEX_VERSION GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
    GIT_COMMON_DIR GIT_PREFIX GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_NO_REPLACE_OBJECTS
    GIT_REPLACE_REF_BASE GIT_IMPLICIT_WORK_TREE GIT_INTERNAL_SUPER_PREFIX GIT_NAMESPACE GIT_CEILING_DIRECTORIES
    GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS GIT_EXTERNAL_DIFF GIT_DIFF_OPTS
    GIT_QUARANTINE_PATH GIT_REFLOG_ACTION GIT_DEFAULT_HASH
    """.split()
)
"""Variables that bend a git command towards another repository, index or output."""

# fmt: off
FOREIGN_NAMES = GIT_LOCAL | frozenset((
    # another agent's session
    "CLAUDECODE", "CLAUDE_SESSION_ID", "CLAUDE_PROJECT_DIR", "CLAUDE_ENV_FILE", "CLAUDE_PLUGIN_ROOT", "CLAUDE_AGENT_SDK_VERSION",
    "GEMINI_CLI", "GEMINI_SESSION_ID", "CODEX_SESSION_ID", "CODEX_THREAD_ID", "CODEX_CI", "CURSOR_AGENT", "CURSOR_SESSION_ID",
    "CURSOR_TRACE_ID", "AMP_SESSION_ID", "AMP_CURRENT_THREAD_ID", "AUGMENT_SESSION_ID", "OPENCODE", "OPENCODE_PID",
    "OPENCODE_SESSION_ID", "PI_SESSION_ID", "OMP_SESSION_ID", "VIBE_SESSION_ID", "AGENT", "AI_AGENT",
    # a debugger's flags, which crash other programs
    "NODE_OPTIONS", "NODE_INSPECT_RESUME_ON_START", "VSCODE_INSPECTOR_OPTIONS",
    # another author
    "GIT_AUTHOR_NAME", "GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE",
    # another terminal, another process
    "TERM", "TERMCAP", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLUMNS", "LINES", "STY", "WINDOW", "PWD", "OLDPWD", "SHLVL", "_",
))
# fmt: on
"""Variables that mark another agent, another repository, another terminal or another process."""

KEPT_PREFIXES = (
    "TMUX_TMPDIR",
    *(
        f"CLAUDE_CODE_{word}"
        for word in (
            "OAUTH_TOKEN", "API_KEY", "USE_", "SKIP_", "MAX_", "DISABLE_", "ENABLE_", "CLIENT_", "SUBAGENT_MODEL",
            "EFFORT", "EXTRA_BODY", "SHELL", "AUTO_", "IDE_", "PROXY_",
        )
    ),
)  # fmt: skip
"""Variables below a foreign prefix that are the user's own choice: logins, providers, limits, where tmux keeps its sockets."""


def polecat_env(
    rig: str,
    name: str,
    town_root: str,
    *,
    beads_dir: str = "",
    config_dir: str = "",
    config_dir_env: str = "CLAUDE_CONFIG_DIR",
) -> dict[str, str]:
    """The variables that tell a polecat's agent who it is.

    Args:
        rig: the rig.
        name: the polecat.
        town_root: the town; empty if it is not known.
        beads_dir: the beads directory; empty if there is none.
        config_dir: the account's configuration directory; empty for none.
        config_dir_env: the variable it goes into.

    Examples:
        >>> polecat_env("gas", "nux", "/t")["BD_ACTOR"]
        'gas/polecats/nux'

    Source:
        Contract §10.1.
    """
    env = {
        "GT_ROLE": "polecat",
        "GT_RIG": rig,
        "GT_POLECAT": name,
        "BD_ACTOR": agent_id(rig, name),
        "GIT_AUTHOR_NAME": name,
        "BEADS_AGENT_NAME": f"{rig}/{name}",
        "GT_ROOT": town_root,
        "BEADS_DIR": beads_dir,
        "BEADS_NO_DAEMON": "1",
        config_dir_env: config_dir,
    }
    return {key: value for key, value in env.items() if value}


_SHELLS = ("bash", "zsh", "sh", "fish", "tcsh", "ksh", "dash")
"""What tmux says runs in a pane whose agent is a script. In a pane of ours nothing but the agent ever runs."""


def todays_env(env: Mapping[str, str], *, agent: str, process_names: Collection[str]) -> dict[str, str]:
    """Change the variables of `polecat_env` into those by which Gas Town of today knows a polecat, and knows that it lives.

    There, ``BEADS_DIR`` would keep ``bd`` from finding the database of each bead by its id, and no ``bd`` has a daemon. ``GT_SESSION`` is
    left out on purpose: with it every ``gt`` that the agent runs notes that it lives, and three minutes after the last one Gas Town takes
    it for dead and ends it. Without such a note it goes by the agent's process.

    Args:
        env: as `polecat_env` gives it.
        agent: the agent's name.
        process_names: how its process may be called.

    Examples:
        >>> env = todays_env(polecat_env("gas", "nux", "/t", beads_dir="/b"), agent="claude", process_names=["node", "claude"])
        >>> env["GT_ROLE"], env["GT_PROCESS_NAMES"].split(",")[:2], "BEADS_DIR" in env
        ('gas/polecats/nux', ['node', 'claude'], False)

    Source:
        gt 1.2.1: ``config.AgentEnv``, ``polecat.SessionManager.Start``, ``tmux.IsAgentAlive``, ``polecat.isSessionProcessDead``.
    """
    root = env.get("GT_ROOT", "")
    todays = {
        "GT_ROLE": env["BD_ACTOR"],
        "GT_TOWN_ROOT": root,
        "GT_AGENT": agent,
        "GT_PROCESS_NAMES": ",".join((*process_names, *_SHELLS)),
        "BEADS_DOLT_AUTO_START": "0",  # the town has one server for all its databases
        "BD_DOLT_AUTO_COMMIT": "off",
        "BD_BACKUP_ENABLED": "false",  # it would commit to the project
        "GIT_CEILING_DIRECTORIES": root,
    }
    kept = {key: value for key, value in env.items() if key not in ("BEADS_DIR", "BEADS_NO_DAEMON")}
    return kept | {key: value for key, value in todays.items() if value}


def is_foreign(key: str) -> bool:
    """Say whether a variable would tell an agent that it is somebody or somewhere else.

    Examples:
        >>> [is_foreign(k) for k in ("GT_ROLE", "CLAUDECODE", "PATH", "CLAUDE_CODE_OAUTH_TOKEN")]
        [True, True, False, False]
    """
    if key.startswith(KEPT_PREFIXES):
        return False
    return key in FOREIGN_NAMES or key.startswith(FOREIGN_PREFIXES)


def agent_environment(base: Mapping[str, str], identity: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The complete environment of an agent's process: the caller's without foreign identity, then identity, then what was asked.

    Commits are the polecat's as author; where the caller's environment names a committer, that becomes the polecat too. E-mail
    addresses stay, because git refuses to commit without one.

    Args:
        base: the caller's environment.
        identity: as `polecat_env` gives it.
        extra: further variables; they win.

    Source:
        Design §6, deviation 11; incidents T-31 and T-32.
    """
    env = {key: value for key, value in base.items() if not is_foreign(key)}
    if "GIT_COMMITTER_NAME" in env and "GIT_AUTHOR_NAME" in identity:
        env["GIT_COMMITTER_NAME"] = identity["GIT_AUTHOR_NAME"]
    return {**env, **identity, **extra}


# ------------------------------------------------------------------------------------------- on a host of a fleet

ENGINE_PREFIXES = ("DASK_", "RAY_", "PARSL_", "SLURM_", "PMI_", "PMIX_", "OMPI_")
"""Variables that begin so are an engine's own, and say that there is one."""

ENGINE_MODULES = ("distributed", "ray", "parsl", "execnet")
"""Engines, by the module that their workers have loaded."""

SET_BY_ENGINES = frozenset(
    """
    OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS VECLIB_MAXIMUM_THREADS MALLOC_TRIM_THRESHOLD_
    PYTHONHASHSEED PYTHONBREAKPOINT PYTHONPATH CUDA_VISIBLE_DEVICES
    """.split()
)
"""What engines set for their workers. Where there is no engine it is the user's own."""

_CONNECTION = frozenset("SSH_CLIENT SSH_CONNECTION SSH_TTY SSH_ORIGINAL_COMMAND".split())


def host_environ(environ: Mapping[str, str], modules: Collection[str] = ()) -> dict[str, str]:
    """The environment that counts as the caller's where an engine runs us for somebody far away: without what it set for its worker.

    ``TMUX`` goes too: a worker that was started in a window is not where the one who attaches sits. What an ssh connection brought, such as
    a forwarded agent, ends with it.

    Args:
        environ: the worker's.
        modules: the modules that it has loaded.

    Examples:
        >>> host_environ({"OMP_NUM_THREADS": "8", "TMUX": "/tmp/x,1,0"})
        {'OMP_NUM_THREADS': '8'}
        >>> host_environ({"OMP_NUM_THREADS": "1", "DASK_WORKER": "x", "HOME": "/h"})
        {'HOME': '/h'}
    """
    has_engine = any(key.startswith(ENGINE_PREFIXES) for key in environ) or any(name in modules for name in ENGINE_MODULES)
    gone = {"TMUX", "TMUX_PANE", *_CONNECTION}
    if has_engine:
        gone |= SET_BY_ENGINES
    if "SSH_CONNECTION" in environ:
        gone.add("SSH_AUTH_SOCK")
    return {key: value for key, value in environ.items() if key not in gone and not key.startswith(ENGINE_PREFIXES)}
