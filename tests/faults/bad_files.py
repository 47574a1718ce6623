"""The files that polecat reads, what may stand in their place, and the command lines that meet it.

A command line runs in a child of this process: what it does to the pretend tmux dies with it, and one that hangs or takes memory without
end can be ended. Disk, git and the store of work are real; the disk is put back as it was after each.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from attrs import evolve, field, frozen

from polecat import FetchPolicy, SpawnOptions, find_town, spawn_for_sling
from polecat.adapters import GitCli
from polecat.cli import VERBS, main
from polecat.ports import World
from polecat.testing import FakeClock, FakeProcesses, FakeTmux, make_program
from tests.git_fixtures import git
from tests.spawn_fixtures import RIG, lay_out_town, write_json

LIMIT_S = 30.0
"""How long a command line may take. The slowest takes a tenth of a second on an idle machine."""

MEMORY_BYTES = 4 << 30
"""How much more memory than we have it may take."""

BAD, GOOD, OTHER = "nux", "slit", "rictus"
"""The polecat whose files are spoilt, its neighbour, and one of another rig."""

Scope = Literal["nobody", "bead", "polecat", "rig", "town", "other rig"]
"""Who may be unknown, or fail, because of a bad file: nobody, a spawn for its bead, its polecat, its rig, the town, or the rig next door."""


@frozen(kw_only=True)
class Read:
    """A file that polecat reads.

    Attributes:
        path: where, below the directory that holds town and home; ``@`` is the name of the polecat's registration.
        whose: who may suffer from it.
        text: what it may hold, if it is not there; empty for a file that is.
    """

    path: str
    whose: Scope
    text: str = ""

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What is tried in its place: values of wrong types only where it holds JSON; what may not be read only where that keeps us out."""
        has_values = self.path.endswith((".json", ".jsonl", ".lock"))
        left_out = () if has_values else VALUES
        return tuple(name for name in WRONG if name not in left_out and (name != "unreadable" or os.geteuid() != 0))


_R, _GIT = f"town/{RIG}", f"town/{RIG}/.repo.git"
_ADMIN = f"{_GIT}/worktrees/@"
_CLAIM = {"instance": "0123456789abcdef", "polecat": BAD, "rig": RIG, "pid": 1, "branch": "polecat/nux-1", "process_names": ["x"]}
_AGENTS = {"version": 1, "agents": {"mine": {"name": "mine", "command": "claude", "args": ["-x"], "supports_hooks": True}}}
_ACCOUNTS = {"version": 1, "accounts": {"me": {"email": "a@b", "description": "d", "config_dir": "/tmp/x"}}, "default": "me"}
_OID = "f" * 40

FILES: Mapping[str, Read] = {
    # a polecat's own
    "claim": Read(path=f"{_R}/polecats/{BAD}/.claim.json", whose="polecat", text=json.dumps(_CLAIM)),
    "record": Read(path=f"{_R}/.runtime/polecats/{BAD}.json", whose="polecat"),
    "lock of a polecat": Read(path=f"{_R}/.runtime/locks/polecat-{BAD}.lock", whose="polecat"),
    "trust note": Read(
        path=f"{_R}/.runtime/trust/{BAD}.json", whose="polecat", text='{"version": 1, "given": [["claude", "/x", "/y"]]}'
    ),
    "failures of a bead": Read(path=f"{_R}/.runtime/respawns/gt-1.json", whose="bead", text='{"bead": "gt-1", "failures": 1}'),
    "how an agent ended": Read(
        path=f"{_R}/.runtime/ended/{BAD}.@instance", whose="polecat", text="status: 3\nsignal: \nat: \n\nwhy\n"
    ),
    "launch file": Read(path=f"{_R}/.runtime/launch/launch-0123456789abcdef", whose="nobody", text="export A=1\n"),
    "set-up log": Read(path=f"{_R}/.runtime/logs/setup-{BAD}.log", whose="nobody", text="said\n"),
    ".git of a worktree": Read(path=f"{_R}/polecats/{BAD}/{RIG}/.git", whose="polecat"),
    "HEAD of a registration": Read(path=f"{_ADMIN}/HEAD", whose="polecat"),
    "gitdir of a registration": Read(path=f"{_ADMIN}/gitdir", whose="polecat"),
    "commondir of a registration": Read(path=f"{_ADMIN}/commondir", whose="polecat"),
    "index of a registration": Read(path=f"{_ADMIN}/index", whose="polecat"),
    "lock of a registration": Read(path=f"{_ADMIN}/locked", whose="polecat", text="mine\n"),
    "merge head": Read(path=f"{_ADMIN}/MERGE_HEAD", whose="polecat", text=f"{_OID}\n"),
    "rebased branch": Read(path=f"{_ADMIN}/rebase-merge/head-name", whose="polecat", text="refs/heads/x\n"),
    "cherry-picked commit": Read(path=f"{_ADMIN}/CHERRY_PICK_HEAD", whose="polecat", text=f"{_OID}\n"),
    "list of a sequencer": Read(path=f"{_ADMIN}/sequencer/todo", whose="polecat", text=f"pick {_OID} x\n"),
    "start of a bisection": Read(path=f"{_ADMIN}/BISECT_START", whose="polecat", text="main\n"),
    "log of a registration": Read(path=f"{_ADMIN}/logs/HEAD", whose="polecat"),
    "gitdir of a move": Read(path=f"{_ADMIN}/gitdir.tmp", whose="polecat", text="/x/.git\n"),
    "branch of a polecat": Read(path=f"{_GIT}/refs/heads/polecat/@", whose="polecat"),
    # nobody's in particular
    "branch of nobody": Read(path=f"{_GIT}/refs/heads/polecat/junk-1", whose="nobody", text=f"{_OID}\n"),
    "registration of nobody": Read(path=f"{_GIT}/worktrees/junk/gitdir", whose="nobody", text="/nowhere/.git\n"),
    "HEAD of nobody": Read(path=f"{_GIT}/worktrees/junk/HEAD", whose="nobody", text="ref: refs/heads/x\n"),
    "feed": Read(path="town/.events.jsonl", whose="nobody"),
    "ports": Read(path="town/.runtime/polecat-ports.json", whose="nobody"),
    "lock of the ports": Read(path="town/.runtime/locks/polecat-ports.lock", whose="nobody"),
    "Claude's trust": Read(
        path="home/.claude.json", whose="nobody", text='{"projects": {"/x": {"hasTrustDialogAccepted": true}}}'
    ),
    "overlay file": Read(path=f"{_R}/.runtime/overlay/extra.txt", whose="nobody", text="x\n"),
    "list of included files": Read(path=f"{_R}/.runtime/worktreeinclude/.worktreeinclude", whose="nobody", text=".env\n"),
    "set-up hooks": Read(path=f"{_R}/.runtime/setup-hooks", whose="nobody", text="x\n"),
    "instructions": Read(path=f"{_R}/mayor/rig/AGENTS.md", whose="nobody", text="Do.\n"),
    "last fetch": Read(path=f"{_GIT}/polecat-fetched", whose="nobody", text="\n"),
    "lock of the trash": Read(path=f"{_R}/.runtime/locks/trash.lock", whose="nobody", text="{}"),
    "state of the pool": Read(path=f"{_R}/.runtime/namepool-state.json", whose="rig"),
    # a rig's
    "identity of a rig": Read(path=f"{_R}/config.json", whose="rig"),
    "settings of a rig": Read(path=f"{_R}/settings/config.json", whose="rig"),
    "own settings of a rig": Read(path=f"{_R}/settings/polecat.json", whose="rig", text='{"warm_spares": 0}'),
    "agents of a rig": Read(path=f"{_R}/settings/agents.json", whose="rig", text=json.dumps(_AGENTS)),
    "store of beads": Read(path=f"{_R}/.runtime/polecat-beads.sqlite3", whose="rig"),
    "journal of the store": Read(path=f"{_R}/.runtime/polecat-beads.sqlite3-journal", whose="rig"),
    "redirect": Read(path=f"{_R}/.beads/redirect", whose="rig", text="mayor/rig/.beads\n"),
    "lock of the pool": Read(path=f"{_R}/.runtime/locks/polecat-pool.lock", whose="rig"),
    "lock of the repository": Read(path=f"{_R}/.runtime/locks/repository.lock", whose="rig"),
    "lock of the fetch": Read(path=f"{_R}/.runtime/locks/fetch.lock", whose="rig", text="{}"),
    "HEAD of the repository": Read(path=f"{_GIT}/HEAD", whose="rig"),
    "configuration of the repository": Read(path=f"{_GIT}/config", whose="rig"),
    "packed refs": Read(path=f"{_GIT}/packed-refs", whose="rig"),
    "ignored files": Read(path=f"{_GIT}/info/exclude", whose="rig"),  # git itself does nothing where it cannot read it
    "branch of the remote": Read(path=f"{_GIT}/refs/remotes/origin/main", whose="rig", text="@tip\n"),
    "HEAD of the remote": Read(path=f"{_GIT}/refs/remotes/origin/HEAD", whose="rig", text="ref: refs/remotes/origin/main\n"),
    "config of another rig": Read(path="town/other/config.json", whose="other rig"),
    "settings of another rig": Read(path="town/other/settings/config.json", whose="other rig"),
    # the town's
    "town": Read(path="town/mayor/town.json", whose="town"),
    "rigs": Read(path="town/mayor/rigs.json", whose="town"),
    "accounts": Read(path="town/mayor/accounts.json", whose="town", text=json.dumps(_ACCOUNTS)),
    "settings of the town": Read(path="town/settings/config.json", whose="town"),
    "own settings of the town": Read(path="town/settings/polecat.json", whose="town", text="{}"),
    "agents of the town": Read(path="town/settings/agents.json", whose="town", text=json.dumps(_AGENTS)),
    "routes": Read(path="town/.beads/routes.jsonl", whose="town", text='{"prefix":"gt-","path":"gastown"}\n'),
}
"""Every file that polecat reads and did not just make."""

_OF_GIT = (
    *(".git of a worktree", "HEAD of a registration", "gitdir of a registration", "commondir of a registration"),
    *("lock of a registration", "merge head", "rebased branch", "gitdir of a move", "branch of a polecat", "branch of nobody"),
    *(
        "registration of nobody",
        "HEAD of nobody",
        "HEAD of the repository",
        "packed refs",
        "branch of the remote",
        "HEAD of the remote",
    ),
)
_LOCKS = (
    "lock of a polecat",
    "lock of the pool",
    "lock of the repository",
    "lock of the fetch",
    "lock of the trash",
    "lock of the ports",
)
_AGENTS_FILES = ("agents of a rig", "agents of the town")

READERS: Mapping[str, tuple[str, ...]] = {
    "adapters/beads/calls.py": (),  # what bd keeps itself: tests/adapters/beads
    "adapters/beads/dialect.py": (),  # a cache: tests/adapters/beads
    "adapters/gastown.py": (),  # a cache: tests/lifecycle/test_gastown.py
    "adapters/beads/local.py": ("store of beads", "journal of the store"),
    **{
        f"adapters/git/{name}.py": _OF_GIT
        for name in ("facts", "files", "inner", "named", "refs", "stale", "submodules", "worktrees")
    },
    "adapters/git/config.py": ("configuration of the repository",),
    "adapters/git/publish.py": ("configuration of the repository", "branch of a polecat"),
    "fleet/tickets.py": (),  # a note of the fleet's own: tests/fleet
    "place/gas_town_files.py": (),  # what cannot be read counts as work: tests/place
    "place/include.py": ("list of included files",),
    "place/ports.py": ("ports",),
    "place/provision.py": ("instructions", "ignored files", "redirect"),
    "place/setup_hooks.py": ("set-up log",),
    "place/trust.py": ("trust note", "configuration of the repository"),
    "place/trust_stores.py": ("Claude's trust",),
    "town/beads_paths.py": ("redirect",),
    "town/breaker.py": ("failures of a bead",),
    "town/config.py": (
        "town",
        "rigs",
        "accounts",
        "identity of a rig",
        "config of another rig",
        "state of the pool",
        *_AGENTS_FILES,
    ),
    "town/endings.py": ("how an agent ended",),
    "town/events.py": ("feed",),
    "town/files.py": (),  # what the others read with
    "town/find.py": ("town",),
    "town/guarded.py": (),  # likewise
    "town/json_files.py": (),  # likewise
    "town/locks.py": _LOCKS,
    "town/own_settings.py": ("settings of a rig", "settings of the town", "own settings of a rig", "own settings of the town"),
    "town/pool_state.py": ("state of the pool",),
    "town/records.py": ("claim", "record"),
    "town/registry.py": ("rigs",),
    "town/routes.py": ("routes",),
    "town/settings.py": (
        *("settings of a rig", "settings of another rig", "settings of the town"),
        *("own settings of a rig", "own settings of the town"),
    ),
    "upkeep/doctor_rig.py": ("configuration of the repository",),
    "upkeep/rigs.py": ("gitdir of a registration",),
}
"""Module → the files that it reads, by their names in `FILES`."""

OPENED_BY_OTHERS = (
    *("index of a registration", "last fetch", "launch file", "overlay file", "set-up hooks"),
    *("cherry-picked commit", "list of a sequencer", "start of a bisection", "log of a registration"),
)
"""What git or a shell opens, what is copied or run, and what is only looked at from outside."""


# ------------------------------------------------------------------------------------------------ what may stand there


def _fifo(path: Path, _good: bytes) -> None:
    os.mkfifo(path)


def _directory(path: Path, _good: bytes) -> None:
    path.mkdir()
    (path / "something").write_text("x")


def _loop(path: Path, _good: bytes) -> None:
    path.symlink_to(path)


def _dangling(path: Path, _good: bytes) -> None:
    path.symlink_to(path.parent / "nothing here")


def _device(path: Path, _good: bytes) -> None:
    """Make a device of endless zeros: a node of our own where we may, as whoever may could also replace the system's."""
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        path.unlink(missing_ok=True)
        if os.geteuid() == 0:
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/zero")


def _sparse(path: Path, _good: bytes) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 38)


def _unreadable(path: Path, good: bytes) -> None:
    path.write_bytes(good)
    path.chmod(0)


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path, bytes], None]:
    def make(path: Path, good: bytes) -> None:
        path.write_bytes(change(good))

    return make


def _types(value: object) -> Callable[[Path, bytes], None]:
    """Put a value of another type into every field of a JSON file, one level down as well."""

    def spoil(node: object, depth: int) -> object:
        if isinstance(node, dict) and depth:
            return {key: spoil(one, depth - 1) if isinstance(one, dict) else value for key, one in node.items()}
        return value

    def make(path: Path, good: bytes) -> None:
        try:
            document = json.loads(good)
        except ValueError:
            document = good.decode("utf-8", "replace")
        path.write_text(json.dumps(spoil(document, 3)))

    return make


WRONG: Mapping[str, Callable[[Path, bytes], None]] = {
    "fifo": _fifo,
    "directory": _directory,
    "loop": _loop,
    "dangling link": _dangling,
    "device": _device,
    "a quarter of a terabyte": _sparse,
    "unreadable": _unreadable,
    "empty": _bytes(lambda _: b""),
    "cut": _bytes(lambda good: good[: len(good) // 2]),
    "NUL": _bytes(lambda good: good[:9] + b"\0\0" + good[9:]),
    "no UTF-8": _bytes(lambda good: good[:9] + b"\xff\xfe\x80" + good[9:]),
    "control characters": _bytes(lambda good: b"\x1b[2J\xe2\x80\xae\xc2\x85x\r" + good),
    "nested": _bytes(lambda _: b"[" * 200_000),
    "nested objects": _bytes(lambda _: b'{"a":' * 200_000),
    "a long line": _bytes(lambda _: b"x" * 300_000),
    "a list": _bytes(lambda _: b"[1, 2]"),
    # values of other types
    "lists": _types([]),
    "objects": _types({"\x1b[2J": 1}),
    "numbers": _types(7),
    "huge numbers": _types(10**300),
    "endless numbers": _types(float("inf")),
    "texts": _types("\u202e\u2028x\x85"),
    "nulls": _types(None),
    "truths": _types(True),
}


VALUES = tuple(name for name, make in WRONG.items() if make.__qualname__.startswith("_types"))
"""Those that only make sense where JSON is read."""


# ------------------------------------------------------------------------------------------------------- command lines


@frozen(kw_only=True)
class Line:
    """A command line.

    Attributes:
        argv: its words.
        about: what it needs: one polecat, the rig, the whole town, or nothing that may fail.
        acts: it may change something.
        code: its exit code where nothing is wrong.
    """

    argv: tuple[str, ...]
    about: str
    acts: bool = False
    code: int = 0

    def __str__(self) -> str:
        """As it is typed."""
        return " ".join(self.argv)


def _line(text: str, about: str, *, acts: bool = False, code: int = 0) -> Line:
    return Line(argv=tuple(text.replace("RIG", RIG).split(" ")), about=about, acts=acts, code=code)


LINES: tuple[Line, ...] = (
    _line("list RIG --json", RIG),
    _line("list --json", "town"),
    _line(f"status RIG/{GOOD} --json", GOOD),
    _line(f"status RIG/{BAD}", BAD),
    _line(f"status other/{OTHER} --json", OTHER),
    _line("stale RIG --json", RIG),
    _line("doctor --json", "doctor"),
    _line("doctor", "doctor"),
    _line("rescue list RIG", "git"),
    _line(f"hook show RIG/{GOOD}", GOOD),
    _line(f"hook show RIG/{BAD}", BAD),
    _line(f"capture RIG/{GOOD}", GOOD),
    _line(f"capture RIG/{BAD}", BAD),
    _line(f"attach RIG/{GOOD} --print", GOOD),
    _line("complete polecats", "nothing"),
    _line("complete agents", "nothing"),
    _line("spawn RIG --dry-run", "new"),
    _line(f"remove RIG/{BAD} --dry-run", BAD, code=1),
    _line(f"repair RIG/{BAD} --dry-run", BAD, code=1),
    _line("reconcile RIG --dry-run", RIG),
    _line("prune RIG --dry-run", RIG),
    _line("spawn RIG --json --fetch always", "new", acts=True),
    _line("spawn RIG --hook gt-1", "bead", acts=True),
    _line(f"nudge RIG/{GOOD} hello", GOOD, acts=True),
    _line(f"nudge RIG/{BAD} hello", BAD, acts=True),
    _line(f"stop RIG/{GOOD}", GOOD, acts=True),
    _line(f"stop RIG/{BAD}", BAD, acts=True),
    _line(f"remove RIG/{BAD}", BAD, acts=True, code=1),
    _line(f"remove RIG/{BAD} --force", BAD, acts=True),
    _line(f"remove RIG/{BAD} --nuclear", BAD, acts=True),
    _line(f"remove RIG/{GOOD} --force", GOOD, acts=True),
    _line(f"repair RIG/{BAD} --force", BAD, acts=True),
    _line(f"repair RIG/{GOOD} --force", GOOD, acts=True),
    _line("reconcile RIG", RIG, acts=True),
    _line("prune RIG", RIG, acts=True),
    _line(f"hook set RIG/{GOOD} gt-2", GOOD, acts=True),
    _line(f"hook clear RIG/{BAD}", BAD, acts=True),
    _line(f"hook clear ga-{BAD} --rig RIG", RIG, acts=True),
    _line("warm RIG 1", "new", acts=True),
)


@frozen(kw_only=True)
class Ended:
    """How a command line ended.

    Attributes:
        code: its exit code; None when it had to be ended, or died.
        out: what it printed.
        err: what it said.
        sessions: the sessions that there are then.
    """

    code: int | None
    out: str = ""
    err: str = ""
    sessions: tuple[str, ...] = ()


@frozen(kw_only=True)
class Scene:
    """Town, home and pretend world, and a copy of them that stays.

    Attributes:
        room: where they are.
        world: what command lines act on.
        sessions: the sessions that there are.
        names: what stands for ``@``, ``@tip`` and ``@instance`` in `FILES`.
    """

    room: Path
    world: World
    sessions: tuple[str, ...] = ()
    names: Mapping[str, str] = field(factory=dict)

    @property
    def live(self) -> Path:
        """The directory that holds town and home."""
        return self.room / "live"

    @property
    def town(self) -> Path:
        """The town."""
        return self.live / "town"

    def path_of(self, read: Read) -> Path:
        """Where a file is."""
        return self.live / read.path.replace("@instance", self.names["@instance"]).replace("@", self.names["@"])

    @contextlib.contextmanager
    def spoilt(self, read: Read, wrong: Callable[[Path, bytes], None]) -> Iterator[None]:
        """Put something wrong in a file's place, and everything back in the end."""
        path = self.path_of(read)
        try:
            good = path.read_bytes() if path.is_file() else b""
            good = read.text.replace("@tip", self.names["@tip"]).encode() or good
            assert good, f"{path} is not there"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            wrong(path, good)
            yield
        finally:
            self.restore()

    def restore(self) -> None:
        """Put everything back as it was."""
        while self.live.exists():  # the trash may be being emptied
            shutil.rmtree(self.live, ignore_errors=True)
        shutil.copytree(self.room / "kept", self.live, symlinks=True)

    def run(self, line: Line) -> Ended:
        """Run a command line in a child that has a time limit and a limit of memory."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.close(reader)
                _run(line, self, writer)
            os._exit(1)
        os.close(writer)
        try:
            data = _read_all(reader, until_s=time.monotonic() + LIMIT_S)
        finally:
            os.close(reader)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return Ended(code=None, err=f"no answer within {LIMIT_S} s, or it died") if data is None else Ended(**json.loads(data))


def _read_all(fd: int, *, until_s: float) -> bytes | None:
    """Read until the other end is closed; None if that takes too long, or nothing came."""
    data = b""
    while select.select([fd], [], [], max(0.0, until_s - time.monotonic()))[0]:
        more = os.read(fd, 65536)
        if not more:
            return data or None
        data += more
    return None


def _run(line: Line, scene: Scene, writer: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    os.environ["HOME"] = str(scene.live / "home")
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    os.chdir("/")
    code = main([*line.argv, "--town", str(scene.town)], world=scene.world)
    answer = {"code": code, "out": sys.stdout.getvalue(), "err": sys.stderr.getvalue()}
    assert isinstance(scene.world.tmux, FakeTmux)
    answer["sessions"] = scene.world.tmux.sessions()
    with open(writer, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(json.dumps(answer))
    os._exit(0)


def make_scene(room: Path, template: Path) -> Scene:
    """Make a town with two rigs, three polecats with work nobody else has, and a copy of it all."""
    for module in ("sh", *(module for module, _ in VERBS.values())):
        import_module(module)  # here, and not in every child
    town = room / "live" / "town"
    (room / "live" / "home").mkdir(parents=True)
    lay_out_town(town, template / "origin")
    for rig in (RIG, "other"):
        shutil.copytree(template / "bare", town / rig / ".repo.git", symlinks=True)
        git("pack-refs", "--all", cwd=town / rig / ".repo.git")
        write_json(
            town / rig / "settings" / "config.json", {"type": "rig-settings", "version": 1, "agent": "claude", "fetch": "never"}
        )
    rigs = json.loads((town / "mayor" / "rigs.json").read_text())
    rigs["rigs"]["other"] = {**rigs["rigs"][RIG], "beads": {"repo": "", "prefix": "ot"}}
    write_json(town / "mayor" / "rigs.json", rigs)
    write_json(town / "settings" / "config.json", {"type": "town-settings", "version": 1, "default_agent": "claude"})
    identity = json.loads((town / RIG / "config.json").read_text())
    write_json(town / "other" / "config.json", {**identity, "name": "other"})
    (town / "other" / "polecats").mkdir()
    scene = Scene(room=room, world=_world(room))
    for rig, name in ((RIG, BAD), (RIG, GOOD), ("other", OTHER)):
        options = SpawnOptions(name=name, hook_bead=f"{rig[:2]}-{name}", fetch=FetchPolicy(when="never"))
        cat = spawn_for_sling(find_town(town).rig(rig), options, world=scene.world)
        (cat.clone_path / f"work of {name}.txt").write_text(work_of(name))
    assert isinstance(scene.world.clock, FakeClock)
    scene.world.clock.sleep(60)
    shutil.copytree(scene.live, room / "kept", symlinks=True)
    repo = town / RIG / ".repo.git"
    assert isinstance(scene.world.tmux, FakeTmux)
    scene = evolve(scene, sessions=tuple(scene.world.tmux.sessions()))
    [admin] = [path.name for path in (repo / "worktrees").iterdir() if path.name.startswith(BAD)]
    tip = git("rev-parse", "refs/remotes/origin/main", cwd=repo).strip()
    record = json.loads((town / RIG / ".runtime" / "polecats" / f"{BAD}.json").read_text())
    return evolve(scene, names={"@": admin, "@tip": tip, "@instance": record["instance"]})


def work_of(name: str) -> str:
    """What a polecat did."""
    return f"nobody else has what {name} did"


def _world(room: Path) -> World:
    processes, clock = FakeProcesses(), FakeClock()
    path = os.pathsep.join([str(make_program(room / "bin")), os.environ["PATH"]])
    environ = {**os.environ, "PATH": path, "HOME": str(room / "live" / "home")}
    tmux = FakeTmux(processes=processes, clock=clock)
    return World(git=GitCli(environ=environ), tmux=tmux, processes=processes, clock=clock, environ=environ)


def seen(scene: Scene) -> dict[str, object]:
    """Everything on the disk but locks and SQLite's own journal: name → content, link, or kind."""
    found: dict[str, object] = {}
    for place, folders, names in os.walk(scene.live):
        for name in [*folders, *names]:
            path = Path(place, name)
            if not (name.endswith((".lock", "-journal")) or name in ("locks", "sling", ".runtime")):
                with contextlib.suppress(FileNotFoundError):  # the trash may be being emptied
                    found[str(path.relative_to(scene.live))] = _content(path)
    return found


def _content(path: Path) -> object:
    about = path.lstat()
    if path.is_symlink():
        return os.readlink(path)
    return (
        path.read_bytes()
        if path.is_file() and about.st_size < 1 << 20
        else (about.st_mode, about.st_size if path.is_file() else 0)
    )


def rows_of(out: str) -> dict[str, Any]:
    """The polecats of a ``list --json``, by their addresses."""
    return {row["agent_id"]: row for row in json.loads(out)}
