"""Typing into a pane: look, type and look again in one call, and decide in one step of the server, so that nothing changes in between.

A paste into a dead pane ends the whole server up to tmux 3.3a, and with it every agent: nothing is pasted unguarded.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import NoReturn

from polecat.adapters.processes.program import Finished
from polecat.adapters.tmux.commands import AGENT, Command, Fields, all_of, equals, guarded, joined, means_no_server
from polecat.adapters.tmux.screen import Look
from polecat.adapters.tmux.server import TmuxServer
from polecat.errors import SessionNotFoundError
from polecat.ports import PaneStatus, Screen, Typed

_TYPED = "typed"

_PASTE_END = "\x1b[201~"
_TAKES_RAW_PASTE = "#{m/r:^(next-)?(3\\.([7-9]|[1-9][0-9])|[4-9]),#{version}}"
"""From 3.7 on tmux alters control characters in pasted text unless told ``-S``, which older ones refuse."""

_WHY_NOT = "#{?#{pane_id},#{?#{pane_dead},is dead,#{?#{pane_input_off},takes no input,is not ours}},is gone}"


def send_text(server: TmuxServer, pane_id: str, text: str, *, instance: str, enter: bool, look_after_s: float) -> Typed:
    """Paste a text and press Enter. See `polecat.adapters.tmux.cli.TmuxCli.send_text`."""
    while _PASTE_END in text:
        text = text.replace(_PASTE_END, "")
    press: list[Command] = [("send-keys", "-t", pane_id, "Enter")] if enter else []
    typing = _Typing(server, pane_id, instance, look_after_s)
    if not text:
        return typing.do(press)
    buffer = f"polecat-{os.getpid()}-{secrets.token_hex(6)}"
    paste = ("-p", "-r", "-d", "-b", buffer, "-t", pane_id)
    either = (joined([("paste-buffer", "-S", *paste)]), joined([("paste-buffer", *paste)]))
    then: list[Command] = [("if-shell", "-t", pane_id, "-F", _TAKES_RAW_PASTE, *either), *press]
    return typing.do(then, buffer=buffer, stdin=text.encode("utf-8", "surrogateescape"))


def send_keys(server: TmuxServer, pane_id: str, keys: Sequence[str], *, instance: str, look_after_s: float) -> Typed:
    """Press keys. See `polecat.adapters.tmux.cli.TmuxCli.send_keys`."""
    return _Typing(server, pane_id, instance, look_after_s).do([("send-keys", "-t", pane_id, "--", *keys)])


class _Typing:
    """One operation on one pane."""

    def __init__(self, server: TmuxServer, pane_id: str, instance: str, look_after_s: float) -> None:
        self._server, self._pane_id, self._after_s = server, pane_id, look_after_s
        self._ours = [equals("pane_id", pane_id), "#{==:#{pane_dead},0}", "#{==:#{pane_input_off},0}"]
        if instance:
            self._ours.append(equals(AGENT, instance))
        self._marks = Fields()
        self._before, self._after = Look([pane_id]), Look([pane_id])

    def do(self, then: Sequence[Command], *, buffer: str = "", stdin: bytes = b"") -> Typed:
        """Type, and say what was seen before and after.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was typed.
        """
        drop: list[Command] = [("delete-buffer", "-b", buffer)] if buffer else []
        load: list[Command] = [("load-buffer", "-b", buffer, "-")] if buffer else []
        wait: list[Command] = [("run-shell", "-d", f"{self._after_s:.3f}")] if self._after_s > 0 else []
        mark: Command = ("display-message", "-p", self._marks.mark)
        commands = [*self._before.commands(), *load, mark, self._typed(then, drop), mark, *wait, *self._after.commands()]
        answer = self._server.ask(commands, stdin=stdin, extra_s=self._after_s)
        before, said, after = ([*self._marks.pieces(answer.text), "", ""])[:3]
        said = said.strip("\n")
        if said != _TYPED:
            self._raise_refused(answer, said, drop)
        return Typed(before=self._screen(before), after=self._status(after))

    def _raise_refused(self, answer: Finished, said: str, drop: Sequence[Command]) -> NoReturn:
        if answer.exit_code == 0 and said:
            raise SessionNotFoundError(f"pane {self._pane_id} {said}; nothing was typed")
        if drop and not means_no_server(answer.error_text):
            self._server.ask(drop)
        self._server.raise_unless_done(answer, self._pane_id)
        self._server.raise_unusable(answer)

    def _typed(self, then: Sequence[Command], drop: Sequence[Command]) -> Command:
        """Guard what is typed; copy mode, which would swallow it, is left first."""
        done: list[Command] = [("copy-mode", "-q", "-t", self._pane_id), *then, ("display-message", "-p", _TYPED)]
        refused: list[Command] = [*drop, ("display-message", "-p", "-t", self._pane_id, _WHY_NOT)]
        return guarded(self._pane_id, all_of(*self._ours), done, refused)

    def _screen(self, text: str) -> Screen:
        return self._before.read(text)[self._pane_id].screen

    def _status(self, text: str) -> PaneStatus:
        """How the pane is afterwards; gone with its whole server where that does not answer any more."""
        try:
            seen = self._after.read(text).get(self._pane_id)
        except ValueError:
            seen = None
        return seen.status() if seen else PaneStatus(pane_id=self._pane_id, exists=False)
