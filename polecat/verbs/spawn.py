"""``polecat spawn``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from attrs import evolve

from polecat.core.plan import SpawnPlan, describe
from polecat.errors import InvalidNameError, PolecatError
from polecat.lifecycle.spawn import MAX_CONCURRENT, plan_spawn, spawn_many
from polecat.model import FetchPolicy, SpawnedPolecat, SpawnOptions
from polecat.names import check_env_key, shell_line
from polecat.place.env_file import load_env_file
from polecat.ports import Event
from polecat.verbs.common import add_common, add_rig_name, answer, facts_of, json_text, rig_of, seconds, whole, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.schemas import DOCUMENTS
from polecat.verbs.tables import plain, plain_lines
from polecat.verbs.talk import attach_to

EXAMPLE = """\
examples:
  polecat spawn --prompt 'fix the parser' --attach      (in a checkout that was adopted, or in a rig)
  polecat spawn gastown --hook gt-abc12
  polecat spawn gastown --agent codex --prompt 'fix the parser'
  polecat spawn gastown --count 3 --json
  polecat spawn gastown --env-file ~/.secrets/gastown.env
"""

_LINES = {
    "orphan_ended": ("ended", "{session}"),
    "name_claimed": ("claimed", "{polecat}"),
    "worktree_added": ("worktree", "{branch} at {base_commit:.7} ({base})"),
    "hook_set": ("hook", "{hook_bead}"),
    "session_started": ("session", "{session} {pane}"),
    "agent_ready": ("ready", "{agent}"),
    "agent_waiting": ("waiting", "{dialog}"),
}
"""Event → the line that is printed for it: a label, and its facts."""

_NEXT = {
    "orphan_ended": "fetching origin, making the worktree",
    "name_claimed": "fetching origin, making the worktree",
    "worktree_added": "preparing the worktree",
    "worktree_provisioned": "setting the hook",
    "hook_set": "starting the agent",
    "session_started": "waiting for the agent",
}
"""Event → what is being done after it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_rig_name(parser)
    parser.add_argument("--hook", metavar="BEAD", help="bead to put on the polecat's hook")
    parser.add_argument("--name", metavar="N", help="this name and no other")
    parser.add_argument("--key", metavar="KEY", help="your own name for this order; asking again gives the polecat that is there")
    parser.add_argument("--base-branch", metavar="B", help="branch of the remote to start from")
    parser.add_argument("--fetch", metavar="POLICY", type=_fetch, help="always, never, or 'if-older-than SECONDS'")
    parser.add_argument("--force", action="store_true", help="go on although agents of this bead failed too often in a row")
    parser.add_argument("--timings", action="store_true", help="say how long each step took")
    _add_agent(parser)
    _add_several(parser)
    _add_waiting(parser)
    add_common(parser, dry_run=True)


def _add_agent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", metavar="A", help="agent to start instead of the rig's")
    parser.add_argument("--account", metavar="H", help="account handle of accounts.json")
    add_prompt(parser)
    parser.add_argument("--nudge", metavar="TEXT", help="text to type once the agent is ready")
    parser.add_argument("--no-nudge", action="store_true", help="type nothing once the agent is ready")
    add_env(parser)
    parser.add_argument("--bind-keys", action="store_true", help="also bind Gas Town's keys, for the whole tmux server")


def add_prompt(parser: argparse.ArgumentParser) -> None:
    """Add ``--prompt`` and ``--prompt-file``."""
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument("--prompt", metavar="TEXT", help="the agent's first instruction")
    prompt.add_argument("--prompt-file", metavar="F", help="read the instruction from a file; - is stdin")


def add_env(parser: argparse.ArgumentParser) -> None:
    """Add ``--env`` and ``--env-file``."""
    what = "a variable of the agent; may be repeated. Other users can see what you type here, not what is in a file"
    parser.add_argument("--env", metavar="KEY=VALUE", action="append", type=variable_of, default=[], help=what)
    parser.add_argument("--env-file", metavar="F", help="variables of the agent, KEY=VALUE a line; - is stdin")


def _add_several(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", metavar="N", type=whole(1, 1000), help="make so many; the result is a list")
    parser.add_argument("--beads", metavar="A,B,C", type=_beads, help="one polecat for each of these beads; the result is a list")
    parser.add_argument("--max-concurrent", metavar="N", type=whole(1, 1000), default=MAX_CONCURRENT, help="checkouts at a time")
    between = "at least so many seconds between two agents"
    parser.add_argument("--every", metavar="S", type=seconds(0, 86_400), default=0.0, help=between)


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--attach", action="store_true", help="attach to the polecat's session at the end; Ctrl-b d leaves it again"
    )
    parser.add_argument("--no-wait", action="store_true", help="return as soon as the session exists")
    patience = "how long the agent may take to be ready; by default the rig's setting"
    parser.add_argument("--ready-timeout", metavar="S", type=seconds(0.001, 604_800), help=patience)


def variable_of(text: str) -> tuple[str, str]:
    """Read ``KEY=VALUE`` of an option."""
    key, equals, value = text.partition("=")
    try:
        check_env_key(key)
    except InvalidNameError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not equals:
        raise argparse.ArgumentTypeError(f"{key!r} has no value; write {key}=VALUE")
    return key, value


def _beads(text: str) -> list[str]:
    beads = [bead for part in text.split(",") if (bead := part.strip(" \t\r\n"))]
    if not beads:
        raise argparse.ArgumentTypeError("names no bead")
    return beads


def _fetch(text: str) -> FetchPolicy:
    try:
        return FetchPolicy.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> int:
    """Spawn, or say what a spawn would do."""
    _refuse_conflicts(args)
    rig, opts = rig_of(args), _options(args)
    batch = _batch(args, opts)
    if args.dry_run:
        return _dry_run(args, plan_spawn(rig, batch[0], world=world_of(args)), count=len(batch))
    is_watched = sys.stderr.isatty() and not args.json
    with Progress("looking") as progress:
        base = opts.base_branch or rig.default_branch
        show = partial(_show_progress, progress, base=base, with_name=len(batch) > 1) if is_watched else None
        world = world_of(args, on_event=show)
        results = spawn_many(rig, batch, world=world, max_concurrent=args.max_concurrent, min_interval_s=args.every)
    cats = [cat for cat in results if isinstance(cat, SpawnedPolecat)]
    is_list = args.count is not None or args.beads is not None
    print_cats(args, cats, document="spawn --count" if is_list else "spawn")
    end_with(results)
    return attach_to(rig, cats[0], world) if args.attach else 0


def end_with(results: Sequence[SpawnedPolecat | PolecatError]) -> None:
    """Print all errors but the last, and raise that."""
    failed = [error for error in results if isinstance(error, PolecatError)]
    _print_failed(failed)
    if failed:
        raise failed[-1]


def _refuse_conflicts(args: argparse.Namespace) -> None:
    """Options that contradict each other are wrong usage."""
    is_batch = args.count is not None or args.beads is not None
    conflicts = (
        ("--beads", args.beads, "--hook", args.hook),
        ("--beads", args.beads, "--count", args.count),
        ("--beads", args.beads, "--name", args.name),
        ("--count", args.count is not None and args.count > 1, "--name", args.name),
        ("--count", args.count is not None and args.count > 1, "--hook", args.hook),
        ("--nudge", args.nudge, "--no-nudge", args.no_nudge),
        ("--ready-timeout", args.ready_timeout, "--no-wait", args.no_wait),
        ("--attach", args.attach, "--json", args.json),
        ("--attach", args.attach, "--dry-run", args.dry_run),
        ("--attach", args.attach, "--count or --beads", is_batch),
    )
    for one, has_one, other, has_other in conflicts:
        if has_one not in (None, False) and has_other not in (None, False):
            args.parser.error(f"{one} goes without {other}")


def _print_failed(failed: list[PolecatError]) -> None:
    """All but the last, which is raised; the same words once, with how often."""
    last = failed[-1].message if failed else ""
    counts = Counter(error.message for error in failed)
    for message, count in counts.items():
        if message != last:
            times = f" ({count} times)" if count > 1 else ""
            print(plain_lines(f"polecat: {message}{times}"), file=sys.stderr)
    if counts[last] > 1:
        print(f"polecat: {counts[last]} spawns failed alike:", file=sys.stderr)


def _batch(args: argparse.Namespace, opts: SpawnOptions) -> list[SpawnOptions]:
    if args.key and (args.count or args.beads is not None):
        raise PolecatError("--key goes without --count and --beads", hint="a key names one polecat; give a call each its own")
    if args.beads is None:
        return [opts] * (args.count or 1)
    return [evolve(opts, hook_bead=bead) for bead in args.beads]


def _options(args: argparse.Namespace) -> SpawnOptions:
    return SpawnOptions(
        force=args.force,
        account=args.account,
        hook_bead=args.hook,
        agent=args.agent,
        base_branch=args.base_branch,
        name=args.name,
        prompt=prompt_of(args),
        nudge=None if args.no_nudge else args.nudge or "auto",
        wait="no" if args.no_wait else "ready",
        fetch=args.fetch,
        bind_keys=args.bind_keys,
        ready_timeout_s=args.ready_timeout,
        env=env_of(args),
        key=args.key,
    )


def env_of(args: argparse.Namespace) -> dict[str, str]:
    """The variables that ``--env`` and ``--env-file`` give."""
    return {**(load_env_file(Path(args.env_file)) if args.env_file else {}), **dict(args.env)}


def prompt_of(args: argparse.Namespace) -> str | None:
    """The text that ``--prompt`` or ``--prompt-file`` gives."""
    prompt: str | None = args.prompt
    file: str | None = args.prompt_file
    if file is None:
        return prompt
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise PolecatError(f"cannot read the prompt from {file}: {error.strerror}", hint="name a file, or - for stdin") from None
    except UnicodeDecodeError as error:
        raise PolecatError(f"the prompt in {file} is no UTF-8 text: {error}", hint="convert it to UTF-8") from None


def print_cats(args: argparse.Namespace, cats: list[SpawnedPolecat], *, document: str) -> None:
    """Print what was made, as JSON or for people."""
    if args.json:
        is_list = DOCUMENTS[document].startswith("list of ")
        if is_list or cats:
            print(json_text(document, [as_json(cat) for cat in cats] if is_list else as_json(cats[0])))
        return
    for cat in cats:
        print(plain(cat.agent_id), flush=True)
        if getattr(args, "timings", False):
            steps = (*cat.timings.steps, ("total", cat.timings.total_s))
            print("\n".join(f"  {step:<10} {seconds:8.3f} s" for step, seconds in steps), file=sys.stderr)
        for warning in cat.warnings:
            print(plain_lines(f"polecat: warning: {warning}"), file=sys.stderr)
        if cat.readiness == "waiting":
            print(f"polecat: {cat.agent_id} waits for you: it asks '{cat.waiting_for}'", file=sys.stderr)
            print(plain(f"  answer it: {attach_command(cat)}"), file=sys.stderr)
        elif sys.stderr.isatty() and not getattr(args, "attach", False):
            print(plain(f"attach: {attach_command(cat)}"), file=sys.stderr)


def attach_command(cat: SpawnedPolecat) -> str:
    """The command that shows a person the polecat's session.

    Examples:
        >>> attach_command(SpawnedPolecat(rig_name="a", polecat_name="nux", clone_path=Path("/x"), session_name="gt-a-nux",
        ...     pane="%1", branch="b", base_commit="c"))
        "tmux attach -t '=gt-a-nux'"
    """
    where = () if not cat.tmux_socket else ("-S" if "/" in cat.tmux_socket else "-L", cat.tmux_socket)
    return shell_line("tmux", *where, "attach", "-t", f"={cat.session_name}")


def as_json(cat: SpawnedPolecat) -> dict[str, object]:
    """A polecat as ``--json`` prints it."""
    timings = {**dict(cat.timings.steps), "total": cat.timings.total_s}
    return facts_of(cat, agent_id=cat.agent_id, timings=timings)


def _dry_run(args: argparse.Namespace, plan: SpawnPlan, *, count: int) -> int:
    rows = [*describe(plan), *([("count", f"{count}; this is the first of them")] if count > 1 else [])]
    width = max(len(label) for label, _ in rows)
    facts = plan_as_json(plan, count=count)
    return answer(args, "spawn --dry-run", facts, *(f"{label.ljust(width)}  {plain(text)}" for label, text in rows))


def plan_as_json(plan: SpawnPlan, *, count: int) -> dict[str, object]:
    """A plan as ``--json`` prints it."""
    return facts_of(
        plan,
        count=count,
        fetch=plan.fetch.when if plan.fetch.when != "if-older-than" else f"if-older-than {plan.fetch.max_age_s:g}",
        agent=plan.agent.name,
        command=plan.agent.command,
        ends_first=plan.orphan_session,
        waits=plan.wait == "ready",
        types=bool(plan.typed),
    )


def _show_progress(progress: Progress, event: Event, *, base: str, with_name: bool) -> None:
    progress.say(_NEXT.get(event.name, ""))
    label, text = _LINES.get(event.name, ("", ""))
    if not label or (event.name == "hook_set" and not event.facts["hook_bead"]):
        return
    text = text.format(**event.facts, polecat=event.polecat, base=base)
    took = "" if event.duration_s is None else f"{event.duration_s:6.2f} s"
    who = f"{event.polecat:<12}  " if with_name else ""
    progress.line(f"  {who}{label:<9}  {text:<50} {took}")


VERBS = {"spawn": (EXAMPLE, add_arguments, run)}
