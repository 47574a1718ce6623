"""A town laid out by hand, as Gas Town would, with real git, a real tmux server of its own and agents that are shell scripts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from polecat import Rig, SpawnedPolecat, SpawnOptions, find_town, spawn_for_sling, warm_spares
from polecat.adapters import GitCli, LocalBeads
from polecat.ports import Beads, World
from tests.git_fixtures import git, make_origin
from tests.tmux_fixtures import PrivateServer, environ_of, eventually, private_server

RIG = "gastown"

RECORD = 'stty raw -echo; printf "> "; exec tee "@NOTES@/in-$GT_POLECAT"'
"""Shows its prompt at once and what is typed, and writes every byte of that into a file."""

SAY_ARGS = 'for word; do printf "%s\\0" "$word"; done >"@NOTES@/args-$GT_POLECAT"\n' + RECORD
"""As `RECORD`, and writes its arguments down, each followed by a NUL."""

PROMPT = {"tmux": {"ready_prompt_prefix": "> "}}

SPARES = int(os.environ.get("POLECAT_TEST_SPARES", "0"))
"""How many warm spares every town begins with; ``nox -s warm`` runs the tests with some."""


def write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2))


@frozen(kw_only=True)
class HandTown:
    """The town, its one rig, its tmux server, and a directory for what agents note down.

    Attributes:
        root: the town.
        origin: the repository the rig was cloned from.
        server: the tmux server.
        notes: where scripted agents write.
    """

    root: Path
    origin: Path
    server: PrivateServer
    notes: Path

    @property
    def rig(self) -> Rig:
        """The rig as the library reads it from the disk."""
        return find_town(self.root).rig(RIG)

    @property
    def rig_dir(self) -> Path:
        return self.root / RIG

    @property
    def repo_dir(self) -> Path:
        return self.rig_dir / ".repo.git"

    def agent(self, name: str, body: str, **described: object) -> Path:
        """Define an agent of the rig that runs a shell script; return the script. The first one defined is the rig's own."""
        script = self.notes.parent / f"agent-{name}"
        script.write_text("#!/bin/sh\n" + body.replace("@NOTES@", str(self.notes)) + "\n")
        script.chmod(0o755)
        self.define(name, {"command": str(script), **(described or PROMPT)})
        return script

    def define(self, name: str, runtime: Mapping[str, object]) -> None:
        """Define an agent in the rig's settings."""
        path = self.rig_dir / "settings" / "config.json"
        settings: dict[str, Any] = {"type": "rig-settings", "version": 1}
        if path.exists():
            settings = json.loads(path.read_text())
        settings.setdefault("agents", {})[name] = dict(runtime)
        settings.setdefault("agent", name)
        write_json(path, settings)

    def settings(self, **values: object) -> None:
        """Set further keys of the rig's settings."""
        path = self.rig_dir / "settings" / "config.json"
        known = json.loads(path.read_text()) if path.exists() else {"type": "rig-settings", "version": 1}
        write_json(path, {**known, **values})

    def spawn(
        self,
        *,
        beads: Beads | None = None,
        environ: Mapping[str, str] | None = None,
        server: PrivateServer | None = None,
        **options: object,
    ) -> SpawnedPolecat:
        """Spawn with the real programs on the town's own server; keyword arguments are `SpawnOptions`."""
        env = dict(os.environ if environ is None else environ)
        return spawn_for_sling(
            self.rig,
            SpawnOptions(**options),  # type: ignore[arg-type]  # a test names what it wants
            world=World(tmux=(server or self.server).cli(environ=env), git=GitCli(environ=env), beads=beads, environ=env),
        )

    def store(self) -> LocalBeads:
        """The rig's embedded store."""
        return LocalBeads(self.rig_dir / ".runtime" / "polecat-beads.sqlite3")

    # ------------------------------------------------------------------------------------------- looking, not through us

    def sessions(self) -> list[str]:
        """The names of all sessions of the server, as tmux says."""
        return self.server.run("list-sessions", "-F", "#{session_name}", code=None).split()

    def events(self) -> list[dict[str, Any]]:
        """The town's feed."""
        path = self.root / ".events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def typed(self, name: str) -> bytes:
        """What was typed to a polecat whose agent records."""
        path = self.notes / f"in-{name}"
        return path.read_bytes() if path.exists() else b""

    def args(self, name: str) -> list[str]:
        """The arguments that a polecat's agent was given."""
        return [os.fsdecode(word) for word in (self.notes / f"args-{name}").read_bytes().split(b"\0")[:-1]]

    def leftovers(self) -> dict[str, object]:
        """Everything a spawn could leave behind. Empty for a rig without polecats."""
        runtime = self.rig_dir / ".runtime"
        worktrees = self.repo_dir / "worktrees"
        links = worktrees.glob("*/gitdir")  # a foreign git that was killed may have left a registration without one
        spares = {link.parent.name for link in links if "/.spare-" in link.read_text()}
        found = {
            "homes": sorted(name for name in os.listdir(self.rig_dir / "polecats") if not name.startswith(".spare-")),
            "branches": git("for-each-ref", "--format=%(refname)", "refs/heads/polecat", cwd=self.repo_dir).split(),
            "registrations": sorted({*os.listdir(worktrees)} - spares) if worktrees.exists() else [],
            "sessions": self.sessions(),
            "launch files": sorted(os.listdir(runtime / "launch")) if (runtime / "launch").exists() else [],
            "records": sorted(os.listdir(runtime / "polecats")) if (runtime / "polecats").exists() else [],
            "spawn events": [event for event in self.events() if event["type"] == "spawn"],
            "processes": processes_of(self.root),
        }
        return {what: value for what, value in found.items() if value}

    def assert_nothing_left(self) -> None:
        """Fail unless the rig looks as if nobody had ever spawned here; the trash is deleted in the background."""
        with suppress(AssertionError):
            eventually(lambda: not self.leftovers(), "everything is gone")
        left = self.leftovers()
        assert not left, left


def processes_of(town: Path) -> list[int]:
    """List the live processes that say they belong to a polecat of a town."""
    mark, found = b"GT_ROOT=" + os.fsencode(town) + b"\0", []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def tree_of(folder: Path, *, leave_out: tuple[str, ...] = ()) -> dict[str, object]:
    """Describe every file below a directory: its content, or where it leads; directories as None."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if any(part in leave_out for part in path.relative_to(folder).parts):
            continue
        found[name] = os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found


def lay_out_town(root: Path, origin: Path, *, branch: str = "main") -> None:
    """Lay a town with the rig ``gastown`` out by hand, file by file, as Gas Town would."""
    write_json(root / "mayor" / "town.json", {"type": "town", "version": 2, "name": "t", "created_at": "2026-01-13T12:00:00Z"})
    entry = {"git_url": str(origin), "added_at": "2026-01-13T12:00:00Z", "beads": {"repo": "", "prefix": "gt"}}
    write_json(root / "mayor" / "rigs.json", {"version": 1, "rigs": {RIG: entry}})
    identity = {"type": "rig", "version": 1, "name": RIG, "git_url": str(origin), "default_branch": branch}
    write_json(root / RIG / "config.json", {**identity, "created_at": "2026-01-13T12:00:00Z"})
    for place in ("polecats", "settings", "crew", "witness", "mayor"):
        (root / RIG / place).mkdir(parents=True, exist_ok=True)


def clone_as_the_reference_does(origin: Path, bare: Path) -> None:
    """Make the rig's repository in the three calls of contract §2.6."""
    git("clone", "-q", "--bare", origin, bare, cwd=origin.parent)
    git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*", cwd=bare)
    git("fetch", "-q", "origin", cwd=bare)


def copy_repositories(template: Path, place: Path) -> None:
    """Copy an origin and its clone, and let the clone lead to the copy; cheaper than cloning for each test."""
    shutil.copytree(template / "origin", place / "origin", symlinks=True)
    shutil.copytree(template / "bare", place / "bare", symlinks=True)
    config = place / "bare" / "config"
    config.write_text(config.read_text().replace(str(template / "origin"), str(place / "origin")))


def make_template(place: Path) -> Path:
    """Make the origin and the clone that `copy_repositories` copies."""
    make_origin(place / "origin")
    clone_as_the_reference_does(place / "origin", place / "bare")
    return place


@contextmanager
def hand_town(place: Path, template: Path, *, name: str = "town", spares: int = SPARES) -> Iterator[HandTown]:
    """Make a town in *place*, with warm spares; its server ends with the block."""
    copy_repositories(template, place)
    root = place / name
    lay_out_town(root, place / "origin")
    (place / "bare").rename(root / RIG / ".repo.git")
    (place / "notes").mkdir()
    with private_server() as server:
        town = HandTown(root=root, origin=place / "origin", server=server, notes=place / "notes")
        if spares:
            warm_spares(town.rig, spares, world=World(tmux=server.cli()))
        yield town


def agent_env(cat: SpawnedPolecat) -> dict[str, str]:
    """The environment of a polecat's agent, from the kernel."""
    return {os.fsdecode(k): os.fsdecode(v) for k, v in environ_of(cat.pid).items()}


def wait_for(read: Callable[[], object], wanted: object, what: str) -> None:
    """Wait until *read* gives *wanted*; show what it gave instead."""
    got: list[object] = []

    def is_there() -> bool:
        got[:] = [read()]
        return got[0] == wanted

    try:
        eventually(is_there, what)
    except AssertionError:
        raise AssertionError(f"{what}: {got[0]!r} instead of {wanted!r}") from None


def start_session(server: PrivateServer, name: str, **environment: str) -> None:
    """Make a session as somebody else would."""
    words = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
    server.run("new-session", "-d", "-s", name, *words, "exec sleep 600")


def start_polecat_session(town: HandTown, name: str) -> None:
    """Make a session of a polecat that is gone, as Gas Town would have made it."""
    said = {"GT_ROLE": "polecat", "GT_RIG": RIG, "GT_POLECAT": name, "GT_ROOT": str(town.root)}
    start_session(town.server, f"gt-{RIG}-{name}", **said)


def shim_directory(place: Path, **programs: str) -> Path:
    """Make a directory of little programs, to be put first on PATH."""
    place.mkdir(parents=True, exist_ok=True)
    for name, body in programs.items():
        (place / name).write_text(f"#!/bin/sh\n{body}\n")
        (place / name).chmod(0o755)
    return place


def with_path(*first: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment with directories put first on PATH."""
    env = dict(os.environ if environ is None else environ)
    return {**env, "PATH": os.pathsep.join([*map(str, first), env["PATH"]])}


def run_python(*argv: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    import sys

    root = Path(__file__).parent.parent
    surroundings = {**os.environ, "PYTHONPATH": str(root), **(env or {})}
    return subprocess.run(
        [sys.executable, "-m", "polecat", *argv],
        cwd=cwd, env=surroundings, text=True, capture_output=True, timeout=50, check=False, input=stdin,
    )  # fmt: skip
