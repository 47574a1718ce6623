"""Which ``bd`` this is: what it can and what it accepts, found out by asking it once per binary.

Between 0.47 and 1.x ``bd`` lost its daemon and the flag against it, the ``slot`` and ``agent`` commands and the issue type
``agent``; ``list`` became a tree; ``update`` learnt to compare, and refuses to take begun work from anybody otherwise. Version strings lie (``dev``), so each ability is read from the program's own help, and by its
text: some versions print an error about an unknown flag and exit 0. What cannot be found out is taken to be as in the newest.

Source:
    Incidents (c.1, c.2, c.4).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from polecat.adapters.processes import program
from polecat.errors import BeadsConfigError, BeadsUnavailableError, ProgramError, ProgramTimeoutError
from polecat.town.files import write_json
from polecat.town.guarded import read_json_object

PROBE_TIMEOUT_S = 10.0
_LOCK = threading.Lock()
_KNOWN: dict[str, Dialect] = {}


_GLOBAL_FLAGS = ("--no-daemon", "--allow-stale")
_LIST_FLAGS = ("--flat", "--limit=0", "--no-pager")


@frozen(kw_only=True)
class Dialect:
    """What one ``bd`` can. The defaults are those of the newest version known.

    Attributes:
        version: as it names itself; for people only.
        has_slot: has the ``slot`` command (up to 0.61).
        agent_types: which types to try for an agent bead. The label is what counts. The first versions on Dolt keep beads of the type
            ``agent`` among what is swept away, so only those on SQLite get it.
        global_flags: what to put before every command: no daemon, and no check whether the data are stale, where there are such things.
        list_flags: what to put behind ``list --json``, to get everything and nothing but JSON: no tree, no end after 50, no pager.
        can_compare: ``update`` can be told whom a bead must be with (1.2). It is only used where its help names the flag.
    """

    version: str = ""
    has_slot: bool = False
    agent_types: tuple[str, ...] = ("task",)
    global_flags: tuple[str, ...] = ()
    list_flags: tuple[str, ...] = _LIST_FLAGS
    can_compare: bool = False

    @property
    def has_daemon(self) -> bool:
        """It has a daemon, and the flag against it; it keeps its data in SQLite."""
        return "--no-daemon" in self.global_flags


def read_dialect(version: str, root_help: str, list_help: str, update_help: str) -> Dialect:
    """Read the abilities out of what ``version``, ``--help``, ``list --help`` and ``update --help`` print. Pure.

    Examples:
        >>> read_dialect("bd version 0.47.1 (dev)", "  show   Show\\n  slot   Slots\\n      --no-daemon   Force", "", "").has_slot
        True
    """
    match = re.search(r"\d+\.\d+\.\d+[^ \n]*", version)
    dialect = Dialect(version=match[0] if match else "", can_compare=_has_flag(update_help, "--if-assignee"))
    if re.search(r"^\s+(?:show|create)\s", root_help, re.MULTILINE):
        flags = tuple(flag for flag in _GLOBAL_FLAGS if _has_flag(root_help, flag))
        dialect = attrs.evolve(dialect, has_slot=_has_command(root_help, "slot"), global_flags=flags)
        if dialect.has_daemon and _has_command(root_help, "agent"):
            dialect = attrs.evolve(dialect, agent_types=("agent", "task"))
    if _has_flag(list_help, "--assignee"):
        flags = tuple(flag for flag in _LIST_FLAGS if _has_flag(list_help, flag.partition("=")[0]))
        dialect = attrs.evolve(dialect, list_flags=flags)
    return dialect


def find_binary(name: str, environ: Mapping[str, str]) -> Path:
    """Find the program in the PATH of the given environment.

    Raises:
        BeadsConfigError: it is not there.
    """
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    if found is None:
        raise BeadsConfigError(
            f"{name!r} is not on PATH, but this rig keeps its work in a beads directory",
            hint="install bd: go install github.com/steveyegge/beads/cmd/bd@latest",
        )
    return Path(found)


def dialect_of(binary: Path, *, env: Mapping[str, str], timeout_s: float, cache_dir: Path | None = None) -> Dialect:
    """Return what a ``bd`` can, asking it only if this very file was never asked.

    Args:
        binary: the program.
        env: its environment.
        timeout_s: how long it may take to print its help.
        cache_dir: where the answer is kept for other processes; None keeps it in this one.

    Raises:
        BeadsUnavailableError: it hangs, or cannot be run.
    """
    key = _key_of(binary)
    with _LOCK:
        if key not in _KNOWN:
            known = _load(cache_dir, key)
            if known is None:
                answers = _ask(binary, env, min(timeout_s, PROBE_TIMEOUT_S))
                _save(cache_dir, key, answers)
                known = read_dialect(*answers)
            _KNOWN[key] = known
        return _KNOWN[key]


def _key_of(binary: Path) -> str:
    path = binary.resolve()
    try:
        facts = path.stat()
    except OSError as error:
        raise BeadsUnavailableError(f"cannot look at {binary}: {error.strerror or error}") from error
    return f"{path}|{facts.st_mtime_ns}|{facts.st_size}"


def _ask(binary: Path, env: Mapping[str, str], timeout_s: float) -> list[str]:
    answers = []
    # in a project's directory even --help may open its database
    with tempfile.TemporaryDirectory(prefix="polecat-bd-") as nowhere:
        for words in (("version",), ("--help",), ("list", "--help"), ("update", "--help")):
            try:
                done = program.run([binary, *words], env=env, cwd=Path(nowhere), timeout_s=timeout_s)
            except ProgramTimeoutError as error:
                raise BeadsUnavailableError(
                    f"{binary} did not say within {timeout_s:g} s what it can", hint="is it bd?"
                ) from error
            except ProgramError as error:
                raise BeadsUnavailableError(f"{binary} cannot be run: {error.message}") from error
            answers.append(f"{done.text}\n{done.error_text}")
    return answers


def _has_command(text: str, name: str) -> bool:
    return re.search(rf"^\s+{name}\s{{2,}}", text, re.MULTILINE) is not None


def _has_flag(text: str, flag: str) -> bool:
    return re.search(rf"^\s+(?:-\w, )?{flag}\b(?!-)", text, re.MULTILINE) is not None


def _load(cache_dir: Path | None, key: str) -> Dialect | None:
    if cache_dir is None:
        return None
    try:
        entry: Any = read_json_object(cache_dir / "bd-dialect.json") or {}
        return read_dialect(*entry["answers"]) if entry["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # only a cache: whatever is wrong with it, we ask again


def _save(cache_dir: Path | None, key: str, answers: Sequence[str]) -> None:
    if cache_dir is None:
        return
    with contextlib.suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        write_json(cache_dir / "bd-dialect.json", {"key": key, "answers": answers})
