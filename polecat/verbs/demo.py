"""``polecat demo``: a throw-away town with real git and real tmux; no network, no AI account."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from polecat.adapters.git.cli import GitCli
from polecat.adapters.processes.program import run as run_program
from polecat.adapters.tmux.cli import TmuxCli
from polecat.errors import PolecatError, WorkAtRiskError
from polecat.lifecycle.remove import Removed, remove_polecat
from polecat.lifecycle.spawn import spawn_many
from polecat.lifecycle.talk import nudge_polecat
from polecat.model import Rig, SpawnedPolecat, SpawnOptions
from polecat.names import shell_line
from polecat.ports import World
from polecat.town import files
from polecat.town.events import EVENTS_FILE
from polecat.town.find import find_repo
from polecat.town.settings import OWN_FILE
from polecat.upkeep.listing import list_polecats
from polecat.upkeep.rigs import add_rig
from polecat.upkeep.towns import init_town
from polecat.verbs.common import add_json, json_text
from polecat.verbs.listing import shown
from polecat.verbs.remove import as_json as removal_as_json
from polecat.verbs.remove import lines
from polecat.verbs.spawn import as_json

AGENT = """\
#!/bin/sh
# A scripted agent: it commits something in its worktree, shows a prompt and then echoes what it is told.
echo "I am $BD_ACTOR, working in $PWD"
echo "notes of $GT_POLECAT" > "notes-$GT_POLECAT.md"
git add . && git -c user.email=demo@localhost -c user.name="$GT_POLECAT" commit -q -m "notes of $GT_POLECAT" && git --no-pager log --oneline -2
while printf 'demo> '; read -r line; do echo "you said: $line"; done
"""

RIG = "demorig"
HOOKS = ("de-1", "de-2", "de-3")

EXAMPLE = "example:\n  polecat demo --keep\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("--keep", action="store_true", help="leave the town and the sessions for you to play with")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show it working, and clean up."""
    place = Path(tempfile.mkdtemp(prefix="polecat-demo-"))
    environ = _environ(place)
    tmux = TmuxCli(socket=str(place / "tmux.sock"), config_file="/dev/null", environ=environ)
    world = World(git=GitCli(environ=environ), tmux=tmux, environ=environ)
    show = _Show(place=place, tmux=tmux, world=world, environ=environ, is_silent=args.json)
    try:
        cats, gone = show.play()
        if args.json:
            facts = {"town": place / "town", "kept": args.keep, "removed": removal_as_json(gone)}
            print(json_text("demo", {**facts, "spawned": [as_json(cat) for cat in cats]}))
        elif args.keep:
            print("\n".join(_how_to_go_on(place, [cat for cat in cats if cat.polecat_name != gone.polecat_name])))
    except BaseException:
        _clean_up(place, tmux)
        raise
    if not args.keep:
        _clean_up(place, tmux)
        show.say("\nThe sessions are ended and the town is deleted. 'polecat demo --keep' leaves them for you to play with.")
    return 0


def _clean_up(place: Path, tmux: TmuxCli) -> None:
    with contextlib.suppress(PolecatError):  # without tmux there is no session
        for session in tmux.list_sessions():
            tmux.kill(session.id, name=session.name, instance=session.instance)
    shutil.rmtree(place, ignore_errors=True)


def _environ(place: Path) -> dict[str, str]:
    """The caller's environment with an identity for git, because there may be none here."""
    return {
        **os.environ,
        "GIT_AUTHOR_NAME": "polecat demo",
        "GIT_AUTHOR_EMAIL": "demo@localhost",
        "GIT_COMMITTER_NAME": "polecat demo",
        "GIT_COMMITTER_EMAIL": "demo@localhost",
        "GIT_CEILING_DIRECTORIES": str(place),
    }


@frozen(kw_only=True)
class _Show:
    """What is shown: each step as a person would type it, done by the library."""

    place: Path
    tmux: TmuxCli
    world: World
    environ: Mapping[str, str]
    is_silent: bool

    def say(self, text: str) -> None:
        if not self.is_silent:
            print(text, flush=True)

    def typed(self, command: str) -> None:
        self.say(f"\n$ {command}")

    def play(self) -> tuple[list[SpawnedPolecat], Removed]:
        """Spawn three polecats, look at them, and take one back."""
        GitCli(environ=self.environ).check()
        self.tmux.check()
        self.say(f"A throw-away town in {self.place}, on a tmux server of its own. Your own things are not touched.")
        rig = self._make_rig()
        cats = self._spawn(rig)
        first = cats[0]
        self.typed("polecat list")
        self.say(shown(list_polecats(rig, world=self.world), with_rig=False))
        self.typed(f"polecat nudge {RIG}/{first.polecat_name} 'are you there?'")
        delivery = nudge_polecat(rig, first.polecat_name, "are you there?", world=self.world)
        self.say(f"{delivery.session_name}: {delivery}")
        self.typed(f"polecat capture {RIG}/{first.polecat_name}")
        self.say(self._screen(first))
        self.typed(f"tail -n 1 {EVENTS_FILE}")
        self.say((rig.town_root / EVENTS_FILE).read_text("utf-8").rstrip("\n").rpartition("\n")[2])
        return cats, self._take_back(rig, cats[-1].polecat_name)

    def _make_rig(self) -> Rig:
        origin = _make_origin(self.place / "origin", self.environ)
        without = World(
            git=self.world.git, environ={**self.environ, "PATH": ""}
        )  # no bd, whose beads would have to be made first
        town = init_town(self.place / "town", world=without)
        files.write_json(town.root / OWN_FILE, {"tmux_socket": str(self.place / "tmux.sock")})
        rig = add_rig(town, RIG, str(origin), world=without)
        _use_scripted_agent(rig, self.place / "agent.sh")
        return rig

    def _spawn(self, rig: Rig) -> list[SpawnedPolecat]:
        self.typed(f"polecat spawn {RIG} --beads {','.join(HOOKS)}")
        cats = []
        for one in spawn_many(rig, [SpawnOptions(hook_bead=bead) for bead in HOOKS], world=self.world):
            if isinstance(one, PolecatError):
                raise one
            cats.append(one)
            self.say(f"{one.agent_id:<26} {one.hook_bead}, ready in {one.timings.total_s:.2f} s")
        return cats

    def _screen(self, cat: SpawnedPolecat) -> str:
        """What the agent shows, once it has answered."""
        until_s = time.monotonic() + 5
        while "you said" not in (text := self.tmux.capture(cat.pane)) and time.monotonic() < until_s:
            time.sleep(0.02)
        return "\n".join(f"  | {line}" for line in text.split("\n"))

    def _take_back(self, rig: Rig, name: str) -> Removed:
        self.typed(f"polecat remove {RIG}/{name}")
        try:
            return remove_polecat(rig, name, world=self.world)
        except WorkAtRiskError as risk:
            self.say("\n  ".join([f"polecat: {risk.message}", *risk.hint.split("\n")]))
        self.typed(f"polecat remove {RIG}/{name} --nuclear")
        gone = remove_polecat(rig, name, nuclear=True, world=self.world)
        self.say("\n".join(lines(gone, will=False)))
        self.typed(f"git log --oneline -2 {gone.rescue}")
        words = ["git", "log", "--oneline", "-2", gone.rescue]
        self.say(run_program(words, env=self.environ, cwd=find_repo(rig).path).stdout.decode("utf-8", "replace").rstrip("\n"))
        return gone


def _make_origin(path: Path, environ: Mapping[str, str]) -> Path:
    path.mkdir()
    (path / "README.md").write_text("# A small project\n", "utf-8")
    for argv in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "add", "."],
        ["git", "-c", "commit.gpgSign=false", "commit", "-q", "-m", "first commit"],
    ):
        done = run_program(argv, env=environ, cwd=path)
        if done.exit_code:
            raise PolecatError(f"cannot make the demo's repository: {done.error_text}")
    return path


def _use_scripted_agent(rig: Rig, script: Path) -> None:
    script.write_text(AGENT, "utf-8")
    script.chmod(0o755)
    settings = {
        "type": "rig-settings",
        "version": 1,
        "agent": "scripted",
        "agents": {"scripted": {"command": str(script), "tmux": {"ready_prompt_prefix": "demo> "}}},
    }
    files.write_json(rig.path / "settings" / "config.json", settings)


def _how_to_go_on(place: Path, cats: list[SpawnedPolecat]) -> list[str]:
    town = shell_line(place / "town")
    first = f"{cats[0].rig_name}/{cats[0].polecat_name}"
    return [
        "\nKept. Play with it:",
        f"  cd {town}",
        "  polecat list",
        f"  polecat attach {first}        (Ctrl-b d leaves it again)",
        f"  polecat spawn {RIG}",
        "and when you have seen enough:",
        f"  tmux -S {shell_line(place / 'tmux.sock')} kill-server; rm -rf {shell_line(place)}",
    ]


VERBS = {"demo": (EXAMPLE, add_arguments, run)}
