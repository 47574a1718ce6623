"""Towns and rigs get beads that Gas Town can use: whole, where it and ``bd`` are there, and otherwise none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from polecat.adapters.processes import program
from polecat.documents import Route
from polecat.model import Rig
from polecat.ports import World
from polecat.testing import FakeGit
from polecat.town.find import Town
from polecat.town.routes import load_routes
from polecat.upkeep.doctor import check_town
from polecat.upkeep.rigs import add_rig
from polecat.upkeep.towns import init_town

BD = """#!/bin/sh
echo "$PWD|$BEADS_DIR|$*" >> "$HOME/calls"
case "$*" in
  "init --help") echo "      --quiet   Less"; echo "      --skip-hooks   No hooks" ;;
  init*) mkdir -p .beads && echo "$3" > .beads/metadata.json && touch AGENTS.md && exit ${BROKEN:-0} ;;
esac
"""
"""A ``bd`` that makes a database and, as the real one, a file beside it."""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with ``bd`` and ``gt`` on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("bd", BD), ("gt", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "BEADS_DIR": "/elsewhere"}


def make(place: Path, environ: Mapping[str, str]) -> tuple[Town, Rig]:
    """Make a town and a rig."""
    world = World(git=FakeGit(), environ=environ)
    town = init_town(place / "gt", world=world)
    return town, add_rig(town, "gas", "https://example.org/gas.git", world=world)


def test_beads_are_whole_where_gas_town_is(tmp_path: Path, environ: dict[str, str]) -> None:
    """Town and rig have a database each, with their own prefix and a route; what bd writes beside it is in neither."""
    town, rig = make(tmp_path, environ)

    assert (town.root / ".beads" / "metadata.json").read_text() == "hq\n"
    assert (rig.path / ".beads" / "metadata.json").read_text() == "gas\n"
    assert load_routes(town.root) == (Route(prefix="hq-", path="."), Route(prefix="gas-", path="gas"))
    assert (town.root / ".beads" / "issues.jsonl").read_text() == ""
    assert not list(town.root.rglob("AGENTS.md"))
    assert not list(town.root.rglob(".beads.*"))


def test_bd_begins_in_an_empty_place(tmp_path: Path, environ: dict[str, str]) -> None:
    """bd is started outside of the town, whose database it would find, for the directory it is in, with the flags that it knows."""
    town, _ = make(tmp_path, environ)

    calls = [line.split("|") for line in (tmp_path / "calls").read_text().splitlines()]

    assert all(beads == f"{place}/.beads" and not place.startswith(str(town.root)) for place, beads, _ in calls)
    assert [words for _, _, words in calls if "--help" not in words] == [
        "init --prefix hq --quiet --skip-hooks",
        "init --prefix gas --quiet --skip-hooks",
    ]


@pytest.mark.parametrize("missing", ["bd", "gt"])
def test_without_one_of_the_two_there_are_none(tmp_path: Path, environ: dict[str, str], missing: str) -> None:
    """Who has no Gas Town, or no bd, gets a town as before, without beads."""
    (tmp_path / "bin" / missing).unlink()

    town, rig = make(tmp_path, environ)

    assert not list(town.root.rglob(".beads*"))
    assert (rig.prefix, town.rig("gas")) == ("gas", rig)
    assert not (tmp_path / "calls").exists()


def test_a_bd_that_fails_stops_nothing_and_leaves_nothing(tmp_path: Path, environ: dict[str, str]) -> None:
    """A bd that cannot begin leaves a town without beads, and doctor says how to make them."""
    town, rig = make(tmp_path, {**environ, "BROKEN": "1"})

    assert not list(town.root.rglob(".beads*"))
    found = [one for one in check_town(town, world=World(git=FakeGit(), environ=environ)).findings if "no beads" in one.text]
    assert [(one.area, str(town.root if one.area == "town" else rig.path) in one.text) for one in found] == [
        ("town", True),
        ("gas", True),
    ]


def test_the_advice_gives_them_beads(tmp_path: Path, environ: dict[str, str]) -> None:
    """What doctor advises, followed to the letter, makes both whole; routes that stand in half a directory stay."""
    town, rig = make(tmp_path, {**environ, "BROKEN": "1"})
    (town.root / ".beads").mkdir()
    (town.root / ".beads" / "routes.jsonl").write_text('{"prefix":"hq-","path":"."}\n{"prefix":"gas-","path":"gas"}\n')
    world = World(git=FakeGit(), environ=environ)

    for one in check_town(town, world=world).findings:
        if "no beads" in one.text:
            done = program.run(["/bin/sh", "-c", one.remedy], env=environ, cwd=tmp_path)
            assert done.exit_code == 0, done.error_text

    assert (town.root / ".beads" / "metadata.json").read_text() == "hq\n"
    assert (rig.path / ".beads" / "metadata.json").read_text() == "gas\n"
    assert len(load_routes(town.root)) == 2
    assert not [one for one in check_town(town, world=world).findings if "no beads" in one.text]


def test_beads_that_are_there_stay(tmp_path: Path, environ: dict[str, str]) -> None:
    """A directory that already has beads keeps them."""
    (tmp_path / "gt" / ".beads").mkdir(parents=True)
    (tmp_path / "gt" / ".beads" / "metadata.json").write_text("mine")

    make(tmp_path, environ)

    assert (tmp_path / "gt" / ".beads" / "metadata.json").read_text() == "mine"


# -------------------------------------------------------------------------------------------------------- a real bd

_REAL = [path for path in os.environ.get("POLECAT_BD", "").split(os.pathsep) if path] or [shutil.which("bd") or ""]


@pytest.mark.bd
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(not _REAL[0], reason="no bd: neither POLECAT_BD names one nor is it on PATH; nox -s bd installs one")
@pytest.mark.parametrize("binary", _REAL)
def test_a_real_bd_works_in_both(tmp_path: Path, environ: dict[str, str], binary: str) -> None:
    """A real bd, started by hand in town and rig, makes beads with the prefix of each, finds them again, and leaves the routes alone."""
    (tmp_path / "bin" / "bd").unlink()
    (tmp_path / "bin" / "bd").symlink_to(binary)
    town, rig = make(tmp_path, environ)

    for folder, prefix in ((town.root, "hq"), (rig.path, "gas")):
        env = {**environ, "BEADS_DIR": str(folder / ".beads"), "BEADS_NO_DAEMON": "1"}
        made = program.run(["bd", "create", "work", "--description=x", "--json"], env=env, cwd=folder, timeout_s=60)
        listed = program.run(["bd", "list", "--json"], env=env, cwd=folder, timeout_s=60)
        assert f'"{prefix}-' in made.text, made.error_text
        assert f'"{prefix}-' in listed.text, listed.error_text
    assert [route.prefix for route in load_routes(town.root)] == ["hq-", "gas-"]
