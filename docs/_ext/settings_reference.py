"""Every key of every file, from the classes that hold what was read."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from docs._ext.markdown import code, described, table
from polecat.documents import (
    Account,
    AgentEntry,
    NamePoolSettings,
    PlaceSettings,
    RigConfig,
    RigEntry,
    RigSettings,
    RuntimeConfig,
    TownConfig,
    TownSettings,
)
from polecat.town.records import Record

KEYS: Mapping[type, Mapping[str, str]] = {
    RuntimeConfig: {
        "session_id_env": "session.session_id_env",
        "config_dir_env": "session.config_dir_env",
        "hooks_provider": "hooks.provider",
        "hooks_dir": "hooks.dir",
        "hooks_file": "hooks.settings_file",
        "process_names": "tmux.process_names",
        "ready_prompt_prefix": "tmux.ready_prompt_prefix",
        "ready_delay_ms": "tmux.ready_delay_ms",
        "instructions_file": "instructions.file",
    },
    RigEntry: {"beads_repo": "beads.repo", "beads_prefix": "beads.prefix"},
    RigConfig: {"beads_prefix": "beads.prefix"},
}
"""Where a field stands in its file, if not under its own name at the top level."""

LEFT_OUT: Mapping[type, tuple[str, ...]] = {RigSettings: ("place",), AgentEntry: ("name",)}
"""Fields that are no keys: others in a bundle, or the key of the entry itself."""

_TYPES = (
    (r"tuple\[str.*", "list of texts"),
    (r"Mapping.*", "object"),
    (r"(RuntimeConfig|NamePoolSettings).*", "object"),
    (r"datetime.*", "time"),
    (r"bool", "true or false"),
    (r"int", "whole number"),
    (r"float", "number"),
    (r"str|Path|Trust|Lfs|Literal.*", "text"),
)


def fields_of(cls: type) -> dict[str, str]:
    """The fields of a class that are keys of a file: field → key."""
    keys, out = KEYS.get(cls, {}), LEFT_OUT.get(cls, ())
    return {one.name: keys.get(one.name, one.name) for one in attrs.fields(cls) if one.name not in out}


def _rows(cls: type) -> list[tuple[str, str, str, str]]:
    texts = described(cls.__doc__ or "")
    by_name = {one.name: one for one in attrs.fields(cls)}
    return [(code(key), _type(by_name[name]), _default(by_name[name]), texts[name]) for name, key in fields_of(cls).items()]


def _type(field: attrs.Attribute[object]) -> str:
    name = str(field.type).removeprefix("<class '").removesuffix("'>").removesuffix(" | None")
    return next(word for pattern, word in _TYPES if re.fullmatch(pattern, name))


def _default(field: attrs.Attribute[object]) -> str:
    value = field.default
    if value is attrs.NOTHING:
        return "must be there"
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # attrs calls a class a function here
        return code("{}")
    if value == ():
        return code("[]")
    if value in (None, ""):
        return ""
    return code(str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value)


def _table(*classes: type) -> str:
    return table(("Key", "Type", "Default", "Meaning"), [row for cls in classes for row in _rows(cls)])


def rig_settings() -> str:
    """``<rig>/settings/config.json``."""
    return _table(RigSettings, PlaceSettings)


def town_settings() -> str:
    """``<town>/settings/config.json``."""
    return _table(TownSettings)


def agent_settings() -> str:
    """An agent in settings."""
    return _table(RuntimeConfig)


def namepool_settings() -> str:
    """``namepool`` of a rig's settings."""
    return _table(NamePoolSettings)


def town_config() -> str:
    """``mayor/town.json``."""
    return _table(TownConfig)


def rig_entry() -> str:
    """One entry of ``mayor/rigs.json``."""
    return _table(RigEntry)


def rig_config() -> str:
    """``<rig>/config.json``."""
    return _table(RigConfig)


def account() -> str:
    """One entry of ``mayor/accounts.json``."""
    return _table(Account)


def agent_entry() -> str:
    """One entry of an ``agents.json``."""
    return _table(AgentEntry)


def record() -> str:
    """A claim or a record."""
    return _table(Record)
