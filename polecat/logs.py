"""Logging that stays silent unless the application asked for it.

Unconfigured structlog prints every level to stdout, and importing it costs 60 ms. An application that wants our log has imported
and configured structlog itself, so we look whether it has, and otherwise do nothing.
"""

from __future__ import annotations

import sys
from typing import Literal

Level = Literal["debug", "info", "warning"]


def log(level: Level, event: str, **facts: object) -> None:
    """Log one fact through structlog, if the application configured it.

    Args:
        level: ``debug`` for programs run, ``info`` for facts of a polecat's life, ``warning`` for something healed or lost.
        event: what happened: past tense, snake case, constant text.
        facts: the data; never values of environment variables.
    """
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        return
    getattr(structlog.get_logger("polecat"), level)(event, **facts)
