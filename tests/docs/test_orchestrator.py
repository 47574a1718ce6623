"""The orchestrator of the tutorial: with fakes, with real programs, and typed in as the page says."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from polecat import list_polecats
from polecat.adapters import GitCli
from polecat.ports import World
from tests.conftest import TmuxGuard
from tests.docs.test_tutorial import ROOT, commands
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, hand_town, make_template, write_json
from tests.tmux_fixtures import eventually

EXAMPLES = ROOT / "docs" / "examples"
PAGE = ROOT / "docs" / "tutorial" / "2-first-orchestrator.md"

WORKER = """
printf '> '
sleep 1
while [ -e "@NOTES@/hold" ]; do sleep 0.1; done
echo "$1" >"$GT_POLECAT.txt"
git add . && git commit -q -m "$1"
@PUSH@
POLECAT hook clear "$GT_RIG/$GT_POLECAT"
"""
"""Shows its prompt, works unless it is held, hands its bead back, and ends."""

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def real_world(town: HandTown) -> World:
    return World(git=GitCli(), tmux=town.server.cli())


def orchestrator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("orchestrator", EXAMPLES / "orchestrator.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def town(tmp_path: Path) -> Iterator[HandTown]:
    with hand_town(tmp_path, make_template(tmp_path / "template")) as town:
        yield town


def worker(town: HandTown, *, push: str) -> None:
    program = f'PYTHONPATH="{ROOT}" "{sys.executable}" -P -m polecat'
    town.agent("worker", WORKER.replace("POLECAT hook", f"{program} hook").replace("@PUSH@", push))


def test_it_is_as_short_as_the_tutorial_promises() -> None:
    """The example has at most 40 lines of code: docstrings, comments and blank lines aside."""
    text = (EXAMPLES / "orchestrator.py").read_text("utf-8")
    notes = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = [line for at, line in enumerate(text.splitlines(), 1) if at not in notes and line.strip() and line.strip()[0] != "#"]

    assert len(code) <= 40


@pytest.mark.timeout(120)
def test_its_tests_pass_where_somebody_copies_them(tmp_path: Path) -> None:
    """The two files, alone in a directory, pass with pytest, and need neither git nor tmux."""
    for name in ("orchestrator.py", "test_orchestrator.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_orchestrator.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": str(tmp_path / "no-programs")},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,  # six seconds as a rule; on a machine that does other things, it was fifty
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"^11 passed", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.real
@needs_tmux
def test_with_real_git_and_tmux_everything_is_done_and_taken_back(town: HandTown) -> None:
    """Three beads, two agents at a time: each pushes its work, and the rig is as empty as before."""
    worker(town, push="git push -q origin HEAD")
    world = real_world(town)

    fates = dict(orchestrator().work_off(town.rig, ["gt-1", "gt-2", "gt-3"], world=world))

    assert fates == {"gt-1": "done", "gt-2": "done", "gt-3": "done"}
    assert list_polecats(town.rig, world=world) == []
    assert len(git("branch", "--list", "polecat/*", cwd=town.origin).splitlines()) == 3
    assert town.sessions() == []


@pytest.mark.real
@needs_tmux
def test_with_real_git_and_tmux_unpushed_work_is_kept(town: HandTown) -> None:
    """An agent that commits and does not push loses nothing: its polecat stays, and the orchestrator says why."""
    worker(town, push="")
    world = real_world(town)

    fates = dict(orchestrator().work_off(town.rig, ["gt-1"], world=world))

    assert fates == {"gt-1": "gastown/polecats/furiosa is kept: 1 unpushed commit(s)"}
    assert (town.rig_dir / "polecats" / "furiosa" / "gastown" / "furiosa.txt").exists()


@pytest.mark.real
@needs_tmux
def test_with_real_git_and_tmux_a_lost_server_costs_nothing(town: HandTown) -> None:
    """The tmux server is killed amid the work: everybody is started again in his place, and each bead is done once."""
    worker(town, push="git push -q origin HEAD")
    (town.notes / "hold").touch()

    def lose_the_server() -> None:
        eventually(lambda: len(town.sessions()) == 2, "two agents run")
        eventually(lambda: not list((town.rig_dir / "polecats").glob("*/.claim.json")), "their spawns are over")
        town.server.run("kill-server")
        (town.notes / "hold").unlink()

    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(lose_the_server)
        fates = dict(orchestrator().work_off(town.rig, ["gt-1", "gt-2"], world=real_world(town)))
        lost.result()

    assert fates == {"gt-1": "done", "gt-2": "done"}
    assert len(git("branch", "--list", "polecat/*", cwd=town.origin).splitlines()) == 2


@pytest.mark.real
@needs_tmux
def test_with_real_git_and_tmux_a_killed_orchestrator_is_begun_again(town: HandTown) -> None:
    """Killed with SIGKILL amid its spawns, its agents finish; begun again, it takes their results, and nothing is done twice."""
    worker(town, push="git push -q origin HEAD")
    settings = {"type": "town-settings", "version": 1, "tmux_socket": str(town.server.socket)}
    write_json(town.root / "settings" / "config.json", settings)
    argv = [sys.executable, str(EXAMPLES / "orchestrator.py"), "gastown", "gt-1", "gt-2"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, cwd=town.root, env=env, stdout=subprocess.DEVNULL) as first:
        eventually(lambda: len(town.sessions()) == 1, "the first agent runs")
        first.kill()
    eventually(lambda: len(git("branch", "--list", "polecat/*", cwd=town.origin).splitlines()) == 1, "it has finished")

    second = subprocess.run(argv, cwd=town.root, env=env, capture_output=True, text=True, check=True, timeout=50)

    assert sorted(second.stdout.splitlines()) == ["gt-1: done", "gt-2: done"]
    assert len(git("branch", "--list", "polecat/*", cwd=town.origin).splitlines()) == 2
    assert list_polecats(town.rig, world=real_world(town)) == []


@pytest.mark.real
@pytest.mark.slow
@needs_tmux
def test_the_page_typed_in(tmp_path: Path, tmux_guard: TmuxGuard) -> None:
    """Every command of the page succeeds in its order, and prints what the page says."""
    place = tmp_path / "orchestra"
    place.mkdir()
    shutil.copy(EXAMPLES / "orchestrator.py", place)
    shim = tmp_path / "bin"
    shim.mkdir()
    for name, argv in (("polecat", "-P -m polecat"), ("python", "")):
        (shim / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {argv} "$@"\n')
        (shim / name).chmod(0o755)
    script = commands(PAGE).replace("/tmp/orchestra", str(place))

    done = subprocess.run(
        ["bash", "-euc", f'export PYTHONPATH="{ROOT}" PATH="{shim}:$PATH"\n{script}'],
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert sorted(line for line in said if line.startswith("de-")) == ["de-1: done", "de-2: done", "de-3: done"], done.stdout
    assert "no polecats" in said
    assert len([line for line in said if "polecat/" in line]) == 3
    assert not place.exists()
