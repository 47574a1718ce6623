"""What every `polecat.ports.Git` must keep, and what it must keep of the protocols that it also has."""

from __future__ import annotations

from polecat.testing.contracts import git_contract_essentials, git_contract_extras
from polecat.testing.contracts.contract import Contract, of_checks
from polecat.testing.contracts.git_under_test import GitUnderTest

_CHECKS = {**vars(git_contract_essentials), **vars(git_contract_extras)}


@of_checks(*(check for name, check in _CHECKS.items() if name.startswith("check_")))
class GitContract(Contract[GitUnderTest]):
    """What every `Git` must keep; see `Contract` for its use.

    Checks of a further protocol, such as `GitRescues`, are skipped for a git that has it not.
    Worktrees are real directories for every git, the pretend one too: a check writes files into them and looks at them.

    Examples:
        A git of your own is held to it by this much in a test module; pytest runs each check as a test::

            class TestMyGit(GitContract):
                @contextmanager
                def make(self, room: Path) -> Iterator[GitUnderTest]:
                    repo = clone_of_a_new_origin(room)
                    yield GitUnderTest(git=MyGit(), repo=repo, …)
    """
