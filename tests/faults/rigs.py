"""A rig with the real programs, processes that are killed while they work on it, and what can be seen of it afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from polecat.names import agent_bead_id, agent_id
from tests.git_fixtures import commit, git, manifest, write
from tests.spawn_fixtures import RECORD, RIG, SPARES, HandTown, hand_town
from tests.tmux_fixtures import eventually

ROOT = Path(__file__).resolve().parents[2]

FILLED = "before tmux.start" if SPARES else "after git.check_out"
"""A point at which a spawn has the files of its worktree, whether it made them or found a spare."""

WORK: Mapping[str, bytes] = {
    "README.md": b"changed by the agent\n",
    "new file.txt": b"nobody has seen this yet\n",
    "deep/er/bytes": bytes(range(256)),
}
COMMITTED: Mapping[str, bytes] = {"committed.txt": b"a commit that was never pushed\n"}


@frozen(kw_only=True)
class Killed:
    """How an order ended.

    Attributes:
        point: where the process died; empty when it got through.
        points: every point it passed.
        error: the error it ended with, if it did.
        message: what that error says.
        left_behind: what that error says is not as it was; None if it is of a kind that leaves everything as it was.
        result: what it returned, if it did.
    """

    point: str
    points: tuple[str, ...]
    error: str = ""
    message: str = ""
    left_behind: tuple[str, ...] | None = None
    result: str = ""


@frozen(kw_only=True)
class Planted:
    """Work of a polecat: the files as they are on disk, the commit, the branch."""

    files: Mapping[bytes, tuple[str, str]]
    commit: str
    branch: str


@frozen(kw_only=True)
class RealRig:
    """The rig, and a process that does things to it."""

    town: HandTown
    driver: subprocess.Popen[str]
    place: Path

    def order(self, verb: str, point: int | str = 0, *, shims: str = "", limit_s: float = 0.0, **asked: Any) -> Killed:
        """Have something done by a fresh process, which kills itself at *point*; wait until nothing it started runs any more.

        Args:
            verb: what is done.
            point: where it kills itself; 0 for nowhere.
            shims: a directory that stands first on its PATH.
            limit_s: with *shims*, how long git and tmux may take.
            asked: the arguments.
        """
        answer = self.place / "answer"
        answer.unlink(missing_ok=True)
        socket = str(self.town.server.socket)
        words: dict[str, Any] = {
            "verb": verb,
            "asked": asked,
            "point": point,
            "town": str(self.town.root),
            "rig": RIG,
            "socket": socket,
        }
        words |= {"shims": shims, "limit_s": limit_s}
        assert self.driver.stdin is not None and self.driver.stdout is not None
        self.driver.stdin.write(json.dumps({**words, "answer": str(answer)}) + "\n")
        self.driver.stdin.flush()
        said = json.loads(self.driver.stdout.readline())
        assert "points" in said, f"{verb} ended without a word: {said}"
        assert bool(said["signal"]) == bool(said["point"]), said
        assert "crash" not in said, said["crash"]
        if said["point"]:
            eventually(lambda: not self.programs(), "what the dead process had started ends")
        return Killed(
            point=said["point"],
            points=tuple(said["points"]),
            error=said.get("error", ""),
            message=said.get("message", ""),
            left_behind=tuple(said["left_behind"]) if "left_behind" in said else None,
            result=said.get("result", ""),
        )

    def must(self, verb: str, **asked: Any) -> None:
        """Have something done that succeeds."""
        done = self.order(verb, **asked)
        assert not done.error, done.error

    def programs(self) -> list[str]:
        """The git processes that work on this town; they outlive whoever started them."""
        found = []
        mark = os.fsencode(self.town.root)
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # it ended meanwhile
                line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                is_git = os.path.basename(line.split(b"\0", 1)[0]).startswith(b"git")
                if is_git and (mark in line or os.fsencode(os.readlink(entry / "cwd")).startswith(mark)):
                    found.append(os.fsdecode(line))
        return found

    def worktree(self, name: str) -> Path:
        return self.town.rig_dir / "polecats" / name / RIG

    def plant(self, name: str, *, commits: bool = True) -> Planted:
        """Work as an agent would: a commit, a changed file, files nobody knows."""
        tree = self.worktree(name)
        made = commit(tree, COMMITTED) if commits else git("rev-parse", "HEAD", cwd=tree)
        write(tree, WORK)
        return Planted(files=manifest(tree), commit=made, branch=git("symbolic-ref", "--short", "HEAD", cwd=tree))

    def missing(self, name: str, planted: Planted) -> list[str]:
        """What of the work is nowhere any more: not in the worktree, not in a rescue, not in what the trash keeps."""
        tree = self.worktree(name)
        if tree.is_dir() and manifest(tree) == planted.files:
            return [] if _reaches(tree, "HEAD", planted.commit) else ["the commit"]
        trash = self.town.rig_dir / "polecats" / ".trash"
        kept = [path for path in trash.glob("*") if path.with_name(f"{path.name}.keep").exists()]
        if any(manifest(path) == planted.files for path in kept):
            return []
        refs = git("for-each-ref", "--format=%(refname)", "refs/polecat/rescue", cwd=self.town.repo_dir).split()
        for ref in refs:
            wanted = {**WORK, **(COMMITTED if b"committed.txt" in planted.files else {})}
            gone = [n for n, data in wanted.items() if self._saved(ref, n) != data]
            if not gone and _reaches(self.town.repo_dir, ref, planted.commit):
                return []
        return [f"of {len(refs)} rescues none holds it, and {tree} is not as it was"]

    def litter(self) -> list[str]:
        """What a killed process may leave in the repository that is in the way of others: lock files and half-made registrations."""
        repo = self.town.repo_dir
        return sorted(str(path.relative_to(repo)) for pattern in ("**/*.lock", "polecat-draft-*") for path in repo.glob(pattern))

    def _saved(self, ref: str, name: str) -> bytes:
        done = subprocess.run(
            ["git", "cat-file", "blob", f"{ref}:{name}"], cwd=self.town.repo_dir, capture_output=True, check=False
        )
        return done.stdout

    def seen(self, name: str) -> dict[str, Any]:
        """Everything about one polecat, and about what nobody owns."""
        town, tree = self.town, self.worktree(name)
        store, who = town.store(), agent_id(RIG, name)
        agent = store.agent(agent_bead_id("gt", RIG, name))
        found = {
            "home": sorted(os.listdir(tree.parent)) if tree.parent.exists() else None,
            "hidden": [p.name for p in (town.rig_dir / "polecats").glob(".[!.]*") if p.name != ".trash"],
            "branches": [b for b in _branches(town) if f"/{name}-" in b],
            "registrations": [line for line in _registrations(town) if f"/{name}/" in line or f"/.repair-{name}-" in line],
            "session": f"gt-{RIG}-{name}" in town.sessions(),
            "record": sorted(p.name for p in (town.rig_dir / ".runtime" / "polecats").glob(f"*{name}*")),
            "launch files": sorted(p.name for p in (town.rig_dir / ".runtime" / "launch").glob("*")),
            "held": sorted(bead.id for bead in store.held_by(who)),
            "agent bead": (agent.fields.agent_state, agent.fields.hook_bead) if agent is not None and agent.is_open else None,
        }
        return {what: value for what, value in found.items() if value}


def _branches(town: HandTown) -> list[str]:
    return git("for-each-ref", "--format=%(refname:short)", "refs/heads/polecat", cwd=town.repo_dir).split()


def _registrations(town: HandTown) -> list[str]:
    blocks = git("worktree", "list", "--porcelain", cwd=town.repo_dir).split("\n\n")
    return sorted(block.replace("\n", " ") for block in blocks if "bare" not in block.split("\n"))


def _reaches(where: Path, ref: str, commit_id: str) -> bool:
    done = subprocess.run(["git", "merge-base", "--is-ancestor", commit_id, ref], cwd=where, check=False, capture_output=True)
    return done.returncode == 0


@contextmanager
def real_rig(place: Path, template: Path) -> Iterator[RealRig]:
    """Make a town with the real programs, in which the polecat ``nux`` is at work and must never be harmed."""
    with hand_town(place, template) as town:
        town.agent("recorder", RECORD)
        driver = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.driver"],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            rig = RealRig(town=town, driver=driver, place=place)
            rig.must("spawn", name="nux", hook_bead="gt-nux")
            write(rig.worktree("nux"), {"mine.txt": "nux works here"})
            yield rig
        finally:
            assert driver.stdin is not None
            driver.stdin.close()
            driver.wait(timeout=20)
            assert driver.stdout is not None
            driver.stdout.close()
