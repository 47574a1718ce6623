"""The counter of a rig's pool, on disk."""

from __future__ import annotations

import contextlib

from polecat.core.pool import NamePool, pool_state
from polecat.documents import NamePoolSettings, RigSettings
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.town.config import load_pool_state
from polecat.town.files import write_json
from polecat.town.guarded import read_json_object
from polecat.town.locks import holding, pool_lock

UNUSABLE_FILE = "unusable-names.json"


def load_pool(rig: Rig, settings: RigSettings) -> NamePool:
    """Build the rig's pool from its settings and the saved counter; settings win over what was saved.

    Source:
        Contract §4.2, §4.4; design §6, deviation 16.
    """
    names = settings.namepool or NamePoolSettings()
    saved = load_pool_state(rig.path)
    return NamePool(
        rig_name=rig.name,
        theme=names.style,
        custom_names=names.names,
        max_size=names.max_before_numbering,
        overflow_next=saved.overflow_next if saved else 0,
        bare_numbers=rig.gastown.is_today,
    )


def unusable_names(rig: Rig) -> frozenset[str]:
    """The names whose agent beads somebody deleted in a store that never gives their ids again; none if that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        names = (read_json_object(rig.runtime_dir / UNUSABLE_FILE) or {}).get("names")
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()
    return frozenset()


def note_unusable(rig: Rig, name: str) -> None:
    """Give a name to nobody any more who does not ask for it. A town that cannot be written in is not made worse by it."""
    with contextlib.suppress(OSError), holding(pool_lock(rig), what="note an unusable name"):
        write_json(rig.runtime_dir / UNUSABLE_FILE, {"names": sorted({*unusable_names(rig), name})})


def save_pool(rig: Rig, pool: NamePool) -> None:
    """Save the counter, atomically and only if it changed; the caller holds the pool lock.

    Source:
        Contract §3.10.
    """
    path = rig.runtime_dir / "namepool-state.json"
    state = pool_state(pool)
    with contextlib.suppress(OSError, ValueError):
        if read_json_object(path) == state:
            return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, state)
    except OSError as error:
        raise PolecatError(
            f"cannot save the pool's state {path}: {error.strerror or error}", hint="the rig must be writable"
        ) from error
