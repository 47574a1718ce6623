"""Giving a polecat a new worktree; it is never without one.

    lock → inspect → new worktree aside, provisioned → end the session → inspect again → rescue → swap → bead → record

The old worktree is moved to the trash only when the new one is complete; a failure at any point before leaves it byte-identical.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from attrs import field, frozen

from polecat.adapters.world import full_world
from polecat.core.bead_rules import holds
from polecat.errors import PolecatError, RepairFailedError, StepFailedError, WorkAtRiskError, publish
from polecat.lifecycle.rescue import OldWorktree, Saved
from polecat.model import Polecat, Rig, SpawnedPolecat, SpawnOptions
from polecat.names import agent_bead_id, branch_name
from polecat.ports import Event, GitMoves, Worktree, World, needs
from polecat.town.files import why_not
from polecat.town.homes import clone_path
from polecat.town.records import Record, drop_claim, new_instance_id, settle, write_claim
from polecat.upkeep.addressing import find_target
from polecat.upkeep.hook import check_bead, restore_hook, take_bead_lock
from polecat.upkeep.inspection import Inspection, record_of
from polecat.upkeep.listing import find_polecat
from polecat.upkeep.liveness import Agent, find_agent
from polecat.upkeep.observation import choose, fetch_policy, observe
from polecat.upkeep.recovery import aside_dir, recover_first
from polecat.upkeep.trash import empty_trash, trash_entry
from polecat.upkeep.undo import TAKEN_BACK, Undo
from polecat.upkeep.worktrees import Base, check_out, discard_worktree, fetch_base, make_worktree, prepare_worktree


@publish
@frozen(kw_only=True)
class Repaired:
    """What a repair did.

    Attributes:
        polecat: the polecat as it is now.
        session_ended: name of the session that was ended; empty if there was none.
        rescue: ref that holds what the old worktree had; empty if there was nothing.
        old_branch: the branch of the old worktree.
        old_branch_deleted: it is gone, because nothing was lost with it.
        warnings: what went wrong without stopping the repair.
    """

    polecat: Polecat
    session_ended: str = ""
    rescue: str = ""
    old_branch: str = ""
    old_branch_deleted: bool = False
    warnings: tuple[str, ...] = ()


def repair_polecat(
    rig: Rig | str,
    polecat: str | Polecat | SpawnedPolecat,
    *,
    force: bool = False,
    nuclear: bool = False,
    hook_bead: str | None = None,
    base_branch: str | None = None,
    world: World | None = None,
    dry_run: bool = False,
) -> Repaired:
    """Give a polecat a new worktree on a new branch from the remote's tip; its session is ended, none is started.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        force: go on in spite of uncommitted changes and a hook; they are rescued first.
        nuclear: go on in spite of everything, unless the caller's working directory is within.
        hook_bead: bead to put on its hook; without one it keeps what it holds.
        base_branch: branch of the remote to start from instead of the rig's default branch.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The polecat as it is now, a new instance, and what was saved of the old worktree.

    Raises:
        PolecatNotFoundError: there is none of that name, or the value's polecat is gone and another one has its name.
        WorkAtRiskError: work would be lost; nothing was touched.
        SpawnRefusedError: *hook_bead* is closed, keeps failing, or is somebody else's.
        RepairFailedError: it began and failed; the old worktree is as it was.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> (cat.clone_path / "draft.txt").write_text("x")
        1
        >>> world.clock.sleep(1)
        >>> done = repair_polecat(rig, cat, force=True, world=world)
        >>> done.polecat.branch != cat.branch, (cat.clone_path / "draft.txt").exists(), bool(done.rescue)
        (True, False, True)

    Source:
        Contract §7.2; design §6, deviations 10 and 20; incident T-16.
    """
    target = find_target(rig, polecat)
    rig, name = target.rig, target.name
    world = full_world(rig, world)
    moves = needs(world.git, GitMoves, "repair a polecat")
    with ExitStack() as held:
        if hook_bead:
            held.callback(take_bead_lock(rig, hook_bead).release)
        held.enter_context(target.locked("repair"))
        observed = observe(world, rig)
        if not dry_run:
            observed = recover_first(world, observed, name)
            target.check()  # it may be gone now, or another instance
        record = record_of(observed, name)
        agent = find_agent(world, rig, record, observed.sessions)
        old = OldWorktree(
            world=world,
            observed=observed,
            record=record,
            verb="repair",
            force=force,
            nuclear=nuclear,
            keeps_hook=hook_bead is None,
        )
        check_bead(world, observed, SpawnOptions(hook_bead=hook_bead, name=name))
        seen = old.inspect(agent)
        repair = _Repair(old=old, moves=moves, agent=agent)
        if dry_run:
            saved = old.plan(seen)
            return repair.repaired(saved, branch_deleted=bool(saved.branch_tip))
        return repair.run(hook_bead or _hook_to_keep(old, seen), base_branch or rig.default_branch)


def _hook_to_keep(old: OldWorktree, seen: Inspection) -> str:
    """The bead it holds; if the store could not be asked before, the recorded one, if it still holds that."""
    if seen.held:
        return seen.held[0].id
    given = old.record.hook_bead
    bead = old.world.beads.bead(given) if given and seen.verdict.stands("unknown") else None
    return bead.id if bead is not None and holds(bead, old.agent_id) else ""


@frozen(kw_only=True)
class _Repair:
    """A repair, with the polecat's lock held."""

    old: OldWorktree
    moves: GitMoves
    agent: Agent
    undo: Undo = field(factory=Undo)
    warnings: list[str] = field(factory=list)

    def run(self, hook_bead: str, base_branch: str) -> Repaired:
        """Do it, and undo what was made if it fails."""
        old, world, observed = self.old, self.old.world, self.old.observed
        step = "worktree"
        try:
            base = fetch_base(world, observed, base_branch, fetch_policy(observed.settings))
            claim = self._claim(base, hook_bead)
            fresh = self._make_aside(claim, base)
            step = "session"
            if self.agent.is_there:
                old.end_agent(self.agent, self.undo.cannot)
            step = "rescue"
            saved = old.save()
            step = "swap"
            target = observed.rig.home_dir(claim.polecat) / observed.rig.name

            def put_in_place() -> None:
                target.parent.mkdir(exist_ok=True)
                self.moves.move_worktree(observed.repo, fresh, target)

            old.take_away(saved, then=put_in_place)
            self.undo.forget()
        except BaseException as error:
            self.undo.run()
            if isinstance(error, (PolecatError, OSError)):
                raise self._as_failure(error, step) from error
            error.add_note(TAKEN_BACK)
            raise
        return self._finish(claim, saved)

    def _claim(self, base: Base, hook_bead: str) -> Record:
        now, rig, name = self.old.world.clock.now(), self.old.observed.rig, self.old.record.polecat
        return Record(
            instance=new_instance_id(),
            polecat=name,
            rig=rig.name,
            pid=os.getpid(),
            since=now.isoformat(timespec="seconds"),
            branch=branch_name(name, int(now.timestamp() * 1000)),
            base_commit=base.commit,
            hook_bead=hook_bead,
            agent_bead=agent_bead_id(rig.prefix, rig.name, name),
            tmux_socket=self.old.world.tmux.socket or "",
            host=self.old.world.host,
            key=self.old.record.key,
            purpose="repair",
        )

    def _make_aside(self, claim: Record, base: Base) -> Worktree:
        """Make the new worktree at the same depth as the place it will take, so that relative links stay true."""
        world, observed, rig, undo = self.old.world, self.old.observed, self.old.observed.rig, self.undo
        home, aside, had_tree = rig.home_dir(claim.polecat), aside_dir(rig, claim), clone_path(rig, claim.polecat).exists()
        if not (home / ".git").exists():  # the old layout's home is the worktree; a claim would dirty it
            write_claim(rig, claim)
            undo.add("claim", lambda: self._drop_claim(claim))
        aside.mkdir()
        undo.add("directory aside", aside.rmdir)
        fresh = make_worktree(world, observed, aside / rig.name, branch=claim.branch, base=base)
        undo.add("new worktree", lambda: self._discard(fresh, claim, had_tree=had_tree))
        check_out(world, observed, fresh)
        choice = choose(world, observed, SpawnOptions(), needs_program=False)
        place = prepare_worktree(world, observed, choice, fresh.path, stands_at=home / rig.name)
        self.warnings.extend(filter(None, (base.warning, *place.warnings)))
        return fresh

    def _drop_claim(self, claim: Record) -> None:
        """Drop the claim, unless something is left that a reconcile needs it for."""
        rig = self.old.observed.rig
        if aside_dir(rig, claim).exists():
            raise PolecatError(f"the new worktree is still there; remove it: polecat reconcile {rig.name}")
        drop_claim(rig, claim)

    def _discard(self, fresh: Worktree, claim: Record, *, had_tree: bool) -> str | None:
        if had_tree and not clone_path(self.old.observed.rig, claim.polecat).exists():
            raise PolecatError("the old one is not back, so the new one stays for a reconcile to put in its place")
        return discard_worktree(self.old.world, self.old.observed, fresh, claim, was_used=False)

    def _finish(self, claim: Record, saved: Saved) -> Repaired:
        world, rig, branch_deleted = self.old.world, self.old.observed.rig, False
        try:
            aside_dir(rig, claim).rmdir()
            branch_deleted = self.old.drop_branch(saved)
            restore_hook(world, claim, state="spawning" if claim.hook_bead else "idle")
            settle(rig, claim)
        except (PolecatError, OSError) as error:
            self.warnings.append(
                f"the worktree is new, but: {why_not(error)}; fix the cause, then finish it: polecat reconcile {rig.name}"
            )
        facts = {"branch": claim.branch, "rescue": saved.ref, "base_commit": claim.base_commit}
        world.emit(Event(name="polecat_repaired", rig=rig.name, polecat=claim.polecat, instance=claim.instance, facts=facts))
        empty_trash(rig)
        return self.repaired(saved, branch_deleted=branch_deleted)

    def repaired(self, saved: Saved, *, branch_deleted: bool) -> Repaired:
        """The result, with the polecat as it is now."""
        seen = saved.seen
        if seen.worktree is None and seen.git is not None:
            self.warnings.extend(
                f"the old worktree could not be looked at, so its branch stays: {why}" for why in seen.git.problems
            )
        if saved.unsaved:
            entry = trash_entry(self.old.observed.rig, self.old.record)
            self.warnings.append(f"the old work could not be saved, so it is kept in {entry}: {saved.unsaved}")
        return Repaired(
            polecat=find_polecat(self.old.world, self.old.observed.rig, self.old.record.polecat),
            session_ended=self.agent.session_name if self.agent.is_there else "",
            rescue=saved.ref,
            old_branch=saved.seen.branch,
            old_branch_deleted=branch_deleted,
            warnings=tuple(self.warnings),
        )

    def _as_failure(self, error: PolecatError | OSError, step: str) -> PolecatError:
        undo = self.undo
        if isinstance(error, WorkAtRiskError) and not undo.left_behind:
            return error
        failed = RepairFailedError(
            f"cannot repair {self.old.agent_id}: {why_not(error)}",
            step=step,
            undone=undo.undone,
            left_behind=undo.left_behind,
            hint=getattr(error, "hint", ""),
        )
        failed.args = (f"{failed.message}\n  the old worktree is as it was; {StepFailedError.outcome(failed)}",)
        return failed
