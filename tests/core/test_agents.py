"""Agents: which one, how its screen is read, how it takes a prompt, what its environment holds, what it is told."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import evolve

from polecat.core.agent_model import Agent, Hooks, Readiness, prefix_pattern
from polecat.core.agents import nudge_header, resolve_agent, startup_nudge
from polecat.core.environment import agent_environment, is_foreign, polecat_env
from polecat.core.presets import PRESETS
from polecat.documents import AgentEntry, RigSettings, RuntimeConfig, TownSettings
from polecat.errors import AgentNotFoundError, SpawnRefusedError


def resolve(
    override: str = "",
    *,
    rig: RigSettings | None = None,
    town: TownSettings | None = None,
    rig_registry: Mapping[str, AgentEntry] | None = None,
    town_registry: Mapping[str, AgentEntry] | None = None,
    on_path: tuple[str, ...] = (),
) -> tuple[Agent, tuple[str, ...]]:
    """Resolve with defaults for what a test does not care about."""
    return resolve_agent(
        override=override,
        rig_settings=rig or RigSettings(),
        town_settings=town or TownSettings(),
        rig_registry=rig_registry,
        town_registry=town_registry,
        which=lambda program: f"/bin/{program}" if program in on_path else None,
    )


# ------------------------------------------------------------------------------------------------------- resolution


def test_names_are_looked_up_from_the_nearest_place_to_the_farthest() -> None:
    """Rig settings, town settings, rig registry, town registry, presets: the first that defines the name wins."""
    one = {"claude": RuntimeConfig(command="one")}
    two = {"claude": RuntimeConfig(command="two")}
    three = {"claude": AgentEntry(name="claude", command="three")}
    four = {"claude": AgentEntry(name="claude", command="four")}
    rig, town = RigSettings(agents=one), TownSettings(agents=two)

    found = [
        resolve("claude", rig=rig, town=town, rig_registry=three, town_registry=four)[0],
        resolve("claude", town=town, rig_registry=three, town_registry=four)[0],
        resolve("claude", rig_registry=three, town_registry=four)[0],
        resolve("claude", town_registry=four)[0],
        resolve("claude")[0],
    ]

    assert [agent.command for agent in found] == ["one", "two", "three", "four", "claude"]
    assert [agent.source for agent in found][:2] == ["rig settings", "town settings"]


def test_who_is_asked_for_the_agent_in_order() -> None:
    """Override, the rig's role, the town's role, the rig's runtime, the rig's agent, the town's default, Claude."""
    rig = RigSettings(role_agents={"polecat": "codex"}, runtime=RuntimeConfig(command="run"), agent="gemini")
    town = TownSettings(role_agents={"polecat": "amp"}, default_agent="cursor")
    on_path = ("codex", "amp")

    commands = [
        resolve("auggie", rig=rig, town=town, on_path=on_path)[0].command,
        resolve(rig=rig, town=town, on_path=on_path)[0].command,
        resolve(rig=RigSettings(runtime=rig.runtime), town=town, on_path=on_path)[0].command,
        resolve(rig=RigSettings(runtime=rig.runtime, agent="gemini"))[0].command,
        resolve(rig=RigSettings(agent="gemini"), town=TownSettings(default_agent="cursor"))[0].command,
        resolve(town=TownSettings(default_agent="cursor"))[0].command,
        resolve()[0].command,
    ]

    assert commands == ["auggie", "codex", "amp", "run", "gemini", "cursor-agent", "claude"]


def test_unusable_agents_of_the_role_are_passed_over_with_a_warning() -> None:
    """An agent of the role that is unknown or not on PATH is passed over, and the warning says why."""
    rig = RigSettings(role_agents={"polecat": "codx", "witness": "amp"})
    town = TownSettings(role_agents={"polecat": "gemini"})

    agent, warnings = resolve(rig=rig, town=town)

    assert agent.name == "claude"
    assert warnings == (
        'the rig settings\' role_agents.polecat is not used: agent "codx" not found in config or built-in presets',
        'the town settings\' role_agents.polecat is not used: agent "gemini" binary "gemini" not found in PATH',
    )


def test_an_unknown_agent_is_an_error_that_lists_what_there_is() -> None:
    """A wrong name never becomes Claude: the error lists every agent, where it is defined, and what was probably meant."""
    rig = RigSettings(agents={"mine": RuntimeConfig(command="m")})
    town_registry = {"ours": AgentEntry(name="ours", command="o")}

    with pytest.raises(AgentNotFoundError) as caught:
        resolve("claud", rig=rig, town_registry=town_registry)

    known = f"{', '.join(PRESETS)}, mine (rig settings), ours (town agents.json)"
    assert caught.value.message == f"no agent 'claud'; known here: {known}"
    assert caught.value.hint == "did you mean 'claude'?"
    assert "mine" in caught.value.known


def test_an_unknown_agent_in_settings_says_which_setting() -> None:
    """When a setting names an agent that does not exist, the error names the setting."""
    with pytest.raises(AgentNotFoundError, match="no agent 'x', which the rig's 'agent' setting names"):
        resolve(rig=RigSettings(agent="x"))
    with pytest.raises(AgentNotFoundError, match="which the town's 'default_agent' setting names"):
        resolve(town=TownSettings(default_agent="x"))


def test_custom_agents_have_their_own_arguments_only() -> None:
    """Arguments come from the definition; nobody else's permission flag is added. Only a bare provider has its own defaults."""
    agents = {
        "bare": RuntimeConfig(command="bare"),
        "empty": RuntimeConfig(command="empty", args=()),
        "given": RuntimeConfig(command="given", args=("-x",)),
        "wrapped": RuntimeConfig(command="/opt/claude", args=("--resume",)),
        "plain": RuntimeConfig(command="/opt/claude"),
        "variant": RuntimeConfig(provider="codex"),
        "codex": RuntimeConfig(args=("--model", "m")),
    }
    rig = RigSettings(agents=agents)

    found = {name: resolve(name, rig=rig)[0].argv() for name in agents}

    assert found == {
        "bare": ("bare",),
        "empty": ("empty",),
        "given": ("given", "-x"),
        "wrapped": ("/opt/claude", "--resume"),
        "plain": ("/opt/claude",),
        "variant": ("codex", "--yolo", "--no-daemon"),
        "codex": ("codex", "--model", "m"),
    }
    entry = AgentEntry(name="reg", command="reg")
    assert resolve("reg", rig_registry={"reg": entry})[0].argv() == ("reg",)


def test_one_agent_is_used_for_everything() -> None:
    """T-34: readiness, dialogs, hooks, prompt and process names come with the agent that was chosen, never from another."""
    rig = RigSettings(
        runtime=RuntimeConfig(provider="claude"), agents={"mine": RuntimeConfig(command="/x/stub", process_names=("sleepy",))}
    )

    codex, stub = resolve("codex", rig=rig)[0], resolve("mine", rig=rig)[0]

    assert codex == PRESETS["codex"]
    assert (codex.hooks.provider, codex.instructions_file, codex.config_dir_env) == ("none", "AGENTS.md", "")
    assert stub.signs.prompt == ""
    assert stub.dialogs == ()
    assert stub.readiness.process_names == ("sleepy",)
    assert stub.all_process_names == ("sleepy", "stub")


def test_what_a_custom_agent_says_wins_over_its_provider() -> None:
    """Prompt prefix, delay, process names, hooks and variables of the definition replace the provider's."""
    config = RuntimeConfig(
        provider="claude",
        command="/opt/my-claude",
        ready_prompt_prefix="$$ ",
        ready_delay_ms=1500,
        session_id_env="MY_SESSION",
        hooks_provider="none",
        prompt_mode="none",
        instructions_file="MY.md",
    )

    agent, _ = resolve("x", rig=RigSettings(agents={"x": config}))

    assert re.search(agent.signs.prompt, "$$ ")
    assert agent.readiness.delay_s == 1.5
    assert (agent.session_id_env, agent.config_dir_env) == ("MY_SESSION", "CLAUDE_CONFIG_DIR")
    assert agent.hooks == Hooks()
    assert (agent.prompt_style, agent.instructions_file) == ("typed", "MY.md")
    assert agent.dialogs == PRESETS["claude"].dialogs


def test_a_negative_delay_is_no_delay() -> None:
    """A delay below zero switches waiting off, as in Gas Town."""
    agent, _ = resolve("x", rig=RigSettings(agents={"x": RuntimeConfig(command="y", ready_delay_ms=-1)}))

    assert agent.readiness.delay_s == 0.0


def test_an_agent_without_program_is_an_error() -> None:
    """A definition that names neither a program nor a provider that has one is an error."""
    with pytest.raises(AgentNotFoundError, match="names no program"):
        resolve("x", rig=RigSettings(agents={"x": RuntimeConfig(provider="generic")}))
    with pytest.raises(AgentNotFoundError, match="names no program"):
        resolve("x", town_registry={"x": AgentEntry(name="x")})


def test_registry_entries_keep_their_parts() -> None:
    """What agents.json says about processes and sessions arrives in the agent."""
    entry = AgentEntry(
        name="reg",
        command="reg",
        process_names=("p",),
        session_id_env="S",
        resume_flag="go on",
        resume_style="subcommand",
        supports_hooks=True,
    )

    agent, _ = resolve("reg", town_registry={"reg": entry})

    assert (agent.process_names, agent.session_id_env, agent.supports_hooks) == (("p",), "S", True)
    assert agent.resume_argv("7") == ("reg", "go", "on", "7")
    assert agent.resume_argv("") == ()


# ----------------------------------------------------------------------------------------------------------- prompt


@pytest.mark.parametrize("prompt", ["fix it", "two\nlines", '$(rm -rf /) `x` "q" ;', "-x", "--force"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_prompt_is_one_word_and_never_an_option(name: str, prompt: str) -> None:
    """T-47: an agent that takes a prompt at its start gets it whole, and one with a leading dash not as an option."""
    agent = PRESETS[name]

    words = agent.argv(prompt)

    base = (agent.command, *agent.args)
    if agent.prompt_style == "typed":
        assert words == base
    elif agent.prompt_style.startswith("flag:"):
        flag = agent.prompt_style.partition(":")[2]
        assert words in ((*base, flag, prompt), (*base, f"{flag}={prompt}"))
        assert prompt.startswith("-") == (words[-1] != prompt)
    elif agent.ends_options or not prompt.startswith("-"):
        assert words == ((*base, "--", prompt) if prompt.startswith("-") else (*base, prompt))
    else:
        assert words == (*base, f" {prompt}")


SLASH = {"claude": " /help me", "codex": "/help me", "opencode": "/help me"}
"""What becomes of ``/help me``, by agent: seen with the versions that the presets name. The others would run a command of their own."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_prompt_with_a_slash_reaches_the_agent_as_text_or_is_refused(name: str) -> None:
    """An agent's own commands begin with a slash: a prompt is never run as one, and the refusal says what to do instead."""
    agent = PRESETS[name]

    if name in SLASH:
        assert agent.argv("/help me")[-1] == SLASH[name]
        assert agent.argv(" /help me")[-1] == " /help me"
        return
    for prompt in ("/help me", " \n/help me"):
        with pytest.raises(SpawnRefusedError, match=f"{name} would take the prompt '/help'") as caught:
            agent.as_text(prompt)
        assert "begin it with another word" in caught.value.hint
    assert agent.as_text("see /etc") == "see /etc"


def test_an_agent_nobody_knows_gets_its_slash_as_it_is() -> None:
    """Of a program of which we know nothing we cannot say what a slash means to it."""
    agent, _ = resolve("x", rig=RigSettings(agents={"x": RuntimeConfig(command="y")}))

    assert agent.argv("/x") == ("y", "/x")


def test_a_custom_agent_names_the_flag_of_its_prompt() -> None:
    """``prompt_flag`` goes before the prompt; a dash in the prompt is joined to a long flag, and gets a blank behind a short one."""
    agents = {
        "long": RuntimeConfig(command="y", prompt_flag="--say"),
        "short": RuntimeConfig(command="y", prompt_flag="-i"),
        "none": RuntimeConfig(command="y", prompt_flag="-i", prompt_mode="none"),
        "variant": RuntimeConfig(provider="qwen", prompt_flag="-i", prompt_mode="arg"),
    }
    found = {name: resolve(name, rig=RigSettings(agents=agents))[0] for name in agents}

    assert found["long"].argv("go") == ("y", "--say", "go")
    assert found["long"].argv("-x") == ("y", "--say=-x")
    assert found["short"].argv("-x") == ("y", "-i", " -x")
    assert found["none"].prompt_style == "typed"
    assert found["variant"].argv("go") == ("qwen", "--yolo", "-i", "go")


@pytest.mark.parametrize(
    ("described", "shares"),
    [
        (RuntimeConfig(provider="codex"), ""),
        (
            RuntimeConfig(command="/opt/codex", args=("--yolo",)),
            "x is started without --no-daemon: it works in a process that all",
        ),
        (RuntimeConfig(command="/opt/codex", args=("--no-daemon",)), ""),
        (RuntimeConfig(command="cline"), "x works in a process that all its sessions share"),
        (RuntimeConfig(command="/bin/other"), ""),
    ],
)
def test_agents_that_share_a_process_are_known(described: RuntimeConfig, shares: str) -> None:
    """An agent whose work is done in a background process of its user's is outside its polecat's identity and process family."""
    agent, _ = resolve("x", rig=RigSettings(agents={"x": described}))

    assert agent.shares_process.startswith(shares)
    assert bool(agent.shares_process) == bool(shares)


def test_unknown_programs_get_a_blank_before_a_dash() -> None:
    """Of a program of which we know nothing we cannot say that it understands --."""
    agent, _ = resolve("x", rig=RigSettings(agents={"x": RuntimeConfig(command="y")}))

    assert agent.argv("-v") == ("y", " -v")
    assert agent.argv("v") == ("y", "v")
    assert agent.argv("") == agent.argv(None) == ("y",)


def test_a_prompt_that_cannot_be_passed_is_refused_before_anything_is_done() -> None:
    """T-39: a prompt larger than an argument may be, or with a NUL, is refused in words; 100 KB are fine."""
    agent = PRESETS["claude"]

    assert agent.argv("x" * 100_000)[-1] == "x" * 100_000
    with pytest.raises(SpawnRefusedError, match="the prompt is 400000 bytes long"):
        agent.argv("é" * 200_000)
    with pytest.raises(SpawnRefusedError, match="NUL"):
        agent.argv("a\0b")


# ---------------------------------------------------------------------------------------------------------- screens

NBSP = "\u00a0"
SCREENS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("claude", "> ", "ready", ()),
    ("claude", ">", "ready", ()),
    ("claude", "> hello", "ready", ()),
    ("claude", "❯ ", "ready", ()),
    ("claude", f"❯{NBSP}", "ready", ()),
    ("claude", f">{NBSP}", "ready", ()),
    ("claude", f'❯{NBSP}Try "edit app.py to add a test"', "ready", ()),
    ("claude", '> Try "fix typecheck errors"', "ready", ()),
    ("claude", "╭──────╮\n│ >    │\n╰──────╯\n  ? for shortcuts", "ready", ()),
    ("claude", f"│{NBSP}>{NBSP}", "ready", ()),
    ("claude", "❯ fix the parser\n\n● Working\n\n  ⏵⏵ bypass permissions on (shift+tab to cycle)", "ready", ()),
    ("claude", "Welcome to Claude Code\n v2.1", "", ()),
    ("claude", "Some brand new question\n> 1. Sure\n  2. Nope\n\nEnter to confirm", "", ()),
    ("claude", "Some brand new question\n❯ 1. Sure\n  2. Nope", "", ()),
    ("claude", "Some brand new question\n❯ Sure\n  Nope", "", ()),
    ("claude", "a > b and <tag> and 3 > 2\n-> x\n=> y", "", ()),
    (
        "claude",
        "WARNING: Claude Code running in Bypass Permissions mode\n\n❯ 1. No, exit\n  2. Yes, I accept\n\n Enter to confirm",
        "bypass-permissions",
        ("2",),
    ),
    (
        "claude",
        "WARNING: Claude Code running in Bypass Permissions mode\n\n  1. No, exit\n❯ 2. Yes, I accept",
        "bypass-permissions",
        ("2",),
    ),
    (
        "claude",
        "WARNING: Claude Code running in Bypass Permissions mode\n\n  No, exit\n❯ Yes, I accept",
        "bypass-permissions",
        ("Enter",),
    ),
    ("claude", f"Bypass{NBSP}Permissions{NBSP}mode", "bypass-permissions", ("Down", "Enter")),
    (
        "claude",
        " Do you trust the files in this folder?\n\n /t/gas\n\n ❯ 1. Yes, proceed\n   2. No, exit\n\n Enter to confirm · Esc to cancel",
        "trust-folder",
        ("Enter",),
    ),
    (
        "claude",
        (
            " Quick safety check: Is this a project you created or one you trust? (Like your own code)\n\n ❯ 1. Yes, I trust this folder\n"
            "   2. No, exit"
        ),
        "trust-folder",
        ("Enter",),
    ),
    (
        "claude",
        " Quick safety check: Is this a project you created or one you trust?\n ❯ No, exit\n   Yes, I trust this folder",
        "trust-folder",
        ("Down", "Enter"),
    ),
    ("claude", "Choose the text style that looks best with your terminal\n❯ 1. Dark mode ✔\n  2. Light mode", "set-up", ()),
    ("claude", "Select login method:\n ❯ 1. Claude account with subscription", "set-up", ()),
    ("claude", "Do you want to use this API key?\n  1. Yes\n❯ 2. No (recommended)", "set-up", ()),
    ("claude", "Managed settings require approval\n> 1. Yes, I trust these settings", "set-up", ()),
    ("codex", "› ", "ready", ()),
    ("codex", ">_ OpenAI Codex (v0.98.0)\n\n› Find and fix a bug in @filename\n\n  ? for shortcuts", "ready", ()),
    ("codex", "▌ Ask Codex to do anything", "ready", ()),
    (
        "codex",
        (
            "> You are in /some/workspace\n\n  Do you trust the contents of this directory? Working with untrusted contents\n"
            "  comes with higher risk of prompt injection.\n\n› 1. Yes, continue\n  2. No, quit\n\n  Press enter to continue"
        ),
        "trust-folder",
        ("Enter",),
    ),
    (
        "codex",
        "  Do you trust the contents of this directory?\n  1. Yes, continue\n› 2. No, quit",
        "trust-folder",
        ("Up", "Enter"),
    ),
    ("codex", "✨ Update available! 0.1 -> 0.2\n\n› 1. Update now\n  2. Skip", "set-up", ()),
    ("codex", "> Sign in with ChatGPT to use Codex", "set-up", ()),
    ("cursor", "  Cursor Agent\n\n  → Plan, search, build anything", "ready", ()),
    ("cursor", " │ → Add a follow-up     │", "ready", ()),
    (
        "cursor",
        "⚠ Workspace Trust Required\nDo you trust the contents of this directory?\n▶ [a] Trust this workspace",
        "trust-folder",
        ("a",),
    ),
    ("cursor", "⚠ Workspace Trust Required\n (something new)", "trust-folder", ()),
    ("cursor", "Press any key to log in...", "set-up", ()),
    ("gemini", "╭────╮\n│ >   Type your message or @path/to/file │\n╰────╯", "ready", ()),
    ("gemini", " *   Type your message or @path/to/file", "ready", ()),
    (
        "gemini",
        "│ Do you trust this folder? │\n│ ● 1. Trust folder (gas) │\n│   2. Trust parent folder │",
        "trust-folder",
        ("Enter",),
    ),
    ("gemini", "How would you like to authenticate for this project?\n● 1. Login with Google", "set-up", ()),
]


def verdict(agent: Agent, matched: list[bool]) -> tuple[str, tuple[str, ...]]:
    """What is decided from which patterns are on the screen: the first dialog, else the prompt."""
    for dialog, is_there in zip(agent.dialogs, matched, strict=False):
        if is_there:
            return dialog.name, dialog.keys
    return ("ready", ()) if matched[-1] else ("", ())


def patterns(agent: Agent) -> list[str]:
    """The patterns of an agent in the order in which they are watched."""
    return [*(dialog.pattern for dialog in agent.dialogs), agent.signs.prompt]


@pytest.mark.parametrize(("name", "screen", "expected", "keys"), SCREENS)
def test_screens_are_read_right(name: str, screen: str, expected: str, keys: tuple[str, ...]) -> None:
    """T-35, T-36: prompts with either blank are ready, questions are recognised, and a question's arrow is no prompt."""
    agent = PRESETS[name]
    lines = [line.rstrip(" ") for line in screen.split("\n")]

    matched = [any(re.search(pattern, line) for line in lines) for pattern in patterns(agent)]

    assert verdict(agent, matched) == (expected, keys)


def tmux(*words: str, socket: Path) -> str:
    """Run the real tmux on a private server."""
    command = ["tmux", "-u", "-S", str(socket), "-f", "/dev/null", *words]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=20).stdout


@pytest.fixture
def screens(tmp_path: Path, tmux_guard: object) -> Iterator[Path]:
    """A private tmux server with one window for each screen."""
    socket = tmp_path / "s"
    first = True
    for at, (_, screen, _, _) in enumerate(SCREENS):
        file = tmp_path / f"{at}.txt"
        file.write_text(screen + "\n", "utf-8")
        show = ("sh", "-c", f"cat '{file}'; echo shown; exec sleep 60")
        new = ("new-session", "-d", "-s", "x", "-n", str(at)) if first else ("new-window", "-d", "-t", f"=x:{at}", "-n", str(at))
        tmux(*new, *(("-x", "160", "-y", "30") if first else ()), *show, socket=socket)
        first = False
    yield socket
    subprocess.run(["tmux", "-S", str(socket), "kill-server"], check=False, capture_output=True, timeout=20)


@pytest.mark.real
def test_tmux_reads_the_screens_the_same_way(screens: Path) -> None:
    """T-35: what Python's expressions say about the screens, tmux's own say as well."""
    every = list(dict.fromkeys(p for agent in PRESETS.values() for p in patterns(agent) if p))
    wanted = "|".join("#{C/r:" + re.sub("[#,}]", r"#\g<0>", pattern) + "}" for pattern in ["^shown$", *every])
    deadline = time.monotonic() + 15
    while True:
        rows = tmux("list-panes", "-s", "-t", "=x:", "-F", "#{window_name}|" + wanted, socket=screens).splitlines()
        if len(rows) == len(SCREENS) and all(row.split("|")[1] != "0" for row in rows):
            break
        assert time.monotonic() < deadline, rows

    for row in rows:
        at, _, *found = row.split("|")
        name, _, expected, keys = SCREENS[int(at)]
        shown = dict(zip(every, (int(line) > 0 for line in found), strict=True))
        assert verdict(PRESETS[name], [shown[p] for p in patterns(PRESETS[name])]) == (expected, keys), SCREENS[int(at)]


def test_prompt_prefixes_match_as_the_reference_says() -> None:
    """T-35: a configured prefix matches the start of a line, itself without its blanks, and either kind of blank."""
    pattern = prefix_pattern("(.*)> ")

    assert all(re.search(pattern, line) for line in ("(.*)> go", "(.*)>", f"  (.*)>{NBSP}go"))
    assert not any(re.search(pattern, line) for line in ("x (.*)> go", "(.*)>go", "(ab)> go"))


# ------------------------------------------------------------------------------------------------------ environment


def test_nothing_of_the_caller_reaches_the_agent() -> None:
    """T-31, T-32: identity, database, debugger, repository and session of whoever spawns are gone; ours are there, each once."""
    caller = {
        "PATH": "/bin",
        "HOME": "/home/u",
        "LANG": "C.UTF-8",
        "SSH_AUTH_SOCK": "/s",
        "VIRTUAL_ENV": "/venv",
        "ANTHROPIC_API_KEY": "k",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CONFIG_DIR": "/home/u/.claude-x",
        "TMUX_TMPDIR": "/private",
        "GIT_SSH_COMMAND": "ssh -i k",
        "GIT_AUTHOR_EMAIL": "u@x",
        "GT_ROLE": "mayor",
        "GT_TOWN_ROOT": "/other",
        "GT_CREW": "max",
        "GT_ACCOUNT": "work",
        "BD_ACTOR": "mayor",
        "BEADS_DIR": "/other/.beads",
        "BEADS_DOLT_PORT": "1",
        "POLECAT_ID": "1",
        "TMUX": "/tmp/x,1,0",
        "TMUX_PANE": "%1",
        "CLAUDECODE": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_CODE_SSE_PORT": "5",
        "CLAUDE_SESSION_ID": "s",
        "GEMINI_SESSION_ID": "s",
        "NODE_OPTIONS": "--inspect-brk",
        "GIT_DIR": "/other/.git",
        "GIT_INDEX_FILE": "/other/index",
        "GIT_TRACE2_EVENT": "1",
        "GIT_AUTHOR_NAME": "mayor",
        "GIT_COMMITTER_NAME": "mayor",
        "GIT_COMMITTER_DATE": "2001",
        "TERM": "dumb",
        "PWD": "/other",
    }

    env = agent_environment(caller, polecat_env("gas", "nux", "/t"), {"MY": "1", "LANG": "en"})

    assert env == {
        "PATH": "/bin",
        "HOME": "/home/u",
        "SSH_AUTH_SOCK": "/s",
        "VIRTUAL_ENV": "/venv",
        "ANTHROPIC_API_KEY": "k",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CONFIG_DIR": "/home/u/.claude-x",
        "TMUX_TMPDIR": "/private",
        "GIT_SSH_COMMAND": "ssh -i k",
        "GIT_AUTHOR_EMAIL": "u@x",
        "GT_ROLE": "polecat",
        "GT_RIG": "gas",
        "GT_POLECAT": "nux",
        "GT_ROOT": "/t",
        "BD_ACTOR": "gas/polecats/nux",
        "BEADS_AGENT_NAME": "gas/nux",
        "BEADS_NO_DAEMON": "1",
        "GIT_AUTHOR_NAME": "nux",
        "GIT_COMMITTER_NAME": "nux",
        "MY": "1",
        "LANG": "en",
    }


def test_every_session_variable_of_an_agent_is_foreign() -> None:
    """T-31: whichever agent the caller is, its session id does not leak."""
    assert all(is_foreign(agent.session_id_env) for agent in PRESETS.values() if agent.session_id_env)


def test_unknown_town_and_beads_are_absent_not_empty() -> None:
    """A variable with nothing to say is not set at all; the account goes into the agent's own variable."""
    env = polecat_env("gas", "nux", "", config_dir="/acc", config_dir_env="MY_DIR")

    assert not {"GT_ROOT", "BEADS_DIR", "CLAUDE_CONFIG_DIR"} & set(env)
    assert env["MY_DIR"] == "/acc"


# ----------------------------------------------------------------------------------------------------------- nudges


@pytest.mark.parametrize(("topic", "molecule", "about"), [("a", "m", "a:m"), ("", "m", "m"), ("a", "", "a"), ("", "", "ready")])
def test_header_composes_its_topic(topic: str, molecule: str, about: str) -> None:
    """Topic and molecule are joined as other tools expect them."""
    header = nudge_header("gas/polecats/nux", "witness", "2026-01-12T09:30", topic=topic, molecule=molecule)

    assert header == f"[GAS TOWN] gas/polecats/nux <- witness • 2026-01-12T09:30 • {about}"


def test_one_message_says_it_all() -> None:
    """The start-up message has the exact header, an empty line, and sends the agent to its hook."""
    told = startup_nudge("gas", "nux", local_time="2026-01-12T09:30")
    waiting = startup_nudge("gas", "nux", local_time="2026-01-12T09:30", has_hook=False)

    header = "[GAS TOWN] gas/polecats/nux <- witness • 2026-01-12T09:30 • assigned\n\n"
    assert told.startswith(header) and waiting.startswith(header)
    assert "`gt hook`" in told and "at once" in told
    assert "wait" in waiting


# ----------------------------------------------------------------------------------------------------- every detail


def only(name: str, **said: object) -> Agent:
    """The agent that settings describe with these words."""
    return resolve(name, rig=RigSettings(agents={name: RuntimeConfig(**said)}))[0]  # type: ignore[arg-type]  # a test's own words


def test_an_agent_of_which_nothing_is_known() -> None:
    """An unknown program gets its own name, no arguments, no prompt pattern, and Claude's hooks, as in Gas Town."""
    assert only("mine", command="/opt/tool") == Agent(
        name="mine",
        command="/opt/tool",
        process_names=("tool",),
        hooks=PRESETS["claude"].hooks,
        source="rig settings",
    )
    assert only("mine", command="/opt/tool", provider="generic").hooks == Hooks()


def test_an_agent_is_a_variant_of_what_its_program_is() -> None:
    """By provider, else by its program, else by its name; nothing at all is Claude."""
    assert only("mine", command="/opt/codex").readiness == PRESETS["codex"].readiness
    assert only("gemini", command="/opt/tool").readiness == PRESETS["gemini"].readiness
    assert only("codex", command="/opt/gemini").readiness == PRESETS["gemini"].readiness
    assert only("mine", args=("-x",)).command == "claude"
    assert only("mine", provider="opencode") == evolve(PRESETS["opencode"], name="mine", source="rig settings")


def test_the_runtime_of_the_rig_is_an_agent_without_a_name() -> None:
    """It is called as its provider, or as its program."""
    runtime = RuntimeConfig(provider="codex")
    assert resolve(rig=RigSettings(runtime=runtime))[0] == evolve(PRESETS["codex"], source="rig settings")
    assert resolve(rig=RigSettings(runtime=RuntimeConfig(command="/opt/tool")))[0].name == "tool"
    assert resolve(rig=RigSettings(runtime=RuntimeConfig(provider="codex", command="/opt/tool")))[0].name == "codex"


def test_where_an_agent_was_found() -> None:
    """Each place names itself in the agent it gives."""
    config, entry = {"x": RuntimeConfig(command="c")}, {"x": AgentEntry(name="x", command="c")}

    found = [
        resolve("x", rig=RigSettings(agents=config))[0],
        resolve("x", town=TownSettings(agents=config))[0],
        resolve("x", rig_registry=entry)[0],
        resolve("x", town_registry=entry)[0],
    ]

    assert [agent.source for agent in found] == ["rig settings", "town settings", "rig agents.json", "town agents.json"]
    assert {agent.name for agent in found} == {"x"}


@pytest.mark.parametrize(
    ("name", "mode", "style"),
    [
        ("claude", "", "argument"),
        ("claude", "arg", "argument"),
        ("claude", "none", "typed"),
        ("amp", "", "typed"),
        ("amp", "arg", "argument"),
        ("gemini", "arg", "flag:--prompt-interactive"),
        ("gemini", "", "flag:--prompt-interactive"),
    ],
)
def test_how_the_prompt_is_given(name: str, mode: str, style: str) -> None:
    """`arg` makes an argument of what was typed and leaves a flag a flag; `none` types."""
    assert only(name, command=PRESETS[name].command, prompt_mode=mode).prompt_style == style


def test_what_is_said_about_readiness_replaces_what_is_known() -> None:
    """Process names or a delay switch the known prompt off; a prefix replaces it; silence keeps it."""
    known = PRESETS["codex"].readiness
    assert only("codex", command="codex").readiness == known
    assert only("codex", command="codex", process_names=("p",)).readiness == Readiness(process_names=("p",))
    assert only("codex", command="codex", ready_delay_ms=500).readiness == Readiness(delay_s=0.5)
    assert only("amp", command="amp", ready_delay_ms=3000).readiness == Readiness(delay_s=3.0)
    assert only("amp", command="amp").readiness == Readiness()
    assert only("codex", command="codex", ready_delay_ms=500).signs.settle_s == 0
    assert not only("codex", command="codex", ready_prompt_prefix="$ ").signs.is_full_screen
    assert only("amp", command="amp", ready_delay_ms=-1).readiness == Readiness(delay_s=0.0)
    prefixed = only("amp", command="amp", ready_prompt_prefix="$ ", ready_delay_ms=-1)
    assert (prefixed.readiness.delay_s, prefixed.signs.prompt) == (0.0, prefix_pattern("$ "))


def test_whose_hooks_are_read() -> None:
    """A provider's hooks by its name, with their own directory and file unless others are given; an unknown name is kept."""
    claude = PRESETS["claude"].hooks
    assert only("mine", command="t", hooks_provider="claude").hooks == claude
    assert only("mine", command="t", hooks_provider="odd").hooks == Hooks(provider="odd")
    assert only("claude", command="claude", hooks_dir="d").hooks == evolve(claude, dir="d")
    assert only("claude", command="claude", hooks_file="f").hooks == evolve(claude, settings_file="f")


def test_what_settings_say_of_variables_and_processes() -> None:
    """Variables, process names and the file of instructions are the description's, else those of what it is a variant of."""
    said = only("claude", command="c", config_dir_env="D", session_id_env="S", process_names=("p",), instructions_file="I.md")
    known = only("claude", command="c")

    assert (said.config_dir_env, said.session_id_env, said.process_names, said.instructions_file) == ("D", "S", ("p",), "I.md")
    assert (known.config_dir_env, known.session_id_env, known.process_names) == (
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_SESSION_ID",
        ("node",),
    )


@pytest.mark.parametrize(
    ("flag", "style", "argv"),
    [
        ("--go", "", ("codex", "--go", "7")),
        ("--go", "flag", ("codex", "--go", "7")),
        ("go", "subcommand", ("codex", "go", "7")),
        ("", "", ("codex", "resume", "7")),
        ("", "flag", ("codex", "resume", "7")),
    ],
)
def test_how_an_entry_is_resumed(flag: str, style: str, argv: tuple[str, ...]) -> None:
    """A flag of its own comes with its own style, `flag` unless it says otherwise; without one its program's way counts."""
    entry = AgentEntry(name="mine", command="codex", resume_flag=flag, resume_style=style)

    agent, _ = resolve("mine", rig_registry={"mine": entry})

    assert agent.resume_argv("7") == argv
    assert agent.resume_style == (style or "flag" if flag else "subcommand")
    assert agent.name == "mine"


def test_agents_of_the_role_that_can_be_used_come_without_a_warning() -> None:
    """The rig's agent of the role, if its program is there; a role nobody names is passed over in silence."""
    rig = RigSettings(role_agents={"polecat": "codex"})

    assert resolve(rig=rig, on_path=("codex",)) == (PRESETS["codex"], ())
    assert resolve(rig=RigSettings(role_agents={"witness": "codex"})) == (PRESETS["claude"], ())


def test_the_start_up_message_word_for_word() -> None:
    """Header, empty line, and what to do, with a bead on the hook and without."""
    header = "[GAS TOWN] gas/polecats/nux <- witness • 2026-01-12T09:30 • assigned:gt-m"

    hooked = startup_nudge("gas", "nux", local_time="2026-01-12T09:30", molecule="gt-m")
    bare = startup_nudge("gas", "nux", local_time="2026-01-12T09:30", molecule="gt-m", has_hook=False)

    assert hooked == (
        f"{header}\n\nYour work is on your hook. Read it with `gt hook`, then begin at once; nobody will confirm it first."
    )
    assert bare == (
        f"{header}\n\nLook at your hook with `gt hook`. If there is work on it, begin at once; if not, wait for a message."
    )
    assert nudge_header("a", "b", "t") == "[GAS TOWN] a <- b • t • ready"
