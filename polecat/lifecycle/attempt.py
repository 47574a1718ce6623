"""One spawn on its way: its steps with their times, its undo list, its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from polecat.adapters.world import FullWorld
from polecat.core.plan import Choice, SpawnPlan
from polecat.core.steps import BY_NAME
from polecat.errors import PolecatError, SpawnFailedError, StepFailedError
from polecat.model import SpawnedPolecat, SpawnOptions, Timings
from polecat.ports import Event, Process, StartedSession, Worktree
from polecat.town.locks import HeldLock
from polecat.town.logs import log
from polecat.town.records import Record
from polecat.upkeep.undo import Undo

T = TypeVar("T")


class Attempt:
    """One spawn on its way. Everything it has made so far is in here, so that it can be taken back.

    Attributes:
        world: the outside.
        rig_name: the rig.
        opts: what was asked.
        undo: how to take back what was made.
        error: why it ended, if it failed.
        result: what it made, if it succeeded.
    """

    def __init__(self, *, world: FullWorld, rig_name: str, opts: SpawnOptions) -> None:
        self.world = world
        self.rig_name = rig_name
        self.opts = opts
        self.undo = Undo()
        self.locks: list[HeldLock] = []
        self.warnings: list[str] = []
        self.worktree: Worktree | None = None
        self.session: StartedSession | None = None
        self.agent: Process | None = None
        self.had_session = False
        self.used_spare = False
        self.variables: Mapping[str, str] = {}
        self.bead_holder = ""
        self.base_age_s: float | None = None
        self.is_released = False
        self.waiting_for = ""
        self.error: PolecatError | None = None
        self.result: SpawnedPolecat | None = None
        self._choice: Choice | None = None
        self._plan: SpawnPlan | None = None
        self._claim: Record | None = None
        self._times: list[tuple[str, float]] = []
        self._began_s = time.monotonic()
        self._step = "admit"

    @property
    def is_open(self) -> bool:
        """It has neither failed nor finished."""
        return self.error is None and self.result is None

    @property
    def choice(self) -> Choice:
        """What was settled before it had a name; set by the step *admit*."""
        return _known(self._choice, "choice")

    @choice.setter
    def choice(self, choice: Choice) -> None:
        self._choice = choice

    @property
    def plan(self) -> SpawnPlan:
        """All its decisions; set by the step *claim*."""
        return _known(self._plan, "plan")

    @property
    def claim(self) -> Record:
        """Its hold on its name; set by the step *claim*."""
        return _known(self._claim, "claim")

    @claim.setter
    def claim(self, record: Record) -> None:
        self._claim = record

    def named(self, plan: SpawnPlan, record: Record) -> None:
        """It has its name now."""
        self._plan, self._claim = plan, record
        self.warnings.extend(plan.warnings)

    @contextlib.contextmanager
    def step(self, name: str, *, tells: bool = True) -> Iterator[dict[str, object]]:
        """Do one step: time it, and tell its event when it succeeded, with the facts put into the dictionary."""
        event = BY_NAME[name].event if tells else ""
        self.now_at(name)
        facts: dict[str, object] = {}
        began_s = time.monotonic()
        try:
            yield facts
        finally:
            took_s = time.monotonic() - began_s
            self.took(name, took_s)
        if event:
            self.tell(event, duration_s=took_s, **facts)

    def took(self, step: str, seconds: float) -> None:
        """Note how long a step took."""
        self.now_at(step)
        self._times.append((step, round(seconds, 6)))

    def tell(self, event: str, *, duration_s: float | None = None, **facts: object) -> None:
        """Emit one fact of this spawn."""
        self.world.emit(
            Event(
                name=event,
                rig=self.rig_name,
                polecat=self._plan.polecat_name if self._plan else "",
                instance=self._claim.instance if self._claim else "",
                duration_s=duration_s,
                facts=facts,
            )
        )

    def fail(self, error: PolecatError | OSError) -> None:
        """End in failure: take everything back and keep the error, with what was undone and what was not."""
        self.undo.run()  # an interrupt passes through: `abandon` goes on from there, and the locks are ours until then
        self.release()
        self.error = self._dressed(error) if self._claim else as_polecat_error(error)
        self.tell("spawn_failed", step=self._step, left_behind=list(self.undo.left_behind))

    def finish(self, result: SpawnedPolecat) -> None:
        """End in success: nothing is taken back any more."""
        self.undo.forget()
        self.release()
        self.result = result

    @property
    def claimed(self) -> Record | None:
        """Its hold on its name, if it has one already."""
        return self._claim

    def abandon(self, sweep: Callable[[Attempt], None]) -> None:
        """End because of an interrupt: take everything back without an error of our own.

        Args:
            sweep: takes back what the undo list does not know, because the interrupt came between making a thing and noting it.
        """
        if self.is_open:
            try:
                self.undo.run()
                self._sweep(sweep)
            finally:
                self.release()
            log("warning", "spawn_interrupted", rig=self.rig_name, step=self._step)

    def _sweep(self, sweep: Callable[[Attempt], None]) -> None:
        try:
            sweep(self)
        except Exception as error:  # noqa: BLE001  an interrupt must not be replaced by what it caused
            log("warning", "undo_failed", step=self._step, error=str(error))

    def now_at(self, step: str) -> None:
        """It is at this step from now on."""
        self._step = BY_NAME[step].name

    def release(self) -> None:
        """Let go of the locks that were held for this attempt."""
        while self.locks:
            self.locks.pop().release()

    def timings(self) -> Timings:
        """Seconds per step so far."""
        return Timings(steps=tuple(self._times), total_s=round(time.monotonic() - self._began_s, 6))

    def _dressed(self, error: PolecatError | OSError) -> PolecatError:
        if isinstance(error, StepFailedError):
            dressed: StepFailedError = error
        else:
            plain = as_polecat_error(error)
            who = self._plan.agent_id if self._plan else self.rig_name
            dressed = SpawnFailedError(f"cannot spawn {who}: {plain.message}", step=self._step, hint=plain.hint)
            dressed.__cause__ = error
        dressed.undone, dressed.left_behind = self.undo.undone, self.undo.left_behind
        dressed.args = (f"{dressed.message}\n  {dressed.outcome()}",)
        return dressed


def guarded(attempt: Attempt, do: Callable[[Attempt], None]) -> None:
    """Do something with an attempt that is still open; an error ends this attempt and nothing else."""
    if not attempt.is_open:
        return
    try:
        do(attempt)
    except (PolecatError, OSError) as error:
        attempt.fail(error)


def still_open(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those that have neither failed nor finished."""
    return [attempt for attempt in attempts if attempt.is_open]


def as_polecat_error(error: PolecatError | OSError) -> PolecatError:
    """Make sure that an error is one of ours."""
    if isinstance(error, PolecatError):
        return error
    wrapped = PolecatError(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    wrapped.__cause__ = error
    return wrapped


def _known(value: T | None, what: str) -> T:
    if value is None:
        raise AssertionError(f"the attempt has no {what} yet")
    return value
