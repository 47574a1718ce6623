"""The story: how a polecat comes to be. Read top to bottom; the steps themselves are in `spawn_steps`.

    look → admit → claim → worktree → provision → hook → session → working → ready → record

Looking and admitting touch nothing. From the claim on, each step registers its undo only after it succeeded; a failure takes
everything back in reverse and the error lists what could not be. A process that is killed skips all that; then its claim is
left, held by nobody, and `reconcile` takes the leavings back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from polecat.adapters.world import FullWorld, full_world
from polecat.core.plan import SpawnPlan, make_plan
from polecat.errors import PolecatError, UnknownStateError
from polecat.lifecycle import spawn_steps as steps
from polecat.lifecycle.attempt import Attempt, guarded, still_open
from polecat.lifecycle.claim import claim_names, orphan_in_the_way, predicted_name
from polecat.lifecycle.pace import Pace
from polecat.lifecycle.sessions import await_agents
from polecat.model import FetchPolicy, Rig, SpawnedPolecat, SpawnOptions
from polecat.ports import World
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.hook import check_bead
from polecat.upkeep.observation import (
    Observation,
    RigContext,
    as_orders,
    check_disk,
    choose,
    observe,
    observe_sessions,
    read_context,
)
from polecat.upkeep.recovery import recover
from polecat.upkeep.spares import refill_in_background
from polecat.upkeep.worktrees import SharedFetch, fetching

MAX_CONCURRENT = 4
"""Checkouts at a time. They are bound by disk and CPU; more than a few only get into each other's way."""


def spawn_for_sling(
    rig: Rig | str,
    opts: SpawnOptions | None = None,
    *,
    world: World | None = None,
) -> SpawnedPolecat:
    """Make a polecat: a name, a worktree, a hook, a session with an agent that is ready.

    Returns as soon as the agent is ready. If anything fails, everything that was made is taken back first. Safe to call from
    several threads and processes at once, on one rig or many.

    Args:
        rig: the rig, or the name of one in the town that contains the working directory.
        opts: what is asked; every option has a default.
        world: the outside; what it does not give is the real thing.

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
        >>> spawn_for_sling(rig, SpawnOptions(hook_bead="gt-abc12"), world=world).agent_id
        'gastown/polecats/furiosa'

    Source:
        Contract §6; design §4.
    """
    [result] = spawn_many(rig, [opts or SpawnOptions()], world=world)
    if isinstance(result, PolecatError):
        raise result
    return result


def spawn_many(
    rig: Rig | str,
    opts: Sequence[SpawnOptions],
    *,
    world: World | None = None,
    max_concurrent: int = MAX_CONCURRENT,
    min_interval_s: float = 0.0,
) -> list[SpawnedPolecat | PolecatError]:
    """Make several polecats at once: one look, one fetch, one claim of all names, checkouts side by side, one wait for all.

    Args:
        rig: the rig, or its name.
        opts: one element for each polecat.
        max_concurrent: how many checkouts run at a time, 1 or more.
        min_interval_s: at least so many seconds between the starts of two agents; for providers that limit the rate.
        world: the outside; what it does not give is the real thing.

    Returns:
        One result for each element of *opts*, in order: the polecat, or the error that ended this one. One failure leaves the
        others alone.

    Raises:
        PolecatError: the rig as a whole cannot be used: it does not exist, its settings are invalid, tmux cannot be asked.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> [cat.polecat_name for cat in spawn_many(rig, [SpawnOptions()] * 2, world=world)]
        ['furiosa', 'nux']
    """
    rig = as_rig(rig)
    is_real = world is None or world.git is None
    world = full_world(rig, world)
    attempts = [Attempt(world=world, rig_name=rig.name, opts=one) for one in as_orders(opts)]
    try:
        _spawn_all(world, rig, attempts, max_concurrent, Pace(world.clock, min_interval_s))
    except BaseException:
        for attempt in attempts:
            attempt.abandon(partial(_sweep, world, rig))
        raise
    if is_real and any(attempt.used_spare for attempt in attempts):
        refill_in_background(rig, world.environ)
    return [_outcome(attempt) for attempt in attempts]


def plan_spawn(
    rig: Rig | str,
    opts: SpawnOptions | None = None,
    *,
    world: World | None = None,
) -> SpawnPlan:
    """Decide what a spawn would do, and touch nothing: files are read, tmux is listed, that is all.

    Args:
        rig, opts, world: as for `spawn_for_sling`.

    Returns:
        Every decision of the spawn. A spawn at the same time on the same rig does exactly this.

    Raises:
        PolecatError: the spawn would be refused, for the same reason.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> plan_spawn(rig, world=world).session_name
        'gt-gastown-furiosa'
    """
    rig = as_rig(rig)
    [opts] = as_orders([opts or SpawnOptions()])
    world = full_world(rig, world)
    observed = observe(world, rig)
    choice = choose(world, observed, opts)
    check_disk(world, observed)
    check_bead(world, observed, opts)
    name = predicted_name(observed, opts.name)
    now = world.clock.now()
    return make_plan(
        rig,
        opts,
        choice,
        name=name,
        orphan_session=orphan_in_the_way(observed, name),
        unix_ms=int(now.timestamp() * 1000),
        local_time=now.astimezone().strftime("%Y-%m-%dT%H:%M"),
    )


# ------------------------------------------------------------------------------------------------------- the flow


def _spawn_all(world: FullWorld, rig: Rig, attempts: Sequence[Attempt], max_concurrent: int, pace: Pace) -> None:
    seen = read_context(rig)
    _each(attempts, lambda attempt: _admit(seen, attempt))
    if not still_open(attempts):
        return
    with ExitStack() as held:
        with fetching(world, seen, _eagerest(still_open(attempts))) as news:  # runs beside everything up to the worktree
            observed = observe_sessions(world, seen)
            world.tmux.check()  # the listing has told its version, unless no server runs yet
            _each(attempts, lambda attempt: steps.reserve_bead(observed, attempt, held))
            claim_names(observed, still_open(attempts))
            _each(attempts, lambda attempt: _build(observed, attempt, news, pace), max_concurrent)
        _await_agents(world, rig, still_open(attempts))
        _each(attempts, lambda attempt: steps.make_record(observed, attempt))


def _admit(seen: RigContext, attempt: Attempt) -> None:
    """Refuse what cannot work, before anything is touched."""
    with attempt.step("admit"):
        attempt.choice = choose(attempt.world, seen, attempt.opts)
        check_disk(attempt.world, seen)


def _build(observed: Observation, attempt: Attempt, news: SharedFetch, pace: Pace) -> None:
    steps.clear_the_way(observed, attempt)
    steps.add_worktree(observed, attempt, news)
    steps.provision_worktree(observed, attempt)
    steps.open_bead(observed, attempt)
    pace.wait()
    steps.start_session(observed, attempt)
    steps.say_working(attempt)


def _await_agents(world: FullWorld, rig: Rig, attempts: Sequence[Attempt]) -> None:
    waiting = [attempt for attempt in attempts if attempt.opts.wait == "ready"]
    for attempt in waiting:
        attempt.now_at("ready")
    try:
        for at, waited in await_agents(world.tmux, [steps.awaited(attempt) for attempt in waiting], clock=world.clock):
            guarded(waiting[at], partial(steps.finish_wait, rig, waited))
    except PolecatError as error:  # the server cannot be asked any more; each spawn ends with an error of its own
        for attempt in still_open(waiting):
            attempt.fail(UnknownStateError(error.message, hint=error.hint))


def _sweep(world: FullWorld, rig: Rig, attempt: Attempt) -> None:
    """Take back what an interrupted spawn had made but not yet noted: by its instance, as a reconcile would."""
    record = attempt.claimed
    if record is not None:
        world.tmux.kill("", name=record.session, instance=record.instance)
        if rig.home_dir(record.polecat).exists():
            recover(world, observe(world, rig), record)


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
    with ThreadPoolExecutor(max_workers=max_concurrent, thread_name_prefix="polecat") as pool:
        list(pool.map(lambda attempt: guarded(attempt, do), todo))


def _outcome(attempt: Attempt) -> SpawnedPolecat | PolecatError:
    outcome = attempt.result or attempt.error
    if outcome is None:
        raise AssertionError("the attempt has no end")
    return outcome
