"""Finishing or undoing what a killed process left. The claim says what it was about to do, the disk how far it came.

Every function here can be called again after it was killed itself: it goes by what exists, not by what should have happened.
"""

from __future__ import annotations

import os
from pathlib import Path

from attrs import evolve

from polecat.adapters.world import FullWorld
from polecat.core.bead_rules import holds
from polecat.core.states import DONE_STATES
from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Rig
from polecat.names import agent_id
from polecat.ports import Bead, GitBranches, GitMoves, GitRecovery, StartedSession, Worktree, needs, optional
from polecat.town.endings import end_path, read_end, write_end
from polecat.town.locks import git_lock, holding
from polecat.town.records import Record, drop_claim, drop_record, read_claim, read_record, settle, withdraw_claim
from polecat.upkeep.branches import delete_branch
from polecat.upkeep.hook import give_back, other_host, restore_hook
from polecat.upkeep.liveness import check_host, how_it_ended, recorded_process
from polecat.upkeep.observation import Observation, observe
from polecat.upkeep.termination import end_session, end_unseen
from polecat.upkeep.trash import delete_entry, keep_for_good, no_longer_kept, trash_dir, trash_entry, trashing
from polecat.upkeep.worktrees import discard_worktree, is_untouched


def recover(world: FullWorld, observed: Observation, claim: Record) -> None:
    """Finish or undo the operation of a dead claimant; the caller holds the polecat's lock.

    Raises:
        PolecatError: something could not be done; the claim stays for the next time.
    """
    check_host(world, claim)
    match claim.purpose:
        case "spawn" | "start":
            (_keep if left_something(world, observed, claim) else take_back)(world, observed, claim)
        case "remove":
            _finish_removal(world, observed, claim)
        case "repair":
            _settle_repair(world, observed, claim)


def recover_first(world: FullWorld, observed: Observation, name: str) -> Observation:
    """Recover a polecat from a killed operation before another one begins; the caller holds the polecat's lock.

    Returns:
        The rig as it is afterwards; the polecat may be gone.
    """
    claim = read_claim(observed.rig, name)
    if claim is None:
        return observed
    (adopt if agent_lives(world, observed, claim) else recover)(world, observed, claim)
    return observe(world, observed.rig)


def agent_lives(world: FullWorld, observed: Observation, claim: Record) -> bool:
    """Say whether the agent of a dead claimant's spawn lives and has its bead, so that the polecat is to be kept.

    An agent whose agent bead is closed has not: its spawn was being undone, and another polecat may have its bead by now. A store
    without the agent bead is not the store it was spawned with, which proves nothing.

    Raises:
        BeadsError: the store cannot say.
        UnknownStateError: it lives somewhere else.
    """
    check_host(world, claim)
    session = observed.sessions.by_instance.get(claim.instance)
    starts = claim.purpose in ("spawn", "start")
    if starts and session is None and _runs_elsewhere(world, claim):
        raise UnknownStateError(
            f"the agent of {agent_id(observed.rig.name, claim.polecat)} lives outside of the tmux server that was asked",
            hint=f"its spawn named the server {claim.socket_path or claim.tmux_socket or 'of then'}; ask that one: --socket",
        )
    if not starts or session is None or session.is_dead:
        return False
    agent = world.beads.agent(claim.agent_bead) if claim.agent_bead else None
    return agent is None or agent.is_open


def _runs_elsewhere(world: FullWorld, claim: Record) -> bool:
    """Say whether the recorded process runs; where the spawn named another server and was killed before it recorded one, any of its."""
    if recorded_process(world, claim) is not None:
        return True
    is_other_server = claim.tmux_socket != (world.tmux.socket or "")
    return is_other_server and claim.may_have_run and bool(world.processes.family([], instance=claim.instance))


def left_something(world: FullWorld, observed: Observation, claim: Record) -> bool:
    """Say whether the agent of a dead claimant's spawn ran and left something, so that its polecat is kept and judged like any other.

    That is: it ended well, handed its bead back, said that it is done, or its worktree is not as it was made. A worktree that cannot
    be looked at counts as work. A spawn that was being undone, whose agent bead is closed, left nothing. Of a start it is enough that
    the agent ran: the place was there before.

    Raises:
        PolecatError: git or the store cannot say.
    """
    rig, name = observed.rig, claim.polecat
    if claim.purpose not in ("spawn", "start") or not claim.may_have_run:
        return False
    ended = how_it_ended(world, rig, claim, observed.sessions.by_instance.get(claim.instance))
    has_ended = ended is not None and (ended.is_success or ended.is_failure)  # by itself; else an undo may have ended it
    if claim.purpose == "start":
        return has_ended
    worktree = world.git.find_worktree(observed.repo, rig.home_dir(name) / rig.name)
    agent = world.beads.agent(claim.agent_bead) if claim.agent_bead else None
    if worktree is None or (agent is not None and not agent.is_open):
        return False
    if ended is not None and has_ended:
        held = [bead.id for bead in world.beads.held_by(agent_id(rig.name, name))]
        has_handed_back = bool(claim.hook_bead) and claim.hook_bead not in held
        if ended.is_success or has_handed_back or (agent is not None and agent.fields.agent_state in DONE_STATES):
            return True
    return not is_untouched(world, observed, worktree, at=claim.base_commit)


def _keep(world: FullWorld, observed: Observation, claim: Record) -> None:
    """Keep a polecat whose spawner died and whose agent has ended: what is left of its session goes, how it ended stays."""
    rig, session = observed.rig, observed.sessions.by_instance.get(claim.instance)
    if session is not None:
        path = end_path(rig, claim.polecat, claim.instance)
        ended = how_it_ended(world, rig, claim, session)
        if ended is not None and read_end(path) is None:
            write_end(path, ended, world.tmux.capture(session.pane_id))
        end_session(world, session)
    agent = world.beads.agent(claim.agent_bead) if claim.agent_bead else None
    if agent is not None and agent.fields.agent_state == "spawning":
        world.beads.update_agent(claim.agent_bead, agent_state="working")
    settle(rig, claim)


def take_back(world: FullWorld, observed: Observation, claim: Record) -> None:
    """Undo the spawn of a dead claimant: its session, its bead, its worktree, its name; of a start, the session alone.

    Raises:
        PolecatError: something could not be done; the claim stays for the next time.
    """
    session = observed.sessions.by_instance.get(claim.instance)
    if session is not None:
        end_session(world, session)
    elif claim.may_have_run:
        end_unseen(world, claim.instance)
    for path in (observed.rig.runtime_dir / "launch").glob(f"*{claim.instance}*"):  # it holds the agent's environment
        path.unlink(missing_ok=True)
    if claim.purpose == "start":
        end_path(observed.rig, claim.polecat, claim.instance).unlink(missing_ok=True)
        drop_claim(observed.rig, claim)
        return
    _hand_back(world, claim, was=_bead_before(world, observed, claim))
    discard_leftovers(world, observed, claim, observed.rig.home_dir(claim.polecat) / observed.rig.name)
    withdraw_claim(observed.rig, claim)


def adopt(world: FullWorld, observed: Observation, claim: Record) -> None:
    """Keep a polecat whose spawn was killed after its agent had started, and finish the spawn.

    Text that the spawn was about to type may be missing; the claim does not know. An agent that has ended is judged by what it left.

    Raises:
        PolecatError: something could not be done; the claim stays for the next time.
    """
    session = observed.sessions.by_instance.get(claim.instance)
    if session is None or session.is_dead:
        recover(world, observed, claim)
        return
    found = StartedSession(
        id=session.id,
        name=session.name,
        instance=claim.instance,
        pane_id=session.pane_id,
        pane_pid=session.pane_pid,
        server_pid=claim.server_pid,
    )
    if not world.tmux.release(found):
        recover(world, observed, claim)
        return
    if claim.agent_bead and world.beads.agent(claim.agent_bead) is None:
        restore_hook(world, claim, state="working")
    else:
        world.beads.update_agent(claim.agent_bead, agent_state="working")
    agent = world.processes.identify(session.pane_pid)
    started = agent.start_time if agent else 0
    settle(
        observed.rig,
        evolve(claim, session_id=session.id, pane=session.pane_id, agent_pid=session.pane_pid, agent_started=started),
    )


def _finish_removal(world: FullWorld, observed: Observation, claim: Record) -> None:
    """Finish a removal whose worktree is gone; drop the claim of one whose worktree still exists, which has lost nothing."""
    rig, name = observed.rig, claim.polecat
    path = rig.home_dir(name) / rig.name
    if os.path.lexists(path):
        drop_claim(rig, claim)
        return
    _clear_half_made(world, observed, claim, path)
    _drop_branch(world, observed, claim.branch)
    _hand_back(world, claim)
    if not (claim.agent_bead and other_host(world, claim.agent_bead)):
        for bead in world.beads.held_by(agent_id(rig.name, name)):
            world.beads.unassign(bead.id, expected=bead.assignee)
    free_home(rig, claim)


def free_home(rig: Rig, claim: Record) -> Path | None:
    """Free a name whose worktree is gone and whose beads are unassigned.

    Returns:
        Where the home was moved to, because something else was in it; None if it is gone.
    """
    drop_record(rig, claim.polecat, instance=claim.instance)
    try:
        withdraw_claim(rig, claim)
    except PolecatError:
        entry = trash_entry(rig, claim)
        return rig.home_dir(claim.polecat).rename(keep_for_good(entry.with_name(f"{entry.name}.home")))
    return None


def _settle_repair(world: FullWorld, observed: Observation, claim: Record) -> None:
    """Put the new worktree in its place if the old one is gone, else remove the new one; the old one is never touched."""
    rig, name = observed.rig, claim.polecat
    moves = needs(world.git, GitMoves, "settle a repair")
    target, aside = rig.home_dir(name) / rig.name, aside_dir(rig, claim)
    standing = world.git.find_worktree(observed.repo, target) or moves.finish_move(observed.repo, target)
    if standing is None and not os.path.lexists(target):
        _clear_half_made(world, observed, claim, target)
        fresh = world.git.find_worktree(observed.repo, aside / rig.name)
        if fresh is None:
            raise UnknownStateError(f"the worktree of {agent_id(rig.name, name)} is gone", hint=f"look into {trash_dir(rig)}")
        with holding(git_lock(rig), what=f"finish the repair of {name}"):
            standing = moves.move_worktree(observed.repo, fresh, target)
    if standing is not None and standing.branch == claim.branch:
        _complete_repair(world, observed, claim, aside)
        return
    if aside.exists():
        discard_leftovers(world, observed, claim, aside / rig.name)
        aside.rmdir()
    drop_claim(rig, claim)


def _complete_repair(world: FullWorld, observed: Observation, claim: Record, aside: Path) -> None:
    _clear_half_made(world, observed, claim, aside / observed.rig.name)  # its branch may be gone already, its lock not
    if aside.exists():
        aside.rmdir()
    old = read_record(observed.rig, claim.polecat)
    if old is not None and old.branch != claim.branch:
        _drop_branch(world, observed, old.branch)
    restore_hook(world, claim, state="spawning" if claim.hook_bead else "idle")
    settle(observed.rig, claim)


def _clear_half_made(world: FullWorld, observed: Observation, claim: Record, path: Path) -> None:
    """Clear what a removal left that was killed between its renames, next to what it has moved to the trash already."""
    into = trash_entry(observed.rig, claim)
    rest = into.with_name(f"{into.name}-rest")
    with trashing(rest), holding(git_lock(observed.rig), what=f"clear leftovers of {claim.polecat}"):
        _clear(world, observed, path, rest)
    no_longer_kept(rest)


def _drop_branch(world: FullWorld, observed: Observation, branch: str) -> None:
    """Delete the branch of a worktree that is gone, if its commits are on a remote-tracking branch or in a rescue."""
    tip = world.git.resolve(observed.repo, f"refs/heads/{branch}") if branch.startswith("polecat/") else None
    git = optional(world.git, GitBranches)
    if tip is not None and git is not None and git.is_elsewhere(observed.repo, tip):
        delete_branch(world, observed, branch, tip=tip)


def _clear(world: FullWorld, observed: Observation, path: Path, into: Path) -> None:
    """Clear what was never finished at a place; a git that cannot is asked only when something is there."""
    if os.path.lexists(path) or optional(world.git, GitRecovery) is not None:
        needs(world.git, GitRecovery, f"clear what is left at {path}").clear_half_made(observed.repo, path, into=into)


def discard_leftovers(world: FullWorld, observed: Observation, claim: Record, path: Path) -> None:
    """Remove what a killed operation left of its new worktree: directory, registration, branch. Work is kept in the trash.

    Raises:
        GitError: git failed.
    """
    worktree = world.git.find_worktree(observed.repo, path)
    if worktree is not None:
        discard_worktree(world, observed, worktree, claim, was_used=claim.may_have_run or bool(claim.session_id))
        return
    into = trash_entry(observed.rig, claim)
    was_moved = os.path.lexists(into)  # by a process that died in the middle of it
    with trashing(into), holding(git_lock(observed.rig), what=f"clear leftovers of {claim.polecat}"):
        _clear(world, observed, path, into)
        if claim.base_commit:
            world.git.delete_branch(observed.repo, claim.branch, expected=claim.base_commit)
    moved = Worktree(path=into, admin_dir=into.with_name(f"{into.name}.admin"), branch=claim.branch, head=claim.base_commit)
    if not (was_moved and claim.may_have_run) or is_untouched(world, observed, moved, at=claim.base_commit):
        delete_entry(into)


def aside_dir(rig: Rig, claim: Record) -> Path:
    """The hidden home in which a repair makes the new worktree, as deep as its final place."""
    return rig.polecats_dir / f".repair-{claim.polecat}-{claim.instance}"


def _bead_before(world: FullWorld, observed: Observation, claim: Record) -> Bead | None:
    """The bead as it was when a killed spawn took it from a polecat that had ended and still has its home; None if it was nobody's."""
    if claim.purpose != "spawn" or claim.taken_from.rpartition("/")[2] not in observed.homes.dirs:
        return None
    now = world.beads.bead(claim.hook_bead)
    if now is None or not holds(now, agent_id(claim.rig, claim.polecat)):  # not taken yet, or let go of meanwhile
        return None
    return Bead(id=claim.hook_bead, status=claim.taken_status, assignee=claim.taken_from)


def _hand_back(world: FullWorld, claim: Record, *, was: Bead | None = None) -> None:
    if claim.agent_bead and other_host(
        world, claim.agent_bead
    ):  # the address is another host's polecat's, with all that it holds
        return
    if claim.hook_bead:
        give_back(world, was, claim.hook_bead, agent_id(claim.rig, claim.polecat))
    if claim.agent_bead:
        world.beads.close_agent(claim.agent_bead, reason="spawn undone" if claim.purpose == "spawn" else "polecat removed")
