"""What is loaded when. Starting Python and loading modules costs a command more than git and tmux do; nothing here is timed."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"sh", "filelock", "structlog", "asyncio", "sqlite3", "ssl", "subprocess"}
THIRD_PARTY = {"attr", "attrs", "sh", "filelock", "structlog"}


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
    """`import polecat` loads nothing of a third party, not even what annotations are made of."""
    modules = loaded("import polecat")

    assert not modules & (THIRD_PARTY | HEAVY | {"typing", "inspect"})
    assert {name for name in modules if name.startswith("polecat")} == {"polecat"}


def test_the_help() -> None:
    """The help of the command loads no module of a verb, nothing of a third party, and no compression libraries."""
    modules = loaded("from polecat.cli import main; main(['--help'])")

    assert not modules & (THIRD_PARTY | HEAVY | {"typing", "shutil", "bz2", "lzma", "json"})
    assert {name for name in modules if name.startswith("polecat.")} == {"polecat.cli"}


def test_the_core() -> None:
    """Names, pool and plan load nothing that could reach outside."""
    assert not loaded("from polecat import NamePool, SpawnPlan, allocate_name, reconcile_pool_with") & HEAVY
