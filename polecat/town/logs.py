"""Logging that stays silent unless the application asked for it.

Unconfigured structlog prints every level to stdout, and importing it costs 60 ms. An application that wants our log has imported
and configured structlog itself, so we look whether it has, and otherwise do nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

from polecat.ports import Event

Level = Literal["info", "warning"]


def log(level: Level, event: str, **facts: object) -> None:
    """Log one fact through structlog, if the application configured it.

    Args:
        level: ``info`` for facts of a polecat's life, ``warning`` for something that went wrong without stopping anything.
        event: what happened: past tense, snake case, constant text.
        facts: the data; never values of environment variables.
    """
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        return
    getattr(structlog.get_logger("polecat"), level)(event, **facts)


def emit(event: Event, listener: Callable[[Event], object] | None) -> None:
    """Log an event and notify the listener, if there is one. A listener that raises stops nothing."""
    duration = {} if event.duration_s is None else {"duration_s": event.duration_s}
    log("info", event.name, rig=event.rig, polecat=event.polecat, instance=event.instance, **duration, **event.facts)
    if listener is None:
        return
    try:
        listener(event)
    except Exception as error:  # noqa: BLE001  see above
        log("warning", "listener_failed", heard=event.name, error=str(error))
