"""What an agent's worktree gets beyond the checkout: files, submodules, hooks, ports, trust, secrets.

May import `polecat.adapters` (a set-up hook is a program) and what is below. Read first: `provision`.
"""

from __future__ import annotations
