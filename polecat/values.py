"""`frozen`: attrs' decorator for values, with equality, hash and text written once instead of once a class.

attrs writes and compiles those three methods for every class while its module is imported. For the hundred values here that was a third
of the time in which the command starts. ``__init__``, which is what makes a value, stays attrs' own.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in polecat/__init__.py

if TYPE_CHECKING:
    from attrs import frozen as frozen  # what type checkers see: nothing new  # noqa: PLC0414
else:
    import attrs

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
        made = attrs.frozen(cls, eq=False, repr=False, slots=False, **how)  # slots would make every class twice
        for name, method in _METHODS.items():
            if name not in cls.__dict__:
                setattr(made, name, method)
        return made

    def _equal(self: object, other: object) -> bool:
        """Say whether another value is of the same class and equal field by field."""
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _compared(self) == _compared(other)

    def _hash(self: object) -> int:
        """Go by what equality goes by."""
        return hash((self.__class__, _compared(self)))

    def _text(self: object) -> str:
        """Write the value as the call that would make it, less the fields that are not to be shown."""
        name = self.__class__.__qualname__.rsplit(">.", 1)[-1]
        return f"{name}({', '.join(_field_text(self, a) for a in attrs.fields(self.__class__) if a.repr)})"

    def _field_text(self: object, a: attrs.Attribute) -> str:
        value = getattr(self, a.name)
        return f"{a.name}={a.repr(value) if callable(a.repr) else repr(value)}"

    def _compared(self: object) -> tuple[object, ...]:
        return tuple(getattr(self, a.name) for a in attrs.fields(self.__class__) if a.eq)

    _METHODS = {"__eq__": _equal, "__hash__": _hash, "__repr__": _text}

__all__ = ["frozen"]
