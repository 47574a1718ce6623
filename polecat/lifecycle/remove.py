"""Removing a polecat. Nothing is deleted that was not proved worthless or saved first.

    lock → inspect → end the session → inspect again → rescue → worktree to the trash → compare → beads → branch → home → record

The order matters: until the beads have been unassigned whatever fails leaves the work where it was, or brings it back there, and a name
is free only after that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from attrs import asdict, evolve, field, filters, frozen

from polecat.adapters.world import full_world
from polecat.core.risk import Verdict
from polecat.errors import (
    BeadsError,
    BeadsUnavailableError,
    PolecatError,
    ProgramTimeoutError,
    RemoveFailedError,
    WorkAtRiskError,
    publish,
)
from polecat.lifecycle.rescue import OldWorktree, Saved, own_branch
from polecat.model import Polecat, Rig, SpawnedPolecat
from polecat.place.prepare import leave_place
from polecat.ports import Event, World
from polecat.town.events import append_event, event_line
from polecat.town.files import why_not
from polecat.town.records import drop_claim, read_claim, write_claim
from polecat.upkeep.addressing import find_target
from polecat.upkeep.inspection import Inspection, record_of
from polecat.upkeep.liveness import Agent, find_agent
from polecat.upkeep.observation import observe
from polecat.upkeep.recovery import free_home, recover_first
from polecat.upkeep.trash import empty_trash, trash_entry


@publish
@frozen(kw_only=True)
class Removed:
    """What a removal did, or would do.

    Attributes:
        rig_name: the rig.
        polecat_name: the polecat.
        session_ended: name of the session that was ended; empty if there was none.
        rescue: ref that holds what was at risk; empty if nothing was.
        branch: the polecat's branch.
        branch_deleted: it is gone, because nothing was lost with it.
        unassigned: the beads that were unassigned.
        kept: where the files are, if they could not be saved otherwise; None if they are gone.
        unsaved: why a rescue does not hold all of it; empty if it does, or if nothing was at risk.
        verdict: the risks there were.
    """

    rig_name: str
    polecat_name: str
    session_ended: str = ""
    rescue: str = ""
    branch: str = ""
    branch_deleted: bool = False
    unassigned: tuple[str, ...] = ()
    kept: Path | None = None
    unsaved: str = ""
    verdict: Verdict = field(factory=Verdict)


def remove_polecat(
    rig: Rig | str,
    polecat: str | Polecat | SpawnedPolecat,
    *,
    force: bool = False,
    nuclear: bool = False,
    world: World | None = None,
    dry_run: bool = False,
) -> Removed:
    """Remove a polecat: session, worktree, branch, beads, name.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        force: go on in spite of uncommitted changes and a hook; they are rescued and unassigned first.
        nuclear: go on in spite of everything, unless the caller's working directory is within; still rescued first, but removed even if
            that fails.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        What was done.

    Raises:
        PolecatNotFoundError: there is none of that name, or the value's polecat is gone and another one has its name.
        WorkAtRiskError: work would be lost; ``reasons`` say which, and nothing was removed.
        RescueFailedError: what was at risk could not be saved, so nothing was removed.
        UnsupportedError: the given git has no `GitRescues`, and something would have to be saved; nothing was removed.
        RemoveFailedError: it could not be finished; the name stays taken.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> remove_polecat(rig, cat, world=world).branch_deleted
        True
        >>> cat.clone_path.exists()
        False

    Source:
        Contract §7.3; design §6, deviations 7 to 9, 15 and 27; incidents T-13 to T-15, T-19, T-21, T-27, T-30.
    """
    target = find_target(rig, polecat)
    rig, name = target.rig, target.name
    world = full_world(rig, world)
    with target.locked("remove"):
        observed = observe(world, rig)
        if not dry_run:
            observed = recover_first(world, observed, name)
            if name not in observed.homes.dirs:  # a killed removal was finished, or a killed spawn undone
                return Removed(rig_name=rig.name, polecat_name=name)
            target.check()  # finishing a killed repair makes it another instance
        record = record_of(observed, name)
        agent = find_agent(world, rig, record, observed.sessions)
        old = OldWorktree(world=world, observed=observed, record=record, verb="remove", force=force, nuclear=nuclear)
        removal = _Removal(old=old, agent=agent)
        seen = old.inspect(agent)
        return removal.preview(old.plan(seen)) if dry_run else removal.run()


@frozen(kw_only=True)
class _Removal:
    """A removal, with the polecat's lock held. *done* lists what has changed, for the error."""

    old: OldWorktree
    agent: Agent
    done: list[str] = field(factory=list)

    def preview(self, saved: Saved) -> Removed:
        """Say what it would do."""
        rig, record, seen = self.old.observed.rig, self.old.record, saved.seen
        is_there = seen.path != rig.home_dir(record.polecat) and os.path.lexists(seen.path)
        entry = trash_entry(rig, record)
        kept = entry if seen.verdict.stands("unknown") and (seen.worktree is not None or is_there) else None
        return self._removed(
            saved,
            branch_deleted=bool(saved.branch_tip),
            unassigned=tuple(bead.id for bead in seen.held),
            kept=entry.with_name(f"{entry.name}.home") if seen.stray else kept,
        )

    def run(self) -> Removed:
        """Do it, step by step."""
        old, rig, record = self.old, self.old.observed.rig, self.old.record
        with self._step("session"):
            if self.agent.is_there:
                old.end_agent(self.agent, self.done.append)
        saved = self._save()
        unassigned: list[str] = []
        with self._step("worktree"):
            kept = self._take_worktree(saved, at_last=lambda: unassigned.extend(self._hand_back(saved.seen)))
        with self._step("branch"):
            branch_deleted = self._note("its branch was deleted", lambda: old.drop_branch(saved))
        with self._step("home"):
            leave_place(rig, record.polecat)
            kept = free_home(rig, record) or kept
            if os.path.lexists(rig.home_dir(record.polecat)):
                raise PolecatError(f"{rig.home_dir(record.polecat)} is still there")
        removed = self._removed(saved, branch_deleted=branch_deleted, unassigned=tuple(unassigned), kept=kept)
        self._emit(removed)
        empty_trash(rig)
        return removed

    def _removed(self, saved: Saved, *, branch_deleted: bool, unassigned: tuple[str, ...], kept: Path | None) -> Removed:
        return Removed(
            rig_name=self.old.observed.rig.name,
            polecat_name=self.old.record.polecat,
            session_ended=self.agent.session_name if self.agent.is_there else "",
            rescue=saved.ref,
            branch=saved.seen.branch,
            branch_deleted=branch_deleted,
            unassigned=unassigned,
            kept=kept,
            unsaved=saved.unsaved,
            verdict=saved.seen.verdict,
        )

    def _save(self) -> Saved:
        try:
            return self.old.save()
        except PolecatError as error:
            if self.done:
                error.args = (f"{error.message}\n  nothing was removed, but {' and '.join(self.done)}",)
            raise

    def _take_worktree(self, saved: Saved, *, at_last: Callable[[], None]) -> Path | None:
        """Write a claim, so that a reconcile can finish what begins here, and move the worktree to the trash.

        What is done *at last* may be refused: the worktree comes back then, and the claim goes.
        """
        rig, record, seen = self.old.observed.rig, self.old.record, saved.seen
        claim = evolve(record, purpose="remove", branch=own_branch(record, seen.branch), pid=os.getpid())
        if seen.path != rig.home_dir(record.polecat):  # the old layout's home is the worktree; a claim would dirty it
            write_claim(rig, claim)
        elif seen.worktree is None:
            at_last()
            return None
        into = trash_entry(rig, record)
        try:
            kept = self.old.take_away(saved, at_last=at_last)
        except BaseException:
            if os.path.lexists(into):
                self.done.append(f"its worktree is in {into}")
            else:
                drop_claim(rig, claim)
            raise
        self.done.append(f"its worktree is in {kept}" if kept else "its worktree was taken away")
        return kept

    def _note(self, what: str, do: Callable[[], bool]) -> bool:
        """Do it and note what was done; a call that did not return perhaps did it."""
        try:
            is_done = do()
        except (ProgramTimeoutError, BeadsUnavailableError):
            self.done.append(f"perhaps {what}")
            raise
        if is_done:
            self.done.append(what)
        return is_done

    def _hand_back(self, seen: Inspection) -> tuple[str, ...]:
        """Unassign its beads before the name is free, so that nobody inherits work; the recorded one even if the store could not be asked."""
        beads, record = self.old.world.beads, self.old.record
        holders = {record.hook_bead: self.old.agent_id} if record.hook_bead else {}
        holders |= {bead.id: bead.assignee for bead in seen.held}
        freed = [
            bead
            for bead, holder in holders.items()
            if self._note(f"{bead} was handed back", partial(beads.unassign, bead, expected=holder))
        ]
        if record.agent_bead:
            self._note("its agent bead was closed", lambda: beads.close_agent(record.agent_bead, reason="polecat removed"))
        return tuple(freed)

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        try:
            yield
        except WorkAtRiskError:
            raise
        except (PolecatError, OSError) as error:
            done = f"already done: {'; '.join(self.done)}" if self.done else "nothing was touched"
            raise RemoveFailedError(
                f"cannot remove {self.old.agent_id}: {why_not(error)}\n  {done}",
                step="beads" if isinstance(error, BeadsError) else step,
                left_behind=self.done,
                hint=getattr(error, "hint", "") or self._way_on(),
            ) from error

    def _way_on(self) -> str:
        rig, name = self.old.observed.rig, self.old.record.polecat
        if read_claim(rig, name) is None:
            return f"fix the cause and remove it again: polecat remove {rig.name}/{name}"
        return f"the name stays taken; fix the cause, then finish it: polecat reconcile {rig.name}"

    def _emit(self, removed: Removed) -> None:
        world, record = self.old.world, self.old.record
        facts = asdict(removed, filter=filters.include("rescue", "branch", "branch_deleted", "unassigned"))
        world.emit(
            Event(name="polecat_removed", rig=removed.rig_name, polecat=record.polecat, instance=record.instance, facts=facts)
        )
        payload = {"agent": self.old.agent_id, "reason": "removed"} | ({"rescue": removed.rescue} if removed.rescue else {})
        with suppress(OSError):
            line = event_line(world.clock.now(), "kill", actor="gt", payload=payload)
            append_event(self.old.observed.rig.town_root, line)
