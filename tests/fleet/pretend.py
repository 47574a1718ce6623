"""Fleets of pretend hosts, and what must be true of them whatever went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from attrs import define, frozen

from polecat import Polecat, SpawnOptions
from polecat.fleet import Fleet, Host, Needs, Order, Placed
from polecat.testing import FakeHost

SMALL = Needs(memory_mb=1, disk_mb=1, agents_per_core=30)
"""Of a pretend agent: what this machine really has decides nothing."""


@define
class Hosts:
    """Pretend hosts, and fleets of them.

    Attributes:
        hosts: name → pretend host.
    """

    hosts: Mapping[str, FakeHost]

    def fleet(self, pointers: MutableMapping[str, str] | None = None, *, without: Sequence[str] = ()) -> Fleet:
        known = {name: Host(host, host.town, ("ssh", "-t", name)) for name, host in self.hosts.items() if name not in without}
        return Fleet(known, rig="gastown", pointers=pointers, needs=SMALL)

    def __getitem__(self, name: str) -> FakeHost:
        return self.hosts[name]

    def questions(self) -> int:
        return sum(host.asked for host in self.hosts.values())

    def there(self) -> Counter[str]:
        """How many polecats each key has, on all hosts, whoever can be asked."""
        from polecat import list_polecats

        cats: list[Polecat] = [
            cat for host in self.hosts.values() for cat in list_polecats(host.fake.rig, world=host.fake.world, with_work=False)
        ]
        return Counter(cat.key for cat in cats)

    def agents(self) -> int:
        """How many sessions run, on all hosts."""
        return sum(len(host.fake.tmux.sessions()) for host in self.hosts.values())


def hosts(root: Path, names: str = "alpha beta gamma") -> Hosts:
    return Hosts({name: FakeHost(root / name) for name in names.split()})


def orders(count: int = 12, *, on: str = "") -> list[Order]:
    return [Order(opts=SpawnOptions(hook_bead=f"gt-{number}"), on=on) for number in range(count)]


@frozen
class Sorted:
    placed: list[Placed]
    errors: list[Exception]


def sort(results: Sequence[Placed | Exception]) -> Sorted:
    return Sorted([one for one in results if isinstance(one, Placed)], [one for one in results if not isinstance(one, Placed)])
