"""The nouns: frozen values that everything else passes around. Pure; no behaviour beyond reading themselves."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from attrs import Attribute, Factory, field, frozen

from polecat.errors import publish
from polecat.names import agent_id, check_env_key, check_rig_name, session_name


def _rig_name(_rig: object, _field: object, value: str) -> None:
    check_rig_name(value)


GasTownEra = Literal["none", "seed", "today"]


@frozen(kw_only=True)
class GasTown:
    """Which Gas Town works on a rig's town, and where that one looks for polecats; the defaults are right where there is none.

    Attributes:
        era: ``none``, as far as the town's files say; ``seed`` the one of early 2026, up to 0.7; ``today`` 0.13 and later.
        server: the name of its tmux server; empty for the user's default one.
        session_prefix: what it begins the names of the rig's sessions with; empty for ``gt-<rig>``.
        agents_dir: the beads directory that it keeps agent beads of all rigs in; None for the rig's own.
    """

    era: GasTownEra = "none"
    server: str = ""
    session_prefix: str = ""
    agents_dir: Path | None = None

    @property
    def is_today(self) -> bool:
        """It is one of today's."""
        return self.era == "today"


@publish
@frozen(kw_only=True)
class Rig:
    """One managed source repository: a directory directly below the town.

    Args:
        name: the rig's name; letters, digits, ``_`` and ``-``.
        path: the rig's directory.
        git_url: where the source comes from.
        default_branch: the branch new work starts from.
        prefix: what the ids of the rig's beads start with, without the hyphen.
        local_repo: a local clone that objects may be borrowed from.
        siblings: the names of the town's other rigs; they decide whose an ambiguous session name is.
        gastown: which Gas Town works on the town; `Town.rig` finds out.

    Examples:
        >>> Rig(name="gas", path=Path("/t/gas")).town_root
        PosixPath('/t')
    """

    name: str = field(validator=_rig_name)
    path: Path = field(converter=Path)
    git_url: str = ""
    default_branch: str = "main"
    prefix: str = "gt"
    local_repo: Path | None = None
    siblings: tuple[str, ...] = ()
    gastown: GasTown = field(factory=GasTown, repr=False)

    @property
    def town_root(self) -> Path:
        """The town this rig stands in."""
        return self.path.parent

    @property
    def polecats_dir(self) -> Path:
        """Where the homes of the polecats are."""
        return self.path / "polecats"

    @property
    def runtime_dir(self) -> Path:
        """Where locks, pool state, overlay and hooks are."""
        return self.path / ".runtime"

    def home_dir(self, name: str) -> Path:
        """The home of one polecat: while it exists the name is taken."""
        return self.polecats_dir / name

    def session_name(self, name: str) -> str:
        """The name that the session of one polecat gets."""
        return session_name(self.name, name, prefix=self.gastown.session_prefix)


WaitFor = Literal["ready", "no"]
ScreenKind = Literal["busy", "idle", "asks", "unknown"]
FetchWhen = Literal["always", "if-older-than", "never"]


@publish
@frozen(kw_only=True)
class FetchPolicy:
    """When a spawn fetches from the remote, and how long that may take.

    Args:
        when: ``always``, ``if-older-than`` (then *max_age_s* decides) or ``never``.
        max_age_s: a last fetch younger than this is good enough.
        timeout_s: a remote that takes longer counts as unreachable.

    Examples:
        >>> FetchPolicy.parse("if-older-than 300").max_age_s
        300.0
    """

    when: FetchWhen = "always"
    max_age_s: float = 0.0
    timeout_s: float = 120.0

    @classmethod
    def parse(cls, text: str) -> FetchPolicy:
        """Read ``always``, ``never`` or ``if-older-than SECONDS``.

        Raises:
            ValueError: it is none of these.
        """
        words = [word for word in text.split(" ") if word]
        if words in (["always"], ["never"]):
            return cls(when="always" if words[0] == "always" else "never")
        if len(words) == 2 and words[0] == "if-older-than":
            return cls(when="if-older-than", max_age_s=float(words[1]))
        raise ValueError(f"{text!r} is not 'always', 'never' or 'if-older-than SECONDS'")


def _check_text(_opts: object, field: Attribute[Any], value: object) -> None:
    """Refuse what is neither a string nor None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{field.name} must be a string or None, not {value!r}")


def _check_key(opts: object, field: Attribute[Any], value: str | None) -> None:
    """Refuse a key that could not stand on one line of a message."""
    _check_text(opts, field, value)
    if value is not None and (not value or len(value) > 200 or not value.isprintable()):
        raise ValueError(f"key must be 1 to 200 printable characters on one line, not {value!r:.60}")


def _copy_env(pairs: Mapping[str, str] | None) -> Mapping[str, str]:
    """Take a copy, so that nobody changes it later."""
    if pairs is not None and not isinstance(pairs, Mapping):
        raise TypeError(f"env must map names to values, such as {{'NAME': 'value'}}; it is a {type(pairs).__name__}")
    return dict(pairs or {})


def _check_env_pairs(_opts: object, _field: object, value: Mapping[str, str]) -> None:
    """Refuse names that no process can be given, and values that are no strings; a value may be a secret and is not shown."""
    for key, content in value.items():
        check_env_key(key)
        if not isinstance(content, str):
            raise TypeError(f"env[{key!r}] must be a string; it is of type {type(content).__name__}")


def _check_timeout(_opts: object, _field: object, value: float | None) -> None:
    """Refuse what is no length of time."""
    if value is not None and not isinstance(value, (int, float)):
        raise TypeError(f"ready_timeout_s must be a number of seconds, not {value!r}")
    if value is not None and not 0 < value < float("inf"):
        raise ValueError(f"ready_timeout_s must be more than 0, not {value!r}")


@publish
@frozen(kw_only=True)
class SpawnOptions:
    """What one spawn is asked to do. Everything has a default.

    Args:
        force: go on although the agents of this bead failed too often in a row.
        account: handle of the account in ``accounts.json``; None means the default one. ``GT_ACCOUNT`` beats it.
        create: kept for callers of the reference; a spawn always creates.
        hook_bead: bead to put on the polecat's hook.
        agent: agent to start instead of the rig's.
        base_branch: branch of the remote to start from instead of the rig's default branch.
        wait: ``ready`` returns when the agent is ready, ``no`` as soon as its session exists.
        ready_timeout_s: how long the agent may take to be ready; None means the rig's setting, 60 by default.
        name: this name and no other; refused if it is taken, unless that polecat has *hook_bead* already: then it is returned as it is.
        prompt: the agent's first instruction; an argument of the agent where it can take one, typed otherwise.
        nudge: text typed once the agent is ready. ``auto`` is the reference's nudge where ``gt`` is on PATH and nothing
            elsewhere; None is nothing.
        env: further variables of the agent's process; they reach it through a private file, not through arguments.
        fetch: when to fetch from the remote; None means the rig's setting.
        bind_keys: also bind the reference's keys, for the whole tmux server.
        key: the caller's own name for this order; while the polecat that was made for it is there, asking again returns it as it stands.
    """

    force: bool = False
    account: str | None = field(default=None, validator=_check_text)
    create: bool = True
    hook_bead: str | None = field(default=None, validator=_check_text)
    agent: str | None = field(default=None, validator=_check_text)
    base_branch: str | None = field(default=None, validator=_check_text)
    wait: WaitFor = "ready"
    ready_timeout_s: float | None = field(default=None, validator=_check_timeout)
    name: str | None = field(default=None, validator=_check_text)
    prompt: str | None = field(default=None, validator=_check_text)
    nudge: str | None = field(default="auto", validator=_check_text)
    env: Mapping[str, str] = field(
        factory=dict, converter=_copy_env, validator=_check_env_pairs, repr=lambda env: repr(sorted(env))
    )
    fetch: FetchPolicy | None = None
    bind_keys: bool = False
    key: str | None = field(default=None, validator=_check_key)


@publish
@frozen(kw_only=True)
class Timings:
    """Seconds each step of a spawn took.

    Attributes:
        steps: name and seconds of each, in order of their start; steps beside each other overlap.
        total_s: seconds from beginning to end.
    """

    steps: tuple[tuple[str, float], ...] = ()
    total_s: float = 0.0


@publish
@frozen(kw_only=True)
class SpawnedPolecat:
    """What a spawn made.

    Attributes:
        rig_name: the rig.
        polecat_name: the name it got.
        clone_path: its worktree.
        session_name: its tmux session.
        pane: id of the agent's pane, such as ``%7``; use it to address the agent.
        branch: the branch of the worktree.
        base_commit: the commit the branch started at.
        hook_bead: the bead on its hook, if one was given.
        instance: id of this very spawn; names are used again, instances are not.
        readiness: ``ready``; ``waiting`` when the agent asks something that only a person may answer; ``not awaited``.
        waiting_for: what it asks, when waiting.
        agent: the name of the agent that was started.
        session_id: tmux's own id of the session, such as ``$3``.
        tmux_socket: the tmux server's socket, None for the user's default one.
        pid: the agent's process.
        base_age_s: how old our knowledge of the remote is; None when it never was fetched by us.
        warnings: what went wrong without stopping the spawn.
        timings: seconds per step.
        key: the caller's own name for the order that it was made for; empty for none.
    """

    rig_name: str
    polecat_name: str
    clone_path: Path
    session_name: str
    pane: str
    branch: str
    base_commit: str
    hook_bead: str | None = None
    instance: str = ""
    readiness: Literal["ready", "waiting", "not awaited"] = "ready"
    waiting_for: str = ""
    agent: str = ""
    session_id: str = ""
    tmux_socket: str | None = None
    pid: int = 0
    base_age_s: float | None = None
    warnings: tuple[str, ...] = ()
    timings: Timings = field(factory=Timings, eq=False)
    key: str = ""

    @property
    def agent_id(self) -> str:
        """The agent's address, such as ``gastown/polecats/furiosa``."""
        return agent_id(self.rig_name, self.polecat_name)


@publish
class PolecatState(enum.Enum):
    """What a polecat is doing, as far as independent signals agree; what each means is in `polecat.core.states`."""

    SPAWNING = "spawning"
    WORKING = "working"
    IDLE = "idle"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    STUCK = "stuck"
    STALLED = "stalled"
    ZOMBIE = "zombie"
    UNKNOWN = "unknown"


@publish
@frozen(kw_only=True)
class WorkStatus:
    """What of a polecat's work exists nowhere else, counted.

    Args:
        modified: tracked files changed, added or deleted, staged or not, conflicts included.
        untracked: files git does not know, ignored ones left out.
        stashes: stashes made on this polecat's branch.
        unpushed: commits on no remote-tracking branch.
        has_uncommitted: the tree is dirty; true with both counts 0 for a status that was reported, not counted.

    Examples:
        >>> str(WorkStatus(modified=1, untracked=1, stashes=1))
        '2 uncommitted change(s), 1 stash(es)'
        >>> WorkStatus().is_clean
        True

    Source:
        Contract §8.5.
    """

    modified: int = 0
    untracked: int = 0
    stashes: int = 0
    unpushed: int = 0
    has_uncommitted: bool = field(default=Factory(lambda one: bool(one.modified or one.untracked), takes_self=True))

    @property
    def is_clean(self) -> bool:
        """Nothing would be lost."""
        return not (self.has_uncommitted or self.stashes or self.unpushed)

    def __str__(self) -> str:
        counts = (
            (self.has_uncommitted, f"{self.modified + self.untracked} uncommitted change(s)"),
            (self.stashes, f"{self.stashes} stash(es)"),
            (self.unpushed, f"{self.unpushed} unpushed commit(s)"),
        )
        return ", ".join(text for is_some, text in counts if is_some) or "clean"


EndReason = Literal["exit", "signal", "stopped", "server gone", "removed", "unknown"]


@publish
@frozen(kw_only=True)
class Ended:
    """How an agent ended.

    Attributes:
        reason: ``exit`` it exited; ``signal`` it was killed; ``stopped`` its session was ended on request; ``server gone`` its tmux
            server went away, as in a reboot; ``removed`` its polecat was removed while somebody waited for it; ``unknown`` nothing
            was kept that tells.
        status: its exit status, if it exited.
        signal: the signal, if it was killed.
        at: when, if that is known.

    Examples:
        >>> str(Ended(reason="exit", status=3)), Ended(reason="exit", status=0).is_success
        ('exit 3', True)
    """

    reason: EndReason = "unknown"
    status: int | None = None
    signal: int | None = None
    at: datetime | None = field(default=None, eq=False)

    @property
    def is_success(self) -> bool:
        """It exited with status 0."""
        return self.status == 0

    @property
    def is_failure(self) -> bool:
        """It exited with another status, or was killed."""
        return self.reason in ("exit", "signal") and not self.is_success

    def __str__(self) -> str:
        if self.reason in ("exit", "signal"):
            return f"{self.reason} {self.status if self.signal is None else self.signal}"
        return {"server gone": "its tmux server went away", "unknown": "nobody knows how"}.get(self.reason, self.reason)


@publish
@frozen(kw_only=True)
class Polecat:
    """One polecat as it was found.

    Attributes:
        name: its name.
        rig_name: its rig.
        state: what it is doing; ``UNKNOWN`` is an answer.
        clone_path: its worktree.
        branch: the branch checked out there; empty for none.
        issue: the bead it holds, if one.
        hook_bead: the bead that its spawn put on its hook, whoever has it now; None if there was none, or polecat did not make it.
        ended: how its agent ended; None while it runs, while that is unknown, and where none was started.
        session_name: the name its session has or would have.
        is_running: its agent lives; None when that could not be told.
        work: what of its work exists nowhere else; None when that could not be counted.
        instance: id of the spawn that made it; empty when polecat did not make it.
        created_at: when it was spawned, if we know.
        active_at: when its screen last changed, if we know.
        screen: what its screen means: ``busy`` its agent works; ``idle`` it sits at its prompt; ``asks`` it waits for an answer;
            ``unknown`` none of this can be told.
        waiting_for: what it asks; empty if nothing.
        ahead: how many commits its branch has that the rig's default branch, as the remote had it at the last fetch, lacks; None when
            that was not counted.
        behind: how many commits that branch has that its own lacks.
        is_merged: that branch has all that its own has, also by a squash merge. A branch without commits of its own is merged.
        key: the caller's own name for the order that it was made for; empty for none.
        unknown: the fields that could not be told, each with why; such a field holds what is known without it. Empty when all could.
    """

    name: str
    rig_name: str
    state: PolecatState
    clone_path: Path
    branch: str = ""
    issue: str | None = None
    hook_bead: str | None = None
    ended: Ended | None = None
    session_name: str = ""
    is_running: bool | None = None
    work: WorkStatus | None = None
    instance: str = ""
    created_at: datetime | None = None
    active_at: datetime | None = None
    screen: ScreenKind = "unknown"
    waiting_for: str = ""
    ahead: int | None = None
    behind: int | None = None
    is_merged: bool | None = None
    key: str = ""
    unknown: Mapping[str, str] = field(factory=dict, hash=False)

    @property
    def agent_id(self) -> str:
        """The agent's address."""
        return agent_id(self.rig_name, self.name)
