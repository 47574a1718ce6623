"""Two hosts whose towns share one store of beads: an address is unique only with its host, and only a host can say that its own are dead."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve, frozen

from polecat import (
    BeadTakenError,
    PolecatState,
    Rig,
    SpawnFailedError,
    SpawnOptions,
    SpawnRefusedError,
    UnknownStateError,
    get_polecat,
    list_polecats,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    spawn_for_sling,
    spawn_many,
    start_polecat,
    stop_polecat,
    work_at_risk,
)
from polecat.ports import AgentBead, AgentFields
from polecat.testing import FakeBeads, FakeWorld, fake_world
from polecat.testing.worlds import put_json
from polecat.town.records import read_current
from tests.faults.pretend import Scene, die_at


@frozen(kw_only=True)
class Pretend:
    rig: Rig
    world: FakeWorld


def a_host(root: Path, name: str, beads: FakeBeads) -> Pretend:
    rig, world = fake_world(root / (name or "unnamed"))
    put_json(rig.town_root / "settings" / "config.json", {"type": "town-settings", "host": name} if name else {})
    return Pretend(rig=rig, world=evolve(world, beads=beads))


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Pretend, Pretend]:
    beads = FakeBeads()
    return a_host(tmp_path, "alpha", beads), a_host(tmp_path, "beta", beads)


def test_a_bead_of_another_hosts_polecat_is_not_given_again(hosts: tuple[Pretend, Pretend]) -> None:
    """The refusal names the holder with its host, though nothing of it is to be seen here; a host without a name is told too."""
    alpha, beta = hosts
    spawn_for_sling(alpha.rig, SpawnOptions(name="slit", hook_bead="gt-1"), world=alpha.world)

    for other in (beta, a_host(beta.rig.town_root.parent, "", beta.world.beads)):
        with pytest.raises(BeadTakenError, match="hooked by alpha:gastown/polecats/slit") as caught:
            spawn_for_sling(other.rig, SpawnOptions(hook_bead="gt-1"), world=other.world)
        assert caught.value.holder == "alpha:gastown/polecats/slit"
        assert "only host 'alpha' can say" in caught.value.hint
    assert list_polecats(beta.rig, world=beta.world) == []


def test_the_holders_own_host_can_say_that_it_is_dead(hosts: tuple[Pretend, Pretend]) -> None:
    """Once removed there, the bead can be given out here."""
    alpha, beta = hosts
    cat = spawn_for_sling(alpha.rig, SpawnOptions(hook_bead="gt-1"), world=alpha.world)
    remove_polecat(alpha.rig, cat, force=True, world=alpha.world)

    assert spawn_for_sling(beta.rig, SpawnOptions(hook_bead="gt-1"), world=beta.world).polecat_name == "furiosa"
    assert (read := beta.world.beads.agent("gt-gastown-polecat-furiosa")) and read.fields.host == "beta"


def test_names_of_other_hosts_are_passed_over(hosts: tuple[Pretend, Pretend]) -> None:
    """What has an agent bead elsewhere is no free name here, asked for or not; removing one harms nobody's namesake."""
    alpha, beta = hosts
    spawn_many(alpha.rig, [SpawnOptions(hook_bead="gt-1"), SpawnOptions(hook_bead="gt-2")], world=alpha.world)

    ours = spawn_many(beta.rig, [SpawnOptions(), SpawnOptions()], world=beta.world)
    assert [one.polecat_name for one in ours if not isinstance(one, Exception)] == ["slit", "rictus"]
    with pytest.raises(SpawnRefusedError, match="the name 'nux' is taken"):
        spawn_for_sling(beta.rig, SpawnOptions(name="nux"), world=beta.world)
    remove_polecat(beta.rig, "slit", force=True, world=beta.world)
    assert [one.issue for one in list_polecats(alpha.rig, world=alpha.world)] == ["gt-1", "gt-2"]


def test_two_hosts_that_take_a_name_at_the_same_time(hosts: tuple[Pretend, Pretend]) -> None:
    """Whoever comes second to the agent bead takes everything back and touches nothing of the first, also when it is killed there."""
    _, beta = hosts
    fields = AgentFields(role_type="polecat", rig="gastown", agent_state="working", hook_bead="gt-1", host="alpha")

    scene = Scene(rig=beta.rig, world=beta.world, operate=lambda rig, world: spawn_for_sling(rig, SpawnOptions(), world=world))
    died = die_at(scene, "after git.check_out", place=beta.rig.town_root)
    assert died.point
    beads = scene.world.beads
    beads.open_agent("gt-gastown-polecat-furiosa", title="furiosa", fields=fields)
    beads.hook("gt-1", assignee="gastown/polecats/furiosa")
    reconcile_pool(beta.rig, world=scene.world)

    assert list_polecats(beta.rig, world=scene.world) == []
    assert (agent := beads.agent("gt-gastown-polecat-furiosa")) and agent.is_open and agent.fields == fields
    assert [one.id for one in beads.held_by("gastown/polecats/furiosa")] == ["gt-1"]
    assert spawn_for_sling(beta.rig, world=scene.world).polecat_name == "nux"


def test_an_agent_bead_of_another_host_is_not_overwritten(hosts: tuple[Pretend, Pretend]) -> None:
    """A name that another host took after we had looked makes the spawn fail, and nothing is left of it."""
    _, beta = hosts

    class Meanwhile(FakeBeads):
        asked = 0

        def agent(self, bead_id: str) -> AgentBead | None:
            self.asked += 1
            if self.asked == 2:
                fields = AgentFields(role_type="polecat", rig="gastown", host="alpha")
                self.open_agent(bead_id, title=bead_id, fields=fields)
            return super().agent(bead_id)

    world = evolve(beta.world, beads=Meanwhile())
    with pytest.raises(SpawnFailedError, match="alpha:gastown/polecats/furiosa has the agent bead"):
        spawn_for_sling(beta.rig, world=world)
    assert list_polecats(beta.rig, world=world) == []
    assert (theirs := world.beads.agent("gt-gastown-polecat-furiosa")) and theirs.is_open


def test_what_was_made_on_another_host_is_unknown_here(hosts: tuple[Pretend, Pretend]) -> None:
    """A record and a claim name their host: in a town that was copied or is shared, nobody else judges them, ends them or takes them away."""
    alpha, _ = hosts
    cat = spawn_for_sling(alpha.rig, SpawnOptions(hook_bead="gt-1"), world=alpha.world)
    assert (record := read_current(alpha.rig, "furiosa")) and record.host == "alpha"
    alpha.world.tmux.restart_server()
    put_json(alpha.rig.town_root / "settings" / "config.json", {"host": "copy"})

    found = get_polecat(alpha.rig, cat, world=alpha.world)
    assert (found.state, found.is_running) == (PolecatState.UNKNOWN, None)
    for act in (stop_polecat, remove_polecat, repair_polecat, start_polecat, work_at_risk):
        with pytest.raises(UnknownStateError, match="host 'alpha'"):
            act(alpha.rig, "furiosa", world=alpha.world)
    with pytest.raises(UnknownStateError, match="host 'alpha'"):
        remove_polecat(alpha.rig, "furiosa", nuclear=True, world=alpha.world)
    assert cat.clone_path.is_dir()
    assert [bead.id for bead in alpha.world.beads.held_by(cat.agent_id)] == ["gt-1"]


def test_a_claim_of_another_host_is_left_alone(hosts: tuple[Pretend, Pretend]) -> None:
    """A reconcile keeps what another host has begun, and says whose it is."""
    alpha, _ = hosts
    scene = Scene(rig=alpha.rig, world=alpha.world, operate=lambda rig, world: spawn_for_sling(rig, world=world))
    assert die_at(scene, "after git.check_out", place=alpha.rig.town_root).point
    put_json(alpha.rig.town_root / "settings" / "config.json", {"host": "copy"})

    done = reconcile_pool(alpha.rig, world=scene.world)

    assert "was claimed on host 'alpha', and this is 'copy'" in " ".join(done.kept)
    assert [one.name for one in list_polecats(alpha.rig, world=scene.world)] == ["furiosa"]
