"""Checking one rig, for `check_town`. Changes nothing; locks are tried, never waited for."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from polecat.adapters.world import FullWorld
from polecat.errors import PolecatError, TmuxError
from polecat.model import Rig, SpawnOptions
from polecat.names import agent_id, ago, is_polecat_name, shell_line
from polecat.town.config import load_agent_registry, load_rig_config
from polecat.town.guarded import read_guarded
from polecat.town.homes import clone_path, list_homes
from polecat.town.locks import holder_of, is_held, polecat_lock, pool_lock
from polecat.town.pool_state import load_pool
from polecat.town.records import read_claim, read_record
from polecat.upkeep.findings import Finding, Level, from_error, note, ok, wrong
from polecat.upkeep.inspection import inspect, record_of
from polecat.upkeep.liveness import Look, find_agent, renamed_homes
from polecat.upkeep.observation import MB, Observation, RigContext, choose, observe_sessions, read_context, two_disks
from polecat.upkeep.reconcile import reconcile_pool
from polecat.upkeep.trash import check_trash

OLD_S = 600.0
"""Files that live for seconds and are older than this were left behind by something that died."""

REFSPEC = "+refs/heads/*:refs/remotes/origin/*"
"""What a fetch brings: the remote's branches, to where they are known as the remote's."""

_IN_TABLES = "ref: refs/heads/.invalid"
"""What stands in the HEAD of a repository that keeps its refs in tables (reftable), so that older gits see one."""

_GC = {("gc", "auto"): "0", ("maintenance", "auto"): "false", ("gc", "worktreepruneexpire"): "never"}


def check_rig(world: FullWorld, rig: Rig) -> Iterator[Finding]:
    """Check one rig.

    Args:
        world: the world.
        rig: the rig.

    Yields:
        What was found.
    """
    try:
        load_rig_config(rig.path)
        load_agent_registry(rig.path / "settings" / "agents.json")
        context = read_context(rig)
        load_pool(rig, context.settings)
    except (PolecatError, OSError) as error:
        yield from_error(error)
        return
    yield ok(f"{rig.path}: its files are valid")
    checks: tuple[Callable[[FullWorld, RigContext], Iterator[Finding]], ...] = (
        _agent, _remote, _repository, _git_files, _upkeep, _store, _homes, _locks, _leftovers, _launch_files, _trash, _disk,
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


def _store(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """The store of work can be read."""
    world.beads.held_by(agent_id(context.rig.name, "nobody"))
    yield ok("the beads can be read")


def _homes(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """Each polecat: its record can be read, its place is a worktree, and everything about it can be told."""
    rig = context.rig
    homes = list_homes(rig)
    unfit = {name: f"is no directory, and keeps the name {name} from being used" for name in homes.others}
    unfit |= {name: "has a name that no polecat can have" for name in homes.dirs if not is_polecat_name(name)}
    for name, why in unfit.items():
        path = rig.polecats_dir / name
        aside = shell_line("mv", path, rig.path / f"{name}.aside")
        back = f"bring it back: {shell_line('rm', path)} && {shell_line('mv', path.resolve(), path)}"  # a polecat may live in it
        yield wrong(f"{path} {why}", back if path.is_symlink() and path.is_dir() else aside)
    observed = observe_sessions(world, context)
    look = Look(world=world, rig=rig, sessions=observed.sessions)
    for name, home in renamed_homes(world, rig, observed.sessions, homes).items():
        unfit[home], move = "", shell_line("mv", rig.home_dir(home), rig.home_dir(name))
        yield wrong(f"the agent of {name} works in {rig.home_dir(home)}, which was its home under its own name", move)
    for name in homes.dirs:
        if name not in unfit and not is_held(polecat_lock(rig, name)):  # somebody is making, repairing or removing it
            yield from _home(world, observed, look, name)


def _home(world: FullWorld, observed: Observation, look: Look, name: str) -> Iterator[Finding]:
    rig, repo, who, path = observed.rig, observed.repo, f"{observed.rig.name}/{name}", clone_path(observed.rig, name)
    try:
        record, claim = read_record(rig, name), read_claim(rig, name)
        worktree = world.git.find_worktree(repo, path)
    except PolecatError as error:
        yield wrong(f"{who}: {error.message}", error.hint or f"look at it: ls -la {shell_line(path)}")
        return
    if claim is not None:
        return  # a reconcile settles it
    if worktree is None:
        if record is not None or _holds_files(rig.home_dir(name)):
            yield wrong(f"{who}: {path} is no worktree of {repo.path}", _way_to_a_worktree(observed, name, path))
        return
    if worktree.head is None:
        log = worktree.admin_dir / "logs" / "HEAD"
        last = f"\"$(tail -n 1 {shell_line(log)} | cut -d ' ' -f 2)\""
        tip = last if log.exists() else record.base_commit if record else "COMMIT"
        remedy = f"git -C {shell_line(repo.path)} branch {shell_line(worktree.branch or 'BRANCH')} {tip}"
        yield wrong(f"{who}: its branch {worktree.branch} has no commit any more; its files are there", remedy)
        return
    life = look.life(name, record)
    if life.verdict == "unknown":
        anew = f"polecat stop {who} && polecat start {who} --fresh"
        remedy = anew if life.session is not None and not life.session.is_dead else "mend that, or end it by hand"
        yield wrong(f"{who}: whether its agent lives is unknown: {life.why}", remedy)
        return
    agent = find_agent(world, rig, record_of(observed, name), observed.sessions)
    if rig.gastown.is_today and agent.session is not None and agent.server is not world.tmux:
        where = "the default tmux server" if agent.server.socket is None else f"the tmux server {agent.server.socket}"
        yield note(
            f"{who}: lives on {where}, where Gas Town takes it for dead or ends it", f"polecat stop {who} && polecat start {who}"
        )
    for risk in inspect(world, observed, name, agent=agent).verdict.risks:
        if risk.code == "unknown":
            yield wrong(f"{who}: {risk.text}", f"see what git says: git -C {shell_line(path)} status")


def _holds_files(home: Path) -> bool:
    return any(files for _, _, files in os.walk(home))


def _way_to_a_worktree(observed: Observation, name: str, path: Path) -> str:
    """How a directory becomes a worktree again: by its registration if there is one, else anew; what is in it is kept in the trash.

    One that is registered elsewhere is a copy: to repair it would take the registration away from the original.
    """
    admins = (observed.repo.git_dir / "worktrees").glob("*/gitdir")
    tail = f"{name}/{path.name}/.git" if path != observed.rig.home_dir(name) else f"{name}/.git"
    link = _text(path / ".git").removeprefix("gitdir: ").rstrip("\n") if (path / ".git").is_file() else ""
    is_copy = (path / link).is_dir() and not (path / link).resolve().is_relative_to(observed.repo.git_dir.resolve())
    for admin in () if link and is_copy else admins:
        recorded = _text(admin).rstrip("\n")
        was_renamed = link.endswith(f"/worktrees/{admin.parent.name}") and not os.path.lexists(recorded)
        if path.is_dir() and (was_renamed or recorded.endswith(f"/{tail}")):
            where = f" {shell_line(path)}" if os.path.lexists(path / ".git") else ""  # without its .git git takes no name
            return f"git -C {shell_line(observed.repo.path)} worktree repair{where}"
    return f"polecat repair {observed.rig.name}/{name} --nuclear"


# ------------------------------------------------------------------------------------------------------ repository


def _repository(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    rig, repo = context.rig, context.repo
    at = shell_line(repo.path)
    tip = world.git.resolve(repo, f"refs/remotes/origin/{rig.default_branch}")
    if tip is None:
        known = ", ".join(world.git.remote_branches(repo)[:10]) or "none"
        yield wrong(
            f"{repo.path} knows no branch origin/{rig.default_branch}; it knows {known}",
            f"correct default_branch in config.json, or fetch it: git -C {at} fetch origin '{REFSPEC}'",
        )
        return
    age_s = world.git.last_fetch_age_s(repo)
    when = "never fetched by polecat" if age_s is None else f"fetched {ago(age_s)} ago"
    yield ok(f"origin/{rig.default_branch} is at {tip[:7]}, {when}")


def _config(context: RigContext) -> dict[tuple[str, str], list[str]] | None:
    """What the repository's own configuration says: section and key → values; None if it has none."""
    path = context.repo.git_dir / "config"
    if not path.exists():
        return None
    found: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in (line.strip(" \t\r") for line in _text(path).split("\n")):
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found.setdefault((section, key.strip(" \t").lower()), []).append(value.strip(" \t").strip('"'))
    return found


def _text(path: Path) -> str:
    """What a file of git's holds; empty if there is none."""
    return (read_guarded(path) or b"").decode("utf-8", "surrogateescape")


def _remote(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """The remote has an address that can be there, and fetching from it by hand moves remote-tracking branches and nothing else."""
    config, at, rig = _config(context), shell_line(context.repo.path), context.rig
    if config is None:
        return
    url = (config.get(('remote "origin"', "url")) or [""])[-1]
    fetch = f"git -C {at} fetch origin '{REFSPEC}'"
    if not url:
        yield wrong(
            f"{context.repo.path} has no remote origin",
            f"git -C {at} remote add origin {shell_line(rig.git_url or 'URL')} && {fetch}",
        )
        return
    if url.startswith("/") and not os.path.exists(url):
        known = rig.git_url if rig.git_url != url and os.path.exists(rig.git_url) else "URL"
        yield wrong(
            f"the remote of {context.repo.path} is {url}, which is gone",
            f"bring it back, or name another one: git -C {at} remote set-url origin {shell_line(known)}",
        )
    specs = config.get(('remote "origin"', "fetch"), [])
    if not specs or any(":refs/remotes/origin/" not in spec for spec in specs if not spec.startswith("^")):
        shown = ", ".join(specs) or "nothing"
        yield wrong(
            f"git fetch in {context.repo.path} fetches {shown}, so by hand it moves other branches than the remote's, or none",
            f"git -C {at} config --replace-all remote.origin.fetch '{REFSPEC}'",
        )


def _upkeep(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """Check that git does not clean up the repository by itself: it may do so during a spawn, and git never waits for its own locks."""
    config, at = _config(context) or {}, shell_line(context.repo.path)
    missing = {key: value for key, value in _GC.items() if config.get(key, [""])[-1] != value}
    if missing:
        commands = " && ".join(f"git -C {at} config {section}.{key} {value}" for (section, key), value in missing.items())
        text = f"{context.repo.path} may clean up by itself while a worktree is made: {', '.join(f'{s}.{k}' for s, k in missing)} not set"
        yield note(text, commands)


def _git_files(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    """Locks that git left, a HEAD that leads nowhere, and registrations that are locked while their directory is gone."""
    git_dir, at = context.repo.git_dir, shell_line(context.repo.path)
    for lock in sorted([*git_dir.glob("*.lock"), *git_dir.glob("refs/**/*.lock"), *git_dir.glob("worktrees/*/*.lock")]):
        if _age_s(lock) > OLD_S:
            text = f"{lock} is {ago(_age_s(lock))} old: a git command died, and others wait for it"
            yield wrong(text, f"if no git command is running: rm {shell_line(lock)}")
    yield from _head(world, context, git_dir / "HEAD", at)
    for locked in sorted(git_dir.glob("worktrees/*/locked")):
        link, reason = Path(_text(locked.with_name("gitdir")).rstrip("\n")), _text(locked).rstrip("\n")
        if reason != "initializing" and link.name == ".git" and not os.path.lexists(locked.parent / link):
            text = f"a registration leads to {link.parent}, which is gone, and is locked: {reason}"
            yield wrong(text, f"git -C {at} worktree unlock {shell_line(link.parent)}")


def _head(world: FullWorld, context: RigContext, head: Path, at: str) -> Iterator[Finding]:
    """The repository's own HEAD names a branch; in one that is the rig's alone, a branch that is there."""
    branch, said = context.rig.default_branch, _text(head).rstrip("\n")
    if (head.parent / "config").exists() and not re.match(r"ref: refs/|[0-9a-f]{40}", said):
        line = shell_line(f"ref: refs/heads/{branch}")
        yield wrong(
            f"{head} names nothing, so git takes {context.repo.path} for no repository", f"echo {line} > {shell_line(head)}"
        )
    elif said == _IN_TABLES:
        return
    elif context.repo.path == head.parent and said.startswith("ref: ") and world.git.resolve(context.repo, said[5:]) is None:
        there = world.git.resolve(context.repo, f"refs/heads/{branch}") is not None
        make = "" if there else f"git -C {at} branch --no-track {shell_line(branch, f'origin/{branch}')} && "
        remedy = f"{make}git -C {at} symbolic-ref HEAD {shell_line(f'refs/heads/{branch}')}"
        yield wrong(f"{head} leads to {said[5:]}, which is not there", remedy)


def _age_s(path: Path) -> float:
    """How old a file is; negative if there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return -1.0


# ----------------------------------------------------------------------------------------------- locks and leftovers


def _locks(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    folder = context.rig.runtime_dir / "locks"
    if os.path.lexists(folder) and not folder.is_dir():
        yield wrong(f"{folder} is no directory: nothing can be locked", f"mv {shell_line(folder, f'{folder}.was')}")
    held = [path for path in sorted(folder.glob("*.lock")) if is_held(path)]
    for path in held:
        who = holder_of(path) or "somebody"
        pid = re.match(r"process (\d+)", who)
        remedy = f"wait for it; see what it does: ps -fp {pid[1]}" if pid else ""
        yield note(f"{path.name} is held by {who}, for {ago(_age_s(path))}", remedy)
    if not held:
        yield ok("no lock is held")


def _leftovers(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    rig = context.rig
    if is_held(pool_lock(rig)):
        yield note("leftovers were not looked for, because the pool's lock is held", "try again")
        return
    found = reconcile_pool(rig, world=world, dry_run=True)
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
            yield wrong(text, f"rm {shell_line(path)}")


def _trash(_world: FullWorld, context: RigContext) -> Iterator[Finding]:
    yield from check_trash(context.rig)


def _disk(world: FullWorld, context: RigContext) -> Iterator[Finding]:
    free_mb, needed_mb = world.free_bytes(context.rig.path) // MB, context.settings.min_free_disk_mb
    text = f"{free_mb} MB of disk are free; a spawn needs {needed_mb} MB"
    level: Level = "wrong" if free_mb < needed_mb else "note" if free_mb < 3 * needed_mb else "ok"
    remedy = "" if level == "ok" else f"polecat list {context.rig.name}, and remove polecats that are done"
    yield Finding(level=level, text=text, remedy=remedy)
    if text := two_disks(context):
        yield wrong(text, "put both on one file system")
    seen_fs = os.statvfs(context.rig.path)
    if seen_fs.f_files and seen_fs.f_favail < 10_000:
        yield wrong(f"only {seen_fs.f_favail} more files fit on the disk", remedy or "df -i")
