"""A process that does several things at once, each in a fork of its own that waits until all are ready.

It reads one JSON list of orders a line and answers with the list of what came of them, in order. An order with ``kill_s`` is killed
with SIGKILL so many seconds after the start, if it is not done by then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from polecat import Rig, SpawnOptions, World, find_town, reconcile_pool, remove_polecat, repair_polecat, spawn_for_sling
from polecat.adapters import GitCli, LocalBeads, TmuxCli
from polecat.errors import PolecatError

VERBS: Mapping[str, Callable[[Rig, dict[str, Any], World], object]] = {
    "spawn": lambda rig, asked, world: asdict(spawn_for_sling(rig, SpawnOptions(**asked), world=world)),
    "remove": lambda rig, asked, world: asdict(remove_polecat(rig, **asked, world=world)),
    "repair": lambda rig, asked, world: asdict(repair_polecat(rig, **asked, world=world)),
    "reconcile": lambda rig, asked, world: asdict(reconcile_pool(rig, world=world)),
}


def main() -> None:
    """Do what is asked until nobody asks any more."""
    import filelock  # noqa: F401
    import structlog  # noqa: F401

    for line in sys.stdin:
        orders = json.loads(line)
        ready, go = os.pipe()
        children = [_fork(order, ready, go) for order in orders]
        os.close(go)  # now nobody holds it, so everybody who reads goes on
        os.close(ready)
        _kill(children, orders)
        killed = [os.WIFSIGNALED(os.waitpid(child, 0)[1]) for child in children]
        answers = [
            _KILLED if dead else json.loads(Path(order["answer"]).read_text()) for order, dead in zip(orders, killed, strict=True)
        ]
        print(json.dumps(answers), flush=True)


_KILLED = {"error": "killed", "message": "killed"}


def _kill(children: Sequence[int], orders: Sequence[dict[str, Any]]) -> None:
    began_s = time.monotonic()
    for kill_s, child in sorted(
        (order["kill_s"], child) for order, child in zip(orders, children, strict=True) if order.get("kill_s")
    ):
        time.sleep(max(0.0, began_s + kill_s - time.monotonic()))
        os.kill(child, signal.SIGKILL)  # it may be done; then it is a zombie of ours and nobody else's


def _fork(order: dict[str, Any], ready: int, go: int) -> int:
    child = os.fork()
    if child:
        return child
    answer: dict[str, Any] = {"error": "nothing was said"}
    try:
        os.close(go)
        rig = find_town(Path(order["town"])).rig(order["rig"])
        env = dict(os.environ)
        tmux = TmuxCli(socket=order["socket"], config_file="/dev/null", environ=env)
        beads = LocalBeads(rig.runtime_dir / "polecat-beads.sqlite3")
        world = World(git=GitCli(environ=env), tmux=tmux, beads=beads, environ=env)
        os.read(ready, 1)
        answer = {"result": VERBS[order["verb"]](rig, order["asked"], world)}
    except PolecatError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001  whatever it is, the test should see it
        answer = {"error": repr(error), "message": str(error)}
    finally:
        Path(order["answer"]).write_text(json.dumps(answer, default=str))
        os._exit(0)


if __name__ == "__main__":
    main()
