"""What we know about agents: their commands, how they take a prompt, how they are resumed. Pure data.

What their screens look like is in `polecat.core.agent_screens`.
"""

from __future__ import annotations

from collections.abc import Mapping

from polecat.core.agent_model import Agent, Hooks
from polecat.core.agent_screens import (
    AIDER_SIGNS,
    AMP_SIGNS,
    AUGGIE_SIGNS,
    CLAUDE_SIGNS,
    CODEX_SIGNS,
    COPILOT_SIGNS,
    CURSOR_SIGNS,
    GEMINI_SIGNS,
    OPENCODE_SIGNS,
    QWEN_SIGNS,
)

CLAUDE = Agent(
    name="claude",
    command="claude",
    args=("--dangerously-skip-permissions",),
    process_names=("node",),  # older versions; the name of its program is known anyway
    signs=CLAUDE_SIGNS,
    ends_options=True,
    slash="blank",
    config_dir_env="CLAUDE_CONFIG_DIR",
    session_id_env="CLAUDE_SESSION_ID",
    hooks=Hooks(provider="claude", dir=".claude", settings_file="settings.json"),
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
    supports_hooks=True,
    checked="2.1.197",
)

_CODEX = Agent(
    name="codex",
    command="codex",
    args=("--yolo", "--no-daemon"),
    process_names=("codex",),
    signs=CODEX_SIGNS,
    ends_options=True,
    own_process="--no-daemon",
    instructions_file="AGENTS.md",
    resume_flag="resume",
    resume_style="subcommand",
    continues=("resume", "--last"),
    checked="0.171.0",
)

_CURSOR = Agent(
    name="cursor",
    command="cursor-agent",
    args=("-f",),
    process_names=("cursor-agent",),
    signs=CURSOR_SIGNS,
    ends_options=True,
    slash="refused",
    resume_flag="--resume",
    resume_style="flag",
)

_GEMINI = Agent(
    name="gemini",
    command="gemini",
    args=("--approval-mode", "yolo"),
    process_names=("gemini",),
    signs=GEMINI_SIGNS,
    prompt_style="flag:--prompt-interactive",
    slash="refused",
    session_id_env="GEMINI_SESSION_ID",
    resume_flag="--resume",
    resume_style="flag",
    continues=("--resume", "latest"),
    supports_hooks=True,
    checked="0.61.0",
)

_AUGGIE = Agent(
    name="auggie",
    command="auggie",
    args=("--allow-indexing",),
    process_names=("auggie",),
    signs=AUGGIE_SIGNS,
    ends_options=True,
    slash="refused",
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
    checked="0.36.0",
)

_AMP = Agent(
    name="amp",
    command="amp",
    args=("--dangerously-allow-all", "--no-ide"),
    process_names=("amp",),
    signs=AMP_SIGNS,
    prompt_style="typed",
    slash="refused",
    resume_flag="threads continue",
    resume_style="subcommand",
    continues=("threads", "continue", "--last"),
    checked="0.0.1790142911",
)

_OPENCODE = Agent(
    name="opencode",
    command="opencode",
    args=("--auto",),
    process_names=("opencode",),
    signs=OPENCODE_SIGNS,
    prompt_style="flag:--prompt",
    hooks=Hooks(provider="opencode", dir=".opencode/plugin", settings_file="gastown.js"),
    instructions_file="AGENTS.md",
    resume_flag="--session",
    resume_style="flag",
    continues=("--continue",),
    checked="1.18.33",
)

_COPILOT = Agent(
    name="copilot",
    command="copilot",
    args=("--allow-all", "--no-auto-update"),
    process_names=("copilot",),
    signs=COPILOT_SIGNS,
    prompt_style="flag:--interactive",
    slash="refused",
    instructions_file="AGENTS.md",
    resume_flag="--session-id",
    resume_style="flag",
    continues=("--continue",),
    checked="1.0.102",
)

_QWEN = Agent(
    name="qwen",
    command="qwen",
    args=("--yolo",),
    process_names=("qwen",),
    signs=QWEN_SIGNS,
    prompt_style="flag:--prompt-interactive",
    slash="refused",
    instructions_file="QWEN.md",
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
    checked="0.15.10",
)

_AIDER = Agent(
    name="aider",
    command="aider",
    args=("--yes-always",),
    process_names=("aider",),
    signs=AIDER_SIGNS,
    prompt_style="typed",
    slash="refused",
    instructions_file="CONVENTIONS.md",
    checked="0.86.2",
)

# The last three were never run: their command lines are those of their documentation and of Gas Town 1.2.1, their screens are unknown.

_PI = Agent(
    name="pi",  # it never asks before it runs a command
    command="pi",
    process_names=("node", "bun"),
    ends_options=True,
    slash="refused",
    session_id_env="PI_SESSION_ID",
    instructions_file="AGENTS.md",
    resume_flag="--session",
    resume_style="flag",
    continues=("--continue",),
    supports_hooks=True,
)

_OMP = Agent(
    name="omp",
    command="omp",
    process_names=("node", "bun"),
    slash="refused",
    session_id_env="OMP_SESSION_ID",
    instructions_file="AGENTS.md",
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
    supports_hooks=True,
)

_VIBE = Agent(
    name="vibe",
    command="vibe",
    args=("--agent", "auto-approve"),
    process_names=("vibe",),
    ends_options=True,
    slash="refused",
    session_id_env="VIBE_SESSION_ID",
    instructions_file="AGENTS.md",
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
    supports_hooks=True,
)

_ALL = (CLAUDE, _CODEX, _CURSOR, _GEMINI, _AUGGIE, _AMP, _OPENCODE, _COPILOT, _QWEN, _AIDER, _PI, _OMP, _VIBE)

PRESETS: Mapping[str, Agent] = {a.name: a for a in _ALL}
"""The built-in agents by name; a custom agent can say that it is a variant of one.

Source:
    Contract §10.2 and §3.8; ``--help`` and screens of the programs in the versions that are named.
"""
