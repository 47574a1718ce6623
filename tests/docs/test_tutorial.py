"""The tutorial, followed to the letter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TmuxGuard

ROOT = Path(__file__).resolve().parents[2]


def commands(page: Path) -> str:
    """Return what a page tells people to type, as one script."""
    lines: list[str] = []
    until = ""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if until:
                lines.append(line)
                until = "" if line == until else until
            elif line.startswith("$ "):
                lines.append(line.removeprefix("$ "))
                found = re.search(r"<<'(\w+)'", line)
                until = found[1] if found else ""
    return "\n".join(lines)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_first_spawn(tmp_path: Path, tmux_guard: TmuxGuard) -> None:
    """Every command of the tutorial succeeds in its order; the polecat it speaks of is there, and the end leaves nothing."""
    script = commands(ROOT / "docs" / "tutorial" / "1-first-spawn.md").replace("/tmp/first", str(tmp_path / "first"))

    done = subprocess.run(
        ["bash", "-euc", f'polecat() {{ "{sys.executable}" -P -m polecat "$@"; }}\nexport PYTHONPATH="{ROOT}"\n{script}'],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"^furiosa +working +polecat/furiosa-\w+ +de-1 +clean", done.stdout, re.MULTILINE), done.stdout
    assert not (tmp_path / "first").exists()
