"""What the library logs: nothing unless the application asked, then the same events with the same keys every time, and no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import structlog
from attrs import evolve

from polecat import (
    Event,
    PolecatError,
    SpawnedPolecat,
    SpawnOptions,
    nudge_polecat,
    reconcile_pool,
    remove_polecat,
    spawn_for_sling,
    spawn_many,
)
from polecat.ports import World
from polecat.testing import FailAt, FakeAgent, FakeTmux, FakeTown, Fault, fake_world

SECRET = "hunter2-4f1c9a"

Line = dict[str, object]


@pytest.fixture
def town(tmp_path: Path) -> FakeTown:
    """A rig in a pretend world."""
    rig, world = fake_world(tmp_path)
    return FakeTown(rig=rig, world=world)


@pytest.fixture
def logged() -> Iterator[list[Line]]:
    """Every line of the log, kept as an application would that configures structlog."""
    lines: list[Line] = []

    def keep(_logger: object, level: str, line: structlog.typing.EventDict) -> str:
        lines.append({"level": level, **line})
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield lines
    structlog.reset_defaults()


# --------------------------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize("first", ["", "import structlog", "import logging; logging.basicConfig(level=20)"])
def test_silent_unless_the_application_configures_structlog(first: str) -> None:
    """A whole life of a polecat prints nothing, and structlog is not even loaded where the application does not load it."""
    code = f"""
{first}
import sys
from polecat import remove_polecat, spawn_for_sling
from polecat.testing import example_world
rig, world = example_world()
cat = spawn_for_sling(rig, world=world)
remove_polecat(rig, cat.polecat_name, world=world)
assert ("structlog" in sys.modules) is {"structlog" in first}
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_never_on_stdout(capsys: pytest.CaptureFixture[str], town: FakeTown) -> None:
    """An application that sends its log to stderr finds all of it there, and stdout empty."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        spawn_for_sling(town.rig, world=town.world)
    finally:
        structlog.reset_defaults()

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "polecat_spawned" in printed.err


# -------------------------------------------------------------------------------------------------- names and keys


EVENTS_OF_A_SPAWN = {
    "name_claimed": "duration_s branch",
    "worktree_added": "duration_s branch base_commit path spare",
    "worktree_provisioned": "duration_s warnings",
    "hook_set": "duration_s agent_bead hook_bead",
    "session_started": "duration_s session pane pid",
    "agent_ready": "duration_s agent",
    "polecat_spawned": (
        "duration_s clone_path branch base_commit base_age_s session session_id tmux_socket pane pid agent hook_bead readiness "
        "waiting_for warnings timings key"
    ),
}


def test_a_spawn_is_these_lines(logged: list[Line], town: FakeTown) -> None:
    """Events and their keys are the same in every spawn; each carries rig, polecat and instance."""
    spawn_for_sling(town.rig, SpawnOptions(hook_bead="gt-1", nudge="go"), world=town.world)

    common = {"event", "level", "rig", "polecat", "instance"}
    told = {str(line["event"]): " ".join(key for key in line if key not in common) for line in logged}
    assert list(told.items()) == list(EVENTS_OF_A_SPAWN.items())
    assert {line["level"] for line in logged} == {"info"}
    assert all(common <= set(line) for line in logged)
    assert {(line["rig"], line["polecat"]) for line in logged} == {("gastown", "furiosa")}


def test_one_line_says_it_all(logged: list[Line], town: FakeTown) -> None:
    """`polecat_spawned` comes once for each spawn, with every fact of the result and the time of every step."""
    cats = spawn_many(town.rig, [SpawnOptions(hook_bead="gt-1"), SpawnOptions()], world=town.world)

    lines = [line for line in logged if line["event"] == "polecat_spawned"]
    for cat, line in zip(cats, lines, strict=True):
        assert isinstance(cat, SpawnedPolecat)
        facts = attrs.asdict(cat)
        renamed = {"rig_name": "rig", "polecat_name": "polecat", "session_name": "session"}
        for key in set(facts) - {"timings", "warnings", "clone_path"}:
            assert line[renamed.get(key, key)] == facts[key], key
        assert line["clone_path"] == str(cat.clone_path)
        assert line["warnings"] == list(cat.warnings)
        assert line["duration_s"] == cat.timings.total_s
        assert line["timings"] == dict(cat.timings.steps)
        assert {"claim", "worktree", "provision", "hook", "session", "ready", "record"} <= set(dict(cat.timings.steps))
        json.dumps(line)


def test_a_failed_spawn_has_its_line(logged: list[Line], town: FakeTown) -> None:
    """A spawn that broke logs at which step, what was undone and what is left; no canonical line."""
    tmux = FakeTmux(agent=FakeAgent(screen="licence expired", exits=3), processes=town.processes, clock=town.clock)

    with pytest.raises(PolecatError):
        spawn_for_sling(town.rig, world=evolve(town.world, tmux=tmux))

    failed = [line for line in logged if line["event"] == "spawn_failed"]
    assert [(line["step"], line["left_behind"]) for line in failed] == [("ready", [])]
    assert [line["step"] for line in logged if line["event"] == "step_undone"] == ["session", "agent bead", "worktree", "claim"]
    assert "polecat_spawned" not in {line["event"] for line in logged}


def test_a_listener_hears_what_is_logged(logged: list[Line], town: FakeTown) -> None:
    """`on_event` and the log tell the same facts in the same order."""
    heard: list[Event] = []

    spawn_for_sling(town.rig, SpawnOptions(hook_bead="gt-1"), world=evolve(town.world, on_event=heard.append))

    assert [event.name for event in heard] == [line["event"] for line in logged]
    for event, line in zip(heard, logged, strict=True):
        assert {key: line[key] for key in event.facts} == dict(event.facts)
        assert line.get("duration_s") == event.duration_s


def test_event_names_are_past_tense_and_constant(logged: list[Line], town: FakeTown) -> None:
    """Names hold no data: lower case words, joined by underscores; a second life tells the same ones."""
    names: list[list[object]] = []
    for _ in range(2):
        logged.clear()
        cat = spawn_for_sling(town.rig, SpawnOptions(nudge="go"), world=town.world)
        nudge_polecat(town.rig, cat.polecat_name, "go on", world=World(tmux=town.tmux, environ=town.world.environ))
        remove_polecat(town.rig, cat.polecat_name, force=True, world=town.world)
        reconcile_pool(town.rig, world=town.world)
        names.append([line["event"] for line in logged])

    assert names[0] == names[1]
    assert all(str(name).replace("_", "").isalpha() and str(name).islower() for name in names[0])


# --------------------------------------------------------------------------------------------------------- secrets


def test_no_secret_is_logged_wherever_a_spawn_breaks(logged: list[Line], tmp_path: Path) -> None:
    """Values of variables, the caller's and the spawn's, are in no line, no event and no feed, whichever call fails."""
    heard: list[Event] = []
    said: list[str] = []
    number = 0
    while True:
        rig, world = fake_world(tmp_path / str(number))
        world = evolve(world, environ={**world.environ, "MY_TOKEN": f"caller-{SECRET}"})
        fault: Fault = FailAt(number) if number else Fault()
        opts = SpawnOptions(env={"API_KEY": f"spawn-{SECRET}"})
        try:
            spawn_for_sling(rig, opts, world=evolve(fault.around(world), on_event=heard.append))
        except PolecatError as error:
            said.append(f"{error!r} {error} {error.hint}")
        if number and not fault.has_struck:
            break
        number += 1

    assert number > 10
    assert len(logged) > 50
    assert SECRET not in repr((logged, heard, said))
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []
