"""How a polecat is made. Read top to bottom; the steps themselves are in `spawn_steps`, in this order.

    look → key → admit → bead → claim → orphan → worktree → provision → hook → session → working → ready → record

*look*, *key* and *admit* touch nothing. From the claim on, each step registers its undo only after it succeeded. A failure undoes all of them
in reverse, and the error lists what could not be undone. A process that is killed skips that; its claim is left, and its lock is
free, so a `reconcile` knows that it died and removes what it had made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial

from attrs import evolve

from polecat.adapters.world import FullWorld, full_world
from polecat.core.plan import SpawnPlan
from polecat.errors import PolecatError, UnknownStateError
from polecat.lifecycle import spawn_steps as steps
from polecat.lifecycle.attempt import Attempt, guarded, still_open
from polecat.lifecycle.claim import claim_names, plan_for, predicted_name
from polecat.lifecycle.keys import check_key, refuse_twins
from polecat.lifecycle.rate_limit import RateLimit
from polecat.lifecycle.sessions import await_agents
from polecat.model import FetchPolicy, Rig, SpawnedPolecat, SpawnOptions
from polecat.ports import World
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.hook import check_bead
from polecat.upkeep.observation import Observation, check_disk, choose, observe, observe_sessions, read_context, with_gastown
from polecat.upkeep.recovery import take_back
from polecat.upkeep.spares import refill_in_background
from polecat.upkeep.undo import TAKEN_BACK
from polecat.upkeep.worktrees import SharedFetch

MAX_CONCURRENT = 4
"""How many checkouts run at a time. They are bound by disk and CPU, so more than a few are not faster."""


def spawn_for_sling(rig: Rig | str, opts: SpawnOptions | None = None, *, world: World | None = None) -> SpawnedPolecat:
    """Make a polecat: a name, a worktree, a hook, a session with an agent that is ready.

    Returns as soon as the agent is ready. If anything fails, everything that was made is undone first. Safe to call from several
    threads and processes at once, on one rig or many.

    Args:
        rig: the rig, or the name of one in the town that contains the working directory.
        opts: what is asked; every option has a default.
        world: the world to use; what it leaves out is the real thing.

    Returns:
        What was made.

    Raises:
        SpawnRefusedError: a rule said no; nothing was touched.
        SpawnFailedError: it began and failed; ``undone`` and ``left_behind`` say what is left of it.
        NotFoundError: no such town, rig, agent or account.
        ConfigError: a configuration file is invalid.
        LockTimeoutError: a lock was not free in time.

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
    """Make several polecats at once: one observation, one fetch, one claim of all names, parallel checkouts, one wait for all.

    Args:
        rig: the rig, or its name.
        opts: one element for each polecat.
        max_concurrent: how many checkouts run at a time, 1 or more.
        min_interval_s: seconds between the starts of two agents, at least; for providers that limit the rate.
        world: the world to use; what it leaves out is the real thing.

    Returns:
        One result for each element of *opts*, in order: the polecat, or the error. A failure does not affect the others.

    Raises:
        PolecatError: the rig as a whole cannot be used: it does not exist, its settings are invalid, tmux cannot be asked.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> [cat.polecat_name for cat in spawn_many(rig, [SpawnOptions()] * 2, world=world)]
        ['furiosa', 'nux']
    """
    rig = with_gastown(as_rig(rig), world, mark=True)
    is_real = world is None or world.git is None
    world = full_world(rig, world)
    attempts = [Attempt(world=world, rig_name=rig.name, opts=one) for one in _checked(opts)]
    try:
        _spawn_all(world, rig, attempts, max_concurrent, RateLimit(world.clock, min_interval_s))
    except BaseException as stop:
        with ExitStack() as each_of_them:  # also when another interrupt comes amid one
            for attempt in attempts:
                each_of_them.callback(attempt.abandon, partial(sweep, world, rig))
        if any(attempt.is_claimed for attempt in attempts):
            stop.add_note(TAKEN_BACK)
        raise
    if is_real and any(attempt.used_spare for attempt in attempts):
        refill_in_background(rig, world.environ)
    return [attempt.outcome for attempt in attempts if attempt.outcome is not None]  # by now each has one


def plan_spawn(rig: Rig | str, opts: SpawnOptions | None = None, *, world: World | None = None) -> SpawnPlan:
    """Decide what a spawn would do; touches nothing. Files are read, and tmux is asked for its sessions.

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
    rig = with_gastown(as_rig(rig), world, mark=False)
    [opts] = _checked([opts or SpawnOptions()])
    world = full_world(rig, world)
    observed = observe(world, rig)
    choice = choose(world, observed, opts)
    check_disk(world, observed)
    check_key(rig, opts)
    doubt = check_bead(world, observed, opts).warning
    plan = plan_for(observed, opts, choice, predicted_name(observed, opts.name), world.clock.now())
    return evolve(plan, warnings=(*plan.warnings, doubt)) if doubt else plan


def _checked(opts: Iterable[SpawnOptions]) -> list[SpawnOptions]:
    if isinstance(opts, (SpawnOptions, str)) or not isinstance(opts, Iterable):
        raise TypeError(f"spawn_many takes a list of SpawnOptions, one for each polecat; not {opts!r}")
    asked = list(opts)
    for one in asked:
        if not isinstance(one, SpawnOptions):
            raise TypeError(f"what a spawn is asked to do is a SpawnOptions, such as SpawnOptions(hook_bead='gt-1'); not {one!r}")
    return asked


# ------------------------------------------------------------------------------------------------------- the flow


def _spawn_all(world: FullWorld, rig: Rig, attempts: Sequence[Attempt], max_concurrent: int, rate: RateLimit) -> None:
    context = read_context(rig)
    refuse_twins(attempts)
    with ExitStack() as held:
        # first of all, because what is there is the answer even where another would be refused;
        # whoever waits for several keys does so in one order, and holds nothing else yet
        each(sorted(attempts, key=lambda attempt: attempt.opts.key or ""), lambda attempt: steps.reserve_key(rig, attempt, held))
        each(attempts, lambda attempt: steps.admit(context, attempt))
        if not still_open(attempts):
            return
        with closing(
            SharedFetch(world, context, _eagerest(still_open(attempts)))
        ) as fetch:  # runs in parallel with everything up to the worktree
            observed = observe_sessions(world, context)
            world.tmux.check()  # the listing has checked the version, unless no server runs yet
            each(attempts, lambda attempt: steps.reserve_bead(observed, attempt, held))
            claim_names(observed, still_open(attempts))
            each(attempts, lambda attempt: _build(observed, attempt, fetch, rate), max_concurrent)
        await_all(world, rig, still_open(attempts))
        each(attempts, lambda attempt: steps.make_record(observed, attempt))


def _build(observed: Observation, attempt: Attempt, fetch: SharedFetch, rate: RateLimit) -> None:
    steps.end_orphan(observed, attempt)
    steps.add_worktree(observed, attempt, fetch)
    steps.provision_worktree(observed, attempt)
    steps.hook_bead(observed.rig, attempt)
    rate.wait()
    steps.start_session(observed, attempt)
    steps.mark_working(attempt)


def await_all(world: FullWorld, rig: Rig, attempts: Sequence[Attempt]) -> None:
    """Wait for the agents of all attempts with the same calls; each that fails, fails alone."""
    waiting = [attempt for attempt in attempts if attempt.opts.wait == "ready"]
    for attempt in waiting:
        attempt.now_at("ready")
    try:
        with ThreadPoolExecutor(thread_name_prefix="polecat") as pool:  # typing waits until the text is taken
            typing: list[Future[None]] = []
            for at, waited in await_agents(world.tmux, [steps.awaited(attempt) for attempt in waiting], clock=world.clock):
                finish = partial(guarded, waiting[at], partial(steps.finish_wait, rig, waited))
                if len(waiting) > 1 and waiting[at].plan.typed:
                    typing.append(pool.submit(finish))
                else:
                    finish()
            for one in typing:
                one.result()
    except PolecatError as error:  # the server cannot be asked any more; each spawn gets an error of its own
        for attempt in still_open(waiting):
            attempt.fail(UnknownStateError(error.message, hint=error.hint))


def sweep(world: FullWorld, rig: Rig, attempt: Attempt) -> None:
    """Remove what an interrupted spawn or start had made but not yet noted: by its instance, as a reconcile would."""
    if attempt.is_claimed:
        claim = attempt.claim
        world.tmux.kill("", name=claim.session, instance=claim.instance)
        if rig.home_dir(claim.polecat).exists():
            take_back(world, observe(world, rig), claim)


def _eagerest(attempts: Sequence[Attempt]) -> FetchPolicy:
    """The policy of a batch that fetches most often: one fetch serves all."""
    policies = [attempt.opts.fetch or attempt.choice.fetch for attempt in attempts]
    return min(policies, key=lambda p: (("always", "if-older-than", "never").index(p.when), p.max_age_s))


def each(attempts: Sequence[Attempt], do: Callable[[Attempt], None], max_concurrent: int = 1) -> None:
    """Do something with every attempt that is still open, one after the other or in parallel."""
    todo = still_open(attempts)
    if max_concurrent <= 1 or len(todo) <= 1:
        for attempt in todo:
            guarded(attempt, do)
        return
    with ThreadPoolExecutor(max_workers=max_concurrent, thread_name_prefix="polecat") as pool:
        list(pool.map(lambda attempt: guarded(attempt, do), todo))
