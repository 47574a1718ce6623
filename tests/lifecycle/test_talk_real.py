"""Talking to a real agent on a real tmux: many senders at once, the server the spawn noted, the command line."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from polecat.errors import SessionNotFoundError
from polecat.lifecycle.talk import attach_command, capture_polecat, nudge_polecat
from polecat.model import Rig
from polecat.ports import SessionRequest, StartedSession, Watch
from polecat.testing.worlds import make_town
from polecat.town.records import Record, settle
from tests.tmux_fixtures import SHOW_AND_READ, PrivateServer, eventually, private_server

pytestmark = pytest.mark.real


@frozen(kw_only=True)
class Cat:
    """A polecat with a real session and nothing else."""

    rig: Rig
    name: str
    session: StartedSession
    server: PrivateServer

    @property
    def received(self) -> bytes:
        """What its agent has read."""
        file = self.rig.home_dir(self.name) / f"in-{self.session.instance}"
        return file.read_bytes() if file.exists() else b""

    def cli(self, verb: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run the command line in the town."""
        argv = [sys.executable, "-m", "polecat", verb, "--town", str(self.rig.town_root), *words]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)


@pytest.fixture
def cat(tmp_path: Path) -> Iterator[Cat]:
    with private_server() as server:
        rig = Rig(name="gastown", path=make_town(tmp_path / "town") / "gastown")
        yield _start(rig, server, "nux")


def _start(rig: Rig, server: PrivateServer, name: str) -> Cat:
    home = rig.home_dir(name)
    home.mkdir()
    request = SessionRequest(
        name=f"gt-gastown-{name}",
        instance=f"i-{name}",
        cwd=home,
        argv=("/bin/sh", "-c", SHOW_AND_READ, "agent", "one\r\ntwo\r\nready"),
        environment={"PATH": os.environ["PATH"], "POLECAT_ID": f"i-{name}"},
        session_environment={"GT_ROLE": "polecat", "GT_RIG": "gastown", "GT_POLECAT": name},
        scratch_dir=rig.runtime_dir / "launch",
    )
    tmux = server.cli()
    session = tmux.start(request)
    tmux.watch([Watch(pane_id=session.pane_id, instance=session.instance, patterns=("ready",))], timeout_s=10)
    tmux.release(session)
    settle(
        rig, Record(instance=session.instance, polecat=name, rig="gastown", session=session.name, tmux_socket=str(server.socket))
    )
    return Cat(rig=rig, name=name, session=session, server=server)


FOUR_SENDERS = """
import sys, threading
from polecat import find_town
from polecat.lifecycle.talk import nudge_polecat

rig = find_town(sys.argv[1]).rig("gastown")
texts = sys.argv[2].split("|")
threads = [threading.Thread(target=nudge_polecat, args=(rig, "nux", text)) for text in texts]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_eight_senders_at_once(cat: Cat) -> None:
    """T-40: two processes of four threads send at once, on the server the record names; every message arrives once and whole."""
    texts = [f"{number} begins\n{chr(97 + number) * 3000}\nä{number} ends".encode() for number in range(8)]
    argv = [sys.executable, "-c", FOUR_SENDERS, str(cat.rig.town_root)]
    halves = (b"|".join(texts[:4]), b"|".join(texts[4:]))
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(subprocess.Popen([*argv, half], stderr=subprocess.PIPE)) for half in halves]
        said = [sender.communicate(timeout=30)[1] for sender in senders]

    assert [sender.returncode for sender in senders] == [0, 0], said
    eventually(lambda: cat.received.count(b"\r") >= 8, "all messages arrive")
    assert sorted(cat.received.removesuffix(b"\r").split(b"\r")) == sorted(texts)


def test_capture_and_nudge_by_hand(cat: Cat) -> None:
    """What a person types: the screen's last lines, and a text that begins with a dash."""
    shown = cat.cli("capture", "gastown/nux", "--lines", "2")
    typed = cat.cli("nudge", "gastown/nux", "--", "-v 'x'; $HOME")

    assert shown.stdout == b"two\nready\n"
    assert typed.returncode == 0, typed.stderr
    eventually(lambda: cat.received.endswith(b"\r"), "the text arrives")
    assert cat.received == b"-v 'x'; $HOME\r"


def test_ended_agent_is_not_typed_to(cat: Cat) -> None:
    """T-44: without its session the polecat is told to have none, although one with a longer name is there."""
    other = _start(cat.rig, cat.server, "nux-2")
    cat.server.cli().kill(cat.session.id, name=cat.session.name, instance=cat.session.instance)

    with pytest.raises(SessionNotFoundError):
        nudge_polecat(cat.rig, "nux", "hello")
    with pytest.raises(SessionNotFoundError):
        capture_polecat(cat.rig, "nux")

    assert other.received == b""


def test_attach_uses_the_recorded_server(cat: Cat) -> None:
    """The command attaches to exactly this session on the server it was spawned on; tmux takes it."""
    command = attach_command(cat.rig, "nux")

    printed = cat.cli("attach", "gastown/nux", "--print")
    attached = cat.cli("attach", "gastown/nux")

    assert command.argv == ("tmux", "-u", "-S", str(cat.server.socket), "attach-session", "-t", "=gt-gastown-nux")
    assert shlex.split(printed.stdout.decode()) == list(command.argv)
    assert b"not a terminal" in attached.stderr  # tmux found the session, and nobody sits here
