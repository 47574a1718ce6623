"""Files that are not what they should be, in the place of each file that polecat reads, met by each command line."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import polecat
from tests.faults.bad_files import (
    BAD,
    FILES,
    GOOD,
    LINES,
    OPENED_BY_OTHERS,
    OTHER,
    READERS,
    WRONG,
    Ended,
    Line,
    Read,
    Scene,
    make_scene,
    rows_of,
    seen,
    work_of,
)
from tests.git_fixtures import contents_below, git
from tests.spawn_fixtures import RIG

SAMPLE = 307
"""One command line in so many is tried without ``--whole``; a prime, so that every file, fault and line gets its turn."""

MAY_FAIL = {
    "nobody": set(),
    "bead": {"bead"},
    "polecat": {BAD},
    "rig": {BAD, GOOD, RIG, "new", "bead", "git", "town"},
    "other rig": {OTHER, "town"},
    "town": {BAD, GOOD, OTHER, RIG, "new", "bead", "git", "town"},
}
"""Whose file it is → what a command line may be about that fails because of it."""


_SAYS_SO = ("spawning", "stalled")
"""States that a claim brings about."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Scene:
    """Two rigs and three polecats with work, to be spoilt and put back."""
    return make_scene(tmp_path_factory.mktemp("bad"), template)


Rows = dict[str, Any]
"""What ``list --json`` says of each polecat, by address."""


@pytest.fixture(scope="module")
def sound(scene: Scene) -> Rows:
    """What is said of the polecats where nothing is wrong."""
    return rows_of(scene.run(LINES[1]).out)


def troubles(scene: Scene, sound: Rows, name: str, line: Line, before: dict[str, object], ended: Ended) -> list[str]:
    """Say what is wrong with how a command line met a bad file."""
    read = FILES[name]
    if ended.code is None:
        return [f"no answer: {ended.err}"]
    found = []
    if "unexpected error" in ended.err or "Traceback" in ended.err or ended.code not in (0, 1):
        found.append("no clear error")
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", ended.out + ended.err):
        found.append("raw control characters")
    has_failed = ended.code != line.code and line.about != "doctor"
    if has_failed and line.about not in MAY_FAIL[read.whose]:
        found.append("it fails for somebody else's file")
    if ended.code == 1 and line.about != "doctor" and not ended.err.startswith("polecat: "):
        found.append("it fails without a word")
    now = seen(scene)
    gone = {path for path in before if path not in now}
    if not line.acts and now != before:
        found.append(f"touched: {sorted(p for p in {*before, *now} if before.get(p) != now.get(p))}")
    found += [f"gone: {path}" for path in gone if "work of" in path and not _is_saved(scene, path)]
    found += _about_others(scene, sound, read, line, ended)
    return found


def _is_saved(scene: Scene, path: str) -> bool:
    """Whether the work in a file that is gone is in the repository, or kept."""
    work = work_of(path.split("work of ")[1].removesuffix(".txt"))
    repo = scene.town / RIG / ".repo.git"
    oid = hashlib.sha1(b"blob %d\0" % len(work) + work.encode()).hexdigest()
    kept = [
        one for one, data in contents_below(scene.town, "work of*").items() if data == work.encode() and ".trash" in one.parts
    ]
    return bool(kept) or oid in git("cat-file", "--batch-all-objects", "--batch-check", cwd=repo)


def _about_others(scene: Scene, sound: Rows, read: Read, line: Line, ended: Ended) -> list[str]:
    """What became of those who have nothing to do with the file, nor with the command line."""
    found = []
    for who, session in zip((BAD, GOOD, OTHER), scene.sessions, strict=True):
        if who != line.about and session not in ended.sessions:
            found.append(f"the session of {who} was ended")
    if line.argv[0] == "list" and ended.out.startswith("["):
        rows, rig = rows_of(ended.out), {"rig": RIG, "polecat": RIG, "other rig": "other"}.get(read.whose, "")
        for who, row in sound.items():
            is_asked = RIG not in line.argv or who.startswith(f"{RIG}/")
            is_own = who.endswith(f"/{BAD}") if read.whose == "polecat" else bool(rig) and who.startswith(f"{rig}/")
            if is_asked and not is_own and read.whose != "town" and rows.get(who) != row:
                found.append(f"{who} is {rows.get(who)}")
            if read.whose == "polecat" and who.endswith(f"/{BAD}") and rows[who] != row and rows[who]["state"] not in _SAYS_SO:
                # git does not check an index's sum: of one that was cut it may tell more changes than there are, which keeps the work
                is_careful = read is FILES["index of a registration"] and rows[who] == {
                    **row,
                    "work": rows[who]["work"],
                    "clean": False,
                }
                found += [] if rows[who]["unknown"] or is_careful else [f"{who} is {rows[who]}, and nobody says why"]
    return found


def _cases(name: str, *, whole: bool) -> dict[str, list[Line]]:
    """What stands in a file's place, and the command lines that meet it: of those that act only each third, in turn."""
    at, found = 1009 * list(FILES).index(name), {}
    for wrong in FILES[name].wrongs:
        lines = []
        for line in LINES:
            at += 1
            if at % SAMPLE == 0 or (whole and (not line.acts or at % 3 == 0)):
                lines.append(line)
        found[wrong] = lines
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_its_owners_trouble(name: str, scene: Scene, sound: Rows, is_whole: bool) -> None:
    """No command line hangs, breaks, or fails somebody else because of it; nothing is lost; every other polecat is answered for."""
    found = {}
    for wrong, lines in _cases(name, whole=is_whole).items():
        for group in ([line for line in lines if not line.acts], *([line] for line in lines if line.acts)):
            if not group:
                continue
            with scene.spoilt(FILES[name], WRONG[wrong]):
                before = seen(scene)
                for line in group:
                    ended = scene.run(line)
                    if told := troubles(scene, sound, name, line, before, ended):
                        found[f"{wrong}, {line}"] = (*told, ended)
    assert not found, json.dumps(found, indent=1, default=str)


def test_every_reader_is_in_the_table() -> None:
    """Whoever reads a file that others may have replaced says which, and each of them is tried."""
    package = Path(polecat.__file__).parent
    calls = re.compile(r"\b(read_guarded|read_json_object|read_text|read_document|append_guarded|is_regular|read_ref)\(")
    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if calls.search(path.read_text("utf-8"))}

    assert {name for name in found if not name.startswith(("testing/", "verbs/demo"))} == set(READERS)
    assert {file for files in READERS.values() for file in files} | set(OPENED_BY_OTHERS) == set(FILES)
