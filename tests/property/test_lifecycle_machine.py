"""A machine that does to a rig whatever may happen to it, in any order, and after each step looks whether the promises still hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from polecat import (
    PolecatError,
    SpawnOptions,
    list_polecats,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    spawn_for_sling,
    stop_polecat,
)
from polecat.errors import WorkAtRiskError
from polecat.testing import CrashAt, Crashed, fake_world
from polecat.town.homes import list_homes
from polecat.town.records import CLAIM_FILE, read_claim, read_record
from tests.property.neighbours import Neighbours, names

BEADS = ("gt-1", "gt-2")


class Lifecycle(Neighbours):
    """One rig, three names, two beads, and everybody else of `Neighbours`.

    ``work`` holds every content an agent ever wrote that was not thrown away by hand: it must be in a worktree, in a commit that a ref
    reaches, in a rescue, in a stash or in what the trash keeps.
    """

    @initialize()
    def found_a_rig(self) -> None:
        """Begin with an empty rig."""
        self.root = Path(tempfile.mkdtemp(prefix="polecat-machine-"))
        self.rig, self.world = fake_world(self.root)
        self.work: dict[bytes, str] = {}
        self.count = 0
        self.settle_in()

    def teardown(self) -> None:
        """Take the rig away."""
        if hasattr(self, "root"):
            shutil.rmtree(self.root, ignore_errors=True)

    # -------------------------------------------------------------------------------------------------------- orders

    @rule(name=names | st.none(), bead=st.sampled_from(BEADS) | st.none(), force=st.booleans())
    def spawn(self, name: str | None, bead: str | None, *, force: bool) -> None:
        """Somebody spawns."""
        self._pass_time()
        with contextlib.suppress(PolecatError):
            spawn_for_sling(self.rig, SpawnOptions(name=name, hook_bead=bead, force=force), world=self.world)

    @rule(name=names, how=st.sampled_from(["plain", "force", "nuclear"]))
    def remove(self, name: str, how: str) -> None:
        """Somebody removes; without force nothing that is at risk may go."""
        at_risk = self._is_at_risk(name)
        try:
            remove_polecat(self.rig, name, force=how == "force", nuclear=how == "nuclear", world=self.world)
        except WorkAtRiskError:
            assert how != "nuclear"
            assert self.rig.home_dir(name).exists()
        except PolecatError:
            pass
        else:
            assert how != "plain" or not at_risk, f"{name} was removed although {at_risk} was at risk"

    @rule(name=names, how=st.sampled_from(["plain", "force", "nuclear"]))
    def repair(self, name: str, how: str) -> None:
        """Somebody repairs."""
        self._pass_time()
        with contextlib.suppress(PolecatError):
            repair_polecat(self.rig, name, force=how == "force", nuclear=how == "nuclear", world=self.world)

    @rule(name=names)
    def stop(self, name: str) -> None:
        """Somebody stops."""
        with contextlib.suppress(PolecatError):
            stop_polecat(self.rig, name, world=self.world)

    @rule()
    def reconcile(self) -> None:
        """Somebody reconciles; after that every directory has an owner, and doing it again changes nothing."""
        reconcile_pool(self.rig, world=self.world)
        settled = self._settled()
        reconcile_pool(self.rig, world=self.world)

        assert self._settled() == settled
        living = self.world.processes.instances()
        for name in list_homes(self.rig).dirs:
            claim, record = read_claim(self.rig, name), read_record(self.rig, name)
            is_kept = self.is_moved or (claim is not None and claim.instance in living)
            assert claim is None or is_kept, f"the claim of {name} is still there"
            assert record is not None or is_kept, f"the home of {name} has no owner"
        homes = set(list_homes(self.rig).dirs)
        for session in self.world.tmux.list_sessions():
            owners = [name for name in homes for known in self._known(name) if known.instance == session.instance]
            is_ours = session.environment.get("GT_ROOT") == str(self.rig.town_root) and "GT_POLECAT" in session.environment
            is_orphan = is_ours and session.environment["GT_RIG"] == "gastown" and not session.is_shared
            assert owners or not is_orphan, f"the session {session.name} has no owner"

    @rule(
        verb=st.sampled_from(["spawn", "remove", "repair", "reconcile"]),
        name=names,
        bead=st.sampled_from(BEADS) | st.none(),
        at=st.integers(1, 70),
        after=st.booleans(),
    )
    def crash(self, verb: str, name: str, bead: str | None, at: int, *, after: bool) -> None:
        """The process that does something dies in the middle of it."""
        self._pass_time()
        world = CrashAt(at, after=after).around(self.world)
        with contextlib.suppress(PolecatError, Crashed):
            if verb == "spawn":
                spawn_for_sling(self.rig, SpawnOptions(name=name, hook_bead=bead), world=world)
            elif verb == "remove":
                remove_polecat(self.rig, name, nuclear=True, world=world)
            elif verb == "repair":
                repair_polecat(self.rig, name, nuclear=True, world=world)
            else:
                reconcile_pool(self.rig, world=world)

    # --------------------------------------------------------------------------------------------- what happens besides

    @rule(name=names)
    def the_agent_ends(self, name: str) -> None:
        """An agent ends by itself."""
        for session in self.world.tmux.list_sessions():
            if session.name == f"gt-gastown-{name}" and session.instance:
                self.world.processes.forget(session.pane_pid)

    @rule(name=names)
    def somebody_ends_the_session(self, name: str) -> None:
        """A person ends a session."""
        for session in self.world.tmux.list_sessions():
            if session.name == f"gt-gastown-{name}" and session.instance:
                self.world.tmux.kill(session.id, name=session.name, instance=session.instance, pane_id=session.pane_id)

    @rule(name=names)
    def somebody_renames_the_session(self, name: str) -> None:
        """A person renames a session."""
        if self.is_agents(name):
            self.count += 1
            self.world.tmux.rename(f"gt-gastown-{name}", f"mine-{self.count}")

    @rule()
    def the_server_restarts(self) -> None:
        """All sessions are gone and ids begin anew."""
        self.world.tmux.people.clear()
        self.world.tmux.restart_server()

    @rule(name=names)
    def the_agent_edits(self, name: str) -> None:
        """An agent writes a file."""
        if self._tree(name):
            self.world.git.edit(self._path(name), "work.txt", self._content(name))

    @rule(name=names)
    def the_agent_commits(self, name: str) -> None:
        """An agent commits what it has."""
        if self._tree(name):
            self.world.git.commit(self._path(name), {f"commit-{self.count}.txt": self._content(name)})

    @rule(name=names)
    def the_agent_stashes(self, name: str) -> None:
        """An agent stashes what it has."""
        if self._tree(name):
            self.world.git.stash(self._path(name))

    @rule(name=names)
    def the_agent_pushes(self, name: str) -> None:
        """An agent pushes its branch."""
        if self._tree(name):
            self.world.git.push(self._path(name))

    @precondition(lambda self: bool(list_homes(self.rig).dirs))
    @rule(name=names)
    def somebody_deletes_the_directory(self, name: str) -> None:
        """A person deletes a home by hand; what was only there is nobody's fault."""
        if self.rig.home_dir(name).exists():
            self.homeless |= {known.instance for known in self._known(name)}
            shutil.rmtree(self.rig.home_dir(name))
            stashed = {data for _, files in self.repo().stashes for data in files.values()}
            self.work = {d: n for d, n in self.work.items() if n != name or d in stashed or self._is_in_a_commit(d)}

    @rule()
    def a_colleague_pushes(self) -> None:
        """The remote moves on."""
        self.count += 1
        self.world.git.advance_remote(files={"news.txt": f"{self.count}"})

    # ----------------------------------------------------------------------------------------------------- promises

    @invariant()
    def nobody_shares_a_name(self) -> None:
        """No two sessions are the same polecat's, and none is in another's worktree."""
        if not hasattr(self, "rig"):
            return
        sessions = self.world.tmux.list_sessions()
        instances = [session.instance for session in sessions if session.instance and not session.is_dead]
        assert len(set(instances)) == len(instances)
        owners = [
            record.polecat
            for name in list_homes(self.rig).dirs
            if (record := read_record(self.rig, name)) and record.instance in instances
        ]
        assert len(set(owners)) == len(owners)
        heads = [tree.branch for tree in self.repo().trees.values() if tree.path.parent.parent == self.rig.polecats_dir]
        assert len(set(heads)) == len(heads), "two worktrees on one branch"

    @invariant()
    def no_work_vanishes(self) -> None:
        """Whatever an agent wrote is somewhere."""
        if not hasattr(self, "rig"):
            return
        lost = [(n, data) for data, n in self.work.items() if not self._is_somewhere(data)]
        assert not lost, f"vanished: {lost}"

    @invariant()
    def everybody_is_listed(self) -> None:
        """Every home is a polecat in the list, whatever state it is in."""
        if hasattr(self, "rig"):
            cats = list_polecats(self.rig, with_work=False, world=self.world)
            assert [cat.name for cat in cats] == list(list_homes(self.rig).dirs)

    # ------------------------------------------------------------------------------------------------------- inside

    def _pass_time(self) -> None:
        self.world.clock.sleep(1)

    def _path(self, name: str) -> Path:
        return self.rig.home_dir(name) / self.rig.name

    def _tree(self, name: str) -> bool:
        """Whether the polecat has a worktree an agent could work in: files checked out, and an agent was about to be started."""
        claim = read_claim(self.rig, name)
        if claim is not None and claim.purpose == "spawn" and not claim.may_have_run:
            return False
        try:
            self.world.git.tree(self._path(name))
        except KeyError:
            return False
        return (self._path(name) / "README.md").exists()

    def _content(self, name: str) -> bytes:
        self.count += 1
        data = f"work {self.count} of {name}".encode()
        old = self._path(name) / "work.txt"
        if old.exists() and not self._is_in_a_commit(old.read_bytes()):
            self.work.pop(old.read_bytes(), None)  # overwritten by the agent itself
        self.work[data] = name
        return data

    def _is_in_a_commit(self, data: bytes) -> bool:
        git, known = self.world.git, self.repo()
        tips = [*known.heads.values(), *known.tracking.values(), *(rescue.commit for rescue in known.rescues.values())]
        return any(data in git.commits[commit].files.values() for tip in tips for commit in git.ancestry(tip))

    def _is_somewhere(self, data: bytes) -> bool:
        if self._is_in_a_commit(data) or any(data in files.values() for _, files in self.repo().stashes):
            return True
        for where, dirs, files in os.walk(self.rig.polecats_dir):
            dirs[:] = [
                d for d in dirs if ".trash" not in where or not where.endswith(".trash") or (Path(where) / f"{d}.keep").exists()
            ]
            if any((Path(where) / name).read_bytes() == data for name in files):
                return True
        return False

    def _is_at_risk(self, name: str) -> list[bytes]:
        """What of a polecat's work is in its worktree and nowhere else."""
        path = self._path(name) / "work.txt"
        if not self._tree(name) or not path.exists():
            return []
        return [path.read_bytes()] if not self._is_in_a_commit(path.read_bytes()) else []

    def _settled(self) -> object:
        claims = sorted(str(path) for path in self.rig.polecats_dir.glob(f"*/{CLAIM_FILE}"))
        homes = list_homes(self.rig).dirs
        return (homes, claims, sorted(self.repo().heads), self.world.tmux.sessions(), self.world.beads.beads())


TestLifecycle = Lifecycle.TestCase
TestLifecycle.__doc__ = (
    "T-24, T-28, T-29: in any order of operations and accidents names are unique, owners exist, and no work vanishes."
)
TestLifecycle.settings = settings(
    max_examples=int(os.environ.get("POLECAT_MACHINE_EXAMPLES", "20")),
    stateful_step_count=int(os.environ.get("POLECAT_MACHINE_STEPS", "30")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
