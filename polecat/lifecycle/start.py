"""How a polecat whose agent has ended is started again, in the place it has. The story of a spawn with fewer steps.

    look → admit → claim → hook → session → working → ready → record

The steps are those of `polecat.lifecycle.spawn_steps`. The claim stands beside the record until the start is over: a failure takes
session and claim back and leaves the polecat as it was, and so does the next reconcile after a start that was killed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from attrs import evolve

from polecat.adapters.world import FullWorld, full_world
from polecat.core.plan import SpawnPlan
from polecat.errors import PolecatError, SpawnRefusedError, UnknownStateError
from polecat.lifecycle import spawn_steps as steps
from polecat.lifecycle.attempt import Attempt, guarded, still_open
from polecat.lifecycle.claim import plan_for
from polecat.lifecycle.spawn import MAX_CONCURRENT, await_all, each, sweep
from polecat.model import Polecat, PolecatState, Rig, SpawnedPolecat, SpawnOptions
from polecat.names import agent_id
from polecat.place.prepare import place_env
from polecat.ports import World
from polecat.town.endings import end_path
from polecat.town.homes import clone_path
from polecat.town.locks import polecat_lock, take
from polecat.town.records import Record, drop_claim, new_instance_id, write_claim
from polecat.upkeep.addressing import Target, as_rig, find_target
from polecat.upkeep.hook import close_own_agent, open_agent_bead
from polecat.upkeep.inspection import record_of
from polecat.upkeep.listing import list_polecats
from polecat.upkeep.liveness import Look
from polecat.upkeep.observation import Observation, observe_sessions, read_context
from polecat.upkeep.recovery import recover_first
from polecat.upkeep.termination import end_session


def start_polecat(
    rig: Rig | str,
    polecat: str | Polecat | SpawnedPolecat,
    *,
    prompt: str | None = None,
    resume: bool = True,
    agent: str | None = None,
    account: str | None = None,
    env: Mapping[str, str] | None = None,
    world: World | None = None,
) -> SpawnedPolecat:
    """Start an agent again in the place of a polecat whose agent has ended.

    Its branch, files, bead and ports stay as they are. It is a new instance: values of the polecat from before mean one that is gone.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        prompt: what the agent is told first.
        resume: continue the agent's own conversation.
        agent: the agent to start; by default the one that ran there.
        account: handle of the account; by default the one that it had.
        env: further variables of the agent's process. Those that its spawn was given were not kept.
        world: as for `spawn_for_sling`.

    Returns:
        The polecat as it runs now.

    Raises:
        PolecatNotFoundError: there is none of that name, or the value's polecat is gone and another one has its name.
        SpawnRefusedError: its agent runs, it has no worktree, or nobody knows how that agent continues a conversation.
        UnknownStateError: whether its agent runs cannot be told.
        SpawnFailedError: it began and failed; ``undone`` and ``left_behind`` say what is left of it.
        NotFoundError: no such agent or account.

    Examples:
        >>> from polecat import SpawnOptions, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        >>> world.tmux.restart_server()
        >>> again = start_polecat(rig, cat, prompt="go on", world=world)
        >>> again.branch == cat.branch, again.instance == cat.instance, world.tmux.request(again.session_name).argv[-2:]
        (True, False, ('--continue', 'go on'))

    Source:
        Design §4.
    """
    opts = SpawnOptions(prompt=prompt, agent=agent, account=account, env=env or {})
    target = find_target(rig, polecat)
    [result] = _start(target.rig, [target], opts, resume=resume, world=world)
    if isinstance(result, PolecatError):
        raise result
    return result


def start_polecats(
    rig: Rig | str,
    polecats: Sequence[str | Polecat | SpawnedPolecat] | None = None,
    *,
    prompt: str | None = None,
    resume: bool = True,
    env: Mapping[str, str] | None = None,
    world: World | None = None,
) -> list[SpawnedPolecat | PolecatError]:
    """Start several polecats again at once, after a reboot everybody: one wait for all.

    Args:
        rig: the rig, or its name.
        polecats: whom; by default everybody whose tmux server went away, and who is not done.
        prompt, resume, env, world: as for `start_polecat`.

    Returns:
        One result for each, in order: the polecat, or the error. A failure does not affect the others.

    Raises:
        PolecatError: the rig as a whole cannot be used, or one of those that are named does not exist.

    Examples:
        >>> from polecat import SpawnOptions, spawn_many
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> _ = spawn_many(rig, [SpawnOptions()] * 2, world=world)
        >>> world.tmux.restart_server()
        >>> [cat.polecat_name for cat in start_polecats(rig, world=world)], start_polecats(rig, world=world)
        (['furiosa', 'nux'], [])
    """
    rig = as_rig(rig)
    if polecats is None:
        polecats = [cat for cat in list_polecats(rig, world=world, with_work=False) if _lost_its_server(cat)]
    targets = [find_target(rig, one) for one in polecats]
    return _start(rig, targets, SpawnOptions(prompt=prompt, env=env or {}), resume=resume, world=world)


def _lost_its_server(cat: Polecat) -> bool:
    return cat.state is PolecatState.STALLED and cat.ended is not None and cat.ended.reason == "server gone"


# ------------------------------------------------------------------------------------------------------- the flow


def _start(
    rig: Rig, targets: Sequence[Target], opts: SpawnOptions, *, resume: bool, world: World | None
) -> list[SpawnedPolecat | PolecatError]:
    world = full_world(rig, world)
    attempts = [Attempt(world=world, rig_name=rig.name, opts=evolve(opts, name=one.name), verb="start") for one in targets]
    try:
        if attempts:
            _start_all(world, rig, attempts, targets, resume=resume)
    except BaseException:
        with ExitStack() as each_of_them:  # also when another interrupt comes amid one
            for attempt in attempts:
                each_of_them.callback(attempt.abandon, partial(sweep, world, rig))
        raise
    return [attempt.outcome for attempt in attempts if attempt.outcome is not None]  # by now each has one


def _start_all(world: FullWorld, rig: Rig, attempts: Sequence[Attempt], targets: Sequence[Target], *, resume: bool) -> None:
    context = read_context(rig)
    observed = observe_sessions(world, context)
    world.tmux.check()  # the listing has checked the version, unless no server runs
    for attempt, target in zip(attempts, targets, strict=True):
        guarded(attempt, partial(_take_place, observed, target=target, resume=resume))
    each(attempts, partial(_build, observed), MAX_CONCURRENT)
    await_all(world, rig, still_open(attempts))
    each(attempts, lambda attempt: steps.make_record(observed, attempt, event="polecat_started"))


def _build(observed: Observation, attempt: Attempt) -> None:
    rig, name = observed.rig, attempt.plan.polecat_name
    attempt.variables, warnings = place_env(rig, name, observed.settings.place)
    attempt.warnings.extend(warnings)
    _note_state(attempt)
    steps.start_session(observed, attempt)
    steps.mark_working(attempt)


def _take_place(observed: Observation, attempt: Attempt, target: Target, *, resume: bool) -> None:
    """Refuse what cannot work; then claim the polecat, whose lock is held from here to the end."""
    world, rig, name = attempt.world, target.rig, target.name
    lock = take(polecat_lock(rig, name), what=f"start {name}")
    attempt.locks.callback(lock.release)
    target.check()
    observed = recover_first(world, observed, name)
    target.check()  # it may be gone now, or another instance
    record = _ended_record(world, observed, name)
    attempt.opts = evolve(
        attempt.opts, agent=attempt.opts.agent or record.agent or None, account=attempt.opts.account or record.account or None
    )
    steps.admit(observed, attempt)
    with attempt.step("claim", emits=False):
        plan = plan_for(observed, attempt.opts, attempt.choice, name, world.clock.now(), resume=resume)
        plan = evolve(plan, branch=record.branch, clone_path=clone_path(rig, name), orphan_session="", hook_bead=record.hook_bead)
        claim = _claim_of(attempt, plan, record)
        write_claim(rig, claim)
        attempt.plan, attempt.claim, attempt.is_claimed = plan, claim, True
        attempt.warnings.extend(plan.warnings)
        attempt.undo.add("claim", partial(_give_back, rig, claim))
        left = observed.sessions.of(name, record.instance)
        if left is not None:  # its dead pane
            end_session(world, left)


def _claim_of(attempt: Attempt, plan: SpawnPlan, record: Record) -> Record:
    """What is claimed: the place as its record has it, with another instance."""
    return Record(
        instance=new_instance_id(),
        polecat=plan.polecat_name,
        rig=attempt.rig_name,
        pid=os.getpid(),
        since=record.since or attempt.world.clock.now().isoformat(timespec="seconds"),
        branch=record.branch,
        base_commit=record.base_commit,
        session=plan.session_name,
        tmux_socket=attempt.world.tmux.socket or "",
        agent=plan.agent.name,
        account=plan.account,
        process_names=plan.agent.all_process_names,
        hook_bead=record.hook_bead,
        agent_bead=plan.agent_bead,
        host=attempt.world.host,
        key=record.key,
        purpose="start",
    )


def _give_back(rig: Rig, claim: Record) -> None:
    end_path(rig, claim.polecat, claim.instance).unlink(missing_ok=True)
    drop_claim(rig, claim)


def _ended_record(world: FullWorld, observed: Observation, name: str) -> Record:
    """The record of a polecat that may be started, with the branch its worktree is on.

    Raises:
        SpawnRefusedError: its agent runs, or it has no worktree.
        UnknownStateError: whether its agent runs cannot be told.
    """
    rig, record = observed.rig, record_of(observed, name)
    who = agent_id(rig.name, name)
    life = Look(world=world, rig=rig, sessions=observed.sessions).life(name, record)
    if life.verdict == "alive":
        raise SpawnRefusedError(f"the agent of {who} runs", hint=f"stop it first: polecat stop {rig.name}/{name}")
    if life.verdict == "unknown":
        raise UnknownStateError(
            f"whether the agent of {who} runs cannot be told: {life.why}", hint="look into it: polecat doctor"
        )
    path = clone_path(rig, name)
    worktree = world.git.find_worktree(observed.repo, path)
    if worktree is None or path == rig.home_dir(name):
        where = "has no worktree" if worktree is None else "stands in the old layout, where a claim would be a change"
        raise SpawnRefusedError(f"{who} {where}", hint=f"give it a fresh one: polecat repair {rig.name}/{name}")
    return evolve(record, branch=worktree.branch or record.branch)


def _note_state(attempt: Attempt) -> None:
    """Make sure that there is an agent bead, and that a start that fails leaves it saying what it said."""
    with attempt.step("hook", emits=False):
        beads, claim, plan = attempt.world.beads, attempt.claim, attempt.plan
        agent = beads.agent(plan.agent_bead)
        if agent is None or not agent.is_open:
            held = [bead.id for bead in beads.held_by(plan.agent_id)]
            record = evolve(claim, hook_bead=held[0] if held else "")
            with attempt.undo.making(
                "agent bead", partial(close_own_agent, attempt.world, plan.agent_bead, reason="start undone")
            ):
                open_agent_bead(attempt.world, record, state="spawning")
            return
        before = agent.fields.agent_state
        step = partial(beads.update_agent, plan.agent_bead, agent_state=before)
        attempt.undo.add("perhaps the state of its agent bead", step, is_silent=True)
