"""A town with real git, a real tmux server of its own, and an agent that writes down what it is told."""

from __future__ import annotations

# pyright: reportGeneralTypeIssues=false
# a narrower world has no defaults, which pyright wants of every field that overrides one with a default; all are keyword-only
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from polecat.adapters.git.cli import GitCli
from polecat.adapters.processes import program
from polecat.adapters.tmux.cli import TmuxCli
from polecat.errors import PolecatError, ProgramError
from polecat.model import Rig
from polecat.ports import World
from polecat.testing.worlds import make_rig, put_json
from polecat.town.settings import OWN_FILE

_FOREIGN = ("BD_", "BEADS_", "CLAUDE", "GIT_", "GT_", "POLECAT_", "TMUX", "XDG_")
_KEPT = ("LANG", "LOGNAME", "PATH", "TERM", "TMPDIR", "TZ", "USER")
_LIMIT_S = 30.0
_AGENT = """\
#!/bin/sh
# Shows its prompt at once and what is typed, and writes every byte of that into a file.
stty raw -echo
printf '> '
exec tee "@NOTES@/$GT_POLECAT"
"""


@frozen(kw_only=True)
class RealWorld(World):
    """The world of a `RealTown`: every acting function that gets it acts on that town and nothing else."""

    git: GitCli
    tmux: TmuxCli
    environ: Mapping[str, str] = field(repr=False)


@frozen(kw_only=True)
class RealTown:
    """A town with one rig, cloned from an origin beside it.

    Attributes:
        rig: the rig. Its agent, ``recorder``, is ready at once and writes down what is typed to it.
        origin: the repository that the rig was cloned from; ``main`` has one commit with a ``README.md``.
        environ: the surroundings of everything: an empty HOME, git with a fixed identity and nobody's configuration, PATH, the
            language, and nothing else.
        socket: path of the tmux server's socket.
    """

    rig: Rig
    origin: Path
    environ: Mapping[str, str] = field(repr=False)
    socket: Path

    @property
    def root(self) -> Path:
        """The town's directory."""
        return self.rig.town_root

    @property
    def tmux(self) -> TmuxCli:
        """The town's own tmux server."""
        return TmuxCli(socket=str(self.socket), config_file=os.devnull, environ=self.environ)

    @property
    def world(self) -> RealWorld:
        """The world of this town."""
        return RealWorld(git=GitCli(environ=self.environ), tmux=self.tmux, environ=self.environ)

    def received(self, polecat_name: str) -> str:
        """Return what a polecat's agent was told so far, with a carriage return for each Enter."""
        try:
            return (self.root / "received" / polecat_name).read_bytes().decode()
        except FileNotFoundError:
            return ""


@contextmanager
def real_town(room: Path, name: str = "gastown") -> Iterator[RealTown]:
    """Make a town with real git and a real tmux server of its own; end both in the end.

    The user's tmux server, HOME and git configuration are neither used nor changed. The town's settings name the server, so that
    ``polecat --town`` reaches it too.

    Args:
        room: an empty directory, such as pytest's ``tmp_path``.
        name: the rig's name.

    Returns:
        For the length of a ``with`` block, the town.

    Raises:
        ProgramError: git or tmux is missing.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> with tempfile.TemporaryDirectory() as room, real_town(Path(room)) as town:
        ...     cat = spawn_for_sling(town.rig, world=town.world)
        ...     [session.name for session in town.tmux.list_sessions()]
        ['gt-gastown-furiosa']
    """
    room.mkdir(parents=True, exist_ok=True)
    sockets = Path(tempfile.mkdtemp(prefix="polecat-", dir="/tmp"))
    town = RealTown(
        rig=make_rig(room, name), origin=room / "origin", environ=_pinned(room / "home", sockets), socket=sockets / "tmux"
    )
    town.tmux.check()
    _make_origin(town)
    _make_repo(town)
    _write_settings(town)
    try:
        yield town
    finally:
        _end(town)
        shutil.rmtree(sockets, ignore_errors=True)


def is_foreign(variable: str) -> bool:
    """Say whether an environment variable leads git, tmux, bd or polecat to somebody's own things."""
    return variable.startswith(_FOREIGN)


def _pinned(home: Path, sockets: Path) -> dict[str, str]:
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith("LC_")}
    return {
        **kept,
        "GIT_AUTHOR_EMAIL": "author@example.invalid",
        "GIT_AUTHOR_NAME": "Author",
        "GIT_COMMITTER_EMAIL": "committer@example.invalid",
        "GIT_COMMITTER_NAME": "Committer",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": str(home),
        "TMUX_TMPDIR": str(sockets),
    }


def _git(town: RealTown, *words: str) -> None:
    done = program.run(["git", *words], env=town.environ, cwd=town.origin, timeout_s=_LIMIT_S)
    if done.exit_code != 0:
        raise ProgramError(f"git {words[0]} failed: {done.error_text}", argv=done.argv, exit_code=done.exit_code)


def _make_origin(town: RealTown) -> None:
    town.origin.mkdir()
    (town.origin / "README.md").write_text("a project\n", "utf-8")
    _git(town, "init", "-q", "-b", "main")
    _git(town, "config", "receive.denyCurrentBranch", "ignore")
    _git(town, "add", ".")
    _git(town, "commit", "-q", "-m", "first")


def _make_repo(town: RealTown) -> None:
    place = town.rig.path / ".repo.git"
    place.rmdir()
    GitCli(environ=town.environ).clone_bare(str(town.origin), place, timeout_s=_LIMIT_S)


def _write_settings(town: RealTown) -> None:
    notes, agent = town.root / "received", town.root / "bin" / "recorder"
    notes.mkdir()
    agent.parent.mkdir()
    agent.write_text(_AGENT.replace("@NOTES@", str(notes)), "utf-8")
    agent.chmod(0o755)
    recorder = {"command": str(agent), "tmux": {"ready_prompt_prefix": "> "}}
    put_json(
        town.rig.path / "settings" / "config.json",
        {"type": "rig-settings", "version": 1, "agent": "recorder", "agents": {"recorder": recorder}},
    )
    put_json(town.root / OWN_FILE, {"tmux_socket": str(town.socket)})


def _end(town: RealTown) -> None:
    """End the agents with all they started, then the server: by process, so that nothing else can be meant."""
    words = ["tmux", "-S", str(town.socket), "display-message", "-p", "#{pid}"]
    done = program.run(words, env=town.environ, timeout_s=_LIMIT_S)
    if done.exit_code != 0:
        return
    table = town.tmux.processes
    server = table.identify(int(done.text))
    with contextlib.suppress(PolecatError):
        for session in town.tmux.list_sessions():
            agent = table.identify(session.pane_pid)
            table.end(table.family([] if agent is None else [agent], instance=session.instance), grace_s=1.0)
    if server is not None:
        table.end([server], grace_s=2.0)
