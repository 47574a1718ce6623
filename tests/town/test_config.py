"""The JSON documents: what is a default, what is an error, and where the error says it is."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polecat.documents import NamePoolSettings, RigConfig, RigEntry, Route, TownConfig
from polecat.errors import ConfigError
from polecat.town import config, registry, routes
from polecat.town.files import encode, read_text, write_bytes, write_json
from polecat.town.json_files import format_time, line_of, parse_document, parse_time
from polecat.town.routes import load_routes
from polecat.town.settings import load_rig_settings, load_town_settings

LOADERS: dict[str, Callable[[Path], object]] = {
    "mayor/town.json": lambda root: config.load_town(root / "mayor" / "town.json"),
    "mayor/rigs.json": config.load_rigs,
    "mayor/accounts.json": config.load_accounts,
    "settings/config.json": load_town_settings,
    "settings/agents.json": lambda root: config.load_agent_registry(root / "settings" / "agents.json"),
    "gas/config.json": lambda root: config.load_rig_config(root / "gas"),
    "gas/settings/config.json": lambda root: load_rig_settings(root / "gas"),
    "gas/settings/agents.json": lambda root: config.load_agent_registry(root / "gas" / "settings" / "agents.json"),
    "gas/.runtime/namepool-state.json": lambda root: config.load_pool_state(root / "gas"),
}


def put(root: Path, name: str, text: str) -> Path:
    """Write a file of a town."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def wrong(root: Path, name: str, text: str) -> ConfigError:
    """The error that loading this text gives."""
    put(root, name, text)
    with pytest.raises(ConfigError) as caught:
        LOADERS[name](root)
    return caught.value


@pytest.mark.parametrize("name", LOADERS)
def test_absent_and_empty_objects_are_defaults(tmp_path: Path, name: str) -> None:
    """An absent file, {} and null give the same defaults, except that an absent state is None."""
    absent = LOADERS[name](tmp_path)

    put(tmp_path, name, "{}")
    empty = LOADERS[name](tmp_path)
    put(tmp_path, name, " null ")
    null = LOADERS[name](tmp_path)

    assert empty == null
    if name not in ("gas/.runtime/namepool-state.json", "mayor/accounts.json"):
        assert absent == empty


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('{"a": 1,\n "b": }', 2, "is not valid JSON"),
        ("", 1, "is not valid JSON"),
        ("[]", 1, "must hold an object, not a list"),
        ('{"a": NaN}', None, "is not valid JSON"),
        ("[" * 100_000, None, "is not valid JSON"),
        ('{"a": 1} x', 1, "is not valid JSON"),
    ],
)
def test_broken_json_names_the_file_and_line(tmp_path: Path, name: str, text: str, line: int | None, says: str) -> None:
    """Text that is no JSON object is an error that names the file and the line, never a default."""
    error = wrong(tmp_path, name, text)

    assert error.path == tmp_path / name
    assert error.line == line
    assert says in str(error)


@pytest.mark.parametrize("name", LOADERS)
def test_unreadable_files_are_errors(tmp_path: Path, name: str) -> None:
    """A directory, a pipe or bytes that are no UTF-8 in the place of a file are errors, and nothing hangs."""
    path = tmp_path / name
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="is a directory"):
        LOADERS[name](tmp_path)

    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is not a regular file"):
        LOADERS[name](tmp_path)

    path.unlink()
    path.write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(ConfigError, match="line 2: is not UTF-8"):
        LOADERS[name](tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "field", "line", "problem"),
    [
        (
            "mayor/rigs.json",
            '{\n "version": 1,\n "rigs": {\n  "gastown": {\n   "git_url": "u",\n   "beads": {},\n   "added_at": "yesterday"\n}}}',
            "rigs.gastown.added_at",
            7,
            "must be a time such as 2026-01-13T12:00:00Z, not 'yesterday'",
        ),
        ("mayor/rigs.json", '{"version": 2}', "version", 1, "is unsupported: 2; known up to 1"),
        ("mayor/rigs.json", '{"rigs": []}', "rigs", 1, "must be an object, not a list"),
        ("mayor/rigs.json", '{"rigs":\n{"a": 5}}', "rigs.a", 2, "must be an object, not 5"),
        ("mayor/town.json", '{"type": "rig"}', "type", 1, "must be 'town', not 'rig'"),
        ("mayor/town.json", '{"version": 3}', "version", 1, "is unsupported"),
        ("mayor/town.json", '{"name": 5}', "name", 1, "must be a string, not 5"),
        ("mayor/accounts.json", '{"version": 99}', "version", 1, "is unsupported"),
        ("mayor/accounts.json", '{"accounts":{\n"a":{"config_dir":""}}}', "accounts.a.config_dir", 2, "must name the"),
        ("mayor/accounts.json", '{"accounts":{\n"a":{}}}', "accounts.a.config_dir", 2, "must name the"),
        ("mayor/accounts.json", '{"accounts":{"a":{"config_dir":"/a"}},"default":"z"}', "default", 1, "names no account"),
        ("settings/config.json", '{"role_agents": {"polecat": 1}}', "role_agents.polecat", 1, "must be a string, not 1"),
        ("settings/config.json", '{"agents": {"a": {"args": "x"}}}', "agents.a.args", 1, "must be a list, not 'x'"),
        ("settings/config.json", '{"tmux_socket": "-x"}', "tmux_socket", 1, "must be a socket's name or path"),
        ("settings/agents.json", '{"agents": {"a": {"args": ["x", 5]}}}', "agents.a.args.1", 1, "must be a string"),
        ("settings/agents.json", '{"agents": {"a": {"resume_style": "x"}}}', "agents.a.resume_style", 1, "must be 'flag'"),
        ("gas/settings/agents.json", '{"agents": {"a": {"supports_hooks": 1}}}', "agents.a.supports_hooks", 1, "true or"),
        ("gas/config.json", '{"default_branch": ["x"]}', "default_branch", 1, "must be a string, not a list"),
        ("gas/config.json", '{"created_at": "2026-13-01T00:00:00Z"}', "created_at", 1, "must be a time"),
        ("gas/.runtime/namepool-state.json", '{"overflow_next": 51.0}', "overflow_next", 1, "must be a whole number"),
        ("gas/.runtime/namepool-state.json", '{"overflow_next": true}', "overflow_next", 1, "must be a whole number"),
        ("gas/.runtime/namepool-state.json", '{"custom_names": {}}', "custom_names", 1, "must be a list"),
        ("gas/settings/config.json", '{"type": "town-settings"}', "type", 1, "must be 'rig-settings'"),
        ("gas/settings/config.json", '{"version": 2}', "version", 1, "is unsupported"),
        ("gas/settings/config.json", '{"merge_queue": {"on_conflict": "x"}}', "merge_queue.on_conflict", 1, "'assign_back'"),
        ("gas/settings/config.json", '{"merge_queue":{\n"poll_interval": "soon"}}', "merge_queue.poll_interval", 2, "a dur"),
        ("gas/settings/config.json", '{"merge_queue": {"max_concurrent": -1}}', "merge_queue.max_concurrent", 1, "at least 0"),
        ("gas/settings/config.json", '{"merge_queue": {"enabled": "yes"}}', "merge_queue.enabled", 1, "must be true or false"),
        ("gas/settings/config.json", '{"namepool": {"names": ["ok", "../x"]}}', "namepool.names.1", 1, "cannot name a"),
        ("gas/settings/config.json", '{"namepool": {"names": ["a:b"]}}', "namepool.names.0", 1, "cannot name a polecat"),
        ("gas/settings/config.json", '{"max_polecats": 0}', "max_polecats", 1, "must be at least 1, not 0"),
        ("gas/settings/config.json", '{"fetch": "if-older-than"}', "fetch", 1, "must be 'always', 'never' or"),
        ("gas/settings/config.json", '{"fetch": "if-older-than x"}', "fetch", 1, "must be 'always', 'never' or"),
        ("gas/settings/config.json", '{"fetch_timeout_s": 0}', "fetch_timeout_s", 1, "must be more than 0"),
        ("gas/settings/config.json", '{"fetch_timeout_s": 1e999}', "fetch_timeout_s", 1, "must be more than 0"),
        ("gas/settings/config.json", '{"leave_out": ["../x"]}', "leave_out.0", 1, "a path inside the project"),
        ("gas/settings/config.json", '{"leave_out": [5]}', "leave_out.0", 1, "a path inside the project"),
        ("gas/settings/config.json", '{"trust": "yes"}', "trust", 1, "'ask' or 'accept', not 'yes'"),
        ("gas/settings/config.json", '{"rescue_ignored": ["a\\nb"]}', "rescue_ignored.0", 1, "a pattern on one line"),
        ("gas/settings/config.json", '{"runtime": {"prompt_mode": "x"}}', "runtime.prompt_mode", 1, "must be 'arg' or"),
        (
            "gas/settings/config.json",
            '{"runtime": {"prompt_flag": "-i x"}}',
            "runtime.prompt_flag",
            1,
            "must be one word such as",
        ),
        ("gas/settings/config.json", '{"runtime": {"tmux": 5}}', "runtime.tmux", 1, "must be an object, not 5"),
        ("gas/settings/config.json", '{"agents": {"x": {"command": "a\\nb"}}}', "agents.x.command", 1, "must be one line"),
        ("gas/settings/config.json", '{"theme": {"custom": {"bg": 1}}}', "theme.custom.bg", 1, "must be a string"),
        ("gas/settings/config.json", '{"respawn_limit": 0}', "respawn_limit", 1, "must be at least 1"),
        ("gas/settings/config.json", '{"warm_spares": 1000}', "warm_spares", 1, "must be at most 100"),
    ],
)
def test_wrong_values_name_the_field_and_line(tmp_path: Path, name: str, text: str, field: str, line: int, problem: str) -> None:
    """A value that breaks a rule is an error that names file, line and dotted field, and says what would be right."""
    error = wrong(tmp_path, name, text)

    assert (error.field, error.line) == (field, line)
    assert problem in error.problem
    assert str(error).startswith(f"{tmp_path / name}, line {line}: '{field}' ")


def test_decoding_follows_go(tmp_path: Path) -> None:
    """Keys match in any case, unknown ones are ignored, the last wins, null is nothing, maps keep their case."""
    text = '{"VERSION": 7, "version": null, "Version": 1, "new": {}, "AGENT": "a", "agent": "b", "Agents": {"X": null, "Y": {}}}'
    put(tmp_path, "gas/settings/config.json", text)

    loaded = load_rig_settings(tmp_path / "gas")

    assert loaded.agent == "b"
    assert list(loaded.agents) == ["Y"]


def test_duplicate_keys_last_wins_where_the_error_points() -> None:
    """Of two equal keys the last counts, and an error points to its line."""
    doc = parse_document(Path("x"), '{"a": "fine",\n"a": 5}')

    with pytest.raises(ConfigError, match="line 2: 'a' must be a string, not 5"):
        doc.text_of("a")


def test_lone_surrogates_become_replacement_characters() -> None:
    """Half a surrogate pair, which no file name or pipe can carry, is read as U+FFFD, as Go does."""
    doc = parse_document(Path("x"), '{"a": "\\ud800!", "b": ["\\uD83D\\uDE00"]}')

    assert doc.text_of("a") == "\ufffd!"
    assert doc.texts_of("b") == ("😀",)


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    """Every documented key of the rig's settings arrives in the value."""
    document = {
        "type": "rig-settings",
        "version": 1,
        "merge_queue": {"enabled": True, "on_conflict": "auto_rebase", "poll_interval": "1m30s", "max_concurrent": 2},
        "theme": {"name": "x", "custom": {"bg": "a", "fg": "b"}, "role_themes": {"polecat": "y"}},
        "namepool": {"style": "minerals", "names": ["ace", "witness"], "max_before_numbering": 5},
        "crew": {"startup": "x"},
        "workflow": {"default_formula": "y"},
        "runtime": {
            "provider": "codex",
            "command": "/bin/my agent",
            "args": [],
            "session": {"session_id_env": "S", "config_dir_env": "C"},
            "hooks": {"provider": "none", "dir": "d", "settings_file": "f"},
            "tmux": {"process_names": ["p"], "ready_prompt_prefix": "> ", "ready_delay_ms": -1},
            "instructions": {"file": "I.md"},
        },
        "agent": "mine",
        "agents": {"mine": {"command": "m"}},
        "role_agents": {"polecat": "mine"},
        "max_polecats": 2,
        "fetch": "if-older-than 300",
        "fetch_timeout_s": 5,
        "leave_out": ["/docs/old"],
        "trust": "accept",
        "ready_timeout_s": 1.5,
        "min_free_disk_mb": 0,
        "respawn_limit": 1,
        "warm_spares": 2,
        "rescue_ignored": ["*.sqlite"],
        "setup_hook_timeout_s": 10,
        "worktree_include": [".env"],
    }
    put(tmp_path, "gas/settings/config.json", json.dumps(document))

    loaded = load_rig_settings(tmp_path / "gas")

    assert loaded.namepool == NamePoolSettings(style="minerals", names=("ace", "witness"), max_before_numbering=5)
    assert loaded.runtime is not None
    assert (loaded.runtime.args, loaded.runtime.command, loaded.runtime.ready_delay_ms) == ((), "/bin/my agent", -1)
    assert (loaded.runtime.config_dir_env, loaded.runtime.instructions_file) == ("C", "I.md")
    assert loaded.agents["mine"].args is None
    assert (loaded.max_polecats, loaded.trust, loaded.fetch_timeout_s) == (2, "accept", 5.0)
    assert (loaded.leave_out, loaded.rescue_ignored) == (("/docs/old",), ("*.sqlite",))


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-12T09:30:00.123456789-08:00", "2026-01-12T09:30:00.123456-08:00"),
        ("2026-01-12T09:30:00Z", "2026-01-12T09:30:00+00:00"),
        ("2026-01-12T09:30:00.5+05:30", "2026-01-12T09:30:00.500000+05:30"),
    ],
)
def test_times_of_go_are_read(text: str, iso: str) -> None:
    """RFC 3339 times with any number of digits and any offset are read."""
    found = parse_time(text)

    assert found is not None and found.isoformat() == iso


@pytest.mark.parametrize("text", ["", "2026-01-12", "2026-01-12 09:30:00Z", "2026-02-30T00:00:00Z", "2026-01-12T09:30:00"])
def test_times_that_go_refuses_are_refused(text: str) -> None:
    """Anything that is not RFC 3339 is no time."""
    assert parse_time(text) is None


def test_unset_time_of_go_is_none(tmp_path: Path) -> None:
    """Go's zero time means not given, both ways."""
    put(tmp_path, "mayor/town.json", '{"created_at": "0001-01-01T00:00:00Z"}')

    assert config.load_town(tmp_path / "mayor" / "town.json").created_at is None
    assert format_time(None) == "0001-01-01T00:00:00Z"


# ------------------------------------------------------------------------------------------------------- properties

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=4), _values, min_size=1, max_size=4), st.integers(0, 3))
def test_lines_are_found_for_every_value(document: dict[str, object], indent: int) -> None:
    """Every value of every document is found, on the line on which it stands."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)

    def check(value: object, at: tuple[str | int, ...]) -> None:
        line = line_of(text, at)
        assert line is not None
        shown = json.dumps(value, ensure_ascii=False)[:1]
        assert shown in text.split("\n")[line - 1]
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in members:
            check(inner, (*at, key))

    check(document, ())


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=4), _values, max_size=4))
def test_what_is_written_is_read_again(document: dict[str, object]) -> None:
    """A document survives writing and reading, in Go's form: no newline at the end, no raw <, > or &."""
    written = encode(document).decode("utf-8")

    assert json.loads(written) == document
    assert not set(written) & set("<>&\u2028\u2029")
    assert not written.endswith("\n")


# ---------------------------------------------------------------------------------------------------------- writing


def test_writing_is_atomic_and_keeps_the_mode(tmp_path: Path) -> None:
    """The file is replaced in one step, keeps its mode, a symlink stays one, and nothing is left beside it."""
    target = put(tmp_path, "real.json", "old")
    target.chmod(0o600)
    link = tmp_path / "link.json"
    link.symlink_to("real.json")
    held = os.open(target, os.O_RDONLY)

    write_json(link, {"a": 1})

    assert os.read(held, 10) == b"old"
    os.close(held)
    assert link.is_symlink()
    assert target.read_text() == '{\n  "a": 1\n}'
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_a_failed_write_keeps_the_original(tmp_path: Path) -> None:
    """A value that cannot be written, or a place that cannot be, leaves the old file and no draft."""
    path = put(tmp_path, "a.json", "old")
    blocked = tmp_path / "b.json"
    (blocked / "inside").mkdir(parents=True)

    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    with pytest.raises(OSError):
        write_bytes(blocked, b"x")

    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_concurrent_writers_leave_one_whole_file(tmp_path: Path) -> None:
    """Of many writers at once one wins, whole."""
    path = tmp_path / "a.json"
    documents = [{"who": n, "fill": "x" * 5000} for n in range(8)]
    threads = [threading.Thread(target=write_json, args=(path, doc)) for doc in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert json.loads(path.read_text()) in documents
    assert list(tmp_path.iterdir()) == [path]


def test_registering_a_rig_keeps_everything_else(tmp_path: Path) -> None:
    """One entry changes; unknown keys, other rigs and the file's mode stay; rigs are sorted by their bytes."""
    old = '{"Version": 1, "mine": [1, {"x": "y"}], "Rigs": {"zoo": {"git_url": "z", "extra": 5}, "Gas": {"git_url": "old"}}}'
    path = put(tmp_path, "mayor/rigs.json", old)
    path.chmod(0o640)

    registry.register_rig(tmp_path, "Gas", RigEntry(git_url="a&b", added_at=datetime(2026, 1, 13, tzinfo=UTC), beads_prefix="gt"))

    document = json.loads(path.read_text())
    assert document["mine"] == [1, {"x": "y"}]
    assert list(document) == ["Version", "mine", "Rigs"]
    assert list(document["Rigs"]) == ["Gas", "zoo"]
    assert document["Rigs"]["zoo"] == {"git_url": "z", "extra": 5}
    assert document["Rigs"]["Gas"] == {
        "git_url": "a&b",
        "added_at": "2026-01-13T00:00:00Z",
        "beads": {"repo": "", "prefix": "gt"},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_registering_makes_the_registry(tmp_path: Path) -> None:
    """A missing registry is made, readable by its owner only; an empty one gets its version."""
    registry.register_rig(tmp_path, "gas", RigEntry(git_url="u"))
    path = tmp_path / "mayor" / "rigs.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config.load_rigs(tmp_path) == {"gas": RigEntry(git_url="u")}

    path.write_text("{}")
    registry.register_rig(tmp_path, "gas", RigEntry(git_url="u"))

    assert config.load_rigs(tmp_path) == {"gas": RigEntry(git_url="u")}
    assert json.loads(path.read_text())["version"] == 1


def test_an_invalid_registry_is_not_touched(tmp_path: Path) -> None:
    """A registry that cannot be understood is an error, not a fresh start."""
    path = put(tmp_path, "mayor/rigs.json", "{ broken")

    with pytest.raises(ConfigError):
        registry.register_rig(tmp_path, "gas", RigEntry(git_url="u"))

    assert path.read_text() == "{ broken"


def test_town_and_rig_round_trip(tmp_path: Path) -> None:
    """What is written for a town and a rig is read again, in Go's form."""
    town = TownConfig(name="home", owner="me", created_at=datetime(2026, 1, 13, 12, tzinfo=UTC))
    rig = RigConfig(name="gastown", git_url="u", default_branch="trunk", beads_prefix="gt")
    (tmp_path / "gastown").mkdir()

    registry.write_town(tmp_path, town)
    registry.write_rig_config(tmp_path / "gastown", rig)

    assert config.load_town(tmp_path / "mayor" / "town.json") == town
    assert config.load_rig_config(tmp_path / "gastown") == rig
    written = (tmp_path / "gastown" / "config.json").read_text()
    assert written.startswith('{\n  "type": "rig",\n  "version": 1,\n  "name": "gastown",\n  "git_url": "u",\n  "default')


def test_routes_keep_comments_and_bad_lines(tmp_path: Path) -> None:
    """Adding and removing routes changes only the lines of that prefix."""
    old = '# mine\n{"prefix":"gt-","path":"gastown"}\nnot json\n{"prefix":"bd-","path":"beads"}'
    path = put(tmp_path, ".beads/routes.jsonl", old)

    routes.add_route(tmp_path, Route(prefix="gt-", path="gastown/mayor/rig"))
    routes.add_route(tmp_path, Route(prefix="ra-", path="rigA"))
    routes.remove_route(tmp_path, "bd-")

    assert path.read_text() == '# mine\n{"prefix":"gt-","path":"gastown/mayor/rig"}\nnot json\n{"prefix":"ra-","path":"rigA"}\n'
    assert load_routes(tmp_path)[1] == Route(prefix="ra-", path="rigA")


def test_routes_absent_unreadable_or_endless(tmp_path: Path) -> None:
    """No file is no routes; a file that cannot be read, or has a line nobody can read, is an error."""
    assert load_routes(tmp_path) == ()

    path = put(tmp_path, ".beads/routes.jsonl", "\n" + "x" * 70_000)
    with pytest.raises(ConfigError, match="line 2"):
        load_routes(tmp_path)

    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError):
        load_routes(tmp_path)


def test_no_permission_is_an_error(tmp_path: Path) -> None:
    """A file that may not be read is an error, not an absent file."""
    path = put(tmp_path, "x.json", "{}")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")

    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        read_text(path)
