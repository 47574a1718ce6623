"""Many hosts as one: the calls of `polecat`, with a host beside each polecat."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from time import monotonic, sleep
from typing import Any, TypeVar

from attrs import define, evolve, field

from polecat.core.pool import Reconciliation
from polecat.errors import LockTimeoutError, NotFoundError, PolecatError, RigFullError, SpawnRefusedError, UnknownStateError
from polecat.fleet.asking import Args, Asker
from polecat.fleet.model import Host, HostUnknownError, Listing, Load, Needs, Order, Placed
from polecat.fleet.placing import choose_hosts
from polecat.lifecycle.delivery import Delivery
from polecat.lifecycle.remove import Removed
from polecat.lifecycle.talk import AttachCommand
from polecat.lifecycle.wait import UNTIL, Until
from polecat.lifecycle.watch import Change, changes
from polecat.model import Polecat

Loads = Mapping[str, Load | PolecatError]
T = TypeVar("T")
Results = list[T | PolecatError]


def only(results: Sequence[T | PolecatError]) -> T:
    """Return the result of what was asked of one polecat, or raise its error.

    Examples:
        >>> only(["furiosa"])
        'furiosa'
    """
    [result] = results
    if isinstance(result, PolecatError):
        raise result
    return result


@define(frozen=True, eq=False)
class Fleet:
    """Hosts that each have a town with the same rig. Each call asks every host concerned once, all at the same time.

    What is asked of polecats has a result or an error for each, in order; `only` returns or raises what came of one. Values and errors are
    those of one machine; ``error.host`` says who told it. A host that gave no answer in time is a `HostUnknownError`. Everything may be called
    from several threads.

    Args:
        hosts: name → host.
        rig: the rig's name.
        pointers: key → host, of every order that was ever sent: a mapping that outlives this process, such as `FilePointers`; whoever
            orders the same keys shares it. Without one, an order that was perhaps sent before is refused while a host does not answer.
        needs: what one agent takes.
    """

    hosts: Mapping[str, Host]
    rig: str
    pointers: MutableMapping[str, str] | None = None
    needs: Needs = field(factory=Needs)
    _own: MutableMapping[str, str] = field(factory=dict, init=False, repr=False)
    _asker: Asker = field(init=False, repr=False)

    @_asker.default
    def _make_asker(self) -> Asker:
        return Asker(hosts=self.hosts, rig=self.rig, clocks={})

    # ------------------------------------------------------------------------------------------------- all hosts

    def loads(self, *, timeout_s: float = 10.0) -> dict[str, Load | PolecatError]:
        """Ask every host how full it is; one that cannot say has its error."""
        return self._asker.ask("load", {name: {} for name in self.hosts}, timeout_s=timeout_s)

    def list(self, *, with_work: bool = False, timeout_s: float = 30.0) -> Listing:
        """List the polecats of all hosts. A host that cannot say is in ``unknown``, never left out.

        Args:
            with_work: also count the work that exists nowhere else, which takes longer.
            timeout_s: how long to wait for the hosts.
        """
        told = self._asker.ask("list", {name: {"with_work": with_work} for name in self.hosts}, timeout_s=timeout_s)
        seen = [Placed.of(host, cat) for host, cats in told.items() if not isinstance(cats, PolecatError) for cat in cats]
        return Listing(polecats=tuple(seen), unknown={host: e for host, e in told.items() if isinstance(e, PolecatError)})

    def reconcile(self, *, dry_run: bool = False, timeout_s: float = 120.0) -> dict[str, Reconciliation | PolecatError]:
        """Make names, sessions and directories agree, on every host."""
        return self._asker.ask("reconcile", {name: {"dry_run": dry_run} for name in self.hosts}, timeout_s=timeout_s)

    # -------------------------------------------------------------------------------------------------- spawning

    def spawn_many(self, orders: Sequence[Order], *, timeout_s: float = 300.0, loads_timeout_s: float = 10.0) -> Results[Placed]:
        """Place and spawn: two questions a host, how full it is and the orders that it gets.

        Asking again for the same keys makes nothing twice. An order whose answer was lost stays with its host until that host can be asked;
        it is never placed elsewhere by itself.

        Args:
            orders: what is wanted.
            timeout_s: how long the spawns may take.
            loads_timeout_s: how long a host may take to say how full it is; one that takes longer gets no order.

        Returns:
            Where each is, or why it is not.
        """
        results = self._mistakes(orders)
        loads = self.loads(timeout_s=loads_timeout_s) if len(results) < len(orders) else {}
        answered = {host: load for host, load in loads.items() if isinstance(load, Load)}
        wanted = self._pinned({at: order for at, order in enumerate(orders) if at not in results}, loads, results)
        batches: dict[str, list[int]] = {}
        for at, host in zip(wanted, choose_hosts(answered, list(wanted.values()), needs=self.needs), strict=True):
            placed = _no_room(wanted[at], loads) if host is None else self._point(orders[at].key, host, answered)
            if isinstance(placed, PolecatError):
                results[at] = placed
            else:
                batches.setdefault(placed, []).append(at)
        asked = {host: {"orders": [(wanted[at].key, wanted[at].opts) for at in ats]} for host, ats in batches.items()}
        for host, told in self._asker.ask("spawn", asked, timeout_s=timeout_s).items():
            for at, one in zip(batches[host], _each_of(told, len(batches[host])), strict=True):
                results[at] = one if isinstance(one, PolecatError) else Placed.of(host, one)
                # an order that was sent there before may be there, unless the host has looked for its key now
                if _made_nothing(one) and (not wanted[at].on or one is not told):
                    self._pointers.pop(wanted[at].key, None)
        return [results[at] for at in range(len(orders))]

    @property
    def _pointers(self) -> MutableMapping[str, str]:
        return self._own if self.pointers is None else self.pointers

    def _mistakes(self, orders: Sequence[Order]) -> dict[int, Placed | PolecatError]:
        """The orders that make no sense: on a host that there is not, or with a key that stands there before."""
        wrong: dict[int, Placed | PolecatError] = {}
        seen = {""}
        for at, order in enumerate(orders):
            if order.on and order.on not in self.hosts:
                wrong[at] = self._no_host(order.on)
            elif order.key and order.key in seen:
                wrong[at] = SpawnRefusedError(f"the key {order.key!r} stands twice in one call", hint="a key names one polecat")
            seen.add(order.key)
        return wrong

    def _pinned(self, orders: Mapping[int, Order], loads: Loads, results: dict[int, Any]) -> dict[int, Order]:
        """Pin each order to the host that it is on, or may be on; where that one cannot be asked, unknown is the result."""
        there = {key: host for host, load in loads.items() if isinstance(load, Load) for key in load.keys}
        mute = [host for host, load in loads.items() if not isinstance(load, Load)]
        pinned: dict[int, Order] = {}
        for at, order in orders.items():
            before = there.get(order.key) or self._pointers.get(order.key, "") if order.key else ""
            may_be_on = [before] if before in mute else mute if order.key and not before and self.pointers is None else []
            if may_be_on:
                results[at] = _unknown(order.key, may_be_on)
            else:
                key = order.key or secrets.token_hex(8)  # so that an engine that runs it twice makes one
                pinned[at] = evolve(order, key=key, on=before if before in self.hosts else order.on)
        return pinned

    def _point(self, key: str, host: str, answered: Mapping[str, Load]) -> str | HostUnknownError:
        """Write down where an order goes, before it is sent; another orchestrator may have been quicker."""
        if not key:
            return host
        now = self._pointers.setdefault(key, host)
        if now != host and (key in answered[host].keys or now not in self.hosts):  # it is here, or there is no such host any more
            self._pointers[key] = now = host
        return now if now in answered else _unknown(key, [now])

    # ----------------------------------------------------------------------------------------------- some polecats

    def get(self, cats: Sequence[Placed], *, timeout_s: float = 30.0) -> Results[Placed]:
        """Find polecats as they are now."""
        return self._placed(cats, self._each("get", cats, timeout_s))

    def wait(
        self, cats: Sequence[Placed], *, until: Sequence[Until] = UNTIL, timeout_s: float = 600.0, grace_s: float = 30.0
    ) -> Results[Placed]:
        """Wait until polecats need somebody, as `polecat.wait_polecats` does; one that is not as asked in time has a `WaitTimeoutError`.

        Args:
            cats: whom to wait for.
            until: some of ``ended``, ``idle`` and ``waiting``.
            timeout_s: how long at most.
            grace_s: how much longer a host may take to say how it ended.
        """
        told = self._each("wait", cats, timeout_s + grace_s, until=list(until), within_s=timeout_s)
        return self._placed(cats, told)

    def watch(self, *, every_s: float = 10.0, timeout_s: float | None = None) -> Iterator[tuple[str, Change | PolecatError]]:
        """Watch all hosts: first everybody as he is, then each change once, with its host; a host that cannot say any more is told once.

        What is on such a host has not changed, as far as anybody knows; once it can be asked again, what happened meanwhile is told.

        Args:
            every_s: how often each host is asked, and how long it may take to answer.
            timeout_s: end after so many seconds; None for never.
        """
        known: dict[str, dict[str, Polecat]] = {}
        mute = set[str]()
        end = None if timeout_s is None else monotonic() + timeout_s
        while True:
            looked = monotonic()
            listing = self.list(timeout_s=every_s)
            yield from ((host, error) for host, error in listing.unknown.items() if host not in mute)
            mute = set(listing.unknown)
            for host in filter(lambda host: host not in mute, self.hosts):
                seen = [cat.polecat for cat in listing.polecats if cat.host == host]
                cats = {cat.name: cat for cat in seen if isinstance(cat, Polecat)}
                yield from ((host, change) for change in changes(known.get(host), cats))
                known[host] = cats
            if end is not None and monotonic() >= end:
                return
            sleep(max(0.0, min(looked + every_s, end or looked + every_s) - monotonic()))

    def start(
        self,
        cats: Sequence[Placed],
        *,
        prompt: str | None = None,
        resume: bool = True,
        ticket: str = "",
        timeout_s: float = 300.0,
    ) -> Results[Placed]:
        """Start the agents of polecats again where they have ended: new instances in their places. Tickets as for `nudge`."""
        ticket = ticket or secrets.token_hex(8)
        return self._placed(cats, self._each("start", cats, timeout_s, ticket=ticket, prompt=prompt, resume=resume))

    def nudge(self, cats: Sequence[Placed], text: str, *, ticket: str = "", timeout_s: float = 30.0) -> Results[Delivery]:
        """Type a text to polecats; asked again with the ticket of a `HostUnknownError`, to nobody twice."""
        return self._each("nudge", cats, timeout_s, ticket=ticket or secrets.token_hex(8), text=text)

    def capture(self, cats: Sequence[Placed], *, lines: int = 200, timeout_s: float = 30.0) -> Results[str]:
        """Read what polecats show."""
        return self._each("capture", cats, timeout_s, lines=lines)

    def stop(self, cats: Sequence[Placed], *, ticket: str = "", timeout_s: float = 60.0) -> Results[str]:
        """End the sessions of polecats and all that their agents started; their places stay. Tickets as for `nudge`."""
        return self._each("stop", cats, timeout_s, ticket=ticket or secrets.token_hex(8))

    def remove(
        self, cats: Sequence[Placed], *, force: bool = False, nuclear: bool = False, ticket: str = "", timeout_s: float = 120.0
    ) -> Results[Removed]:
        """Remove polecats; refused, as on one machine, where work would be lost. Tickets as for `nudge`."""
        return self._each("remove", cats, timeout_s, ticket=ticket or secrets.token_hex(8), force=force, nuclear=nuclear)

    def attach_command(self, cat: Placed, *, timeout_s: float = 30.0) -> tuple[str, ...]:
        """What a terminal runs here to sit before a polecat there.

        Raises:
            PolecatError: as `polecat.attach_command`, or its host is unknown.
        """
        command: AttachCommand = only(self._each("attach", [cat], timeout_s))
        setting = ("env", *(f"{key}={value}" for key, value in command.environ.items())) if command.environ else ()
        words, reach = (*setting, *command.argv), self.hosts[cat.host].reach
        is_ssh = bool(reach) and os.path.basename(reach[0]) == "ssh"  # it joins the words, and a shell there takes them apart
        return (*reach, shlex.join(words)) if is_ssh else (*reach, *words)

    def _each(self, verb: str, cats: Sequence[Placed], timeout_s: float, *, ticket: str = "", **how: object) -> Results[Any]:
        """Ask for each polecat, all those of a host in one question."""
        batches: dict[str, list[int]] = {}
        for at, cat in enumerate(cats):
            batches.setdefault(cat.host, []).append(at)
        more = {"ticket": ticket, **how} if ticket else how
        asked: dict[str, Args] = {
            host: {"cats": [(cats[at].name, cats[at].instance) for at in ats], **more}
            for host, ats in batches.items()
            if host in self.hosts
        }
        results: dict[int, Any] = {at: self._no_host(cat.host) for at, cat in enumerate(cats)}
        for host, told in self._asker.ask(verb, asked, timeout_s=timeout_s, ticket=ticket).items():
            results |= zip(batches[host], _each_of(told, len(batches[host])), strict=True)
        return [results[at] for at in range(len(cats))]

    def _placed(self, cats: Sequence[Placed], told: Results[Any]) -> Results[Placed]:
        return [one if isinstance(one, PolecatError) else Placed.of(cat.host, one) for cat, one in zip(cats, told, strict=True)]

    def _no_host(self, name: str) -> NotFoundError:
        return NotFoundError(f"the fleet has no host {name!r}", known=tuple(self.hosts), hint=f"it has {', '.join(self.hosts)}")


def _each_of(told: Any, count: int) -> Sequence[Any]:
    """One result for each that was asked for, where the host told one error for all of them."""
    return [told] * count if isinstance(told, PolecatError) else told


def _unknown(key: str, hosts: Sequence[str]) -> HostUnknownError:
    also = ", …" if len(hosts) > 3 else ""
    hint = "ask again when it can be; a host that is gone for good has to be taken out of the fleet"
    return HostUnknownError(f"{key!r} may be on {', '.join(hosts[:3])}{also}, which cannot be asked", host=hosts[0], hint=hint)


def _made_nothing(result: object) -> bool:
    """Say whether it is certain that an order that was sent to a host made nothing there."""
    if isinstance(result, HostUnknownError):
        return not result.was_sent
    is_unknown = isinstance(result, (UnknownStateError, LockTimeoutError)) or bool(getattr(result, "left_behind", ()))
    return isinstance(result, PolecatError) and not is_unknown


def _no_room(order: Order, loads: Loads) -> PolecatError:
    """Why an order got no host."""
    mute = {host: load for host, load in loads.items() if isinstance(load, PolecatError)}
    if order.on:
        return mute[order.on]
    if len(mute) == len(loads):
        return next(iter(mute.values()), RigFullError("the fleet has no hosts"))
    also = f"; {len(mute)} of {len(loads)} hosts could not say ({', '.join(sorted(mute)[:5])})" if mute else ""
    return RigFullError(f"no host has room for another polecat{also}", hint="remove some that are done, or add a host")
