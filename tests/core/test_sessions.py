"""Whose session is whose, and whether an agent lives: by proof, with every neighbour that bears the same name."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from polecat.core.sessions import (
    SessionIdentity,
    index_sessions,
    judge_liveness,
    may_be_ended,
    parse_session_name,
    polecat_of_session,
    proved_name,
)
from polecat.errors import InvalidNameError
from polecat.model import GasTown, Rig
from polecat.names import session_name
from polecat.ports import Session

RIG = Rig(name="gas", path=Path("/t/gas"), siblings=("gas-works",))
SAYS = {"GT_ROLE": "polecat", "GT_RIG": "gas", "GT_POLECAT": "nux", "GT_ROOT": "/t"}
NUX = Session(id="$1", name="gt-gas-nux", environment=SAYS)

NEIGHBOURS = {
    "a person's own session": {},
    "a restored session": {"POLECAT_ID": "i1"},
    "another rig": {**SAYS, "GT_RIG": "oil"},
    "another town": {**SAYS, "GT_ROOT": "/other"},
    "another polecat's": {**SAYS, "GT_POLECAT": "ace"},
    "the witness": {**SAYS, "GT_ROLE": "gas/witness"},
    "crew": {**SAYS, "GT_CREW": "max"},
    "half an identity": {"GT_ROLE": "polecat", "GT_RIG": "gas"},
    "no town": {key: value for key, value in SAYS.items() if key != "GT_ROOT"},
}


def test_a_session_that_proves_to_be_the_rigs_polecat() -> None:
    """Role, rig, polecat and town in its own environment; the role in either of the two forms."""
    index = index_sessions([NUX], RIG)

    assert index.own == {"nux": NUX} and not index.unproved
    assert index.of("nux", "") == NUX and not index.is_taken("gas", "nux")
    assert proved_name(evolve(NUX, environment={**SAYS, "GT_ROLE": "gas/polecats/nux"}), RIG) == "nux"


def test_where_it_was_started_proves_the_town() -> None:
    """A session without GT_ROOT is of the town below which its pane was started; a longer name is no directory below."""
    env = NEIGHBOURS["no town"]

    assert proved_name(evolve(NUX, environment=env, started_in="/t/gas/polecats/nux/gas"), RIG) == "nux"
    assert proved_name(evolve(NUX, environment=env, started_in="/t2/gas"), RIG) is None


@pytest.mark.parametrize("env", NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_a_neighbour_of_that_name_is_never_ours(env: dict[str, str]) -> None:
    """It keeps its name, is nobody's agent, and may not be ended (T-24, T-45)."""
    neighbour = Session(id="$9", name="gt-gas-nux", environment=env)
    index = index_sessions([neighbour], RIG)

    assert index.own.get("nux") is None and index.of("nux", "") is None
    assert index.is_taken("gas", "nux")
    assert not may_be_ended(neighbour, index, "nux")


def test_a_stamp_finds_a_session_whatever_it_is_called() -> None:
    """A person may rename a session; the stamp of another instance is not ours (T-28)."""
    stamped = Session(id="$2", name="favourite", instance="i1")
    index = index_sessions([stamped], RIG)

    assert index.of("nux", "i1") == stamped
    assert index.of("nux", "i2") is None


def test_a_second_view_is_no_orphan() -> None:
    """A session of which another one shows a pane is not ended: a person looks at it."""
    view = evolve(NUX, is_shared=True)

    assert not may_be_ended(view, index_sessions([view], RIG), "nux")
    assert may_be_ended(NUX, index_sessions([NUX], RIG), "nux")


def test_a_rig_with_a_longer_name_keeps_its_sessions() -> None:
    """``gt-gas-works-nux`` is of the rig ``gas-works``, not the polecat ``works-nux`` of ``gas``."""
    index = index_sessions([Session(id="$1", name="gt-gas-works-nux")], RIG)

    assert not index.own and not index.unproved


@given(st.dictionaries(st.sampled_from([*SAYS, "GT_CREW"]), st.sampled_from(["", "polecat", "gas", "nux", "/t", "/other", "x"])))
def test_nothing_but_the_whole_proof_makes_a_session_ours(env: dict[str, str]) -> None:
    """Whatever an environment holds: ours means that role, rig, polecat and town are all said, and say so."""
    session = Session(id="$1", name="gt-gas-nux", environment=env, started_in="/elsewhere")
    name = proved_name(session, RIG)

    assert (name is not None) == (
        env.get("GT_ROLE") == "polecat"
        and env.get("GT_RIG") == "gas"
        and env.get("GT_POLECAT") in ("nux", "gas", "x")
        and not env.get("GT_CREW")
        and env.get("GT_ROOT") == "/t"
    )


@pytest.mark.parametrize(
    ("pane", "process", "expected"),
    [
        ("running", "unknown", "alive"),
        ("absent", "running", "alive"),
        ("unknown", "running", "alive"),
        ("unknown", "absent", "unknown"),
        ("absent", "unknown", "unknown"),
        ("ended", "absent", "dead"),
        ("absent", "absent", "dead"),
    ],
)
def test_only_both_together_prove_an_end(pane: str, process: str, expected: str) -> None:
    """One of the two that runs is life; one that cannot be asked is unknown."""
    assert judge_liveness(pane=pane, process=process) == expected  # type: ignore[arg-type]  # from the table above


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
def test_whose_name_a_session_bears(name: str, whose: str | None) -> None:
    """Only a whole, exact name is that of a polecat's session; roles, crew, other rigs and longer rig names are not (T-44, T-46)."""
    sessions = index_sessions([Session(id="$1", name=name)], evolve(RIG, siblings=("gas-town", "other")))
    assert list(sessions.unproved) == ([] if whose is None else [whose])


def test_a_name_is_taken_by_any_session_that_is_not_ours() -> None:
    """A session of the name that proves nothing, or that another rig of the town reads as its own, takes it."""
    rig = evolve(RIG, siblings=("gas-town",))
    sessions = [
        NUX,
        Session(id="$2", name="gt-gas-ace", environment={"GT_RIG": "other"}),
        Session(id="$3", name="gt-gas-town-slit"),
    ]
    index = index_sessions(sessions, rig)

    assert [index.is_taken("gas", name) for name in ("nux", "ace", "town-slit", "toast")] == [False, True, True, False]


def test_a_session_is_found_by_stamp_then_by_its_own_proof() -> None:
    """The stamp beats everything; without one that somebody bears, only a session that proves to be this polecat's counts."""
    renamed, bare = Session(id="$2", name="mine", instance="i1"), Session(id="$3", name="gt-gas-ace")
    index = index_sessions([renamed, NUX, bare], RIG)

    assert [index.of("nux", instance) for instance in ("i1", "i9", "")] == [renamed, NUX, NUX]
    assert index.of("ace", "i9") is None


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


TODAY = evolve(RIG, gastown=GasTown(era="today", server="t-599c83", session_prefix="ga"))


def test_sessions_of_todays_gas_town_are_known_by_their_form() -> None:
    """``<prefix>-<name>`` is a polecat's, those of other roles are not; what is proved is ours whatever its name."""
    theirs = Session(id="$1", name="ga-nux", environment={**SAYS, "GT_ROLE": "gas/polecats/nux"})
    strangers = [
        Session(id=f"${at}", name=name)
        for at, name in enumerate(("ga-slit", "ga-witness", "ga-refinery", "ga-crew-max", "gt-gas-ace", "hq-mayor"), 2)
    ]
    index = index_sessions([theirs, *strangers], TODAY)

    assert index.own == {"nux": theirs}
    assert list(index.unproved) == ["slit"]
    assert [index.is_taken("gas", name) for name in ("nux", "slit", "ace")] == [False, True, False]


def test_a_session_of_the_older_form_is_not_in_the_way_of_the_new_one() -> None:
    """An orphan that bears the older name leaves the name free; a foreign session of the new one does not."""
    index = index_sessions([NUX, Session(id="$2", name="ga-nux")], TODAY)

    assert index.own == {"nux": NUX} and index.is_taken("gas", "nux")
