"""Looking a town over: each thing that can be wrong is found, with what mends it; nothing is changed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from attrs import frozen

from polecat.lifecycle.spawn import spawn_for_sling
from polecat.model import Rig, SpawnOptions
from polecat.ports import World
from polecat.testing.fake_tmux import FakeTmux
from polecat.testing.worlds import FakeWorld, fake_world, put_json
from polecat.town.find import Town
from polecat.town.locks import polecat_lock, pool_lock, take
from polecat.town.records import Record, publish_claim
from polecat.upkeep.doctor import Checkup, check_town
from polecat.upkeep.findings import Finding
from polecat.upkeep.trash import keep_for_good, trash_dir, why_it_stays
from polecat.verbs.doctor import lines


@frozen(kw_only=True)
class Place:
    """A town with one rig and a pretend world."""

    rig: Rig
    world: FakeWorld

    def check(self, environ: dict[str, str] | None = None) -> Checkup:
        """Look it over."""
        return check_town(
            Town(root=self.rig.town_root),
            world=World(git=self.world.git, tmux=self.world.tmux, environ=environ or self.world.environ),
        )

    def wrong(self) -> list[Finding]:
        """What is wrong."""
        return list(self.check().wrong)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    rig, world = fake_world(tmp_path)
    return Place(rig=rig, world=world)


def _snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files if path.suffix != ".lock"}


def test_a_broken_rig_hides_no_other(place: Place) -> None:
    """A rig that cannot be read is wrong, and the others are looked at all the same."""
    spawn_for_sling(place.rig, world=place.world)
    rigs = place.rig.town_root / "mayor" / "rigs.json"
    known = json.loads(rigs.read_text())
    known["rigs"]["broken"] = next(iter(known["rigs"].values()))
    rigs.write_text(json.dumps(known))
    (place.rig.town_root / "broken").mkdir()
    (place.rig.town_root / "broken" / "config.json").write_text("{")

    areas = {finding.area for finding in place.check().findings}

    assert any("broken" in finding.text for finding in place.wrong())
    assert place.rig.name in areas


def test_healthy_town_is_well_and_unchanged(place: Place) -> None:
    """A town with a working polecat has nothing wrong, and looking changes no file, session or lock's signature."""
    spawn_for_sling(place.rig, world=place.world)
    before, sessions = _snapshot(place.rig.town_root), place.world.tmux.sessions()

    found = place.check()

    assert found.wrong == ()
    assert {finding.area for finding in found.findings} == {"programs", "town", "gastown"}
    assert _snapshot(place.rig.town_root) == before
    assert place.world.tmux.sessions() == sessions


def test_unreachable_tmux_is_wrong_and_ends_no_other_check(place: Place) -> None:
    """T-25: a tmux that cannot be asked is a finding, not a clean bill; the rest is still looked at."""
    place.world.tmux.unreachable = True

    found = place.check()

    assert any("Permission denied" in finding.text for finding in found.wrong)
    assert any("disk" in finding.text for finding in found.findings)
    assert not any("left over" in finding.text for finding in found.findings if finding.level == "ok")


def test_invalid_file_says_where_and_how_to_open_it(place: Place) -> None:
    """A broken settings file is named with its line, and the remedy opens it there."""
    path = place.rig.path / "settings" / "config.json"
    path.write_text('{\n  "max_polecats": "many"\n}')

    [finding] = place.wrong()

    assert finding.area == "gastown"
    assert "max_polecats" in finding.text
    assert f"+2 {path}" in finding.remedy


def test_own_keys_that_gas_town_drops_are_a_note(place: Place) -> None:
    """A key that only polecat knows is named where it stands in a file that Gas Town rewrites, in the town's and in the rig's."""
    put_json(place.rig.town_root / "settings" / "config.json", {"tmux_socket": "my-town"})
    put_json(place.rig.path / "settings" / "config.json", {"leave_out": ["docs"], "agent": "claude"})

    found = [(one.area, one.text, one.remedy) for one in place.check().findings if "Gas Town drops" in one.text]

    assert [(area, remedy) for area, _, remedy in found] == [
        ("town", "polecat reconcile RIG"),
        ("gastown", "polecat reconcile gastown"),
    ]
    assert ["tmux_socket" in text for _, text, _ in found] == [True, False]
    assert "drops leave_out when" in found[1][1]


def test_missing_agent_program_is_wrong(place: Place) -> None:
    """The commonest reason of a failing spawn: the agent is not installed."""
    environ = {**place.world.environ, "PATH": "/nonexistent"}

    assert any("'claude'" in finding.text and "PATH" in finding.text for finding in place.check(environ).wrong)


def test_an_agent_that_shares_a_process_is_a_note(place: Place) -> None:
    """An agent whose work is done in a background process of all its sessions is named, with what comes of it; a spawn warns of it too."""
    programs = Path(place.world.environ["PATH"])
    (programs / "codex").symlink_to(programs / "claude")
    settings = {"agent": "mine", "agents": {"mine": {"provider": "codex", "command": "codex", "args": ["--yolo"]}}}
    (place.rig.path / "settings" / "config.json").write_text(json.dumps(settings))

    [found] = [finding for finding in place.check().findings if "--no-daemon" in finding.text]
    cat = spawn_for_sling(place.rig, SpawnOptions(nudge=None, wait="no"), world=place.world)

    assert (found.level, found.text[:36]) == ("note", "mine is started without --no-daemon:")
    assert found.text in cat.warnings


def test_missing_default_branch_is_wrong(place: Place) -> None:
    """A rig whose default branch the repository does not know is told what there is."""
    config = json.loads((place.rig.path / "config.json").read_text())
    (place.rig.path / "config.json").write_text(json.dumps({**config, "default_branch": "trunk"}))

    [finding] = place.wrong()

    assert "origin/trunk" in finding.text
    assert "main" in finding.text
    assert "fetch" in finding.remedy


def test_leftovers_are_found(place: Place) -> None:
    """An orphan session and a dead claim are what a reconcile would mend, and the remedy says so."""
    publish_claim(place.rig, Record(instance="00", polecat="slit", rig="gastown", pid=1))
    tmux = FakeTmux(sessions=["gt-gastown-nux", "gt-gastown-witness"])

    found = check_town(
        Town(root=place.rig.town_root), world=World(git=place.world.git, tmux=tmux, environ=place.world.environ)
    ).wrong

    assert len(found) == 2
    assert "session of nux" in found[0].text
    assert "slit" in found[1].text
    assert tmux.sessions() == ["gt-gastown-nux", "gt-gastown-witness"]
    assert {finding.remedy for finding in found} == {"polecat reconcile gastown"}


def test_held_locks_name_their_holder(place: Place) -> None:
    """A held lock is a note with the holder's process; a free one is none, and neither is signed by looking."""
    held = take(pool_lock(place.rig), what="claim a name")
    take(polecat_lock(place.rig, "nux"), what="spawn nux").release()
    signed = polecat_lock(place.rig, "nux").read_text()
    began_s = time.monotonic()
    try:
        notes = [finding for finding in place.check().findings if ".lock is held" in finding.text]
    finally:
        held.release()

    assert [finding.level for finding in notes] == ["note"]
    assert time.monotonic() - began_s < 5, "a doctor does not wait for locks"
    assert f"process {os.getpid()} (claim a name)" in notes[0].text
    assert f"ps -fp {os.getpid()}" in notes[0].remedy
    assert polecat_lock(place.rig, "nux").read_text() == signed


def test_old_launch_file_is_wrong_and_a_new_one_is_not(place: Place) -> None:
    """A private file that a dead spawn left is to be removed; one that a spawn is just using is left alone."""
    folder = place.rig.runtime_dir / "launch"
    folder.mkdir(parents=True)
    for name in ("launch-old.sh", "launch-new.sh"):
        (folder / name).write_text("export TOKEN=x")
    os.utime(folder / "launch-old.sh", (time.time() - 3600,) * 2)

    [finding] = place.wrong()

    assert finding.remedy == f"rm {folder / 'launch-old.sh'}"


def test_trash_and_kept_entries_are_told(place: Place) -> None:
    """What waits to be deleted is a note with its size; what is the only copy is a note with its place."""
    trash = trash_dir(place.rig)
    (trash / "nux-1").mkdir(parents=True)
    (trash / "nux-1" / "big").write_bytes(b"x" * 3_000_000)
    (trash / "slit-2").mkdir()
    keep_for_good(trash / "slit-2")

    texts = [finding.text for finding in place.check().findings if finding.level == "note"]

    assert any(
        "1 removed worktree in the trash, 2 MB" in text or "1 removed worktree in the trash, 3 MB" in text for text in texts
    )
    assert any(str(trash / "slit-2") in text and "only copy" in text for text in texts)


def test_too_little_disk_is_wrong(place: Place) -> None:
    """Less free disk than a spawn needs is wrong."""
    settings = {"type": "rig-settings", "version": 1, "min_free_disk_mb": 10**9}
    (place.rig.path / "settings" / "config.json").write_text(json.dumps(settings))

    assert any("disk" in finding.text for finding in place.wrong())


def test_repository_that_cleans_up_by_itself_is_a_note(place: Place) -> None:
    """Which settings are missing, and the one command that sets them; none is missing where all are set."""
    notes = [finding for finding in place.check().findings if "clean up by itself" in finding.text]
    config = "[core]\n\tbare = true\n[gc]\n\tauto = 0\n\tworktreePruneExpire = never\n[maintenance]\n\tauto = false\n"
    (place.rig.path / ".repo.git" / "config").write_text(config)

    assert notes[0].remedy.count("config gc.auto 0") == 1
    assert notes[0].remedy.count(" && ") == 2
    assert not [finding for finding in place.check().findings if "clean up by itself" in finding.text]


def test_registered_rig_whose_directory_is_gone_is_wrong(place: Place) -> None:
    """A rig that is registered and not there is named with what to do."""
    path = place.rig.town_root / "mayor" / "rigs.json"
    registry = json.loads(path.read_text())
    registry["rigs"]["lost"] = {"git_url": "https://example.invalid/lost.git"}
    path.write_text(json.dumps(registry))

    [finding] = place.wrong()

    assert "lost" in finding.text
    assert str(path) in finding.remedy


def test_each_wrong_thing_has_a_remedy_in_the_text(place: Place) -> None:
    """What a person reads: by area, each wrong thing followed by its remedy, a count at the end."""
    (place.rig.path / "settings" / "config.json").write_text("{")

    said = lines(place.check())

    at = next(number for number, line in enumerate(said) if "WRONG" in line)
    assert "edit it" in said[at + 1]
    assert said[-1] == "1 thing to mend"


def test_what_stays_in_the_trash_is_named_with_why(tmp_path: Path) -> None:
    """An entry of another user's, as a container leaves it, cannot be deleted by us; root can, and an empty directory always goes."""
    entry = tmp_path / "nux-1"
    (entry / "empty").mkdir(parents=True)
    stranger = os.geteuid() + 1
    assert why_it_stays(entry, user=os.geteuid()) is None
    assert why_it_stays(entry, user=0) is None
    assert why_it_stays(entry / "empty", user=stranger) is None
    assert why_it_stays(entry, user=stranger) == (f"{entry} belongs to user {os.geteuid()}", f"sudo chown -R {stranger} {entry}")
