"""Doctor sees what verbs see: a town that is broken in one way or another is named, and each advice, followed to the letter, mends it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cli_fixtures import Answer
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, write_json

pytestmark = [pytest.mark.real, pytest.mark.slow]

Run = Callable[..., Answer]

ROUNDS = 6
"""How often doctor is asked at most; one advice may bring to light what the next one mends."""


def _old(path: Path, text: str = "") -> None:
    path.write_text(text)
    os.utime(path, (time.time() - 7200,) * 2)


def _home(town: HandTown) -> Path:
    return town.rig_dir / "polecats" / "furiosa"


def _admin(town: HandTown) -> Path:
    link = (_home(town) / "gastown" / ".git").read_text()
    return Path(link.removeprefix("gitdir: ").strip())


def _record(town: HandTown) -> Path:
    return town.rig_dir / ".runtime" / "polecats" / "furiosa.json"


def _put_pipe(town: HandTown) -> None:
    _record(town).unlink()
    os.mkfifo(_record(town))


def _change_record(town: HandTown, **fields: str) -> None:
    write_json(_record(town), {**json.loads(_record(town).read_text()), **fields})


def _lose_head(town: HandTown) -> None:
    branch = (_admin(town) / "HEAD").read_text().removeprefix("ref: ").strip()
    git("update-ref", "-d", branch, cwd=town.repo_dir)


def _lose_routes(town: HandTown) -> None:
    path = town.root / "mayor" / "rigs.json"
    registry = json.loads(path.read_text())
    registry["rigs"]["gastown"]["beads"]["prefix"] = "ga"
    write_json(path, registry)
    (town.root / ".beads").mkdir(exist_ok=True)


def _lose_locked(town: HandTown) -> None:
    git("worktree", "add", "-q", "--detach", town.rig_dir / "polecats" / "gone" / "gastown", cwd=town.repo_dir)
    git("worktree", "lock", "--reason", "mine", town.rig_dir / "polecats" / "gone" / "gastown", cwd=town.repo_dir)
    shutil.rmtree(town.rig_dir / "polecats" / "gone")


def _use_local_store(town: HandTown) -> None:
    town.store().hook("gt-1", assignee="gastown/polecats/furiosa")
    town.store().path.write_bytes(b"this is no database, and it is longer than a header of one would be" * 20)


def _lose_locks(town: HandTown) -> None:
    shutil.rmtree(town.rig_dir / ".runtime" / "locks")
    _write(town.rig_dir / ".runtime" / "locks")


def _lose_repository(town: HandTown) -> None:
    shutil.rmtree(town.repo_dir)


def _move(town: HandTown) -> None:
    for spare in (town.rig_dir / "polecats").glob(".spare-*"):
        shutil.rmtree(spare)
    git("worktree", "prune", cwd=town.repo_dir)
    admin = _admin(town)
    (admin / "gitdir").write_text("/elsewhere/town/gastown/polecats/furiosa/gastown/.git\n")
    (_home(town) / "gastown" / ".git").write_text(f"gitdir: /elsewhere/town/gastown/.repo.git/worktrees/{admin.name}\n")


def _use_its_pane(town: HandTown) -> None:
    town.server.run("respawn-pane", "-k", "-t", json.loads(_record(town).read_text())["pane"], "exec sh")


TROUBLES: Mapping[str, tuple[str, Callable[[HandTown], object]]] = {
    "no registry beside a rig": ("rigs.json is gone", lambda town: (town.root / "mayor" / "rigs.json").unlink()),
    "cut registry": ("rigs.json", lambda town: (town.root / "mayor" / "rigs.json").write_text('{"version": 1, "ri')),
    "cut rig configuration": ("config.json", lambda town: (town.rig_dir / "config.json").write_text('{"type": "r')),
    "cut pool state": ("namepool", lambda town: (town.rig_dir / ".runtime" / "namepool-state.json").write_text("{")),
    "beads file that is none": ("beads file", _use_local_store),
    "another program in the agent's pane": ("another program", _use_its_pane),
    "worktree without .git": ("no worktree", lambda town: (_home(town) / "gastown" / ".git").unlink()),
    "worktree without registration": ("no worktree", lambda town: shutil.rmtree(_admin(town))),
    "home without worktree": ("no worktree", lambda town: shutil.rmtree(_home(town) / "gastown")),
    "home of nobody": ("no worktree", lambda town: _write(town.rig_dir / "polecats" / "stray" / "notes.txt")),
    "file in the place of a home": ("no directory", lambda town: _write(town.rig_dir / "polecats" / "nux")),
    "name that no polecat can have": ("no polecat can", lambda town: _write(town.rig_dir / "polecats" / "a b" / "notes.txt")),
    "home that is a link": ("no directory", lambda town: _home(town).symlink_to(_home(town).rename(town.root / "elsewhere"))),
    "cut record": ("furiosa.json", lambda town: _record(town).write_text(_record(town).read_text()[:40])),
    "record that is a pipe": ("furiosa.json", _put_pipe),
    "record of another polecat": ("about gastown/nux", lambda town: _change_record(town, polecat="nux")),
    "record of another rig": ("about other/furiosa", lambda town: _change_record(town, rig="other")),
    "cut claim": (".claim.json", lambda town: (_home(town) / ".claim.json").write_text('{"instance": "0')),
    "left lock of the configuration": ("config.lock", lambda town: _old(town.repo_dir / "config.lock")),
    "left lock of a ref": ("main.lock", lambda town: _old(town.repo_dir / "refs" / "heads" / "main.lock")),
    "left lock of an index": ("index.lock", lambda town: _old(_admin(town) / "index.lock")),
    "file in the place of the locks": ("nothing can be locked", _lose_locks),
    "branch without a commit": ("no commit", _lose_head),
    "HEAD that is none": ("HEAD", lambda town: (town.repo_dir / "HEAD").write_text("")),
    "HEAD of no branch": ("not there", lambda town: git("symbolic-ref", "HEAD", "refs/heads/gone", cwd=town.repo_dir)),
    "HEAD of a branch that is gone": ("not there", lambda town: git("update-ref", "-d", "refs/heads/main", cwd=town.repo_dir)),
    "routes that are gone": ("routes", _lose_routes),
    "remote that is gone": ("remote", lambda town: git("remote", "remove", "origin", cwd=town.repo_dir)),
    "remote at another place": ("is gone", lambda town: git("config", "remote.origin.url", "/gone/project", cwd=town.repo_dir)),
    "mirror": ("fetches +refs/*", lambda town: git("config", "remote.origin.fetch", "+refs/*:refs/*", cwd=town.repo_dir)),
    "no refspec": ("fetches nothing", lambda town: git("config", "--unset-all", "remote.origin.fetch", cwd=town.repo_dir)),
    "locked leftover": ("is locked", _lose_locked),
    "no repository": ("has no repository", _lose_repository),
    "no homes": ("is missing", lambda town: shutil.rmtree(town.rig_dir / "polecats")),
    "moved town": ("no worktree", _move),
    "renamed home of a living agent": ("works in", lambda town: _home(town).rename(_home(town).with_name("zz"))),
    "stale registration": ("which is gone", lambda town: shutil.rmtree(_home(town))),
}
"""What is broken: words by which doctor names it, and how it gets broken. One polecat is at work."""


def _write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("notes")


@pytest.fixture
def follow(town: HandTown, tmp_path: Path) -> Callable[[str], None]:
    """Run an advice in a shell as a person would who was told it; what an editor is to mend is as it was before."""
    saved = tmp_path / "saved"
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name, body in (
        ("polecat", f'exec {sys.executable} -m polecat "$@"'),
        ("edit", f'for file; do :; done; cp "{saved}/$(basename "$file")" "$file"'),
    ):
        (bin_dir / name).write_text(f"#!/bin/sh\n{body}\n")
        (bin_dir / name).chmod(0o755)
    root = Path(__file__).parent.parent.parent
    env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "EDITOR": "edit", "PYTHONPATH": str(root)}

    def follow(remedy: str) -> None:
        command = re.sub(r"^[^:$/'\"]*: ", "", remedy.split("\n", maxsplit=1)[0])  # words before the command
        done = subprocess.run(
            ["sh", "-c", command], cwd=town.root, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    return follow


@pytest.mark.timeout(120)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_advice_leads_to_all_is_well(
    trouble: str, town: HandTown, run: Run, follow: Callable[[str], None], tmp_path: Path
) -> None:
    """Doctor names what is wrong, and what it says to do, done as it says, leads to *all is well*."""
    words, break_it = TROUBLES[trouble]
    town.spawn(hook_bead="gt-1")
    for key, value in (("gc.auto", "0"), ("maintenance.auto", "false"), ("gc.worktreePruneExpire", "never")):
        git("config", key, value, cwd=town.repo_dir)
    (tmp_path / "saved").mkdir()
    for path in (
        town.root / "mayor" / "rigs.json",
        town.rig_dir / "config.json",
        town.rig_dir / ".runtime" / "namepool-state.json",
    ):
        shutil.copy(path, tmp_path / "saved" / path.name)
    assert run("doctor").code == 0
    break_it(town)
    first, said = run("doctor", "--json").json["findings"], []
    for _ in range(ROUNDS):
        wrong = [one for one in run("doctor", "--json").json["findings"] if one["level"] == "wrong"]
        if not wrong:
            break
        said.append(f"{wrong[0]['text']}\n    {wrong[0]['remedy']}")
        assert wrong[0]["remedy"], wrong[0]["text"]
        follow(wrong[0]["remedy"])
    assert words in "\n".join(one["text"] for one in first if one["level"] == "wrong"), "doctor does not see it"
    assert run("doctor").out.endswith("all is well\n"), "\n".join(said)


def test_a_head_that_stands_in_for_tables_is_no_trouble(town: HandTown, run: Run) -> None:
    """A repository with its refs in tables has a HEAD file that leads nowhere on purpose."""
    (town.repo_dir / "HEAD").write_text("ref: refs/heads/.invalid\n")

    assert "leads to" not in run("doctor").out
