"""A town that Gas Town and polecat share: who made it, which gt, and what the agents in it say of themselves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

import polecat
from tests.git_fixtures import make_origin

RIG = "gastown"
PATIENCE_S = 60.0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@frozen(kw_only=True)
class Neighbour:
    """A Gas Town as its users run it.

    Attributes:
        name: as the table calls it.
        programs: name on PATH → the program.
        prompt: what its Claude shows when it waits.
        has_beads: there is a ``bd``.
    """

    name: str
    programs: dict[str, Path]
    prompt: str
    has_beads: bool

    @property
    def is_today(self) -> bool:
        """It is of today, not of the seed's date."""
        return self.name != "seed"


@frozen(kw_only=True)
class Said:
    """What a program answered."""

    code: int
    text: str


@frozen(kw_only=True)
class Agent:
    """A stub that was started: its process, where it works, whose it is, and what was typed to it."""

    pid: int
    cwd: Path
    polecat: str
    typed: str

    @property
    def is_alive(self) -> bool:
        """Its process runs."""
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().startswith(b"claude\0")
        return False


@frozen(kw_only=True)
class SharedTown:
    """One town, and both programs in it.

    Attributes:
        room: everything of this trial is below it.
        maker: who made the town, ``gt`` or ``polecat``.
        neighbour: which Gas Town.
        dolt_port: where the server of its beads listens, if it has one.
        ours: processes of the agents that polecat started.
    """

    room: Path
    maker: str
    neighbour: Neighbour
    dolt_port: int = field(factory=_free_port)
    ours: set[int] = field(factory=set)

    @property
    def root(self) -> Path:
        """The town."""
        return self.room / "town"

    @property
    def rig_dir(self) -> Path:
        """Its one rig."""
        return self.root / RIG

    @property
    def environ(self) -> dict[str, str]:
        """What every program here gets: nothing of the caller's."""
        return {
            "HOME": str(self.room / "home"),
            "PATH": f"{self.room / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "TMUX_TMPDIR": str(self.room / "t"),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "BEADS_NO_DAEMON": "1",
            "GT_DOLT_PORT": str(self.dolt_port),
            "PYTHONPATH": str(Path(polecat.__file__).parent.parent),
        }

    def run(self, *argv: str, cwd: Path | None = None, timeout_s: float = 300.0) -> Said:
        """Run a program as a person would."""
        try:
            done = subprocess.run(
                argv,
                cwd=cwd or self.root,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return Said(code=-1, text=f"did not end within {timeout_s:g} s: {late.output!r}")
        with (self.room / "log").open("a") as log:
            log.write(f"$ {' '.join(argv)}\n{done.stdout}[{done.returncode}]\n")
        return Said(code=done.returncode, text=done.stdout)

    def gt(self, *words: str, cwd: Path | None = None) -> Said:
        """Run gt, by default in the rig."""
        return self.run("gt", *words, cwd=cwd or self.rig_dir)

    def polecat(self, *words: str) -> Said:
        """Run polecat."""
        return self.run(sys.executable, "-m", "polecat", *words)

    def polecats(self) -> dict[str, dict[str, Any]]:
        """What polecat lists, by name."""
        said = self.polecat("list", RIG, "--json")
        assert said.code == 0, said.text
        return {one["polecat_name"]: one for one in _first_json(said.text, "[")}

    def new_bead(self, title: str) -> str:
        """Put a piece of work into the rig's store; without bd an id is enough."""
        if not self.neighbour.has_beads:
            return f"gt-{uuid.uuid4().hex[:6]}"
        said = self.run("bd", "create", f"--title={title}", "--description=x", "--json", cwd=self.rig_dir)
        assert said.code == 0, said.text
        return str(_first_json(said.text, "{")["id"])

    def spawn(self, *words: str) -> Agent:
        """Let polecat spawn, and return its agent."""
        agent = self.started_by(lambda: self.polecat("spawn", RIG, *words))
        self.ours.add(agent.pid)
        return agent

    def sling(self, bead: str) -> Agent:
        """Let gt give a bead to a polecat of its choice, and return its agent."""
        extra = ("--no-boot", "--no-convoy", "--hook-raw-bead") if self.neighbour.is_today else ("--no-convoy",)
        return self.started_by(lambda: self.gt("sling", bead, RIG, *extra, cwd=self.root))

    def started_by(self, act: Callable[[], Said]) -> Agent:
        """Do something that starts one polecat's agent, and return that agent."""
        before = {agent.pid for agent in self.agents()}
        said = act()
        assert said.code == 0, said.text
        new: list[Agent] = []

        def is_there() -> bool:
            new[:] = [agent for agent in self.agents() if agent.pid not in before and agent.polecat]
            return bool(new)

        within(is_there, f"an agent was started: {said.text}")
        assert len(new) == 1, new
        return new[0]

    def agents(self) -> list[Agent]:
        """Every agent that was ever started here, from its own notes."""
        found = []
        for note in (self.room / "agents").glob("[0-9]*"):
            if note.suffix:
                continue
            cwd, who, typed = (note.read_text(errors="replace") + "\n").split("\n", 2)
            found.append(Agent(pid=int(note.name), cwd=Path(cwd), polecat=who, typed=typed))
        return found

    def living(self) -> dict[int, Agent]:
        """The agents of polecats that run."""
        return {agent.pid: agent for agent in self.agents() if agent.polecat and agent.is_alive}

    def typed_to(self, agent: Agent) -> str:
        """What was typed to an agent so far."""
        return next(one.typed for one in self.agents() if one.pid == agent.pid)

    def check_invariants(self) -> None:
        """No worktree has two agents, no name has two, and no bead is with two of them."""
        living = list(self.living().values())
        places, names = [agent.cwd for agent in living], [agent.polecat for agent in living]
        assert len(set(places)) == len(places), f"a worktree is shared: {living}"
        assert len(set(names)) == len(names), f"a name was given twice: {living}"


def within(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until_s, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


@contextmanager
def shared_town(room: Path, maker: str, neighbour: Neighbour) -> Iterator[SharedTown]:
    """Make a town with one rig; end everything that was started in it."""
    town = SharedTown(room=room, maker=maker, neighbour=neighbour)
    for name in ("bin", "home", "t", "agents"):
        (room / name).mkdir()
    (room / "home" / ".gitconfig").write_text("[user]\n\tname = A Person\n\temail = person@example.invalid\n")
    for name, path in neighbour.programs.items():
        # gt 1.2.1 tells bd where the files of the server are, and bd 1.0.0 then looks past the server
        _script(room / "bin" / name, f'#!/bin/sh\nunset BEADS_DOLT_DATA_DIR\nexec "{path}" "$@"\n')
    text = (
        Path(__file__)
        .with_name("stub.py")
        .read_text()
        .replace("@NOTES@", str(room / "agents"))
        .replace("@PROMPT@", neighbour.prompt)
    )
    _script(room / "bin" / "claude", f"#!{os.path.realpath(sys.executable)}\n{text}")
    origin = make_origin(room / "origin.git")
    try:
        _make(town, f"file://{origin}")
        yield town
    finally:
        _end_all(room)


def _make(town: SharedTown, url: str) -> None:
    for key in ("user.name", "user.email"):
        if "dolt" in town.neighbour.programs:
            town.run("dolt", "config", "--global", "--add", key, "person@example.invalid", cwd=town.room)
    if town.maker == "gt":
        port = ("--dolt-port", str(town.dolt_port)) if town.neighbour.is_today else ()
        steps = [("gt", "install", str(town.root), "--name", "town", *port), ("gt", "rig", "add", RIG, url, "--prefix", "gt")]
    else:
        ours = (sys.executable, "-m", "polecat")
        steps = [(*ours, "init", str(town.root)), (*ours, "rig", "add", RIG, url, "--prefix", "gt")]
    for step, cwd in zip(steps, (town.room, town.root), strict=True):
        said = town.run(*step, cwd=cwd)
        assert said.code == 0, f"{step}: {said.text}"
    if town.maker == "polecat" and "dolt" in town.neighbour.programs:
        # gt 1.2.1 slings only where a server of its own keeps the beads; bd init, which polecat runs, makes a store without one
        for words in (("init-rig", "hq"), ("init-rig", RIG), ("start",)):
            town.gt("dolt", *words, cwd=town.root)


def _first_json(text: str, opening: str) -> Any:
    """The first list or object in what a program printed; warnings stand before and behind."""
    return json.JSONDecoder().raw_decode(text, text.index(opening))[0]


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _end_all(room: Path) -> None:
    """End, by its id, every process whose HOME is this trial's: daemons, servers, agents."""
    mark = f"HOME={room / 'home'}\0".encode()
    for _ in range(3):  # some start others while they end
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
    shutil.rmtree(room / "t", ignore_errors=True)
