"""How a polecat's agent ended, from what was kept of it and from what is left on its server."""

from __future__ import annotations

from datetime import UTC, datetime

from polecat.adapters.world import FullWorld
from polecat.core.endings import ended_by
from polecat.errors import PolecatError
from polecat.model import Ended, Rig
from polecat.ports import Session
from polecat.town.endings import end_path, read_end
from polecat.town.records import Record


def how_it_ended(world: FullWorld, rig: Rig, record: Record | None, session: Session | None) -> Ended | None:
    """Say how an agent that lives no more has ended.

    What was kept when it ended counts; else what its pane still tells; else that its server is not the one it was started on any more.

    Args:
        world: the outside.
        rig: the rig.
        record: the polecat's record; None if polecat did not make it.
        session: what is left of its session.

    Returns:
        How; None if no agent was ever started under this record.
    """
    kept = read_end(end_path(rig, record.polecat, record.instance)) if record is not None else None
    if kept is not None:
        return kept[0]
    if session is not None:
        at = datetime.fromtimestamp(session.active_at_s, UTC) if session.active_at_s else None
        return ended_by(session.exit_code, session.signal, at=at)
    if record is None:
        return Ended()
    if not record.session_id and not record.may_have_run:
        return None
    return Ended(reason="server gone" if server_is_gone(world, record) else "unknown")


def server_is_gone(world: FullWorld, record: Record) -> bool:
    """Say whether the tmux server that a record names has provably ended: no process has its id, or another one has it by now."""
    if not record.server_pid:
        return False
    try:
        process = world.processes.identify(record.server_pid)
        if process is None or not world.processes.is_alive(process):
            return True
    except PolecatError:
        return False
    return bool(record.server_started) and process.start_time != record.server_started
