"""What stands in for the standard library does the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from polecat.light import delete_tree, free_bytes, random_hex, which


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Directories with programs and with what only looks like one."""
    for place in ("one", "two", "it:s"):
        (tmp_path / place).mkdir()
    for path, mode in {"one/tool": 0o755, "two/tool": 0o755, "two/only": 0o755, "one/plain": 0o644, "it:s/odd": 0o755}.items():
        (tmp_path / path).write_text("#!/bin/sh\n", "utf-8")
        (tmp_path / path).chmod(mode)
    (tmp_path / "one" / "folder").mkdir()
    (tmp_path / "one" / "dangling").symlink_to("nowhere")
    (tmp_path / "two" / "link").symlink_to("tool")
    return tmp_path


@pytest.mark.parametrize(
    "search_path", ["{0}/one:{0}/two", "{0}/two:{0}/one", "", ":{0}/two", "{0}/nowhere", "one:two", "{0}/it:s"]
)
@pytest.mark.parametrize(
    "program",
    ["tool", "only", "plain", "folder", "dangling", "link", "odd", "missing", "", "one/tool", "./two/only", "{0}/two/link"],
)
def test_programs_are_found_where_shutil_finds_them(
    programs: Path, monkeypatch: pytest.MonkeyPatch, program: str, search_path: str
) -> None:
    """The first that may be run and is no directory, along the PATH or where its own path says."""
    monkeypatch.chdir(programs)
    name, places = program.format(programs), search_path.format(programs)

    assert which(name, places) == shutil.which(name, path=places)


def test_free_disk(tmp_path: Path) -> None:
    """What an ordinary user may still write; a place that is not there is an error."""
    assert free_bytes(tmp_path) == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    with pytest.raises(FileNotFoundError):
        free_bytes(tmp_path / "nowhere")


def test_random_words_differ() -> None:
    """A thousand random words are a thousand, of two digits a byte."""
    words = {random_hex(8) for _ in range(1000)}

    assert len(words) == 1000
    assert {len(word) for word in words} == {16}


def test_a_tree_goes_as_far_as_it_can(tmp_path: Path) -> None:
    """A tree is deleted with what is in it; a link is not followed, and what is not there is no error."""
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    os.symlink(tmp_path / "kept", tmp_path / "tree" / "link")

    delete_tree(tmp_path / "tree")
    delete_tree(tmp_path / "tree")

    assert not (tmp_path / "tree").exists()
    assert (tmp_path / "kept").is_dir()
