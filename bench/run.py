"""Measure what polecat costs on top of git and tmux, and print it as a table.

Everything is measured against the bare commands in the same run: ratios mean something on any machine, milliseconds do not.

    python bench/run.py                    all of it; some minutes
    python bench/run.py spawn pool         two groups
    python bench/run.py --write            and keep the table in docs/explanation/speed.md

It works in a temporary directory with a tmux server of its own, and takes both away.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import traceback
from pathlib import Path

from measuring.looks import LOOKS
from measuring.places import a_place
from measuring.report import print_table, write_table
from measuring.rows import GROUPS as SPAWNS
from measuring.rows import Row

from polecat import PolecatError

GROUPS = {**SPAWNS, **LOOKS}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "speed.md"


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"what to measure: {', '.join(GROUPS)}; all by default")
    parser.add_argument(
        "--rounds", type=int, default=15, help="rounds of the short measurements, 15 by default; long ones get fewer"
    )
    parser.add_argument("--write", action="store_true", help=f"keep the table in {PAGE.name}")
    args = parser.parse_args()
    unknown = set(args.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    began_s = time.monotonic()
    rows: list[Row] = []
    failed: list[str] = []
    with a_place() as place:
        for name in args.groups or GROUPS:
            try:
                rows.extend(GROUPS[name](place, args.rounds))
            except (PolecatError, subprocess.SubprocessError, OSError):  # minutes of measurements must not be lost for one group
                traceback.print_exc()
                failed.append(name)
        took_s = time.monotonic() - began_s
    print_table(rows, took_s=took_s, rounds=args.rounds)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}; no page is written")
    if args.write:
        write_table(PAGE, rows, rounds=args.rounds)


if __name__ == "__main__":
    main()
