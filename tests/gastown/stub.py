"""The agent of these tests: it calls itself claude, shows Claude's prompt, and notes down where it works and what is typed to it.

It is copied as a program named ``claude``, with what stands between ``@`` filled in; Gas Town knows an agent by the first word of its
command line and by the name of its process.
"""

from __future__ import annotations

import os
import sys
import tty
from pathlib import Path


def main() -> None:
    """Be an agent until nobody can type any more."""
    if sys.orig_argv[0] != "claude":
        os.execv(sys.executable, ["claude", os.path.abspath(__file__), *sys.argv[1:]])
    Path("/proc/self/comm").write_text("claude")
    note = Path("@NOTES@", str(os.getpid()))
    note.with_suffix(".new").write_text(f"{os.getcwd()}\n{os.environ.get('GT_POLECAT', '')}\n")
    note.with_suffix(".new").rename(note)
    tty.setcbreak(0)  # as programs do that draw their screens themselves
    while True:
        print("@PROMPT@", end=" ", flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        with note.open("a") as file:
            file.write(line)


if __name__ == "__main__":
    main()
