"""Spawns whose work is kept by bd: a scripted one that misbehaves, and a real one where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from polecat import SpawnedPolecat, SpawnFailedError, SpawnOptions, remove_polecat, spawn_many
from polecat.adapters import BdCli, GitCli
from polecat.adapters.processes import program
from polecat.errors import BeadsConfigError, BeadsError
from polecat.ports import World
from polecat.testing import fake_world
from tests.adapters.beads.scripted_bd import ScriptedBd, make_scripted_bd
from tests.spawn_fixtures import RIG, HandTown
from tests.tmux_fixtures import eventually

_AGENT = "gt-gastown-polecat-furiosa"
_WORK = "gt-abc12"


@pytest.fixture
def script(town: HandTown, tmp_path: Path) -> ScriptedBd:
    """A scripted bd with one piece of work, and the rig's beads directory."""
    script = make_scripted_bd(tmp_path / "bd")
    script.add(_WORK)
    (town.rig_dir / ".beads" / "dolt").mkdir(parents=True)
    return script


def _beads(town: HandTown, binary: Path | str, *, timeout_s: float = 20.0) -> BdCli:
    return BdCli(beads_dir=town.rig_dir / ".beads", which=str(binary), timeout_s=timeout_s)


def test_hook_is_verified_before_the_session(town: HandTown, script: ScriptedBd) -> None:
    """T-04: when the agent starts, its bead and its hook are already stored and read back."""
    seen = town.notes / "at start"
    town.agent(
        "looker", f'cp {script.home}/beads.txt {script.home}/calls.txt {town.notes}; touch "{seen}"; printf "> "; exec cat'
    )
    cat = town.spawn(beads=_beads(town, script.binary), hook_bead=_WORK, agent="looker")
    eventually(seen.exists, "the agent has looked")
    then = ScriptedBd(home=town.notes)
    assert (then.beads()[_WORK]["status"], then.beads()[_WORK]["assignee"]) == ("hooked", cat.agent_id)
    assert f"hook_bead: {_WORK}" in str(then.beads()[_AGENT]["description"])
    assert then.commands()[-1] == "show"


@pytest.mark.parametrize(
    "mood",
    [
        {"kind": "stores nothing", "on": "update"},
        {"kind": "stores nothing", "on": "create"},
        {"kind": "stores late", "on": "update", "after_s": 0.5},
        {"kind": "other assignee", "on": "update"},
        {"kind": "hangs", "on": "update"},
        {"kind": "killed", "on": "update"},
        {"kind": "dies after storing", "on": "update"},
        {"kind": "says", "on": "show", "exit": 0, "out": "what?"},
        {"kind": "says", "on": "create", "exit": 1, "err": "Error: no space left on device"},
    ],
    ids=lambda mood: f"{mood['kind']}-{mood['on']}",
)
def test_misbehaving_bd_undoes_the_spawn(town: HandTown, script: ScriptedBd, mood: dict[str, object]) -> None:
    """T-03, T-11: whatever bd does wrong, the spawn ends in bounded time with a typed error, and no worktree or session remains."""
    script.behave(**mood)
    began_s = time.monotonic()
    with pytest.raises((SpawnFailedError, BeadsError)):
        town.spawn(beads=_beads(town, script.binary, timeout_s=1.5), hook_bead=_WORK)
    assert time.monotonic() - began_s < 30
    town.assert_nothing_left()


def test_configuration_error_is_quick(town: HandTown, script: ScriptedBd) -> None:
    """T-50: a store that is set up wrongly refuses the spawn in less than two seconds, with what to do."""
    script.behave(kind="says", exit=1, err="Error: database not initialized")
    began_s = time.monotonic()
    with pytest.raises(BeadsConfigError) as caught:
        town.spawn(beads=_beads(town, script.binary), hook_bead=_WORK)
    assert time.monotonic() - began_s < 2
    assert "bd init" in caught.value.hint
    town.assert_nothing_left()


# ---------------------------------------------------------------------------------------------------------- a real bd


_REAL = [path for path in os.environ.get("POLECAT_BD", "").split(os.pathsep) if path] or [shutil.which("bd") or ""]
_needs_bd = pytest.mark.skipif(
    not _REAL[0], reason="no bd: neither POLECAT_BD names one nor is it on PATH; nox -s bd installs one"
)


def _bd(town: HandTown, *words: str) -> None:
    env = {**os.environ, "BEADS_DIR": str(town.rig_dir / ".beads"), "BEADS_NO_DAEMON": "1"}
    done = program.run([_REAL[0], *words], env=env, cwd=town.rig_dir, timeout_s=120)
    assert done.exit_code == 0, done.error_text


def _kill(town: HandTown, cat: SpawnedPolecat) -> None:
    os.kill(cat.pid, signal.SIGKILL)
    eventually(lambda: cat.session_name not in town.sessions(), "the session ends with its agent")


def _remove(town: HandTown, beads: BdCli, name: str) -> None:
    env = dict(os.environ)
    remove_polecat(
        town.rig,
        name,
        force=True,
        world=World(tmux=town.server.cli(environ=env), git=GitCli(environ=env), beads=beads, environ=env),
    )


@pytest.mark.bd
@pytest.mark.slow
@pytest.mark.timeout(240)
@_needs_bd
def test_each_life_has_its_own_hook(town: HandTown) -> None:
    """Spawn and kill -9, then spawn and remove three times, all of one name: the hook is each time the newest, nothing older remains."""
    _bd(town, "init", "--prefix", "gt", "--quiet")
    beads = _beads(town, _REAL[0], timeout_s=60)
    for life in range(4):
        work = f"gt-w{life}"
        _bd(town, "create", f"--id={work}", "--title=work", "--description=x", "--force")
        cat = town.spawn(beads=beads, name="furiosa", hook_bead=work)
        agent = beads.agent(_AGENT)
        assert agent is not None
        assert (agent.is_open, agent.fields.hook_bead, agent.fields.rig) == (True, work, RIG)
        assert [bead.id for bead in beads.held_by(cat.agent_id)] == [work]
        if life == 0:
            _kill(town, cat)
        _remove(town, beads, "furiosa")
        assert beads.held_by(cat.agent_id) == ()
        closed = beads.agent(_AGENT)
        assert closed is not None
        assert (closed.is_open, closed.fields.hook_bead) == (False, "")


@pytest.mark.timeout(180)
def test_twenty_spawns_on_a_stumbling_store(town: HandTown, script: ScriptedBd, tmp_path: Path) -> None:
    """T-49: twenty spawns against a store of which every second call fails transiently: all end, each hook is its own, in bounded time."""
    rig, world = fake_world(tmp_path / "pretend")
    script.behave(kind="says", share=0.5, exit=1, err="Error: optimistic lock failed; try again")
    for number in range(20):
        script.add(f"gt-s{number}")
    began_s = time.monotonic()

    cats = spawn_many(
        rig,
        [SpawnOptions(hook_bead=f"gt-s{number}") for number in range(20)],
        world=World(
            beads=_beads(town, script.binary, timeout_s=100),
            git=world.git,
            tmux=world.tmux,
            processes=world.processes,
            environ=world.environ,
        ),  # a coin decides each call, and a slow machine throws it less often,
    )

    assert time.monotonic() - began_s < 150
    assert [cat for cat in cats if not isinstance(cat, SpawnedPolecat)] == []
    stored = script.beads()
    assert {stored[f"gt-s{number}"]["assignee"] for number in range(20)} == {
        cat.agent_id for cat in cats if isinstance(cat, SpawnedPolecat)
    }
