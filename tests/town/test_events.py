"""The activity feed: exact lines, whole lines, from many writers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polecat.town.events import EVENTS_FILE, append_event, event_line

NOON = datetime(2026, 1, 12, 17, 30, tzinfo=UTC)


def test_the_spawn_line_is_the_contracts() -> None:
    """Contract §14, byte for byte."""
    line = event_line(NOON, "spawn", actor="gt", payload={"rig": "gastown", "polecat": "furiosa"})
    assert line == (
        '{"ts":"2026-01-12T17:30:00Z","source":"gt","type":"spawn","actor":"gt",'
        '"payload":{"polecat":"furiosa","rig":"gastown"},"visibility":"feed"}\n'
    )


def test_an_empty_payload_is_left_out() -> None:
    """Contract §14: no payload, no key."""
    assert event_line(NOON, "boot", actor="gt", payload={}) == (
        '{"ts":"2026-01-12T17:30:00Z","source":"gt","type":"boot","actor":"gt","visibility":"feed"}\n'
    )


def test_times_are_utc() -> None:
    """A time in another zone is written in UTC, seconds and no fraction."""
    local = datetime(2026, 1, 12, 18, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert json.loads(event_line(local, "x", actor="gt", payload={}))["ts"] == "2026-01-12T17:30:00Z"


def test_what_go_escapes_is_escaped() -> None:
    """Angle brackets, ampersands and the two line separators are written as Go's encoder writes them."""
    line = event_line(NOON, "x", actor="gt", payload={"a": "<b>&\u2028\u2029ü"})
    assert "\\u003cb\\u003e\\u0026\\u2028\\u2029ü" in line


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=4), st.text(max_size=20))
def test_an_event_is_one_line_whatever_is_in_it(payload: dict[str, str], actor: str) -> None:
    """Any text survives, keys are sorted, and there is exactly one newline, at the end (T-47)."""
    line = event_line(NOON, "x", actor=actor, payload=payload)
    assert line.count("\n") == 1 and line.endswith("\n")
    record = json.loads(line)
    assert record["actor"] == actor and record.get("payload", {}) == payload
    assert list(record.get("payload", {})) == sorted(payload)


def test_many_writers_never_mix(tmp_path: Path) -> None:
    """Lines appended by many threads are all there, each whole."""
    lines = [event_line(NOON, "x", actor="gt", payload={"n": number, "pad": "x" * 3000}) for number in range(64)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda line: append_event(tmp_path, line), lines))
    assert sorted((tmp_path / EVENTS_FILE).read_text().splitlines(keepends=True)) == sorted(lines)


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """The feed is only ever appended to."""
    (tmp_path / EVENTS_FILE).write_text("before\n")
    append_event(tmp_path, "after\n")
    assert (tmp_path / EVENTS_FILE).read_text() == "before\nafter\n"


def test_a_feed_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """The caller decides that this is only a warning."""
    (tmp_path / EVENTS_FILE).mkdir()
    with pytest.raises(OSError, match="directory"):
        append_event(tmp_path, "x\n")


def test_names_with_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    """A path with undecodable bytes in it does not lose the event."""
    append_event(tmp_path, event_line(NOON, "x", actor="gt", payload={"path": "a\udcffb"}))
    assert (tmp_path / EVENTS_FILE).read_bytes().count(b"\n") == 1
