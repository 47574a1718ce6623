"""The tutorial, followed to the letter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TmuxGuard
from tests.git_fixtures import commit, git

ROOT = Path(__file__).resolve().parents[2]


def typed(page: Path) -> list[str]:
    """Return the commands that a page tells people to type, each with the lines of its here-document; a whole script is one."""
    found: list[str] = []
    until = ""
    for kind, block in re.findall(r"^```(console|sh)\n(?!#!)(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if kind == "sh":
            found.append(block)
            continue
        for line in block.splitlines():
            if until:
                found[-1] += f"\n{line}"
                until = "" if line == until else until
            elif line.startswith("$ "):
                found.append(line.removeprefix("$ "))
                here = re.search(r"<<'(\w+)'", line)
                until = here[1] if here else ""
    return found


def commands(page: Path) -> str:
    """Return what a page tells people to type, as one script."""
    return "\n".join(typed(page))


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
    assert re.search(r"^furiosa +(working|idle) +polecat/furiosa-\w+ +de-1 +clean", done.stdout, re.MULTILINE), done.stdout
    assert not (tmp_path / "first").exists()


WRITER = """\
#!/bin/sh
for told; do :; done
echo toast > toast.md && git add . && git commit -q -m "$told"
stty -icanon -echo
printf '\\342\\235\\257 '
while read -r line; do :; done
"""
"""An agent called claude that does what it is told by its last argument, and then shows a prompt in a terminal of its own."""


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_from_a_checkout_to_a_merged_branch(tmp_path: Path, home: Path) -> None:
    """Every command of the page succeeds in its order; in the end the work is on the server, and of the polecat nothing is left."""
    server, tools = tmp_path / "toaster.git", tmp_path / "tools"
    git("init", "-q", "--bare", "-b", "main", server, cwd=tmp_path)
    git("clone", "-q", server, tmp_path / "first", cwd=tmp_path)
    commit(tmp_path / "first", {"README.md": "a toaster\n"})
    git("push", "-q", "origin", "HEAD:main", cwd=tmp_path / "first")
    tools.mkdir()
    (tools / "claude").write_text(WRITER)
    (tools / "claude").chmod(0o755)
    script = commands(ROOT / "docs" / "how-to" / "from-a-checkout.md")
    script = script.replace("https://example.org/toaster.git", str(server)).replace(" --attach", "")

    done = subprocess.run(
        [
            "bash",
            "-euc",
            f'polecat() {{ "{sys.executable}" -P -m polecat "$@"; }}\nexport PYTHONPATH="{ROOT}" PATH="{tools}:$PATH"\n{script}',
        ],
        cwd=tmp_path,
        env={**os.environ, "GIT_PAGER": "cat"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/toaster is rig toaster now\n  town   {home}/polecat (new)\n" in done.stdout
    assert re.search(r"^furiosa +(working|idle) +polecat/furiosa-\w+ +- +1 unpushed commit", done.stdout, re.MULTILINE), (
        done.stdout
    )
    assert "write down how to make toast, and commit it" in done.stdout and "+toast" in done.stdout
    assert re.search(r"branch   polecat/furiosa-\w+ deleted", done.stdout) and "rescue" not in done.stdout
    assert git("show", "main:toast.md", cwd=server) == "toast"
    assert not list((home / "polecat" / "toaster" / "polecats").glob("[!.]*"))
