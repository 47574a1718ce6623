"""Tables: aligned whatever they hold, as wide as the terminal and no wider, with the state of every polecat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polecat.model import Polecat, PolecatState, WorkStatus
from polecat.verbs.listing import STATE_COLOURS, rows
from polecat.verbs.tables import cut, plain, table, width_of


def cat(name: str, state: PolecatState, *, is_running: bool | None = True) -> Polecat:
    begun = datetime.now(UTC) - timedelta(hours=2)
    return Polecat(
        name=name, rig_name="gastown", state=state, clone_path=Path("/x"), branch=f"polecat/{name}-mk7hjuv4", issue=None,
        session_name=f"gt-gastown-{name}", is_running=is_running, work=WorkStatus(modified=3) if is_running else None,
        created_at=begun, active_at=datetime.now(UTC) - timedelta(seconds=10),
    )  # fmt: skip


def test_columns_are_aligned_for_every_state() -> None:
    """Each state has its row, its colour, and its columns where the heading has them."""
    cats = [cat(f"cat{number}" * (number + 1), state) for number, state in enumerate(PolecatState)]
    head, *body = table(rows(cats, with_rig=True)).splitlines()
    for line, one in zip(body, cats, strict=True):
        assert line[head.index("STATE") :].startswith(one.state.value)
        assert line[head.index("BRANCH") :].startswith(one.branch)
        assert line[head.index("WORK") :].startswith("3 uncommitted change(s)")
        assert line[head.index("SESSION") :] == "2 h, active 10 s ago"
    assert set(STATE_COLOURS) == set(PolecatState)


def test_what_could_not_be_told_is_unknown() -> None:
    """Neither a session nor work that could not be looked at is shown as none."""
    [row] = rows([cat("nux", PolecatState.UNKNOWN, is_running=None)], with_rig=False)[1:]
    assert row[1] == row[4] == row[5] == "unknown"


def test_many_polecats_are_many_rows() -> None:
    """A thousand polecats are a thousand lines."""
    cats = [cat(f"nux-{number}", PolecatState.WORKING) for number in range(1000)]
    assert len(table(rows(cats, with_rig=False), width=80).splitlines()) == 1001


@pytest.mark.parametrize("width", [200, 100, 80, 60])
def test_a_table_fits_the_terminal(width: int) -> None:
    """On a narrow terminal the widest columns give way, with a mark; on a wide one nothing is cut."""
    text = table(rows([cat("furiosa", PolecatState.WORKING)], with_rig=True), width=width, whole=2)
    assert all(width_of(line) <= width for line in text.splitlines())
    assert ("…" in text) == (width < 104)
    assert "working" in text


def test_a_terminal_too_narrow_for_anything() -> None:
    """Below what the columns need at least, lines are longer than the terminal rather than empty."""
    text = table(rows([cat("furiosa", PolecatState.WORKING)], with_rig=False), width=10, whole=2)
    assert text.splitlines()[1].startswith("furiosa  working  polec…")


def test_wide_characters_take_two_columns() -> None:
    """A name in a wide script keeps the next column where it belongs."""
    lines = table([("NAME", "STATE"), ("猫", "done"), ("nux", "done")]).splitlines()
    assert [width_of(line.partition("done")[0]) for line in lines[1:]] == [6, 6]


def test_colour_is_no_width() -> None:
    """A cell in colour takes as much room as one without; none is given where stdout is no terminal."""
    assert table([("A", "B"), ("x", "y")], colours=[("red", "")]) == "A  B\nx  y"


@given(st.text(), st.integers(1, 30))
def test_no_text_escapes_its_cell(text: str, width: int) -> None:
    """Whatever a cell holds, it stays on its line, moves no cursor, and is cut to its width."""
    shown = plain(text)
    assert len(shown.splitlines()) <= 1 and "\x1b" not in shown
    shown.encode("utf-8")
    assert width_of(cut(shown, width)) <= width
