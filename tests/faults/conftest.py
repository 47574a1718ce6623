"""How much of the matrices is tried, and their tables.

Plain ``pytest`` tries a sample of the points; ``pytest tests/faults --whole``, which ``nox -s faults`` runs, tries every one and prints
the tables, also with ``-n 2``; with ``--write-table`` they also go into ``docs/explanation/failure.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.tables import Tables
from tests.spawn_fixtures import make_template

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "failure.md"
_TABLES = Tables()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what only these tests understand."""
    parser.addoption("--write-table", action="store_true", help=f"keep the tables in {PAGE.name}")


@pytest.fixture(scope="session")
def is_whole(pytestconfig: pytest.Config) -> bool:
    """Whether every point is tried."""
    return bool(pytestconfig.getoption("--whole", default=False))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, tmux_guard: object) -> Path:
    """An origin and a clone of it, to be copied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def tables() -> Tables:
    """Where outcomes are noted."""
    return _TABLES


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what one of several processes found to the one that prints."""
    said = getattr(session.config, "workeroutput", None)
    if said is not None:
        said["tables of faults"] = _TABLES.cells


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what one of several processes found."""
    _TABLES.take(getattr(node, "workeroutput", {}).get("tables of faults", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables."""
    if not config.getoption("--whole", default=False):
        return
    for title, text in _TABLES.texts():
        terminalreporter.section(title)
        terminalreporter.write_line(text)
    if config.getoption("--write-table", default=False):
        _TABLES.write(PAGE)
