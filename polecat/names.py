"""Every name we invent, and what makes a name legal; `polecat.core.sessions` reads those of sessions. Pure: no clock, no disk, no environment.

A name must come back unchanged from git, tmux and the disk. tmux silently rewrites ``.`` and ``:``, reads a leading
``-`` as a flag and expands ``#{}``; the disk reads ``/`` and ``..``. So names are letters, digits, ``_`` and ``-``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from polecat.errors import InvalidNameError

RESERVED_NAMES = frozenset(
    ("mayor", "deacon", "witness", "refinery", "crew", "polecat", "polecats", "dog", "dogs", "boot", "rig", "pool")
)
"""Names of other roles and of directories: a polecat of such a name would be taken for the role, and killed for it. ``pool``: its lock
would be the pool's."""

MAX_NAME_LENGTH = 64
"""Room for `gt-<rig>-<name>` below tmux's and for `polecat/<name>-<stamp>.lock` below the disk's 255 bytes."""

_LEGAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_BARE = re.compile(r"(?!=)[\w@%+=:,./-]+", re.ASCII)
_BEAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_PREFIX = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,19}\Z")
_ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NOT_RIGS = frozenset(("mayor", "may", "deacon", "dea", "crew", "witness", "wit", "refinery", "ref"))
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def check_is_text(name: str) -> None:
    """Refuse what is no string with a `TypeError`, before it fails somewhere inside."""
    if not isinstance(name, str):
        raise TypeError(f"a name must be a string, not {name!r}")


def _why_illegal(name: str) -> str:
    check_is_text(name)
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"is {len(name)} characters long; at most {MAX_NAME_LENGTH} are allowed"
    if not _LEGAL.match(name):
        return "may only hold letters, digits, '_' and '-', and must start with a letter or digit"
    return ""


def check_polecat_name(name: str) -> str:
    """Return *name* if a polecat may have it.

    Args:
        name: the polecat's name, 1 to 64 characters.

    Returns:
        The name, unchanged.

    Raises:
        InvalidNameError: git, tmux or the disk would not keep it, or it is the name of another role.

    Examples:
        >>> check_polecat_name("bullet-farmer")
        'bullet-farmer'
        >>> check_polecat_name("a.b")
        Traceback (most recent call last):
        ...
        polecat.InvalidNameError: polecat name 'a.b' may only hold letters, digits, '_' and '-', and must start with a letter or digit

    Source:
        Design §6, deviation 1; contract §4.7.
    """
    if why := _why_illegal(name):
        raise InvalidNameError("polecat", name, why)
    if name.lower() in RESERVED_NAMES:
        raise InvalidNameError("polecat", name, "is the name of a role", hint="choose another name")
    return name


def is_polecat_name(name: str) -> bool:
    """Say whether a polecat may have this name; `check_polecat_name` says why not.

    Examples:
        >>> is_polecat_name("nux"), is_polecat_name("witness"), is_polecat_name("../x")
        (True, False, False)
    """
    return not _why_illegal(name) and name.lower() not in RESERVED_NAMES


def check_rig_name(name: str) -> str:
    """Return *name* if it can name a rig that exists: a directory, a part of session names.

    Raises:
        InvalidNameError: it holds anything but letters, digits, ``_`` and ``-``.

    Examples:
        >>> check_rig_name("my-rig")
        'my-rig'
    """
    if why := _why_illegal(name):
        raise InvalidNameError("rig", name, why)
    return name


def check_new_rig_name(name: str) -> str:
    """Return *name* if a new rig may have it. Stricter than `check_rig_name`: hyphens make session names ambiguous.

    Raises:
        InvalidNameError: it holds ``-``, ``.``, a space or another odd character, or is the name of a role.

    Examples:
        >>> check_new_rig_name("my_rig")
        'my_rig'
        >>> check_new_rig_name("my-rig")
        Traceback (most recent call last):
        ...
        polecat.InvalidNameError: rig name 'my-rig' contains invalid characters

    Source:
        Contract §2.6 step 2.
    """
    if any(c in name for c in "-. "):
        better = re.sub(r"[-. ]", "_", name).lower()
        raise InvalidNameError("rig", name, "contains invalid characters", hint=f"use {better!r}")
    check_rig_name(name)
    if name.lower() in _NOT_RIGS | RESERVED_NAMES | {"settings", "logs", "plugins", "hq"}:
        raise InvalidNameError("rig", name, "is the name of a role or of a town directory")
    return name


def check_bead_id(bead: str) -> str:
    """Return *bead* if it can be a bead id: no flag, no path, no control character.

    Examples:
        >>> check_bead_id("gt-abc12.1")
        'gt-abc12.1'
        >>> check_bead_id("--force")
        Traceback (most recent call last):
        ...
        polecat.InvalidNameError: bead name '--force' may only hold letters, digits, '_', '-' and '.', and must start with a letter or digit
    """
    check_is_text(bead)
    if not bead or len(bead) > 128 or not _BEAD.match(bead):
        raise InvalidNameError(
            "bead", bead, "may only hold letters, digits, '_', '-' and '.', and must start with a letter or digit"
        )
    return bead


def check_prefix(prefix: str) -> str:
    """Return *prefix*, without a trailing hyphen, if beads of a rig may start with it.

    Examples:
        >>> check_prefix("gt-")
        'gt'

    Source:
        Contract §2.6 step 12.
    """
    bare = prefix.removesuffix("-")
    if not _PREFIX.match(bare):
        raise InvalidNameError("prefix", prefix, "is an invalid beads prefix: a letter, then up to 19 letters, digits, '-'")
    return bare


def check_env_key(key: str) -> str:
    """Return *key* if it can name an environment variable in every shell.

    Examples:
        >>> check_env_key("MY_TOKEN")
        'MY_TOKEN'
    """
    if not _ENV_KEY.match(key):
        raise InvalidNameError("environment variable", key, "may only hold letters, digits and '_'")
    return key


def session_name(rig: str, name: str, *, prefix: str = "") -> str:
    """Name the tmux session of a polecat.

    Args:
        rig: the rig.
        name: the polecat.
        prefix: what Gas Town of today begins the session names of that rig with; empty for the older form.

    Examples:
        >>> session_name("gastown", "furiosa"), session_name("gastown", "furiosa", prefix="gt")
        ('gt-gastown-furiosa', 'gt-furiosa')

    Source:
        Contract §5; gt 1.2.1, ``session.PolecatSessionName``.
    """
    return f"{prefix or f'gt-{rig}'}-{name}"


def agent_id(rig: str, name: str) -> str:
    """Name a polecat as an agent and as an assignee: one spelling, everywhere.

    Examples:
        >>> agent_id("gastown", "furiosa")
        'gastown/polecats/furiosa'
    """
    return f"{rig}/polecats/{name}"


def assignees(rig: str, name: str) -> tuple[str, str]:
    """Both spellings under which a polecat may hold a bead: ours first, then the reference's.

    Examples:
        >>> assignees("gastown", "nux")
        ('gastown/polecats/nux', 'gastown/nux')

    Source:
        Design §6, deviation 18.
    """
    return (agent_id(rig, name), f"{rig}/{name}")


def agent_bead_id(prefix: str, rig: str, name: str) -> str:
    """Name the agent bead of a polecat.

    Examples:
        >>> agent_bead_id("gt", "gastown", "furiosa")
        'gt-gastown-polecat-furiosa'

    Source:
        Contract §12.1.
    """
    return f"{prefix}-{rig}-polecat-{name}"


def base36(number: int) -> str:
    """Write a number ≥ 0 in base 36, lower case.

    Examples:
        >>> base36(1768000000000)
        'mk7hjuv4'
    """
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _BASE36[rest] + digits
    return digits or "0"


def branch_name(name: str, unix_ms: int) -> str:
    """Name the branch of a new worktree; the stamp makes every spawn's branch a new one.

    Args:
        name: the polecat's name.
        unix_ms: the time in milliseconds since 1970.

    Examples:
        >>> branch_name("furiosa", 1768000000000)
        'polecat/furiosa-mk7hjuv4'

    Source:
        Contract §7.1 step 2.
    """
    return f"polecat/{name}-{base36(unix_ms)}"


_MADE_BRANCH = re.compile(r"polecat/([^/]+)(?:-|/[^/]+@)([k-z][0-9a-z]{7})")
"""As `branch_name` and Gas Town 1.2.1 (``polecat/<name>/<bead>@<time>``) write it; *k* begins in 2019."""


def owner_of_branch(branch: str, *, until_ms: int) -> str | None:
    """Say which polecat a branch was made for, None if nothing shows that it was made for one.

    Args:
        branch: its name.
        until_ms: the latest time, in milliseconds since 1970, at which it can have been made.

    Examples:
        >>> owner_of_branch("polecat/nux-mk7hjuv4", until_ms=1768000000000)
        'nux'
        >>> owner_of_branch("polecat/my-notes", until_ms=1768000000000) is None  # a person's
        True

    Source:
        Contract §7.1 step 2.
    """
    found = _MADE_BRANCH.fullmatch(branch)
    return found[1] if found and found[2] <= base36(until_ms) else None


def could_be_rig(target: str) -> bool:
    """Say whether a target can be the name of a rig at all: no path, no role, no short form of one.

    Examples:
        >>> could_be_rig("gastown"), could_be_rig("Witness"), could_be_rig("a/b")
        (True, False, False)

    Source:
        Contract §13.3 steps 1 and 2.
    """
    return bool(target) and "/" not in target and target.lower() not in _NOT_RIGS


def derive_prefix(rig: str) -> str:
    """Derive the bead prefix of a rig from its name.

    Examples:
        >>> [derive_prefix(n) for n in ("gastown", "oxford", "my_project", "foo", "myrig", "myproject-py")]
        ['gt', 'of', 'mp', 'foo', 'my', 'my']

    Source:
        Contract §2.7.
    """
    name = rig.removesuffix("-py").removesuffix("-go")
    parts = [p for p in re.split(r"[-_]", name) if p]
    if len(parts) == 1:
        parts = _split_compound(parts[0])
    if len(parts) >= 2:
        return "".join(p[0] for p in parts).lower()
    return (name if len(name) <= 3 else name[:2]).lower()


def _split_compound(word: str) -> list[str]:
    for ending in ("town", "ville", "port", "place", "land", "field", "wood", "ford"):
        if word.lower().endswith(ending) and len(word) > len(ending):
            return [word[: -len(ending)], ending]
    return [word]


def nearest(wrong: str, known: Collection[str]) -> str | None:
    """Name the known word that was probably meant, if one is near.

    Examples:
        >>> nearest("gastwon", ["gastown", "beads"])
        'gastown'
    """
    found = get_close_matches(wrong, list(known), n=1)
    return found[0] if found else None


def shell_line(*words: str | Path) -> str:
    """Write words as a shell line that a person may copy: nothing in them is evaluated, nor ``=name``, which zsh takes for a program's path.

    Examples:
        >>> shell_line("git", "-C", Path("/my town/$(id)"), "log", "=main")
        "git -C '/my town/$(id)' log '=main'"
    """
    texts = map(str, words)
    return " ".join(text if _BARE.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'" for text in texts)


def ago(seconds: float) -> str:
    """Write a duration for people.

    Examples:
        >>> ago(4), ago(200), ago(8000), ago(200000)
        ('4 s', '3 min', '2 h', '2 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
