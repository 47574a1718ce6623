"""The reference's own answers about agents, environments and accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polecat.core.accounts import resolve_account
from polecat.core.agents import resolve_agent
from polecat.core.environment import polecat_env
from polecat.core.presets import PRESETS
from polecat.errors import AccountNotFoundError, AgentNotFoundError, ConfigError
from polecat.town import config
from polecat.town.routes import load_routes, rig_prefix
from polecat.town.settings import load_rig_settings, load_town_settings

VECTORS = Path(__file__).parent / "vectors"


def cases(name: str) -> list[Any]:
    """The cases of one file of vectors."""
    loaded: list[Any] = json.loads((VECTORS / name).read_text("utf-8"))["cases"]
    return loaded


def put(path: Path, text: str | None) -> None:
    """Write a file, or leave it out."""
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.mark.parametrize("case", cases("startup_commands.json"))
def test_startup_commands(case: dict[str, Any], tmp_path: Path) -> None:
    """Settings, registries and override lead to the reference's command and environment, or to the error of the deviations."""
    rig_path = tmp_path / "gastown"
    put(rig_path / "settings" / "config.json", case["rig_settings"])
    put(tmp_path / "settings" / "config.json", case["town_settings"])
    put(tmp_path / "settings" / "agents.json", case["town_agents"])

    outcome, command = "ok", ""
    try:
        agent, warnings = resolve_agent(
            override=case["agent"],
            rig_settings=load_rig_settings(rig_path),
            town_settings=load_town_settings(tmp_path),
            rig_registry=config.load_agent_registry(rig_path / "settings" / "agents.json"),
            town_registry=config.load_agent_registry(tmp_path / "settings" / "agents.json"),
            which=lambda program: f"/bin/{program}",
        )
        command = " ".join(agent.argv(None))
        if agent.args == PRESETS["codex"].args:  # a deviation: its own process
            command = command.removesuffix(" --no-daemon")
        assert warnings == ()
    except AgentNotFoundError:
        outcome = "agent_not_found"
    except ConfigError:
        outcome = "config_error"

    assert (outcome, command) == (case["expect"], case["command"])
    if outcome == "ok":
        expected = {key: value.replace("$TOWN", str(tmp_path)) for key, value in case["env"].items()}
        ours = polecat_env("gastown", "nux", str(tmp_path))
        assert {key: ours[key] for key in expected} == expected


@pytest.mark.parametrize("case", cases("agent_env.json"))
def test_agent_env(case: dict[str, Any]) -> None:
    """The identity of a polecat's agent is the reference's, variable by variable."""
    env = polecat_env(case["rig"], case["name"], case["town_root"], beads_dir=case["beads_dir"], config_dir=case["config_dir"])

    assert env == case["env"]


def test_agent_presets() -> None:
    """The reference's six agents are built in as it has them, how a session is resumed included; codex works in its own process."""
    presets = json.loads((VECTORS / "agent_presets.json").read_text("utf-8"))
    presets["codex"]["args"].append("--no-daemon")
    presets["codex"]["resume_command"] += " --no-daemon"

    ours = {
        name: {
            "args": list(agent.args),
            "command": agent.command,
            "process_names": list(agent.process_names),
            "resume_command": " ".join(agent.resume_argv("SID")),
            "resume_flag": agent.resume_flag,
            "resume_style": agent.resume_style,
            "session_id_env": agent.session_id_env,
            "supports_hooks": agent.supports_hooks,
        }
        for name, agent in PRESETS.items()
        if name in presets
    }
    assert ours == presets


@pytest.mark.parametrize("case", cases("accounts.json"))
def test_accounts(case: dict[str, Any], tmp_path: Path) -> None:
    """Accounts are resolved as in the reference; one that was asked for and is not there is an error."""
    put(tmp_path / "mayor" / "accounts.json", case["accounts_json"])

    outcome, config_dir, handle = "ok", "", ""
    try:
        config_dir, handle = resolve_account(
            config.load_accounts(tmp_path),
            flag=case["flag"],
            environ={"GT_ACCOUNT": case["GT_ACCOUNT"], "HOME": case["HOME"]},
        )
    except AccountNotFoundError:
        outcome = "account_not_found"
    except ConfigError:
        outcome = "config_error"

    assert (outcome, config_dir, handle) == (case["expect"], case["config_dir"], case["handle"])


@pytest.mark.parametrize("case", cases("rig_prefix.json"))
def test_rig_prefix(case: dict[str, Any], tmp_path: Path) -> None:
    """The routes say what the ids of a rig's beads start with."""
    put(tmp_path / ".beads" / "routes.jsonl", case["routes_jsonl"])

    assert rig_prefix(load_routes(tmp_path), case["rig"]) == case["prefix"]
