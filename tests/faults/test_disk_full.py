"""T-17: the disk is really full in the middle of a spawn, a removal and a repair, at every page of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from polecat import PolecatError, SpawnedPolecat, SpawnOptions, reconcile_pool, remove_polecat, repair_polecat, spawn_for_sling
from polecat.adapters import GitCli
from polecat.ports import World
from tests.faults.tables import WAY, Tables
from tests.git_fixtures import commit, git, manifest, write
from tests.spawn_fixtures import RECORD, HandTown, hand_town

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]

MATRIX = "Full disk"
SIZE = 8 * 1024 * 1024
PAGE = 4096
PAYLOAD = os.urandom(12 * PAGE)
"""So large that the disk can be full in the middle of it, and does not get smaller by packing."""

SAYS_SO = ("no space left", "out of diskspace", "disk is full")


@frozen(kw_only=True)
class SmallDisk:
    """A town on a disk of its own, which can be filled."""

    town: HandTown
    place: Path

    def leave(self, pages: int) -> None:
        """Fill the disk so that so many pages are free."""
        free = os.statvfs(self.place)
        with open(self.place / "balloon", "wb") as balloon:
            os.posix_fallocate(balloon.fileno(), 0, max(1, free.f_bavail - pages) * PAGE)

    def make_room(self) -> None:
        """Free it again."""
        (self.place / "balloon").unlink(missing_ok=True)

    def world(self) -> World:
        return World(tmux=self.town.server.cli(), git=GitCli())

    def spawn(self, name: str) -> SpawnedPolecat:
        return spawn_for_sling(self.town.rig, SpawnOptions(name=name, hook_bead=f"gt-{name}"), world=self.world())


@pytest.fixture
def disk(tmp_path: Path, template: Path) -> Iterator[SmallDisk]:
    """A town on a small disk in memory, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(place)]
    try:
        mounted = subprocess.run(words, check=False, capture_output=True, timeout=20)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode != 0:
        pytest.skip(f"this user may not mount a disk: {os.fsdecode(mounted.stderr).strip()}")
    try:
        with hand_town(place, template, spares=0) as town:  # there is no room for any
            town.agent("recorder", RECORD)
            town.settings(min_free_disk_mb=0)
            commit(town.origin, {"payload": PAYLOAD})
            yield SmallDisk(town=town, place=place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


def _picture(disk: SmallDisk, name: str) -> dict[str, object]:
    left: dict[str, Any] = disk.town.leftovers()
    kinds = ("homes", "branches", "registrations", "sessions", "records", "launch files")
    found = {kind: [one for one in left.get(kind, ()) if kind == "launch files" or name in str(one)] for kind in kinds}
    tree = disk.town.rig_dir / "polecats" / name / "gastown"
    return {**found, "files": manifest(tree) if tree.exists() else {}}


def _try(disk: SmallDisk, pages: int, do: Callable[[], object]) -> object:
    disk.leave(pages)
    try:
        return do()
    except PolecatError as error:
        return error
    finally:
        disk.make_room()


def _check_says_so(error: PolecatError) -> None:
    text = f"{error} {error.__cause__}".lower()
    assert any(words in text for words in SAYS_SO), f"{error!r} does not say that the disk is full: {text}"


def _spawning(disk: SmallDisk, name: str, pages: int) -> str:
    before = _picture(disk, name)
    result = _try(disk, pages, lambda: disk.spawn(name))
    if isinstance(result, PolecatError):
        _check_says_so(result)
        if not getattr(result, "left_behind", ()):
            assert _picture(disk, name) == before, "something was left behind"
        reconcile_pool(disk.town.rig, world=disk.world())
        assert _picture(disk, name) == before, "something is left after a reconcile"
        disk.spawn(name)
    assert (disk.town.rig_dir / "polecats" / name / "gastown" / "payload").read_bytes() == PAYLOAD
    return "refused" if isinstance(result, PolecatError) else "done"


def _with_work(disk: SmallDisk, name: str) -> dict[str, str | bytes]:
    cat = disk.spawn(name)
    work: dict[str, str | bytes] = {"payload": os.urandom(6 * PAGE), "new.txt": os.urandom(5 * PAGE), "deep/er": b"small"}
    write(cat.clone_path, work)
    return work


def _is_safe(disk: SmallDisk, name: str, work: dict[str, str | bytes]) -> bool:
    tree = disk.town.rig_dir / "polecats" / name / "gastown"
    places = [tree, *(p for p in tree.parent.parent.glob(".trash/*") if p.with_name(f"{p.name}.keep").exists())]
    if any(
        all((place / file).is_file() and (place / file).read_bytes() == data for file, data in work.items()) for place in places
    ):
        return True
    refs = git("for-each-ref", "--format=%(refname)", f"refs/polecat/rescue/{name}", cwd=disk.town.repo_dir).split()
    return any(all(_saved(disk, ref, file) == data for file, data in work.items()) for ref in refs)


def _saved(disk: SmallDisk, ref: str, file: str) -> bytes:
    words = ["git", "cat-file", "blob", f"{ref}:{file}"]
    return subprocess.run(words, cwd=disk.town.repo_dir, capture_output=True, check=False, timeout=20).stdout


def _taking(verb: str, how: str) -> Callable[[SmallDisk, str, int], str]:
    call: Callable[..., object] = remove_polecat if verb == "remove" else repair_polecat

    def act(disk: SmallDisk, name: str, pages: int) -> str:
        work = _with_work(disk, name)
        rig, lifted = disk.town.rig, {how: True}
        result = _try(disk, pages, lambda: call(rig, name, **lifted, world=disk.world()))
        assert _is_safe(disk, name, work), f"work is lost: {result!r}"
        if isinstance(result, PolecatError):
            _check_says_so(result)
        reconcile_pool(rig, world=disk.world())
        assert _is_safe(disk, name, work), "work is lost after a reconcile"
        if rig.home_dir(name).exists():
            remove_polecat(rig, name, nuclear=True, world=disk.world())
        assert _is_safe(disk, name, work), "work is lost after the removal"
        disk.spawn(name)
        return "refused" if isinstance(result, PolecatError) else "done"

    return act


OPERATIONS: dict[str, Callable[[SmallDisk, str, int], str]] = {
    "spawn": _spawning,
    "remove --force": _taking("remove", "force"),
    "remove --nuclear": _taking("remove", "nuclear"),
    "repair --force": _taking("repair", "force"),
}
SIZES = range(0, 58, 2)
"""Pages: from none to more than any of them needs."""

IN_THE_MIDDLE = 13


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The plain suite leaves out what differs least from another."""
    is_whole = metafunc.config.getoption("--whole", default=False)
    metafunc.parametrize("operation", [one for one in OPERATIONS if is_whole or one != "remove --nuclear"])


def test_a_full_disk(operation: str, disk: SmallDisk, is_whole: bool, tables: Tables) -> None:
    """T-17: with room for any number of pages the error says that the disk is full, no work is lost, and the name works again."""
    disk.spawn("first")
    failures = []
    for pages in SIZES if is_whole else [IN_THE_MIDDLE]:
        name = f"cat{pages}"
        try:
            outcome = OPERATIONS[operation](disk, name, pages)
            tables.note(MATRIX, f"{operation}{WAY}{len(SIZES)} sizes", pages, f"{pages} pages", outcome)
        except (AssertionError, PolecatError) as error:
            failures.append(f"{pages} pages: {str(error).splitlines()[0][:600]}")
        finally:
            disk.make_room()
            if disk.town.rig.home_dir(name).exists():
                remove_polecat(disk.town.rig, name, nuclear=True, world=disk.world())

    assert not failures, "\n".join(failures)
