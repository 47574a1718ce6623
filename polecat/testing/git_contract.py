"""What every `polecat.ports.Git` must keep, as plain checks that run over the real one, the fake, and yours.

for check in GIT_CHECKS:
    check(make_git_under_test())
"""

from __future__ import annotations

from collections.abc import Callable

from polecat.testing import git_contract_work, git_contract_worktrees
from polecat.testing.git_under_test import GitUnderTest

__all__ = ["GIT_CHECKS", "GitUnderTest"]

GIT_CHECKS: tuple[Callable[[GitUnderTest], None], ...] = tuple(
    value
    for module in (git_contract_worktrees, git_contract_work)
    for name, value in vars(module).items()
    if name.startswith("check_")
)
"""Every check."""
