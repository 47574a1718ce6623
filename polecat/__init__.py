"""Give a coding agent a place to work, and take that place back.

>>> import polecat
>>> from polecat.testing import example_world    # a pretend world; without it, your git, your tmux and your agent
>>> rig, world = example_world()                 # rig = polecat.find_town().rig("gastown")
>>> cat = polecat.spawn_for_sling(rig, polecat.SpawnOptions(hook_bead="gt-abc12"), world=world)
>>> cat.agent_id
'gastown/polecats/furiosa'
>>> [str(one.state.value) for one in polecat.list_polecats(rig, world=world)]
['working']
>>> polecat.remove_polecat(rig, cat, force=True, world=world).unassigned
('gt-abc12',)

Only the names in ``__all__`` here, in ``polecat.adapters`` and in ``polecat.testing`` are public; ``__init__.pyi`` lists them for
editors and type checkers. A name is loaded when it is used, so that ``import polecat`` needs none of the packages below it.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "polecat.core.plan": "SpawnPlan",
    "polecat.core.pool": "NamePool Reconciliation allocate_name reconcile_pool_with",
    "polecat.core.risk": "Risk Verdict",
    "polecat.errors": """
        AccountNotFoundError AgentDiedError AgentNotFoundError BeadClosedError BeadsConfigError BeadsError
        BeadsUnavailableError BeadTakenError ConfigError DiskFullError GitError InvalidNameError LockTimeoutError
        NotFoundError NotReadyError PolecatError PolecatNotFoundError ProgramError ProgramMissingError
        ProgramTimeoutError RemoveFailedError RepairFailedError RescueFailedError RespawnLimitError RigExistsError
        RigFullError RigNotFoundError SessionExistsError SessionNotFoundError SpawnFailedError SpawnRefusedError
        StepFailedError TmuxError TmuxUnreachableError TownNotFoundError UnknownStateError UnsupportedError WaitTimeoutError WorkAtRiskError
    """,
    "polecat.lifecycle.assign": "assign_issue assigned_issue clear_issue set_state",
    "polecat.lifecycle.delivery": "Delivery",
    "polecat.lifecycle.remove": "Removed remove_polecat",
    "polecat.lifecycle.repair": "Repaired repair_polecat",
    "polecat.lifecycle.spawn": "plan_spawn spawn_for_sling spawn_many",
    "polecat.lifecycle.start": "start_polecat start_polecats",
    "polecat.lifecycle.stop": "stop_polecat",
    "polecat.lifecycle.talk": "AttachCommand attach_command capture_polecat nudge_polecat",
    "polecat.lifecycle.wait": "wait_polecats",
    "polecat.lifecycle.watch": "Change PolecatWatch watch_polecats",
    "polecat.model": "Ended FetchPolicy Polecat PolecatState Rig SpawnedPolecat SpawnOptions Timings WorkStatus",
    "polecat.ports": """
        AgentBead AgentFields Bead Beads Checkout Clock Event Git GitBranches GitCheckouts GitClones GitFacts GitIgnored
        GitLists GitMoves GitRecovery GitRescues GitSpares GitSubmodules Holdings OnEvent PaneStatus PendingFetch
        Process Processes Repo Rescue Screen Session SessionRequest StaleRegistration Standing StartedSession Tmux Typed
        Watch Worktree World
    """,
    "polecat.town.find": "Town find_town is_rig_name",
    "polecat.upkeep.branches": "CleanedBranches clean_branches drop_rescues list_rescues",
    "polecat.upkeep.doctor": "Checkup check_town",
    "polecat.upkeep.findings": "Finding",
    "polecat.upkeep.inspection": "work_at_risk",
    "polecat.upkeep.adoption": "Adopted adopt_checkout find_rig",
    "polecat.upkeep.listing": "Staleness detect_stale get_polecat list_polecats",
    "polecat.upkeep.reconcile": "reconcile_pool",
    "polecat.upkeep.rigs": "add_rig remove_rig",
    "polecat.upkeep.spares": "Warmed warm_spares",
    "polecat.upkeep.towns": "init_town",
}
"""Where each public name is defined."""

_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)  # type: ignore[assignment]  # noqa: PLE0605


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
