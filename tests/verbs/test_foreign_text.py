"""What others have written is shown, never obeyed: not by the terminal, not by the shell into which a line is pasted."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polecat.cli import main
from polecat.names import shell_line
from polecat.testing import fake_world
from polecat.verbs.common import answer, json_text
from polecat.verbs.tables import paint, plain, plain_lines, table

OBEYED = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
ODD = st.text("ab é\n\t\x1b[2J\x07\x85\x9b\u2028\u202e\u2066\u200f\udcff$`'\"=;&|", max_size=20)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(cells=st.lists(st.tuples(ODD, ODD), min_size=1, max_size=4))
def test_a_table_has_a_line_for_each_row(cells: list[tuple[str, str]]) -> None:
    """No cell ends a line, moves the cursor, colours the screen or turns its neighbours round."""
    text = table([("A", "B"), *cells])

    assert text.count("\n") == len(cells)
    assert not re.search(OBEYED, text.replace("\n", ""))


@MANY
@given(text=ODD, is_json=st.booleans())
def test_results_hold_no_control_characters(text: str, is_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """As lines or as JSON: what is printed can be shown, and JSON still says the very same text."""
    facts = {
        "rig_name": "gas",
        "polecat_name": "nux",
        "session_name": text,
        "outcome": "taken",
        "asks": text,
        "presses": 1,
        "waited_s": 0.0,
        "has_ended": False,
    }

    answer(argparse.Namespace(json=is_json), "nudge", facts, text)

    out = capsys.readouterr().out
    assert not re.search(OBEYED.replace(r"\x00-\x09", r"\x00-\x08"), out)
    if is_json:
        assert json.loads(out)["session_name"] == text
        assert json.loads(json_text("nudge", facts, is_one_line=True)) == json.loads(out)


@MANY
@given(text=ODD)
def test_errors_hold_no_control_characters(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was typed, or stands in a file, the error that names it is plain lines."""
    for argv in (
        ["list", text],
        ["status", f"gastown/{text}"],
        [text],
        ["list", "--town", text],
        ["capture", "a/b", "--lines", text],
    ):
        main(argv)
        said = capsys.readouterr()
        assert not re.search(OBEYED, said.err + said.out), argv


def test_our_own_colours_stay() -> None:
    """What `paint` makes is left; what looks alike in somebody's text cannot be told from it and does no more."""
    assert plain_lines("\x1b[31mred\x1b[0m") == "\x1b[31mred\x1b[0m"
    assert plain_lines("\x1b[2J\x1b[8mhidden") == r"\x1b[2J\x1b[8mhidden"
    assert plain("\x1b[31m") == r"\x1b[31m"
    assert paint("x", "red") == "x"


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
@settings(max_examples=15, deadline=None)
@given(words=st.lists(st.text("ab $`'\"=~*?;&|<>(){}!#%\\-:@,.\n\u2028", max_size=8), min_size=1, max_size=4))
def test_a_printed_line_is_the_words(shell: str, words: list[str]) -> None:
    """A line that is copied gives the shell exactly these words, whatever stands in them."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    line = f"printf '%s\\0' {shell_line(*words)}"

    done = subprocess.run([shell, "-c", line], capture_output=True, timeout=20, check=True)

    assert done.stdout.decode().split("\0")[:-1] == words


def test_zsh_expands_no_program() -> None:
    """A word that begins with ``=`` is quoted, though other shells would not need it."""
    assert shell_line("tmux", "attach", "-t", "=gt-gas-nux") == "tmux attach -t '=gt-gas-nux'"
    assert shell_line("=it's") == "'=it'\"'\"'s'"


def test_names_that_are_completed_are_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory among the polecats with an odd name is not offered, and ends no line of its neighbours."""
    rig, _ = fake_world(tmp_path)
    for name in ("nux", "a\nb", "c\u2028d", "e\x1b[2J", "f\u202eg"):
        (rig.polecats_dir / name).mkdir()

    assert main(["complete", "polecats", "--town", str(rig.town_root)]) == 0

    assert capsys.readouterr().out == "gastown/nux\n"
