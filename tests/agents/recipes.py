"""The real agents that are tried: where npm has them, and how each is led to the pretend model server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

Recipe = Callable[[Path, str, Sequence[Path]], dict[str, str]]
"""Writes an agent's configuration into a HOME, for a server, with trusted directories; returns variables for its environment."""

KEY = f"sk-pretend-{'k' * 40}"


@frozen(kw_only=True)
class RealAgent:
    """An agent of npm's.

    Attributes:
        package: its package.
        version: the version that is tried.
        program: what it is started by.
        recipe: how it is led to the server; None where only its first screen is looked at.
        works_bare: it takes text although nobody has set it up.
        careful: arguments with which it asks before it runs a command.
        answered: what a person's answers to its other questions are stored as: a file below HOME, and its values.
    """

    package: str
    version: str
    program: str
    recipe: Recipe | None = None
    works_bare: bool = False
    careful: tuple[str, ...] = ()
    answered: tuple[str, Mapping[str, object]] = ("", {})


def _put(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document, indent=2), "utf-8")


def _claude(home: Path, url: str, trusted: Sequence[Path]) -> dict[str, str]:
    """With its bypass question not yet answered: a spawn has to get past it."""
    known = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(place): {"hasTrustDialogAccepted": True} for place in trusted},
    }
    _put(home / ".claude.json", known)
    return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY}


def _codex(home: Path, url: str, trusted: Sequence[Path]) -> dict[str, str]:
    lines = [
        'model = "pretend-model"',
        'model_provider = "pretend"',
        "check_for_update_on_startup = false",
        "[model_providers.pretend]",
        'name = "pretend"',
        f'base_url = "{url}/v1"',
        'env_key = "PRETEND_KEY"',
        'wire_api = "responses"',
        *(f'[projects."{place}"]\ntrust_level = "trusted"' for place in trusted),
    ]
    _put(home / ".codex" / "config.toml", "\n".join(lines) + "\n")
    return {"PRETEND_KEY": KEY}


def _gemini(home: Path, url: str, trusted: Sequence[Path]) -> dict[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": True}},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "model": {"name": "gemini-2.5-flash"},
    }
    _put(home / ".gemini" / "settings.json", settings)
    _put(home / ".gemini" / "trustedFolders.json", {str(place): "TRUST_FOLDER" for place in trusted})
    return {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": url}


def _qwen(home: Path, url: str, trusted: Sequence[Path]) -> dict[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "openai"}, "folderTrust": {"enabled": True}},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "model": {"name": "pretend-model"},
    }
    _put(home / ".qwen" / "settings.json", settings)
    _put(home / ".qwen" / "trustedFolders.json", {str(place): "TRUST_FOLDER" for place in trusted})
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": "pretend-model"}


AGENTS: Mapping[str, RealAgent] = {
    "claude": RealAgent(
        package="@anthropic-ai/claude-code",
        version="2.1.197",
        program="claude",
        recipe=_claude,
        answered=(".claude.json", {"bypassPermissionsModeAccepted": True}),
    ),
    "codex": RealAgent(package="@openai/codex", version="0.171.0", program="codex", recipe=_codex, careful=("--no-daemon",)),
    "gemini": RealAgent(package="@google/gemini-cli", version="0.61.0", program="gemini", recipe=_gemini),
    "qwen": RealAgent(package="@qwen-code/qwen-code", version="0.15.10", program="qwen", recipe=_qwen),
    "opencode": RealAgent(package="opencode-ai", version="1.18.33", program="opencode", works_bare=True),
    "copilot": RealAgent(package="@github/copilot", version="1.0.102", program="copilot"),
    "auggie": RealAgent(package="@augmentcode/auggie", version="0.36.0", program="auggie"),
    "amp": RealAgent(package="@sourcegraph/amp", version="0.0.1790142911-g7618fb", program="amp"),
}
"""By the names of the presets. The first four are tried without being asked for."""

USUAL = ("claude", "codex", "gemini", "qwen")
