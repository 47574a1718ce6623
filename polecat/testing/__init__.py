"""The pretend world, and what holds every world to the same rules.

- Fakes: `FakeGit`, `FakeTmux`, `FakeBeads`, `FakeProcesses`, `FakeClock`, whole worlds of them (`make_rig`, `fake_world`), and
  machines for a fleet (`FakeHost`).
- Contracts: `GitContract`, `TmuxContract`, `BeadsContract`. The real adapters and the fakes pass them; so must yours.
- Faults: `FailAt`, `HangAt`, `GarbageAt`, `CrashAt`, `KillAt` and `MeanwhileAt` strike at the *n*-th outside call.
- Fixtures for pytest, off unless asked for: ``pytest_plugins = ["polecat.testing.plugin"]``; see there.

Nothing here needs pytest, but for the fixtures. May import what is below `polecat.place`. Read first: `worlds`, then the fake you use.

Examples:
    An orchestrator's test, without git and tmux:

    >>> from polecat import World, reconcile_pool
    >>> from polecat.testing import FakeGit, FakeTmux, make_rig
    >>> def test_orphans_are_ended(tmp_path):
    ...     tmux = FakeTmux(sessions=["gt-gas-furiosa", "gt-gas-witness"])
    ...     reconcile_pool(make_rig(tmp_path, "gas"), world=World(git=FakeGit(), tmux=tmux))
    ...     assert tmux.sessions() == ["gt-gas-witness"]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from polecat.testing.contracts.contract import Contract
from polecat.testing.fake_agents import FakeAgent, FakeStep
from polecat.testing.fake_beads import FakeBeads
from polecat.testing.fake_clock import FakeClock
from polecat.testing.fake_git import FakeGit
from polecat.testing.fake_processes import FakeProcesses
from polecat.testing.fake_tmux import FakeTmux
from polecat.testing.faults import Call, CrashAt, Crashed, FailAt, Fault, Garbage, GarbageAt, HangAt, KillAt, MeanwhileAt
from polecat.testing.real_towns import RealTown, RealWorld, real_town
from polecat.testing.worlds import FakeHost, FakeTown, FakeWorld, example_world, fake_world, make_program, make_rig, make_town

if TYPE_CHECKING:
    from polecat.testing.contracts.beads_contract import BeadsContract, BeadsUnderTest
    from polecat.testing.contracts.git_contract import GitContract
    from polecat.testing.contracts.git_under_test import GitUnderTest
    from polecat.testing.contracts.tmux_contract import TmuxContract
    from polecat.testing.contracts.tmux_under_test import TmuxUnderTest

__all__ = [
    "BeadsContract",
    "BeadsUnderTest",
    "Call",
    "Contract",
    "CrashAt",
    "Crashed",
    "FailAt",
    "FakeAgent",
    "FakeBeads",
    "FakeClock",
    "FakeGit",
    "FakeHost",
    "FakeProcesses",
    "FakeStep",
    "FakeTmux",
    "FakeTown",
    "FakeWorld",
    "Fault",
    "Garbage",
    "GarbageAt",
    "GitContract",
    "GitUnderTest",
    "HangAt",
    "KillAt",
    "MeanwhileAt",
    "RealTown",
    "RealWorld",
    "TmuxContract",
    "TmuxUnderTest",
    "example_world",
    "fake_world",
    "make_program",
    "make_rig",
    "make_town",
    "real_town",
]

_CONTRACTS = {
    "BeadsContract": "contracts.beads_contract",
    "BeadsUnderTest": "contracts.beads_contract",
    "GitContract": "contracts.git_contract",
    "GitUnderTest": "contracts.git_under_test",
    "TmuxContract": "contracts.tmux_contract",
    "TmuxUnderTest": "contracts.tmux_under_test",
}
"""Loaded on first use: `polecat.testing.plugin` has pytest show the values of their asserts, and must come first for that."""


def __getattr__(name: str) -> object:
    if name not in _CONTRACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"polecat.testing.{_CONTRACTS[name]}"), name)
    return value
