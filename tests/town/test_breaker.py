"""How often agents failed on a bead: counted in a file of the rig, and unknown where that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat import RespawnLimitError, UnknownStateError
from polecat.testing.worlds import make_rig
from polecat.town.breaker import agent_failures, check_breaker, count_failure, reset_breaker


def test_failures_are_counted_until_the_limit(tmp_path: Path) -> None:
    """At the limit the bead is held back; a reset begins anew."""
    rig = make_rig(tmp_path)
    for _ in range(3):
        check_breaker(rig, "gt-1", limit=3)
        count_failure(rig, "gt-1")
    with pytest.raises(RespawnLimitError):
        check_breaker(rig, "gt-1", limit=3)
    reset_breaker(rig, "gt-1")
    assert agent_failures(rig, "gt-1") == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"bead": "gt-1"}', '{"failures": "3"}', "\0"])
def test_a_count_that_cannot_be_read_is_not_none(text: str, tmp_path: Path) -> None:
    """A damaged count is unknown, with what to do; the next failure begins a new one."""
    rig = make_rig(tmp_path)
    count_failure(rig, "gt-1")
    path = rig.runtime_dir / "respawns" / "gt-1.json"
    path.write_text(text)
    with pytest.raises(UnknownStateError) as caught:
        check_breaker(rig, "gt-1", limit=3)
    assert f"rm -r {path}" in caught.value.hint
    count_failure(rig, "gt-1")
    assert agent_failures(rig, "gt-1") == 1
