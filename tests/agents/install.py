"""Install the real agents by npm into a directory of their own: ``python -m tests.agents.install DIRECTORY NAME…``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.agents.recipes import AGENTS

LIMIT_S = 900


def program_dir(place: Path, name: str) -> Path:
    """Where the program of an agent is."""
    return place / f"{name}-{AGENTS[name].version}" / "node_modules" / ".bin"


def install(place: Path, name: str) -> str:
    """Install an agent unless it is there; return why it could not be done, empty if it was."""
    agent, done = AGENTS[name], program_dir(place, name).parents[1] / "installed"
    if done.exists():
        return ""
    home = place / "home"
    home.mkdir(parents=True, exist_ok=True)
    done.parent.mkdir(exist_ok=True)
    env = {**os.environ, "HOME": str(home), "npm_config_prefix": str(home / "npm")}
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(done.parent), f"{agent.package}@{agent.version}"]
    for argv in (npm, [str(program_dir(place, name) / agent.program), "--version"]):
        try:
            ended = subprocess.run(argv, env=env, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{Path(argv[0]).name}: {error}"
        if ended.returncode != 0:
            last = (ended.stderr or ended.stdout).strip().splitlines() or [f"status {ended.returncode}"]
            return f"{Path(argv[0]).name}: {last[-1]}"
    done.touch()
    return ""


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    for wanted in sys.argv[2:]:
        why_not = install(directory, wanted)
        print(f"{wanted} {AGENTS[wanted].version}: {why_not or 'installed'}", flush=True)
        (directory / f"{wanted}.missing").write_text(why_not, "utf-8")
