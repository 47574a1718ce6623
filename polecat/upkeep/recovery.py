"""Finishing or taking back what a killed process left half done. The claim says what it was about to do; the disk says how far it came.

Every function here may be called again after it was killed itself: it looks at what is there, not at what should have happened.
"""

from __future__ import annotations

import os
from pathlib import Path

from attrs import evolve

from polecat.adapters.world import FullWorld
from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Rig
from polecat.names import agent_id
from polecat.ports import StartedSession, Worktree
from polecat.town.locks import git_lock, holding
from polecat.town.state import Lease, drop_claim, drop_record, read_claim, read_record, settle, withdraw_claim
from polecat.upkeep.hook import open_agent_bead_for
from polecat.upkeep.survey import Site, look
from polecat.upkeep.termination import end_session, end_unseen
from polecat.upkeep.trash import bury_home, delete_entry, no_longer_kept, taking_in, trash_dir, trash_entry
from polecat.upkeep.worktrees import discard_worktree


def heal(world: FullWorld, site: Site, lease: Lease) -> None:
    """Bring one polecat whose claimant is dead to one of the two orderly outcomes; the caller holds the polecat's lock.

    Raises:
        PolecatError: something could not be done; the claim stays for the next time.
    """
    match lease.purpose:
        case "spawn":
            _take_spawn_back(world, site, lease)
        case "remove":
            _finish_removal(world, site, lease)
        case "repair":
            _settle_repair(world, site, lease)


def heal_first(world: FullWorld, site: Site, name: str) -> Site:
    """Settle what a killed process left of a polecat before something else is done with it; the caller holds the polecat's lock.

    Returns:
        The rig as it is then; the polecat may be gone.
    """
    claim = read_claim(site.rig, name)
    if claim is None:
        return site
    (adopt if agent_lives(world, site, claim) else heal)(world, site, claim)
    return look(world, site.rig)


def agent_lives(world: FullWorld, site: Site, claim: Lease) -> bool:
    """Say whether the agent of a spawn whose claimant is dead lives and has its work, so that the polecat is to be kept.

    One whose agent bead is closed has not: its spawn was being taken back, and somebody else may have its work by now. A store without
    that bead is another store than it was, which proves nothing.

    Raises:
        BeadsError: the store cannot say.
    """
    session = site.census.by_instance.get(claim.instance)
    if claim.purpose != "spawn" or session is None or session.is_dead:
        return False
    agent = world.beads.agent(claim.agent_bead) if claim.agent_bead else None
    return agent is None or agent.is_open


def _take_spawn_back(world: FullWorld, site: Site, lease: Lease) -> None:
    session = site.census.by_instance.get(lease.instance)
    if session is not None:
        end_session(world, session)
    elif lease.may_have_run:
        end_unseen(world, lease.instance)
    _hand_back(world, lease)
    path = site.rig.home_dir(lease.polecat) / site.rig.name
    discard_leavings(world, site, lease, path)
    _drop_launch_files(site.rig, lease)
    withdraw_claim(site.rig, lease)


def adopt(world: FullWorld, site: Site, lease: Lease) -> None:
    """Keep a polecat whose spawn was killed after its agent had started: what the spawn had still to do is done.

    Whatever was to be typed to the agent may be missing; the claim cannot tell. An agent that ends meanwhile is taken back.

    Raises:
        PolecatError: something could not be done; the claim stays for the next time.
    """
    session = site.census.by_instance[lease.instance]
    started = StartedSession(
        id=session.id,
        name=session.name,
        instance=lease.instance,
        pane_id=session.pane_id,
        pane_pid=session.pane_pid,
        server_pid=lease.server_pid,
    )
    if not world.tmux.release(started):
        heal(world, site, lease)
        return
    if lease.agent_bead and world.beads.agent(lease.agent_bead) is None:
        open_agent_bead_for(world, site.rig, lease, state="working")
    else:
        world.beads.update_agent(lease.agent_bead, agent_state="working")
    settle(site.rig, evolve(lease, session_id=session.id, pane=session.pane_id, agent_pid=session.pane_pid))


def _finish_removal(world: FullWorld, site: Site, lease: Lease) -> None:
    """A removal whose worktree still stands has lost nothing yet and is forgotten; one whose worktree is gone is finished."""
    rig, name = site.rig, lease.polecat
    path = rig.home_dir(name) / rig.name
    if os.path.lexists(path):
        drop_claim(rig, lease)
        return
    _clear_half_made(world, site, lease, path)
    _drop_branch(world, site, lease.branch)
    _hand_back(world, lease)
    for bead in world.beads.held_by(agent_id(rig.name, name)):
        world.beads.unassign(bead.id, expected=bead.assignee)
    free_home(rig, lease)


def free_home(rig: Rig, lease: Lease) -> Path | None:
    """Give a name free whose worktree is gone and whose beads are handed back.

    Returns:
        Where the home is, because something else was in it; None if it is gone.
    """
    drop_record(rig, lease.polecat, instance=lease.instance)
    try:
        withdraw_claim(rig, lease)
    except PolecatError:
        return bury_home(rig, lease, keep=True)
    return None


def _settle_repair(world: FullWorld, site: Site, lease: Lease) -> None:
    """The new worktree is in place, or can be put there, or is taken back; the old one is never touched."""
    rig, name = site.rig, lease.polecat
    target, aside = rig.home_dir(name) / rig.name, aside_dir(rig, lease)
    standing = world.git.find_worktree(site.repo, target) or world.git.mend_worktree(site.repo, target)
    if standing is None and not os.path.lexists(target):
        _clear_half_made(world, site, lease, target)
        standing = _move_in(world, site, lease, aside / rig.name, target)
        if standing is None:
            raise UnknownStateError(f"the worktree of {agent_id(rig.name, name)} is gone", hint=f"look into {trash_dir(rig)}")
    if standing is not None and standing.branch == lease.branch:
        _complete_repair(world, site, lease, aside)
        return
    if aside.exists():
        discard_leavings(world, site, lease, aside / rig.name)
        aside.rmdir()
    drop_claim(rig, lease)


def _complete_repair(world: FullWorld, site: Site, lease: Lease, aside: Path) -> None:
    _clear_half_made(world, site, lease, aside / site.rig.name)  # the branch may be gone already, and a lock of ours not
    if aside.exists():
        aside.rmdir()
    old = read_record(site.rig, lease.polecat)
    if old is not None and old.branch != lease.branch:
        _drop_branch(world, site, old.branch)
    open_agent_bead_for(world, site.rig, lease, state="spawning" if lease.hook_bead else "idle")
    settle(site.rig, lease)


def _move_in(world: FullWorld, site: Site, lease: Lease, source: Path, target: Path) -> Worktree | None:
    fresh = world.git.find_worktree(site.repo, source)
    if fresh is None:
        return None
    with holding(git_lock(site.rig), what=f"finish the repair of {lease.polecat}"):
        return world.git.move_worktree(site.repo, fresh, target)


def _clear_half_made(world: FullWorld, site: Site, lease: Lease, path: Path) -> None:
    """Take away what a removal left that was killed between its renames; beside what it has put into the trash already."""
    into = trash_entry(site.rig, lease)
    rest = into.with_name(f"{into.name}-rest")
    with taking_in(rest), holding(git_lock(site.rig), what=f"clear leavings of {lease.polecat}"):
        world.git.clear_half_made(site.repo, path, into=rest)
    no_longer_kept(rest)


def _drop_branch(world: FullWorld, site: Site, branch: str) -> None:
    """Delete the branch of a worktree that is gone, if its commits are on a remote-tracking branch or in a rescue."""
    tip = world.git.resolve(site.repo, f"refs/heads/{branch}") if branch.startswith("polecat/") else None
    if tip is not None and world.git.is_elsewhere(site.repo, tip):
        with holding(git_lock(site.rig), what=f"delete branch {branch}"):
            world.git.delete_branch(site.repo, branch, expected=tip)


def discard_leavings(world: FullWorld, site: Site, lease: Lease, path: Path) -> None:
    """Take back whatever a killed operation left of its new worktree: directory, registration, branch. Work is kept in the trash.

    Raises:
        GitError: git could not tell or could not do it.
    """
    worktree = world.git.find_worktree(site.repo, path)
    if worktree is not None:
        discard_worktree(world, site, worktree, lease, was_used=lease.may_have_run or bool(lease.session_id))
        return
    into = trash_entry(site.rig, lease)
    with taking_in(into), holding(git_lock(site.rig), what=f"clear leavings of {lease.polecat}"):
        world.git.clear_half_made(site.repo, path, into=into)
        if lease.base_commit:
            world.git.delete_branch(site.repo, lease.branch, expected=lease.base_commit)
    delete_entry(into)


def aside_dir(rig: Rig, lease: Lease) -> Path:
    """Where the new worktree of a repair is made: a hidden home, at the same depth as the place it will take."""
    return rig.polecats_dir / f".repair-{lease.polecat}-{lease.instance}"


def _hand_back(world: FullWorld, lease: Lease) -> None:
    if lease.hook_bead:
        world.beads.unassign(lease.hook_bead, expected=agent_id(lease.rig, lease.polecat))
    if lease.agent_bead:
        world.beads.close_agent(lease.agent_bead, reason="spawn undone" if lease.purpose == "spawn" else "polecat removed")


def _drop_launch_files(rig: Rig, lease: Lease) -> None:
    """A killed spawn may leave the private file with the agent's environment."""
    for path in (rig.runtime_dir / "launch").glob(f"*{lease.instance}*"):
        path.unlink(missing_ok=True)
