"""Ignored files that are copied into new worktrees: which, from where, and what is never done."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from attrs import evolve, frozen

from polecat.documents import PlaceSettings
from polecat.model import Rig
from polecat.place.beneath import CopyResult, copy_between
from polecat.place.include import include_files, sources
from polecat.ports import Worktree
from tests.git_fixtures import GitRig, commit, git, make_git_rig, write

pytestmark = pytest.mark.real

IGNORED = ".env*\nnode_modules/\n*.log\n"


@frozen(kw_only=True)
class Place:
    """A rig with one new worktree."""

    git: GitRig
    rig: Rig
    worktree: Worktree

    @property
    def clone(self) -> Path:
        """The worktree."""
        return self.worktree.path

    def include(self, *patterns: str, settings: PlaceSettings | None = None) -> tuple[str, ...]:
        """Copy; give the warnings."""
        warnings = include_files(self.git.git, self.rig, self.worktree, patterns=patterns, settings=settings or PlaceSettings())
        assert git("status", "--porcelain", cwd=self.clone) == ""
        return warnings


def _place(tmp_path: Path, files: dict[str, str]) -> Place:
    made = make_git_rig(tmp_path)
    commit(made.origin, {".gitignore": IGNORED, **files}, "project")
    made.fetch()
    return Place(git=made, rig=Rig(name="rig", path=made.root), worktree=made.add())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The project asks for ``.env`` files and packages; the main clone has them, and more."""
    made = _place(tmp_path, {".worktreeinclude": "# local files\n.env*\n!.env.bad\nnode_modules/\nREADME.md\nnotes.txt\n"})
    write(
        made.rig.path / "mayor/rig",
        {
            ".env": "secret",
            ".env.bad": "no",
            "deep/.env.local": "2",
            "node_modules/m/index.js": "3",
            "build.log": "not asked for",
            "README.md": "tracked, and changed there",
            "notes.txt": "asked for, and not ignored",
        },
    )
    return made


def test_ignored_files_of_the_main_clone_are_copied(place: Place) -> None:
    """What the project lists and git ignores arrives, directories too; tracked and unignored files never do."""
    assert place.include() == ()

    assert (place.clone / ".env").read_text() == "secret"
    assert (place.clone / "deep/.env.local").read_text() == "2"
    assert (place.clone / "node_modules/m/index.js").read_text() == "3"
    assert (place.clone / "README.md").read_text() == "a project\n"
    assert not (place.clone / ".env.bad").exists()
    assert not (place.clone / "build.log").exists()
    assert not (place.clone / "notes.txt").exists()


def test_settings_add_patterns(place: Place) -> None:
    """The rig's own patterns count beside the project's list."""
    place.include("*.log")

    assert (place.clone / "build.log").exists()
    assert (place.clone / ".env").exists()


def test_places_are_asked_in_order(place: Place, tmp_path: Path) -> None:
    """The directory of the settings wins over the rig's own place, that over the main clone; nothing there is overwritten."""
    write(place.rig.runtime_dir / "worktreeinclude", {".env": "rig", "deep/.env.local": "rig"})
    write(tmp_path / "mine", {".env": "mine"})
    (place.clone / "node_modules/m").mkdir(parents=True)
    (place.clone / "node_modules/m/index.js").write_text("here already")
    settings = PlaceSettings(worktree_include_from=str(tmp_path / "mine"))

    place.include(settings=settings)

    assert (place.clone / ".env").read_text() == "mine"
    assert (place.clone / "deep/.env.local").read_text() == "rig"
    assert (place.clone / "node_modules/m/index.js").read_text() == "here already"


def test_list_of_the_source_counts_where_the_project_has_none(tmp_path: Path) -> None:
    """A list that only stands beside the files, tracked or not, is enough."""
    made = _place(tmp_path, {})
    write(made.rig.runtime_dir / "worktreeinclude", {".worktreeinclude": ".env\n", ".env": "1", "x.log": "2"})

    assert made.include() == ()

    assert (made.clone / ".env").exists()
    assert not (made.clone / "x.log").exists()


def test_nothing_leads_out(place: Place, tmp_path: Path) -> None:
    """Symlinks that lead out are left out with a warning, those that stay inside are kept as they are; nothing is written elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwords").write_text("x")
    modules = place.rig.path / "mayor/rig/node_modules"
    (modules / "up").symlink_to("../../../../outside/passwords")
    (modules / "absolute").symlink_to(outside / "passwords")
    (modules / "bin").symlink_to("m/index.js")
    (place.rig.path / "mayor/rig/.env.dir").symlink_to(outside)
    os.mkfifo(modules / "pipe")

    warnings = place.include()

    assert os.readlink(place.clone / "node_modules/bin") == "m/index.js"
    assert not os.path.lexists(place.clone / "node_modules/up")
    assert not os.path.lexists(place.clone / "node_modules/absolute")
    assert not os.path.lexists(place.clone / ".env.dir")
    assert not os.path.lexists(place.clone / "node_modules/pipe")
    assert any("lead out" in text and "'.env.dir'" in text for text in warnings)
    assert os.listdir(outside) == ["passwords"]


def test_symlink_of_the_project_is_no_way_out(tmp_path: Path) -> None:
    """A tracked symlink where a directory is expected does not let us write behind it."""
    made = make_git_rig(tmp_path)
    (tmp_path / "outside").mkdir()
    (made.origin / "config").symlink_to(tmp_path / "outside")
    commit(made.origin, {".gitignore": IGNORED, ".worktreeinclude": ".env\n"}, "hostile")
    made.fetch()
    place = Place(git=made, rig=Rig(name="rig", path=made.root), worktree=made.add())
    write(place.rig.runtime_dir / "worktreeinclude", {"config/.env": "1", ".env": "2"})

    place.include()

    assert os.listdir(tmp_path / "outside") == []
    assert (place.clone / ".env").exists()


def test_too_much_is_left_out(place: Place) -> None:
    """Where data cannot be shared no more is copied than the settings allow; what is left out is named."""
    (place.rig.path / "mayor/rig/node_modules/big").write_bytes(b"x" * 2_000_000)
    settings = PlaceSettings(worktree_include_limit_mb=1)

    warnings = place.include(settings=settings)

    if (place.clone / "node_modules/big").exists():
        pytest.skip("this file system shares data, so nothing is copied")
    assert any("worktree_include_limit_mb" in text and "big" in text for text in warnings)
    assert (place.clone / ".env").exists()


def test_mode_and_time_are_kept(place: Place) -> None:
    """An executable stays one, a secret stays private, and build tools see the same times."""
    source = place.rig.path / "mayor/rig/.env"
    source.chmod(0o600)
    os.utime(source, (1_700_000_000, 1_700_000_000))

    place.include()

    about = (place.clone / ".env").stat()
    assert stat.S_IMODE(about.st_mode) == 0o600
    assert about.st_mtime == 1_700_000_000


def test_missing_directory_of_the_settings_is_told(place: Place) -> None:
    """A directory that was named and is not there is a warning; the others still count."""
    [warning] = place.include(settings=PlaceSettings(worktree_include_from="/nonexistent/place"))

    assert "/nonexistent/place" in warning
    assert (place.clone / ".env").exists()


def test_unreadable_file_is_a_warning(place: Place) -> None:
    """One file that cannot be read is named; the rest arrives."""
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (place.rig.path / "mayor/rig/.env").chmod(0)

    [warning] = place.include()

    assert ".env" in warning
    assert (place.clone / "deep/.env.local").exists()


def test_failed_copy_leaves_nothing(tmp_path: Path) -> None:
    """A file that would not fit is not there afterwards, not even in part."""
    write(tmp_path / "from", {"big": "x" * 100})
    (tmp_path / "to").mkdir()

    done, used = copy_between(tmp_path / "from", tmp_path / "to", "big", room_bytes=10)

    assert (done, used) in ((CopyResult.TOO_BIG, 0), (CopyResult.COPIED, 0))
    assert done is CopyResult.COPIED or os.listdir(tmp_path / "to") == []


def test_order_of_places() -> None:
    """Where files are looked for, the first first."""
    rig = Rig(name="gas", path=Path("/t/gas"))
    named = evolve(PlaceSettings(), worktree_include_from="/home/me/gas")

    assert [str(place) for place in sources(rig, named)] == [
        "/home/me/gas",
        "/t/gas/.runtime/worktreeinclude",
        "/t/gas/mayor/rig",
    ]


def test_data_is_shared_where_the_file_system_can(tmp_path: Path) -> None:
    """A file system with reflinks holds a copied file's data once, so that no limit of size counts; elsewhere it is copied within it."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "big").write_bytes(os.urandom(1 << 20))
    done, used_bytes = copy_between(source, target, "big", room_bytes=1000)
    if done is CopyResult.TOO_BIG:
        pytest.skip("this file system shares no data")
    assert (done, used_bytes) == (CopyResult.COPIED, 0)
    assert (target / "big").read_bytes() == (source / "big").read_bytes()
