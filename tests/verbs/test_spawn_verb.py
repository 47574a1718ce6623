"""``polecat spawn``: results on stdout, everything else on stderr, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli_fixtures import Run, untouched
from tests.git_fixtures import git
from tests.spawn_fixtures import SAY_ARGS, HandTown, run_python, shim_directory, start_polecat_session, with_path
from tests.tmux_fixtures import ENDS, eventually, private_server

pytestmark = pytest.mark.real

FIELDS = (
    "rig_name", "polecat_name", "agent_id", "clone_path", "session_name", "pane", "branch", "base_commit", "hook_bead",
)  # fmt: skip


def test_a_spawn_says_who_on_stdout_and_nothing_else(town: HandTown, run: Run) -> None:
    """One line on stdout, the agent's address; nothing on stderr when that is no terminal; status 0."""
    done = run("spawn", "gastown")
    assert (done.code, done.out, done.err) == (0, "gastown/polecats/furiosa\n", "")
    assert town.sessions() == ["gt-gastown-furiosa"]


def test_json_has_the_fields_of_the_result(town: HandTown, run: Run) -> None:
    """--json prints the fields of a SpawnedPolecat first, in their order, as one object."""
    done = run("spawn", "gastown", "--hook", "gt-abc12", "--json")
    assert tuple(done.json)[: len(FIELDS)] == FIELDS
    assert done.json["hook_bead"] == "gt-abc12"
    assert done.json["base_commit"] == git("rev-parse", "main", cwd=town.origin)
    assert Path(done.json["clone_path"]).is_dir()
    assert done.err == ""


def test_json_without_a_hook_is_null(town: HandTown, run: Run) -> None:
    """What is not there is null, not an empty string."""
    assert run("spawn", "gastown", "--json").json["hook_bead"] is None


@pytest.mark.parametrize("count", [1, 2])
def test_json_with_a_count_is_a_list(town: HandTown, run: Run, count: int) -> None:
    """With --count the result is a list, also for one."""
    done = run("spawn", "gastown", "--count", str(count), "--json")
    assert [cat["polecat_name"] for cat in done.json] == ["furiosa", "nux"][:count]


def test_a_count_of_which_some_fail(town: HandTown, run: Run) -> None:
    """Those that succeeded are printed, the failure is an error, status 1."""
    town.settings(max_polecats=2)
    done = run("spawn", "gastown", "--count", "3", "--json")
    assert done.code == 1
    assert [cat["polecat_name"] for cat in done.json] == ["furiosa", "nux"]
    assert "limit is 2" in done.err and "Traceback" not in done.err


def test_many_failures_of_one_kind_are_told_once(town: HandTown, run: Run) -> None:
    """What fails many times for one reason is one error with how often, not a wall."""
    town.settings(max_polecats=1)
    done = run("spawn", "gastown", "--count", "40")
    assert (done.code, done.out) == (1, "gastown/polecats/furiosa\n")
    assert done.err.splitlines()[0] == "polecat: 39 spawns failed alike:" and len(done.err.splitlines()) == 3


def test_a_dry_run_of_many_tells_how_many(town: HandTown, run: Run) -> None:
    """--dry-run with --count or --beads plans the first of them, its bead included, and says how many there would be."""
    plan = run("spawn", "gastown", "--beads", "gt-abc12,gt-abc13", "--dry-run")
    assert "2; this is the first of them" in plan.out and "gt-abc12" in plan.out
    assert run("spawn", "gastown", "--count", "3", "--dry-run", "--json").json["count"] == 3


def test_an_agent_that_dies_gives_its_words(town: HandTown, run: Run) -> None:
    """An agent that prints why and exits 3 gives exit 1 with that text; no directory, branch or session is left (T-38)."""
    town.agent("refuser", f'echo "licence expired"; {ENDS} 3')
    run("spawn", "gastown", "--agent", "refuser").refused("licence expired", "status 3", "nothing was left behind")
    town.assert_nothing_left()


def test_warnings_go_to_stderr(town: HandTown, run: Run) -> None:
    """A spawn that had to use old news says so on stderr; stdout stays the result."""
    town.origin.rename(town.origin.with_name("gone"))
    done = run("spawn", "gastown")
    assert (done.code, done.out) == (0, "gastown/polecats/furiosa\n")
    assert "warning" in done.err and "could not be reached" in done.err


def test_a_polecat_that_waits_for_a_person(town: HandTown, run: Run) -> None:
    """A trust question is reported on stderr, with status 0."""
    town.agent("claude", 'echo "Do you trust the files in this folder?"; exec sleep 600', provider="claude")
    done = run("spawn", "gastown", "--agent", "claude")
    assert (done.code, done.out) == (0, "gastown/polecats/furiosa\n")
    assert "waits for you" in done.err and "trust-folder" in done.err


def test_the_prompt_from_a_file(town: HandTown, run: Run, tmp_path: Path) -> None:
    """--prompt-file gives the agent the file's text, unchanged."""
    town.agent("args", SAY_ARGS)
    (tmp_path / "prompt").write_text("fix\nit ü\n")
    assert run("spawn", "gastown", "--agent", "args", "--prompt-file", str(tmp_path / "prompt")).code == 0
    assert town.args("furiosa") == ["fix\nit ü\n"]


def test_not_waiting(town: HandTown, run: Run) -> None:
    """--no-wait returns though the agent is never ready."""
    town.agent("never", "exec sleep 600")
    assert run("spawn", "gastown", "--agent", "never", "--no-wait", "--json").json["readiness"] == "not awaited"


def test_the_town_can_be_named(town: HandTown, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--town works from anywhere, with a relative path too."""
    monkeypatch.chdir(tmp_path)
    assert run("spawn", "gastown", "--town", "town").out == "gastown/polecats/furiosa\n"
    assert run("list", "--town", str(town.root / "gastown"), "--json").json[0]["agent_id"] == "gastown/polecats/furiosa"
    assert (town.root / ".events.jsonl").exists() and not (tmp_path / ".events.jsonl").exists()


def test_a_spawn_from_inside_a_polecats_worktree(town: HandTown, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """From inside a worktree the town around it is found, and where one stands changes nothing (T-32)."""
    first = run("spawn", "gastown", "--json").json
    monkeypatch.chdir(first["clone_path"])
    assert run("spawn", "gastown").out == "gastown/polecats/nux\n"


def test_the_socket_can_be_named(town: HandTown, run: Run, tmp_path: Path) -> None:
    """--socket beats the town's setting."""
    with private_server() as other:
        assert run("spawn", "gastown", "--socket", str(other.socket)).code == 0
        assert other.run("list-sessions", "-F", "#{session_name}") == "gt-gastown-furiosa"
        assert town.sessions() == []


# ---------------------------------------------------------------------------------------------------------- dry run


def test_a_dry_run_touches_nothing_and_tells_what_is_then_done(town: HandTown, run: Run) -> None:
    """Files, refs and tmux are unchanged after a dry run; the real run then does that (T-52)."""
    before = untouched(town)
    plan = run("spawn", "gastown", "--hook", "gt-abc12", "--dry-run", "--json")
    assert plan.code == 0 and plan.err == ""
    before.check()
    done = run("spawn", "gastown", "--hook", "gt-abc12", "--json").json
    assert plan.json["agent_id"] == done["agent_id"]
    assert plan.json["clone_path"] == done["clone_path"]
    assert plan.json["session_name"] == done["session_name"]
    assert plan.json["hook_bead"] == done["hook_bead"]
    assert re.sub(r"-[0-9a-z]+$", "", plan.json["branch"]) == "polecat/furiosa"


def test_a_dry_run_beside_a_running_polecat(town: HandTown, run: Run) -> None:
    """With polecats and an orphan there, a dry run names what it would end first and changes nothing (T-52)."""
    run("spawn", "gastown")
    start_polecat_session(town, "nux")
    before = untouched(town)
    done = run("spawn", "gastown", "--dry-run")
    before.check()
    assert "gastown/polecats/nux" in done.out
    assert re.search(r"ends first\s+gt-gastown-nux", done.out)


def test_a_dry_run_is_refused_as_the_real_one_would_be(town: HandTown, run: Run) -> None:
    """A dry run of something that cannot work fails, for the same reason, and touches nothing (T-52)."""
    town.settings(max_polecats=1)
    (town.rig_dir / "polecats" / "nux").mkdir()
    before = untouched(town)
    run("spawn", "gastown", "--agent", "nobody", "--dry-run").refused("nobody")
    run("spawn", "gastown", "--dry-run").refused("limit is 1")
    before.check()


def test_a_taken_name_is_refused_alike(town: HandTown, run: Run) -> None:
    """A taken name, in whatever case, is refused by dry run and real run with the same words, and nothing is touched (T-45)."""
    (town.rig_dir / "polecats" / "nux").mkdir()
    before = untouched(town)
    for name in ("nux", "NUX"):
        dry = run("spawn", "gastown", "--name", name, "--dry-run").refused("is taken")
        assert run("spawn", "gastown", "--name", name).refused("is taken") == dry
    before.check()


def test_a_reconcile_that_only_says(town: HandTown, run: Run) -> None:
    """reconcile --dry-run says what reconcile then does, and touches nothing (T-52)."""
    run("spawn", "gastown")
    start_polecat_session(town, "nux")
    before = untouched(town)
    plan = run("reconcile", "gastown", "--dry-run", "--json")
    before.check()
    done = run("reconcile", "gastown", "--json")
    assert plan.json == done.json
    assert done.json["orphans"] == ["nux"] and done.json["in_use"] == ["furiosa"]
    assert town.sessions() == ["gt-gastown-furiosa"]
    assert "nothing to do" in run("reconcile", "gastown").out


# ------------------------------------------------------------------------------------------------------------- list


def test_list(town: HandTown, run: Run) -> None:
    """list shows every polecat with state, branch, hook, work and session; an empty rig says so; JSON is [] not null."""
    assert run("list").out == "no polecats\n"
    assert run("list", "gastown", "--json").json == []
    made = run("spawn", "gastown", "--hook", "gt-abc12", "--json").json
    [cat] = run("list", "--json").json
    assert (cat["agent_id"], cat["issue"], cat["running"]) == (made["agent_id"], "gt-abc12", True)
    assert (cat["branch"], cat["work"], cat["instance"]) == (made["branch"], "clean", made["instance"])
    head, row = run("list", "gastown").out.splitlines()
    assert head.split() == ["POLECAT", "STATE", "BRANCH", "HOOK", "WORK", "SESSION"]
    assert re.match(rf"furiosa +(working|idle) +{made['branch']} +gt-abc12 ", row)


def test_list_counts_work(town: HandTown, run: Run) -> None:
    """A dirty tree and an unpushed commit show up in the list, in words."""
    made = run("spawn", "gastown", "--json").json
    (Path(made["clone_path"]) / "draft.txt").write_text("draft")
    git("commit", "-q", "--allow-empty", "-m", "mine", cwd=Path(made["clone_path"]))
    assert run("list", "--json").json[0]["work"] == "1 uncommitted change(s), 1 unpushed commit(s)"


def test_list_while_tmux_cannot_be_asked(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer from tmux its recorded process tells; without that a polecat is unknown, never dead, never left out (T-25)."""
    run("spawn", "gastown")
    pid = json.loads((town.rig_dir / ".runtime" / "polecats" / "furiosa.json").read_text())["agent_pid"]
    shim = shim_directory(tmp_path / "bin", tmux='echo "error connecting to /x (Permission denied)" >&2; exit 1')
    monkeypatch.setenv("PATH", with_path(shim)["PATH"])
    [cat] = run("list", "--json").json
    assert (cat["polecat_name"], cat["state"], cat["running"]) == ("furiosa", "working", True)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: run("list", "--json").json[0]["running"] is None, "nobody can tell any more")
    [cat] = run("list", "--json").json
    assert (cat["polecat_name"], cat["state"], cat["running"]) == ("furiosa", "unknown", None)


def test_the_demo(tmp_path: Path) -> None:
    """polecat demo spawns three polecats that commit, shows table, feed and screen, and leaves nothing."""
    done = run_python("demo", cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "demorig/polecats/furiosa",
        "demorig/polecats/nux",
        "demorig/polecats/slit",
        '"type":"spawn"',
        "you said",
        "still has work",
        "removed demorig/slit",
    ):
        assert words in done.stdout, done.stdout
    assert "notes of furiosa" in done.stdout
    assert list(tmp_path.iterdir()) == []
