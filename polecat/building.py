"""The first steps of a spawn, one function each, in the order in which they are taken; `moving_in` has the others. `spawn` calls them.

Each does one thing through the ports and registers its undo after that thing exists.
"""

from __future__ import annotations

from contextlib import ExitStack

from attrs import evolve

from polecat.attempt import Attempt
from polecat.ending import end_session
from polecat.hooking import check_bead, take_bead_lock
from polecat.look import Site
from polecat.model import SpawnedPolecat
from polecat.spares import take_spare
from polecat.state import Lease, clone_path, write_claim
from polecat.worktrees import Fetching, discard_worktree, find_base, make_worktree


def reserve_bead(site: Site, attempt: Attempt, held: ExitStack) -> None:
    """Refuse a bead that somebody has. Its lock is held from here to the end of the spawn."""
    opts, world = attempt.opts, attempt.world
    if opts.hook_bead:
        with attempt.step("bead"):
            held.callback(take_bead_lock(site.rig, opts.hook_bead).release)
            seen = check_bead(world, site, opts)
            attempt.bead_holder = seen.holder
            if seen.existing is not None:
                attempt.finish(_as_it_stands(site, attempt, seen.existing))


def _as_it_stands(site: Site, attempt: Attempt, lease: Lease) -> SpawnedPolecat:
    """The polecat that has the bead already: asking twice for the same makes no second one."""
    return SpawnedPolecat(
        rig_name=lease.rig,
        polecat_name=lease.polecat,
        clone_path=clone_path(site.rig, lease.polecat),
        session_name=lease.session,
        pane=lease.pane,
        branch=lease.branch,
        base_commit=lease.base_commit,
        hook_bead=attempt.opts.hook_bead,
        instance=lease.instance,
        readiness="not awaited",
        agent=lease.agent,
        session_id=lease.session_id,
        tmux_socket=lease.tmux_socket or None,
        pid=lease.agent_pid,
        warnings=(f"{lease.polecat} has {attempt.opts.hook_bead} already; nothing was made",),
        timings=attempt.timings(),
    )


def clear_the_way(site: Site, attempt: Attempt) -> None:
    """End the orphan session that bears our name. The polecat's lock is ours, so nobody is just making one."""
    orphan = site.census.own.get(attempt.plan.polecat_name)
    if orphan is not None:
        with attempt.step("orphan") as facts:
            facts["session"] = orphan.name
            end_session(attempt.world, orphan)


def add_worktree(site: Site, attempt: Attempt, news: Fetching) -> None:
    """Make the worktree on its branch, from the remote's tip."""
    with attempt.step("worktree") as facts:
        world, plan, lease = attempt.world, attempt.plan, attempt.lease
        base = find_base(world, site, plan.upstream, trouble=news.trouble())
        if base.warning:
            attempt.warnings.append(base.warning)
        attempt.base_age_s = base.age_s
        attempt.lease = lease = evolve(lease, base_commit=base.commit)
        write_claim(site.rig, lease)
        spare = take_spare(world, site, plan.clone_path, branch=plan.branch, base=base)
        worktree = spare or make_worktree(world, site, plan.clone_path, branch=plan.branch, base=base)
        attempt.worktree, attempt.used_spare = worktree, spare is not None
        attempt.undo.add(
            "worktree",
            lambda: discard_worktree(world, site, worktree, lease, was_used=attempt.had_session),
        )
        if not worktree.is_filled:
            world.git.check_out(worktree, leave_out=plan.leave_out, lazy_lfs=site.settings.place.is_lfs_lazy)
        facts.update(branch=plan.branch, base_commit=base.commit, path=str(plan.clone_path), spare=attempt.used_spare)
