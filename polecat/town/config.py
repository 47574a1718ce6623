"""Reads the JSON documents of a town and its rigs, settings apart; `registry` and `routes` write them.

An absent file is a default. A file that is there and cannot be read as what it should be is a `ConfigError` with file, line and
field; the reference takes such a file for absent and goes on with other names, agents and accounts than the user wrote down.
"""

from __future__ import annotations

from pathlib import Path

from polecat.documents import Account, Accounts, AgentEntry, PoolState, RigConfig, RigEntry, TownConfig
from polecat.town.json_files import Node, read_document
from polecat.town.settings import check_version, names_of


def load_town(path: Path) -> TownConfig:
    """Read a ``town.json``; an absent one gives an empty name.

    Raises:
        ConfigError: the file is invalid.
    """
    doc = read_document(path)
    if doc is None:
        return TownConfig()
    doc.choice_of("type", ("town",))
    check_version(doc, newest=2)
    return TownConfig(
        name=doc.text_of("name"),
        owner=doc.text_of("owner"),
        public_name=doc.text_of("public_name"),
        created_at=doc.time_of("created_at"),
    )


def rigs_path(town_root: Path) -> Path:
    """Where the registry of rigs is."""
    return town_root / "mayor" / "rigs.json"


def load_rigs(town_root: Path) -> dict[str, RigEntry]:
    """Read the registry of rigs, in the file's order; an absent file is an empty registry.

    Raises:
        ConfigError: the file is invalid.
    """
    doc = read_document(rigs_path(town_root))
    if doc is None:
        return {}
    check_version(doc, newest=1)
    return {name: _rig_entry(node) for name, node in doc.entries_of("rigs").items()}


def _rig_entry(node: Node) -> RigEntry:
    beads = node.object_of("beads")
    return RigEntry(
        git_url=node.text_of("git_url"),
        local_repo=node.text_of("local_repo"),
        added_at=node.time_of("added_at"),
        beads_repo=beads.text_of("repo"),
        beads_prefix=beads.text_of("prefix"),
    )


def load_rig_config(rig_path: Path) -> RigConfig:
    """Read a rig's identity; an absent file gives the defaults.

    Raises:
        ConfigError: the file is invalid.
    """
    doc = read_document(rig_path / "config.json")
    if doc is None:
        return RigConfig()
    doc.text_of("type")
    doc.integer_of("version")
    return RigConfig(
        name=doc.text_of("name"),
        git_url=doc.text_of("git_url"),
        local_repo=doc.text_of("local_repo"),
        default_branch=doc.text_of("default_branch") or "main",
        created_at=doc.time_of("created_at"),
        beads_prefix=doc.object_of("beads").text_of("prefix"),
        polecat_names=names_of(doc, "polecat_names"),
        polecat_pool_size=doc.integer_of("polecat_pool_size"),
    )


def load_agent_registry(path: Path) -> dict[str, AgentEntry]:
    """Read an ``agents.json``; an absent one has no agents.

    Raises:
        ConfigError: the file is invalid.
    """
    doc = read_document(path)
    if doc is None:
        return {}
    doc.integer_of("version")
    return {name: _agent_entry(name, node) for name, node in doc.entries_of("agents").items()}


def _agent_entry(name: str, node: Node) -> AgentEntry:
    node.text_of("name")
    once = node.object_of("non_interactive")
    for key in ("subcommand", "prompt_flag", "output_flag"):
        once.text_of(key)
    node.flag_of("supports_fork_session")
    return AgentEntry(
        name=name,
        command=node.text_of("command"),
        args=node.texts_of("args") or (),
        process_names=node.texts_of("process_names") or (),
        session_id_env=node.text_of("session_id_env"),
        resume_flag=node.text_of("resume_flag"),
        resume_style=node.choice_of("resume_style", ("flag", "subcommand")),
        supports_hooks=node.flag_of("supports_hooks"),
    )


def load_accounts(town_root: Path) -> Accounts:
    """Read the accounts; an absent file has none.

    Raises:
        ConfigError: the file is invalid: no such JSON, an account without directory, a default that is no account, a newer version.

    Source:
        Contract §3.9.
    """
    path = town_root / "mayor" / "accounts.json"
    doc = read_document(path)
    if doc is None:
        return Accounts(path=path, exists=False)
    check_version(doc, newest=1)
    accounts = {handle: _account(node) for handle, node in doc.entries_of("accounts").items()}
    default = doc.text_of("default")
    if default and accounts and default not in accounts:
        raise doc.missing("default", f"names no account: {default!r}; there are {', '.join(accounts)}")
    return Accounts(path=path, accounts=accounts, default=default)


def _account(node: Node) -> Account:
    directory = node.text_of("config_dir")
    if not directory:
        raise node.missing("config_dir", "must name the account's directory")
    return Account(config_dir=directory, email=node.text_of("email"), description=node.text_of("description"))


def load_pool_state(rig_path: Path) -> PoolState | None:
    """Read the saved state of a rig's name pool; None if there is none.

    Raises:
        ConfigError: the file is invalid. Going on with a fresh counter could give a number a second time.
    """
    doc = read_document(rig_path / ".runtime" / "namepool-state.json")
    if doc is None:
        return None
    doc.text_of("rig_name")
    doc.text_of("theme")
    doc.texts_of("custom_names")
    return PoolState(overflow_next=doc.integer_of("overflow_next"), max_size=doc.integer_of("max_size"))
