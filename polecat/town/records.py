"""What the disk remembers of each spawn, as a *record*.

While a spawn, repair or removal is under way its record is a *claim*: a file in the polecat's home that says what is being done. It is
true while its writer holds the polecat's lock; when that lock is free the writer is dead, and `reconcile` recovers what it left.

The record of a finished spawn lies outside the home, because the reference removes homes with ``rmdir``, which a file of ours would
block for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from attrs import NOTHING, asdict, evolve, fields_dict, frozen

from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Rig
from polecat.names import is_polecat_name, shell_line
from polecat.town.endings import drop_ends, kept_ends, name_of
from polecat.town.files import why_not, write_bytes
from polecat.town.guarded import read_json_object
from polecat.town.homes import Homes, clear_stand_in, put_stand_in

CLAIM_FILE = ".claim.json"


@frozen(kw_only=True)
class Record:
    """One spawn's hold on a name: a claim while it is made, a record afterwards.

    Attributes:
        instance: id of the spawn; all undoing and ending goes by it, never by the name alone.
        polecat: the name.
        rig: the rig.
        pid: the claimant's process, for messages.
        since: when, RFC 3339.
        branch: the branch made for it.
        base_commit: where that branch started.
        session: name of the session made for it.
        session_id: the server's id of it.
        pane: the agent's pane.
        agent_pid: the agent's process.
        agent_started: when that process began, in the system's own unit; with its id it is unique.
        socket_path: the resolved socket of its tmux server: where it is asked for, whatever the settings name by now.
        server_pid: the tmux server's process; pane and session ids mean something only while it lives.
        server_started: when that process began, as `agent_started`; 0 where that is not known.
        tmux_socket: which tmux server; empty for the default one.
        agent: which agent was started.
        account: the account it was started with; empty for none.
        process_names: how that agent's process may be called.
        hook_bead: the bead on its hook.
        taken_from: who held that bead before, an agent that had ended; empty for nobody.
        taken_status: the status that the bead had with it.
        agent_bead: the bead that stands for it.
        purpose: what a claim is for: ``spawn``, ``start``, ``repair`` or ``remove``.
        host: the machine that it was made on, if that has a name; what others see of it there proves nothing.
        key: the caller's own name for the order that it was made for.
        may_have_run: its agent was about to be started, so there may be work of it in the worktree.
    """

    instance: str
    polecat: str
    rig: str
    pid: int = 0
    since: str = ""
    branch: str = ""
    base_commit: str = ""
    session: str = ""
    session_id: str = ""
    pane: str = ""
    agent_pid: int = 0
    agent_started: int = 0
    socket_path: str = ""
    server_pid: int = 0
    server_started: int = 0
    tmux_socket: str = ""
    agent: str = ""
    account: str = ""
    process_names: tuple[str, ...] = ()
    hook_bead: str = ""
    taken_from: str = ""
    taken_status: str = ""
    agent_bead: str = ""
    host: str = ""
    key: str = ""
    purpose: Literal["spawn", "start", "repair", "remove"] = "spawn"
    may_have_run: bool = False


def new_instance_id() -> str:
    """Make an id that no other spawn has: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def publish_claim(rig: Rig, record: Record) -> None:
    """Create the home with the claim in it, both or neither; the caller holds the pool lock and the polecat's lock.

    Raises:
        PolecatError: the disk said no; nothing is left behind.
    """
    home = rig.home_dir(record.polecat)
    try:
        rig.polecats_dir.mkdir(parents=True, exist_ok=True)
        draft = rig.polecats_dir / f".claim-{record.instance}-{secrets.token_hex(6)}"
        draft.mkdir()
        try:
            draft.chmod(0o755)
            _write(draft / CLAIM_FILE, rig, record)
            put_stand_in(rig, draft / rig.name)
            draft.rename(home)  # replaces an empty directory at most; the caller has seen that there is none
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise PolecatError(
            f"cannot make the home {home}: {error.strerror or error}", hint="the rig must be writable and have free disk"
        ) from error


def write_claim(rig: Rig, record: Record) -> None:
    """Write a claim into a home that exists: what the claimant is about to do, so that others could finish it or take it back."""
    _write(rig.home_dir(record.polecat) / CLAIM_FILE, rig, record)


def drop_claim(rig: Rig, record: Record) -> None:
    """Take a claim out of a home that stays, if it still is that instance's."""
    claim = read_claim(rig, record.polecat)
    if claim is not None and claim.instance == record.instance:
        (rig.home_dir(record.polecat) / CLAIM_FILE).unlink(missing_ok=True)


def read_claim(rig: Rig, name: str) -> Record | None:
    """Read the claim in a home; None if there is none.

    Raises:
        UnknownStateError: there is one that cannot be read, or that is another polecat's.
    """
    return _read(rig.home_dir(name) / CLAIM_FILE, rig, name)


def settle(rig: Rig, claim: Record) -> None:
    """Turn a claim into a record: the spawn is complete."""
    path = _record_path(rig, claim.polecat)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, rig, evolve(claim, purpose="spawn") if claim.purpose == "start" else claim)
    drop_ends(rig, claim.polecat, but=claim.instance)
    (rig.home_dir(claim.polecat) / CLAIM_FILE).unlink(missing_ok=True)


def read_record(rig: Rig, name: str) -> Record | None:
    """Read what we remember of a polecat; None if polecat did not make it.

    Raises:
        UnknownStateError: there is a record that cannot be read, or that is another polecat's.
    """
    return _read(_record_path(rig, name), rig, name)


def read_current(rig: Rig, name: str) -> Record | None:
    """Read what a polecat is now: its claim while it is being made or removed, else its record; None if polecat did not make it.

    While it is being repaired or started again it is what its record says: such a claim counts only once it has become the record.

    Raises:
        UnknownStateError: it cannot be read.
    """
    claim = read_claim(rig, name)
    return claim if claim is not None and not stands_beside(claim) else read_record(rig, name)


def stands_beside(claim: Record) -> bool:
    """Say whether a claim leaves the record what it is until it has become the record itself."""
    return claim.purpose in ("repair", "start")


def drop_record(rig: Rig, name: str, *, instance: str) -> None:
    """Forget a polecat, if the record still is that instance's."""
    with contextlib.suppress(UnknownStateError):
        record = read_record(rig, name)
        if record is None or record.instance != instance:
            return
    _record_path(rig, name).unlink(missing_ok=True)
    drop_ends(rig, name)


def withdraw_claim(rig: Rig, record: Record) -> None:
    """Take a home back that holds nothing but the claim, in one step: whoever is killed leaves the claim or a draft, no empty home.

    Raises:
        PolecatError: something else is in it; the home stays, with its claim.
    """
    home = rig.home_dir(record.polecat)
    clear_stand_in(home / rig.name)
    rest = sorted(name for name in os.listdir(home) if name != CLAIM_FILE and not _is_draft(name)) if home.is_dir() else []
    if rest:
        raise PolecatError(f"{home} still holds {', '.join(rest[:3])}")
    withdrawn = rig.polecats_dir / f".claim-{record.instance}-withdrawn"
    with contextlib.suppress(FileNotFoundError):
        home.rename(withdrawn)
        drop_draft(withdrawn)
    drop_ends(rig, record.polecat)


def _is_draft(name: str) -> bool:
    return name.startswith(f".{CLAIM_FILE}.")


def lost_records(rig: Rig, homes: Homes) -> tuple[str, ...]:
    """Names we remember though they have no home any more: Gas Town removed them."""
    return tuple(sorted(set(_names_with_records(rig)) - homes.taken))


def forget(rig: Rig, name: str) -> None:
    """Drop what we remember of a name that has no home; the caller holds the polecat's lock."""
    if not os.path.lexists(rig.home_dir(name)):
        _record_path(rig, name).unlink(missing_ok=True)
        drop_ends(rig, name)


def drafts(rig: Rig, inside: Mapping[str, tuple[str, ...]], *, is_free: Callable[[str], bool]) -> tuple[Path, ...]:
    """Claims and records that were never published, or no longer are, because their writer was killed in between; ends of nobody.

    Args:
        rig: the rig; the caller holds its pool lock, under which claims are published.
        inside: the files of each home, as `files_in_homes` found them.
        is_free: says that nobody holds the lock of a polecat; asked only where there is a draft.
    """
    homes = [path for path in rig.polecats_dir.glob(".claim-*") if path.is_dir() and not path.is_symlink()]
    files = [(name, rig.home_dir(name) / file) for name, files in inside.items() for file in files if _is_draft(file)]
    files += [(path.name[1:].partition(".json.")[0], path) for path in _record_path(rig, "x").parent.glob(".*.json.*")]
    free = {name for name in {name for name, _ in files} & inside.keys() if is_free(name)}
    ends = [path for path in kept_ends(rig) if not os.path.lexists(rig.home_dir(name := name_of(path))) and is_free(name)]
    return tuple(sorted([*homes, *ends, *(path for name, path in files if name in free and path.is_file())]))


def drop_draft(draft: Path) -> None:
    """Remove an unpublished claim or record; anything else in a directory keeps it there. One that is gone is fine."""
    if not draft.is_dir():
        draft.unlink(missing_ok=True)
        return
    for path in draft.glob("*.json*"):
        path.unlink(missing_ok=True)
    for mark in draft.glob("*/.git"):
        clear_stand_in(mark.parent)
    with contextlib.suppress(FileNotFoundError):
        draft.rmdir()


def had_polecats(rig: Rig) -> bool:
    """Say whether this rig ever gave out a name; then a missing ``polecats/`` is a lost disk, not a new rig."""
    return (rig.runtime_dir / "namepool-state.json").exists() or any(_names_with_records(rig))


def _names_with_records(rig: Rig) -> list[str]:
    place = rig.runtime_dir / "polecats"
    try:
        files = [file for file in os.listdir(place) if file.endswith(".json")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnknownStateError(
            f"the records of {rig.name} cannot be listed: {why_not(error)}", hint=f"look at it: ls -ld {shell_line(place)}"
        ) from error
    return [name for file in files if is_polecat_name(name := file.removesuffix(".json"))]


def _record_path(rig: Rig, name: str) -> Path:
    return rig.runtime_dir / "polecats" / f"{name}.json"


def _write(path: Path, rig: Rig, record: Record) -> None:
    # the town is no part of the value: one that was moved is the same town
    write_bytes(path, f"{json.dumps({**asdict(record), 'town': os.path.abspath(rig.town_root)}, indent=2)}\n".encode())


def _read(path: Path, rig: Rig, name: str) -> Record | None:
    try:
        raw = read_json_object(path, limit_bytes=_LIMIT_BYTES)
        if raw is None:
            return None
        record = _checked(raw)
        if (record.rig, record.polecat) != (rig.name, name):  # copied there: what it names is another's
            raise ValueError(f"it is about {record.rig}/{record.polecat}, not {rig.name}/{name}")
        _must_not_be_a_copy(rig, record, raw.get("town"))
        return record
    except (OSError, ValueError) as error:
        raise UnknownStateError(
            f"{path} cannot be read: {error}",
            hint=f"look at its directory first, then remove the file: rm -r {shell_line(path)}",
        ) from error


def _must_not_be_a_copy(rig: Rig, record: Record, town: object) -> None:
    """A town that was moved takes its agents along; of one that was copied they stay with the town that has them still.

    Raises:
        ValueError: the town that wrote the record is another one, and it has the polecat.
        OSError: whether it has, cannot be seen.
    """
    if not isinstance(town, str) or not os.path.isabs(town) or town == os.path.abspath(rig.town_root) or not os.path.isdir(town):
        return
    if os.path.samefile(town, rig.town_root):  # by another name
        return
    there = Rig(name=rig.name, path=Path(town, rig.path.name))
    for path in (there.home_dir(record.polecat) / CLAIM_FILE, _record_path(there, record.polecat)):
        if (read_json_object(path, limit_bytes=_LIMIT_BYTES) or {}).get("instance") == record.instance:
            raise ValueError(f"it is a copy, and the agent that it names is that of {path}")


_FIELDS: dict[str, tuple[Any, type]] = {
    name: (field.default, str if field.default is NOTHING else type(field.default)) for name, field in fields_dict(Record).items()
}
"""Field of a record → its default and its type."""

_LIMIT_BYTES = 64 * 1024
"""Far more than a record takes."""


def _checked(raw: Mapping[str, object]) -> Record:
    """Make a record of what a file holds, which an agent or a crash may have written.

    Raises:
        ValueError: something is not of its type, or the instance or name could not have been given by us.
    """
    values: dict[str, Any] = {}
    for name, (default, wanted) in _FIELDS.items():
        value = raw.get(name, default)
        if wanted is tuple and isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = tuple(value)
        if type(value) is not wanted:
            raise ValueError(f"{name!r} must be a {wanted.__name__}, not {value!r:.40}")
        values[name] = value
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", values["instance"]) or not is_polecat_name(values["polecat"]):
        raise ValueError("its instance or its name is none that polecat gives")
    if values["purpose"] not in ("spawn", "start", "repair", "remove"):
        raise ValueError(f"'purpose' must be spawn, start, repair or remove, not {values['purpose']!r:.40}")
    return Record(**values)
