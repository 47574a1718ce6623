"""polecat's own settings survive what Gas Town writes, wherever they stand; Gas Town's themes are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polecat.errors import ConfigError
from polecat.model import Rig
from polecat.testing.worlds import put_json
from polecat.town.own_settings import misplaced_keys, move_own_keys
from polecat.town.pool_state import load_pool
from polecat.town.settings import OWN_FILE, SHARED_FILE, load_rig_settings, load_town_settings


def theme(town: Path, name: str, text: str) -> Path:
    """Write a theme of a town's own."""
    path = town / "settings" / "themes" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ------------------------------------------------------------------------------------------------------ two files


def test_each_key_is_read_from_either_file(tmp_path: Path) -> None:
    """What stands in one file only counts, whichever it is; what stands in both counts as polecat's own file says."""
    put_json(tmp_path / SHARED_FILE, {"type": "rig-settings", "agent": "codex", "max_polecats": 3, "warm_spares": 1})
    put_json(tmp_path / OWN_FILE, {"max_polecats": 5, "port_base": 30_000})

    loaded = load_rig_settings(tmp_path)

    assert (loaded.agent, loaded.max_polecats, loaded.warm_spares, loaded.place.port_base) == ("codex", 5, 1, 30_000)


def test_the_own_file_alone_will_do(tmp_path: Path) -> None:
    """Where Gas Town's file is missing, the town is the one that polecat's own file names."""
    put_json(tmp_path / OWN_FILE, {"tmux_socket": "my-town", "host": "alpha"})

    loaded = load_town_settings(tmp_path)

    assert (loaded.tmux_socket, loaded.host) == ("my-town", "alpha")


def test_agents_of_both_files_are_known(tmp_path: Path) -> None:
    """Agents of the two files stand beside each other; of two of one name the one in polecat's own file counts."""
    put_json(tmp_path / SHARED_FILE, {"agents": {"a": {"command": "old"}, "b": {"command": "b"}}})
    put_json(tmp_path / OWN_FILE, {"agents": {"a": {"command": "new", "tmux": {"ready_delay_ms": 5}}}})

    agents = load_town_settings(tmp_path).agents

    assert {name: agent.command for name, agent in agents.items()} == {"a": "new", "b": "b"}
    assert agents["a"].ready_delay_ms == 5


def test_what_gas_town_writes_drops_nothing_of_ours(tmp_path: Path) -> None:
    """Gas Town rewrites its file with its own keys only; the socket and the limits are the same before and after."""
    put_json(tmp_path / OWN_FILE, {"tmux_socket": "my-town"})
    put_json(tmp_path / "gas" / OWN_FILE, {"leave_out": ["docs"]})

    for folder, kind in ((tmp_path, "town"), (tmp_path / "gas", "rig")):  # what gt 1.2.1 left of each
        put_json(folder / SHARED_FILE, {"type": f"{kind}-settings", "version": 1})

    assert load_town_settings(tmp_path).tmux_socket == "my-town"
    assert load_rig_settings(tmp_path / "gas").leave_out == ("docs",)


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ('{\n"max_polecats": "x"}', "max_polecats", "must be a whole number"),
        ('{\n"version": 2}', "version", "is unsupported"),
        ('{\n"port_base": 65535}', "port_top", "leaves no room"),
        ('{\n"agents": {"a": {"command": 5}}}', "agents.a.command", "must be a string"),
    ],
)
def test_an_error_names_the_file_it_is_in(tmp_path: Path, text: str, field: str, problem: str) -> None:
    """A wrong value of polecat's own file is an error with that file, its line and the field."""
    put_json(tmp_path / SHARED_FILE, {"type": "rig-settings", "agents": {"a": {"command": "x"}}})
    (tmp_path / OWN_FILE).write_text(text)

    with pytest.raises(ConfigError, match=problem) as caught:
        load_rig_settings(tmp_path)

    assert (caught.value.path, caught.value.field) == (tmp_path / OWN_FILE, field)
    assert caught.value.line in (1, 2)


def test_an_error_below_names_the_shared_file(tmp_path: Path) -> None:
    """With both files there, a wrong value of Gas Town's is still an error in Gas Town's."""
    put_json(tmp_path / OWN_FILE, {"max_polecats": 5})
    (tmp_path / SHARED_FILE).write_text('{"type": "rig-settings",\n"warm_spares": -1}')

    with pytest.raises(ConfigError) as caught:
        load_rig_settings(tmp_path)

    assert (caught.value.path, caught.value.line) == (tmp_path / SHARED_FILE, 2)


# --------------------------------------------------------------------------------------------------------- moving


def test_keys_are_moved_once(tmp_path: Path) -> None:
    """Own keys go to the own file with their values, what Gas Town knows stays byte for byte, and the settings mean what they meant."""
    path = tmp_path / SHARED_FILE
    path.parent.mkdir()
    path.write_text('{ "type":"rig-settings",\n  "max_polecats": 7, "agents": {"x": {"command": "y"}},\n  "Fetch": "never" }\n')
    before = load_rig_settings(tmp_path)

    assert move_own_keys(tmp_path) == ("max_polecats", "Fetch")

    assert path.read_text() == '{ "type":"rig-settings", "agents": {"x": {"command": "y"}} }\n'
    assert json.loads((tmp_path / OWN_FILE).read_text()) == {"max_polecats": 7, "fetch": "never"}
    assert load_rig_settings(tmp_path) == before
    assert (misplaced_keys(tmp_path), move_own_keys(tmp_path)) == ((), ())


def test_what_counts_goes_on_counting(tmp_path: Path) -> None:
    """A key in both files is only taken out of Gas Town's; other keys of the own file stay."""
    put_json(tmp_path / SHARED_FILE, {"tmux_socket": "old", "default_agent": "codex"})
    put_json(tmp_path / OWN_FILE, {"tmux_socket": "new", "note": "mine"})

    move_own_keys(tmp_path)

    assert json.loads((tmp_path / SHARED_FILE).read_text()) == {"default_agent": "codex"}
    assert json.loads((tmp_path / OWN_FILE).read_text()) == {"tmux_socket": "new", "note": "mine"}


def test_keys_of_gas_town_are_not_misplaced(tmp_path: Path) -> None:
    """What both know, and what nobody knows, is left where it is."""
    put_json(tmp_path / SHARED_FILE, {"namepool": {}, "agent": "x", "role_agents": {}, "merge_queue": {}, "role_effort": {}})

    assert misplaced_keys(tmp_path) == ()


# --------------------------------------------------------------------------------------------------------- themes


def test_a_theme_of_the_town_gives_its_names(tmp_path: Path) -> None:
    """Names are those that Gas Town gives: comments, short, odd, repeated and reserved ones are skipped."""
    theme(tmp_path, "birds", "# Custom theme: birds\n\nHeron\nemu\nsnow owl\nheron\nwitness\nmagpie\n")
    put_json(tmp_path / "gas" / SHARED_FILE, {"namepool": {"style": "birds", "max_before_numbering": 5}})

    pool = load_pool(Rig(name="gas", path=tmp_path / "gas"), load_rig_settings(tmp_path / "gas"))

    assert (pool.names, pool.max_size, pool.theme) == (("heron", "magpie"), 5, "birds")


@pytest.mark.parametrize("style", ["brids", "../birds", "themes/birds", "a\0b"])
def test_an_unknown_theme_is_an_error(tmp_path: Path, style: str) -> None:
    """A theme that there is not is an error with file and line that names those there are; it was mad-max."""
    theme(tmp_path, "birds", "heron\n")
    for place in ("birds.txt", "themes/themes/birds.txt"):
        (tmp_path / "settings" / place).parent.mkdir(exist_ok=True)
        (tmp_path / "settings" / place).write_text("heron\n")
    put_json(tmp_path / "gas" / SHARED_FILE, {"namepool": {"style": style}})

    with pytest.raises(ConfigError, match="there are mad-max, minerals, wasteland, birds") as caught:
        load_rig_settings(tmp_path / "gas")

    assert (caught.value.path, caught.value.field, caught.value.line) == (tmp_path / "gas" / SHARED_FILE, "namepool.style", 3)


@pytest.mark.parametrize("text", ["# nothing\nemu\n", "".join(f"name-{n}\n" for n in range(2001))])
def test_a_theme_without_names_is_an_error(tmp_path: Path, text: str) -> None:
    """A theme that Gas Town refuses, because it holds no name or too many, is an error in the theme's file."""
    path = theme(tmp_path, "birds", text)
    put_json(tmp_path / "gas" / SHARED_FILE, {"namepool": {"style": "birds"}})

    with pytest.raises(ConfigError, match="must hold 1 to 2000 names") as caught:
        load_rig_settings(tmp_path / "gas")

    assert caught.value.path == path


def test_own_names_need_no_theme(tmp_path: Path) -> None:
    """Where the rig lists names, its theme does not count and need not be there."""
    put_json(tmp_path / "gas" / SHARED_FILE, {"namepool": {"style": "gone", "names": ["heron"]}})

    assert load_pool(Rig(name="gas", path=tmp_path / "gas"), load_rig_settings(tmp_path / "gas")).names == ("heron",)


def test_fixed_names_of_the_rig_count_without_a_namepool(tmp_path: Path) -> None:
    """Names in the rig's ``config.json`` are given where its settings say nothing of names, and only there."""
    rig = Rig(name="gas", path=tmp_path / "gas")
    put_json(rig.path / "config.json", {"type": "rig", "polecat_names": ["heron", "crow"], "polecat_pool_size": 2})

    assert load_pool(rig, load_rig_settings(rig.path)).names == ("heron", "crow")

    put_json(rig.path / SHARED_FILE, {"namepool": {"style": "minerals"}})

    assert load_pool(rig, load_rig_settings(rig.path)).names[0] == "obsidian"


def test_a_fixed_name_that_cannot_be_one_is_an_error(tmp_path: Path) -> None:
    """A bad name in the rig's ``config.json`` is an error that names it there."""
    put_json(tmp_path / "gas" / "config.json", {"polecat_names": ["ok", "../x"]})

    with pytest.raises(ConfigError, match="cannot name a polecat") as caught:
        load_rig_settings(tmp_path / "gas")

    assert (caught.value.path, caught.value.field) == (tmp_path / "gas" / "config.json", "polecat_names.1")
