"""Many hosts: pretend executors with latency that fail, far beyond this machine; and the engines of the tests, each against a local call."""

from __future__ import annotations

import heapq
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from measuring.places import Place
from polecat import Polecat, PolecatError, PolecatState, SpawnedPolecat, SpawnOptions
from polecat.fleet import Fleet, Host, Load, Needs, Order, Placed
from polecat.fleet.wire import pack, unpack

SPAWN_S = 1.5


class Wire:
    """Delivers answers when they are due, in one thread for all hosts."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = threading.Condition()
        self._count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        with self._changed:
            self._count += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._count, do))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                do = heapq.heappop(self._due)[2]
            do()


class PretendHost(Executor):
    """Answers as a host with a rig would, after a while; holds what it was asked to make."""

    def __init__(self, name: str, wire: Wire, chance: random.Random) -> None:
        self.name, self.wire, self.chance = name, wire, chance
        self.cats: dict[str, SpawnedPolecat] = {}
        self.asked, self.is_mute, self.loses_answers = 0, False, False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked += 1
        future: Future[Any] = Future()
        if not self.is_mute:
            asked = unpack(args[0])
            latency_s = self.chance.uniform(0.005, 0.25) + (SPAWN_S if asked["verb"] == "spawn" else 0)
            self.wire.after(latency_s, lambda: self._answer(future, asked))
        return future

    def _answer(self, future: Future[Any], asked: Mapping[str, Any]) -> None:
        text = pack(now=time.time(), answer=getattr(self, asked["verb"])(**asked["args"]))
        if future.set_running_or_notify_cancel():
            if self.loses_answers:
                future.set_exception(ConnectionResetError("lost"))
            else:
                future.set_result(text)

    def load(self) -> Load:
        keys = {key: cat.polecat_name for key, cat in self.cats.items()}
        return Load(polecats=len(self.cats), max_polecats=30, cores=16, free_memory_mb=64_000, keys=keys)

    def spawn(self, orders: list[tuple[str, SpawnOptions]]) -> list[SpawnedPolecat]:
        return [self.cats.setdefault(key, _spawned(f"p{len(self.cats)}", key)) for key, _ in orders]

    def list(self, *, with_work: bool) -> list[Polecat]:
        return [
            Polecat(
                name=cat.polecat_name, rig_name="gas", state=PolecatState.WORKING, clone_path=cat.clone_path, branch=cat.branch,
                issue=cat.key, session_name=cat.session_name, is_running=True, instance=cat.instance, key=cat.key,
            )
            for cat in self.cats.values()
        ]  # fmt: skip


def _spawned(name: str, key: str) -> SpawnedPolecat:
    return SpawnedPolecat(
        rig_name="gas", polecat_name=name, clone_path=Path(f"/gt/gas/polecats/{name}/gas"), session_name=f"gt-gas-{name}", pane="%1",
        branch=f"polecat/{name}-mkcjhxc0", base_commit="b28b7af69320201d1cf206ebf28373980add1451", hook_bead=key,
        instance=f"{hash((name, key)) & (2**64 - 1):016x}", agent="claude", key=key,
    )  # fmt: skip


@frozen
class Figures:
    """What one size of fleet took; the seconds of the processor are those of the orchestrator and of all pretended hosts together."""

    placed_s: float
    placed_cpu_s: float
    spawned: int
    listed_s: float
    listed_cpu_s: float
    seen: int
    unknown: int
    again_s: float
    questions: int
    memory_mb: int
    pretend: list[PretendHost] = field(repr=False)


def simulate(hosts: int, each: int, *, mute: int = 0, lost: int = 0, timeout_s: float = 300.0) -> Figures:
    """Fill a fleet of pretend hosts; list it; ask for a thousand orders again. Some never answer, of some the answers are lost."""
    wire, chance = Wire(), random.Random(1)
    pretend = {f"h{number:04}": PretendHost(f"h{number:04}", wire, chance) for number in range(hosts)}
    for host in list(pretend.values())[:mute]:
        host.is_mute = True
    for host in list(pretend.values())[mute : mute + lost]:
        host.loses_answers = True
    needs = Needs(memory_mb=64, disk_mb=64, agents_per_core=8)
    fleet = Fleet({name: Host(host, "/gt") for name, host in pretend.items()}, "gas", pointers={}, needs=needs)
    orders = [Order(opts=SpawnOptions(hook_bead=f"gt-{number}")) for number in range(hosts * each)]
    began, cpu = time.monotonic(), time.process_time()
    results = fleet.spawn_many(orders, timeout_s=timeout_s, loads_timeout_s=20 if mute else timeout_s)
    placed_s, placed_cpu_s = time.monotonic() - began, time.process_time() - cpu
    before, began, cpu = sum(host.asked for host in pretend.values()), time.monotonic(), time.process_time()
    listing = fleet.list(timeout_s=20 if mute else timeout_s)
    listed_cpu_s = time.process_time() - cpu
    listed_s, questions = time.monotonic() - began, sum(host.asked for host in pretend.values()) - before
    began = time.monotonic()
    fleet.spawn_many(orders[:1000], loads_timeout_s=20 if mute else timeout_s)
    return Figures(
        placed_s, placed_cpu_s, sum(isinstance(one, Placed) for one in results), listed_s, listed_cpu_s, len(listing.polecats), len(listing.unknown),
        time.monotonic() - began, questions, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, list(pretend.values()),
    )  # fmt: skip


def sizes() -> Iterator[tuple[str, Figures]]:
    """The sizes that are measured: what grows with the hosts, and what with the polecats."""
    yield "10 hosts × 30", simulate(10, 30)
    yield "100 hosts × 30", simulate(100, 30)
    yield "1,000 hosts × 3", simulate(1000, 3)
    yield "1,000 hosts × 30", simulate(1000, 30)
    yield "1,000 hosts × 30, 10 mute, 10 losing answers", simulate(1000, 30, mute=10, lost=10)


def engines(place: Place, rounds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Seconds of a list and a load, by the call made here, by a process pool, by ssh and by dask, in one run: medians."""
    from tests.fleet.machines import SSHD, dask, machines, pools, sshd  # the tests' own, which are there in a checkout only

    with ExitStack() as held:
        made = held.enter_context(machines(place.root / "machines", ["alpha"]))
        fleets: dict[str, Fleet] = {"process pool": held.enter_context(pools(made))}
        if SSHD:
            fleets["ssh, kept connection"] = held.enter_context(sshd(made))[0]
        with suppress(ModuleNotFoundError):
            fleets["dask"] = held.enter_context(dask(made))[0]
        town = made.towns["alpha"]
        asked: dict[str, dict[str, Callable[[], object]]] = {
            name: {"list": fleet.list, "load": fleet.loads} for name, fleet in fleets.items()
        }
        import polecat
        from polecat.fleet.answer import load

        here = evolve(town.world)
        asked["a call made there"] = {
            "list": lambda: polecat.list_polecats(town.rig, world=here, with_work=False),
            "load": lambda: load(town.rig, here),
        }
        first = next(iter(fleets.values()))
        made_cats = first.spawn_many([Order(key=str(number)) for number in range(4)], loads_timeout_s=60)
        assert not [one for one in made_cats if isinstance(one, PolecatError)], made_cats
        taken: dict[str, dict[str, list[float]]] = {name: {verb: [] for verb in verbs} for name, verbs in asked.items()}
        for _ in range(rounds):
            for name, verbs in asked.items():
                for verb, do in verbs.items():
                    began = time.perf_counter()
                    do()
                    taken[name][verb].append(time.perf_counter() - began)
        for name, verbs_taken in taken.items():
            yield name, {verb: sorted(times)[len(times) // 2] for verb, times in verbs_taken.items()}
