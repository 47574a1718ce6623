"""Many machines: one orchestrator, many towns. Loaded only by whoever imports it.

State, worktree, session and agent of a polecat stay on one host, in that host's town; here are pointers to them. A host is anything that
runs a function there: a `concurrent.futures.Executor`, such as `ssh_executor` gives, or that of an engine you run already. What is sent is
text, and *a host that does not answer is unknown, never dead*.

May import everything but the command line, which stands beside it. Read first: `fleet` for what is asked, `answer` for what a host does.

Examples:
    >>> import tempfile
    >>> from polecat import SpawnOptions
    >>> from polecat.testing import FakeHost
    >>> with tempfile.TemporaryDirectory() as place:
    ...     pretend = {name: FakeHost(f"{place}/{name}") for name in ("alpha", "beta")}
    ...     fleet = Fleet({name: Host(host, host.town) for name, host in pretend.items()}, rig="gastown", needs=Needs(memory_mb=1))
    ...     for got in fleet.spawn_many([Order(opts=SpawnOptions(hook_bead=bead)) for bead in ("gt-1", "gt-2")]):
    ...         print(got)
    alpha:gastown/furiosa
    beta:gastown/furiosa
"""

from __future__ import annotations

from polecat.fleet.fleet import Fleet, only
from polecat.fleet.model import AskedTooLateError, Host, HostUnknownError, Listing, Load, Needs, Order, Placed, WireError
from polecat.fleet.placing import choose_hosts, room_of
from polecat.fleet.pointers import FilePointers
from polecat.fleet.ssh import ssh_executor

__all__ = [
    "AskedTooLateError", "FilePointers", "Fleet", "Host", "HostUnknownError", "Listing", "Load", "Needs", "Order", "Placed", "WireError",
    "choose_hosts", "only", "room_of", "ssh_executor",
]  # fmt: skip
