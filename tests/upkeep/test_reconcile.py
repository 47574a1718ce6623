"""Making names, sessions and directories agree: what is ended or removed is proved, everything else stays."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat import Event, Rig, SpawnOptions, UnknownStateError, get_polecat, list_polecats, reconcile_pool, spawn_for_sling
from polecat.errors import GitError
from polecat.ports import Bead, Session
from polecat.testing import CrashAt, Crashed, FakeBeads, FakeTmux, Fault, fake_world
from polecat.testing.worlds import FakeWorld
from polecat.town.locks import polecat_lock, take
from polecat.town.records import Record, publish_claim, read_claim, read_record
from polecat.upkeep.reconcile import GRACE_S

Place = tuple[Rig, FakeWorld]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A rig in a town on disk, and a pretend world round it."""
    return fake_world(tmp_path)


def observe_sessions(world: FakeWorld, *sessions: str | Session) -> FakeWorld:
    """The world with these sessions and no others."""
    tmux = FakeTmux(sessions=sessions, processes=world.processes, clock=world.clock)
    return evolve(world, tmux=tmux)


def homes(rig: Rig) -> list[str]:
    return sorted(path.name for path in rig.polecats_dir.iterdir() if not path.name.startswith("."))


def tree(rig: Rig) -> list[str]:
    """Everything in the rig; locks are no state."""
    paths = (path for path in rig.path.rglob("*") if path.suffix != ".lock")
    return sorted(str(path.relative_to(rig.path)) for path in paths if path.name not in (".runtime", "locks"))


@pytest.fixture
def held() -> Iterator[list[object]]:
    """Locks that a test holds; let go of at its end."""
    locks: list[object] = []
    yield locks
    for lock in locks:
        lock.release()  # type: ignore[attr-defined]  # every one is a HeldLock


# --------------------------------------------------------------------------------------------------- the matrix of T-24


@pytest.mark.parametrize(("has_home", "has_session", "is_claimed", "is_held"), list(itertools.product([False, True], repeat=4)))
def test_the_matrix(place: Place, held: list[object], has_home: bool, has_session: bool, is_claimed: bool, is_held: bool) -> None:
    """Home, session, claim and claimant in all combinations: only what is provably nobody's goes; twice is once (T-24)."""
    rig, world = place
    name = "nux"
    record = Record(instance="i1", polecat=name, rig=rig.name, session="gt-gastown-nux", branch="polecat/nux-1")
    if is_claimed:
        publish_claim(rig, record)
    elif has_home:
        (rig.home_dir(name) / "gastown").mkdir(parents=True)
        (rig.home_dir(name) / "gastown" / "file").write_text("work")
    if is_held:
        held.append(take(polecat_lock(rig, name), what="test"))
    sessions: list[Session | str] = [Session(id="", name="gt-gastown-nux", instance="i1") if is_claimed else "gt-gastown-nux"]
    sessions = sessions if has_session else []
    world = observe_sessions(world, *sessions)

    reconcile_pool(rig, world=world)
    after = (homes(rig), world.tmux.sessions())
    ends_session = has_session and not has_home and not is_claimed and not is_held
    takes_claim_back = is_claimed and not is_held and not has_session
    assert after == (
        [name] if (has_home or is_claimed) and not takes_claim_back else [],
        ["gt-gastown-nux"] if has_session and not ends_session else [],
    )
    before = tree(rig)
    done = reconcile_pool(rig, world=world)
    assert done.orphans == done.recovered == done.adopted == done.emptied == ()
    assert tree(rig) == before


def test_only_orphans_of_this_rig_are_ended(place: Place) -> None:
    """Roles, crew, other rigs, longer names and sessions that say otherwise stay; overflow orphans go too (T-24, T-44)."""
    rig, world = place
    stays: list[str | Session] = [
        "gt-gastown-witness", "gt-gastown-refinery", "gt-gastown-crew-max", "gt-other-nux", "hq-mayor", "mine",
        Session(id="", name="gt-gastown-slit", environment={"GT_ROLE": "witness"}),
        Session(id="", name="gt-gastown-toast", environment={"GT_RIG": "other"}),
    ]  # fmt: skip
    world = observe_sessions(world, *stays, "gt-gastown-nux", "gt-gastown-gastown-51", "gt-gastown-nux-2")
    done = reconcile_pool(rig, world=world)
    assert set(done.orphans) == {"nux", "gastown-51", "nux-2"}
    assert world.tmux.sessions() == [s if isinstance(s, str) else s.name for s in stays]


def test_a_dry_run_says_the_same_and_does_nothing(place: Place) -> None:
    """What the dry run says is what the real run then says and does (T-52)."""
    rig, world = place
    world = observe_sessions(world, "gt-gastown-nux")
    publish_claim(rig, Record(instance="i1", polecat="slit", rig=rig.name))
    before = tree(rig)
    count = Fault()
    plan = reconcile_pool(rig, dry_run=True, world=count.around(world))
    assert {str(call) for call in count.calls} <= {"tmux.list_sessions", "git.stale_registrations", "processes.inside"}
    assert tree(rig) == before and world.tmux.sessions() == ["gt-gastown-nux"]
    assert reconcile_pool(rig, world=world) == plan
    assert world.tmux.sessions() == [] and homes(rig) == []


# --------------------------------------------------------------------------------------------------------- unknown


def test_a_lost_directory_ends_nothing(place: Place) -> None:
    """A missing polecats/ while sessions live is no empty rig: nothing is ended (T-24)."""
    rig, world = place
    world = observe_sessions(world, "gt-gastown-nux", "gt-gastown-slit")
    rig.polecats_dir.rmdir()
    with pytest.raises(UnknownStateError):
        reconcile_pool(rig, world=world)
    assert len(world.tmux.sessions()) == 2


def test_a_rig_that_is_gone_ends_nothing(place: Place) -> None:
    """A rig whose directory is missing is unknown (T-24)."""
    rig, world = place
    world = observe_sessions(world, "gt-gastown-nux")
    rig.path.rename(rig.path.with_name("elsewhere"))
    with pytest.raises(Exception, match="gastown"):
        reconcile_pool(rig, world=world)
    assert world.tmux.sessions() == ["gt-gastown-nux"]


def test_a_directory_that_cannot_be_listed_ends_nothing(place: Place) -> None:
    """A polecats/ that is no directory is unknown, not empty (T-24)."""
    rig, world = place
    world = observe_sessions(world, "gt-gastown-nux")
    rig.polecats_dir.rmdir()
    rig.polecats_dir.write_text("what is this")
    with pytest.raises(UnknownStateError):
        reconcile_pool(rig, world=world)
    assert world.tmux.sessions() == ["gt-gastown-nux"]


def test_a_new_rig_has_nothing_to_do(place: Place) -> None:
    """A rig without polecats/, history and sessions is simply new."""
    rig, world = place
    rig.polecats_dir.rmdir()
    assert reconcile_pool(rig, world=world).is_quiet


def test_a_git_that_cannot_tell_changes_nothing(place: Place) -> None:
    """If registrations cannot be read, nothing was ended before that (T-25)."""
    rig, world = place
    world = observe_sessions(world, "gt-gastown-nux")
    world.git.fail_next("stale_registrations", GitError("broken"))
    with pytest.raises(GitError):
        reconcile_pool(rig, world=world)
    assert world.tmux.sessions() == ["gt-gastown-nux"]


def test_a_claim_that_cannot_be_read_is_kept(place: Place) -> None:
    """An unreadable claim is named and left; the rest is done (T-25)."""
    rig, world = place
    world = observe_sessions(world, "gt-gastown-slit")
    rig.home_dir("nux").mkdir()
    (rig.home_dir("nux") / ".claim.json").write_text("{")
    done = reconcile_pool(rig, world=world)
    assert done.orphans == ("slit",) and "nux" in done.in_use
    assert any(".claim.json" in text for text in done.kept)


def test_one_that_will_not_end_is_named_and_stops_nothing(place: Place) -> None:
    """A process that survives everything is reported under what was kept; the others are done (T-21)."""
    rig, world = place
    tmux = world.tmux
    first, second = (spawn_for_sling(rig, world=world) for _ in range(2))
    for cat in (first, second):
        for path in sorted(rig.home_dir(cat.polecat_name).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        rig.home_dir(cat.polecat_name).rmdir()
    child = world.processes.add(4711, instance=first.instance)
    world.processes.stubborn.add(child.pid)
    done = reconcile_pool(rig, world=world)
    assert any("4711" in text for text in done.kept)
    assert second.session_name not in tmux.sessions()


# ---------------------------------------------------------------------------------------------------------- claims


def test_a_spawn_that_was_killed_is_taken_back(place: Place) -> None:
    """Wherever it died, its worktree, branch, bead and home are gone after one reconcile, and the name is free (T-01, T-05)."""
    rig, world = place
    count = Fault()
    rehearsal, rehearsed = fake_world(rig.path.parent.parent / "other")
    spawn_for_sling(rehearsal, SpawnOptions(hook_bead="gt-1"), world=count.around(rehearsed))
    at = next(call.number for call in count.calls if str(call) == "tmux.start")
    with pytest.raises(Crashed):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=CrashAt(at).around(world))
    assert homes(rig) == ["furiosa"] and read_claim(rig, "furiosa") is not None
    assert [cat.state.value for cat in list_polecats(rig, world=world)] == ["stalled"]
    done = reconcile_pool(rig, world=world)
    assert done.recovered == ("furiosa",) and homes(rig) == []
    bead = world.beads.bead("gt-1")
    assert bead is not None and (bead.status, bead.assignee) == ("open", "")
    assert spawn_for_sling(rig, world=world).polecat_name == "furiosa"


def test_a_spawn_that_was_killed_while_its_agent_lives_is_kept(place: Place) -> None:
    """An agent that runs is not ended because whoever started it is dead: the polecat is recorded (T-26)."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    record = read_record(rig, "furiosa")
    assert record is not None
    (rig.runtime_dir / "polecats" / "furiosa.json").rename(rig.home_dir("furiosa") / ".claim.json")
    done = reconcile_pool(rig, world=world)
    assert (done.adopted, done.recovered) == (("furiosa",), ())
    assert world.tmux.sessions() == [cat.session_name]
    assert read_claim(rig, "furiosa") is None and read_record(rig, "furiosa") is not None


def test_a_store_that_was_lost_ends_no_agent(place: Place) -> None:
    """Without its agent bead an agent that runs still runs; the bead is made anew, with the work on its hook (T-26)."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    (rig.runtime_dir / "polecats" / "furiosa.json").rename(rig.home_dir("furiosa") / ".claim.json")
    world = evolve(world, beads=FakeBeads())
    done = reconcile_pool(rig, world=world)
    assert (done.adopted, done.recovered, done.kept) == (("furiosa",), (), ())
    assert world.tmux.sessions() == [cat.session_name]
    cat_now = get_polecat(rig, "furiosa", world=world)
    assert (cat_now.state.value, [bead.id for bead in world.beads.held_by(cat.agent_id)]) == ("working", ["gt-1"])


def test_a_claim_of_a_living_claimant_is_left_alone(place: Place, held: list[object]) -> None:
    """While somebody holds the polecat's lock it is being made, however long that takes (T-05)."""
    rig, world = place
    publish_claim(rig, Record(instance="i1", polecat="nux", rig=rig.name))
    held.append(take(polecat_lock(rig, "nux"), what="test"))
    world.clock.sleep(100 * GRACE_S)
    assert reconcile_pool(rig, world=world).is_quiet
    assert homes(rig) == ["nux"]


# ---------------------------------------------------------------------------------------------------------- shells


def age(path: Path, seconds: float, now_s: float) -> None:
    os.utime(path, (now_s - seconds, now_s - seconds))


@pytest.mark.parametrize(("age_s", "goes"), [(GRACE_S - 30, False), (GRACE_S + 30, True)])
def test_an_empty_home_is_a_shell_only_when_it_is_old(place: Place, age_s: float, goes: bool) -> None:
    """Gas Town makes a home before its worktree, without a lock: a fresh empty home is being filled (T-05)."""
    rig, world = place
    rig.home_dir("nux").mkdir()
    age(rig.home_dir("nux"), age_s, world.clock.now().timestamp())
    done = reconcile_pool(rig, world=world)
    assert (done.emptied == ("nux",)) is goes
    assert (homes(rig) == []) is goes


def test_a_home_with_a_file_in_it_is_no_shell(place: Place) -> None:
    """Whatever holds a file is left alone, however old (T-24)."""
    rig, world = place
    for content in ("file", ".hidden"):
        home = rig.home_dir(f"nux-{len(content)}")
        (home / "gastown").mkdir(parents=True)
        (home / "gastown" / content).write_text("")
        age(home, 100 * GRACE_S, world.clock.now().timestamp())
    reconcile_pool(rig, world=world)
    assert len(homes(rig)) == 2


def test_a_link_in_a_home_is_no_emptiness(place: Place, tmp_path: Path) -> None:
    """A home that holds a symlink holds something; what it leads to is not touched (T-47)."""
    rig, world = place
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("precious")
    rig.home_dir("nux").mkdir()
    (rig.home_dir("nux") / "gastown").symlink_to(tmp_path / "precious")
    age(rig.home_dir("nux"), 100 * GRACE_S, world.clock.now().timestamp())
    reconcile_pool(rig, world=world)
    assert (tmp_path / "precious" / "file").read_text() == "precious"
    assert os.path.lexists(rig.home_dir("nux") / "gastown")


def test_what_is_no_directory_is_taken_and_left(place: Place) -> None:
    """Files and links among the homes are names that are taken, and are not touched."""
    rig, world = place
    (rig.polecats_dir / "nux").write_text("a file")
    (rig.polecats_dir / "slit").symlink_to("/nowhere")
    done = reconcile_pool(rig, world=observe_sessions(world, "gt-gastown-nux"))
    assert {"nux", "slit"} <= done.in_use and done.orphans == ()
    assert homes(rig) == ["nux", "slit"]


def test_what_was_done_is_told(place: Place) -> None:
    """Each thing that was done is an event with rig and polecat."""
    rig, world = place
    heard: list[Event] = []
    publish_claim(rig, Record(instance="i1", polecat="slit", rig=rig.name))
    reconcile_pool(rig, world=evolve(observe_sessions(world, "gt-gastown-nux"), on_event=heard.append))
    assert [(event.name, event.polecat) for event in heard] == [("orphan_ended", "nux"), ("claim_recovered", "slit")]


def test_a_bead_of_somebody_else_is_not_handed_back(place: Place) -> None:
    """Taking a dead claim back takes no bead from who has it by now (T-07)."""
    rig, world = place
    publish_claim(rig, Record(instance="i1", polecat="nux", rig=rig.name, hook_bead="gt-1"))
    world.beads.add(Bead(id="gt-1", status="hooked", assignee="gastown/polecats/slit"))
    reconcile_pool(rig, world=world)
    bead = world.beads.bead("gt-1")
    assert bead is not None and (bead.status, bead.assignee) == ("hooked", "gastown/polecats/slit")


def _die_once_the_session_is_made(rig: Rig, world: FakeWorld, *, after: bool) -> None:
    """A spawn whose process dies when it has made the session and noted nothing of it, or would note it next."""
    count = Fault()
    rehearsal, rehearsed = fake_world(rig.path.parent.parent / "other")
    spawn_for_sling(rehearsal, world=count.around(rehearsed))
    at = next(call.number for call in count.calls if str(call) == "tmux.start")
    with pytest.raises(Crashed):
        spawn_for_sling(rig, world=CrashAt(at, after=after).around(world))


def test_work_of_an_agent_nobody_had_noted_is_kept(place: Place) -> None:
    """T-24: an agent whose spawn was killed before its session was noted may have worked; its polecat is kept, with what it left."""
    rig, world = place
    _die_once_the_session_is_made(rig, world, after=True)
    world.git.edit(rig.home_dir("furiosa") / "gastown", "work.txt", b"only here")
    world.tmux.crash("gt-gastown-furiosa")

    done = reconcile_pool(rig, world=world)

    assert (done.recovered, done.adopted) == ((), ("furiosa",))
    assert (rig.home_dir("furiosa") / "gastown" / "work.txt").read_bytes() == b"only here"
    assert reconcile_pool(rig, world=world).is_quiet


def test_an_agent_that_never_ran_leaves_nothing_to_keep(place: Place) -> None:
    """A spawn that was killed before its session leaves nothing, not even in the trash."""
    rig, world = place
    _die_once_the_session_is_made(rig, world, after=False)

    reconcile_pool(rig, world=world)

    assert homes(rig) == []
    assert not list((rig.polecats_dir / ".trash").glob("*"))


@pytest.mark.parametrize(("status", "is_gone"), [("hooked", False), ("in_progress", False), ("in_progress", True)])
def test_a_killed_spawn_gives_a_bead_back_to_whom_it_took_it_from(tmp_path: Path, status: str, is_gone: bool) -> None:
    """Wherever the spawn died, a polecat that had ended has its bead again, as it was; where that one is gone, it is nobody's."""

    def prepare(folder: str) -> Place:
        rig, world = fake_world(tmp_path / folder)
        cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        world.tmux.kill(cat.session_id, name=cat.session_name)
        world.beads.set_status("gt-1", status)
        return rig, world

    rig, world = prepare("whole")
    count = Fault()
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=count.around(world))
    last = next(call.number for call in count.calls if str(call) == "tmux.start")
    for at in range(1, last + 1):
        rig, world = prepare(str(at))
        with pytest.raises(Crashed):
            spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=CrashAt(at).around(world))
        holders = [bead.assignee for bead in (world.beads.bead("gt-1"),) if bead]
        if is_gone:
            shutil.rmtree(rig.home_dir("furiosa"))

        reconcile_pool(rig, world=world)

        bead = world.beads.bead("gt-1")
        is_freed = is_gone and holders == ["gastown/polecats/nux"]
        assert bead is not None and homes(rig) == ([] if is_gone else ["furiosa"])
        assert (bead.assignee, bead.status) == (("", "open") if is_freed else ("gastown/polecats/furiosa", status)), at
