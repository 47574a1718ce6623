"""``polecat doctor``, and the verbs that talk, in a town with real programs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.cli_fixtures import Answer, untouched
from tests.spawn_fixtures import HandTown, start_session
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real

Run = Callable[..., Answer]


def test_healthy_town_is_well(town: HandTown, run: Run) -> None:
    """With a polecat at work everything is in order: status 0, and looking touches nothing."""
    town.spawn()
    before = untouched(town)

    plain, data = run("doctor"), run("doctor", "gastown", "--json")

    assert plain.code == 0, plain.out
    assert plain.out.rstrip().endswith("all is well")
    assert data.json["well"] is True
    assert {finding["area"] for finding in data.json["findings"]} == {"programs", "town", "gastown"}
    before.check()


def test_what_it_says_mends_what_it_found(town: HandTown, run: Run) -> None:
    """T-24: an orphan session is wrong, with status 1; the very command it names makes the town well again."""
    start_session(town.server, "gt-gastown-ghost", GT_ROLE="polecat", GT_RIG="gastown", GT_POLECAT="ghost")

    ill = run("doctor", "--json")

    assert ill.code == 1
    [wrong] = [finding for finding in ill.json["findings"] if finding["level"] == "wrong"]
    assert "ghost" in wrong["text"]
    assert run(*wrong["remedy"].split()[1:]).code == 0
    assert run("doctor").code == 0


def test_forgotten_launch_file_is_found(town: HandTown, run: Run) -> None:
    """A private file of a spawn that died is named, its content is not."""
    path = town.rig_dir / ".runtime" / "launch" / "launch-dead.sh"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("export TOKEN='hunter2'\n")
    os.utime(path, (time.time() - 7200,) * 2)

    answer = run("doctor")

    assert answer.code == 1
    assert f"rm {path}" in answer.out
    assert "hunter2" not in answer.out


def test_unknown_rig_is_told_what_there_is(town: HandTown, run: Run) -> None:
    """A misspelt rig is a finding with what was probably meant."""
    answer = run("doctor", "gastwon")

    assert answer.code == 1
    assert "did you mean 'gastown'" in answer.out


def test_talking_by_hand(town: HandTown, run: Run) -> None:
    """Nudge and capture one after the other, as text and as JSON; a polecat that is gone is refused in words."""
    cat = town.spawn()

    typed = run("nudge", "gastown/furiosa", "one\ntwo", "--json")
    shown = run("capture", "gastown/polecats/furiosa", "--lines", "3", "--json")

    assert typed.json == {"rig_name": "gastown", "polecat_name": "furiosa", "session_name": cat.session_name}
    assert shown.json["text"].startswith(">")
    eventually(lambda: town.typed("furiosa").endswith(b"two\r"), "the text arrives")
    assert run("stop", "gastown/furiosa").code == 0
    run("nudge", "gastown/furiosa", "anybody?").refused("has no session")
    run("attach", "gastown/furiosa", "--print").refused("has no session")
    run("nudge", "gastown/furioso", "anybody?").refused("did you mean 'furiosa'")
