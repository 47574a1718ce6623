"""Running ``bd``: the environment it gets, the limits it keeps, and which failures are worth another try.

- The environment is built, not inherited: whatever of ``BEADS_*``, ``BD_*``, ``GT_*`` or git's own variables the caller has would bend
  ``bd`` towards another database. ``BEADS_DIR`` is set, once.
- The working directory is the parent of the beads directory, never the caller's.
- Before the first call the beads directory is looked at: where it holds no database, ``bd`` silently takes one further up the tree.
- A conversation has a budget of seconds. Only what is transient is tried again, with growing, scattered pauses, until it is spent.
- The embedded database of ``bd`` 1.x admits one process at a time, readers included, and refuses the others at once; so there our
  processes queue at a lock of ours, and that wait is not charged to the budget.

Source:
    Contract §12.2, incidents (c.3); the last three were seen on bd 0.47.1 and 1.0.0.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import define, field, frozen

from polecat.adapters.beads.answers import Issue, UnreadableAnswerError, error_in, parse_issues, parse_object
from polecat.adapters.beads.dialect import Dialect, dialect_of, find_binary
from polecat.adapters.beads.messages import Meaning, config_hint, first_line, meaning_of, without_notes
from polecat.adapters.processes import program
from polecat.errors import (
    BeadsConfigError,
    BeadsError,
    BeadsUnavailableError,
    LockTimeoutError,
    ProgramError,
    ProgramMissingError,
    ProgramTimeoutError,
)
from polecat.names import shell_line
from polecat.town import locks
from polecat.town.guarded import read_json_object

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
QUEUE_LIMIT = 4.0
"""How many times the budget of one conversation somebody may wait for the conversations before."""

_FOREIGN = ("BEADS_", "BD_", "GT_", "GIT_", "DOLT_")


def bd_environment(environ: Mapping[str, str], *, beads_dir: Path, actor: str) -> dict[str, str]:
    """Build the whole environment of ``bd``.

    Examples:
        >>> bd_environment({"PATH": "/bin", "BEADS_DB": "/x", "BD_ACTOR": "mayor"}, beads_dir=Path("/r/.beads"), actor="r/polecats/n")
        {'PATH': '/bin', 'BEADS_DIR': '/r/.beads', 'BD_ACTOR': 'r/polecats/n'}
    """
    env = {key: value for key, value in environ.items() if not key.startswith(_FOREIGN)}
    env["BEADS_DIR"] = str(beads_dir)
    if actor:
        env["BD_ACTOR"] = actor
    return env


@frozen(kw_only=True)
class Answer:
    """How one call of ``bd`` ended.

    Attributes:
        command: what was asked, for people.
        text: what it printed.
        complaint: what went wrong, without notes; empty if nothing did.
        meaning: what kind of failure it was; None for success.
    """

    command: str
    text: str
    complaint: str = ""
    meaning: Meaning | None = None

    def refusal(self) -> BeadsError:
        """The error for a plain no."""
        return BeadsError(f"{self.command} was refused: {first_line(self.complaint)}", hint=self.complaint)

    def issues(self) -> tuple[Issue, ...]:
        """Read the beads that were asked for; none only where ``bd`` says that there are none.

        Raises:
            BeadsUnavailableError: it is no answer; so it is unknown what there is.
        """
        if self.meaning == "absent":
            return ()
        if self.meaning is not None:
            raise BeadsUnavailableError(str(self.refusal()), hint=self.complaint)
        try:
            return parse_issues(self.text)
        except UnreadableAnswerError as error:
            raise BeadsUnavailableError(f"{self.command} gave no usable answer: {error}") from error


@frozen(kw_only=True)
class BdProgram:
    """One ``bd`` and the beads directory it works on."""

    which: str
    beads_dir: Path
    env: Mapping[str, str] = field(repr=False)
    timeout_s: float
    locks_dir: Path
    cache_dir: Path | None

    def talk(self) -> Talk:
        """Begin a conversation: find the program, ask what it can, look at the directory.

        Raises:
            BeadsConfigError: program, directory or database are not there.
        """
        if not self.beads_dir.is_dir():
            raise BeadsConfigError(
                f"the beads directory {self.beads_dir} does not exist", hint="create it: bd init --prefix PREFIX"
            )
        binary = find_binary(self.which, self.env)
        dialect = dialect_of(binary, env=self.env, timeout_s=self.timeout_s, cache_dir=self.cache_dir)
        talk = Talk(bd=self, binary=binary, dialect=dialect, left_s=self.timeout_s)
        if not holds_database(self.beads_dir, dialect):
            _check_where(talk)
        return talk

    @contextlib.contextmanager
    def alone(self, name: str, what: str) -> Iterator[None]:
        """Hold a lock among polecat's processes.

        Raises:
            BeadsUnavailableError: others held it for too long.
        """
        path = self.locks_dir / f"{name}.lock"
        try:
            held = locks.take(path, what=what, timeout_s=QUEUE_LIMIT * self.timeout_s)
        except LockTimeoutError as error:
            raise BeadsUnavailableError(f"cannot {what}: {error.message}", hint=error.hint) from error
        try:
            yield
        finally:
            held.release()


@define(kw_only=True)
class Talk:
    """One conversation with ``bd``: several calls, one budget of seconds."""

    bd: BdProgram
    binary: Path
    dialect: Dialect
    left_s: float

    def ask(self, *words: str, about: str = "") -> Answer:
        """Run one command, again and again while its failure is transient and there is time.

        Args:
            words: the command and its arguments.
            about: the bead it is about, to recognise its absence.

        Raises:
            BeadsConfigError: the store is set up wrongly.
            BeadsUnavailableError: it hung, crashed, or kept failing.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            answer = self._once(words, about)
            if answer.meaning == "config":
                raise BeadsConfigError(
                    f"{answer.command} failed: {first_line(answer.complaint)}", hint=config_hint(answer.complaint)
                )
            if answer.meaning != "transient":
                return answer
            wait_s = pause_s * random.uniform(0.75, 1.25)
            if wait_s >= self.left_s:
                raise BeadsUnavailableError(
                    f"{answer.command} kept failing for {self.bd.timeout_s:g} s: {first_line(answer.complaint)}",
                    hint="the store is busy; try again later",
                )
            time.sleep(wait_s)
            self.left_s -= wait_s
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def must(self, *words: str) -> None:
        """Run one command that changes something. Errors as `ask`, and `BeadsError` where it is refused."""
        answer = self.ask(*words)
        if answer.meaning is not None:
            raise answer.refusal()

    def show(self, bead_id: str) -> Issue | None:
        """Read a bead; None if there is none.

        Raises:
            BeadsUnavailableError: it is unknown whether there is one.
        """
        issues = self.ask("show", bead_id, "--json", about=bead_id).issues()
        return next((issue for issue in issues if issue.bead.id == bead_id), None)  # bd also finds what merely begins so

    def _once(self, words: tuple[str, ...], about: str) -> Answer:
        command = f"bd {' '.join(word if len(word) < 60 else word[:57] + '…' for word in words[:4])}".replace("\n", " ")
        one_at_a_time = (self.bd.beads_dir / "embeddeddolt").is_dir()
        with self.bd.alone("bd-embedded", f"run {command}") if one_at_a_time else contextlib.nullcontext():
            finished = self._run(words, command)
        if finished.exit_code < 0:
            raise BeadsUnavailableError(f"{command} was killed by signal {-finished.exit_code}")
        complaint = _complaint(finished)
        return Answer(
            command=command,
            text=finished.text,
            complaint=complaint,
            meaning=meaning_of(complaint, about) if complaint else None,
        )

    def _run(self, words: tuple[str, ...], command: str) -> program.Finished:
        beads_dir = self.bd.beads_dir
        argv = (str(self.binary), *self.dialect.global_flags, *words)
        began_s = time.monotonic()
        try:
            return program.run(argv, env=self.bd.env, cwd=beads_dir.parent, timeout_s=max(0.1, self.left_s))
        except ProgramTimeoutError as error:
            raise BeadsUnavailableError(f"{command} did not end within {self.bd.timeout_s:g} s and was killed") from error
        except ProgramMissingError as error:
            raise BeadsConfigError(error.message, hint=error.hint) from error
        except ProgramError as error:
            raise BeadsUnavailableError(f"{command} could not be run: {error.message}") from error
        finally:
            self.left_s -= time.monotonic() - began_s


def holds_database(beads_dir: Path, dialect: Dialect) -> bool:
    """Say whether a beads directory visibly holds a database that this ``bd`` would use. Reads names only."""
    if any((beads_dir / name).is_dir() for name in ("embeddeddolt", "dolt")):
        return True
    if dialect.has_daemon:
        return any(path.name != "vc.db" and ".backup" not in path.name for path in beads_dir.glob("*.db"))
    try:
        metadata = read_json_object(beads_dir / "metadata.json") or {}
    except (OSError, ValueError):
        return False
    return metadata.get("dolt_mode") == "server"


def _check_where(talk: Talk) -> None:
    """Refuse to go on if ``bd`` says that it would use a database outside of our directory."""
    beads_dir = talk.bd.beads_dir
    answer = talk.ask("where", "--json")
    found = parse_object(answer.text).get("database_path")
    if not isinstance(found, str) or not found:
        return
    if not os.path.realpath(found).startswith(os.path.realpath(beads_dir) + os.sep):
        raise BeadsConfigError(
            f"the beads directory {beads_dir} holds no database; bd would use {found} instead",
            hint=f"create one there: cd {shell_line(beads_dir.parent)} && bd init --prefix PREFIX",
        )


def _complaint(finished: program.Finished) -> str:
    """What went wrong, in the program's words; empty if nothing did."""
    said = without_notes(finished.error_text)
    if finished.exit_code == 0:
        return "" if finished.text.strip(" \n") else said  # exit 0, nothing printed, words on stderr: an error
    words = [said, error_in(finished.text) or error_in(finished.error_text)]
    return "\n".join(word for word in words if word) or without_notes(finished.text) or f"exit status {finished.exit_code}"
