"""What happens when an agent's process ends: the crash hook, the feed, the end of the session."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from attrs import evolve

import polecat.adapters
from polecat.ports import SessionRequest, StartedSession
from polecat.town.events import event_line
from tests.tmux_fixtures import ENDS, PrivateServer, eventually, private_server, request, started_program

pytestmark = pytest.mark.real

ON_EXIT = Path(polecat.adapters.__path__[0]) / "tmux" / "on_exit.sh"
ODD = 'it\'s "x" $(touch pwned) #{pid} %H \\ ;\n❯;'


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        one.run("new-session", "-d", "-s", "bystander", "sleep 1000")
        yield one


def _recorder(room: Path, *words: str) -> tuple[str, ...]:
    """A command that writes its arguments, one after the other, into ``ended``."""
    script = 'out=$1; shift; printf "%s\\0" "$@" >>"$out"'
    return ("/bin/sh", "-c", script, "recorder", str(room / "ended"), *words)


def _ended(room: Path) -> list[str]:
    file = room / "ended"
    return file.read_text().split("\0")[:-1] if file.exists() else []


def _asked(room: Path, name: str = "one", *words: str) -> SessionRequest:
    return evolve(request(room, name, "sleep", "1000"), on_exit=_recorder(room, *words))


def _crash(made: StartedSession) -> None:
    started_program(made, b"sleep")
    os.kill(made.pane_pid, signal.SIGKILL)


def test_the_hook_runs_once_with_status_and_signal(server: PrivateServer, tmp_path: Path) -> None:
    """A dying agent runs its command, whatever is in it, with exit status or signal; then its session goes."""
    tmux = server.cli()
    made = tmux.start(_asked(tmp_path, "one", ODD, ""))
    assert tmux.release(made)

    _crash(made)

    eventually(lambda: tmux.sessions() == ["bystander"], "the session is gone")
    eventually(lambda: bool(_ended(tmp_path)), "the hook ran")
    assert _ended(tmp_path) == [ODD, "", "", "9"]
    assert list(tmp_path.rglob("pwned")) == []


def test_a_death_during_the_start_keeps_the_screen(server: PrivateServer, tmp_path: Path) -> None:
    """Before the release the hook runs too, and the session stays."""
    tmux = server.cli()

    made = tmux.start(evolve(_asked(tmp_path), argv=("sh", "-c", f"echo why; {ENDS} 3")))

    eventually(lambda: _ended(tmp_path) == ["3", ""], "the hook ran")
    assert tmux.capture(made.pane_id) == "why"


def test_every_crash_is_told_even_if_nobody_looks(server: PrivateServer, tmp_path: Path) -> None:
    """The server misses the end of every third process (tmux before 3.6); each still runs its hook within seconds."""
    tmux = server.cli()
    for number in range(6):
        made = tmux.start(_asked(tmp_path, f"one{number}", f"one{number}"))
        assert tmux.release(made)

        _crash(made)

        eventually(lambda told=3 * number + 3: len(_ended(tmp_path)) == told, f"hook {number} ran")  # type: ignore[misc]
        assert _ended(tmp_path)[-3:] == [made.name, "", "9"]
    eventually(lambda: server.run("list-sessions", "-F", "#{session_name}") == "bystander", "the sessions are gone")


def test_a_renamed_session_still_ends_with_its_agent(server: PrivateServer, tmp_path: Path) -> None:
    """T-28: renaming disarms neither hook nor clean-up."""
    tmux = server.cli()
    made = tmux.start(_asked(tmp_path))
    server.run("rename-session", "-t", made.id, "mine")
    assert tmux.release(made)

    _crash(made)

    eventually(lambda: tmux.sessions() == ["bystander"], "the session is gone")
    eventually(lambda: _ended(tmp_path) == ["", "9"], "the hook ran")


def test_a_session_that_goes_while_its_hook_runs_takes_nobody_along(server: PrivateServer, tmp_path: Path) -> None:
    """Ending a session whose on-exit command still runs ends that session alone, though the rest of its hook finds it gone."""
    tmux = server.cli()
    neighbour = tmux.start(_asked(tmp_path, "neighbour"))
    assert tmux.release(neighbour)
    slow = f"touch {tmp_path}/began; until test -e {tmp_path}/go; do sleep 0.01; done"
    dying = tmux.start(evolve(_asked(tmp_path, "dying"), argv=("false",), on_exit=("/bin/sh", "-c", slow, "slow")))
    eventually((tmp_path / "began").exists, "the on-exit command runs")

    assert tmux.kill(dying.id, name="dying", instance=dying.instance)
    (tmp_path / "go").touch()

    eventually(lambda: not _runs(slow), "the on-exit command has ended")
    assert [server.run("list-sessions", "-F", "#{session_name}") for _ in range(20)] == ["bystander\nneighbour"] * 20


def _runs(script: str) -> bool:
    return subprocess.run(["pgrep", "-f", "--", script[:60]], capture_output=True, check=False).returncode == 0


def test_a_persons_own_pane_is_not_the_agent(server: PrivateServer, tmp_path: Path) -> None:
    """A pane or window a person opened in the session may end as it likes; the list still shows the agent's pane."""
    tmux = server.cli()
    made = tmux.start(_asked(tmp_path))
    assert tmux.release(made)
    for how in (("split-window", "-b", "-t", made.pane_id), ("new-window", "-a", "-t", f"{made.id}:")):
        other = server.run(*how, "-d", "-P", "-F", "#{pane_id}", "read x")
        server.run("send-keys", "-t", other, "Enter")
        eventually(lambda other=other: other not in server.run("list-panes", "-a", "-F", "#{pane_id}"), "its pane is gone")  # type: ignore[misc]

    (found,) = [session for session in tmux.list_sessions() if session.name == "one"]

    assert (found.pane_id, found.is_dead) == (made.pane_id, False)
    assert _ended(tmp_path) == []


def test_an_ended_session_tells_nothing(server: PrivateServer, tmp_path: Path) -> None:
    """Ending a session on purpose is no crash."""
    tmux = server.cli()
    made = tmux.start(_asked(tmp_path))
    assert tmux.release(made)

    assert tmux.kill(made.id, name=made.name, instance=made.instance)

    eventually(lambda: not Path(f"/proc/{made.pane_pid}").exists(), "the agent is gone")
    assert _ended(tmp_path) == []


# ------------------------------------------------------------------------------------------------------ on_exit.sh


def _on_exit(room: Path, *words: str, path: str = "/usr/bin:/bin") -> str:
    feed = room / 'the feed\'s "file".jsonl'
    done = subprocess.run(["/bin/sh", str(ON_EXIT), str(feed), *words], env={"PATH": path}, capture_output=True, check=True)
    assert done.stderr == b""
    return feed.read_text("utf-8")


@pytest.mark.parametrize(
    ("status", "number", "reason"), [("3", "", "exit 3"), ("", "9", "signal 9"), ("0", "", "exit 0"), ("", "", "unknown")]
)
def test_a_death_is_one_line_of_the_feed(status: str, number: str, reason: str, tmp_path: Path) -> None:
    """The line is the one the library itself would write."""
    line = _on_exit(tmp_path, "gas", "nux", "gt-gas-nux", "i1", status, number)

    when = datetime.fromisoformat(json.loads(line)["ts"])
    payload = {"agent": "gas/polecats/nux", "caller": "polecat", "reason": reason, "session": "gt-gas-nux"}
    assert line == event_line(when, "session_death", actor="gas/polecats/nux", payload=payload)


def test_odd_values_stay_values(tmp_path: Path) -> None:
    """T-47: quotes, backslashes, newlines and commands in values neither break the line nor run."""
    line = _on_exit(tmp_path, "g\"a's", "$(touch pwned)", "a\\b\nc`touch pwned`%s", "i", "1", "")

    told = json.loads(line)
    assert line.count("\n") == 1
    assert told["actor"] == "g\"a's/polecats/$(touch pwned)"
    assert told["payload"]["session"] == "a\\bc`touch pwned`%s"
    assert list(tmp_path.rglob("pwned")) == []


def test_gas_town_is_told_where_it_is(tmp_path: Path) -> None:
    """With ``gt`` on PATH the crash is logged there too."""
    (tmp_path / "bin").mkdir()
    gt = tmp_path / "bin" / "gt"
    gt.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"${0%/*}/told"\n')
    gt.chmod(0o755)

    _on_exit(tmp_path, "gas", "nux", "gt-gas-nux", "i1", "7", "", path=f"{gt.parent}:/usr/bin:/bin")

    told = tmp_path / "bin" / "told"
    eventually(lambda: told.exists() and told.read_text().endswith("7\n"), "gt was told")
    assert told.read_text().split("\n")[:-1] == [
        "log",
        "crash",
        "--agent",
        "gas/nux",
        "--session",
        "gt-gas-nux",
        "--exit-code",
        "7",
    ]


def test_a_feed_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    """The hook's command ends well whatever becomes of the feed: tmux would show its complaint in the pane."""
    done = subprocess.run(
        ["/bin/sh", str(ON_EXIT), str(tmp_path / "no" / "feed"), "gas", "nux", "s", "i", "1", ""],
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert re.search(rb"no/feed", done.stderr)
