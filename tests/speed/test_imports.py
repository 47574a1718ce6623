"""What is loaded when: what is not used is not loaded. Nothing here is timed."""

from __future__ import annotations

import subprocess
import sys

from polecat.cli import VERBS

THIRD_PARTY = {"attr", "attrs", "sh", "filelock", "structlog"}
HEAVY = {"sh", "filelock", "structlog", "asyncio", "sqlite3", "ssl", "subprocess"}


def loaded(code: str) -> set[str]:
    """Run code in a fresh Python; return the modules that were loaded in the end."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(done.stderr.split())


def test_the_package() -> None:
    """`import polecat` loads nothing of a third party, and none of the rooms."""
    modules = loaded("import polecat")

    assert not modules & (THIRD_PARTY | HEAVY)
    assert {name for name in modules if name.startswith("polecat")} == {"polecat"}


def test_the_help() -> None:
    """The help of the command loads no module of a verb, and nothing of a third party."""
    modules = loaded("from polecat.cli import main; main(['--help'])")

    assert not modules & (THIRD_PARTY | HEAVY)
    assert not modules & {module for module, _ in VERBS.values()}


def test_one_verb() -> None:
    """The help of a verb loads the module of that verb and of no other."""
    modules = loaded("from polecat.cli import main; main(['warm', '--help'])")

    assert modules & {module for module, _ in VERBS.values()} == {"polecat.verbs.warm"}


def test_the_core() -> None:
    """Names, pool, plan and the town's marker load no programs, locks, logs or loop."""
    names = "NamePool, SpawnOptions, SpawnPlan, allocate_name, find_town, reconcile_pool_with"
    assert not loaded(f"from polecat import {names}") & HEAVY
