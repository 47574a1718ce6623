"""Where beads live: ``.beads`` directories and the ``redirect`` files that lead from one to another. Reads only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from attrs import frozen

from polecat.errors import PolecatError
from polecat.town.guarded import read_guarded

MAX_REDIRECTS = 4
"""How many redirects are followed, as in the reference."""


def _redirect_in(beads_dir: Path) -> str:
    """Read a redirect; what cannot be one counts as none."""
    text = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = (read_guarded(beads_dir / "redirect", limit_bytes=4096) or b"").decode("utf-8").strip(" \t\r\n")
    return "" if "\0" in text or "\n" in text else text


def resolve_beads_dir(workdir: Path, town_root: Path, redirect: str | None = None) -> Path:
    """Find the beads directory that programs running in *workdir* use. It need not exist.

    A redirect is relative to the directory that holds the ``.beads`` it stands in. One that leads to itself counts as absent; so does
    one that leads out of the town: the project may track it, and nobody is to write where a project says.

    Args:
        workdir: where the programs run.
        town_root: the town.
        redirect: the redirect that will be written there; None means to read the one that is there.

    Source:
        Contract §12.7. The reference also deletes a redirect that leads to itself; looking must not change anything.
    """
    here = Path(os.path.normpath(workdir / ".beads"))
    text = _redirect_in(here) if redirect is None else redirect
    for _ in range(MAX_REDIRECTS):
        target = Path(os.path.normpath(f"{here.parent}/{text}"))  # an absolute text, too, is meant below the directory
        if not text or target == here or not _is_within(target, town_root):
            break
        here = target
        text = _redirect_in(here)
    return here


def _is_within(path: Path, town_root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(town_root))


@frozen(kw_only=True)
class Redirect:
    """The redirect that a worktree needs.

    Attributes:
        text: its content, without the newline.
        warning: what a person should know about the rig's beads; empty for nothing.
    """

    text: str
    warning: str = ""


def plan_redirect(town_root: Path, rig_path: Path, stands_at: Path) -> Redirect | None:
    """Decide the redirect of a worktree; None if the rig has no beads.

    Args:
        town_root: the town.
        rig_path: the rig.
        stands_at: where the worktree is, or will be, below the rig.

    Raises:
        PolecatError: there is no worktree at that place of a town: it is the rig's root or the mayor's own clone.

    Source:
        Contract §12.7.
    """
    parts = Path(os.path.relpath(stands_at, town_root)).parts
    if len(parts) < 2 or parts[0] == "..":
        raise PolecatError(f"{stands_at} is no worktree of a rig in the town {town_root}")
    if parts[1] == "mayor":
        raise PolecatError(f"{stands_at} is the canonical place of the rig's beads and cannot be redirected")
    up = "../" * (len(parts) - 1)
    if (rig_path / ".beads").exists():
        own = _redirect_in(rig_path / ".beads")
        return Redirect(text=up + (own if own and _is_within(rig_path / own, town_root) else ".beads"))
    if (rig_path / "mayor" / "rig" / ".beads").exists():
        warning = f"{rig_path / '.beads'} is missing; the mayor's beads are used, repair the rig with: gt doctor --fix"
        return Redirect(text=up + "mayor/rig/.beads", warning=warning)
    return None
