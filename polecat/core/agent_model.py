"""An agent, resolved: its command, how it takes a prompt, how it is resumed, what its screen shows. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import Literal

from attrs import field, frozen

from polecat.core.screens import BLANK, Dialog, Signs
from polecat.errors import SpawnRefusedError

ResumeStyle = Literal["", "flag", "subcommand"]
Slash = Literal["text", "blank", "refused"]

MAX_PROMPT_BYTES = 128 * 1024 - 64
"""Linux passes no single argument of 128 KiB or more; a flag may stand in front of the prompt."""


@frozen(kw_only=True)
class Readiness:
    """How an agent shows that it is ready where its prompt is not known; the first that is known counts.

    Attributes:
        process_names: names of the foreground process; only where settings name them, because we start agents without a shell.
        delay_s: how long it is known to take.
    """

    process_names: tuple[str, ...] = ()
    delay_s: float = 0.0


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
        slash: what becomes of a prompt that begins with ``/``: ``text`` it is handed over as it is; ``blank`` with a blank in front,
            without which it would be a command of the agent; ``refused`` it would be one even then.
        own_process: the argument without which it works in a background process that all agents of its user share; empty if it has
            none, or needs none.
        config_dir_env: the variable that names its configuration directory; empty if it has none.
        session_id_env: the variable that holds its session id.
        hooks: the hooks it reads.
        instructions_file: the file it reads its instructions from.
        resume_flag: how a session is resumed; empty if it cannot be.
        resume_style: whether that is a flag or a subcommand.
        continues: the words that continue its last conversation in the working directory; none where that is not known. They stand where
            `resume_style` says.
        supports_hooks: it runs hooks at all.
        checked: the version of the program that what is known of it was last held against; empty for none.
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
    slash: Slash = "text"
    own_process: str = ""
    config_dir_env: str = ""
    session_id_env: str = ""
    hooks: Hooks = field(factory=Hooks)
    instructions_file: str = "CLAUDE.md"
    resume_flag: str = ""
    resume_style: ResumeStyle = ""
    continues: tuple[str, ...] = ()
    supports_hooks: bool = False
    checked: str = ""
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
        gets a blank in front of it. For one that starts with a slash see `as_text`.

        Raises:
            SpawnRefusedError: the system could not pass such a prompt, the agent would take it for a command of its own, or nobody
                knows how it continues a conversation.

        Examples:
            >>> Agent(name="x", command="x", args=("-v",), ends_options=True).argv("-fix it")
            ('x', '-v', '--', '-fix it')
            >>> Agent(name="x", command="x", args=("-v",), continues=("--continue",)).argv("go on", resume=True)
            ('x', '-v', '--continue', 'go on')
        """
        words = self._words(resume)
        if not prompt or self.prompt_style == "typed":
            return words
        prompt = self.as_text(prompt)
        _check_argument(prompt)
        looks_like_flag = prompt.startswith("-")
        if self.prompt_style.startswith("flag:"):
            flag = self.prompt_style.removeprefix("flag:")
            if looks_like_flag and flag.startswith("--"):
                return (*words, f"{flag}={prompt}")
            return (*words, flag, f" {prompt}" if looks_like_flag else prompt)
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

    def as_text(self, prompt: str) -> str:
        """Make a first instruction one that the agent takes for text, and not for a command of its own.

        Raises:
            SpawnRefusedError: that cannot be done.

        Examples:
            >>> agent = Agent(name="x", command="x", slash="blank")
            >>> agent.as_text("/etc is full"), agent.as_text("fix /etc")
            (' /etc is full', 'fix /etc')
        """
        first = prompt.lstrip(" \t\r\n")
        if not first.startswith("/") or self.slash == "text":
            return prompt
        if self.slash == "refused":
            word = re.split(r"[ \t\r\n]", first, maxsplit=1)[0]
            raise SpawnRefusedError(
                f"{self.name} would take the prompt {word!r}… for a command of its own",
                hint="begin it with another word; a command of the agent can be typed later: polecat nudge RIG/NAME /COMMAND",
            )
        return prompt if prompt[0] != "/" else f" {prompt}"

    @property
    def shares_process(self) -> str:
        """Why its work would be done in a process that it shares with agents of other polecats; empty if it is not.

        Examples:
            >>> Agent(name="x", command="codex", own_process="--no-daemon").shares_process[:31]
            'x is started without --no-daemo'
        """
        result = "under the name, ports and secrets of the polecat that started it, and until that one is removed"
        if self.own_process and self.own_process not in self.args:
            return (
                f"{self.name} is started without {self.own_process}: it works in a process that all its sessions share, {result}"
            )
        if posixpath.basename(self.command) in _SHARED:
            return f"{self.name} works in a process that all its sessions share, {result}; it has no option against that"
        return ""

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


_SHARED = ("cline",)
"""Programs that start one background process for all their sessions, and cannot be told not to (cline 3.0.65)."""


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
