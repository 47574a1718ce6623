"""The activity feed: one JSON line per fact in ``<town>/.events.jsonl``, shared with the reference."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Visibility = Literal["audit", "feed", "both"]

EVENTS_FILE = ".events.jsonl"

_GO_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def event_line(when: datetime, type_: str, *, actor: str, payload: Mapping[str, object], visibility: Visibility = "feed") -> str:
    """Write one event as the line that stands in the feed, with its newline.

    Args:
        when: the time, timezone-aware; seconds are kept.
        type_: the event type, such as ``spawn``.
        actor: who did it.
        payload: the facts; keys are sorted, an empty one is left out.
        visibility: who is meant to see it.

    Examples:
        >>> event_line(datetime(2026, 1, 12, 17, 30, tzinfo=UTC), "spawn", actor="gt",
        ...            payload={"rig": "gastown", "polecat": "furiosa"}).rstrip()
        '{"ts":"2026-01-12T17:30:00Z","source":"gt","type":"spawn","actor":"gt","payload":{"polecat":"furiosa","rig":"gastown"},"visibility":"feed"}'

    Source:
        Contract §14.
    """
    record: dict[str, object] = {
        "ts": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": "gt",
        "type": type_,
        "actor": actor,
    }
    if payload:
        record["payload"] = dict(sorted(payload.items()))
    record["visibility"] = visibility
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_GO_ESCAPES) + "\n"


def append_event(town_root: Path, line: str) -> None:
    """Append one line to the town's feed in a single write, so that lines of several processes never mix.

    Raises:
        OSError: the feed cannot be written; the caller decides that this is only a warning.
    """
    fd = os.open(town_root / EVENTS_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, line.encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)
