"""What every store of work must keep. Ids are new each time, so that one store may serve all checks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import attrs
from attrs import frozen

from polecat.core.agent_description import FIELD_NAMES
from polecat.errors import BeadClosedError, BeadsError, BeadTakenError, NotFoundError, PolecatError
from polecat.ports import AgentBead, AgentFields, Bead, Beads, Holdings
from polecat.testing.contracts.contract import Contract, of_checks


@frozen(kw_only=True)
class BeadsUnderTest:
    """What a check of `BeadsContract` is given: a store, and how a piece of work gets into it.

    Args:
        store: the store.
        new_work: puts an open bead of the given title into the store and returns its id. A store that makes beads when they are
            hooked or assigned may just invent an id.
        prefix: what the ids of the store start with.
        writers: how many threads write at once in the checks of parallel writing.
    """

    store: Beads
    new_work: Callable[[str], str]
    prefix: str = "gt"
    writers: int = 16

    def new_agent_id(self) -> str:
        """Invent an id for an agent bead that the store has never seen."""
        return f"{self.prefix}-gas-polecat-{_unique()}"

    def new_assignee(self) -> str:
        """Invent somebody."""
        return f"gas/polecats/{_unique()}"


def _unique() -> str:
    return f"p{uuid.uuid4().hex[:10]}"


def _fields(**changes: str) -> AgentFields:
    return attrs.evolve(
        AgentFields(role_type="polecat", rig="gas", agent_state="spawning", role_bead="hq-polecat-role"), **changes
    )


def _fails(kind: type[PolecatError], act: Callable[[], object]) -> PolecatError:
    try:
        result = act()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, but the answer was {result!r}")


def _open(t: BeadsUnderTest, **changes: str) -> AgentBead:
    bead_id = t.new_agent_id()
    return t.store.open_agent(bead_id, title=bead_id, fields=_fields(**changes))


def check_absent_is_none(t: BeadsUnderTest) -> None:
    """What does not exist is None or nothing, for reading; an error, for changing."""
    absent = t.new_agent_id()
    assert t.store.bead(absent) is None
    assert t.store.agent(absent) is None
    assert t.store.held_by(t.new_assignee()) == ()
    assert t.store.close_agent(absent, reason="gone") is False
    assert t.store.unassign(absent, expected=t.new_assignee()) is False
    _fails(NotFoundError, lambda: t.store.update_agent(absent, agent_state="working"))
    _fails(NotFoundError, lambda: t.store.set_status(absent, "open"))
    assert t.store.bead(absent) is None


def check_agent_is_created(t: BeadsUnderTest) -> None:
    """A new agent bead has exactly the fields it was given, and reads the same from now on."""
    work = t.new_work("work")
    made = _open(t, hook_bead=work)
    assert made.fields == _fields(hook_bead=work)
    assert made.title == made.id
    assert made.is_open
    assert t.store.agent(made.id) == made
    bead = t.store.bead(made.id)
    assert bead is not None and "gt:agent" in bead.labels


def check_agent_is_reopened(t: BeadsUnderTest) -> None:
    """A closed agent bead comes back open, with the new fields and nothing of the old ones."""
    first = _open(t, hook_bead=t.new_work("old"), cleanup_status="has_stash", active_mr="mr-1", notification_level="muted")
    assert t.store.close_agent(first.id, reason="done")
    work = t.new_work("new")
    second = t.store.open_agent(first.id, title=first.id, fields=_fields(hook_bead=work))
    assert second.is_open
    assert second.fields == _fields(hook_bead=work)
    assert t.store.agent(first.id) == second


def check_stale_hook_is_cleared(t: BeadsUnderTest) -> None:
    """Opening an agent bead that was never closed, as after a kill -9, leaves nothing of the first life, its hook least of all."""
    first = _open(t, hook_bead=t.new_work("old"), agent_state="working", cleanup_status="has_unpushed")
    bare = t.store.open_agent(first.id, title=first.id, fields=_fields())
    assert bare.fields == _fields()
    newest = t.new_work("newest")
    assert t.store.open_agent(first.id, title=first.id, fields=_fields(hook_bead=newest)).fields.hook_bead == newest


def check_cycles_keep_the_newest_hook(t: BeadsUnderTest) -> None:
    """Three lives of one name: each time the hook is the newest one."""
    bead_id = t.new_agent_id()
    for life in range(3):
        work = t.new_work(f"life {life}")
        t.store.open_agent(bead_id, title=bead_id, fields=_fields(hook_bead=work))
        agent = t.store.agent(bead_id)
        assert agent is not None and agent.is_open and agent.fields.hook_bead == work
        assert t.store.close_agent(bead_id, reason=f"end of life {life}")


def check_agent_is_closed(t: BeadsUnderTest) -> None:
    """Closing clears hook, merge request and clean-up status, keeps who it was, and can be repeated."""
    agent = _open(t, hook_bead=t.new_work("work"), cleanup_status="clean", active_mr="mr-1", notification_level="muted")
    assert t.store.close_agent(agent.id, reason="polecat removed")
    assert t.store.close_agent(agent.id, reason="polecat removed again")
    closed = t.store.agent(agent.id)
    assert closed is not None and not closed.is_open
    assert closed.fields == _fields(agent_state="closed", notification_level="muted")


def check_agent_is_updated(t: BeadsUnderTest) -> None:
    """An update changes what it names and nothing else; the empty text clears."""
    agent = _open(t, cleanup_status="clean")
    changed = t.store.update_agent(agent.id, agent_state="working", active_mr="mr-7", cleanup_status="")
    assert changed.fields == _fields(agent_state="working", active_mr="mr-7")
    assert t.store.agent(agent.id) == changed


def check_odd_updates_are_refused(t: BeadsUnderTest) -> None:
    """A field that does not exist and a value that would become another field are refused, and change nothing."""
    agent = _open(t)
    for changes, kind in (({"colour": "red"}, TypeError), ({"active_mr": "x\nhook_bead: gt-evil"}, ValueError)):
        try:
            t.store.update_agent(agent.id, **changes)
        except kind:
            continue
        raise AssertionError(f"{changes} was accepted")
    assert t.store.agent(agent.id) == agent


def check_hostile_text_survives(t: BeadsUnderTest) -> None:
    """Titles and values are data: no flag, no shell, no null."""
    bead_id = t.new_agent_id()
    value = "--force $(touch /tmp/x) `id` 'q' \"d\" naïve ✓"
    made = t.store.open_agent(bead_id, title="rig: --help; $(id)", fields=_fields(active_mr=value))
    assert made.title == "rig: --help; $(id)"
    assert made.fields == _fields(active_mr=value)


def check_work_is_no_agent(t: BeadsUnderTest) -> None:
    """A piece of work is never treated as an agent."""
    work = t.new_work("work")
    if t.store.bead(work) is None:
        t.store.assign(work, assignee=t.new_assignee())
    _fails(BeadsError, lambda: t.store.agent(work))
    _fails(BeadsError, lambda: t.store.update_agent(work, agent_state="working"))
    _fails(BeadsError, lambda: t.store.close_agent(work, reason="no"))
    _fails(BeadsError, lambda: t.store.open_agent(work, title="x", fields=_fields()))


def check_hook(t: BeadsUnderTest) -> None:
    """A hooked bead is hooked, is that assignee's, and is found by either spelling; hooking it again to the same one is fine."""
    who = t.new_assignee()
    work = t.new_work("work")
    hooked = t.store.hook(work, assignee=who)
    assert (hooked.status, hooked.assignee) == ("hooked", who)
    assert t.store.bead(work) == hooked
    assert t.store.hook(work, assignee=who, expected="") == hooked
    assert t.store.held_by(who) == (hooked,) == t.store.held_by(who.replace("/polecats/", "/"))


def check_hook_compares(t: BeadsUnderTest) -> None:
    """A bead is not taken from whom it was not expected to be with, and is from whom it was, also once that one has begun it."""
    first, second = t.new_assignee(), t.new_assignee()
    work = t.new_work("work")
    t.store.hook(work, assignee=first, expected="")
    error = _fails(BeadTakenError, lambda: t.store.hook(work, assignee=second, expected=""))
    assert isinstance(error, BeadTakenError) and error.holder == first
    assert t.store.held_by(second) == ()
    t.store.set_status(work, "in_progress")
    assert t.store.hook(work, assignee=second, expected=first).assignee == second


def check_closed_is_refused(t: BeadsUnderTest) -> None:
    """A closed bead is neither hooked nor assigned."""
    who = t.new_assignee()
    work = t.new_work("work")
    t.store.assign(work, assignee=who)
    assert t.store.set_status(work, "closed").status == "closed"
    _fails(BeadClosedError, lambda: t.store.hook(work, assignee=who))
    _fails(BeadClosedError, lambda: t.store.assign(work, assignee=who))
    assert t.store.held_by(who) == ()


def check_held_in_order(t: BeadsUnderTest) -> None:
    """What somebody holds: hooked first, then in progress, then open; agent beads and closed ones are not among it."""
    who = t.new_assignee()
    still_open, hooked, closed, begun = (t.new_work(word) for word in ("open", "hooked", "closed", "begun"))
    t.store.assign(still_open, assignee=who)
    t.store.set_status(still_open, "open")
    t.store.hook(hooked, assignee=who)
    t.store.assign(closed, assignee=who)
    t.store.set_status(closed, "closed")
    t.store.assign(begun, assignee=who)
    assert [bead.id for bead in t.store.held_by(who)] == [hooked, begun, still_open]


def check_many_are_looked_up_at_once(t: BeadsUnderTest) -> None:
    """What many agents hold is told at once as each single question tells it; where an agent's id is that of work, for that one only."""
    busy, idle, gone, absent, bad = (t.new_assignee() for _ in range(5))
    hooked, begun, others = (t.new_work(word) for word in ("hooked", "begun", "another's"))
    t.store.assign(begun, assignee=busy)
    t.store.hook(hooked, assignee=busy)
    t.store.hook(others, assignee=t.new_assignee())
    named = {busy: hooked, idle: others, gone: f"{t.prefix}-{_unique()}"}
    agents = {who: _open(t, hook_bead=hook).id for who, hook in named.items()}
    t.store.close_agent(agents[gone], reason="removed")
    answers = t.store.holdings({**agents, absent: t.new_agent_id(), bad: others})
    assert isinstance(answers[bad], BeadsError)
    assert answers[absent] == Holdings() and t.store.holdings({}) == {}
    for who, bead_id in agents.items():
        bead = t.store.bead(named[who])
        assert answers[who] == Holdings(held=t.store.held_by(who), agent=t.store.agent(bead_id), named=bead), who


def check_assign_and_unassign(t: BeadsUnderTest) -> None:
    """Work is given and taken back, only from whom it was expected to be with."""
    who = t.new_assignee()
    work = t.new_work("work")
    assigned = t.store.assign(work, assignee=who)
    assert (assigned.status, assigned.assignee) == ("in_progress", who)
    assert t.store.unassign(work, expected=t.new_assignee()) is False
    assert t.store.bead(work) == assigned
    assert t.store.unassign(work, expected=who.replace("/polecats/", "/")) is True
    free = t.store.bead(work)
    assert free is not None and (free.status, free.assignee) == ("open", "")
    assert t.store.held_by(who) == ()


def check_unassign_keeps_closed(t: BeadsUnderTest) -> None:
    """Taking back a bead that was closed meanwhile does not open it again."""
    who = t.new_assignee()
    work = t.new_work("work")
    t.store.hook(work, assignee=who)
    t.store.set_status(work, "closed")
    assert t.store.unassign(work, expected=who) is True
    bead = t.store.bead(work)
    assert bead is not None and (bead.status, bead.assignee) == ("closed", "")


def check_parallel_updates_lose_nothing(t: BeadsUnderTest) -> None:
    """T-03: many writers to one agent bead, each its own field: every field survives."""
    agent = _open(t)
    names = [name for name in FIELD_NAMES if name != "role_type"]
    jobs = [(names[job % len(names)], f"value-{job % len(names)}") for job in range(t.writers)]
    with ThreadPoolExecutor(t.writers) as pool:
        list(pool.map(lambda job: t.store.update_agent(agent.id, **{job[0]: job[1]}), jobs))
    read = t.store.agent(agent.id)
    assert read is not None
    assert {name: getattr(read.fields, name) for name, _ in jobs} == dict(jobs)
    assert read.fields.role_type == "polecat"


def check_one_of_many_gets_it(t: BeadsUnderTest) -> None:
    """Many want one free bead: exactly one gets it, the others are told who."""
    work = t.new_work("work")
    crowd = [t.new_assignee() for _ in range(t.writers)]

    def want(who: str) -> Bead | BeadTakenError:
        try:
            return t.store.hook(work, assignee=who, expected="")
        except BeadTakenError as error:
            return error

    with ThreadPoolExecutor(t.writers) as pool:
        answers = list(pool.map(want, crowd))
    winners = [answer for answer in answers if isinstance(answer, Bead)]
    assert len(winners) == 1
    assert {answer.holder for answer in answers if isinstance(answer, BeadTakenError)} == {winners[0].assignee}


@of_checks(
    check_absent_is_none,
    check_agent_is_created,
    check_agent_is_reopened,
    check_stale_hook_is_cleared,
    check_cycles_keep_the_newest_hook,
    check_agent_is_closed,
    check_agent_is_updated,
    check_odd_updates_are_refused,
    check_hostile_text_survives,
    check_work_is_no_agent,
    check_hook,
    check_hook_compares,
    check_closed_is_refused,
    check_held_in_order,
    check_many_are_looked_up_at_once,
    check_assign_and_unassign,
    check_unassign_keeps_closed,
    check_parallel_updates_lose_nothing,
    check_one_of_many_gets_it,
)
class BeadsContract(Contract[BeadsUnderTest]):
    """What every `Beads` must keep; see `Contract` for its use.

    Examples:
        A store of your own is held to it by this much in a test module; pytest runs each check as a test::

            class TestMyStore(BeadsContract):
                @contextmanager
                def make(self, room: Path) -> Iterator[BeadsUnderTest]:
                    store = MyStore(room / "work.json")
                    yield BeadsUnderTest(store=store, new_work=store.create)

        Without pytest:

        >>> from contextlib import nullcontext
        >>> from pathlib import Path
        >>> from polecat import Bead
        >>> from polecat.testing import FakeBeads
        >>> class ContractOfTheFake(BeadsContract):
        ...     def make(self, room):
        ...         store = FakeBeads()
        ...         new_work = lambda title: store.add(Bead(id=f"gt-{len(store.beads())}", title=title)).id
        ...         return nullcontext(BeadsUnderTest(store=store, new_work=new_work))
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as room:
        ...     ContractOfTheFake().run_all(Path(room))
        >>> "hook_compares" in BeadsContract.checks
        True
    """
