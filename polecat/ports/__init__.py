"""What the core needs from outside, in our words, not in the programs' flags.

Three promises hold for every method of every port, and the contracts of `polecat.testing` check them:

1. It returns, or it raises having left nothing of its own behind.
2. Absence is a value (None, an empty tuple, False); being unable to tell is an exception. Unknown is not dead.
3. It addresses exactly what it was given: never a prefix, never a pattern, never whatever has the name now.
"""

from __future__ import annotations

from polecat.errors import publish
from polecat.ports.beads import AgentBead, AgentFields, Bead, Beads, Holdings
from polecat.ports.clock import Clock, Event, OnEvent
from polecat.ports.git import Git, PendingFetch
from polecat.ports.git_extras import (
    GIT_EXTRAS,
    GitBranches,
    GitCheckouts,
    GitClones,
    GitIgnored,
    GitLists,
    GitMoves,
    GitRecovery,
    GitRescues,
    GitSpares,
    GitSubmodules,
    needs,
    optional,
)
from polecat.ports.git_words import RESCUE_REFS, Checkout, GitFacts, Merged, Repo, Rescue, StaleRegistration, Standing, Worktree
from polecat.ports.processes import Process, Processes
from polecat.ports.tmux import PaneStatus, Screen, Session, SessionRequest, StartedSession, Tmux, Typed, Watch
from polecat.ports.world import World

__all__ = [
    "GIT_EXTRAS",
    "RESCUE_REFS",
    "AgentBead",
    "AgentFields",
    "Bead",
    "Beads",
    "Checkout",
    "Clock",
    "Event",
    "Git",
    "GitBranches",
    "GitCheckouts",
    "GitClones",
    "GitFacts",
    "GitIgnored",
    "GitLists",
    "GitMoves",
    "GitRecovery",
    "GitRescues",
    "GitSpares",
    "GitSubmodules",
    "Holdings",
    "Merged",
    "OnEvent",
    "PaneStatus",
    "PendingFetch",
    "Process",
    "Processes",
    "Repo",
    "Rescue",
    "Screen",
    "Session",
    "SessionRequest",
    "StaleRegistration",
    "Standing",
    "StartedSession",
    "Tmux",
    "Typed",
    "Watch",
    "Worktree",
    "World",
    "needs",
    "optional",
]

for _word in list(map(globals().__getitem__, __all__)):
    if isinstance(_word, type):
        publish(_word)
