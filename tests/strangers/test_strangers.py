"""Adapters of somebody else, written from the documentation, keep the contracts and serve polecat."""

from __future__ import annotations

import ast
import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

import polecat
from polecat import World
from polecat.testing import (
    BeadsContract,
    BeadsUnderTest,
    GitContract,
    GitUnderTest,
    TmuxContract,
    TmuxUnderTest,
    fake_world,
    real_town,
)
from tests.git_fixtures import git_under_test
from tests.strangers.json_beads import JsonBeads
from tests.strangers.plain_git import PlainGit
from tests.strangers.pty_tmux import PtyTmux
from tests.tmux_fixtures import eventually

HERE = Path(__file__).parent

SHOW = 'test "$2" && { echo "$1"; sleep 0.2; exit "$2"; }; stty raw -echo; printf "%s" "$1"; exec cat >"in-$POLECAT_ID"'


class TestJsonBeads(BeadsContract):
    """A store in one JSON file."""

    @contextmanager
    def make(self, room: Path) -> Iterator[BeadsUnderTest]:
        store, ids = JsonBeads(room / "beads.json"), itertools.count(1)
        yield BeadsUnderTest(store=store, new_work=lambda title: store.create(f"gt-{next(ids)}", title))


@pytest.mark.real
class TestPlainGit(GitContract):
    """A git that has what is essential and none of the further protocols."""

    @contextmanager
    def make(self, room: Path) -> Iterator[GitUnderTest]:
        yield git_under_test(room, PlainGit())


@pytest.mark.real
class TestPtyTmux(TmuxContract):
    """Sessions on pseudo-terminals of this process."""

    @contextmanager
    def make(self, room: Path) -> Iterator[TmuxUnderTest]:
        tmux = PtyTmux()
        with ended(tmux):
            yield TmuxUnderTest(
                tmux=tmux,
                unreachable=PtyTmux(is_reachable=False),
                room=room,
                program=lambda screen, exits: ("/bin/sh", "-c", SHOW, "x", screen, "" if exits is None else str(exits)),
                received=lambda made: read(room / f"in-{made.instance}"),
                rename=tmux.rename,
                crash=lambda made: os.kill(made.pane_pid, signal.SIGKILL),
            )


def read(file: Path) -> str:
    """What a program has written so far; nothing before it has made the file."""
    return file.read_bytes().decode() if file.exists() else ""


@contextmanager
def ended(tmux: PtyTmux) -> Iterator[None]:
    """End all its sessions afterwards."""
    try:
        yield
    finally:
        for session in tmux.list_sessions():
            tmux.kill(session.id, name=session.name, instance=session.instance)


@pytest.mark.real
def test_polecat_works_without_tmux(tmp_path: Path) -> None:
    """A spawn, a nudge and a removal work in the stranger's sessions, with real git."""
    tmux = PtyTmux()
    with real_town(tmp_path) as town, ended(tmux):
        git, environ = town.world.git, town.environ
        options = polecat.SpawnOptions(nudge="hello")
        cat = polecat.spawn_for_sling(town.rig, options, world=World(git=git, tmux=tmux, environ=environ))
        polecat.nudge_polecat(town.rig, cat.polecat_name, "go on", world=World(tmux=tmux, environ=environ))
        eventually(lambda: town.received(cat.polecat_name) == "hello\rgo on\r", "both arrive")
        polecat.remove_polecat(town.rig, cat.polecat_name, world=World(git=git, tmux=tmux, environ=environ))

        assert tmux.list_sessions() == ()
        assert polecat.list_polecats(town.rig, world=World(git=git, tmux=tmux, environ=environ)) == []


@pytest.mark.real
def test_polecat_works_with_plain_git(tmp_path: Path) -> None:
    """A spawn, a list and a removal work with the stranger's git, with real tmux."""
    with real_town(tmp_path) as town:
        git = PlainGit(town.environ)
        world = World(git=git, tmux=town.tmux, environ=town.environ)
        cat = polecat.spawn_for_sling(town.rig, world=world)
        [listed] = polecat.list_polecats(town.rig, world=world)
        readme = (cat.clone_path / "README.md").read_text()
        removed = polecat.remove_polecat(town.rig, cat, world=world)

        assert cat.warnings == ()
        assert (listed.branch, listed.work, readme) == (cat.branch, polecat.WorkStatus(), "a project\n")
        assert (removed.session_ended, removed.branch_deleted, removed.kept) == (cat.session_name, True, None)
        assert not cat.clone_path.exists() and polecat.list_polecats(town.rig, world=world) == []
        assert git.resolve(polecat.Repo(path=town.rig.path / ".repo.git"), f"refs/heads/{cat.branch}") is None


@pytest.mark.real
def test_plain_git_loses_no_work(tmp_path: Path) -> None:
    """A removal that would have to save work is refused before anything is touched: the stranger's git cannot save any."""
    with real_town(tmp_path) as town:
        world = World(git=PlainGit(town.environ), tmux=town.tmux, environ=town.environ)
        cat = polecat.spawn_for_sling(town.rig, world=world)
        (cat.clone_path / "draft.txt").write_text("work")

        with pytest.raises(polecat.UnsupportedError, match="save") as refused:
            polecat.remove_polecat(town.rig, cat, force=True, world=world)

        assert refused.value.protocol == "GitRescues"
        assert (cat.clone_path / "draft.txt").read_text() == "work"
        assert [one.state for one in polecat.list_polecats(town.rig, world=world)] == [polecat.PolecatState.WORKING]


def test_polecat_works_with_the_store(tmp_path: Path) -> None:
    """A spawn hooks the work in the stranger's store and opens the agent's bead there; a removal lets both go."""
    rig, world = fake_world(tmp_path)
    store = JsonBeads(tmp_path / "beads.json")
    store.create("gt-1")
    git, tmux, clock, environ = world.git, world.tmux, world.clock, world.environ

    cat = polecat.spawn_for_sling(
        rig, polecat.SpawnOptions(hook_bead="gt-1"), world=World(git=git, tmux=tmux, beads=store, clock=clock, environ=environ)
    )
    agent, held = store.agent("gt-gastown-polecat-furiosa"), store.held_by(cat.agent_id)
    polecat.remove_polecat(
        rig, cat.polecat_name, force=True, world=World(git=git, tmux=tmux, beads=store, clock=clock, environ=environ)
    )
    gone = store.agent("gt-gastown-polecat-furiosa")

    assert agent is not None and agent.is_open and agent.fields.hook_bead == "gt-1"
    assert [bead.id for bead in held] == ["gt-1"]
    assert gone is not None and not gone.is_open
    assert store.held_by(cat.agent_id) == ()


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_strangers_know_only_what_is_public(path: Path) -> None:
    """No stranger imports what is in no ``__all__``."""
    public = ("polecat", "polecat.adapters", "polecat.testing")
    used = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("polecat")
        for alias in node.names
    ]

    assert used or path.name == "__init__.py"
    assert [(home, name) for home, name in used if home not in public or name not in import_module(home).__all__] == []
