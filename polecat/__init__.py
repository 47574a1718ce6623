"""Give a coding agent a place to work, and take that place back.

A map of this folder, in reading order::

    spawn.py        THE STORY: how a polecat comes to be; its steps are in building.py and moving_in.py
    reconcile.py    names, sessions and directories made to agree, with proof
    polecats.py     polecats as they are found

    pool.py         THE CORE, pure: names and who holds them
    names.py        every name we invent; session_names.py reads them
    plan.py         all decisions of one spawn as one value
    agents.py       which command starts which agent, with which environment
    readiness.py    when an agent is ready
    steps.py        the steps of a spawn, as a table
    states.py       what a polecat does, judged by a table

    town.py         THE TOWN ON DISK: find_town, Town, rigs
    config.py       its JSON documents
    state.py        homes, claims, records
    locks.py        who may do what at the same time

    ports/          THE WORDS: what we need from git, tmux and beads
    model.py        the nouns
    errors.py       everything that can go wrong, as one tree
    event_names.py  everything that is told

    adapters/       THE REAL WORLD
    testing/        THE PRETEND WORLD: fakes that keep the same contract
    cli.py, verbs/  the command line

Only the names in ``__all__`` here, in ``polecat.adapters`` and in ``polecat.testing`` are public.
Names are loaded on first use, so that ``import polecat`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know it by its name; `typing` itself would be a tenth of `--help`

__version__ = "0.1.0"

if TYPE_CHECKING:
    from polecat.assignments import assign_issue, assigned_issue, clear_issue, set_state
    from polecat.checkup import Checkup, Finding, check_town
    from polecat.errors import (
        AccountNotFoundError,
        AgentDiedError,
        AgentNotFoundError,
        BeadClosedError,
        BeadsConfigError,
        BeadsError,
        BeadsUnavailableError,
        BeadTakenError,
        ConfigError,
        DiskFullError,
        GitError,
        InvalidNameError,
        LockTimeoutError,
        NotFoundError,
        NotReadyError,
        PolecatError,
        PolecatNotFoundError,
        ProgramError,
        ProgramMissingError,
        ProgramTimeoutError,
        RemoveFailedError,
        RepairFailedError,
        RescueFailedError,
        RespawnLimitError,
        RigExistsError,
        RigFullError,
        RigNotFoundError,
        SessionExistsError,
        SessionNotFoundError,
        SpawnFailedError,
        SpawnRefusedError,
        StepFailedError,
        TmuxError,
        TmuxUnreachableError,
        TownNotFoundError,
        UnknownStateError,
        WorkAtRiskError,
    )
    from polecat.inspection import work_at_risk
    from polecat.model import (
        Event,
        FetchPolicy,
        Polecat,
        PolecatState,
        Repo,
        Rig,
        SpawnedPolecat,
        SpawnOptions,
        Timings,
        WorkStatus,
    )
    from polecat.plan import SpawnPlan
    from polecat.polecats import get_polecat, list_polecats
    from polecat.pool import NamePool, Reconciliation, allocate_name, reconcile_pool_with
    from polecat.ports import (
        AgentBead,
        AgentFields,
        Bead,
        Beads,
        Clock,
        Git,
        GitFacts,
        ListsBeside,
        OnEvent,
        PaneStatus,
        PendingFetch,
        PendingListing,
        Process,
        Processes,
        Rescue,
        Session,
        SessionRequest,
        StaleRegistration,
        StartedSession,
        Tmux,
        Watch,
        Worktree,
    )
    from polecat.reconcile import reconcile_pool
    from polecat.removal import Removed, remove_polecat
    from polecat.repair import Repaired, repair_polecat
    from polecat.rig_setup import add_rig
    from polecat.safety import Risk, Verdict
    from polecat.spares import Warmed, warm_spares
    from polecat.spawn import plan_spawn, spawn_for_sling, spawn_many
    from polecat.stopping import stop_polecat
    from polecat.talking import AttachCommand, attach_command, capture_polecat, nudge_polecat
    from polecat.town import Town, find_town, is_rig_name
    from polecat.town_setup import init_town
    from polecat.upkeep import CleanedBranches, Staleness, clean_branches, detect_stale

_HOMES = {
    "polecat.assignments": "assign_issue assigned_issue clear_issue set_state",
    "polecat.checkup": "Checkup Finding check_town",
    "polecat.errors": """
        AccountNotFoundError AgentDiedError AgentNotFoundError BeadClosedError BeadsConfigError BeadsError BeadsUnavailableError
        BeadTakenError ConfigError DiskFullError GitError InvalidNameError LockTimeoutError NotFoundError NotReadyError PolecatError
        PolecatNotFoundError ProgramError ProgramMissingError ProgramTimeoutError RemoveFailedError RepairFailedError
        RescueFailedError RespawnLimitError RigExistsError RigFullError RigNotFoundError SessionExistsError SessionNotFoundError
        SpawnFailedError SpawnRefusedError StepFailedError TmuxError TmuxUnreachableError TownNotFoundError UnknownStateError
        WorkAtRiskError
    """,
    "polecat.model": "Event FetchPolicy Polecat PolecatState Repo Rig SpawnedPolecat SpawnOptions Timings WorkStatus",
    "polecat.plan": "SpawnPlan",
    "polecat.polecats": "get_polecat list_polecats",
    "polecat.pool": "NamePool Reconciliation allocate_name reconcile_pool_with",
    "polecat.ports": """
        AgentBead AgentFields Bead Beads Clock Git GitFacts ListsBeside OnEvent PaneStatus PendingFetch PendingListing Process
        Processes Rescue Session SessionRequest StaleRegistration StartedSession Tmux Watch Worktree
    """,
    "polecat.inspection": "work_at_risk",
    "polecat.reconcile": "reconcile_pool",
    "polecat.removal": "Removed remove_polecat",
    "polecat.repair": "Repaired repair_polecat",
    "polecat.rig_setup": "add_rig",
    "polecat.safety": "Risk Verdict",
    "polecat.spares": "Warmed warm_spares",
    "polecat.spawn": "plan_spawn spawn_for_sling spawn_many",
    "polecat.stopping": "stop_polecat",
    "polecat.talking": "AttachCommand attach_command capture_polecat nudge_polecat",
    "polecat.town_setup": "init_town",
    "polecat.town": "Town find_town is_rig_name",
    "polecat.upkeep": "CleanedBranches Staleness clean_branches detect_stale",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AccountNotFoundError",
    "AgentBead",
    "AgentDiedError",
    "AgentFields",
    "AgentNotFoundError",
    "AttachCommand",
    "Bead",
    "BeadClosedError",
    "BeadTakenError",
    "Beads",
    "BeadsConfigError",
    "BeadsError",
    "BeadsUnavailableError",
    "Checkup",
    "CleanedBranches",
    "Clock",
    "ConfigError",
    "DiskFullError",
    "Event",
    "FetchPolicy",
    "Finding",
    "Git",
    "GitError",
    "GitFacts",
    "InvalidNameError",
    "ListsBeside",
    "LockTimeoutError",
    "NamePool",
    "NotFoundError",
    "NotReadyError",
    "OnEvent",
    "PaneStatus",
    "PendingFetch",
    "PendingListing",
    "Polecat",
    "PolecatError",
    "PolecatNotFoundError",
    "PolecatState",
    "Process",
    "Processes",
    "ProgramError",
    "ProgramMissingError",
    "ProgramTimeoutError",
    "Reconciliation",
    "RemoveFailedError",
    "Removed",
    "RepairFailedError",
    "Repaired",
    "Repo",
    "Rescue",
    "RescueFailedError",
    "RespawnLimitError",
    "Rig",
    "RigExistsError",
    "RigFullError",
    "RigNotFoundError",
    "Risk",
    "Session",
    "SessionExistsError",
    "SessionNotFoundError",
    "SessionRequest",
    "SpawnFailedError",
    "SpawnOptions",
    "SpawnPlan",
    "SpawnRefusedError",
    "SpawnedPolecat",
    "StaleRegistration",
    "Staleness",
    "StartedSession",
    "StepFailedError",
    "Timings",
    "Tmux",
    "TmuxError",
    "TmuxUnreachableError",
    "Town",
    "TownNotFoundError",
    "UnknownStateError",
    "Verdict",
    "Warmed",
    "Watch",
    "WorkAtRiskError",
    "WorkStatus",
    "Worktree",
    "add_rig",
    "allocate_name",
    "assign_issue",
    "assigned_issue",
    "attach_command",
    "capture_polecat",
    "check_town",
    "clean_branches",
    "clear_issue",
    "detect_stale",
    "find_town",
    "get_polecat",
    "init_town",
    "is_rig_name",
    "list_polecats",
    "nudge_polecat",
    "plan_spawn",
    "reconcile_pool",
    "reconcile_pool_with",
    "remove_polecat",
    "repair_polecat",
    "set_state",
    "spawn_for_sling",
    "spawn_many",
    "stop_polecat",
    "warm_spares",
    "work_at_risk",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
