"""What ``bd`` prints, read tolerantly: notes before the JSON, a list or an object, plain text for an empty list. Pure.

Source:
    Incidents (c.3); seen on bd 0.47.1, 0.59.0, 0.62.0 and 1.0.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from attrs import frozen

from polecat.adapters.beads.messages import shorten
from polecat.core.agent_description import AGENT_LABEL
from polecat.ports import Bead

_OPENING = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)
_NO_ISSUES = re.compile(r"^no (?:matching )?issues(?: found)?\b", re.IGNORECASE | re.MULTILINE)
_WRAPPERS = ("issues", "data", "issue")


class UnreadableAnswerError(ValueError):
    """``bd`` printed something that is no answer to what it was asked."""


@frozen(kw_only=True)
class Issue:
    """What ``bd`` prints of a bead: the parts we use."""

    bead: Bead
    description: str = ""
    hook_bead: str = ""
    role_bead: str = ""


def parse_issues(text: str) -> tuple[Issue, ...]:
    """Read the beads out of what a command with ``--json`` printed.

    Raises:
        UnreadableAnswerError: there are none, and it does not say that there are none.

    Examples:
        >>> [issue.bead.id for issue in parse_issues('warning: old [schema]\\n[{"id": "gt-1", "status": "open"}]')]
        ['gt-1']
        >>> parse_issues("No issues found.\\n"), parse_issues("null")
        ((), ())
    """
    for value in _values(text):
        issues = _issues(value)
        if issues is not None:
            return issues
    said = text.strip(" \n")
    if said == "null" or _NO_ISSUES.search(said):
        return ()
    raise UnreadableAnswerError(f"no beads in {shorten(said, 200)!r}" if said else "nothing was printed")


def parse_object(text: str) -> Mapping[str, object]:
    """Read the one object a command printed; empty if there is none.

    Examples:
        >>> parse_object('note\\n{"path": "/x"}')
        {'path': '/x'}
    """
    return next((value for value in _values(text) if isinstance(value, dict)), {})


def error_in(text: str) -> str:
    """Return the error that was printed as JSON, empty if there is none.

    Examples:
        >>> error_in('{"error": "no issues found matching the provided IDs"}')
        'no issues found matching the provided IDs'
    """
    error = parse_object(text).get("error", "")
    return error if isinstance(error, str) else json.dumps(error)


def _values(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder()
    end = 0
    for match in _OPENING.finditer(text):
        if match.end() < end:
            continue  # inside the value before
        try:
            value, end = decoder.raw_decode(text, match.end())
        except ValueError:
            continue
        yield value


def _issues(value: object) -> tuple[Issue, ...] | None:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            return (_issue(value),)
        inner = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), dict | list)), None)
        return None if inner is None else _issues(inner)
    if isinstance(value, list) and all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in value):
        return tuple(_issue(item) for item in value)
    return None


def _issue(value: Mapping[str, object]) -> Issue:
    def text(key: str) -> str:
        found = value.get(key)
        return found if isinstance(found, str) else ""

    labels = value.get("labels")
    names = tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else ()
    if value.get("issue_type") == "agent" and AGENT_LABEL not in names:
        names += (AGENT_LABEL,)
    bead = Bead(id=text("id"), title=text("title"), status=text("status"), assignee=text("assignee"), labels=names)
    return Issue(bead=bead, description=text("description"), hook_bead=text("hook_bead"), role_bead=text("role_bead"))
