"""Checking one rig, for `check_town`. Changes nothing; locks are tried, never waited for."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from polecat.adapters.world import FullWorld
from polecat.errors import PolecatError, TmuxError
from polecat.model import Rig, SpawnOptions
from polecat.ports import World
from polecat.town.config import load_agent_registry, load_rig_config
from polecat.town.guarded import read_guarded
from polecat.town.homes import clone_path, list_homes
from polecat.town.locks import holder_of, is_held, pool_lock
from polecat.town.records import read_claim, read_record
from polecat.upkeep.findings import Finding, Level, from_error, note, ok, wrong
from polecat.upkeep.observation import MB, RigContext, choose, read_context
from polecat.upkeep.reconcile import reconcile_pool
from polecat.upkeep.trash import entries
from polecat.upkeep.worktrees import ago

OLD_S = 600.0
"""Files that live for seconds and are older than this were left behind by something that died."""

_GC = {("gc", "auto"): "0", ("maintenance", "auto"): "false", ("gc", "worktreepruneexpire"): "never"}


def check_rig(world: FullWorld, rig: Rig) -> Iterator[Finding]:
    """Check one rig.

    Args:
        world: the world; its beads are not used.
        rig: the rig.

    Yields:
        What was found.
    """
    try:
        load_rig_config(rig.path)
        load_agent_registry(rig.path / "settings" / "agents.json")
        context = read_context(rig)
    except (PolecatError, OSError) as error:
        yield from_error(error)
        return
    yield ok(f"{rig.path}: its files are valid")
    checks: tuple[Callable[[FullWorld, RigContext], Iterator[Finding]], ...] = (
        _agent, _repository, _homes, _upkeep, _locks, _leftovers, _launch_files, _trash, _disk,
    )  # fmt: skip
    for check in checks:
        try:
            yield from check(world, context)
        except TmuxError as error:
            yield wrong(error.message, error.hint or "fix what is wrong with tmux first, above")
        except (PolecatError, OSError) as error:
            yield from_error(error)


def _agent(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    choice = choose(world, context, SpawnOptions())
    yield ok(f"agent {choice.agent.name} is {world.which(choice.agent.command)}")
    for warning in choice.warnings:
        yield note(warning)


# ----------------------------------------------------------------------------------------------------------- homes


def _homes(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """Each polecat: its record can be read, and its place is a worktree of the rig's repository."""
    rig = context.rig
    for name in list_homes(rig).dirs:
        path = clone_path(rig, name)
        at = shlex.quote(str(path))
        try:
            record, claim = read_record(rig, name), read_claim(rig, name)
            is_worktree = world.git.find_worktree(context.repo, path) is not None
        except PolecatError as error:
            yield wrong(f"{rig.name}/{name}: {error.message}", error.hint or f"look at it: ls -la {at}")
            continue
        if not is_worktree and claim is None and (record is not None or path.exists()):
            advice = f"git -C {shlex.quote(str(context.repo.path))} worktree repair {at}; or look at it: ls -la {at}"
            yield wrong(f"{rig.name}/{name}: {path} is no worktree of {context.repo.path}", advice)


# ------------------------------------------------------------------------------------------------------ repository


def _repository(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    rig, repo = context.rig, context.repo
    at = shlex.quote(str(repo.path))
    tip = world.git.resolve(repo, f"refs/remotes/origin/{rig.default_branch}")
    if tip is None:
        known = ", ".join(world.git.remote_branches(repo)[:10]) or "none"
        yield wrong(
            f"{repo.path} knows no branch origin/{rig.default_branch}; it knows {known}",
            f"git -C {at} fetch origin '+refs/heads/*:refs/remotes/origin/*', or correct default_branch in {rig.path / 'config.json'}",
        )
        return
    age_s = world.git.last_fetch_age_s(repo)
    when = "never fetched by polecat" if age_s is None else f"fetched {ago(age_s)} ago"
    yield ok(f"origin/{rig.default_branch} is at {tip[:7]}, {when}")


def _upkeep(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """Check that git does not clean up the repository by itself: it may do so during a spawn, and git never waits for its own locks."""
    config = configparser.RawConfigParser(strict=False, allow_no_value=True, delimiters=("=",))
    with suppress(configparser.Error):  # what cannot be understood sets nothing
        config.read_string((read_guarded(context.repo.git_dir / "config") or b"").decode("latin-1"))
    at = shlex.quote(str(context.repo.path))
    missing = {(section, key): value for (section, key), value in _GC.items() if config.get(section, key, fallback="") != value}
    if missing:
        commands = " && ".join(f"git -C {at} config {section}.{key} {value}" for (section, key), value in missing.items())
        text = f"{context.repo.path} may clean up by itself while a worktree is made: {', '.join(f'{s}.{k}' for s, k in missing)} not set"
        yield note(text, commands)
    for name in ("config.lock", "packed-refs.lock", "HEAD.lock", "shallow.lock"):
        lock = context.repo.git_dir / name
        if _age_s(lock) > OLD_S:
            text = f"{lock} is {ago(_age_s(lock))} old: a git command died, and others wait for it"
            yield wrong(text, f"if no git command is running: rm {shlex.quote(str(lock))}")


def _age_s(path: Path) -> float:
    """How old a file is; negative if there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return -1.0


# ----------------------------------------------------------------------------------------------- locks and leftovers


def _locks(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    folder = context.rig.runtime_dir / "locks"
    held = [path for path in sorted(folder.glob("*.lock")) if is_held(path)]
    for path in held:
        who = holder_of(path) or "somebody"
        text = f"{path.name} is held by {who}, for {ago(_age_s(path))}"
        pid = re.match(r"process (\d+)", who)
        yield note(text, f"wait for it; see what it does: ps -fp {pid[1]}" if pid else "")
    if not held:
        yield ok("no lock is held")


def _leftovers(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    rig = context.rig
    if is_held(pool_lock(rig)):
        yield note("leftovers were not looked for, because the pool's lock is held", "try again")
        return
    found = reconcile_pool(rig, world=World(git=world.git, tmux=world.tmux, environ=world.environ), dry_run=True)
    yield ok(f"{len(found.in_use)} of {context.settings.max_polecats} polecats")
    for names, what in (
        (found.orphans, "the session of {} has no home any more"),
        (found.recovered, "the spawn, repair or removal of {} was killed half-way"),
        (found.adopted, "{} lives, and its spawn was killed before it was recorded"),
        (found.emptied, "the home of {} is empty"),
        (found.stale, "a registration leads to {}, which is gone"),
    ):
        for name in names:
            yield wrong(what.format(name), f"polecat reconcile {rig.name}")
    for text in found.kept:
        yield note(f"left alone: {text}")


def _launch_files(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    folder = context.rig.runtime_dir / "launch"
    for path in sorted(folder.glob("launch-*")):
        if _age_s(path) > OLD_S:
            text = f"{path} was left by a spawn that died; it holds an agent's environment"
            yield wrong(text, f"rm {shlex.quote(str(path))}")


def _trash(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    found = entries(context.rig)
    kept = [path for path, is_kept in found if is_kept]
    for path in kept:
        text = f"{path} is the only copy of something that could not be saved otherwise"
        yield note(text, f"look at it, then: rm -r {shlex.quote(str(path))}*")
    waiting = [path for path, is_kept in found if not is_kept]
    if waiting:
        size, is_all = _size(waiting)
        text = f"{len(waiting)} removed worktree{'' if len(waiting) == 1 else 's'} in the trash, {'' if is_all else 'more than '}{size // MB} MB"
        yield note(text, f"polecat reconcile {context.rig.name}")


def _size(folders: list[Path], *, at_most: int = 50_000) -> tuple[int, bool]:
    """Add up the disk that files take; False if there were too many to look at."""
    total = looked = 0
    for folder in folders:
        for here, _, files in os.walk(folder):
            for name in files:
                looked += 1
                if looked > at_most:
                    return total, False
                with suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(here, name)).st_blocks * 512
    return total, True


def _disk(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    free_mb, needed_mb = world.free_bytes(context.rig.path) // MB, context.settings.min_free_disk_mb
    text = f"{free_mb} MB of disk are free; a spawn needs {needed_mb} MB"
    level: Level = "wrong" if free_mb < needed_mb else "note" if free_mb < 3 * needed_mb else "ok"
    remedy = "" if level == "ok" else f"polecat list {context.rig.name}, and remove polecats that are done"
    yield Finding(level=level, text=text, remedy=remedy)
    seen_fs = os.statvfs(context.rig.path)
    if seen_fs.f_files and seen_fs.f_favail < 10_000:
        yield wrong(f"only {seen_fs.f_favail} more files fit on the disk", remedy or "df -i")
