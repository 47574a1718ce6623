"""Pretend machines on this one: each with a HOME, a town, git and a tmux server of its own, and the engines that reach them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from attrs import frozen

from polecat.fleet import Fleet, Host, ssh_executor
from polecat.testing import RealTown, real_town
from polecat.testing.worlds import put_json
from tests.fleet.pretend import SMALL
from tests.tmux_fixtures import eventually

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("alpha", "beta", "gamma")


@frozen
class Machines:
    """Pretend machines.

    Attributes:
        towns: name → its town.
        place: a directory for what engines need.
    """

    towns: Mapping[str, RealTown]
    place: Path

    def fleet(self, executors: Mapping[str, Executor], reach: Callable[[str], Sequence[str]] = lambda _: ()) -> Fleet:
        hosts = {name: Host(executors[name], str(town.root), tuple(reach(name))) for name, town in self.towns.items()}
        return Fleet(hosts, rig="gastown", pointers={}, needs=SMALL)

    def environ(self, name: str) -> dict[str, str]:
        """What a process on that machine has, with the sources of this checkout, and with a secret of its own."""
        return {
            **self.towns[name].environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "HOST_SECRET": f"of {name}",
        }


@contextmanager
def machines(place: Path, names: Sequence[str] = NAMES) -> Iterator[Machines]:
    with ExitStack() as held:
        towns = {}
        for name in names:
            town = towns[name] = held.enter_context(real_town(place / name))
            settings = {"type": "town-settings", "version": 1, "tmux_socket": str(town.socket), "host": name}
            put_json(town.root / "settings" / "config.json", settings)
        yield Machines(towns, place)


# -------------------------------------------------------------------------------------------------------- process pools


def _become(environ: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)


@contextmanager
def pools(made: Machines) -> Iterator[Fleet]:
    """A process pool for each machine."""
    with ExitStack() as held:
        yield made.fleet(
            {
                name: held.enter_context(
                    ProcessPoolExecutor(2, mp_context=get_context("fork"), initializer=_become, initargs=(made.environ(name),))
                )
                for name in made.towns
            }
        )


# ----------------------------------------------------------------------------------------------------------------- ssh


SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def sshd(made: Machines) -> Iterator[tuple[Fleet, Mapping[str, subprocess.Popen[bytes]]]]:
    """A real sshd for each machine on the loopback address, with throw-away keys; a fleet over it, and the servers."""
    keys, servers = made.place / "ssh", dict[str, subprocess.Popen[bytes]]()
    keys.mkdir(mode=0o700)
    for key in ("id", "hostkey"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / key], check=True)
    shutil.copy(keys / "id.pub", keys / "authorized")
    config = ""
    options: tuple[str, ...] = ()
    try:
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        for name in made.towns:
            port = free_port()
            settings = {
                "Port": port, "ListenAddress": "127.0.0.1", "HostKey": keys / "hostkey", "PidFile": "none",
                "AuthorizedKeysFile": keys / "authorized", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
                "PermitRootLogin": "yes", "SetEnv": " ".join(f'"{key}={value}"' for key, value in made.environ(name).items()),
            }  # fmt: skip
            (keys / f"{name}.conf").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
            with (keys / f"{name}.log").open("wb") as log:
                servers[name] = subprocess.Popen([str(SSHD), "-D", "-e", "-f", keys / f"{name}.conf"], stderr=log)
            eventually(lambda port=port: _answers(port), f"sshd of {name} listens")  # type: ignore[misc]
            config += (
                f"Host {name}\n HostName 127.0.0.1\n Port {port}\n IdentityFile {keys}/id\n IdentitiesOnly yes\n"
                f" UserKnownHostsFile {keys}/known\n StrictHostKeyChecking accept-new\n LogLevel ERROR\n"
            )
        (keys / "config").write_text(config)
        options = ("-F", str(keys / "config"), "-o", f"ControlPath={next(iter(made.towns.values())).socket.parent}/%n")
        executors = {name: ssh_executor(name, python=sys.executable, options=options) for name in made.towns}
        yield made.fleet(executors, lambda name: ("ssh", "-t", *options, name)), servers
    finally:
        for name, server in servers.items():
            subprocess.run(["ssh", *options, "-O", "exit", name], check=False, capture_output=True)
            server.kill()
            server.wait()


# ---------------------------------------------------------------------------------------------------------------- dask


@contextmanager
def dask(made: Machines) -> Iterator[tuple[Fleet, Mapping[str, subprocess.Popen[bytes]]]]:
    """A scheduler and a worker with its nanny for each machine, as `dask scheduler` and `dask worker` start them; a fleet over them."""
    client_of = import_module("distributed").Client
    port, running = free_port(), dict[str, subprocess.Popen[bytes]]()
    address = f"tcp://127.0.0.1:{port}"

    def start(name: str, environ: Mapping[str, str], *words: str) -> None:
        with (made.place / f"dask-{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(
                [sys.executable, "-m", *words], env=environ, stdout=log, stderr=log, start_new_session=True
            )

    start("scheduler", os.environ, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    try:
        for name in made.towns:
            more = ("--name", name, "--nthreads", "4", "--host", "127.0.0.1", "--no-dashboard", "--memory-limit", "0")
            start(
                name, made.environ(name), "distributed.cli.dask_worker", address, *more,
                "--nanny", "--local-directory", str(made.place / f"dask-{name}"),
            )  # fmt: skip
        with client_of(address, timeout=60) as client:
            client.wait_for_workers(len(made.towns), timeout=60)
            at = {worker["name"]: where for where, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
            yield made.fleet({name: client.get_executor(workers=[at[name]], pure=False) for name in made.towns}), running
    finally:
        for process in reversed(running.values()):
            process.terminate()
        for process in running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environ_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    parts = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(part.split("=", 1) for part in parts if part)


def json_of(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text("utf-8"))
    return found
