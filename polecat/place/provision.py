"""Filling a new worktree with what an agent's place needs beyond a checkout. One way for new worktrees and for repaired ones.

Nothing here dirties the tree: what we add is put on the repository's own list of ignored files, and what the project tracks is
never deleted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from polecat.adapters.processes.program import run
from polecat.core.agent_model import Agent
from polecat.documents import RigSettings
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.place.beneath import copy_beneath, create_beneath, replace_beneath
from polecat.place.checkout_files import fill_checkout
from polecat.place.gas_town_files import REDIRECT, STATE_FILES
from polecat.place.hook_files import OPENCODE_PLUGIN, PRIME_TEXT, claude_settings
from polecat.place.setup_hooks import RunHook, entries_of, run_setup_hooks
from polecat.ports import Git, Repo
from polecat.town.beads_paths import plan_redirect, resolve_beads_dir
from polecat.town.files import create_file, why_not
from polecat.town.guarded import append_guarded, read_guarded


@frozen(kw_only=True)
class _Filling:
    """One worktree that is being filled: what was added so far, and what went wrong."""

    rig: Rig
    clone: Path
    stands_at: Path
    warnings: list[str] = field(factory=list)
    added: list[str] = field(factory=list)


def provision(
    rig: Rig,
    clone: Path,
    *,
    repo: Repo,
    settings: RigSettings,
    agent: Agent,
    environ: Mapping[str, str],
    git: Git,
    has_gt: bool,
    variables: Mapping[str, str],
    stands_at: Path | None = None,
    run_hook: RunHook = run,
) -> tuple[str, ...]:
    """Fill a worktree that has just been checked out.

    Args:
        rig: the rig.
        clone: the worktree.
        repo: its repository, whose list of ignored files gets what we add.
        settings: the rig's settings.
        agent: the agent that will work there.
        environ: the caller's environment, for the set-up hooks.
        git: fills submodules and says which ignored files may be copied.
        has_gt: Gas Town's program is on PATH; without it the agent's hooks, which call it, are not installed.
        variables: those of the place, for the set-up hooks.
        stands_at: where the worktree will stand, if it is not there yet.
        run_hook: runs a set-up hook.

    Returns:
        Warnings, each one line.

    Raises:
        PolecatError: the agent's hooks cannot be installed, or the rig has beads and the worktree cannot be redirected to them.

    Source:
        Contract §3.14 to §3.17, §12.7, §12.8; design §6, deviation 20.
    """
    place = _Filling(rig=rig, clone=clone, stands_at=stands_at or clone)
    place.warnings.extend(fill_checkout(git, rig, repo, clone, settings))
    if has_gt:
        install_agent_hooks(rig, agent)
        # gt writes them later: the agent's hooks run it, and its doctor adds the redirect
        place.added.extend((*STATE_FILES, REDIRECT))
    _copy_instructions(place)
    _redirect_beads(place)
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


def install_agent_hooks(rig: Rig, agent: Agent) -> None:
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
    data, mode = (claude_settings(), 0o600) if hooks.provider == "claude" else (OPENCODE_PLUGIN, 0o644)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path):
            create_file(path, data, mode=mode)
    except OSError as error:
        raise PolecatError(f"cannot install the agent's hooks: {why_not(error)}") from error


# ----------------------------------------------------------------------------------------- instructions, beads, prime


def _copy_instructions(place: _Filling) -> None:
    source = place.rig.path / "mayor" / "rig" / "AGENTS.md"
    if os.path.lexists(place.clone / "AGENTS.md") or not source.is_file():
        return
    try:
        create_beneath(place.clone, "AGENTS.md", read_guarded(source) or b"")
        place.added.append("AGENTS.md")
    except OSError as error:
        place.warnings.append(f"AGENTS.md was not copied: {why_not(error)}")


def _redirect_beads(place: _Filling) -> None:
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
            f"the worktree cannot be redirected to the rig's beads: {why_not(error)}",
            hint="if the project tracks .beads as a symlink or a file, name it in the rig's 'leave_out' setting",
        ) from error
    place.added.append(REDIRECT)
    _write_prime(place, resolve_beads_dir(place.stands_at, place.rig.town_root, redirect.text))


def _replace_redirect(place: _Filling, data: bytes) -> None:
    path = place.clone / REDIRECT
    if not path.is_symlink() and read_guarded(path) == data:
        return
    replace_beneath(place.clone, REDIRECT, data)
    place.warnings.append(f"the project tracks {REDIRECT}; this rig's own was put in its place and shows up in git status")


def _write_prime(place: _Filling, beads_dir: Path) -> None:
    path = beads_dir / "PRIME.md"
    if os.path.lexists(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_file(path, PRIME_TEXT)
    except OSError as error:
        place.warnings.append(f"PRIME.md was not written: {why_not(error)}")


# --------------------------------------------------------------------------------------------------------- overlay


def _copy_overlay(place: _Filling) -> None:
    overlay = place.rig.runtime_dir / "overlay"
    for entry in entries_of(overlay, "overlay", place.warnings):
        if entry.is_dir(follow_symlinks=False):
            continue
        is_ours = entry.name in place.added or not os.path.lexists(place.clone / entry.name)
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
    old = read_guarded(path) or b""
    wanted = [os.fsencode(_ignore_line(name)) for name in dict.fromkeys(added) if "\n" not in name]
    lines = [line for line in wanted if line not in old.split(b"\n")]
    if not lines:
        return
    text = (b"" if not old or old.endswith(b"\n") else b"\n") + b"".join(line + b"\n" for line in lines)
    append_guarded(path, text)  # in one write: two spawns at once may list a path twice, but none loses the other's
