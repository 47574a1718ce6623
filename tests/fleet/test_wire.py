"""Questions and answers as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polecat
from polecat import PolecatError, PolecatState, SpawnFailedError, SpawnOptions, Timings, WorkAtRiskError, WorkStatus
from polecat.core.risk import Risk, Verdict
from polecat.fleet import HostUnknownError, Load, WireError
from polecat.fleet.wire import _ERRORS, _VALUES, pack, unpack
from polecat.lifecycle.remove import Removed
from polecat.lifecycle.talk import AttachCommand

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)

EXAMPLES: Mapping[str, object] = {
    "AttachCommand": AttachCommand(argv=("tmux", "attach"), environ={"A": "b"}, session_name="gt-a-b"),
    "FetchPolicy": polecat.FetchPolicy(when="if-older-than", max_age_s=3.5),
    "Delivery": polecat.Delivery(outcome="refused", asks="trust"),
    "Ended": polecat.Ended(reason="exit", status=3, at=NOW),
    "Load": Load(polecats=1, max_polecats=2, keys={"!": "nux", "k": "slit"}),
    "Polecat": polecat.Polecat(
        name="nux", rig_name="gas", state=PolecatState.DONE, clone_path=Path("/x"), work=WorkStatus(modified=1), created_at=NOW, key="k"
    ),
    "PolecatState": PolecatState.STALLED,
    "Reconciliation": polecat.Reconciliation(in_use=frozenset({"a", "b"}), orphans=("c",), kept=("d: why",)),
    "Removed": Removed(
        rig_name="gas", polecat_name="nux", kept=Path("/k"),
        verdict=Verdict(risks=(Risk(code="stash", text="1 stash", lifted_by="force"),)),
    ),
    "Risk": Risk(code="unpushed", text="2", lifted_by="nothing"),
    "SpawnOptions": SpawnOptions(hook_bead="gt-1", env={"TOKEN": "s'e c\n"}, fetch=polecat.FetchPolicy(), prompt="\ud800é"),
    "SpawnedPolecat": polecat.SpawnedPolecat(
        rig_name="gas", polecat_name="nux", clone_path=Path("/x"), session_name="s", pane="%1", branch="b", base_commit="c",
        warnings=("w",), timings=Timings(steps=(("claim", 0.1),), total_s=1.0),
    ),
    "Timings": Timings(steps=(("claim", 0.1),)),
    "Verdict": Verdict(),
    "WorkStatus": WorkStatus(has_uncommitted=True),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(_VALUES))
def test_values_come_back_equal(name: str) -> None:
    """Each value that the table names arrives as it was sent, in whatever it is wrapped."""
    value = EXAMPLES[name]

    assert unpack(pack(answer=value))["answer"] == value
    assert unpack(pack(answer=[(value, {"k": value})]))["answer"] == [(value, {"k": value})]
    assert type(unpack(pack(answer=value))["answer"]) is _VALUES[name]


@pytest.mark.parametrize("name", sorted(_ERRORS))
def test_errors_keep_class_words_and_facts(name: str) -> None:
    """Each error of the tree arrives as its class, with message, hint, notes, facts and the chain of its causes."""
    cls = _ERRORS[name]
    error: PolecatError = cls.__new__(cls, "what")
    Exception.__init__(error, "what went wrong")
    error.__dict__.update(hint="what next", reasons=("stash",), path=Path("/p"), known=("a", "b"))
    error.add_note("a note")
    error.__cause__ = WorkAtRiskError("below", reasons=["unpushed"])
    error.__cause__.__cause__ = OSError(28, "No space left on device")

    again = unpack(pack(error=error))["error"]

    cause = cast("Any", again.__cause__)
    assert type(again) is cls
    assert (again.message, again.hint, again.__notes__) == ("what went wrong", "what next", ["a note"])
    assert vars(again) == vars(error)
    assert (type(cause), cause.reasons) == (WorkAtRiskError, ("unpushed",))
    assert cause.__cause__.message == "OSError: [Errno 28] No space left on device"


def _inside(hint: object) -> set[type]:
    return {hint} if isinstance(hint, type) else set().union(*map(_inside, get_args(hint)))


def test_the_table_is_complete() -> None:
    """Whatever kind of value stands in a field of one that travels, travels too."""
    plain = {str, int, float, bool, type(None), Path, datetime, tuple, frozenset, Mapping}
    inside = {
        kind
        for cls in _VALUES.values()
        if attrs.has(cls)
        for field in attrs.fields(attrs.resolve_types(cls))
        for kind in _inside(field.type)
    }

    assert inside - plain <= set(_VALUES.values())


def test_an_error_that_is_none_of_ours_arrives_as_its_words() -> None:
    """A mistake in the code of the other side is an error of the tree's root, with its class in the text."""
    again = unpack(pack(error=KeyError("boom")))["error"]

    assert (type(again), again.message, again.hint) == (PolecatError, "KeyError: 'boom'", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


@given(JSON)
def test_plain_data_comes_back_equal(value: object) -> None:
    """Whatever is made of texts, numbers, lists, tuples and mappings arrives as it was, also a mapping that looks like ours."""
    assert unpack(pack(answer=value))["answer"] == value


@given(JSON, st.booleans())
def test_text_of_a_stranger_makes_nothing_or_an_error(value: object, is_tagged: bool) -> None:
    """Text that nobody of ours wrote is plain data or one clear error."""
    text = json.dumps({"fleet": 1, "polecat": "9", "answer": {"!": value, "of": value} if is_tagged else value})
    with suppress(WireError):
        unpack(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fleet": 2}, "writes format 2; there is polecat 9.9, here polecat"),
        ({"answer": {"!": "Teleported", "of": {}}}, "'Teleported' is not known here; there is polecat 9.9, here polecat"),
        ({"answer": {"!": "Timings", "of": {"total_s": 1, "mood": "good"}}}, "Timings has no mood here; there is polecat 9.9"),
        (
            {"error": {"!": "error", "kind": "MoodError", "text": "", "state": {}, "notes": [], "cause": None}},
            "'MoodError' is not known",
        ),
        ({"answer": {"!": "Polecat", "of": {}}}, "cannot be read"),
        ({"answer": {"!": "PolecatState", "of": "asleep"}}, "'asleep' is not a valid PolecatState"),
    ],
)
def test_another_version_is_told_from_garbage(change: dict[str, object], words: str) -> None:
    """A format, class, field or word that this version does not know is an error that names both versions."""
    with pytest.raises(WireError, match=words) as caught:
        unpack(json.dumps({**json.loads(pack()), "polecat": "9.9", **change}))
    assert polecat.__version__ in str(caught.value)
    assert "same version" in caught.value.hint


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", "null", '{"fleet": 1}', "[" * 100_000])
def test_what_is_no_answer_is_said_to_be_none(text: str) -> None:
    """A page of a proxy, a word of a shell, nothing at all: one clear error."""
    with pytest.raises(WireError, match="no text of polecat's fleet"):
        unpack(text)


def test_what_the_table_does_not_know_does_not_travel() -> None:
    """A rig would carry the asker's paths, an arbitrary object its code: both are refused where they are written."""
    for value in (polecat.Rig(name="gas", path=Path("/x")), object(), b"bytes"):
        with pytest.raises(TypeError, match="does not travel"):
            pack(answer=value)


def test_the_cause_of_what_a_host_told_is_there() -> None:
    """A failed spawn says why, on the other side too."""
    error = SpawnFailedError("it broke", step="hook", undone=["worktree"])
    error.__cause__ = HostUnknownError("below", host="alpha", was_sent=False, ticket="t")

    again = unpack(pack(error=error))["error"]

    assert attrs.asdict(Load(polecats=1, max_polecats=1))["keys"] == {}
    assert (again.step, again.undone, again.__cause__.host, again.__cause__.was_sent) == ("hook", ("worktree",), "alpha", False)
