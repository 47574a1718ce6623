"""What is kept of how agents ended: a file for each instance in ``<rig>/.runtime/ended``, readable by its owner alone.

It goes with the polecat's record, and when another instance takes its place. The text is a few lines of facts, an empty line, and the last
screen. The tmux server writes it when the process ends (``adapters/tmux/keep_end.sh``), and whoever ends a session on purpose.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from polecat.model import Ended, Rig
from polecat.town.files import write_bytes
from polecat.town.guarded import read_guarded

SCREEN_LINES = 200
"""How much of the last screen is kept: so many lines at most."""

SCREEN_BYTES = 32_768
"""And so many bytes."""

_LIMIT_BYTES = 2 * SCREEN_BYTES


def end_path(rig: Rig, name: str, instance: str) -> Path:
    """Where the end of an instance is kept."""
    return rig.runtime_dir / "ended" / f"{name}.{instance}"


def read_end(path: Path) -> tuple[Ended, str] | None:
    """Read how an agent ended, and its last screen; None if nothing was kept, or nothing that can be read."""
    try:
        data = read_guarded(path, limit_bytes=_LIMIT_BYTES, follow=False)
    except OSError:
        return None
    return None if data is None else read_end_text(data.decode("utf-8", "replace"))


def write_end(path: Path, ended: Ended, screen: str) -> None:
    """Keep how an agent ended.

    Raises:
        OSError: it could not be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_bytes(path, end_text(ended, screen).encode("utf-8", "replace"), mode=0o600)


def drop_ends(rig: Rig, name: str, *, but: str = "") -> None:
    """Forget how the instances of a name ended, one of them excepted."""
    for path in kept_ends(rig):
        if name_of(path) == name and path != end_path(rig, name, but):
            path.unlink(missing_ok=True)


def kept_ends(rig: Rig) -> tuple[Path, ...]:
    """Everything that is kept, drafts included."""
    with contextlib.suppress(OSError):
        return tuple(sorted((rig.runtime_dir / "ended").iterdir()))
    return ()


def name_of(path: Path) -> str:
    """The polecat of a kept end, or of a draft of one."""
    return path.name.lstrip(".").partition(".")[0]


# ---------------------------------------------------------------------------------------------------------- the text


def end_text(ended: Ended, screen: str) -> str:
    r"""Write what is kept of an end.

    Examples:
        >>> end_text(Ended(reason="exit", status=3), "why\n")
        'status: 3\nsignal: \nat: \n\nwhy\n'
    """
    number = {"status": ended.status, "signal": ended.signal}
    facts = [f"{key}: {'' if value is None else value}" for key, value in number.items()]
    facts.append(f"at: {ended.at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ') if ended.at else ''}")
    if ended.reason == "stopped":
        facts.append("reason: stopped")
    lines = screen.rstrip(" \n").split("\n")[-SCREEN_LINES:]
    kept = "\n".join(lines).encode("utf-8", "surrogateescape")[-SCREEN_BYTES:].decode("utf-8", "replace")
    return "\n".join([*facts, "", kept, ""])


def read_end_text(text: str) -> tuple[Ended, str]:
    """Read it back: how the agent ended, and its last screen. What makes no sense is not told.

    Examples:
        >>> ended, screen = read_end_text("status: \\nsignal: 9\\nat: 2026-01-13T12:00:00Z\\n\\nwhy\\n")
        >>> str(ended), screen
        ('signal 9', 'why')
    """
    head, _, screen = text.partition("\n\n")
    facts = {key: value for key, _, value in (line.partition(": ") for line in head.split("\n"))}
    return _ended(facts), screen.rstrip(" \n")


def _ended(facts: Mapping[str, str]) -> Ended:
    status, number, at = facts.get("status", ""), read_signal(facts.get("signal", "")), _time(facts.get("at", ""))
    if facts.get("reason") == "stopped":
        return Ended(reason="stopped", at=at)
    return ended_by(int(status) if status.isdecimal() and len(status) < 6 else None, number, at=at)


def ended_by(status: int | None, number: int | None, *, at: datetime | None = None) -> Ended:
    """The end of a process that is known by its exit status or its signal, or not at all."""
    return Ended(
        reason="unknown" if status is number is None else "exit" if number is None else "signal",
        status=status,
        signal=number,
        at=at,
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def read_signal(text: str) -> int | None:
    """Read the number of a signal: tmux tells it as a number on Linux, as a name on BSD and macOS, as nothing when none is known.

    Examples:
        >>> read_signal("9"), read_signal("KILL"), read_signal("")
        (9, 9, None)
    """
    if text.isdecimal() and len(text) < 6:
        return int(text)
    with contextlib.suppress(KeyError):
        return int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
    return None
