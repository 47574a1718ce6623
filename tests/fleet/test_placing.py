"""Which host gets which polecat."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from polecat import SpawnOptions
from polecat.fleet import Load, Needs, Order, choose_hosts, room_of

LOADS = st.builds(
    Load,
    polecats=st.integers(0, 6),
    max_polecats=st.integers(0, 6),
    cores=st.integers(1, 3),
    free_memory_mb=st.one_of(st.none(), st.integers(0, 5000)),
    free_disk_mb=st.integers(0, 9000),
    keys=st.dictionaries(st.sampled_from("xyz"), st.just("nux"), max_size=2),
)
ORDERS = st.lists(
    st.builds(Order, key=st.sampled_from(["", "x", "y", "z"]), on=st.sampled_from(["", "", "", "a", "b", "?"])), max_size=20
)


def test_the_scarcest_decides() -> None:
    """Names, cores, disk and memory each limit what a host takes; memory that nobody knows limits nothing."""
    roomy = {"polecats": 2, "max_polecats": 30, "cores": 16, "free_memory_mb": 64_000, "free_disk_mb": 100_000}

    assert [
        room_of(Load(**{**roomy, **scarce}), Needs(memory_mb=1000, disk_mb=2000, agents_per_core=1.5))  # type: ignore[arg-type]
        for scarce in (
            {"max_polecats": 5}, {"cores": 4}, {"free_disk_mb": 10_000}, {"free_memory_mb": 1999}, {"free_memory_mb": None},
            {"max_polecats": 1},
        )
    ] == [3, 4, 5, 1, 22, 0]  # fmt: skip


def test_an_order_is_known_by_its_key_or_its_bead() -> None:
    """The key is the caller's, else that of the options, else the bead."""
    opts = SpawnOptions(hook_bead="gt-1", key="k")

    assert [Order(opts=opts, key="mine").key, Order(opts=opts).key, Order(opts=SpawnOptions(hook_bead="gt-1")).key, Order().key] == [
        "mine", "k", "gt-1", "",
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from("abcd"), LOADS), ORDERS)
def test_placing(loads: dict[str, Load], orders: list[Order]) -> None:
    """Pins are respected, no host gets more than it has room for beside them, nobody waits while there is room, and it is the same each time."""
    chosen = choose_hosts(loads, orders)

    assert chosen == choose_hosts(dict(reversed(loads.items())), orders)
    assert all(host == order.on for order, host in zip(orders, chosen, strict=True) if order.on in loads)
    assert all(host is None for order, host in zip(orders, chosen, strict=True) if order.on and order.on not in loads)
    pinned = Counter(order.on for order in orders if order.on in loads and order.key not in loads[order.on].keys)
    free = Counter(host for order, host in zip(orders, chosen, strict=True) if host and not order.on)
    left = {host: max(0, room_of(load) - pinned[host]) for host, load in loads.items()}
    assert all(free[host] <= left[host] for host in free)
    wanted = sum(1 for order in orders if not order.on)
    assert free.total() == min(wanted, sum(left.values()))


def test_whoever_has_most_room_is_first() -> None:
    """Polecats spread over the hosts; of several with as much room the first by name gets the next."""
    loads = {name: Load(polecats=0, max_polecats=limit, cores=99) for name, limit in (("c", 2), ("a", 2), ("b", 3))}

    assert choose_hosts(loads, [Order()] * 8) == ["b", "a", "b", "c", "a", "b", "c", None]
