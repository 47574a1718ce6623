"""The steps of a spawn, one function each, in the order in which they are taken. `spawn` calls them.

Each does one thing through the ports and registers its undo after that thing exists.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from attrs import evolve

from polecat.core.event_names import EVENTS
from polecat.core.plan import SpawnPlan, identity_env, process_env
from polecat.core.readiness import Awaited
from polecat.core.sessions import may_be_ended
from polecat.errors import AgentDiedError, BeadClosedError, BeadsError, NotReadyError, PolecatError, SessionExistsError
from polecat.lifecycle.attempt import Attempt
from polecat.lifecycle.delivery import Typist
from polecat.lifecycle.keys import polecat_of_key
from polecat.lifecycle.sessions import WaitResult, indent, on_exit_command, status_options
from polecat.model import Rig, SpawnedPolecat
from polecat.ports import SessionRequest, StartedSession
from polecat.town.breaker import count_failure, reset_breaker
from polecat.town.endings import end_path
from polecat.town.events import append_event, event_line
from polecat.town.homes import clone_path
from polecat.town.pool_state import note_unusable
from polecat.town.records import Record, settle, write_claim
from polecat.upkeep.hook import check_bead, close_own_agent, give_back, open_agent_bead, take_bead_lock
from polecat.upkeep.observation import Observation, RigContext, check_disk, choose
from polecat.upkeep.spares import take_spare
from polecat.upkeep.termination import end_session, end_unseen
from polecat.upkeep.worktrees import SharedFetch, check_out, discard_worktree, find_base, make_worktree, prepare_worktree


def admit(context: RigContext, attempt: Attempt) -> None:
    """Refuse what cannot work, before anything is touched."""
    with attempt.step("admit"):
        attempt.choice = choose(attempt.world, context, attempt.opts)
        check_disk(attempt.world, context)


def reserve_key(rig: Rig, attempt: Attempt, held: ExitStack) -> None:
    """Take the lock of the order's key, held to the end of the spawn. A polecat that was made for that key is the result."""
    if attempt.opts.key:
        with attempt.step("key"):
            there = polecat_of_key(attempt.world, rig, attempt.opts, held)
            if there is not None:
                _finish_with(attempt, rig, there, f"has the key {attempt.opts.key!r}")


def reserve_bead(observed: Observation, attempt: Attempt, held: ExitStack) -> None:
    """Refuse a bead that is taken. Its lock is held from here to the end of the spawn.

    If the polecat that was asked for has the bead already, that one is the result: the same request twice makes no second one.
    """
    bead = attempt.opts.hook_bead
    if not bead:
        return
    with attempt.step("bead"):
        held.callback(take_bead_lock(observed.rig, bead).release)
        found = check_bead(attempt.world, observed, attempt.opts)
        attempt.bead = found.bead
        attempt.warnings += filter(None, [found.warning])
        if found.existing is not None:
            _finish_with(attempt, observed.rig, evolve(found.existing, hook_bead=bead), f"has {bead}")


def _finish_with(attempt: Attempt, rig: Rig, there: Record, why: str) -> None:
    """End with a polecat that is there already, as it stands."""
    warning = f"{there.polecat} {why} already; nothing was made"
    attempt.finish(evolve(_spawned(rig, there), readiness="not awaited", warnings=(warning,), timings=attempt.timings()))


def end_orphan(observed: Observation, attempt: Attempt) -> None:
    """End the orphan session that has our name. We hold the polecat's lock, so nobody is making it."""
    name = attempt.plan.polecat_name
    orphan = observed.sessions.own.get(name)
    if orphan is not None and may_be_ended(orphan, observed.sessions, name):
        with attempt.step("orphan") as facts:
            facts["session"] = orphan.name
            end_session(attempt.world, orphan)


def add_worktree(observed: Observation, attempt: Attempt, fetch: SharedFetch) -> None:
    """Make the worktree on its branch, from the remote's tip."""
    with attempt.step("worktree") as facts:
        world, plan = attempt.world, attempt.plan
        base = find_base(world, observed, plan.upstream, failure=fetch.failure())
        if base.warning:
            attempt.warnings.append(base.warning)
        attempt.base_age_s = base.age_s
        attempt.claim = claim = evolve(attempt.claim, base_commit=base.commit)
        write_claim(observed.rig, claim)
        spare = take_spare(world, observed, plan.clone_path, branch=plan.branch, base=base)
        attempt.used_spare = spare is not None
        worktree = spare or make_worktree(world, observed, plan.clone_path, branch=plan.branch, base=base)
        attempt.undo.add("worktree", lambda: discard_worktree(world, observed, worktree, claim, was_used=attempt.had_session))
        if not worktree.is_filled:
            check_out(world, observed, worktree)
        facts.update(branch=plan.branch, base_commit=base.commit, path=str(plan.clone_path), spare=attempt.used_spare)


def provision_worktree(observed: Observation, attempt: Attempt) -> None:
    """Put into the worktree what an agent's place needs beyond a checkout."""
    with attempt.step("provision") as facts:
        place = prepare_worktree(attempt.world, observed, attempt.choice, attempt.plan.clone_path, undo=attempt.undo)
        attempt.variables = place.variables
        attempt.warnings.extend(place.warnings)
        facts["warnings"] = list(place.warnings)


def hook_bead(rig: Rig, attempt: Attempt) -> None:
    """Open the agent bead and set the hook, read back; before the session, so that no agent finds an empty hook."""
    with attempt.step("hook") as facts:
        beads, plan, undo = attempt.world.beads, attempt.plan, attempt.undo
        with undo.making("agent bead", lambda: close_own_agent(attempt.world, plan.agent_bead, reason="spawn undone")):
            try:
                open_agent_bead(attempt.world, attempt.claim, state="spawning")
            except BeadClosedError:  # for good: the next spawn would be given this name again, and fail as well
                note_unusable(rig, plan.polecat_name)
                raise
        for left in beads.held_by(plan.agent_id):  # of a predecessor that is gone: a name that is used again inherits nothing
            if left.id != plan.hook_bead:
                beads.unassign(left.id, expected=left.assignee)
        if plan.hook_bead:
            was = attempt.bead
            with undo.making("hook", lambda: give_back(attempt.world, was, plan.hook_bead, plan.agent_id)):
                beads.hook(plan.hook_bead, assignee=plan.agent_id, expected=was.assignee if was else "")
        facts.update(agent_bead=plan.agent_bead, hook_bead=plan.hook_bead)


def start_session(observed: Observation, attempt: Attempt) -> None:
    """Start the agent in its session, complete in one call."""
    with attempt.step("session") as facts:
        attempt.claim = evolve(attempt.claim, may_have_run=True)
        write_claim(observed.rig, attempt.claim)
        session = _start(observed, attempt)
        if session.lost:
            attempt.warnings.append(
                f"the tmux server has ended since it was asked, and with it the sessions {', '.join(session.lost)}"
            )
        attempt.agent = attempt.world.processes.identify(session.pane_pid)
        server = attempt.world.processes.identify(session.server_pid)
        attempt.claim = evolve(
            attempt.claim,
            session_id=session.id,
            pane=session.pane_id,
            agent_pid=session.pane_pid,
            agent_started=attempt.agent.start_time if attempt.agent else 0,
            server_pid=session.server_pid,
            server_started=server.start_time if server else 0,
            socket_path=session.socket_path,
        )
        write_claim(observed.rig, attempt.claim)
        facts.update(session=session.name, pane=session.pane_id, pid=session.pane_pid)


def _start(observed: Observation, attempt: Attempt) -> StartedSession:
    """Start the session. A start that fails may have made one all the same; until that is known, the worktree must stay."""
    world = attempt.world
    try:
        attempt.session = session = world.tmux.start(_session_request(observed, attempt))
        attempt.had_session = True
        attempt.undo.add("session", lambda: end_session(world, session, root=attempt.agent), holds_rest=True)
        return session
    except SessionExistsError:
        raise
    except BaseException:
        attempt.had_session = True
        step = partial(end_unseen, world, attempt.claim.instance)
        attempt.undo.add("perhaps its session", step, is_silent=True, holds_rest=True)
        raise


def _session_request(observed: Observation, attempt: Attempt) -> SessionRequest:
    rig, plan, choice, instance = observed.rig, attempt.plan, attempt.choice, attempt.claim.instance
    name, caller = plan.polecat_name, attempt.world.environ
    scratch, end_file = rig.runtime_dir / "launch", end_path(rig, name, instance)
    for private in (scratch, end_file.parent):
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SessionRequest(
        name=plan.session_name,
        instance=instance,
        cwd=plan.clone_path,
        argv=plan.argv,
        environment=process_env(rig, attempt.opts, choice, name=name, instance=instance, caller=caller, place=attempt.variables),
        # no POLECAT_ID: a pane that a person opens beside the agent is not the agent's
        session_environment=identity_env(rig, choice, name=name),
        options=status_options(rig.name, name, plan.session_name, has_gt=choice.has_gt),
        on_exit=on_exit_command(rig, name, plan.session_name, instance),
        end_file=end_file,
        scratch_dir=scratch,
        bind_keys=attempt.opts.bind_keys,
    )


def mark_working(attempt: Attempt) -> None:
    """Set the agent bead to *working*, while the agent starts; a store that fails here is only a warning."""
    with attempt.step("working"):
        try:
            attempt.world.beads.update_agent(attempt.plan.agent_bead, agent_state="working")
        except BeadsError as error:
            attempt.warnings.append(f"the agent bead still says 'spawning': {error.message}")


def awaited(attempt: Attempt) -> Awaited:
    """What to wait for in an agent's pane."""
    plan, now_s = attempt.plan, attempt.world.clock.monotonic_s()
    return Awaited(
        pane_id=attempt.claim.pane,
        instance=attempt.claim.instance,
        agent=plan.agent,
        accepts_trust=plan.accepts_trust,
        began_s=now_s,
        deadline_s=now_s + plan.ready_timeout_s,
    )


def finish_wait(rig: Rig, waited: WaitResult, attempt: Attempt) -> None:
    """Judge how the wait ended, and type the agent's text if it is ready.

    Raises:
        AgentDiedError: the agent has ended.
        NotReadyError: the agent was not ready in time.
    """
    attempt.took("ready", waited.waited_s)
    attempt.is_released = waited.status.is_released
    plan, outcome = attempt.plan, waited.judgement.outcome
    if outcome in ("died", "gone", "late") and plan.hook_bead:
        count_failure(rig, plan.hook_bead)
    if outcome in ("died", "gone"):
        raise _death(plan, waited)
    if outcome == "late":
        raise NotReadyError(
            f"the agent of {plan.agent_id} was not ready within {plan.ready_timeout_s:g} s; it shows:\n{indent(waited.screen)}",
            step="ready",
            screen=waited.screen,
            hint="give it longer (--ready-timeout), or say how its prompt looks (tmux.ready_prompt_prefix of the agent)",
        )
    if outcome == "waiting" and waited.judgement.dialog is not None:
        attempt.waiting_for = waited.judgement.dialog.name
        if plan.typed:
            attempt.warnings.append("nothing was typed to the agent, because it asks something first")
        attempt.emit("agent_waiting", duration_s=waited.waited_s, dialog=attempt.waiting_for)
        return
    attempt.emit("agent_ready", duration_s=waited.waited_s, agent=plan.agent.name)
    if plan.typed:
        _type(attempt, plan.typed)


def _type(attempt: Attempt, text: str) -> None:
    """Type the agent's text; that it was not taken is a warning, and a question that came up meanwhile is what it waits for."""
    typist = Typist(attempt.world.tmux, attempt.claim.pane, instance=attempt.claim.instance, clock=attempt.world.clock)
    delivery = typist.deliver(text, attempt.plan.agent.signs)
    attempt.waiting_for = delivery.asks
    if delivery.outcome in ("not taken", "refused"):
        attempt.warnings.append(f"the agent was ready, but did not take its first text: {delivery}")


def _death(plan: SpawnPlan, waited: WaitResult) -> AgentDiedError:
    status = waited.status
    how = "ended"
    if status.signal:
        how = f"was ended by signal {status.signal}"
    elif status.exit_code is not None:
        how = f"ended with status {status.exit_code}"
    words = f"; its last words:\n{indent(waited.screen)}" if waited.screen.strip(" \n") else "; it said nothing"
    return AgentDiedError(
        f"the agent of {plan.agent_id} {how} after {waited.waited_s:.1f} s{words}",
        step="ready",
        screen=waited.screen,
        exit_code=status.exit_code,
        signal=status.signal,
    )


def make_record(observed: Observation, attempt: Attempt, *, event: str = "polecat_spawned") -> None:
    """Turn the claim into a record and append to the feed; from here on nothing is undone."""
    with attempt.step("record", emits=False):
        world, plan = attempt.world, attempt.plan
        if attempt.session is not None and not attempt.is_released and not world.tmux.release(attempt.session):
            raise AgentDiedError(f"the agent of {plan.agent_id} ended right after it was ready", step="record")
        settle(observed.rig, attempt.claim)
        if plan.hook_bead:
            try:
                reset_breaker(observed.rig, plan.hook_bead)
            except PolecatError as error:
                attempt.warnings.append(error.message)
        payload, kind = {"rig": observed.rig.name, "polecat": plan.polecat_name}, "spawn"
        if event == "polecat_started":
            payload, kind = {"agent": plan.agent_id, "session": plan.session_name}, "session_start"
        try:
            append_event(observed.rig.town_root, event_line(world.clock.now(), kind, actor="gt", payload=payload))
        except OSError as error:
            attempt.warnings.append(f"the activity feed could not be written: {error.strerror or error}")
    result = evolve(
        _spawned(observed.rig, attempt.claim),
        readiness="not awaited" if attempt.opts.wait == "no" else "waiting" if attempt.waiting_for else "ready",
        waiting_for=attempt.waiting_for,
        base_age_s=attempt.base_age_s,
        warnings=tuple(attempt.warnings),
        timings=attempt.timings(),
    )
    attempt.finish(result)
    attempt.emit(event, duration_s=result.timings.total_s, **_facts(result, event))


def _facts(result: SpawnedPolecat, event: str) -> dict[str, object]:
    """The facts of the last event of a spawn or a start: those that the table of events lists for it."""
    written = {
        "clone_path": str(result.clone_path),
        "session": result.session_name,
        "warnings": list(result.warnings),
        "timings": dict(result.timings.steps),
    }
    return {key: written[key] if key in written else getattr(result, key) for key in EVENTS[event].facts}


def _spawned(rig: Rig, record: Record) -> SpawnedPolecat:
    """The polecat of a claim or a record."""
    return SpawnedPolecat(
        rig_name=rig.name,
        polecat_name=record.polecat,
        clone_path=clone_path(rig, record.polecat),
        session_name=record.session,
        pane=record.pane,
        branch=record.branch,
        base_commit=record.base_commit,
        hook_bead=record.hook_bead or None,
        instance=record.instance,
        agent=record.agent,
        session_id=record.session_id,
        tmux_socket=record.tmux_socket or None,
        pid=record.agent_pid,
        key=record.key,
    )
