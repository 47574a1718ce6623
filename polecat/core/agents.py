"""Which agent is started, and what it is told first. Pure; looking at PATH is handed in.

An agent is resolved once, with all its parts. A name nobody defined is an error that lists what there is; it never turns into
another agent.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, frozen

from polecat.core.agent_model import Agent, Hooks, Readiness, ResumeStyle, prefix_pattern
from polecat.core.presets import CLAUDE, PRESETS
from polecat.core.screens import Signs
from polecat.documents import AgentEntry, RigSettings, RuntimeConfig, TownSettings
from polecat.errors import AgentNotFoundError
from polecat.names import agent_id, nearest

Which = Callable[[str], str | None]


@frozen(kw_only=True)
class _Known:
    """What defines agents: settings and registries, in the order in which they are asked; then the built-in ones."""

    settings: Mapping[str, Mapping[str, RuntimeConfig]]
    registries: Mapping[str, Mapping[str, AgentEntry]]

    def find(self, name: str) -> Agent | None:
        for source, described in self.settings.items():
            if name in described:
                return from_runtime(name, described[name], source=source)
        for source, entries in self.registries.items():
            if name in entries:
                return from_entry(entries[name], source=source)
        return PRESETS.get(name)

    def get(self, name: str, *, chosen_by: str) -> Agent:
        agent = self.find(name)
        if agent is None:
            raise self._unknown(name, chosen_by)
        return agent

    def _unknown(self, name: str, chosen_by: str) -> AgentNotFoundError:
        known = dict.fromkeys(PRESETS, "")
        for source, agents in (*self.settings.items(), *self.registries.items()):
            known.update({one: f" ({source})" for one in agents if one not in known})
        by = f", which {chosen_by} names" if chosen_by else ""
        meant = nearest(name, known)
        return AgentNotFoundError(
            f"no agent {name!r}{by}; known here: {', '.join(one + where for one, where in known.items())}",
            known=tuple(known),
            hint=f"did you mean {meant!r}?" if meant else "",
        )


def resolve_agent(
    *,
    override: str | None = None,
    rig_settings: RigSettings,
    town_settings: TownSettings,
    rig_registry: Mapping[str, AgentEntry] | None = None,
    town_registry: Mapping[str, AgentEntry] | None = None,
    which: Which,
) -> tuple[Agent, tuple[str, ...]]:
    """Resolve the agent of a spawn.

    Asked in this order: *override*; the rig's and the town's agent for the role, if its program is on PATH; the agent described in
    the rig's settings; the rig's agent; the town's default agent; Claude. A name is looked up in the rig's settings, the town's
    settings, the rig's registry, the town's registry, the built-in agents.

    Args:
        override: the agent that this spawn asks for; None or empty for none.
        rig_settings: the rig's settings.
        town_settings: the town's settings.
        rig_registry: the rig's ``agents.json``.
        town_registry: the town's ``agents.json``.
        which: finds a program on PATH, None if it is not there; asked for agents of roles only.

    Returns:
        The agent, and warnings about agents of the role that could not be used.

    Raises:
        AgentNotFoundError: a name stands for no agent.

    Source:
        Contract §10.3; design §6, deviations 3, 4 and 25; incident T-34.
    """
    known = _Known(
        settings={"rig settings": rig_settings.agents, "town settings": town_settings.agents},
        registries={"rig agents.json": rig_registry or {}, "town agents.json": town_registry or {}},
    )
    if override:
        return known.get(override, chosen_by=""), ()
    warnings: list[str] = []
    for place, names in (("rig", rig_settings.role_agents), ("town", town_settings.role_agents)):
        name = names.get("polecat")
        if name:
            agent, why = _for_role(known, name, which)
            if agent is not None:
                return agent, tuple(warnings)
            warnings.append(f"the {place} settings' role_agents.polecat is not used: {why}")
    if rig_settings.runtime is not None:
        return from_runtime("", rig_settings.runtime, source="rig settings"), tuple(warnings)
    if rig_settings.agent:
        return known.get(rig_settings.agent, chosen_by="the rig's 'agent' setting"), tuple(warnings)
    default = town_settings.default_agent or CLAUDE.name
    return known.get(default, chosen_by="the town's 'default_agent' setting"), tuple(warnings)


def find_agent(
    name: str, *, rig_settings: RigSettings, town_settings: TownSettings, registries: Sequence[Mapping[str, AgentEntry]] = ()
) -> Agent | None:
    """Find an agent by its name, as `resolve_agent` looks names up; None if nobody defines it.

    Raises:
        AgentNotFoundError: its definition names no program.
    """
    known = _Known(
        settings={"rig settings": rig_settings.agents, "town settings": town_settings.agents},
        registries={f"agents.json {at}": entries for at, entries in enumerate(registries)},
    )
    if rig_settings.runtime is not None:
        agent = from_runtime("", rig_settings.runtime, source="rig settings")
        if agent.name == name:
            return agent
    return known.find(name)


def _for_role(known: _Known, name: str, which: Which) -> tuple[Agent | None, str]:
    agent = known.find(name)
    if agent is None:
        return None, f'agent "{name}" not found in config or built-in presets'
    if which(agent.command) is None:
        return None, f'agent "{name}" binary "{agent.command}" not found in PATH'
    return agent, ""


def _base_of(name: str, config: RuntimeConfig) -> Agent | None:
    """The known agent that a custom one is a variant of: as it says, by its name, or by its program."""
    if config.provider:
        return PRESETS.get(config.provider)
    program = posixpath.basename(config.command)
    by_program = next((agent for agent in PRESETS.values() if agent.command == program), None)
    if not config.command:
        return PRESETS.get(name, CLAUDE)
    return by_program or PRESETS.get(name)


def from_runtime(name: str, config: RuntimeConfig, *, source: str) -> Agent:
    """Make an agent out of its description in settings.

    A description that names a program has the arguments it gives and no others; one that only names a provider is that provider's
    agent. What it does not say about prompt, readiness and hooks comes from the agent it is a variant of.

    Raises:
        AgentNotFoundError: it names no program, and its provider has none.
    """
    base = _base_of(name, config)
    command = config.command or (base.command if base else "")
    if not command:
        raise AgentNotFoundError(f"agent {name or 'runtime'!r} names no program ({source})", hint="give it a 'command'")
    own_args = config.args if config.args is not None else base.args if base and not config.command else ()
    agent = base or Agent(name=name, command=command, hooks=CLAUDE.hooks if not config.provider else Hooks())
    return evolve(
        agent,
        name=name or config.provider or posixpath.basename(command),
        command=command,
        args=own_args,
        process_names=config.process_names or agent.process_names or (posixpath.basename(command),),
        signs=_signs(agent.signs, config),
        readiness=_readiness(agent.readiness, config),
        prompt_style=_prompt_style(agent, config),
        session_id_env=config.session_id_env or agent.session_id_env,
        config_dir_env=config.config_dir_env or agent.config_dir_env,
        hooks=_hooks(agent.hooks, config),
        instructions_file=config.instructions_file or agent.instructions_file,
        source=source,
    )


def _prompt_style(agent: Agent, config: RuntimeConfig) -> str:
    if config.prompt_mode == "none":
        return "typed"
    if config.prompt_flag:
        return f"flag:{config.prompt_flag}"
    return "argument" if config.prompt_mode == "arg" and agent.prompt_style == "typed" else agent.prompt_style


def _readiness(base: Readiness, config: RuntimeConfig) -> Readiness:
    delay_s = config.ready_delay_ms / 1000 if config.ready_delay_ms else base.delay_s
    return evolve(base, process_names=config.process_names or base.process_names, delay_s=max(0.0, delay_s))


def _signs(base: Signs, config: RuntimeConfig) -> Signs:
    """What an agent's screen shows. What settings say of its readiness takes the place of what is known: a prompt is believed at once."""
    if not (config.ready_prompt_prefix or config.process_names or config.ready_delay_ms):
        return base
    prompt = prefix_pattern(config.ready_prompt_prefix) if config.ready_prompt_prefix else ""
    return evolve(base, prompt=prompt, starting="", begun="", footer="", is_full_screen=False, settle_s=0.0)


def _hooks(base: Hooks, config: RuntimeConfig) -> Hooks:
    named = PRESETS.get(config.hooks_provider)
    if config.hooks_provider:
        base = named.hooks if named is not None else Hooks(provider=config.hooks_provider)
    return evolve(base, dir=config.hooks_dir or base.dir, settings_file=config.hooks_file or base.settings_file)


def from_entry(entry: AgentEntry, *, source: str) -> Agent:
    """Make an agent out of its entry in an ``agents.json``.

    Raises:
        AgentNotFoundError: it names no program.
    """
    if not entry.command:
        raise AgentNotFoundError(f"agent {entry.name!r} names no program ({source})", hint="give it a 'command'")
    described = RuntimeConfig(command=entry.command, args=entry.args, session_id_env=entry.session_id_env)
    agent = from_runtime(entry.name, described, source=source)
    resume_style: ResumeStyle = "subcommand" if entry.resume_style == "subcommand" else "flag"
    return evolve(
        agent,
        process_names=entry.process_names or agent.process_names,
        resume_flag=entry.resume_flag or agent.resume_flag,
        resume_style=resume_style if entry.resume_flag else agent.resume_style,
        supports_hooks=entry.supports_hooks or agent.supports_hooks,
    )


# ----------------------------------------------------------------------------------------------------------- nudge


def nudge_header(recipient: str, sender: str, local_time: str, *, topic: str = "", molecule: str = "") -> str:
    """Write the first line of a start-up message, which other tools look for.

    Args:
        recipient: the agent's address.
        sender: who speaks.
        local_time: the local time to the minute, ``YYYY-MM-DDTHH:MM``.
        topic: what it is about.
        molecule: the id of a molecule, if there is one.

    Examples:
        >>> nudge_header("gas/polecats/nux", "witness", "2026-01-12T09:30", topic="assigned", molecule="gt-m")
        '[GAS TOWN] gas/polecats/nux <- witness • 2026-01-12T09:30 • assigned:gt-m'

    Source:
        Contract §9.8.
    """
    about = ":".join(part for part in (topic, molecule) if part) or "ready"
    return f"[GAS TOWN] {recipient} <- {sender} • {local_time} • {about}"


def startup_nudge(rig: str, name: str, *, local_time: str, has_hook: bool = True, molecule: str = "") -> str:
    """Write what a polecat is told once it is ready: header and instruction in one message.

    The reference sends two messages, and the second interrupts the answer to the first.

    Args:
        rig: the rig.
        name: the polecat.
        local_time: as in `nudge_header`.
        has_hook: this spawn put a bead on its hook.
        molecule: as in `nudge_header`.

    Source:
        Contract §9.8.
    """
    header = nudge_header(agent_id(rig, name), "witness", local_time, topic="assigned", molecule=molecule)
    if has_hook:
        text = "Your work is on your hook. Read it with `gt hook`, then begin at once; nobody will confirm it first."
    else:
        text = "Look at your hook with `gt hook`. If there is work on it, begin at once; if not, wait for a message."
    return f"{header}\n\n{text}"
