"""What the words of a failing ``bd`` mean: set up wrongly, worth another try, not there, overtaken, or a plain no. Pure.

Everything that is not on these lists is a plain no, which for a question means *unknown*: taking an outage for *not found* makes
a second bead of what exists.

Source:
    Incidents (c.3); the exclusive lock and the misleading ``issue not found`` of a second ``close`` were seen on bd 1.0.0.
"""

from __future__ import annotations

import re
from typing import Literal

Meaning = Literal["config", "transient", "absent", "overtaken", "refused"]

_CONFIG = (
    ("configure custom types", "bd config set types.custom agent,role,rig,convoy,slot"),
    ("prefix mismatch|identity mismatch|unknown database|project id", "the beads directory belongs to another database"),
    ("connection refused|server unreachable|is not installed", "start the Dolt server of this beads directory: bd dolt start"),
    (
        "not initialized|no such table|issue_prefix|no beads database found|no database found|database not found",
        "create it: bd init --prefix PREFIX",
    ),
)
_TRANSIENT = re.compile(
    "optimistic lock|serializ|lock wait timeout|lock timeout|read.?only|cannot update manifest|database is locked"
    "|sqlite_busy|deadlock|exclusive lock|try restarting transaction|bad connection|invalid connection",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"no issues? found|issue not found|issue \S+ not found|not found: issue|^not found\b", re.IGNORECASE | re.MULTILINE
)
_BLANKS = " \t\r\n"
_NOTE = re.compile(r"\s*(?:⚠|warning\b|note\b|hint\b|tip\b|💡)", re.IGNORECASE)


def meaning_of(text: str, bead_id: str = "") -> Meaning:
    """Say what kind of failure a text tells of.

    Args:
        text: what was printed, without notes.
        bead_id: the bead that was asked for.

    Examples:
        >>> meaning_of('Error fetching gt-1: no issue found matching "gt-1"')
        'absent'
        >>> meaning_of("Error: database not found: gt"), meaning_of("database is locked"), meaning_of("boom")
        ('config', 'transient', 'refused')
        >>> meaning_of("gt-1 not found", "gt-1"), meaning_of("branch not found")
        ('absent', 'refused')
        >>> meaning_of("Error updating gt-1: assignee mismatch")
        'overtaken'
    """
    if config_hint(text):
        return "config"
    if _TRANSIENT.search(text):
        return "transient"
    if "assignee mismatch" in text:
        return "overtaken"
    if _ABSENT.search(text) or (bead_id and f"{bead_id} not found" in text) or (bead_id and f"not found: {bead_id}" in text):
        return "absent"
    return "refused"


def config_hint(text: str) -> str:
    """Say how to mend the set-up that a text complains about; empty if it does not.

    Examples:
        >>> config_hint("Error: database not initialized")
        'create it: bd init --prefix PREFIX'
    """
    return next((hint for pattern, hint in _CONFIG if re.search(pattern, text, re.IGNORECASE)), "")


def without_notes(text: str) -> str:
    """Drop the lines that only warn or advise, and the usage that follows an error: its flags read like failures.

    Examples:
        >>> without_notes("⚠️  Staleness check skipped\\nError: boom\\nUsage:\\n  --readonly  Read-only mode")
        'Error: boom'
    """
    lines = []
    for line in text.split("\n"):
        if line.startswith("Usage:"):
            break
        if line.strip(_BLANKS) and not _NOTE.match(line):
            lines.append(line)
    return "\n".join(lines).strip(_BLANKS)


def first_line(text: str) -> str:
    """Return the line that says most: the first with the word error, or the first.

    Examples:
        >>> first_line("Usage: bd\\nError: unknown flag")
        'Error: unknown flag'
    """
    lines = [said for line in text.split("\n") if (said := line.strip(_BLANKS))]
    return shorten(next((line for line in lines if "error" in line.lower()), lines[0] if lines else ""), 300)


def shorten(text: str, limit: int) -> str:
    """Cut a text that is too long for a message.

    Examples:
        >>> shorten("abc", 3), shorten("abcd", 3)
        ('abc', 'abc…')
    """
    return text if len(text) <= limit else text[:limit] + "…"
