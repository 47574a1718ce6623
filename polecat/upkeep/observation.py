"""Observing a rig once per operation: settings, sessions, homes. Every later decision is made from this."""

from __future__ import annotations

from contextlib import suppress

from attrs import asdict, evolve, frozen

from polecat.adapters.gastown import gastown_version
from polecat.adapters.world import FullWorld, caller_environ, gastown_socket, rig_beads_dir
from polecat.core.accounts import resolve_account
from polecat.core.agents import resolve_agent
from polecat.core.gastown import era_of_version, misfit
from polecat.core.plan import Choice
from polecat.core.sessions import SessionIndex, index_sessions
from polecat.documents import RigEntry, RigSettings, TownSettings
from polecat.errors import AgentNotFoundError, DiskFullError, UnknownStateError
from polecat.model import FetchPolicy, Rig, SpawnOptions
from polecat.names import check_bead_id, check_polecat_name, shell_line
from polecat.ports import Repo, World
from polecat.town.config import load_accounts, load_agent_registry, load_rigs
from polecat.town.find import find_repo
from polecat.town.gastown import find_gastown, mark_as_today
from polecat.town.homes import Homes, list_homes
from polecat.town.records import had_polecats
from polecat.town.settings import load_rig_settings, load_town_settings

MB = 1024 * 1024


@frozen(kw_only=True)
class RigContext:
    """A rig as its files say.

    Attributes:
        rig: the rig.
        repo: the repository of its worktrees.
        settings: the rig's settings.
        town_settings: the town's.
    """

    rig: Rig
    repo: Repo
    settings: RigSettings
    town_settings: TownSettings


@frozen(kw_only=True)
class Observation(RigContext):
    """A rig as it was observed, sessions and homes included.

    Attributes:
        sessions: the sessions of the server, indexed for this rig.
        homes: the entries of ``polecats/``; listed after the sessions, so that no session seems to be without its home.
    """

    sessions: SessionIndex
    homes: Homes


def observe(world: FullWorld, rig: Rig) -> Observation:
    """Observe a rig: a few files, one tmux call, one directory listing.

    Raises:
        ConfigError: a file is invalid.
        TmuxUnreachableError: the server could not be asked; that is not *no sessions*.
        UnknownStateError: ``polecats/`` cannot be listed.
    """
    return observe_sessions(world, read_context(rig))


def read_context(rig: Rig) -> RigContext:
    """Read a rig's files; no program is started.

    Raises:
        ConfigError: a file is invalid.
    """
    return RigContext(
        rig=rig,
        repo=find_repo(rig),
        settings=load_rig_settings(rig.path),
        town_settings=load_town_settings(rig.town_root),
    )


def observe_sessions(world: FullWorld, context: RigContext) -> Observation:
    """Complete a context with one tmux call and one directory listing. Errors as `observe`."""
    sessions = index_sessions(world.tmux.list_sessions(), context.rig)
    return Observation(**asdict(context, recurse=False), sessions=sessions, homes=list_homes(context.rig))


def check_homes(observed: Observation, homes: Homes, outcome: str) -> None:
    """Refuse to go on if ``polecats/`` is missing, unless this is a new rig.

    Args:
        observed: the rig.
        homes: the entries of ``polecats/``.
        outcome: what was not done, for the error.

    Raises:
        UnknownStateError: the rig has had polecats, or still has sessions of some.
    """
    rig = observed.rig
    if not homes.exists and (observed.sessions.own or had_polecats(rig)):
        raise UnknownStateError(
            f"{rig.polecats_dir} is missing, though this rig has had polecats; {outcome}",
            hint=f"is its disk mounted? If it really is gone: {shell_line('mkdir', rig.polecats_dir)}",
        )


def choose(world: FullWorld, context: RigContext, opts: SpawnOptions, *, needs_program: bool = True) -> Choice:
    """Decide what one spawn uses, and refuse what cannot work, before anything is touched.

    Args:
        world: the world.
        context: the rig.
        opts: what was asked.
        needs_program: the agent is to be started, so its program must be there.

    Raises:
        InvalidNameError: the bead or the name is malformed.
        AgentNotFoundError: no such agent, or its program is not on PATH.
        AccountNotFoundError: no such account.
    """
    if opts.hook_bead is not None:
        check_bead_id(opts.hook_bead)
    if opts.name is not None:
        check_polecat_name(opts.name)
    rig, settings, town = context.rig, context.settings, context.town_settings
    agent, warnings = resolve_agent(
        override=opts.agent,
        rig_settings=settings,
        town_settings=town,
        rig_registry=load_agent_registry(rig.path / "settings" / "agents.json"),
        town_registry=load_agent_registry(rig.town_root / "settings" / "agents.json"),
        which=world.which,
    )
    if needs_program and world.which(agent.command) is None:
        raise AgentNotFoundError(
            f"the program {agent.command!r} of agent {agent.name!r} is not on PATH",
            hint=f"install it, or choose another agent with --agent; PATH is {world.environ.get('PATH', '')}",
        )
    config_dir, account = resolve_account(load_accounts(rig.town_root), flag=opts.account or "", environ=world.environ)
    beads_dir = rig_beads_dir(rig)
    doubt = None if had_polecats(rig) else gastown_misfit(world, rig)
    return Choice(
        agent=agent,
        account=account,
        config_dir=config_dir,
        fetch=fetch_policy(settings),
        accepts_trust=settings.trust == "accept",
        leave_out=settings.leave_out,
        has_gt=world.which("gt") is not None,
        beads_dir=str(beads_dir) if beads_dir else "",
        variables=settings.place.variable_names,
        ready_timeout_s=settings.ready_timeout_s,
        warnings=(*warnings, *filter(None, (agent.shares_process, doubt and "; ".join(doubt)))),
    )


def with_gastown(rig: Rig, world: World | None, *, mark: bool) -> Rig:
    """Complete a rig whose town's files say nothing of Gas Town of today with what the ``gt`` on PATH says; where there is none, nothing is asked.

    Args:
        rig: the rig.
        world: the world, not yet completed: its tmux server depends on the answer.
        mark: write down what is found, as that ``gt`` itself does at its first command.
    """
    environ = caller_environ(world)
    if rig.gastown.is_today or era_of_version(gastown_version(rig, environ)) != "today":
        return rig
    if mark:
        with suppress(OSError):
            mark_as_today(rig.town_root)
    return evolve(rig, gastown=find_gastown(rig.town_root, load_rigs(rig.town_root).get(rig.name, RigEntry()), is_today=True))


def gastown_misfit(world: FullWorld, rig: Rig) -> tuple[str, str] | None:
    """Say why this rig's town cannot be shared with its Gas Town, and what to do; None if it can, or there is none."""
    socket = gastown_socket(rig, world.environ)
    return misfit(
        rig.gastown,
        server=world.tmux.socket,
        is_its_server=not socket or world.tmux.at(socket) is world.tmux,
        version=gastown_version(rig, world.environ),
    )


def fetch_policy(settings: RigSettings) -> FetchPolicy:
    """The rig's own fetch policy."""
    return evolve(FetchPolicy.parse(settings.fetch), timeout_s=settings.fetch_timeout_s)


def two_disks(context: RigContext) -> str:
    """Say that the worktrees are not on the repository's file system, so that nothing could be renamed; empty if they are."""
    rig, repo = context.rig, context.repo.git_dir
    homes = rig.polecats_dir if rig.polecats_dir.exists() else rig.path
    if not repo.exists() or homes.stat().st_dev == repo.stat().st_dev:
        return ""
    return f"{homes} is on another file system than {repo}: what is made there could not be taken back without copying it"


def check_one_disk(context: RigContext) -> None:
    """Refuse to make or take away worktrees that could not be renamed into the trash.

    Raises:
        DiskFullError: they are on another file system than the repository.
    """
    if text := two_disks(context):
        raise DiskFullError(text, hint="put both on one file system; nothing was touched")


def check_disk(world: FullWorld, context: RigContext) -> None:
    """Refuse to go on with too little free disk.

    Raises:
        DiskFullError: less is free than the settings ask for.
    """
    check_one_disk(context)
    free_bytes = world.free_bytes(context.rig.path)
    least_mb = context.settings.min_free_disk_mb
    if free_bytes < least_mb * MB:
        raise DiskFullError(
            f"only {free_bytes // MB} MB are free at {context.rig.path}; a spawn needs {least_mb} MB",
            hint="free some disk, remove polecats that are done, or lower min_free_disk_mb in the rig's settings",
        )
