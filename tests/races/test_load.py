"""Load: many spawns at once, again and again, beside everything that a busy machine does to them. In the end nothing is lost, stray or blocked.

``nox -s load -- 600`` goes on for ten minutes; the usual run makes one round.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from polecat import clean_branches
from tests.git_fixtures import commit, contents_below, git, write
from tests.races.conftest import Crowd, errors
from tests.tmux_fixtures import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow]

CROWD = 24
WORK = """printf 'work of %s' "$POLECAT_ID" >"work-$POLECAT_ID" && printf x >"@NOTES@/wrote-$POLECAT_ID"
stty raw -echo; printf "> "; exec cat >/dev/null"""
"""An agent that writes a file into its worktree, says so elsewhere, and is ready."""

EXPECTED = {"killed", "AgentDiedError", "UnknownStateError", "RigFullError", "SpawnRefusedError", "PolecatNotFoundError"}
"""How a spawn or removal may end beside all this: its process was killed, its session was, or somebody was quicker."""

GIT = (("gc", "-q", "--prune=now"), ("pack-refs", "--all", "--prune"), ("worktree", "prune"))


@define
class Load:
    """What goes on, counted.

    Attributes:
        crowd: the rig, and the process that forks.
        dice: decides who is killed when.
        count: what happened, by kind.
        written: what was written as an agent, each content once.
        names: every name that was seen.
    """

    crowd: Crowd
    dice: random.Random
    count: Counter[str] = field(factory=Counter)
    written: list[bytes] = field(factory=list)
    names: set[str] = field(factory=set)

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Collect, pack and prune in the repository and end sessions all the time."""
        over = threading.Event()
        threads = [threading.Thread(target=self._again, args=(over, what)) for what in (self._tidy, self._end_a_session)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _again(self, over: threading.Event, what: Callable[[], None]) -> None:
        while not over.wait(0.3):
            what()

    def _tidy(self) -> None:
        words = GIT[self.count["tidied"] % len(GIT)]
        git(*words, cwd=self.crowd.town.repo_dir, code=None)
        self.count["tidied"] += 1

    def _end_a_session(self) -> None:
        names = [name for name in self.crowd.town.sessions() if name != "person"]
        if names:
            self.crowd.town.server.run("kill-session", "-t", f"={self.dice.choice(names)}", code=None)
            self.count["sessions ended"] += 1

    def round(self, number: int, gone: Sequence[str]) -> list[str]:
        """Spawn a crowd while those of the round before are removed and somebody reconciles; return the names that are there now."""
        spawns: list[tuple[str, dict[str, Any]]] = [("spawn", {"hook_bead": f"gt-{number}-{n}"}) for n in range(CROWD)]
        removals: list[tuple[str, dict[str, Any]]] = [("remove", {"polecat": name, "nuclear": True}) for name in gone]
        orders = [*spawns, ("reconcile", {}), *removals]
        kills = {at: self.dice.uniform(0.05, 6.0) for at in range(len(orders)) if self.dice.random() < 0.33}
        with self.disturbed():
            answers = self.crowd.at_once(*orders, kill_s=kills)
            self.crowd.at_once(("reconcile", {}))
        made, removed = answers[:CROWD], answers[CROWD + 1 :]
        self.count.update({"spawns": len(made), "removals": len(removed), "rounds": 1})
        self.count["spawned"] += sum("result" in answer for answer in made)
        self.count["killed"] += sum(answer.get("error") == "killed" for answer in answers)
        late = [
            answer for answer in answers if "was not free within" in answer.get("message", "")
        ]  # a machine may be as busy as that
        odd = [answer for answer in answers if "error" in answer and answer["error"] not in EXPECTED and answer not in late]
        self.count.update(f"failed: {kind}" for kind in errors(answers) if kind != "killed")
        assert not odd, odd
        there = self.homes()
        self.names |= {*there, *(answer["result"]["polecat_name"] for answer in made if "result" in answer)}
        for name in there:
            self.work(name)
        return there

    def homes(self) -> list[str]:
        """The polecats there are."""
        place = self.crowd.town.rig_dir / "polecats"
        return sorted(entry.name for entry in place.iterdir() if not entry.name.startswith("."))

    def work(self, name: str) -> None:
        """Commit, stage and write something in a polecat's worktree, as its agent would."""
        tree = self.crowd.town.rig_dir / "polecats" / name / self.crowd.town.rig.name
        if not (tree / "README.md").exists():
            return
        number = len(self.written)
        kinds = {f"{kind}-{number}.txt": f"{kind} {number}".encode() for kind in ("committed", "staged", "written")}
        (committed, one), (staged, two), (written, three) = kinds.items()
        commit(tree, {committed: one})
        write(tree, {staged: two})
        git("add", staged, cwd=tree)
        write(tree, {written: three})
        self.written += kinds.values()

    def lost(self) -> list[bytes]:
        """What was written and is neither reachable from a ref nor in a file."""
        notes = self.crowd.town.notes.glob("wrote-*")
        contents = [*self.written, *(f"work of {note.name.removeprefix('wrote-')}".encode() for note in notes)]
        broken = git("fsck", "--connectivity-only", "--no-dangling", cwd=self.crowd.town.repo_dir, code=None)
        assert "missing" not in broken and "broken" not in broken, broken
        reachable = git("rev-list", "--objects", "--glob=refs/*", cwd=self.crowd.town.repo_dir).split("\n")
        ids = {line.partition(" ")[0] for line in reachable}
        kept = set(contents_below(self.crowd.town.rig_dir / "polecats").values())
        self.count["contents"] = len(contents)
        return [one for one in contents if _blob(one) not in ids and one not in kept]

    def kept_branches(self) -> list[str]:
        """The branches that are left because their commits are nowhere else: of a spawn that was undone after its agent had committed."""
        repo = self.crowd.town.repo_dir
        clean_branches(self.crowd.town.rig)
        left = git("for-each-ref", "--format=%(refname)", "refs/heads/polecat", cwd=repo).split()
        elsewhere = ("--not", "--remotes", "--glob=refs/polecat/rescue/*")
        return [branch for branch in left if git("rev-list", "-1", branch, *elsewhere, cwd=repo)]


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def test_nothing_is_lost_stray_or_blocked_under_load(crowd: Crowd, pytestconfig: pytest.Config) -> None:
    """Spawns, removals, kills, collections and ended sessions, all at once and again: every content is kept, nothing is left, all is free."""
    town, load = crowd.town, Load(crowd, random.Random(os.environ.get("POLECAT_LOAD_SEED", "1")))
    town.agent("worker", WORK)
    town.settings(agent="worker", max_polecats=100, min_free_disk_mb=0)
    town.server.run("new-session", "-d", "-s", "person", "exec sleep 100000")
    until_s = time.monotonic() + float(pytestconfig.getoption("--load-s"))
    there: list[str] = []
    while True:
        there = load.round(load.count["rounds"], there)
        if time.monotonic() >= until_s:
            break
    for answer in crowd.at_once(("reconcile", {}), *(("remove", {"polecat": name, "nuclear": True}) for name in there)):
        assert answer.get("error", "") in ("", "PolecatNotFoundError"), answer
    crowd.at_once(("reconcile", {}))
    lost, kept = load.lost(), load.kept_branches()
    load.count["branches kept"] = len(kept)
    print(f"\n{dict(load.count)}, lost {len(lost)}")

    assert lost == []
    assert town.sessions() == ["person"]
    _nothing_is_left(load, kept)
    again = crowd.at_once(*[("spawn", {"name": name}) for name in ("furiosa", "nux", "slit")])
    assert errors(again) == [], again


def _nothing_is_left(load: Load, kept: Sequence[str]) -> None:
    """Fail if anything of a polecat is left: home, branch, registration, session, process, bead, lock; but for branches that hold work."""
    town, ours = load.crowd.town, {"spawn events"}

    def left() -> dict[str, object]:
        found = {what: value for what, value in town.leftovers().items() if what not in ours and value != ["person"]}
        locks = [str(path) for path in contents_below(town.repo_dir, "*.lock")]
        held = [bead.id for name in load.names for bead in town.store().held_by(f"{town.rig.name}/polecats/{name}")]
        homes = [name for name in os.listdir(town.rig_dir / "polecats") if name != ".trash"]
        found["branches"] = [branch for branch in found.get("branches", ()) if branch not in kept]  # type: ignore[attr-defined]
        found = {what: value for what, value in found.items() if value}
        return {**found, **({"locks": locks} if locks else {}), **({"held": held} if held else {}), "homes": homes}

    eventually(lambda: left() == {"homes": []}, f"nothing is left: {left()}")


def test_the_load_is_one_that_loses_something(tmp_path: Path) -> None:
    """The check for what is lost is one that finds it."""
    git("init", "-q", "-b", "main", tmp_path / "r", cwd=tmp_path)
    kept = commit(tmp_path / "r", {"a": "kept"})
    ids = git("rev-list", "--objects", "--glob=refs/*", cwd=tmp_path / "r")

    assert kept in ids and _blob(b"kept") in ids and _blob(b"lost") not in ids
