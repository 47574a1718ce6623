"""A bd that lies, dawdles, hangs, babbles, dies or stumbles: a typed error in bounded time, and nothing taken for done that is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

from polecat.adapters.beads.bd import BdCli
from polecat.adapters.beads.dialect import dialect_of
from polecat.core.agent_description import FIELD_NAMES, parse_description
from polecat.errors import (
    BeadClosedError,
    BeadsConfigError,
    BeadsError,
    BeadsUnavailableError,
    BeadTakenError,
    NotFoundError,
)
from polecat.ports import AgentFields
from tests.adapters.beads.scripted_bd import ScriptedBd, make_scripted_bd

_AGENT = "gt-gas-polecat-nux"
_WORK = "gt-w1"
_WHO = "gas/polecats/nux"
_FIELDS = AgentFields(role_type="polecat", rig="gas", agent_state="spawning", hook_bead=_WORK)


@pytest.fixture
def script(tmp_path: Path) -> ScriptedBd:
    """A scripted bd with one piece of work."""
    script = make_scripted_bd(tmp_path / "bin")
    script.add(_WORK)
    (tmp_path / "rig" / ".beads" / "dolt").mkdir(parents=True)
    return script


def _beads(script: ScriptedBd, *, timeout_s: float = 20.0, foreign: Mapping[str, str] | None = None) -> BdCli:
    environ = {**os.environ, **(foreign or {})}
    beads_dir = script.home.parent / "rig" / ".beads"
    return BdCli(beads_dir=beads_dir, environ=environ, which=str(script.binary), timeout_s=timeout_s)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _eventually(true: Callable[[], bool], *, within_s: float = 20.0) -> bool:
    end_s = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.01)
    return True


_WRITES: dict[str, Callable[[BdCli], object]] = {
    "hook": lambda beads: beads.hook(_WORK, assignee=_WHO),
    "assign": lambda beads: beads.assign(_WORK, assignee=_WHO),
    "open_agent": lambda beads: beads.open_agent(_AGENT, title=_AGENT, fields=_FIELDS),
    "set_status": lambda beads: beads.set_status(_WORK, "in_progress"),
}


@pytest.mark.parametrize("write", _WRITES.values(), ids=_WRITES)
def test_stores_nothing(script: ScriptedBd, write: Callable[[BdCli], object]) -> None:
    """T-03: a bd that exits 0 without storing anything is found out by reading back."""
    script.behave(kind="stores nothing")
    with pytest.raises(BeadsError, match=r"did not keep|there is no"):
        write(_beads(script))


def test_stores_late(script: ScriptedBd) -> None:
    """T-03: what is stored only after bd has ended is not there when it is read back; that is an error."""
    script.behave(kind="stores late", after_s=1.0)
    with pytest.raises(BeadsError, match="did not keep"):
        _beads(script).hook(_WORK, assignee=_WHO)
    assert _eventually((script.home / "stored late").exists)


def test_stores_another_assignee(script: ScriptedBd) -> None:
    """T-03: a hook that ends up with somebody else is an error that says with whom."""
    script.behave(kind="other assignee")
    with pytest.raises(BeadsError, match="somebody/else"):
        _beads(script).hook(_WORK, assignee=_WHO)


def test_loses_fields(script: ScriptedBd) -> None:
    """T-03: an agent bead that lost its description is an error, at opening and at changing."""
    beads = _beads(script)
    beads.open_agent(_AGENT, title=_AGENT, fields=_FIELDS)
    script.behave(kind="loses description")
    with pytest.raises(BeadsError, match="did not keep"):
        beads.update_agent(_AGENT, agent_state="working")


def test_hangs(script: ScriptedBd) -> None:
    """T-50: a bd that hangs is killed at the limit, with the processes it started."""
    script.behave(kind="hangs")
    began_s = time.monotonic()
    with pytest.raises(BeadsUnavailableError, match="did not end within"):
        _beads(script, timeout_s=0.7).hook(_WORK, assignee=_WHO)
    assert time.monotonic() - began_s < 10
    pids = [int(word) for word in (script.home / "hung.pids").read_text().split()]
    assert len(pids) == 2
    assert _eventually(lambda: not any(map(_is_alive, pids)))


def test_hanging_help(tmp_path: Path) -> None:
    """T-50: a program that does not even say what it can is given up, and every question to it is ended."""
    home = tmp_path / "bin"
    home.mkdir()
    binary = home / "bd"
    binary.write_text(f"#!/bin/sh\necho $$ >> {home}/pids\nexec sleep 600\n")
    binary.chmod(0o755)
    with pytest.raises(BeadsUnavailableError, match="what it can"):
        dialect_of(binary, env=dict(os.environ), timeout_s=0.5)
    pids = [int(word) for word in (home / "pids").read_text().split()]
    assert _eventually(lambda: not any(map(_is_alive, pids)))


@pytest.mark.parametrize("out", ["", "\0\1\2 what?", '[{"id": "gt-', "[1, 2]", '{"message": "hello"}'])
def test_garbage(script: ScriptedBd, out: str) -> None:
    """T-25: an answer that is none is unknown, never 'not found'."""
    script.behave(kind="says", on="show", exit=0, out=out)
    with pytest.raises(BeadsUnavailableError):
        _beads(script).agent(_AGENT)
    script.behave(kind="says", on="list", exit=0, out=out)
    with pytest.raises(BeadsUnavailableError):
        _beads(script).held_by(_WHO)


@pytest.mark.parametrize("kind", ["killed", "dies after storing"])
def test_killed(script: ScriptedBd, kind: str) -> None:
    """A bd that is killed half-way is an error and leaves nobody with the work, whether or not it had stored."""
    script.behave(kind=kind, on="update")
    with pytest.raises(BeadsUnavailableError, match="killed by signal 9"):
        _beads(script).hook(_WORK, assignee=_WHO)
    assert (script.beads()[_WORK]["status"], script.beads()[_WORK]["assignee"]) == ("open", "")
    script.behave()
    assert _beads(script).hook(_WORK, assignee=_WHO, expected="").assignee == _WHO


def test_half_opened_agent_is_closed(script: ScriptedBd) -> None:
    """T-11: an agent bead whose making failed after it was stored is not left open."""
    script.behave(kind="dies after storing", on="create")
    with pytest.raises(BeadsUnavailableError):
        _beads(script).open_agent(_AGENT, title=_AGENT, fields=_FIELDS)
    assert script.beads()[_AGENT]["status"] == "closed"
    assert parse_description(str(script.beads()[_AGENT]["description"])).hook_bead == ""


def test_a_bead_that_goes_to_another_meanwhile_is_his(script: ScriptedBd) -> None:
    """What somebody takes between our look and our change stays his: a hook says whose it is, a hand-back that there is none to hand back."""
    beads = _beads(script)
    script.behave(kind="overtaken", on="update", by="gas/polecats/slit")
    with pytest.raises(BeadTakenError) as caught:
        beads.hook(_WORK, assignee=_WHO, expected="")
    assert caught.value.holder == "gas/polecats/slit"
    script.behave()
    script.add(_WORK, status="in_progress", assignee=_WHO)
    script.behave(kind="overtaken", on="update", by="gas/polecats/slit")
    assert beads.unassign(_WORK, expected=_WHO) is False
    assert script.beads()[_WORK]["assignee"] == "gas/polecats/slit"


def test_a_bead_that_changed_its_spelling_meanwhile_is_not_said_to_be_free(script: ScriptedBd) -> None:
    """The same holder under his other spelling is still the holder: the hand-back fails, and can be tried again."""
    script.add(_WORK, status="in_progress", assignee=_WHO)
    script.behave(kind="overtaken", on="update", by="gas/nux")
    with pytest.raises(BeadTakenError):
        _beads(script).unassign(_WORK, expected=_WHO)
    script.behave()
    assert _beads(script).unassign(_WORK, expected=_WHO) is True


def test_a_compared_change_that_only_seemed_to_fail_is_done(script: ScriptedBd) -> None:
    """A bd that stored a change and then said *busy* refuses the next try as overtaken, by us: what is read back decides."""
    script.behave(kind="busy after storing", on="update", once=1)
    assert _beads(script).hook(_WORK, assignee=_WHO, expected="").assignee == _WHO


def test_what_cannot_be_taken_back_is_said_to_be_stored_perhaps(script: ScriptedBd) -> None:
    """A hook that was stored, then could not be read and could not be taken back is told; nobody is told that nothing is there."""
    script.behave(kind="store dies after storing", on="update")
    with pytest.raises(BeadsError, match="perhaps it is stored all the same"):
        _beads(script).hook(_WORK, assignee=_WHO)
    assert script.beads()[_WORK]["assignee"] == _WHO


def test_an_id_that_is_never_given_again_is_said_to_be_closed(script: ScriptedBd) -> None:
    """A deleted bead of bd 0.47 is found by nothing and cannot be made: for the spawn that is no outage, but a closed bead."""
    script.behave(kind="says", on="create", exit=1, err="Error: insert issue: UNIQUE constraint failed: issues.id")
    with pytest.raises(BeadClosedError, match="deleted for good"):
        _beads(script).open_agent(_AGENT, title=_AGENT, fields=_FIELDS)


def test_only_newlines_end_lines(script: ScriptedBd) -> None:
    """What Unicode calls a line's end is none to bd: titles and fields with it are kept, and a complaint is told whole."""
    odd = "one\u2028Usage: two\x85three\x0c\x1d"
    beads = _beads(script)
    script.add(_WORK, title=odd)
    assert beads.hook(_WORK, assignee=_WHO).title == odd
    fields = attrs.evolve(_FIELDS, hook_bead=f"gt{odd}gt")
    assert beads.open_agent(_AGENT, title=f"{odd}.", fields=fields).fields == fields
    assert beads.update_agent(_AGENT, agent_state="working").title == f"{odd}."
    script.behave(kind="says", on="update", exit=1, err=f"Error: no {odd}: so there\n")
    with pytest.raises(BeadsError) as caught:
        beads.set_status(_WORK, "open")
    assert f"no {odd}: so there" in caught.value.message


@pytest.mark.parametrize("err", ["Error: boom", "fatal: branch not found: main", "dial tcp: lookup db: no such host"])
def test_outage_is_not_absence(script: ScriptedBd, err: str) -> None:
    """T-25: a failure that does not say that the bead is absent makes no second bead."""
    script.behave(kind="says", on="show", exit=1, err=err)
    with pytest.raises(BeadsUnavailableError):
        _beads(script).open_agent(_AGENT, title=_AGENT, fields=_FIELDS)
    assert "create" not in script.commands()


@pytest.mark.parametrize(
    "err",
    [
        "Error: database not initialized: run bd init",
        "Error: no such table: issues",
        "Error: dial tcp 127.0.0.1:3307: connect: connection refused",
        "Error: unknown database 'gt'",
        "Error: configure custom types first",
        "Error: database not found: gt",
    ],
)
def test_configuration_error_ends_at_once(script: ScriptedBd, err: str) -> None:
    """T-50: what is set up wrongly is said after one try, in less than two seconds, with what to do."""
    _beads(script).bead(_WORK)
    before = len(script.commands())
    script.behave(kind="says", exit=1, err=err)
    began_s = time.monotonic()
    with pytest.raises(BeadsConfigError) as caught:
        _beads(script).hook(_WORK, assignee=_WHO)
    assert time.monotonic() - began_s < 2
    assert len(script.commands()) == before + 1
    assert caught.value.hint


def test_transient_failures_are_tried_again(script: ScriptedBd) -> None:
    """A locked database is waited for, until the time is up."""
    script.behave(kind="says", exit=1, err="Error: database is locked")
    began_s = time.monotonic()
    with pytest.raises(BeadsUnavailableError, match="kept failing"):
        _beads(script, timeout_s=1.0).bead(_WORK)
    assert time.monotonic() - began_s < 8
    assert len(script.commands()) > 2


@pytest.mark.timeout(150)
def test_stumbling_store(script: ScriptedBd) -> None:
    """T-49: twenty at once against a store of which every second call fails transiently: all end, all are kept, in bounded time."""
    beads = _beads(script, timeout_s=50.0)  # a program each call, on a machine that may be busy
    script.behave(kind="says", share=0.5, exit=1, err="Error: optimistic lock failed; try again")

    for number in range(20):
        script.add(f"gt-s{number}")
    began_s = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda number: beads.hook(f"gt-s{number}", assignee=f"gas/polecats/p{number}"), range(20)))
    assert time.monotonic() - began_s < 100
    assert [bead.assignee for bead in done] == [f"gas/polecats/p{number}" for number in range(20)]
    assert beads.open_agent(_AGENT, title=_AGENT, fields=_FIELDS).fields == _FIELDS


def test_parallel_writers_lose_no_field(script: ScriptedBd) -> None:
    """T-03: sixteen writers to one agent bead, each with an adapter of its own: every field survives."""
    _beads(script).open_agent(_AGENT, title=_AGENT, fields=AgentFields())
    jobs = [(FIELD_NAMES[number % len(FIELD_NAMES)], f"v{number % len(FIELD_NAMES)}") for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda job: _beads(script).update_agent(_AGENT, **{job[0]: job[1]}), jobs))
    stored = parse_description(str(script.beads()[_AGENT]["description"]))
    assert {name: getattr(stored, name) for name in FIELD_NAMES} == dict(jobs)


def test_foreign_lines_are_kept(script: ScriptedBd) -> None:
    """What others write into the description stays, when a field changes and when the agent ends."""
    beads = _beads(script)
    beads.open_agent(_AGENT, title=_AGENT, fields=_FIELDS)
    text = str(script.beads()[_AGENT]["description"]) + "\nmode: ralph"
    script.add(_AGENT, title=_AGENT, description=text, labels=["gt:agent"])
    beads.update_agent(_AGENT, agent_state="working")
    beads.close_agent(_AGENT, reason="done")
    assert str(script.beads()[_AGENT]["description"]).endswith("mode: ralph")


def test_caller_environment_does_not_reach_bd(script: ScriptedBd, tmp_path: Path) -> None:
    """T-32: whatever BEADS_*, BD_*, GT_* or git variables the caller has, bd gets one BEADS_DIR, ours, and our directory."""
    foreign = {"BEADS_DIR": "/elsewhere", "BEADS_DB": "/elsewhere/x.db", "BEADS_DOLT_PORT": "1", "BD_ACTOR": "mayor"}
    foreign |= {"BD_NO_DB": "1", "GT_ROLE": "mayor", "GIT_DIR": "/elsewhere/.git", "DOLT_ROOT_PATH": "/elsewhere"}
    _beads(script, foreign=foreign).bead(_WORK)
    call = script.calls()[-1]
    env = call["env"]
    assert isinstance(env, dict)
    assert env["BEADS_DIR"] == str(tmp_path / "rig" / ".beads")
    assert not set(foreign) & (set(env) - {"BEADS_DIR"})
    assert call["cwd"] == str(tmp_path / "rig")


def test_actor_is_passed_on(script: ScriptedBd, tmp_path: Path) -> None:
    """T-32: who acts is what the adapter was told, not what the caller's environment says."""
    beads_dir = tmp_path / "rig" / ".beads"
    beads = BdCli(beads_dir=beads_dir, environ={**os.environ, "BD_ACTOR": "x"}, actor="gas/witness", which=str(script.binary))
    beads.bead(_WORK)
    env = script.calls()[-1]["env"]
    assert isinstance(env, dict)
    assert env["BD_ACTOR"] == "gas/witness"


def test_missing_directory_and_program(tmp_path: Path) -> None:
    """No beads directory and no bd are said so, each with what to do."""
    with pytest.raises(BeadsConfigError, match="does not exist"):
        BdCli(beads_dir=tmp_path / ".beads").bead(_WORK)
    (tmp_path / ".beads").mkdir()
    with pytest.raises(BeadsConfigError, match="not on PATH") as caught:
        BdCli(beads_dir=tmp_path / ".beads", environ={"PATH": str(tmp_path)}).bead(_WORK)
    assert "go install" in caught.value.hint


def test_database_further_up_is_refused(script: ScriptedBd, tmp_path: Path) -> None:
    """T-32: a beads directory without a database is an error where bd would silently use one further up the tree."""
    (tmp_path / "rig" / ".beads" / "dolt").rmdir()
    script.behave(kind="says", on="where", exit=0, out=f'{{"path": "x", "database_path": "{tmp_path}/.beads/beads.db"}}')
    with pytest.raises(BeadsConfigError, match="holds no database"):
        _beads(script).hook(_WORK, assignee=_WHO)
    assert set(script.commands()) == {"where"}


def test_similar_id_is_not_it(script: ScriptedBd) -> None:
    """bd finds beads by the beginning of their id; the adapter does not take one for another."""
    script.behave(kind="says", on="show", exit=0, out='[{"id": "gt-w12", "status": "open"}]')
    assert _beads(script).bead("gt-w1") is None
    with pytest.raises(NotFoundError):
        _beads(script).hook("gt-w1", assignee=_WHO)
    assert "update" not in script.commands()


def test_asked_once_what_it_can(script: ScriptedBd, tmp_path: Path) -> None:
    """A binary is asked once per process what it can, and with a cache directory once; a changed binary is asked again."""

    def questions() -> int:
        return sum("--help" in str(call["argv"]) for call in script.calls())

    cache = tmp_path / "cache"
    for _ in range(3):
        BdCli(beads_dir=tmp_path / "rig" / ".beads", which=str(script.binary), cache_dir=cache).bead(_WORK)
    assert questions() == 3
    assert "9.9.9" in (cache / "bd-dialect.json").read_text()
    os.utime(script.binary, ns=(1, 1))
    _beads(script).bead(_WORK)
    assert questions() == 6


def test_damaged_cache_is_ignored(script: ScriptedBd, tmp_path: Path) -> None:
    """What is kept about a binary is only a cache: damage costs a question, no more."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "bd-dialect.json").write_text('{"key": 1')
    beads = BdCli(beads_dir=tmp_path / "rig" / ".beads", which=str(script.binary), cache_dir=cache)
    assert beads.dialect().version == "9.9.9"


def test_agent_beads_may_be_in_another_database(script: ScriptedBd) -> None:
    """Gas Town of today keeps them in the town's: all about an agent is asked there, all about work here, and what each holds in both."""
    town, rig = script.home.parent / ".beads", script.home.parent / "rig" / ".beads"
    (town / "dolt").mkdir(parents=True)
    beads = BdCli(beads_dir=rig, agents_dir=town, environ=os.environ, which=str(script.binary))

    told = 0

    def where() -> set[str]:
        nonlocal told
        calls = [call["env"] for call in script.calls() if "env" in call]
        began, told = told, len(calls)
        return {env["BEADS_DIR"] for env in calls[began:] if isinstance(env, dict)}

    beads.open_agent("gt-rig-polecat-nux", title="nux", fields=AgentFields(rig="rig"))
    beads.update_agent("gt-rig-polecat-nux", agent_state="working")
    assert beads.agent("gt-rig-polecat-nux") is not None
    beads.close_agent("gt-rig-polecat-nux", reason="done")
    assert where() == {str(town)}
    assert (town / ".locks").is_dir()

    beads.hook(_WORK, assignee="rig/polecats/nux")
    beads.held_by("rig/polecats/nux")
    assert where() == {str(rig)}

    found = beads.holdings({"rig/polecats/nux": "gt-rig-polecat-nux"})["rig/polecats/nux"]
    assert not isinstance(found, BeadsError) and found.agent is not None and [bead.id for bead in found.held] == [_WORK]
    assert where() == {str(town), str(rig)}
