"""Values behave as attrs' own, though three of their methods are written once for all and the rest is put off."""

from __future__ import annotations

import copy
import importlib
import inspect
import linecache
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import attrs
import pytest

import polecat
from polecat import values
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


# ------------------------------------------------------------------------------------------------- what is put off


def test_asking_for_the_fields_is_enough() -> None:
    """Whoever asks attrs about a class of which no value was made gets what attrs says of its own."""
    ours, theirs = _made_by(frozen), _made_by(attrs.frozen)

    assert attrs.has(ours)
    assert [a.name for a in attrs.fields(ours)] == [a.name for a in attrs.fields(theirs)]
    assert inspect.signature(_made_by(frozen)) == inspect.signature(theirs)
    assert not hasattr(ours, "hidden"), "a default is no attribute of the class"


def test_a_class_derived_first() -> None:
    """A class that derives from one of which no value was made has its fields and cannot be changed either."""

    @attrs.frozen(kw_only=True)
    class Below(_made_by(frozen)):  # type: ignore[misc]
        more: int

    assert [a.name for a in attrs.fields(Below)][-1] == "more"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Below(plain=1, more=2).plain = 3  # type: ignore[call-arg]


def test_ours_below_ours() -> None:
    """A value that derives from a value is made with the fields of both."""

    @frozen(kw_only=True)
    class Below(_made_by(frozen)):  # type: ignore[misc]
        more: int

    assert repr(Below(plain=1, more=2)).endswith("secret=***, more=2)")  # type: ignore[call-arg]


def test_a_value_that_was_never_made_here() -> None:
    """A value that comes from another process by pickle is as frozen as one made here, and equal to it."""
    code = "import pickle, sys; sys.stdout.buffer.write(pickle.dumps(__import__('polecat').FetchPolicy(max_age_s=3.0)))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30).stdout
    look = """\
import pickle, sys
policy = pickle.load(sys.stdin.buffer)
try:
    policy.max_age_s = 4.0
except AttributeError:
    from polecat import FetchPolicy
    print(policy == FetchPolicy(max_age_s=3.0), policy)
"""
    done = subprocess.run([sys.executable, "-c", look], input=there, capture_output=True, check=True, timeout=30)

    assert done.stdout.decode().startswith("True FetchPolicy(")


def test_many_threads_make_the_first_value() -> None:
    """Threads that make the first values of a class at once all get whole ones."""
    for _ in range(30):
        cls = _made_by(frozen)
        start = threading.Barrier(8)

        def make(number: int, cls: type = cls, start: threading.Barrier = start) -> object:
            start.wait(timeout=10)
            return cls(plain=number)

        with ThreadPoolExecutor(max_workers=8) as pool:
            made = list(pool.map(make, range(8)))
        assert made == [cls(plain=number) for number in range(8)]


def test_wrong_words_are_refused_the_first_time_too() -> None:
    """The first call of a class says what is wrong as every other does."""
    cls = _made_by(frozen)

    for _ in range(2):
        with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required keyword-only argument: 'plain'"):
            cls()


def test_every_value_of_the_package_can_be_finished() -> None:
    """No class is put off that attrs would refuse in the end."""
    for module in pkgutil.walk_packages(polecat.__path__, "polecat."):
        if module.name not in ("polecat.__main__", "polecat.testing.plugin"):
            importlib.import_module(module.name)
    waiting = [cls for cls in values._PUT_OFF if cls.__module__.startswith("polecat.")]

    assert all(attrs.has(cls) for cls in waiting)
    assert not any(cls in values._PUT_OFF for cls in waiting)


def test_interrupted_while_it_is_finished() -> None:
    """A Ctrl-C while attrs is at work leaves a class that can be finished later: what was made must still be taken back."""
    interrupts = iter([KeyboardInterrupt])

    class Interrupting:
        @classmethod
        def __attrs_init_subclass__(cls) -> None:  # attrs calls it last, when everything is in place
            for interrupt in interrupts:
                raise interrupt

    @frozen(kw_only=True)
    class Sample(Interrupting):
        plain: int
        label: str = attrs.field(default="x", repr=False)

    with pytest.raises(KeyboardInterrupt):
        Sample(plain=1)
    assert repr(Sample(plain=1)).endswith("Sample(plain=1)")
    assert Sample(plain=1).label == "x"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Sample(plain=1).plain = 2  # type: ignore[misc]


def test_interrupted_when_it_is_almost_finished() -> None:
    """Wherever a Ctrl-C ends the finishing of a class, it can be derived from, copied and asked for its fields afterwards."""
    lines = 0
    while True:
        cls, seen = _made_by(frozen), 0

        def trace(frame: FrameType, event: str, _arg: object) -> Callable[..., Any] | None:
            nonlocal seen
            if frame.f_code.co_filename != values.__file__:
                return None
            seen += event == "line" and "with" not in linecache.getline(
                values.__file__, frame.f_lineno
            )  # no real one comes there
            if seen > lines:  # noqa: B023
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            values.finish(cls)
        except KeyboardInterrupt:
            interrupted = True
        else:
            interrupted = False
        finally:
            sys.settrace(before)
        below = attrs.frozen(type("Below", (cls,), {"__annotations__": {}}))
        assert [a.name for a in attrs.fields(below)] == [a.name for a in attrs.fields(_made_by(attrs.frozen))]
        assert copy.copy(cls(plain=1)) == cls(plain=1)
        assert str(inspect.signature(cls)) == str(inspect.signature(_made_by(attrs.frozen)))
        if not interrupted:
            break
        lines += 1
    assert lines > 8


def test_a_class_that_makes_its_values_itself() -> None:
    """An ``__init__`` of one's own counts, as it does for attrs."""

    @frozen
    class Own:
        plain: int

        def __init__(self, text: str) -> None:
            self.__attrs_init__(plain=len(text))  # type: ignore[attr-defined]

    four: Any = Own("four")  # type: ignore[arg-type]
    assert repr(four).endswith("Own(plain=4)")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        four.plain = 5


def test_what_stands_beside_a_value_hears_of_a_derived_class() -> None:
    """The first class that derives from a value and something else tells the other one too, with its keywords."""
    heard: list[object] = []

    class Registry:
        def __init_subclass__(cls, *, tag: int = 0) -> None:
            heard.append(tag)

    class Below(_made_by(frozen), Registry, tag=3):  # type: ignore[misc]
        pass

    assert heard == [3]
    assert repr(Below(plain=1)).endswith("secret=***)")
