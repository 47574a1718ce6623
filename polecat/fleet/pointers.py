"""Which host each order went to, in a file that outlives the orchestrator."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from pathlib import Path


class FilePointers(MutableMapping[str, str]):
    """Key → host, in a file. Several threads and processes may use it at once: orchestrators that order the same keys share one.

    Args:
        path: the file, on a disk of this machine; it is made where missing.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     pointers = FilePointers(Path(place, "orders"))
        ...     pointers.setdefault("gt-1", "alpha"), pointers.setdefault("gt-1", "beta")
        ('alpha', 'alpha')
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._run("PRAGMA journal_mode=WAL")
        self._run("CREATE TABLE IF NOT EXISTS pointers (key TEXT PRIMARY KEY, host TEXT NOT NULL)")

    def _run(self, *statements: str, values: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            for statement in statements:
                rows = db.execute(statement, values[: statement.count("?")]).fetchall()
        return rows

    def __getitem__(self, key: str) -> str:
        for (host,) in self._run("SELECT host FROM pointers WHERE key = ?", values=(key,)):
            return host
        raise KeyError(key)

    def __setitem__(self, key: str, host: str) -> None:
        self._run("INSERT OR REPLACE INTO pointers VALUES (?, ?)", values=(key, host))

    def __delitem__(self, key: str) -> None:
        if not self._run("DELETE FROM pointers WHERE key = ? RETURNING host", values=(key,)):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for (key,) in self._run("SELECT key FROM pointers ORDER BY key"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def setdefault(self, key: str, default: str) -> str:
        """Point to a host, unless the key points to one already; say which one it points to now. One step, for all who share the file."""
        [(host,)] = self._run(
            "INSERT OR IGNORE INTO pointers VALUES (?, ?)", "SELECT host FROM pointers WHERE key = ?", values=(key, default)
        )
        return host
