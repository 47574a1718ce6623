"""What a worktree needs from elsewhere: its submodules, and ignored files of another checkout. Whatever fails is a warning."""

from __future__ import annotations

from pathlib import Path

from polecat.documents import PlaceSettings, RigSettings
from polecat.errors import PolecatError, UnsupportedError
from polecat.model import Rig
from polecat.place.include import LIST, include_files, sources
from polecat.ports import Git, GitSubmodules, Repo, Worktree, needs


def fill_checkout(git: Git, rig: Rig, repo: Repo, clone: Path, settings: RigSettings) -> tuple[str, ...]:
    """Fill submodules and copy ignored files. A project that has neither costs no process.

    Args:
        git: the repositories.
        rig: the rig.
        repo: its repository.
        clone: the worktree, just checked out.
        settings: the rig's settings.

    Returns:
        Warnings, each one line.
    """
    place = settings.place
    has_submodules = place.submodules and (clone / ".gitmodules").is_file()
    if not has_submodules and not _wants_files(rig, clone, settings):
        return ()
    try:
        worktree = git.find_worktree(repo, clone)
        if worktree is None:
            return (f"submodules and ignored files were left out: {clone} is not a worktree of {repo.path}",)
        warnings = _fill_submodules(git, rig, repo, worktree, place) if has_submodules else ()
    except PolecatError as error:
        return (f"submodules and ignored files were left out: {error.message}",)
    return (*warnings, *include_files(git, rig, worktree, patterns=settings.worktree_include, settings=place))


def _fill_submodules(git: Git, rig: Rig, repo: Repo, worktree: Worktree, place: PlaceSettings) -> tuple[str, ...]:
    try:
        submodules = needs(git, GitSubmodules, "fill submodules")
    except UnsupportedError as error:
        return (f"submodules were left out: {error.message}",)
    references = [rig.path / "mayor" / "rig" / ".git" / "modules"]
    timeout_s = place.submodule_timeout_s
    return submodules.fill_submodules(repo, worktree, references=references, lazy_lfs=place.is_lfs_lazy, timeout_s=timeout_s)


def _wants_files(rig: Rig, clone: Path, settings: RigSettings) -> bool:
    places = sources(rig, settings.place)
    is_listed = bool(settings.worktree_include) or any((folder / LIST).is_file() for folder in (clone, *places))
    return is_listed and (bool(settings.place.worktree_include_from) or any(place.is_dir() for place in places))
