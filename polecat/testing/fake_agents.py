"""The programs of `polecat.testing.fake_tmux.FakeTmux`: how they behave, and what a pane knows of them."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import define, evolve, field, frozen

from polecat.errors import InvalidNameError, ProgramError, TmuxError
from polecat.names import is_polecat_name
from polecat.ports import PaneStatus, Screen, Session, SessionRequest, Watch

_MAX_BYTES = 131_071
_CLASSES = {"space": r"\s", "blank": r" \t", "digit": r"\d", "alpha": "a-zA-Z", "alnum": "a-zA-Z0-9", "punct": r"!-/:-@\[-`{-~"}


CURSOR = "▮"
"""Stands in a pretend screen where typed text goes; by default that is its end."""


@frozen(kw_only=True)
class FakeStep:
    """A screen that a pretend agent shows on the way to its prompt.

    Args:
        screen: what it shows.
        looks: for how many looks at its pane.
        until: a key that ends it, instead of looks: a question. Other keys do nothing.

    Examples:
        >>> FakeStep(screen="Do you trust this folder?", until="1").until
        '1'
    """

    screen: str
    looks: int = 1
    until: str = ""


@frozen(kw_only=True)
class FakeAgent:
    """How the program of a pretend session behaves: it shows what is typed, and takes it with Enter.

    Args:
        screen: what its pane shows once it is ready; typed text is put where ``▮`` stands, or at the end.
        exits: the status it exits with at once; None: it goes on.
        ready_after_looks: how many looks at its pane it takes until anything is shown.
        command: the name of its process.
        steps: screens it shows before, one after the other: a splash screen, a question.
        then: screens it shows after it has taken a text, one after the other.
        busy: what it shows above its prompt after it has taken a text.
        busy_looks: for how many looks.
        swallows: how many Enters after a text are lost.
        placeholder: what it shows instead of a text of several lines.
        is_silent: it shows nothing of what is typed, and nothing after Enter.

    Examples:
        >>> FakeAgent(screen="licence expired", exits=3).exits
        3
    """

    screen: str = "> "
    exits: int | None = None
    ready_after_looks: int = 0
    command: str = "agent"
    steps: tuple[FakeStep, ...] = ()
    then: tuple[FakeStep, ...] = ()
    busy: str = ""
    busy_looks: int = 0
    swallows: int = 0
    placeholder: str = ""
    is_silent: bool = False


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
    is_released: bool = False
    _steps: list[FakeStep] = field(init=False)
    _draft: str = field(init=False, default="")
    _taken: list[str] = field(init=False, factory=list)
    _busy_looks: int = field(init=False, default=0)
    _swallowed: int = field(init=False, default=0)
    _shown: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self.behave(self.agent)

    def behave(self, agent: FakeAgent) -> None:
        """Be another agent from now on."""
        self.agent, self._steps, self._taken, self._draft = agent, list(agent.steps), [], ""

    @property
    def has_begun(self) -> bool:
        """It shows something."""
        return self.looks >= self.agent.ready_after_looks

    @property
    def text(self) -> str:
        """What it shows now."""
        if not self.has_begun:
            return ""
        if self._steps:
            return self._steps[0].screen
        above, _, below = self.agent.screen.partition(CURSOR)
        busy = [self.agent.busy] if self._busy_looks else []
        return "\n".join((*self._taken, *busy, above + self._written + below))

    @property
    def _written(self) -> str:
        has_lines = "\n" in self._draft
        return self.agent.placeholder if has_lines and self.agent.placeholder else self._draft.replace("\n", "\n  ")

    def screen(self, now_s: int) -> Screen:
        """What is seen of it; the time of the session's last activity moves when that has changed."""
        text = self.text
        if text != self._shown:
            self._shown, self.session = text, evolve(self.session, active_at_s=now_s)
        return Screen(
            text="\n".join(line.rstrip(" ") for line in text.split("\n")).rstrip("\n"),
            cursor=(len(text.rpartition("\n")[2]), text.count("\n")),
            is_raw=self.has_begun,
            changed_at_s=self.session.active_at_s,
        )

    def paste(self, text: str) -> None:
        """Take a text; one that comes before the prompt is lost."""
        self.typed.append(text)
        self.received += text
        if self.has_begun and not self._steps and not self.agent.is_silent:
            self._draft += text

    def press(self, key: str) -> None:
        """Take a key."""
        self.keys.append(key)
        self.received += "\r" if key == "Enter" else " " if key == "Space" else key if len(key) == 1 else ""
        if self._steps:
            if self._steps[0].until == key:
                del self._steps[0]
        elif key == "Enter" and self._draft:
            self._enter()

    def _enter(self) -> None:
        if self._swallowed < self.agent.swallows:
            self._swallowed += 1
            return
        self._taken.append(f"> {self._written}")
        self._draft, self._busy_looks = "", self.agent.busy_looks
        self._steps += self.agent.then

    def look(self, watch: Watch, now_s: int) -> PaneStatus:
        """Show itself to a watch, and go on to what it shows next."""
        screen = self.screen(now_s)
        seen = PaneStatus(
            pane_id=self.session.pane_id,
            is_dead=self.session.is_dead,
            exit_code=self.session.exit_code,
            signal=self.session.signal,
            command=self.agent.command if watch.commands else "",
            matched=tuple(is_on(pattern, screen.text) for pattern in watch.patterns),
            screen=screen,
        )
        self._go_on()
        return seen

    def _go_on(self) -> None:
        was_begun = self.has_begun
        self.looks += 1
        self._busy_looks = max(0, self._busy_looks - 1)
        if was_begun and self._steps and not self._steps[0].until:
            self._steps[0] = evolve(self._steps[0], looks=self._steps[0].looks - 1)
            if self._steps[0].looks <= 0:
                del self._steps[0]


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


def check_request(request: SessionRequest) -> None:
    """Refuse what tmux would refuse, and what no kernel would pass."""
    check_name(request.name)
    if not Path(request.cwd).is_dir():
        raise TmuxError(f"cannot start session {request.name!r}: {request.cwd} is not a directory")
    words = {f"argument {n}": word for n, word in enumerate(request.argv)}
    for what, word in {**words, **{f"variable {k}": f"{k}={v}" for k, v in request.environment.items()}}.items():
        if len(word.encode("utf-8", "surrogateescape")) >= _MAX_BYTES or "\0" in word:
            raise ProgramError(f"cannot start {request.argv[0]!r}: {what} is too long or holds NUL")


class _WhateverTown(str):
    """The town of a session that a test gives by its name alone: whichever town asks."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = str.__hash__


def as_gas_town_made_it(name: str) -> Session:
    """A session whose own environment says what its name says: ``gt-RIG-NAME`` is a polecat."""
    parts = name.split("-", 2)
    if len(parts) < 3 or parts[0] != "gt" or not all(parts) or not is_polecat_name(parts[2]) or parts[2].startswith("crew-"):
        return Session(id="", name=name)
    said = {"GT_ROLE": "polecat", "GT_RIG": parts[1], "GT_POLECAT": parts[2], "GT_ROOT": _WhateverTown("town")}
    return Session(id="", name=name, environment=said)
