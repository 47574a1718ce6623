"""Finding out what removing a polecat's work would lose: the facts for `judge_work`, gathered through the ports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from attrs import frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.risk import SafetyFacts, Verdict, judge_work, precious_among
from polecat.errors import BeadsError, PolecatError, UnknownStateError
from polecat.model import Polecat, Rig, SpawnedPolecat
from polecat.names import agent_bead_id, agent_id
from polecat.place.gas_town_files import COUNTER, work_facts
from polecat.ports import Bead, GitFacts, Worktree, World
from polecat.town.files import why_not
from polecat.town.homes import clone_path
from polecat.town.records import CLAIM_FILE, Record, new_instance_id, read_current
from polecat.upkeep.addressing import find_target
from polecat.upkeep.liveness import Agent, find_agent
from polecat.upkeep.observation import Observation, observe


@frozen(kw_only=True)
class Inspection:
    """What was found out about one polecat's work.

    Attributes:
        path: its worktree, or where that should be.
        worktree: the worktree, if there provably is one.
        git: the facts; None if there is no worktree.
        held: the beads it holds.
        stray: what else stands in its home.
        verdict: the verdict.
    """

    path: Path
    worktree: Worktree | None
    git: GitFacts | None
    held: tuple[Bead, ...]
    stray: tuple[str, ...]
    verdict: Verdict

    @property
    def branch(self) -> str:
        """The branch of the worktree; empty for none."""
        return (self.worktree.branch or "") if self.worktree else ""


def inspect(world: FullWorld, observed: Observation, name: str, *, agent: Agent | None) -> Inspection:
    """Find out what removing a polecat's work would lose, and who uses it.

    Args:
        world: the world.
        observed: the rig.
        name: the polecat.
        agent: its agent, whose processes do not count; None if that has been ended.

    Returns:
        The facts and the verdict. What could not be found out is a risk in the verdict.
    """
    rig = observed.rig
    problems: list[str] = []
    path = clone_path(rig, name)
    worktree, git = _git_facts(world, observed, path, problems)
    held, active_mr, report = _bead_facts(world, rig, name, problems)
    stray = _stray(rig, name, path, problems)
    facts = SafetyFacts(
        git=git,
        precious=precious_among(git.ignored if git else (), observed.settings.rescue_ignored),
        inside=_inside(world, rig.home_dir(name), agent, problems),
        caller_inside=_is_within(rig.home_dir(name)),
        hooked_bead=held[0].id if held else "",
        active_mr=active_mr,
        cleanup_status=report,
        stray=stray,
        mounts=tuple(str(place) for place in world.processes.mounts(rig.home_dir(name))),
        problems=tuple(problems),
    )
    return Inspection(path=path, worktree=worktree, git=git, held=held, stray=stray, verdict=judge_work(facts))


def _git_facts(
    world: FullWorld, observed: Observation, path: Path, problems: list[str]
) -> tuple[Worktree | None, GitFacts | None]:
    try:
        worktree = world.git.find_worktree(observed.repo, path)
        if worktree is None:
            return None, None
        return worktree, work_facts(world.git, observed.rig, observed.repo, worktree, base=base_ref(observed.rig))
    except PolecatError as error:
        problems.append(error.message)
        return None, GitFacts(problems=(error.message,))


def review_command(
    rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, what: Literal["diff", "log"], *words: str, base: str | None = None
) -> tuple[str, ...]:
    """Make the git command that shows a polecat's work against what it is to be merged into.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        what: ``diff`` for what has changed since it left the branch, uncommitted changes included; ``log`` for its commits.
        words: more words for git.
        base: the branch of the remote to compare with; None means the rig's default branch.

    Returns:
        The command.

    Raises:
        PolecatNotFoundError: there is no such polecat, or the value's polecat is gone and another one has its name.
    """
    target = find_target(rig, polecat)
    ref = f"origin/{base or target.rig.default_branch}"
    against = ("--merge-base", ref) if what == "diff" else (f"{ref}..HEAD",)
    return ("git", "-C", str(clone_path(target.rig, target.name)), what, *against, *words)


def base_ref(rig: Rig) -> str:
    """The ref that a rig's work is to be merged into."""
    return f"refs/remotes/origin/{rig.default_branch}"


def _bead_facts(world: FullWorld, rig: Rig, name: str, problems: list[str]) -> tuple[tuple[Bead, ...], str, str]:
    try:
        held = world.beads.held_by(agent_id(rig.name, name))
        agent = world.beads.agent(agent_bead_id(rig.prefix, rig.name, name))
    except BeadsError as error:
        problems.append(f"its beads ({error.message})")
        return (), "", ""
    fields = agent.fields if agent is not None and agent.is_open else None
    return held, fields.active_mr if fields else "", fields.cleanup_status if fields else ""


def _inside(world: FullWorld, home: Path, agent: Agent | None, problems: list[str]) -> tuple[str, ...]:
    """List who works in a home, except for the agent's processes, this process and its shell."""
    session = agent.session if agent else None
    try:
        root = world.processes.identify(session.pane_pid) if session is not None and not session.is_dead else None
        family = world.processes.family([root] if root else [], instance=session.instance if session else "")
        own = (*family, *(agent.processes if agent else ()))
        others = [process for process in world.processes.inside(home) if process not in own]
    except UnknownStateError as error:
        problems.append(f"who works in it ({error.message})")
        return ()
    return tuple(f"{process.name} ({process.pid})" for process in others if process.pid not in (os.getpid(), os.getppid()))


def _is_within(directory: Path) -> bool:
    """Say whether our working directory is within *directory*; symlinks are resolved, components compared."""
    try:
        here = Path(os.path.realpath(os.getcwd()))
    except FileNotFoundError:  # our directory is gone, so it is not this one
        return False
    return here.is_relative_to(os.path.realpath(directory))


def _stray(rig: Rig, name: str, path: Path, problems: list[str]) -> tuple[str, ...]:
    home = rig.home_dir(name)
    if path == home or not home.is_dir():
        return ()
    try:
        return tuple(sorted(set(os.listdir(home)) - {path.name, CLAIM_FILE, COUNTER}))
    except OSError as error:
        problems.append(f"what else stands in its home ({why_not(error)})")
        return ()


def record_of(observed: Observation, name: str) -> Record:
    """The record of a polecat; one that Gas Town made gets a new instance id here."""
    rig = observed.rig
    return read_current(rig, name) or Record(
        instance=new_instance_id(), polecat=name, rig=rig.name, agent_bead=agent_bead_id(rig.prefix, rig.name, name)
    )


def work_at_risk(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, world: World | None = None) -> Verdict:
    """Say what removing a polecat would lose: the same verdict that `remove_polecat` uses.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        world: as for `spawn_for_sling`.

    Returns:
        The risks; none if nothing would be lost.

    Raises:
        PolecatNotFoundError: the rig has none of that name, or the value's polecat is gone and another one has its name.
        UnknownStateError: where its agent is cannot be told, as on another host.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> _ = (cat.clone_path / "new.txt").write_text("x")
        >>> work_at_risk(rig, cat, world=world).reasons
        ('uncommitted',)
    """
    target = find_target(rig, polecat)
    world = full_world(target.rig, world)
    observed = observe(world, target.rig)
    agent = find_agent(world, target.rig, record_of(observed, target.name), observed.sessions)
    return inspect(world, observed, target.name, agent=agent).verdict
