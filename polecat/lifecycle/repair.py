"""Giving a polecat a fresh worktree without ever being without one.

    lock → inspect → new worktree aside, provisioned → end the session → inspect again → rescue → swap → bead → record

The old worktree is moved to the trash only when the new one stands ready; a failure at any point before leaves it byte-identical.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.bead_rules import holds
from polecat.errors import GitError, PolecatError, RepairFailedError, StepFailedError, WorkAtRiskError, publish
from polecat.model import Polecat, Rig, SpawnedPolecat, SpawnOptions
from polecat.names import agent_bead_id, agent_id, branch_name
from polecat.place.prepare import prepare_place
from polecat.place.provision import provision
from polecat.ports import Event, GitMoves, Session, Worktree, World, needs
from polecat.town.homes import clone_path
from polecat.town.locks import git_lock, holding
from polecat.town.records import Record, drop_claim, new_instance_id, settle, write_claim
from polecat.upkeep.addressing import find_target
from polecat.upkeep.hook import check_bead, open_agent_bead_for, take_bead_lock
from polecat.upkeep.inspection import Inspection, inspect, record_of, refuse, session_of
from polecat.upkeep.listing import find_polecat
from polecat.upkeep.observation import Observation, choose, fetch_policy, observe
from polecat.upkeep.recovery import aside_dir, recover_first
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
from polecat.upkeep.trash import delete_entry, empty_trash, keep_for_good, no_longer_kept, taking_in, trash_entry
from polecat.upkeep.undo import Undo
from polecat.upkeep.worktrees import Base, fetching, find_base, make_worktree


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
    """Give a polecat a fresh worktree on a new branch from the remote's tip; its session is ended, none is started.

    Args:
        rig: the rig, or its name.
        polecat: the polecat: its name, or a value of it, which means that spawn and no later one of the name.
        force: go on in spite of uncommitted changes and a hook; they are rescued first.
        nuclear: go on in spite of everything but standing inside.
        hook_bead: bead to put on its hook; without one it keeps what it holds.
        base_branch: branch of the remote to start from instead of the rig's default branch.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The polecat as it is now, a new instance, and what was saved of the old worktree.

    Raises:
        PolecatNotFoundError: there is none of that name, or it is another one by now.
        WorkAtRiskError: work would be lost; nothing was touched.
        SpawnRefusedError: *hook_bead* is closed, keeps failing, or is somebody else's.
        RepairFailedError: it began and broke; the old worktree is as it was.
        UnsupportedError: the given git has no `GitMoves`, or no `GitRescues` and something would have to be saved.

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
    with _holding_bead(rig, hook_bead), target.locked("repair"):
        observed = observe(world, rig)
        if not dry_run:
            observed = recover_first(world, observed, name)
            target.check()  # it may be gone, or another instance
        old = record_of(observed, name)
        session = session_of(observed, old)
        seen = inspect(world, observed, name, session=session)
        check_bead(world, observed, SpawnOptions(hook_bead=hook_bead, name=name))
        hooked_is_fine = hook_bead is None  # it keeps its hook, so nothing is handed back
        refuse(observed, name, seen, force=force, nuclear=nuclear, verb="repair", keeps_hook=hooked_is_fine)
        check_rescue(world, seen, may_fail=nuclear)
        if dry_run:
            return _planned(world, observed, name, session, seen)
        repair = _Repair(
            world=world, moves=moves, observed=observed, old=old, force=force, nuclear=nuclear, keeps_hook=hooked_is_fine
        )
        return repair.run(session, hook_bead or _hook_to_keep(world, old, seen), base_branch or rig.default_branch)


def _planned(world: FullWorld, observed: Observation, name: str, session: Session | None, seen: Inspection) -> Repaired:
    cat = find_polecat(world, observed.rig, name)
    return Repaired(
        polecat=cat,
        session_ended=session.name if session else "",
        rescue=f"refs/polecat/rescue/{cat.name}/…" if seen.worktree is not None and must_rescue(seen) else "",
        old_branch=(seen.worktree.branch or "") if seen.worktree else "",
        old_branch_deleted=may_drop_branch(seen),
    )


def _hook_to_keep(world: FullWorld, old: Record, seen: Inspection) -> str:
    """The bead it holds; if nobody could say when it was inspected, the one it was given, if it still has that."""
    if seen.held:
        return seen.held[0].id
    bead = world.beads.bead(old.hook_bead) if old.hook_bead and seen.verdict.stands("unknown") else None
    return bead.id if bead is not None and holds(bead, agent_id(old.rig, old.polecat)) else ""


@contextmanager
def _holding_bead(rig: Rig, bead: str | None) -> Iterator[None]:
    lock = take_bead_lock(rig, bead) if bead else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


@frozen(kw_only=True)
class _Repair:
    """A repair that has been allowed, with the polecat's lock held."""

    world: FullWorld
    moves: GitMoves
    observed: Observation
    old: Record
    force: bool
    nuclear: bool
    keeps_hook: bool

    def run(self, session: Session | None, hook_bead: str, base_branch: str) -> Repaired:
        """Do it, and take back what was made aside if it breaks."""
        undo = Undo()
        step = "look"
        try:
            step = "worktree"
            base, warnings = self._base(base_branch)
            record = self._new_lease(base, hook_bead)
            fresh, more = self._make_aside(record, base, undo)
            step = "session"
            if session is not None:
                self._end(session, undo)
            step = "rescue"
            seen = inspect(self.world, self.observed, self.old.polecat, session=None)
            again = {"force": self.force, "nuclear": self.nuclear, "keeps_hook": self.keeps_hook}
            refuse(self.observed, self.old.polecat, seen, verb="repair", **again)
            traces = fingerprints_of(seen)
            saved = rescue_work(self.world, self.observed, self.old, seen, purpose="repair", may_fail=self.nuclear)
            step = "swap"
            self._swap(seen, traces, fresh, record, saved)
            undo.forget()
        except (PolecatError, OSError) as error:
            undo.run()
            raise self._dressed(error, step, undo) from error
        except BaseException:
            undo.run()
            raise
        ended = session.name if session is not None else ""
        return evolve(self._finish(seen, record, saved, (*warnings, *more)), session_ended=ended)

    def _end(self, session: Session, undo: Undo) -> None:
        try:
            end_session(self.world, session)
        except PolecatError:
            undo.cannot(fate_of(self.world, session))
            raise
        undo.cannot("its session was ended")

    def _base(self, branch: str) -> tuple[Base, tuple[str, ...]]:
        with fetching(self.world, self.observed, fetch_policy(self.observed.settings)) as news:
            base = find_base(self.world, self.observed, branch, failure=news.failure())
        return base, (base.warning,) if base.warning else ()

    def _new_lease(self, base: Base, hook_bead: str) -> Record:
        now = self.world.clock.now()
        rig, name = self.observed.rig, self.old.polecat
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
            tmux_socket=self.world.tmux.socket or "",
            purpose="repair",
        )

    def _make_aside(self, record: Record, base: Base, undo: Undo) -> tuple[Worktree, tuple[str, ...]]:
        """At the same depth as the place it will take, so that relative links stay true."""
        world, observed, rig = self.world, self.observed, self.observed.rig
        aside, had_tree = aside_dir(rig, record), clone_path(rig, record.polecat).exists()
        if not (rig.home_dir(record.polecat) / ".git").exists():  # the old layout's home is the worktree; a claim would dirty it
            write_claim(rig, record)
            undo.add("claim", lambda: self._drop_claim(record))
        aside.mkdir()
        undo.add("directory aside", aside.rmdir)
        fresh = make_worktree(world, observed, aside / rig.name, branch=record.branch, base=base)
        undo.add("new worktree", lambda: self._discard(fresh, record, had_tree=had_tree))
        world.git.check_out(fresh, leave_out=observed.settings.leave_out, lazy_lfs=observed.settings.place.is_lfs_lazy)
        choice = choose(world, observed, SpawnOptions(), needs_program=False)
        stands_at = rig.home_dir(record.polecat) / rig.name
        place = prepare_place(
            rig, stands_at, choice.agent, settings=observed.settings, config_dir=choice.config_dir, environ=world.environ
        )
        warnings = provision(
            rig,
            fresh.path,
            repo=observed.repo,
            settings=observed.settings,
            agent=choice.agent,
            environ=world.environ,
            has_gt=choice.has_gt,
            stands_at=stands_at,
            git=world.git,
            variables=place.variables,
        )
        return fresh, (*place.warnings, *warnings)

    def _drop_claim(self, record: Record) -> None:
        """Only when nothing is left that the claim tells others how to settle."""
        if aside_dir(self.observed.rig, record).exists():
            raise PolecatError(f"the new worktree is still there; settle it: polecat reconcile {self.observed.rig.name}")
        drop_claim(self.observed.rig, record)

    def _discard(self, fresh: Worktree, record: Record, *, had_tree: bool) -> None:
        if had_tree and not clone_path(self.observed.rig, record.polecat).exists():
            raise PolecatError("the old one is not back, so the new one stays for a reconcile to put in its place")
        into = trash_entry(self.observed.rig, record)
        with taking_in(into), holding(git_lock(self.observed.rig), what=f"drop worktree of {record.polecat}"):
            self.world.git.drop_worktree(self.observed.repo, fresh, into=into)
            self.world.git.delete_branch(self.observed.repo, record.branch, expected=record.base_commit)
        delete_entry(into)

    def _swap(self, seen: Inspection, traces: Fingerprints, fresh: Worktree, record: Record, saved: Saved) -> None:
        """Old one out, new one in, under the repository's lock; if the new one cannot come in, the old one comes back.

        Until the old one is proved to be what was saved, its entry in the trash is one that nobody empties.
        """
        world, observed = self.world, self.observed
        into = keep_for_good(trash_entry(observed.rig, self.old))
        target = observed.rig.home_dir(record.polecat) / observed.rig.name
        try:
            with holding(git_lock(observed.rig), what=f"swap worktrees of {record.polecat}"):
                self._take_out(seen, into)
                try:
                    is_changed = has_changed(world, observed, seen, into, traces)
                    if is_changed and not self.nuclear:
                        raise GitError(f"somebody wrote into {seen.path} while it was being repaired")
                    target.parent.mkdir(exist_ok=True)
                    self.moves.move_worktree(observed.repo, fresh, target)
                except BaseException:
                    self._bring_back(seen, into)
                    raise
        except BaseException:
            if not os.path.lexists(into):
                no_longer_kept(into)
            raise
        if not (saved.failed or is_changed or seen.verdict.stands("unknown")):
            no_longer_kept(into)

    def _take_out(self, seen: Inspection, into: Path) -> None:
        if seen.worktree is not None:
            self.world.git.drop_worktree(self.observed.repo, seen.worktree, into=into)
        elif seen.path.exists():
            seen.path.rename(into)

    def _bring_back(self, seen: Inspection, into: Path) -> None:
        if seen.worktree is not None:
            self.world.git.restore_worktree(self.observed.repo, seen.worktree, source=into)
        elif os.path.lexists(into):
            into.rename(seen.path)

    def _finish(self, seen: Inspection, record: Record, saved: Saved, warnings: tuple[str, ...]) -> Repaired:
        world, observed, rig = self.world, self.observed, self.observed.rig
        notes = list(warnings)
        aside = aside_dir(rig, record)
        try:
            aside.rmdir()
            branch, is_deleted = drop_branch(world, observed, seen, saved)
            open_agent_bead_for(world, rig, record, state="idle" if not record.hook_bead else "spawning")
            settle(rig, record)
        except (PolecatError, OSError) as error:
            why = getattr(error, "message", None) or str(error)
            notes.append(f"the worktree is new, but: {why}; mend the cause, then finish it: polecat reconcile {rig.name}")
            branch, is_deleted = (seen.worktree.branch or "") if seen.worktree else "", False
        facts = {"branch": record.branch, "rescue": saved.ref, "base_commit": record.base_commit}
        world.emit(Event(name="polecat_repaired", rig=rig.name, polecat=record.polecat, instance=record.instance, facts=facts))
        empty_trash(rig)
        cat = find_polecat(world, rig, record.polecat)
        return Repaired(polecat=cat, rescue=saved.ref, old_branch=branch, old_branch_deleted=is_deleted, warnings=tuple(notes))

    def _dressed(self, error: PolecatError | OSError, step: str, undo: Undo) -> PolecatError:
        if isinstance(error, WorkAtRiskError) and not undo.left_behind:
            return error
        who = agent_id(self.observed.rig.name, self.old.polecat)
        why = error.message if isinstance(error, PolecatError) else f"{error.strerror or error}"
        failed = RepairFailedError(f"cannot repair {who}: {why}", step=step, undone=undo.undone, left_behind=undo.left_behind)
        failed.args = (f"{failed.message}\n  the old worktree is as it was; {StepFailedError.outcome(failed)}",)
        failed.hint = getattr(error, "hint", "")
        return failed
