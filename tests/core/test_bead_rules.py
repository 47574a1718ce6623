"""Who holds a bead, who may get it, and in which order held beads come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polecat import AgentFields, Bead, BeadClosedError, BeadsError, BeadTakenError
from polecat.core.agent_description import FIELD_NAMES, format_description, parse_description, replace_fields
from polecat.core.bead_rules import as_agent, check_can_be_given, fields_at_close, holds, in_order, spellings, status_when_let_go

NUX, ACE = "gas/polecats/nux", "gas/polecats/ace"


@pytest.mark.parametrize(
    ("assignee", "expected"),
    [
        ("gas/nux", (NUX, "gas/nux")),
        (NUX, (NUX, "gas/nux")),
        ("gas/witness", ("gas/witness",)),
        ("gas/refinery", ("gas/refinery",)),
        ("gas/crew", ("gas/crew",)),
        ("gas/polecats", ("gas/polecats",)),
        ("polecats/nux", ("polecats/nux",)),
        ("gas/crew/max", ("gas/crew/max",)),
        ("mayor", ("mayor",)),
        ("", ("",)),
    ],
)
def test_whom_a_spelling_means(assignee: str, expected: tuple[str, ...]) -> None:
    """A polecat has two spellings, ours first; a role or a person has one."""
    assert spellings(assignee) == expected


@pytest.mark.parametrize("holder", ["", NUX, "gas/nux", ACE, "mayor"])
@pytest.mark.parametrize("expected", [None, "", NUX, ACE])
def test_who_may_get_a_bead(holder: str, expected: str | None) -> None:
    """A bead goes to nux if nobody cares, if nux has it in either spelling, or if whoever was expected has it."""
    bead = Bead(id="gt-1", status="hooked", assignee=holder)
    is_nux = holder in (NUX, "gas/nux")
    if expected is None or is_nux or holder == expected:
        check_can_be_given(bead, NUX, expected)
    else:
        with pytest.raises(BeadTakenError) as caught:
            check_can_be_given(bead, NUX, expected)
        assert caught.value.holder == holder


@pytest.mark.parametrize("status", ["closed", "tombstone"])
def test_a_closed_bead_goes_to_nobody(status: str) -> None:
    """Not even to whom it belongs already."""
    with pytest.raises(BeadClosedError):
        check_can_be_given(Bead(id="gt-1", status=status, assignee=NUX), NUX, None)


def test_held_beads_in_order() -> None:
    """Hooked, in progress, open; by id within these; what is closed or blocked is not held."""
    statuses = ["closed", "open", "in_progress", "hooked", "blocked", "open", "hooked"]
    beads = [Bead(id=f"gt-{9 - at}", status=status) for at, status in enumerate(statuses)]

    assert [bead.id for bead in in_order(beads)] == ["gt-3", "gt-6", "gt-7", "gt-4", "gt-8"]


@pytest.mark.parametrize(
    ("status", "after"),
    [("hooked", "open"), ("in_progress", "open"), ("open", "open"), ("closed", "closed"), ("blocked", "blocked")],
)
def test_the_status_of_what_is_let_go(status: str, after: str) -> None:
    """Work goes back to open; what is closed or blocked stays so."""
    assert status_when_let_go(Bead(id="gt-1", status=status)) == after


def test_holding_is_told_in_either_spelling() -> None:
    """`gas/nux` is `gas/polecats/nux`, and nobody else."""
    bead = Bead(id="gt-1", assignee="gas/nux")

    assert [holds(bead, who) for who in (NUX, "gas/nux", ACE, "")] == [True, True, False, False]


def test_a_bead_read_as_an_agent() -> None:
    """Title, fields and whether it is open come from bead and description; work is refused."""
    fields = AgentFields(role_type="polecat", rig="gas", hook_bead="gt-1")
    bead = Bead(id="gt-a", title="t", labels=("x", "gt:agent"))

    agent = as_agent(bead, format_description("t", fields))
    closed = as_agent(Bead(id="gt-a", status="closed", labels=("gt:agent",)), "")

    assert (agent.id, agent.title, agent.fields, agent.is_open) == ("gt-a", "t", fields, True)
    assert (closed.fields, closed.is_open) == (AgentFields(), False)
    with pytest.raises(BeadsError):
        as_agent(Bead(id="gt-1"), "")


def test_what_the_end_of_a_life_changes() -> None:
    """Hook, merge request and clean-up status go; the state says closed."""
    assert fields_at_close() == {"agent_state": "closed", "hook_bead": "", "cleanup_status": "", "active_mr": ""}


def test_a_description_is_written_and_changed_line_by_line() -> None:
    """Empty fields are null but for the two that are blank; the first line is the title even if it looks like a field."""
    text = format_description("rig: the title", AgentFields(rig="gas"))

    assert text.split("\n") == [
        "rig: the title", "", "role_type: ", "rig: gas", "agent_state: ", "hook_bead: null", "role_bead: null",
        "cleanup_status: null", "active_mr: null", "notification_level: null",
    ]  # fmt: skip
    assert replace_fields(text, {"rig": "b", "agent_state": ""}).split("\n")[:5] == [
        "rig: the title", "", "role_type: ", "rig: b", "agent_state: ",
    ]  # fmt: skip
    assert replace_fields("t\nrig: a", {"rig": "b"}) == "t\nrig: b"
    assert replace_fields("rig: a", {"rig": "b"}) == "rig: a\nrig: b"
    assert replace_fields("", {"rig": "b"}) == "rig: b"
    assert replace_fields("t\nrig", {"rig": "b"}) == "t\nrig\nrig: b"
    assert replace_fields("t\nno field", {"rig": "b"}) == "t\nno field\nrig: b"


ODD = "ab: \x85\xa0\u1680\u2028\u2029\u3000\u202e\u2066\x0b\x0c\x1c\x1b"
VALUES = st.text(ODD, max_size=12).map(lambda text: text.strip(" \t")).filter(lambda text: text != "null")


@given(title=st.text(ODD, max_size=12), values=st.lists(VALUES, min_size=len(FIELD_NAMES), max_size=len(FIELD_NAMES)))
def test_fields_come_back_as_they_were_written(title: str, values: list[str]) -> None:
    """What only looks like a blank or a line end is part of a value; no value becomes another field, nor is cut."""
    said = dict(zip(FIELD_NAMES, values, strict=True))

    assert parse_description(format_description(title, AgentFields(**said))) == AgentFields(**said)
    assert parse_description(replace_fields(format_description(title, AgentFields()), said)) == AgentFields(**said)
