"""Changing one value of a JSON text that belongs to another program, every other byte as it was. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")


def with_value(text: str, keys: Sequence[str], value: object) -> str:
    r"""Return a JSON text in which ``keys[0].keys[1]…`` has a value; objects on the way are made where missing.

    Args:
        text: the text of an object.
        keys: the way to the value, at least one key.
        value: the value.

    Raises:
        ValueError: it is no JSON, or something on the way is no object.

    Examples:
        >>> with_value('{\n  "a": 1.50,\n  "b": {}\n}', ["b", "c"], True)
        '{\n  "a": 1.50,\n  "b": {"c": true}\n}'
        >>> with_value('{"b": {"c": false, "d": 1}}', ["b", "c"], True)
        '{"b": {"c": true, "d": 1}}'
    """
    change = partial(_with_value, keys=keys, value=json.dumps(value, ensure_ascii=False))
    return _proved(text, change, partial(_changed, keys=keys, value=value))


def without_key(text: str, keys: Sequence[str]) -> str:
    r"""Return a JSON text without the member ``keys[0].keys[1]…``; the same text if it has none.

    Args:
        text: the text of an object.
        keys: the way to the member, at least one key.

    Raises:
        ValueError: it is no JSON.

    Examples:
        >>> without_key('{"a": 1, "b": {"c": true}}', ["a"])
        '{"b": {"c": true}}'
        >>> without_key('{"b": {"c": true}, "d": 2}', ["b", "c"])
        '{"b": {}, "d": 2}'
    """
    return _proved(text, partial(_without_key, keys=keys), partial(_less, keys=keys))


def _proved(text: str, change: Callable[[str], str], meant: Callable[[object], object]) -> str:
    """Change a text, and make sure that what it then says is what is meant and nothing else."""
    try:
        new = change(text)
        is_right = json.loads(new) == meant(json.loads(text))
    except (RecursionError, IndexError) as error:
        raise ValueError(f"no JSON that can be read: {error}") from error
    if not is_right:
        raise ValueError("the change would not be the one that is meant")
    return new


def _without_key(text: str, keys: Sequence[str]) -> str:
    at = _skip(text, 0)
    for key in keys[:-1]:
        spans = {name: start for name, start, _ in _members(text, at)} if text[at] == "{" else {}
        if key not in spans:
            return text
        at = spans[key]
    members = list(_members(text, at)) if text[at] == "{" else []
    begins, ends = [at + 1, *(end for _, _, end in members)], [end for _, _, end in members]
    found = next((number for number, (name, _, _) in enumerate(members) if name == keys[-1]), None)
    if found is None:
        return text
    start, end = begins[found], ends[found]
    if found == 0 and len(members) > 1:  # the comma behind it goes, what stands before it stays
        start, end = _skip(text, start), _skip(text, text.index(",", end) + 1)
    return text[:start] + text[end:]


def _less(document: object, keys: Sequence[str]) -> object:
    if not isinstance(document, dict) or keys[0] not in document:
        return document
    if len(keys) == 1:
        return {key: value for key, value in document.items() if key != keys[0]}
    return {**document, keys[0]: _less(document[keys[0]], keys[1:])}


def _with_value(text: str, keys: Sequence[str], value: str) -> str:
    at = _skip(text, 0)
    for depth, key in enumerate(keys):
        if text[at] != "{":
            raise ValueError(f"{'.'.join(keys[:depth]) or 'the document'} is no object")
        spans = {name: (start, end) for name, start, end in _members(text, at)}  # the last of several counts
        if key not in spans:
            inner = value
            for deeper in reversed(keys[depth + 1 :]):
                inner = f"{{{json.dumps(deeper, ensure_ascii=False)}: {inner}}}"
            return _insert(text, at, f"{json.dumps(key, ensure_ascii=False)}: {inner}", has_others=bool(spans))
        at, end = spans[key]
    return text[:at] + value + text[end:]


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Give the members of the object that begins at *at*: key, and where its value starts and ends."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield str(key), start, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _insert(text: str, at: int, member: str, *, has_others: bool) -> str:
    start = at + 1
    new = f"{text[start : _skip(text, start)]}{member}," if has_others else member
    return text[:start] + new + text[start:]


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _changed(document: object, keys: Sequence[str], value: object) -> object:
    if not keys:
        return value
    members = document if isinstance(document, dict) else {}
    return {**members, keys[0]: _changed(members.get(keys[0]), keys[1:], value)}
