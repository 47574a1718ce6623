"""One contract, every tmux."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from polecat import SessionRequest, StartedSession
from polecat.adapters import TmuxCli
from polecat.testing import FakeAgent, FakeTmux, TmuxContract, TmuxUnderTest
from tests.tmux_fixtures import private_server, program


class TestFakeTmux(TmuxContract):
    """The pretend tmux (T-10, T-25, T-28, T-38, T-39, T-41, T-44, T-45)."""

    @contextmanager
    def make(self, room: Path) -> Iterator[TmuxUnderTest]:
        def agent(request: SessionRequest) -> FakeAgent:
            screen, exits = request.argv[1:3]
            return FakeAgent(screen=screen, exits=int(exits) if exits else None, ready_after_looks=1)

        fake, unreachable = FakeTmux(agent=agent), FakeTmux()
        unreachable.unreachable = True
        yield TmuxUnderTest(
            tmux=fake,
            unreachable=unreachable,
            room=room,
            program=lambda screen, exits: ("agent", screen, "" if exits is None else str(exits)),
            received=lambda made: fake.received(made.pane_id),
            rename=fake.rename,
            crash=lambda made: fake.crash(made.name, signal=9),
            split=fake.split,
            move=fake.move,
            view=fake.view,
            end_server=fake.restart_server,
        )


@pytest.mark.real
class TestTmuxCli(TmuxContract):
    """The tmux on PATH."""

    @contextmanager
    def make(self, room: Path) -> Iterator[TmuxUnderTest]:
        with private_server() as server:

            def received(made: StartedSession) -> str:
                file = room / f"in-{made.instance}"
                return file.read_bytes().decode() if file.exists() else ""

            def rename(name: str, new_name: str) -> None:
                server.run("rename-session", "-t", f"={name}:", new_name)

            yield TmuxUnderTest(
                tmux=server.cli(),
                unreachable=TmuxCli(socket=f"/tmp/{'long' * 30}", config_file="/dev/null"),
                room=room,
                program=program,
                received=received,
                rename=rename,
                crash=lambda made: os.kill(made.pane_pid, signal.SIGKILL),
                split=lambda name: server.run("split-window", "-d", "-t", f"={name}:", "exec sleep 600"),
                move=lambda name, to: server.run("join-pane", "-d", "-s", f"={name}:", "-t", f"={to}:"),
                view=lambda name, new_name: server.run("new-session", "-d", "-t", f"={name}", "-s", new_name),
                end_server=lambda: server.run("kill-server"),
            )
