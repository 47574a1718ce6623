"""What is loaded when. Starting Python and loading modules costs a command more than git and tmux do; nothing here is timed."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("verb", ["spawn", "list", "reconcile"])
def test_the_help_of_a_verb(verb: str) -> None:
    """The help of a verb loads nothing that runs programs or takes locks."""
    assert not loaded(f"from polecat.cli import main; main(['{verb}', '--help'])") & HEAVY


def test_the_core() -> None:
    """Names, pool and plan load nothing that could reach outside."""
    assert not loaded("from polecat import NamePool, SpawnPlan, allocate_name, reconcile_pool_with") & HEAVY


def test_the_real_git() -> None:
    """The git adapter loads what saves work only when there is work to be saved."""
    modules = loaded("from polecat.adapters import GitCli; GitCli()")

    assert "polecat.adapters.git.run" in modules
    assert not modules & {f"polecat.adapters.git_{part}" for part in ("facts", "rescue", "snapshot", "import", "status")}


def test_what_a_spawn_loads_before_it_fetches() -> None:
    """Reading the command line and the rig loads none of the later steps, and no library for hashing or compression of its own accord."""
    modules = loaded("import polecat.verbs.spawn; from polecat.adapters import GitCli, TmuxCli; GitCli(); TmuxCli()")
    later = {"claim", "building", "moving_in", "hooking", "provision", "sessions", "adapters.tmux_start", "adapters.tmux_watch"}

    assert not modules & {f"polecat.{name}" for name in later}
    assert not modules & {"hashlib", "secrets", "random", "shutil", "tempfile", "bz2", "lzma", "zlib"}
