"""Where agents remember which directories their user trusts: reading it, and giving or taking back the trust of one directory.

These files belong to the agents. One value is changed, every other byte stays, the file is replaced in one step, and nothing is written
if the agent writes at the same time and does not stop. Formats as the agents' users and makers describe them in public; a file of
another form is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from attrs import frozen

from polecat.town.files import write_bytes
from polecat.town.guarded import read_guarded
from polecat.town.json_edit import with_value, without_key

LOCK_STALE_S = 10.0
"""Claude Code renews its lock; one that is older belongs to nobody."""


@frozen(kw_only=True)
class ClaudeTrust:
    """Claude Code's ``.claude.json``: ``projects.<directory>.hasTrustDialogAccepted``.

    Attributes:
        path: the file.
        lock_patience_s: how long to wait while Claude Code itself writes it.
    """

    kind: ClassVar[str] = "claude"
    path: Path
    lock_patience_s: float = 3.0

    @property
    def is_in_use(self) -> bool:
        """The agent was started before: its own file is there."""
        return self.path.exists()

    def is_trusted(self, directory: Path) -> bool:
        """Say whether the user trusts exactly this directory; what cannot be read says no."""
        return _read(self.path, json.loads, self._keys(directory)) is True

    def set_trusted(self, directory: Path, *, trusted: bool) -> bool:
        """Give or take back trust, under the lock that Claude Code itself takes; False if that was so already.

        Taking it back leaves no entry of a directory that is gone, and none that holds nothing else.

        Raises:
            OSError: the file cannot be read or written, or the agent keeps writing it.
            ValueError: it has another form than we know.
        """
        keys = self._keys(directory)

        def change(text: str) -> str:
            document = json.loads(text)
            if (_at(document, keys) is True) == trusted:
                return text
            if trusted:
                return with_value(text, keys, True)
            is_dead = _at(document, keys[:2]) == {keys[2]: True} or not directory.exists()
            return without_key(text, keys[:2] if is_dead else keys)

        with _node_lock(Path(f"{os.path.realpath(self.path)}.lock"), patience_s=self.lock_patience_s):
            return _replace(self.path, change)

    def _keys(self, directory: Path) -> tuple[str, str, str]:
        return ("projects", str(directory), "hasTrustDialogAccepted")


@frozen(kw_only=True)
class CodexTrust:
    """Codex's ``config.toml``: ``[projects."<directory>"] trust_level = "trusted"``; methods as `ClaudeTrust`."""

    kind: ClassVar[str] = "codex"
    path: Path

    @property
    def is_in_use(self) -> bool:
        """The agent was started before: its directory is there."""
        return self.path.parent.is_dir()

    def is_trusted(self, directory: Path) -> bool:
        """Say whether the user trusts exactly this directory; what cannot be read says no."""
        return _read(self.path, tomllib.loads, self._keys(directory)) == "trusted"

    def set_trusted(self, directory: Path, *, trusted: bool) -> bool:
        """Append the entry, or take the very entry we appended away again; any other is the user's and stays."""
        entry = f'\n[projects.{json.dumps(str(directory), ensure_ascii=False)}]\ntrust_level = "trusted"\n'

        def change(text: str) -> str:
            found = _at(tomllib.loads(text), self._keys(directory)[:2])
            if not trusted:
                return text.replace(entry, "", 1)
            if found is not None:
                return text
            new = (text if not text or text.endswith("\n") else text + "\n") + entry
            if _at(tomllib.loads(new), self._keys(directory)) != "trusted":
                raise ValueError("the entry would not be understood")
            return new

        return _replace(self.path, change)

    def _keys(self, directory: Path) -> tuple[str, str, str]:
        return ("projects", str(directory), "trust_level")


@frozen(kw_only=True)
class FolderTrust:
    """Gemini CLI's and Qwen Code's ``trustedFolders.json``: ``<directory>: "TRUST_FOLDER"``; methods as `ClaudeTrust`."""

    kind: ClassVar[str] = "folders"
    path: Path

    @property
    def is_in_use(self) -> bool:
        """The agent was started before: its directory is there."""
        return self.path.parent.is_dir()

    def is_trusted(self, directory: Path) -> bool:
        """Say whether the user trusts exactly this directory; what cannot be read says no."""
        return _read(self.path, json.loads, (str(directory),)) == "TRUST_FOLDER"

    def set_trusted(self, directory: Path, *, trusted: bool) -> bool:
        """Add the entry, or take it away; one that says something else is the user's and stays."""
        keys = (str(directory),)

        def change(text: str) -> str:
            found = _at(json.loads(text or "{}"), keys)
            if found is not None and (trusted or found != "TRUST_FOLDER"):
                return text
            return with_value(text or "{}\n", keys, "TRUST_FOLDER") if trusted else without_key(text or "{}", keys)

        return _replace(self.path, change)


TrustStore = ClaudeTrust | CodexTrust | FolderTrust
"""The memory of one agent."""


def _at(document: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _read(path: Path, loads: Callable[[str], object], keys: tuple[str, ...]) -> object:
    """Read one value of a file; None if there is none, or the file cannot be read."""
    try:
        return _at(loads((read_guarded(path) or b"").decode("utf-8")), keys)
    except (OSError, ValueError, RecursionError):
        return None


def _replace(path: Path, change: Callable[[str], str]) -> bool:
    """Change a file's text in one step, anew if it changes meanwhile."""
    for _ in range(5):
        before = read_guarded(path)
        text = (before or b"").decode("utf-8")
        new = change(text)
        if new == text:
            return False
        if read_guarded(path) == before:  # as late as possible: the rest of the window is one rename
            write_bytes(path, new.encode("utf-8"))
            return True
    raise OSError(f"{path} is being written all the time")


@contextmanager
def _node_lock(lock: Path, *, patience_s: float) -> Iterator[None]:
    """Hold the lock that programs in Node.js take by making a directory."""
    until_s = time.monotonic() + patience_s
    while True:
        try:
            lock.mkdir()
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - lock.stat().st_mtime > LOCK_STALE_S:
                    lock.rmdir()
                    continue
            if time.monotonic() > until_s:
                raise OSError(f"{lock} is held by the agent") from None
            time.sleep(0.02)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.rmdir()
