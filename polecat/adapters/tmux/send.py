"""Typing into a pane: look and type in one step of the server, so that nothing changes in between. Pure.

A paste into a dead pane ends the whole server up to tmux 3.3a, and with it every agent: nothing is pasted unguarded.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from attrs import frozen

from polecat.adapters.tmux.commands import AGENT, Command, all_of, equals, guarded, joined

TYPED = "typed"

_PASTE_END = "\x1b[201~"
_TAKES_RAW_PASTE = "#{m/r:^(next-)?(3\\.([7-9]|[1-9][0-9])|[4-9]),#{version}}"
"""From 3.7 on tmux alters control characters in pasted text unless told ``-S``, which older ones refuse."""

_WHY_NOT = "#{?#{pane_id},#{?#{pane_dead},is dead,#{?#{pane_input_off},takes no input,is not ours}},is gone}"


@frozen(kw_only=True)
class Typing:
    """One operation: what to run, what to write to its stdin, what to clean up when it breaks half-way."""

    commands: tuple[Command, ...]
    stdin: bytes = b""
    clean_up: tuple[Command, ...] = ()


def type_text(pane_id: str, text: str, *, instance: str, enter: bool) -> Typing:
    """Write what pastes a text and presses Enter.

    The end mark of a bracketed paste inside the text is taken out: it would end the paste early.
    """
    while _PASTE_END in text:
        text = text.replace(_PASTE_END, "")
    press: list[Command] = [("send-keys", "-t", pane_id, "Enter")] if enter else []
    if not text:
        return Typing(commands=(_typed(pane_id, instance, press),))
    buffer = f"polecat-{os.getpid()}-{secrets.token_hex(6)}"
    paste = ("-p", "-r", "-d", "-b", buffer, "-t", pane_id)
    either = (joined([("paste-buffer", "-S", *paste)]), joined([("paste-buffer", *paste)]))
    drop: Command = ("delete-buffer", "-b", buffer)
    then: list[Command] = [("if-shell", "-t", pane_id, "-F", _TAKES_RAW_PASTE, *either), *press]
    return Typing(
        commands=(("load-buffer", "-b", buffer, "-"), _typed(pane_id, instance, then, [drop])),
        stdin=text.encode("utf-8", "surrogateescape"),
        clean_up=(drop,),
    )


def press_keys(pane_id: str, keys: Sequence[str], *, instance: str) -> Typing:
    """Write what presses keys."""
    return Typing(commands=(_typed(pane_id, instance, [("send-keys", "-t", pane_id, "--", *keys)]),))


def _typed(pane_id: str, instance: str, then: Sequence[Command], otherwise: Sequence[Command] = ()) -> Command:
    """Guard what is typed; copy mode, which would swallow it, is left first."""
    ours = [equals("pane_id", pane_id), "#{==:#{pane_dead},0}", "#{==:#{pane_input_off},0}"]
    if instance:
        ours.append(equals(AGENT, instance))
    done = [("copy-mode", "-q", "-t", pane_id), *then, ("display-message", "-p", TYPED)]
    refused = [*otherwise, ("display-message", "-p", "-t", pane_id, _WHY_NOT)]
    return guarded(pane_id, all_of(*ours), done, refused)
