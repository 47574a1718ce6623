"""Both programs in one town, each doing what its users do, while agents of both live in it.

Each test is a row of the table that ``nox -s gastown`` prints, each kind of town a column.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gastown.places import RIG, Agent, SharedTown, within

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(900)]

TOGETHER = 4
"""How many of each start at once."""


def _needs_beads(town: SharedTown) -> None:
    if not town.neighbour.has_beads:
        pytest.skip("gt gives out and keeps no work without bd")


def _ours(town: SharedTown, title: str) -> tuple[Agent, str]:
    """A polecat that polecat made, with work."""
    bead = town.new_bead(title)
    return town.spawn("--hook", bead), bead


def _theirs(town: SharedTown, title: str) -> tuple[Agent, str]:
    """A polecat that gt made, with work."""
    _needs_beads(town)
    bead = town.new_bead(title)
    return town.sling(bead), bead


def _who(agent: Agent) -> str:
    return f"{RIG}/{agent.polecat}"


# ------------------------------------------------------------------------------------------------- polecat, to what gt made


def test_polecat_lists_gts(town: SharedTown) -> None:
    """polecat: list, of gt's living polecat: it runs, in its session, with its bead."""
    agent, bead = _theirs(town, "listed by polecat")
    seen = town.polecats()[agent.polecat]
    assert (seen["running"], seen["issue"]) == (True, bead)
    assert seen["state"] in ("working", "idle"), seen


def test_polecat_takes_no_bead_of_gts(town: SharedTown) -> None:
    """polecat: spawn --hook, of a bead that gt's living polecat has: refused."""
    agent, bead = _theirs(town, "not taken by polecat")
    said = town.polecat("spawn", RIG, "--hook", bead)
    assert said.code == 1 and agent.polecat in said.text, said.text
    assert agent.is_alive


def test_polecat_nudges_gts(town: SharedTown) -> None:
    """polecat: nudge, of gt's living polecat: the text arrives."""
    agent, _ = _theirs(town, "nudged by polecat")
    said = town.polecat("nudge", _who(agent), "words-from-polecat")
    within(lambda: "words-from-polecat" in town.typed_to(agent), f"it arrived: {said.text}")


def test_polecat_removes_no_gts(town: SharedTown) -> None:
    """polecat: remove, of gt's living polecat with work: refused, also when it was begun; --force hands the work back."""
    agent, bead = _theirs(town, "removed by polecat")
    done = town.run("bd", "update", bead, "--status=in_progress", cwd=town.rig_dir)
    assert done.code == 0, done.text
    said = town.polecat("remove", _who(agent))
    assert said.code == 1 and agent.is_alive and agent.cwd.is_dir(), said.text
    said = town.polecat("remove", _who(agent), "--force")
    assert said.code == 0 and not agent.cwd.exists(), said.text
    assert '"open"' in town.run("bd", "show", bead, "--json", cwd=town.rig_dir).text


def test_polecat_stops_gts(town: SharedTown) -> None:
    """polecat: stop, of gt's living polecat: its agent ends, and gt says so."""
    agent, _ = _theirs(town, "stopped by polecat")
    said = town.polecat("stop", _who(agent))
    assert said.code == 0, said.text
    within(lambda: not agent.is_alive, "it ended")


def test_polecat_reconciles_beside_gt(town: SharedTown) -> None:
    """polecat: reconcile and doctor: nobody's agent ends, and all is well."""
    if town.neighbour.has_beads:
        _theirs(town, "reconciled by polecat")
    town.spawn()
    before = town.living()
    for words in (("reconcile", RIG), ("doctor",), ("list",)):
        said = town.polecat(*words)
        assert said.code == 0, said.text
    assert town.living().keys() == before.keys()


# ------------------------------------------------------------------------------------------------- gt, to what polecat made


def test_gt_lists_ours(town: SharedTown) -> None:
    """gt: polecat list, of polecat's living polecat: it works."""
    agent, _ = _ours(town, "listed by gt")
    said = town.gt("polecat", "list", RIG)
    line = next((line for line in said.text.splitlines() if _who(agent) in line), said.text)
    assert "●" in line and not {"idle", "stalled", "zombie"} & set(line.split()), line
    # without its beads gt knows no more than that it lives, and the seed calls a polecat done whose bead is not in progress
    assert "working" in line or not (town.neighbour.is_today and town.neighbour.has_beads), line


def test_gt_slings_past_ours(town: SharedTown) -> None:
    """gt: sling, while polecat's polecat lives: another worktree, another agent."""
    mine, _ = _ours(town, "slung past")
    agent, _ = _theirs(town, "slung by gt")
    assert mine.is_alive and agent.cwd != mine.cwd


def test_gt_shows_our_hook(town: SharedTown) -> None:
    """gt: hook show, of polecat's polecat: its bead."""
    _needs_beads(town)
    agent, bead = _ours(town, "hook shown by gt")
    said = town.gt("hook", "show", f"{RIG}/polecats/{agent.polecat}")
    if bead not in said.text:
        of_its_own, its_bead = _theirs(town, "its own hook shown by gt")
        if its_bead not in town.gt("hook", "show", f"{RIG}/polecats/{of_its_own.polecat}").text:
            pytest.skip("gt hook show does not find the bead of gt's own polecat either")
    assert bead in said.text, said.text


def test_gt_nudges_ours(town: SharedTown) -> None:
    """gt: nudge, of polecat's living polecat: the text arrives."""
    agent, _ = _ours(town, "nudged by gt")
    words = ("--mode", "immediate") if town.neighbour.is_today else ()
    said = town.gt("nudge", _who(agent), "words-from-gt", *words)
    within(lambda: "words-from-gt" in town.typed_to(agent), f"it arrived: {said.text}")


def test_gt_nukes_no_ours(town: SharedTown) -> None:
    """gt: polecat nuke, of polecat's living polecat with unsaved work: refused."""
    agent, _ = _ours(town, "not nuked by gt")
    (agent.cwd / "unsaved.txt").write_text("work")
    said = town.gt("polecat", "nuke", _who(agent))
    assert agent.is_alive and (agent.cwd / "unsaved.txt").exists(), said.text


def test_gt_finds_ours_not_stale(town: SharedTown) -> None:
    """gt: polecat stale and check-recovery, of polecat's living polecat: not to be taken away."""
    agent, _ = _ours(town, "not stale")
    stale = town.gt("polecat", "stale", RIG, "--json")
    rows = json.loads(stale.text[stale.text.index("[") : stale.text.rindex("]") + 1])
    mine = [row for row in rows if row.get("name") == agent.polecat]
    assert not any(row.get("is_stale") or row.get("stale") for row in mine), mine
    said = town.gt("polecat", "check-recovery", _who(agent), "--json")
    # of today's, SAFE_TO_NUKE with its own polecats as well; nuke itself goes by what else is said there
    assert "SAFE_TO_NUKE" not in said.text or "WORKING" in said.text, said.text


@pytest.mark.parametrize("words", [(), ("--fix",)], ids=["doctor", "fix"])
def test_gt_doctor_spares_ours(town: SharedTown, words: tuple[str, ...]) -> None:
    """gt: doctor, with and without --fix: every agent lives on."""
    _ours(town, "doctored by gt")
    before = town.living().keys() & town.ours
    extra = ("--no-start",) if words and town.neighbour.is_today else ()
    town.gt("doctor", *words, *extra, cwd=town.root)
    assert before <= town.living().keys()
    assert town.polecat("list").code == 0


def test_gt_stops_ours(town: SharedTown) -> None:
    """gt: session stop, of polecat's polecat: its agent ends, and polecat says so."""
    agent, _ = _ours(town, "stopped by gt")
    said = town.gt("session", "stop", _who(agent))
    within(lambda: not agent.is_alive, f"it ended: {said.text}")
    assert town.polecats()[agent.polecat]["running"] is False


# ------------------------------------------------------------------------------------------------------------------ both


def test_settings_that_gt_writes(town: SharedTown) -> None:
    """both: gt writes the settings in between: polecat's own stay, its living polecats live, no bead is given twice."""
    agent, bead = _ours(town, "settings")
    for words in (("config", "agent", "set", "another", "true"), ("namepool", "set", "minerals")):
        town.gt(*words)
    seen = town.polecats()[agent.polecat]
    assert (seen["running"], seen["issue"]) == (True, bead)
    assert town.polecat("spawn", RIG, "--hook", bead).code == 1
    assert agent.is_alive


def test_together(town: SharedTown) -> None:
    """both: several slings and spawns at once: no name twice, no bead twice, no worktree shared."""
    beads = [town.new_bead(f"at once {number}") for number in range(2 * TOGETHER if town.neighbour.has_beads else TOGETHER)]
    ours, theirs = beads[:TOGETHER], beads[TOGETHER:] if town.neighbour.is_today else []
    extra = ("--no-boot", "--no-convoy", "--hook-raw-bead")
    before = (
        town.living().keys() & town.ours
    )  # gt ends its own after three minutes without a sign of life, which the stub does not give
    with ThreadPoolExecutor(2 * TOGETHER) as pool:
        spawns = [pool.submit(town.polecat, "spawn", RIG, "--hook", bead) for bead in ours]
        slings = [pool.submit(town.gt, "sling", bead, RIG, *extra, cwd=town.root) for bead in theirs]
        said = [one.result() for one in (*spawns, *slings)]
    town.check_invariants()
    assert before <= town.living().keys(), "a living agent was ended"
    # on a busy machine one of many calls of bd may take longer than it may; such a spawn fails, and says what of it is left
    failed = [one.text[-600:] for one in said[:TOGETHER] if one.code != 0 and "did not end within" not in one.text]
    assert not failed, failed
    holders = [one["issue"] for one in town.polecats().values() if one["issue"]]
    assert len(set(holders)) == len(holders), holders
    if not town.neighbour.is_today:
        pytest.skip("spawns alone: ok; the seed's gt takes no locks, and gives one name to several slings and to a spawn at once")


def test_gt_nukes_by_force(town: SharedTown) -> None:
    """gt: polecat nuke --force, then polecat reconcile and spawn: the name inherits no work."""
    agent, bead = _ours(town, "nuked by gt")
    said = town.gt("polecat", "nuke", _who(agent), "--force")
    assert said.code == 0, said.text
    within(lambda: not agent.is_alive, f"it ended: {said.text}")
    said = town.polecat("reconcile", RIG)
    assert said.code == 0 and agent.polecat not in town.polecats(), said.text
    said = town.polecat("spawn", RIG, "--name", agent.polecat)
    if said.code:  # the seed deletes the agent bead, and its bd never gives an id again: the name is lost, and nothing else
        assert "deleted for good" in said.text, said.text
    assert not any(one["issue"] == bead for one in town.polecats().values())
    town.spawn()
