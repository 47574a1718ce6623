"""The respawn breaker: a bead whose agents keep failing is not given to yet another one.

Only failures of agents count (it ended, or was never ready), in a row; an unreachable remote or a full disk says nothing about the
bead. The count is kept in the rig, one small file a bead, and changed only by who holds the bead's lock.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from polecat.errors import PolecatError, RespawnLimitError
from polecat.model import Rig
from polecat.town import files
from polecat.town.guarded import read_json_object


def check_breaker(rig: Rig, bead: str, *, limit: int) -> None:
    """Refuse a bead that made agents fail *limit* times in a row.

    Raises:
        RespawnLimitError: it did.
    """
    failures = agent_failures(rig, bead)
    if failures >= limit:
        raise RespawnLimitError(
            f"bead {bead!r} made {failures} agents fail in a row; the limit is {limit}",
            hint=f"find out why, then: polecat hook clear {bead} --rig {rig.name}; or spawn with --force",
        )


def agent_failures(rig: Rig, bead: str) -> int:
    """How many agents failed on a bead in a row. A file that cannot be read counts as none: it only ever keeps a bead back."""
    try:
        known = read_json_object(_path(rig, bead)) or {}
    except (OSError, ValueError):
        return 0
    failures = known.get("failures")
    return failures if type(failures) is int else 0


def count_failure(rig: Rig, bead: str) -> None:
    """One more agent failed on this bead. A count that cannot be kept only lets the bead have one agent more."""
    path = _path(rig, bead)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {"bead": bead, "failures": agent_failures(rig, bead) + 1})


def reset_breaker(rig: Rig, bead: str) -> None:
    """An agent took it up, or a person looked into it.

    Raises:
        PolecatError: the count cannot be taken away.
    """
    try:
        _path(rig, bead).unlink(missing_ok=True)
    except OSError as error:
        raise PolecatError(f"the count of agents that failed on {bead} stays: {files.why_not(error)}") from error


def _path(rig: Rig, bead: str) -> Path:
    return rig.runtime_dir / "respawns" / f"{bead}.json"
