"""The page of the command line says what ``--json`` prints, verb by verb."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from polecat.cli import main
from tests.docs.test_tutorial import ROOT
from tests.spawn_fixtures import RECORD, HandTown, hand_town, make_template, write_json

PAGE = ROOT / "docs" / "reference" / "cli.md"


def documented() -> dict[str, set[str]]:
    """Verb → the keys that the page names for it."""
    rows = re.findall(r"^\| (`[a-z][^|]*) \| [^|]* \| ([^|]*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    found: dict[str, set[str]] = {}
    for verbs, keys in rows:
        own = re.sub(r"\(.*?\)", "", keys)
        base = re.search(r"those of `(\w+)`", own)
        names = set(re.findall(r"`(\w+)`", own.replace(base[0], "") if base else own))
        for verb in re.findall(r"`([^`]+)`", verbs):
            found[verb] = names | (found[base[1]] if base else set())
    return found


def printed(town: HandTown, capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """Verb → the keys that it prints, each verb once, on a real town."""
    commands: dict[str, list[str]] = {
        "spawn": ["spawn", "gastown", "--hook", "gt-1"],
        "spawn --dry-run": ["spawn", "gastown", "--dry-run"],
        "list": ["list"],
        "status": ["status", "gastown/furiosa"],
        "nudge": ["nudge", "gastown/furiosa", "hello"],
        "capture": ["capture", "gastown/furiosa"],
        "hook": ["hook", "show", "gastown/furiosa"],
        "stale": ["stale", "gastown"],
        "stop": ["stop", "gastown/furiosa"],
        "repair": ["repair", "gastown/furiosa"],
        "remove": ["remove", "gastown/furiosa", "--force"],
        "rescue list": ["rescue", "list", "gastown"],
        "reconcile": ["reconcile", "gastown"],
        "prune": ["prune", "gastown"],
        "warm": ["warm", "gastown", "0"],
        "doctor": ["doctor"],
        "rig add": ["rig", "add", "other", str(town.origin)],
    }
    found = {}
    for verb, argv in commands.items():
        if verb == "remove":
            (town.rig_dir / "polecats" / "furiosa" / "gastown" / "draft").write_text("x")
        found[verb] = _keys(argv, town, capsys)
        if verb == "rescue list":
            main(["rescue", "list", "gastown", "--json", "--town", str(town.root)])
            ref = json.loads(capsys.readouterr().out)[0]["ref"]
            found["rescue show"] = _keys(["rescue", "show", "gastown", ref], town, capsys)
    return found


def _keys(argv: list[str], town: HandTown, capsys: pytest.CaptureFixture[str]) -> set[str]:
    main([*argv, "--json", "--town", str(town.root)])
    said = capsys.readouterr()
    assert said.out, (argv, said.err)
    document: Any = json.loads(said.out)
    return set(document[0] if isinstance(document, list) else document)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_what_json_prints_is_on_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb prints exactly the keys that the page names."""
    with hand_town(tmp_path, make_template(tmp_path / "template")) as town:
        town.agent("record", RECORD)
        write_json(town.root / "settings" / "config.json", {"type": "town-settings", "tmux_socket": str(town.server.socket)})
        seen = printed(town, capsys)
    said = documented()

    assert set(said) - {"send"} == set(seen)
    for verb, keys in seen.items():
        assert keys == said[verb], verb
