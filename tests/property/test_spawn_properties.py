"""Whatever happens in whatever order: no two polecats ever share a name, and what the disk says is what there is."""

from __future__ import annotations

import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from polecat import PolecatError, SpawnedPolecat, SpawnOptions, reconcile_pool, spawn_for_sling, spawn_many
from polecat.testing import FailAt, FakeAgent, FakeTmux, fake_world

RELAXED = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(st.lists(st.sampled_from([None, "toast", "ace", "TOAST"]), min_size=2, max_size=6), st.integers(1, 4))
def test_interleaved_spawns_never_share_a_name(wanted: list[str | None], workers: int) -> None:
    """T-01: 2..6 spawns side by side, some asking for the same name: names, branches and homes are all different."""
    with tempfile.TemporaryDirectory() as place:
        rig, world = fake_world(Path(place))

        def one(name: str | None) -> SpawnedPolecat | PolecatError:
            try:
                return spawn_for_sling(rig, SpawnOptions(name=name), world=world)
            except PolecatError as error:
                return error

        with ThreadPoolExecutor(max_workers=workers) as pool:
            cats = [cat for cat in pool.map(one, wanted) if isinstance(cat, SpawnedPolecat)]
        names = [cat.polecat_name for cat in cats]
        assert len({name.casefold() for name in names}) == len(names)
        assert len({cat.branch for cat in cats}) == len(cats)
        assert sorted(path.name for path in rig.polecats_dir.iterdir()) == sorted(names)
        assert sorted(world.tmux.sessions()) == sorted(f"gt-gastown-{name}" for name in names)
        distinct = {name.casefold() for name in wanted if name}
        assert len(names) == wanted.count(None) + len(distinct), "only twins are refused"


@RELAXED
@given(st.lists(st.sampled_from([0, 3, None]), min_size=2, max_size=5))
def test_in_a_batch_each_stands_for_itself(exits: list[int | None]) -> None:
    """T-29: of a batch exactly those whose agent lives are there afterwards, and the others left nothing."""
    with tempfile.TemporaryDirectory() as place:
        rig, world = fake_world(Path(place))
        ends = {f"gt-gastown-cat{number}": code for number, code in enumerate(exits)}
        tmux = FakeTmux(agent=lambda request: FakeAgent(exits=ends[request.name]), processes=world.processes, clock=world.clock)
        mixed = evolve(world, tmux=tmux)
        results = spawn_many(rig, [SpawnOptions(name=f"cat{number}") for number in range(len(exits))], world=mixed)
        assert [isinstance(result, SpawnedPolecat) for result in results] == [code is None for code in exits]
        alive = [f"cat{number}" for number, code in enumerate(exits) if code is None]
        assert sorted(p.name for p in rig.polecats_dir.iterdir() if not p.name.startswith(".")) == alive
        assert sorted(tmux.sessions()) == [f"gt-gastown-{name}" for name in alive]


class Rigs(RuleBasedStateMachine):
    """Spawns, failures, crashes of agents, lost sessions and reconciles, in any order."""

    cats = Bundle("cats")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.rig, self.world = fake_world(Path(self.place.name))
        document = {"type": "rig-settings", "version": 1, "namepool": {"names": ["ace", "toast"], "max_before_numbering": 2}}
        (self.rig.path / "settings" / "config.json").write_text(json.dumps(document))
        self.alive: dict[str, str] = {}
        self.homes: set[str] = set()

    @rule(target=cats)
    def spawn(self) -> str:
        """A spawn that works; its name is nobody's."""
        self.world.clock.sleep(1)
        cat = spawn_for_sling(self.rig, world=self.world)
        assert cat.polecat_name not in self.homes
        self.homes.add(cat.polecat_name)
        self.alive[cat.polecat_name] = cat.instance
        return cat.polecat_name

    @rule(at=st.integers(1, 25))
    def spawn_that_fails_somewhere(self, at: int) -> None:
        """A spawn whose n-th call fails; it takes everything back, or got through."""
        self.world.clock.sleep(1)
        try:
            cat = spawn_for_sling(self.rig, world=FailAt(at).around(self.world))
        except PolecatError:
            return
        self.homes.add(cat.polecat_name)
        self.alive[cat.polecat_name] = cat.instance

    @rule(name=cats)
    def agent_dies(self, name: str) -> None:
        """An agent dies; its home stays."""
        if name in self.alive:
            self.world.tmux.crash(f"gt-gastown-{name}", 1)
            del self.alive[name]

    @rule(name=consumes(cats))
    def removed_by_gas_town(self, name: str) -> None:
        """Somebody else removes a home behind our back; its session is an orphan from then on."""
        shutil.rmtree(self.rig.home_dir(name))
        self.homes.discard(name)
        self.alive.pop(name, None)

    @rule()
    def reconcile(self) -> None:
        """A reconcile; twice is once."""
        reconcile_pool(self.rig, world=self.world)
        assert sorted(self.world.tmux.sessions()) == sorted(f"gt-gastown-{name}" for name in self.alive)
        again = reconcile_pool(self.rig, world=self.world)
        assert again.orphans == again.recovered == again.adopted == again.emptied == ()

    @invariant()
    def what_is_there_is_what_was_made(self) -> None:
        """Homes are those that were made and not removed; each living agent is the instance that was started."""
        homes = {path.name for path in self.rig.polecats_dir.iterdir() if not path.name.startswith(".")}
        assert homes == self.homes
        instances = {s.name: s.instance for s in self.world.tmux.list_sessions()}
        for name, instance in self.alive.items():
            assert instances[f"gt-gastown-{name}"] == instance

    def teardown(self) -> None:
        """Clean up."""
        self.place.cleanup()


TestRigs = Rigs.TestCase
TestRigs.settings = settings(RELAXED, max_examples=12, stateful_step_count=12)
