"""One life of a polecat's beads, and work that was begun, with fixed ids: recorded from real versions of ``bd``, replayed without them.

Record a version (its store must be new; ``bd init`` first)::

    python -m tests.adapters.beads.bd_scenario BD PROJECT_DIRECTORY RECORDING.json [begun]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from polecat.adapters.beads.bd import BdCli
from polecat.errors import BeadClosedError
from polecat.ports import AgentFields, Beads
from tests.adapters.beads.scripted_bd import make_recording_bd

AGENT = "gt-gas-polecat-nux"
WORK = "gt-w1"
WHO = "gas/polecats/nux"


def play(beads: Beads) -> None:
    """Live it, and check each step."""
    fields = AgentFields(role_type="polecat", rig="gas", agent_state="spawning", hook_bead=WORK, role_bead="hq-polecat-role")
    assert beads.agent(AGENT) is None
    assert beads.held_by(WHO) == ()
    opened = beads.open_agent(AGENT, title=AGENT, fields=fields)
    assert opened.is_open
    assert opened.fields == fields
    assert beads.hook(WORK, assignee=WHO, expected="").status == "hooked"
    assert [bead.id for bead in beads.held_by(WHO)] == [WORK]
    assert beads.update_agent(AGENT, agent_state="working").fields.agent_state == "working"
    assert beads.close_agent(AGENT, reason="removed")
    assert beads.close_agent(AGENT, reason="removed again")
    assert beads.unassign(WORK, expected=WHO)
    bare = AgentFields(role_type="polecat", rig="gas", agent_state="spawning")
    assert beads.open_agent(AGENT, title=AGENT, fields=bare).fields == bare
    assert beads.set_status(WORK, "closed").status == "closed"
    try:
        beads.hook(WORK, assignee=WHO)
    except BeadClosedError:
        return
    raise AssertionError("a closed bead was hooked")


def play_begun(beads: Beads) -> None:
    """Hook work that is begun then, hand it to another, and hand it back: the compared changes of versions that have them."""
    other = "gas/polecats/slit"
    beads.hook(WORK, assignee=WHO, expected="")
    assert beads.set_status(WORK, "in_progress").assignee == WHO
    assert beads.hook(WORK, assignee=other, expected=WHO).assignee == other
    assert beads.set_status(WORK, "in_progress").assignee == other
    assert not beads.unassign(WORK, expected=WHO)
    assert beads.unassign(WORK, expected=other)
    free = beads.bead(WORK)
    assert free is not None
    assert (free.status, free.assignee) == ("open", "")


def _record(real: Path, project: Path, recording: Path, scene: str = "life") -> None:
    beads_dir = project / ".beads"
    env = {**os.environ, "BEADS_DIR": str(beads_dir)}
    subprocess.run([real, "create", f"--id={WORK}", "--title=work", "--description=x"], check=True, cwd=project, env=env)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "recorder"
        beads = BdCli(beads_dir=beads_dir, which=str(make_recording_bd(home, real)), locks_dir=Path(scratch) / "locks")
        (play_begun if scene == "begun" else play)(beads)
        calls = [json.loads(line) for line in (home / "calls.jsonl").read_text().splitlines()]
        text = json.dumps({"version": beads.dialect().version, "calls": calls}, indent=1, ensure_ascii=False)
    recording.write_text(text.replace(str(project), "/project") + "\n")


if __name__ == "__main__":
    _real, _project, _recording, *_scene = sys.argv[1:]
    _record(Path(_real), Path(_project), Path(_recording), *_scene)
