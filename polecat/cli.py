"""The command line: argv → one library call → text or JSON → exit code. No decision is made here.

Exit codes: 0 done, 1 a polecat error, 2 wrong usage, 130 interrupted. Results go to stdout, everything else to stderr. Only the
module of the verb that was typed is loaded, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Container, Sequence
from importlib import import_module
from types import FrameType

from polecat import __version__

EXIT_DONE, EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

VERBS: dict[str, tuple[str, str]] = {
    "spawn": ("polecat.verbs.spawn", "make a polecat: name, worktree, hook, session, agent"),
    "list": ("polecat.verbs.list", "list the polecats of a rig, or of all rigs"),
    "status": ("polecat.verbs.status", "say everything about one polecat"),
    "attach": ("polecat.verbs.attach", "sit down in front of a polecat: attach to its session"),
    "capture": ("polecat.verbs.capture", "print what a polecat's agent shows"),
    "nudge": ("polecat.verbs.nudge", "type a text to a polecat's agent"),
    "send": ("polecat.verbs.send", "type what stdin holds to a polecat's agent"),
    "stop": ("polecat.verbs.stop", "end a polecat's session and all its agent started"),
    "remove": ("polecat.verbs.remove", "take a polecat's place back, its work saved or proved elsewhere"),
    "repair": ("polecat.verbs.repair", "give a polecat a fresh worktree"),
    "hook": ("polecat.verbs.hook", "show, set or clear what is on a hook"),
    "stale": ("polecat.verbs.stale", "say which polecats are stale"),
    "rescue": ("polecat.verbs.rescue", "find what was saved before it was removed"),
    "warm": ("polecat.verbs.warm", "make worktrees ahead of time, so that spawns in huge projects take no checkout"),
    "prune": ("polecat.verbs.prune", "reconcile, and delete the branches of polecats that are gone"),
    "doctor": ("polecat.verbs.doctor", "look the town over: what is wrong, and the command that mends it"),
    "reconcile": ("polecat.verbs.reconcile", "make names, sessions and directories of a rig agree"),
    "init": ("polecat.verbs.town", "make a town"),
    "rig": ("polecat.verbs.rig", "add a rig to the town"),
    "demo": ("polecat.verbs.demo", "see it work in a throw-away town"),
    "completion": ("polecat.verbs.completion", "print the script that completes words in bash, zsh or fish"),
    "complete": ("polecat.verbs.complete", ""),
}
"""Verb → its module (with ``add_arguments(parser)`` and ``run(args) -> int``) and what it does; empty for one the help leaves out."""


def entry() -> None:
    """Run the command line of this process and exit."""
    gc.disable()  # a command is over before there is garbage worth looking for; looking costs a twentieth of its start
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads it, or nothing can be written: the interpreter's own end says so
        sys.exit(code)
    os._exit(code)  # everything is written and closed; taking five hundred modules apart would cost a tenth of the command


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; never a traceback.

    Args:
        argv: the words after the program's name.

    Examples:
        >>> main(["--version"])
        polecat 0.1.0
        0
    """
    try:
        args = _parser({_verb_of(argv)}).parse_args(argv)
        args.whole_parser = lambda: _parser(VERBS)
    except SystemExit as stop:  # argparse has printed help, version or what was wrong
        return int(stop.code or 0)
    restore = _interrupt_on_sigterm()
    try:
        return int(import_module(VERBS[args.verb][0]).run(args))
    except KeyboardInterrupt:
        print("polecat: interrupted; what was unfinished has been taken back", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone; that is their right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception as error:  # noqa: BLE001  the last line of defence: one line for a person, never a traceback
        return _report(error)
    finally:
        restore()


def _verb_of(argv: Sequence[str]) -> str:
    return next((word for word in argv if word in VERBS), "")


def _parser(chosen: Container[str]) -> argparse.ArgumentParser:
    """Make the parser, with the arguments of the chosen verbs only, because each costs the import of its module."""
    parser = argparse.ArgumentParser(
        prog="polecat",
        description="Give a coding agent a place to work: a name, a git worktree, a tmux session, the work on its hook.",
        epilog="'polecat VERB --help' says more about a verb. First time here? Try 'polecat demo'.",
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"polecat {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (module, what) in VERBS.items():
        if what:
            sub = verbs.add_parser(verb, help=what, description=f"{what[0].upper()}{what[1:]}.", formatter_class=_RawFormatter)
        else:  # one that has no help at all is not listed
            sub = verbs.add_parser(verb, formatter_class=_RawFormatter)
        if verb in chosen:
            import_module(module).add_arguments(sub)
    return parser


class _Formatter(argparse.HelpFormatter):
    """Knows how wide the terminal is without `shutil`, which argparse would load to find out, with three libraries behind it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class _RawFormatter(_Formatter, argparse.RawDescriptionHelpFormatter):
    """Leaves the examples of a verb as they are."""


def _columns() -> int:
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _interrupt_on_sigterm() -> Callable[[], object]:
    """Make SIGTERM undo as Ctrl-C does, until what is returned is called. Only in the main thread; elsewhere the host decides."""
    import signal  # not before the help, which does not need it

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGTERM, stop)
    except ValueError:
        return lambda: None
    return lambda: previous is None or signal.signal(signal.SIGTERM, previous)


def _report(error: Exception) -> int:
    from polecat.errors import PolecatError

    if isinstance(error, PolecatError):
        print(f"polecat: {error.message}", file=sys.stderr)
        for line in error.hint.splitlines():
            print(f"  {line}", file=sys.stderr)
        return EXIT_ERROR
    if os.environ.get("POLECAT_DEBUG"):
        import traceback

        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}"
    print(f"polecat: unexpected error, please report it: {what}", file=sys.stderr)
    print("  run it again with POLECAT_DEBUG=1 to see where it happened", file=sys.stderr)
    return EXIT_ERROR
