"""The story: how a polecat comes to be. Read top to bottom; the steps themselves are in `building`.

    look → admit → claim → worktree → provision → hook → session → working → ready → record

The steps after the look (`claim`, `building`, `moving_in`, `sessions`, `healing`) are imported where they are used, and a new process
loads them while it waits for git and tmux (`ahead`), not before.

Looking and admitting touch nothing. From the claim on, each step registers its undo only after it succeeded; a failure takes
everything back in reverse and the error lists what could not be. A process that is killed skips all that; then its claim is
left, held by nobody, and `reconcile` takes the leavings back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from polecat.ahead import will_need
from polecat.attempt import Attempt, guarded, still_open
from polecat.errors import PolecatError, UnknownStateError
from polecat.look import Site, Survey, as_orders, as_rig, begin_listing, check_disk, choose, look, survey, with_sessions
from polecat.model import FetchPolicy, Rig, SpawnedPolecat, SpawnOptions
from polecat.pace import Pace
from polecat.plan import SpawnPlan, make_plan
from polecat.ports import Beads, Clock, Git, OnEvent, Processes, Tmux
from polecat.worktrees import Fetching, fetching
from polecat.world import World, make_world

if TYPE_CHECKING:
    from polecat.sessions import Arrival

MAX_CONCURRENT = 4
"""Checkouts at a time. They are bound by disk and CPU; more than a few only get into each other's way."""


LATER = (
    # while tmux lists
    "polecat.adapters.program:Finished", "polecat.ports.tmux:Session", "polecat.plan:SessionCensus", "polecat.state:Homes",
    "polecat.look:Site", "polecat.adapters.git_worktrees", "sqlite3", "polecat.hooking:BeadCheck", "polecat.plan:SpawnPlan",
    "polecat.state:Lease", "polecat.worktrees:Base", "polecat.ports.git_words:Worktree",
    # while git fills the worktree
    "polecat.place", "polecat.provision", "polecat.sessions", "polecat.moving_in", "polecat.adapters.tmux_starting",
    "polecat.adapters.tmux_watching", "_socket", "encodings.ascii",
    "polecat.ports_block:PortRange", "polecat.trust:Inherited", "polecat.place:Place", "polecat.provision:_Place",
    "polecat.ports.beads:AgentFields", "polecat.ports.beads:Bead", "polecat.adapters.local_beads:_Row", "polecat.ports.beads:AgentBead",
    "polecat.ports.tmux:SessionRequest",
    # while the agent comes up
    "polecat.ports.tmux:StartedSession", "polecat.readiness:Awaited", "polecat.ports.tmux:Watch", "polecat.ports.tmux:PaneStatus",
    "polecat.readiness:Judgement", "polecat.sessions:Arrival", "polecat.model:Timings", "polecat.model:SpawnedPolecat",
)  # fmt: skip
"""What a new process loads while it waits, in the order in which it is needed."""


def spawn_for_sling(
    rig: Rig | str,
    opts: SpawnOptions | None = None,
    *,
    git: Git | None = None,
    tmux: Tmux | None = None,
    beads: Beads | None = None,
    processes: Processes | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    on_event: OnEvent | None = None,
) -> SpawnedPolecat:
    """Make a polecat: a name, a worktree, a hook, a session with an agent that is ready.

    Returns as soon as the agent is ready. If anything fails, everything that was made is taken back first. Safe to call from
    several threads and processes at once, on one rig or many.

    Args:
        rig: the rig, or the name of one in the town that contains the working directory.
        opts: what is asked; every option has a default.
        git: the repositories; git itself by default.
        tmux: the tmux server; the user's own by default, or the one that the town's settings name.
        beads: the store of work; ``bd`` where the rig uses it, otherwise the embedded one.
        processes: the process table.
        clock: time.
        environ: the environment that counts as the caller's; the process's own by default.
        on_event: called with every fact, in order.

    Returns:
        What was made.

    Raises:
        SpawnRefusedError: a rule said no; nothing was touched.
        SpawnFailedError: it began and broke; ``undone`` and ``left_behind`` say what is left of it.
        NotFoundError: no such town, rig, agent or account.
        ConfigError: a configuration file is invalid.
        LockTimeoutError: somebody held a lock too long.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> spawn_for_sling(rig, SpawnOptions(hook_bead="gt-abc12"), **world).agent_id
        'gastown/polecats/furiosa'

    Source:
        Contract §6; design §4.
    """
    [result] = spawn_many(
        rig,
        [opts or SpawnOptions()],
        git=git,
        tmux=tmux,
        beads=beads,
        processes=processes,
        clock=clock,
        environ=environ,
        on_event=on_event,
    )
    if isinstance(result, PolecatError):
        raise result
    return result


def spawn_many(
    rig: Rig | str,
    opts: Sequence[SpawnOptions],
    *,
    git: Git | None = None,
    tmux: Tmux | None = None,
    beads: Beads | None = None,
    processes: Processes | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    on_event: OnEvent | None = None,
    max_concurrent: int = MAX_CONCURRENT,
    min_interval_s: float = 0.0,
) -> list[SpawnedPolecat | PolecatError]:
    """Make several polecats at once: one look, one fetch, one claim of all names, checkouts side by side, one wait for all.

    Args:
        rig: the rig, or its name.
        opts: one element for each polecat.
        max_concurrent: how many checkouts run at a time, 1 or more.
        min_interval_s: at least so many seconds between the starts of two agents; for providers that limit the rate.
        git, tmux, beads, processes, clock, environ, on_event: as for `spawn_for_sling`.

    Returns:
        One result for each element of *opts*, in order: the polecat, or the error that ended this one. One failure leaves the
        others alone.

    Raises:
        PolecatError: the rig as a whole cannot be used: it does not exist, its settings are invalid, tmux cannot be asked.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> [cat.polecat_name for cat in spawn_many(rig, [SpawnOptions()] * 2, **world)]
        ['furiosa', 'nux']
    """
    rig = as_rig(rig)
    world = make_world(rig, git=git, tmux=tmux, beads=beads, processes=processes, clock=clock, environ=environ, on_event=on_event)
    attempts = [Attempt(world=world, rig_name=rig.name, opts=one) for one in as_orders(opts)]
    try:
        _spawn_all(world, rig, attempts, max_concurrent, Pace(world.clock, min_interval_s))
    except BaseException:
        for attempt in attempts:
            attempt.abandon(partial(_sweep, world, rig))
        raise
    if git is None and any(attempt.used_spare for attempt in attempts):
        from polecat.spares import refill_in_background

        refill_in_background(rig, world.environ)
    return [_outcome(attempt) for attempt in attempts]


def plan_spawn(
    rig: Rig | str,
    opts: SpawnOptions | None = None,
    *,
    git: Git | None = None,
    tmux: Tmux | None = None,
    beads: Beads | None = None,
    processes: Processes | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> SpawnPlan:
    """Decide what a spawn would do, and touch nothing: files are read, tmux is listed, that is all.

    Args:
        rig, opts, git, tmux, beads, processes, clock, environ: as for `spawn_for_sling`.

    Returns:
        Every decision of the spawn. A spawn at the same time on the same rig does exactly this.

    Raises:
        PolecatError: the spawn would be refused, for the same reason.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> plan_spawn(rig, **world).session_name
        'gt-gastown-furiosa'
    """
    from polecat.claim import orphan_in_the_way, predicted_name
    from polecat.hooking import check_bead

    rig = as_rig(rig)
    [opts] = as_orders([opts or SpawnOptions()])
    world = make_world(rig, git=git, tmux=tmux, beads=beads, processes=processes, clock=clock, environ=environ)
    site = look(world, rig)
    choice = choose(world, site, opts)
    check_disk(world, site)
    check_bead(world, site, opts)
    name = predicted_name(site, opts.name)
    now = world.clock.now()
    return make_plan(
        rig,
        opts,
        choice,
        name=name,
        orphan_session=orphan_in_the_way(site, name),
        unix_ms=int(now.timestamp() * 1000),
        local_time=now.astimezone().strftime("%Y-%m-%dT%H:%M"),
    )


# ------------------------------------------------------------------------------------------------------- the flow


def _spawn_all(world: World, rig: Rig, attempts: Sequence[Attempt], max_concurrent: int, pace: Pace) -> None:
    seen = survey(rig)
    _each(attempts, lambda attempt: _admit(seen, attempt))
    if not still_open(attempts):
        return
    with ExitStack() as held:
        sessions = begin_listing(world, held)
        with fetching(world, seen, _eagerest(still_open(attempts))) as news:  # runs beside everything up to the worktree
            from polecat import building
            from polecat.claim import claim_names

            will_need(LATER)
            site = with_sessions(world, seen, sessions)
            world.tmux.check()  # the listing has told its version, unless no server runs yet
            _each(attempts, lambda attempt: building.reserve_bead(site, attempt, held))
            claim_names(site, still_open(attempts))
            _each(attempts, lambda attempt: _build(site, attempt, news, pace), max_concurrent)
        _await_agents(world, site, still_open(attempts))
        from polecat.moving_in import record

        _each(attempts, lambda attempt: record(site, attempt))


def _admit(seen: Survey, attempt: Attempt) -> None:
    """Refuse what cannot work, before anything is touched."""
    with attempt.step("admit"):
        attempt.choice = choose(attempt.world, seen, attempt.opts)
        check_disk(attempt.world, seen)


def _build(site: Site, attempt: Attempt, news: Fetching, pace: Pace) -> None:
    from polecat import building

    building.clear_the_way(site, attempt)
    building.add_worktree(site, attempt, news)
    from polecat import moving_in  # a new process has loaded it while git filled the worktree

    moving_in.provision_worktree(site, attempt)
    moving_in.open_bead(site, attempt)
    pace.wait()
    moving_in.start_session(site, attempt)
    moving_in.say_working(attempt)


def _await_agents(world: World, site: Site, attempts: Sequence[Attempt]) -> None:
    from polecat.moving_in import awaited
    from polecat.sessions import await_agents

    waiting = [attempt for attempt in attempts if attempt.opts.wait == "ready"]
    for attempt in waiting:
        attempt.now_at("ready")
    try:
        for at, arrival in await_agents(world.tmux, [awaited(attempt) for attempt in waiting], clock=world.clock):
            guarded(waiting[at], partial(_arrive, site, arrival))
    except PolecatError as error:  # the server cannot be asked any more; each spawn ends with an error of its own
        for attempt in still_open(waiting):
            attempt.fail(UnknownStateError(error.message, hint=error.hint))


def _arrive(site: Site, arrival: Arrival, attempt: Attempt) -> None:
    from polecat.moving_in import arrive

    arrive(site, attempt, arrival)


def _sweep(world: World, rig: Rig, attempt: Attempt) -> None:
    """Take back what an interrupted spawn had made but not yet noted: by its instance, as a reconcile would."""
    from polecat.healing import heal

    lease = attempt.claimed
    if lease is not None:
        world.tmux.kill("", name=lease.session, instance=lease.instance)
        if rig.home_dir(lease.polecat).exists():
            heal(world, look(world, rig), lease)


def _eagerest(attempts: Sequence[Attempt]) -> FetchPolicy:
    """The most eager policy of a batch: one fetch serves all."""
    policies = [attempt.opts.fetch or attempt.choice.fetch for attempt in attempts]
    return min(policies, key=lambda p: (("always", "if-older-than", "never").index(p.when), p.max_age_s))


def _each(attempts: Sequence[Attempt], do: Callable[[Attempt], None], max_concurrent: int = 1) -> None:
    """Do something with every attempt that is still open, one after the other or side by side."""
    todo = still_open(attempts)
    if max_concurrent <= 1 or len(todo) <= 1:
        for attempt in todo:
            guarded(attempt, do)
        return
    from concurrent.futures import ThreadPoolExecutor  # with logging behind it; one spawn needs neither

    with ThreadPoolExecutor(max_workers=max_concurrent, thread_name_prefix="polecat") as pool:
        list(pool.map(lambda attempt: guarded(attempt, do), todo))


def _outcome(attempt: Attempt) -> SpawnedPolecat | PolecatError:
    outcome = attempt.result or attempt.error
    if outcome is None:
        raise AssertionError("the attempt has no end")
    return outcome
