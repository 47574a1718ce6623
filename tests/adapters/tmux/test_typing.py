"""Text into panes, beyond the contract: modes, leftovers, brackets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polecat.adapters.tmux.cli import TmuxCli
from polecat.errors import SessionNotFoundError
from polecat.ports import StartedSession, Watch
from tests.tmux_fixtures import PrivateServer, eventually, private_server, request

pytestmark = pytest.mark.real

BRACKETED = 'stty raw -echo; printf "\\033[?2004hready"; exec cat >in-i-one'


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


def _start(tmux: TmuxCli, room: Path, *argv: str) -> StartedSession:
    made = tmux.start(request(room, "one", *argv))
    (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance, patterns=("ready",))], timeout_s=10)
    assert status.matched == (True,)
    return made


def _received(room: Path, expected: bytes) -> bytes:
    file = room / "in-i-one"
    eventually(lambda: len(file.read_bytes()) >= len(expected), f"{expected[:30]!r} arrives")
    return file.read_bytes()


def test_copy_mode_is_left_without_escape(server: PrivateServer, tmp_path: Path) -> None:
    """T-42: a person scrolling in the pane does not swallow the text, and no Escape is sent."""
    tmux = server.cli()
    made = _start(tmux, tmp_path)
    server.run("copy-mode", "-t", made.pane_id)

    tmux.send_text(made.pane_id, "hello\nthere", instance=made.instance)

    assert _received(tmp_path, b"hello\nthere\r") == b"hello\nthere\r"
    assert server.run("display-message", "-p", "-t", made.pane_id, "#{pane_in_mode}") == "0"


def test_a_text_is_one_paste(server: PrivateServer, tmp_path: Path) -> None:
    """A program that asks for bracketed paste gets one, and an end mark inside the text cannot end it early."""
    tmux = server.cli()
    made = _start(tmux, tmp_path, "sh", "-c", BRACKETED)

    tmux.send_text(made.pane_id, "a\x1b[2\x1b[201~01~b", instance=made.instance)

    assert _received(tmp_path, b"\x1b[200~ab\x1b[201~\r") == b"\x1b[200~ab\x1b[201~\r"


def test_no_buffer_stays_behind(server: PrivateServer, tmp_path: Path) -> None:
    """Neither a typed nor a refused text stays in the server, where anybody could paste it."""
    tmux = server.cli()
    made = _start(tmux, tmp_path)

    tmux.send_text(made.pane_id, "secret", instance=made.instance)
    for pane_id, instance in ((made.pane_id, "another"), ("%999", "")):
        with pytest.raises(SessionNotFoundError):
            tmux.send_text(pane_id, "secret", instance=instance)

    assert server.run("list-buffers") == ""


def test_a_pane_that_takes_no_input_is_named(server: PrivateServer, tmp_path: Path) -> None:
    """Text for a pane whose input a person switched off is refused, not lost in silence."""
    tmux = server.cli()
    made = _start(tmux, tmp_path)
    server.run("select-pane", "-d", "-t", made.pane_id)

    with pytest.raises(SessionNotFoundError, match="takes no input"):
        tmux.send_text(made.pane_id, "hello", instance=made.instance)


def test_a_refused_text_leaves_a_strangers_pane_alone(server: PrivateServer, tmp_path: Path) -> None:
    """The wrong pane is not even taken out of copy mode."""
    tmux = server.cli()
    made = _start(tmux, tmp_path)
    server.run("copy-mode", "-t", made.pane_id)

    with pytest.raises(SessionNotFoundError, match="is not ours"):
        tmux.send_text(made.pane_id, "hello", instance="another")

    assert server.run("display-message", "-p", "-t", made.pane_id, "#{pane_in_mode}") == "1"


def test_bytes_that_are_no_text_arrive(server: PrivateServer, tmp_path: Path) -> None:
    """T-41: control characters and invalid UTF-8 arrive as they are, 100 KB as well."""
    tmux = server.cli()
    made = _start(tmux, tmp_path)
    data = bytes(range(1, 256)) + b"0123456789" * 10_000

    tmux.send_text(made.pane_id, data.decode("utf-8", "surrogateescape"), instance=made.instance)

    assert _received(tmp_path, data + b"\r") == data + b"\r"
