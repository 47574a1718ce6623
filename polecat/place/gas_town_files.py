"""Tells what Gas Town put into a worktree from what an agent wrote there: a known content at a known place, never a place alone.

Gas Town itself takes whole directories (``.claude``, ``.runtime``, …) for its own, whoever wrote what is in them. Here a file that
the project tracks, one that an agent changed and one of a Gas Town that is not known go on counting as work.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from attrs import evolve

from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.ports import Git, GitFacts, Repo, Worktree
from polecat.town.beads_paths import plan_redirect
from polecat.town.guarded import read_guarded

REDIRECT = ".beads/redirect"
"""Leads ``bd`` from a worktree to the rig's beads; either program writes it, also later than a worktree is made."""

STATE_FILES = (".runtime/agent.lock", ".runtime/agent.lock.flock", ".runtime/session_id", ".runtime/keepalive.json")
"""What ``gt`` notes of itself in the worktree that it runs in; each run of it replaces them."""

COUNTER = "target_clean_counter"
"""Gas Town's note beside a worktree of how often it has cleaned it."""

_INSTRUCTIONS = re.compile(r"CLAUDE(\.local)?\.md")
_PLACES = re.compile(
    r"\.(claude|copilot|cursor|gemini|opencode|vibe)/commands/(done|handoff|review)\.md"
    r"|\.gemini/settings\.json|\.cursor/hooks\.json|\.github/hooks/gastown\.json|\.opencode/plugins/gastown\.js"
    r"|\.pi/extensions/gastown-hooks\.js|\.omp/hooks/gastown-hook\.ts|\.vibe/config\.toml"
)
_PROGRAM = re.compile(rb"""([^\s"'=]+) (?:prime --hook|tap guard|mail check)""")
_CONTENTS = frozenset(
    (
        "b0ac84c685450d29762727745b76e3bcfef8914c20f64361b6a37937d5dd5248",  # 1.2.1: commands of Claude: done, handoff, review
        "d62de69162a3ba9c8da05903f1429272045a357013a973c19428589d6b74de2c",
        "3272b93060ac5c501de2e2b005c75a9d5ca54df91fe0b0784ac9d60d9e726ebc",
        "84f77f68d4ee92f21a54d0415ec6cea2200d96508522741f762f13d4cff6b0c9",  # of other agents
        "8f0ce0f2bb056eae48cef0c4a09a250b77ee9213cf7fca5a801c34ec9d344608",
        "2779922de1a598f604e918cceea216e9c3015e7f1b5faa0bea35929635893255",
        "c42d4f3f08ab626b9707139d784e41e1ef1ecc5c1d3969af3dda987abed5deaa",  # hooks: gemini, cursor, copilot
        "6e8f9c06ef63db380bd06d74775284535751f7d588ce985c686dff0a3ab03c53",
        "f94771f140a1d4a455d03580dc93a296a5533260a11398ade0dce8713a5b4606",
        "561520d067a75be7673cb04c1f73185152b0f0566ecc2be990e472a03d976a55",  # opencode, pi, omp, vibe
        "06c7abdda2f58ef5b3e536611191b103ab21b29a92b79479a822891eab325a5b",
        "14eabc4f015782d49e1e2e202d41523d55a00a6630b6c5683c86de4d65db6c40",
        "0672659fe3973a0671025aed1a77e31d2b435b83107a7ec941842da21baca972",
    )
)
_TEMPLATES = {
    "a46aea8b47d11b85bf214ba8ca5dcb63c8ab3cbbc2182b63a97679108945a244": (44, 48, 51, 59, 60, 61, 151, 208, 214, 221, 342, 343)
}
"""The instructions for polecats, before rig and name were filled in: digest → the lines, from 1, that hold either. Of 1.2.1."""


def work_facts(
    git: Git, rig: Rig, repo: Repo, worktree: Worktree, *, base: str | None = None, stands_at: Path | None = None
) -> GitFacts:
    """What of a worktree's work exists nowhere else; what Gas Town put there is none.

    Args:
        git: gathers the facts.
        rig: the rig.
        repo: its repository.
        worktree: the worktree.
        base: as for `Git.facts`.
        stands_at: where the worktree belongs, if it is elsewhere now.

    Raises:
        PolecatError: as `Git.facts`.
    """
    facts = git.facts(repo, worktree, base=base)
    kept = tuple(path for path in facts.untracked if not is_gas_towns(rig, worktree.path, path, stands_at or worktree.path))
    return facts if kept == facts.untracked else evolve(facts, untracked=kept)


def is_gas_towns(rig: Rig, clone: Path, path: str, stands_at: Path) -> bool:
    """Say whether a file that git does not know is Gas Town's, as it was written; one that cannot be read is not.

    Args:
        rig: the rig.
        clone: the worktree.
        path: the file, relative to the worktree.
        stands_at: where the worktree belongs.
    """
    if path in STATE_FILES:
        return True
    is_instructions = _INSTRUCTIONS.fullmatch(path) is not None
    if path != REDIRECT and not is_instructions and not _PLACES.fullmatch(path):
        return False
    try:
        data = read_guarded(clone / path, limit_bytes=256 * 1024, follow=False)
    except OSError:
        return False
    if data is None:
        return False
    if path == REDIRECT:
        return data.decode("utf-8", "surrogateescape").strip(" \t\r\n") in _redirects(rig, stands_at)
    if is_instructions:
        name = stands_at.parent.name if stands_at.parent.parent == rig.polecats_dir else stands_at.name
        return any(_digest(_unfilled(data, lines, rig.name, name)) == digest for digest, lines in _TEMPLATES.items())
    program = _PROGRAM.search(data)
    return _digest(data.replace(program[1], b"{{GT_BIN}}") if program and path.endswith(".json") else data) in _CONTENTS


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unfilled(data: bytes, lines: tuple[int, ...], rig: str, name: str) -> bytes:
    """Take rig and name out of a filled template again. Where that goes wrong, the text is not the template's, and counts as changed."""
    found = data.split(b"\n")
    for number in lines:
        if number <= len(found):
            line = found[number - 1].replace(rig.encode(), b"{{rig}}")
            found[number - 1] = line.replace(name.encode(), b"{{name}}")
    return b"\n".join(found)


def _redirects(rig: Rig, stands_at: Path) -> tuple[str, ...]:
    """The redirects that lead from a place to the rig's beads, whether it has any now or had any."""
    try:
        planned = plan_redirect(rig.town_root, rig.path, stands_at)
    except PolecatError:
        return ()
    up = "../" * (len(stands_at.relative_to(rig.town_root).parts) - 1)
    return (f"{up}.beads", f"{up}mayor/rig/.beads", *([planned.text] if planned else []))
