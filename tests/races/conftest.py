"""A rig, and a crowd of processes that work on it at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.spawn_fixtures import RECORD, RIG, HandTown, hand_town, make_template

ROOT = Path(__file__).resolve().parents[2]


@frozen(kw_only=True)
class Crowd:
    """Processes that begin at the same moment."""

    town: HandTown
    process: subprocess.Popen[str]
    place: Path

    def at_once(self, *orders: tuple[str, dict[str, Any]], kill_s: Mapping[int, float] | None = None) -> list[dict[str, Any]]:
        """Do several things at once, each in a process of its own; return what came of each: ``result``, or ``error`` and ``message``.

        Args:
            orders: what.
            kill_s: position of an order → after how many seconds its process is killed.
        """
        written = [
            {
                "verb": verb,
                "asked": asked,
                "town": str(self.town.root),
                "rig": RIG,
                "socket": str(self.town.server.socket),
                "answer": str(self.place / f"answer-{number}"),
                "kill_s": (kill_s or {}).get(number, 0.0),
            }
            for number, (verb, asked) in enumerate(orders)
        ]
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(written) + "\n")
        self.process.stdin.flush()
        return list(json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, tmux_guard: object) -> Path:
    """An origin and a clone of it, to be copied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def crowd(tmp_path: Path, template: Path) -> Iterator[Crowd]:
    """A rig whose agents are ready at once, and a process that forks the crowd."""
    with hand_town(tmp_path, template) as town:
        town.agent("recorder", RECORD)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.races.crowd"],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield Crowd(town=town, process=process, place=tmp_path)
        finally:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.wait(timeout=20)
            process.stdout.close()


@pytest.fixture(scope="session")
def is_whole(pytestconfig: pytest.Config) -> bool:
    """Whether the long rounds are run: ``pytest tests/races --whole``."""
    return bool(pytestconfig.getoption("--whole", default=False))


def errors(answers: Sequence[dict[str, Any]]) -> list[str]:
    """The kinds of errors among the answers, sorted."""
    return sorted(answer["error"] for answer in answers if "error" in answer)
