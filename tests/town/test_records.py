"""Homes, claims, records and the pool's counter on disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from polecat.errors import ConfigError, PolecatError, UnknownStateError
from polecat.model import GasTown, Rig
from polecat.testing.worlds import make_town
from polecat.town.homes import clear_stand_in, clone_path, list_homes, put_stand_in
from polecat.town.pool_state import load_pool, save_pool
from polecat.town.records import (
    CLAIM_FILE,
    Record,
    drop_claim,
    drop_draft,
    drop_record,
    had_polecats,
    new_instance_id,
    publish_claim,
    read_claim,
    read_record,
    settle,
    withdraw_claim,
    write_claim,
)
from polecat.town.settings import load_rig_settings

RECORD = Record(
    instance="i1", polecat="nux", rig="gastown", pid=1, branch="polecat/nux-1", process_names=("node", "claude"), hook_bead="gt-1"
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A rig on disk."""
    return Rig(name="gastown", path=make_town(tmp_path / "t") / "gastown")


def test_a_claim_appears_whole_or_not_at_all(rig: Rig) -> None:
    """Home and claim come in one step; no half-made home is ever listed (T-01)."""
    publish_claim(rig, RECORD)
    assert read_claim(rig, "nux") == RECORD
    assert list_homes(rig).dirs == ("nux",)
    assert os.listdir(rig.polecats_dir) == ["nux"]


def test_a_claim_never_replaces_work(rig: Rig) -> None:
    """A home with something in it is not claimed, and the failed try leaves nothing."""
    (rig.home_dir("nux") / "gastown").mkdir(parents=True)
    with pytest.raises(PolecatError):
        publish_claim(rig, RECORD)
    assert os.listdir(rig.polecats_dir) == ["nux"] and os.listdir(rig.home_dir("nux")) == ["gastown"]


def test_withdrawing_takes_the_home_with_it(rig: Rig) -> None:
    """A home that holds nothing but the claim goes; withdrawing twice is fine."""
    publish_claim(rig, RECORD)
    withdraw_claim(rig, RECORD)
    assert os.listdir(rig.polecats_dir) == []
    withdraw_claim(rig, RECORD)


def test_withdrawing_never_takes_work(rig: Rig) -> None:
    """A home that holds anything else stays, with its claim, and the error names what."""
    publish_claim(rig, RECORD)
    (rig.home_dir("nux") / "draft.txt").write_text("precious")
    with pytest.raises(PolecatError, match=r"draft\.txt"):
        withdraw_claim(rig, RECORD)
    assert read_claim(rig, "nux") == RECORD
    assert (rig.home_dir("nux") / "draft.txt").read_text() == "precious"


def test_settling_turns_a_claim_into_a_record(rig: Rig) -> None:
    """The record stands outside the home, because Gas Town removes homes with rmdir."""
    publish_claim(rig, RECORD)
    record = evolve(RECORD, session_id="$3")
    write_claim(rig, record)
    settle(rig, record)
    assert read_claim(rig, "nux") is None and read_record(rig, "nux") == record
    assert os.listdir(rig.home_dir("nux")) == []
    settle(rig, record)
    assert read_record(rig, "nux") == record


def test_another_instances_claim_and_record_stay(rig: Rig) -> None:
    """Names are used again, instances are not: what belongs to another one is not dropped (T-06)."""
    publish_claim(rig, RECORD)
    drop_claim(rig, evolve(RECORD, instance="i2"))
    assert read_claim(rig, "nux") == RECORD
    settle(rig, RECORD)
    drop_record(rig, "nux", instance="i2")
    assert read_record(rig, "nux") == RECORD
    drop_record(rig, "nux", instance="i1")
    assert read_record(rig, "nux") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"instance": 1}', "\xff"])
def test_a_claim_that_cannot_be_read_is_unknown(rig: Rig, text: str) -> None:
    """Never none: somebody may be at it (T-25)."""
    rig.home_dir("nux").mkdir()
    (rig.home_dir("nux") / CLAIM_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(UnknownStateError, match=r"claim\.json"):
        read_claim(rig, "nux")


@pytest.mark.parametrize("other", [{"polecat": "slit"}, {"rig": "rust"}])
def test_what_was_copied_from_another_polecat_is_unknown(rig: Rig, other: dict[str, str]) -> None:
    """A claim or record is about the polecat in whose place it lies; one that names another must not lead there."""
    publish_claim(rig, RECORD)
    path = rig.home_dir("nux") / CLAIM_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **other}))
    with pytest.raises(UnknownStateError, match="it is about"):
        read_claim(rig, "nux")
    record = rig.runtime_dir / "polecats" / "nux.json"
    record.parent.mkdir(parents=True)
    path.rename(record)
    with pytest.raises(UnknownStateError, match="it is about"):
        read_record(rig, "nux")


def _moved(rig: Rig, to: Path) -> Rig:
    rig.town_root.rename(to)
    return evolve(rig, path=to / rig.path.name)


def _linked(rig: Rig, to: Path) -> Rig:
    to.symlink_to(rig.town_root)
    return evolve(rig, path=to / rig.path.name)


def _copied(rig: Rig, to: Path) -> Rig:
    shutil.copytree(rig.town_root, to)
    return evolve(rig, path=to / rig.path.name)


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_town_that_was_copied_has_no_agents_and_one_that_was_moved_has_its_own(
    rig: Rig, tmp_path: Path, is_settled: bool
) -> None:
    """A record of a copy is the original's while that has it; one of a town that was moved, or is reached by another name, is its own."""
    publish_claim(rig, RECORD)
    read = read_claim
    if is_settled:
        settle(rig, RECORD)
        read = read_record

    copy, alias = _copied(rig, tmp_path / "copy"), _linked(rig, tmp_path / "alias")

    with pytest.raises(UnknownStateError, match="it is a copy"):
        read(copy, "nux")
    assert read(rig, "nux") == read(alias, "nux") == RECORD
    (alias.town_root).unlink()
    moved = _moved(rig, tmp_path / "moved")
    assert read(moved, "nux") == RECORD
    assert read(copy, "nux") == RECORD, "nobody else has it any more"


def test_a_claim_of_a_later_version_can_be_read(rig: Rig) -> None:
    """What we do not know is left out."""
    publish_claim(rig, RECORD)
    path = rig.home_dir("nux") / CLAIM_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "later": {"a": 1}}))
    assert read_claim(rig, "nux") == RECORD


def test_homes_are_directories_and_everything_else_is_taken(rig: Rig) -> None:
    """Files and links are names nobody gets; hidden entries are nobody's names; links are not followed."""
    for name in ("nux", ".claude", ".trash"):
        rig.home_dir(name).mkdir()
    (rig.polecats_dir / "slit").write_text("")
    (rig.polecats_dir / "toast").symlink_to(rig.home_dir("nux"))
    homes = list_homes(rig)
    assert (homes.dirs, homes.others) == (("nux",), ("slit", "toast"))
    assert homes.taken == {"nux", "slit", "toast"}


def test_names_that_gas_town_has_reserved_are_taken(rig: Rig) -> None:
    """A file ``<name>.pending`` keeps that name, and is neither a home nor a name itself."""
    (rig.polecats_dir / "slit.pending").write_text("4711")
    (rig.polecats_dir / "toast").write_text("")
    homes = list_homes(rig)
    assert (homes.dirs, homes.others, homes.reserved) == ((), ("toast",), ("slit",))
    assert homes.taken == {"slit", "toast"}


TODAY = GasTown(era="today", server="t-599c83", session_prefix="gt")


def test_a_home_that_is_being_made_looks_whole_to_gas_town_of_today(rig: Rig) -> None:
    """It has a ``<rig>/.git`` from its first moment, because an allocation there deletes a home without one; others have none."""
    publish_claim(rig, RECORD)
    assert not (rig.home_dir("nux") / rig.name).exists()
    withdraw_claim(rig, RECORD)

    today = evolve(rig, gastown=TODAY)
    publish_claim(today, RECORD)
    assert (rig.home_dir("nux") / rig.name / ".git").is_file()
    withdraw_claim(today, RECORD)
    assert list(rig.polecats_dir.iterdir()) == []


def test_only_what_stands_in_is_cleared(tmp_path: Path) -> None:
    """A real ``.git``, and whatever else somebody put there, stays."""
    tree = tmp_path / "gas"
    tree.mkdir()
    (tree / ".git").write_text("gitdir: /x\n")
    clear_stand_in(tree)
    assert (tree / ".git").exists()

    (tree / ".git").write_text("")
    (tree / "notes").write_text("mine")
    clear_stand_in(tree)
    assert [path.name for path in tree.iterdir()] == ["notes"]
    clear_stand_in(tmp_path / "nothing")


def test_a_draft_with_a_stand_in_can_be_dropped(rig: Rig) -> None:
    """A claim that was never published, because its writer was killed, leaves nothing."""
    draft = rig.polecats_dir / ".claim-x-y"
    draft.mkdir()
    (draft / CLAIM_FILE).write_text("{}")
    put_stand_in(evolve(rig, gastown=TODAY), draft / rig.name)

    drop_draft(draft)

    assert not draft.exists()


def test_a_missing_rig_is_unknown_and_a_missing_directory_is_said(rig: Rig) -> None:
    """A rig that is gone is no empty rig; polecats/ that is missing is told apart from an empty one (T-24)."""
    rig.polecats_dir.rmdir()
    assert not list_homes(rig).exists
    with pytest.raises(UnknownStateError):
        list_homes(Rig(name="gone", path=rig.path.with_name("gone")))


def test_had_polecats(rig: Rig) -> None:
    """A saved counter or a record proves that the rig once gave out a name (T-24)."""
    assert not had_polecats(rig)
    publish_claim(rig, RECORD)
    settle(rig, RECORD)
    assert had_polecats(rig)


def test_old_and_new_layout(rig: Rig) -> None:
    """The worktree is below the home, or is the home where that holds .git; the new layout wins (contract §2.3)."""
    assert clone_path(rig, "nux") == rig.home_dir("nux") / "gastown"
    rig.home_dir("nux").mkdir()
    assert clone_path(rig, "nux") == rig.home_dir("nux") / "gastown"
    (rig.home_dir("nux") / ".git").write_text("gitdir: x")
    assert clone_path(rig, "nux") == rig.home_dir("nux")
    (rig.home_dir("nux") / "gastown").mkdir()
    assert clone_path(rig, "nux") == rig.home_dir("nux") / "gastown"


def test_instance_ids_are_never_the_same() -> None:
    """Sixteen hexadecimal digits, another each time."""
    ids = {new_instance_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(len(one) == 16 and int(one, 16) >= 0 for one in ids)


# ------------------------------------------------------------------------------------------------------ the counter


def test_the_counter_is_kept_and_settings_win(rig: Rig) -> None:
    """What was saved is the counter alone; theme, names and size come from the settings (design §6, deviation 16)."""
    settings = load_rig_settings(rig.path)
    pool = load_pool(rig, settings)
    save_pool(rig, evolve(pool, overflow_next=77))
    saved = rig.runtime_dir / "namepool-state.json"
    document = json.loads(saved.read_text())
    saved.write_text(json.dumps({**document, "max_size": 3, "theme": "minerals"}))
    loaded = load_pool(rig, settings)
    assert loaded.overflow_next == 77
    assert loaded.names == pool.names


def test_a_corrupt_counter_is_an_error(rig: Rig) -> None:
    """A counter that cannot be read is not a fresh one (design §6, deviation 2)."""
    rig.runtime_dir.mkdir()
    (rig.runtime_dir / "namepool-state.json").write_text("{")
    with pytest.raises(ConfigError, match="namepool-state"):
        load_pool(rig, load_rig_settings(rig.path))


def test_a_counter_that_did_not_change_is_not_written(rig: Rig) -> None:
    """Most spawns write nothing."""
    pool = load_pool(rig, load_rig_settings(rig.path))
    save_pool(rig, pool)
    path = rig.runtime_dir / "namepool-state.json"
    before = path.stat()
    save_pool(rig, pool)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_counter_that_cannot_be_saved_says_so(rig: Rig) -> None:
    """The error names the file, and nothing is left beside it."""
    pool = load_pool(rig, load_rig_settings(rig.path))
    rig.runtime_dir.write_text("in the way")
    with pytest.raises(PolecatError, match="namepool-state"):
        save_pool(rig, pool)


BAD_VALUES = {
    "instance": ["x"],
    "since": 17,
    "agent_pid": "7",
    "may_have_run": 1,
    "process_names": [1],
    "purpose": "else",
    "polecat": "../nux",
    "tmux_socket": None,
}


@pytest.mark.parametrize(("key", "value"), BAD_VALUES.items(), ids=list(BAD_VALUES))
@pytest.mark.parametrize("kind", ["claim", "record"])
def test_a_record_with_a_wrong_value_is_unknown_by_itself(rig: Rig, kind: str, key: str, value: object) -> None:
    """Whatever somebody wrote into a claim or a record: it cannot be told, with the reason, and nobody takes it for another type."""
    path = rig.home_dir("nux") / ".claim.json" if kind == "claim" else rig.runtime_dir / "polecats" / "nux.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"instance": "i1", "polecat": "nux", "rig": rig.name, key: value}))

    with pytest.raises(UnknownStateError, match=r"cannot be read: .*must|cannot be read: .*gives"):
        read_claim(rig, "nux") if kind == "claim" else read_record(rig, "nux")


NO_FILES: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "directory": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=list(NO_FILES))
def test_what_is_no_file_in_the_place_of_a_claim_is_unknown(rig: Rig, make: Callable[[Path], None]) -> None:
    """A pipe, a directory, a device, a loop: an answer at once, and that is *unknown*."""
    rig.home_dir("nux").mkdir(parents=True, exist_ok=True)
    make(rig.home_dir("nux") / ".claim.json")

    with pytest.raises(UnknownStateError):
        read_claim(rig, "nux")
