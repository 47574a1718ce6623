"""Making a beads directory whole, with ``bd``: a half one is worse than none, because ``bd`` fills it with what it takes for right.

A ``bd`` that is told to begin in a directory of a town finds the town's own database and refuses, or writes files of its own beside
the directory. So it begins in an empty place, and the finished directory is moved to where it belongs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from polecat.adapters.beads.calls import bd_environment
from polecat.adapters.beads.dialect import find_binary
from polecat.adapters.beads.messages import first_line
from polecat.adapters.processes import program
from polecat.errors import BeadsError, PolecatError

INIT_TIMEOUT_S = 120.0
"""How long each of two calls of ``bd`` may take."""
_FLAGS = ("--quiet", "--skip-hooks", "--skip-agents", "--skip-merge-driver", "--non-interactive")
"""What keeps ``bd init`` to its own directory, as far as the version knows it."""


def init_beads(folder: Path, prefix: str, *, environ: Mapping[str, str]) -> None:
    """Give a directory a beads directory with an empty database; one that is there already stays as it is.

    Args:
        folder: the directory.
        prefix: what the ids of its beads begin with, without the hyphen.
        environ: the caller's environment.

    Raises:
        BeadsError: ``bd`` is not there or made no database; nothing is left behind.
        OSError: it cannot be put in its place; likewise.
    """
    if os.path.lexists(folder / ".beads"):
        return
    with tempfile.TemporaryDirectory(prefix="polecat-beads-") as place:
        made = Path(place, ".beads")
        env = bd_environment(environ, beads_dir=made, actor="")
        binary = str(find_binary("bd", env))
        try:
            known = program.run([binary, "init", "--help"], env=env, cwd=Path(place), timeout_s=INIT_TIMEOUT_S)
            flags = [flag for flag in _FLAGS if f"{flag} " in f"{known.text}{known.error_text}"]
            done = program.run([binary, "init", "--prefix", prefix, *flags], env=env, cwd=Path(place), timeout_s=INIT_TIMEOUT_S)
        except PolecatError as error:
            raise BeadsError(f"bd init did not work: {error.message}") from error
        if done.exit_code != 0 or not made.is_dir():
            raise BeadsError(f"bd init made no database: {first_line(done.error_text or done.text)}", hint=done.error_text)
        # without it bd 0.47 takes whatever ends so for its own, and writes over the town's routes
        (made / "issues.jsonl").touch()
        draft = folder / f".beads.{os.getpid()}"
        try:
            shutil.copytree(made, draft, symlinks=True)
            os.rename(draft, folder / ".beads")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
