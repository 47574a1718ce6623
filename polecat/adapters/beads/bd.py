"""The work of a Gas Town, kept by ``bd``.

Where a bead is held is said by its status and assignee; the agent's own state by the lines of its description. Both exist in every
version of ``bd``. The slots that older versions have are kept in step, as a mirror.

Each writing method reads, decides, writes and reads back, under a lock on that bead (for agent beads the file that later versions
of the reference lock as well). What was not kept is an error.

Source:
    Contract §12.2–12.6, incidents (c.2).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs

from polecat.adapters.beads.answers import Issue
from polecat.adapters.beads.calls import BdProgram, Talk, bd_environment
from polecat.adapters.beads.dialect import Dialect
from polecat.core import bead_rules
from polecat.core.agent_description import AGENT_LABEL, check_field_names, format_description, parse_description, replace_fields
from polecat.errors import BeadClosedError, BeadsError, BeadTakenError
from polecat.names import check_bead_id
from polecat.ports import AgentBead, AgentFields, Bead, Holdings

TAKE_BACK_S = 5.0
"""How long undoing a failed change may take, when the operation's own time is up."""

_TRIMMED = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What a ``bd`` takes from the ends of a title: Go's idea of white space."""


class BdCli:
    """`Beads` in the database of ``bd``, version 0.47 or later.

    Args:
        beads_dir: the beads directory, redirects already followed.
        environ: the environment that PATH, HOME and their like are taken from; None means the process's own. What could lead
            ``bd`` elsewhere is left out of it.
        actor: who is written down as having changed things.
        timeout_s: the most seconds that one method may spend in ``bd``, tries included.
        which: the program's name or path.
        locks_dir: where the locks on beads are; None means ``.locks`` in the beads directory.
        cache_dir: where it is kept what this ``bd`` can, so that the next process need not ask; None keeps it in this process.
        agents_dir: another beads directory, in which the agent beads are; None means the same.
    """

    def __init__(
        self,
        *,
        beads_dir: Path,
        environ: Mapping[str, str] | None = None,
        actor: str = "",
        timeout_s: float = 30.0,
        which: str = "bd",
        locks_dir: Path | None = None,
        cache_dir: Path | None = None,
        agents_dir: Path | None = None,
    ) -> None:
        def program_at(place: Path) -> BdProgram:
            return BdProgram(
                which=which,
                beads_dir=place,
                env=bd_environment(os.environ if environ is None else environ, beads_dir=place, actor=actor),
                timeout_s=timeout_s,
                locks_dir=place / ".locks" if locks_dir is None else locks_dir,
                cache_dir=cache_dir,
            )

        self._bd = program_at(beads_dir.absolute())
        self._agents = program_at(agents_dir.absolute()) if agents_dir else self._bd

    @property
    def beads_dir(self) -> Path:
        """Where the work is."""
        return self._bd.beads_dir

    @property
    def agents_dir(self) -> Path:
        """Where the agent beads are."""
        return self._agents.beads_dir

    def dialect(self) -> Dialect:
        """Say which ``bd`` this is and what it can.

        Raises:
            BeadsError: it is not there, or gives no answer.
        """
        return self._bd.talk().dialect

    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        """See `Beads.open_agent`."""
        wanted = AgentBead(id=bead_id, title=title, fields=fields)
        description = format_description(title, fields)
        with self._changing(bead_id, "agent") as talk:
            issue = talk.show(bead_id)
            if issue is not None:
                bead_rules.check_is_agent(issue.bead)
            with _taken_back(talk, lambda: _close(talk, bead_id, "opening it failed")):
                return _open(talk, issue, wanted, description)

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        """See `Beads.close_agent`."""
        with self._changing(bead_id, "agent") as talk:
            return _close(talk, bead_id, reason)

    def agent(self, bead_id: str) -> AgentBead | None:
        """See `Beads.agent`."""
        issue = self._agents.talk().show(check_bead_id(bead_id))
        return None if issue is None else bead_rules.as_agent(issue.bead, issue.description)

    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        """See `Beads.update_agent`."""
        check_field_names(changes)
        with self._changing(bead_id, "agent") as talk:
            issue = _existing(talk, bead_id)
            bead_rules.check_is_agent(issue.bead)
            description = replace_fields(issue.description, changes)
            _update(talk, bead_id, description=(issue.description, description))
            agent = _read_agent(talk, bead_id)
        wanted = parse_description(description)
        if any(getattr(agent.fields, name) != getattr(wanted, name) for name in changes):
            raise _not_kept(bead_id, f"{wanted}", f"{agent.fields}")
        return agent

    def bead(self, bead_id: str) -> Bead | None:
        """See `Beads.bead`."""
        issue = self._bd.talk().show(check_bead_id(bead_id))
        return None if issue is None else issue.bead

    def held_by(self, assignee: str) -> tuple[Bead, ...]:
        """See `Beads.held_by`."""
        talk = self._bd.talk()
        found = {}
        for spelling in bead_rules.spellings(assignee):
            answer = talk.ask("list", "--json", *talk.dialect.list_flags, f"--assignee={spelling}")
            found.update({issue.bead.id: issue.bead for issue in answer.issues() if issue.bead.assignee == spelling})
        return bead_rules.in_order(found.values())

    def holdings(self, agents: Mapping[str, str]) -> dict[str, Holdings | BeadsError]:
        """See `Beads.holdings`: one list of all that is not closed, and one of what is missing in it, if anything is."""
        places = [self._bd] if self._agents is self._bd else [self._bd, self._agents]
        talks = [place.talk() for place in places]

        def find(ids: frozenset[str]) -> list[tuple[Bead, str]]:
            among = ("--all", f"--id={','.join(one for one in sorted(ids) if ',' not in one)}") if ids else ()
            answers = [talk.ask("list", "--json", *talk.dialect.list_flags, *among) for talk in talks]
            return [(issue.bead, issue.description) for answer in answers for issue in answer.issues()]

        return bead_rules.holdings(agents, find)

    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        """See `Beads.hook`."""
        return self._give(bead_id, "hooked", assignee, expected)

    def assign(self, bead_id: str, *, assignee: str) -> Bead:
        """See `Beads.assign`."""
        return self._give(bead_id, "in_progress", assignee, None)

    def unassign(self, bead_id: str, *, expected: str) -> bool:
        """See `Beads.unassign`."""
        with self._changing(bead_id, "bead") as talk:
            issue = talk.show(bead_id)
            if issue is None or not bead_rules.holds(issue.bead, expected):
                return False
            try:
                _set(talk, issue.bead, status=bead_rules.status_when_let_go(issue.bead), assignee="")
            except BeadTakenError as error:
                if error.holder in bead_rules.spellings(expected):
                    raise
                return False
            return True

    def set_status(self, bead_id: str, status: str) -> Bead:
        """See `Beads.set_status`."""
        with self._changing(bead_id, "bead") as talk:
            bead = _existing(talk, bead_id).bead
            return _set(talk, bead, status=status, assignee=bead.assignee)

    def _give(self, bead_id: str, status: str, assignee: str, expected: str | None) -> Bead:
        with self._changing(bead_id, "bead") as talk:
            bead = _existing(talk, bead_id).bead
            bead_rules.check_can_be_given(bead, assignee, expected)
            with _taken_back(talk, lambda: _give_back(talk, bead, assignee)):
                return _set(talk, bead, status=status, assignee=assignee)

    @contextlib.contextmanager
    def _changing(self, bead_id: str, kind: str) -> Iterator[Talk]:
        check_bead_id(bead_id)
        place = self._agents if kind == "agent" else self._bd
        talk = place.talk()
        with place.alone(f"{kind}-{bead_id}", f"change bead {bead_id}"):
            yield talk


# ------------------------------------------------------------------------------------------- within one conversation


@contextlib.contextmanager
def _taken_back(talk: Talk, undo: Callable[[], object]) -> Iterator[None]:
    """Undo what a change that fails may have stored; if that fails as well, the error says that it may be stored."""
    try:
        yield
    except BeadsError as error:
        talk.left_s = max(talk.left_s, TAKE_BACK_S)
        try:
            undo()
        except BeadsError as failed:
            error.args = (f"{error.message}; perhaps it is stored all the same ({failed.message})",)
        raise


def _existing(talk: Talk, bead_id: str) -> Issue:
    issue = talk.show(bead_id)
    if issue is None:
        raise bead_rules.no_such_bead(bead_id, str(talk.bd.beads_dir))
    return issue


def _words(**changes: tuple[str, str]) -> list[str]:
    return [f"--{name}={new}" for name, (old, new) in changes.items() if old != new]


def _update(talk: Talk, bead_id: str, **changes: tuple[str, str]) -> None:
    """Write the fields whose old and new values differ, if there are any."""
    if words := _words(**changes):
        talk.must("update", bead_id, *words)


def _set(talk: Talk, bead: Bead, *, status: str, assignee: str) -> Bead:
    """Write status and assignee of a bead that is still with whom it was read to be with, and read them back.

    Raises:
        BeadTakenError: somebody else got it in between, and this ``bd`` compares.
    """
    words = _words(status=(bead.status, status), assignee=(bead.assignee, assignee))
    if not words:
        return bead
    if talk.dialect.can_compare and bead.assignee != assignee:
        words.append(f"--if-assignee={bead.assignee}")
    answer = talk.ask("update", bead.id, *words)
    if answer.meaning not in (None, "overtaken"):
        raise answer.refusal()
    issue = talk.show(bead.id)
    if issue is not None and (issue.bead.status, issue.bead.assignee) == (status, assignee):
        return issue.bead  # where it was overtaken: by an earlier try of its own, which seemed to fail
    if issue is not None and answer.meaning == "overtaken":
        holder = issue.bead.assignee
        raise BeadTakenError(f"bead {bead.id} went to {holder or 'nobody'} at this moment", holder=holder, hint="look again")
    kept = "nothing" if issue is None else f"status {issue.bead.status!r}, assignee {issue.bead.assignee!r}"
    raise _not_kept(bead.id, f"status {status!r}, assignee {assignee!r}", kept)


def _give_back(talk: Talk, before: Bead, assignee: str) -> None:
    now = talk.show(before.id)
    if now is not None and bead_rules.holds(now.bead, assignee):
        _set(talk, now.bead, status=before.status, assignee=before.assignee)


def _open(talk: Talk, issue: Issue | None, wanted: AgentBead, description: str) -> AgentBead:
    if issue is None:
        _create(talk, wanted, description)
    else:
        _reopen(talk, issue, wanted.title, description)
    _mirror(talk, issue or Issue(bead=Bead(id=wanted.id)), hook=wanted.fields.hook_bead, role=wanted.fields.role_bead)
    agent = _read_agent(talk, wanted.id)
    wanted = attrs.evolve(wanted, title=wanted.title.strip(_TRIMMED), fields=parse_description(description))
    if attrs.evolve(agent, title=agent.title.strip(_TRIMMED)) != wanted:
        raise _not_kept(wanted.id, f"{wanted}", f"{agent}")
    return agent


def _create(talk: Talk, wanted: AgentBead, description: str) -> None:
    words = ["create", "--json", f"--id={wanted.id}", f"--title={wanted.title}", f"--description={description}"]
    words += [f"--labels={AGENT_LABEL}", "--force"]  # without force, ids of several hyphens count as of another database
    for kind in talk.dialect.agent_types:
        answer = talk.ask(*words, f"--type={kind}")
        if "invalid issue type" not in answer.complaint:
            break
    if answer.meaning is None:
        return
    if "UNIQUE constraint" in answer.complaint:
        raise BeadClosedError(
            f"bead {wanted.id} was deleted for good; its id cannot be used again", hint="let the polecat have another name"
        )
    raise answer.refusal()


def _reopen(talk: Talk, issue: Issue, title: str, description: str) -> None:
    bead = issue.bead
    if bead.status in bead_rules.CLOSED_STATUSES:
        answer = talk.ask("reopen", bead.id, "--reason=re-spawning agent")
        if answer.meaning is not None and "already open" not in answer.complaint:
            raise answer.refusal()
        bead = attrs.evolve(bead, status="open")
    changes = {"title": (bead.title, title), "status": (bead.status, "open"), "description": (issue.description, description)}
    _update(talk, bead.id, **changes)


def _close(talk: Talk, bead_id: str, reason: str) -> bool:
    issue = talk.show(bead_id)
    if issue is None:
        return False
    bead_rules.check_is_agent(issue.bead)
    description = replace_fields(issue.description, bead_rules.fields_at_close())
    _update(talk, bead_id, description=(issue.description, description))
    _mirror(talk, issue, hook="", role=issue.role_bead)
    if issue.bead.status not in bead_rules.CLOSED_STATUSES:
        talk.must("close", bead_id, *([f"--reason={reason}"] if reason else []))
    agent = _read_agent(talk, bead_id)
    if agent.is_open or agent.fields.hook_bead:
        raise _not_kept(bead_id, "closed, no hook", f"{agent}")
    return True


def _mirror(talk: Talk, issue: Issue, *, hook: str, role: str) -> None:
    """Keep the slots of older versions in step. Only a stale hook that stays is an error; the rest may live elsewhere."""
    if not talk.dialect.has_slot:
        return
    if role and issue.role_bead != role:
        talk.ask("slot", "set", issue.bead.id, "role", role)
    if issue.hook_bead and issue.hook_bead != hook:
        talk.must("slot", "clear", issue.bead.id, "hook")
    if hook and issue.hook_bead != hook:
        talk.ask("slot", "set", issue.bead.id, "hook", hook)


def _read_agent(talk: Talk, bead_id: str) -> AgentBead:
    issue = talk.show(bead_id)
    if issue is None:
        raise _not_kept(bead_id, "an agent bead", "nothing")
    agent = bead_rules.as_agent(issue.bead, issue.description)
    if issue.hook_bead and issue.hook_bead != agent.fields.hook_bead:
        raise _not_kept(bead_id, f"hook slot {agent.fields.hook_bead or 'empty'}", issue.hook_bead)
    return agent


def _not_kept(bead_id: str, wanted: str, kept: str) -> BeadsError:
    return BeadsError(
        f"bd said yes but did not keep what it was told about {bead_id}: {wanted} was written, {kept} was read",
        hint="see bd doctor; another program may have changed the bead at the same moment",
    )
