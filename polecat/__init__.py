"""Give a coding agent a place to work, and take that place back.

A map of this folder, in reading order::

    spawn.py      the story: spawn_for_sling, read top to bottom
    pool.py       names and who holds them (pure)
    plan.py       what one spawn will do (pure)
    ports.py      what we need from git, tmux and beads, in our words
    model.py      the nouns
    errors.py     everything that can go wrong, as one tree
    adapters/     the real world: git, tmux, bd, the disk
    testing/      the pretend world: fakes that pass the same contract

Only the names in ``__all__`` here, in ``polecat.adapters`` and in ``polecat.testing`` are public.
Names are loaded on first use, so that ``import polecat`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
