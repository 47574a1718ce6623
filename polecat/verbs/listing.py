"""The verbs that look at polecats: list, status, stale."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime

from polecat.errors import PolecatError, ProgramMissingError
from polecat.lifecycle.talk import capture_polecat
from polecat.model import Ended, Polecat, PolecatState, Rig
from polecat.names import ago, shell_line
from polecat.ports import World
from polecat.upkeep.inspection import review_command, work_at_risk
from polecat.upkeep.listing import detect_stale, get_polecat, list_polecats
from polecat.verbs.common import (
    add_common,
    add_json,
    add_polecat,
    add_rig_name,
    add_town,
    answer,
    facts_of,
    json_text,
    polecat_of,
    rig_of,
    rigs_of,
    seconds,
    whole,
    world_of,
)
from polecat.verbs.progress import Progress
from polecat.verbs.tables import paint, plain, table, terminal_width

# --------------------------------------------------------------------------------------------------------------- list

LIST_EXAMPLE = """\
examples:
  polecat list
  polecat list gastown --json
  polecat list --watch
"""

CLEAR = "\x1b[H\x1b[2J"

STATE_COLOURS = {
    PolecatState.SPAWNING: "blue",
    PolecatState.WORKING: "green",
    PolecatState.IDLE: "yellow",
    PolecatState.WAITING: "yellow",
    PolecatState.DONE: "grey",
    PolecatState.FAILED: "red",
    PolecatState.STUCK: "yellow",
    PolecatState.STALLED: "red",
    PolecatState.ZOMBIE: "red",
    PolecatState.UNKNOWN: "yellow",
}


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add what ``list`` understands."""
    parser.add_argument(
        "rig", metavar="RIG", nargs="?", help="the rig; all rigs of the town by default, in a checkout that was adopted its own"
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=seconds(0.1, 86_400, hint="; a rig goes first: polecat list {} --watch"),
        nargs="?",
        const=2.0,
        help="list again and again, every 2 seconds or as often as you say; with --json one line each time",
    )
    add_common(parser)


def list_(args: argparse.Namespace) -> int:
    """List, once or again and again."""
    if args.watch is None:
        with Progress("looking at polecats"):
            text, is_all = _text(args)
        print(text)
        return 0 if is_all else 1
    try:
        while True:
            text, _ = _text(args)
            print(f"{CLEAR}{text}" if sys.stdout.isatty() else text, flush=True)
            time.sleep(args.watch)
    except KeyboardInterrupt:  # that is how one stops watching
        return 0


def _text(args: argparse.Namespace) -> tuple[str, bool]:
    """What is to be printed, and whether every rig could be listed."""
    (rigs, broken), world = rigs_of(args), world_of(args)
    cats: list[Polecat] = []
    for rig in rigs:
        try:
            cats += list_polecats(rig, world=world)
        except PolecatError as error:
            if len(rigs) == 1:
                raise
            broken.append(error)
    for why in broken:
        print(plain(f"polecat: not listed: {why.message}"), file=sys.stderr)
    return _listed(args, cats, rigs), not broken


def _listed(args: argparse.Namespace, cats: list[Polecat], rigs: list[Rig]) -> str:
    if not rigs and sys.stderr.isatty():
        print("no rig yet: polecat rig add NAME GIT_URL, or polecat adopt in a checkout", file=sys.stderr)
    if args.json:
        return json_text("list", [as_json(cat) for cat in cats], is_one_line=args.watch is not None)
    if args.watch is None:
        warn_of_unknown(cats)
    return shown(cats, with_rig=args.rig is None and len(rigs) > 1) if cats else "no polecats"


def shown(cats: list[Polecat], *, with_rig: bool) -> str:
    """The table, each state in its colour where stdout shows colours, no wider than the terminal."""
    colours = [("", STATE_COLOURS[cat.state], "", "", "", "") for cat in cats]
    return table(rows(cats, with_rig=with_rig), width=terminal_width(), whole=2, colours=colours)


def warn_of_unknown(cats: list[Polecat]) -> None:
    """Say on stderr what could not be told, once for each reason."""
    reasons: dict[str, dict[str, None]] = {}
    for cat in cats:
        for why in cat.unknown.values():
            reasons.setdefault(why, {})[cat.name] = None
    for why, names in reasons.items():
        print(
            plain(
                f"polecat: warning: not everything is known of {', '.join([*names][:5])}{', …' if len(names) > 5 else ''}: {why}"
            ),
            file=sys.stderr,
        )
    if reasons:
        print("polecat: warning: see what mends it: polecat doctor", file=sys.stderr)


def as_json(cat: Polecat) -> dict[str, object]:
    """A polecat as ``--json`` prints it."""
    return facts_of(
        cat,
        polecat_name=cat.name,
        agent_id=cat.agent_id,
        state=cat.state.value,
        ended=None if cat.ended is None else facts_of(cat.ended, says=str(cat.ended)),
        running=cat.is_running,
        clean=None if cat.work is None else cat.work.is_clean,
        merged=cat.is_merged,
    )


def rows(cats: list[Polecat], *, with_rig: bool) -> list[tuple[str, ...]]:
    """The table, heading included."""
    head = ("POLECAT", "STATE", "BRANCH", "HOOK", "WORK", "SESSION")
    body = [
        (
            f"{cat.rig_name}/{cat.name}" if with_rig else cat.name,
            cat.state.value,
            _told(cat, "branch", cat.branch),
            _told(cat, "issue", cat.issue),
            "unknown" if cat.work is None else str(cat.work),
            _session(cat),
        )
        for cat in cats
    ]
    return [head, *body]


def _told(cat: Polecat, name: str, value: str | None) -> str:
    return value or ("unknown" if name in cat.unknown else "-")


def _session(cat: Polecat) -> str:
    if cat.is_running is None:
        return "unknown"
    now = datetime.now(UTC)
    if not cat.is_running:
        return "none" if cat.ended is None else how(cat.ended, now)
    since = [] if cat.created_at is None else [ago((now - cat.created_at).total_seconds())]
    active = [] if cat.active_at is None else [f"active {ago((now - cat.active_at).total_seconds())} ago"]
    asks = [f"asks {plain(cat.waiting_for)}"] if cat.waiting_for else []
    return ", ".join(asks + since + active) or "running"


def how(ended: Ended, now: datetime) -> str:
    """How and when an agent ended, for people."""
    return str(ended) if ended.at is None else f"{ended}, {ago((now - ended.at).total_seconds())} ago"


# ------------------------------------------------------------------------------------------------------------- status

STATUS_EXAMPLE = "example:\n  polecat status gastown/nux\n"


def add_status(parser: argparse.ArgumentParser) -> None:
    """Add what ``status`` understands."""
    add_polecat(parser)
    add_common(parser)


def status(args: argparse.Namespace) -> int:
    """Say everything about one polecat, the risks of removing it included."""
    rig, name = polecat_of(args)
    world = world_of(args)
    with Progress(f"looking at {args.polecat}"):
        cat = get_polecat(rig, name, world=world)
        verdict = work_at_risk(rig, cat, world=world)
    warn_of_unknown([cat])
    head, body = rows([cat], with_rig=False)
    said = {label.lower(): plain(text) for label, text in zip(head, body, strict=True)}
    said["state"] = paint(said["state"], STATE_COLOURS[cat.state])
    said["screen"] = plain(f"asks '{cat.waiting_for}'" if cat.waiting_for else cat.screen)
    said["worktree"] = plain(str(cat.clone_path))
    said["against"] = _standing(rig, cat)
    said["remove?"] = "nothing would be lost" if verdict.is_safe else plain(str(verdict))
    last = _last_lines(rig, cat, world) if cat.ended is not None else []
    facts = {**as_json(cat), "risks": verdict.risks, "last_lines": last}
    shown = [f"{label:<9}  {text}" for label, text in said.items()]
    return answer(args, "status", facts, *shown, *(["last lines:", *(f"  {plain(line)}" for line in last)] if last else []))


def _standing(rig: Rig, cat: Polecat) -> str:
    """How its branch stands against the one that its work is to be merged into."""
    if cat.ahead is None or cat.behind is None:
        return "unknown"
    merged = {True: ", merged", False: ", not merged", None: ""}[cat.is_merged] if cat.ahead else ""
    return f"{cat.ahead} ahead of {rig.default_branch}, {cat.behind} behind{merged}"


def _last_lines(rig: Rig, cat: Polecat, world: World, *, most: int = 12) -> list[str]:
    """The last lines with something on them that an agent showed before it ended."""
    try:
        text = capture_polecat(rig, cat, world=world)
    except PolecatError:  # nothing was kept
        return []
    return [line.rstrip(" ") for line in text.split("\n") if line.strip(" ")][-most:]


# ---------------------------------------------------------------------------------------------------------- diff, log

DIFF_EXAMPLE = """\
examples:
  polecat diff gastown/nux
  polecat diff gastown/nux -- --stat
"""

LOG_EXAMPLE = """\
examples:
  polecat log gastown/nux
  polecat log gastown/nux -- --oneline --graph
"""


def add_review(parser: argparse.ArgumentParser) -> None:
    """Add what ``diff`` and ``log`` understand."""
    add_polecat(parser)
    parser.add_argument("words", metavar="GIT_ARG", nargs="*", help="more words for git, after --")
    parser.add_argument(
        "--base", metavar="B", help="the branch of the remote to compare with; the rig's default branch by default"
    )
    parser.add_argument("--print", action="store_true", help="print git's command instead of running it")
    add_json(parser, help="print git's command as JSON instead of running it")
    add_town(parser)


def review(args: argparse.Namespace) -> int:
    """Become git, in the polecat's worktree."""
    rig, name = polecat_of(args)
    argv = review_command(rig, name, args.verb, *args.words, base=args.base)
    if args.json or args.print:
        facts, line = {"rig_name": rig.name, "polecat_name": name, "argv": argv}, shell_line(*argv)
        return answer(args, args.verb, facts, line)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  git takes our place
    except FileNotFoundError:
        raise ProgramMissingError("git is not on PATH", argv=argv, hint="install git") from None


# -------------------------------------------------------------------------------------------------------------- stale

STALE_EXAMPLE = "example:\n  polecat stale gastown --threshold 50\n"


def add_stale(parser: argparse.ArgumentParser) -> None:
    """Add what ``stale`` understands."""
    add_rig_name(parser)
    parser.add_argument(
        "--threshold", metavar="N", type=whole(1, 1_000_000), default=20, help="so many commits behind are stale; 20 by default"
    )
    add_common(parser)


def stale(args: argparse.Namespace) -> int:
    """Say which polecats are stale."""
    rig = rig_of(args)
    with Progress("comparing with the default branch"):
        found = detect_stale(rig, threshold=args.threshold, world=world_of(args))
    facts = [facts_of(one, rig_name=rig.name, polecat_name=one.name, stale=one.is_stale) for one in found]
    rows = [("POLECAT", "STALE", "WHY"), *((one.name, "yes" if one.is_stale else "no", one.reason) for one in found)]
    colours = [("", "yellow" if one.is_stale else "", "") for one in found]
    return answer(args, "stale", facts, table(rows, width=terminal_width(), colours=colours) if found else "no polecats")


VERBS = {
    "list": (LIST_EXAMPLE, add_list, list_),
    "status": (STATUS_EXAMPLE, add_status, status),
    "diff": (DIFF_EXAMPLE, add_review, review),
    "log": (LOG_EXAMPLE, add_review, review),
    "stale": (STALE_EXAMPLE, add_stale, stale),
}
