"""The pretend world: fakes that keep the same contract as the real adapters, and the contract itself."""

from __future__ import annotations

from polecat.testing.fake_beads import FakeBeads
from polecat.testing.fake_clock import FakeClock
from polecat.testing.fake_git import FakeGit
from polecat.testing.fake_processes import FakeProcesses
from polecat.testing.fake_tmux import FakeAgent, FakeTmux
from polecat.testing.faults import (
    Call,
    CrashAt,
    Crashed,
    FailAt,
    Fault,
    Garbage,
    GarbageAt,
    HangAt,
    KillAt,
    MeanwhileAt,
)
from polecat.testing.worlds import FakeWorld, example_world, fake_world, make_program, make_town

__all__ = [
    "Call",
    "CrashAt",
    "Crashed",
    "FailAt",
    "FakeAgent",
    "FakeBeads",
    "FakeClock",
    "FakeGit",
    "FakeProcesses",
    "FakeTmux",
    "FakeWorld",
    "Fault",
    "Garbage",
    "GarbageAt",
    "HangAt",
    "KillAt",
    "MeanwhileAt",
    "example_world",
    "fake_world",
    "make_program",
    "make_town",
]
