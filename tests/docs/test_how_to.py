"""The how-to pages, typed as they are printed, in the town that the first page of the documentation sets up."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import frozen

from tests.docs.test_tutorial import ROOT, typed
from tests.git_fixtures import commit, git
from tests.tmux_fixtures import PrivateServer, private_server

DOCS = ROOT / "docs"
OTHERS = {"from-a-checkout.md", "ci.md"}
"""Pages with a test of their own, because they begin before there is a town."""

CLAUDE = """\
#!/bin/bash
[ -t 0 ] || exit 0
while read -e -r -p '❯ ' -t "${PATIENCE_S:-100}" line; do :; done
"""
"""An agent that shows its prompt, takes what it is told, and ends well when nobody has said anything for a while."""

SHELL = """\
polecat() {
  case "$*" in
    attach*) "$PYTHON" -P -m polecat "$@" --print ;;
    *--watch*) timeout --preserve-status -s INT 2 "$PYTHON" -P -m polecat "$@" || [ $? = 130 ] ;;
    *) "$PYTHON" -P -m polecat "$@" ;;
  esac
}
ssh() { [ "$1" != -t ] || shift; shift; "$@"; }
op() { echo API_TOKEN=abc123; }
gh() { echo 'the toaster burns'; }
"""
"""What nobody can do in a test: sit at a terminal, press Ctrl-C, have another host, a safe and issues elsewhere."""

BEFORE = {
    "polecat remove gastown/nux --force": "echo draft > /gt/gastown/polecats/nux/gastown/draft",
}
"""What has happened before a command is typed, where its page says that something has."""


@frozen
class Desk:
    """Where somebody sits and types.

    Attributes:
        place: what is ``/`` on the pages.
        tools: programs of the test.
        server: the town's tmux server.
    """

    place: Path
    tools: Path
    server: PrivateServer

    def run(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Type a script in bash; the first command that fails ends it."""
        return subprocess.run(
            [
                "bash",
                "-euo",
                "pipefail",
                "-c",
                SHELL + re.sub(r"(?<![\w.])/(gt|usr/local/bin|tmp/look)\b", rf"{self.place}/\1", script),
            ],
            cwd=self.place,
            env={
                **os.environ,
                "PATH": f"{self.tools}:{os.environ['PATH']}",
                "PYTHON": sys.executable,
                "PYTHONPATH": str(ROOT),
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture
def desk(tmp_path: Path, home: Path) -> Iterator[Desk]:
    """A server with the project, the programs, and the files of one's own that pages speak of."""
    with private_server() as server:
        desk = Desk(place=tmp_path, tools=tmp_path / "usr/local/bin", server=server)
        _lay_out(desk, home)
        yield desk


def _lay_out(desk: Desk, home: Path) -> None:
    tmp_path = desk.place
    server = tmp_path / "server/gastown.git"
    server.parent.mkdir()
    git("init", "-q", "--bare", "-b", "main", server, cwd=tmp_path)
    git("clone", "-q", server, tmp_path / "first", cwd=tmp_path)
    commit(tmp_path / "first", {"README.md": "gastown\n", ".gitignore": ".env\nnode_modules\n"})
    git("push", "-q", "origin", "HEAD:main", "HEAD:release/2", cwd=tmp_path / "first")
    desk.tools.mkdir(parents=True)
    for name in ("claude", "my-agent"):
        (desk.tools / name).write_text(CLAUDE.replace("❯", "my>") if name == "my-agent" else CLAUDE)
        (desk.tools / name).chmod(0o755)
    own = {
        "README.md": "gastown, changed\n",
        ".env": "A=1\n",
        "config/local.yml": "a: 1\n",
        "brief.md": "mend it",
        "instructions.md": "mend it",
    }
    for file, text in own.items():
        (tmp_path / "own" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / file).write_text(text)
    (home / ".secrets").mkdir()
    (home / ".secrets/gastown.env").write_text("API_TOKEN=abc123\n")


def set_up(desk: Desk) -> str:
    """The commands of the set-up, with servers that are the test's own."""
    clone, adopt, spawn = typed(DOCS / "index.md")
    clone = clone.replace("https://example.org/gastown.git", str(desk.place / "server/gastown.git"))
    settings = json.dumps({"type": "town-settings", "version": 1, "tmux_socket": str(desk.server.socket)})
    return "\n".join(
        [clone, "cp -r ../own/. .", adopt, f"mkdir -p /gt/settings && echo '{settings}' > /gt/settings/config.json", spawn]
    )


def written_down(page: Path, place: Path) -> Mapping[Path, str]:
    """The JSON that a page says to write into a file: the rig's settings, or the accounts."""
    block = re.search(r"^```json\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    files = {"accounts.md": "gt/mayor/accounts.json", "custom-agents.md": "gt/gastown/settings/config.json"}
    return (
        {place / files[page.name]: block[1].replace("/usr/local/bin", str(place / "usr/local/bin"))}
        if block and page.name in files
        else {}
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take all pages with something to type, with ``--whole`` (`nox -s docs`); three of them otherwise."""
    if "name" in metafunc.fixturenames:
        every = sorted(page.name for page in (DOCS / "how-to").glob("*.md") if page.name not in OTHERS and typed(page))
        is_whole = metafunc.config.getoption("--whole", default=False)
        metafunc.parametrize("name", every if is_whole else ["custom-agents.md", "prepare-worktrees.md", "talk-to-polecats.md"])


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_every_command_of_a_page(desk: Desk, name: str) -> None:
    """Each succeeds as it is printed, in a town with a polecat called nux."""
    page = DOCS / "how-to" / name
    made = desk.run(set_up(desk))
    assert made.returncode == 0, made.stderr
    for file, text in written_down(page, desk.place).items():
        file.write_text(text)
    again = "[ -d /gt/gastown/polecats/nux ] || polecat spawn gastown --name nux"
    saved = "$(git -C /gt/gastown/.repo.git for-each-ref --format='%(refname:lstrip=4)' refs/polecat/rescue/nux | grep -v sub | head -n 1)"

    for command in typed(page):
        shown = command.replace("1768000000000-a1b2c3", saved)
        done = desk.run("\n".join(["cd gastown", again, BEFORE.get(command.partition("   ")[0], ""), shown]))
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_job_of_the_page_about_ci(desk: Desk) -> None:
    """The script makes a town in the checkout, waits for the agent's end, and takes the place back."""
    (desk.place / "first" / "task.md").write_text("do it")
    [script] = typed(DOCS / "how-to" / "ci.md")

    done = desk.run(f"cd first\n{script}", PATIENCE_S="1")

    assert done.returncode == 0, done.stderr
    assert '"ended"' in (desk.place / "first/town/ended.json").read_text()
    assert not list((desk.place / "first/town/project/polecats").glob("[!.]*"))
