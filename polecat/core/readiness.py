"""When is an agent ready? Decided here from what its pane shows; pure, time comes in as a number.

The best sign that is known for an agent counts: its prompt on the screen; else its process in the foreground; else a configured
delay; else that it survived a short window. A known dialog on the screen beats every one of them, because a prompt's arrow is
often part of the dialog too. An agent that ends meanwhile, with any status, has failed.
"""

from __future__ import annotations

from typing import Literal

from attrs import evolve, field, frozen

from polecat.core.presets import Agent
from polecat.core.screens import Dialog
from polecat.ports import PaneStatus, Watch

Outcome = Literal["pending", "ready", "waiting", "answer", "died", "gone", "late"]


@frozen(kw_only=True)
class Awaited:
    """One agent that is being waited for.

    Attributes:
        pane_id: its pane.
        instance: the stamp of its session.
        agent: how this agent shows that it is ready.
        accepts_trust: the settings allow to answer a trust question.
        began_s: when it was started, on a monotonic clock.
        deadline_s: when it is too late.
        answered: names of the dialogs answered so far; none is answered twice.
        seen_s: when its process was first seen, where that counts.
    """

    pane_id: str
    instance: str
    agent: Agent
    accepts_trust: bool
    began_s: float
    deadline_s: float
    answered: tuple[str, ...] = ()
    seen_s: float | None = None

    @property
    def open_dialogs(self) -> tuple[Dialog, ...]:
        """The dialogs that may still come."""
        return tuple(d for d in self.agent.dialogs if d.name not in self.answered)

    @property
    def _wants_process(self) -> bool:
        ready = self.agent.readiness
        return bool(ready.process_names) and not self.agent.signs.prompt

    @property
    def due_s(self) -> float:
        """When the next thing happens by the clock alone."""
        ready = self.agent.readiness
        if self.agent.signs.prompt or (self._wants_process and self.seen_s is None):
            return self.deadline_s
        since_s = self.began_s if self.seen_s is None else self.seen_s
        return min(self.deadline_s, since_s + (ready.delay_s or ready.window_s))

    def watch(self) -> Watch:
        """What to look for next: the dialogs that may come, then the prompt."""
        ready = self.agent.readiness
        patterns = [d.pattern for d in self.open_dialogs]
        if self.agent.signs.prompt:
            patterns.append(self.agent.signs.prompt)
        commands = ready.process_names if self._wants_process and self.seen_s is None else ()
        return Watch(
            pane_id=self.pane_id,
            instance=self.instance,
            patterns=tuple(patterns),
            commands=commands,
            release_on=len(patterns) - 1 if self.agent.signs.prompt else None,
        )


@frozen(kw_only=True)
class Judgement:
    """What a look at a pane means.

    Attributes:
        outcome: ``pending`` go on; ``ready``; ``waiting`` a person must answer *dialog*; ``answer`` press *dialog*'s keys and go on;
            ``died`` the process ended; ``gone`` the session is not there any more; ``late`` the deadline passed.
        awaited: the agent, with what is now known.
        dialog: the dialog on the screen.
    """

    outcome: Outcome
    awaited: Awaited
    dialog: Dialog | None = field(default=None)


def judge(awaited: Awaited, status: PaneStatus, *, now_s: float) -> Judgement:
    """Decide what one look at a pane means.

    Args:
        awaited: the agent; the status must come from its `Awaited.watch`.
        status: how the pane is.
        now_s: the time of the look, on the clock of ``awaited.began_s``.

    Source:
        Incidents T-33 to T-38.
    """
    if not status.exists:
        return Judgement(outcome="gone", awaited=awaited)
    if status.is_dead:
        return Judgement(outcome="died", awaited=awaited)
    dialogs = awaited.open_dialogs
    for dialog, is_there in zip(dialogs, status.matched, strict=False):
        if is_there:
            return _judge_dialog(awaited, dialog)
    return _judge_signs(awaited, status, now_s)


def _judge_dialog(awaited: Awaited, dialog: Dialog) -> Judgement:
    if dialog.policy == "report" or (dialog.policy == "trust" and not awaited.accepts_trust):
        return Judgement(outcome="waiting", awaited=awaited, dialog=dialog)
    known = evolve(awaited, answered=(*awaited.answered, dialog.name))
    return Judgement(outcome="answer", awaited=known, dialog=dialog)


def _judge_signs(awaited: Awaited, status: PaneStatus, now_s: float) -> Judgement:
    ready = awaited.agent.readiness
    if awaited.agent.signs.prompt:
        if status.matched and status.matched[-1]:  # the prompt: a dialog would have been seen before
            return Judgement(outcome="ready", awaited=awaited)
    else:
        if ready.process_names and awaited.seen_s is None and status.command in ready.process_names:
            awaited = evolve(awaited, seen_s=now_s)
        started = awaited.seen_s is not None or not ready.process_names
        if started and now_s >= awaited.due_s:
            return Judgement(outcome="ready" if awaited.due_s < awaited.deadline_s else "late", awaited=awaited)
    return Judgement(outcome="late" if now_s >= awaited.deadline_s else "pending", awaited=awaited)
