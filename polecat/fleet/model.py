"""The words of a fleet: hosts, orders, where a polecat is, and what may be wrong between two machines."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor

from attrs import Factory, field, frozen

from polecat.errors import InvalidNameError, PolecatError, UnknownStateError
from polecat.model import Polecat, SpawnedPolecat, SpawnOptions


class HostUnknownError(UnknownStateError):
    """A host gave no answer: what it was asked for may have been done, may be under way, or not. Unknown, never dead.

    Attributes:
        host: the host.
        was_sent: False only if it is certain that the host never got the question, so that nothing was done.
        ticket: asking again with it gives the answer that was lost, where there is one to give; nothing is done twice.
    """

    def __init__(self, message: str, *, host: str, was_sent: bool = True, ticket: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.host, self.was_sent, self.ticket = host, was_sent, ticket


class AskedTooLateError(PolecatError):
    """A question reached its host after nobody waited for the answer any more; nothing was done."""


class WireError(PolecatError):
    """One side does not understand what the other wrote: their versions of polecat differ. The message names both."""


@frozen
class Host:
    """One machine.

    Args:
        executor: what runs a function there: `ssh_executor`, dask's ``Client.get_executor(workers=[…], pure=False)``, any other.
        town: the town's directory there.
        reach: what a terminal puts before a command to run it there, such as ``("ssh", "-t", "alpha")``; for `Fleet.attach_command`.
    """

    executor: Executor
    town: str
    reach: tuple[str, ...] = ()


@frozen(kw_only=True)
class Needs:
    """What one agent takes, for placing. By default that of a coding agent that waits for its model most of the time.

    Args:
        memory_mb: memory, in MB.
        disk_mb: disk of the rig, in MB.
        agents_per_core: how many share a core.
    """

    memory_mb: int = 1024
    disk_mb: int = 2048
    agents_per_core: float = 4.0


@frozen(kw_only=True)
class Load:
    """What a host says of itself, in one answer that starts no program.

    Attributes:
        polecats: homes in the rig, those of polecats that are being made included.
        max_polecats: the rig's limit.
        cores: how many the machine has.
        free_memory_mb: what programs may still take; None where the system does not say.
        free_disk_mb: what is free on the rig's disk, without what its settings keep free.
        keys: key → name, of all polecats with a key.
        version: polecat's, there.
    """

    polecats: int
    max_polecats: int
    cores: int = 1
    free_memory_mb: int | None = None
    free_disk_mb: int = 1 << 30
    keys: Mapping[str, str] = field(factory=dict)
    version: str = ""


@frozen(kw_only=True)
class Order:
    """One polecat that is wanted.

    Args:
        opts: what the spawn is asked to do.
        key: your own name for it, so that asking again makes no second one. By default ``opts.key``, or the bead. An order without
            any can be asked for once.
        on: the host it must be on; empty for any.
    """

    opts: SpawnOptions = field(factory=SpawnOptions)
    key: str = field(default=Factory(lambda one: one.opts.key or one.opts.hook_bead or "", takes_self=True))
    on: str = ""


@frozen(kw_only=True)
class Placed:
    """Where a polecat is, and what its host told of it.

    Attributes:
        host: the host.
        rig: the rig.
        name: its name there.
        instance: the spawn that is meant, so that no later polecat of the name is touched; None for whichever has the name.
        polecat: what the host told; None if it was not asked.

    Examples:
        >>> str(Placed.parse("alpha:gastown/furiosa"))
        'alpha:gastown/furiosa'
    """

    host: str
    rig: str
    name: str
    instance: str | None = None
    polecat: SpawnedPolecat | Polecat | None = field(default=None, eq=False, repr=False)

    @classmethod
    def parse(cls, address: str) -> Placed:
        """Read ``HOST:RIG/NAME``; it means whichever polecat has the name.

        Raises:
            InvalidNameError: it is no such address.
        """
        host, _, rest = address.rpartition(":")
        rig, _, name = rest.partition("/")
        if not (host and rig and name):
            raise InvalidNameError("polecat", address, "is no address", hint="write HOST:RIG/NAME")
        return cls(host=host, rig=rig, name=name)

    @classmethod
    def of(cls, host: str, polecat: SpawnedPolecat | Polecat) -> Placed:
        """Put a host beside what it told."""
        name = polecat.polecat_name if isinstance(polecat, SpawnedPolecat) else polecat.name
        return cls(host=host, rig=polecat.rig_name, name=name, instance=polecat.instance, polecat=polecat)

    def __str__(self) -> str:
        return f"{self.host}:{self.rig}/{self.name}"


@frozen(kw_only=True)
class Listing:
    """Everybody who was seen, and the hosts that could not say.

    Attributes:
        polecats: host by host, by name.
        unknown: host → why it could not say. What is on it is unknown, not gone.
    """

    polecats: tuple[Placed, ...] = ()
    unknown: Mapping[str, PolecatError] = field(factory=dict)
