"""What we know about agents: their commands, how they take a prompt, how they are resumed. Pure data.

What their screens look like is in `polecat.core.agent_screens`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from polecat.core.agent_screens import (
    AMP_SIGNS,
    AUGGIE_SIGNS,
    CLAUDE_SIGNS,
    CODEX_SIGNS,
    CURSOR_SIGNS,
    GEMINI_SIGNS,
    OPENCODE_SIGNS,
)
from polecat.core.screens import BLANK, Dialog, Signs
from polecat.errors import SpawnRefusedError

ResumeStyle = Literal["", "flag", "subcommand"]

SURVIVAL_WINDOW_S = 0.25
"""How long a process that settings name must live to count as started."""

MAX_PROMPT_BYTES = 128 * 1024 - 64
"""Linux passes no single argument of 128 KiB or more; a flag may stand in front of the prompt."""


@frozen(kw_only=True)
class Readiness:
    """How an agent shows that it is ready where its prompt is not known; the first that is known counts.

    Attributes:
        process_names: names of the foreground process; only where settings name them, because we start agents without a shell.
        delay_s: how long it is known to take.
        window_s: how long that process must live.
    """

    process_names: tuple[str, ...] = ()
    delay_s: float = 0.0
    window_s: float = SURVIVAL_WINDOW_S


@frozen(kw_only=True)
class Hooks:
    """Which hooks an agent reads, and from where below ``polecats/``; provider ``none`` for none."""

    provider: str = "none"
    dir: str = ""
    settings_file: str = ""


@frozen(kw_only=True)
class Agent:
    """An agent, resolved once, with everything that starting, awaiting and ending it needs.

    Attributes:
        name: what settings call it.
        command: the program, one path or name.
        args: its arguments.
        process_names: how its process is called.
        signs: what its screen shows.
        readiness: how it shows that it is ready, where its prompt is not known.
        prompt_style: how it takes its first instruction: ``argument``, ``flag:<flag>`` or ``typed``.
        ends_options: it understands ``--`` as the end of its options.
        config_dir_env: the variable that names its configuration directory; empty if it has none.
        session_id_env: the variable that holds its session id.
        hooks: the hooks it reads.
        instructions_file: the file it reads its instructions from.
        resume_flag: how a session is resumed; empty if it cannot be.
        resume_style: whether that is a flag or a subcommand.
        continues: the words that continue its last conversation in the working directory; none where that is not known. They stand where
            `resume_style` says.
        supports_hooks: it runs hooks at all.
        source: where it was found.
    """

    name: str
    command: str
    args: tuple[str, ...] = ()
    process_names: tuple[str, ...] = ()
    signs: Signs = field(factory=Signs)
    readiness: Readiness = field(factory=Readiness)
    prompt_style: str = "argument"
    ends_options: bool = False
    config_dir_env: str = ""
    session_id_env: str = ""
    hooks: Hooks = field(factory=Hooks)
    instructions_file: str = "CLAUDE.md"
    resume_flag: str = ""
    resume_style: ResumeStyle = ""
    continues: tuple[str, ...] = ()
    supports_hooks: bool = False
    source: str = "built in"

    @property
    def dialogs(self) -> tuple[Dialog, ...]:
        """What it may ask."""
        return self.signs.dialogs

    @property
    def all_process_names(self) -> tuple[str, ...]:
        """Every name its process may have, that of its program included."""
        return tuple(dict.fromkeys((*self.process_names, *self.readiness.process_names, posixpath.basename(self.command))))

    def argv(self, prompt: str | None = None, *, resume: bool = False) -> tuple[str, ...]:
        """The program and its arguments, with the prompt where this agent takes one at its start; *resume* continues its conversation.

        A prompt that starts with a dash is never taken for an option; an agent of which we do not know that it understands ``--``
        gets a blank in front of it.

        Raises:
            SpawnRefusedError: the system could not pass such a prompt, or nobody knows how this agent continues a conversation.

        Examples:
            >>> CLAUDE.argv("go on", resume=True)
            ('claude', '--dangerously-skip-permissions', '--continue', 'go on')
            >>> Agent(name="x", command="x", args=("-v",), ends_options=True).argv("-fix it")
            ('x', '-v', '--', '-fix it')
        """
        words = self._words(resume)
        if not prompt or self.prompt_style == "typed":
            return words
        _check_argument(prompt)
        looks_like_flag = prompt.startswith("-")
        if self.prompt_style.startswith("flag:"):
            flag = self.prompt_style.removeprefix("flag:")
            return (*words, f"{flag}={prompt}") if looks_like_flag else (*words, flag, prompt)
        if looks_like_flag and not self.ends_options:
            return (*words, f" {prompt}")
        return (*words, "--", prompt) if looks_like_flag else (*words, prompt)

    def _words(self, resume: bool) -> tuple[str, ...]:
        if not resume:
            return (self.command, *self.args)
        if not self.continues:
            raise SpawnRefusedError(
                f"nobody told how agent {self.name!r} continues its conversation", hint="start it afresh: polecat start --fresh"
            )
        if self.resume_style == "subcommand":
            return (self.command, *self.continues, *self.args)
        return (self.command, *self.args, *self.continues)

    def resume_argv(self, session_id: str) -> tuple[str, ...]:
        """The program and its arguments to resume a session; empty if it cannot or there is none.

        Source:
            Contract §10.2.
        """
        if not session_id or not self.resume_flag:
            return ()
        words = tuple(word for word in self.resume_flag.split(" ") if word)
        if self.resume_style == "subcommand":
            return (self.command, *words, session_id, *self.args)
        return (self.command, *self.args, *words, session_id)


def _check_argument(prompt: str) -> None:
    size = len(prompt.encode("utf-8", "surrogateescape"))
    if size > MAX_PROMPT_BYTES:
        raise SpawnRefusedError(
            f"the prompt is {size} bytes long; an argument holds at most {MAX_PROMPT_BYTES}",
            hint="put it into a file and let the prompt name that file",
        )
    if "\0" in prompt:
        raise SpawnRefusedError("the prompt holds a NUL character, which no program can be given")


_ESCAPES = str.maketrans({char: f"\\{char}" for char in ".^$*+?()[]{}|\\"})


def prefix_pattern(prefix: str) -> str:
    """Make the pattern of a line that starts with *prefix*, or is *prefix* without its blanks, whichever blanks it uses.

    Examples:
        >>> import re
        >>> bool(re.search(prefix_pattern("> "), ">")), bool(re.search(prefix_pattern("> "), ">>>"))
        (True, False)

    Source:
        Contract §9.7; incident T-35.
    """
    words = prefix.replace("\u00a0", " ").split(" ")
    bare = f"{BLANK}+".join(word.translate(_ESCAPES) for word in words if word)
    ends = f"({BLANK}|$)" if prefix != prefix.rstrip(" \u00a0") else ""
    return f"^{BLANK}*{bare}{ends}"


# ---------------------------------------------------------------------------------------------------------- claude

CLAUDE = Agent(
    name="claude",
    command="claude",
    args=("--dangerously-skip-permissions",),
    process_names=("node",),
    signs=CLAUDE_SIGNS,
    ends_options=True,
    config_dir_env="CLAUDE_CONFIG_DIR",
    session_id_env="CLAUDE_SESSION_ID",
    hooks=Hooks(provider="claude", dir=".claude", settings_file="settings.json"),
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
    supports_hooks=True,
)

# ---------------------------------------------------------------------------------------------------------- others

_CODEX = Agent(
    name="codex",
    command="codex",
    args=("--yolo",),
    process_names=("codex",),
    signs=CODEX_SIGNS,
    ends_options=True,
    instructions_file="AGENTS.md",
    resume_flag="resume",
    resume_style="subcommand",
    continues=("resume", "--last"),
)

_CURSOR = Agent(
    name="cursor",
    command="cursor-agent",
    args=("-f",),
    process_names=("cursor-agent",),
    signs=CURSOR_SIGNS,
    ends_options=True,
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
    session_id_env="GEMINI_SESSION_ID",
    resume_flag="--resume",
    resume_style="flag",
    continues=("--resume", "latest"),
    supports_hooks=True,
)

_AUGGIE = Agent(
    name="auggie",
    command="auggie",
    args=("--allow-indexing",),
    process_names=("auggie",),
    signs=AUGGIE_SIGNS,
    ends_options=True,
    resume_flag="--resume",
    resume_style="flag",
    continues=("--continue",),
)

_AMP = Agent(
    name="amp",
    command="amp",
    args=("--dangerously-allow-all", "--no-ide"),
    process_names=("amp",),
    signs=AMP_SIGNS,
    prompt_style="typed",
    resume_flag="threads continue",
    resume_style="subcommand",
)

PRESETS: Mapping[str, Agent] = {a.name: a for a in (CLAUDE, _CODEX, _CURSOR, _GEMINI, _AUGGIE, _AMP)}
"""The built-in agents by name.

Source:
    Contract §10.2; prompts and questions from the programs' public documentation and recordings of their screens.
"""

PROVIDERS: Mapping[str, Agent] = {
    **PRESETS,
    "opencode": Agent(
        name="opencode",
        command="opencode",
        process_names=("opencode",),
        signs=OPENCODE_SIGNS,
        prompt_style="typed",
        continues=("--continue",),
        hooks=Hooks(provider="opencode", dir=".opencode/plugin", settings_file="gastown.js"),
        instructions_file="AGENTS.md",
    ),
}
"""What a custom agent can say it is a variant of.

Source:
    Contract §3.8.
"""
