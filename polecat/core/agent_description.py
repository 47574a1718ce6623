"""The fields of an agent bead ⇄ the text of its description. Pure.

::

    gt-gastown-polecat-furiosa

    role_type: polecat
    rig: gastown
    agent_state: spawning
    hook_bead: gt-abc12
    ...

The description is the one place every version of ``bd`` keeps, so it is where an agent's state is kept. Others (later versions of
the reference) write lines of their own there; `replace_fields` leaves them as they are.

Source:
    Contract §12.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polecat.ports import AgentFields

AGENT_LABEL: Final = "gt:agent"
"""The label that makes a bead an agent bead, on every version of ``bd``."""

_LEFT_OUT: Final = ("host",)
"""Fields that the reference does not know: they have a line only where they say something."""

FIELD_NAMES: Final = tuple(AgentFields.__annotations__)
"""The names of the fields, in the order of their lines."""

_BLANKS: Final = " \t\r"
"""What does not belong to a value at its ends; whatever else only looks like a blank does."""


def format_description(title: str, fields: AgentFields) -> str:
    """Write the description of an agent bead.

    Args:
        title: the bead's title, one line.
        fields: what to say; empty values are written as ``null``.

    Raises:
        ValueError: a value has a line break, and would be read back as another field.

    Examples:
        >>> format_description("gt-x-polecat-nux", AgentFields(role_type="polecat")).split("\\n")[:4]
        ['gt-x-polecat-nux', '', 'role_type: polecat', 'rig: null']
    """
    lines = [_one_line("title", title), ""]
    lines += [_line(name, value) for name in FIELD_NAMES if (value := getattr(fields, name)) or name not in _LEFT_OUT]
    return "\n".join(lines)


def parse_description(text: str) -> AgentFields:
    """Read the fields out of a description; unknown lines are ignored, the last of several wins.

    Examples:
        >>> parse_description("title\\n\\nhook_bead: gt-1\\nrig: null").hook_bead
        'gt-1'
    """
    return AgentFields(**_known_values(text))


def replace_fields(text: str, changes: Mapping[str, str]) -> str:
    """Change some fields in a description and leave everything else in it as it is.

    Args:
        text: the description as it is now.
        changes: field name → new value; the empty text writes ``null``.

    Raises:
        TypeError: there is no such field.
        ValueError: a value has a line break.

    Examples:
        >>> replace_fields("t\\n\\nrig: a\\nmode: ralph\\nhook_bead: null", {"hook_bead": "gt-1"})
        't\\n\\nrig: a\\nmode: ralph\\nhook_bead: gt-1'
    """
    check_field_names(changes)
    lines, written = [], set()
    for number, line in enumerate(text.split("\n") if text else []):
        key = _key(line)
        if number > 0 and key in changes:  # the first line is the title, whatever it looks like
            written.add(key)
            if changes[key] or key not in _LEFT_OUT:
                lines.append(_line(key, changes[key]))
        else:
            lines.append(line)
    missing = (name for name in FIELD_NAMES if name in changes and name not in written)
    lines += [_line(name, changes[name]) for name in missing if changes[name] or name not in _LEFT_OUT]
    return "\n".join(lines)


def check_field_names(names: Mapping[str, str]) -> None:
    """Refuse what is not a field of an agent bead.

    Raises:
        TypeError: there is no such field.
    """
    if unknown := sorted(set(names) - set(FIELD_NAMES)):
        raise TypeError(f"no such field of an agent bead: {', '.join(unknown)}; there are {', '.join(FIELD_NAMES)}")


def _known_values(text: str) -> dict[str, str]:
    values = {}
    for line in text.split("\n"):
        key = _key(line)
        if key in FIELD_NAMES:
            value = line.partition(":")[2].strip(_BLANKS)
            values[key] = "" if value == "null" else value
    return values


def _key(line: str) -> str:
    key, colon, _ = line.partition(":")
    return key.strip(_BLANKS).lower() if colon else ""


def _line(name: str, value: str) -> str:
    empty = "" if name in ("role_type", "agent_state") else "null"
    return f"{name}: {_one_line(name, value) or empty}"


def _one_line(name: str, value: str) -> str:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError(f"{name} of an agent bead must be one line, not {value!r}")
    return value
