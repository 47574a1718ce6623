"""Whose a session is: by its name, by its environment, by its stamp."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat.core.sessions import SessionIdentity, SessionIndex, index_sessions, parse_session_name, polecat_of_session
from polecat.errors import InvalidNameError
from polecat.model import Rig
from polecat.names import session_name
from polecat.ports import Session

RIG = Rig(name="gas", path=Path("/t/gas"), siblings=("gas-town", "other"))


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("gt-gas-nux", "nux"),
        ("gt-gas-nux-2", "nux-2"),
        ("gt-gas-gas-51", "gas-51"),
        ("gt-gas-witness", None),
        ("gt-gas-refinery", None),
        ("gt-gas-crew-max", None),
        ("gt-other-nux", None),
        ("gt-gas-town-nux", None),
        ("gt-gas", None),
        ("gt-gas-", None),
        ("GT-gas-nux", None),
        ("hq-mayor", None),
        ("xgt-gas-nux", None),
        ("gt-gasoline-nux", None),
        ("mine", None),
    ],
)
def test_whose_session_it_is_by_its_name(name: str, whose: str | None) -> None:
    """Only a whole, exact name is a polecat's; roles, crew, other rigs and longer rig names are not (T-44, T-46)."""
    sessions = index_sessions([Session(id="$1", name=name)], RIG)
    assert list(sessions.own) == ([] if whose is None else [whose])


@pytest.mark.parametrize(
    ("environment", "is_own"),
    [
        ({}, True),
        ({"GT_ROLE": "polecat"}, True),
        ({"GT_ROLE": "gas/polecats/nux"}, True),
        ({"GT_ROLE": "polecat", "GT_RIG": "gas", "GT_POLECAT": "nux"}, True),
        ({"GT_ROLE": ""}, True),
        ({"GT_ROLE": "witness"}, False),
        ({"GT_ROLE": "mayor"}, False),
        ({"GT_ROLE": "other/polecats/nux"}, False),
        ({"GT_RIG": "other"}, False),
        ({"GT_POLECAT": "furiosa"}, False),
        ({"GT_ROLE": "polecat", "GT_CREW": "max"}, False),
    ],
)
def test_whose_session_it_is_by_what_it_says(environment: dict[str, str], is_own: bool) -> None:
    """A session whose own environment says it is something else is never ours to end, and its name is not free (T-24)."""
    sessions = index_sessions([Session(id="$1", name="gt-gas-nux", environment=environment)], RIG)
    assert ("nux" in sessions.own) is is_own


def test_a_renamed_session_is_found_by_its_stamp() -> None:
    """A session that a person renamed is still found by our instance id (T-28)."""
    sessions = index_sessions([Session(id="$1", name="favourite", instance="i1"), Session(id="$2", name="x")], RIG)
    assert set(sessions.by_instance) == {"i1"}
    assert sessions.by_instance["i1"].id == "$1"


def test_the_index_as_a_whole() -> None:
    """Sessions of others are passed over, not the end of the list; own, foreign and stamped ones are each told, all are named."""
    other = Session(id="$1", name="mine")
    nux = Session(id="$2", name="gt-gas-nux", instance="i2")
    ace = Session(id="$3", name="gt-gas-ace", environment={"GT_RIG": "other"})
    blank = Session(id="$4", name="gt-gas-slit", environment={"GT_ROLE": "", "GT_RIG": "", "GT_POLECAT": "", "GT_CREW": ""})

    assert index_sessions([other, nux, ace, blank], RIG) == SessionIndex(
        own={"nux": nux, "slit": blank},
        foreign=frozenset({"ace"}),
        by_instance={"i2": nux},
        names=frozenset({"mine", "gt-gas-nux", "gt-gas-ace", "gt-gas-slit"}),
    )


def test_a_name_is_taken_by_any_session_that_is_not_ours() -> None:
    """A session of the name that belongs to somebody else, or that another rig of the town reads as its own, takes it."""
    sessions = index_sessions(
        [
            Session(id="$1", name="gt-gas-nux"),
            Session(id="$2", name="gt-gas-ace", environment={"GT_RIG": "other"}),
            Session(id="$3", name="gt-gas-town-slit"),
        ],
        RIG,
    )

    assert [sessions.is_taken("gas", name) for name in ("nux", "ace", "town-slit", "toast")] == [False, True, True, False]


def test_a_session_is_found_by_stamp_then_by_name() -> None:
    """The stamp beats the name; without a stamp, or with one nobody bears, the name counts."""
    renamed, named = Session(id="$1", name="mine", instance="i1"), Session(id="$2", name="gt-gas-nux")
    sessions = index_sessions([renamed, named], RIG)

    assert [sessions.of("nux", instance) for instance in ("i1", "i9", "")] == [renamed, named, named]
    assert sessions.of("ace", "i9") is None


# ------------------------------------------------------------------------------------------------------- names alone

RIGS = ["a", "a-b", "a-b-c", "b", "crew"]
NAMES = ["nux", "b", "b-nux", "bullet-farmer", "a-51", "b-c-nux"]


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_session_belongs_to_one_rig_at_most(rig: str, name: str) -> None:
    """T-46: rigs `a`, `a-b` and `a-b-c`: no session is claimed by two of them, whatever the polecat is called."""
    session = session_name(rig, name)

    owners = [r for r in RIGS if polecat_of_session(session, r, other_rigs=[o for o in RIGS if o != r]) is not None]

    assert len(owners) <= 1


@pytest.mark.parametrize("rig", RIGS)
def test_plain_names_come_back_from_their_session(rig: str) -> None:
    """T-46: what we call a session we read out of it again."""
    others = [r for r in RIGS if r != rig]

    assert polecat_of_session(session_name(rig, "nux"), rig, other_rigs=others) == "nux"


@pytest.mark.parametrize(
    "session",
    ["gt-a-witness", "gt-a-refinery", "gt-a-crew-max", "gt-a-crew", "gt-a-", "gt-a", "gt-aa-nux", "hq-mayor", "gt-a-nux.1"],
)
def test_other_sessions_are_nobody(session: str) -> None:
    """T-46: sessions of other roles and other rigs are not taken for polecats of the rig."""
    assert polecat_of_session(session, "a") is None


def test_a_rig_knows_its_siblings_only_if_told() -> None:
    """Without the other rigs an ambiguous session is read by the rig that asks; with them by its owner."""
    assert polecat_of_session("gt-a-b-nux", "a") == "b-nux"
    assert polecat_of_session("gt-a-b-nux", "a", other_rigs=["a-b"]) is None
    assert Rig(name="a", path="/t/a", siblings=("a-b",)).siblings == ("a-b",)


@pytest.mark.parametrize(
    ("session", "who"),
    [
        ("hq-mayor", SessionIdentity(role="mayor")),
        ("hq-deacon", SessionIdentity(role="deacon")),
        ("gt-a-b-witness", SessionIdentity(role="witness", rig="a-b")),
        ("gt-a-refinery", SessionIdentity(role="refinery", rig="a")),
        ("gt-a-b-crew-max-2", SessionIdentity(role="crew", rig="a-b", name="max-2")),
        ("gt-crew-nux", SessionIdentity(role="polecat", rig="crew", name="nux")),
        ("gt-crew-a-nux", SessionIdentity(role="polecat", rig="crew-a", name="nux")),
        ("gt-a-crew", SessionIdentity(role="polecat", rig="a", name="crew")),
        ("gt-a-b-nux", SessionIdentity(role="polecat", rig="a-b", name="nux")),
        ("gt-a--nux", SessionIdentity(role="polecat", rig="a-", name="nux")),
    ],
)
def test_who_a_session_is_by_its_form(session: str, who: SessionIdentity) -> None:
    """Role, rig and name are read from the form alone; most forms are written back as they were."""
    assert parse_session_name(session) == who
    assert who.session == session


@pytest.mark.parametrize("session", ["mine", "hq-boot", "gt", "gt-a", "gt-a-", "gt--a", "gt--", "xgt-a-b", ""])
def test_what_is_no_session_of_a_town(session: str) -> None:
    """A session without a rig or without a last part is nobody's."""
    with pytest.raises(InvalidNameError):
        parse_session_name(session)


def test_only_longer_rig_names_own_a_session_before_us() -> None:
    """Of two rigs of which neither name is longer, the one that asks keeps the session."""
    assert polecat_of_session("gt-ab-nux", "ab", other_rigs=["ab", "cd"]) == "nux"
