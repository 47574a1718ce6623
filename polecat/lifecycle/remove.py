"""Taking a polecat's place back. Nothing is deleted that was not proved worthless or saved first.

    lock → inspect → end the session → inspect again → rescue → worktree to the trash → look again → branch → beads → home → record

The order is the promise: whatever goes wrong before the worktree is moved leaves the work where it was, and a name is free only after
its beads have been handed back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, field, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.risk import Verdict
from polecat.errors import (
    BeadsUnavailableError,
    GitError,
    PolecatError,
    ProgramTimeoutError,
    RemoveFailedError,
    WorkAtRiskError,
    publish,
)
from polecat.model import Polecat, Rig, SpawnedPolecat
from polecat.names import agent_id
from polecat.place.prepare import leave_place
from polecat.ports import Event, Session, World
from polecat.town.events import append_event, event_line
from polecat.town.locks import git_lock, holding
from polecat.town.records import Record, drop_claim, read_claim, write_claim
from polecat.upkeep.addressing import find_target
from polecat.upkeep.inspection import Inspection, inspect, record_of, refuse, session_of
from polecat.upkeep.observation import Observation, observe
from polecat.upkeep.recovery import free_home, recover_first
from polecat.upkeep.rescue import (
    Fingerprints,
    Saved,
    check_rescue,
    drop_branch,
    fingerprints_of,
    has_changed,
    may_drop_branch,
    must_rescue,
    rescue_work,
)
from polecat.upkeep.termination import end_session, fate_of
from polecat.upkeep.trash import empty_trash, keep_for_good, no_longer_kept, trash_dir, trash_entry


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
        unassigned: the beads that were handed back.
        kept: where the files are, if they could not be saved otherwise; None if they are gone.
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
    """Take a polecat's place back: session, worktree, branch, beads, name.

    Args:
        rig: the rig, or its name.
        polecat: the polecat: its name, or a value of it, which means that spawn and no later one of the name.
        force: go on in spite of uncommitted changes and a hook; they are rescued and handed back first.
        nuclear: go on in spite of everything but standing inside; still rescued first, and if that fails still removed.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        What was done.

    Raises:
        PolecatNotFoundError: there is none of that name, or it is another one by now.
        WorkAtRiskError: work would be lost; ``reasons`` say which, and nothing was removed.
        RescueFailedError: what was at risk could not be saved, so nothing was removed.
        UnsupportedError: the given git has no `GitRescues`, and something would have to be saved; nothing was touched.
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
            if name not in observed.homes.dirs:  # somebody had begun to remove it, or never finished making it
                return Removed(rig_name=rig.name, polecat_name=name)
            target.check()  # a killed repair has made it another instance
        record = record_of(observed, name)
        session = session_of(observed, record)
        first = inspect(world, observed, name, session=session)
        refuse(observed, name, first, force=force, nuclear=nuclear)
        check_rescue(world, first, may_fail=nuclear)
        if dry_run:
            return _planned(observed, record, session, first)
        removal = _Removal(world=world, observed=observed, record=record, force=force, nuclear=nuclear)
        return removal.run(session)


def _planned(observed: Observation, record: Record, session: Session | None, seen: Inspection) -> Removed:
    return Removed(
        rig_name=observed.rig.name,
        polecat_name=record.polecat,
        session_ended=session.name if session else "",
        rescue=f"refs/polecat/rescue/{record.polecat}/…" if seen.worktree is not None and must_rescue(seen) else "",
        branch=(seen.worktree.branch or "") if seen.worktree else "",
        branch_deleted=may_drop_branch(seen),
        unassigned=tuple(bead for bead in _holders(record, seen) if bead in {held.id for held in seen.held}),
        kept=_would_keep(observed.rig, record, seen),
        verdict=seen.verdict,
    )


def _holders(record: Record, seen: Inspection) -> dict[str, str]:
    """The beads that are to be handed back and who holds each; the one we know of even if nobody could say who holds it."""
    known = {record.hook_bead: agent_id(record.rig, record.polecat)} if record.hook_bead else {}
    return {**known, **{bead.id: bead.assignee for bead in seen.held}}


def _would_keep(rig: Rig, record: Record, seen: Inspection) -> Path | None:
    entry = trash_dir(rig) / f"{record.polecat}-{record.instance}"
    if seen.stray:
        return entry.with_name(f"{entry.name}.home")
    stands = seen.path != rig.home_dir(record.polecat) and os.path.lexists(seen.path)
    return entry if seen.verdict.stands("unknown") and (seen.worktree is not None or stands) else None


# ------------------------------------------------------------------------------------------------------- doing it


@frozen(kw_only=True)
class _Removal:
    """A removal that has been allowed, with the polecat's lock held. *done* is what is not as it was, for the error."""

    world: FullWorld
    observed: Observation
    record: Record
    force: bool
    nuclear: bool
    done: list[str] = field(factory=list)

    def run(self, session: Session | None) -> Removed:
        """Do it, step by step."""
        observed, name = self.observed, self.record.polecat
        with self._step("session"):
            if session is not None:
                self._end(session)
        seen, traces, saved = self._save()
        with self._step("worktree"):
            kept = self._take_worktree(seen, traces, saved)
        with self._step("branch"):
            branch, is_deleted = self._drop_branch(seen, saved)
        with self._step("beads"):
            unassigned = self._hand_back(seen)
        with self._step("home"):
            kept = self._free_name() or kept
        done = Removed(
            rig_name=observed.rig.name,
            polecat_name=name,
            session_ended=session.name if session else "",
            rescue=saved.ref,
            branch=branch,
            branch_deleted=is_deleted,
            unassigned=unassigned,
            kept=kept,
            verdict=seen.verdict,
        )
        self._tell(done)
        empty_trash(observed.rig)
        return done

    def _end(self, session: Session) -> None:
        try:
            end_session(self.world, session)
        except PolecatError:
            self.done.extend(filter(None, [fate_of(self.world, session)]))
            raise
        self.done.append("its session was ended")

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        """Note what was done, and what perhaps was done by a call that did not come back."""
        try:
            yield
        except (ProgramTimeoutError, BeadsUnavailableError):
            self.done.append(f"perhaps {what}")
            raise
        self.done.append(what)

    def _save(self) -> tuple[Inspection, Fingerprints, Saved]:
        """Look again, because the agent may have written until it ended, and save what would be lost."""
        try:
            seen = inspect(self.world, self.observed, self.record.polecat, session=None)
            refuse(self.observed, self.record.polecat, seen, force=self.force, nuclear=self.nuclear)
            traces = fingerprints_of(seen)
            return (
                seen,
                traces,
                rescue_work(self.world, self.observed, self.record, seen, purpose="removal", may_fail=self.nuclear),
            )
        except PolecatError as error:
            if self.done:
                error.args = (f"{error.message}\n  nothing was removed, but {' and '.join(self.done)}",)
            raise

    def _take_worktree(self, seen: Inspection, traces: Fingerprints, saved: Saved) -> Path | None:
        """Move the worktree to the trash, and look once more: what somebody wrote after it was saved is not lost either.

        Until that is proved, the entry in the trash is one that nobody empties, whatever becomes of this process.
        """
        world, observed, name = self.world, self.observed, self.record.polecat
        intent = evolve(
            self.record, purpose="remove", branch=(seen.worktree.branch or "") if seen.worktree else "", pid=os.getpid()
        )
        home = observed.rig.home_dir(name)
        if seen.path != home:
            write_claim(observed.rig, intent)
        into = keep_for_good(trash_entry(observed.rig, self.record))
        if seen.worktree is None:
            return self._bury(seen, into)
        try:
            with holding(git_lock(observed.rig), what=f"remove worktree of {name}"):
                world.git.drop_worktree(observed.repo, seen.worktree, into=into)
                is_changed = has_changed(world, observed, seen, into, traces)
                if is_changed and not self.nuclear:
                    world.git.restore_worktree(observed.repo, seen.worktree, source=into)
                    raise GitError(f"somebody wrote into {seen.path} while it was being removed; it is back where it was")
        except BaseException:
            if not os.path.lexists(into):
                drop_claim(observed.rig, intent)
                no_longer_kept(into)
            else:
                self.done.append(f"its worktree is in {into}")
            raise
        self.done.append("its worktree was taken away")
        if saved.failed or is_changed or seen.verdict.stands("unknown"):
            return into
        no_longer_kept(into)
        return None

    def _bury(self, seen: Inspection, into: Path) -> Path | None:
        """What stands where a worktree should, and could not be proved to be one, is kept."""
        if seen.path == self.observed.rig.home_dir(self.record.polecat) or not os.path.lexists(seen.path):
            no_longer_kept(into)
            return None
        os.rename(seen.path, into)
        self.done.append(f"its worktree is in {into}")
        return into

    def _drop_branch(self, seen: Inspection, saved: Saved) -> tuple[str, bool]:
        what = "its branch was deleted"
        with self._doing(what):
            branch, is_deleted = drop_branch(self.world, self.observed, seen, saved)
        if not is_deleted:
            self.done.remove(what)
        return branch, is_deleted

    def _hand_back(self, seen: Inspection) -> tuple[str, ...]:
        """Unassign before the name is free, so that nobody inherits work."""
        beads = self.world.beads
        freed = []
        for bead, holder in _holders(self.record, seen).items():
            with self._doing(f"{bead} was handed back"):
                if beads.unassign(bead, expected=holder):
                    freed.append(bead)
        if self.record.agent_bead:
            with self._doing("its agent bead was closed"):
                beads.close_agent(self.record.agent_bead, reason="polecat removed")
        return tuple(freed)

    def _free_name(self) -> Path | None:
        home = self.observed.rig.home_dir(self.record.polecat)
        leave_place(self.observed.rig, self.record.polecat)
        kept = free_home(self.observed.rig, self.record)
        if os.path.lexists(home):
            raise PolecatError(f"{home} is still there")
        return kept

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        try:
            yield
        except (PolecatError, OSError) as error:
            if isinstance(error, WorkAtRiskError):
                raise
            who = agent_id(self.observed.rig.name, self.record.polecat)
            why = getattr(error, "message", None) or str(error)
            failed = RemoveFailedError(
                f"cannot remove {who}: {why}",
                step=step,
                left_behind=self.done,
                hint=getattr(error, "hint", "") or self._way_on(),
            )
            failed.args = (f"{failed.message}\n  {self._fate()}",)
            raise failed from error

    def _fate(self) -> str:
        return f"already done: {'; '.join(self.done)}" if self.done else "nothing was touched"

    def _way_on(self) -> str:
        rig, name = self.observed.rig.name, self.record.polecat
        if read_claim(self.observed.rig, name) is None:
            return f"mend the cause and remove it again: polecat remove {rig}/{name}"
        return f"the name stays taken; mend the cause, then finish it: polecat reconcile {rig}"

    def _tell(self, done: Removed) -> None:
        branch = {"branch": done.branch, "branch_deleted": done.branch_deleted}
        facts = {"rescue": done.rescue, **branch, "unassigned": list(done.unassigned)}
        self.world.emit(
            Event(
                name="polecat_removed", rig=done.rig_name, polecat=done.polecat_name, instance=self.record.instance, facts=facts
            )
        )
        payload: dict[str, object] = {"agent": agent_id(done.rig_name, done.polecat_name), "reason": "removed"}
        if done.rescue:
            payload["rescue"] = done.rescue
        line = event_line(self.world.clock.now(), "kill", actor="gt", payload=payload)
        try:
            append_event(self.observed.rig.town_root, line)
        except OSError:
            return
