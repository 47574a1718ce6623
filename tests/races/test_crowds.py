"""Real processes at once on one rig, with the real programs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.git_fixtures import commit, git
from tests.races.conftest import Crowd, errors
from tests.tmux_fixtures import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

FOREIGN = """
while :; do
  git -C "$1" worktree add -q --detach "$2/foreign" >/dev/null 2>&1 && git -C "$1" worktree remove --force "$2/foreign" >/dev/null 2>&1
  git -C "$1" fetch -q origin >/dev/null 2>&1
done
"""


@contextlib.contextmanager
def foreigners(repo: Path, place: Path) -> Iterator[None]:
    """Let somebody who knows nothing of our locks add worktrees and fetch all the time."""
    process = subprocess.Popen(["/bin/sh", "-c", FOREIGN, "foreign", repo, place], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def test_sixteen_spawns_at_once(crowd: Crowd, tmp_path: Path) -> None:
    """T-01, T-12: 16 names, worktrees, branches, sessions and nothing else, beside foreign worktree and fetch loops."""
    with foreigners(crowd.town.repo_dir, tmp_path):
        answers = crowd.at_once(*[("spawn", {"hook_bead": f"gt-{n}"}) for n in range(16)])
    assert errors(answers) == [], [answer["message"] for answer in answers if "message" in answer]
    cats = [answer["result"] for answer in answers]
    left = crowd.town.leftovers()

    assert len({cat["polecat_name"] for cat in cats}) == 16
    assert left["homes"] == sorted(cat["polecat_name"] for cat in cats)
    assert left["branches"] == sorted(f"refs/heads/{cat['branch']}" for cat in cats)
    assert sorted(crowd.town.sessions()) == sorted(cat["session_name"] for cat in cats)
    assert left["records"] == sorted(f"{cat['polecat_name']}.json" for cat in cats)
    assert len({cat["pid"] for cat in cats}) == 16
    assert set(left) == {"homes", "branches", "registrations", "sessions", "records", "spawn events", "processes"}
    for cat in cats:
        assert git("status", "--porcelain", cwd=Path(cat["clone_path"])) == ""
        assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=Path(cat["clone_path"])) == cat["branch"]
        assert [bead.id for bead in crowd.town.store().held_by(f"gastown/polecats/{cat['polecat_name']}")] == [cat["hook_bead"]]


def test_eight_spawns_of_one_bead(crowd: Crowd) -> None:
    """T-02: one worker; the others are told that the bead is taken; a repeat for the same polecat makes no second session."""
    answers = crowd.at_once(*[("spawn", {"hook_bead": "gt-1"})] * 8)
    [winner] = [answer["result"] for answer in answers if "result" in answer]
    [again] = crowd.at_once(("spawn", {"hook_bead": "gt-1", "name": winner["polecat_name"]}))

    assert errors(answers) == ["BeadTakenError"] * 7
    assert crowd.town.sessions() == [winner["session_name"]]
    assert again["result"]["instance"] == winner["instance"]
    assert crowd.town.leftovers()["homes"] == [winner["polecat_name"]]


def test_a_cap_holds_whoever_comes(crowd: Crowd) -> None:
    """T-48: with room for four, twelve spawns at once, named or not, with a bead or without, make four polecats."""
    crowd.town.settings(max_polecats=4)
    orders: list[dict[str, Any]] = [
        {"hook_bead": f"gt-{n}"} if n % 3 == 0 else {"name": f"cat-{n}"} if n % 3 == 1 else {} for n in range(12)
    ]
    answers = crowd.at_once(*[("spawn", order) for order in orders])

    assert errors(answers) == ["RigFullError"] * 8
    assert len(crowd.town.sessions()) == 4
    assert len(crowd.town.leftovers()["homes"]) == 4  # type: ignore[arg-type]  # a list of names


def test_one_name_for_eight(crowd: Crowd) -> None:
    """T-09: eight ask for the same name; one gets it, and there is one session in one worktree."""
    answers = crowd.at_once(*[("spawn", {"name": "furiosa"})] * 8)

    assert errors(answers) == ["SpawnRefusedError"] * 7
    assert crowd.town.sessions() == ["gt-gastown-furiosa"]


ROUNDS = {"spawn": 200, "repair": 40, "reconcile": 20, "remove": 20}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("others", list(ROUNDS))
def test_removal_beside_others(crowd: Crowd, others: str, is_whole: bool) -> None:
    """T-08: a removal beside a spawn, repair, reconcile or second removal of the same polecat ends as if one had come after the other."""
    for number in range(ROUNDS[others] if is_whole else 1):
        [made] = crowd.at_once(("spawn", {"name": "furiosa", "hook_bead": f"gt-{number}"}))
        assert "result" in made, made
        asked: dict[str, Any] = {"polecat": "furiosa", "force": True}
        if others in ("spawn", "reconcile"):
            asked = {"name": "furiosa"} if others == "spawn" else {}
        removed, beside = crowd.at_once(("remove", {"polecat": "furiosa", "force": True}), (others, asked))
        left = crowd.town.leftovers()

        assert "result" in removed or removed["error"] == "PolecatNotFoundError", removed
        assert beside.get("error", "") in ("", "SpawnRefusedError", "PolecatNotFoundError"), beside
        assert crowd.town.store().held_by("gastown/polecats/furiosa") == ()
        if others == "spawn" and "result" in beside:
            assert left["homes"] == ["furiosa"]
            assert left["sessions"] == ["gt-gastown-furiosa"]
            crowd.at_once(("remove", {"polecat": "furiosa", "force": True}))
        eventually(lambda: set(crowd.town.leftovers()) <= {"spawn events"}, f"nothing is left: {crowd.town.leftovers()}")


def test_work_survives_a_removal_beside_a_repair(crowd: Crowd, tmp_path: Path) -> None:
    """T-13, T-16: whichever comes first, commit and files that were nowhere else are in a rescue or in the tree."""
    [made] = crowd.at_once(("spawn", {"name": "furiosa"}))
    tree = Path(made["result"]["clone_path"])
    saved = commit(tree, {"committed.txt": "only here"})
    (tree / "new.txt").write_text("only here as well")
    crowd.at_once(("remove", {"polecat": "furiosa", "nuclear": True}), ("repair", {"polecat": "furiosa", "nuclear": True}))
    refs = git("for-each-ref", "--format=%(refname)", "refs/polecat/rescue", cwd=crowd.town.repo_dir).split()
    holding = [ref for ref in refs if "new.txt" in git("ls-tree", "--name-only", ref, cwd=crowd.town.repo_dir)]

    assert len(holding) == 1
    assert git("show", f"{holding[0]}:new.txt", cwd=crowd.town.repo_dir) == "only here as well"
    assert git("merge-base", saved, holding[0], cwd=crowd.town.repo_dir) == saved
