"""Programs that stand in front of git and tmux on PATH, count how often they are started, and break once."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

BREAKS: Mapping[str, str] = {
    "fails": 'echo "fatal: told to fail" >&2; exit 1',
    "fails, having done it": '@REAL@ "$@" >/dev/null 2>&1; echo "fatal: told to fail" >&2; exit 1',
    "hangs": "exec sleep @LONG@",
    "hangs, having done it": '@REAL@ "$@" >/dev/null 2>&1; exec sleep @LONG@',
    "answers garbage": '@REAL@ "$@" >/dev/null 2>&1; printf "\\377\\376 \\t?garbage\\n\\nmore\\n"; exit 0',
}

# The number is taken by making a file that is not there yet; `true` because a failed redirection of `:` would end the shell.
_SHIM = """#!/bin/sh
set -C
n=1
until { true >@HERE@/calls/$n; } 2>/dev/null; do n=$((n + 1)); done
set +C
printf '%s' "@PROGRAM@ $*" >@HERE@/calls/$n
read -r at how <@HERE@/plan
if test "$n" = "$at"; then
  case $how in
@CASES@
  esac
fi
exec @REAL@ "$@"
"""


@frozen(kw_only=True)
class Shims:
    """The shims.

    Attributes:
        place: the directory that belongs first on PATH.
        long_s: how long a hanging one sleeps; a number nobody else's ``sleep`` has, so that it can be found.
    """

    place: Path
    long_s: str

    def plan(self, number: int = 0, how: str = "nothing") -> None:
        """From now on calls are counted from 1, and that number breaks; 0 for none."""
        shutil.rmtree(self.place / "calls", ignore_errors=True)
        (self.place / "calls").mkdir()
        (self.place / "plan").write_text(f"{number} {how}\n")

    def calls(self) -> list[str]:
        """What was started, in order: the program and its arguments."""
        made = self.place / "calls"
        return [(made / str(n)).read_text(errors="replace") for n in range(1, len(os.listdir(made)) + 1)]

    def hanging(self) -> list[int]:
        """The hanging ones that still run."""
        mark = b"sleep\0" + self.long_s.encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = (entry / "cmdline").read_bytes().startswith(mark)
            except OSError:  # it ended meanwhile
                continue
            if is_ours:
                found.append(int(entry.name))
        return found


def install_shims(place: Path) -> Shims:
    """Write the shims, in front of whatever git and tmux are on PATH now."""
    place.mkdir()
    long_s = f"600.{secrets.randbelow(10**9):09d}"
    for program in ("git", "tmux"):
        real = shutil.which(program)
        assert real is not None
        cases = "\n".join(f"    {shlex.quote(how)}) {way} ;;" for how, way in BREAKS.items())
        words = {"CASES": cases, "REAL": shlex.quote(real), "HERE": shlex.quote(str(place)), "PROGRAM": program, "LONG": long_s}
        text = _SHIM
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        (place / program).write_text(text)
        (place / program).chmod(0o755)
    shims = Shims(place=place, long_s=long_s)
    shims.plan()
    return shims
