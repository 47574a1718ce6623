"""Copying ignored files that the project's ``.worktreeinclude`` or the rig's settings name, such as ``.env``, into a new worktree.

They come from the first of these places that has them: the directory the settings name (``worktree_include_from``),
``<rig>/.runtime/worktreeinclude/``, the clone ``<rig>/mayor/rig``. Git itself says which files match and which are ignored; a file
git tracks, or would show as untracked, is never copied, and nothing that is there is overwritten.
"""

from __future__ import annotations

from pathlib import Path

from attrs import define, field

from polecat.documents import PlaceSettings
from polecat.errors import GitError, UnsupportedError
from polecat.model import Rig
from polecat.place.beneath import CopyResult, copy_between
from polecat.ports import Git, GitIgnored, Worktree, needs
from polecat.town.files import why_not
from polecat.town.guarded import read_guarded

LIST = ".worktreeinclude"
_MB = 1024 * 1024

_REASONS = {
    CopyResult.LEADS_OUT: "symlinks that lead out of the project",
    CopyResult.SPECIAL: "neither files nor symlinks",
    CopyResult.TOO_BIG: "over worktree_include_limit_mb",
}


def include_files(
    git: Git, rig: Rig, worktree: Worktree, *, patterns: tuple[str, ...], settings: PlaceSettings
) -> tuple[str, ...]:
    """Copy ignored files into a worktree.

    Args:
        git: the repository.
        rig: the rig.
        worktree: the worktree.
        patterns: those of the rig's settings, which count beside the project's own.
        settings: the rig's settings.

    Returns:
        Warnings, each one line.
    """
    copying = _Copying(worktree=worktree, room_bytes=settings.worktree_include_limit_mb * _MB)
    named = settings.worktree_include_from
    if named and not Path(named).is_dir():
        copying.warnings.append(f"worktree_include_from is {named}, which is not a directory")
    own = _patterns_in(worktree.path / LIST, copying)
    for source in sources(rig, settings):
        listed = _patterns_in(source / LIST, copying) if own is None else own
        lines = (*(listed or ()), *patterns)
        if lines and source.is_dir():
            copying.take(git, source, lines)
    return copying.all_warnings()


def sources(rig: Rig, settings: PlaceSettings) -> tuple[Path, ...]:
    """Where ignored files are looked for, the first first."""
    named = (Path(settings.worktree_include_from),) if settings.worktree_include_from else ()
    return (*named, rig.runtime_dir / "worktreeinclude", rig.path / "mayor" / "rig")


@define(kw_only=True, eq=False, repr=False)
class _Copying:
    """One worktree that is being filled."""

    worktree: Worktree
    room_bytes: int
    warnings: list[str] = field(factory=list)
    _left_out: dict[CopyResult, list[str]] = field(factory=dict)

    def take(self, git: Git, source: Path, lines: tuple[str, ...]) -> None:
        try:
            names = needs(git, GitIgnored, "tell which files are ignored").ignored_files(self.worktree, source, lines)
        except (GitError, UnsupportedError) as error:
            self.warnings.append(f"ignored files of {source} were not copied: {error.message}")
            return
        for name in names:
            try:
                done, used_bytes = copy_between(source, self.worktree.path, name, room_bytes=self.room_bytes)
            except OSError as error:
                self.warnings.append(f"{name!r} was not copied: {why_not(error)}")
                continue
            self.room_bytes -= used_bytes
            if done in _REASONS:
                self._left_out.setdefault(done, []).append(name)

    def all_warnings(self) -> tuple[str, ...]:
        for reason, names in self._left_out.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self.warnings.append(f"not copied, because {_REASONS[reason]}: {', '.join(map(repr, names[:3]))}{more}")
        return tuple(dict.fromkeys(self.warnings))


def _patterns_in(path: Path, copying: _Copying) -> tuple[str, ...] | None:
    """Read a list of patterns; None if there is none."""
    if path.is_symlink():
        return None
    try:
        data = read_guarded(path, limit_bytes=_MB, follow=False)
    except OSError as error:
        copying.warnings.append(f"{LIST} cannot be read: {why_not(error)}")
        return None
    if data is None:
        return None
    lines = (line.removesuffix("\r") for line in data.decode("utf-8", "surrogateescape").split("\n"))
    return tuple(line for line in lines if line)
