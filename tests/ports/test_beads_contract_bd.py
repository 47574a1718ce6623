"""The contract of stores of work, kept by a real bd.

Which one: the programs listed in ``POLECAT_BD`` (separated as PATH is), or the ``bd`` on PATH. Without any the tests are skipped and
say so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from polecat.adapters.beads.bd import BdCli
from polecat.adapters.processes import program
from polecat.errors import BeadsConfigError
from polecat.ports import Holdings
from polecat.testing import BeadsContract, BeadsUnderTest

_LISTED = [path for path in os.environ.get("POLECAT_BD", "").split(os.pathsep) if path]
_BINARIES: list[str] = _LISTED or [path for path in [shutil.which("bd")] if path]

pytestmark = [
    pytest.mark.bd,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not _BINARIES, reason="no bd: neither POLECAT_BD names one nor is it on PATH; nox -s bd installs one"),
]


@frozen(kw_only=True)
class Project:
    """A directory with a beads database of its own."""

    path: Path
    binary: str
    env: dict[str, str]

    @property
    def beads_dir(self) -> Path:
        """Where bd keeps the database."""
        return self.path / ".beads"

    @property
    def store(self) -> BdCli:
        """The adapter on it."""
        return BdCli(beads_dir=self.beads_dir, environ=self.env, which=self.binary, timeout_s=60)

    def run(self, *words: str) -> program.Finished:
        """Run bd as a person would."""
        env = {**self.env, "BEADS_DIR": str(self.beads_dir)}
        return program.run([self.binary, *words], env=env, cwd=self.path, timeout_s=60)

    def new_work(self, title: str) -> str:
        """Create a bead as a person would."""
        while True:
            done = self.run("create", "--json", f"--title={title}", "--description=x")
            if done.exit_code == 0:
                return str(json.loads(done.text[done.text.index("{") :])["id"])
            assert "lock" in done.error_text, done.error_text  # 1.x admits one process at a time


def _environ(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "BEADS_NO_DAEMON": "1",  # for what the tests do as a person would; the adapter does not pass it on
    }


def _init(path: Path, binary: str, home: Path) -> Project:
    path.mkdir(parents=True)
    project = Project(path=path, binary=binary, env=_environ(home))
    done = program.run([binary, "init", "--prefix", "gt", "--quiet"], env=project.env, cwd=path, timeout_s=120)
    if done.exit_code != 0:
        pytest.skip(f"{binary} init failed here: {done.error_text.splitlines()[0] if done.error_text else done.text}")
    return project


def _stop(project: Project) -> None:
    if (project.beads_dir / "dolt-server.pid").exists():
        project.run("dolt", "stop")


@pytest.fixture(scope="module", params=_BINARIES, ids=lambda binary: Path(binary).parent.name)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A new database of the version under test."""
    scratch = tmp_path_factory.mktemp("bd")
    (scratch / "home").mkdir()
    project = _init(scratch / "rig", request.param, scratch / "home")
    yield project
    _stop(project)


class TestBdCli(BeadsContract):
    """A real bd keeps what every store must keep; sixteen writers lose no field (T-03)."""

    @pytest.fixture(autouse=True)
    def _use(self, project: Project) -> None:
        self.project = project

    @contextmanager
    def make(self, room: Path) -> Iterator[BeadsUnderTest]:
        yield BeadsUnderTest(store=self.project.store, new_work=self.project.new_work)


def test_foreign_environment_leads_nowhere_else(project: Project, tmp_path: Path) -> None:
    """T-32: a caller whose variables point to another database reaches ours all the same."""
    other = _init(tmp_path / "other", project.binary, tmp_path)
    try:
        foreign = {
            **project.env,
            "BEADS_DIR": str(other.beads_dir),
            "BEADS_DB": str(other.beads_dir / "beads.db"),
            "BD_ACTOR": "x",
        }
        work = project.new_work("ours")
        BdCli(beads_dir=project.beads_dir, environ=foreign, which=project.binary).hook(work, assignee="gas/polecats/nux")
        ours = project.store.bead(work)
        assert ours is not None
        assert ours.assignee == "gas/polecats/nux"
        assert other.store.bead(work) is None
    finally:
        _stop(other)


def test_database_further_up_is_not_taken(project: Project) -> None:
    """T-32: below a project with a database, an empty beads directory is an error, not the other database."""
    below = project.path / "below" / ".beads"
    below.mkdir(parents=True, mode=0o700)
    store = BdCli(beads_dir=below, environ=project.env, which=project.binary)
    with pytest.raises(BeadsConfigError, match="holds no database"):
        store.held_by("gas/polecats/nux")


def test_a_hundred_agents_take_two_processes(project: Project, tmp_path: Path) -> None:
    """However many agents are asked about, bd is started once, and once more for what is closed or missing."""
    counted, calls = tmp_path / "bd", tmp_path / "calls"
    counted.write_text(f'#!/bin/sh\necho "$*" >>{calls}\nexec {project.binary} "$@"\n')
    counted.chmod(0o755)
    work = project.new_work("held by one of them")
    project.store.hook(work, assignee="crowd/polecats/p7")
    store = BdCli(beads_dir=project.beads_dir, environ=project.env, which=str(counted), timeout_s=60)
    store.dialect()
    calls.unlink()

    answers = store.holdings({f"crowd/polecats/p{n}": f"gt-crowd-polecat-p{n}" for n in range(100)})

    assert len(calls.read_text().splitlines()) == 2
    held = {who: [bead.id for bead in one.held] for who, one in answers.items() if isinstance(one, Holdings) and one.held}
    assert held == {"crowd/polecats/p7": [work]}
