"""The respawn breaker: a bead whose agents keep failing is not given to yet another one.

Only failures of agents count (it ended, or was never ready), in a row; an unreachable remote or a full disk says nothing about the
bead. The count is kept in the rig, one small file a bead, and changed only by who holds the bead's lock.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from polecat.errors import PolecatError, RespawnLimitError, UnknownStateError
from polecat.model import Rig
from polecat.names import shell_line
from polecat.town import files
from polecat.town.guarded import read_json_object


def check_breaker(rig: Rig, bead: str, *, limit: int) -> None:
    """Refuse a bead that made agents fail *limit* times in a row.

    Raises:
        RespawnLimitError: it did.
        UnknownStateError: that cannot be told.
    """
    failures = agent_failures(rig, bead)
    if failures >= limit:
        raise RespawnLimitError(
            f"bead {bead!r} made {failures} agents fail in a row; the limit is {limit}",
            hint=f"find out why, then: polecat hook clear {bead} --rig {rig.name}; or spawn with --force",
        )


def agent_failures(rig: Rig, bead: str) -> int:
    """How many agents failed on a bead in a row.

    Raises:
        UnknownStateError: that cannot be read, which is not *none*.
    """
    path = _path(rig, bead)
    try:
        failures = (read_json_object(path) or {"failures": 0}).get("failures")
        if type(failures) is not int:
            raise ValueError("'failures' must be a number")
    except (OSError, ValueError) as error:
        raise UnknownStateError(
            f"how often agents failed on bead {bead!r} cannot be told: {path}: {error}",
            hint=f"to begin anew: rm -r {shell_line(path)}",
        ) from error
    return failures


def count_failure(rig: Rig, bead: str) -> None:
    """One more agent failed on this bead. A count that cannot be kept only lets the bead have one agent more."""
    path = _path(rig, bead)
    known = 0
    with contextlib.suppress(UnknownStateError):  # then it begins anew
        known = agent_failures(rig, bead)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {"bead": bead, "failures": known + 1})


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
