"""Standard streams that are closed, full, or of another encoding: one clear error, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polecat.testing.worlds import make_town

pytestmark = pytest.mark.real

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A town with a rig and two homes, one of which needs more than ASCII."""
    root = make_town(tmp_path / "town")
    for name in ("furiosa", "é"):
        (root / "gastown" / "polecats" / name).mkdir()
    return root


def shell(script: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``polecat`` is ours."""
    text = f'polecat() {{ "{sys.executable}" -m polecat "$@"; }}; {script}'
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(
        ["bash", "-c", text], cwd=cwd, env=surroundings, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["list", "list --json", "--help", "completion bash", "doctor"])
def test_a_full_disk_behind_stdout(town: Path, words: str, unbuffered: str) -> None:
    """Output that cannot be written is status 1 and one error that says why."""
    done = shell(f"polecat {words} >/dev/full", town, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert "polecat: the output cannot be written: No space left on device\n" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_stderr(town: Path) -> None:
    """Where an error cannot be written, the exit code still tells."""
    assert shell("polecat list nosuch 2>/dev/full", town).returncode == 1


def test_a_closed_stdout_is_refused_before_anything_is_done(town: Path, tmp_path: Path) -> None:
    """A result that could go nowhere is not worked out."""
    done = shell(f"polecat init {tmp_path}/fresh >&-", town)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "polecat: stdout is closed, so there is nowhere to put a result; nothing was done",
    )
    assert not (tmp_path / "fresh").exists()


def test_a_closed_stdin_is_an_empty_one(town: Path) -> None:
    """Without a stdin there is nothing to send."""
    done = shell("polecat send gastown/furiosa <&-", town)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "polecat: there is nothing to send")


def test_a_closed_stderr_is_no_error(town: Path) -> None:
    """Without a stderr the result is the same."""
    assert shell("polecat list 2>&-", town).stdout == shell("polecat list", town).stdout


@pytest.mark.parametrize("words", ["list", "--help", "completion bash", "list --json"])
def test_a_reader_that_has_seen_enough(town: Path, words: str) -> None:
    """A pipe that is closed behind us is its reader's right: status 0 and not a word about it."""
    done = shell(f"polecat {words} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}", town)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if not line.startswith("polecat: warning: ")] == []  # of the homes


def test_a_terminal_that_knows_ascii_only(town: Path) -> None:
    """What the encoding of stdout cannot hold is escaped, in JSON as JSON does."""
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    assert "\\xe9" in shell("polecat list", town, **ascii_only).stdout
    assert [cat["polecat_name"] for cat in json.loads(shell("polecat list --json", town, **ascii_only).stdout)] == [
        "furiosa",
        "é",
    ]


def test_three_ways_to_start_it_are_one(town: Path) -> None:
    """``python -m polecat`` and the script of the package answer alike, and call themselves alike."""
    script = Path(sys.executable).with_name("polecat")
    if not script.exists():
        pytest.skip("the package is not installed here")
    for words in ("--help", "list", "list --json", "status gastown/nobody", "list gastwon", "spwan", "--version"):
        module, installed = shell(f"polecat {words}", town), shell(f'"{script}" {words}', town)
        assert (module.returncode, module.stdout, module.stderr) == (installed.returncode, installed.stdout, installed.stderr)
