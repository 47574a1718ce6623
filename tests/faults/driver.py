"""A process that does what it is told with the real programs, each time in a fork of itself, which may be told to kill itself half-way.

It reads one JSON document a line and answers each with one. It has imported everything before the first, so a fork costs little.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from polecat import (
    Rig,
    SpawnOptions,
    find_town,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    spawn_for_sling,
    start_polecat,
    stop_polecat,
)
from polecat.adapters import GitCli, LocalBeads, TmuxCli
from polecat.errors import PolecatError, StepFailedError
from polecat.ports import World
from tests.faults.points import Points

VERBS: Mapping[str, Callable[[Rig, dict[str, Any], World], object]] = {
    "spawn": lambda rig, asked, world: spawn_for_sling(rig, SpawnOptions(**asked), world=world),
    "start": lambda rig, asked, world: start_polecat(rig, **{"resume": False, **asked}, world=world),
    "stop": lambda rig, asked, world: stop_polecat(rig, **asked, world=world),
    "remove": lambda rig, asked, world: remove_polecat(rig, **{"nuclear": True, **asked}, world=world),
    "repair": lambda rig, asked, world: repair_polecat(rig, **{"nuclear": True, **asked}, world=world),
    "reconcile": lambda rig, asked, world: reconcile_pool(rig, world=world),
}


def main() -> None:
    """Do what is asked until nobody asks any more."""
    import filelock  # noqa: F401
    import structlog  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _obey(order)
        _, status = os.waitpid(child, 0)
        answer = json.loads(Path(order["answer"]).read_text()) if os.path.exists(order["answer"]) else {}
        print(json.dumps({**answer, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}), flush=True)


def _obey(order: dict[str, Any]) -> None:
    rig = find_town(Path(order["town"])).rig(order["rig"])
    answer = Path(order["answer"])

    def say(point: str, points: tuple[str, ...], **more: object) -> None:
        draft = answer.with_name(answer.name + ".draft")
        draft.write_text(json.dumps({"point": point, "points": points, **more}))
        draft.rename(answer)

    points = Points(rig.town_root, order["point"], say, inside_calls=True)
    env = dict(os.environ)
    limits: dict[str, float] = {}
    if order["shims"]:
        env["PATH"] = f"{order['shims']}{os.pathsep}{env['PATH']}"
        limits = {"timeout_s": order["limit_s"]}
    tmux = TmuxCli(socket=order["socket"], config_file="/dev/null", environ=env, **limits)
    git_limits = {f"{kind}timeout_s": order["limit_s"] for kind in ("", "check_out_", "rescue_") if order["shims"]}
    world = World(
        git=GitCli(environ=env, **git_limits),
        tmux=tmux,
        beads=LocalBeads(rig.runtime_dir / "polecat-beads.sqlite3"),
        processes=tmux.processes,
        environ=env,
    )
    sys.addaudithook(points.listen)
    more: dict[str, object] = {}
    try:
        result = VERBS[order["verb"]](rig, order["asked"], points.around(world))
        more["result"] = repr(result)
    except PolecatError as error:
        more |= {"error": repr(error), "message": str(error)}
        if isinstance(error, StepFailedError):
            more["left_behind"] = error.left_behind
    except BaseException as error:  # noqa: BLE001  the test must see it; this process ends without a word of its own
        more["crash"] = repr(error)
    finally:
        points.stop()
        say("", tuple(points.points), **more)
        os._exit(0)


if __name__ == "__main__":
    main()
