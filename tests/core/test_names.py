"""Names: what is legal, and that what we write we read again."""

from __future__ import annotations

import pytest

from polecat.core.sessions import parse_session_name
from polecat.errors import InvalidNameError
from polecat.names import (
    MAX_NAME_LENGTH,
    RESERVED_NAMES,
    agent_bead_id,
    agent_id,
    assignees,
    base36,
    branch_name,
    check_bead_id,
    check_env_key,
    check_new_rig_name,
    check_polecat_name,
    check_prefix,
    could_be_rig,
    derive_prefix,
    nearest,
)

HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc",
    "-x",
    "--force",
    "_x",
    "a.b",
    "a:b",
    "a b",
    "a\n",
    "a\0b",
    "$(id)",
    "`id`",
    "#{pid}",
    "a;b",
    "a'b",
    "ü",
    "ａ",
    "x" * 300,
    "nux.lock",
    "nux@{0}",
    "~nux",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_polecat_names_are_refused(name: str) -> None:
    """T-45: what git, tmux, the disk or a shell would misread is no name."""
    with pytest.raises(InvalidNameError):
        check_polecat_name(name)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_role_names_are_refused(name: str) -> None:
    """T-45: a polecat never has the name of a role, in any case."""
    for form in (name, name.upper(), name.title()):
        with pytest.raises(InvalidNameError, match="role"):
            check_polecat_name(form)


@pytest.mark.parametrize("name", ["nux", "Nux", "bullet-farmer", "gas-51", "a", "9", "a_b", "x" * MAX_NAME_LENGTH])
def test_plain_names_pass_unchanged(name: str) -> None:
    """A legal name comes back as it was."""
    assert check_polecat_name(name) == name


def test_an_overlong_name_is_not_repeated_in_full() -> None:
    """A message about 300 characters stays readable."""
    with pytest.raises(InvalidNameError) as caught:
        check_polecat_name("x" * 5000)

    assert len(str(caught.value)) < 200
    assert caught.value.name == "x" * 5000


@pytest.mark.parametrize("name", ["my-rig", "my.rig", "my rig"])
def test_new_rigs_have_no_hyphen(name: str) -> None:
    """T-46: hyphens in a rig's name make session names ambiguous; the message proposes another one."""
    with pytest.raises(InvalidNameError, match="contains invalid characters") as caught:
        check_new_rig_name(name)

    assert "my_rig" in caught.value.hint


@pytest.mark.parametrize("name", ["mayor", "Deacon", "crew", "settings", "logs", "hq", "", "../x", "a/b", "x" * 65])
def test_new_rigs_are_no_roles_and_no_town_directories(name: str) -> None:
    """T-45: a rig stands beside the town's own directories, so it may not take their names."""
    with pytest.raises(InvalidNameError):
        check_new_rig_name(name)


@pytest.mark.parametrize("prefix", ["g", "gt"])
def test_prefixes_that_begin_alike_give_different_beads(prefix: str) -> None:
    """T-46: ids of prefixes `g` and `gt` do not meet, and are the same in every run."""
    other = {"g": "gt", "gt": "g"}[prefix]

    assert agent_bead_id(prefix, "a", "nux") == f"{prefix}-a-polecat-nux"
    assert agent_bead_id(prefix, "a", "nux") != agent_bead_id(other, "a", "nux")


def test_one_spelling_of_the_assignee() -> None:
    """T-46: a polecat is written in one way, and read in both."""
    assert assignees("a", "nux")[0] == agent_id("a", "nux") == parse_session_name("gt-a-nux").address
    assert assignees("a", "nux")[1] == "a/nux"


@pytest.mark.parametrize("bead", ["", "-x", "--force", "a b", "a/b", "a\n", "x" * 129, "gt:1", "é-1"])
def test_bead_ids_are_no_flags_and_no_paths(bead: str) -> None:
    """T-45: a bead id that a program could take for a flag or a path is refused."""
    with pytest.raises(InvalidNameError):
        check_bead_id(bead)


@pytest.mark.parametrize("bead", ["gt-abc12", "gt-abc12.1", "hq-x", "a_b"])
def test_bead_ids_pass(bead: str) -> None:
    """A plain id comes back as it was."""
    assert check_bead_id(bead) == bead


@pytest.mark.parametrize("prefix", ["", "-", "1a", "a_b", "a b", "x" * 21, "gt--\n"])
def test_bad_prefixes_are_refused(prefix: str) -> None:
    """A prefix is a letter, then letters, digits and hyphens."""
    with pytest.raises(InvalidNameError, match="invalid beads prefix"):
        check_prefix(prefix)


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A=B", "A B", "É"])
def test_bad_variable_names_are_refused(key: str) -> None:
    """A variable that some shell cannot carry is refused."""
    with pytest.raises(InvalidNameError):
        check_env_key(key)


@pytest.mark.parametrize(
    ("rig", "prefix"),
    [("greenfield", "gf"), ("portal", "po"), ("town", "to"), ("a-b-c", "abc"), ("My_Rig", "mr"), ("tool-go", "to"), ("x", "x")],
)
def test_prefixes_are_derived(rig: str, prefix: str) -> None:
    """The prefix of a rig comes from the parts of its name."""
    assert derive_prefix(rig) == prefix


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (35, "z"), (36, "10"), (1768000000000, "mk7hjuv4")])
def test_base36(number: int, text: str) -> None:
    """Numbers are written in lower case base 36, which Python reads again."""
    assert base36(number) == text
    assert int(text, 36) == number


def test_every_millisecond_has_its_branch() -> None:
    """Two spawns of one name a millisecond apart have two branches."""
    assert branch_name("nux", 1768000000000) != branch_name("nux", 1768000000001)


@pytest.mark.parametrize("target", ["", "a/b", "mayor", "MAY", "dea", "crew", "Wit", "ref", "refinery"])
def test_targets_that_can_be_no_rig(target: str) -> None:
    """Paths, roles and their short forms are never rigs."""
    assert not could_be_rig(target)


@pytest.mark.parametrize("name", ["plugins", "witness", "may", "wit", "refinery", "dog", "boot", "pool", "PLUGINS"])
def test_new_rigs_are_no_roles_and_no_town_directories_either(name: str) -> None:
    """T-45: the short forms of roles, other roles and the rest of the town's directories are refused too, in any case."""
    with pytest.raises(InvalidNameError, match="role or of a town directory"):
        check_new_rig_name(name)


@pytest.mark.parametrize("name", ["Xray", "my_rig", "XX"])
def test_plain_rig_names_pass(name: str) -> None:
    """A name without a hyphen, dot or space comes back as it was."""
    assert check_new_rig_name(name) == name


def test_the_longest_names_pass() -> None:
    """Bead ids may have 128 characters; a prefix 20, besides its trailing hyphen, which goes."""
    assert check_bead_id("x" * 128) == "x" * 128
    assert check_prefix("x" * 20 + "-") == "x" * 20
    assert check_prefix("a-b") == "a-b"


@pytest.mark.parametrize(
    ("rig", "prefix"),
    [
        ("gastown", "gt"), ("Smallville", "sv"), ("airport", "ap"), ("fireplace", "fp"), ("woodland", "wl"), ("greenfield", "gf"),
        ("driftwood", "dw"), ("oxbridge", "ox"), ("bedford", "bf"), ("ford", "fo"), ("abc", "abc"), ("abcd", "ab"), ("tool-py", "to"),
        ("tool-go", "to"), ("go-tool", "gt"), ("py-tool", "pt"), ("-py-x", "px"),
    ],
)  # fmt: skip
def test_prefixes_are_derived_from_every_ending(rig: str, prefix: str) -> None:
    """The endings that count as a word of their own, and the short names that are kept whole."""
    assert derive_prefix(rig) == prefix


def test_the_nearest_word() -> None:
    """The likeliest one of several, none that is too far, and nothing out of nothing."""
    assert nearest("gastwon", ["gastly", "gastown", "beads"]) == "gastown"
    assert nearest("abcdefghij", ["abcdexxxxx"]) is None
    assert nearest("x", []) is None


def test_an_empty_target_is_no_rig() -> None:
    """Nothing is no rig; an odd case of a rig's own name is still one."""
    assert not could_be_rig("")
    assert could_be_rig("GasTown")
