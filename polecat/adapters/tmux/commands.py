"""The words tmux understands: quoting, escaping and reading them. Pure.

Three languages meet in one call, each with its own escape:

- the argv of the client, where an element ending in ``;`` ends a command (`chain`);
- command strings inside ``if-shell`` and hooks, which tmux parses again (`joined`);
- formats, where ``#``, ``,`` and ``}`` mean something (`literal`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence

from polecat.errors import InvalidNameError, ProgramMissingError, TmuxError

MAX_CALL_BYTES = 16_364
"""What one client may say to its server: a 16,384-byte message less its headers; the same in tmux 3.2 to 3.7."""

_OLDEST = (3, 2)
"""The first tmux that has ``new-session -e``, ``run-shell -d`` and ``list-panes -f``."""

HOW_TO_GET_TMUX = "install tmux 3.2 or newer: apt install tmux, dnf install tmux, brew install tmux"

_SESSION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
_VERSION = re.compile(r"(?P<kind>next-|openbsd-)?(?P<major>\d+)\.(?P<minor>\d+)")
_EXPORT = r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"; export \1;\n'

STAMP = "@polecat_id"
"""Option of a session that polecat made: the instance id."""

AGENT = "@polecat_agent"
RELEASED = "@polecat_released"
"""Options of the agent's pane, wherever it is moved: the instance id, and whether its start is over."""

Command = Sequence[str]


def check_session_name(name: str) -> str:
    """Return *name* if tmux keeps it unchanged as the name of a session.

    Raises:
        InvalidNameError: tmux would rewrite it (``.`` and ``:``), expand it (``#``) or read it as a flag or a pattern.

    Examples:
        >>> check_session_name("gt-gastown-nux")
        'gt-gastown-nux'
        >>> check_session_name("a.b")
        Traceback (most recent call last):
        ...
        polecat.InvalidNameError: session name 'a.b' would be rewritten or misread by tmux
    """
    if not _SESSION_NAME.match(name) or len(name) > 200:
        raise InvalidNameError(
            "session", name, "would be rewritten or misread by tmux", hint="use up to 200 letters, digits, '_' and '-'"
        )
    return name


def escape(word: str) -> str:
    r"""Protect one argv element: tmux takes a trailing ``;`` for the end of the command.

    Examples:
        >>> escape("a;"), escape("a")
        ('a\\;', 'a')
    """
    return f"{word[:-1]}\\;" if word.endswith(";") else word


def chain(commands: Iterable[Command]) -> list[str]:
    """Put several tmux commands into one argv.

    Examples:
        >>> chain([["kill-session", "-t", "$1"], ["display-message", "-p", "x;"]])
        ['kill-session', '-t', '$1', ';', 'display-message', '-p', 'x\\\\;']
    """
    argv: list[str] = []
    for command in commands:
        if argv:
            argv.append(";")
        argv.extend(escape(word) for word in command)
    return argv


def quote(word: str) -> str:
    """Quote one word for tmux's own command language.

    Examples:
        >>> print(quote("it's"))
        'it'\\''s'
    """
    return "'" + word.replace("'", "'\\''") + "'"


def joined(commands: Iterable[Command]) -> str:
    """Write several commands as one string for ``if-shell`` or a hook.

    Examples:
        >>> joined([["kill-session"], ["display-message", "-p", "#{pid}"]])
        "'kill-session' ; 'display-message' '-p' '#{pid}'"
    """
    return " ; ".join(" ".join(quote(word) for word in command) for command in commands)


def literal(text: str) -> str:
    """Write *text* so that a tmux format yields it unchanged, also nested in another format.

    Examples:
        >>> literal("a{2,3}#")
        'a{2#,3#}##'
    """
    return re.sub(r"[#,}]", r"#\g<0>", text)


def shown_on(pattern: str) -> str:
    """Write the format that gives the line of the screen which has a pattern, an extended regular expression; 0 for none.

    Examples:
        >>> shown_on("^> ")
        '#{C/r:^> }'
    """
    return "#{C/r:" + literal(pattern) + "}"


def all_of(*conditions: str) -> str:
    """Join format conditions by *and*.

    Examples:
        >>> all_of("a", "b", "c")
        '#{&&:a,#{&&:b,c}}'
    """
    text = conditions[-1]
    for condition in reversed(conditions[:-1]):
        text = f"#{{&&:{condition},{text}}}"
    return text


def equals(variable: str, value: str) -> str:
    """Write the condition that a format variable has a value.

    Examples:
        >>> equals("pane_dead", "0")
        '#{==:#{pane_dead},0}'
    """
    return f"#{{==:#{{{variable}}},{literal(value)}}}"


def guarded(target: str, condition: str, then: Iterable[Command], otherwise: Iterable[Command] = ()) -> list[str]:
    """Write a command that looks and acts in one step of the server, so that nothing can change in between."""
    command = ["if-shell", "-t", target, "-F", condition, joined(then)]
    last = joined(otherwise)
    return [*command, last] if last else command


class Fields:
    """Rows of fields that survive any value in them.

    Values may hold tabs, newlines or whatever a person puts into an option, so the separator is a fresh random word
    rather than a character; it is printable because tmux replaces others when the locale is not UTF-8.

    Attributes:
        mark: the separator.
    """

    def __init__(self) -> None:
        self.mark = f"~{secrets.token_hex(6)}~"

    def row(self, *values: str) -> str:
        """Write the format of one row."""
        return self.mark + "".join(f"{value}{self.mark}" for value in values)

    def pieces(self, text: str) -> list[str]:
        """Split at the separators, however many pieces that gives."""
        return text.split(self.mark)

    def split(self, text: str, count: int) -> list[str]:
        """Split at the separators.

        Raises:
            ValueError: there are not *count* pieces.
        """
        parts = self.pieces(text)
        if len(parts) != count:
            raise ValueError(f"{len(parts)} pieces instead of {count}")
        return parts

    def read(self, text: str, count: int) -> Iterator[tuple[str, ...]]:
        """Yield the rows of *count* fields each.

        Raises:
            ValueError: the text is anything else.
        """
        parts = self.pieces(text)
        if len(parts) % (count + 1) != 1 or any(rest.strip("\n") for rest in parts[:: count + 1]):
            raise ValueError("not the rows that were asked for")
        for at in range(1, len(parts), count + 1):
            yield tuple(parts[at : at + count])


def read_exports(text: str) -> dict[str, str]:
    """Read what ``show-environment -s`` prints; variables marked as removed are left out.

    Examples:
        >>> read_exports('A="1"; export A;\\nunset B;\\n')
        {'A': '1'}
    """
    found: dict[str, str] = {}
    export = re.compile(_EXPORT, re.DOTALL)
    at = 0
    while at < len(text):
        match = export.match(text, at)
        if match:
            found[match[1]] = re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)
            at = match.end()
        else:  # "unset NAME;", or a name no shell would take
            at = text.find("\n", at) + 1 or len(text)
    return found


def read_number(text: str) -> int | None:
    """Read a number that may be missing."""
    return int(text) if text.isdigit() else None


def check_version(version: str) -> str:
    """Return *version* if it is new enough; development versions count as what they lead to.

    Args:
        version: as ``tmux -V`` prints it, with or without the word ``tmux``.

    Raises:
        TmuxError: it is older than 3.2.

    Examples:
        >>> [check_version(v) for v in ("tmux 3.3a", "next-3.4", "openbsd-7.4", "master")]
        ['3.3a', 'next-3.4', 'openbsd-7.4', 'master']
        >>> check_version("tmux 3.0a")
        Traceback (most recent call last):
        ...
        polecat.TmuxError: tmux 3.0a is too old: 3.2 or newer is needed
    """
    bare = version.strip(" \n").removeprefix("tmux ")
    match = _VERSION.match(bare)
    if match is None:  # "master" and whatever a packager made of it: nobody calls an old one so
        return bare
    number = (int(match["major"]), int(match["minor"]))
    if number < ((7, 0) if match["kind"] == "openbsd-" else _OLDEST):
        raise TmuxError(f"tmux {bare} is too old: 3.2 or newer is needed", argv=("tmux", "-V"), hint=HOW_TO_GET_TMUX)
    return bare


def missing_tmux(cause: ProgramMissingError) -> ProgramMissingError:
    """Say what to do about a missing tmux."""
    return ProgramMissingError("tmux is not on PATH", argv=cause.argv, hint=HOW_TO_GET_TMUX)


def means_no_server(stderr: str) -> bool:
    """Say whether tmux's complaint proves that there is no server, hence no session.

    Anything else (a socket we may not open, a lost connection) leaves open what runs there.

    Examples:
        >>> means_no_server("error connecting to /tmp/x (No such file or directory)")
        True
        >>> means_no_server("error connecting to /tmp/x (Permission denied)")
        False
    """
    return stderr.startswith("no server running on ") or (
        stderr.startswith("error connecting to ") and stderr.endswith("(No such file or directory)")
    )


def means_not_found(stderr: str) -> bool:
    """Say whether tmux's complaint proves that the target does not exist.

    Examples:
        >>> means_not_found("can't find pane: %99")
        True
    """
    return stderr.startswith(("can't find ", "no such ", "no current target")) or means_no_server(stderr)


def means_ending(stderr: str) -> bool:
    """Say whether the server ended while it was asked."""
    return stderr.startswith(("server exited", "lost server"))


def means_unreachable(stderr: str) -> bool:
    """Say whether tmux's complaint means that the server could not be asked at all."""
    refused = ("error connecting to ", "error creating ", "access not allowed", "couldn't create directory", "directory ")
    return means_ending(stderr) or stderr.startswith((*refused, "protocol version mismatch"))


def call_bytes(argv: Sequence[str]) -> int:
    """Count what *argv* takes of `MAX_CALL_BYTES`."""
    return sum(len(word.encode("utf-8", "surrogateescape")) + 1 for word in argv)
