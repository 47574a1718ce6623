"""Gas Town's own program: which one it is, asked once per binary."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from polecat.adapters.processes import program
from polecat.adapters.world import search_path
from polecat.errors import ProgramError
from polecat.model import Rig
from polecat.town.files import write_json
from polecat.town.guarded import read_json_object

ASK_TIMEOUT_S = 10.0


def gastown_version(rig: Rig, environ: Mapping[str, str]) -> str:
    """What ``gt --version`` prints; empty where there is no ``gt``, or it gives no answer. It is asked only if this very file never was."""
    found = shutil.which("gt", path=search_path(environ))
    if found is None:
        return ""
    cache, binary = rig.runtime_dir / "gt-version.json", Path(found).resolve()
    with contextlib.suppress(OSError, ValueError):
        facts = binary.stat()
        key = f"{binary}|{facts.st_mtime_ns}|{facts.st_size}"
        known = read_json_object(cache) or {}
        if known.get("key") == key and isinstance(answer := known.get("answer"), str):
            return answer
        answer = _ask(binary, rig, environ)
        with contextlib.suppress(OSError):
            rig.runtime_dir.mkdir(parents=True, exist_ok=True)
            write_json(cache, {"key": key, "answer": answer})
        return answer
    return ""


def _ask(binary: Path, rig: Rig, environ: Mapping[str, str]) -> str:
    try:
        done = program.run([binary, "--version"], env=environ, cwd=rig.path, timeout_s=ASK_TIMEOUT_S)
    except ProgramError:
        return ""
    return done.text.strip(" \n") if done.exit_code == 0 else ""
