"""Waiting for panes: what is found, how soon, at what cost."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polecat.adapters.tmux.cli import TmuxCli
from polecat.ports import PaneStatus, StartedSession, Watch
from tests.conftest import ProgramCounts
from tests.tmux_fixtures import PrivateServer, private_server, request

pytestmark = pytest.mark.real

PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126) | st.sampled_from("❯é\u00a0"), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TmuxCli, StartedSession]]:
    """A pane that shows whatever is typed into it."""
    room = tmp_path_factory.mktemp("room")
    with private_server() as server:
        tmux = server.cli()
        yield tmux, tmux.start(request(room, "one", "sh", "-c", 'stty raw -echo; printf "ready"; exec cat'))


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


def _look(tmux: TmuxCli, made: StartedSession, *patterns: str, timeout_s: float = 10.0) -> PaneStatus:
    (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance, patterns=patterns)], timeout_s=timeout_s)
    return status


@given(text=PRINTABLE)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_on_the_screen_is_found(shared: tuple[TmuxCli, StartedSession], text: str) -> None:
    """Whatever signs a pattern holds, tmux's own, the regular expression's or a non-breaking space, it finds its text (T-35)."""
    tmux, made = shared
    tmux.send_text(made.pane_id, f"\x1b[2J\x1b[H{text}\r\nlast", instance=made.instance)
    pattern = "^" + re.sub(r"[][.^$*+?(){}|\\]", r"\\\g<0>", text) + "$"

    status = _look(tmux, made, "absent", pattern)

    assert status.matched == (False, True)


def test_a_prompt_is_seen_soon_and_in_one_call(server: PrivateServer, tmp_path: Path, program_counts: ProgramCounts) -> None:
    """An agent that shows its prompt after a moment costs one call."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sh", "-c", "sleep 0.3; echo ready; exec sleep 1000"))
    program_counts.reset()

    assert _look(tmux, made, "ready").matched == (True,)
    assert program_counts.count("tmux") == 1


def test_a_watch_that_finds_nothing_keeps_its_time(server: PrivateServer, tmp_path: Path) -> None:
    """Without news a watch lasts as long as it may, and says how things are."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sleep", "1000"))
    began_s = time.monotonic()

    status = _look(tmux, made, "absent", timeout_s=1.2)

    assert 1.2 <= time.monotonic() - began_s < 4
    assert (status.exists, status.is_dead, status.matched) == (True, False, (False,))


def test_the_process_in_the_foreground_counts(server: PrivateServer, tmp_path: Path) -> None:
    """A watch for a program's name ends when that program runs."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sh", "-c", "sleep 0.2; exec tail -f /dev/null"))

    (status,) = tmux.watch(
        [Watch(pane_id=made.pane_id, instance=made.instance, patterns=("absent",), commands=("node", "tail"))], timeout_s=10
    )

    assert (status.command, status.matched) == ("tail", (False,))


def test_long_patterns_are_watched_for_too(server: PrivateServer, tmp_path: Path) -> None:
    """Patterns that do not fit into one call many times over are looked for call by call."""
    tmux = server.cli()
    made = tmux.start(request(tmp_path, "one", "sh", "-c", "sleep 0.1; echo ready; exec sleep 1000"))
    patterns = [f"{'absent' * 20}{n}" for n in range(40)]

    assert _look(tmux, made, *patterns, "ready").matched == (*[False] * 40, True)


@pytest.mark.parametrize("many", [False, True])
def test_how_a_process_ended_is_always_known(many: bool, server: PrivateServer, tmp_path: Path) -> None:
    """T-38: the server misses the end of every third process (tmux before 3.6); a watch makes it look again."""
    tmux = server.cli()
    other = tmux.start(request(tmp_path, "other", "sleep", "1000"))
    for number in range(6):
        made = tmux.start(request(tmp_path, f"s{number}", "sh", "-c", "sleep 0.1; kill -9 $$"))
        watches = [Watch(pane_id=one.pane_id, instance=one.instance) for one in ((made, other) if many else (made,))]

        status = tmux.watch(watches, timeout_s=10)[0]

        assert (status.is_dead, status.exit_code, status.signal) == (True, None, 9)
