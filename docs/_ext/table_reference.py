"""Tables that stand in the code: events, log lines, steps, states, agents, themes, risks."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from docs._ext.markdown import code, table
from polecat.core.event_names import EVENTS, LOGGED, EventKind
from polecat.core.presets import PRESETS
from polecat.core.readiness import SETTLED_S
from polecat.core.risk import RiskCode, SafetyFacts, judge_work
from polecat.core.states import STATE_RULES
from polecat.core.steps import STEPS
from polecat.core.themes import THEMES
from polecat.ports import GitFacts


def events() -> str:
    """Every event with its facts."""
    return table(
        ("Name", "Says", "Timed", "Facts"),
        ((*row[:2], "yes" if EVENTS[name].is_timed else "", row[2]) for name, row in _rows(EVENTS)),
    )


def log_lines() -> str:
    """Every line that only the log gets."""
    return table(("Name", "Says", "Facts"), (row for _, row in _rows(LOGGED)))


def _rows(kinds: Mapping[str, EventKind]) -> list[tuple[str, tuple[str, str, str]]]:
    return [
        (name, (code(name), kind.says, "; ".join(f"{code(key)}: {meaning}" for key, meaning in kind.facts.items()) or "none"))
        for name, kind in kinds.items()
    ]


def steps() -> str:
    """The steps of a spawn."""
    return table(("Step", "What happens", "If it fails"), ((step.name, step.does, step.if_it_fails) for step in STEPS))


def states() -> str:
    """The rules by which a polecat's state is judged."""
    head = ("claim", "waits on purpose", "session", "holds work", "says", "shows, or ended", "state", "that is")
    rows = (
        (*(cell or "any" for cell in (r.claim, r.pauses, r.session, r.works, r.says, r.how)), f"**{r.state.value}**", r.means)
        for r in STATE_RULES
    )
    return table(head, rows)


_PROMPTS = {"argument": "as argument", "typed": "typed"}
_SLASHES = {"text": "as it is", "blank": "with a blank in front", "refused": "is refused"}


def agents() -> str:
    """The built-in agents."""
    rows = []
    for name, agent in PRESETS.items():
        ready = "its prompt stands still" if agent.signs.prompt else f"its screen has stood still for {SETTLED_S:g} s"
        prompt = _PROMPTS.get(agent.prompt_style, f"with {code(agent.prompt_style.partition(':')[2])}")
        resumed = " ".join(attrs.evolve(agent, args=()).resume_argv("ID")[1:])
        command = code(" ".join((agent.command, *agent.args)))
        seen = agent.checked or "not looked at"
        rows.append(
            (
                code(name),
                command,
                ready,
                prompt,
                _SLASHES[agent.slash],
                code(resumed) if resumed else "",
                code(agent.instructions_file),
                seen,
            )
        )
    head = (
        "Agent",
        "Command",
        "Ready when",
        "First instruction",
        "One with `/` in front",
        "Resumed with",
        "Reads",
        "Version looked at",
    )
    return table(head, rows)


def agent_flags() -> str:
    """The flags that the built-in agents are started with."""
    rows = ((code(name), code(" ".join(agent.args)) if agent.args else "none") for name, agent in PRESETS.items())
    return table(("Agent", "Flags"), rows)


def themes() -> str:
    """The themes of names."""
    return table(("Theme", "Names"), ((code(name), f"{len(names)}: {', '.join(names[:4])}, …") for name, names in THEMES.items()))


_CLEAN = GitFacts()
_RISKS: Mapping[RiskCode, tuple[str, SafetyFacts]] = {
    "uncommitted": ("tracked files changed, or files that git does not know", SafetyFacts(git=GitFacts(modified=("a",)))),
    "ignored": ("ignored files that match the rig's `rescue_ignored`", SafetyFacts(git=_CLEAN, precious=(".env",))),
    "stash": ("stashes made on its branch", SafetyFacts(git=GitFacts(stashes=("1",)))),
    "unpushed": (
        "commits on no remote-tracking branch, whose changes are not all in the rig's default branch either",
        SafetyFacts(git=GitFacts(unpushed=1, merged="no")),
    ),
    "submodule": ("changes or commits in submodules", SafetyFacts(git=GitFacts(submodules=("a",)))),
    "nested-repository": ("a repository inside that is no submodule", SafetyFacts(git=GitFacts(nested=("a",)))),
    "in-progress": (
        "a merge, rebase, cherry-pick, revert, bisect or am that was begun, or a locked index",
        SafetyFacts(git=GitFacts(in_progress=("merge",))),
    ),
    "process-inside": (
        "a process whose working directory is in its home, its own session's aside",
        SafetyFacts(git=_CLEAN, inside=("sh",)),
    ),
    "caller-inside": ("your own working directory is in its home", SafetyFacts(git=_CLEAN, caller_inside=True)),
    "hooked": ("a bead is on its hook", SafetyFacts(git=_CLEAN, hooked_bead="gt-1")),
    "merge-request": ("its agent bead names an open merge request", SafetyFacts(git=_CLEAN, active_mr="gt-2")),
    "self-report": (
        "it reported work that git cannot prove to be elsewhere; `force` suffices for `has_uncommitted`",
        SafetyFacts(git=GitFacts(unpushed=1, merged="ancestor"), cleanup_status="has_unpushed"),
    ),
    "stray-files": ("files in its home beside the worktree", SafetyFacts(git=_CLEAN, stray=("a",))),
    "mount": (
        "something is mounted in its home; what lies behind it is somebody else's",
        SafetyFacts(git=_CLEAN, mounts=("data",)),
    ),
    "locked": ("its worktree is locked with `git worktree lock`", SafetyFacts(git=GitFacts(locked="mine"))),
    "unknown": ("something could not be checked", SafetyFacts(git=GitFacts(problems=("a",)))),
}


def risks() -> str:
    """The risks that a verdict may name, and what lifts each, as the verdict itself says."""
    rows = []
    for word, (means, facts) in _RISKS.items():
        [risk] = [risk for risk in judge_work(facts).risks if risk.code == word]
        rows.append((code(word), means, code(risk.lifted_by) if risk.lifted_by != "nothing" else "nothing"))
    return table(("Code", "Means", "Lifted by"), rows)


def risk_codes() -> set[str]:
    """The risks of the table."""
    return set(_RISKS)
