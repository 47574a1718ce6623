"""Questions and answers as text: JSON, with a version. Pure.

Values go by their public fields and errors by their class, from a closed table, so that text from a host can make nothing else. Not pickle:
agents run on the hosts, and whoever unpickles what comes from there runs it. What the table or a class does not know is a `WireError` that
names both versions.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

import polecat
from polecat import errors
from polecat.core.pool import Reconciliation
from polecat.core.risk import Risk, Verdict
from polecat.fleet.model import AskedTooLateError, HostUnknownError, Load, WireError
from polecat.lifecycle.delivery import Delivery
from polecat.lifecycle.remove import Removed
from polecat.lifecycle.talk import AttachCommand
from polecat.model import Ended, FetchPolicy, Polecat, PolecatState, SpawnedPolecat, SpawnOptions, Timings, WorkStatus

FORMAT = 1
"""Another number is not understood at all. Fields and classes may come without a new one: whoever does not know them says so."""

HELLO = f"polecat-fleet {FORMAT}"
"""What a host that is asked through a pipe says before it reads the question."""

_TAG = "!"
_VALUES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        AttachCommand, Delivery, Ended, FetchPolicy, Load, Polecat, PolecatState, Reconciliation, Removed, Risk, SpawnedPolecat, SpawnOptions, Timings,
        Verdict, WorkStatus,
    )
}  # fmt: skip
_ERRORS: Mapping[str, type[errors.PolecatError]] = {
    cls.__name__: cls
    for cls in (*vars(errors).values(), AskedTooLateError, HostUnknownError, WireError)
    if isinstance(cls, type) and issubclass(cls, errors.PolecatError)
}


def pack(**facts: object) -> str:
    """Write what one side has to tell the other, as one line.

    Raises:
        TypeError: something in it is of no kind that travels.

    Examples:
        >>> unpack(pack(answer=(Path("/x"), PolecatState.DONE)))["answer"]
        (PosixPath('/x'), <PolecatState.DONE: 'done'>)
    """
    told = {name: _out(value) for name, value in facts.items()}
    return json.dumps({"fleet": FORMAT, "polecat": polecat.__version__, **told}, separators=(",", ":"))


def unpack(text: str) -> dict[str, Any]:
    """Read what `pack` wrote.

    Raises:
        WireError: it was written by another version, or is something else.
    """
    try:
        told = json.loads(text)
        format_, theirs = told["fleet"], str(told["polecat"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(f"this is no text of polecat's fleet: {text[:80]!r}") from error
    if format_ != FORMAT:
        raise WireError(f"the other side writes format {format_!r}; {_versions(theirs)} and reads format {FORMAT}", hint=_HINT)
    try:
        return {name: _in(value, theirs) for name, value in told.items() if name not in ("fleet", "polecat")}
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(f"what the other side wrote cannot be read ({error}); {_versions(theirs)}", hint=_HINT) from error


_HINT = "install the same version of polecat on both"


def _versions(theirs: str) -> str:
    return f"there is polecat {theirs}, here polecat {polecat.__version__}"


# ------------------------------------------------------------------------------------------------------------- writing


def _out(value: Any) -> Any:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case list():
            return [_out(one) for one in value]
        case tuple():
            return {_TAG: "tuple", "of": [_out(one) for one in value]}
        case frozenset() | set():
            return {_TAG: "frozenset", "of": [_out(one) for one in sorted(value)]}
        case Path():
            return {_TAG: "path", "of": str(value)}
        case datetime():
            return {_TAG: "time", "of": value.isoformat()}
        case BaseException():
            return _error_out(value)
        case Mapping():
            pairs = {str(key): _out(one) for key, one in value.items()}
            return {_TAG: "mapping", "of": pairs} if _TAG in pairs else pairs
    if _VALUES.get(type(value).__name__) is not type(value):
        raise TypeError(f"a {type(value).__name__} does not travel between hosts")
    if isinstance(value, enum.Enum):
        return {_TAG: type(value).__name__, "of": value.value}
    cls: Any = type(value)
    return {_TAG: cls.__name__, "of": {one.name: _out(getattr(value, one.name)) for one in attrs.fields(cls)}}


def _error_out(error: BaseException) -> dict[str, Any]:
    is_ours = _ERRORS.get(type(error).__name__) is type(error)
    state = {key: one for key, one in vars(error).items() if key != "__notes__"} if is_ours else {"hint": ""}
    return {
        _TAG: "error",
        "kind": type(error).__name__ if is_ours else "PolecatError",
        "text": str(error.args[0]) if is_ours else f"{type(error).__name__}: {error}",
        "state": _out(state),
        "notes": list(getattr(error, "__notes__", ())),
        "cause": None if error.__cause__ is None else _error_out(error.__cause__),
    }


# ------------------------------------------------------------------------------------------------------------- reading


def _in(node: Any, theirs: str) -> Any:
    if isinstance(node, list):
        return [_in(one, theirs) for one in node]
    if not isinstance(node, dict):
        return node
    match node.get(_TAG):
        case None:
            return {key: _in(one, theirs) for key, one in node.items()}
        case "tuple":
            return tuple(_in(one, theirs) for one in node["of"])
        case "frozenset":
            return frozenset(_in(one, theirs) for one in node["of"])
        case "path":
            return Path(node["of"])
        case "time":
            return datetime.fromisoformat(node["of"])
        case "mapping":
            return {key: _in(one, theirs) for key, one in node["of"].items()}
        case "error":
            cause = node["cause"] and _in(node["cause"], theirs)
            error = errors.rebuild_error(_known(_ERRORS, node["kind"], theirs), node["text"], _in(node["state"], theirs), cause)
            for note in node["notes"]:
                error.add_note(note)
            return error
    cls = _known(_VALUES, node[_TAG], theirs)
    return cls(node["of"]) if issubclass(cls, enum.Enum) else _value_in(cls, node["of"], theirs)


def _value_in(cls: Any, told: Mapping[str, Any], theirs: str) -> Any:
    fields = attrs.fields_dict(cls)
    if unknown := sorted(told.keys() - fields.keys()):
        raise WireError(f"{cls.__name__} has no {' and no '.join(unknown)} here; {_versions(theirs)}", hint=_HINT)
    return cls(**{fields[name].alias or name: _in(one, theirs) for name, one in told.items()})


def _known(table: Mapping[str, type], name: object, theirs: str) -> Any:
    if name not in table:
        raise WireError(f"{name!r} is not known here; {_versions(theirs)}", hint=_HINT)
    return table[str(name)]
