"""How an agent ended, as a value. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from attrs import field, frozen

from polecat.errors import publish

EndReason = Literal["exit", "signal", "stopped", "server gone", "removed", "unknown"]


@publish
@frozen(kw_only=True)
class Ended:
    """How an agent ended.

    Attributes:
        reason: ``exit`` it exited; ``signal`` it was killed; ``stopped`` its session was ended on request; ``server gone`` its tmux
            server went away, as in a reboot; ``removed`` its polecat was removed while somebody waited for it; ``unknown`` nothing
            was kept that tells.
        status: its exit status, if it exited.
        signal: the signal, if it was killed.
        at: when, if that is known.

    Examples:
        >>> str(Ended(reason="exit", status=3)), Ended(reason="exit", status=0).is_success
        ('exit 3', True)
    """

    reason: EndReason = "unknown"
    status: int | None = None
    signal: int | None = None
    at: datetime | None = field(default=None, eq=False)

    @property
    def is_success(self) -> bool:
        """It exited with status 0."""
        return self.status == 0

    @property
    def is_failure(self) -> bool:
        """It exited with another status, or was killed."""
        return self.reason in ("exit", "signal") and not self.is_success

    def __str__(self) -> str:
        if self.reason in ("exit", "signal"):
            return f"{self.reason} {self.status if self.signal is None else self.signal}"
        return {"server gone": "its tmux server went away", "unknown": "nobody knows how"}.get(self.reason, self.reason)
