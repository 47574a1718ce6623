"""Places to measure in: origins of a known size, a town with rigs, bare clones beside it, a tmux server of their own.

Nothing that was checked out is deleted before the end: on ext4, deleting a large tree makes the next checkout many times slower. What a
round made is renamed into ``aside/`` instead, with its registration, so that every round finds the repository as the first did.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from polecat import Rig, SpawnedPolecat, Town, add_rig, init_town
from polecat.adapters import GitCli, TmuxCli
from polecat.ports import World

SMALL, LARGE = (200, 8), (20_000, 1_100)
"""Files and directories of the two projects."""

AGENT = """\
#!/bin/sh
printf 'ready> '
while read -r line; do :; done
"""

_FOREIGN = ("GIT_", "GT_", "BD_", "BEADS_", "CLAUDE", "POLECAT_", "XDG_", "TMUX", "PYTHONDONTWRITE", "PYTHONUNBUFFERED")
"""Variables that would bend a measurement. Without compiled modules Python starts three times slower than an installed one."""


@frozen(kw_only=True)
class Place:
    """A temporary directory with everything a measurement needs.

    Attributes:
        root: the directory.
        environ: the environment of everything that is run.
        tmux: the server, which one idle session keeps running.
        town: the town.
        numbers: numbers that were not used yet.
    """

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    tmux: TmuxCli
    town: Town
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))

    @property
    def socket(self) -> str:
        """The server's socket."""
        return str(self.root / "s")

    @property
    def agent(self) -> Path:
        """The agent: it shows its prompt at once and waits."""
        return self.root / "agent"

    def run(self, *argv: str | Path) -> None:
        """Run a program as a script would, without looking at what it says."""
        done = subprocess.run(
            argv, env=dict(self.environ), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=600
        )
        if done.returncode:
            raise RuntimeError(f"{argv}: {done.stderr.decode(errors='replace')}")

    def python(self, *args: str) -> None:
        """Run this Python as a new process."""
        self.run(sys.executable, *args)

    def put_aside(self, tree: Path) -> None:
        """Rename a worktree and its registration out of the way."""
        link = (tree / ".git").read_text("utf-8").removeprefix("gitdir: ").strip()
        into = self.root / "aside" / str(next(self.numbers))
        tree.rename(into)
        Path(link).rename(into.with_suffix(".admin"))

    def end_sessions(self) -> None:
        """End all sessions but the idle one, and wait until they are gone."""
        self.run("tmux", "-S", self.socket, "kill-session", "-a", "-t", "=idle")


@contextmanager
def a_place() -> Iterator[Place]:
    """Make a place, and take it away with everything in it."""
    root = Path(tempfile.mkdtemp(prefix="pcb-"))  # short: a socket's path has at most 107 bytes
    environ = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    environ |= {"HOME": str(root / "home"), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}
    for who in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{who}_NAME": "bench", f"GIT_{who}_EMAIL": "bench@example.invalid"}
    socket = str(root / "s")
    for name in ("home", "aside", "bare"):
        (root / name).mkdir()
    (root / "agent").write_text(AGENT, "utf-8")
    (root / "agent").chmod(0o755)
    place = Place(
        root=root,
        environ=environ,
        tmux=TmuxCli(socket=socket, config_file=os.devnull, environ=environ),
        town=init_town(root / "town"),
    )
    place.run("tmux", "-S", socket, "-f", os.devnull, "new-session", "-d", "-s", "idle", "cat")
    try:
        yield place
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=False, capture_output=True, timeout=60)
        shutil.rmtree(root, ignore_errors=True)


def make_origin(place: Place, name: str, *, files: int, dirs: int) -> Path:
    """Make a bare repository with one commit of so many small files in so many directories; no tree is written."""
    path = place.root / f"{name}.git"
    place.run("git", "init", "-q", "--bare", "-b", "main", path)
    folders = (
        [f"d{number:02}" for number in range(dirs)] if dirs < 100 else [f"d{n % 100:02}/e{n // 100:02}" for n in range(dirs)]
    )
    lines = [b"commit refs/heads/main\ncommitter bench <bench@example.invalid> 1700000000 +0000\ndata 5\nfirst\n"]
    for number in range(files):
        text = f"file {number}\n" + "the same line again and again\n" * (number % 20)
        lines.append(f"M 100644 inline {folders[number % len(folders)]}/f{number:05}.txt\ndata {len(text)}\n{text}\n".encode())
    done = subprocess.run(
        ["git", "--git-dir", path, "fast-import", "--quiet"],
        input=b"".join(lines),
        env=dict(place.environ),
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError("git fast-import failed")
    place.run("git", "--git-dir", path, "repack", "-adq")
    return path


def make_rig(place: Place, name: str, origin: Path, **settings: object) -> Rig:
    """Add a rig whose agent shows its prompt at once."""
    rig = add_rig(place.town, name, str(origin), prefix=f"p{next(place.numbers)}", world=World(git=GitCli(environ=place.environ)))
    agent = {"command": str(place.agent), "tmux": {"ready_prompt_prefix": "ready> "}}
    document = {
        "type": "rig-settings",
        "version": 1,
        "agent": "bench",
        "agents": {"bench": agent},
        "max_polecats": 2000,
        "min_free_disk_mb": 1,
        **settings,
    }
    (rig.path / "settings" / "config.json").write_text(json.dumps(document), "utf-8")
    return place.town.rig(name)


@frozen(kw_only=True)
class BareSpawner:
    """What a person would type for want of polecat: fetch, worktree add, new-session. The measure of everything else."""

    place: Place
    repo: Path
    made: list[Path] = field(factory=list)

    @classmethod
    def of(cls, place: Place, origin: Path) -> BareSpawner:
        """Clone an origin for it, exactly as a rig's repository is cloned."""
        repo = place.root / "bare" / f"{origin.stem}.git"
        GitCli(environ=place.environ).clone_bare(str(origin), repo, timeout_s=600)
        return cls(place=place, repo=repo)

    def spawn(self) -> None:
        """Run the three commands."""
        place, number = self.place, next(self.place.numbers)
        tree = place.root / "bare" / f"t{number}"
        self.made.append(tree)
        git = ("git", f"--git-dir={self.repo}")
        place.run(*git, "fetch", "-q", "origin")
        place.run(*git, "worktree", "add", "-q", "-b", f"bare/t{number}", tree, "origin/main")
        place.run("tmux", "-S", place.socket, "new-session", "-d", "-s", f"bare-{number}", "-c", tree, place.agent)

    def clear(self) -> None:
        """Put what was made out of the way."""
        self.place.end_sessions()
        while self.made:
            self.place.put_aside(self.made.pop())


def clear_polecats(place: Place, rig: Rig, cats: list[SpawnedPolecat] | None = None) -> None:
    """Put a rig's polecats out of the way: all of them, so that each round finds an empty rig."""
    place.end_sessions()
    names = (
        [cat.polecat_name for cat in cats]
        if cats is not None
        else [p.name for p in rig.polecats_dir.iterdir() if p.name[0] != "."]
    )
    for name in names:
        place.put_aside(rig.home_dir(name) / rig.name)
        rig.home_dir(name).rename(place.root / "aside" / f"home-{next(place.numbers)}")
        (rig.runtime_dir / "polecats" / f"{name}.json").unlink(missing_ok=True)
