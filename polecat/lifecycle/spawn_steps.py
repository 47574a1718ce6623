"""The steps of a spawn, one function each, in the order in which they are taken. `spawn` calls them.

Each does one thing through the ports and registers its undo after that thing exists.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Literal

from attrs import evolve

from polecat.core.plan import SpawnPlan, identity_env, process_env
from polecat.core.readiness import Awaited
from polecat.errors import AgentDiedError, NotReadyError, SessionExistsError
from polecat.lifecycle.attempt import Attempt
from polecat.lifecycle.sessions import WaitResult, indent, on_exit_command, status_options
from polecat.model import Rig, SpawnedPolecat
from polecat.place.prepare import Place, leave_place, prepare_place
from polecat.place.provision import provision
from polecat.ports import SessionRequest, StartedSession
from polecat.town.breaker import count_failure, reset_breaker
from polecat.town.events import append_event, event_line
from polecat.town.homes import clone_path
from polecat.town.records import Record, settle, write_claim
from polecat.upkeep.hook import check_bead, mark_working, open_agent_bead, take_bead_lock
from polecat.upkeep.observation import Observation
from polecat.upkeep.spares import take_spare
from polecat.upkeep.termination import end_session, end_unseen
from polecat.upkeep.worktrees import SharedFetch, discard_worktree, find_base, make_worktree


def reserve_bead(observed: Observation, attempt: Attempt, held: ExitStack) -> None:
    """Refuse a bead that somebody has. Its lock is held from here to the end of the spawn."""
    opts, world = attempt.opts, attempt.world
    if opts.hook_bead:
        with attempt.step("bead"):
            held.callback(take_bead_lock(observed.rig, opts.hook_bead).release)
            seen = check_bead(world, observed, opts)
            attempt.bead_holder = seen.holder
            if seen.existing is not None:
                attempt.finish(_as_it_stands(observed, attempt, seen.existing))


def _as_it_stands(observed: Observation, attempt: Attempt, record: Record) -> SpawnedPolecat:
    """The polecat that has the bead already: asking twice for the same makes no second one."""
    return SpawnedPolecat(
        rig_name=record.rig,
        polecat_name=record.polecat,
        clone_path=clone_path(observed.rig, record.polecat),
        session_name=record.session,
        pane=record.pane,
        branch=record.branch,
        base_commit=record.base_commit,
        hook_bead=attempt.opts.hook_bead,
        instance=record.instance,
        readiness="not awaited",
        agent=record.agent,
        session_id=record.session_id,
        tmux_socket=record.tmux_socket or None,
        pid=record.agent_pid,
        warnings=(f"{record.polecat} has {attempt.opts.hook_bead} already; nothing was made",),
        timings=attempt.timings(),
    )


def clear_the_way(observed: Observation, attempt: Attempt) -> None:
    """End the orphan session that bears our name. The polecat's lock is ours, so nobody is just making one."""
    orphan = observed.sessions.own.get(attempt.plan.polecat_name)
    if orphan is not None:
        with attempt.step("orphan") as facts:
            facts["session"] = orphan.name
            end_session(attempt.world, orphan)


def add_worktree(observed: Observation, attempt: Attempt, news: SharedFetch) -> None:
    """Make the worktree on its branch, from the remote's tip."""
    with attempt.step("worktree") as facts:
        world, plan, claim = attempt.world, attempt.plan, attempt.claim
        base = find_base(world, observed, plan.upstream, failure=news.failure())
        if base.warning:
            attempt.warnings.append(base.warning)
        attempt.base_age_s = base.age_s
        attempt.claim = claim = evolve(claim, base_commit=base.commit)
        write_claim(observed.rig, claim)
        spare = take_spare(world, observed, plan.clone_path, branch=plan.branch, base=base)
        worktree = spare or make_worktree(world, observed, plan.clone_path, branch=plan.branch, base=base)
        attempt.worktree, attempt.used_spare = worktree, spare is not None
        attempt.undo.add(
            "worktree",
            lambda: discard_worktree(world, observed, worktree, claim, was_used=attempt.had_session),
        )
        if not worktree.is_filled:
            world.git.check_out(worktree, leave_out=plan.leave_out, lazy_lfs=observed.settings.place.is_lfs_lazy)
        facts.update(branch=plan.branch, base_commit=base.commit, path=str(plan.clone_path), spare=attempt.used_spare)


def provision_worktree(observed: Observation, attempt: Attempt) -> None:
    """Put into the worktree what an agent's place needs beyond a checkout."""
    with attempt.step("provision") as facts:
        place = _prepare_place(observed, attempt)
        warnings = provision(
            observed.rig,
            attempt.plan.clone_path,
            repo=observed.repo,
            settings=observed.settings,
            agent=attempt.plan.agent,
            environ=attempt.world.environ,
            has_gt=attempt.choice.has_gt,
            git=attempt.world.git,
            variables=place.variables,
        )
        attempt.warnings.extend((*place.warnings, *warnings))
        facts["warnings"] = [*place.warnings, *warnings]


def _prepare_place(observed: Observation, attempt: Attempt) -> Place:
    rig, plan, settings = observed.rig, attempt.plan, observed.settings
    environ = attempt.world.environ
    place = prepare_place(rig, plan.clone_path, plan.agent, settings=settings, config_dir=plan.config_dir, environ=environ)
    if place.trusted_as:
        attempt.undo.add("trust", lambda: leave_place(rig, plan.polecat_name))
    attempt.variables = place.variables
    return place


def open_bead(observed: Observation, attempt: Attempt) -> None:
    """Create or reopen the agent bead and set the hook, read back; before the session, so that no agent finds an empty hook."""
    with attempt.step("hook") as facts:
        plan = attempt.plan
        open_agent_bead(attempt.world, observed, plan, attempt.undo, holder=attempt.bead_holder)
        facts.update(agent_bead=plan.agent_bead, hook_bead=plan.hook_bead)


def start_session(observed: Observation, attempt: Attempt) -> None:
    """Start the agent in a session of its own, complete in one call."""
    with attempt.step("session") as facts:
        world, plan = attempt.world, attempt.plan
        attempt.claim = evolve(attempt.claim, may_have_run=True)
        write_claim(observed.rig, attempt.claim)
        session = _started(observed, attempt)
        attempt.agent = world.processes.identify(session.pane_pid)
        attempt.claim = evolve(
            attempt.claim,
            session_id=session.id,
            pane=session.pane_id,
            agent_pid=session.pane_pid,
            server_pid=session.server_pid,
        )
        write_claim(observed.rig, attempt.claim)
        facts.update(session=plan.session_name, pane=session.pane_id, pid=session.pane_pid)


def _end_session(attempt: Attempt, session: StartedSession) -> None:
    end_session(attempt.world, session, root=attempt.agent)
    attempt.session = None


def _started(observed: Observation, attempt: Attempt) -> StartedSession:
    """Start it; a start that breaks may have made a session all the same, and until that is known nothing under it is taken away."""
    try:
        attempt.session = session = attempt.world.tmux.start(_session_request(observed, attempt))
        attempt.had_session = True
        attempt.undo.add("session", lambda: _end_session(attempt, session), holds_rest=True)
        return session
    except SessionExistsError:
        raise
    except BaseException:
        attempt.had_session = True
        step = partial(end_unseen, attempt.world, attempt.claim.instance)
        attempt.undo.add("perhaps its session", step, is_silent=True, holds_rest=True)
        raise


def say_working(attempt: Attempt) -> None:
    """Say on the agent bead that the agent works: while it comes up, which takes longer than saying so."""
    with attempt.step("working"):
        mark_working(attempt.world, attempt.plan, attempt.warnings)


def _session_request(observed: Observation, attempt: Attempt) -> SessionRequest:
    rig, plan, choice, instance = observed.rig, attempt.plan, attempt.choice, attempt.claim.instance
    scratch = rig.runtime_dir / "launch"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    name, caller = plan.polecat_name, attempt.world.environ
    return SessionRequest(
        name=plan.session_name,
        instance=instance,
        cwd=plan.clone_path,
        argv=plan.argv,
        environment=process_env(rig, attempt.opts, choice, name=name, instance=instance, caller=caller, place=attempt.variables),
        session_environment={**identity_env(rig, choice, name=name), "POLECAT_ID": instance},
        options=status_options(rig.name, name, plan.session_name, has_gt=choice.has_gt),
        on_exit=on_exit_command(rig, name, plan.session_name, instance),
        scratch_dir=scratch,
        bind_keys=attempt.opts.bind_keys,
    )


def awaited(attempt: Attempt) -> Awaited:
    """What to wait for."""
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
    """Take note of how the waiting ended, and give the agent its text if it is ready.

    Raises:
        AgentDiedError: it ended, with whatever status.
        NotReadyError: it lives and is not ready in time.
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
        attempt.tell("agent_waiting", duration_s=waited.waited_s, dialog=attempt.waiting_for)
        return
    attempt.tell("agent_ready", duration_s=waited.waited_s, agent=plan.agent.name)
    if plan.typed:
        attempt.world.tmux.send_text(attempt.claim.pane, plan.typed, instance=attempt.claim.instance)


def _death(plan: SpawnPlan, waited: WaitResult) -> AgentDiedError:
    status = waited.status
    how = "ended"
    if status.signal:
        how = f"was ended by signal {status.signal}"
    elif status.exit_code is not None:
        how = f"ended with status {status.exit_code}"
    words = f"; its last words:\n{indent(waited.screen)}" if waited.screen.strip() else "; it said nothing"
    return AgentDiedError(
        f"the agent of {plan.agent_id} {how} after {waited.waited_s:.1f} s{words}",
        step="ready",
        screen=waited.screen,
        exit_code=status.exit_code,
        signal=status.signal,
    )


def make_record(observed: Observation, attempt: Attempt) -> None:
    """Turn the claim into a record and tell the feed; from here on nothing is taken back."""
    with attempt.step("record", tells=False):
        world, plan = attempt.world, attempt.plan
        if attempt.session is not None and not attempt.is_released and not world.tmux.release(attempt.session):
            raise AgentDiedError(f"the agent of {plan.agent_id} ended right after it was ready", step="record")
        settle(observed.rig, attempt.claim)
        if plan.hook_bead:
            reset_breaker(observed.rig, plan.hook_bead)
        payload = {"rig": observed.rig.name, "polecat": plan.polecat_name}
        try:
            append_event(observed.rig.town_root, event_line(world.clock.now(), "spawn", actor="gt", payload=payload))
        except OSError as error:
            attempt.warnings.append(f"the activity feed could not be written: {error.strerror or error}")
    result = _result(attempt)
    attempt.finish(result)
    attempt.tell(
        "polecat_spawned",
        duration_s=result.timings.total_s,
        clone_path=str(result.clone_path),
        branch=result.branch,
        base_commit=result.base_commit,
        base_age_s=result.base_age_s,
        session=result.session_name,
        session_id=result.session_id,
        tmux_socket=result.tmux_socket,
        pane=result.pane,
        pid=result.pid,
        agent=result.agent,
        hook_bead=result.hook_bead,
        readiness=result.readiness,
        waiting_for=result.waiting_for,
        warnings=list(result.warnings),
        timings=dict(result.timings.steps),
    )


def _readiness(attempt: Attempt) -> Literal["ready", "waiting", "not awaited"]:
    if attempt.opts.wait == "no":
        return "not awaited"
    return "waiting" if attempt.waiting_for else "ready"


def _result(attempt: Attempt) -> SpawnedPolecat:
    plan, claim = attempt.plan, attempt.claim
    return SpawnedPolecat(
        rig_name=plan.rig_name,
        polecat_name=plan.polecat_name,
        clone_path=plan.clone_path,
        session_name=plan.session_name,
        pane=claim.pane,
        branch=plan.branch,
        base_commit=claim.base_commit,
        hook_bead=plan.hook_bead or None,
        instance=claim.instance,
        readiness=_readiness(attempt),
        waiting_for=attempt.waiting_for,
        agent=plan.agent.name,
        session_id=claim.session_id,
        tmux_socket=attempt.world.tmux.socket,
        pid=claim.agent_pid,
        base_age_s=attempt.base_age_s,
        warnings=tuple(attempt.warnings),
        timings=attempt.timings(),
    )
