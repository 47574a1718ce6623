"""Decides, pure: no clock, no disk, no environment, no process. What it needs to know is handed in.

May import `polecat.ports` and the words (`documents`, `model`, `names`, `errors`). Read first: `plan`, every decision of one spawn as a value.
"""

from __future__ import annotations
