"""A town with a pretend model server beside it, and looking at real agents in it without going through polecat."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from attrs import evolve, field, frozen

from polecat import (
    Polecat,
    PolecatError,
    SpawnedPolecat,
    SpawnOptions,
    World,
    capture_polecat,
    get_polecat,
    nudge_polecat,
    spawn_for_sling,
    spawn_many,
)
from polecat.testing import RealTown, real_town
from tests.agents.model_server import PretendModel, pretend_model
from tests.agents.recipes import AGENTS

PATIENCE_S = 30.0

WHO = """\
#!/bin/sh
# Writes down in whose name, and below which processes, an agent runs its commands.
{
  echo "$GT_POLECAT"
  git var GIT_AUTHOR_IDENT
  pid=$$
  while test "$pid" -gt 1; do
    echo "$pid"
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
  done
} >"$1.part"
mv "$1.part" "$1"
"""


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Say whether a condition comes true within a time."""
    until_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


@frozen(kw_only=True)
class AgentPlace:
    """A town for one agent.

    Attributes:
        name: the agent.
        town: the town; its HOME is the agent's.
        model: the server that the agent talks to.
        room: a directory for notes.
        extra: variables of the agent's recipe.
    """

    name: str
    town: RealTown
    model: PretendModel
    room: Path
    extra: dict[str, str] = field(factory=dict)

    @property
    def home(self) -> Path:
        """The agent's HOME."""
        return Path(self.town.environ["HOME"])

    @property
    def world(self) -> World:
        """The town's world, with what the agent needs in its environment."""
        return evolve(self.town.world, environ={**self.town.environ, **self.extra})

    def set_up(self, *trusted: Path, trust: str = "inherit", args: list[str] | None = None) -> None:
        """Write the agent's configuration and the rig's settings; arguments of one's own make a variant of the agent."""
        recipe = AGENTS[self.name].recipe
        if recipe is not None:
            self.extra.update(recipe(self.home, self.model.url, trusted))
        variant: dict[str, object] = {"provider": self.name}
        if args is not None:
            variant.update(command=AGENTS[self.name].program, args=args)
        self._settings(variant, trust=trust)

    def set_up_bare(self) -> None:
        """Write the rig's settings only: nobody has set the agent up."""
        self._settings({"provider": self.name}, trust="inherit")

    def _settings(self, variant: dict[str, object], *, trust: str) -> None:
        path = self.town.rig.path / "settings" / "config.json"
        settings = {"type": "rig-settings", "version": 1, "agent": "tried", "agents": {"tried": variant}, "trust": trust}
        path.write_text(json.dumps(settings), "utf-8")

    def options(self, prompt: str | None = None) -> SpawnOptions:
        """What every spawn here asks for."""
        return SpawnOptions(prompt=prompt, nudge=None, ready_timeout_s=120.0)

    def spawn(self, prompt: str | None = None) -> SpawnedPolecat:
        """Spawn a polecat with the agent."""
        return spawn_for_sling(self.town.rig, self.options(prompt), world=self.world)

    def spawn_two(self, prompt: str | None) -> tuple[SpawnedPolecat, SpawnedPolecat]:
        """Spawn two polecats at once, the first with a prompt."""
        made = spawn_many(self.town.rig, [self.options(prompt), self.options()], world=self.world)
        for one in made:
            if isinstance(one, PolecatError):
                raise one
        first, second = cast("list[SpawnedPolecat]", made)
        return first, second

    def answer_the_rest(self) -> None:
        """Store a person's answers to what the agent asks beside trust."""
        file, values = AGENTS[self.name].answered
        if file:
            path = self.home / file
            path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")

    def answer_trust(self, cat: SpawnedPolecat) -> None:
        """Say yes to the trust question, as a person would at the terminal."""
        argv = ["tmux", "-S", str(self.town.socket), "send-keys", "-t", cat.pane, "Enter"]
        subprocess.run(argv, env=dict(self.town.environ), check=True, timeout=PATIENCE_S)

    def nudge(self, cat: SpawnedPolecat, text: str) -> str:
        """Nudge a polecat; return what became of the text."""
        return nudge_polecat(self.town.rig, cat, text, world=self.world).outcome

    def delivers(self, cat: SpawnedPolecat, text: str) -> bool:
        """Say whether a nudge is taken, and arrives exactly and once, as is said."""
        return self.nudge(cat, text) == "taken" and self.hears(text) and self.model.times_heard(text) == 1

    def screen(self, cat: SpawnedPolecat) -> str:
        """What the agent shows."""
        return capture_polecat(self.town.rig, cat.polecat_name, world=self.world)

    def listed(self, cat: SpawnedPolecat) -> Polecat:
        """What polecat says of it."""
        return get_polecat(self.town.rig, cat, world=self.world)

    def hears(self, text: str) -> bool:
        """Say whether the model hears a text soon."""
        return within(PATIENCE_S, lambda: self.model.times_heard(text) > 0)

    def who_runs(self, cat: SpawnedPolecat) -> tuple[str, str, list[int]]:
        """Let an agent run a command, and tell: the polecat's name there, the git author, the processes above it."""
        script, notes = self.room / "who.sh", self.room / f"who-{cat.polecat_name}"
        script.write_text(WHO, "utf-8")
        self.nudge(cat, f"RUN: sh {script} {notes}")
        assert within(3 * PATIENCE_S, notes.exists), f"no command was run:\n{self.screen(cat)}"
        name, author, *pids = notes.read_text("utf-8").splitlines()
        return name, author.split(" <")[0], [int(pid) for pid in pids]

    def events(self) -> list[dict[str, Any]]:
        """The town's feed."""
        path = self.town.root / ".events.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@contextmanager
def agent_place(room: Path, name: str) -> Iterator[AgentPlace]:
    """Make a town for an agent; in the end its agents and its server are ended."""
    with pretend_model() as model, real_town(room / "town") as town:
        extra = {"IS_SANDBOX": "1"} if os.getuid() == 0 else {}  # without it, claude refuses to work for root without questions
        yield AgentPlace(name=name, town=town, model=model, room=room, extra=extra)


# --------------------------------------------------------------------------------------------------------- processes


def processes_of(cat: SpawnedPolecat) -> set[int]:
    """Every process that bears a polecat's mark or descends from its pane's, as /proc has it."""
    parents: dict[int, int] = {}
    marked = {cat.pid}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if stat[0] == "Z":
                continue
            parents[int(path.name)] = int(stat[1])
            if f"POLECAT_ID={cat.instance}".encode() in (path / "environ").read_bytes().split(b"\0"):
                marked.add(int(path.name))
        except OSError:
            continue
    while more := {pid for pid, parent in parents.items() if parent in marked} - marked:
        marked |= more
    return marked & parents.keys()
