"""`frozen`: attrs' decorator for values, with the work put off until a value is made.

attrs writes and compiles the methods of a class while its module is imported. For the hundred values here that was half of the time in
which the command starts, and a command makes use of some of them only. So equality, hash and text are written once for all, and the rest
is left to attrs when a class is first called, asked for its fields, unpickled or derived from. Nothing else tells the two apart.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import attrs

TYPE_CHECKING = False  # as in polecat/__init__.py

if TYPE_CHECKING:
    from attrs import frozen as frozen  # what type checkers see: nothing new  # noqa: PLC0414
else:

    def frozen(cls: type | None = None, /, **how: object) -> object:
        """Make a class a value, as `attrs.frozen` does; *how* is what that takes.

        Examples:
            >>> @frozen(kw_only=True)
            ... class Spot:
            ...     x: int
            ...     label: str = attrs.field(default="", eq=False)
            >>> Spot(x=1, label="here")
            Spot(x=1, label='here')
            >>> Spot(x=1, label="here") == Spot(x=1, label="there"), Spot(x=1) == Spot(x=2)
            (True, False)
        """
        if cls is None:
            return lambda cls: frozen(cls, **how)
        for name, method in _METHODS.items():
            if name not in cls.__dict__:
                setattr(cls, name, method)
        stand_ins = _stand_ins(cls)
        if any(name in cls.__dict__ for name in stand_ins):  # it wrote one itself, and attrs must see that
            return attrs.frozen(cls, **_HOW, **how)
        for name, stand_in in stand_ins.items():
            setattr(cls, name, stand_in)
        _PUT_OFF[cls] = (how, dict(cls.__dict__))
        return cls


# ---------------------------------------------------------------------------------------------------- what is put off

_HOW = {"eq": False, "repr": False, "slots": False}  # those two are written below; slots would make a second class
_PUT_OFF: dict[type, tuple[dict[str, object], dict[str, object]]] = {}
"""Class → what attrs is to be told, and what the class is made of until then."""

_ONE_AT_A_TIME = threading.RLock()


def finish(cls: type) -> None:
    """Let attrs do what was put off; nothing where that has happened. The stand-ins work until the real things are there."""
    with _ONE_AT_A_TIME:
        if cls not in _PUT_OFF:
            return
        how, before = _PUT_OFF[cls]
        _restore(cls, before)  # an interrupt may have ended an earlier try, and whoever takes back what was made needs this class
        attrs.frozen(cls, init=True, **_HOW, **how)  # type: ignore[call-overload]  # it replaces two of the stand-ins
        for name in ("__init_subclass__", "__setstate__", "__signature__"):
            delattr(cls, name)
        del _PUT_OFF[cls]


def _restore(cls: type, before: Mapping[str, object]) -> None:
    for name in set(cls.__dict__) - set(before):
        delattr(cls, name)
    for name, value in before.items():
        if cls.__dict__.get(name) is not value:
            setattr(cls, name, value)


def _stand_ins(cls: type) -> dict[str, object]:
    """What everybody comes by who needs the finished class."""

    def make(self: object, *args: object, **values: object) -> None:
        finish(cls)
        vars(cls)["__init__"](self, *args, **values)

    def set_state(self: object, state: Mapping[str, object]) -> None:
        finish(cls)
        self.__dict__.update(state)

    def derive(below: type, /, **words: object) -> None:
        finish(cls)
        super(cls, below).__init_subclass__(**words)  # type: ignore[arg-type]  # mypy takes cls for a variable

    return {
        "__init__": make,
        "__setstate__": set_state,
        "__init_subclass__": classmethod(derive),
        "__attrs_attrs__": _Asked(cls, "__attrs_attrs__"),
        "__signature__": _Asked(cls, "__signature__"),
    }


class _Asked:
    """An attribute of a class that attrs has not finished."""

    def __init__(self, cls: type, name: str) -> None:
        self.cls, self.name = cls, name

    def __get__(self, _value: object, _owner: type) -> object:
        finish(self.cls)
        return getattr(self.cls, self.name)  # there is no __signature__: inspect then looks at the finished class


# ------------------------------------------------------------------------------------------------------- written once


def _equal(self: attrs.AttrsInstance, other: object) -> object:
    """Say whether another value is of the same class and equal field by field."""
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: attrs.AttrsInstance) -> int:
    """Go by what equality goes by."""
    return hash((self.__class__, _compared(self)))


def _text(self: attrs.AttrsInstance) -> str:
    """Write the value as the call that would make it, less the fields that are not to be shown."""
    name = self.__class__.__qualname__.rsplit(">.", 1)[-1]
    return f"{name}({', '.join(_field_text(self, a) for a in attrs.fields(self.__class__) if a.repr)})"


def _field_text(self: attrs.AttrsInstance, a: attrs.Attribute[object]) -> str:
    value = getattr(self, a.name)
    return f"{a.name}={a.repr(value) if callable(a.repr) else repr(value)}"


def _compared(self: attrs.AttrsInstance) -> tuple[object, ...]:
    return tuple(getattr(self, a.name) for a in attrs.fields(self.__class__) if a.eq)


_METHODS = {"__eq__": _equal, "__hash__": _hash, "__repr__": _text}
