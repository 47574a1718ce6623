"""Install one version of bd with Go.

::

    python tools/install_bd.py 0.47.1 DIRECTORY

The program becomes ``DIRECTORY/<version>/bd``; its path is the last line printed. A version that is there already is left as it is.
Exit status 3 means that there is no Go.

First the way bd documents, ``go install``. It asks the module proxy for the list of all versions, to warn of deprecated ones, and some
mirrors refuse that list though they have the version. Then the same package is built as a dependency of an empty module: the same
sources, checked by the same checksum database.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODULE = "github.com/steveyegge/beads"
NO_GO = 3
TIMEOUT_S = 1800

# 1.x otherwise needs the headers of a C library for regular expressions
_ENV = {**os.environ, "GOFLAGS": "-tags=gms_pure_go -buildvcs=false"}


def install(version: str, directory: Path) -> Path:
    """Install a version and return the program.

    Args:
        version: such as ``0.47.1``, with or without a ``v``.
        directory: where the versions are, one directory each.

    Raises:
        FileNotFoundError: there is no Go.
        subprocess.CalledProcessError: the version cannot be had.
    """
    bare = version.removeprefix("v")
    target = directory.resolve() / bare
    binary = target / "bd"
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        raise FileNotFoundError("go")
    target.mkdir(parents=True, exist_ok=True)
    env = {**_ENV, "GOBIN": str(target)}
    done = subprocess.run(["go", "install", f"{MODULE}/cmd/bd@v{bare}"], env=env, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        _build_as_dependency(bare, binary)
    return binary


def _build_as_dependency(version: str, binary: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="install-bd-") as scratch:
        Path(scratch, "go.mod").write_text(f"module scratch\n\ngo 1.24\n\nrequire {MODULE} v{version}\n", "utf-8")
        built = Path(scratch, "bd")
        command = ["go", "build", "-mod=mod", "-o", str(built), f"{MODULE}/cmd/bd"]
        subprocess.run(command, cwd=scratch, env=_ENV, timeout=TIMEOUT_S, check=True)
        shutil.move(built, binary)


def main(argv: list[str]) -> int:
    """Install the version named first into the directory named second."""
    if len(argv) != 2:
        print(__doc__)
        return 2
    try:
        print(install(argv[0], Path(argv[1])))
    except FileNotFoundError:
        print("there is no Go on PATH", file=sys.stderr)
        return NO_GO
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"bd {argv[0]} could not be installed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
