"""``polecat doctor``, and the verbs that talk, in a town with real programs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli_fixtures import Answer, only, untouched
from tests.spawn_fixtures import HandTown, shim_directory, start_polecat_session, with_path
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


def test_without_git_the_rest_is_looked_at_all_the_same(
    town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing git is one finding, with how to install it; tmux, files and locks are looked at beside it."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", only(tmp_path / "bin", "tmux", "sh"))
        found = run("doctor", "--json")

    said = {(finding["level"], finding["area"], finding["text"]) for finding in found.json["findings"]}
    assert found.code == 1
    assert ("wrong", "programs", "git is not on PATH") in said
    assert ("ok", "gastown", "no lock is held") in said
    assert any(level == "ok" and text.startswith("tmux ") for level, _, text in said)


def test_what_it_says_mends_what_it_found(town: HandTown, run: Run) -> None:
    """T-24: an orphan session is wrong, with status 1; the very command it names makes the town well again."""
    start_polecat_session(town, "ghost")

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

    assert (typed.json["session_name"], typed.json["outcome"], typed.json["asks"]) == (cat.session_name, "taken", "")
    assert shown.json["text"].startswith(">")
    eventually(lambda: town.typed("furiosa").endswith(b"two\r"), "the text arrives")
    assert run("stop", "gastown/furiosa").code == 0
    run("nudge", "gastown/furiosa", "anybody?").refused("has no session")
    run("attach", "gastown/furiosa", "--print").refused("has no session")
    run("nudge", "gastown/furioso", "anybody?").refused("did you mean 'furiosa'")


def test_without_a_town_the_programs_are_looked_at(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside every town, and in one whose marker is broken, doctor still checks the programs, and says what to do about the town."""
    monkeypatch.chdir(tmp_path)
    outside = run("doctor")
    assert outside.code == 1 and "git 2" in outside.out and "polecat init" in outside.out
    (tmp_path / "mayor").mkdir()
    (tmp_path / "mayor" / "town.json").write_text("{")
    broken = run("doctor", "--json")
    [wrong] = [finding for finding in broken.json["findings"] if finding["level"] == "wrong"]
    assert wrong["area"] == "town" and "mayor/town.json" in wrong["remedy"]


def test_what_waits_in_the_trash_is_weighed(town: HandTown, run: Run) -> None:
    """Worktrees that were removed and not deleted yet are counted, and the command it names deletes them."""
    place = town.rig_dir / "polecats" / ".trash" / "nux-0123"
    place.mkdir(parents=True)
    (place / "big").write_bytes(os.urandom(3 << 20))

    [note] = [one for one in run("doctor", "--json").json["findings"] if "in the trash" in one["text"]]

    assert note["text"] == "1 removed worktree in the trash, 3 MB"
    assert run(*note["remedy"].split()[1:]).code == 0
    eventually(lambda: not place.exists(), "it is deleted")
    assert "in the trash" not in run("doctor").out


def test_every_finding_has_a_remedy(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of git that nobody holds, a rig that is gone, settings that are broken, a tmux that says no: each says what mends it."""
    lock = town.repo_dir / "packed-refs.lock"
    lock.touch()
    os.utime(lock, (time.time() - 7200,) * 2)
    shim = shim_directory(
        tmp_path / "bin", tmux='test "$1" = -V && exec echo tmux 3.4; echo "error connecting (Permission denied)" >&2; exit 1'
    )
    monkeypatch.setenv("PATH", with_path(shim)["PATH"])
    wrong = [one for one in run("doctor", "--json").json["findings"] if one["level"] == "wrong"]
    assert any(f"rm {lock}" in one["remedy"] for one in wrong)
    assert any(f"tmux -S {town.server.socket} list-sessions" in one["remedy"] for one in wrong)
    assert [one["text"] for one in wrong if not one["remedy"]] == []
