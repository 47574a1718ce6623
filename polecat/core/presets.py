"""What we know about agents: their commands, how they show that they are ready, what they ask. Pure data.

Patterns are read by tmux as POSIX extended regular expressions, against one line of the screen at a time with its trailing blanks
cut off. They hold nothing that means something else in Python's `re`, so that fakes can use them too. Agents draw some of their
blanks as U+00A0, which a dot stands for as well. They are short, because tmux gets them with every look, many times in one call.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from polecat.errors import SpawnRefusedError

DialogPolicy = Literal["answer-once", "trust", "report"]
ResumeStyle = Literal["", "flag", "subcommand"]

SURVIVAL_WINDOW_S = 0.25
"""How long an agent about which nothing is known must live to count as started."""

MAX_PROMPT_BYTES = 128 * 1024 - 64
"""Linux passes no single argument of 128 KiB or more; a flag may stand in front of the prompt."""

_BLANK = "[ \u00a0]"


@frozen(kw_only=True)
class Readiness:
    """How an agent shows that it is ready; the first that is known counts.

    Attributes:
        prompt_pattern: a line of its screen, as an extended regular expression; empty if not known.
        process_names: names of the foreground process; only where settings name them, because we start agents without a shell.
        delay_s: how long it is known to take.
        window_s: how long it must live, where nothing else is known.
    """

    prompt_pattern: str = ""
    process_names: tuple[str, ...] = ()
    delay_s: float = 0.0
    window_s: float = SURVIVAL_WINDOW_S


@frozen(kw_only=True)
class Dialog:
    """A question an agent may ask before it is ready.

    Several entries of one name are variants of one question: it is answered once, with the keys of the first that is seen.

    Attributes:
        name: what it is about.
        pattern: a line of the screen that shows it, as an extended regular expression.
        keys: what to press, by tmux's names; none for a question that is never answered.
        policy: ``answer-once`` confirms what the command line already asked for; ``trust`` is answered where the settings say so;
            ``report`` is left to a person.
    """

    name: str
    pattern: str
    keys: tuple[str, ...] = ()
    policy: DialogPolicy = "report"


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
        readiness: how it shows that it is ready.
        dialogs: what it may ask, most specific first.
        prompt_style: how it takes its first instruction: ``argument``, ``flag:<flag>`` or ``typed``.
        ends_options: it understands ``--`` as the end of its options.
        config_dir_env: the variable that names its configuration directory; empty if it has none.
        session_id_env: the variable that holds its session id.
        hooks: the hooks it reads.
        instructions_file: the file it reads its instructions from.
        resume_flag: how a session is resumed; empty if it cannot be.
        resume_style: whether that is a flag or a subcommand.
        supports_hooks: it runs hooks at all.
        source: where it was found.
    """

    name: str
    command: str
    args: tuple[str, ...] = ()
    process_names: tuple[str, ...] = ()
    readiness: Readiness = field(factory=Readiness)
    dialogs: tuple[Dialog, ...] = ()
    prompt_style: str = "argument"
    ends_options: bool = False
    config_dir_env: str = ""
    session_id_env: str = ""
    hooks: Hooks = field(factory=Hooks)
    instructions_file: str = "CLAUDE.md"
    resume_flag: str = ""
    resume_style: ResumeStyle = ""
    supports_hooks: bool = False
    source: str = "built in"

    @property
    def all_process_names(self) -> tuple[str, ...]:
        """Every name its process may have, that of its program included."""
        return tuple(dict.fromkeys((*self.process_names, *self.readiness.process_names, posixpath.basename(self.command))))

    def argv(self, prompt: str | None = None) -> tuple[str, ...]:
        """The program and its arguments, with the prompt where this agent takes one at its start.

        A prompt that starts with a dash is never taken for an option; an agent of which we do not know that it understands ``--``
        gets a blank in front of it.

        Raises:
            SpawnRefusedError: the system could not pass such a prompt.

        Examples:
            >>> Agent(name="x", command="x", args=("-v",), ends_options=True).argv("-fix it")
            ('x', '-v', '--', '-fix it')
        """
        words = (self.command, *self.args)
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
    bare = f"{_BLANK}+".join(word.translate(_ESCAPES) for word in words if word)
    ends = f"({_BLANK}|$)" if prefix != prefix.rstrip(" \u00a0") else ""
    return f"^{_BLANK}*{bare}{ends}"


# ---------------------------------------------------------------------------------------------------------- claude

# The choices of its questions follow "❯" too, numbered or, in newer versions, "Yes…" and "No…": the prompt's arrow is alone or
# followed by the composer's own suggestion. The two footers are drawn only where text can be typed.
_CLAUDE_READY = f"^│?{_BLANK}*(>{_BLANK}+[^0-9NY \u00a0]|❯{_BLANK}*Try |[>❯]{_BLANK}*│?$)|\\? for shortcuts|bypass permissions on"
_CLAUDE_DIALOGS = (
    Dialog(name="bypass-permissions", pattern="❯.*Yes, I accept", keys=("Enter",), policy="answer-once"),
    Dialog(name="bypass-permissions", pattern="Bypass.Permissions.mode", keys=("Down", "Enter"), policy="answer-once"),
    # Some versions point at "No, exit" first: Enter alone would end the agent.
    Dialog(name="trust-folder", pattern="❯.No, exit", keys=("Down", "Enter"), policy="trust"),
    Dialog(
        name="trust-folder",
        pattern="Do you trust the files in|one you trust\\?|❯.*Yes, (proceed|I trust this f)",
        keys=("Enter",),
        policy="trust",
    ),
    Dialog(name="set-up", pattern="Select login method|Choose the text style|use this API key|settings require approval"),
)

CLAUDE = Agent(
    name="claude",
    command="claude",
    args=("--dangerously-skip-permissions",),
    process_names=("node",),
    readiness=Readiness(prompt_pattern=_CLAUDE_READY),
    dialogs=_CLAUDE_DIALOGS,
    ends_options=True,
    config_dir_env="CLAUDE_CONFIG_DIR",
    session_id_env="CLAUDE_SESSION_ID",
    hooks=Hooks(provider="claude", dir=".claude", settings_file="settings.json"),
    resume_flag="--resume",
    resume_style="flag",
    supports_hooks=True,
)

# ---------------------------------------------------------------------------------------------------------- others

_CODEX = Agent(
    name="codex",
    command="codex",
    args=("--yolo",),
    process_names=("codex",),
    readiness=Readiness(prompt_pattern=f"^{_BLANK}*(›({_BLANK}+[^0-9 \u00a0]|$)|▌.*Ask Codex)"),
    dialogs=(
        Dialog(name="trust-folder", pattern="›.2\\. No", keys=("Up", "Enter"), policy="trust"),
        Dialog(name="trust-folder", pattern="trust the contents of this dir", keys=("Enter",), policy="trust"),
        Dialog(name="set-up", pattern="Sign in with ChatGPT|›.1\\. Update now|Hooks need review"),
    ),
    ends_options=True,
    instructions_file="AGENTS.md",
    resume_flag="resume",
    resume_style="subcommand",
)

_CURSOR = Agent(
    name="cursor",
    command="cursor-agent",
    args=("-f",),
    process_names=("cursor-agent",),
    readiness=Readiness(prompt_pattern="→.*(Plan, search, build|Add a follow-up)"),
    dialogs=(
        Dialog(name="trust-folder", pattern="\\[a\\] Trust this workspace", keys=("a",), policy="trust"),
        Dialog(name="trust-folder", pattern="Workspace Trust Required"),
        Dialog(name="set-up", pattern="Press any key to (log|sign) in"),
    ),
    ends_options=True,
    resume_flag="--resume",
    resume_style="flag",
)

_GEMINI = Agent(
    name="gemini",
    command="gemini",
    args=("--approval-mode", "yolo"),
    process_names=("gemini",),
    readiness=Readiness(prompt_pattern="Type your message or @path"),
    dialogs=(
        Dialog(
            name="trust-folder",
            pattern="Do you trust (this folder|the files in)",
            keys=("Enter",),
            policy="trust",
        ),
        Dialog(name="set-up", pattern="How would you like to authenticate"),
    ),
    prompt_style="flag:--prompt-interactive",
    session_id_env="GEMINI_SESSION_ID",
    resume_flag="--resume",
    resume_style="flag",
    supports_hooks=True,
)

_AUGGIE = Agent(
    name="auggie",
    command="auggie",
    args=("--allow-indexing",),
    process_names=("auggie",),
    ends_options=True,
    resume_flag="--resume",
    resume_style="flag",
)

_AMP = Agent(
    name="amp",
    command="amp",
    args=("--dangerously-allow-all", "--no-ide"),
    process_names=("amp",),
    readiness=Readiness(delay_s=3.0),
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
        readiness=Readiness(delay_s=3.0),
        prompt_style="typed",
        hooks=Hooks(provider="opencode", dir=".opencode/plugin", settings_file="gastown.js"),
        instructions_file="AGENTS.md",
    ),
}
"""What a custom agent can say it is a variant of.

Source:
    Contract §3.8.
"""
