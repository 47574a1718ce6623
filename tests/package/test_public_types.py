"""The types of what is public: complete, and never `Any`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest

HOMES = ("polecat", "polecat.adapters", "polecat.fleet", "polecat.testing")


def _public() -> Iterator[tuple[str, object]]:
    for home in map(import_module, HOMES):
        for name in home.__all__:
            yield f"{home.__name__}.{name}", getattr(home, name)


def _annotated(where: str, thing: object) -> Iterator[tuple[str, object]]:
    """A function, or a class with its fields and each of its methods; of the special ones only those that somebody wrote."""
    if not isinstance(thing, type):
        yield where, thing
        return
    yield where, thing
    for name, member in list(vars(thing).items()):
        is_written = name == "__call__" or (name == "__init__" and not attrs.has(thing) and not is_protocol(thing))
        if name.startswith("_") and not is_written:
            continue
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(function):
            yield f"{where}.{name}", function


def is_protocol(kind: type) -> bool:
    return bool(getattr(kind, "_is_protocol", False))


def _has_any(hint: object) -> bool:
    parts = list(get_args(hint))
    while any(isinstance(part, list) for part in parts):
        parts = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return hint is Any or get_origin(hint) is Any or any(_has_any(part) for part in parts)


CASES = [case for name, thing in _public() for case in _annotated(name, thing)]


@pytest.mark.parametrize(("where", "thing"), CASES, ids=[where for where, _ in CASES])
def test_no_public_signature_says_any(where: str, thing: object) -> None:
    """Arguments, results and fields of what is public have types, and none of them is `Any`."""
    hints = get_type_hints(thing)

    assert {name: hint for name, hint in hints.items() if _has_any(hint) and not name.startswith("_")} == {}
    if inspect.isfunction(thing):
        parameters = [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]
        assert [name for name in [*parameters, "return"] if name not in hints] == []


def test_any_is_found_wherever_it_hides() -> None:
    """The test above sees `Any` inside of containers, unions and callables."""
    from collections.abc import Callable, Mapping

    assert _has_any(Any)
    assert _has_any(Mapping[str, tuple[Any, ...]])
    assert _has_any(Callable[[Any], None])
    assert _has_any(int | Any)
    assert not _has_any(Callable[[Mapping[str, int]], tuple[int | None, ...]])
    assert not _has_any(Callable[..., None])
