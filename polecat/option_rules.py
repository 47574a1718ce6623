"""What the options of a spawn may be, checked when they are made: the rules that `polecat.SpawnOptions` names beside its fields.

A value of the wrong type is a `TypeError`, one that is out of range a `ValueError`: both are mistakes in the calling program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polecat.names import check_env_key

if TYPE_CHECKING:
    from attrs import Attribute


def text(_opts: object, field: Attribute[Any], value: object) -> None:
    """Refuse what is neither a string nor None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{field.name} must be a string or None, not {value!r}")


def env(pairs: Mapping[str, str] | None) -> Mapping[str, str]:
    """Take a copy, so that nobody changes it later."""
    if pairs is not None and not isinstance(pairs, Mapping):
        raise TypeError(f"env must map names to values, such as {{'NAME': 'value'}}; it is a {type(pairs).__name__}")
    return dict(pairs or {})


def env_pairs(_opts: object, _field: object, value: Mapping[str, str]) -> None:
    """Refuse names that no process can be given, and values that are no strings; a value may be a secret and is not shown."""
    for key, content in value.items():
        check_env_key(key)
        if not isinstance(content, str):
            raise TypeError(f"env[{key!r}] must be a string; it is of type {type(content).__name__}")


def patience(_opts: object, _field: object, value: float | None) -> None:
    """Refuse what is no length of time."""
    if value is not None and not isinstance(value, (int, float)):
        raise TypeError(f"ready_timeout_s must be a number of seconds, not {value!r}")
    if value is not None and not 0 < value < float("inf"):
        raise ValueError(f"ready_timeout_s must be more than 0, not {value!r}")
