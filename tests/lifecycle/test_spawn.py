"""The flow of a spawn against the pretend world: order, refusals, undoing, several at once."""

from __future__ import annotations

import json
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from polecat import (
    AgentDiedError,
    BeadClosedError,
    BeadTakenError,
    Event,
    InvalidNameError,
    NotReadyError,
    PolecatError,
    Repo,
    RespawnLimitError,
    Rig,
    RigFullError,
    SpawnedPolecat,
    SpawnFailedError,
    SpawnOptions,
    SpawnRefusedError,
    UnknownStateError,
    list_polecats,
    plan_spawn,
    reconcile_pool,
    spawn_for_sling,
    spawn_many,
)
from polecat.documents import Route
from polecat.errors import BeadsUnavailableError, GitError, TmuxError, TmuxUnreachableError
from polecat.ports import AgentBead, AgentFields, Bead, Session, SessionRequest, StartedSession
from polecat.testing import FailAt, FakeAgent, FakeBeads, FakeGit, FakeTmux, Fault, fake_world
from polecat.testing.fake_git_refs import FakeFetch
from polecat.testing.worlds import FakeWorld
from polecat.town.find import find_repo
from polecat.town.homes import list_homes
from polecat.town.locks import polecat_lock, try_take
from polecat.town.records import CLAIM_FILE, read_claim
from polecat.town.routes import add_route

Place = tuple[Rig, FakeWorld]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A rig in a town on disk, and a pretend world round it."""
    return fake_world(tmp_path)


def settings(rig: Rig, **values: object) -> None:
    document = {"type": "rig-settings", "version": 1, **values}
    (rig.path / "settings" / "config.json").write_text(json.dumps(document))


def with_agent(world: FakeWorld, agent: FakeAgent) -> FakeWorld:
    """The world with a tmux whose agents behave so."""
    tmux = FakeTmux(agent=agent, processes=world.processes, clock=world.clock)
    return evolve(world, tmux=tmux)


def homes(rig: Rig) -> list[str]:
    return sorted(path.name for path in rig.polecats_dir.iterdir()) if rig.polecats_dir.exists() else []


def leftovers(rig: Rig, world: FakeWorld) -> dict[str, object]:
    """Everything a spawn could leave behind in the pretend world."""
    git = world.git
    runtime = rig.runtime_dir
    found = {
        "homes": homes(rig),
        "branches": dict(git.branches(find_repo(rig), "polecat/")),
        "stale": git.stale_registrations(find_repo(rig)),
        "sessions": world.tmux.sessions(),
        "launch": sorted(path.name for path in (runtime / "launch").glob("*")),
        "records": sorted(path.name for path in (runtime / "polecats").glob("*")),
        "held": [bead.id for bead in world.beads.beads() if bead.assignee],
        "open agents": [b.id for b in world.beads.beads() if "gt:agent" in b.labels and b.status != "closed"],
        "feed": (rig.town_root / ".events.jsonl").exists(),
    }
    return {what: value for what, value in found.items() if value}


# ------------------------------------------------------------------------------------------------------------ order


class TmuxThatTells(FakeTmux):
    """A tmux that remembers when it listed."""

    def __init__(self, story: list[str]) -> None:
        super().__init__()
        self.story = story

    def list_sessions(self) -> tuple[Session, ...]:
        self.story.append("listed")
        return super().list_sessions()


class GitThatTells(FakeGit):
    """A git that remembers when a fetch began, and perhaps fails to begin it."""

    def __init__(self, story: list[str], error: Exception | None = None) -> None:
        super().__init__()
        self.story, self.error = story, error

    def start_fetch(self, repo: Repo, *, timeout_s: float) -> FakeFetch:
        self.story.append("fetch begun")
        if self.error is not None:
            raise self.error
        return super().start_fetch(repo, timeout_s=timeout_s)


def that_tells(world: FakeWorld, story: list[str], error: Exception | None = None) -> FakeWorld:
    """The world with these two."""
    return evolve(world, tmux=TmuxThatTells(story), git=GitThatTells(story, error))


def test_tmux_lists_while_the_fetch_runs(place: Place) -> None:
    """The fetch is begun first, because it takes longest; a spawn lists once."""
    rig, world = place
    story: list[str] = []

    spawn_for_sling(rig, world=that_tells(world, story))

    assert story == ["fetch begun", "listed"]


def test_a_fetch_that_cannot_begin_ends_the_spawn(place: Place) -> None:
    """Nothing is looked at after that, and nothing touched."""
    rig, world = place
    story: list[str] = []

    with pytest.raises(UnknownStateError):
        spawn_for_sling(rig, world=that_tells(world, story, UnknownStateError("the disk is away")))

    assert story == ["fetch begun"]
    assert not rig.home_dir("furiosa").exists()


def test_the_order_of_the_steps(place: Place) -> None:
    """Worktree before bead, hook before session, session before readiness; the agent never finds an empty hook (T-04)."""
    rig, world = place
    count = Fault()
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1", nudge="go"), world=count.around(world))
    order = [str(call) for call in count.calls]
    steps = ("tmux.list_sessions", "git.add_worktree", "git.check_out", "beads.open_agent", "beads.hook", "tmux.start")
    assert [order.index(step) for step in steps] == sorted(order.index(step) for step in steps)
    assert order.index("tmux.watch") > order.index("tmux.start")
    assert order.index("tmux.send_text") > order.index("tmux.watch")
    assert order.count("tmux.start") == 1 and order.count("tmux.list_sessions") == 1


def test_the_facts_come_in_order(place: Place) -> None:
    """on_event hears of every step, in order, with rig, polecat and instance once they are known."""
    rig, world = place
    heard: list[Event] = []
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=evolve(world, on_event=heard.append))
    assert [event.name for event in heard] == [
        "name_claimed", "worktree_added", "worktree_provisioned", "hook_set", "session_started", "agent_ready", "polecat_spawned",
    ]  # fmt: skip
    assert {(event.rig, event.polecat, event.instance) for event in heard} == {("gastown", "furiosa", cat.instance)}
    json.dumps([dict(event.facts) for event in heard])


def test_a_failure_is_a_fact_too(place: Place) -> None:
    """A spawn that fails tells so last, with the step and what is left."""
    rig, world = place
    heard: list[Event] = []
    with pytest.raises(AgentDiedError):
        spawn_for_sling(rig, world=evolve(with_agent(world, FakeAgent(screen="no", exits=1)), on_event=heard.append))
    assert heard[-1].name == "spawn_failed"
    assert heard[-1].facts["step"] == "ready" and heard[-1].facts["left_behind"] == []


@pytest.mark.parametrize("at", range(7))
def test_a_listener_that_raises_is_no_part_of_the_spawn(place: Place, at: int) -> None:
    """Whatever a listener does, the spawn is whole: done and returned."""
    rig, world = place
    heard: list[str] = []

    def listen(event: Event) -> None:
        heard.append(event.name)
        if len(heard) == at + 1:
            raise ZeroDivisionError("the listener's own mistake")

    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=evolve(world, on_event=listen))
    assert cat.readiness == "ready" and len(heard) == 7


def test_a_plan_is_what_the_spawn_then_does(place: Place) -> None:
    """With the same clock the real run makes exactly the plan: name, branch, session, commands (T-52)."""
    rig, world = place
    world.clock.sleep(12.345)
    opts = SpawnOptions(hook_bead="gt-1", prompt="do it", env={"A": "1"})
    count = Fault()
    plan = plan_spawn(rig, opts, world=count.around(world))
    assert {str(call) for call in count.calls} <= {"tmux.list_sessions", "tmux.check", "beads.bead"}
    assert leftovers(rig, world) == {}
    cat = spawn_for_sling(rig, opts, world=world)
    assert (cat.agent_id, cat.branch, cat.clone_path) == (plan.agent_id, plan.branch, plan.clone_path)
    request = world.tmux.request(plan.session_name)
    assert request.argv == plan.argv
    assert set(plan.environment) <= set(request.environment)


# --------------------------------------------------------------------------------------------------------- undoing


FAILURES = [
    ("git", "add_worktree", "worktree", ("claim",)),
    ("git", "check_out", "worktree", ("worktree", "claim")),
    ("beads", "open_agent", "hook", ("worktree", "claim")),
    ("beads", "hook", "hook", ("agent bead", "worktree", "claim")),
    ("tmux", "start", "session", ("hook", "agent bead", "worktree", "claim")),
    ("tmux", "watch", "ready", ("session", "hook", "agent bead", "worktree", "claim")),
]


def fails_at(world: FakeWorld, rig: Rig, what: str, error: Exception | None = None) -> FailAt:
    """A fault that strikes the first call of a method, found by a rehearsal in a world of its own."""
    with tempfile.TemporaryDirectory() as other:
        twin, twins_world = fake_world(Path(other))
        count = Fault()
        spawn_for_sling(twin, SpawnOptions(hook_bead="gt-1", nudge="go"), world=count.around(twins_world))
    return FailAt(next(call.number for call in count.calls if str(call) == what), error)


@pytest.mark.parametrize(("port", "method", "step", "undone"), FAILURES)
def test_each_step_in_turn_fails(place: Place, port: str, method: str, step: str, undone: tuple[str, ...]) -> None:
    """Whichever step fails, what was made is taken back in reverse, and the error says which step and what (T-29)."""
    rig, world = place
    fault = fails_at(world, rig, f"{port}.{method}")
    with pytest.raises(PolecatError) as caught:
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1", nudge="go"), world=fault.around(world))
    assert str(fault.struck) == f"{port}.{method}"
    assert isinstance(caught.value, SpawnFailedError), caught.value
    assert caught.value.step == step
    assert caught.value.undone == undone and caught.value.left_behind == ()
    assert leftovers(rig, world) == {}


def test_typing_that_fails_takes_the_spawn_back(place: Place) -> None:
    """An agent that cannot be given its text was not given its work: everything is undone (T-29)."""
    rig, world = place
    fault = fails_at(world, rig, "tmux.send_text", TmuxError("no"))
    with pytest.raises(SpawnFailedError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1", nudge="go"), world=fault.around(world))
    assert leftovers(rig, world) == {}


@pytest.mark.parametrize("method", ["open_agent", "hook"])
def test_what_was_stored_by_a_step_that_fails_is_taken_back(place: Place, method: str) -> None:
    """A store that keeps what it was told and then cannot say so: neither the bead nor the agent bead stays with a polecat that is not there."""
    rig, world = place

    class HalfDone(FakeBeads):
        def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
            done = super().hook(bead_id, assignee=assignee, expected=expected)
            self._stumble("hook")
            return done

        def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
            done = super().open_agent(bead_id, title=title, fields=fields)
            self._stumble("open_agent")
            return done

        def _stumble(self, at: str) -> None:
            if at == method:
                raise BeadsUnavailableError("bd show did not end within 30 s")

    beads = HalfDone()
    beads.add(Bead(id="gt-1"))
    with pytest.raises(SpawnFailedError) as caught:
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=evolve(world, beads=beads))
    assert caught.value.left_behind == ()
    assert homes(rig) == [] and world.tmux.sessions() == []
    agent, bead = beads.agent("gt-gastown-polecat-furiosa"), beads.bead("gt-1")
    assert agent is not None and not agent.is_open
    assert bead is not None and (bead.status, bead.assignee) == ("open", "")


def test_a_name_whose_agent_bead_was_deleted_for_good_stops_no_further_spawn(place: Place) -> None:
    """A store that never gives an id again fails the spawn that was given that name, once; by itself the name is given to nobody any more."""
    rig, world = place

    class Grave(FakeBeads):
        def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
            if bead_id.endswith("-furiosa"):
                raise BeadClosedError(f"bead {bead_id} was deleted for good")
            return super().open_agent(bead_id, title=title, fields=fields)

    world = evolve(world, beads=Grave())
    with pytest.raises(SpawnFailedError, match="deleted for good"):
        spawn_for_sling(rig, world=world)
    assert plan_spawn(rig, world=world).polecat_name == "nux"
    assert spawn_for_sling(rig, world=world).polecat_name == "nux"
    with pytest.raises(SpawnFailedError, match="deleted for good"):
        spawn_for_sling(rig, SpawnOptions(name="furiosa"), world=world)


def test_a_failure_of_undoing_is_told_and_stops_nothing(place: Place) -> None:
    """What could not be undone is in the error; everything else is undone all the same (T-29)."""
    rig, world = place

    class Stubborn(type(world.beads)):  # type: ignore[misc]  # the fake's own class
        def close_agent(self, bead_id: str, *, reason: str) -> bool:
            raise BeadsUnavailableError("the store is gone")

    broken = evolve(with_agent(world, FakeAgent(exits=3)), beads=Stubborn())
    with pytest.raises(AgentDiedError) as caught:
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=broken)
    assert caught.value.undone == ("session", "hook", "worktree", "claim")
    [left] = caught.value.left_behind
    assert "agent bead" in left and "the store is gone" in left
    assert "left behind: agent bead" in str(caught.value)
    assert homes(rig) == [] and broken.tmux.sessions() == []


def test_a_port_that_raises_something_else_takes_everything_back(place: Place) -> None:
    """An error that is none of ours passes through, after everything was undone (T-29)."""
    rig, world = place
    fault = fails_at(world, rig, "tmux.start", KeyError("a mistake in somebody's Tmux"))
    with pytest.raises(KeyError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=fault.around(world))
    assert leftovers(rig, world) == {}


def test_an_interrupt_takes_everything_back(place: Place) -> None:
    """Ctrl-C while the agents are awaited undoes all of a batch and passes through."""
    rig, world = place

    def listen(event: Event) -> None:
        if event.name == "session_started":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spawn_many(rig, [SpawnOptions()] * 3, world=evolve(world, on_event=listen), max_concurrent=1)
    assert leftovers(rig, world) == {}


def test_an_interrupt_while_a_spawn_is_taken_back_loses_no_work(place: Place) -> None:
    """Ctrl-C while the session of a late agent is being ended: it is ended all the same, under our lock, and what it wrote is kept."""
    rig, world = place
    is_ours: list[bool] = []

    class Impatient(FakeTmux):
        def kill(self, session_id: str, *, name: str, instance: str = "", pane_id: str = "") -> bool:
            free = try_take(polecat_lock(rig, "furiosa"), what="look")
            is_ours.append(free is None)
            if free is not None:
                free.release()
            if len(is_ours) == 1:
                (rig.home_dir("furiosa") / rig.name / "draft.txt").write_text("work")
                raise KeyboardInterrupt
            return super().kill(session_id, name=name, instance=instance, pane_id=pane_id)

    tmux = Impatient(agent=FakeAgent(screen="loading…"), processes=world.processes, clock=world.clock)
    with pytest.raises(KeyboardInterrupt):
        spawn_for_sling(rig, world=evolve(world, tmux=tmux))
    assert [path.read_text() for path in rig.polecats_dir.rglob("draft.txt")] == ["work"]
    assert tmux.sessions() == []
    assert is_ours and all(is_ours)


@pytest.mark.parametrize(
    ("agent", "kind", "words"),
    [
        (FakeAgent(screen="licence expired", exits=3), AgentDiedError, "status 3 after"),
        (FakeAgent(screen="", exits=0), AgentDiedError, "said nothing"),
        (FakeAgent(screen="loading…"), NotReadyError, "loading…"),
    ],
)
def test_agents_that_fail(place: Place, agent: FakeAgent, kind: type[SpawnFailedError], words: str) -> None:
    """A dead or late agent is an error with its last screen, and nothing is left (T-35, T-38)."""
    rig, world = place
    world = with_agent(world, agent)
    with pytest.raises(kind, match=words):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    assert leftovers(rig, world) == {}
    assert world.clock.monotonic_s() <= 61


def test_an_agent_that_ends_before_it_got_its_text(place: Place) -> None:
    """If the agent ends between being ready and being typed to, it was not given its work: the spawn has failed."""
    rig, world = place
    tmux = world.tmux

    def listen(event: Event) -> None:
        if event.name == "agent_ready":
            tmux.crash("gt-gastown-furiosa", 1)

    with pytest.raises(SpawnFailedError):
        spawn_for_sling(rig, SpawnOptions(nudge="go", hook_bead="gt-1"), world=evolve(world, on_event=listen))
    assert leftovers(rig, world) == {}


class StartsAndFails(FakeTmux):
    """Makes the session and says that it failed; afterwards the server may be out of reach."""

    is_lost = False

    def start(self, request: SessionRequest) -> StartedSession:
        super().start(request)
        self.unreachable = self.is_lost
        raise TmuxUnreachableError("no answer in time")


def test_a_start_that_broke_may_have_made_its_session(place: Place) -> None:
    """T-29: a session that was made although its start broke is ended before anything under it is taken away."""
    rig, world = place
    world = evolve(world, tmux=StartsAndFails(clock=world.clock))
    with pytest.raises(SpawnFailedError) as caught:
        spawn_for_sling(rig, world=world)
    assert caught.value.left_behind == ()
    assert world.tmux.sessions() == []
    assert list_homes(rig).dirs == ()


def test_under_a_session_that_may_live_nothing_is_taken_away(place: Place) -> None:
    """T-02, T-25: while nobody can say whether the agent lives, its worktree and its bead stay, and the error says so."""
    rig, world = place
    tmux = StartsAndFails(clock=world.clock)
    tmux.is_lost = True
    world = evolve(world, tmux=tmux)
    with pytest.raises(SpawnFailedError) as caught:
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    stays = [line.partition(" (")[0] for line in caught.value.left_behind]
    assert stays == ["perhaps its session", "hook", "agent bead", "worktree", "claim"]
    assert (rig.home_dir("furiosa") / "gastown" / "README.md").exists()
    tmux.unreachable = False
    assert reconcile_pool(rig, world=world).adopted == ("furiosa",)
    with pytest.raises(BeadTakenError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)


def test_an_agent_whose_spawn_was_being_taken_back_is_ended(place: Place) -> None:
    """T-24: a process that died while it took a spawn back had given the work back: the agent is not kept."""
    rig, world = place
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    (rig.runtime_dir / "polecats" / "furiosa.json").rename(rig.home_dir("furiosa") / CLAIM_FILE)
    record = read_claim(rig, "furiosa")
    assert record is not None
    world.beads.close_agent(record.agent_bead, reason="spawn undone")
    assert reconcile_pool(rig, world=world).recovered == ("furiosa",)
    assert (world.tmux.sessions(), list_homes(rig).dirs) == ([], ())


# -------------------------------------------------------------------------------------------------------- refusals


def test_a_lost_directory_is_not_an_empty_rig(place: Place) -> None:
    """A missing polecats/ of a rig that has had polecats gives no name and ends nothing (T-24)."""
    rig, world = place
    spawn_for_sling(rig, world=world)
    rig.polecats_dir.rename(rig.path / "unmounted")
    for act in (spawn_for_sling, plan_spawn, reconcile_pool):
        with pytest.raises(UnknownStateError, match="polecats is missing"):
            act(rig, world=world)
    assert world.tmux.sessions() == ["gt-gastown-furiosa"]


def test_sessions_alone_speak_against_an_empty_rig(place: Place) -> None:
    """A missing polecats/ while sessions of polecats live is no new rig either (T-24)."""
    rig, world = place
    rig.polecats_dir.rmdir()
    world = evolve(world, tmux=FakeTmux(sessions=["gt-gastown-nux"]))
    with pytest.raises(UnknownStateError):
        spawn_for_sling(rig, world=world)
    assert world.tmux.sessions() == ["gt-gastown-nux"]


def test_a_new_rig_needs_no_directory(place: Place) -> None:
    """A rig that never had a polecat gets its polecats/ with the first one."""
    rig, world = place
    rig.polecats_dir.rmdir()
    assert spawn_for_sling(rig, world=world).polecat_name == "furiosa"


def test_a_tmux_that_cannot_be_asked(place: Place) -> None:
    """Unknown is not empty: no spawn, no reconcile, nothing touched (T-25)."""
    rig, world = place
    world.tmux.unreachable = True
    for act in (spawn_for_sling, plan_spawn, reconcile_pool):
        with pytest.raises(TmuxUnreachableError):
            act(rig, world=world)
    world.tmux.unreachable = False
    assert leftovers(rig, world) == {}


def test_a_store_that_cannot_be_asked_gives_nothing_away(place: Place) -> None:
    """A bead of which we cannot tell who has it is not given out (T-25)."""
    rig, world = place
    fault = fails_at(world, rig, "beads.bead")
    with pytest.raises(BeadsUnavailableError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=fault.around(world))
    assert leftovers(rig, world) == {}


@pytest.mark.parametrize("name", ["furiosa", "FURIOSA", "Furiosa"])
def test_a_taken_name(place: Place, name: str) -> None:
    """A taken name, or its twin in another case, is refused, never replaced by another one (T-45)."""
    rig, world = place
    spawn_for_sling(rig, world=world)
    for act in (spawn_for_sling, plan_spawn):
        with pytest.raises(SpawnRefusedError, match="is taken"):
            act(rig, SpawnOptions(name=name), world=world)
    assert homes(rig) == ["furiosa"]


@pytest.mark.parametrize("name", ["", "witness", "CREW", "a.b", "a:b", "../x", "-x", "x" * 300, "a\n", "é"])
def test_a_name_that_cannot_be(place: Place, name: str) -> None:
    """Names of roles and names something would misread are refused before anything is touched (T-45)."""
    rig, world = place
    for act in (spawn_for_sling, plan_spawn):
        with pytest.raises(InvalidNameError):
            act(rig, SpawnOptions(name=name), world=world)
    assert leftovers(rig, world) == {}


@pytest.mark.parametrize("name", ["pool", "git", "fetch", "trash"])
def test_names_that_sound_like_locks(place: Place, name: str) -> None:
    """A name like one of our locks is refused as a name, or works like any other; it never waits for itself (T-45)."""
    rig, world = place
    try:
        assert spawn_for_sling(rig, SpawnOptions(name=name), world=world).polecat_name == name
    except InvalidNameError:
        assert homes(rig) == []


def test_the_cap(place: Place) -> None:
    """A rig holds as many polecats as its settings allow, those being made included, and none is ended to make room."""
    rig, world = place
    settings(rig, max_polecats=2)
    results = spawn_many(rig, [SpawnOptions()] * 3, world=world)
    assert [type(result) for result in results] == [SpawnedPolecat, SpawnedPolecat, RigFullError]
    settings(rig, max_polecats=1)
    with pytest.raises(RigFullError, match="has 2 polecats"):
        spawn_for_sling(rig, world=world)
    assert len(world.tmux.sessions()) == 2


def test_the_cap_holds_under_parallel_spawns(place: Place) -> None:
    """Three times as many spawns as the cap, from many threads: exactly the cap succeeds (T-48)."""
    rig, world = place
    settings(rig, max_polecats=3)

    def one(_: int) -> str | None:
        try:
            return spawn_for_sling(rig, world=world).polecat_name
        except RigFullError:
            return None

    with ThreadPoolExecutor(max_workers=9) as pool:
        names = [name for name in pool.map(one, range(9)) if name]
    assert sorted(names) == ["furiosa", "nux", "slit"]


def test_a_closed_bead(place: Place) -> None:
    """A closed bead is refused before anything is touched."""
    rig, world = place
    world.beads.add(Bead(id="gt-1", status="closed"))
    for act in (spawn_for_sling, plan_spawn):
        with pytest.raises(BeadClosedError):
            act(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    assert leftovers(rig, world) == {}


@pytest.mark.parametrize("holder", ["gastown/crew/max", "other/polecats/nux", "mayor", "somebody"])
def test_a_bead_of_somebody_we_cannot_judge(place: Place, holder: str) -> None:
    """A bead of a holder who may be alive is refused (T-25)."""
    rig, world = place
    world.beads.add(Bead(id="gt-1", status="hooked", assignee=holder))
    with pytest.raises(BeadTakenError) as caught:
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    assert caught.value.holder == holder


def test_a_bead_of_a_polecat_that_is_gone(place: Place) -> None:
    """A bead of a polecat of this rig that has no session any more is given to the new one."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    world.tmux.kill(cat.session_id, name=cat.session_name)
    assert spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world).polecat_name == "nux"
    bead = world.beads.bead("gt-1")
    assert bead is not None and bead.assignee == "gastown/polecats/nux"


def test_a_bead_of_a_polecat_whose_session_was_renamed(place: Place) -> None:
    """A renamed session still lives: its polecat's bead is not given away (T-28)."""
    rig, world = place
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    world.tmux.rename("gt-gastown-furiosa", "favourite")
    with pytest.raises(BeadTakenError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)


def test_one_bead_for_many(place: Place) -> None:
    """Eight spawns of one bead at once: exactly one gets it, the others are told who (T-02)."""
    rig, world = place
    barrier = threading.Barrier(8)

    def one(_: int) -> object:
        barrier.wait()
        try:
            return spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        except BeadTakenError as error:
            return error

    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(one, range(8)))
    assert [type(result) for result in results].count(SpawnedPolecat) == 1
    assert len(homes(rig)) == 1 and len(world.tmux.sessions()) == 1


def test_asking_twice_for_the_same_is_asking_once(place: Place) -> None:
    """The same bead for the same living polecat again makes no second one and says so (T-02)."""
    rig, world = place
    opts = SpawnOptions(hook_bead="gt-1", name="toast")
    first, second = spawn_for_sling(rig, opts, world=world), spawn_for_sling(rig, opts, world=world)
    assert (first.instance, first.pane, first.branch) == (second.instance, second.pane, second.branch)
    assert any("nothing was made" in warning for warning in second.warnings)
    assert world.tmux.sessions() == ["gt-gastown-toast"]


def test_a_bead_that_is_perhaps_anothers_warns(place: Place) -> None:
    """A bead that the store does not know warns where its prefix is not the rig's; the routes and the registry each say one."""
    rig, world = place
    registry = rig.town_root / "mayor" / "rigs.json"
    known = json.loads(registry.read_text())
    known["rigs"][rig.name]["beads"] = {"repo": "", "prefix": "ra"}
    add_route(rig.town_root, Route(prefix="gt-", path=rig.name))
    registry.write_text(json.dumps(known))

    warned = {
        bead: [text for text in plan_spawn(rig, SpawnOptions(hook_bead=bead), world=world).warnings if bead in text]
        for bead in ("gt-77", "ra-77", "zz-77")
    }

    assert (warned["gt-77"], warned["ra-77"]) == ([], [])
    assert "begin with 'gt-' or 'ra-'" in warned["zz-77"][0]
    assert any("zz-77" in text for text in spawn_for_sling(rig, SpawnOptions(hook_bead="zz-77"), world=world).warnings)


def test_the_breaker_counts_agents_and_nothing_else(place: Place) -> None:
    """A bead whose agents keep failing is kept back; a remote that is down says nothing about the bead (T-48)."""
    rig, world = place
    settings(rig, respawn_limit=2)
    opts = SpawnOptions(hook_bead="gt-1")
    for _ in range(3):
        world.git.fail_next("add_worktree", GitError("disk"))
        with pytest.raises(SpawnFailedError):
            spawn_for_sling(rig, opts, world=world)
    dying = with_agent(world, FakeAgent(exits=1))
    for _ in range(2):
        with pytest.raises(AgentDiedError):
            spawn_for_sling(rig, opts, world=dying)
    with pytest.raises(RespawnLimitError):
        spawn_for_sling(rig, opts, world=world)
    assert spawn_for_sling(rig, evolve(opts, force=True), world=world).polecat_name == "furiosa"


# -------------------------------------------------------------------------------------------------------- several


def test_several_give_one_result_each_in_order(place: Place) -> None:
    """One failure leaves the others alone and stands in its own place."""
    rig, world = place
    wanted = [
        SpawnOptions(),
        SpawnOptions(name="witness"),
        SpawnOptions(name="toast"),
        SpawnOptions(agent="nobody"),
        SpawnOptions(name="toast"),
        SpawnOptions(hook_bead="gt-1"),
        SpawnOptions(hook_bead="gt-1"),
    ]
    results = spawn_many(rig, wanted, world=world)
    said = [r.polecat_name if isinstance(r, SpawnedPolecat) else type(r).__name__ for r in results]
    assert said == [
        "furiosa", "InvalidNameError", "toast", "AgentNotFoundError", "SpawnRefusedError", "nux", "BeadTakenError",
    ]  # fmt: skip
    assert homes(rig) == ["furiosa", "nux", "toast"]


def test_none_at_all(place: Place) -> None:
    """No options, no polecats, nothing touched."""
    rig, world = place
    assert spawn_many(rig, [], world=world) == []
    assert leftovers(rig, world) == {}


def test_several_share_one_fetch_and_one_look(place: Place) -> None:
    """Five polecats: one fetch, one listing of sessions."""
    rig, world = place
    count = Fault()
    spawn_many(rig, [SpawnOptions()] * 5, world=count.around(world))
    calls = [str(call) for call in count.calls]
    assert calls.count("git.start_fetch") == 1
    assert calls.count("tmux.list_sessions") == 1


def test_sixteen_threads_get_sixteen_names(place: Place) -> None:
    """Sixteen spawns at once in one rig: sixteen names, branches and sessions (T-01, T-12)."""
    rig, world = place
    settings(rig, max_polecats=50)
    with ThreadPoolExecutor(max_workers=16) as pool:
        cats = list(pool.map(lambda _: spawn_for_sling(rig, world=world), range(16)))
    assert len({cat.polecat_name for cat in cats}) == 16
    assert len({cat.branch for cat in cats}) == 16
    assert len(world.tmux.sessions()) == 16
    assert {cat.state.value for cat in list_polecats(rig, world=world)} <= {"working", "idle"}


def test_a_spawn_ends_no_session_of_another_name(place: Place) -> None:
    """Orphans of other names stay: allocating ends nothing but what stands in its own way (T-24)."""
    rig, world = place
    orphans = ["gt-gastown-nux", "gt-gastown-slit", "gt-gastown-furiosa"]
    world = evolve(world, tmux=FakeTmux(sessions=orphans, clock=world.clock))
    spawn_for_sling(rig, world=world)
    assert sorted(world.tmux.sessions()) == sorted(orphans)
    assert [s.instance for s in world.tmux.list_sessions() if s.name == "gt-gastown-furiosa"] != [""]


def test_names_of_foreign_sessions_are_left_out(place: Place) -> None:
    """A name whose session belongs to somebody else is not given, in the plan and in the spawn alike."""
    rig, world = place
    foreign = Session(id="", name="gt-gastown-furiosa", environment={"GT_ROLE": "witness"})
    world = evolve(world, tmux=FakeTmux(sessions=[foreign], clock=world.clock))
    assert plan_spawn(rig, world=world).polecat_name == "nux"
    assert spawn_for_sling(rig, world=world).polecat_name == "nux"


def test_overflow_names_are_never_existing_ones(place: Place) -> None:
    """When the theme is used up, numbered names begin, never one that exists."""
    rig, world = place
    settings(rig, max_polecats=50, namepool={"names": ["ace"], "max_before_numbering": 1})
    (rig.polecats_dir / "gastown-2").mkdir()
    names = [spawn_for_sling(rig, world=world).polecat_name for _ in range(3)]
    assert names == ["ace", "gastown-3", "gastown-4"]


def test_the_override_decides_everything(place: Place, tmp_path: Path) -> None:
    """The agent a spawn asks for decides command, readiness and prompt, not the rig's (T-34)."""
    rig, world = place
    program = tmp_path / "bin" / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    mine = {"command": str(program), "prompt_mode": "none", "tmux": {"ready_prompt_prefix": "mine# "}}
    settings(rig, agents={"mine": mine})
    world = with_agent(world, FakeAgent(screen="mine# "))
    cat = spawn_for_sling(rig, SpawnOptions(agent="mine", prompt="do it", nudge=None), world=world)
    assert world.tmux.request(cat.session_name).argv == (str(program),)
    assert world.tmux.typed(cat.pane) == ["do it"]
