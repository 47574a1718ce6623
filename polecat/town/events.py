"""The activity feed: one JSON line per fact in ``<town>/.events.jsonl``, shared with the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from polecat.town.files import GO_ESCAPES
from polecat.town.guarded import append_guarded

EVENTS_FILE = ".events.jsonl"


def event_line(when: datetime, type_: str, *, actor: str, payload: Mapping[str, object]) -> str:
    """Write one event as the line that stands in the feed, with its newline.

    Args:
        when: the time, timezone-aware; seconds are kept.
        type_: the event type, such as ``spawn``.
        actor: who did it.
        payload: the facts; keys are sorted, an empty one is left out.

    Examples:
        >>> event_line(datetime(2026, 1, 12, 17, 30, tzinfo=UTC), "spawn", actor="gt",
        ...            payload={"rig": "gastown", "polecat": "furiosa"}).rstrip()
        '{"ts":"2026-01-12T17:30:00Z","source":"gt","type":"spawn","actor":"gt","payload":{"polecat":"furiosa","rig":"gastown"},"visibility":"feed"}'

    Source:
        Contract §14.
    """
    stamp = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {"payload": dict(sorted(payload.items()))} if payload else {}
    record = {"ts": stamp, "source": "gt", "type": type_, "actor": actor, **facts, "visibility": "feed"}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.translate(GO_ESCAPES) + "\n"


def append_event(town_root: Path, line: str) -> None:
    """Append one line to the town's feed in a single write, so that lines of several processes never mix.

    Raises:
        OSError: the feed cannot be written; the caller decides that this is only a warning.
    """
    append_guarded(town_root / EVENTS_FILE, line.encode("utf-8", "surrogateescape"))
