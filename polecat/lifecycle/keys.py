"""Orders with a key: while the polecat of a key is there, asking again makes no second one.

The key stands in the claim, so it is there from the moment at which the name is taken, whoever is killed afterwards. Its lock is held
for the whole spawn: whoever asks meanwhile waits, and then finds the polecat.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from polecat.adapters.world import FullWorld
from polecat.errors import SpawnRefusedError, UnknownStateError
from polecat.lifecycle.attempt import Attempt
from polecat.model import Rig, SpawnOptions
from polecat.names import agent_id
from polecat.town.homes import list_homes
from polecat.town.locks import holding, polecat_lock, take
from polecat.town.records import Record, read_claim, read_current, stands_beside
from polecat.upkeep.observation import observe
from polecat.upkeep.recovery import recover_first

KEY_TIMEOUT_S = 120.0
"""How long whoever asks for a key waits for the spawn that is making its polecat."""


def key_lock(rig: Rig, key: str) -> Path:
    """The lock of making the polecat of one key."""
    return rig.runtime_dir / "locks" / "keys" / f"{sha256(key.encode()).hexdigest()[:24]}.lock"


def refuse_twins(attempts: Iterable[Attempt]) -> None:
    """Refuse a key that stands in one call a second time: its spawn would wait for the first."""
    seen: set[str] = set()
    for attempt in attempts:
        key = attempt.opts.key
        if key in seen:
            attempt.fail(SpawnRefusedError(f"the key {key!r} stands twice in one call", hint="a key names one polecat"))
        elif key:
            seen.add(key)


def polecat_of_key(world: FullWorld, rig: Rig, opts: SpawnOptions, held: ExitStack) -> Record | None:
    """Find the polecat of an order's key, and hold the key; what a killed spawn or removal of it left is recovered first.

    Args:
        world: the world.
        rig: the rig.
        opts: the order, with its key.
        held: what is held to the end of the spawn.

    Returns:
        Its record; None if there is none.

    Raises:
        LockTimeoutError: its polecat is being made or removed, and that takes long.
        UnknownStateError: it may be one whose record cannot be read.
    """
    key = opts.key or ""
    held.callback(take(key_lock(rig, key), what=f"make the polecat of {key}", timeout_s=KEY_TIMEOUT_S).release)
    there = find_key(rig, opts)
    if there is None or (claim := read_claim(rig, there.polecat)) is None or stands_beside(claim):
        return there
    with holding(polecat_lock(rig, there.polecat), what=f"look for the polecat of {key}"):
        recover_first(world, observe(world, rig), there.polecat)
    return find_key(rig, opts)


def check_key(rig: Rig, opts: SpawnOptions) -> None:
    """Refuse to plan what would not be made.

    Raises:
        SpawnRefusedError: the polecat of the key is there.
    """
    there = find_key(rig, opts) if opts.key else None
    if there is not None:
        raise SpawnRefusedError(
            f"{agent_id(rig.name, there.polecat)} has the key {opts.key!r} already", hint="a spawn would return it as it stands"
        )


def find_key(rig: Rig, opts: SpawnOptions) -> Record | None:
    """Look for the polecat of an order's key.

    A record that cannot be read may be the one. That refuses the order, unless it has a bead: then the bead's own holder counts.

    Raises:
        UnknownStateError: a record cannot be read.
    """
    for name in list_homes(rig).dirs:
        try:
            record = read_current(rig, name)
        except UnknownStateError:
            if not opts.hook_bead:
                raise
            continue
        if record is not None and record.key == opts.key:
            return record
    return None


def keys_of(rig: Rig) -> dict[str, str]:
    """The keys of a rig's polecats, those being made included, with their names; a record that cannot be read is left out."""
    found = {}
    for name in list_homes(rig).dirs:
        try:
            record = read_current(rig, name)
        except UnknownStateError:
            continue
        if record is not None and record.key:
            found[record.key] = name
    return found
