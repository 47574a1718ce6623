"""What a program gets that hands in something of the wrong type: the name of the thing, what it should be, and what it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import polecat
from polecat import SpawnOptions
from polecat.ports import World
from polecat.testing import FakeTown

pytest_plugins = ["polecat.testing.plugin"]

loose: Any = polecat
"""What no type checker looks at."""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda rig, world: loose.list_polecats(None, world=world), "a rig is a Rig, or its name as a string; not None"),
        (lambda rig, world: loose.spawn_for_sling(rig.path, world=world), "a rig is a Rig, or its name as a string; not "),
        (
            lambda rig, world: loose.spawn_for_sling(rig, "gt-1", world=world),
            "is a SpawnOptions, such as SpawnOptions(hook_bead='gt-1')",
        ),
        (lambda rig, world: loose.plan_spawn(rig, {"hook_bead": "gt-1"}, world=world), "not {'hook_bead': 'gt-1'}"),
        (lambda rig, world: loose.spawn_many(rig, SpawnOptions(), world=world), "spawn_many takes a list of SpawnOptions"),
        (lambda rig, world: loose.spawn_many(rig, 3, world=world), "one for each polecat; not 3"),
        (
            lambda rig, world: loose.remove_polecat(rig, None, world=world),
            "a polecat is its name as a string, a Polecat or a SpawnedPolecat; not None",
        ),
        (
            lambda rig, world: loose.nudge_polecat(rig, 3, "hello", world=World(tmux=world.tmux)),
            "a polecat is its name as a string, a Polecat or a SpawnedPolecat; not 3",
        ),
    ],
)
def test_an_argument_of_the_wrong_type_is_named(fake_town: FakeTown, call: Callable[..., Any], said: str) -> None:
    """A rig, an order or a name that is none is refused in words before anything is touched."""
    with pytest.raises(TypeError, match=re.escape(said)):
        call(fake_town.rig, fake_town.world)

    assert polecat.list_polecats(fake_town.rig, world=fake_town.world) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hook_bead": 3}, "hook_bead must be a string or None, not 3"),
        ({"nudge": True}, "nudge must be a string or None, not True"),
        ({"ready_timeout_s": "5"}, "ready_timeout_s must be a number of seconds, not '5'"),
        ({"env": ["A=1"]}, "env must map names to values, such as {'NAME': 'value'}; it is a list"),
        ({"env": {"A": 1}}, "env['A'] must be a string; it is of type int"),
    ],
)
def test_an_option_of_the_wrong_type_is_named(wrong: dict[str, Any], said: str) -> None:
    """Options are checked when they are made, where the mistake is."""
    with pytest.raises(TypeError) as caught:
        SpawnOptions(**wrong)

    assert str(caught.value) == said


def test_the_value_of_a_variable_is_never_shown() -> None:
    """What is refused in `env` may be a secret."""
    with pytest.raises(TypeError) as caught:
        SpawnOptions(env={"TOKEN": b"hush"})  # type: ignore[dict-item]  # that is the mistake

    assert "hush" not in str(caught.value)


def test_a_bead_that_is_no_text_is_named(fake_town: FakeTown) -> None:
    """A bead's id of the wrong type is refused in words, and nothing is given out."""
    cat = polecat.spawn_for_sling(fake_town.rig, world=fake_town.world)

    with pytest.raises(TypeError, match="a name must be a string, not 3"):
        loose.assign_issue(fake_town.rig, cat.polecat_name, 3, world=fake_town.world)

    assert polecat.assigned_issue(fake_town.rig, cat.polecat_name, world=fake_town.world) is None
