"""Rigs with very many polecats."""

from __future__ import annotations

import json
import os
import time

from measuring.places import Place
from polecat import Rig
from polecat.adapters import GitCli
from polecat.adapters.tmux.commands import AGENT, STAMP
from polecat.ports import Repo

_HOUR_AGO_S = 3600


def fill_rig(place: Place, rig: Rig, count: int) -> None:
    """Put polecats into a rig as spawns of an hour ago would have left them.

    Written by hand, because a thousand spawns take minutes: home, worktree and its registration, record, lock file, session.
    """
    repo = rig.path / ".repo.git"
    tip = GitCli(environ=place.environ).resolve(Repo(path=repo), "refs/remotes/origin/main")
    then_s = time.time() - _HOUR_AGO_S
    names = [f"cat{number:04}" for number in range(count)]
    (rig.runtime_dir / "polecats").mkdir(parents=True, exist_ok=True)
    (rig.runtime_dir / "locks").mkdir(exist_ok=True)
    for name in names:
        tree, admin = rig.home_dir(name) / rig.name, repo / "worktrees" / name
        tree.mkdir(parents=True)
        admin.mkdir(parents=True)
        (tree / ".git").write_text(f"gitdir: {admin}\n")
        (tree / "README.md").write_text("a project\n")
        for file, text in (("gitdir", f"{tree}/.git"), ("commondir", "../.."), ("HEAD", f"ref: refs/heads/polecat/{name}")):
            (admin / file).write_text(f"{text}\n")
        (admin / "index").touch()
        branch = repo / "refs" / "heads" / "polecat" / name
        branch.parent.mkdir(parents=True, exist_ok=True)
        branch.write_text(f"{tip}\n")
        record = {"instance": _instance(rig, name), "polecat": name, "rig": rig.name}
        (rig.runtime_dir / "polecats" / f"{name}.json").write_text(json.dumps(record))
        (rig.runtime_dir / "locks" / f"polecat-{name}.lock").touch()
        os.utime(rig.home_dir(name), (then_s, then_s))
    _start_sessions(place, rig, names)


def _instance(rig: Rig, name: str) -> str:
    return f"{rig.name}-{name}"


def _start_sessions(place: Place, rig: Rig, names: list[str]) -> None:
    for at in range(0, len(names), 50):
        words: list[str] = []
        for name in names[at : at + 50]:
            identity = {"GT_ROLE": "polecat", "GT_RIG": rig.name, "GT_POLECAT": name, "GT_ROOT": str(rig.town_root)}
            options = [word for key, value in identity.items() for word in ("-e", f"{key}={value}")]
            words += ["new-session", "-d", "-s", f"gt-{rig.name}-{name}", *options, "sleep", "100000", ";"]
            words += ["set-option", "-t", f"=gt-{rig.name}-{name}:", STAMP, _instance(rig, name), ";"]
            words += ["set-option", "-p", "-t", f"=gt-{rig.name}-{name}:", AGENT, _instance(rig, name), ";"]
        place.run("tmux", "-S", place.socket, *words[:-1])
