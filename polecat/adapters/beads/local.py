"""A store of work in one SQLite file, for rigs without a beads directory or machines without ``bd``.

Safe between processes and threads: each method is one connection and, when it writes, one ``BEGIN IMMEDIATE`` transaction. The
journal is SQLite's rollback journal, because WAL needs shared memory, which network file systems lack. Its file stays, emptied, so that
a write waits for the disk twice and not four times. Reading never creates the file, so a plan touches nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
from attrs import field, frozen

from polecat.core import bead_rules
from polecat.core.agent_description import AGENT_LABEL, format_description, replace_fields
from polecat.errors import BeadsConfigError, BeadsError, BeadsUnavailableError
from polecat.names import shell_line
from polecat.ports import AgentBead, AgentFields, Bead, Holdings
from polecat.town.guarded import is_regular

SCHEMA_VERSION = 1
"""What this version writes into ``PRAGMA user_version``; a file with a higher one is refused."""

_SCHEMA = """
CREATE TABLE beads (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'open',
    assignee TEXT NOT NULL DEFAULT '',
    labels TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    close_reason TEXT NOT NULL DEFAULT ''
)
"""
_INDEX = "CREATE INDEX beads_assignee ON beads (assignee) WHERE assignee <> ''"
_WRITE = """
INSERT INTO beads (id, title, status, assignee, labels, description) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET title = excluded.title, status = excluded.status, assignee = excluded.assignee,
    labels = excluded.labels, description = excluded.description
"""
_OR_HELD = f"OR (assignee <> '' AND status IN {bead_rules.HELD_STATUSES})"
_READ = "SELECT id, title, status, assignee, labels, description FROM beads WHERE "


@frozen(kw_only=True)
class _Row:
    bead: Bead
    description: str = ""

    @property
    def agent(self) -> AgentBead:
        return bead_rules.as_agent(self.bead, self.description)

    def given(self, assignee: str, status: str) -> _Row:
        return attrs.evolve(self, bead=attrs.evolve(self.bead, assignee=assignee, status=status))


@frozen
class LocalBeads:
    """`Beads` in a SQLite file.

    A bead that was never seen is made when it is hooked or assigned: nothing else puts work into this store.

    Args:
        path: the file; it and its directory are made by the first write.
        timeout_s: how long to wait for another process that writes.

    Examples:
        >>> import tempfile
        >>> store = LocalBeads(Path(tempfile.mkdtemp()) / "beads.sqlite3")
        >>> store.bead("gt-1") is None, store.path.exists()
        (True, False)
        >>> store.hook("gt-1", assignee="gas/polecats/nux").status
        'hooked'
    """

    path: Path = field(converter=Path)
    timeout_s: float = field(default=30.0, kw_only=True)

    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        """See `Beads.open_agent`."""
        bead = Bead(id=bead_id, title=title, labels=(AGENT_LABEL,))
        wanted = _Row(bead=bead, description=format_description(title, fields))
        with self._transaction() as db:
            row = _read(db, bead_id)
            if row is not None:
                bead_rules.check_is_agent(row.bead)
            return _write(db, wanted).agent

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        """See `Beads.close_agent`."""
        with self._transaction() as db:
            row = _read(db, bead_id)
            if row is None:
                return False
            bead_rules.check_is_agent(row.bead)
            description = replace_fields(row.description, bead_rules.fields_at_close())
            _write(db, _Row(bead=attrs.evolve(row.bead, status="closed"), description=description))
            db.execute("UPDATE beads SET close_reason = ? WHERE id = ?", (reason, bead_id))
            return True

    def agent(self, bead_id: str) -> AgentBead | None:
        """See `Beads.agent`."""
        return next((row.agent for row in self._look("id = ?", bead_id)), None)

    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        """See `Beads.update_agent`."""
        with self._transaction() as db:
            row = self._existing(db, bead_id)
            bead_rules.check_is_agent(row.bead)
            return _write(db, attrs.evolve(row, description=replace_fields(row.description, changes))).agent

    def bead(self, bead_id: str) -> Bead | None:
        """See `Beads.bead`."""
        return next((row.bead for row in self._look("id = ?", bead_id)), None)

    def held_by(self, assignee: str) -> tuple[Bead, ...]:
        """See `Beads.held_by`."""
        names = bead_rules.spellings(assignee)
        return bead_rules.in_order(row.bead for row in self._look("assignee IN (?, ?)", names[0], names[-1]))

    def holdings(self, agents: Mapping[str, str]) -> dict[str, Holdings | BeadsError]:
        """See `Beads.holdings`."""

        def find(ids: frozenset[str]) -> Iterator[tuple[Bead, str]]:
            wanted = json.dumps(sorted(ids or agents.values()))
            rows = self._look(f"id IN (SELECT value FROM json_each(?)) {'' if ids else _OR_HELD}", wanted)
            return ((row.bead, row.description) for row in rows)

        return bead_rules.holdings(agents, find)

    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        """See `Beads.hook`; here the look and the change are one transaction."""
        return self._give(bead_id, "hooked", assignee, expected)

    def assign(self, bead_id: str, *, assignee: str) -> Bead:
        """See `Beads.assign`."""
        return self._give(bead_id, "in_progress", assignee, None)

    def unassign(self, bead_id: str, *, expected: str) -> bool:
        """See `Beads.unassign`."""
        with self._transaction() as db:
            row = _read(db, bead_id)
            if row is None or not bead_rules.holds(row.bead, expected):
                return False
            _write(db, row.given("", bead_rules.status_when_let_go(row.bead)))
            return True

    def set_status(self, bead_id: str, status: str) -> Bead:
        """See `Beads.set_status`."""
        with self._transaction() as db:
            row = self._existing(db, bead_id)
            return _write(db, row.given(row.bead.assignee, status)).bead

    def _give(self, bead_id: str, status: str, assignee: str, expected: str | None) -> Bead:
        with self._transaction() as db:
            row = _read(db, bead_id) or _Row(bead=Bead(id=bead_id))
            bead_rules.check_can_be_given(row.bead, assignee, expected)
            return _write(db, row.given(assignee, status)).bead

    def _existing(self, db: sqlite3.Connection, bead_id: str) -> _Row:
        row = _read(db, bead_id)
        if row is None:
            raise bead_rules.no_such_bead(bead_id, str(self.path))
        return row

    def _look(self, where: str, *values: str) -> list[_Row]:
        """Read beads; none where there is no store yet."""
        with self._explained():
            if not self._is_there():
                return []
            with contextlib.closing(self._connect("rw")) as db, contextlib.suppress(UnicodeEncodeError):
                if self._version(db):
                    return _rows(db, where, *values)
            return []  # a name that is no text, such as that of a foreign directory, is in no store

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._is_there()
            with contextlib.closing(self._connect("rwc")) as db, db:  # the latter commits, or takes everything back
                db.execute("PRAGMA journal_mode = PERSIST")
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("BEGIN IMMEDIATE")
                if self._version(db) == 0:
                    db.execute(_SCHEMA)
                    db.execute(_INDEX)
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                yield db

    def _is_there(self) -> bool:
        """Whether there is a store. SQLite would wait at a pipe for ever, also where its journal should be."""
        is_regular(self.path.with_name(f"{self.path.name}-journal"))
        return is_regular(self.path)

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, timeout=self.timeout_s, isolation_level=None)

    def _version(self, db: sqlite3.Connection) -> int:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise BeadsConfigError(
                f"{self.path} was written by a newer polecat (schema {version}; this one knows {SCHEMA_VERSION})",
                hint="upgrade polecat",
            )
        if version == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise BeadsConfigError(f"{self.path} is a database of something else", hint="move it away")
        return version

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            raise BeadsUnavailableError(
                f"the beads file {self.path} cannot be used: {error}",
                hint="is its directory writable, is the disk full, does another process hold it?",
            ) from error
        except sqlite3.DatabaseError as error:
            raise BeadsUnavailableError(
                f"the beads file {self.path} is damaged, or is no beads file: {error}",
                hint="restore a backup, or move it away, and polecat starts anew: "
                f"{shell_line('mv', self.path, f'{self.path}.damaged')}",
            ) from error


def _rows(db: sqlite3.Connection, where: str, *values: str) -> list[_Row]:
    rows = []
    for row in db.execute(_READ + where, values):
        if not all(isinstance(value, str) for value in row):
            raise sqlite3.DatabaseError(f"it holds something else than text: {row!r:.80}")
        bead_id, title, status, assignee, labels, description = row
        names = tuple(labels.split("\n") if labels else ())
        bead = Bead(id=bead_id, title=title, status=status, assignee=assignee, labels=names)
        rows.append(_Row(bead=bead, description=description))
    return rows


def _read(db: sqlite3.Connection, bead_id: str) -> _Row | None:
    return next(iter(_rows(db, "id = ?", bead_id)), None)


def _write(db: sqlite3.Connection, row: _Row) -> _Row:
    """Write a bead and return it as it was kept."""
    bead = row.bead
    db.execute(_WRITE, (bead.id, bead.title, bead.status, bead.assignee, "\n".join(bead.labels), row.description))
    (kept,) = _rows(db, "id = ?", bead.id)
    return kept
