"""The verbs that change polecats: what they say, what they do, and that a dry run says the same and does nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli_fixtures import Answer, Run, untouched
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, start_polecat_session
from tests.tmux_fixtures import ENDS, eventually

pytestmark = pytest.mark.real


@pytest.fixture
def cat(town: HandTown, run: Run) -> dict[str, Any]:
    """A polecat at work on a bead, with a draft that is nowhere else."""
    made: dict[str, Any] = run("spawn", "gastown", "--hook", "gt-abc12", "--json").json
    (Path(made["clone_path"]) / "draft.txt").write_text("draft")
    return made


def dry(town: HandTown, run: Run, *argv: str) -> Answer:
    """A dry run, proved to touch nothing."""
    before = untouched(town)
    done = run(*argv, "--dry-run")
    assert (done.code, done.err) == (0, ""), done
    before.check()
    return done


def as_done(text: str, stamp: str = "") -> list[str]:
    """A text without its first line and without what a dry run cannot know: the end of a name that is drawn anew."""
    return [line.replace(stamp, "…") if stamp else line for line in text.splitlines()[1:]]


# ------------------------------------------------------------------------------------------------------------ remove


def test_a_removal_that_would_lose_work_is_refused(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """remove names the work, where it is and three ways on; refused it touches nothing, and the dry run refuses alike."""
    before = untouched(town)
    done = run("remove", "gastown/furiosa").refused("1 uncommitted change(s)", "gt-abc12", "status", "hook clear", "--force")
    assert run("remove", "gastown/furiosa", "--dry-run") == done
    before.check()


def test_a_removal_does_what_its_dry_run_said(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """remove --force ends the session, saves the draft, deletes the branch and hands the bead back, line by line as announced."""
    plan = dry(town, run, "remove", "gastown/furiosa", "--force")
    plan_json = dry(town, run, "remove", "gastown/furiosa", "--force", "--json").json

    done = run("remove", "gastown/furiosa", "--force")

    [ref] = git("for-each-ref", "--format=%(refname)", "refs/polecat/rescue", cwd=town.repo_dir).split()
    stamp = ref.rpartition("/")[2]
    assert done.out.splitlines()[0] == "removed gastown/furiosa"
    assert plan.out.splitlines()[0] == "would remove gastown/furiosa"
    assert as_done(plan.out) == as_done(done.out, stamp)
    for word in ("gt-gastown-furiosa ended", ref, f"{cat['branch']} deleted", "gt-abc12 handed back"):
        assert word in done.out
    assert plan_json["branch_deleted"] is True and plan_json["unassigned"] == ["gt-abc12"]
    assert git("show", f"{ref}:draft.txt", cwd=town.repo_dir) == "draft"
    assert set(town.leftovers()) <= {"homes", "spawn events"} and not (town.rig_dir / "polecats" / "furiosa").exists()


def test_an_instance_that_is_gone_is_not_removed(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """remove --instance leaves a polecat of the same name but another spawn alone."""
    before = untouched(town)
    run("remove", "gastown/furiosa", "--force", "--instance", "0123456789abcdef").refused("furiosa")
    before.check()
    assert run("remove", "gastown/furiosa", "--force", "--instance", cat["instance"]).code == 0


# ------------------------------------------------------------------------------------------------------------ repair


def test_a_repair_does_what_its_dry_run_said(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """repair --force ends the session, saves the draft and gives a fresh worktree, line by line as announced; the hook stays."""
    run("repair", "gastown/furiosa").refused("1 uncommitted change(s)", "polecat repair gastown/furiosa --force")
    plan = dry(town, run, "repair", "gastown/furiosa", "--force")
    plan_json = dry(town, run, "repair", "gastown/furiosa", "--force", "--json").json

    done = run("repair", "gastown/furiosa", "--force")

    after = run("status", "gastown/furiosa", "--json").json
    [ref] = git("for-each-ref", "--format=%(refname)", "refs/polecat/rescue", cwd=town.repo_dir).split()
    announced = [line.replace("polecat/furiosa-…", after["branch"]) for line in as_done(plan.out)]
    assert done.out.splitlines()[0] == "repaired gastown/furiosa"
    assert announced == as_done(done.out, ref.rpartition("/")[2])
    assert (plan_json["session_ended"], plan_json["old_branch"]) == ("gt-gastown-furiosa", cat["branch"])
    assert plan_json["old_branch_deleted"] is True
    assert (after["clean"], after["running"], after["issue"]) == (True, False, "gt-abc12")
    assert after["branch"] != cat["branch"]


def test_a_repair_can_hook_something_else(town: HandTown, run: Run) -> None:
    """repair --hook puts another bead on the hook."""
    run("spawn", "gastown")
    done = run("repair", "gastown/furiosa", "--hook", "gt-new11", "--json")
    assert done.json["issue"] == "gt-new11"
    assert run("hook", "show", "gt-new11", "--rig", "gastown", "--json").json[0]["assignee"] == "gastown/polecats/furiosa"


# -------------------------------------------------------------------------------------------------------------- stop


def test_a_stop_ends_what_its_dry_run_named(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """stop ends the session and nothing else; stopping twice is refused."""
    plan = dry(town, run, "stop", "gastown/furiosa")
    assert dry(town, run, "stop", "gastown/furiosa", "--json").json["session_ended"] == "gt-gastown-furiosa"
    done = run("stop", "gastown/furiosa")
    assert (plan.out, done.out) == ("would end session gt-gastown-furiosa\n", "ended session gt-gastown-furiosa\n")
    assert town.sessions() == []
    assert (Path(cat["clone_path"]) / "draft.txt").exists()
    run("stop", "gastown/furiosa").refused("has no session")


# -------------------------------------------------------------------------------------------------------------- start


def test_a_start_goes_on_in_the_same_place(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """A polecat that was stopped runs again with its files; one that runs, and one whose agent cannot go on, are refused with the reason."""
    run("start", "gastown/furiosa", "--fresh").refused(
        "the agent of gastown/polecats/furiosa runs", "polecat stop gastown/furiosa"
    )
    run("stop", "gastown/furiosa")
    run("start", "gastown/furiosa").refused("nobody told how agent 'recorder' continues its conversation", "--fresh")

    done = run("start", "gastown/furiosa", "--fresh", "--prompt", "go on")

    assert (done.code, done.out) == (0, "gastown/polecats/furiosa\n")
    assert town.sessions() == ["gt-gastown-furiosa"]
    assert (Path(cat["clone_path"]) / "draft.txt").exists()
    assert run("start", "gastown/nobody").code == 1


def test_after_a_reboot_one_command_starts_everybody(town: HandTown, run: Run) -> None:
    """When the tmux server has gone, list says so, and start --all starts everybody of the rig; a second time there is nobody."""
    run("spawn", "gastown", "--count", "2")
    town.server.run("kill-server")
    eventually(lambda: [cat["state"] for cat in run("list", "--json").json] == ["stalled"] * 2, "their server went away")
    assert {cat["ended"]["reason"] for cat in run("list", "--json").json} == {"server gone"}
    assert "its tmux server went away" in run("list").out

    done = run("start", "--all", "gastown", "--fresh")

    assert done.out.splitlines() == ["gastown/polecats/furiosa", "gastown/polecats/nux"]
    assert sorted(town.sessions()) == ["gt-gastown-furiosa", "gt-gastown-nux"]
    assert run("start", "--all", "gastown", "--fresh").out == "nobody's tmux server went away\n"


# ------------------------------------------------------------------------------------------------- reconcile and prune


def test_a_prune_does_what_its_dry_run_said(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """prune ends orphans and deletes branches whose commits are elsewhere; commits of their own keep a branch; all as announced."""
    git("branch", "polecat/gone-mk000001", "refs/remotes/origin/main", cwd=town.repo_dir)
    tree = git("rev-parse", "refs/remotes/origin/main^{tree}", cwd=town.repo_dir)
    own = git("commit-tree", tree, "-m", "mine", cwd=town.repo_dir)
    git("branch", "polecat/gone-mk000002", own, cwd=town.repo_dir)
    start_polecat_session(town, "nux")
    plan = dry(town, run, "prune", "gastown")
    plan_json = dry(town, run, "prune", "gastown", "--json").json

    done = run("prune", "gastown")

    assert [line.removeprefix("would ") for line in plan.out.splitlines()] == done.out.splitlines()
    assert "end orphan session of nux" in done.out and "delete branch polecat/gone-mk000001" in done.out
    assert "left alone: polecat/gone-mk000002" in done.out
    assert plan_json["branches_deleted"] == ["polecat/gone-mk000001"]
    branches = git("for-each-ref", "--format=%(refname:short)", "refs/heads/polecat", cwd=town.repo_dir).split()
    assert sorted(branches) == sorted([cat["branch"], "polecat/gone-mk000002"])
    assert town.sessions() == ["gt-gastown-furiosa"]


@pytest.mark.parametrize("record", ["right", "cut"])
def test_a_prune_leaves_branches_that_are_no_gone_polecats(town: HandTown, run: Run, cat: dict[str, Any], record: str) -> None:
    """A person's own branch below ``polecat/`` stays, and so does that of a polecat whose agent works on another one just now."""
    git("branch", "polecat/my-notes", "refs/remotes/origin/main", cwd=town.repo_dir)
    git("switch", "-q", "-c", "feature", cwd=Path(cat["clone_path"]))
    if record == "cut":
        path = town.rig_dir / ".runtime" / "polecats" / "furiosa.json"
        path.write_text(path.read_text()[:40])

    done = run("prune", "gastown", "--json").json

    assert done["branches_deleted"] == []
    git("switch", "-q", cat["branch"], cwd=Path(cat["clone_path"]))


def test_a_prune_counts_what_its_reconcile_frees(town: HandTown, run: Run) -> None:
    """The branch of a registration that leads nowhere is in the dry run too, though only the real run drops the registration."""
    run("spawn", "gastown")
    run("stop", "gastown/furiosa")
    home = town.rig_dir / "polecats" / "furiosa"
    home.rename(town.root / "elsewhere")
    plan = dry(town, run, "prune", "gastown")
    done = run("prune", "gastown")
    assert [line.removeprefix("would ") for line in plan.out.splitlines()] == done.out.splitlines()
    assert "delete branch polecat/furiosa-" in done.out


def test_reconcile_moves_settings_that_gas_town_would_drop(town: HandTown, run: Run) -> None:
    """Own keys of town and rig go where Gas Town does not write, once; the dry run says which and moves nothing; nothing else changes."""
    town.settings(max_polecats=4)
    path, own = town.rig_dir / "settings" / "config.json", town.rig_dir / "settings" / "polecat.json"
    said = f"max_polecats from {path} to polecat.json beside it"
    before = path.read_text()

    assert f"would move {said}\n" in run("reconcile", "gastown", "--dry-run").out
    assert (path.read_text(), own.exists()) == (before, False)

    assert said in run("reconcile", "gastown", "--json").json["settings_moved"]
    assert json.loads(own.read_text()) == {"max_polecats": 4}
    assert run("reconcile", "gastown").out == "0 in use: -\nnothing to do\n"


def test_settings_that_cannot_be_moved_are_left_alone(town: HandTown, run: Run) -> None:
    """Where it cannot be told what to take out, the reconcile is done all the same, and says why the keys are where they were."""
    path = town.rig_dir / "settings" / "config.json"
    path.write_text('{"type": "rig-settings", "max_polecats": 4, "max_polecats": 5}')

    done = run("reconcile", "gastown")

    assert (done.code, f"left alone: settings of {town.rig_dir}: {path}" in done.out) == (0, True)
    assert path.read_text().count("max_polecats") == 2


def test_nothing_to_prune(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """A rig in order is left alone, and the verb says so."""
    before = untouched(town)
    assert run("prune", "gastown").out == "1 in use: furiosa\nnothing to do\n"
    assert run("reconcile", "gastown").out == "1 in use: furiosa\nnothing to do\n"
    before.check()


# ------------------------------------------------------------------------------------------------------------- status


def test_status_says_everything(town: HandTown, run: Run, cat: dict[str, Any]) -> None:
    """status shows state, branch, hook, work, session and place of one polecat, and what removing it would lose; touches nothing."""
    before = untouched(town)
    said = dict(line.split(maxsplit=1) for line in run("status", "gastown/furiosa").out.splitlines())
    before.check()
    assert {key: said[key] for key in ("polecat", "state", "branch", "hook", "work", "worktree")} == {
        "polecat": "furiosa", "state": "working", "branch": cat["branch"], "hook": "gt-abc12",
        "work": "1 uncommitted change(s)", "worktree": cat["clone_path"],
    }  # fmt: skip
    assert "active" in said["session"]
    assert said["remove?"] == "1 uncommitted change(s); bead gt-abc12 is on its hook"


def test_status_of_a_polecat_with_nothing_to_lose(town: HandTown, run: Run) -> None:
    """Where nothing would be lost, status says that."""
    run("spawn", "gastown")
    run("stop", "gastown/furiosa")
    said = run("status", "gastown/furiosa").out
    assert "remove?    nothing would be lost" in said
    assert re.search(r"^session +stopped, \d+ s ago$", said, re.MULTILINE)
    assert run("status", "gastown/furiosa", "--json").json["risks"] == []


# ------------------------------------------------------------------------------------------------------ stale and warm


def test_stale_counts_what_is_missing(town: HandTown, run: Run) -> None:
    """A stopped polecat that lacks commits is stale, with how many; one at work is not."""
    run("spawn", "gastown", "--count", "2")
    run("stop", "gastown/furiosa")
    git("commit", "-q", "--allow-empty", "-m", "more", cwd=town.origin)
    git("fetch", "-q", "origin", cwd=town.repo_dir)
    stale = {one["polecat_name"]: one for one in run("stale", "gastown", "--threshold", "1", "--json").json}
    assert stale["furiosa"]["commits_behind"] == 1 and stale["furiosa"]["stale"] is True
    assert stale["nux"]["stale"] is False
    rows = [line.split() for line in run("stale", "gastown", "--threshold", "1").out.splitlines()]
    assert [row[:2] for row in rows] == [["POLECAT", "STALE"], ["furiosa", "yes"], ["nux", "no"]]


def test_warm_makes_and_discards(town: HandTown, run: Run) -> None:
    """warm makes as many spares as are asked for and throws the rest away; a spawn takes one; more than the rig may hold is refused."""
    assert run("warm", "gastown", "2").out == "2 spare(s) ready, 2 new, 0 thrown away\n"
    assert run("warm", "gastown", "1").out == "1 spare(s) ready, 0 new, 1 thrown away\n"
    run("warm", "gastown", "31").refused("30 polecats", "max_polecats")
    assert run("spawn", "gastown").code == 0
    assert run("warm", "gastown", "0").out == "0 spare(s) ready, 0 new, 0 thrown away\n"


# ------------------------------------------------------------------------------------------------------------- rescue


def test_what_was_saved_can_be_found_and_taken_back(town: HandTown, run: Run, cat: dict[str, Any], tmp_path: Path) -> None:
    """rescue list names what was saved, rescue show what is in it, by name, by ref or by the end of it; its command gets it back."""
    assert run("rescue", "list", "gastown").out == "no rescues\n"
    run("rescue", "show", "gastown", "furiosa").refused("no rescue 'furiosa'; there is none")
    run("remove", "gastown/furiosa", "--force")

    [head, row] = run("rescue", "list", "gastown").out.splitlines()
    ref = row.split()[0]
    shown = [run("rescue", "show", "gastown", name).out for name in ("furiosa", ref, ref.rpartition("/")[2])]

    assert head.split() == ["REF", "HOLDS", "SAVED", "WHY"]
    assert row.endswith("removal of gastown/polecats/furiosa")
    assert len(set(shown)) == 1 and "added    draft.txt" in shown[0]
    command = shown[0].splitlines()[-1].removeprefix("get it back:  ").replace("DIR", str(tmp_path / "back")).split()
    git(*command[1:], cwd=tmp_path)
    assert (tmp_path / "back" / "draft.txt").read_text() == "draft"
    run("rescue", "show", "gastown", "nux").refused("no rescue 'nux'", ref)


# --------------------------------------------------------------------------------------------------------------- hook


def test_the_hook_by_hand(town: HandTown, run: Run) -> None:
    """hook sets, shows and clears, by polecat and by bead; what is not there is an error, an empty hook is none."""
    run("spawn", "gastown")
    assert run("hook", "show", "gastown/furiosa").out == "nothing on the hook\n"
    assert run("hook", "set", "gastown/furiosa", "gt-abc12").out.split()[:3] == ["gt-abc12", "hooked", "gastown/polecats/furiosa"]
    assert run("hook", "show", "gt-abc12").out == run("hook", "show", "gastown/furiosa").out
    assert run("hook", "clear", "gastown/polecats/furiosa").out.split()[:3] == ["gt-abc12", "open", "nobody"]
    run("hook", "show", "gastown/furioso").refused("did you mean 'furiosa'")
    run("hook", "clear", "gastown/nobody").refused("no polecat 'nobody'", "furiosa")
    run("hook", "set", "gastown/nobody", "gt-abc12").refused("no polecat 'nobody'")
    run("hook", "set", "gt-abc12", "gt-abc12").refused("RIG/NAME")
    run("hook", "show", "zz-1").refused("which rig", "--rig")
    run("hook", "show", "gt-nope").refused("no bead 'gt-nope'")


def test_how_an_agent_ended_is_shown_after_the_end(town: HandTown, run: Run) -> None:
    """List, status and capture tell how an agent ended and what it showed last, for people and for programs; the session is gone."""
    town.agent("frail", 'printf "> "; read -r _; echo "no more credit" >&2; ' + f"{ENDS} 3")
    run("spawn", "gastown", "--agent", "frail", "--prompt", "begin")
    run("nudge", "gastown/furiosa", "go")
    eventually(lambda: run("list", "gastown", "--json").json[0]["state"] == "failed", "it has failed")

    eventually(lambda: town.sessions() == [], "the session went with it")
    (cat,) = run("list", "gastown", "--json").json
    assert {key: cat["ended"][key] for key in ("reason", "status", "signal", "says")} == {
        "reason": "exit",
        "status": 3,
        "signal": None,
        "says": "exit 3",
    }
    assert run("status", "gastown/furiosa", "--json").json["last_lines"][-1] == "no more credit"
    said = run("status", "gastown/furiosa").out
    assert re.search(r"^session +exit 3, \d+ s ago$", said, re.MULTILINE) and said.endswith("  no more credit\n")
    assert run("capture", "gastown/furiosa", "--lines", "1").out == "no more credit\n"
