"""A fleet of pretend hosts: the calls of one machine, with a host beside each polecat."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Executor, Future
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import polecat
from polecat import (
    AgentNotFoundError,
    BeadTakenError,
    Change,
    Delivery,
    NotFoundError,
    PolecatNotFoundError,
    PolecatState,
    RigFullError,
    SessionNotFoundError,
    SpawnedPolecat,
    SpawnOptions,
    SpawnRefusedError,
    WaitTimeoutError,
    WorkAtRiskError,
)
from polecat.errors import InvalidNameError
from polecat.fleet import FilePointers, Fleet, Host, HostUnknownError, Load, Order, Placed, WireError, only
from polecat.fleet import answer as far
from polecat.testing.worlds import put_json
from tests.fleet.pretend import SMALL, Hosts, hosts, orders, sort


@pytest.fixture
def three(tmp_path: Path) -> Hosts:
    return hosts(tmp_path)


def test_the_whole_story(three: Hosts) -> None:
    """Twelve orders on three hosts: spread, listed, talked to, read, stopped, refused where work is at risk, removed, reconciled."""
    fleet = three.fleet()
    cats = sort(fleet.spawn_many(orders())).placed
    assert Counter(cat.host for cat in cats) == {"alpha": 4, "beta": 4, "gamma": 4}
    assert [str(cat) for cat in cats[:4]] == [
        "alpha:gastown/furiosa", "beta:gastown/furiosa", "gamma:gastown/furiosa", "alpha:gastown/nux",
    ]  # fmt: skip
    assert all(isinstance(cat.polecat, SpawnedPolecat) and cat.polecat.key == f"gt-{at}" for at, cat in enumerate(cats))

    seen = fleet.list()
    assert (len(seen.polecats), seen.unknown) == (12, {})
    assert {cat.polecat.state for cat in seen.polecats if isinstance(cat.polecat, polecat.Polecat)} == {PolecatState.WORKING}

    told = fleet.nudge(cats, "it's $HOME; `x`\nsecond")
    assert [one.session_name for one in told if isinstance(one, Delivery)] == [
        f"gt-gastown-{name}" for name in ("furiosa", "nux", "slit", "rictus") for _ in three.hosts
    ]
    assert isinstance(cats[1].polecat, SpawnedPolecat)
    assert three["beta"].fake.tmux.typed(cats[1].polecat.pane) == ["it's $HOME; `x`\nsecond"]
    three["gamma"].fake.tmux.show("gt-gastown-furiosa", "one\ntwo\n> ")
    assert fleet.capture([cats[2]], lines=2) == ["two\n>"]
    assert fleet.stop(cats[:1]) == ["gt-gastown-furiosa"]
    [again] = fleet.start(cats[:1], resume=False)
    assert isinstance(again, Placed) and str(again) == str(cats[0]) and again.instance != cats[0].instance
    assert fleet.stop([again]) == ["gt-gastown-furiosa"]
    cats[0] = again
    assert [one.polecat.is_running for one in fleet.get(cats[:2]) if isinstance(one, Placed) and one.polecat] == [False, True]  # type: ignore[union-attr]

    (Path(three["beta"].fake.rig.home_dir("furiosa")) / "gastown" / "new.txt").write_text("work")
    three["beta"].fake.git.set_facts(three["beta"].fake.rig.home_dir("furiosa") / "gastown", untracked=("new.txt",))
    with pytest.raises(WorkAtRiskError) as caught:
        only(fleet.remove([cats[1]]))
    assert ("uncommitted" in caught.value.reasons, caught.value.host) == (True, "beta")
    assert [one for one in fleet.remove(cats, force=True) if isinstance(one, Exception)] == []
    assert fleet.list().polecats == ()
    assert {host: done.is_quiet for host, done in fleet.reconcile().items() if not isinstance(done, Exception)} == dict.fromkeys(
        three.hosts, True
    )
    assert three.agents() == 0


def test_each_host_is_asked_once_however_many_polecats(three: Hosts) -> None:
    """Two questions a host for a spawn, one for everything else; a host that is not concerned is not asked."""
    fleet = three.fleet()
    cats = sort(fleet.spawn_many(orders(30))).placed
    assert three.questions() == 6
    fleet.list()
    assert three.questions() == 9
    fleet.nudge([cat for cat in cats if cat.host == "beta"], "x")
    assert (three.questions(), three["beta"].asked) == (10, 4)
    assert fleet.nudge([], "x") == []
    assert fleet.spawn_many([]) == []
    assert three.questions() == 10


def test_asking_again_makes_nothing_twice(three: Hosts) -> None:
    """The same orders give the same polecats, to the same orchestrator, to a new one, and to one without pointers; the bead is the key."""
    first = three.fleet().spawn_many(orders())
    for fleet in (three.fleet(), three.fleet({}), three.fleet(dict.fromkeys(("gt-1",), "beta"))):
        assert fleet.spawn_many(orders()) == first
    assert set(three.there().values()) == {1}


def test_results_come_in_order_with_typed_errors(three: Hosts) -> None:
    """What is wrong with one order leaves the others alone; each error is that of one machine, and says which host told it."""
    fleet = three.fleet()
    polecat.spawn_for_sling(three["alpha"].fake.rig, SpawnOptions(hook_bead="gt-0"), world=three["alpha"].fake.world)
    wanted = [
        Order(opts=SpawnOptions(hook_bead="gt-0"), key="mine", on="alpha"),
        Order(opts=SpawnOptions(agent="nope"), on="beta"),
        Order(key="twin"),
        Order(key="twin"),
        Order(on="nowhere"),
        Order(on="gamma"),
    ]
    taken, unknown_agent, made, twin, nowhere, pinned = fleet.spawn_many(wanted)

    assert isinstance(taken, BeadTakenError) and (taken.host, taken.holder) == ("alpha", "gastown/polecats/furiosa")
    assert isinstance(unknown_agent, AgentNotFoundError) and unknown_agent.host == "beta" and "claude" in unknown_agent.known
    assert isinstance(made, Placed)
    assert isinstance(twin, SpawnRefusedError)
    assert isinstance(nowhere, NotFoundError) and nowhere.known == ("alpha", "beta", "gamma")
    assert isinstance(pinned, Placed) and pinned.host == "gamma"
    assert isinstance(fleet.get([Placed(host="x", rig="gastown", name="nux")])[0], NotFoundError)
    assert isinstance(fleet.capture([Placed.parse("beta:gastown/nobody")])[0], PolecatNotFoundError)


def test_capacity_counts(three: Hosts) -> None:
    """No host gets more than its rig allows; what has no room is refused, and what is there already takes none."""
    for host in three.hosts.values():
        put_json(host.fake.rig.path / "settings" / "config.json", {"type": "rig-settings", "max_polecats": 3})
    fleet = three.fleet()
    first = fleet.spawn_many(orders(12))

    assert Counter(cat.host for cat in sort(first).placed) == dict.fromkeys(three.hosts, 3)
    assert [type(error) for error in sort(first).errors] == [RigFullError] * 3
    assert fleet.spawn_many(orders(9)) == first[:9]
    assert isinstance(fleet.spawn_many([Order(on="beta")])[0], RigFullError)


def test_a_value_means_one_spawn(three: Hosts) -> None:
    """What was placed carries its instance: a later polecat of the name is not touched, unless only the address is given."""
    fleet = three.fleet()
    old = only(fleet.spawn_many([Order(on="alpha")]))
    only(fleet.remove([old], force=True))
    three["alpha"].fake.clock.sleep(60)
    new = only(fleet.spawn_many([Order(on="alpha")]))

    assert isinstance(fleet.stop([old])[0], PolecatNotFoundError)
    assert str(old) == str(new)
    assert fleet.stop([Placed.parse(str(new))]) == ["gt-gastown-furiosa"]
    with pytest.raises(InvalidNameError):
        Placed.parse("gastown/furiosa")


def test_waiting_is_one_question_a_host(three: Hosts) -> None:
    """Who needs somebody is told as he is then; who does not in time, and who is not there, has an error of his own."""
    fleet = three.fleet()
    cats = sort(fleet.spawn_many(orders(6))).placed
    before = three.questions()
    for name in ("alpha", "beta"):
        fake = three[name].fake
        fake.clock.later(60, lambda fake=fake: fake.tmux.crash("gt-gastown-furiosa", exit_code=3))  # type: ignore[misc]

    results = fleet.wait([*cats, Placed.parse("beta:gastown/nobody")], until=["ended"], timeout_s=90)

    assert three.questions() == before + 3
    ended = [one.polecat for one in results if isinstance(one, Placed)]
    assert [str(cat.ended) for cat in ended if isinstance(cat, polecat.Polecat)] == ["exit 3", "exit 3"]
    late = [one for one in results if isinstance(one, WaitTimeoutError)]
    assert [(one.host, [cat.name for cat in one.polecats if isinstance(cat, polecat.Polecat)]) for one in late] == [
        ("gamma", ["furiosa"]), ("alpha", ["nux"]), ("beta", ["nux"]), ("gamma", ["nux"]),
    ]  # fmt: skip
    assert isinstance(results[-1], PolecatNotFoundError)


def test_watching_tells_each_change_with_its_host(three: Hosts) -> None:
    """First everybody as he is, then what changes; a host that is silent for a while has lost nobody, and is told once."""
    fleet = three.fleet()
    cats = sort(fleet.spawn_many(orders(3))).placed
    watch = fleet.watch(every_s=0.3, timeout_s=60)
    assert [(host, change.kind) for host, change in islice(watch, 3) if isinstance(change, Change)] == [
        ("alpha", "found"), ("beta", "found"), ("gamma", "found"),
    ]  # fmt: skip

    three["beta"].fault = "mute"
    only(fleet.remove(cats[:1], force=True))
    told = list(islice(watch, 2))
    assert [(host, isinstance(one, HostUnknownError)) for host, one in told] == [("beta", True), ("alpha", False)]
    three["beta"].fault = ""
    only(fleet.remove(cats[1:2], force=True))
    assert [(host, change.kind, change.polecat.name) for host, change in islice(watch, 1) if isinstance(change, Change)] == [
        ("beta", "gone", "furiosa")
    ]


def test_attaching_is_quoted_for_the_shell_over_there(three: Hosts) -> None:
    """ssh gets the command as one word; another way of reaching gets its words; the host's environment stays there."""
    fleet = three.fleet()
    cat = only(fleet.spawn_many([Order(on="alpha")]))
    assert fleet.attach_command(cat) == ("ssh", "-t", "alpha", "tmux -u attach-session -t =gt-gastown-furiosa")

    put_secret = {**three["alpha"].fake.world.environ, "SECRET": "s3cret", "TMUX_TMPDIR": "/a place", "TMUX": "/tmp/x,1,0"}
    three["alpha"].fake = evolve(three["alpha"].fake, world=evolve(three["alpha"].fake.world, environ=put_secret))
    assert fleet.attach_command(cat)[-1] == "env 'TMUX_TMPDIR=/a place' tmux -u attach-session -t =gt-gastown-furiosa"
    pod = Fleet({"alpha": Host(three["alpha"], three["alpha"].town, ("kubectl", "exec", "-it", "pod", "--"))}, rig="gastown")
    assert pod.attach_command(cat)[5:] == (
        "env",
        "TMUX_TMPDIR=/a place",
        "tmux",
        "-u",
        "attach-session",
        "-t",
        "=gt-gastown-furiosa",
    )
    only(fleet.stop([cat]))
    with pytest.raises(SessionNotFoundError):
        fleet.attach_command(cat)


def test_a_load_starts_no_program(three: Hosts) -> None:
    """How full a host is comes from its files and the system; neither git nor tmux nor beads is asked."""
    host = three["alpha"]
    only(three.fleet().spawn_many([Order(key="k", on="alpha")]))
    load = far.load(host.fake.rig, polecat.World())

    assert isinstance(load, Load)
    assert (load.polecats, load.max_polecats, load.keys, load.version) == (1, 30, {"k": "furiosa"}, polecat.__version__)
    assert load.cores >= 1
    assert load.free_memory_mb is None or load.free_memory_mb > 0


def test_a_question_of_another_version_is_refused_untouched(three: Hosts) -> None:
    """A verb or an option that the host does not know is an error of the wire, and nothing was done."""
    fleet = three.fleet()
    told = fleet._asker.ask("teleport", {"alpha": {}}, timeout_s=5)["alpha"]

    assert isinstance(told, WireError) and "knows no 'teleport': it has polecat" in told.message
    assert three.there() == {}


def test_the_pointer_stands_before_the_question_is_sent(three: Hosts) -> None:
    """Whoever reads the pointers while a host works finds the order there already."""
    pointers: dict[str, str] = {}
    seen: list[dict[str, str]] = []

    class Watching(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            seen.append(dict(pointers))
            return three["alpha"].submit(fn, *args, **kwargs)

    fleet = Fleet({"alpha": Host(Watching(), three["alpha"].town)}, rig="gastown", pointers=pointers, needs=SMALL)
    fleet.spawn_many([Order(key="k")])

    assert seen == [{}, {"k": "alpha"}]


def test_pointers_in_a_file(tmp_path: Path) -> None:
    """A file of pointers is a mapping that another process sees, and the first who sets one is who counts."""
    pointers, others = FilePointers(tmp_path / "orders"), FilePointers(tmp_path / "orders")
    pointers["a"] = "alpha"
    assert (others.setdefault("a", "beta"), others.setdefault("b", "beta"), len(pointers), list(pointers)) == (
        "alpha", "beta", 2, ["a", "b"],
    )  # fmt: skip
    del others["a"]
    assert ("a" in pointers, pointers.get("b"), pointers.pop("a", "gone")) == (False, "beta", "gone")
    with pytest.raises(KeyError):
        del pointers["a"]


def test_only_gives_one_or_raises(three: Hosts) -> None:
    """A single result is itself; a single error is raised."""
    assert only(["x"]) == "x"
    with pytest.raises(HostUnknownError):
        only([HostUnknownError("no answer", host="alpha")])
