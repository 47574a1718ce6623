"""The same story on real towns over every engine: process pools always, real sshd and real dask in `nox -s fleet`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from polecat import Delivery, SpawnedPolecat, SpawnOptions, WorkAtRiskError
from polecat.fleet import Fleet, HostUnknownError, Order, Placed, only
from tests.fleet.machines import SSHD, Machines, dask, environ_of, machines, pools, sshd
from tests.fleet.pretend import orders, sort
from tests.tmux_fixtures import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(240)]

ASKED = bool(os.environ.get("POLECAT_ENGINES"))
needs_sshd = pytest.mark.skipif(not ASKED or SSHD is None, reason="`nox -s fleet` runs it, where there is an sshd")
needs_dask = pytest.mark.skipif(
    not ASKED or find_spec("distributed") is None, reason="`nox -s fleet` runs it, where distributed can be installed"
)
WITHIN_S = 120.0


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Machines]:
    with machines(tmp_path) as made:
        yield made


def _story(made: Machines, fleet: Fleet) -> None:
    results = fleet.spawn_many(orders(), loads_timeout_s=WITHIN_S)
    cats = sort(results).placed
    assert Counter(cat.host for cat in cats) == {"alpha": 4, "beta": 4, "gamma": 4}, results
    assert fleet.spawn_many(orders(), loads_timeout_s=WITHIN_S) == results

    seen = fleet.list(timeout_s=WITHIN_S)
    assert (len(seen.polecats), dict(seen.unknown)) == (12, {})
    assert {cat.polecat.key for cat in seen.polecats if cat.polecat} == {f"gt-{at}" for at in range(12)}

    text = "it's $HOME; `x`\nsecond"
    told = fleet.nudge(cats, text, timeout_s=WITHIN_S)
    assert all(isinstance(one, Delivery) for one in told), told
    for cat in cats:
        eventually(lambda cat=cat: "it's $HOME; `x`" in made.towns[cat.host].received(cat.name), f"{cat} has the text")  # type: ignore[misc]
    assert all(isinstance(one, str) and ">" in one for one in fleet.capture(cats, timeout_s=WITHIN_S))

    first = cats[0].polecat
    assert isinstance(first, SpawnedPolecat)
    (first.clone_path / "new.txt").write_text("nobody has seen this yet")
    with pytest.raises(WorkAtRiskError) as caught:
        only(fleet.remove(cats[:1], timeout_s=WITHIN_S))
    assert ("uncommitted" in caught.value.reasons, caught.value.host, bool(caught.value.hint)) == (True, "alpha", True)
    _check_environments(made, cats)
    assert [one for one in fleet.remove(cats, force=True, timeout_s=WITHIN_S) if isinstance(one, Exception)] == []
    assert [getattr(one, "kept", one) for one in fleet.reconcile(timeout_s=WITHIN_S).values()] == [()] * 3
    assert fleet.list(timeout_s=WITHIN_S).polecats == ()


def _check_environments(made: Machines, cats: list[Placed]) -> None:
    """An agent has its host's environment, and nothing that the engine put into its worker."""
    for cat in cats:
        assert isinstance(cat.polecat, SpawnedPolecat)
        environ = environ_of(cat.polecat.pid)
        assert environ["HOST_SECRET"] == f"of {cat.host}"
        assert environ["HOME"] == made.towns[cat.host].environ["HOME"]
        wrong = ("DASK_", "OMP_", "MKL_", "OPENBLAS_", "MALLOC_TRIM", "PYTHONHASHSEED", "SSH_")
        assert [key for key in environ if key.startswith(wrong)] == []


def test_process_pools(three: Machines) -> None:
    """Twelve orders on three machines that are process pools, from the first spawn to the last removal."""
    with pools(three) as fleet:
        _story(three, fleet)


@needs_dask
@pytest.mark.engines
def test_dask(three: Machines) -> None:
    """The same on dask: a scheduler, and on each machine a worker with its nanny."""
    with dask(three) as (fleet, _):
        _story(three, fleet)


@needs_dask
@pytest.mark.engines
def test_a_dask_worker_that_is_lost(three: Machines) -> None:
    """While a worker is away its host is unknown; tmux and the agents live on, and nothing is made elsewhere or twice."""
    with dask(three) as (fleet, running):
        first = fleet.spawn_many(orders(6), loads_timeout_s=WITHIN_S)
        running["beta"].terminate()
        running["beta"].wait()
        eventually(lambda: fleet.list(timeout_s=5).unknown.keys() == {"beta"}, "beta is unknown, and nobody else")

        again = fleet.spawn_many(orders(6), loads_timeout_s=5)

        assert [type(now) for was, now in zip(first, again, strict=True) if isinstance(was, Placed) and was.host == "beta"] == [
            HostUnknownError
        ] * 2
        assert [now == was for was, now in zip(first, again, strict=True) if isinstance(now, Placed)] == [True] * 4
        assert len(three.towns["beta"].tmux.list_sessions()) == 2


@needs_sshd
@pytest.mark.engines
def test_ssh(three: Machines) -> None:
    """The same over real ssh, one sshd a machine; a terminal attaches, and leaves again."""
    with sshd(three) as (fleet, _):
        _story(three, fleet)
        [cat] = sort(fleet.spawn_many([Order(on="beta")], loads_timeout_s=WITHIN_S)).placed
        words = shlex.join(fleet.attach_command(cat, timeout_s=WITHIN_S))
        with subprocess.Popen(
            ["script", "-qc", words, "/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm"},
        ) as terminal:
            beta = three.towns["beta"].tmux
            eventually(lambda: "1" in _clients(three), "somebody is attached")
            out, _ = terminal.communicate(b"\x02d", timeout=30)
        assert b"detached" in out
        assert [session.name for session in beta.list_sessions()] == ["gt-gastown-furiosa"]


def _clients(made: Machines) -> str:
    words = ["tmux", "-S", str(made.towns["beta"].socket), "list-sessions", "-F", "#{session_attached}"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@needs_sshd
@pytest.mark.engines
def test_ssh_servers_that_come_and_go(three: Machines) -> None:
    """A host without a server was certainly never asked; an order is placed on the others, what is on it is unknown until it is back."""
    with sshd(three) as (fleet, servers):
        [cat] = sort(fleet.spawn_many([Order(key="k", on="gamma")], loads_timeout_s=WITHIN_S)).placed
        words = [*fleet.hosts["gamma"].reach[:-1], "-O", "exit", "gamma"]
        subprocess.run(words, check=False, capture_output=True)
        servers["gamma"].kill()
        servers["gamma"].wait()

        unknown = fleet.list(timeout_s=WITHIN_S).unknown
        [again, other] = fleet.spawn_many([Order(key="k"), Order(key="new")], loads_timeout_s=WITHIN_S)

        gone = unknown["gamma"]
        assert isinstance(gone, HostUnknownError) and not gone.was_sent and "refused" in str(gone)
        assert isinstance(again, HostUnknownError) and again.host == "gamma"
        assert isinstance(other, Placed) and other.host in ("alpha", "beta")
        assert str(cat) == "gamma:gastown/furiosa"


# ------------------------------------------------------------------------------------------------ the far end, without ssh


def _answer(asked: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polecat.fleet.answer"],
        input=asked,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_far_end_says_hello_first() -> None:
    """What is started on a host says hello before it reads anything, answers what is no question, and is silent to nobody."""
    done, silent = _answer("no question"), _answer("")

    assert done.stdout.startswith("polecat-fleet 1\n")
    assert "no text of polecat's fleet" in done.stdout
    assert (silent.stdout, silent.returncode) == ("polecat-fleet 1\n", 0)


def test_spawned_options_reach_the_agent(three: Machines) -> None:
    """What an order says, a secret in its environment included, is there on the host, as it was given."""
    with pools(three) as fleet:
        opts = SpawnOptions(hook_bead="gt-1", env={"TOKEN": "s'e c\nret"}, wait="no")
        cat = only(fleet.spawn_many([Order(opts=opts, on="gamma")], loads_timeout_s=WITHIN_S))
        assert isinstance(cat.polecat, SpawnedPolecat)
        pid = cat.polecat.pid

        eventually(lambda: environ_of(pid).get("TOKEN") == "s'e c\nret", "the agent has its secret")
