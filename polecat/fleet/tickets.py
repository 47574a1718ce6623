"""Answers that a host keeps: whoever lost one asks again with the same ticket, and nothing is done twice."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from polecat.errors import InvalidNameError, PolecatError, UnknownStateError
from polecat.fleet import wire
from polecat.model import Rig
from polecat.names import check_polecat_name
from polecat.town.files import write_bytes
from polecat.town.guarded import read_guarded
from polecat.town.locks import holding

KEPT_S = 7 * 86_400.0
"""How long an answer is kept."""

TIMEOUT_S = 120.0
"""How long whoever asks again waits for the first."""


def ticket_lock(rig: Rig, name: str) -> Path:
    """The lock of what is done with a ticket to one polecat; taken before its other locks."""
    return rig.runtime_dir / "locks" / f"ticket-{name}.lock"


def once(rig: Rig, ticket: str, name: str, do: Callable[[], object]) -> object:
    """Do something to a polecat, or tell what came of it when it was asked for with this ticket before.

    Args:
        rig: the rig.
        ticket: the asker's name for this very request; empty to do it whatever was before.
        name: the polecat.
        do: what is done; an error of ours is kept as the answer.

    Returns:
        The result or the error.
    """
    if not ticket:
        return result_of(do)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ticket):
        return InvalidNameError("ticket", ticket, "is none", hint="up to 64 letters, digits, '_' and '-'")
    try:
        check_polecat_name(name)
        with holding(ticket_lock(rig, name), what=f"do once to {name}", timeout_s=TIMEOUT_S):
            return _kept(rig.runtime_dir / "fleet" / f"{ticket}-{name}.json", name, do)
    except PolecatError as error:
        return error


def _kept(note: Path, name: str, do: Callable[[], object]) -> object:
    try:
        before = read_guarded(note)
    except OSError as error:
        raise UnknownStateError(f"{note} cannot be read: {error.strerror}; whether this was done before is not known") from error
    if before is not None:
        told = wire.unpack(before.decode("utf-8", "replace"))
        if "answer" in told:
            return told["answer"]
        return UnknownStateError(
            f"this was begun for {name} before, and cut off; whether it was done is not known",
            hint="look at the polecat, then ask again with a new ticket",
        )
    note.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(note, wire.pack().encode())
    result = result_of(do)
    with contextlib.suppress(OSError):  # it was done, whether that can be written down or not
        write_bytes(note, wire.pack(answer=result).encode())
        for old in note.parent.glob("*.json"):
            if old.stat().st_mtime < time.time() - KEPT_S:
                old.unlink(missing_ok=True)
    return result


def result_of(do: Callable[[], object]) -> object:
    """The result, or the error of ours."""
    try:
        return do()
    except PolecatError as error:
        return error
