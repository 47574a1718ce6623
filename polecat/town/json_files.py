"""JSON files as Gas Town's programs read them, with errors that name the file, the line and the field.

Reading follows Go's decoder, so that both accept the same files: unknown keys are ignored, keys match whatever their case, the
last of several wins, ``null`` is *not given*, and a value of the wrong type is an error. Lines are looked for only when there is
an error to word: then the text is scanned a second time.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from attrs import evolve, frozen

from polecat.errors import ConfigError
from polecat.town.files import read_text

Step = str | int

_PIECE = r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+'
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_LONE_SURROGATE = "[\ud800-\udfff]"
_INT64 = 2**63


def line_of(text: str, at: tuple[Step, ...]) -> int | None:
    """Find the line, from 1, where a value of a valid JSON text starts; of its nearest parent if it is not there.

    Examples:
        >>> line_of('{"a": 1,\\n "b": [2,\\n 3]}', ("b", 1))
        3
    """
    open_at: list[Step | None] = []
    best, offset = -1, 0
    for token in re.finditer(_PIECE, text):
        word = token.group()
        if word in ("}", "]"):
            open_at.pop()
        elif word == ",":
            place = open_at[-1]
            open_at[-1] = place + 1 if isinstance(place, int) else None
        elif word != ":" and open_at and open_at[-1] is None:
            open_at[-1] = str(json.loads(word))
        elif word != ":":
            here = tuple(open_at)
            if here == at[: len(here)] and len(here) >= best:
                best, offset = len(here), token.start()
            if word in ("{", "["):
                open_at.append(None if word == "{" else 0)
    return None if best < 0 else text.count("\n", 0, offset) + 1


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "…")
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)


@frozen(kw_only=True)
class Node:
    """A value in a JSON file, and where it stands.

    The ``…_of`` methods read one field of an object: absent and ``null`` give the default, a wrong type is a `ConfigError`.

    Attributes:
        path: the file.
        source: its text.
        value: the value.
        at: the keys and positions that lead to it.
    """

    path: Path
    source: str
    value: object
    at: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """The dotted name, empty for the whole document."""
        return ".".join(str(step) for step in self.at)

    def error(self, problem: str, *, hint: str = "") -> ConfigError:
        """Make the error that says what is wrong with this value."""
        return ConfigError(self.path, problem, line=line_of(self.source, self.at), field=self.name, hint=hint)

    def must(self, be: str) -> ConfigError:
        """Make the error ``'field' must be …, not …``."""
        return self.error(f"must be {be}, not {_shown(self.value)}")

    @property
    def members(self) -> dict[str, object]:
        """The fields of this value, which must be an object."""
        if not isinstance(self.value, dict):
            raise self.must("an object")
        return self.value

    def child(self, key: str) -> Node | None:
        """Return the field, the last whose name equals *key* in any case; None if there is none or it is null."""
        for name, value in reversed(self.members.items()):
            if value is not None and name.casefold() == key.casefold():
                return evolve(self, value=value, at=(*self.at, name))
        return None

    def missing(self, key: str, problem: str, *, hint: str = "") -> ConfigError:
        """Make the error that says what is wrong with a field that may not be there."""
        there = self.child(key)
        return (there or evolve(self, at=(*self.at, key))).error(problem, hint=hint)

    def text(self) -> str:
        """This value, which must be a string."""
        if not isinstance(self.value, str):
            raise self.must("a string")
        return self.value

    def text_of(self, key: str) -> str:
        """Read a string; empty where it is not given."""
        node = self.child(key)
        return "" if node is None else node.text()

    def choice_of(self, key: str, allowed: tuple[str, ...], default: str = "") -> str:
        """Read a string that must be one of *allowed*; an empty one is *default*."""
        text = self.text_of(key)
        if text and text not in allowed:
            raise self.missing(key, f"must be {' or '.join(map(repr, allowed))}, not {_shown(text)}")
        return text or default

    def integer_of(self, key: str, default: int = 0, *, least: int | None = None, most: int | None = None) -> int:
        """Read a whole number between *least* and *most*, both included."""
        node = self.child(key)
        if node is None:
            return default
        value = node.value
        if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
            raise node.must("a whole number")
        if least is not None and value < least:
            raise node.must(f"at least {least}")
        if most is not None and value > most:
            raise node.must(f"at most {most}")
        return value

    def number_of(self, key: str, default: float, *, above: float) -> float:
        """Read a number greater than *above*."""
        node = self.child(key)
        if node is None:
            return default
        if not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
            raise node.must("a number")
        if not above < node.value < float("inf"):
            raise node.must(f"more than {above:g}")
        return float(node.value)

    def flag_of(self, key: str, default: bool = False) -> bool:
        """Read true or false."""
        node = self.child(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            raise node.must("true or false")
        return node.value

    def time_of(self, key: str) -> datetime | None:
        """Read a time; None if it is not given or is Go's unset time."""
        node = self.child(key)
        if node is None:
            return None
        parsed = parse_time(node.value) if isinstance(node.value, str) else None
        if parsed is None:
            raise node.must("a time such as 2026-01-13T12:00:00Z")
        return None if parsed.year == 1 else parsed

    def object_of(self, key: str) -> Node:
        """Read an object; an empty one where it is not given."""
        node = self.child(key) or evolve(self, value={}, at=(*self.at, key))
        if not isinstance(node.value, dict):
            raise node.must("an object")
        return node

    def items_of(self, key: str) -> tuple[Node, ...] | None:
        """Read a list; None if it is not given, which is not the same as an empty one."""
        node = self.child(key)
        if node is None:
            return None
        if not isinstance(node.value, list):
            raise node.must("a list")
        return tuple(evolve(node, value=item, at=(*node.at, at)) for at, item in enumerate(node.value))

    def texts_of(self, key: str) -> tuple[str, ...] | None:
        """Read a list of strings; None if it is not given."""
        items = self.items_of(key)
        return None if items is None else tuple("" if n.value is None else n.text() for n in items)

    def entries_of(self, key: str) -> dict[str, Node]:
        """Read an object used as a map: its names, case and all, and the values that are not null."""
        node = self.object_of(key)
        return {k: evolve(node, value=v, at=(*node.at, k)) for k, v in node.members.items() if v is not None}


@frozen(kw_only=True)
class Layered(Node):
    """A document of which the fields that it lacks stand in another one. Objects used as maps are joined, entry by entry.

    Attributes:
        below: the other document.

    Examples:
        >>> below = parse_document(Path("b"), '{"a": 1, "n": 2, "m": {"x": "1", "y": "1"}}')
        >>> both = Layered(path=Path("a"), source="", value={"a": 5, "m": {"y": "5"}}, below=below)
        >>> both.integer_of("a"), both.integer_of("n"), {key: node.text() for key, node in both.entries_of("m").items()}
        (5, 2, {'x': '1', 'y': '5'})
    """

    below: Node

    def child(self, key: str) -> Node | None:
        """Return the field of this document, or else of the one below."""
        return super().child(key) or (None if self.at else self.below.child(key))

    def entries_of(self, key: str) -> dict[str, Node]:
        """Read an object used as a map, of both documents."""
        entries = super().entries_of(key)
        return entries if self.at else {**self.below.entries_of(key), **entries}


def parse_time(text: str) -> datetime | None:
    """Read an RFC 3339 time; digits beyond microseconds are dropped. None if it is not one.

    Examples:
        >>> parse_time("2026-01-12T09:30:00.123456789-08:00").isoformat()
        '2026-01-12T09:30:00.123456-08:00'
    """
    try:
        return datetime.fromisoformat(text) if _TIME.match(text) else None
    except ValueError:
        return None


def format_time(when: datetime | None) -> str:
    """Write a time as Go does: RFC 3339, no trailing zeros in the fraction; None is Go's unset time.

    Examples:
        >>> from datetime import UTC
        >>> format_time(datetime(2026, 1, 12, 9, 30, 0, 120000, tzinfo=UTC))
        '2026-01-12T09:30:00.12Z'
    """
    if when is None:
        return "0001-01-01T00:00:00Z"
    return re.sub(r"(\.\d+?)0+(?=[Z+-])", r"\1", when.isoformat().replace("+00:00", "Z"))


def _last_wins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        members.pop(key, None)
        members[key] = value
    return members


def _not_json(word: str) -> float:
    raise ValueError(f"{word} is not a number in JSON")


def parse_document(path: Path, text: str) -> Node:
    """Read a text as the JSON document of the file *path*; ``null`` counts as an empty object.

    Raises:
        ConfigError: it is not JSON, or not an object.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=_last_wins, parse_constant=_not_json)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]} (column {error.colno})"
        raise ConfigError(path, problem, line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(path, f"is not valid JSON: {error}") from None
    if "\\ud" in text.lower():
        value = json.loads(re.sub(_LONE_SURROGATE, "\ufffd", json.dumps(value, ensure_ascii=False)))
    node = Node(path=path, source=text, value={} if value is None else value)
    if not isinstance(node.value, dict):
        raise ConfigError(path, f"must hold an object, not {_shown(value)}", line=line_of(text, ()))
    return node


def read_document(path: Path) -> Node | None:
    """Read a JSON file; None if it is absent.

    Raises:
        ConfigError: it is there and is anything but a readable JSON object.
    """
    text = read_text(path)
    return None if text is None else parse_document(path, text)
