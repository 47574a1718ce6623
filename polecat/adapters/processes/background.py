"""Work that goes on after we have returned."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from polecat.adapters.processes.program import run

_DELETE = """
lock=$1; shift
low="nice -n 19"
command -v ionice >/dev/null 2>&1 && low="$low ionice -c3"
{
  exec 9>>"$lock"
  if command -v flock >/dev/null 2>&1; then flock -n 9 || exit 0; fi
  one=--one-file-system; rm -rf $one -- "$1/no such file" 2>/dev/null || one=
  for entry; do
    # a directory that may not be written to keeps what is in it from everybody but root
    $low find "$entry" "$entry.admin" -xdev -type d ! -perm -700 -exec chmod u+rwx {} \\; 2>/dev/null
    $low rm -rf $one -- "$entry" "$entry.admin"
  done
  rmdir -- "$(dirname -- "$1")"
} </dev/null >/dev/null 2>&1 &
"""
"""Reads the lock's path and the entries from its arguments. The shell ends at once and leaves the work to its child, so that we
have no child to wait for. ``flock`` keeps two deleters apart where it exists; two at once would only be slower."""


def delete_in_background(entries: Sequence[Path], *, lock_path: Path) -> None:
    """Delete directories in a process of its own, with the lowest priority; returns at once.

    Args:
        entries: what to delete; a sibling with ``.admin`` at the end of its name goes with each, and their directory if it is empty then.
        lock_path: the lock that keeps two deleters apart.
    """
    run(["/bin/sh", "-c", _DELETE, "polecat-trash", lock_path, *entries], env=os.environ, timeout_s=10)


_RUN = """
log=$1; shift
mkdir -p -- "$(dirname -- "$log")"
{ nice -n 19 "$@"; } </dev/null >"$log" 2>&1 &
"""


def run_in_background(argv: Sequence[str], *, environ: Mapping[str, str], log_path: Path) -> None:
    """Run a program in a process of its own, with low priority; returns at once.

    Args:
        argv: the program and its arguments.
        environ: its whole environment.
        log_path: where its output goes; the last run's is replaced.
    """
    run(["/bin/sh", "-c", _RUN, "polecat-background", log_path, *argv], env=environ, timeout_s=10)
