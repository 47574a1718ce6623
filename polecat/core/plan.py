"""All decisions of one spawn, as one value. Pure: what it needs to know is handed in, what it decides is handed out.

`SpawnPlan` is a record of decisions, not a list of commands: it can be printed (``--dry-run``), compared in tests and logged, and
the order of actions stays visible as plain calls in `spawn`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from polecat.core.agent_model import Agent
from polecat.core.agents import startup_nudge
from polecat.core.environment import agent_environment, polecat_env, todays_env
from polecat.errors import publish
from polecat.model import FetchPolicy, Rig, SpawnOptions
from polecat.names import agent_bead_id, agent_id, branch_name


@publish
@frozen(kw_only=True)
class SpawnPlan:
    """What one spawn does. Two plans are equal if they would do the same.

    Attributes:
        rig_name: the rig.
        polecat_name: the name that is given.
        agent_id: its address.
        branch: the branch that is made.
        base_ref: the ref it starts at.
        upstream: the remote's branch it tracks.
        clone_path: the worktree that is made.
        session_name: the session that is made.
        orphan_session: an orphan session of that name that is ended first.
        agent: the agent, with its command, readiness and dialogs.
        argv: what is started, prompt included.
        environment: names of the variables of the agent's process.
        account: handle of the account, if one is used.
        config_dir: its configuration directory.
        hook_bead: the bead for the hook.
        agent_bead: the bead that stands for the polecat.
        fetch: whether the remote is asked first.
        typed: what is typed once the agent is ready; empty for nothing.
        wait: whether readiness is awaited.
        ready_timeout_s: how long at most.
        accepts_trust: a trust question may be answered.
        leave_out: paths of the project that are not checked out.
        warnings: what a person should know before it is done.
    """

    rig_name: str
    polecat_name: str
    agent_id: str
    branch: str
    base_ref: str
    upstream: str
    clone_path: Path
    session_name: str
    orphan_session: str = ""
    agent: Agent
    argv: tuple[str, ...] = field(repr=False)
    environment: tuple[str, ...] = ()
    account: str = ""
    config_dir: str = ""
    hook_bead: str = ""
    agent_bead: str
    fetch: FetchPolicy
    typed: str = ""
    wait: str = "ready"
    ready_timeout_s: float = 60.0
    accepts_trust: bool = False
    leave_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@frozen(kw_only=True)
class Choice:
    """What was settled about a spawn before it has a name: agent, account, policies.

    Attributes:
        agent: the resolved agent.
        account: handle of the account; empty for none.
        config_dir: its configuration directory; empty for none.
        fetch: when to fetch.
        accepts_trust: whether trust questions may be answered.
        leave_out: paths not checked out.
        has_gt: Gas Town's program is on PATH.
        beads_dir: the rig's beads directory; empty for none.
        variables: names of the variables that the polecat's place adds.
        ready_timeout_s: how long an agent may take to be ready, unless the spawn says.
        warnings: what the resolution had to say.
    """

    agent: Agent
    account: str = ""
    config_dir: str = ""
    fetch: FetchPolicy = field(factory=FetchPolicy)
    accepts_trust: bool = False
    leave_out: tuple[str, ...] = ()
    has_gt: bool = False
    beads_dir: str = ""
    variables: tuple[str, ...] = ()
    ready_timeout_s: float = 60.0
    warnings: tuple[str, ...] = ()


def make_plan(
    rig: Rig,
    opts: SpawnOptions,
    choice: Choice,
    *,
    name: str,
    orphan_session: str,
    unix_ms: int,
    local_time: str,
    resume: bool = False,
) -> SpawnPlan:
    """Decide everything about one spawn that has its name.

    Args:
        rig: the rig.
        opts: what was asked.
        choice: agent, account and policies.
        name: the name that was allocated.
        orphan_session: the orphan session that stands in its way; empty for none.
        unix_ms: the time in milliseconds; it becomes part of the branch's name.
        local_time: the time as the start-up nudge shows it, ``YYYY-MM-DDTHH:MM``.
        resume: the agent continues its conversation.
    """
    base = opts.base_branch or rig.default_branch
    typed, warnings = typed_text(rig, opts, choice, name=name, local_time=local_time)
    identity = identity_env(rig, choice, name=name)
    return SpawnPlan(
        rig_name=rig.name,
        polecat_name=name,
        agent_id=agent_id(rig.name, name),
        branch=branch_name(name, unix_ms),
        base_ref=f"refs/remotes/origin/{base}",
        upstream=base,
        clone_path=rig.home_dir(name) / rig.name,
        session_name=rig.session_name(name),
        orphan_session=orphan_session,
        agent=choice.agent,
        argv=choice.agent.argv(opts.prompt, resume=resume),
        environment=tuple(sorted({*identity, *choice.variables, *opts.env})),
        account=choice.account,
        config_dir=choice.config_dir,
        hook_bead=opts.hook_bead or "",
        agent_bead=agent_bead_id(rig.prefix, rig.name, name),
        fetch=opts.fetch or choice.fetch,
        typed=typed,
        wait=opts.wait,
        ready_timeout_s=choice.ready_timeout_s if opts.ready_timeout_s is None else opts.ready_timeout_s,
        accepts_trust=choice.accepts_trust,
        leave_out=choice.leave_out,
        warnings=(*choice.warnings, *warnings),
    )


def identity_env(rig: Rig, choice: Choice, *, name: str) -> dict[str, str]:
    """The variables that tell an agent who it is."""
    env = polecat_env(
        rig.name,
        name,
        str(rig.town_root),
        beads_dir=choice.beads_dir,
        config_dir=choice.config_dir,
        config_dir_env=choice.agent.config_dir_env or "CLAUDE_CONFIG_DIR",
    )
    return todays_env(env, agent=choice.agent.name, process_names=choice.agent.all_process_names) if rig.gastown.is_today else env


def process_env(
    rig: Rig,
    opts: SpawnOptions,
    choice: Choice,
    *,
    name: str,
    instance: str,
    caller: Mapping[str, str],
    place: Mapping[str, str],
) -> dict[str, str]:
    """The complete environment of the agent's process: the caller's without foreign identity, then ours, then what was asked."""
    identity = {**identity_env(rig, choice, name=name), "POLECAT_ID": instance}
    return agent_environment(caller, identity, {**place, **opts.env})


def typed_text(rig: Rig, opts: SpawnOptions, choice: Choice, *, name: str, local_time: str) -> tuple[str, tuple[str, ...]]:
    """Decide what is typed once the agent is ready, as one message, and what to warn of.

    A prompt is typed only if the agent cannot take one at its start. The nudge ``auto`` is the reference's where Gas Town's program is
    there and nothing elsewhere: nothing is typed that was not asked for. Everything goes into one message, because a second one
    would interrupt the answer to the first.
    """
    parts: list[str] = []
    if opts.prompt and choice.agent.prompt_style == "typed":
        parts.append(choice.agent.as_text(opts.prompt))
    if opts.nudge == "auto":
        if choice.has_gt:
            parts.append(startup_nudge(rig.name, name, local_time=local_time, has_hook=bool(opts.hook_bead)))
    elif opts.nudge:
        parts.append(opts.nudge)
    text = "\n\n".join(parts)
    if text and opts.wait == "no":
        return "", ("nothing was typed to the agent, because the spawn did not wait for it",)
    return text, ()


def describe(plan: SpawnPlan) -> Sequence[tuple[str, str]]:
    """The plan as rows of label and text, as ``--dry-run`` prints them."""
    fetch = plan.fetch.when if plan.fetch.when != "if-older-than" else f"if older than {plan.fetch.max_age_s:g} s"
    rows = [
        ("polecat", plan.agent_id),
        ("worktree", str(plan.clone_path)),
        ("branch", f"{plan.branch} from origin/{plan.upstream} (fetch: {fetch})"),
        ("hook", plan.hook_bead or "-"),
        ("agent bead", plan.agent_bead),
        ("agent", f"{plan.agent.name}: {plan.agent.command}"),
        ("account", plan.account or "-"),
        ("session", plan.session_name),
        ("ends first", plan.orphan_session or "-"),
        ("waits", f"until ready, at most {plan.ready_timeout_s:g} s" if plan.wait == "ready" else "no"),
        ("types", "1 message" if plan.typed else "nothing"),
    ]
    return rows + [("warning", text) for text in plan.warnings]
