"""The command line in a hand-made town, run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polecat.cli import main
from tests.cli_fixtures import Answer
from tests.spawn_fixtures import RECORD, HandTown, hand_town, make_template, write_json

Run = Callable[..., Answer]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, tmux_guard: object) -> Path:
    """An origin and a clone of it, to be copied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def town(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HandTown]:
    """A town whose settings name a tmux server of its own; it is the working directory."""
    with hand_town(tmp_path, template) as made:
        made.agent("recorder", RECORD)
        write_json(
            made.root / "settings" / "polecat.json",
            {"tmux_socket": str(made.server.socket)},
        )
        monkeypatch.chdir(made.root)
        yield made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line; give its exit code and what it wrote."""

    def run(*argv: str) -> Answer:
        capsys.readouterr()
        code = main(list(argv))
        said = capsys.readouterr()
        return Answer(code=code, out=said.out, err=said.err)

    return run
