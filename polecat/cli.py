"""The command line: argv → one library call → text or JSON → exit code. No decision is made here.

Exit codes: 0 done, 1 a polecat error, 2 wrong usage, 130 interrupted. Results go to stdout, everything else to stderr. Only the
module of the verb that was typed is loaded.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Container, Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from polecat import __version__
from polecat.errors import PolecatError
from polecat.names import nearest
from polecat.verbs.tables import plain

if TYPE_CHECKING:  # the help needs nothing of it
    from polecat.ports import World

EXIT_DONE, EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

LONGEST_LINE = 1000
"""No line of an error is longer, whatever was typed."""

COMMON = {"--town": True, "--socket": True, "--json": False, "--dry-run": False}
"""Options that may stand before the verb as well, and whether a value follows."""

SYNONYMS = {
    **dict.fromkeys(("rm", "delete", "del", "destroy", "nuke", "clean"), "remove"),
    **dict.fromkeys(("kill", "end", "halt"), "stop"),
    **dict.fromkeys(("ls", "ps", "polecats", "top"), "list"),
    **dict.fromkeys(("logs", "tail", "peek", "output", "screen", "cat"), "capture"),
    **dict.fromkeys(("new", "create", "add", "run", "up", "sling", "launch"), "spawn"),
    **dict.fromkeys(("show", "info", "describe", "inspect"), "status"),
    **dict.fromkeys(("open", "enter", "connect", "join", "switch", "a"), "attach"),
    **dict.fromkeys(("message", "msg", "tell", "say", "type", "prompt"), "nudge"),
    **dict.fromkeys(("restart", "resume", "continue"), "start"),
    **dict.fromkeys(("rigs", "projects"), "rig list"),
    **dict.fromkeys(("check", "diagnose"), "doctor"),
    **dict.fromkeys(("fix", "reset"), "repair"),
    **dict.fromkeys(("use", "here", "import"), "adopt"),
    "changes": "diff",
    "gc": "prune",
    "undo": "rescue",
}
"""What other tools call it → what it is called here."""

VERBS: dict[str, tuple[str, str]] = {
    "spawn": ("polecat.verbs.spawn", "make a polecat: name, worktree, hook, session, agent"),
    "list": ("polecat.verbs.listing", "list the polecats of a rig, or of all rigs"),
    "status": ("polecat.verbs.listing", "say everything about one polecat"),
    "wait": ("polecat.verbs.wait", "wait until polecats have ended, sit at their prompt or ask something"),
    "watch": ("polecat.verbs.wait", "print a line for each change of a rig's polecats"),
    "attach": ("polecat.verbs.talk", "attach to a polecat's session"),
    "capture": ("polecat.verbs.talk", "print what a polecat's agent shows"),
    "nudge": ("polecat.verbs.talk", "type a text to a polecat's agent"),
    "send": ("polecat.verbs.talk", "type what stdin holds to a polecat's agent"),
    "start": ("polecat.verbs.repair", "start a polecat's agent again, in the place it has"),
    "stop": ("polecat.verbs.remove", "end a polecat's session and all its agent started"),
    "remove": ("polecat.verbs.remove", "remove a polecat; its work is saved first, or proved to be elsewhere"),
    "repair": ("polecat.verbs.repair", "give a polecat a fresh worktree"),
    "hook": ("polecat.verbs.hook", "show, set or clear what is on a hook"),
    "diff": ("polecat.verbs.listing", "show with git what a polecat has changed since it left the default branch"),
    "log": ("polecat.verbs.listing", "show with git the commits of a polecat that the default branch lacks"),
    "stale": ("polecat.verbs.listing", "say which polecats are stale"),
    "rescue": ("polecat.verbs.rescue", "find what was saved before it was removed"),
    "warm": ("polecat.verbs.warm", "make worktrees ahead of time, so that spawns in huge projects take no checkout"),
    "prune": ("polecat.verbs.reconcile", "reconcile, and delete the branches of polecats that are gone"),
    "doctor": ("polecat.verbs.doctor", "check the town: what is wrong, and the command that repairs it"),
    "reconcile": ("polecat.verbs.reconcile", "make names, sessions and directories of a rig agree"),
    "adopt": ("polecat.verbs.town", "use a checkout of yours: its project becomes a rig, and no verb needs its name there"),
    "init": ("polecat.verbs.town", "make a town"),
    "rig": ("polecat.verbs.town", "add, list or remove the rigs of the town"),
    "demo": ("polecat.verbs.demo", "see it work in a throw-away town"),
    "completion": ("polecat.verbs.completion", "print the script that completes words in bash, zsh or fish"),
    "complete": ("polecat.verbs.complete", ""),
}
"""Verb → its module and what it does; empty for one the help leaves out. ``VERBS`` of the module has the examples of the verb's help,
what adds its arguments to a parser, and what runs it and returns an exit code."""


def entry() -> None:
    """Run the command line of this process and exit."""
    if (had_stdout := _open_streams()) and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    code = main(sys.argv[1:]) if had_stdout else _without_stdout()
    try:
        sys.stderr.flush()
    except OSError:  # nobody reads what was wrong; the exit code still tells
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.exit(code)


def _open_streams() -> bool:
    """Put ``/dev/null`` where a standard stream is closed, so that no file of ours takes its number; say whether there is a stdout."""
    had_stdout = sys.stdout is not None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            if fd != number:
                os.dup2(fd, number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    return had_stdout


def _without_stdout() -> int:
    print("polecat: stdout is closed, so there is nowhere to put a result; nothing was done", file=sys.stderr)
    print("  if you do not want it: polecat … >/dev/null", file=sys.stderr)
    return EXIT_ERROR


def main(argv: Sequence[str], *, world: World | None = None) -> int:
    """Run one command line and return its exit code; never a traceback.

    Args:
        argv: the words after the program's name.
        world: what the verb acts on; None is the real one.

    Examples:
        >>> main(["--version"])
        polecat 0.1.0
        0
    """
    try:
        code = _run(argv, world)
        return code if _flush() else EXIT_ERROR
    except KeyboardInterrupt as stop:
        _flush()
        print("; ".join(["polecat: interrupted", *getattr(stop, "__notes__", ())]), file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone; that is their right
        _flush()
        return EXIT_DONE
    except Exception as error:  # noqa: BLE001  the last line of defence: one line for a person, never a traceback
        could_write = _flush()
        if not (isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRORS):
            return _report(error)
        return _report(_no_output(error)) if could_write else EXIT_ERROR


def _run(argv: Sequence[str], world: World | None) -> int:
    try:
        args = _parse([*argv[1:], "--help"] if argv[:1] == ["help"] else list(argv))
    except SystemExit as stop:  # argparse has printed help, version or what was wrong
        return int(stop.code or 0)
    args.world = world
    restore = _signals_as_needed()
    try:
        return int(args.run(args))
    except SystemExit as stop:  # options that contradict each other, which only the verb knows
        return int(stop.code or 0)
    finally:
        restore()


def _flush() -> bool:
    """Write what is left of the output; where it cannot be written, say so and give it up, so that Python does not try again."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return True
        _report(_no_output(error))
        return False
    return True


_OUTPUT_ERRORS = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT)
"""What comes up to here without the name of a file is about a stream."""


def _no_output(error: OSError) -> Exception:
    why = error.strerror or error
    return PolecatError(f"the output cannot be written: {why}", hint="what was done stays done; see it: polecat list")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser({next((word for word in argv if word in VERBS), "")})
    if not argv:
        parser.print_help(sys.stderr)
        raise SystemExit(EXIT_USAGE)
    argv = _verb_first(parser, argv)
    args, unknown = parser.parse_known_args(argv)
    args.parser = _deepest(parser, argv)
    if unknown:
        args.parser.refuse(unknown)
    args.whole_parser = lambda: _parser(VERBS)
    return args


def _verb_first(parser: _Parser, argv: Sequence[str]) -> list[str]:
    """Put options that every verb has, and that stand before the verb, behind it and its action, where they are understood."""
    rest, front = list(argv), []
    while rest and rest[0].partition("=")[0] in COMMON:
        takes_next = COMMON[rest[0].partition("=")[0]] and "=" not in rest[0] and len(rest) > 1
        front.append("=".join(rest[: 1 + takes_next]))
        del rest[: 1 + takes_next]
    words = 0
    while words < len(rest) and (below := parser.below().get(rest[words])) is not None:
        parser, words = below, words + 1
    return [*rest[:words], *front, *rest[words:]]


def _deepest(parser: _Parser, argv: Sequence[str]) -> _Parser:
    """The parser of the verb, or of the verb's action, that the words name."""
    for word in argv:
        below = parser.below().get(word)
        parser = parser if below is None else below
    return parser


def _parser(chosen: Container[str]) -> _Parser:
    """Make the parser. Only the modules of the chosen verbs are loaded; the others are listed."""
    parser = _Parser(
        prog="polecat",
        description="Give a coding agent a place to work: a name, a git worktree, a tmux session, the work on its hook.",
        epilog="More about a verb: polecat VERB --help. First time here? polecat demo",
    )
    parser.add_argument("--version", action="version", version=f"polecat {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (module, what) in VERBS.items():
        # one without a help is not listed
        words: dict[str, Any] = {"help": what, "description": f"{what[0].upper()}{what[1:]}."} if what else {}
        sub = verbs.add_parser(verb, formatter_class=argparse.RawDescriptionHelpFormatter, **words)
        if verb in chosen:
            sub.epilog, add_arguments, run = import_module(module).VERBS[verb]
            sub.set_defaults(run=run)
            add_arguments(sub)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what was probably meant, on one line of usage. Options are spelt out: what is short today may be ambiguous tomorrow."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **words})

    def below(self) -> Mapping[str, _Parser]:
        """The parsers of its verbs or actions."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  argparse has no other way to ask
                return dict(action.choices)
        return {}

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit."""
        for action in self._actions:
            start = f"argument {'/'.join(action.option_strings) or action.metavar or action.dest}: invalid choice: "
            if action.choices is not None and message.startswith(start):
                wrong = message.removeprefix(start).partition(" (choose")[0].strip("'")
                known = [word for word in action.choices if VERBS.get(word, ("", "?"))[1]]
                what = str(action.metavar or action.dest).lower()
                synonym = SYNONYMS.get(wrong, "") if what == "verb" else ""
                meant = f"; here it is {synonym!r}" if synonym.partition(" ")[0] in known else _meant(wrong, known)
                message = f"no {what} {wrong!r}{meant}"
        places = [_place(action) for action in self._actions if not action.option_strings]
        print(f"usage: {self.prog} [OPTION]... {' '.join(places)}".rstrip(" "), file=sys.stderr)
        print(_short(plain(f"{self.prog}: error: {message}")), file=sys.stderr)
        print(f"  what it understands: {self.prog} --help", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help, and do not keep it from anybody that it could not be printed, as argparse does."""
        (file or sys.stderr).write(message)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Print which words make no sense here and exit."""
        wrong = next((word.partition("=")[0] for word in unknown if word.startswith("-")), "")
        if not wrong:
            self.error(f"{' '.join(map(repr, unknown))} is more than it understands")
        known = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        if any(action.metavar == "GIT_ARG" for action in self._actions) and nearest(wrong, known) is None:
            self.error(f"no option {wrong!r} of its own; what is meant for git stands after --: {self.prog} RIG/NAME -- {wrong}")
        self.error(f"no option {wrong!r}{_meant(wrong, known)}")


def _place(action: argparse.Action) -> str:
    word = str(action.metavar or "|".join(map(str, action.choices or ())))
    return f"[{word}]" if action.nargs == "?" else word


def _meant(wrong: str, known: Sequence[str]) -> str:
    near = nearest(wrong, known) or next((word for word in known if wrong.strip("-") and word.startswith(wrong)), None)
    return f"; did you mean {near!r}?" if near else f"; it is one of: {', '.join(known)}"


def _short(line: str) -> str:
    """One line for a person; what was typed may be as long as it likes."""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def _signals_as_needed() -> Callable[[], object]:
    """Make SIGTERM and SIGHUP undo as Ctrl-C does, and let children say how they ended, until what is returned is called.

    A hang-up comes when the terminal or the ssh connection goes away; where it is ignored (``nohup``) it stays so. Only in the main
    thread; elsewhere the host decides.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    wanted: list[tuple[int, Any]] = [(signal.SIGTERM, stop)]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        wanted.append((signal.SIGHUP, stop))
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # as whoever started us left it; then no exit status reaches us
        wanted.append((signal.SIGCHLD, signal.SIG_DFL))
    try:
        previous = [(number, signal.signal(number, handler)) for number, handler in wanted]
    except ValueError:
        return lambda: None
    return lambda: [signal.signal(number, handler) for number, handler in previous if handler is not None]


def _report(error: Exception) -> int:
    if isinstance(error, PolecatError):
        message, hint = f"polecat: {error.message}".split("\n"), [f"  {line}" for line in error.hint.split("\n") if line]
    else:
        if os.environ.get("POLECAT_DEBUG"):
            traceback.print_exception(error)
        message = [f"polecat: unexpected error, please report it: {type(error).__name__}: {error}"]
        hint = ["  run it again with POLECAT_DEBUG=1 to see where it happened"]
    for line in (*message, *hint):
        print(_short(plain(line)), file=sys.stderr)
    return EXIT_ERROR
