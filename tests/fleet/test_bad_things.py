"""What goes wrong between machines, as a matrix. Whatever it is: a typed answer within the limit, nothing twice, nothing called dead."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import evolve, frozen

from polecat import (
    Delivery,
    DiskFullError,
    PolecatError,
    PolecatNotFoundError,
    RigNotFoundError,
    SpawnOptions,
    TownNotFoundError,
    spawn_for_sling,
)
from polecat.fleet import AskedTooLateError, FilePointers, Fleet, HostUnknownError, Load, Order, Placed, WireError
from polecat.testing.worlds import HostFault, put_json
from tests.faults.pretend import Scene, die_at
from tests.fleet.pretend import Hosts, hosts, orders, sort

LIMIT_S = 0.3
"""How long a fleet waits for hosts that never answer."""


@pytest.fixture
def three(tmp_path: Path) -> Hosts:
    return hosts(tmp_path)


@frozen
class Bad:
    """One bad thing.

    Attributes:
        happens: makes it happen.
        ends: makes it end.
        told: the error of an order, or of a list, while it lasts.
        is_certain: an order that comes while it lasts has certainly made nothing there, so the next time it may go to another host.
    """

    happens: Callable[[Hosts], object]
    ends: Callable[[Hosts], object]
    told: type[PolecatError]
    is_certain: bool = False


def _fault(name: HostFault, *, is_certain: bool = False) -> Bad:
    def set_to(fault: HostFault) -> Callable[[Hosts], None]:
        return lambda three: setattr(three["beta"], "fault", fault)

    return Bad(set_to(name), set_to(""), HostUnknownError, is_certain)


def _town_away(three: Hosts) -> None:
    shutil.move(three["beta"].town, f"{three['beta'].town}.away")


def _town_back(three: Hosts) -> None:
    shutil.move(f"{three['beta'].town}.away", three["beta"].town)


def _rig_away(three: Hosts) -> None:
    put_json(Path(three["beta"].town, "mayor", "rigs.json"), {"version": 1, "rigs": {}})


def _rig_back(three: Hosts) -> None:
    entry = {"git_url": "https://example.invalid/gastown.git", "added_at": "2026-01-13T12:00:00Z"}
    put_json(Path(three["beta"].town, "mayor", "rigs.json"), {"version": 1, "rigs": {"gastown": entry}})


def _named(name: str) -> Callable[[Hosts], None]:
    return lambda three: put_json(Path(three["beta"].town, "settings", "config.json"), {"host": name} if name else {})


MATRIX: Mapping[str, Bad] = {
    "host down: never answers": _fault("mute"),
    "answer lost": _fault("lost"),
    "engine closed": _fault("refuses", is_certain=True),
    "engine holds calls back": _fault("late"),
    "another program answers": _fault("garbage"),
    "town missing": Bad(_town_away, _town_back, TownNotFoundError, is_certain=True),
    "rig missing": Bad(_rig_away, _rig_back, RigNotFoundError, is_certain=True),
    "engine reaches another host": Bad(_named("delta"), _named(""), HostUnknownError, is_certain=True),
}


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("name", MATRIX)
def test_matrix(three: Hosts, name: str, when: Literal["before", "during", "after"], tmp_path: Path) -> None:
    """It happens before, during or after a call: what is known is said in time, an order never moves, and in the end each key has one polecat."""
    bad, fleet = MATRIX[name], three.fleet(FilePointers(tmp_path / "orders"))
    limits = {"timeout_s": LIMIT_S, "loads_timeout_s": LIMIT_S}
    first: list[Placed | PolecatError] = []
    if when == "after":
        first = list(fleet.spawn_many(orders()))
    if when == "during":  # after it had said how full it is, before the orders arrive
        first = _while_loads_are_told(fleet, lambda: bad.happens(three))
    else:
        bad.happens(three)

    began_s = time.monotonic()
    second = fleet.spawn_many(orders(), **limits)
    listed = fleet.list(timeout_s=LIMIT_S)
    assert time.monotonic() - began_s < 10 * LIMIT_S + 3

    # what is told: everybody else's are there, what is unknown is named, and nothing moved
    assert set(listed.unknown) == {"beta"} and isinstance(listed.unknown["beta"], bad.told)
    assert listed.unknown["beta"].host == "beta"
    assert {cat.host for cat in listed.polecats} == {"alpha", "gamma"}
    for was, now in zip(first, second, strict=False):
        if isinstance(was, Placed) and was.host != "beta":
            assert now == was
        elif bad.is_certain and when == "during":
            assert isinstance(was, bad.told) and was.host == "beta"
            assert isinstance(now, Placed) and now.host != "beta"
        else:
            assert isinstance(now, HostUnknownError) and now.host == "beta"
    if when == "before":
        assert {one.host for one in sort(second).placed} <= {"alpha", "gamma"} and sort(second).errors == []

    bad.ends(three)
    three["beta"].now += 3600
    three["beta"].run_late()  # what an engine had kept comes now, when nobody waits for it any more
    third = fleet.spawn_many(orders())
    assert sort(third).errors == []
    assert [now for was, now in zip(first, third, strict=False) if isinstance(was, Placed) and was != now] == []
    assert three.there() == dict.fromkeys((f"gt-{at}" for at in range(12)), 1)
    assert three.agents() == 12
    assert fleet.list().unknown == {}


def _while_loads_are_told(fleet: Fleet, happen: Callable[[], object]) -> list[Placed | PolecatError]:
    """Spawn, and let something happen between the two questions."""

    class Once(dict[str, str]):
        """Pointers that make it happen when the first is set."""

        def setdefault(self, key: str, default: str = "") -> str:
            nonlocal happen
            happen()
            happen = lambda: None  # noqa: E731
            return fleet.pointers.setdefault(key, default)  # type: ignore[union-attr]

        def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
            return fleet.pointers.get(key, default)  # type: ignore[union-attr]

        def pop(self, key: str, *default: object) -> object:  # type: ignore[override]
            return fleet.pointers.pop(key, *default)  # type: ignore[union-attr]

    during = Fleet(fleet.hosts, fleet.rig, Once(), fleet.needs)
    return list(during.spawn_many(orders(), timeout_s=LIMIT_S, loads_timeout_s=LIMIT_S))


def test_without_pointers_an_order_waits_for_the_silent(three: Hosts) -> None:
    """A new orchestrator that remembers nothing places no order with a key while a host is silent: it may be there. One without is placed."""
    three.fleet().spawn_many(orders())
    three["gamma"].fault = "mute"
    fresh = three.fleet()

    results = fresh.spawn_many([*orders(14), Order()], timeout_s=5, loads_timeout_s=LIMIT_S)

    known = [one for one in results[:12] if isinstance(one, Placed)]
    assert {one.host for one in known} == {"alpha", "beta"} and len(known) == 8
    assert [type(one) for one in results[12:]] == [HostUnknownError, HostUnknownError, Placed]
    assert "may be on gamma" in str(results[12])


def test_a_host_that_is_gone_for_good_is_taken_out(three: Hosts) -> None:
    """Its orders are placed elsewhere only after somebody took it out of the fleet."""
    pointers: dict[str, str] = {}
    three.fleet(pointers).spawn_many(orders())
    three["gamma"].fault = "mute"
    assert len(sort(three.fleet(pointers).spawn_many(orders(), loads_timeout_s=LIMIT_S)).errors) == 4

    again = three.fleet(pointers, without=["gamma"]).spawn_many(orders())

    assert {one.host for one in sort(again).placed} == {"alpha", "beta"} and sort(again).errors == []
    assert set(pointers.values()) == {"alpha", "beta"}


def test_an_engine_that_runs_a_call_twice(three: Hosts) -> None:
    """Whatever is asked happens once: a spawn without a key of its own, a nudge, a removal."""
    for host in three.hosts.values():
        host.fault = "twice"
    fleet = three.fleet()
    cats = sort(fleet.spawn_many([*orders(3), *[Order() for _ in range(3)]])).placed

    assert (len(cats), three.agents()) == (6, 6)
    fleet.nudge(cats, "go on")
    for cat in cats:
        assert three[cat.host].fake.tmux.typed(cat.polecat.pane) == ["go on"]  # type: ignore[union-attr]
    assert all(not isinstance(one, PolecatError) for one in fleet.remove(cats, force=True))


def test_a_lost_answer_can_be_asked_for_again(three: Hosts) -> None:
    """The ticket of the error gives the answer that was lost; nothing is typed or removed twice, and another ticket is another request."""
    fleet = three.fleet()
    [cat] = sort(fleet.spawn_many([Order(on="alpha")])).placed
    three["alpha"].fault = "lost"
    [lost] = fleet.nudge([cat], "go on")
    assert isinstance(lost, HostUnknownError) and lost.was_sent and lost.ticket
    [gone] = fleet.remove([cat], force=True)
    assert isinstance(gone, HostUnknownError)
    three["alpha"].fault = ""

    [told] = fleet.nudge([cat], "go on", ticket=lost.ticket)
    assert isinstance(told, Delivery)
    [removed] = fleet.remove([cat], ticket=gone.ticket)
    assert not isinstance(removed, PolecatError) and removed.branch_deleted
    assert isinstance(fleet.remove([cat])[0], PolecatNotFoundError)
    assert isinstance(fleet.nudge([cat], "x", ticket="../../etc")[0], PolecatError)


def test_a_request_that_was_cut_off_is_unknown(three: Hosts) -> None:
    """A host that was killed between beginning and noting the answer does not guess: whether it was typed is not known."""
    fleet = three.fleet()
    [cat] = sort(fleet.spawn_many([Order(on="alpha")])).placed
    fleet.nudge([cat], "go on", ticket="t1")
    [note] = (three["alpha"].fake.rig.runtime_dir / "fleet").glob("t1-*.json")
    note.write_text('{"fleet":1,"polecat":"0"}')  # as it stands between the two

    [unknown] = fleet.nudge([cat], "go on", ticket="t1")

    assert "cut off; whether it was done is not known" in str(unknown)


def test_what_comes_too_late_is_not_done(three: Hosts) -> None:
    """An engine that starts a call after its limit, cancelled or not, is told that nobody waits; nothing is done."""
    three["alpha"].fault = "late"
    fleet = three.fleet()
    cat = Placed.parse("alpha:gastown/nux")
    [error] = fleet.nudge([cat], "x", timeout_s=0.01)
    three["alpha"].now += 1

    [answer] = three["alpha"].run_late()

    assert isinstance(error, HostUnknownError) and error.was_sent
    assert re.search(r"AskedTooLateError.*asked too late, by .* nothing was done", str(answer))


@pytest.mark.parametrize("ahead_s", [-86_400, -30, 30, 86_400])
def test_clocks_that_are_apart(three: Hosts, ahead_s: int) -> None:
    """A host whose clock is wrong works all the same: it says what time it is there, and is asked again by its own clock."""
    three["beta"].now += ahead_s
    fleet = three.fleet()

    results = fleet.spawn_many(orders(), timeout_s=10)

    assert sort(results).errors == []
    assert fleet.list(timeout_s=5).unknown == {}
    assert not any(isinstance(one, AskedTooLateError) for one in results)


def test_two_orchestrators_with_the_same_keys(three: Hosts, tmp_path: Path) -> None:
    """Those that share their pointers make each order once, though both see the fleet as it was before."""
    one, other = (three.fleet(FilePointers(tmp_path / "orders")) for _ in range(2))
    loads = other.loads()
    first = one.spawn_many(orders(6))
    turned = list(reversed(orders(6)))  # so that it would place them otherwise

    class Stale(Fleet):
        def loads(self, *, timeout_s: float = 10.0) -> dict[str, Load | PolecatError]:
            return loads

    second = Stale(other.hosts, other.rig, other.pointers, other.needs).spawn_many(turned)

    assert list(reversed(second)) == first
    assert set(three.there().values()) == {1}


@pytest.mark.parametrize("point", ["after git.add_worktree", "after tmux.start", "before beads.hook"])
def test_a_worker_that_is_killed_in_the_middle_of_a_spawn(three: Hosts, tmp_path: Path, point: str) -> None:
    """kill -9 of the worker: asked again, the order is on its host, once; until then a list shows what is there."""
    host = three["beta"]
    pointers = {"gt-1": "beta"}  # it stood there before the question was sent
    opts = SpawnOptions(hook_bead="gt-1", key="gt-1")
    scene = Scene(rig=host.fake.rig, world=host.fake.world, operate=lambda rig, world: spawn_for_sling(rig, opts, world=world))
    assert die_at(scene, point, place=tmp_path).point == point
    host.fake = evolve(host.fake, world=scene.world)
    assert [str(cat) for cat in three.fleet(pointers).list().polecats] == ["beta:gastown/furiosa"]

    [cat] = three.fleet(pointers).spawn_many([Order(opts=SpawnOptions(hook_bead="gt-1"))])

    assert isinstance(cat, Placed) and cat.host == "beta"
    assert (three.there(), three.agents()) == ({"gt-1": 1}, 1)


def test_a_full_disk_there_is_that_hosts_error(three: Hosts) -> None:
    """A host without disk gets nothing by itself; what is pinned to it is refused by it, typed; what it has is still found."""
    fleet = three.fleet()
    before = fleet.spawn_many(orders(3))
    put_json(Path(three["beta"].town, "gastown", "settings", "config.json"), {"type": "rig-settings", "min_free_disk_mb": 10**9})

    results = fleet.spawn_many([*orders(9), Order(on="beta")])

    assert results[:3] == before
    assert {one.host for one in results[3:9] if isinstance(one, Placed)} == {"alpha", "gamma"}
    assert isinstance(results[9], DiskFullError) and results[9].host == "beta"
    assert set(fleet.list().unknown) == set()


def test_a_host_with_another_version(three: Hosts) -> None:
    """What a newer host writes and we cannot read is unknown, and both versions are named; the others go on."""
    three.fleet().spawn_many(orders(3))

    class Newer(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            text = three["beta"].submit(fn, *args, **kwargs).result()
            future: Future[Any] = Future()
            future.set_result(text.replace('"polecat":"0', '"polecat":"7').replace('"state":', '"mood":1,"state":'))
            return future

    hosts_ = {**three.fleet().hosts}
    hosts_["beta"] = evolve(hosts_["beta"], executor=Newer())
    fleet = Fleet(hosts_, "gastown", needs=three.fleet().needs)

    listed = fleet.list()
    assert isinstance(listed.unknown["beta"], HostUnknownError) and isinstance(listed.unknown["beta"].__cause__, WireError)
    assert "there is polecat 7" in str(listed.unknown["beta"])
    assert len(listed.polecats) == 2
