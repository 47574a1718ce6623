"""The verbs that wait: exit codes for scripts, a line for each change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polecat.verbs.schemas import SHAPES
from tests.cli_fixtures import Run
from tests.spawn_fixtures import HandTown
from tests.tmux_fixtures import eventually

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def agents(town: HandTown) -> HandTown:
    """Agents that end in several ways once they are told to."""
    for name, how in {"good": "exit 0", "bad": "exit 3"}.items():
        town.agent(name, f'printf "> "; read -r go <"@NOTES@/go-$GT_POLECAT"; {how}')
    for name in ("furiosa", "nux"):
        os.mkfifo(town.notes / f"go-{name}")
    return town


def _go(town: HandTown, name: str) -> None:
    (town.notes / f"go-{name}").write_text("go\n")


def test_exit_codes_say_how_it_went(agents: HandTown, run: Run) -> None:
    """0 when all have ended well, 3 when somebody failed, 124 when time is up; what each does is on stdout."""
    run("spawn", "gastown", "--agent", "good")
    run("spawn", "gastown", "--agent", "bad")
    late = run("wait", "gastown/furiosa", "--until", "ended", "--timeout", "0.1")
    assert (late.code, late.out) == (124, "gastown/polecats/furiosa is working\n")
    assert late.err.startswith("polecat: not ended within 0.1 s: furiosa is ")

    _go(agents, "furiosa")
    good = run("wait", "gastown/furiosa", "gastown/nux", "--until", "ended", "--any", "--timeout", "20")
    _go(agents, "nux")
    bad = run("wait", "gastown/furiosa", "gastown/nux", "--until", "ended", "--timeout", "20")

    assert (good.code, good.out) == (0, "gastown/polecats/furiosa is done: exit 0\n")
    assert (bad.code, bad.out.splitlines()[1]) == (3, "gastown/polecats/nux is failed: exit 3")
    assert [cat["state"] for cat in run("wait", "gastown/nux", "gastown/furiosa", "--json").json] == ["failed", "done"]


def test_somebody_who_waits_for_a_person_is_4(agents: HandTown, run: Run) -> None:
    """An agent that said that it is stuck waits for a person."""
    run("spawn", "gastown", "--agent", "good")
    assert run("wait", "gastown/furiosa", "--until", "later").code == 2
    agents.store().update_agent("gt-gastown-polecat-furiosa", agent_state="stuck")

    said = run("wait", "gastown/furiosa", "--timeout", "20")

    assert (said.code, said.out) == (4, "gastown/polecats/furiosa is stuck\n")
    run("wait", "gastown/furiosa", "gastown/nobody").refused("no polecat 'nobody'")


def test_a_watch_prints_a_line_for_each_change_until_it_is_interrupted(agents: HandTown, run: Run) -> None:
    """Each line is one JSON document of the promised form; Ctrl-C ends it with 0."""
    run("spawn", "gastown", "--agent", "bad")
    argv = [sys.executable, "-P", "-m", "polecat", "watch", "gastown", "--json"]
    lines: list[dict[str, Any]] = []
    with subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        lines.append(json.loads(watch.stdout.readline()))
        _go(agents, "furiosa")
        while lines[-1]["kind"] != "ended":
            lines.append(json.loads(watch.stdout.readline()))
        watch.send_signal(signal.SIGINT)
        watch.wait(timeout=20)

    assert watch.returncode == 0
    assert (lines[0]["kind"], lines[0]["was"], lines[0]["polecat"]["polecat_name"]) == ("found", None, "furiosa")
    assert (lines[-1]["polecat"]["state"], lines[-1]["polecat"]["ended"]["status"]) == ("failed", 3)
    assert all(list(line) == [name for name, _, _ in SHAPES["change"]] for line in lines)
    eventually(lambda: agents.sessions() == [], "the session is gone")
