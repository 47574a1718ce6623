"""Real agents are tried by ``nox -s agents`` only, which says where they are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents.places import AgentPlace, agent_place
from tests.agents.recipes import AGENTS

INSTALLED = os.environ.get("POLECAT_AGENTS", "")

if not INSTALLED or not shutil.which("node"):
    collect_ignore = ["test_real_agents.py"]


@pytest.fixture(autouse=True)
def _agents_own_path(monkeypatch: pytest.MonkeyPatch, agent: str) -> None:
    """Put the agent under test on PATH, or skip the test with why it is not there."""
    why_not = Path(INSTALLED, f"{agent}.missing").read_text("utf-8")
    if why_not:
        pytest.skip(f"{agent} could not be installed: {why_not}")
    programs = Path(INSTALLED, f"{agent}-{AGENTS[agent].version}", "node_modules", ".bin")
    # agents ask tmux themselves, and may: the suite's shim, which is first, is left out
    rest = os.environ["PATH"].split(os.pathsep)[1:]
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), *rest]))


@pytest.fixture
def place(agent: str, tmp_path: Path, _agents_own_path: None) -> Iterator[AgentPlace]:
    """A town for the agent under test."""
    with agent_place(tmp_path, agent) as made:
        yield made


@pytest.fixture
def seen(agent: str) -> Callable[[str, str], None]:
    """Note what was seen of the agent under test: a column of the table and what stands there."""

    def note(check: str, what: str) -> None:
        with Path(INSTALLED, "seen.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps([agent, check, what]) + "\n")

    return note
