"""Writing which branch of the remote a branch tracks, by git's own lock protocol.

git takes ``config.lock``, writes the new text into it and renames it. git never waits for that lock: of 60 commands beside a busy
writer 10 failed. We wait, and hold it for microseconds.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import BinaryIO

from polecat.adapters.processes.table import ProcessTable
from polecat.errors import GitError
from polecat.ports import Process

LOCK_PATIENCE_S = 5.0

_MARK = "polecat-config."


def set_upstream(git_dir: Path, branch: str, upstream: str | None, *, patience_s: float = LOCK_PATIENCE_S) -> None:
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
    lock = path.with_name("config.lock")
    mark = _mark(path.parent)
    try:
        if upstream is None and without_branch(old := path.read_bytes(), branch) == old:
            return
        fd = _take(lock, mark, patience_s)
        try:
            with os.fdopen(fd, "wb") as file:
                _rewrite(path, lock, file, branch, upstream)
        except BaseException:
            lock.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise GitError(
            f"cannot write {path}: {error.strerror or error}",
            cwd=git_dir,
            hint=f"if no git command is running, remove {lock}" if isinstance(error, FileExistsError) else "",
        ) from error
    finally:
        mark.unlink(missing_ok=True)


def _rewrite(path: Path, lock: Path, file: BinaryIO, branch: str, upstream: str | None) -> None:
    old = path.read_bytes()
    new = without_branch(old, branch)
    if upstream is not None:
        new += (b"" if new.endswith(b"\n") or not new else b"\n") + _section(branch, upstream)
    if new == old:
        lock.unlink()
        return
    os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
    file.write(new)
    file.flush()
    os.rename(lock, path)  # the last thing that can fail: from here on config.lock may be somebody else's


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
    for line in text.splitlines(keepends=True):
        if not is_continued and line.lstrip().startswith(b"["):
            is_ours = line.strip() == header
        is_continued = line.rstrip(b"\r\n").endswith(b"\\")
        if not is_ours:
            kept.append(line)
    return b"".join(kept)


def _header(branch: str) -> bytes:
    quoted = branch.replace("\\", "\\\\").replace('"', '\\"')
    return f'[branch "{quoted}"]'.encode("utf-8", "surrogateescape")


def _section(branch: str, upstream: str) -> bytes:
    merge = f"refs/heads/{upstream}"
    if not re.fullmatch(r"[\w./+-]+", merge, re.ASCII):
        merge = '"' + merge.replace('"', '\\"') + '"'
    return _header(branch) + f"\n\tremote = origin\n\tmerge = {merge}\n".encode("utf-8", "surrogateescape")


def _take(lock: Path, mark: Path, patience_s: float) -> int:
    """Take git's lock as a second name of our own mark, so that a dead process's lock can be told from a living git's."""
    fd = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    until_s = time.monotonic() + patience_s
    try:
        while True:
            try:
                os.link(mark, lock)
            except FileExistsError:
                if time.monotonic() > until_s:
                    raise
                if not _break_dead(lock):
                    time.sleep(0.004)
            else:
                return fd
    except BaseException:
        os.close(fd)
        raise


def _mark(git_dir: Path) -> Path:
    """A file that says which process took the lock, by id and start time."""
    me = ProcessTable().identify(os.getpid())
    return git_dir / f"{_MARK}{os.getpid()}.{me.start_time if me else 0}.{secrets.token_hex(4)}"


def clear_dead(git_dir: Path) -> None:
    """Take away what one of us left when it was killed between taking git's lock and letting it go."""
    _break_dead(Path(os.path.realpath(git_dir / "config")).with_name("config.lock"))


def _break_dead(lock: Path) -> bool:
    """Take away the lock, and the marks, of processes of ours that are dead; never git's own, never a living one's."""
    was_broken = False
    for mark in lock.parent.glob(f"{_MARK}*"):
        with contextlib.suppress(OSError, ValueError):
            pid, start_time = (int(word) for word in mark.name.removeprefix(_MARK).split(".")[:2])
            if ProcessTable().is_alive(Process(pid=pid, start_time=start_time)):
                continue
            if lock.exists() and os.path.samefile(mark, lock):
                lock.unlink()
                was_broken = True
            mark.unlink()
    return was_broken
