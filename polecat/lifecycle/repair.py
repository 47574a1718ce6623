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
from polecat.errors import GitError, PolecatError, RepairFailedError, StepFailedError, WorkAtRiskError
from polecat.model import Polecat, Rig, SpawnOptions
from polecat.names import agent_bead_id, agent_id, branch_name
from polecat.place.prepare import prepare_place
from polecat.place.provision import provision
from polecat.ports import Event, Session, Worktree, World
from polecat.town.locks import git_lock, holding, polecat_lock
from polecat.town.state import Lease, clone_path, drop_claim, new_instance_id, settle, write_claim
from polecat.upkeep.hook import check_bead, open_agent_bead_for, take_bead_lock
from polecat.upkeep.inspection import Inspection, inspect, lease_of, refuse, session_of
from polecat.upkeep.listing import check_exists, find_polecat
from polecat.upkeep.recovery import aside_dir, heal_first
from polecat.upkeep.rescue import Saved, Traces, drop_branch, has_changed, may_drop_branch, must_rescue, rescue_work, traces_of
from polecat.upkeep.survey import Site, as_rig, choose, fetch_policy, look
from polecat.upkeep.termination import end_session, fate_of
from polecat.upkeep.trash import delete_entry, empty_trash, keep_for_good, no_longer_kept, taking_in, trash_entry
from polecat.upkeep.undo import Undo
from polecat.upkeep.worktrees import Base, fetching, find_base, make_worktree


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
    name: str,
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
        name: the polecat.
        force: go on in spite of uncommitted changes and a hook; they are rescued first.
        nuclear: go on in spite of everything but standing inside.
        hook_bead: bead to put on its hook; without one it keeps what it holds.
        base_branch: branch of the remote to start from instead of the rig's default branch.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The polecat as it is now, and what was saved of the old worktree.

    Raises:
        PolecatNotFoundError: there is none of that name.
        WorkAtRiskError: work would be lost; nothing was touched.
        SpawnRefusedError: *hook_bead* is closed, keeps failing, or is somebody else's.
        RepairFailedError: it began and broke; the old worktree is as it was.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> (cat.clone_path / "draft.txt").write_text("x")
        1
        >>> world.clock.sleep(1)
        >>> done = repair_polecat(rig, cat.polecat_name, force=True, world=world)
        >>> done.polecat.branch != cat.branch, (cat.clone_path / "draft.txt").exists(), bool(done.rescue)
        (True, False, True)

    Source:
        Contract §7.2; design §6, deviations 10 and 20; incident T-16.
    """
    rig = as_rig(rig)
    check_exists(rig, name)
    world = full_world(rig, world)
    with _holding_bead(rig, hook_bead), holding(polecat_lock(rig, name), what=f"repair {name}"):
        check_exists(rig, name)
        site = look(world, rig)
        if not dry_run:
            site = heal_first(world, site, name)
            check_exists(rig, name)
        old = lease_of(site, name, None)
        session = session_of(site, old)
        seen = inspect(world, site, name, session=session)
        check_bead(world, site, SpawnOptions(hook_bead=hook_bead, name=name))
        hooked_is_fine = hook_bead is None  # it keeps its hook, so nothing is handed back
        refuse(site, name, seen, force=force, nuclear=nuclear, verb="repair", keeps_hook=hooked_is_fine)
        if dry_run:
            return _planned(world, site, name, session, seen)
        repair = _Repair(world=world, site=site, old=old, force=force, nuclear=nuclear, keeps_hook=hooked_is_fine)
        return repair.run(session, hook_bead or _hook_to_keep(world, old, seen), base_branch or rig.default_branch)


def _planned(world: FullWorld, site: Site, name: str, session: Session | None, seen: Inspection) -> Repaired:
    cat = find_polecat(world, site.rig, name)
    return Repaired(
        polecat=cat,
        session_ended=session.name if session else "",
        rescue=f"refs/polecat/rescue/{cat.name}/…" if seen.worktree is not None and must_rescue(seen) else "",
        old_branch=(seen.worktree.branch or "") if seen.worktree else "",
        old_branch_deleted=may_drop_branch(seen),
    )


def _hook_to_keep(world: FullWorld, old: Lease, seen: Inspection) -> str:
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
    site: Site
    old: Lease
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
            lease = self._new_lease(base, hook_bead)
            fresh, more = self._make_aside(lease, base, undo)
            step = "session"
            if session is not None:
                self._end(session, undo)
            step = "rescue"
            seen = inspect(self.world, self.site, self.old.polecat, session=None)
            again = {"force": self.force, "nuclear": self.nuclear, "keeps_hook": self.keeps_hook}
            refuse(self.site, self.old.polecat, seen, verb="repair", **again)
            traces = traces_of(seen)
            saved = rescue_work(self.world, self.site, self.old, seen, purpose="repair", may_fail=self.nuclear)
            step = "swap"
            self._swap(seen, traces, fresh, lease, saved)
            undo.forget()
        except (PolecatError, OSError) as error:
            undo.run()
            raise self._dressed(error, step, undo) from error
        except BaseException:
            undo.run()
            raise
        ended = session.name if session is not None else ""
        return evolve(self._finish(seen, lease, saved, (*warnings, *more)), session_ended=ended)

    def _end(self, session: Session, undo: Undo) -> None:
        try:
            end_session(self.world, session)
        except PolecatError:
            undo.cannot(fate_of(self.world, session))
            raise
        undo.cannot("its session was ended")

    def _base(self, branch: str) -> tuple[Base, tuple[str, ...]]:
        with fetching(self.world, self.site, fetch_policy(self.site.settings)) as news:
            base = find_base(self.world, self.site, branch, trouble=news.trouble())
        return base, (base.warning,) if base.warning else ()

    def _new_lease(self, base: Base, hook_bead: str) -> Lease:
        now = self.world.clock.now()
        rig, name = self.site.rig, self.old.polecat
        return Lease(
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

    def _make_aside(self, lease: Lease, base: Base, undo: Undo) -> tuple[Worktree, tuple[str, ...]]:
        """At the same depth as the place it will take, so that relative links stay true."""
        world, site, rig = self.world, self.site, self.site.rig
        aside, had_tree = aside_dir(rig, lease), clone_path(rig, lease.polecat).exists()
        if not (rig.home_dir(lease.polecat) / ".git").exists():  # the old layout's home is the worktree; a claim would dirty it
            write_claim(rig, lease)
            undo.add("claim", lambda: self._drop_claim(lease))
        aside.mkdir()
        undo.add("directory aside", aside.rmdir)
        fresh = make_worktree(world, site, aside / rig.name, branch=lease.branch, base=base)
        undo.add("new worktree", lambda: self._discard(fresh, lease, had_tree=had_tree))
        world.git.check_out(fresh, leave_out=site.settings.leave_out, lazy_lfs=site.settings.place.is_lfs_lazy)
        choice = choose(world, site, SpawnOptions(), needs_program=False)
        stands_at = rig.home_dir(lease.polecat) / rig.name
        place = prepare_place(
            rig, stands_at, choice.agent, settings=site.settings, config_dir=choice.config_dir, environ=world.environ
        )
        warnings = provision(
            rig,
            fresh.path,
            repo=site.repo,
            settings=site.settings,
            agent=choice.agent,
            environ=world.environ,
            has_gt=choice.has_gt,
            stands_at=stands_at,
            git=world.git,
            variables=place.variables,
        )
        return fresh, (*place.warnings, *warnings)

    def _drop_claim(self, lease: Lease) -> None:
        """Only when nothing is left that the claim tells others how to settle."""
        if aside_dir(self.site.rig, lease).exists():
            raise PolecatError(f"the new worktree is still there; settle it: polecat reconcile {self.site.rig.name}")
        drop_claim(self.site.rig, lease)

    def _discard(self, fresh: Worktree, lease: Lease, *, had_tree: bool) -> None:
        if had_tree and not clone_path(self.site.rig, lease.polecat).exists():
            raise PolecatError("the old one is not back, so the new one stays for a reconcile to put in its place")
        into = trash_entry(self.site.rig, lease)
        with taking_in(into), holding(git_lock(self.site.rig), what=f"drop worktree of {lease.polecat}"):
            self.world.git.drop_worktree(self.site.repo, fresh, into=into)
            self.world.git.delete_branch(self.site.repo, lease.branch, expected=lease.base_commit)
        delete_entry(into)

    def _swap(self, seen: Inspection, traces: Traces, fresh: Worktree, lease: Lease, saved: Saved) -> None:
        """Old one out, new one in, under the repository's lock; if the new one cannot come in, the old one comes back.

        Until the old one is proved to be what was saved, its entry in the trash is one that nobody empties.
        """
        world, site = self.world, self.site
        into = keep_for_good(trash_entry(site.rig, self.old))
        target = site.rig.home_dir(lease.polecat) / site.rig.name
        try:
            with holding(git_lock(site.rig), what=f"swap worktrees of {lease.polecat}"):
                self._take_out(seen, into)
                try:
                    is_changed = has_changed(world, site, seen, into, traces)
                    if is_changed and not self.nuclear:
                        raise GitError(f"somebody wrote into {seen.path} while it was being repaired")
                    target.parent.mkdir(exist_ok=True)
                    world.git.move_worktree(site.repo, fresh, target)
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
            self.world.git.drop_worktree(self.site.repo, seen.worktree, into=into)
        elif seen.path.exists():
            seen.path.rename(into)

    def _bring_back(self, seen: Inspection, into: Path) -> None:
        if seen.worktree is not None:
            self.world.git.restore_worktree(self.site.repo, seen.worktree, source=into)
        elif os.path.lexists(into):
            into.rename(seen.path)

    def _finish(self, seen: Inspection, lease: Lease, saved: Saved, warnings: tuple[str, ...]) -> Repaired:
        world, site, rig = self.world, self.site, self.site.rig
        notes = list(warnings)
        aside = aside_dir(rig, lease)
        try:
            aside.rmdir()
            branch, is_deleted = drop_branch(world, site, seen, saved)
            open_agent_bead_for(world, rig, lease, state="idle" if not lease.hook_bead else "spawning")
            settle(rig, lease)
        except (PolecatError, OSError) as error:
            why = getattr(error, "message", None) or str(error)
            notes.append(f"the worktree is new, but: {why}; mend the cause, then finish it: polecat reconcile {rig.name}")
            branch, is_deleted = (seen.worktree.branch or "") if seen.worktree else "", False
        facts = {"branch": lease.branch, "rescue": saved.ref, "base_commit": lease.base_commit}
        world.emit(Event(name="polecat_repaired", rig=rig.name, polecat=lease.polecat, instance=lease.instance, facts=facts))
        empty_trash(rig)
        cat = find_polecat(world, rig, lease.polecat)
        return Repaired(polecat=cat, rescue=saved.ref, old_branch=branch, old_branch_deleted=is_deleted, warnings=tuple(notes))

    def _dressed(self, error: PolecatError | OSError, step: str, undo: Undo) -> PolecatError:
        if isinstance(error, WorkAtRiskError) and not undo.left_behind:
            return error
        who = agent_id(self.site.rig.name, self.old.polecat)
        why = error.message if isinstance(error, PolecatError) else f"{error.strerror or error}"
        failed = RepairFailedError(f"cannot repair {who}: {why}", step=step, undone=undo.undone, left_behind=undo.left_behind)
        failed.args = (f"{failed.message}\n  the old worktree is as it was; {StepFailedError.fate(failed)}",)
        failed.hint = getattr(error, "hint", "")
        return failed
