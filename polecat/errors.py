"""Every error polecat raises, as one tree.

::

    PolecatError
    ├── InvalidNameError (ValueError)        a name that git, tmux or the disk would change
    ├── ConfigError                          a file is wrong: path, line, field
    ├── NotFoundError
    │   ├── TownNotFoundError · RigNotFoundError · PolecatNotFoundError
    │   └── AgentNotFoundError · AccountNotFoundError · SessionNotFoundError
    ├── RigExistsError                       `rig add` of something that exists
    ├── SpawnRefusedError                    a rule said no; nothing was touched
    │   └── RigFullError · DiskFullError · RespawnLimitError · BeadTakenError · BeadClosedError
    ├── SpawnFailedError                     it broke: .step .undone .left_behind
    │   └── AgentDiedError · NotReadyError   .screen: what the agent showed last
    ├── RepairFailedError · RemoveFailedError    as SpawnFailedError, for the other verbs
    ├── WorkAtRiskError                      going on would lose work: .reasons
    ├── RescueFailedError                    work could not be saved, so nothing was deleted
    ├── LockTimeoutError (TimeoutError)      somebody else holds it: .holder .waited_s
    ├── WaitTimeoutError (TimeoutError)      polecats are not as asked in time: .polecats
    ├── UnknownStateError                    a check failed; unknown is not dead and not clean
    ├── UnsupportedError                     an adapter cannot do it: .operation .protocol
    ├── BeadsError                           the store said no, or did not keep its word
    │   └── BeadsUnavailableError · BeadsConfigError
    └── ProgramError                         a program said no: .argv .exit_code .stderr
        ├── ProgramMissingError · ProgramTimeoutError
        ├── GitError
        └── TmuxError
            └── SessionExistsError · TmuxUnreachableError

Messages follow one policy: what, why, what to do next; lower-case start, no final stop. `hint` is the "what to do next".
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, get_type_hints

C = TypeVar("C", bound=type)


def publish(one: C) -> C:
    """Let a public class say that it is ``polecat``'s. A decorator, above all others.

    So a class reads ``polecat.Polecat`` in its repr, in tracebacks and in pickles, which then outlive a move to another module. The
    price: whoever looks a class up by its module looks into the package. So that `attrs.resolve_types` and `typing.get_type_hints`
    still work, annotations become types here; so that doctest finds examples, it is told by ``__test__``; but `inspect.getsource` does
    not find these classes.
    """
    vars(sys.modules[one.__module__]).setdefault("__test__", {})[one.__name__] = one
    one.__annotations__ = get_type_hints(one)
    one.__module__ = "polecat"
    return one


def rebuild_error(cls: type[PolecatError], message: str, state: dict[str, object], cause: BaseException | None) -> PolecatError:
    """Make an error again from what was written down of it, without asking its class what it takes."""
    error = cls.__new__(cls, message)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    error.__cause__ = cause
    return error


def _cause_that_travels(error: BaseException) -> BaseException | None:
    """The cause of an error as another process can read it: what is neither ours nor Python's own becomes its words."""
    cause = error.__cause__
    if cause is None or isinstance(cause, PolecatError) or type(cause).__module__ == "builtins":
        return cause
    return rebuild_error(PolecatError, f"{type(cause).__name__}: {cause}", {"hint": ""}, _cause_that_travels(cause))


@publish
class PolecatError(Exception):
    """The root: catch this to catch everything polecat raises on purpose.

    Args:
        message: what went wrong and why, one line where possible.
        hint: what to do next, one line or several; shown below the message by the command line.
    """

    host: str = ""
    """The machine that told it, if that was another one (`polecat.fleet`)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __init_subclass__(cls) -> None:
        if cls.__module__ == __name__:  # those below, not what others derive
            publish(cls)

    @property
    def message(self) -> str:
        """What went wrong and why, without the hint."""
        return str(self.args[0])

    def __reduce__(self) -> tuple[Callable[..., PolecatError], tuple[object, ...]]:
        return (rebuild_error, (type(self), self.message, self.__dict__, _cause_that_travels(self)))


class InvalidNameError(PolecatError, ValueError):
    """A name that git, tmux or the disk would rewrite, misread or reserve."""

    def __init__(self, kind: str, name: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"{kind} name {_shorten(name)!r} {why}", hint=hint)
        self.kind, self.name = kind, name


class ConfigError(PolecatError):
    """A configuration file that cannot be read as what it should be.

    ``path``, ``line`` (1-based, None when the file as a whole is meant) and ``field`` (dotted, empty likewise) say where.
    """

    def __init__(self, path: Path, problem: str, *, line: int | None = None, field: str = "", hint: str = "") -> None:
        place = f"{path}" if line is None else f"{path}, line {line}"
        what = f"{field!r} {problem}" if field else problem
        super().__init__(f"{place}: {what}", hint=hint)
        self.path, self.line, self.field, self.problem = path, line, field, problem


class NotFoundError(PolecatError):
    """Something was named that does not exist. ``known`` lists what does."""

    def __init__(self, message: str, *, known: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.known = tuple(known)


class TownNotFoundError(NotFoundError):
    """No town contains the place where we looked."""


class RigNotFoundError(NotFoundError):
    """The town has no rig of that name, or the rig's directory is gone."""


class PolecatNotFoundError(NotFoundError):
    """The rig has no polecat of that name."""


class AgentNotFoundError(NotFoundError):
    """No agent of that name in settings, registries or presets, or its program is not on PATH."""


class AccountNotFoundError(NotFoundError):
    """``accounts.json`` has no such account."""


class SessionNotFoundError(NotFoundError):
    """The polecat has no tmux session."""


class RigExistsError(PolecatError):
    """A rig, or a directory in its place, exists already."""


class SpawnRefusedError(PolecatError):
    """A rule said no before anything was touched: change the request, or wait."""


class RigFullError(SpawnRefusedError):
    """The rig holds as many polecats, spawning ones included, as its settings allow."""


class DiskFullError(SpawnRefusedError):
    """Too little free disk for another worktree."""


class RespawnLimitError(SpawnRefusedError):
    """The same bead made agents fail too often in a row."""


class BeadTakenError(SpawnRefusedError):
    """The bead is on the hook of somebody else who is alive. ``holder`` says who."""

    def __init__(self, message: str, *, holder: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.holder = holder


class BeadClosedError(SpawnRefusedError):
    """The bead is closed; there is nothing to do on it."""


class StepFailedError(PolecatError):
    """Something began, broke, and was undone as far as possible.

    Attributes:
        step: the name of the step that broke.
        undone: what was undone, in the order it was undone.
        left_behind: what could not be undone; empty when the state equals the start.
    """

    def __init__(
        self, message: str, *, step: str, undone: Sequence[str] = (), left_behind: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.step, self.undone, self.left_behind = step, tuple(undone), tuple(left_behind)

    def outcome(self) -> str:
        """One sentence on what is left of the attempt.

        Examples:
            >>> SpawnFailedError("x", step="ready", undone=["session", "worktree"]).outcome()
            'nothing was left behind (session, worktree undone)'
        """
        if self.left_behind:
            return f"left behind: {'; '.join(self.left_behind)}"
        done = f" ({', '.join(self.undone)} undone)" if self.undone else ""
        return f"nothing was left behind{done}"


class SpawnFailedError(StepFailedError):
    """A spawn began and broke; the cause is chained."""


class AgentDiedError(SpawnFailedError):
    """The agent ended while we waited for it to be ready.

    ``exit_code`` or ``signal`` says how (both None when tmux lost it), ``screen`` holds what it showed last.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str,
        screen: str = "",
        exit_code: int | None = None,
        signal: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, step=step, hint=hint)
        self.screen, self.exit_code, self.signal = screen, exit_code, signal


class NotReadyError(SpawnFailedError):
    """The agent lives but did not become ready in time; ``screen`` is what it shows."""

    def __init__(self, message: str, *, step: str, screen: str = "", hint: str = "") -> None:
        super().__init__(message, step=step, hint=hint)
        self.screen = screen


class WaitTimeoutError(PolecatError, TimeoutError):
    """Polecats did not become what was waited for in time; ``polecats`` are those that did not, as they were last."""

    def __init__(self, message: str, *, polecats: Sequence[object] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.polecats = tuple(polecats)


class RepairFailedError(StepFailedError):
    """A repair began and broke; the old worktree is as it was."""


class RemoveFailedError(StepFailedError):
    """A removal began and could not be finished; the name stays taken."""


class WorkAtRiskError(PolecatError):
    """Going on would lose work. ``reasons`` are machine-readable, one per risk."""

    def __init__(self, message: str, *, reasons: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons)


class RescueFailedError(PolecatError):
    """Work could not be written to a rescue ref, so nothing was deleted."""


class LockTimeoutError(PolecatError, TimeoutError):
    """A lock was not free in time. ``holder`` names who has it, where that is known."""

    def __init__(self, path: Path, *, waited_s: float, holder: str = "", what: str = "") -> None:
        by = f", held by {holder}" if holder else ""
        purpose = f" for {what}" if what else ""
        super().__init__(
            f"the lock {path}{purpose} was not free within {waited_s:g} s{by}",
            hint="wait for the other process or end it; never delete the lock file",
        )
        self.path, self.waited_s, self.holder = path, waited_s, holder


class UnknownStateError(PolecatError):
    """A check failed, so nothing was decided: unknown is not dead, and unknown is not clean."""


class UnsupportedError(PolecatError):
    """The given adapter cannot do it: ``operation`` needs the methods of ``protocol``."""

    def __init__(self, message: str, *, operation: str, protocol: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.operation, self.protocol = operation, protocol


class BeadsError(PolecatError):
    """The beads store refused, or did not keep what it was told to keep."""


class BeadsUnavailableError(BeadsError):
    """The beads store gave no usable answer: *unknown*, which is not *not found*."""


class BeadsConfigError(BeadsError):
    """The beads store is set up wrongly; trying again will not help."""


class ProgramError(PolecatError):
    """An outside program ended badly.

    ``argv``, ``exit_code`` (negative = signal), ``stderr`` (text, whole) and ``cwd`` say what was run and how it ended.
    """

    def __init__(
        self,
        message: str,
        *,
        argv: Sequence[str] = (),
        exit_code: int | None = None,
        stderr: str = "",
        cwd: Path | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.argv, self.exit_code, self.stderr, self.cwd = tuple(argv), exit_code, stderr, cwd


class ProgramMissingError(ProgramError):
    """The program is not on PATH."""


class ProgramTimeoutError(ProgramError):
    """The program was ended because it took longer than its time limit."""


class GitError(ProgramError):
    """git said no."""


class TmuxError(ProgramError):
    """tmux said no."""


class SessionExistsError(TmuxError):
    """A session of that name exists already; it was not touched."""


class TmuxUnreachableError(TmuxError):
    """tmux could not be asked. This is *unknown*, never *no sessions*."""


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
