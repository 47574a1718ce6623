"""Who else is on the machine, and what happens to it: the part of the machine that is about other people, servers and places."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from polecat import Bead, PolecatError, Rig, list_polecats, nudge_polecat
from polecat.ports import Repo
from polecat.testing import FakeTmux, FakeWorld
from polecat.testing.fake_git_world import FakeRepo
from polecat.town.find import find_repo
from polecat.town.homes import list_homes
from polecat.town.records import Record, read_claim, read_record

NAMES = ("furiosa", "nux", "slit")
names = st.sampled_from(NAMES)

POLECAT = {"GT_ROLE": "polecat", "GT_RIG": "gastown"}
ROLES = {"gt-gastown-witness": "witness", "gt-gastown-refinery": "refinery", "hq-mayor": "mayor"}
ELSEWHERE = {"gt-8": "gastown/crew/max", "gt-9": "other/polecats/nux"}
"""Beads that others hold."""
OLD_BRANCH = "polecat/dementus-1"
"""A branch of a polecat that is gone, with work that is nowhere else."""


class Neighbours(RuleBasedStateMachine):
    """A rig among others: their sessions, panes, branches and beads are never touched, whatever is done.

    ``people`` holds the processes of everybody else, ``homeless`` the instances whose home a person deleted.
    """

    root: Path
    rig: Rig
    world: FakeWorld
    count: int

    def settle_in(self) -> None:
        """Let the others come."""
        self.servers: list[FakeTmux] = [self.world.tmux, self.world.tmux.neighbour("other")]
        self.homeless: set[str] = set()
        self.is_moved = False
        for name, role in ROLES.items():
            self.world.tmux.person(name, {"GT_ROLE": role, "GT_RIG": "gastown", "GT_ROOT": str(self.rig.town_root)})
        same_town = {"GT_RIG": "gastown-two", "GT_POLECAT": "nux", "GT_ROOT": str(self.rig.town_root)}
        self.world.tmux.person("gt-gastown-two-nux", {**POLECAT, **same_town})
        for bead, holder in ELSEWHERE.items():
            self.world.beads.add(Bead(id=bead, status="hooked", assignee=holder))
        start = self.repo().tracking["main"]
        files = {**self.world.git.commits[start].files, "old.txt": b"old"}
        self.old_tip = self.repo().heads[OLD_BRANCH] = self.world.git.record(start, files)

    # ------------------------------------------------------------------------------------- kind 1: names are addresses

    @rule(name=names, who=st.sampled_from(["person", "other town", "restored"]))
    def somebody_has_a_session_of_that_name(self, name: str, who: str) -> None:
        """A person, a second town with a rig of that name, or a plugin that restores sessions makes one."""
        session = f"gt-gastown-{name}"
        if session not in self.world.tmux.sessions():
            said = {**POLECAT, "GT_POLECAT": name, "GT_ROOT": "/other/town"} if who == "other town" else {}
            self.world.tmux.person(session, said)

    @rule(name=names)
    def somebody_leaves(self, name: str) -> None:
        """A person ends a session of his own."""
        for session in self.world.tmux.list_sessions():
            if session.name == f"gt-gastown-{name}" and session.pane_pid in self.world.tmux.people:
                self.world.tmux.people.discard(session.pane_pid)
                self.world.tmux.kill(session.id, name=session.name)

    @rule(name=names)
    def somebody_looks_on(self, name: str) -> None:
        """A person makes a second view of a polecat's session, or ends it."""
        view = f"view-of-{name}"
        if view in self.world.tmux.sessions():
            self.world.tmux.kill("", name=view)
        elif self.is_agents(name):
            self.world.tmux.view(f"gt-gastown-{name}", view)

    @rule(name=names)
    def somebody_splits(self, name: str) -> None:
        """A person opens a pane of his own beside the agent's."""
        if self.is_agents(name):
            self.world.tmux.split(f"gt-gastown-{name}")

    @rule(name=names)
    def somebody_moves_the_pane(self, name: str) -> None:
        """A person moves the agent's pane into a session of his own."""
        if self.is_agents(name):
            self.count += 1
            self.world.tmux.person(f"mine-{self.count}")
            self.world.tmux.move(f"gt-gastown-{name}", f"mine-{self.count}")

    @rule(name=names)
    def somebody_nudges(self, name: str) -> None:
        """Text for a polecat reaches its agent or nobody."""
        with contextlib.suppress(PolecatError):
            nudge_polecat(self.rig, name, "echo hello", world=self.world)

    @rule(name=names, branch=st.sampled_from([OLD_BRANCH, "mine"]))
    def the_agent_switches(self, name: str, branch: str) -> None:
        """An agent checks out a branch that is not its own."""
        path, used = self.rig.home_dir(name) / self.rig.name, {tree.branch for tree in self.repo().trees.values()}
        with contextlib.suppress(KeyError):
            self.world.git.tree(path)
            if branch not in used and (path / "README.md").exists():
                self.world.git.switch(path, branch)

    # -------------------------------------------------------------------------------------------- kind 2: servers go

    @rule()
    def the_settings_name_another_server(self) -> None:
        """The socket setting is changed, or another TMUX_TMPDIR holds, as under cron."""
        self.servers.reverse()
        self.world = evolve(self.world, tmux=self.servers[0])

    @rule()
    def the_socket_is_deleted(self) -> None:
        """A cleaner deletes the server's socket; the server and its agents live on."""
        self.world.tmux.lose_socket()

    # --------------------------------------------------------------------------------------------- kind 3: places move

    @rule()
    def the_town_is_moved(self) -> None:
        """A person moves the town's directory."""
        self.count += 1
        old = self.rig.town_root
        new = old.with_name(f"town-{self.count}")
        old.rename(new)
        self.world.git.moved(old, new)
        self.rig = evolve(self.rig, path=new / self.rig.name)
        self.is_moved = True

    @rule()
    def the_worktrees_are_repaired(self) -> None:
        """A person runs ``git worktree repair`` on what stands there."""
        for link in sorted(self.rig.polecats_dir.glob("*/*/.git")):
            self.world.git.repair(self.repository(), link.parent)
        self.is_moved = False

    # ----------------------------------------------------------------------------------------------------- promises

    @invariant()
    def others_are_left_alone(self) -> None:
        """Nobody else's process ends, nothing is typed to it, nobody else's branch or bead changes."""
        if not hasattr(self, "servers"):
            return
        for server in self.servers:
            ended = [pid for pid in server.people if server.processes.identify(pid) is None]
            assert not ended, f"processes of people were ended: {ended}"
            assert not server.typed_to_people(), "text for an agent went to somebody else's pane"
        for bead, holder in ELSEWHERE.items():
            found = self.world.beads.bead(bead)
            assert found is not None and (found.status, found.assignee) == ("hooked", holder)
        tip = self.repo().heads.get(OLD_BRANCH)
        assert tip is not None and self.old_tip in self.world.git.ancestry(tip), f"{OLD_BRANCH} is gone or was moved back"
        assert "mine" in self.repo().heads or not any(tree.branch == "mine" for tree in self.repo().trees.values())

    @invariant()
    def no_living_agent_is_given_up(self) -> None:
        """An agent that lives keeps its record, its place and its bead, and nobody says that it has ended."""
        if not hasattr(self, "servers"):
            return
        living = {mark for mark in self.world.processes.instances() if mark} - self.homeless
        owners = {record.instance: record for name in list_homes(self.rig).dirs for record in self._known(name)}
        assert living <= owners.keys(), f"living, and nobody knows them: {living - owners.keys()}"
        is_running = {cat.instance: cat.is_running for cat in list_polecats(self.rig, with_work=False, world=self.world)}
        for instance in living:
            record = owners[instance]
            assert is_running.get(instance, True) is not False, f"{record.polecat} lives and is called dead"
            assert os.path.lexists(self.rig.home_dir(record.polecat)), f"{record.polecat} lives and has no home"
            bead = self.world.beads.bead(record.hook_bead) if record.hook_bead else None
            assert bead is None or bead.assignee == f"gastown/polecats/{record.polecat}", f"{bead} was given away"

    # ------------------------------------------------------------------------------------------------------- inside

    def repository(self) -> Repo:
        """The rig's repository, wherever the town is now."""
        return find_repo(self.rig)

    def repo(self) -> FakeRepo:
        """What the pretend git knows of it."""
        return self.world.git.repo(self.repository())

    def is_agents(self, name: str) -> bool:
        """Whether the session of that name is a polecat's, its agent's pane in it."""
        return any(one.name == f"gt-gastown-{name}" and one.instance for one in self.world.tmux.list_sessions())

    def is_others(self, session: str) -> bool:
        """Whether a session is somebody else's by all that can be known."""
        found = [one for one in self.world.tmux.list_sessions() if one.name == session]
        return any(one.pane_pid in self.world.tmux.people or one.is_shared for one in found)

    def _known(self, name: str) -> list[Record]:
        return [one for one in (read_claim(self.rig, name), read_record(self.rig, name)) if one is not None]
