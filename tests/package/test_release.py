"""``nox -s release``: checks, builds, says how to publish, and publishes nothing. ``nox -s releases``: installs nothing."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from tests.git_fixtures import commit, git

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.real


class Refused(Exception):
    """What `Session.error` and `Session.skip` raise."""


class Session:
    """A nox session that runs git for real, notes everything else, and lets the build leave two files."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.ran: list[tuple[str, ...]] = []
        self.said: list[str] = []

    def install(self, *packages: str) -> None:
        assert packages

    def run(self, *words: str, external: bool = False, silent: bool = False) -> str:
        if words[0] == "git":
            return git(*words[1:], cwd=self.place)
        self.ran.append(words)
        if "build" in words:
            (self.place / "dist").mkdir()
            for name in ("polecat.whl", "polecat.tar.gz"):
                (self.place / "dist" / name).touch()
        return ""

    def log(self, text: str) -> None:
        self.said.append(text)

    def error(self, text: str) -> None:
        raise Refused(text)

    skip = error


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean clone of what a release looks at, with a section for its version."""
    place = tmp_path / "project"
    (place / "polecat").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", place)
    (place / "polecat" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (place / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 (2026-01-13)\n")
    (place / ".gitignore").write_text("dist/\n")
    git("init", "-q", cwd=place)
    commit(place)
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    """Our noxfile; nox minds one that is loaded twice."""
    spec = importlib.util.spec_from_file_location("noxfile_of_a_release", ROOT / "noxfile.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with contextlib.chdir(ROOT):
        spec.loader.exec_module(module)
    return module


def test_a_clean_tree_is_built_and_checked_and_nothing_is_published(project: Path, noxfile: ModuleType) -> None:
    """Build and check are the only commands; how to publish is said, not done."""
    session = Session(project)

    noxfile.release.func(session)

    assert [words[:3] for words in session.ran] == [("python", "-m", "build"), ("twine", "check", "--strict")]
    assert sorted(session.ran[1][3:]) == ["dist/polecat.tar.gz", "dist/polecat.whl"]
    assert session.said == ["to publish: git tag v1.2.3 && git push origin v1.2.3 && twine upload dist/*"]
    assert git("tag", cwd=project) == ""


@pytest.mark.parametrize("change", ["pyproject.toml", "new-file"])
def test_a_dirty_tree_is_refused(project: Path, noxfile: ModuleType, change: str) -> None:
    """A changed or an unknown file ends it before anything is built."""
    (project / change).write_text("something else")
    session = Session(project)

    with pytest.raises(Refused, match="not clean"):
        noxfile.release.func(session)

    assert session.ran == []


def test_a_version_without_a_section_is_refused(project: Path, noxfile: ModuleType) -> None:
    """What the changelog does not tell is not released; another version's section does not count."""
    commit(project, {"CHANGELOG.md": "# Changelog\n\n## 1.2.30 (2026-01-13)\n\n## Unreleased\n"})
    session = Session(project)

    with pytest.raises(Refused, match="no section for this version"):
        noxfile.release.func(session)

    assert session.ran == []


def test_other_releases_are_skipped_where_nothing_can_unpack_them(
    tmp_path: Path, noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without mmdebstrap the reason says how to install it, and nothing is run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    session = Session(tmp_path)

    with pytest.raises(Refused, match="apt-get install mmdebstrap"):
        noxfile.releases.func(session)

    assert session.ran == []
