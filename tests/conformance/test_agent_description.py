"""Agent fields ⇄ description text, as the reference writes and reads them."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polecat.core.agent_description import FIELD_NAMES, format_description, parse_description, replace_fields
from polecat.ports import AgentFields

_VECTORS = Path(__file__).parent / "vectors"


def _cases(name: str) -> list[dict[str, object]]:
    cases: list[dict[str, object]] = json.loads((_VECTORS / name).read_text("utf-8"))["cases"]
    return cases


def _fields(case: dict[str, object]) -> AgentFields:
    values = case["fields"]
    assert isinstance(values, dict)
    return AgentFields(**values)


@pytest.mark.parametrize("case", _cases("agent_description_format.json"))
def test_format(case: dict[str, object]) -> None:
    """The text is the reference's, byte for byte, and reads back as the same fields."""
    text = format_description(str(case["title"]), _fields(case))
    assert text == case["description"]
    assert parse_description(text) == _fields(case)


@pytest.mark.parametrize("case", _cases("agent_description_parse.json"))
def test_parse(case: dict[str, object]) -> None:
    """A text is read as the reference reads it."""
    assert parse_description(str(case["description"])) == _fields(case)


_VALUES = st.text("aB:- _é✓#'\"$", max_size=12).map(str.strip)
_WORDS = _VALUES.filter(lambda text: text != "null")


@settings(max_examples=60, deadline=None)
@given(
    title=_VALUES,
    before=st.builds(AgentFields, **dict.fromkeys(FIELD_NAMES, _WORDS)),
    changes=st.dictionaries(st.sampled_from(FIELD_NAMES), _WORDS),
)
def test_replacing_is_formatting_anew(title: str, before: AgentFields, changes: dict[str, str]) -> None:
    """Changing fields in a text gives the text of the changed fields."""
    text = replace_fields(format_description(title, before), changes)
    assert text == format_description(title, attrs.evolve(before, **changes))


def test_foreign_lines_survive() -> None:
    """Lines of later versions of the reference stay where they are; a second line of a changed field cannot win."""
    text = "title\n\nrig: a\nmode: ralph\nhook_bead: gt-1\nprose without a colon\nhook_bead: gt-2"
    changed = replace_fields(text, {"hook_bead": "", "active_mr": "mr-1"})
    assert changed == "title\n\nrig: a\nmode: ralph\nhook_bead: null\nprose without a colon\nhook_bead: null\nactive_mr: mr-1"
    assert parse_description(changed).hook_bead == ""


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_line_breaks_are_refused(bad: str) -> None:
    """A value that would become a line of its own is refused (T-47)."""
    with pytest.raises(ValueError, match="one line"):
        format_description("t", AgentFields(active_mr=bad))
    with pytest.raises(ValueError, match="one line"):
        replace_fields("t", {"active_mr": bad})
