"""What a polecat does, judged from independent signals by one table. Pure; the documentation draws its picture from the table.

One signal alone proves nothing: a session that lives may belong to an agent that is done, and one that ended may have left work.
What could not be told is a value of its own, never read as an end.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from attrs import frozen

from polecat.model import Ended, PolecatState, ScreenKind

PAUSED_STATES = frozenset(("stuck", "awaiting-gate"))
"""Agent states that mean: it waits on purpose."""

DONE_STATES = frozenset(("done", "closed"))
"""Agent states that mean: it says that it is done."""


Says = Literal["done", "handed back", "nothing"]
End = Literal["well", "badly", "otherwise"]


@frozen(kw_only=True)
class Signals:
    """What is known about one polecat, from independent sources. None means: could not be told.

    Attributes:
        is_claimed: a claim stands in its home; None where that cannot be read.
        claimant_lives: the claim's holder lives.
        session_lives: its session exists and the agent's process has not ended.
        holds_work: a bead is on its hook, or assigned to it and open.
        agent_state: what it said of itself last; empty when it said nothing.
        was_given_work: a bead was put on its hook when it was spawned; so if it holds none now, it has handed it back.
        ended: how its agent ended; None where that is not known, or it has not.
        screen: what its agent shows: a question, its prompt, that it is at work; or that cannot be told.
    """

    is_claimed: bool | None = False
    claimant_lives: bool = False
    session_lives: bool | None = None
    holds_work: bool | None = None
    agent_state: str = ""
    was_given_work: bool = False
    ended: Ended | None = None
    screen: ScreenKind = "unknown"


class StateRule(NamedTuple):
    """One row of the table: an empty cell fits everything.

    Attributes:
        claim: the claim in its home is ``held`` by a living process, ``left`` by a dead one, ``unknown``, or there is ``none``.
        pauses: it said that it waits on purpose.
        session: its session ``lives``, has ``ended``, or that is ``unknown``.
        works: it holds work.
        says: it said that it is ``done``, has ``handed back`` the bead it was given, or said ``nothing`` of the kind.
        how: of one that lives: it ``asks`` something, sits ``idle`` at its prompt, is ``busy``, or that is ``unknown``. Of one that has
            ended: with status 0 (``well``), with another one or by a signal (``badly``), or ``otherwise``: its session was ended on
            request, its tmux server went away, nobody knows.
        state: what it does then.
        means: that in words.
    """

    claim: Literal["held", "left", "unknown", "none", ""]
    pauses: Literal["yes", "no", ""]
    session: Literal["lives", "ended", "unknown", ""]
    works: Literal["yes", "no", "unknown", ""]
    says: Literal[Says, ""]
    how: Literal[ScreenKind, End, ""]
    state: PolecatState
    means: str


STATE_RULES = (
    StateRule("held", "", "", "", "", "", PolecatState.SPAWNING, "somebody is just making or starting it"),
    StateRule("left", "", "", "", "", "", PolecatState.STALLED, "who was making it died; reconcile settles it"),
    StateRule("unknown", "", "", "", "", "", PolecatState.UNKNOWN, "its claim cannot be read"),
    StateRule("none", "yes", "", "", "", "", PolecatState.STUCK, "it waits on purpose, for a person or a gate"),
    StateRule("none", "no", "unknown", "", "", "", PolecatState.UNKNOWN, "whether its agent lives could not be told"),
    StateRule("none", "no", "lives", "no", "done", "", PolecatState.ZOMBIE, "done, and still running"),
    StateRule(
        "none", "no", "lives", "no", "handed back", "idle", PolecatState.ZOMBIE, "its work is handed back, and it still runs"
    ),
    StateRule("none", "no", "lives", "", "", "asks", PolecatState.WAITING, "it asks something; a person must answer"),
    StateRule("none", "no", "lives", "", "", "idle", PolecatState.IDLE, "it sits at its prompt"),
    StateRule("none", "no", "lives", "", "", "", PolecatState.WORKING, "its agent runs"),
    StateRule("none", "no", "ended", "unknown", "", "", PolecatState.UNKNOWN, "the beads could not be asked"),
    StateRule("none", "no", "ended", "no", "done", "", PolecatState.DONE, "it said that it is done"),
    StateRule("none", "no", "ended", "no", "handed back", "", PolecatState.DONE, "its work is handed back"),
    StateRule("none", "no", "ended", "no", "", "well", PolecatState.DONE, "it ended with status 0 and holds no work"),
    StateRule("none", "no", "ended", "", "", "badly", PolecatState.FAILED, "it ended with another status, or by a signal"),
    StateRule("none", "no", "ended", "yes", "", "", PolecatState.STALLED, "work, and nobody doing it"),
    StateRule("none", "no", "ended", "no", "", "", PolecatState.STALLED, "it has ended, and nothing says that it is done"),
)
"""The first row that fits counts."""

COLUMNS = ("claim", "pauses", "session", "works", "says", "how")
"""The questions, in the order in which they are asked."""


def judge_state(signals: Signals) -> PolecatState:
    """Say what a polecat does: the first rule of `STATE_RULES` that fits.

    Examples:
        >>> judge_state(Signals(session_lives=False, holds_work=True))
        <PolecatState.STALLED: 'stalled'>
        >>> judge_state(Signals(session_lives=False, holds_work=False, ended=Ended(reason="exit", status=3)))
        <PolecatState.FAILED: 'failed'>
        >>> judge_state(Signals(session_lives=None))
        <PolecatState.UNKNOWN: 'unknown'>
    """
    return rule_of(signals).state


def rule_of(signals: Signals) -> StateRule:
    """The rule by which a polecat's state is judged."""
    seen = {
        "claim": {True: "held" if signals.claimant_lives else "left", False: "none", None: "unknown"}[signals.is_claimed],
        "pauses": _word(signals.agent_state in PAUSED_STATES),
        "session": {True: "lives", False: "ended", None: "unknown"}[signals.session_lives],
        "works": _word(signals.holds_work),
        "says": _says(signals),
        "how": _end(signals.ended) if signals.session_lives is False else signals.screen,
    }
    return next(rule for rule in STATE_RULES if all(getattr(rule, column) in ("", seen[column]) for column in COLUMNS))


def _says(signals: Signals) -> Says:
    if signals.agent_state in DONE_STATES:
        return "done"
    return "handed back" if signals.was_given_work and signals.holds_work is False else "nothing"


def _end(ended: Ended | None) -> End:
    if ended is None or not (ended.is_success or ended.is_failure):
        return "otherwise"
    return "well" if ended.is_success else "badly"


def _word(answer: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[answer]
