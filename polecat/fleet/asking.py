"""Asking several hosts at once: each once, with a deadline that the host keeps too. What comes is an answer, an error that the host told, or *unknown*."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from time import monotonic, time
from typing import Any

from attrs import frozen

from polecat.errors import PolecatError
from polecat.fleet import wire
from polecat.fleet.answer import answer
from polecat.fleet.model import AskedTooLateError, Host, HostUnknownError
from polecat.fleet.ssh import SshExecutor

Args = Mapping[str, object]

_HONEST = (ProcessPoolExecutor, ThreadPoolExecutor, SshExecutor)
"""Executors that never run what they say they cancelled."""


@frozen(kw_only=True)
class Asker:
    """Asks hosts.

    Attributes:
        hosts: name → host.
        rig: the rig, which has the same name everywhere.
        clocks: name → by how many seconds that host's clock is ahead of ours, as far as it was told.
    """

    hosts: Mapping[str, Host]
    rig: str
    clocks: MutableMapping[str, float]

    def ask(self, verb: str, asked: Mapping[str, Args], *, timeout_s: float, ticket: str = "") -> dict[str, Any]:
        """Ask each host once, all at the same time.

        Args:
            verb: what is asked; one of `polecat.fleet.answer.VERBS`.
            asked: host → its arguments.
            timeout_s: how long to wait; afterwards a host refuses to begin.
            ticket: for the error, so that the caller can ask again with it.

        Returns:
            What each host said, or the error, in the order of *asked*.
        """
        until = monotonic() + timeout_s
        results = self._ask(verb, asked, until, ticket)
        # a host whose clock is ahead refuses in time what was asked in time; by now we know its clock
        early = {name: asked[name] for name, result in results.items() if isinstance(result, AskedTooLateError)}
        if early and until > monotonic():
            results |= self._ask(verb, early, until, ticket)
        for name, result in results.items():
            for error in result if isinstance(result, list) else [result]:
                if isinstance(error, PolecatError):
                    error.host = name
        return {name: results[name] for name in asked}

    def _ask(self, verb: str, asked: Mapping[str, Args], until: float, ticket: str) -> dict[str, Any]:
        running: dict[Future[str], str] = {}
        results: dict[str, Any] = {}
        left_s = max(0.0, until - monotonic())
        for name, args in asked.items():
            host, now = self.hosts[name], time() + self.clocks.get(name, 0.0)
            question = wire.pack(
                verb=verb, host=name, town=host.town, rig=self.rig, args=args, until=now + left_s, within_s=left_s
            )
            try:
                running[host.executor.submit(answer, question)] = name
            except Exception as error:  # noqa: BLE001  each engine has its own: a closed client, a broken pool
                results[name] = _unknown(name, verb, error, ticket, was_sent=False)
        try:
            for future in as_completed(running, timeout=max(0.0, until - monotonic())):
                results[running[future]] = self._outcome(running[future], verb, future, ticket)
        except TimeoutError:
            pass
        for future, name in running.items():
            if name not in results:
                is_certain = future.cancel() and isinstance(self.hosts[name].executor, _HONEST)
                why = TimeoutError(f"no answer within {left_s:g} s")
                results[name] = _unknown(name, verb, why, ticket, was_sent=not is_certain)
        return results

    def _outcome(self, name: str, verb: str, future: Future[str], ticket: str) -> Any:
        try:
            told = wire.unpack(future.result())
            self.clocks[name] = told["now"] - time()
            return told["error"] if "error" in told else told["answer"]
        except HostUnknownError as error:
            return _unknown(name, verb, error, ticket, was_sent=error.was_sent)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            return _unknown(name, verb, error, ticket, was_sent=True)


def _unknown(name: str, verb: str, why: BaseException, ticket: str, *, was_sent: bool) -> HostUnknownError:
    fate = "whether it was done is not known" if was_sent else "it was never asked"
    words = why.message if isinstance(why, PolecatError) else f"{type(why).__name__}: {why}"
    hint = (
        "ask again when it answers; what has a key or a ticket is not done twice" if was_sent else "see why it cannot be reached"
    )
    error = HostUnknownError(
        f"host {name!r} gave no answer to {verb!r} ({words}); {fate}", host=name, was_sent=was_sent, ticket=ticket, hint=hint
    )
    error.__cause__ = why
    return error
