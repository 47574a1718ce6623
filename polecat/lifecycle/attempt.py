"""One spawn under way: its steps with their times, its undo list, its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from attrs import define, field

from polecat.adapters.world import FullWorld
from polecat.core.plan import Choice, SpawnPlan
from polecat.core.steps import BY_NAME
from polecat.errors import PolecatError, SpawnFailedError, StepFailedError
from polecat.model import SpawnedPolecat, SpawnOptions, Timings
from polecat.ports import Bead, Event, Process, StartedSession
from polecat.town.files import why_not
from polecat.town.logs import log
from polecat.town.records import Record
from polecat.upkeep.undo import Undo


@define(kw_only=True, eq=False, repr=False)
class Attempt:
    """One spawn under way: everything it has made so far, so that it can be undone.

    Attributes:
        world: the world it runs in.
        rig_name: the rig.
        opts: what was asked.
        verb: what is being done, for errors.
        choice: what was decided before it had a name; set by the step *admit*.
        plan: all its decisions; set by the step *claim*.
        claim: its claim; set by the step *claim*, written again by later steps.
        is_claimed: plan and claim are set.
        undo: how to undo what was made.
        locks: the locks held until it ends.
        bead: the bead for its hook, as it was before.
        outcome: what it made, or why it failed; None while it is open.
    """

    world: FullWorld
    rig_name: str
    opts: SpawnOptions
    verb: str = "spawn"
    choice: Choice = field(init=False)
    plan: SpawnPlan = field(init=False)
    claim: Record = field(init=False)
    is_claimed: bool = False
    undo: Undo = field(factory=Undo)
    locks: ExitStack = field(factory=ExitStack)
    warnings: list[str] = field(factory=list)
    bead: Bead | None = None
    base_age_s: float | None = None
    used_spare: bool = False
    variables: Mapping[str, str] = field(factory=dict)
    session: StartedSession | None = None
    had_session: bool = False
    agent: Process | None = None
    is_released: bool = False
    waiting_for: str = ""
    outcome: SpawnedPolecat | PolecatError | None = None
    _at: str = field(init=False, default="admit")
    _times: list[tuple[str, float]] = field(init=False, factory=list)
    _began_s: float = field(init=False, factory=time.monotonic)

    @contextmanager
    def step(self, name: str, *, emits: bool = True) -> Iterator[dict[str, object]]:
        """Do one step: time it, and emit its event when it succeeded, with the facts put into the dictionary."""
        self.now_at(name)
        facts: dict[str, object] = {}
        began_s = time.monotonic()
        try:
            yield facts
        finally:
            took_s = time.monotonic() - began_s
            self.took(name, took_s)
        if emits and BY_NAME[name].event:
            self.emit(BY_NAME[name].event, duration_s=took_s, **facts)

    def now_at(self, step: str) -> None:
        """It is at this step from now on."""
        self._at = BY_NAME[step].name

    def took(self, step: str, seconds: float) -> None:
        """Note how long a step took."""
        self.now_at(step)
        self._times.append((step, round(seconds, 6)))

    def timings(self) -> Timings:
        """Seconds per step so far."""
        return Timings(steps=tuple(self._times), total_s=round(time.monotonic() - self._began_s, 6))

    def emit(self, event: str, *, duration_s: float | None = None, **facts: object) -> None:
        """Emit one fact of this spawn."""
        name, instance = (self.plan.polecat_name, self.claim.instance) if self.is_claimed else ("", "")
        self.world.emit(Event(name=event, rig=self.rig_name, polecat=name, instance=instance, duration_s=duration_s, facts=facts))

    def finish(self, result: SpawnedPolecat) -> None:
        """End in success: nothing is undone any more."""
        self.undo.forget()
        self.locks.close()
        self.outcome = result

    def fail(self, error: PolecatError | OSError) -> None:
        """End in failure: undo everything and keep the error, with what was undone and what was not."""
        self.undo.run()  # an interrupt passes through; `abandon` goes on from there and still holds the locks
        self.locks.close()
        if not isinstance(error, PolecatError):
            cause, error = error, PolecatError(why_not(error))
            error.__cause__ = cause
        self.outcome = self._as_failure(error) if self.is_claimed else error
        self.emit("spawn_failed", step=self._at, left_behind=list(self.undo.left_behind))

    def abandon(self, sweep: Callable[[Attempt], None]) -> None:
        """End because of an interrupt: undo everything, without an error of its own.

        Args:
            sweep: removes what the undo list does not know, because the interrupt came between making a thing and noting it.
        """
        if self.outcome is not None:
            return
        try:
            self.undo.run()
            sweep(self)
        except Exception as error:  # noqa: BLE001  an interrupt must not be replaced by what it caused
            log("warning", "undo_failed", step=self._at, error=str(error))
        finally:
            self.locks.close()
        log("warning", "spawn_interrupted", rig=self.rig_name, step=self._at)

    def _as_failure(self, error: PolecatError) -> PolecatError:
        failure = error
        if not isinstance(failure, StepFailedError):
            failure = SpawnFailedError(
                f"cannot {self.verb} {self.plan.agent_id}: {error.message}", step=self._at, hint=error.hint
            )
            failure.__cause__ = error
        failure.undone, failure.left_behind = tuple(self.undo.undone), tuple(self.undo.left_behind)
        failure.args = (f"{failure.message}\n  {failure.outcome()}",)
        return failure


def guarded(attempt: Attempt, do: Callable[[Attempt], None]) -> None:
    """Do something with an attempt that is still open; an error ends this attempt and nothing else."""
    try:
        do(attempt)
    except (PolecatError, OSError) as error:
        attempt.fail(error)


def still_open(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those that have neither failed nor finished."""
    return [attempt for attempt in attempts if attempt.outcome is None]
