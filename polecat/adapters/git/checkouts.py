"""Checkouts of people: where one is, what it comes from, and which rig it was adopted into.

What is remembered stands in the checkout's own configuration, which no commit carries along and which its linked worktrees share.
"""

from __future__ import annotations

import os
from pathlib import Path

from polecat.adapters.git.run import GitProgram
from polecat.ports import Checkout

_KEYS = r"^(remote\.origin\.url|polecat\.(town|rig))$"


def find(git: GitProgram, place: Path) -> Checkout | None:
    """Find the checkout that a place is in; None where git finds none, or will not look into it."""
    top = git.run(["-C", place, "rev-parse", "--show-toplevel"], at=None, read_only=True)
    if top.exit_code != 0 or not top.stdout.strip(b"\n"):
        return None
    path = Path(os.fsdecode(top.stdout.removesuffix(b"\n")))
    told = git.run(["-C", path, "config", "--local", "--null", "--get-regexp", _KEYS], at=None, read_only=True).stdout
    rows = (os.fsdecode(row).partition("\n") for row in told.split(b"\0") if row)
    values = {key: value for key, _, value in rows}
    branch = git.run(["-C", path, "symbolic-ref", "-q", "--short", "HEAD"], at=None, read_only=True).text.rstrip("\n")
    town = values.get("polecat.town", "")
    return Checkout(
        path=path,
        url=values.get("remote.origin.url", ""),
        branch=branch,
        town=Path(town) if town else None,
        rig=values.get("polecat.rig", ""),
    )


def remember(git: GitProgram, checkout: Path, town: Path, rig: str) -> None:
    """Write down which rig a checkout was adopted into."""
    for key, value in (("polecat.town", town), ("polecat.rig", rig)):
        git.must(["-C", checkout, "config", "--local", "--replace-all", key, str(value)], at=None)
