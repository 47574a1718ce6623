"""The programs of `polecat.testing.fake_tmux.FakeTmux`: how they behave, and what a pane knows of them."""

from __future__ import annotations

import re

from attrs import define, field, frozen

from polecat.errors import InvalidNameError, ProgramError
from polecat.ports import PaneStatus, Session, SessionRequest, Watch

_MAX_BYTES = 131_071
_CLASSES = {"space": r"\s", "blank": r" \t", "digit": r"\d", "alpha": "a-zA-Z", "alnum": "a-zA-Z0-9", "punct": r"!-/:-@\[-`{-~"}


@frozen(kw_only=True)
class FakeAgent:
    """How the program of a pretend session behaves.

    Args:
        screen: what its pane shows once it is ready.
        exits: the status it exits with at once; None: it goes on.
        ready_after_looks: how many looks at its pane it takes until the screen is shown.
        command: the name of its process.

    Examples:
        >>> FakeAgent(screen="licence expired", exits=3).exits
        3
    """

    screen: str = "> "
    exits: int | None = None
    ready_after_looks: int = 0
    command: str = "agent"


READY = FakeAgent()
"""An agent that shows its prompt at once and goes on."""


@define(kw_only=True)
class Pane:
    """One session with its one pane, as the fake keeps it."""

    session: Session
    agent: FakeAgent
    request: SessionRequest | None = None
    looks: int = 0
    typed: list[str] = field(factory=list)
    keys: list[str] = field(factory=list)
    received: str = ""
    exit_code: int | None = None
    signal: int | None = None
    is_released: bool = False

    @property
    def screen(self) -> str:
        """What it shows now."""
        return self.agent.screen if self.looks >= self.agent.ready_after_looks else ""

    def press(self, key: str) -> None:
        """Take a key."""
        self.keys.append(key)
        self.received += "\r" if key == "Enter" else " " if key == "Space" else key if len(key) == 1 else ""

    def look(self, watch: Watch) -> PaneStatus:
        """Show itself to a watch."""
        screen = self.screen
        self.looks += 1
        return PaneStatus(
            pane_id=watch.pane_id,
            is_dead=self.session.is_dead,
            exit_code=self.exit_code,
            signal=self.signal,
            pid=self.session.pane_pid,
            command=self.agent.command if watch.commands else "",
            matched=tuple(is_on(pattern, screen) for pattern in watch.patterns),
        )


def ends_watch(watch: Watch, status: PaneStatus) -> bool:
    """Say whether what a look shows ends the watch."""
    return not status.exists or status.is_dead or any(status.matched) or status.command in watch.commands


def is_on(pattern: str, screen: str) -> bool:
    """Search each line, less its trailing blanks, as tmux does."""
    translated = re.sub(r"\[:(\w+):\]", lambda m: _CLASSES.get(m[1], m[0]), pattern)
    return any(re.search(translated, line.rstrip(" ")) for line in screen.split("\n"))


def check_name(name: str) -> None:
    """Refuse what tmux would rewrite."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}", name):
        raise InvalidNameError("session", name, "would be rewritten or misread by tmux")


def check_sizes(request: SessionRequest) -> None:
    """Refuse what no kernel would pass."""
    words = {f"argument {n}": word for n, word in enumerate(request.argv)}
    for what, word in {**words, **{f"variable {k}": f"{k}={v}" for k, v in request.environment.items()}}.items():
        if len(word.encode("utf-8", "surrogateescape")) >= _MAX_BYTES or "\0" in word:
            raise ProgramError(f"cannot start {request.argv[0]!r}: {what} is too long or holds NUL")
