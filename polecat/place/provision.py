"""Filling a new worktree with what an agent's place needs beyond a checkout. One way for new worktrees and for repaired ones.

Nothing here dirties the tree: what we add is put on the repository's own list of ignored files, and what the project tracks is
never deleted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from polecat.core.presets import Agent
from polecat.documents import RigSettings
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.place.beneath import copy_beneath, create_beneath, exists_beneath, replace_beneath
from polecat.place.checkout_files import fill_checkout
from polecat.place.hook_files import OPENCODE_PLUGIN, PRIME_TEXT, claude_settings
from polecat.place.setup_hooks import RunHook, entries_of, run_setup_hooks
from polecat.ports import Git, Repo
from polecat.town.beads_paths import beads_dir_through, plan_redirect
from polecat.town.files import create_file, why_not

__all__ = ["exclude_locally", "install_agent_hooks", "provision"]

REDIRECT = ".beads/redirect"


@frozen(kw_only=True)
class _Place:
    """One worktree that is being filled."""

    rig: Rig
    clone: Path
    stands_at: Path
    warnings: list[str]
    added: list[str]


def provision(
    rig: Rig,
    clone: Path,
    *,
    repo: Repo,
    settings: RigSettings,
    agent: Agent,
    environ: Mapping[str, str],
    has_gt: bool = True,
    role: str = "polecat",
    stands_at: Path | None = None,
    run_hook: RunHook | None = None,
    git: Git | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Fill a worktree that has just been checked out.

    Args:
        rig: the rig.
        clone: the worktree.
        repo: its repository, whose list of ignored files gets what we add.
        settings: the rig's settings.
        agent: the agent that will work there.
        environ: the caller's environment, for the set-up hooks.
        has_gt: Gas Town's program is on PATH; without it the agent's hooks, which call it, are not installed.
        role: whose place it is.
        stands_at: where the worktree will stand, if it is not there yet.
        run_hook: runs a set-up hook; None means for real.
        git: fills submodules and says which ignored files may be copied; None leaves both out.
        variables: those of the place, for the set-up hooks.

    Returns:
        Warnings, each one line.

    Raises:
        PolecatError: the agent's hooks cannot be installed, or the rig has beads and the worktree cannot be led to them.

    Source:
        Contract §3.14 to §3.17, §12.7, §12.8; design §6, deviation 20.
    """
    place = _Place(rig=rig, clone=clone, stands_at=stands_at or clone, warnings=[], added=[])
    if git is not None:
        place.warnings.extend(fill_checkout(git, rig, repo, clone, settings))
    if has_gt:
        install_agent_hooks(rig, agent, role=role)
    _copy_instructions(place)
    _lead_to_beads(place)
    _copy_overlay(place)
    try:
        exclude_locally(repo, place.added)
    except OSError as error:
        place.warnings.append(f"what polecat adds to the worktree shows up in git status: {why_not(error)}")
    place.warnings.extend(
        run_setup_hooks(
            rig,
            clone,
            environ=environ,
            timeout_s=settings.setup_hook_timeout_s,
            run_hook=run_hook,
            log_name=place.stands_at.parent.name,
            variables=variables,
        )
    )
    return tuple(place.warnings)


# ------------------------------------------------------------------------------------------------------ agent hooks


def install_agent_hooks(rig: Rig, agent: Agent, *, role: str = "polecat") -> None:
    """Install the file that makes the rig's agents report to Gas Town, unless something is there already.

    Raises:
        PolecatError: it cannot be written.

    Source:
        Contract §3.14.
    """
    hooks = agent.hooks
    if hooks.provider not in ("claude", "opencode") or not hooks.dir or not hooks.settings_file:
        return
    path = rig.polecats_dir / hooks.dir / hooks.settings_file
    is_claude = hooks.provider == "claude"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = claude_settings(role) if is_claude else OPENCODE_PLUGIN
        if not os.path.lexists(path):
            create_file(path, data, mode=0o600 if is_claude else 0o644)
    except OSError as error:
        raise PolecatError(f"cannot install the agent's hooks: {why_not(error)}") from error


# ----------------------------------------------------------------------------------------- instructions, beads, prime


def _copy_instructions(place: _Place) -> None:
    source = place.rig.path / "mayor" / "rig" / "AGENTS.md"
    if exists_beneath(place.clone, "AGENTS.md") or not source.is_file():
        return
    try:
        data = source.read_bytes()
    except OSError:
        return
    try:
        create_beneath(place.clone, "AGENTS.md", data)
        place.added.append("AGENTS.md")
    except OSError as error:
        place.warnings.append(f"AGENTS.md was not copied: {why_not(error)}")


def _lead_to_beads(place: _Place) -> None:
    """Write the redirect, and PRIME.md where it leads; a rig without beads needs neither."""
    redirect = plan_redirect(place.rig.town_root, place.rig.path, place.stands_at)
    if redirect is None:
        return
    if redirect.warning:
        place.warnings.append(redirect.warning)
    data = f"{redirect.text}\n".encode("utf-8", "surrogateescape")
    try:
        if not create_beneath(place.clone, REDIRECT, data):
            _replace_redirect(place, data)
    except OSError as error:
        raise PolecatError(
            f"the worktree cannot be led to the rig's beads: {why_not(error)}",
            hint="if the project tracks .beads as a symlink or a file, name it in the rig's 'leave_out' setting",
        ) from error
    place.added.append(REDIRECT)
    _write_prime(place, beads_dir_through(place.stands_at, redirect.text))


def _replace_redirect(place: _Place, data: bytes) -> None:
    path = place.clone / REDIRECT
    if not path.is_symlink() and path.is_file() and path.read_bytes() == data:
        return
    replace_beneath(place.clone, REDIRECT, data)
    place.warnings.append(f"the project tracks {REDIRECT}; this rig's own was put in its place and shows up in git status")


def _write_prime(place: _Place, beads_dir: Path) -> None:
    path = beads_dir / "PRIME.md"
    if os.path.lexists(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_file(path, PRIME_TEXT, mode=None)
    except OSError as error:
        place.warnings.append(f"PRIME.md was not written: {why_not(error)}")


# --------------------------------------------------------------------------------------------------------- overlay


def _copy_overlay(place: _Place) -> None:
    overlay = place.rig.runtime_dir / "overlay"
    for entry in entries_of(overlay, "overlay", place.warnings):
        if entry.is_dir(follow_symlinks=False):
            continue
        is_ours = entry.name in place.added or not exists_beneath(place.clone, entry.name)
        try:
            copy_beneath(place.clone, entry.name, Path(entry.path))
        except OSError as error:
            place.warnings.append(f"overlay file {entry.name!r} was not copied: {error.strerror or error}")
            continue
        if is_ours:
            place.added.append(entry.name)
        else:
            place.warnings.append(f"overlay file {entry.name!r} replaces a file of the project")


# ------------------------------------------------------------------------------------------------------ local ignores


def _ignore_line(relative: str) -> str:
    escaped = re.sub(r"([\\*?\[])", r"\\\1", relative)
    bare = escaped.rstrip(" ")
    return f"/{bare}" + "\\ " * (len(escaped) - len(bare))


def exclude_locally(repo: Repo, added: list[str] | tuple[str, ...]) -> None:
    """Put paths on the repository's own list of ignored files, anchored at the root, once.

    Args:
        repo: the repository; all its worktrees share the list.
        added: paths relative to the worktree. One that holds a newline cannot be listed and is left out.

    Raises:
        OSError: the list cannot be read or written.

    Source:
        Contract §15, weakness 38; incident T-15.
    """
    path = repo.git_dir / "info" / "exclude"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        old = path.read_bytes()
    except FileNotFoundError:
        old = b""
    there = set(old.split(b"\n"))
    wanted = [os.fsencode(_ignore_line(name)) for name in dict.fromkeys(added) if "\n" not in name]
    lines = [line for line in wanted if line not in there]
    if not lines:
        return
    text = (b"" if not old or old.endswith(b"\n") else b"\n") + b"".join(line + b"\n" for line in lines)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, text)  # one append: two spawns at once may list a path twice, but none loses the other's
    finally:
        os.close(fd)
