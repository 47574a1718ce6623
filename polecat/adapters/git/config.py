"""Writing which branch of the remote a branch tracks, by git's own lock protocol.

git makes ``config.lock``, writes the new text into it and renames it; it never waits for that lock: of 60 commands beside a busy
writer 10 failed. We wait, and hold it for microseconds. Our lock is a symlink that leads nowhere: made in one step, it says whose it is,
so that one which a killed process left is told from git's own. Callers hold the rig's repository lock, so it is never a living one's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from pathlib import Path

from polecat.errors import GitError
from polecat.town.guarded import read_guarded

_OURS = "polecat"


def set_upstream(git_dir: Path, branch: str, upstream: str | None, *, patience_s: float) -> None:
    """Make a branch track a branch of ``origin``, or none; whatever was configured for that branch goes.

    Args:
        git_dir: the repository.
        branch: the branch, without ``refs/heads/``.
        upstream: the branch of the remote; None for none.
        patience_s: how long to wait for somebody else's lock.

    Raises:
        GitError: the configuration cannot be written; it is as it was.
    """
    path = Path(os.path.realpath(git_dir / "config"))
    lock, draft = _lock_of(git_dir), path.with_name("polecat-draft-config")
    clear_dead(git_dir)
    try:
        if upstream is None and without_branch(old := _read(path), branch) == old:
            return
        _take(lock, patience_s)
        try:
            new = without_branch(_read(path), branch)
            if upstream is not None:
                new += (b"" if new.endswith(b"\n") or not new else b"\n") + _section(branch, upstream)
            draft.write_bytes(new)
            draft.chmod(path.stat().st_mode & 0o777)
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
            clear_dead(git_dir)
    except OSError as error:
        raise GitError(
            f"cannot write {path}: {error.strerror or error}",
            cwd=git_dir,
            hint=f"if no git command is running, remove {lock}" if isinstance(error, FileExistsError) else "",
        ) from error


def without_branch(text: bytes, branch: str) -> bytes:
    """Return a configuration without the section of one branch.

    Examples:
        >>> without_branch(b'[core]\\n\\tbare = true\\n[branch "a"]\\n\\tremote = origin\\n[x]\\n', "a")
        b'[core]\\n\\tbare = true\\n[x]\\n'
    """
    header = _header(branch)
    if header not in text:  # the usual case, and a configuration grows with every branch
        return text
    kept: list[bytes] = []
    is_ours = is_continued = False
    for line in re.findall(rb"[^\n]*\n|[^\n]+", text):
        bare = line.strip(b" \t\r\n")
        if not is_continued and bare.startswith(b"["):
            is_ours = bare == header
        is_continued = line.rstrip(b"\r\n").endswith(b"\\")
        if not is_ours:
            kept.append(line)
    return b"".join(kept)


def _read(path: Path) -> bytes:
    data = read_guarded(path)
    if data is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    return data


def _header(branch: str) -> bytes:
    quoted = branch.replace("\\", "\\\\").replace('"', '\\"')
    return f'[branch "{quoted}"]'.encode("utf-8", "surrogateescape")


def _section(branch: str, upstream: str) -> bytes:
    merge = f"refs/heads/{upstream}"
    if not re.fullmatch(r"[\w./+-]+", merge, re.ASCII):
        merge = '"' + merge.replace('"', '\\"') + '"'
    return _header(branch) + f"\n\tremote = origin\n\tmerge = {merge}\n".encode("utf-8", "surrogateescape")


def _lock_of(git_dir: Path) -> Path:
    return Path(os.path.realpath(git_dir / "config")).with_name("config.lock")


def _take(lock: Path, patience_s: float) -> None:
    until_s = time.monotonic() + patience_s
    while True:
        try:
            lock.symlink_to(_OURS)
        except FileExistsError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.004)
        else:
            return


def clear_dead(git_dir: Path) -> None:
    """Take away a lock of ours, such as one that a killed process left. The caller holds the repository lock."""
    lock = _lock_of(git_dir)
    with contextlib.suppress(OSError):  # there is none, or it is a file: git's own
        if os.readlink(lock) == _OURS:
            lock.unlink()
