"""``polecat demo``: a throw-away town with real git and real tmux; no network, no AI account."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from polecat import files
from polecat.adapters.git import GitCli
from polecat.adapters.program import run as run_program
from polecat.adapters.tmux import TmuxCli
from polecat.errors import PolecatError
from polecat.events import EVENTS_FILE
from polecat.model import Rig, SpawnedPolecat, SpawnOptions
from polecat.polecats import list_polecats
from polecat.rig_setup import add_rig, init_town
from polecat.spawn import spawn_many
from polecat.verbs.common import table
from polecat.verbs.list import rows
from polecat.verbs.spawn import attach_command

AGENT = """\
#!/bin/sh
# A scripted agent: it commits something in its worktree, shows a prompt and then echoes what it is told.
echo "I am $BD_ACTOR, working in $PWD"
echo "notes of $GT_POLECAT" > "notes-$GT_POLECAT.md"
git add . && git -c user.email=demo@localhost -c user.name="$GT_POLECAT" commit -q -m "notes of $GT_POLECAT" && git log --oneline -2
while printf 'demo> '; read -r line; do echo "you said: $line"; done
"""

HOOKS = ("demo-1", "demo-2", "demo-3")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat demo --keep\n"
    parser.add_argument("--keep", action="store_true", help="leave the town and the sessions for you to look at")


def run(args: argparse.Namespace) -> int:
    """Show it working, and clean up."""
    place = Path(tempfile.mkdtemp(prefix="polecat-demo-"))
    environ = _environ(place)
    tmux = TmuxCli(socket=str(place / "tmux.sock"), config_file="/dev/null", environ=environ)
    try:
        cats = _play(place, tmux, environ)
        if args.keep:
            _say_how_to_go_on(place, cats)
        return 0
    finally:
        if not args.keep:
            for session in tmux.list_sessions():
                tmux.kill(session.id, name=session.name, instance=session.instance)
            shutil.rmtree(place, ignore_errors=True)
            print("\nThe sessions are ended and the town is deleted. 'polecat demo --keep' leaves them.")


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


def _play(place: Path, tmux: TmuxCli, environ: Mapping[str, str]) -> list[SpawnedPolecat]:
    print(f"A throw-away town in {place}\n")
    origin = _make_origin(place / "origin", environ)
    town = init_town(place / "town")
    rig = add_rig(town, "demorig", str(origin), git=GitCli(environ=environ))
    _use_scripted_agent(rig, place / "agent.sh")
    results = spawn_many(rig, [SpawnOptions(hook_bead=bead) for bead in HOOKS], tmux=tmux, environ=environ)
    cats = [cat for cat in results if isinstance(cat, SpawnedPolecat)]
    for error in results:
        if isinstance(error, PolecatError):
            raise error
    for cat in cats:
        print(f"spawned {cat.agent_id} on {cat.branch} in {cat.timings.total_s:.2f} s")
    print("\n$ polecat list\n" + table(rows(list_polecats(rig, tmux=tmux, environ=environ), with_rig=False)))
    print(f"\n$ cat {EVENTS_FILE}\n" + (town.root / EVENTS_FILE).read_text("utf-8").rstrip())
    print(f"\nThe screen of {cats[0].agent_id}:")
    print("\n".join(f"  | {line}" for line in tmux.capture(cats[0].pane).splitlines()))
    print(f"\nIn a town of your own you would look at it with: {attach_command(cats[0])}")
    return cats


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


def _say_how_to_go_on(place: Path, cats: list[SpawnedPolecat]) -> None:
    print("\nKept. Look at the polecats:")
    for cat in cats:
        print(f"  {attach_command(cat)}")
    print("and when you have seen enough:")
    print(f"  tmux -S {place / 'tmux.sock'} kill-server; rm -rf {place}", file=sys.stdout)
