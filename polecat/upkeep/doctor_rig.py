"""Looking one rig over, for `checkup`. Changes nothing; locks are tried, never waited for."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from attrs import frozen

from polecat.adapters.world import FullWorld
from polecat.errors import ConfigError, PolecatError, TmuxError
from polecat.model import Rig, SpawnOptions
from polecat.ports import Repo, World
from polecat.town.config import load_agent_registry, load_rig_config
from polecat.town.files import why_not
from polecat.town.locks import holder_of, is_held, pool_lock
from polecat.upkeep.observation import MB, RigContext, choose, read_context
from polecat.upkeep.reconcile import reconcile_pool
from polecat.upkeep.trash import entries
from polecat.upkeep.worktrees import ago

Level = Literal["ok", "note", "wrong"]

OLD_S = 600.0
"""Files that live for seconds and are older than this were left behind by something that died."""

_GC = {("gc", "auto"): "0", ("maintenance", "auto"): "false", ("gc", "worktreepruneexpire"): "never"}


@frozen(kw_only=True)
class RigFinding:
    """One thing that was looked at in a rig. As `polecat.upkeep.doctor.Finding`, without the area."""

    level: Level
    text: str
    remedy: str = ""


def check_rig(world: FullWorld, rig: Rig) -> Iterator[RigFinding]:
    """Look one rig over.

    Args:
        world: the outside; its beads are not used.
        rig: the rig.

    Yields:
        What was found.
    """
    try:
        load_rig_config(rig.path)
        load_agent_registry(rig.path / "settings" / "agents.json")
        seen = read_context(rig)
    except (PolecatError, OSError) as error:
        yield _from_error(error)
        return
    yield RigFinding(level="ok", text=f"{rig.path}: its files are valid")
    checks: tuple[Callable[[FullWorld, RigContext], Iterator[RigFinding]], ...] = (
        _agent, _repository, _upkeep, _locks, _leftovers, _launch_files, _trash, _disk,
    )  # fmt: skip
    for check in checks:
        try:
            yield from check(world, seen)
        except (PolecatError, OSError) as error:
            yield _from_error(error)


def _from_error(error: PolecatError | OSError) -> RigFinding:
    if isinstance(error, ConfigError):
        line = f"+{error.line} " if error.line is not None else ""
        return RigFinding(
            level="wrong", text=error.message, remedy=f"edit it: ${{EDITOR:-vi}} {line}{shlex.quote(str(error.path))}"
        )
    if isinstance(error, PolecatError):
        advice = "mend what is wrong with tmux first, above" if isinstance(error, TmuxError) else ""
        return RigFinding(level="wrong", text=error.message, remedy=error.hint or advice)
    remedy = f"ls -ld {shlex.quote(os.fsdecode(error.filename))}" if error.filename else ""
    return RigFinding(level="wrong", text=f"cannot be checked: {why_not(error)}", remedy=remedy)


def _agent(world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    choice = choose(world, seen, SpawnOptions())
    yield RigFinding(level="ok", text=f"agent {choice.agent.name} is {world.which(choice.agent.command)}")
    for warning in choice.warnings:
        yield RigFinding(level="note", text=warning)


# ------------------------------------------------------------------------------------------------------ repository


def _repository(world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    rig, repo = seen.rig, seen.repo
    at = shlex.quote(str(repo.path))
    tip = world.git.resolve(repo, f"refs/remotes/origin/{rig.default_branch}")
    if tip is None:
        known = ", ".join(world.git.remote_branches(repo)[:10]) or "none"
        yield RigFinding(
            level="wrong",
            text=f"{repo.path} knows no branch origin/{rig.default_branch}; it knows {known}",
            remedy=f"git -C {at} fetch origin '+refs/heads/*:refs/remotes/origin/*', or mend default_branch in {rig.path / 'config.json'}",
        )
        return
    age_s = world.git.last_fetch_age_s(repo)
    when = "never fetched by polecat" if age_s is None else f"fetched {ago(age_s)} ago"
    yield RigFinding(level="ok", text=f"origin/{rig.default_branch} is at {tip[:7]}, {when}")


def _upkeep(_world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    """A repository that cleans up by itself may do so in the middle of a spawn; git never waits for its own locks."""
    settings = _git_config(seen.repo)
    at = shlex.quote(str(seen.repo.path))
    missing = {key: value for key, value in _GC.items() if settings.get(key) != value}
    if missing:
        commands = " && ".join(f"git -C {at} config {section}.{key} {value}" for (section, key), value in missing.items())
        text = f"{seen.repo.path} may clean up by itself while a worktree is made: {', '.join(f'{s}.{k}' for s, k in missing)} not set"
        yield RigFinding(level="note", text=text, remedy=commands)
    for name in ("config.lock", "packed-refs.lock", "HEAD.lock", "shallow.lock"):
        lock = seen.repo.git_dir / name
        if _age_s(lock) > OLD_S:
            text = f"{lock} is {ago(_age_s(lock))} old: a git command died, and others wait for it"
            yield RigFinding(level="wrong", text=text, remedy=f"if no git command is running: rm {shlex.quote(str(lock))}")


def _git_config(repo: Repo) -> dict[tuple[str, str], str]:
    """Read the plain ``[section]`` entries of a repository's own configuration."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    try:
        lines = (repo.git_dir / "config").read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            section = header[1].lower()
        elif line.lstrip().startswith("["):
            section = ""
        elif (entry := re.match(r"\s*([\w-]+)\s*=\s*(.*?)\s*$", line)) and section:
            found[section, entry[1].lower()] = entry[2]
    return found


def _age_s(path: Path) -> float:
    """How old a file is; negative if there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return -1.0


# ----------------------------------------------------------------------------------------------- locks and leftovers


def _locks(_world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    folder = seen.rig.runtime_dir / "locks"
    held = [path for path in sorted(folder.glob("*.lock")) if is_held(path)] if folder.is_dir() else []
    for path in held:
        who = holder_of(path) or "somebody"
        text = f"{path.name} is held by {who}, for {ago(_age_s(path))}"
        pid = re.match(r"process (\d+)", who)
        yield RigFinding(level="note", text=text, remedy=f"wait for it; see what it does: ps -fp {pid[1]}" if pid else "")
    if not held:
        yield RigFinding(level="ok", text="no lock is held")


def _leftovers(world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    rig = seen.rig
    if is_held(pool_lock(rig)):
        yield RigFinding(level="note", text="leftovers were not looked for, because the pool's lock is held", remedy="try again")
        return
    found = reconcile_pool(rig, world=World(git=world.git, tmux=world.tmux, environ=world.environ), dry_run=True)
    yield RigFinding(level="ok", text=f"{len(found.in_use)} of {seen.settings.max_polecats} polecats")
    for names, what in (
        (found.orphans, "the session of {} has no home any more"),
        (found.recovered, "the spawn, repair or removal of {} was killed half-way"),
        (found.adopted, "{} lives, and its spawn was killed before it was recorded"),
        (found.emptied, "the home of {} is empty"),
        (found.stale, "a registration leads to {}, which is gone"),
    ):
        for name in names:
            yield RigFinding(level="wrong", text=what.format(name), remedy=f"polecat reconcile {rig.name}")
    for text in found.kept:
        yield RigFinding(level="note", text=f"left alone: {text}")


def _launch_files(_world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    folder = seen.rig.runtime_dir / "launch"
    for path in sorted(folder.glob("launch-*")) if folder.is_dir() else []:
        if _age_s(path) > OLD_S:
            text = f"{path} was left by a spawn that died; it holds an agent's environment"
            yield RigFinding(level="wrong", text=text, remedy=f"rm {shlex.quote(str(path))}")


def _trash(_world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    found = entries(seen.rig)
    kept = [path for path, is_kept in found if is_kept]
    for path in kept:
        text = f"{path} is the only copy of something that could not be saved otherwise"
        yield RigFinding(level="note", text=text, remedy=f"look at it, then: rm -r {shlex.quote(str(path))}*")
    waiting = [path for path, is_kept in found if not is_kept]
    if waiting:
        size, is_all = _size(waiting)
        text = f"{len(waiting)} removed worktree{'' if len(waiting) == 1 else 's'} in the trash, {'' if is_all else 'more than '}{size // MB} MB"
        yield RigFinding(level="note", text=text, remedy=f"polecat reconcile {seen.rig.name}")


def _size(folders: list[Path], *, at_most: int = 50_000) -> tuple[int, bool]:
    """Add up the disk that files take; False if there were too many to look at."""
    total = looked = 0
    for folder in folders:
        for here, _, files in os.walk(folder):
            for name in files:
                looked += 1
                if looked > at_most:
                    return total, False
                try:
                    total += os.lstat(os.path.join(here, name)).st_blocks * 512
                except FileNotFoundError:
                    continue
    return total, True


def _disk(world: FullWorld, seen: RigContext) -> Iterator[RigFinding]:
    free_mb, needed_mb = world.free_bytes(seen.rig.path) // MB, seen.settings.min_free_disk_mb
    text = f"{free_mb} MB of disk are free; a spawn needs {needed_mb} MB"
    level: Level = "wrong" if free_mb < needed_mb else "note" if free_mb < 3 * needed_mb else "ok"
    remedy = "" if level == "ok" else f"polecat list {seen.rig.name}, and remove polecats that are done"
    yield RigFinding(level=level, text=text, remedy=remedy)
    seen_fs = os.statvfs(seen.rig.path)
    if seen_fs.f_files and seen_fs.f_favail < 10_000:
        yield RigFinding(level="wrong", text=f"only {seen_fs.f_favail} more files fit on the disk", remedy=remedy or "df -i")
