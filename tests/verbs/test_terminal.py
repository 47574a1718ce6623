"""What a person at a terminal sees, and what a program that reads a pipe must not see."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import polecat
from polecat.testing.worlds import make_town
from polecat.verbs.progress import Progress

PATIENCE_S = 20.0


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


# -------------------------------------------------------------------------------------------------------- progress


def test_slow_step_is_shown_with_its_seconds_and_taken_away() -> None:
    """On a terminal a line says what takes so long; at the end it is gone."""
    out = Terminal()

    with Progress("fetching origin", out=out, delay_s=0.01):
        _until(lambda: "fetching origin… 0 s" in out.getvalue())

    assert out.getvalue().endswith("\r\x1b[K")


def test_lines_stand_above_the_progress() -> None:
    """A line that stays takes the progress away first; the next step is named with seconds of its own."""
    out = Terminal()

    with Progress("first", out=out, delay_s=0.01) as progress:
        _until(lambda: "first…" in out.getvalue())
        progress.line("  claimed  nux")
        progress.say("second")
        _until(lambda: "second… 0 s" in out.getvalue())

    assert "\r\x1b[K  claimed  nux\n" in out.getvalue()


def test_quick_step_shows_nothing() -> None:
    """What is done within the delay prints nothing at all."""
    out = Terminal()

    with Progress("looking", out=out):
        pass

    assert out.getvalue() == ""


def test_pipe_sees_no_progress_but_the_lines() -> None:
    """Where nobody looks, no thread is started and no control character is written."""
    out = io.StringIO()

    with Progress("looking", out=out, delay_s=0.0) as progress:
        progress.line("kept")

    assert out.getvalue() == "kept\n"


# ---------------------------------------------------------------------------------------------------- colour, watch


@pytest.fixture
def town(tmp_path: Path) -> Path:
    root = make_town(tmp_path / "town")
    for name in ("furiosa", "nux"):
        (root / "gastown" / "polecats" / name).mkdir()
    return root


def _argv(town: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "polecat", "list", "--town", str(town), *words]


def _env(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(polecat.__file__).parents[1]), **more}


@contextlib.contextmanager
def _on_terminal(argv: list[str], **more: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """Run a program with a terminal as its stdout; give it and what it has printed so far."""
    ours, its = pty.openpty()
    os.set_blocking(ours, False)
    seen = bytearray()

    def read() -> str:
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(ours, 65536):
                seen.extend(chunk)
        return seen.decode()

    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=_env(more)) as process:
        os.close(its)
        try:
            yield process, read
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
    os.close(ours)


def _printed_on_terminal(town: Path, **more: str) -> str:
    with _on_terminal(_argv(town), **more) as (process, read):
        _until(lambda: bool(read()) and process.poll() is not None)
        return re.sub(r"polecat: warning: [^\n]*\n", "", read())  # stderr is that terminal too


@pytest.mark.real
def test_states_are_coloured_on_a_terminal_only(town: Path) -> None:
    """Colour stands on a terminal; ``NO_COLOR`` and a pipe take it away; the columns are the same."""
    shown = _printed_on_terminal(town)
    plain = _printed_on_terminal(town, NO_COLOR="1")
    piped = subprocess.run(_argv(town), env=_env({}), capture_output=True, text=True, timeout=30, check=True).stdout

    assert "\x1b[90mdone\x1b[0m" in shown
    assert "\x1b[" not in plain + piped
    assert plain.replace("\r\n", "\n") == piped
    assert shown.replace("\x1b[90m", "").replace("\x1b[0m", "").replace("\r\n", "\n") == piped


@pytest.mark.real
def test_watch_lists_again_until_it_is_interrupted(town: Path) -> None:
    """``--watch`` clears the screen, shows what is new, and ends at Ctrl-C with 0 and no complaint."""
    with _on_terminal(_argv(town, "--watch", "0.1")) as (process, read):
        _until(lambda: "nux" in read())
        (town / "gastown" / "polecats" / "slit").mkdir()
        _until(lambda: "slit" in read())
        process.send_signal(signal.SIGINT)
        _until(lambda: process.poll() is not None)
        text = read()

    assert process.returncode == 0
    assert text.count("\x1b[H\x1b[2J") >= 2
    assert "interrupted" not in text


@pytest.mark.real
def test_watch_as_json_is_one_document_a_line(town: Path) -> None:
    """A program that reads ``--watch --json`` gets a whole document with every line."""
    with subprocess.Popen(_argv(town, "--watch", "0.1", "--json"), env=_env({}), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        process.wait(20)

    assert [[cat["polecat_name"] for cat in json.loads(line)] for line in lines] == [["furiosa", "nux"]] * 2


def test_rig_after_watch_is_explained(town: Path) -> None:
    """A rig where the seconds belong is refused with the order that works."""
    done = subprocess.run(
        _argv(town, "--watch", "gastown"), env=_env({}), capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 2
    assert "polecat list gastown --watch" in done.stderr
