"""What a command line answered, and what a refusal must look like."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.spawn_fixtures import HandTown, tree_of


@frozen(kw_only=True)
class Answer:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, read as JSON."""
        return json.loads(self.out)

    def refused(self, *words: str) -> Answer:
        """Check that this is one clear error: status 1, nothing on stdout, what, why and what next on stderr; return it."""
        assert self.code == 1, self
        assert self.out == ""
        assert self.err.startswith("polecat: "), self.err
        assert "Traceback" not in self.err and "unexpected error" not in self.err, self.err
        for word in words:
            assert word in self.err, f"{word!r} is not in: {self.err}"
        return self


@frozen(kw_only=True)
class Untouched:
    """Everything a command that must not touch anything could have touched: files, refs, sessions. Locks are no state."""

    town: HandTown
    files: dict[str, object]
    sessions: str

    def check(self) -> None:
        """Fail, with what is different, unless everything is as it was."""
        now = untouched(self.town)
        names = [name for name in {*self.files, *now.files} if self.files.get(name, "-") != now.files.get(name, "-")]
        assert not names, f"touched: {sorted(names)}"
        assert now.sessions == self.sessions, f"sessions are {now.sessions!r}"


Run = Callable[..., Answer]


def untouched(town: HandTown) -> Untouched:
    """Take note of how everything is."""
    panes = "#{session_id} #{session_name} #{pane_id} #{pane_pid}"
    return Untouched(
        town=town,
        files={name: what for name, what in tree_of(town.root).items() if not _is_lock(name)},
        sessions=town.server.run("list-panes", "-a", "-F", panes, code=None),
    )


def _is_lock(name: str) -> bool:
    return name.endswith((".lock", "/locks", "/sling", ".runtime"))


def only(place: Path, *programs: str) -> str:
    """A PATH with these programs and no others."""
    place.mkdir()
    for program in programs:
        found = shutil.which(program)
        assert found is not None
        (place / program).symlink_to(found)
    return str(place)
