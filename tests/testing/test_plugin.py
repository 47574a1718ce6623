"""The fixtures for pytest, used as a stranger would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tmux_fixtures import eventually

pytest_plugins = ["pytester"]

ASKS = 'pytest_plugins = ["polecat.testing.plugin"]\n'


@pytest.fixture
def stranger(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of somebody else that can import polecat."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return pytester


def test_a_fake_town(stranger: pytest.Pytester) -> None:
    """`fake_town` is a rig whose world is pretended, new for each test."""
    stranger.makeconftest(ASKS)
    stranger.makepyfile(
        """
        import pytest, polecat

        @pytest.mark.parametrize("time", [1, 2])
        def test_spawn(fake_town, time):
            cat = polecat.spawn_for_sling(fake_town.rig, world=fake_town.world)
            assert cat.polecat_name == "furiosa"
            assert fake_town.tmux.sessions() == [cat.session_name]
            assert len(fake_town.beads.beads()) == 1
            assert fake_town.git.calls and fake_town.clock.now() and fake_town.processes.identify(cat.pid)
        """
    )
    stranger.runpytest_subprocess("-q", "-p", "no:randomly").assert_outcomes(passed=2)


@pytest.mark.real
def test_a_real_town(stranger: pytest.Pytester, tmp_path: Path) -> None:
    """`real_town` has real git and a tmux server of its own, even for calls without arguments; nothing of it is left running."""
    stranger.makeconftest(ASKS)
    stranger.makepyfile(
        f"""
        import os, subprocess, pathlib, polecat

        def test_spawn(real_town):
            cat = polecat.spawn_for_sling(real_town.rig, polecat.SpawnOptions(hook_bead="gt-1", nudge="hello"))
            polecat.nudge_polecat(real_town.rig, cat.polecat_name, "go on")
            assert [session.name for session in real_town.tmux.list_sessions()] == [cat.session_name]
            assert polecat.get_polecat(real_town.rig, cat.polecat_name, world=real_town.world).state is polecat.PolecatState.WORKING
            while real_town.received(cat.polecat_name) != "hello\\rgo on\\r":
                pass
            assert os.environ["HOME"] == real_town.environ["HOME"] != {str(tmp_path)!r}
            assert subprocess.run(["git", "config", "user.email"], stdout=subprocess.PIPE).stdout == b""
            tmux = ["tmux", "-S", str(real_town.socket)]
            subprocess.run([*tmux, "set-option", "-s", "exit-empty", "off"], check=True)
            server = subprocess.run([*tmux, "display-message", "-p", "#{{pid}}"], check=True, stdout=subprocess.PIPE, text=True)
            pathlib.Path({str(tmp_path / "left")!r}).write_text(f"{{real_town.socket}} {{cat.pid}} {{server.stdout}}")

        def test_after():
            assert os.environ["HOME"] == {os.environ["HOME"]!r}
        """
    )
    stranger.runpytest_subprocess("-q", "-p", "no:randomly", "--timeout", "30").assert_outcomes(passed=2)
    socket, agent, server = (tmp_path / "left").read_text().split()
    assert not Path(socket).exists()
    eventually(
        lambda: not [pid for pid in (agent, server) if Path(f"/proc/{pid}").exists()], "agent and server are gone, and reaped"
    )


def test_off_unless_asked_for(stranger: pytest.Pytester) -> None:
    """Where polecat is installed and nobody asks, its fixtures do not exist."""
    stranger.makepyfile("def test(fake_town): pass")
    result = stranger.runpytest_subprocess("-q")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*fixture 'fake_town' not found*")


def test_a_broken_contract_shows_values(stranger: pytest.Pytester) -> None:
    """A store that breaks its contract fails in the checks it breaks, with the values of the assert."""
    stranger.makeconftest(ASKS)
    stranger.makepyfile(
        """
        from contextlib import nullcontext
        from polecat import Bead
        from polecat.testing import BeadsContract, BeadsUnderTest, FakeBeads

        class Forgetful(FakeBeads):
            def unassign(self, bead_id, *, expected):
                return True

        class TestForgetful(BeadsContract):
            def make(self, room):
                store = Forgetful()
                return nullcontext(BeadsUnderTest(store=store, new_work=lambda title: store.add(Bead(id="gt-" + title)).id))
        """
    )
    result = stranger.runpytest_subprocess("-q", "-p", "no:randomly")
    result.assert_outcomes(passed=16, failed=3)
    result.stdout.fnmatch_lines("E * assert True is False")


def test_polecat_does_without_pytest() -> None:
    """All that is public loads without pytest."""
    code = """
import sys
sys.modules["pytest"] = None
from importlib import import_module
for home in map(import_module, ("polecat", "polecat.adapters", "polecat.testing")):
    for name in home.__all__:
        getattr(home, name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
