"""What every `polecat.ports.Git` must keep."""

from __future__ import annotations

from collections.abc import Callable

from polecat.testing import git_contract_work, git_contract_worktrees
from polecat.testing.contract import Contract, of_checks
from polecat.testing.git_under_test import GitUnderTest


def _checks_of(*modules: object) -> list[Callable[[GitUnderTest], None]]:
    return [value for module in modules for name, value in vars(module).items() if name.startswith("check_")]


@of_checks(*_checks_of(git_contract_worktrees, git_contract_work))
class GitContract(Contract[GitUnderTest]):
    """What every `Git` must keep; see `Contract` for its use.

    Worktrees are real directories for every git, the pretend one too: a check writes files into them and looks at them.

    Examples:
        A git of your own is held to it by this much in a test module; pytest runs each check as a test::

            class TestMyGit(GitContract):
                @contextmanager
                def make(self, room: Path) -> Iterator[GitUnderTest]:
                    repo = clone_of_a_new_origin(room)
                    yield GitUnderTest(git=MyGit(), repo=repo, …)
    """
