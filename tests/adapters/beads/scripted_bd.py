"""A ``bd`` made of a script: it works, and misbehaves on demand. Also a replayer of what real versions printed.

The script keeps its beads in ``beads.txt`` beside itself, writes each call to ``calls.txt`` and reads from ``mood.txt`` how to
misbehave: Python literals all three, because loading ``json`` would double the time it takes to start. For the same reason a shell
answers the questions what it can.
"""

from __future__ import annotations

import ast
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

QUESTIONS = ("version", "--help", "list --help", "update --help")
"""What the adapter asks to find out what a bd can."""

_FRONT = r"""#!/bin/sh
case "$*" in
version) words="'version'"; answer='bd version 9.9.9' ;;
--help) words="'--help'"; answer='Commands:
  create   Create
  show     Show' ;;
"list --help") words="'list', '--help'"; answer='  -a, --assignee string' ;;
"update --help") words="'update', '--help'"; answer='      --if-assignee string' ;;
*) exec '{python}' -SI '{home}/script.py' "$@" ;;
esac
echo "{{'argv': [$words]}}" >>'{home}/calls.txt'
echo "$answer"
"""

_SCRIPT = r"""
import fcntl, os, signal, sys, time

HOME = {home!r}


def path(name):
    return os.path.join(HOME, name)


with open(path("calls.txt"), "a") as log:
    log.write(repr({{"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}}) + "\n")
with open(path("mood.txt")) as file:
    mood = eval(file.read())
words = [w for w in sys.argv[1:] if w not in ("--no-daemon", "--allow-stale")]
command = words[0] if words else ""
bad = mood.get("on", "") in ("", command) and os.urandom(1)[0] < 256 * mood.get("share", 1.0)
kind = mood.get("kind", "") if bad else ""


def leave(code, out="", err=""):
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if kind == "hangs":
    pid = os.fork()
    with open(path("hung.pids"), "a") as file:
        file.write(str(os.getpid()) + "\n")
    time.sleep(600)
if kind == "killed":
    sys.stdout.write('[{{"id": "gt-1", "sta')
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "says":
    leave(mood["exit"], mood.get("out", ""), mood.get("err", ""))

if os.path.exists(path("dead")):
    leave(1, "", "Error: boom\\n")
lock = open(path("lock"), "w")
fcntl.flock(lock, fcntl.LOCK_EX)
with open(path("beads.txt")) as file:
    beads = eval(file.read())
flags = dict(w[2:].split("=", 1) for w in words if w.startswith("--") and "=" in w)
names = [w for w in words[1:] if not w.startswith("--")]


def store():
    if kind == "stores nothing":
        return
    if kind == "stores late":
        if os.fork():
            return
        lock.close()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        time.sleep(mood["after_s"])
        open(path("stored late"), "w").close()
    with open(path("beads.txt.new"), "w") as file:
        file.write(repr(beads))
    os.rename(path("beads.txt.new"), path("beads.txt"))
    if kind == "stores late":
        os._exit(0)
    if kind == "busy after storing" and not os.path.exists(path("was busy")):
        open(path("was busy"), "w").close()
        leave(1, "", "Error: database is locked\\n")
    if kind == "store dies after storing":
        open(path("dead"), "w").close()
    if kind == "dies after storing":
        os.kill(os.getpid(), signal.SIGKILL)


def as_json(value):
    import json

    return json.dumps(value)


def absent(name):
    leave(1, "", 'Error fetching %s: no issue found matching "%s"\n' % (name, name))


if command == "show":
    if names[0] not in beads:
        absent(names[0])
    leave(0, as_json([beads[names[0]]]))
if command == "list":
    found = [b for b in beads.values() if "--all" in words or b["status"] != "closed"]
    found = [b for b in found if b["assignee"] == flags.get("assignee", b["assignee"])]
    leave(0, as_json([b for b in found if "id" not in flags or b["id"] in flags["id"].split(",")]))
if command == "create":
    bead = {{"id": flags["id"], "title": flags["title"], "description": flags.get("description", ""), "status": "open"}}
    bead.update(assignee="", labels=[flags["labels"]] if "labels" in flags else [], issue_type=flags.get("type", "task"))
    beads[bead["id"]] = bead
    store()
    leave(0, as_json(bead))
if command not in ("update", "close", "reopen"):
    leave(1, "", 'Error: unknown command "%s" for "bd"\n' % command)
if names[0] not in beads:
    absent(names[0])
bead = beads[names[0]]
if kind == "overtaken":
    bead["assignee"] = mood["by"]
    store()
if flags.get("if-assignee", bead["assignee"]) != bead["assignee"]:
    leave(13, "", "Error updating %s: assignee mismatch\\nError: 1 of 1 issues failed to update\\n" % names[0])
if bead["status"] == "in_progress" and "if-assignee" not in flags and flags.get("assignee", bead["assignee"]) != bead["assignee"]:
    leave(1, "", "cannot reassign %s: held by %r (in_progress)\\n" % (names[0], bead["assignee"]))
if command == "close":
    bead["status"] = "closed"
if command == "reopen":
    bead["status"] = "open"
for key in ("title", "status", "description", "assignee"):
    if key in flags:
        bead[key] = flags[key]
if kind == "other assignee" and flags.get("assignee"):
    bead["assignee"] = "somebody/else"
if kind == "loses description":
    bead["description"] = ""
store()
leave(0, "Updated\n")
"""

_REPLAY = r"""#!/bin/sh
cd '{home}'
case "$*" in
version | --help | "list --help" | "update --help") at="$*" ;;
*) read -r at <next && echo $((at + 1)) >next ;;
esac
if [ "$(printf '%s\037' "$@"; echo .)" != "$(cat "./$at.argv" 2>&1; echo .)" ]; then
    echo "REPLAY: call $at was not recorded so: $*" >&2
    exit 99
fi
cat "./$at.out"
cat "./$at.err" >&2
read -r code <"./$at.exit"
exit "$code"
"""

_RECORD = r"""#!{python} -SI
import json, os, subprocess, sys

done = subprocess.run([{real!r}, *sys.argv[1:]], capture_output=True, text=True)
with open(os.path.join({home!r}, "calls.jsonl"), "a") as log:
    log.write(json.dumps({{"argv": sys.argv[1:], "exit": done.returncode, "out": done.stdout, "err": done.stderr}}) + "\n")
sys.stdout.write(done.stdout)
sys.stderr.write(done.stderr)
sys.exit(done.returncode)
"""


@frozen(kw_only=True)
class ScriptedBd:
    """A scripted ``bd`` on disk."""

    home: Path

    @property
    def binary(self) -> Path:
        """The program."""
        return self.home / "bd"

    def behave(self, **mood: object) -> None:
        """Set how it misbehaves from now on; nothing means well.

        Args:
            mood: ``kind`` and its parameters; ``on`` the one command that is meant; ``share`` of calls, 0 to 1.
        """
        new = self.home / "mood.txt.new"
        new.write_text(repr(mood))
        new.rename(self.home / "mood.txt")

    def add(self, bead_id: str, **values: object) -> None:
        """Put a bead into it."""
        beads = self.beads()
        bead = {"id": bead_id, "title": "work", "description": "", "status": "open", "assignee": "", "labels": []}
        (self.home / "beads.txt").write_text(repr({**beads, bead_id: {**bead, **values}}))

    def beads(self) -> dict[str, dict[str, object]]:
        """What it stores."""
        beads: dict[str, dict[str, object]] = ast.literal_eval((self.home / "beads.txt").read_text())
        return beads

    def calls(self) -> list[dict[str, object]]:
        """Every call so far: argv, env, cwd."""
        log = self.home / "calls.txt"
        return [ast.literal_eval(line) for line in log.read_text().splitlines()] if log.exists() else []

    def commands(self) -> list[str]:
        """The first word of every call so far, questions about help left out."""
        words: list[list[str]] = [list(call["argv"]) for call in self.calls() if isinstance(call["argv"], list)]
        return [argv[0] for argv in words if argv[0] not in ("version", "--help") and "--help" not in argv]


def make_scripted_bd(home: Path) -> ScriptedBd:
    """Write a scripted ``bd`` into a directory, which is made."""
    home.mkdir(parents=True)
    (home / "beads.txt").write_text("{}")
    (home / "mood.txt").write_text("{}")
    _write_program(home / "script.py", _SCRIPT, home)
    _write_program(home / "bd", _FRONT, home)
    return ScriptedBd(home=home)


def make_replaying_bd(home: Path, calls: Sequence[Mapping[str, Any]]) -> Path:
    """Write a ``bd`` that answers as recorded, call by call, and fails at a call that was not recorded so.

    The questions what it can are answered at any time. ``next`` in *home* holds the number of calls answered so far.
    """
    home.mkdir(parents=True)
    (home / "next").write_text("0\n")
    number = 0
    for call in calls:
        name = " ".join(call["argv"])
        if name not in QUESTIONS:
            name, number = str(number), number + 1
        (home / f"{name}.argv").write_text("".join(f"{word}\037" for word in call["argv"]))
        (home / f"{name}.out").write_text(call["out"])
        (home / f"{name}.err").write_text(call["err"])
        (home / f"{name}.exit").write_text(f"{call['exit']}\n")
    return _write_program(home / "bd", _REPLAY, home)


def make_recording_bd(home: Path, real: Path) -> Path:
    """Write a ``bd`` that runs a real one and writes what it printed to ``calls.jsonl``."""
    home.mkdir(parents=True)
    return _write_program(home / "bd", _RECORD, home, real=str(real))


def _write_program(path: Path, text: str, home: Path, **values: str) -> Path:
    path.write_text(text.format(python=os.path.realpath(sys.executable), home=str(home), **values))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
