"""What bad input gets: one clear error before anything is touched."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli_fixtures import Run, only, untouched
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, shim_directory, with_path, write_json

pytestmark = pytest.mark.real


# --------------------------------------------------------------------------------------------------------- programs


def test_no_tmux(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tmux the error names it and says how to install it; nothing is touched."""
    before = untouched(town)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", only(tmp_path / "bin", "git", "sh"))
        run("spawn", "gastown").refused("tmux", "apt install tmux", "brew install tmux")
        run("spawn", "gastown", "--dry-run").refused("tmux", "install")
        run("reconcile", "gastown").refused("tmux", "install")
    before.check()


def test_no_git(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git the error names it and says how to install it; nothing is touched."""
    before = untouched(town)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", only(tmp_path / "bin", "tmux", "sh"))
        run("spawn", "gastown").refused("git", "apt install git", "brew install git")
    before.check()


@pytest.mark.parametrize("version", ["3.1c", "1.8"])
def test_a_tmux_that_is_too_old(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """A tmux older than 3.2 is refused by its version, before a worktree is made."""
    before = untouched(town)
    body = f'case "$1" in -V) echo "tmux {version}"; exit 0;; esac\necho "no server running on /tmp/x" >&2; exit 1'
    with monkeypatch.context() as patch:
        patch.setenv("PATH", with_path(shim_directory(tmp_path / "bin", tmux=body))["PATH"])
        run("spawn", "gastown").refused(version, "too old", "3.2")
    before.check()


def test_a_git_that_is_too_old(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that does not know what we need fails with its own words, and nothing is left."""
    real = shutil.which("git")
    body = f'for word; do case $word in worktree | checkout | read-tree | reset) echo "git: unknown option" >&2; exit 129;; esac; done\nexec {real} "$@"'
    with monkeypatch.context() as patch:
        patch.setenv("PATH", with_path(shim_directory(tmp_path / "bin", git=body))["PATH"])
        run("spawn", "gastown").refused("unknown option", "nothing was left behind")
    town.assert_nothing_left()


# ----------------------------------------------------------------------------------------------------- what is named


def test_not_in_a_town(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside every town each verb says so, and what to do."""
    monkeypatch.chdir(tmp_path)
    for argv in (("spawn", "gastown"), ("list",), ("reconcile", "gastown"), ("rig", "add", "x", "https://example.invalid/x")):
        run(*argv).refused("not in a town", "polecat init")
    assert list(tmp_path.iterdir()) == []


def test_a_town_that_is_none(run: Run, tmp_path: Path) -> None:
    """--town with a place that is no town, or does not exist, says so."""
    run("list", "--town", str(tmp_path)).refused("not in a town")
    run("list", "--town", str(tmp_path / "nowhere")).refused("not in a town")


def test_a_name_that_is_not_there(town: HandTown, run: Run) -> None:
    """An unknown rig, agent or account is named, with what was probably meant; nothing is touched."""
    town.define("ghost", {"command": "no-such-program"})
    accounts = {"work": {"email": "a@b", "config_dir": "/x"}}
    write_json(town.root / "mayor" / "accounts.json", {"version": 1, "accounts": accounts, "default": "work"})
    before = untouched(town)
    for verb in ("spawn", "list", "reconcile"):
        run(verb, "gastwon").refused("no rig 'gastwon'", "did you mean 'gastown'?")
    run("spawn", "zebra").refused("no rig 'zebra'", "gastown")
    run("spawn", "gastown", "--agent", "recordre").refused("no agent 'recordre'", "did you mean 'recorder'?")
    run("spawn", "gastown", "--agent", "clade").refused("no agent 'clade'", "did you mean 'claude'?")
    run("spawn", "gastown", "--account", "wrok").refused("wrok", "did you mean 'work'?")
    run("spawn", "gastown", "--agent", "ghost").refused("no-such-program", "not on PATH")
    before.check()


def test_an_account_without_any_accounts(town: HandTown, run: Run) -> None:
    """An account that is asked for is refused where there is no accounts.json."""
    run("spawn", "gastown", "--account", "work").refused("work")
    town.assert_nothing_left()


HOSTILE = ["../x", "-x", "a.b", "a:b", "x" * 300, "a\nb", "", ".", "..", "a/b", "a b", "witness", "é", "a\0b", "$(id)", ".hidden"]


def test_hostile_names_of_polecats(town: HandTown, run: Run) -> None:
    """A polecat's name that git, tmux or the disk would misread is refused before anything is touched (T-45)."""
    before = untouched(town)
    for name in HOSTILE:
        run("spawn", "gastown", f"--name={name}").refused("name")
        run("spawn", "gastown", f"--name={name}", "--dry-run").refused("name")
    before.check()


def test_hostile_names_of_rigs(town: HandTown, run: Run) -> None:
    """A rig's name that cannot be one is an unknown rig; no file outside the town is read (T-45, T-47)."""
    before = untouched(town)
    for name in HOSTILE:
        for verb in ("spawn", "reconcile", "list"):
            run(verb, "--", name).refused("rig")
    before.check()


def test_hostile_beads(town: HandTown, run: Run) -> None:
    """A bead id that a store or a file name would misread is refused before anything is touched (T-47)."""
    before = untouched(town)
    for bead in ("../x", "-x", "a b", "a\nb", "x" * 300, "a/b", "$(id)", "a;b", "a\0b"):
        run("spawn", "gastown", f"--hook={bead}").refused("bead")
    before.check()


def test_hostile_agents_and_accounts(town: HandTown, run: Run) -> None:
    """An agent or account with a hostile name is an unknown one (T-47)."""
    before = untouched(town)
    for name in ("../x", "-x", "a\nb", "x" * 300, "a\0b"):
        run("spawn", "gastown", f"--agent={name}").refused("agent")
        run("spawn", "gastown", f"--account={name}").refused("account")
    before.check()


def test_wrong_usage(town: HandTown, run: Run) -> None:
    """Wrong usage is status 2 with a usage line on stderr; nothing is touched."""
    before = untouched(town)
    for argv in (
        (),
        ("spwan", "gastown"),
        ("spawn", "gastown", "--count", "0"),
        ("spawn", "gastown", "--count", "x"),
        ("spawn", "gastown", "--count", "-1"),
        ("spawn", "gastown", "--ready-timeout", "0"),
        ("spawn", "gastown", "--ready-timeout", "nan"),
        ("spawn", "gastown", "--fetch", "sometimes"),
        ("spawn", "gastown", "--prompt", "a", "--prompt-file", "b"),
        ("spawn", "gastown", "--no-such-option"),
        ("rig",),
        ("list", "a", "b"),
    ):
        done = run(*argv)
        assert (done.code, done.out) == (2, ""), argv
        assert done.err.startswith("usage: polecat") and "Traceback" not in done.err, argv
    before.check()


@pytest.mark.parametrize("argv", [("--help",), ("spawn", "--help"), ("rig", "add", "--help"), ("--version",)])
def test_help(run: Run, argv: tuple[str, ...]) -> None:
    """Help and version go to stdout with status 0, wherever one is."""
    done = run(*argv)
    assert done.code == 0 and done.out and not done.err


def test_a_prompt_file_that_cannot_be_read(town: HandTown, run: Run, tmp_path: Path) -> None:
    """A prompt file that is missing, a directory or not text is one clear error."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("missing", "", "binary"):
        run("spawn", "gastown", "--prompt-file", str(tmp_path / name)).refused("prompt")
    town.assert_nothing_left()


# ------------------------------------------------------------------------------------------------------ broken files

FILES = [
    "mayor/town.json",
    "mayor/rigs.json",
    "mayor/accounts.json",
    "settings/config.json",
    "settings/agents.json",
    "gastown/config.json",
    "gastown/settings/config.json",
    "gastown/settings/agents.json",
    "gastown/.runtime/namepool-state.json",
]


UNVERSIONED = ("config.json", "agents.json", "namepool-state.json")
CORRUPT = {
    "json": '{"version": 1,\n "a" 2}',
    "list": "[]",
    "future": '{"version": 99}',
    "empty": "",
}


def kinds_of(name: str) -> list[str]:
    """What spoils a file; the reference accepts an empty marker, and does not look at the version everywhere."""
    kinds = [kind for kind in CORRUPT if not (kind == "empty" and name == "mayor/town.json")]
    if name != "gastown/settings/config.json" and name.endswith(UNVERSIONED):
        kinds.remove("future")
    return kinds


@pytest.mark.parametrize("name", FILES)
def test_a_corrupt_file(town: HandTown, run: Run, name: str) -> None:
    """Every file that is not what it should be is one error that names it, and for bad JSON the line; nothing is touched."""
    path = town.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for kind in kinds_of(name):
        path.write_text(CORRUPT[kind])
        before = untouched(town)
        done = run("spawn", "gastown").refused(str(path))
        assert kind != "json" or "line 2" in done.err
        before.check()


def test_a_corrupt_claim(town: HandTown, run: Run) -> None:
    """A claim that cannot be read is left alone, and named, by reconcile and list; other spawns go on (T-25)."""
    home = town.rig_dir / "polecats" / "furiosa"
    home.mkdir()
    (home / ".claim.json").write_text("{")
    assert run("spawn", "gastown").out == "gastown/polecats/nux\n"
    done = run("reconcile", "gastown")
    assert done.code == 0 and ".claim.json" in done.out
    assert run("list", "--json").json[0]["polecat_name"] == "furiosa"
    assert (home / ".claim.json").read_text() == "{"


def test_a_corrupt_record(town: HandTown, run: Run) -> None:
    """A record that cannot be read hides no polecat."""
    run("spawn", "gastown")
    (town.rig_dir / ".runtime" / "polecats" / "furiosa.json").write_text("{")
    assert run("list", "--json").json[0]["polecat_name"] == "furiosa"
    assert run("spawn", "gastown").out == "gastown/polecats/nux\n"


def test_a_corrupt_store(town: HandTown, run: Run) -> None:
    """A store that is no database is one clear error; the spawn is taken back."""
    store = town.rig_dir / ".runtime" / "polecat-beads.sqlite3"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(b"this is no database" * 100)
    run("spawn", "gastown", "--hook", "gt-abc12").refused("polecat-beads.sqlite3", "database")
    town.assert_nothing_left()


def test_a_rig_whose_directory_is_gone(town: HandTown, run: Run) -> None:
    """A registered rig without a directory is named; it is not taken for an empty one (T-24)."""
    town.rig_dir.rename(town.root / "elsewhere")
    run("spawn", "gastown").refused("gastown", "gone")
    (town.root / "elsewhere").rename(town.rig_dir)


def test_a_rig_without_a_repository(town: HandTown, run: Run) -> None:
    """A rig without .repo.git and mayor/rig is an error that says how to get one."""
    town.repo_dir.rename(town.rig_dir / "gone")
    run("spawn", "gastown").refused("repository", "git clone")
    (town.rig_dir / "gone").rename(town.repo_dir)
    town.assert_nothing_left()


@pytest.mark.parametrize("spoil", ["empty", "file"])
def test_a_repository_that_is_none(town: HandTown, run: Run, spoil: str) -> None:
    """An empty directory or a file in place of .repo.git fails without touching anything else."""
    shutil.rmtree(town.repo_dir)
    if spoil == "empty":
        town.repo_dir.mkdir()
    else:
        town.repo_dir.write_text("no repository")
    run("spawn", "gastown").refused()
    assert os.listdir(town.rig_dir / "polecats") == []
    assert town.sessions() == []


# -------------------------------------------------------------------------------------------------- disk and rights


def test_a_full_disk(town: HandTown, run: Run) -> None:
    """With less free disk than the settings want, the spawn is refused before anything is touched (T-17)."""
    town.settings(min_free_disk_mb=1_000_000_000)
    before = untouched(town)
    run("spawn", "gastown").refused("MB are free", "min_free_disk_mb")
    run("spawn", "gastown", "--dry-run").refused("MB are free")
    before.check()


@pytest.mark.parametrize("place", [".runtime", ".runtime/locks", ".runtime/launch", "polecats", ".runtime/polecats"])
def test_a_town_that_cannot_be_written(town: HandTown, run: Run, place: str) -> None:
    """Where a directory cannot be made, the error names the place, and everything is undone."""
    path = town.rig_dir / place
    if path.is_dir():
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")
    run("spawn", "gastown").refused(str(path))
    path.unlink()
    if place == "polecats":
        path.mkdir()
    town.assert_nothing_left()


def test_a_feed_that_cannot_be_written(town: HandTown, run: Run) -> None:
    """A feed that cannot be written is a warning; the polecat is there."""
    (town.root / ".events.jsonl").mkdir()
    done = run("spawn", "gastown")
    assert (done.code, done.out) == (0, "gastown/polecats/furiosa\n")
    assert "feed" in done.err


def test_a_missing_polecats_directory(town: HandTown, run: Run) -> None:
    """A rig that has had polecats and whose polecats/ is missing gives no name and ends no session (T-24)."""
    run("spawn", "gastown")
    (town.rig_dir / "polecats").rename(town.rig_dir / "unmounted")
    for argv in (("spawn", "gastown"), ("reconcile", "gastown"), ("spawn", "gastown", "--dry-run")):
        run(*argv).refused("polecats is missing", "mounted")
    assert town.sessions() == ["gt-gastown-furiosa"]
    assert not (town.rig_dir / "polecats").exists()


def test_a_first_polecat_makes_the_directory(town: HandTown, run: Run) -> None:
    """A new rig without polecats/ gets it with its first polecat."""
    (town.rig_dir / "polecats").rmdir()
    assert run("spawn", "gastown").code == 0


# --------------------------------------------------------------------------------------------------- init, rig add


def test_from_nothing_to_a_polecat(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """init, rig add and spawn work one after the other, and what they print leads on."""
    made = run("init", str(tmp_path / "fresh"))
    assert (made.code, made.out) == (0, f"{tmp_path / 'fresh'}\n")
    monkeypatch.chdir(tmp_path / "fresh")
    assert run("list").out == "no polecats\n"
    added = run("rig", "add", "demo", str(town.origin), "--json")
    assert added.json["default_branch"] == "main"
    write_json(
        tmp_path / "fresh" / "demo" / "settings" / "config.json",
        {
            "type": "rig-settings",
            "version": 1,
            "agent": "a",
            "agents": {"a": {"command": str(town.notes.parent / "agent-recorder")}},
        },
    )
    assert run("spawn", "demo", "--socket", str(town.server.socket)).out == "demo/polecats/furiosa\n"
    assert town.sessions() == ["gt-demo-furiosa"]


def test_rig_add_with_a_hostile_name(town: HandTown, run: Run) -> None:
    """A name that cannot be a rig's is refused, and nothing is touched."""
    before = untouched(town)
    for name in ("a-b", "a.b", "a b", "../x", "-x", "", "x" * 300, "mayor", "a\nb"):
        run("rig", "add", "--", name, str(town.origin)).refused("name")
    before.check()


def test_rig_add_of_something_that_is_no_repository(town: HandTown, run: Run, tmp_path: Path) -> None:
    """A rig whose source cannot be cloned leaves nothing: no directory, no registry entry."""
    before = untouched(town)
    run("rig", "add", "demo", str(tmp_path / "nowhere")).refused("nowhere")
    run("rig", "add", "gastown", str(town.origin)).refused("gastown")
    before.check()


def test_init_twice(town: HandTown, run: Run) -> None:
    """A town is not made over another."""
    before = untouched(town)
    run("init", str(town.root)).refused()
    before.check()
    assert git("status", "--porcelain", cwd=town.origin) == ""
    assert json.loads((town.root / "mayor" / "rigs.json").read_text())["rigs"]["gastown"]["git_url"] == str(town.origin)
