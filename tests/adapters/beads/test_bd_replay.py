"""T-54: what real versions of bd printed, replayed: the adapter asks each one in its own dialect and understands the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polecat.adapters.beads.bd import BdCli
from polecat.errors import BeadsError
from tests.adapters.beads.bd_scenario import play, play_begun
from tests.adapters.beads.scripted_bd import QUESTIONS, make_replaying_bd

_RECORDINGS = sorted((Path(__file__).parent / "bd_recordings").glob("*.json"))
_BEGUN = sorted((Path(__file__).parent / "bd_recordings" / "begun").glob("*.json"))


def _replaying(recording: dict[str, Any], directory: Path) -> BdCli:
    beads_dir = directory / ".beads"
    (beads_dir / "dolt").mkdir(parents=True)
    return BdCli(beads_dir=beads_dir, which=str(make_replaying_bd(directory / "bin", recording["calls"])), timeout_s=20)


@pytest.mark.parametrize("path", _RECORDINGS, ids=lambda path: path.stem)
def test_one_life(path: Path, tmp_path: Path) -> None:
    """T-54: the life of a polecat's beads goes as it did on the real version, call by call."""
    recording = json.loads(path.read_text("utf-8"))
    beads = _replaying(recording, tmp_path)
    play(beads)
    asked = int((tmp_path / "bin" / "next").read_text())
    assert asked == sum(" ".join(call["argv"]) not in QUESTIONS for call in recording["calls"])


@pytest.mark.parametrize("path", _BEGUN, ids=lambda path: path.stem)
def test_begun_work_changes_hands(path: Path, tmp_path: Path) -> None:
    """Begun work is handed on and handed back in each version; the newest refuses that to who does not say whose it was."""
    recording = json.loads(path.read_text("utf-8"))
    play_begun(_replaying(recording, tmp_path))
    words = [word for call in recording["calls"] for word in call["argv"]]
    compared = [word.partition("=")[2] for word in words if word.startswith("--if-assignee=")]
    assert compared == (["", "gas/polecats/nux", "gas/polecats/slit"] if path.stem == "1.2.1" else [])


def test_versions_are_told_apart(tmp_path: Path) -> None:
    """The dialect is read from the help of each version: daemon flags and slots up to 0.47, none of it at 1.0, comparing at 1.2."""
    dialects = {}
    for path in _RECORDINGS:
        dialect = _replaying(json.loads(path.read_text("utf-8")), tmp_path / path.stem).dialect()
        can = ("--flat" in dialect.list_flags, dialect.can_compare)
        dialects[dialect.version] = (dialect.global_flags, dialect.has_slot, dialect.agent_types, *can)
    assert dialects == {
        "0.47.1": (("--no-daemon", "--allow-stale"), True, ("agent", "task"), False, False),
        "0.56.1": (("--allow-stale",), True, ("task",), False, False),
        "0.59.0": ((), True, ("task",), True, False),
        "0.62.0": ((), False, ("task",), True, False),
        "1.0.0": ((), False, ("task",), True, False),
        "1.2.1": ((), False, ("task",), True, True),
    }


@pytest.mark.parametrize(
    ("out", "err"),
    [("", "Error: unknown flag: --flat\nUsage:\n  bd list [flags]\n"), ('{"error": "boom"}', ""), ("Created 3 things", "")],
    ids=["flag refused with exit 0", "error as JSON with exit 0", "prose"],
)
def test_exit_0_is_no_proof(out: str, err: str, tmp_path: Path) -> None:
    """T-54: a version that prints an error and exits 0, as some of the 0.60 family do, has not answered."""
    recording = json.loads(_RECORDINGS[-2].read_text("utf-8"))
    for call in recording["calls"]:
        if call["argv"][0] in ("show", "list") and "--help" not in call["argv"]:
            call.update(exit=0, out=out, err=err)
    beads = _replaying(recording, tmp_path)
    with pytest.raises(BeadsError):
        beads.agent("gt-gas-polecat-nux")
    with pytest.raises(BeadsError):
        beads.held_by("gas/polecats/nux")
