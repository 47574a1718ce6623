"""Which host gets which polecat. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from polecat.fleet.model import Load, Needs, Order

DEFAULT_NEEDS = Needs()


def room_of(load: Load, needs: Needs = DEFAULT_NEEDS) -> int:
    """Say how many more polecats a host takes: the scarcest of names, memory, disk and cores decides.

    Args:
        load: what the host says of itself.
        needs: what one agent takes.

    Examples:
        >>> room_of(Load(polecats=3, max_polecats=10, cores=64, free_memory_mb=4096))
        4
        >>> room_of(Load(polecats=12, max_polecats=10))
        0
    """
    rooms = [
        load.max_polecats - load.polecats,
        int(load.cores * needs.agents_per_core) - load.polecats,
        load.free_disk_mb // max(1, needs.disk_mb),
    ]
    if load.free_memory_mb is not None:
        rooms.append(load.free_memory_mb // max(1, needs.memory_mb))
    return max(0, min(rooms))


def choose_hosts(loads: Mapping[str, Load], orders: Sequence[Order], *, needs: Needs = DEFAULT_NEEDS) -> list[str | None]:
    """Give each order a host: that of its pin, or that with most room left; of several with as much, the first by name.

    A pin is respected whatever room there is: whether the host takes it is the host's to say. A polecat that is there already takes no room.

    Args:
        loads: what each host that answered says of itself.
        orders: what is wanted.
        needs: what one agent takes.

    Returns:
        A host for each order, in order; None where there is no room, or the host of its pin did not answer.

    Examples:
        >>> loads = {name: Load(polecats=0, max_polecats=limit) for name, limit in (("a", 2), ("b", 1))}
        >>> choose_hosts(loads, [Order()] * 4)
        ['a', 'a', 'b', None]
        >>> choose_hosts(loads, [Order(on="b"), Order(), Order(on="b"), Order(on="c")])
        ['b', 'a', 'b', None]
    """
    left = {host: room_of(load, needs) for host, load in loads.items()}
    chosen: list[str | None] = [order.on if order.on in loads else None for order in orders]
    for order, host in zip(orders, chosen, strict=True):
        if host is not None and order.key not in loads[host].keys:
            left[host] -= 1
    heap = [(-room, host) for host, room in left.items() if room > 0]
    heapq.heapify(heap)
    for at, order in enumerate(orders):
        if order.on or not heap:
            continue
        room, host = heap[0]
        chosen[at] = host
        if room < -1:
            heapq.heapreplace(heap, (room + 1, host))
        else:
            heapq.heappop(heap)
    return chosen
