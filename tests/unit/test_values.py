"""Values behave as attrs' own, though three of their methods are written once for all."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from polecat.values import frozen


def _made_by(decorator: Callable[..., Callable[[type], type]]) -> type:
    class Sample:
        plain: int
        _private: str = "p"
        hidden: int = attrs.field(default=1, repr=False)
        ignored: int = attrs.field(default=1, eq=False)
        secret: str = attrs.field(default="s", repr=lambda _: "***")

    return decorator(kw_only=True)(Sample)


SAMPLES = [
    {"plain": 1},
    {"plain": 2},
    {"plain": 1, "private": "q"},
    {"plain": 1, "hidden": 2},
    {"plain": 1, "ignored": 2},
    {"plain": 1, "secret": "t"},
]


@pytest.mark.parametrize("one", SAMPLES)
@pytest.mark.parametrize("other", SAMPLES)
def test_equal_exactly_where_attrs_says_so(one: dict[str, object], other: dict[str, object]) -> None:
    """Two values are equal, and then hash alike, exactly if attrs' own would be; text is the same, letter by letter."""
    ours, theirs = _made_by(frozen), _made_by(attrs.frozen)

    assert (ours(**one) == ours(**other)) == (theirs(**one) == theirs(**other))
    assert (len({ours(**one), ours(**other)}) == 1) == (theirs(**one) == theirs(**other))
    assert repr(ours(**one)) == repr(theirs(**one))


def test_a_value_equals_no_other_kind() -> None:
    """Another class with the same fields, and anything else, is something else."""
    assert _made_by(frozen)(plain=1) != _made_by(frozen)(plain=1)
    assert _made_by(frozen)(plain=1) != 1


def test_own_methods_stay() -> None:
    """What a class says itself about its text or equality counts."""

    @frozen(kw_only=True)
    class Loud:
        name: str

        def __repr__(self) -> str:
            return self.name.upper()

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Loud)

        def __hash__(self) -> int:
            return 1

    assert repr(Loud(name="x")) == "X"
    assert len({Loud(name="x"), Loud(name="y")}) == 1


def test_values_cannot_be_changed() -> None:
    """A value is what it is."""
    one = _made_by(frozen)(plain=1)

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.plain = 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.other = 2
