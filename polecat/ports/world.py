"""The world as a value: everything outside that an operation uses."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from polecat.ports.beads import Beads
from polecat.ports.clock import Clock, OnEvent
from polecat.ports.git import Git
from polecat.ports.processes import Processes
from polecat.ports.tmux import Tmux


@frozen(kw_only=True)
class World:
    """What an operation uses from outside. What is not given is the real thing.

    Args:
        git: the repositories; git itself by default.
        tmux: the tmux server; the user's own by default, or the one that the town's settings name.
        beads: the store of work; ``bd`` where the rig uses it, otherwise the embedded one.
        processes: the process table; by default the one that belongs to *tmux*.
        clock: time.
        environ: the environment that counts as the caller's; the process's own by default.
        on_event: called with every `Event`, in order; None for nobody.

    Examples:
        >>> from polecat.testing import FakeGit, FakeTmux
        >>> World(git=FakeGit(), tmux=FakeTmux()).beads is None
        True

    Source:
        Design §2.
    """

    git: Git | None = None
    tmux: Tmux | None = None
    beads: Beads | None = None
    processes: Processes | None = None
    clock: Clock | None = None
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    on_event: OnEvent | None = None
